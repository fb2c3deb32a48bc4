package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
)

// lostClasses are the classes of PostgreSQL's errors (its manual, appendix A) after which another try can succeed:
// connection, transaction rollback, resources, objects in use, operator intervention, system.
var lostClasses = []string{"08", "40", "53", "55", "57", "58"}

// lostTexts are parts of the errors that have no code: SQLite's, and those of a pool that is being closed.
var lostTexts = []string{"database is locked", "database is closed", "disk I/O", "SQLITE_BUSY", "unable to open", "conn closed", "connection"}

// lost says whether a query failed because the database is away or busy: then another try can succeed. Every other error
// of a query about the application's own tables comes again with the next try: the table is not what the catalog says, or
// holds what no one expected.
func lost(err error) bool {
	var coded interface{ SQLState() string }
	if errors.As(err, &coded) {
		return len(coded.SQLState()) < 2 || slices.Contains(lostClasses, coded.SQLState()[:2])
	}
	var network net.Error
	known := []error{context.Canceled, context.DeadlineExceeded, driver.ErrBadConn, sql.ErrConnDone, sql.ErrTxDone, io.EOF, io.ErrUnexpectedEOF}
	return errors.As(err, &network) || slices.ContainsFunc(known, func(k error) bool { return errors.Is(err, k) }) ||
		slices.ContainsFunc(lostTexts, func(text string) bool { return strings.Contains(err.Error(), text) })
}
