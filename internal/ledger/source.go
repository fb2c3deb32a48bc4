package ledger

import (
	"context"
	"errors"
	"fmt"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
)

// Source reads related rows and saved lists for one event: what it has read it keeps, so that many notifications that
// look at the same customer read it once. It is not safe for concurrent use.
func (l *Ledger) Source(rule.Models) rule.Source { return NewSource(l.db) }

// NewSource is Source for those who have a database and no ledger, such as a preview.
func NewSource(db *gorm.DB) rule.Source {
	return &source{rows: store.Rows{DB: db}, lists: store.Lists{DB: db},
		readRows: make(map[string][]rule.Document), readLists: make(map[string][]rule.ListEntry)}
}

type source struct {
	rows      store.Rows
	lists     store.Lists
	readRows  map[string][]rule.Document
	readLists map[string][]rule.ListEntry
	// bytes counts the snapshots that have been read.
	bytes int
}

// bytesLimit bounds what all notifications read of one event: it stays in memory while they are judged.
const bytesLimit = 64 << 20

// Rows gives rows of a model, as rule.Source promises.
func (s *source) Rows(ctx context.Context, m *rule.Model, where []rule.Equal, limit int) ([]rule.Document, error) {
	asked := fmt.Sprintf("%q %d", m.Name, limit)
	for _, e := range where {
		asked += fmt.Sprintf(" %q=%T%q", e.Field, e.Value, fmt.Sprint(e.Value))
	}
	if known, ok := s.readRows[asked]; ok {
		return known, nil
	}
	snapshots, err := s.rows.Matching(ctx, m, where, limit)
	if err != nil {
		return nil, err
	}
	rows := make([]rule.Document, 0, len(snapshots))
	for _, snapshot := range snapshots {
		if s.bytes += len(snapshot); s.bytes > bytesLimit {
			return nil, rule.ErrTooLarge
		}
		row, err := rule.DecodeRow(m, snapshot)
		if err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	s.readRows[asked] = rows
	return rows, nil
}

// List gives the entries of a saved list, as rule.Source promises.
func (s *source) List(ctx context.Context, id string) ([]rule.ListEntry, error) {
	if known, ok := s.readLists[id]; ok {
		return known, nil
	}
	list, err := s.lists.Get(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	s.readLists[id] = list.Entries
	return list.Entries, nil
}
