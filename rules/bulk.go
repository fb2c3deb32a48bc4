package rules

import (
	"context"

	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
)

// The parts of a change of many notifications.
type (
	// Bulk is what can be done to many notifications at once.
	Bulk = store.Bulk
	// Selection chooses notifications: by their IDs, or by a filter.
	Selection = store.Selection
	// Filter narrows a list of notifications.
	Filter = store.NotificationFilter
	// Outcome is what a change of many notifications has done.
	Outcome = store.Outcome
)

// What can be done to many notifications at once.
const (
	BulkActivate   = store.BulkActivate
	BulkDeactivate = store.BulkDeactivate
	BulkDuplicate  = store.BulkDuplicate
	BulkDelete     = store.BulkDelete
)

// ErrNotDeleted says that a notification cannot be brought back, because it is there.
var ErrNotDeleted = store.ErrNotDeleted

// DuplicatePrefix marks a copy's title, as in the Django app's admin.
const DuplicatePrefix = "Duplicate - "

// copyTitle gives the title of a copy.
func copyTitle(title string) string {
	letters := []rune(DuplicatePrefix + title)
	return string(letters[:min(len(letters), rule.TitleLimit)])
}

// Bulk does something to every notification of a selection, all in one transaction; what is so already, or gone, is left
// alone. Copies are not active, and are not checked, as with Duplicate.
func (b *Book) Bulk(ctx context.Context, what Bulk, of Selection, by string) (Outcome, error) {
	return b.many(ctx)(b.notifications.Bulk(ctx, what, of, copyTitle, by))
}

// Undo takes back what the change with that number did to each notification that has not changed since: what it made is
// deleted, what it deleted comes back, the rest becomes what it was.
func (b *Book) Undo(ctx context.Context, revision int64, by string) (Outcome, error) {
	return b.many(ctx)(b.notifications.Undo(ctx, revision, by))
}

// SetActive activates or deactivates notifications; those that are so already, or that are gone, are left alone. It
// gives the number that changed.
func (b *Book) SetActive(ctx context.Context, ids []string, active bool, by string) (changed int, err error) {
	done, err := b.many(ctx)(b.setActive(ctx, ids, active, by))
	return done.Changed, err
}

func (b *Book) setActive(ctx context.Context, ids []string, active bool, by string) (Outcome, error) {
	what := BulkDeactivate
	if active {
		what = BulkActivate
	}
	return b.notifications.Bulk(ctx, what, Selection{IDs: ids}, copyTitle, by)
}

// Duplicate copies a notification, or gives ErrNotFound. The copy is not active: both would fire until someone has
// changed it. It is not checked: a notification that has become invalid can be copied and mended.
func (b *Book) Duplicate(ctx context.Context, id, by string) (*Notification, error) {
	done, err := b.Bulk(ctx, BulkDuplicate, Selection{IDs: []string{id}}, by)
	if err != nil {
		return nil, err
	}
	if len(done.Made) == 0 {
		return nil, ErrNotFound
	}
	return b.Get(ctx, done.Made[0])
}

// Restore brings a deleted notification back as it was, with its ID and its history. It is not checked: what has become
// wrong with it shows as problems. One that is there is ErrNotDeleted; one that never was is ErrNotFound.
func (b *Book) Restore(ctx context.Context, id, by string) (*Notification, error) {
	n, err := b.notifications.Restore(ctx, id, by)
	return n, b.changed(ctx, err)
}

// RestoreVersion makes a notification what it was in an earlier version, or gives ErrNotFound. It stays as active as it is
// now; a deleted one comes back inactive. What is wrong with the earlier version by now is FieldErrors, and then nothing is
// changed.
func (b *Book) RestoreVersion(ctx context.Context, id string, version int64, by string) (*Notification, error) {
	earlier, err := b.notifications.Version(ctx, id, version)
	if err != nil {
		return nil, err
	}
	n := earlier.Notification
	return n, b.write(ctx, n, func() error { return b.notifications.RestoreVersion(ctx, n, by) })
}

// many tells whoever wants to know of a change of many, unless nothing has changed.
func (b *Book) many(ctx context.Context) func(Outcome, error) (Outcome, error) {
	return func(done Outcome, err error) (Outcome, error) {
		if done.Changed > 0 {
			err = b.changed(ctx, err)
		}
		return done, err
	}
}
