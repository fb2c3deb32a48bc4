package outbox

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"

	"gorm.io/gorm"
)

// insertBatch bounds the rows of one INSERT: SQLite takes 32,766 parameters and Postgres 65,535.
const insertBatch = 500

// insertColumns are what a new event has, in the order of argumentsOf.
var insertColumns = []string{
	"id", "model", "key", "action", "doc", "old_doc", "revision", "source", "notification_id", "idempotency_key", "status",
	"reason", "workflow_id", "created_at", "lane",
}

// AppendTx is Append for those who hold a connection pool or transaction and not a session of gorm; dialect is the name
// that gorm has for the database. The INSERT is written by hand because gorm's way to one, through a statement, clauses
// and reflection, takes longer than the database takes to run it, and a business save waits for both.
func AppendTx(ctx context.Context, tx gorm.ConnPool, dialect string, events ...*Event) error {
	now := time.Now().UTC()
	for len(events) > 0 {
		batch := events[:min(len(events), insertBatch)]
		events = events[len(batch):]
		arguments := make([]any, 0, len(batch)*len(insertColumns))
		for _, e := range batch {
			at := e.begin(now, dialect)
			arguments = e.argumentsOf(arguments, at)
		}
		if _, err := tx.ExecContext(ctx, insertStatement(dialect, len(batch)), arguments...); err != nil {
			return err
		}
	}
	return nil
}

// begin fills in what is empty in a new event, and gives the moment that its row is to have. On Postgres that is the
// database's where the caller names none: the application's machine may be hours off, and then a message that is of use
// for an hour would count as hours old when its turn comes.
func (e *Event) begin(now time.Time, dialect string) (at any) {
	if e.ID == "" {
		e.ID = NewID()
	}
	unnamed := e.CreatedAt.IsZero()
	if unnamed {
		e.CreatedAt = now
	}
	if e.Lane == "" {
		e.Lane = e.lane()
	}
	e.Status = Pending
	if unnamed && dialect == "postgres" {
		return nil
	}
	return e.CreatedAt
}

// argumentsOf appends the values of insertColumns.
func (e *Event) argumentsOf(arguments []any, at any) []any {
	var key any
	if e.IdempotencyKey != nil {
		key = *e.IdempotencyKey
	}
	return append(arguments, e.ID, e.Model, e.Key, string(e.Action), e.Doc.text(), e.OldDoc.text(), e.Revision,
		string(e.Source), e.NotificationID, key, string(e.Status), e.Reason, e.WorkflowID, at, e.Lane)
}

// text is the snapshot as a driver takes it.
func (s Snapshot) text() any {
	if s == nil {
		return nil
	}
	return string(s)
}

// single are the statements for one event, which is what nearly every save makes.
var single = struct{ postgres, other func() string }{
	sync.OnceValue(func() string { return writeInsert("postgres", 1) }),
	sync.OnceValue(func() string { return writeInsert("", 1) }),
}

func insertStatement(dialect string, rows int) string {
	switch {
	case rows > 1:
		return writeInsert(dialect, rows)
	case dialect == "postgres":
		return single.postgres()
	}
	return single.other()
}

func writeInsert(dialect string, rows int) string {
	var sql strings.Builder
	sql.WriteString("INSERT INTO notify_events (" + strings.Join(insertColumns, ",") + ") VALUES ")
	parameter := 0
	for row := range rows {
		if row > 0 {
			sql.WriteByte(',')
		}
		for column := range insertColumns {
			sql.WriteByte("(,"[min(column, 1)])
			parameter++
			switch {
			case dialect == "postgres" && insertColumns[column] == "created_at":
				sql.WriteString("COALESCE($" + strconv.Itoa(parameter) + ",clock_timestamp())")
			case dialect == "postgres":
				sql.WriteString("$" + strconv.Itoa(parameter))
			default:
				sql.WriteByte('?')
			}
		}
		sql.WriteByte(')')
	}
	return sql.String()
}
