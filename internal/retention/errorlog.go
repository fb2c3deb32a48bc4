package retention

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"
)

// errorLog goes through the old rows of the error log in the order of time, a page at a time.
type errorLog struct {
	db *gorm.DB
	// resolved is the moment before which resolved rows go, any the one before which the others do too.
	resolved, any time.Time
	// after is the last ID of the last page.
	after   string
	deleted *counters
}

// step looks at the next page, and deletes what may go of it: rows that are dealt with or very old, and whose event is gone.
func (w *errorLog) step(ctx context.Context) (more bool, err error) {
	var rows []struct {
		ID, EventID string
		Ended       bool
	}
	db := session(w.db).WithContext(ctx)
	err = db.Raw(`SELECT id, event_id, (COALESCE(resolved, FALSE) OR id < ?) AS ended FROM notify_errors
		WHERE id > ? AND id < ? ORDER BY id LIMIT ?`, bound(w.any), w.after, bound(w.resolved), mostRows).Scan(&rows).Error
	if err != nil {
		return false, fmt.Errorf("retention: look for old errors: %w", err)
	}
	events := make(map[string]string)
	var eventIDs []string
	for _, r := range rows {
		if w.after = r.ID; r.Ended {
			events[r.ID] = r.EventID
			eventIDs = append(eventIDs, r.EventID)
		}
	}
	if len(eventIDs) == 0 {
		return len(rows) == mostRows, nil
	}
	var there []string
	if err := db.Raw("SELECT id FROM notify_events WHERE id IN ?", eventIDs).Scan(&there).Error; err != nil {
		return false, fmt.Errorf("retention: look for the events of old errors: %w", err)
	}
	stays := set(there)
	var gone []string
	for id, eventID := range events {
		if !stays[eventID] {
			gone = append(gone, id)
		}
	}
	if len(gone) > 0 {
		result := db.Exec("DELETE FROM notify_errors WHERE id IN (SELECT id FROM notify_errors WHERE id IN ?"+locked(db)+")", gone)
		if result.Error != nil {
			return false, fmt.Errorf("retention: delete old errors: %w", result.Error)
		}
		w.deleted.add(Counts{Errors: result.RowsAffected})
	}
	return len(rows) == mostRows, nil
}
