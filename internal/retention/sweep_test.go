package retention_test

import (
	"cmp"
	"slices"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/retention"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

// sweep goes once through everything, and gives what it deleted.
func sweep(t *testing.T, db *gorm.DB, keep time.Duration) retention.Counts {
	t.Helper()
	s := retention.New(retention.Options{DB: db, Keep: keep})
	if err := s.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s.Deleted()
}

func TestWhatAPersonsWorkLeavesBehindGoes(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		now := time.Now().UTC()
		exec := func(statement string, values ...any) {
			t.Helper()
			if err := db.Exec(statement, values...).Error; err != nil {
				t.Fatal(err)
			}
		}
		exec("INSERT INTO notify_users VALUES ('u', 'u@example.com', '', 'viewer', TRUE, '', '', 1, ?, ?, NULL)", now, now)
		for id, age := range map[string]time.Duration{"old": 100 * day, "new": time.Hour} {
			at := now.Add(-age)
			exec("INSERT INTO notify_rule_files VALUES (?, 'f.json', ?, 'ann', ?)", id, []byte("{}"), at)
			exec("INSERT INTO notify_bulk_retries VALUES (?, '{}', 'ann', 'ended', 1, '', '', 1, 0, ?, ?, ?)", id, at, at, at)
			exec("INSERT INTO notify_bulk_retries VALUES (?, '{}', 'ann', 'running', 1, '', '', 1, 0, ?, ?, NULL)", id+" running", at, at)
			exec("INSERT INTO notify_sessions VALUES (?, ?, 'u', ?, '', '', ?, ?, ?, NULL)", id, id, []byte{}, at, at, at.Add(2*time.Hour))
			exec("INSERT INTO notify_invitations VALUES (?, 'u', ?, 'ann', ?, ?, NULL)", id, id, at, at)
		}
		sweep(t, db, 90*day)
		for table, want := range map[string][]string{
			"notify_rule_files": {"new"}, "notify_bulk_retries": {"new", "new running", "old running"},
			"notify_sessions": {"new"}, "notify_invitations": {"new"},
		} {
			var ids []string
			if err := db.Table(table).Order("id").Pluck("id", &ids).Error; err != nil || !slices.Equal(ids, want) {
				t.Errorf("%s holds %v, want %v: %v", table, ids, want, err)
			}
		}
	})
}

func TestAnEventGoesWhenItAndAllThatBelongsToItHasBeenAtItsEndForLong(t *testing.T) {
	t.Parallel()
	ago := func(days int) *time.Time { at := time.Now().UTC().Add(-time.Duration(days) * day); return &at }
	key := func(e *outbox.Event) { k := "key " + e.ID; e.IdempotencyKey = &k }
	status := func(s outbox.Status) func(*outbox.Event) {
		return func(e *outbox.Event) { e.Status, e.SettledAt = s, nil }
	}
	deliveryIs := func(s store.DeliveryStatus) func(h history, eventID string) {
		return func(h history, eventID string) {
			h.delivery(eventID, 100, 2, func(d *store.Delivery) { d.Status = s })
			h.delivery(eventID, 100, 1)
		}
	}
	tests := map[string]struct {
		days  int
		keep  time.Duration
		event []func(*outbox.Event)
		with  func(h history, eventID string)
		goes  bool
	}{
		"settled, old":                           {days: 91, goes: true},
		"settled, not old":                       {days: 89},
		"nothing goes without a retention":       {days: 5000, keep: -1},
		"pending":                                {days: 500, event: []func(*outbox.Event){status(outbox.Pending)}},
		"started":                                {days: 500, event: []func(*outbox.Event){status(outbox.Started)}},
		"old, but settled of late":               {days: 500, event: []func(*outbox.Event){func(e *outbox.Event) { e.SettledAt = ago(1) }}},
		"settled without a time":                 {days: 91, event: []func(*outbox.Event){func(e *outbox.Event) { e.SettledAt = nil }}, goes: true},
		"its delivery was sent":                  {days: 100, with: deliveryIs(store.DeliverySent), goes: true},
		"its delivery arrived":                   {days: 100, with: deliveryIs(store.DeliveryDelivered), goes: true},
		"its delivery failed":                    {days: 100, with: deliveryIs(store.DeliveryFailed), goes: true},
		"its delivery is in doubt":               {days: 100, with: deliveryIs(store.DeliveryUnknown), goes: true},
		"its delivery was suppressed":            {days: 100, with: deliveryIs(store.DeliverySuppressed), goes: true},
		"its delivery waits":                     {days: 100, with: deliveryIs(store.DeliveryPending)},
		"its delivery is under way":              {days: 100, with: deliveryIs(store.DeliverySending)},
		"with a key, beyond the keys' window":    {days: 36, keep: 2 * day, event: []func(*outbox.Event){key}, goes: true},
		"with a key, within the keys' window":    {days: 34, keep: 2 * day, event: []func(*outbox.Event){key}},
		"without a key, within the keys' window": {days: 34, keep: 2 * day, goes: true},
		"its delivery was handed over again of late": {days: 100, with: func(h history, eventID string) {
			h.delivery(eventID, 100, 1, func(d *store.Delivery) { d.UpdatedAt = *ago(2) })
		}},
		"a person has just asked for a retry": {days: 100, with: func(h history, eventID string) {
			h.event(0, status(outbox.Pending), func(e *outbox.Event) {
				e.Model, e.Action, e.Key = "", rule.Retry, h.delivery(eventID, 100, 3, func(d *store.Delivery) { d.Status = store.DeliveryFailed })
			})
		}},
		"the retry is over": {days: 100, goes: true, with: func(h history, eventID string) {
			h.event(95, func(e *outbox.Event) { e.Model, e.Action, e.Key = "", rule.Retry, h.delivery(eventID, 100, 3) })
		}},
		"another event of its batch is not settled": {days: 100, with: func(h history, eventID string) {
			h.event(100, status(outbox.Started), func(e *outbox.Event) { e.BatchID = &eventID })
		}},
		"the other events of its batch are settled": {days: 100, goes: true, with: func(h history, eventID string) {
			h.event(100, func(e *outbox.Event) { e.BatchID = &eventID })
		}},
	}
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		for name, test := range tests {
			t.Run(name, func(t *testing.T) {
				check(t, db, test.days, cmp.Or(test.keep, 90*day), test.event, test.with, test.goes)
			})
		}
	})
}

func check(t *testing.T, db *gorm.DB, days int, keep time.Duration, change []func(*outbox.Event), with func(history, string), goes bool) {
	h := history{t, db}
	id := h.event(days, change...)
	if with != nil {
		with(h, id)
	}
	deliveries := h.count("notify_deliveries", "event_id = ?", id)
	attempts := h.count("notify_attempts", "delivery_id IN (SELECT id FROM notify_deliveries WHERE event_id = ?)", id)
	sweep(t, db, keep)
	if h.has("notify_events", id) == goes {
		t.Errorf("the event goes: %v, want %v", !goes, goes)
	}
	if goes {
		deliveries, attempts = 0, 0
	}
	if got := h.count("notify_deliveries", "event_id = ?", id); got != deliveries {
		t.Errorf("%d deliveries are left, want %d", got, deliveries)
	}
	if got := h.count("notify_attempts", "delivery_id IN (SELECT id FROM notify_deliveries WHERE event_id = ?)", id); got != attempts {
		t.Errorf("%d attempts are left, want %d", got, attempts)
	}
	if lost := h.count("notify_attempts", "delivery_id NOT IN (SELECT id FROM notify_deliveries)"); lost > 0 {
		t.Errorf("%d attempts have no delivery any more", lost)
	}
}

func TestARowOfTheErrorLogGoesAfterItsEventWhenItIsResolvedOrTwiceAsOld(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		h := history{t, db}
		gone, stays := h.event(100), h.event(200, func(e *outbox.Event) { e.Status, e.SettledAt = outbox.Started, nil })
		tests := map[string]struct {
			event    string
			days     int
			resolved bool
			goes     bool
		}{
			"resolved, its event goes":                     {gone, 100, true, true},
			"not resolved, its event goes":                 {gone, 100, false, false},
			"resolved, of no event":                        {"", 91, true, true},
			"resolved, of no event, not old":               {"", 89, true, false},
			"not resolved, of no event":                    {"", 179, false, false},
			"not resolved, of no event, twice as old":      {"", 181, false, true},
			"resolved, its event stays":                    {stays, 190, true, false},
			"not resolved, its event stays, twice as old":  {stays, 190, false, false},
			"resolved, its event has gone long ago":        {idOf(300), 91, true, true},
			"not resolved, its event has gone, not so old": {idOf(300), 179, false, false},
		}
		ids := map[string]string{}
		for name, test := range tests {
			ids[name] = h.failure(test.event, test.days, test.resolved)
		}
		deleted := sweep(t, db, 90*day)
		for name, test := range tests {
			if h.has("notify_errors", ids[name]) == test.goes {
				t.Errorf("%s: goes %v, want %v", name, !test.goes, test.goes)
			}
		}
		if deleted != (retention.Counts{Events: 1, Errors: 4}) {
			t.Errorf("deleted %+v", deleted)
		}
	})
}
