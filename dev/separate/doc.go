// Package separate holds the end-to-end test of the three programs as they run in production: processes of their own,
// against a Temporal and a Postgres that are not theirs.
package separate
