// Package ledger gives the activities the application's database in the shape that they ask for, on top of the outbox,
// the catalog and the store.
package ledger

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/activities"
	"github.com/silquetech/silque-notifications/internal/catalog"
	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
)

// Ledger is the application's database. It satisfies activities.Ledger.
type Ledger struct {
	db            *gorm.DB
	notifications store.Notifications
	deliveries    store.Deliveries
	errors        store.Errors
	models        cachedModels
	inForce       rulesInForce
}

// New gives a ledger on the database, whose tables are up to date.
func New(db *gorm.DB) *Ledger {
	clean := db.Session(&gorm.Session{NewDB: true, SkipHooks: true})
	return &Ledger{
		db:            clean,
		notifications: store.Notifications{DB: clean},
		deliveries:    store.Deliveries{DB: clean},
		errors:        store.Errors{DB: clean},
	}
}

// Events reads events with their snapshots, in the order of time.
func (l *Ledger) Events(ctx context.Context, ids []string) ([]activities.Event, error) {
	var rows []outbox.Event
	if err := l.db.WithContext(ctx).Where("id IN ?", ids).Order("id").Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("ledger: read events: %w", err)
	}
	events := make([]activities.Event, len(rows))
	for i, row := range rows {
		events[i] = activities.Event{
			ID: row.ID, Model: row.Model, Key: row.Key, Action: row.Action,
			Doc: json.RawMessage(row.Doc), OldDoc: json.RawMessage(row.OldDoc),
			Revision: row.Revision, At: row.CreatedAt.UTC(), NotificationID: row.NotificationID, Resolved: row.ResolvedAt != nil,
		}
	}
	return events, nil
}

// modelsAge is how long the catalog is used without a look: a model changes when an application starts.
const modelsAge = 2 * time.Second

// cachedModels keeps the catalog for a moment, and each model's identity for as long as its definition stays the same,
// so that compiled rules stay valid.
type cachedModels struct {
	mutex  sync.Mutex
	set    catalog.Set
	readAt time.Time
}

// Models reads the catalog, at most once in modelsAge unless fresh is asked for.
func (l *Ledger) Models(ctx context.Context, fresh bool) (rule.Models, error) {
	l.models.mutex.Lock()
	defer l.models.mutex.Unlock()
	if !fresh && l.models.set != nil && time.Since(l.models.readAt) < modelsAge {
		return l.models.set, nil
	}
	set, err := catalog.Load(ctx, l.db)
	if err != nil {
		return nil, err
	}
	for name, model := range set {
		if known, ok := l.models.set[name]; ok && same(known, model) {
			set[name] = known
		}
	}
	l.models.set, l.models.readAt = set, time.Now()
	return set, nil
}

func same(a, b *catalog.Model) bool {
	left, errLeft := json.Marshal(a)
	right, errRight := json.Marshal(b)
	return errLeft == nil && errRight == nil && bytes.Equal(left, right)
}

// Settle ends events, and says of open ones that every delivery has been tried once.
func (l *Ledger) Settle(ctx context.Context, eventIDs, open []string, now time.Time) error {
	if len(open) == 0 {
		return outbox.Settle(ctx, l.db, eventIDs, now)
	}
	return l.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := outbox.MarkPassed(ctx, tx, open, now); err != nil {
			return err
		}
		return outbox.Settle(ctx, tx, eventIDs, now)
	})
}
