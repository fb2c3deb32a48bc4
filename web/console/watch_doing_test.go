package console

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/account"
	"github.com/silquetech/silque-notifications/internal/audit"
	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/retry"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

func retriesOf(t *testing.T, db *gorm.DB) (events []outbox.Event) {
	t.Helper()
	if err := db.Find(&events, "action = ? AND status = 'pending'", rule.Retry).Error; err != nil {
		t.Fatal(err)
	}
	return events
}

func TestARetryNamesWhomItReachesBeforeAndSaysWhatItDidAfter(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		nudged := 0
		w, v := watch(t, db, ""), visit(t, db, account.Editor, func(c *Config) { c.Nudge = func() { nudged++ } })
		v.holds(v.page("/deliveries/retry?id="+w.email.ID+"&id="+w.sms.ID), "1 delivery", "1 address", "ann@example.com", "1 of the chosen have not failed",
			`name="id" value="`+w.email.ID+`"`)
		answer := v.post("/deliveries/retry", "id", w.email.ID)
		if answer.Code != http.StatusSeeOther || answer.Header().Get("Location") != "/deliveries/"+w.email.ID || !strings.Contains(v.access.said(), "1 delivery will be handed over again") {
			t.Errorf("%d %v %q", answer.Code, answer.Header(), v.access.said())
		}
		events := retriesOf(t, db)
		if len(events) != 1 || events[0].Key != w.email.ID || events[0].Source != outbox.FromConsole || nudged != 1 {
			t.Errorf("%+v, nudged %d", events, nudged)
		}
		records, _, err := audit.List(t.Context(), db, audit.Filter{Action: "delivery.retried"}, "", 0)
		if err != nil || len(records) != 1 || records[0].Actor != "ann@example.com" || records[0].TargetID != w.email.ID {
			t.Errorf("%+v %v", records, err)
		}
		v.holds(v.page("/deliveries/"+w.email.ID), "A person asked for another try, which begins in a moment", "data-live", ">retrying</span>")
		for _, path := range []string{"/deliveries/" + w.email.ID, "/deliveries", "/errors/" + w.err.ID} {
			page := v.page(path)
			v.holds(page, ">retrying</span>")
			v.lacks(page, "/deliveries/retry?id=", "data-needs-chosen", "data-all")
		}
		if answer := v.post("/deliveries/retry"); answer.Code != http.StatusBadRequest {
			t.Errorf("nothing chosen: %d", answer.Code)
		}
	})
}

func TestADeliverySaysWhichAttemptItWaitsForAndWhenItIsDue(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		w, v := watch(t, db, ""), visit(t, db, account.Editor, func(c *Config) { c.RetryAttempts, c.RetryInterval = 3, 10*time.Minute })
		change := func(changes map[string]any) {
			if err := db.Model(&store.Delivery{}).Where("id = ?", w.email.ID).UpdateColumns(changes).Error; err != nil {
				t.Fatal(err)
			}
		}
		change(map[string]any{"status": store.DeliveryPending, "attempts": 1, "updated_at": time.Now().UTC()})
		page := v.page("/deliveries/" + w.email.ID)
		v.holds(page, "retrying, attempt 2 of 3", "It is due <time", "1 of 3, 10 minutes apart")
		v.lacks(page, "It is due now", "minute by default")
		v.holds(v.page("/deliveries"), "retrying, attempt 2 of 3")
		change(map[string]any{"updated_at": time.Now().UTC().Add(-time.Hour), "retry_attempts": 2})
		v.holds(v.page("/deliveries/"+w.email.ID), "retrying, attempt 2 of 2", "It is due now")
		change(map[string]any{"attempts": 0})
		v.lacks(v.page("/deliveries"), "retrying")
		change(map[string]any{"attempts": 4, "retry_event_id": "r"}) // asked for by hand: the count goes on
		page = v.page("/deliveries")
		v.holds(page, "retrying, attempt 5")
		v.lacks(page, "attempt 5 of")
	})
}

func TestEverythingThatMatchesIsRetriedInStepsThatAPersonSees(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		w, v := watch(t, db, ""), visit(t, db, account.Editor)
		filter := "channel=email&q=example"
		v.holds(v.page("/deliveries/retry?"+filter), "Everything that matches the filter", "ann@example.com", `name="all"`)
		for _, misread := range []string{"notification_id=x", "status=broken", "from=yesterday", "period=age", "channel=fax"} {
			if answer := v.post("/deliveries/retry", "all", "1", "query", misread); answer.Code != http.StatusBadRequest {
				t.Errorf("%s is taken for more than was meant: %d", misread, answer.Code)
			}
		}
		answer := v.post("/deliveries/retry", "all", "1", "query", filter)
		progress := answer.Header().Get("Location")
		if answer.Code != http.StatusSeeOther || !strings.HasPrefix(progress, "/deliveries/retry/") {
			t.Fatalf("%d %v", answer.Code, answer.Header())
		}
		v.holds(v.page(progress), "It goes on", "Stop", `data-live="1"`)
		v.holds(v.page("/deliveries"), "A retry of many deliveries goes on", progress)
		if _, err := (retry.Retries{DB: db}).Step(t.Context()); err != nil {
			t.Fatal(err)
		}
		v.holds(v.page(progress), "All are asked for", "1 of 1 asked for")
		if events := retriesOf(t, db); len(events) != 1 || events[0].Key != w.email.ID {
			t.Errorf("%+v", events)
		}
		stopped := v.post("/deliveries/retry", "all", "1", "query", filter).Header().Get("Location")
		v.post(stopped + "/stop")
		v.holds(v.page(stopped), "It was stopped")
	})
}

func TestAGroupOfErrorsIsResolvedRetriedAndOpenedAgain(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		w, v := watch(t, db, ""), visit(t, db, account.Editor)
		query := url.Values{"code": {w.err.Code}, "notification": {w.notification.ID}}.Encode()
		v.holds(v.page("/errors"), "CODE", "Resolve 1", "/deliveries/retry?hit=1&amp;code=CODE&amp;notification="+w.notification.ID)
		v.holds(v.page("/deliveries/retry?hit=1&"+query), "What the errors hit", "1 delivery", "ann@example.com")
		later := &store.ErrorEntry{Code: w.err.Code, NotificationID: w.notification.ID, Message: "later"}
		if err := (store.Errors{}).RecordTx(db, later); err != nil {
			t.Fatal(err)
		}
		if answer := v.post("/errors/resolve", "all", "1", "query", "state=odd", "newest", w.err.ID); answer.Code != http.StatusBadRequest {
			t.Errorf("a filter that is not understood resolves: %d", answer.Code)
		}
		v.post("/errors/resolve", "all", "1", "query", query, "newest", w.err.ID)
		flash := v.access.flash
		if flash == nil || flash.Text != "1 error resolved." || flash.Undo != "/errors/reopen" {
			t.Fatalf("%+v", flash)
		}
		open := func() int {
			t.Helper()
			no := false
			found, err := store.Errors{DB: db}.List(t.Context(), store.ErrorFilter{Resolved: &no}, store.Paging{})
			if err != nil {
				t.Fatal(err)
			}
			return len(found.Items)
		}
		if open() != 1 {
			t.Errorf("%d are open: one that nobody has seen stays so", open())
		}
		v.holds(v.page("/errors/"+w.err.ID), "resolved")
		v.post("/errors/reopen", "at", flash.UndoFields["at"][0])
		if open() != 2 || v.access.said() != "1 error open again." {
			t.Errorf("%d are open, said %q", open(), v.access.said())
		}
		answer := v.post("/errors/resolve", "id", w.err.ID)
		if answer.Header().Get("Location") != "/errors/"+w.err.ID || open() != 1 {
			t.Errorf("%v, %d open", answer.Header(), open())
		}
		v.post("/errors/resolve", "all", "1", "query", "", "newest", later.ID)
		if open() != 0 {
			t.Errorf("%d are open", open())
		}
		records, _, err := audit.List(t.Context(), db, audit.Filter{Target: "error"}, "", 0)
		if err != nil || len(records) != 4 || records[0].Actor != "ann@example.com" {
			t.Errorf("%+v %v", records, err)
		}
		for _, form := range [][]string{{}, {"all", "1"}, {"all", "1", "query", "%zz", "newest", "x"}} {
			if answer := v.post("/errors/resolve", form...); answer.Code != http.StatusBadRequest {
				t.Errorf("%v: %d", form, answer.Code)
			}
		}
	})
}

// TestTheAuditLogDoesNotTellWhatSomebodyLookedFor: it can be an address, and the log is kept for good.
func TestTheAuditLogDoesNotTellWhatSomebodyLookedFor(t *testing.T) {
	t.Parallel()
	db := testdb.SQLite(t)
	w, v := watch(t, db, ""), visit(t, db, account.Editor)
	v.post("/errors/resolve", "all", "1", "query", url.Values{"q": {"Refused"}, "code": {w.err.Code}}.Encode(), "newest", w.err.ID)
	records, _, err := audit.List(t.Context(), db, audit.Filter{Target: "error"}, "", 0)
	if err != nil || len(records) != 1 || records[0].Detail != "1 error: code="+w.err.Code+"&q=…" {
		t.Errorf("%+v, %v", records, err)
	}
}

func TestAViewerSeesAndDoesNothing(t *testing.T) {
	t.Parallel()
	db := testdb.SQLite(t)
	w, v := watch(t, db, ""), visit(t, db, account.Viewer)
	for _, path := range []string{"/deliveries", "/deliveries/" + w.email.ID, "/errors", "/errors?state=open", "/errors/" + w.err.ID} {
		if page := v.page(path); strings.Contains(page, "<button>Resolve") || strings.Contains(page, "/deliveries/retry?") || strings.Contains(page, "All open that match") {
			t.Errorf("%s offers what a viewer may not do", path)
		}
	}
	for _, path := range []string{"/deliveries/retry", "/deliveries/retry/x/stop", "/errors/resolve", "/errors/reopen"} {
		if answer := v.post(path, "id", w.email.ID); answer.Code != http.StatusForbidden {
			t.Errorf("POST %s: %d", path, answer.Code)
		}
	}
	if answer := v.get("/deliveries/retry?id=" + w.email.ID); answer.Code != http.StatusForbidden {
		t.Errorf("the confirmation: %d", answer.Code)
	}
}
