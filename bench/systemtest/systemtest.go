// Package systemtest holds every system to the one thing that makes their figures comparable: each saved customer gets one
// email, and only one.
package systemtest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/silquetech/silque-notifications/bench/postgres"
	"github.com/silquetech/silque-notifications/bench/sink"
	"github.com/silquetech/silque-notifications/bench/system"
)

const (
	messages    = 20
	connections = 4
	patience    = 60 * time.Second
)

// DeliversEachOnce saves a few customers and fails unless each of them gets exactly one email. The test is skipped when a
// program that the system needs is missing, unless the environment says CI_BENCH=true.
func DeliversEachOnce(t *testing.T, database string, open system.Open) {
	t.Helper()
	box := Sink(t)
	s := Open(t, database, box, open)
	Save(t, s, messages)

	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := box.Wait(ctx, messages); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(ctx); err != nil {
		t.Fatalf("close: %v", err)
	}
	arrived, err := box.Wait(ctx, messages) // what came while the system closed is counted too
	if err != nil {
		t.Fatal(err)
	}
	if len(arrived.At) != messages || arrived.Doubles > 0 || arrived.Strangers > 0 {
		t.Errorf("%d customers got an email, %d emails came twice and %d went to nobody; want %d, 0 and 0",
			len(arrived.At), arrived.Doubles, arrived.Strangers, messages)
	}
}

// Sink starts a mail server for the test.
func Sink(t *testing.T) *sink.Sink {
	t.Helper()
	box, err := sink.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = box.Close() })
	return box
}

// Open starts a system on a new database: "postgres" or "sqlite". The caller closes it.
func Open(t *testing.T, database string, box *sink.Sink, open system.Open) system.System {
	t.Helper()
	setup := system.Setup{Database: database, Dir: t.TempDir(), SMTPAddr: box.Addr(), Connections: connections}
	setup.DatabaseURL = "sqlite://" + filepath.ToSlash(filepath.Join(setup.Dir, "bench.db"))
	if database == "postgres" {
		setup.DatabaseURL, setup.TemporalURL = databases(t)
	}
	s, err := open(t.Context(), setup)
	skipWithout(t, err)
	return s
}

// databases starts a Postgres and names an empty database of it, and one for a Temporal server.
func databases(t *testing.T) (application, temporal string) {
	t.Helper()
	server, err := postgres.Start(t.Context())
	skipWithout(t, err)
	t.Cleanup(server.Stop)
	if application, err = server.Create(t.Context(), "bench"); err != nil {
		t.Fatal(err)
	}
	return application, server.URL("temporal")
}

// skipWithout ends the test when there is an error: as a failure, unless all that is wrong is a program that is missing.
func skipWithout(t *testing.T, err error) {
	t.Helper()
	if errors.Is(err, system.ErrNotInstalled) && os.Getenv("CI_BENCH") != "true" {
		t.Skipf("%v: install it, or set CI_BENCH=true to have this test fail without it", err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Save saves the first n customers, one after the other.
func Save(t *testing.T, s system.System, n int) {
	t.Helper()
	for i := range n {
		if err := s.Save(t.Context(), i); err != nil {
			t.Fatalf("save customer %d: %v", i, err)
		}
	}
}
