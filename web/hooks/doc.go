// Package hooks takes what the outside world says about messages that were sent: what providers and mail servers report, and
// what recipients want. Nobody signs in here; each address has its own proof: a provider's signature, a bearer token, or a
// link that was signed here.
package hooks
