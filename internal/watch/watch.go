// Package watch knows which changes any active notification is waiting for, so that a save that nobody watches costs no
// query. It holds the list in memory and asks the database, several times a second, whether it is still true.
package watch

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/rule"
)

// Interval is how often the list is checked. A rule that another process saves must count within a second.
const Interval = 300 * time.Millisecond

// Stale is the age beyond which the list is no longer trusted and the save itself looks.
const Stale = 900 * time.Millisecond

// List is what was watched at one moment.
type List struct {
	// Revision names the state of all notifications; events carry it, so that they are judged by the rules that were
	// in force when the row changed.
	Revision int64
	pairs    map[pair]bool
	readAt   time.Time
}

type pair struct {
	model  string
	action rule.Action
}

// Watches says whether any active notification waits for this action on this model.
func (l *List) Watches(model string, action rule.Action) bool {
	return l.pairs[pair{model, action}]
}

// Watch keeps a List fresh. Make one with New, start it with Run, and ask it with Current.
type Watch struct {
	db      *gorm.DB
	list    atomic.Pointer[List]
	reading sync.Mutex
}

// New gives a Watch on the database. Until Run or Refresh has read once, Current reads for itself.
func New(db *gorm.DB) *Watch {
	return &Watch{db: db.Session(&gorm.Session{NewDB: true, SkipHooks: true})}
}

// Run checks the list every Interval until ctx ends. A check that fails is tried again at the next: meanwhile the list
// goes stale and saves look for themselves.
func (w *Watch) Run(ctx context.Context) {
	ticker := time.NewTicker(Interval)
	defer ticker.Stop()
	for {
		_ = w.Refresh(ctx) // the save path reports a database that cannot be read
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// Refresh makes the list true now.
func (w *Watch) Refresh(ctx context.Context) error {
	w.reading.Lock()
	defer w.reading.Unlock()
	list, err := read(w.db.WithContext(ctx), w.list.Load())
	if err != nil {
		return err
	}
	w.list.Store(list)
	return nil
}

// Current gives the list without a query while it is fresh. When it is stale (the poller could not run), it reads with
// tx, which is the caller's transaction, so that a pool of one connection cannot deadlock. What a transaction sees is not
// kept for others: its snapshot may be old, and the changes of rules that it sees may be its own and be rolled back.
func (w *Watch) Current(tx *gorm.DB) (*List, error) {
	list := w.list.Load()
	if list != nil && time.Since(list.readAt) < Stale {
		return list, nil
	}
	return read(tx.Session(&gorm.Session{NewDB: true, SkipHooks: true}), list)
}

// read asks for the revision, and for the pairs only when it has moved.
func read(db *gorm.DB, known *List) (*List, error) {
	readAt := time.Now()
	var revision int64
	if err := db.Raw("SELECT revision FROM notify_revision WHERE id = 1").Scan(&revision).Error; err != nil {
		return nil, fmt.Errorf("watch: read the rules' revision: %w", err)
	}
	if known != nil && known.Revision == revision {
		return &List{Revision: revision, pairs: known.pairs, readAt: readAt}, nil
	}
	var rows []struct { // the columns are named because the application's naming strategy may be any
		Model       string       `gorm:"column:model"`
		TriggerName rule.Trigger `gorm:"column:trigger_name"`
	}
	err := db.Raw("SELECT DISTINCT model, trigger_name FROM notify_notifications WHERE active").Scan(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("watch: read what is watched: %w", err)
	}
	pairs := make(map[pair]bool)
	for _, action := range []rule.Action{rule.Create, rule.Update, rule.Delete} {
		for _, trigger := range rule.TriggersFor(action) {
			for _, r := range rows {
				if r.TriggerName == trigger {
					pairs[pair{r.Model, action}] = true
				}
			}
		}
	}
	return &List{Revision: revision, pairs: pairs, readAt: readAt}, nil
}
