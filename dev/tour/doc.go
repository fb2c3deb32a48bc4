// Package tour walks through the console as people do: in a real browser, on a running stack that is full of what goes
// right, what goes wrong, and what someone hostile may have written. It holds tests only.
package tour
