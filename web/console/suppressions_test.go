package console

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/account"
	"github.com/silquetech/silque-notifications/internal/audit"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

// suppressed adds an entry of Twilio's, about a delivery.
func suppressed(t *testing.T, db *gorm.DB, w watched, change func(k *store.Suppression)) *store.Suppression {
	t.Helper()
	k := &store.Suppression{Channel: rule.WhatsApp, Address: w.sms.Address, Reason: store.SuppressedStop, Source: store.SuppressedByHook,
		DeliveryID: w.sms.ID, Detail: "21610", CreatedBy: "Twilio"}
	if change != nil {
		change(k)
	}
	if _, err := (store.Suppressions{DB: db}).Add(t.Context(), k); err != nil {
		t.Fatal(err)
	}
	return k
}

func standing(t *testing.T, db *gorm.DB) []*store.Suppression {
	t.Helper()
	page, err := store.Suppressions{DB: db}.List(t.Context(), store.SuppressionFilter{}, store.Paging{})
	if err != nil {
		t.Fatal(err)
	}
	return page.Items
}

func TestTheSuppressionsSayWhyAndSinceWhen(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		v := visit(t, db, account.Viewer)
		v.holds(v.page("/suppressions"), "Every address gets its messages", "answers STOP", "link to unsubscribe", "nobody is at the address", "spam", "by hand")
		w := watch(t, db, "")
		stop := suppressed(t, db, w, nil)
		own := suppressed(t, db, w, func(k *store.Suppression) {
			k.Channel, k.Address, k.Reason, k.NotificationID, k.DeliveryID, k.CreatedBy = rule.Email, "ann@example.com", store.SuppressedUnsubscribe, w.notification.ID, w.email.ID, "recipient"
		})
		v.holds(v.page("/suppressions"), stop.Address[1:], "Answered STOP", "21610", "every message", "/deliveries/"+w.sms.ID, own.Address, "Unsubscribed",
			"/notifications/"+w.notification.ID, `href="/suppressions.csv?"`)
		for query, want := range map[string]*store.Suppression{
			"channel=whatsapp": stop, "reason=unsubscribe": own, "notification=" + w.notification.ID: own, "q=nn@exa": own, "q=ANN@example.com": own,
			"q=%2B1+202+555+0123": stop, "q=5550123": stop, "address=%2B12025550123": stop, "period=hour&channel=email": own,
		} {
			page := v.page("/suppressions?" + query)
			other := map[*store.Suppression]*store.Suppression{stop: own, own: stop}[want]
			v.holds(page, "/suppressions/"+want.ID)
			v.lacks(page, "/suppressions/"+other.ID)
		}
		v.holds(v.page("/suppressions?q=nobody"), "No entry matches")
		v.holds(v.page("/suppressions/"+stop.ID), "It gets no WhatsApp messages", "answered STOP", "Twilio", "/deliveries/"+w.sms.ID)
		v.holds(v.page("/suppressions/"+own.ID), "sends it no emails", "followed the link", "the recipient")
		csv := v.get("/suppressions.csv?channel=email").Body.String()
		if lines := strings.Split(strings.TrimSpace(csv), "\n"); len(lines) != 2 || !strings.Contains(lines[1], "ann@example.com,unsubscribe,21610,"+w.notification.ID) {
			t.Errorf("the file holds\n%s", csv)
		}
	})
}

func TestAnAddressIsAddedByHandWithMistakesAtTheirPlace(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		w, v := watch(t, db, ""), visit(t, db, account.Editor)
		v.holds(v.page("/suppressions/new?channel=sms&address=%2B1"), `<option value="sms" selected>`, `value="&#43;1"`, "Every message", "T ")
		for field, form := range map[string][]string{
			"channel":      {"channel", "fax", "address", "ann@example.com"},
			"address":      {"channel", "email", "address", "ann"},
			"detail":       {"channel", "email", "address", "ann@example.com", "detail", strings.Repeat("x", 501)},
			"notification": {"channel", "email", "address", "ann@example.com", "notification", "gone"},
		} {
			answer := v.post("/suppressions/new", form...)
			if answer.Code != http.StatusUnprocessableEntity {
				t.Errorf("%s: %d", field, answer.Code)
			}
			v.holds(answer.Body.String(), `id="`+field+`-wrong"`, "1 thing to mend", `value="`+form[3]+`"`)
		}
		answer := v.post("/suppressions/new", "channel", "sms", "address", " (202) 555-0124 ", "notification", w.notification.ID, "detail", "asked on the phone")
		kept := standing(t, db)
		if len(kept) != 1 {
			t.Fatalf("kept %+v", kept)
		}
		k := kept[0]
		if k.Address != "+12025550124" || k.Channel != rule.SMS || k.Reason != store.SuppressedManual || k.Source != store.SuppressedByConsole ||
			k.NotificationID != w.notification.ID || k.Detail != "asked on the phone" || k.CreatedBy != "ann@example.com" {
			t.Errorf("kept %+v", k)
		}
		if answer.Header().Get("Location") != "/suppressions/"+k.ID || !strings.Contains(v.access.said(), "no SMS go to +12025550124") {
			t.Errorf("%v, %q", answer.Header(), v.access.said())
		}
		v.post("/suppressions/new", "channel", "sms", "address", "+12025550124", "notification", w.notification.ID)
		if said := v.access.said(); !strings.Contains(said, "on the list already") || len(standing(t, db)) != 1 {
			t.Errorf("added twice: %q", said)
		}
	})
}

func TestAnEntryIsLiftedAndPutBackAsItWas(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		w, v := watch(t, db, ""), visit(t, db, account.Editor)
		before := suppressed(t, db, w, nil)
		v.holds(v.page("/suppressions"), "/suppressions/"+before.ID+"#lift")
		v.holds(v.page("/suppressions/"+before.ID), "Lift it?", "until the person answers START", "/suppressions/"+before.ID+"/lift")
		v.post("/suppressions/" + before.ID + "/lift")
		flash := v.access.flash
		if flash == nil || flash.Text != "Lifted: WhatsApp messages go to +12025550123 again." || flash.Undo != "/suppressions/restore" || len(standing(t, db)) != 0 {
			t.Fatalf("%+v, %d stand", flash, len(standing(t, db)))
		}
		if answer := v.get("/suppressions/" + before.ID); answer.Code != http.StatusNotFound || !strings.Contains(answer.Body.String(), "has been lifted") {
			t.Errorf("the page of a lifted entry: %d", answer.Code)
		}
		v.post("/suppressions/" + before.ID + "/lift")
		if said := v.access.flash; said == nil || !said.Problem || !strings.Contains(said.Text, "lifted already") {
			t.Errorf("lifted twice: %+v", said)
		}
		entry, proof := flash.UndoFields["entry"][0], flash.UndoFields["proof"][0]
		forged := strings.Repeat("A", len(proof))
		for name, form := range map[string][]string{
			"nothing": {}, "a forged proof": {"entry", entry, "proof", forged}, "another entry": {"entry", entry[4:], "proof", proof},
			"no proof": {"entry", entry}, "no text": {"entry", "%%", "proof", proof},
		} {
			if answer := v.post("/suppressions/restore", form...); answer.Code != http.StatusBadRequest || len(standing(t, db)) != 0 {
				t.Errorf("%s: %d, %d stand", name, answer.Code, len(standing(t, db)))
			}
		}
		answer := v.post("/suppressions/restore", "entry", entry, "proof", proof)
		if answer.Header().Get("Location") != "/suppressions/"+before.ID {
			t.Errorf("put back: %d %v", answer.Code, answer.Header())
		}
		after := standing(t, db)
		if len(after) != 1 || !after[0].CreatedAt.Equal(before.CreatedAt) {
			t.Fatalf("put back as %+v", after)
		}
		after[0].CreatedAt = before.CreatedAt
		if fmt.Sprintf("%+v", *after[0]) != fmt.Sprintf("%+v", *before) {
			t.Errorf("it was %+v and is %+v", before, after[0])
		}
		v.post("/suppressions/restore", "entry", entry, "proof", proof)
		if said := v.access.said(); !strings.Contains(said, "on the list already") {
			t.Errorf("put back twice: %q", said)
		}
		records, _, err := audit.List(t.Context(), db, audit.Filter{TargetID: before.ID}, "", 0)
		if err != nil || len(records) != 3 || records[0].Action != "suppression.restored" || records[1].Action != "suppression.removed" || records[0].Actor != "ann@example.com" {
			t.Errorf("the audit log says %+v, %v", records, err)
		}
	})
}

func TestAViewerSeesTheSuppressionsAndChangesNothing(t *testing.T) {
	t.Parallel()
	db := testdb.SQLite(t)
	w, v := watch(t, db, ""), visit(t, db, account.Viewer)
	entry := suppressed(t, db, w, nil)
	for _, path := range []string{"/suppressions", "/suppressions/" + entry.ID} {
		v.lacks(v.page(path), "Add an address", "Lift", "/lift", `href="/audit`)
	}
	for _, path := range []string{"/suppressions/new", "/suppressions/restore", "/suppressions/" + entry.ID + "/lift"} {
		if answer := v.post(path); answer.Code != http.StatusForbidden {
			t.Errorf("POST %s: %d", path, answer.Code)
		}
	}
	if answer := v.get("/suppressions/new"); answer.Code != http.StatusForbidden {
		t.Errorf("the form: %d", answer.Code)
	}
}

func TestTheSuppressionsRunNothingThatSomebodyWrote(t *testing.T) {
	t.Parallel()
	db := testdb.SQLite(t)
	w, v := watch(t, db, hostile), visit(t, db, account.Admin)
	entry := suppressed(t, db, w, func(k *store.Suppression) {
		k.Address, k.Detail, k.CreatedBy, k.NotificationID = "x"+hostile, hostile, hostile, w.notification.ID
	})
	for _, path := range []string{"/suppressions", "/suppressions/" + entry.ID, "/suppressions/new?address=%3Cscript%3Ealert(1)"} {
		v.lacks(v.page(path), "<script>alert", "<img src=x")
	}
}

// TestADeliverySaysWhyItsAddressGetsNothing goes from a suppressed delivery to its entry, lifts that, and retries.
func TestADeliverySaysWhyItsAddressGetsNothing(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		w, v := watch(t, db, ""), visit(t, db, account.Editor)
		entry := suppressed(t, db, w, nil)
		change := func(changes map[string]any) {
			t.Helper()
			if err := db.Model(&store.Delivery{}).Where("id = ?", w.sms.ID).UpdateColumns(changes).Error; err != nil {
				t.Fatal(err)
			}
		}
		change(map[string]any{"status": store.DeliverySuppressed, "error_code": "suppressed_stop", "sent_at": nil, "updated_at": time.Now().UTC()})
		page := v.page("/deliveries/" + w.sms.ID)
		v.holds(page, "the address wants no messages. The person answered STOP", "/suppressions/"+entry.ID+"#lift", "not sent: the address wants no messages")
		v.lacks(page, "no longer of use", "/deliveries/retry?id=")
		v.post("/suppressions/" + entry.ID + "/lift")
		page = v.page("/deliveries/" + w.sms.ID)
		v.holds(page, "That has been lifted since", "/deliveries/retry?id="+w.sms.ID)
		v.holds(v.page("/deliveries/retry?id="+w.sms.ID), "1 delivery")
		suppressed(t, db, w, nil)
		v.post("/deliveries/retry", "id", w.sms.ID)
		if said := v.access.said(); !strings.Contains(said, "wants no messages") || len(retriesOf(t, db)) != 0 {
			t.Errorf("retried while it is suppressed: %q", said)
		}
		change(map[string]any{"error_code": "expired"})
		page = v.page("/deliveries/" + w.sms.ID)
		v.holds(page, "no longer of use")
		v.lacks(page, "/suppressions/", "/deliveries/retry?id=")
	})
}
