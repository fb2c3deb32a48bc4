// Package silque is the root of the repository and has no code of its own. Its tests hold the files that no other
// package owns, docker-compose.yml, the Dockerfile and what lies in deploy, to what they promise.
//
// Applications import package notify.
package silque
