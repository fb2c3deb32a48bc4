// Package faults holds the tests that take away, slow down and break what the system depends on, while events flow:
// Temporal, Postgres, the SQLite file. Each says what the save sees (nothing), what people see, what is tried again, and
// what is written down. What mail servers and Twilio can do wrong is tested beside their adapters.
package faults
