// Package architecture has no code. Its test holds every package of this module to the rules of who may import whom,
// which keep rules free of I/O, workflows deterministic, and the Temporal server out of production's binaries.
// .golangci.yml says the same to editors, for direct imports; this test also follows what imports import.
package architecture
