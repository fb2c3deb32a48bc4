package notify

import (
	"context"
	"fmt"
	"sync"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"

	"github.com/silquetech/silque-notifications/internal/catalog"
)

// model is what the plugin knows of a registered model.
type model struct {
	name    string
	schema  *schema.Schema
	encoder *catalog.Encoder
	// fields are the columns that are read: those of the snapshot, which hold the primary key.
	fields []*schema.Field

	// columns and qualified are the fields' quoted names, without and with the table's.
	columns, qualified string

	storage sync.Mutex
	// faithful says whether the database keeps every value as Go has it; nil until the table could be looked at.
	faithful *bool
	// triggers says whether it has triggers, which change rows unseen.
	triggers bool
}

// Register opts models in: their catalog entries are written and, from now on, changes of their rows become events where
// an active notification waits for them. The plugin must be in use. Registering again renews the catalog entry.
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
	m := &model{
		name: entry.Name, schema: statement.Schema, fields: catalog.Visible(statement.Schema),
		encoder: catalog.NewEncoder(statement.Schema, entry, precision(db)),
	}
	for i, field := range m.fields {
		if i > 0 {
			m.columns, m.qualified = m.columns+",", m.qualified+","
		}
		m.columns += statement.Quote(clause.Column{Name: field.DBName})
		m.qualified += statement.Quote(clause.Column{Table: statement.Table, Name: field.DBName})
	}
	_, err = m.keepsValues(db) // what is not there yet is looked at again by the first save
	if err != nil {
		return nil, nil, fmt.Errorf("notify: register %T: look at its table: %w", value, err)
	}
	return m, entry, nil
}

// precision is how fine the database keeps times.
func precision(db *gorm.DB) time.Duration {
	if isPostgres(db) {
		return time.Microsecond
	}
	return 0
}

// modelOf finds the registered model whose table the statement changes.
func (p *Plugin) modelOf(statement *gorm.Statement) *model {
	if m, ok := p.models.Load(statement.Table); ok {
		return m.(*model)
	}
	// gorm keeps only the last part of a table's name that has a database schema in front.
	if s := statement.Schema; s != nil && statement.TableExpr != nil && s.Table != statement.Table {
		if m, ok := p.models.Load(s.Table); ok && statement.TableExpr.SQL == statement.Quote(s.Table) {
			return m.(*model)
		}
	}
	return nil
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
