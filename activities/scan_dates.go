package activities

import (
	"context"
	"time"
)

// Dates finds the rows whose date alert is due, and makes an event of each.
type Dates interface {
	// Scan looks at some pages of a notification's rows, from where the scan of that name has come to. It gives whether
	// there is more, and how many events it made. A row has one event for each value of its date, however often it is
	// scanned. A notification that is gone, inactive or has no date any more has nothing to scan.
	Scan(ctx context.Context, notificationID, scan string, now time.Time) (more bool, events int, err error)
}

// ScanDatesInput names the notification, and the run of the scan: a repeated step goes on from its place, which is kept
// in the application's database, because primary keys may be personal data.
type ScanDatesInput struct {
	NotificationID string `json:"notification_id"`
	Scan           string `json:"scan"`
}

// ScanDatesResult says how far the scan has come.
type ScanDatesResult struct {
	More   bool `json:"more,omitempty"`
	Events int  `json:"events"`
}

// ScanDates makes events of the rows whose date has come near enough, some pages at a time.
func (a *Activities) ScanDates(ctx context.Context, in ScanDatesInput) (ScanDatesResult, error) {
	more, events, err := a.Dates.Scan(ctx, in.NotificationID, in.Scan, a.Now())
	if err != nil {
		return ScanDatesResult{}, a.unavailable("scan dates for notification "+in.NotificationID, err)
	}
	return ScanDatesResult{More: more, Events: events}, nil
}
