package temporalserver

import (
	"fmt"
	"log/slog"
	"time"
)

// The defaults of Options.
const (
	DefaultAddr      = "127.0.0.1:7233" // Temporal's own
	DefaultNamespace = "default"        // Temporal's own
	DefaultRetention = 7 * 24 * time.Hour
)

// minRetention is what the server itself asks of a namespace (system.namespaceMinRetentionLocal).
const minRetention = time.Hour

// Options says where a server listens and keeps its data. The zero value is a server on
// Temporal's usual address that forgets everything when it stops.
type Options struct {
	// Addr is the IP:port of the frontend, DefaultAddr if empty; port 0 picks a free one.
	// The server asks nobody for a password: keep it on loopback.
	Addr string
	// Dir holds the SQLite files and is made if it is missing; in memory if empty. The
	// files carry the server's version in their names, because no release migrates the
	// SQLite files of another: a new version starts afresh and leaves the old files alone.
	Dir string
	// DatabaseURL, such as postgres://user:password@host:port/temporal, keeps the data in Postgres instead, in that
	// database and in one with _visibility behind its name; both are made if they are missing. Dir is not used then.
	DatabaseURL string
	// Namespace is created if it is missing; DefaultNamespace if empty.
	Namespace string
	// Retention is how long finished workflows stay, DefaultRetention if 0; at least an
	// hour. It is applied to a namespace that exists, too.
	Retention time.Duration
	// Logger gets the server's log; nowhere if nil.
	Logger *slog.Logger
	// LogLevel is the least level that is passed on. If nil, errors while the server
	// starts, warnings while it runs and nothing of its services while it stops, when they
	// complain that they do not reach each other.
	LogLevel slog.Leveler
}

func (o Options) withDefaults() (Options, error) {
	if o.Addr == "" {
		o.Addr = DefaultAddr
	}
	if o.Namespace == "" {
		o.Namespace = DefaultNamespace
	}
	if o.Retention == 0 {
		o.Retention = DefaultRetention
	}
	if o.Retention < minRetention {
		return o, fmt.Errorf("retention %s is too short: Temporal keeps finished workflows for at least %s", o.Retention, minRetention)
	}
	return o, nil
}
