package hooks_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"net/mail"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/audit"
	"github.com/silquetech/silque-notifications/internal/channel"
	"github.com/silquetech/silque-notifications/internal/channel/email"
	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/testdb"
	"github.com/silquetech/silque-notifications/internal/unsubscribe"
	"github.com/silquetech/silque-notifications/web/hooks"
)

const formType = "application/x-www-form-urlencoded"

func (h *house) choose(link, what string) answered {
	h.t.Helper()
	return h.ask(http.MethodPost, link, strings.NewReader(url.Values{"leave": {what}}.Encode()), "Content-Type", formType)
}

func TestOneClickLeaves(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		h := open(t, db)
		d := h.sent(nil)
		for range 2 {
			got := h.ask(http.MethodPost, h.link(d), strings.NewReader("List-Unsubscribe=One-Click"), "Content-Type", formType)
			if got.status != http.StatusOK || len(got.header.Values("Set-Cookie")) > 0 || got.header.Get("Location") != "" {
				t.Fatalf("answered %d %v %s", got.status, got.header, got.body)
			}
		}
		if got := fmt.Sprint(h.suppressions()); got != "[ann@example.org unsubscribe "+d.NotificationID+"]" {
			t.Errorf("suppressed: %s", got)
		}

		// The other form that RFC 8058 allows, and a message of no notification: there is only everything to leave.
		test := h.sent(func(d *store.Delivery) { d.NotificationID, d.Address = "", "Bob@example.org" })
		var body bytes.Buffer
		form := multipart.NewWriter(&body)
		_ = form.WriteField("List-Unsubscribe", "One-Click")
		_ = form.Close()
		if got := h.ask(http.MethodPost, h.link(test), &body, "Content-Type", form.FormDataContentType()); got.status != http.StatusOK {
			t.Fatalf("answered %d %s", got.status, got.body)
		}
		if got := h.suppressions(); len(got) != 2 || got[1] != "bob@example.org unsubscribe " {
			t.Errorf("suppressed: %v", got)
		}
		if strings.Contains(h.log.String(), "example.org") {
			t.Errorf("the log tells an address: %s", h.log)
		}
	})
}

// TestTheLinkOfARealEmailWorks hands an email over by SMTP, reads its headers as a mail program does, and leaves.
func TestTheLinkOfARealEmailWorks(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		h := open(t, db)
		d := h.sent(nil)
		tokens, err := unsubscribe.Load(t.Context(), store.Secrets{DB: db})
		if err != nil {
			t.Fatal(err)
		}
		host, mails := mailServer(t)
		sender, err := email.New(email.Config{
			Host: "127.0.0.1", Port: host, TLS: email.TLSNone, From: "shop@example.com", UnsubscribeLink: tokens.Links(h.url),
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = sender.Close(context.WithoutCancel(t.Context())) })
		if _, err := sender.Send(t.Context(), channel.Message{DeliveryID: d.ID, To: d.Address, Subject: d.Subject, Text: "late"}); err != nil {
			t.Fatal(err)
		}
		m, err := mail.ReadMessage(strings.NewReader(<-mails))
		if err != nil {
			t.Fatal(err)
		}
		link, ok := strings.CutPrefix(strings.Trim(m.Header.Get("List-Unsubscribe"), "<>"), h.url)
		if !ok || strings.Contains(link, "example.org") {
			t.Fatalf("List-Unsubscribe: %q", m.Header.Get("List-Unsubscribe"))
		}
		if got := h.ask(http.MethodPost, link, strings.NewReader(m.Header.Get("List-Unsubscribe-Post")), "Content-Type", formType); got.status != http.StatusOK {
			t.Fatalf("answered %d %s", got.status, got.body)
		}
		if got := h.suppressions(); len(got) != 1 {
			t.Errorf("suppressed: %v", got)
		}
	})
}

// mailServer takes emails on loopback.
func mailServer(t *testing.T) (port int, mails <-chan string) {
	t.Helper()
	taken := make(chan string, 10)
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return session{taken}, nil }))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close(); _ = listener.Close(); <-done })
	return listener.Addr().(*net.TCPAddr).Port, taken
}

type session struct{ taken chan<- string }

func (session) Reset()                               {}
func (session) Logout() error                        { return nil }
func (session) Mail(string, *smtp.MailOptions) error { return nil }
func (session) Rcpt(string, *smtp.RcptOptions) error { return nil }
func (s session) Data(r io.Reader) error {
	content, err := io.ReadAll(r)
	s.taken <- string(content)
	return err
}

func TestThePageAsksAndChangesNothing(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		h := open(t, db)
		d := h.sent(nil)
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			got := h.ask(method, h.link(d), http.NoBody)
			if got.status != http.StatusOK || len(got.header.Values("Set-Cookie")) > 0 {
				t.Fatalf("%s: answered %d %s", method, got.status, got.body)
			}
			if policy := got.header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "script-src") {
				t.Errorf("the policy is %q", policy)
			}
			if !strings.Contains(got.header.Get("X-Robots-Tag"), "noindex") || got.header.Get("Cache-Control") != "no-store" {
				t.Errorf("the headers are %v", got.header)
			}
			if method == http.MethodHead {
				continue
			}
			for _, want := range []string{"a…@example.org", "Order 7 is &lt;late&gt;", "Shop", `value="notification"`, `value="all"`, "noindex"} {
				if !strings.Contains(got.body, want) {
					t.Errorf("the page does not hold %q:\n%s", want, got.body)
				}
			}
			for _, forbidden := range []string{"<script", "ann@example.org", d.NotificationID, d.ID} {
				if strings.Contains(got.body, forbidden) {
					t.Errorf("the page holds %q", forbidden)
				}
			}
		}
		if got := h.suppressions(); len(got) > 0 {
			t.Errorf("looking at the page has suppressed %v", got)
		}
	})
}

func TestTheRecipientChoosesAndTakesItBack(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		h := open(t, db)
		d := h.sent(nil)
		own, all := "ann@example.org unsubscribe "+d.NotificationID, "ann@example.org unsubscribe "
		for _, step := range []struct {
			choice, page string
			want         []string
		}{
			{"notification", "no more emails like", []string{own}},
			{"all", "gets no more emails from Shop", []string{own, all}},
			{"nothing", "Which emails", nil},
			{"nothing", "Which emails", nil},
			{"all", "gets no more emails from Shop", []string{all}},
		} {
			got := h.choose(h.link(d), step.choice)
			if got.status != http.StatusSeeOther || got.header.Get("Location") != h.link(d) {
				t.Fatalf("%s: answered %d %v", step.choice, got.status, got.header)
			}
			if suppressed := fmt.Sprint(h.suppressions()); suppressed != fmt.Sprint(step.want) {
				t.Errorf("%s: suppressed %v, want %v", step.choice, suppressed, step.want)
			}
			if page := h.ask(http.MethodGet, h.link(d), http.NoBody).body; !strings.Contains(page, step.page) {
				t.Errorf("%s: the page does not say %q:\n%s", step.choice, step.page, page)
			}
		}
	})
}

func TestOnlyOnesOwnLeavingIsTakenBack(t *testing.T) {
	t.Parallel()
	h := open(t, testdb.SQLite(t))
	d, other := h.sent(nil), h.sent(func(d *store.Delivery) { d.Address = "bob@example.org" })
	for _, s := range []*store.Suppression{
		{Channel: rule.Email, Address: "ann@example.org", Reason: store.SuppressedComplaint, Source: store.SuppressedByHook},
		{Channel: rule.Email, Address: "ann@example.org", NotificationID: outbox.NewID(), Reason: store.SuppressedUnsubscribe, Source: store.SuppressedByHook},
		{Channel: rule.Email, Address: "bob@example.org", NotificationID: d.NotificationID, Reason: store.SuppressedUnsubscribe, Source: store.SuppressedByHook},
	} {
		if _, err := (store.Suppressions{DB: h.db}).Add(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	if page := h.ask(http.MethodGet, h.link(d), http.NoBody).body; !strings.Contains(page, "for another reason") {
		t.Errorf("the page does not say that the address gets nothing already:\n%s", page)
	}
	h.choose(h.link(d), "nothing")
	h.choose(h.link(other), "nothing")
	if got := h.suppressions(); len(got) != 3 {
		t.Errorf("left: %v", got)
	}
}

// TestWhatThePersonSaysOutlastsAnEntryMadeByHand lifts what somebody here entered after its owner has left, too.
func TestWhatThePersonSaysOutlastsAnEntryMadeByHand(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		h, list := open(t, db), store.Suppressions{DB: db}
		add := func(reason store.SuppressionReason) {
			t.Helper()
			if _, err := list.Add(t.Context(), &store.Suppression{Channel: rule.Email, Address: "ann@example.org", Reason: reason}); err != nil {
				t.Fatal(err)
			}
		}
		d := h.sent(func(d *store.Delivery) { d.NotificationID = "" })
		add(store.SuppressedManual)
		got := h.ask(http.MethodPost, h.link(d), strings.NewReader("List-Unsubscribe=One-Click"), "Content-Type", formType)
		if got.status != http.StatusOK {
			t.Fatalf("answered %d %s", got.status, got.body)
		}
		if left := fmt.Sprint(h.suppressions()); left != "[ann@example.org unsubscribe ]" {
			t.Errorf("left, beside an entry made by hand: %s", left)
		}
		if page := h.ask(http.MethodGet, h.link(d), http.NoBody).body; !strings.Contains(page, "gets no more emails from Shop") {
			t.Errorf("the page does not say so:\n%s", page)
		}
		add(store.SuppressedComplaint)
		h.choose(h.link(d), "nothing")
		if left := fmt.Sprint(h.suppressions()); left != "[ann@example.org complaint ]" {
			t.Errorf("a complaint, after the leaving was taken back: %s", left)
		}
	})
}

// TestOneLinkDoesNotFillTheAuditLog changes its mind without end.
func TestOneLinkDoesNotFillTheAuditLog(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		now := time.Date(2026, 5, 1, 12, 30, 0, 0, time.UTC)
		h := open(t, db, func(c *hooks.EmailConfig) { c.Now = func() time.Time { return now } })
		d, other := h.sent(nil), h.sent(func(d *store.Delivery) { d.Address = "bob@example.org" })
		lines := func() int {
			t.Helper()
			records, _, err := audit.List(t.Context(), db, audit.Filter{Target: "suppression"}, "", 0)
			if err != nil {
				t.Fatal(err)
			}
			return len(records)
		}
		for i := range 15 {
			h.choose(h.link(d), "all")
			got := h.choose(h.link(d), "nothing")
			switch want := i < 10; {
			case want && got.status != http.StatusSeeOther:
				t.Errorf("time %d: answered %d", i+1, got.status)
			case !want && (got.status != http.StatusTooManyRequests || got.header.Get("Retry-After") != "1800" || !strings.Contains(got.body, "Not so often")):
				t.Errorf("time %d: answered %d, Retry-After %q: %s", i+1, got.status, got.header.Get("Retry-After"), got.body)
			}
		}
		if got := lines(); got != 21 {
			t.Errorf("%d lines in the audit log, want 21", got)
		}
		if got := fmt.Sprint(h.suppressions()); got != "[ann@example.org unsubscribe ]" {
			t.Errorf("in the end: %s; to leave must always be possible", got)
		}
		if got := h.choose(h.link(other), "nothing"); got.status != http.StatusSeeOther {
			t.Errorf("another link: answered %d", got.status)
		}
		now = now.Add(time.Hour)
		if got := h.choose(h.link(d), "nothing"); got.status != http.StatusSeeOther || len(h.suppressions()) > 0 {
			t.Errorf("an hour later: answered %d, left %v", got.status, h.suppressions())
		}
	})
}

func TestALinkThatIsNotOursLeadsNowhere(t *testing.T) {
	t.Parallel()
	h := open(t, testdb.SQLite(t))
	d := h.sent(nil)
	link := h.link(d)
	other := "A"
	if strings.HasSuffix(link, "A") {
		other = "Q"
	}
	forged := link[:len(link)-1] + other
	gone, sms := h.sent(nil), h.sent(func(d *store.Delivery) { d.Channel, d.Address = rule.SMS, "+12025550123" })
	goneLink, smsLink := h.link(gone), h.link(sms)
	if err := h.db.Delete(gone).Error; err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		link   string
		status int
	}{
		"forged": {forged, http.StatusNotFound}, "the delivery's ID": {unsubscribe.Path + d.ID, http.StatusNotFound},
		"a part": {link[:60], http.StatusNotFound}, "a long one": {link + strings.Repeat("A", 4000), http.StatusNotFound},
		"an SMS": {smsLink, http.StatusNotFound}, "of an email that is not kept any more": {goneLink, http.StatusGone},
	} {
		t.Run(name, func(t *testing.T) {
			for _, got := range []answered{
				h.ask(http.MethodGet, tc.link, http.NoBody), h.choose(tc.link, "all"),
				h.ask(http.MethodPost, tc.link, strings.NewReader("List-Unsubscribe=One-Click"), "Content-Type", formType),
			} {
				if got.status != tc.status || strings.Contains(got.body, "example.org") {
					t.Errorf("answered %d, want %d: %s", got.status, tc.status, got.body)
				}
			}
		})
	}
	if got := h.suppressions(); len(got) > 0 {
		t.Errorf("suppressed: %v", got)
	}
}

func TestAFormThatIsNoneOfOursChangesNothing(t *testing.T) {
	t.Parallel()
	h := open(t, testdb.SQLite(t))
	link := h.link(h.sent(nil))
	for name, tc := range map[string]struct {
		kind, body string
		status     int
	}{
		"nothing":              {formType, "", http.StatusBadRequest},
		"an unknown choice":    {formType, "leave=everything", http.StatusBadRequest},
		"another click":        {formType, "List-Unsubscribe=Two-Clicks", http.StatusBadRequest},
		"in the query":         {formType, "x=1", http.StatusBadRequest},
		"no form":              {"text/plain", "List-Unsubscribe=One-Click", http.StatusBadRequest},
		"a broken form":        {formType, "leave=%zz", http.StatusBadRequest},
		"a form without parts": {"multipart/form-data", "x", http.StatusBadRequest},
		"a large form":         {formType, "leave=" + strings.Repeat("x", 1<<20), http.StatusRequestEntityTooLarge},
	} {
		path := link
		if name == "in the query" {
			path += "?List-Unsubscribe=One-Click&leave=all"
		}
		if got := h.ask(http.MethodPost, path, strings.NewReader(tc.body), "Content-Type", tc.kind); got.status != tc.status {
			t.Errorf("%s: answered %d %s", name, got.status, got.body)
		}
	}
	if got := h.suppressions(); len(got) > 0 {
		t.Errorf("suppressed: %v", got)
	}
}

// TestLeavingHoldsBackTheNextEmail follows a suppression to where it counts: the claim of an attempt.
func TestLeavingHoldsBackTheNextEmail(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		h := open(t, db)
		d := h.sent(nil)
		h.choose(h.link(d), "notification")
		waiting := func(notificationID string) *store.Delivery {
			return h.sent(func(n *store.Delivery) {
				n.NotificationID, n.Address, n.Status, n.Attempts, n.ProviderID = notificationID, "ANN@example.org", store.DeliveryPending, 0, ""
			})
		}
		same, other := waiting(d.NotificationID), waiting(outbox.NewID())
		for _, tc := range []struct {
			d    *store.Delivery
			want store.DeliveryStatus
		}{{same, store.DeliverySuppressed}, {other, store.DeliverySending}} {
			if _, _, err := (store.Deliveries{DB: db}).Claim(t.Context(), tc.d.ID, "", time.Now().UTC()); err != nil {
				t.Fatal(err)
			}
			if got := h.status(tc.d); got != tc.want {
				t.Errorf("the next email is %s, want %s", got, tc.want)
			}
		}
	})
}
