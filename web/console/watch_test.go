package console

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/account"
	"github.com/silquetech/silque-notifications/internal/catalog"
	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

// hostile is a text that runs wherever it is not escaped.
const hostile = `"'><script>alert(1)</script><img src=x onerror=alert(2)>`

// watched is a database with one of everything that the pages show, every text of it given.
type watched struct {
	event, retried *outbox.Event
	email, sms     *store.Delivery
	notification   *rule.Notification
	err            *store.ErrorEntry
}

func watch(t *testing.T, db *gorm.DB, text string) watched {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx, now := t.Context(), time.Now().UTC().Truncate(time.Millisecond)
	must(catalog.Save(ctx, db, &rule.Model{Name: "orders", PrimaryKey: []string{"id"}, Fields: []rule.Field{
		{Name: "id", Label: "Number", Type: rule.Integer}, {Name: "status", Label: text, Type: rule.String}}}))
	w := watched{notification: &rule.Notification{
		Title: "T " + text, Message: "M " + text, Channel: rule.Email, Model: "orders", Trigger: rule.OnUpdate, Active: true,
		Conditions: "doc.status == 'x'\n\ndoc.status == '" + text + "'",
	}}
	must(store.Notifications{DB: db}.Create(ctx, w.notification, "ann"))
	js := func(v any) outbox.Snapshot {
		raw, err := json.Marshal(v)
		must(err)
		return raw
	}
	settled := now
	w.event = &outbox.Event{
		ID: outbox.NewID(), Model: "orders", Key: "7" + text, Action: rule.Update, Source: outbox.FromPlugin, WorkflowID: "wf-" + text,
		OldDoc: js(map[string]any{"id": 7, "status": "old " + text, text: 1}), Doc: js(map[string]any{"id": 7, "status": "new " + text, text: 1}),
		Status: outbox.Settled, StartedAt: &now, ResolvedAt: &now, SettledAt: &settled, CreatedAt: now,
		Decisions: js([]map[string]any{{"notification_id": w.notification.ID, "version": 1, "outcome": "sends", "detail": "condition true at line 3", "deliveries": 2},
			{"notification_id": outbox.NewID(), "version": 1, "outcome": text, "detail": text}}),
	}
	must(db.Create(w.event).Error)
	w.email = &store.Delivery{
		ID: outbox.NewID(), EventID: w.event.ID, NotificationID: w.notification.ID, NotificationVersion: 1, Channel: rule.Email,
		Address: "ann@example.com" + text, Subject: "S " + text, BodyText: "B " + text, BodyHTML: "<p>H</p>" + text, Status: store.DeliveryFailed,
		Attempts: 1, ErrorCode: "code" + text, ProviderID: "p" + text, WorkflowID: w.event.WorkflowID, Locale: text, CreatedAt: now, UpdatedAt: now,
		Details: js(rule.Details{To: []string{text}, Cc: []string{text}, ReplyTo: text, Files: []rule.File{{Name: text, Location: text}, {Name: text, Text: text}}}),
	}
	w.sms = &store.Delivery{
		ID: outbox.NewID(), EventID: w.event.ID, NotificationID: w.notification.ID, NotificationVersion: 1, Channel: rule.WhatsApp,
		Address: "+12025550123", BodyText: "W " + text, Status: store.DeliverySent, Attempts: 1, WorkflowID: w.event.WorkflowID, SentAt: &now,
		Details: js(rule.Details{ContentSID: text, ContentVariables: map[string]string{text: text}}), CreatedAt: now, UpdatedAt: now,
	}
	_, err := store.Deliveries{}.InsertTx(db, []*store.Delivery{w.email, w.sms})
	must(err)
	must(db.Create(&store.Attempt{DeliveryID: w.email.ID, Number: 1, Outcome: "permanent", Code: text, Detail: "550 " + text, StartedAt: now, FinishedAt: now.Add(time.Second)}).Error)
	w.retried = &outbox.Event{ID: outbox.NewID(), Key: w.sms.ID, Action: rule.Retry, Source: outbox.FromConsole, Status: outbox.Settled,
		Reason: "the delivery was " + text, Doc: js(map[string]any{"delivery_id": w.sms.ID}), CreatedAt: now, SettledAt: &settled}
	must(db.Create(w.retried).Error)
	w.err = &store.ErrorEntry{Code: "CODE" + text, Source: text, Message: "Refused " + text, EventID: w.event.ID, DeliveryID: w.email.ID,
		NotificationID: w.notification.ID, Attempt: 1, Context: js(map[string]any{"provider_answer": text, text: text})}
	must(store.Errors{}.RecordTx(db, w.err))
	return w
}

// pages lists every page about w.
func (w watched) pages() []string {
	return []string{
		"/deliveries", "/deliveries/" + w.email.ID, "/deliveries/" + w.sms.ID, "/deliveries?q=" + url.QueryEscape(hostile),
		"/deliveries?notification=" + w.notification.ID + "&code=" + url.QueryEscape(hostile) + "&from=" + url.QueryEscape(hostile),
		"/deliveries/retry?id=" + w.email.ID + "&id=" + w.sms.ID, "/deliveries/retry?notification=" + w.notification.ID, "/deliveries/retry?hit=1&state=open",
		"/events", "/events?model=" + url.QueryEscape(hostile) + "&key=" + url.QueryEscape(hostile), "/events/" + w.event.ID, "/events/" + w.retried.ID,
		"/errors", "/errors?state=all", "/errors?code=" + url.QueryEscape(hostile), "/errors/" + w.err.ID,
	}
}

func TestNothingOfADeliveryAnEventOrAnErrorRuns(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		w, v := watch(t, db, hostile), visit(t, db, account.Editor)
		for _, path := range w.pages() {
			page := v.page(path)
			for _, raw := range []string{"<script>alert", "<img src=x", ` style="`, " onclick=", "javascript:"} {
				if strings.Contains(page, raw) {
					t.Errorf("%s holds %s", path, raw)
				}
			}
			if size := len(page); size > 150<<10 {
				t.Errorf("%s weighs %d bytes", path, size)
			}
		}
	})
}

func TestADeliveryTellsItsWholeStory(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		w, v := watch(t, db, " ok"), visit(t, db, account.Editor)
		v.holds(v.page("/deliveries/"+w.email.ID), "ann@example.com ok", "refused it for good", "Attempt 1: refused for good", "550  ok", "orders 7 ok was updated",
			`sandbox src="/deliveries/`+w.email.ID+`/html"`, "S  ok", "B  ok", "version 1", "/events/"+w.event.ID, "/errors/"+w.err.ID, "CODE ok",
			`href="/deliveries/retry?id=`+w.email.ID, "http://127.0.0.1:8233/workflows/", "took 1 second")
		page := v.page("/deliveries/" + w.sms.ID)
		v.holds(page, "WhatsApp", "W  ok", "A person asked for another try", "The provider took it", "WhatsApp template")
		if strings.Contains(page, "/deliveries/retry?id=") {
			t.Error("what was sent can be retried")
		}
	})
}

func TestTheHTMLOfAMessageStandsUnderItsOwnPolicy(t *testing.T) {
	t.Parallel()
	db := testdb.SQLite(t)
	w, v := watch(t, db, hostile), visit(t, db, account.Viewer)
	answer := v.get("/deliveries/" + w.email.ID + "/html")
	if policy := answer.Header().Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "sandbox") || strings.Contains(policy, "script-src") {
		t.Errorf("the policy is %q", policy)
	}
	if !strings.Contains(answer.Body.String(), "<p>H</p>") {
		t.Errorf("the HTML is %s", answer.Body)
	}
	if answer := v.get("/deliveries/" + w.sms.ID + "/html"); answer.Code != http.StatusNotFound {
		t.Errorf("without HTML: %d", answer.Code)
	}
}

func TestAnEventSaysWhatChangedAndWhyEachNotificationSentOrDidNot(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		w, v := watch(t, db, "x"), visit(t, db, account.Viewer)
		page := v.page("/events/" + w.event.ID)
		v.holds(page, "<del>old x</del>", "<ins>new x</ins>", `<span class="mark">changed</span>`, "2 fields unchanged", "It sent 2 messages.",
			"✓ held", "✗ did not", "doc.status == &#39;x&#39;", "/deliveries/"+w.email.ID, "a deleted notification", "It came to 2 deliveries")
		if held, failed := strings.Index(page, "✓ held"), strings.Index(page, "✗ did not"); held < failed {
			t.Error("line 3 held, and line 1 did not: they stand the other way round")
		}
		v.holds(v.page("/events/"+w.retried.ID), "Nobody was told: the delivery was x.", "/deliveries/"+w.sms.ID)
	})
}

func TestAnEventNobodyLookedAtExplainsItself(t *testing.T) {
	t.Parallel()
	db := testdb.SQLite(t)
	now := time.Now().UTC()
	e := &outbox.Event{Model: "orders", Key: "1", Action: rule.Delete, Source: outbox.FromAPI, OldDoc: outbox.Snapshot(`{"id":1,"note":null}`)}
	if err := outbox.Append(db, e); err != nil {
		t.Fatal(err)
	}
	v := visit(t, db, account.Viewer)
	v.holds(v.page("/events/"+e.ID), "waits for its workflow", "data-live", "The row that is gone", "<del>null</del>", "the API")
	if err := outbox.ResolveTx(db, "w", now, outbox.Resolution{EventID: e.ID, Reason: "no active notification", Decisions: outbox.Snapshot("[]")}); err != nil {
		t.Fatal(err)
	}
	if err := outbox.Settle(t.Context(), db, []string{e.ID}, now); err != nil {
		t.Fatal(err)
	}
	page := v.page("/events/" + e.ID)
	v.holds(page, "Nobody was told: no active notification.", "the trigger <b>delete</b>", "/notifications/new?model=orders")
	if strings.Contains(page, "data-live=") {
		t.Error("a settled event is still asked for")
	}
}

func TestListsAreFilteredBySearchAndByAddressOfThePage(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		w, v := watch(t, db, ""), visit(t, db, account.Viewer)
		finds := func(path string, email, sms bool) {
			t.Helper()
			page := v.page(path)
			if strings.Contains(page, "/deliveries/"+w.email.ID+`"`) != email || strings.Contains(page, "/deliveries/"+w.sms.ID+`"`) != sms {
				t.Errorf("%s: want the email %v and the SMS %v:\n%s", path, email, sms, page)
			}
		}
		finds("/deliveries", true, true)
		finds("/deliveries?q=ANN@EXAMPLE.COM", true, false)
		finds("/deliveries?q=example", true, false)
		finds("/deliveries?q=(202)+555-0123", false, true)
		finds("/deliveries?q="+w.sms.ID, false, true)
		finds("/deliveries?q="+w.event.ID, true, true)
		finds("/deliveries?q=p", true, false)
		finds("/deliveries?status=failed&channel=email", true, false)
		finds("/deliveries?status=nonsense", true, true)
		finds("/deliveries?address=%2B12025550123&period=hour", false, true)
		finds("/deliveries?code=code", true, false)
		finds("/deliveries?to=2020-01-01T00:00", false, false)
		finds("/deliveries?from=2020-01-01T00:00&notification="+w.notification.ID, true, true)
		finds("/deliveries?q=%00%ff", true, true)
		v.holds(v.page("/deliveries?q="+w.sms.ID), "What you look for is a delivery&#39;s ID")
		v.holds(v.page("/deliveries?q=nobody"), "No delivery matches")
		for path, holds := range map[string]bool{"/events?q=7": true, "/events?key=7&model=orders": true, "/events?outcome=told": true, "/events?outcome=silent&action=update": false,
			"/events?source=api": false, "/events?action=update&status=settled": true, "/events?q=" + w.event.ID: true} {
			if got := strings.Contains(v.page(path), "/events/"+w.event.ID); got != holds {
				t.Errorf("%s holds the event: %v", path, got)
			}
		}
	})
}

func TestEmptyListsTeach(t *testing.T) {
	t.Parallel()
	v := visit(t, testdb.SQLite(t), account.Viewer)
	v.holds(v.page("/deliveries"), "Nothing has been sent yet", "/notifications/new")
	v.holds(v.page("/events"), "No row has changed yet")
	v.holds(v.page("/errors"), "Nothing is wrong")
	for _, path := range []string{"/deliveries/x", "/events/x", "/errors/x", "/deliveries/retry/x"} {
		if answer := v.get(path); answer.Code != http.StatusNotFound && answer.Code != http.StatusForbidden {
			t.Errorf("%s: %d", path, answer.Code)
		}
	}
}

func TestAFileHoldsWhatTheFilterLeavesAndNoFormula(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		w := watch(t, db, "")
		if err := db.Model(&store.Delivery{}).Where("id = ?", w.email.ID).Update("subject", `=HYPERLINK("http://x")`).Error; err != nil {
			t.Fatal(err)
		}
		v := visit(t, db, account.Viewer)
		request, _ := http.NewRequest(http.MethodGet, "/deliveries.csv?channel=email", http.NoBody)
		request.AddCookie(&http.Cookie{Name: "silque_zone", Value: "Asia/Kolkata"})
		answer := v.send(request)
		body := answer.Body.String()
		if !strings.Contains(answer.Header().Get("Content-Disposition"), "attachment; filename=\"deliveries-") || strings.Count(body, "\n") != 2 ||
			!strings.Contains(body, `"'=HYPERLINK(""http://x"")"`) || !strings.Contains(body, "+05:30") || strings.Contains(body, w.sms.ID) {
			t.Errorf("%v\n%s", answer.Header(), body)
		}
		if body := v.page("/deliveries.csv?channel=whatsapp"); !strings.Contains(body, ",'+12025550123,") {
			t.Error(body)
		}
		if body := v.page("/events.csv?model=orders"); strings.Count(body, "\n") != 2 || !strings.Contains(body, w.event.ID) {
			t.Error(body)
		}
		if body := v.page("/errors.csv"); strings.Count(body, "\n") != 2 || !strings.Contains(body, w.err.ID) {
			t.Error(body)
		}
	})
}

func TestAFileOfManyRowsHasThemAll(t *testing.T) {
	t.Parallel()
	db := testdb.SQLite(t)
	deliveries := make([]*store.Delivery, 1203)
	for i := range deliveries {
		deliveries[i] = &store.Delivery{ID: outbox.NewID(), EventID: fmt.Sprint(i), Channel: rule.Email, Address: "a@example.com", Status: store.DeliverySent}
	}
	if _, err := (store.Deliveries{}).InsertTx(db, deliveries); err != nil {
		t.Fatal(err)
	}
	if body := visit(t, db, account.Viewer).page("/deliveries.csv?q=example"); strings.Count(body, "\n") != 1204 {
		t.Errorf("%d lines", strings.Count(body, "\n"))
	}
}
