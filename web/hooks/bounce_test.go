package hooks_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/testdb"
	"github.com/silquetech/silque-notifications/web/hooks"
)

const bounces = "/hooks/email/bounces"

// bounced is a delivery report about a delivery as Exim writes it.
func bounced(d *store.Delivery, recipient string) string {
	return "From MAILER-DAEMON Tue Nov 24 18:57:37 2026\nFrom: Mail Delivery System <Mailer-Daemon@mx.example.org>\n" +
		"Content-Type: multipart/report; report-type=delivery-status; boundary=b\nMessage-Id: <report-" + d.ID + "@mx.example.org>\n\n" +
		"--b\nContent-type: text/plain\n\nIt came back.\n\n--b\nContent-type: message/delivery-status\n\nReporting-MTA: dns; mx.example.org\n\n" +
		"Action: failed\nFinal-Recipient: rfc822;" + recipient + "\nStatus: 5.0.0\nDiagnostic-Code: smtp; 550-5.1.1 <" + recipient + ">: unknown\n" +
		"--b\nContent-type: message/rfc822\n\nSubject: Order 7\nMessage-ID: <" + d.ProviderID + ">\n\nlate\n--b--\n"
}

func (h *house) post(kind string, body io.Reader) answered {
	h.t.Helper()
	return h.ask(http.MethodPost, bounces, body, "Authorization", "Bearer "+secret, "Content-Type", kind)
}

func TestAPostedReportFailsItsDelivery(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		h := open(t, db)
		byMail, byJSON := h.sent(nil), h.sent(func(d *store.Delivery) { d.Address = "bob@example.org" })
		for _, tc := range []struct {
			d          *store.Delivery
			kind, body string
		}{
			{byMail, "message/rfc822", bounced(byMail, "ann@example.org")},
			{byJSON, "application/json; charset=utf-8", `[{"type":"bounce","message_id":"<` + byJSON.ProviderID + `>","recipient":"bob@example.org","status":"5.1.1"}]`},
		} {
			for _, outcome := range []string{"failed", "repeated"} {
				got := h.post(tc.kind, strings.NewReader(tc.body))
				want := fmt.Sprintf(`{"results":[{"delivery_id":"%s","outcome":"%s","suppressed":%v}]}`, tc.d.ID, outcome, outcome == "failed")
				if got.status != http.StatusOK || strings.TrimSpace(got.body) != want {
					t.Errorf("answered %d %s, want %s", got.status, got.body, want)
				}
			}
			if status := h.status(tc.d); status != store.DeliveryFailed {
				t.Errorf("the delivery is %s", status)
			}
		}
		if got := fmt.Sprint(h.suppressions()); got != "[ann@example.org bounce  bob@example.org bounce ]" {
			t.Errorf("suppressed: %s", got)
		}
		if strings.Contains(h.log.String(), "example.org") {
			t.Errorf("the log tells an address: %s", h.log)
		}
	})
}

func TestAPostedComplaintSuppressesItsAddress(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		h := open(t, db)
		byMail, byJSON := h.sent(nil), h.sent(func(d *store.Delivery) { d.Address = "bob@example.org" })
		complaint := "From: feedback@isp.example.net\nContent-Type: multipart/report; report-type=feedback-report; boundary=b\n\n" +
			"--b\nContent-Type: message/feedback-report\n\nFeedback-Type: abuse\nVersion: 1\nOriginal-Rcpt-To: <ann@example.org>\n\n" +
			"--b\nContent-Type: message/rfc822\n\nSubject: Order 7\nMessage-ID: <" + byMail.ProviderID + ">\n\nlate\n--b--\n"
		for _, tc := range []struct {
			d          *store.Delivery
			kind, body string
		}{
			{byMail, "message/rfc822", complaint},
			{byJSON, "application/json", `{"type":"complaint","message_id":"` + byJSON.ProviderID + `","recipient":"bob@example.org"}`},
		} {
			got := h.post(tc.kind, strings.NewReader(tc.body))
			want := fmt.Sprintf(`{"results":[{"delivery_id":"%s","outcome":"recorded","suppressed":true}]}`, tc.d.ID)
			if got.status != http.StatusOK || strings.TrimSpace(got.body) != want || h.status(tc.d) != store.DeliverySent {
				t.Errorf("answered %d %s, want %s; the delivery is %s", got.status, got.body, want, h.status(tc.d))
			}
		}
		if got := fmt.Sprint(h.suppressions()); got != "[ann@example.org complaint  bob@example.org complaint ]" {
			t.Errorf("suppressed: %s", got)
		}
		for code, body := range map[string]string{
			"no_complaint": strings.Replace(complaint, "Type: abuse", "Type: not-spam", 1), "no_recipient": strings.Replace(complaint, "Original-Rcpt-To", "X-To", 1),
		} {
			got := h.post("message/rfc822", strings.NewReader(body))
			if said, _ := got.failure(t); got.status != http.StatusUnprocessableEntity || said != code {
				t.Errorf("answered %d %s, want %s", got.status, got.body, code)
			}
		}
	})
}

func TestAReportThatNamesAnotherAddressChangesNothing(t *testing.T) {
	t.Parallel()
	h := open(t, testdb.SQLite(t))
	d := h.sent(nil)
	got := h.post("message/rfc822", strings.NewReader(bounced(d, "eve@example.org")))
	if got.status != http.StatusOK || !strings.Contains(got.body, "other_recipient") {
		t.Errorf("answered %d %s", got.status, got.body)
	}
	if h.status(d) != store.DeliverySent || len(h.suppressions()) > 0 {
		t.Errorf("the delivery is %s, suppressed: %v", h.status(d), h.suppressions())
	}
}

func TestOnlyWhoKnowsTheSecretReports(t *testing.T) {
	t.Parallel()
	h := open(t, testdb.SQLite(t))
	d := h.sent(nil)
	for name, authorization := range map[string]string{
		"no header": "", "another secret": "Bearer another secret of somebody", "a part of it": "Bearer " + secret[:20],
		"another scheme": "Basic " + secret, "the secret alone": secret, "nothing after the scheme": "Bearer ",
	} {
		got := h.ask(http.MethodPost, bounces, strings.NewReader(bounced(d, d.Address)), "Authorization", authorization, "Content-Type", "message/rfc822")
		if code, _ := got.failure(t); got.status != http.StatusUnauthorized || code != "unauthorized" || got.header.Get("WWW-Authenticate") != "Bearer" {
			t.Errorf("%s: answered %d %s", name, got.status, got.body)
		}
	}
	if h.status(d) != store.DeliverySent {
		t.Errorf("the delivery is %s", h.status(d))
	}
	closed := open(t, h.db, func(c *hooks.EmailConfig) { c.Secret = "" })
	if got := closed.ask(http.MethodPost, bounces, strings.NewReader(bounced(d, d.Address)), "Authorization", "Bearer ", "Content-Type", "message/rfc822"); got.status != http.StatusNotFound {
		t.Errorf("without a secret the address answers %d", got.status)
	}
}

// endless is a body of which more comes for ever.
type endless string

func (e endless) Read(p []byte) (int, error) { return copy(p, e), nil }

func TestABadReportIsRefusedWithAReason(t *testing.T) {
	t.Parallel()
	h := open(t, testdb.SQLite(t))
	d := h.sent(nil)
	good := `{"type":"bounce","message_id":"` + d.ProviderID + `","recipient":"ann@example.org"}`
	for name, tc := range map[string]struct {
		kind   string
		body   io.Reader
		status int
		code   string
	}{
		"no type":               {"", strings.NewReader(good), http.StatusUnsupportedMediaType, "unsupported_media_type"},
		"a form":                {"application/x-www-form-urlencoded", strings.NewReader("type=bounce"), http.StatusUnsupportedMediaType, "unsupported_media_type"},
		"broken JSON":           {"application/json", strings.NewReader("{"), http.StatusUnprocessableEntity, "invalid"},
		"a wrong field":         {"application/json", strings.NewReader("[" + good + "," + strings.Replace(good, "bounce", "spam", 1) + "]"), http.StatusUnprocessableEntity, "invalid"},
		"JSON without end":      {"application/json", endless("[" + strings.Repeat(" ", 1000)), http.StatusRequestEntityTooLarge, "body_too_large"},
		"no message":            {"message/rfc822", strings.NewReader("\x00"), http.StatusBadRequest, "malformed"},
		"an answer on holiday":  {"message/rfc822", strings.NewReader("Subject: away\n\nI am away."), http.StatusUnprocessableEntity, "no_report"},
		"no original":           {"message/rfc822", strings.NewReader(strings.Replace(bounced(d, d.Address), "Message-ID", "Message-Nr", 1)), http.StatusUnprocessableEntity, "no_original"},
		"a header without end":  {"message/rfc822", endless("X-Header: " + strings.Repeat("x", 900) + "\r\n"), http.StatusRequestEntityTooLarge, "body_too_large"},
		"a message without end": {"message/rfc822", io.MultiReader(strings.NewReader("Content-Type: multipart/report; boundary=b\r\n\r\n"), endless(strings.Repeat("x", 998)+"\r\n")), http.StatusRequestEntityTooLarge, "body_too_large"},
	} {
		t.Run(name, func(t *testing.T) {
			got := h.post(tc.kind, tc.body)
			code, fields := got.failure(t)
			if got.status != tc.status || code != tc.code {
				t.Errorf("answered %d %s, want %d %s", got.status, got.body, tc.status, tc.code)
			}
			if name == "a wrong field" && fields["1.type"] == "" {
				t.Errorf("the field is not named: %v", fields)
			}
		})
	}
	if h.status(d) != store.DeliverySent {
		t.Errorf("the delivery is %s: one bad report of a list must leave all of it undone", h.status(d))
	}
}

func TestAReportThatComesTooEarlyIsAskedForAgain(t *testing.T) {
	t.Parallel()
	h := open(t, testdb.SQLite(t))
	early, other := h.sent(func(d *store.Delivery) { d.Status, d.ProviderID = store.DeliverySending, "" }), h.sent(nil)
	item := func(d *store.Delivery) string {
		return `{"type":"delivered","message_id":"` + d.ID + `@example.com","recipient":"ann@example.org"}`
	}
	body := "[" + item(early) + "," + item(other) + "]"
	got := h.post("application/json", strings.NewReader(body))
	if code, _ := got.failure(t); got.status != http.StatusServiceUnavailable || code != "too_early" || got.header.Get("Retry-After") != "60" {
		t.Errorf("answered %d %s", got.status, got.body)
	}
	if err := h.db.Model(early).Update("status", store.DeliverySent).Error; err != nil {
		t.Fatal(err)
	}
	if got := h.post("application/json", strings.NewReader(body)); got.status != http.StatusOK {
		t.Errorf("answered %d %s", got.status, got.body)
	}
	for _, d := range []*store.Delivery{early, other} {
		if h.status(d) != store.DeliveryDelivered {
			t.Errorf("the delivery is %s", h.status(d))
		}
	}
}

func TestADatabaseThatIsAwayIsSaidToWhoReports(t *testing.T) {
	t.Parallel()
	h := open(t, testdb.SQLite(t))
	d := h.sent(nil)
	link := h.link(d)
	if err := store.Close(h.db); err != nil {
		t.Fatal(err)
	}
	if got := h.post("message/rfc822", strings.NewReader(bounced(d, d.Address))); got.status < 500 {
		t.Errorf("a report is answered %d %s", got.status, got.body)
	}
	if got := h.ask(http.MethodPost, link, strings.NewReader("List-Unsubscribe=One-Click"), "Content-Type", "application/x-www-form-urlencoded"); got.status < 500 {
		t.Errorf("leaving is answered %d %s", got.status, got.body)
	}
}

func TestOneBadItemLeavesTheAnswerInJSON(t *testing.T) {
	t.Parallel()
	h := open(t, testdb.SQLite(t))
	got := h.post("application/json", strings.NewReader(`{"type":"bounce","message_id":"x","recipient":"ann@example.org"}`))
	var body struct{ Results []map[string]any }
	if err := json.Unmarshal([]byte(got.body), &body); err != nil || got.status != http.StatusOK || len(body.Results) != 1 || body.Results[0]["outcome"] != "unknown_delivery" {
		t.Errorf("answered %d %s", got.status, got.body)
	}
}
