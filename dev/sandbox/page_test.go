package sandbox

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

const form = "application/x-www-form-urlencoded"

func (s *stand) page(path string) (http.Header, string) {
	s.t.Helper()
	status, header, body := s.request(http.MethodGet, path, "")
	if status != http.StatusOK {
		s.t.Fatalf("%s: %d %s", path, status, body)
	}
	return header, body
}

func mustContain(t *testing.T, body string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(body, part) {
			t.Errorf("no %q in\n%s", part, body)
		}
	}
}

func mustNotContain(t *testing.T, body string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if strings.Contains(body, part) {
			t.Errorf("%q in\n%s", part, body)
		}
	}
}

func TestAnEmptyInboxSaysHowToGetAFirstMessage(t *testing.T) {
	t.Parallel()
	s := newStand(t, Options{})
	_, body := s.page("/sandbox")
	mustContain(t, body, "No message yet", `href="/demo"`, "go run ./starter --email --to", s.SMTPAddr())
	mustNotContain(t, body, "Delete all messages")
}

func TestThePageListsMessagesAndEscapesThem(t *testing.T) {
	t.Parallel()
	s := newStand(t, Options{})
	const evil = `<script>alert(1)</script>"'`
	s.keep(
		&Message{Channel: Email, From: evil, To: evil, Subject: evil, Text: evil, HTML: "<p>hi</p>", Headers: map[string]string{evil: evil}},
		&Message{Channel: SMS, To: someone, Text: "first line\nsecond line"},
	)
	_, body := s.page("/sandbox")
	mustContain(t, body, "&lt;script&gt;alert(1)", "first line", strings.TrimPrefix(someone, "+"), "2 messages", "SMS", "Email", "Delete all messages")
	mustNotContain(t, body, "<script>alert", "second line")
	_, body = s.page("/sandbox/messages/" + s.messages("?channel=email").Items[0].ID)
	mustContain(t, body, "&lt;script&gt;alert(1)", `<iframe sandbox title=`)
	mustNotContain(t, body, "<script>alert")
}

func TestAnEmailShowsItsAttachmentsAndWhomItNames(t *testing.T) {
	t.Parallel()
	s := newStand(t, Options{})
	s.keep(&Message{
		Channel: Email, To: "ann@example.com", Text: "x", Headers: map[string]string{"CC": "boss@example.com", "Reply-To": "case@example.com"},
		Attachments: []Attachment{{"<b>.pdf", "application/pdf", 1536}, {"", "image/png", 1}, {"big.zip", "application/zip", 10 << 20}},
	})
	_, body := s.page("/sandbox/messages/" + s.messages("").Items[0].ID)
	mustContain(t, body, "<dt>CC</dt><dd>boss@example.com</dd>", "<dt>Reply-To</dt><dd>case@example.com</dd>", "Attachments",
		"&lt;b&gt;.pdf <span>application/pdf, 1.5 KiB</span>", "(no name) <span>image/png, 1 byte</span>", "big.zip <span>application/zip, 10.0 MiB</span>")
	mustNotContain(t, body, "<b>.pdf")
}

func TestTheEmptyInboxShowsTheStarterAsItsOwnerCallsIt(t *testing.T) {
	t.Parallel()
	s := newStand(t, Options{StarterCommand: func() string { return "DATABASE_URL=sqlite://x.db go run ./starter" }})
	_, body := s.page("/sandbox")
	for _, channel := range Channels {
		mustContain(t, body, "DATABASE_URL=sqlite://x.db go run ./starter --"+string(channel)+" --to")
	}
}

func TestEachPageLeadsBackAndExplainsTheFaults(t *testing.T) {
	t.Parallel()
	s := newStand(t, Options{})
	s.keep(&Message{Channel: Email, To: "a@example.com", Headers: map[string]string{"X-Silque-Delivery": "delivery-7"}})
	id := s.messages("").Items[0].ID
	for _, path := range []string{"/sandbox", "/sandbox/messages/" + id} {
		_, body := s.page(path)
		mustContain(t, body, `<a href="/">Start page</a>`, `<a href="/demo">Demo shop</a>`, "0: until changed")
		for _, mode := range Modes {
			mustContain(t, body, "<dt>"+string(mode)+"</dt><dd>"+mode.Words()+"</dd>")
		}
	}
	_, body := s.page("/sandbox/messages/" + id)
	mustContain(t, body, "<dt>Delivery</dt><dd>delivery-7</dd>")
	s.keep(&Message{Channel: SMS, To: someone, Text: "x"})
	_, body = s.page("/sandbox/messages/" + s.messages("?channel=sms").Items[0].ID)
	mustNotContain(t, body, "<dt>Delivery</dt>")
}

func TestThePageFilters(t *testing.T) {
	t.Parallel()
	s := newStand(t, Options{})
	s.keep(&Message{Channel: Email, To: "a@example.com", Subject: "apples"}, &Message{Channel: SMS, To: someone, Text: "pears"})
	_, body := s.page("/sandbox?channel=sms")
	mustContain(t, body, "pears", `<a href="/sandbox?channel=sms" aria-current="page">`)
	mustNotContain(t, body, "apples")
	_, body = s.page("/sandbox?q=apple")
	mustContain(t, body, "apples", `value="apple"`)
	mustNotContain(t, body, "pears")
	_, body = s.page("/sandbox?q=plums")
	mustContain(t, body, "Nothing matches")
}

func TestOlderMessagesAreAPageAway(t *testing.T) {
	t.Parallel()
	s := newStand(t, Options{})
	s.keep(&Message{Channel: SMS, To: someone, Text: "the oldest"})
	for range pageLength {
		s.keep(&Message{Channel: SMS, To: someone, Text: "newer"})
	}
	_, body := s.page("/sandbox?channel=sms")
	mustNotContain(t, body, "the oldest")
	link := regexp.MustCompile(`<a href="([^"]+)">Older messages`).FindStringSubmatch(body)
	if link == nil {
		t.Fatal("no link to older messages")
	}
	_, body = s.page(strings.ReplaceAll(link[1], "&amp;", "&"))
	mustContain(t, body, "the oldest", ">Newest</a>")
}

func TestThePageRunsNothingThatIsInline(t *testing.T) {
	t.Parallel()
	s := newStand(t, Options{})
	s.keep(&Message{Channel: Email, To: "a@example.com", Subject: "x", HTML: `<p style="color:red">hi</p>`})
	id := s.messages("").Items[0].ID
	for _, path := range []string{"/sandbox", "/sandbox/messages/" + id} {
		header, body := s.page(path)
		mustContain(t, header.Get("Content-Security-Policy"), "default-src 'self'", "frame-ancestors 'none'")
		mustNotContain(t, header.Get("Content-Security-Policy"), "unsafe")
		mustNotContain(t, body, "style=", "<style", "onclick", "javascript:", "//cdn", "https://", "http://")
		if inline := regexp.MustCompile(`<script[^>]*>[^<]`).FindString(body); inline != "" {
			t.Errorf("%s: inline script", path)
		}
		for _, asset := range regexp.MustCompile(`(?:href|src)="(/sandbox/static/[^"]+)"`).FindAllStringSubmatch(body, -1) {
			s.page(asset[1])
		}
	}
	header, body := s.page("/sandbox/messages/" + id + "/html")
	mustContain(t, header.Get("Content-Security-Policy"), "default-src 'none'", "style-src 'unsafe-inline'", "img-src data:", "sandbox")
	if body != `<p style="color:red">hi</p>` || !strings.HasPrefix(header.Get("Content-Type"), "text/html") {
		t.Errorf("the HTML came as %s: %s", header.Get("Content-Type"), body)
	}
}

func TestStaticServesOnlyItsFiles(t *testing.T) {
	t.Parallel()
	s := newStand(t, Options{})
	for _, path := range []string{"/sandbox/static/nothing.css", "/sandbox/static/..%2fpage.go", "/sandbox/static/"} {
		if status, _, _ := s.request(http.MethodGet, path, ""); status != http.StatusNotFound {
			t.Errorf("%s: %d", path, status)
		}
	}
}

func TestTheFormsSetFaultsAndEmptyTheInbox(t *testing.T) {
	t.Parallel()
	s := newStand(t, Options{})
	s.keep(&Message{Channel: SMS, To: someone, Text: "x"})
	fault := url.Values{"channel": {"whatsapp"}, "mode": {"rate_limit"}, "count": {"2"}}.Encode()
	status, header, _ := s.request(http.MethodPost, "/sandbox/faults", fault, "Content-Type", form, "Sec-Fetch-Site", "same-origin")
	if status != http.StatusSeeOther || header.Get("Location") != "/sandbox" {
		t.Fatalf("%d to %q", status, header.Get("Location"))
	}
	if f := s.fault(WhatsApp); f != (Fault{Channel: WhatsApp, Mode: RateLimit, Count: 2}) {
		t.Fatalf("%+v", f)
	}
	_, body := s.page("/sandbox")
	mustContain(t, body, "WhatsApp rate_limit for the next 2", `<option value="rate_limit" selected>`)
	if status, _, _ := s.request(http.MethodPost, "/sandbox/empty", "", "Content-Type", form); status != http.StatusSeeOther {
		t.Fatalf("empty: %d", status)
	}
	if n := len(s.messages("").Items); n != 0 {
		t.Fatalf("%d messages are left", n)
	}
}

func TestAWrongFaultFormSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	s := newStand(t, Options{})
	status, _, body := s.request(http.MethodPost, "/sandbox/faults", "channel=sms&mode=explode&count=many", "Content-Type", form)
	if status != http.StatusUnprocessableEntity {
		t.Fatalf("%d", status)
	}
	mustContain(t, body, `role="alert"`, "mode must be one of", "count must be a whole number")
}

func TestAMessageThatIsGoneIsExplained(t *testing.T) {
	t.Parallel()
	s := newStand(t, Options{})
	status, _, body := s.request(http.MethodGet, "/sandbox/messages/gone", "")
	if status != http.StatusNotFound {
		t.Fatalf("%d", status)
	}
	mustContain(t, body, "That message is gone")
}
