//go:build !race

package testdb

// raced says whether the race detector watches.
const raced = false
