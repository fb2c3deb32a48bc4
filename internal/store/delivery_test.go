package store_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

// planned is a delivery that waits; change makes it another.
func planned(change func(d *store.Delivery)) *store.Delivery {
	now := time.Now().UTC().Truncate(time.Microsecond)
	d := &store.Delivery{
		ID: outbox.NewID(), EventID: outbox.NewID(), NotificationID: outbox.NewID(), NotificationVersion: 1,
		Channel: rule.Email, Address: "ann@example.com", Subject: "Hello", BodyText: "text", BodyHTML: "<p>html</p>",
		Status: store.DeliveryPending, WorkflowID: "send/1", CreatedAt: now, UpdatedAt: now,
	}
	if change != nil {
		change(d)
	}
	return d
}

func insert(t *testing.T, db *gorm.DB, deliveries ...*store.Delivery) {
	t.Helper()
	if _, err := (store.Deliveries{}).InsertTx(db, deliveries); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, s store.Deliveries, id string) *store.Delivery {
	t.Helper()
	d, err := s.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestADeliveryIsThereOncePerEventNotificationChannelAndAddress(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s := store.Deliveries{DB: db}
		first := planned(nil)
		again := *first
		again.ID, again.BodyText = outbox.NewID(), "another text"
		other := *first
		other.ID, other.Address = outbox.NewID(), "ben@example.com"
		insert(t, db, first)
		insert(t, db, &again, &other)
		insert(t, db)
		if d := read(t, s, first.ID); d.BodyText != "text" || d.BodyHTML != "<p>html</p>" {
			t.Errorf("the first was changed: %+v", d)
		}
		if _, err := s.Get(t.Context(), again.ID); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("the second of the same is there: %v", err)
		}
		read(t, s, other.ID)
	})
}

func TestAnAttemptIsClaimedCountedAndFinished(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s, ctx, now := store.Deliveries{DB: db}, t.Context(), time.Now().UTC().Truncate(time.Microsecond)
		d := planned(nil)
		insert(t, db, d)
		before, number, err := s.Claim(ctx, d.ID, "", now)
		if err != nil || number != 1 || before.Status != store.DeliveryPending || before.BodyText != "text" {
			t.Fatalf("first claim: %+v, attempt %d, error %v", before, number, err)
		}
		if d := read(t, s, d.ID); d.Status != store.DeliverySending || d.Attempts != 1 || !d.ClaimedAt.Equal(now) {
			t.Fatalf("while it is sent: %+v", d)
		}
		refused := store.Attempt{DeliveryID: d.ID, Number: 1, Outcome: "temporary", Code: "smtp_451", StartedAt: now, FinishedAt: now}
		if err := s.Finish(ctx, refused, store.DeliveryPending, ""); err != nil {
			t.Fatal(err)
		}
		if d := read(t, s, d.ID); d.Status != store.DeliveryPending || d.ErrorCode != "smtp_451" || d.SentAt != nil {
			t.Fatalf("after a refusal: %+v", d)
		}
		if _, number, err = s.Claim(ctx, d.ID, "", now); err != nil || number != 2 {
			t.Fatalf("second claim: attempt %d, error %v", number, err)
		}
		taken := store.Attempt{DeliveryID: d.ID, Number: 2, Outcome: "sent", StartedAt: now, FinishedAt: now.Add(time.Second)}
		for range 2 { // a repeated step records it again
			if err := s.Finish(ctx, taken, store.DeliverySent, "SM1"); err != nil {
				t.Fatal(err)
			}
		}
		sent := read(t, s, d.ID)
		if sent.Status != store.DeliverySent || sent.ProviderID != "SM1" || sent.ErrorCode != "" || !sent.SentAt.Equal(now.Add(time.Second)) {
			t.Errorf("after the success: %+v", sent)
		}
		if before, number, err = s.Claim(ctx, d.ID, "", now); err != nil || number != 0 || !before.Taken() {
			t.Errorf("a claim of what was sent: %+v, attempt %d, error %v", before, number, err)
		}
		attempts, err := s.Attempts(ctx, d.ID)
		if err != nil || len(attempts) != 2 || attempts[0].Code != "smtp_451" || attempts[1].Outcome != "sent" {
			t.Errorf("attempts %+v, error %v", attempts, err)
		}
	})
}

func TestWhatWasSentDoesNotFailAndWhatHasArrivedStaysArrived(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		before, failedTo, want store.DeliveryStatus
	}{
		"pending fails":                  {store.DeliveryPending, store.DeliveryFailed, store.DeliveryFailed},
		"sending becomes unknown":        {store.DeliverySending, store.DeliveryUnknown, store.DeliveryUnknown},
		"sent stays sent":                {store.DeliverySent, store.DeliveryFailed, store.DeliverySent},
		"delivered stays delivered":      {store.DeliveryDelivered, store.DeliveryFailed, store.DeliveryDelivered},
		"suppressed stays as it was":     {store.DeliverySuppressed, store.DeliveryFailed, store.DeliverySuppressed},
		"failed keeps its first failure": {store.DeliveryFailed, store.DeliveryUnknown, store.DeliveryFailed},
	}
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s, now := store.Deliveries{DB: db}, time.Now().UTC()
		for name, test := range tests {
			d := planned(func(d *store.Delivery) { d.Status = test.before })
			insert(t, db, d)
			if err := s.FailTx(db, d.ID, test.failedTo, "code", now); err != nil {
				t.Fatal(name, err)
			}
			if got := read(t, s, d.ID).Status; got != test.want {
				t.Errorf("%s: it is %s", name, got)
			}
		}
		arrived := planned(func(d *store.Delivery) { d.Status = store.DeliveryDelivered })
		insert(t, db, arrived)
		late := store.Attempt{DeliveryID: arrived.ID, Number: 1, Outcome: "sent", StartedAt: now, FinishedAt: now}
		if err := s.Finish(t.Context(), late, store.DeliverySent, "SM1"); err != nil {
			t.Fatal(err)
		}
		if d := read(t, s, arrived.ID); d.Status != store.DeliveryDelivered || d.ProviderID != "SM1" || d.SentAt == nil {
			t.Errorf("the provider's callback overtook the answer, then: %+v", d)
		}
	})
}

func TestALateAnswerDoesNotUndoWhatIsKnown(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		before, late, want store.DeliveryStatus
	}{
		"a refusal after another attempt's success": {store.DeliverySent, store.DeliveryPending, store.DeliverySent},
		"a refusal after the delivery was given up": {store.DeliveryFailed, store.DeliveryPending, store.DeliveryFailed},
		"a success after the delivery was given up": {store.DeliveryUnknown, store.DeliverySent, store.DeliverySent},
	}
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s, now := store.Deliveries{DB: db}, time.Now().UTC()
		for name, test := range tests {
			d := planned(func(d *store.Delivery) { d.Status, d.ErrorCode = test.before, "before" })
			insert(t, db, d)
			answer := store.Attempt{DeliveryID: d.ID, Number: 1, Code: "late", StartedAt: now, FinishedAt: now}
			if err := s.Finish(t.Context(), answer, test.late, ""); err != nil {
				t.Fatal(name, err)
			}
			got := read(t, s, d.ID)
			if got.Status != test.want || (test.late != store.DeliverySent && got.ErrorCode != "before") {
				t.Errorf("%s: it is %s with code %s", name, got.Status, got.ErrorCode)
			}
			if attempts, err := s.Attempts(t.Context(), d.ID); err != nil || len(attempts) != 1 {
				t.Errorf("%s: the attempt is not kept: %v, error %v", name, attempts, err)
			}
		}
	})
}

func TestOneOfManyClaimsOfADeliveryGetsEachNumber(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s := store.Deliveries{DB: db}
		d := planned(nil)
		insert(t, db, d)
		const claims = 8
		var seen [claims + 1]atomic.Int32
		var group sync.WaitGroup
		for range claims {
			group.Go(func() {
				_, number, err := s.Claim(t.Context(), d.ID, "", time.Now().UTC())
				if err != nil {
					t.Error(err)
					return
				}
				seen[number].Add(1)
			})
		}
		group.Wait()
		for number := 1; number <= claims; number++ {
			if seen[number].Load() != 1 {
				t.Errorf("attempt %d was given %d times", number, seen[number].Load())
			}
		}
	})
}

func TestDeliveriesAreFilteredByEachField(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s, ctx := store.Deliveries{DB: db}, t.Context()
		other := planned(nil)
		wanted := planned(func(d *store.Delivery) {
			d.Channel, d.Address, d.Status = rule.SMS, "+12025550123", store.DeliveryFailed
			d.ProviderID, d.ErrorCode, d.WorkflowID = "SM1", "http_503", "send/2"
		})
		insert(t, db, other, wanted)
		for name, filter := range map[string]store.DeliveryFilter{
			"event":        {EventID: wanted.EventID},
			"notification": {NotificationID: wanted.NotificationID},
			"channel":      {Channel: "sms"},
			"address":      {Address: "+12025550123"},
			"status":       {Status: "failed"},
			"provider":     {ProviderID: "SM1"},
			"error code":   {ErrorCode: "http_503"},
			"workflow":     {WorkflowID: "send/2"},
			"two of them":  {Channel: "sms", Status: "failed"},
		} {
			page, err := s.List(ctx, filter, store.Paging{})
			if err != nil || len(page.Items) != 1 || page.Items[0].ID != wanted.ID {
				t.Errorf("list by %s: %d, error %v", name, len(page.Items), err)
				continue
			}
			if page.Items[0].BodyText != "" || page.Items[0].BodyHTML != "" || page.Items[0].Subject == "" {
				t.Errorf("a list gives bodies, or no subject: %+v", page.Items[0])
			}
			if ids, err := s.IDs(ctx, filter, "", 10); err != nil || !slices.Equal(ids, []string{wanted.ID}) {
				t.Errorf("IDs by %s: %v, error %v", name, ids, err)
			}
		}
		page, err := s.List(ctx, store.DeliveryFilter{Channel: "sms", Status: "sent"}, store.Paging{})
		if err != nil || page.Items == nil || len(page.Items) != 0 {
			t.Errorf("a filter that nothing matches gives %v, error %v", page.Items, err)
		}
		of, err := s.OfEvents(ctx, []string{other.EventID, wanted.EventID, "none"})
		if err != nil || len(of) != 2 || of[0].ID != other.ID || of[0].BodyText != "" {
			t.Errorf("deliveries of events: %v, error %v", of, err)
		}
	})
}

func TestIDsOfAFilterComeOldestFirstInParts(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s := store.Deliveries{DB: db}
		var want, got []string
		for i := range 5 {
			d := planned(func(d *store.Delivery) { d.Address = fmt.Sprintf("n%d@example.com", i) })
			insert(t, db, d)
			want = append(want, d.ID)
		}
		after := ""
		for range 3 {
			ids, err := s.IDs(t.Context(), store.DeliveryFilter{Status: "pending"}, after, 2)
			if err != nil || len(ids) == 0 {
				t.Fatal(ids, err)
			}
			got, after = append(got, ids...), ids[len(ids)-1]
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

func TestADeliveryThatIsNoLongerOfUseIsSuppressedWhenItsTurnComes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		until    time.Duration
		doubtful bool
		status   store.DeliveryStatus
		attempt  int
	}{
		{"before its time is over", time.Minute, false, store.DeliverySending, 1},
		{"after it", -time.Minute, false, store.DeliverySuppressed, 0},
		{"after it, when an earlier attempt may have arrived", -time.Minute, true, store.DeliverySending, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			testdb.Each(t, func(t *testing.T, db *gorm.DB) {
				s, now := store.Deliveries{DB: db}, time.Now().UTC().Truncate(time.Microsecond)
				until := now.Add(test.until)
				d := &store.Delivery{ID: "d", EventID: "e", Channel: "email", Address: "ann@example.com",
					Status: store.DeliveryPending, CreatedAt: now, UpdatedAt: now, ValidUntil: &until}
				if test.doubtful {
					d.Attempts = 1
					lost := store.Attempt{DeliveryID: "d", Number: 1, Outcome: "unknown", StartedAt: now, FinishedAt: now}
					if err := db.Create(&lost).Error; err != nil {
						t.Fatal(err)
					}
				}
				if _, err := s.InsertTx(db, []*store.Delivery{d}); err != nil {
					t.Fatal(err)
				}
				_, attempt, err := s.Claim(t.Context(), "d", "", now)
				if err != nil || attempt != test.attempt {
					t.Fatalf("attempt %d, error %v; want %d", attempt, err, test.attempt)
				}
				got, err := s.Get(t.Context(), "d")
				if err != nil || got.Status != test.status {
					t.Errorf("status %s, error %v; want %s", got.Status, err, test.status)
				}
			})
		})
	}
}
