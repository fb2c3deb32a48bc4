// Package system says what is measured: ways from a saved customer to an email at a mail server.
package system

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// System is one way from a saved customer to an email at the sink.
type System interface {
	// Save saves customer i (named "Customer i", with the email Address(i)) through the ORM, and makes sure by the
	// system's own means that the email goes out.
	Save(ctx context.Context, i int) error
	// Close stops everything. It is called when all emails have arrived.
	Close(ctx context.Context) error
}

// Setup is what a system is given to work with.
type Setup struct {
	// Database is "postgres" or "sqlite".
	Database string
	// DatabaseURL is an empty database of the system's own: postgres://… or sqlite://path.
	DatabaseURL string
	// TemporalURL is an empty Postgres database for a Temporal server; empty when Database is "sqlite".
	TemporalURL string
	// Dir is an empty folder of the system's own.
	Dir string
	// SMTPAddr is the sink's host:port: no TLS, no authentication.
	SMTPAddr string
	// Connections are the SMTP connections at most, the same for all.
	Connections int
	// Profile is a file for the processor profile of the load; empty: none.
	Profile string
	// BatchMax is NOTIFY_BATCH_MAX for this project's own system; zero takes its default.
	BatchMax int
}

// Open starts a system.
type Open func(ctx context.Context, s Setup) (System, error)

// ErrNotInstalled says that a program which the system needs is not on this machine; wrapped, it names the program.
var ErrNotInstalled = errors.New("not installed")

// Counter is a system that knows what it did at Temporal.
type Counter interface {
	// Count gives the history events and the billable actions since the start.
	Count(ctx context.Context) (Counts, error)
}

// Counts are Temporal's figures.
type Counts struct {
	Workflows int `json:"workflows"`
	Events    int `json:"events"`
	// Actions are billable ones, counted from histories by the rules of Temporal Cloud:
	// https://docs.temporal.io/cloud/actions
	Actions int `json:"actions"`
}

// From is the sender of every email.
const From = "shop@example.com"

// Address is customer i's.
func Address(i int) string { return fmt.Sprintf("customer%d@example.com", i) }

// Number is the inverse of Address.
func Number(address string) (int, bool) {
	digits, found := strings.CutSuffix(strings.TrimPrefix(address, "customer"), "@example.com")
	i, err := strconv.Atoi(digits)
	return i, found && err == nil
}

// Name is customer i's.
func Name(i int) string { return fmt.Sprintf("Customer %d", i) }

// Subject is the email's.
func Subject(i int) string { return "Welcome, " + Name(i) }

// Text is the email's body.
func Text(i int) string {
	return "Hello " + Name(i) + ",\n\nthank you for joining us. We shall write to " + Address(i) + " when there is news.\n"
}

// Customer is the row that is saved.
type Customer struct {
	ID    uint
	Name  string
	Email string
	Phone string
}

// NewCustomer gives customer i.
func NewCustomer(i int) *Customer {
	return &Customer{Name: Name(i), Email: Address(i), Phone: "+12025550123"}
}
