package store_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/audit"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

// suppress adds a suppression, and gives whether it is new.
func suppress(t *testing.T, db *gorm.DB, s *store.Suppression) bool {
	t.Helper()
	fresh, err := store.Suppressions{DB: db}.AddTx(db, s)
	if err != nil {
		t.Fatal(err)
	}
	return fresh
}

func TestASuppressionIsThereOncePerAddressChannelAndNotification(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		first, second, want store.SuppressionReason
	}{
		"a bounce gives way to a STOP":                         {store.SuppressedBounce, store.SuppressedStop, store.SuppressedStop},
		"a bounce gives way to a complaint":                    {store.SuppressedBounce, store.SuppressedComplaint, store.SuppressedComplaint},
		"a bounce stays when another comes":                    {store.SuppressedBounce, store.SuppressedBounce, store.SuppressedBounce},
		"a bounce stays when a person enters it":               {store.SuppressedBounce, store.SuppressedManual, store.SuppressedBounce},
		"a STOP stays when a bounce comes":                     {store.SuppressedStop, store.SuppressedBounce, store.SuppressedStop},
		"what somebody here entered stays when a bounce comes": {store.SuppressedManual, store.SuppressedBounce, store.SuppressedManual},
		"what somebody here entered gives way to a STOP":       {store.SuppressedManual, store.SuppressedStop, store.SuppressedStop},
		"what somebody here entered gives way to a leaving":    {store.SuppressedManual, store.SuppressedUnsubscribe, store.SuppressedUnsubscribe},
		"what somebody here entered gives way to a complaint":  {store.SuppressedManual, store.SuppressedComplaint, store.SuppressedComplaint},
		"a leaving gives way to a complaint":                   {store.SuppressedUnsubscribe, store.SuppressedComplaint, store.SuppressedComplaint},
		"a complaint stays when its owner leaves":              {store.SuppressedComplaint, store.SuppressedUnsubscribe, store.SuppressedComplaint},
		"a STOP stays when somebody enters the number":         {store.SuppressedStop, store.SuppressedManual, store.SuppressedStop},
	}
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		for name, test := range tests {
			address := strings.ReplaceAll(name, " ", ".") + "@Example.com"
			first := &store.Suppression{Channel: rule.Email, Address: address, Reason: test.first, CreatedBy: "first"}
			second := &store.Suppression{Channel: rule.Email, Address: strings.ToUpper(address), Reason: test.second, CreatedBy: "second"}
			if !suppress(t, db, first) || suppress(t, db, second) {
				t.Errorf("%s: the second counts as new", name)
			}
			kept, err := store.Suppressions{DB: db}.Get(t.Context(), first.ID)
			if err != nil || kept.Reason != test.want || kept.Address != store.FoldAddress(address) {
				t.Errorf("%s: kept %+v, %v", name, kept, err)
			}
			if second.ID != first.ID || second.Reason != test.want {
				t.Errorf("%s: the caller is told of %+v", name, second)
			}
		}
		for _, other := range []*store.Suppression{
			{Channel: rule.SMS, Address: "+12025550123"}, {Channel: rule.WhatsApp, Address: "+12025550123"},
			{Channel: rule.SMS, Address: "+12025550123", NotificationID: "n"},
		} {
			if !suppress(t, db, other) {
				t.Errorf("%+v is not kept beside the others", other)
			}
		}
	})
}

func TestActiveSuppressionsAreThoseOfTheAddressTheChannelAndTheNotification(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s := store.Suppressions{DB: db}
		suppress(t, db, &store.Suppression{Channel: rule.Email, Address: "all@example.com", Reason: store.SuppressedBounce})
		suppress(t, db, &store.Suppression{Channel: rule.Email, Address: "one@example.com", NotificationID: "n1", Reason: store.SuppressedUnsubscribe})
		suppress(t, db, &store.Suppression{Channel: rule.Email, Address: "both@example.com", NotificationID: "n1", Reason: store.SuppressedUnsubscribe})
		suppress(t, db, &store.Suppression{Channel: rule.Email, Address: "both@example.com", Reason: store.SuppressedComplaint})
		suppress(t, db, &store.Suppression{Channel: rule.SMS, Address: "+12025550123", Reason: store.SuppressedStop})
		for _, test := range []struct {
			channel       rule.Channel
			address, only string
			want          store.SuppressionReason
		}{
			{rule.Email, "all@example.com", "n1", store.SuppressedBounce},
			{rule.Email, "All@Example.com", "", store.SuppressedBounce},
			{rule.Email, "one@example.com", "n1", store.SuppressedUnsubscribe},
			{rule.Email, "one@example.com", "n2", ""},
			{rule.Email, "one@example.com", "", ""},
			{rule.Email, "both@example.com", "n1", store.SuppressedComplaint},
			{rule.SMS, "+12025550123", "n1", store.SuppressedStop},
			{rule.WhatsApp, "+12025550123", "n1", ""},
		} {
			active, err := s.Active(t.Context(), test.channel, []string{"ben@example.com", test.address}, test.only)
			if err != nil {
				t.Fatal(err)
			}
			var got store.SuppressionReason
			if k := active[test.address]; k != nil {
				got = k.Reason
			}
			if got != test.want || active["ben@example.com"] != nil {
				t.Errorf("%s %s for %q: suppressed by %q, want %q", test.channel, test.address, test.only, got, test.want)
			}
		}
		many := make([]string, 2500)
		for i := range many {
			many[i] = fmt.Sprintf("%d@example.com", i)
		}
		many[2400] = "all@example.com"
		if active, err := s.Active(t.Context(), rule.Email, many, "n1"); err != nil || len(active) != 1 {
			t.Errorf("of many, %d are suppressed, %v", len(active), err)
		}
	})
}

func TestASuppressionIsLiftedByWhoeverMayAndTheAuditLogSaysSo(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s, ctx := store.Suppressions{DB: db}, t.Context()
		stop := &store.Suppression{Channel: rule.SMS, Address: "+12025550123", Reason: store.SuppressedStop, CreatedBy: "Twilio"}
		if fresh, err := s.Add(ctx, stop); err != nil || !fresh {
			t.Fatal(fresh, err)
		}
		manual := &store.Suppression{Channel: rule.SMS, Address: "+12025550124", Reason: store.SuppressedManual, CreatedBy: "ann@example.com"}
		suppress(t, db, manual)
		for address, want := range map[string]int{stop.Address: 1, manual.Address: 0, "+12025550125": 0} {
			lifted, err := s.LiftTx(db, rule.SMS, address, "Twilio", store.SuppressedStop)
			if err != nil || len(lifted) != want {
				t.Errorf("a START of %s lifts %d, want %d; %v", address, len(lifted), want, err)
			}
		}
		if removed, err := s.Remove(ctx, manual.ID, "ben@example.com"); err != nil || removed.Address != manual.Address {
			t.Errorf("removed %+v, %v", removed, err)
		}
		if _, err := s.Remove(ctx, manual.ID, "ben@example.com"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("removed twice: %v", err)
		}
		records, _, err := audit.List(ctx, db, audit.Filter{Target: "suppression"}, "", 0)
		if err != nil || len(records) != 4 {
			t.Fatalf("%d lines in the audit log, %v", len(records), err)
		}
		if r := records[0]; r.Action != "suppression.removed" || r.Actor != "ben@example.com" || r.TargetID != manual.ID || r.Detail != "sms, manual: …0124" {
			t.Errorf("the audit log says %+v", r)
		}
	})
}

func TestALiftedSuppressionIsPutBackAsItWas(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s, ctx := store.Suppressions{DB: db}, t.Context()
		was := &store.Suppression{Channel: rule.SMS, Address: "+12025550123", NotificationID: "n", Reason: store.SuppressedStop,
			Source: store.SuppressedByHook, DeliveryID: "d", Detail: "21610", CreatedBy: "Twilio"}
		suppress(t, db, was)
		before, err := s.Get(ctx, was.ID)
		if err != nil {
			t.Fatal(err)
		}
		lifted, err := s.Remove(ctx, was.ID, "ann@example.com")
		if err != nil {
			t.Fatal(err)
		}
		if restored, err := s.Restore(ctx, lifted, "ann@example.com"); err != nil || !restored {
			t.Fatalf("put back: %v, %v", restored, err)
		}
		if after, err := s.Get(ctx, was.ID); err != nil || !after.CreatedAt.Equal(before.CreatedAt) ||
			fmt.Sprint(after.ID, after.Channel, after.Address, after.NotificationID, after.Reason, after.Source, after.DeliveryID, after.Detail, after.CreatedBy) !=
				fmt.Sprint(before.ID, before.Channel, before.Address, before.NotificationID, before.Reason, before.Source, before.DeliveryID, before.Detail, before.CreatedBy) {
			t.Errorf("it was %+v and is %+v, %v", before, after, err)
		}
		if restored, err := s.Restore(ctx, lifted, "ann@example.com"); err != nil || restored {
			t.Errorf("put back twice: %v, %v", restored, err)
		}
		records, _, err := audit.List(ctx, db, audit.Filter{Action: "suppression.restored"}, "", 0)
		if err != nil || len(records) != 1 || records[0].TargetID != was.ID || records[0].Actor != "ann@example.com" {
			t.Errorf("the audit log says %+v, %v", records, err)
		}
	})
}

func TestSuppressionsAreSearched(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s, ctx := store.Suppressions{DB: db}, t.Context()
		ann := &store.Suppression{Channel: rule.Email, Address: "Ann@example.com", Reason: store.SuppressedBounce}
		ben := &store.Suppression{Channel: rule.SMS, Address: "+12025550123", Reason: store.SuppressedStop}
		own := &store.Suppression{Channel: rule.Email, Address: "ann@example.com", NotificationID: "n", Reason: store.SuppressedUnsubscribe}
		suppress(t, db, own)
		suppress(t, db, ann)
		suppress(t, db, ben)
		page, err := s.List(ctx, store.SuppressionFilter{NotificationID: "n"}, store.Paging{})
		if err != nil || len(page.Items) != 1 || page.Items[0].ID != own.ID {
			t.Errorf("list by notification: %d, %v", len(page.Items), err)
		}
		if _, err := s.Remove(ctx, own.ID, "ann"); err != nil {
			t.Fatal(err)
		}
		for name, f := range map[string]store.SuppressionFilter{
			"channel": {Channel: "email"}, "reason": {Reason: "bounce"}, "address": {Address: "ANN@example.com"}, "a part of the address": {Text: "nn@Ex"},
			"all of it": {Channel: "email", Reason: "bounce", Text: "ann"},
		} {
			found, err := s.Search(ctx, f, store.Paging{})
			if err != nil || len(found.Items) != 1 || found.Items[0].ID != ann.ID {
				t.Errorf("search by %s: %d, %v", name, len(found.Items), err)
			}
			page, err := s.List(ctx, f, store.Paging{})
			if err != nil || len(page.Items) != 1 || page.Items[0].ID != ann.ID {
				t.Errorf("list by %s: %d, %v", name, len(page.Items), err)
			}
		}
		first, err := s.List(ctx, store.SuppressionFilter{}, store.Paging{Limit: 1})
		if err != nil || len(first.Items) != 1 || first.Items[0].ID != ben.ID || first.Next == "" {
			t.Fatalf("the first page is %+v, %v", first, err)
		}
	})
}

func TestADeliveryThatItsAddressHasComeNotToWantIsNotTried(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		s       store.Suppression
		tries   []string
		status  store.DeliveryStatus
		code    string
		attempt int
	}{
		{"its first attempt", store.Suppression{Address: "ann@example.com", Reason: store.SuppressedStop}, nil,
			store.DeliverySuppressed, "suppressed_stop", 0},
		{"another spelling of the address", store.Suppression{Address: "ANN@example.com", Reason: store.SuppressedBounce}, nil,
			store.DeliverySuppressed, "suppressed_bounce", 0},
		{"its notification alone", store.Suppression{Address: "ann@example.com", NotificationID: "n", Reason: store.SuppressedUnsubscribe}, nil,
			store.DeliverySuppressed, "suppressed_unsubscribe", 0},
		{"another notification", store.Suppression{Address: "ann@example.com", NotificationID: "other", Reason: store.SuppressedUnsubscribe}, nil,
			store.DeliverySending, "", 1},
		{"another channel", store.Suppression{Channel: rule.SMS, Address: "ann@example.com", Reason: store.SuppressedStop}, nil,
			store.DeliverySending, "", 1},
		{"another address", store.Suppression{Address: "ben@example.com", Reason: store.SuppressedStop}, nil,
			store.DeliverySending, "", 1},
		{"a later attempt, after a refusal", store.Suppression{Address: "ann@example.com", Reason: store.SuppressedManual}, []string{"temporary"},
			store.DeliverySuppressed, "suppressed_manual", 0},
		{"a later attempt, when an earlier one may have arrived", store.Suppression{Address: "ann@example.com", Reason: store.SuppressedStop},
			[]string{"unknown", "temporary"}, store.DeliveryUnknown, "suppressed_stop", 0},
	}
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				now := time.Now().UTC().Truncate(time.Microsecond)
				d := planned(func(d *store.Delivery) {
					d.NotificationID, d.Address, d.Attempts = "n", "Ann@example.com", len(test.tries)
				})
				insert(t, db, d)
				for i, outcome := range test.tries {
					if err := db.Create(&store.Attempt{DeliveryID: d.ID, Number: i + 1, Outcome: outcome, StartedAt: now, FinishedAt: now}).Error; err != nil {
						t.Fatal(err)
					}
				}
				s := test.s
				if s.Channel == "" {
					s.Channel = rule.Email
				}
				suppress(t, db, &s)
				deliveries := store.Deliveries{DB: db}
				if _, attempt, err := deliveries.Claim(t.Context(), d.ID, "", now); err != nil || attempt != test.attempt {
					t.Errorf("claimed attempt %d, %v; want %d", attempt, err, test.attempt)
				}
				if got := read(t, deliveries, d.ID); got.Status != test.status || got.ErrorCode != test.code {
					t.Errorf("it is %s with code %q, want %s with %q", got.Status, got.ErrorCode, test.status, test.code)
				}
				logged, err := store.Errors{DB: db}.List(t.Context(), store.ErrorFilter{DeliveryID: d.ID}, store.Paging{})
				if err != nil || (len(logged.Items) == 1) != (test.status == store.DeliveryUnknown) {
					t.Errorf("in the error log: %d entries, %v", len(logged.Items), err)
				}
				if _, err := (store.Suppressions{DB: db}).Remove(t.Context(), s.ID, "ann"); err != nil {
					t.Fatal(err)
				}
			})
		}
	})
}
