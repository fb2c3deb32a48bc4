package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/rule"
)

// importRow is one notification that came from elsewhere.
type importRow struct {
	Source         string `gorm:"primaryKey"`
	NotificationID string
	Digest         string
	// Version is the one that the import gave the notification.
	Version    int64
	ImportedAt time.Time
}

// TableName is fixed by the migrations.
func (importRow) TableName() string { return "notify_imports" }

// Imports keeps notifications that come from elsewhere, and remembers which they are, so that an import can be repeated.
type Imports struct{ DB *gorm.DB }

// ImportState is how a notification from elsewhere stands to ours.
type ImportState string

// The states.
const (
	// ImportNew was never imported.
	ImportNew ImportState = "new"
	// ImportKept was imported as it is there now.
	ImportKept ImportState = "kept"
	// ImportStale was changed there since it was imported, and not here.
	ImportStale ImportState = "stale"
	// ImportDiverged was changed there and here since it was imported.
	ImportDiverged ImportState = "diverged"
	// ImportDeleted was deleted here since it was imported.
	ImportDeleted ImportState = "deleted"
	// ImportDeletedStale was deleted here and changed there since it was imported.
	ImportDeletedStale ImportState = "deleted_stale"
)

// writes says whether Carry has something to do.
func (s ImportState) writes() bool { return s == ImportNew || s == ImportStale }

// ImportStanding is a state with the ID of our notification, which is empty for what was never imported.
type ImportStanding struct {
	State          ImportState
	NotificationID string
}

// Standing says how what has this source stands to ours. The digest stands for what the notification says there: another
// digest is another content.
func (s Imports) Standing(ctx context.Context, source, digest string) (ImportStanding, error) {
	standing, err := standingOf(session(s.DB).WithContext(ctx), source, digest)
	if err != nil {
		return standing, fmt.Errorf("store: look for an import: %w", err)
	}
	return standing, nil
}

// Carry stores a notification, which has passed validation, and its source in one transaction, where Standing is
// ImportNew or ImportStale; otherwise it changes nothing. It gives the standing from before, with the ID that the
// notification has now. The times that n has are kept; those that are zero become the time of the import. It fills in
// n's ID and Version.
func (s Imports) Carry(ctx context.Context, source, digest string, n *rule.Notification, by string) (ImportStanding, error) {
	standing, err := s.Standing(ctx, source, digest)
	if err != nil || !standing.State.writes() {
		return standing, err
	}
	err = Notifications(s).change(ctx, by, func(c *changing) error {
		// Under the lock on the revision, another import or change cannot come between.
		if standing, err = standingOf(c.tx, source, digest); err != nil {
			return err
		}
		if !standing.State.writes() {
			return errNothingToDo
		}
		if err := c.carry(standing, n); err != nil {
			return err
		}
		standing.NotificationID = n.ID
		return c.tx.Save(&importRow{Source: source, NotificationID: n.ID, Digest: digest, Version: n.Version, ImportedAt: c.now}).Error
	})
	if errors.Is(err, errNothingToDo) {
		err = nil
	}
	return standing, err
}

func standingOf(tx *gorm.DB, source, digest string) (ImportStanding, error) {
	var known importRow
	err := found(tx.Take(&known, "source = ?", source).Error)
	if errors.Is(err, ErrNotFound) {
		return ImportStanding{State: ImportNew}, nil
	}
	if err != nil {
		return ImportStanding{}, err
	}
	standing := ImportStanding{State: ImportKept, NotificationID: known.NotificationID}
	var ours notificationRow
	err = found(tx.Select("version").Take(&ours, "id = ?", known.NotificationID).Error)
	deleted := errors.Is(err, ErrNotFound)
	if err != nil && !deleted {
		return ImportStanding{}, err
	}
	switch same := known.Digest == digest; {
	case deleted && same:
		standing.State = ImportDeleted
	case deleted:
		standing.State = ImportDeletedStale
	case same:
	case ours.Version == known.Version:
		standing.State = ImportStale
	default:
		standing.State = ImportDiverged
	}
	return standing, nil
}

// carry writes the notification and its version.
func (c *changing) carry(standing ImportStanding, n *rule.Notification) error {
	n.CreatedAt, n.UpdatedAt = timeOr(n.CreatedAt, c.now), timeOr(n.UpdatedAt, c.now)
	change := Created
	n.ID, n.Version, n.ActiveSince = outbox.NewID(), 1, c.now
	if standing.State == ImportStale {
		was, err := c.current(standing.NotificationID)
		if err != nil {
			return err
		}
		change = Changed
		n.ID, n.Version, n.ActiveSince = was.ID, was.Version+1, activeSince(was, n, c.now)
	}
	return c.write(alteration{n, change})
}

// timeOr gives the time as it is stored, or the other one for none.
func timeOr(t, other time.Time) time.Time {
	if t.IsZero() {
		return other
	}
	return t.UTC().Truncate(time.Microsecond)
}
