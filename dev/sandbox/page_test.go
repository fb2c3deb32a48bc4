package sandbox

import (
	"fmt"
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

// after gives what follows a part of a page.
func after(body, part string) string {
	_, rest, _ := strings.Cut(body, part)
	return rest
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

func TestEachPageLeadsOnAndExplainsTheFaults(t *testing.T) {
	t.Parallel()
	s := newStand(t, Options{TemporalUI: "http://127.0.0.1:8233"})
	s.keep(&Message{Channel: Email, To: "a@example.com"}, &Message{Channel: SMS, To: someone, Text: "x"})
	paths := []string{"/sandbox"}
	for _, m := range s.messages("").Items {
		paths = append(paths, "/sandbox/messages/"+m.ID)
	}
	for _, path := range paths {
		_, body := s.page(path)
		mustContain(t, body, `<a href="/">Console</a>`, `<a href="/demo">Demo shop</a>`, `<a href="http://127.0.0.1:8233" rel="noreferrer">Temporal</a>`, "0: until you change it")
		for _, mode := range Modes {
			mustContain(t, body, "<dt>"+string(mode)+"</dt><dd>"+mode.Words()+"</dd>")
		}
	}
}

func TestAMessageLeadsToItsDeliveryInTheConsole(t *testing.T) {
	t.Parallel()
	const delivery = "0190a000-0000-7000-8000-000000000001"
	for name, c := range map[string]struct {
		message Message
		want    string
	}{
		"an email of ours":      {Message{Channel: Email, Headers: map[string]string{"X-Silque-Delivery": delivery, "Message-ID": "<m@x>"}}, `href="/deliveries/` + delivery + `"`},
		"an email with an ID":   {Message{Channel: Email, Headers: map[string]string{"Message-Id": "<m+1@x>"}}, `href="/deliveries?q=m%2B1%40x"`},
		"a hostile delivery":    {Message{Channel: Email, Headers: map[string]string{"X-Silque-Delivery": "../sign-out"}}, ""},
		"an email from outside": {Message{Channel: Email}, ""},
		"an SMS":                {Message{Channel: SMS}, `href="/deliveries?q=SM`},
		"a WhatsApp message":    {Message{Channel: WhatsApp}, `href="/deliveries?q=SM`},
	} {
		s := newStand(t, Options{})
		c.message.To, c.message.Text = "someone", "x"
		s.keep(&c.message)
		_, body := s.page("/sandbox/messages/" + c.message.ID)
		if c.want == "" {
			mustNotContain(t, body, `href="/deliveries`)
		} else if !strings.Contains(body, c.want) {
			t.Errorf("%s: no %s", name, c.want)
		}
	}
}

func TestAnEmailIsReadAsHTMLAsTextAndAsItCame(t *testing.T) {
	t.Parallel()
	s := newStand(t, Options{})
	s.keep(&Message{Channel: Email, To: "a@example.com", Subject: "Hello", Text: "the text", HTML: "<p>the HTML</p>", Source: "Subject: x\r\n\r\n<script>"},
		&Message{Channel: Email, To: "b@example.com", Text: "only text"})
	path := "/sandbox/messages/" + s.messages("?to=a@example.com").Items[0].ID
	for as, c := range map[string]struct{ there, not string }{
		"":           {"<iframe", "the text"},
		"?as=html":   {"<iframe", "the text"},
		"?as=text":   {"the text", "<iframe"},
		"?as=source": {"Subject: x\r\n\r\n&lt;script&gt;", "<iframe"},
		"?as=other":  {"<iframe", "the text"},
	} {
		_, body := s.page(path + as)
		mustContain(t, body, c.there, `?as=html"`, `?as=text"`, `?as=source"`)
		mustNotContain(t, after(body, `id="message"`), c.not)
	}
	_, body := s.page("/sandbox/messages/" + s.messages("?to=b@example.com").Items[0].ID)
	mustContain(t, body, "only text</pre>")
	mustNotContain(t, body, "as=html", "as=source")
}

func TestAPhoneShowsWhatItsNumberReceived(t *testing.T) {
	t.Parallel()
	s := newStand(t, Options{})
	const other = "+12025550199"
	s.keep(
		&Message{Channel: SMS, From: DefaultFrom, To: someone, Text: "first"}, &Message{Channel: SMS, From: DefaultFrom, To: other, Text: "to another"},
		&Message{Channel: WhatsApp, From: DefaultFrom, To: someone, Text: "*bold* _it_ ~no~ ```<x>``` 2*3*4 snake_case_name"},
		&Message{Channel: SMS, From: DefaultFrom, To: someone, Text: strings.Repeat("long ", 40)},
		&Message{Channel: WhatsApp, From: DefaultFrom, To: someone, Text: "HX {}", Headers: map[string]string{"ContentSid": "HX1", "ContentVariables": `{"1":"<b>"}`, "MediaUrl": "https://example.com/a.png"}},
	)
	sms, whatsApp := s.messages("?channel=sms&to="+someone).Items, s.messages("?channel=whatsapp").Items
	_, body := s.page("/sandbox/messages/" + sms[1].ID)
	mustContain(t, body, "The phone of &#43;", "first</p>", "long long", "2 segments", `id="opened"`)
	mustNotContain(t, after(body, `class="phone`), "to another", "bold")
	if strings.Index(body, "first</p>") > strings.Index(body, "long</p>") && strings.Contains(body, "long</p>") {
		t.Error("the newest message does not stand last")
	}
	_, body = s.page("/sandbox/messages/" + whatsApp[0].ID)
	mustContain(t, body, "<b>bold</b> <i>it</i> <s>no</s> <code>&lt;x&gt;</code> 2*3*4 snake_case_name", "Template HX1", "&lt;b&gt;", "Attached: https://example.com/a.png")
}

func TestPhonesStandInTheListByNumber(t *testing.T) {
	t.Parallel()
	s := newStand(t, Options{})
	const other = "+12025550199"
	s.keep(&Message{Channel: SMS, To: someone, Text: "one"}, &Message{Channel: SMS, To: other, Text: "two"}, &Message{Channel: SMS, To: someone, Text: "three"},
		&Message{Channel: WhatsApp, To: someone, Text: "elsewhere"})
	_, body := s.page("/sandbox?channel=sms")
	mustContain(t, body, "three", "two", `<span class="many">2<`, `<span class="many">1<`)
	mustNotContain(t, body, ">one<", "elsewhere")
	if strings.Index(body, "three") > strings.Index(body, ">two") {
		t.Error("the number with the newest message does not stand first")
	}
	_, body = s.page("/sandbox?channel=sms&q=two")
	mustContain(t, body, "two")
	mustNotContain(t, body, "three")
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
	for _, channel := range []Channel{Email, SMS} {
		s := newStand(t, Options{})
		s.keep(&Message{Channel: channel, To: "+12025550000", Text: "the oldest"})
		for i := range pageLength {
			s.keep(&Message{Channel: channel, To: fmt.Sprintf("+1202555%04d", 1+i), Text: "newer"})
		}
		_, body := s.page("/sandbox?channel=" + string(channel))
		mustNotContain(t, body, "the oldest")
		link := regexp.MustCompile(`<a href="([^"]+)">Older messages`).FindStringSubmatch(body)
		if link == nil {
			t.Fatal("no link to older messages")
		}
		_, body = s.page(strings.ReplaceAll(link[1], "&amp;", "&"))
		mustContain(t, body, "the oldest", ">Newest</a>")
		mustNotContain(t, body, "newer")
	}
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
	for back, want := range map[string]string{
		"/sandbox?channel=sms": "/sandbox?channel=sms", "/sandbox/messages/x?q=1": "/sandbox/messages/x?q=1",
		"//example.com": "/sandbox", "https://example.com/sandbox": "/sandbox", "/sandboxes": "/sandbox", "/sandbox/../sign-out": "/sandbox", "/sandbox//example.com": "/sandbox",
	} {
		_, header, _ := s.request(http.MethodPost, "/sandbox/faults", fault+"&back="+url.QueryEscape(back), "Content-Type", form)
		if header.Get("Location") != want {
			t.Errorf("back to %q goes to %q, want %q", back, header.Get("Location"), want)
		}
	}
	if f := s.fault(WhatsApp); f != (Fault{Channel: WhatsApp, Mode: RateLimit, Count: 2}) {
		t.Fatalf("%+v", f)
	}
	_, body := s.page("/sandbox")
	mustContain(t, body, "<b>WhatsApp is broken:</b> rate_limit, for 2 more hand-overs", `<option value="rate_limit" selected>`)
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
