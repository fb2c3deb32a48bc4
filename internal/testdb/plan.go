package testdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// Plan is how the database means to carry out one statement.
type Plan struct{ Statement, Text string }

// Plans runs what uses a database, and gives the plan of each statement that it sent, as the database makes it without
// knowing the parameters' values: a plan that is good for one value alone does not count. Postgres is told to read a
// whole table only when no index serves.
func Plans(t testing.TB, db *gorm.DB, use func(db *gorm.DB) error) []Plan {
	t.Helper()
	var sent []statement
	recorded := db.Session(&gorm.Session{})
	recorded.Statement = &gorm.Statement{
		DB: recorded, ConnPool: recordedPool{recorder{db.Statement.ConnPool, &sent}}, Context: t.Context(), Clauses: map[string]clause.Clause{},
	}
	if err := use(recorded); err != nil {
		t.Fatal(err)
	}
	plans := make([]Plan, len(sent))
	err := db.Connection(func(one *gorm.DB) error {
		for i, s := range sent {
			text, err := explain(one, s)
			if err != nil {
				return fmt.Errorf("explain %s: %w", s.text, err)
			}
			plans[i] = Plan{Statement: s.text, Text: text}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return plans
}

// WholeTable says whether a plan reads a table of ours from one end to the other. With ordered, a walk along an index
// in the order that is asked for does not count: it ends when the page is full.
func (p Plan) WholeTable(ordered bool) bool {
	for line := range strings.Lines(p.Text) {
		if strings.Contains(line, "Seq Scan on notify_") {
			return true
		}
		if strings.HasPrefix(line, "SCAN notify_") && (!ordered || !strings.Contains(line, " USING ")) {
			return true
		}
	}
	return false
}

// Unguided says whether Postgres walks along a table's primary key without a condition on it, and filters: right for a
// value that most rows have, and wrong for what a relay looks for.
func (p Plan) Unguided() bool {
	lines := strings.Split(p.Text, "\n")
	for i, line := range lines {
		if strings.Contains(line, "_pkey on notify_") && (i+1 == len(lines) || !strings.Contains(lines[i+1], "Index Cond")) {
			return true
		}
	}
	return false
}

type statement struct {
	text       string
	parameters []any
}

func explain(db *gorm.DB, s statement) (string, error) {
	var lines []string
	if db.Name() != "postgres" {
		var steps []struct{ Detail string }
		err := db.Raw("EXPLAIN QUERY PLAN "+s.text, s.parameters...).Scan(&steps).Error
		for _, step := range steps {
			lines = append(lines, step.Detail)
		}
		return strings.Join(lines, "\n"), err
	}
	call := "asked"
	if n := len(s.parameters); n > 0 {
		call += "(" + strings.TrimSuffix(strings.Repeat("NULL,", n), ",") + ")"
	}
	for _, setting := range []string{"enable_seqscan = off", "plan_cache_mode = force_generic_plan"} {
		if err := db.Exec("SET " + setting).Error; err != nil {
			return "", err
		}
	}
	if err := db.Exec("PREPARE asked AS " + s.text).Error; err != nil {
		return "", err
	}
	err := db.Raw("EXPLAIN EXECUTE " + call).Scan(&lines).Error
	return strings.Join(lines, "\n"), errors.Join(err, db.Exec("DEALLOCATE asked").Error)
}

// recorder is a connection that keeps the statements that go through it, with their parameters apart.
type recorder struct {
	gorm.ConnPool
	sent *[]statement
}

func (r recorder) keep(query string, parameters []any) {
	*r.sent = append(*r.sent, statement{query, parameters})
}

// ExecContext keeps the statement and executes it.
func (r recorder) ExecContext(ctx context.Context, query string, parameters ...any) (sql.Result, error) {
	r.keep(query, parameters)
	return r.ConnPool.ExecContext(ctx, query, parameters...)
}

// QueryContext keeps the statement and asks it.
func (r recorder) QueryContext(ctx context.Context, query string, parameters ...any) (*sql.Rows, error) {
	r.keep(query, parameters)
	return r.ConnPool.QueryContext(ctx, query, parameters...)
}

// QueryRowContext keeps the statement and asks it.
func (r recorder) QueryRowContext(ctx context.Context, query string, parameters ...any) *sql.Row {
	r.keep(query, parameters)
	return r.ConnPool.QueryRowContext(ctx, query, parameters...)
}

// recordedPool begins transactions; a transaction cannot.
type recordedPool struct{ recorder }

// BeginTx gives a transaction whose statements are kept too.
func (r recordedPool) BeginTx(ctx context.Context, options *sql.TxOptions) (gorm.ConnPool, error) {
	tx, err := r.ConnPool.(gorm.TxBeginner).BeginTx(ctx, options)
	return &recordedTx{recorder{tx, r.sent}, tx}, err // a pointer: gorm asks whether it is nil
}

// recordedTx ends as its transaction does.
type recordedTx struct {
	recorder
	gorm.TxCommitter
}
