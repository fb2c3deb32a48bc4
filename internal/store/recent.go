package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/silquetech/silque-notifications/internal/catalog"
	"github.com/silquetech/silque-notifications/internal/rule"
)

// The bounds of a look for rows of the application's tables, which can be large and have no index for a search.
const (
	// RecentLimit is the most rows of one look.
	RecentLimit = 20
	// recentSearched is how many of the newest rows a search looks at.
	recentSearched = 1000
	recentPatience = 3 * time.Second
	// recentText is the length in characters of the longest text that Values gives.
	recentText = 40
)

// PickedRow is a row to choose from.
type PickedRow struct {
	// Key is the primary key, the parts of a composite one joined by commas.
	Key string
	Doc rule.Document
}

// Recent gives up to RecentLimit rows of a model, those with the highest primary key first. A search narrows them to those
// that have the text in a text column, or as their key; it looks at the newest thousand rows, and at the one with that key
// wherever it is.
func (s Rows) Recent(ctx context.Context, m *catalog.Model, search string) ([]PickedRow, error) {
	ctx, cancel := context.WithTimeout(ctx, recentPatience)
	defer cancel()
	search = strings.TrimSpace(search)
	query := newest(alive(s.of(ctx, m), m), m)
	if search != "" {
		query = newest(session(s.DB).WithContext(ctx).Table("(?) AS recent", query.Limit(recentSearched)), m)
		query = query.Where(holdsText(m, search))
	}
	found, _, err := snapshots(query.Limit(RecentLimit), m, readable(m))
	if err != nil {
		return nil, fmt.Errorf("store: look for rows of %s: %w", m.Name, err)
	}
	picked := make([]PickedRow, 0, len(found)+1)
	exact := false
	for _, snapshot := range found {
		if row, ok := pickedOf(m, snapshot); ok {
			picked = append(picked, row)
			exact = exact || row.Key == search
		}
	}
	if search == "" || exact {
		return picked, nil
	}
	return s.withKey(ctx, m, search, picked)
}

// Values gives up to RecentLimit different short texts that a text column holds in the newest thousand rows of a model, in
// their order; nothing for a column of another type.
func (s Rows) Values(ctx context.Context, m *catalog.Model, field string) ([]string, error) {
	if f, ok := m.Field(field); !ok || f.Type != rule.String {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, recentPatience)
	defer cancel()
	column := clause.Column{Name: field}
	recent := newest(alive(s.of(ctx, m), m), m).Limit(recentSearched)
	texts := session(s.DB).WithContext(ctx).Table("(?) AS recent", recent).Select("CAST(? AS TEXT) AS value", column)
	var values []string
	err := session(s.DB).WithContext(ctx).Table("(?) AS texts", texts).Distinct("value").
		Where("value <> '' AND LENGTH(value) <= ?", recentText).Order("value").Limit(RecentLimit).Pluck("value", &values).Error
	if err != nil {
		return nil, fmt.Errorf("store: look for values of %s: %w", m.Name, err)
	}
	return values, nil
}

// withKey puts the row with a key before the others, if there is one.
func (s Rows) withKey(ctx context.Context, m *catalog.Model, key string, picked []PickedRow) ([]PickedRow, error) {
	snapshot, err := s.Row(ctx, m, key)
	if errors.Is(err, ErrNotFound) {
		return picked, nil
	}
	if err != nil {
		return nil, err
	}
	if row, ok := pickedOf(m, snapshot); ok {
		picked = append([]PickedRow{row}, picked...)
	}
	return picked[:min(len(picked), RecentLimit)], nil
}

func newest(query *gorm.DB, m *catalog.Model) *gorm.DB {
	for _, key := range m.PrimaryKey {
		query = query.Order(clause.OrderByColumn{Column: clause.Column{Name: key}, Desc: true})
	}
	return query
}

// holdsText compares every text column, without regard to case, and the key.
func holdsText(m *catalog.Model, text string) clause.Expression {
	like := "%" + escapeLike(strings.ToLower(text)) + "%"
	var either []clause.Expression
	for _, f := range m.Fields {
		if f.Type == rule.String {
			either = append(either, clause.Expr{SQL: `LOWER(CAST(? AS TEXT)) LIKE ? ESCAPE '\'`, Vars: []any{clause.Column{Name: f.Name}, like}})
		}
	}
	if len(m.PrimaryKey) == 1 {
		either = append(either, clause.Expr{SQL: "CAST(? AS TEXT) = ?", Vars: []any{clause.Column{Name: m.PrimaryKey[0]}, text}})
	}
	return clause.Or(either...)
}

// pickedOf reads a snapshot; one that cannot be read is left out.
func pickedOf(m *catalog.Model, snapshot json.RawMessage) (PickedRow, bool) {
	doc, err := rule.DecodeDocument(m, snapshot)
	if err != nil || doc == nil {
		return PickedRow{}, false
	}
	var parts map[string]json.RawMessage
	if json.Unmarshal(snapshot, &parts) != nil {
		return PickedRow{}, false
	}
	keys := make([]string, len(m.PrimaryKey))
	for i, name := range m.PrimaryKey {
		if json.Unmarshal(parts[name], &keys[i]) != nil {
			keys[i] = string(parts[name])
		}
	}
	return PickedRow{Key: strings.Join(keys, ","), Doc: doc}, true
}
