// Package datealert makes the notifications with a date trigger fire: the Scanner finds the rows whose date has come near
// enough and puts an event of each into the outbox, and Schedules keeps Temporal's schedules, which start the scans, in
// step with the notifications.
package datealert

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/rules"
)

// The default sizes of a scan.
const (
	// PageSize is the rows of one query and one transaction.
	PageSize = 500
	// pagesAtOnce is what one step of a scan looks at.
	pagesAtOnce = 20
	// DefaultWindow is how far a scan looks back: what was due while nothing ran is made up for within it.
	DefaultWindow = 72 * time.Hour
)

// Scanner finds rows whose date alert is due. It satisfies activities.Dates.
type Scanner struct {
	DB   *gorm.DB
	Book *rules.Book
	// Window is how far a scan looks back; DefaultWindow when zero.
	Window time.Duration
	// Page is the rows of one query; PageSize when zero.
	Page int
}

// scan is one notification's scan at work.
type scan struct {
	Scanner
	n      *rule.Notification
	model  *rule.Model
	alert  rule.DateAlert
	place  store.AlertScan
	events int
}

// Scan looks at some pages of a notification's rows, as activities.Dates promises.
func (s Scanner) Scan(ctx context.Context, notificationID, name string, now time.Time) (more bool, events int, err error) {
	n, err := s.Book.Get(ctx, notificationID)
	if errors.Is(err, store.ErrNotFound) {
		return false, 0, nil
	}
	if err != nil {
		return false, 0, err
	}
	if !n.Active || n.Trigger != rule.DaysBefore && n.Trigger != rule.DaysAfter {
		return false, 0, nil
	}
	reader, err := s.Book.Reader(ctx)
	if err != nil {
		return false, 0, err
	}
	alert, ok := reader.Alert(n)
	if !ok {
		return false, 0, s.report(ctx, n, now, fmt.Sprintf("the field %s of %s is not there any more, or holds no date: mend the notification, or register its model again", n.DateField, n.Model))
	}
	model, _ := reader.Models.Model(n.Model) // the alert has found it a moment ago
	work := &scan{Scanner: s, n: n, model: model, alert: alert}
	if err := work.begin(ctx, name, now); err != nil {
		return false, 0, err
	}
	more, err = work.pages(ctx)
	if errors.Is(err, rule.ErrUnreadable) {
		return false, work.events, s.report(ctx, n, now, fmt.Sprintf("rows of %s cannot be read: %s: register the model again", n.Model, err))
	}
	return more, work.events, err
}

// begin finds the place of the scan: a repeated step goes on from there.
func (w *scan) begin(ctx context.Context, name string, now time.Time) error {
	place, err := store.AlertScans{DB: w.DB}.Get(ctx, w.n.ID)
	switch {
	case err == nil && place.Scan == name:
		w.place = *place
		return nil
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return err
	}
	w.place = store.AlertScan{NotificationID: w.n.ID, Scan: name, Until: now.UTC()}
	if err == nil {
		return w.missed(ctx, place.Until)
	}
	return nil
}

// missed reports the time that no scan looks back to: alerts that fell due then are lost.
func (w *scan) missed(ctx context.Context, last time.Time) error {
	horizon := w.alert.Horizon(w.place.Until, w.window())
	if since := w.n.ActiveSince; since.After(last) {
		last = since
	}
	if !horizon.After(last) {
		return nil
	}
	return w.report(ctx, w.n, w.place.Until, fmt.Sprintf("nothing looked at them from %s to %s, which is further back than NOTIFY_ALERT_CATCHUP: alerts that fell due then were not told",
		last.UTC().Format(time.RFC3339), horizon.UTC().Format(time.RFC3339)))
}

func (w *scan) window() time.Duration {
	if w.Window <= 0 {
		return DefaultWindow
	}
	return w.Window
}

// pages looks at the next pages.
func (w *scan) pages(ctx context.Context) (more bool, err error) {
	for range pagesAtOnce {
		more, err := w.page(ctx)
		if err != nil {
			return false, err
		}
		if !more {
			return false, store.AlertScans{DB: w.DB}.End(ctx, w.n.ID)
		}
	}
	return true, nil
}

// page makes events of the rows of one page that are due, and keeps the place, in one transaction.
func (w *scan) page(ctx context.Context) (more bool, err error) {
	limit := w.Page
	if limit <= 0 {
		limit = PageSize
	}
	horizon := w.alert.Horizon(w.place.Until, w.window())
	low, high := w.alert.Range(horizon, w.place.Until)
	rows, more, err := store.Rows{DB: w.DB}.Dated(ctx, w.model, store.DatedPage{
		Field: w.alert.Field().Name, Low: low, High: high, After: w.after(), Limit: limit,
	})
	if err != nil || len(rows) == 0 {
		return false, err
	}
	var events []*outbox.Event
	var last rule.Document
	for _, row := range rows {
		doc, err := rule.DecodeRow(w.model, row)
		if err != nil {
			return false, rule.ErrUnreadable // the columns are not what the catalog says
		}
		last = doc
		moment, ok := w.alert.Moment(doc)
		if ok && !moment.Before(horizon) && !moment.After(w.place.Until) {
			events = append(events, w.event(doc, row))
		}
	}
	w.place.AfterKey = keyOf(w.model, last)
	return more, w.keep(ctx, events)
}

// event is one alert. Its key makes it one for each value of the row's date: a date that is moved makes another.
func (w *scan) event(doc rule.Document, row json.RawMessage) *outbox.Event {
	key := keyText(w.model, doc)
	date, _ := doc[w.alert.Field().Name].(time.Time)
	once := idempotencyKey(w.n, keyOf(w.model, doc), date)
	return &outbox.Event{
		Model: w.model.Name, Key: key, Action: rule.Alert, Doc: outbox.Snapshot(row), NotificationID: w.n.ID,
		Source: outbox.FromAlert, IdempotencyKey: &once,
	}
}

func (w *scan) keep(ctx context.Context, events []*outbox.Event) error {
	err := w.DB.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if len(events) > 0 {
			revision, err := store.Notifications{DB: tx}.Revision(ctx)
			if err != nil {
				return err
			}
			for _, e := range events {
				e.Revision = revision
			}
			fresh, err := outbox.AppendNew(tx, events)
			if err != nil {
				return err
			}
			w.events += fresh
		}
		return store.AlertScans{}.PutTx(tx, w.place)
	})
	if err != nil {
		return fmt.Errorf("datealert: keep the alerts of a page: %w", err)
	}
	return nil
}

// report writes the error log, once a day for each notification: what is wrong stays so until a person mends it.
func (s Scanner) report(ctx context.Context, n *rule.Notification, now time.Time, message string) error {
	return store.Errors{}.RecordTx(s.DB.WithContext(ctx), &store.ErrorEntry{
		Code: string(rule.DateAlertFail), Source: "alert", NotificationID: n.ID,
		Message:  "Date alerts are missing: " + message + ".",
		DedupKey: "alert:" + n.ID + ":" + now.UTC().Format(time.DateOnly),
	})
}
