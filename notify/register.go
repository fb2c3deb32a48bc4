package notify

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/schema"

	"github.com/silquetech/silque-notifications/internal/catalog"
)

// model is what the plugin knows of a registered model.
type model struct {
	name    string
	schema  *schema.Schema
	visible []*schema.Field
	shape   atomic.Pointer[shape] // nil until the table could be looked at
}

// Register opts models in: their catalog entries are written and, from now on, changes of their rows become events where
// an active notification waits for them. The plugin must be in use, and migrations should have run: fields without a column
// in the table are left out. Registering again renews the catalog entry.
func (p *Plugin) Register(models ...any) error {
	p.mutex.Lock()
	db := p.db
	p.mutex.Unlock()
	if db == nil {
		return errNotInUse
	}
	for _, value := range models {
		m, entry, err := p.describe(db, value)
		if err != nil {
			return err
		}
		if err := catalog.Save(db.Statement.Context, session(db), entry); err != nil {
			return fmt.Errorf("notify: register %T: %w", value, err)
		}
		p.models.Store(m.name, m)
	}
	return nil
}

func (p *Plugin) describe(db *gorm.DB, value any) (*model, *catalog.Model, error) {
	statement := &gorm.Statement{DB: db}
	if err := statement.Parse(value); err != nil {
		return nil, nil, fmt.Errorf("notify: register %T: it is no gorm model: %w", value, err)
	}
	entry, err := catalog.Describe(statement.Schema)
	if err != nil {
		return nil, nil, fmt.Errorf("notify: register %T: %w", value, err)
	}
	m := &model{name: entry.Name, schema: statement.Schema, visible: catalog.Visible(statement.Schema)}
	known, err := p.look(db, m)
	if err != nil {
		return nil, nil, fmt.Errorf("notify: register %T: look at its table: %w", value, err)
	}
	return m, known.entry, nil
}

// precision is how fine the database keeps times.
func precision(db *gorm.DB) time.Duration {
	if isPostgres(db) {
		return time.Microsecond
	}
	return 0
}

// session gives a session for the plugin's own statements on the same connection or transaction: without the
// application's clauses and dry run, and with gorm's ordinary column names.
func session(db *gorm.DB) *gorm.DB {
	clean := db.Session(&gorm.Session{NewDB: true, SkipDefaultTransaction: true})
	clean.NamingStrategy = schema.NamingStrategy{}
	clean.DryRun = false
	return clean
}

// background is the context in which a table is looked at: the answer is kept, whatever becomes of the caller.
func background(db *gorm.DB) context.Context { return context.WithoutCancel(db.Statement.Context) }

func isPostgres(db *gorm.DB) bool { return db.Name() == "postgres" }
