// Package audit keeps who changed what, and when. An entry is written in the transaction of the change that it tells of:
// there is no change without one, and no entry of a change that was taken back.
package audit

import (
	"context"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/wording"
)

// Entry is one thing that somebody did.
type Entry struct {
	// Actor is who did it: a user's email, "token NAME", "api", or the name of a program.
	Actor string
	// Action is a kind of thing and what became of it, such as "notification.changed" or "user.invited".
	Action string
	// Target is the kind of thing, such as "notification". RecordTx takes it from Action when it is empty.
	Target string
	// TargetID is the thing's ID; empty when there are many.
	TargetID string
	// Detail says more in a few words, such as a title or "viewer → admin". It never holds message text or a secret.
	Detail string
}

// Record is an entry as it is kept.
type Record struct {
	// ID is in the order of time.
	ID string
	At time.Time
	Entry
}

type row struct {
	ID     string `gorm:"primaryKey"`
	At     time.Time
	Actor  string
	Action string
	Target string
	// TargetID and Detail are as in Entry.
	TargetID string
	Detail   string
}

// TableName is fixed by the migrations.
func (row) TableName() string { return "notify_audit" }

// detailLimit is in characters: a detail is a line, not a document.
const detailLimit = 500

// RecordTx writes an entry in the caller's transaction; the caller's change fails when it cannot be written.
func RecordTx(tx *gorm.DB, e Entry) error { return RecordAllTx(tx, []Entry{e}) }

func rowOf(e Entry) row {
	if e.Target == "" {
		e.Target, _, _ = strings.Cut(e.Action, ".")
	}
	return row{
		ID: outbox.NewID(), At: time.Now().UTC().Truncate(time.Microsecond), Actor: wording.Kept(e.Actor, 0), Action: e.Action,
		Target: e.Target, TargetID: wording.Kept(e.TargetID, 0), Detail: wording.Kept(e.Detail, detailLimit),
	}
}

// session gives a clean session on the same connection or transaction, in the context that it has.
func session(db *gorm.DB) *gorm.DB {
	return db.Session(&gorm.Session{NewDB: true, SkipHooks: true, Context: db.Statement.Context})
}

// Filter narrows a list; empty fields do not.
type Filter struct {
	Actor, Action, Target, TargetID string
}

// Page sizes.
const (
	DefaultLimit = 50
	MaxLimit     = 500
)

// List reads a page, newest first, from before the entry with the ID cursor on (empty: from the newest). next is the
// cursor of the following page, empty at the end. A limit of zero is DefaultLimit.
func List(ctx context.Context, db *gorm.DB, f Filter, cursor string, limit int) (records []Record, next string, err error) {
	if limit = min(limit, MaxLimit); limit <= 0 {
		limit = DefaultLimit
	}
	query := session(db).WithContext(ctx)
	for column, value := range map[string]string{"actor": f.Actor, "action": f.Action, "target": f.Target, "target_id": f.TargetID} {
		if value != "" {
			query = query.Where(map[string]any{column: value})
		}
	}
	if cursor != "" {
		query = query.Where("id < ?", cursor)
	}
	var rows []row
	if err := query.Order("id DESC").Limit(limit + 1).Find(&rows).Error; err != nil {
		return nil, "", fmt.Errorf("audit: list: %w", err)
	}
	if len(rows) > limit {
		rows = rows[:limit]
		next = rows[limit-1].ID
	}
	records = make([]Record, len(rows))
	for i, r := range rows {
		records[i] = Record{ID: r.ID, At: r.At.UTC(), Entry: Entry{
			Actor: r.Actor, Action: r.Action, Target: r.Target, TargetID: r.TargetID, Detail: r.Detail,
		}}
	}
	return records, next, nil
}
