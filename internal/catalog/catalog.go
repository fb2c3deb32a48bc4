// Package catalog keeps what the registered models look like (tables, fields, primary keys, relations) in the
// database, so that the worker and the console need no Go types of the application.
package catalog

import (
	"context"
	"encoding/json"
	"fmt"
	"sort"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/silquetech/silque-notifications/internal/rule"
)

// Model is a table that opted in. The type is rule's, because a rule is checked against it and rule imports nothing.
type Model = rule.Model

// row is a catalog entry as stored.
type row struct {
	Name       string `gorm:"primaryKey"`
	Definition string
	UpdatedAt  time.Time
}

// TableName is fixed by the migrations.
func (row) TableName() string { return "notify_models" }

// Save writes a model's entry, replacing an earlier one of that name. A model that CheckNames refuses is not written.
func Save(ctx context.Context, db *gorm.DB, m *Model) error {
	if err := CheckNames(m); err != nil {
		return err
	}
	definition, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("catalog: encode model %s: %w", m.Name, err)
	}
	entry := row{Name: m.Name, Definition: string(definition), UpdatedAt: time.Now().UTC()}
	err = db.WithContext(ctx).Session(&gorm.Session{NewDB: true}).
		Clauses(clause.OnConflict{UpdateAll: true}).Create(&entry).Error
	if err != nil {
		return fmt.Errorf("catalog: save model %s: %w", m.Name, err)
	}
	return nil
}

// Set is the catalog at one moment, by table name. It satisfies rule.Models.
type Set map[string]*Model

// Model looks a model up by its table's name.
func (s Set) Model(name string) (*Model, bool) {
	m, ok := s[name]
	return m, ok
}

// List gives the models in the order of their names.
func (s Set) List() []*Model {
	models := make([]*Model, 0, len(s))
	for _, m := range s {
		models = append(models, m)
	}
	sort.Slice(models, func(i, j int) bool { return models[i].Name < models[j].Name })
	return models
}

// Load reads the whole catalog: a few dozen entries in one query. An entry that CheckNames refuses is an error, as is one
// that tells of another table than its own.
func Load(ctx context.Context, db *gorm.DB) (Set, error) {
	var rows []row
	if err := db.WithContext(ctx).Session(&gorm.Session{NewDB: true}).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("catalog: load: %w", err)
	}
	set := make(Set, len(rows))
	for _, r := range rows {
		m := new(Model)
		if err := json.Unmarshal([]byte(r.Definition), m); err != nil {
			return nil, fmt.Errorf("catalog: entry %q cannot be read, register the model again: %w", shortened(r.Name), err)
		}
		if err := CheckNames(m); err != nil {
			return nil, err
		}
		if m.Name != r.Name {
			return nil, fmt.Errorf("catalog: entry %q is about the table %q: register both models again", shortened(r.Name), shortened(m.Name))
		}
		set[r.Name] = m
	}
	return set, nil
}
