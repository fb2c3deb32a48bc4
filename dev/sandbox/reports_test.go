package sandbox

import (
	"bytes"
	"encoding/json"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/silquetech/silque-notifications/internal/bounce"
)

// post is what a web app heard.
type post struct {
	path, kind, authorization string
	body                      []byte
}

// hear gives a web app that answers everything with a status, and what it heard last.
func hear(t *testing.T, status int) (*httptest.Server, func() post) {
	t.Helper()
	heard := make(chan post, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		heard <- post{path: r.URL.Path, kind: r.Header.Get("Content-Type"), authorization: r.Header.Get("Authorization"), body: body}
		w.WriteHeader(status)
	}))
	t.Cleanup(server.Close)
	return server, func() post {
		t.Helper()
		select {
		case p := <-heard:
			return p
		case <-time.After(30 * time.Second):
			t.Fatal("the web app heard nothing")
			return post{}
		}
	}
}

const delivery = "0190a000-0000-7000-8000-000000000001"

func TestWhatBecomesOfAnEmailIsReportedAsMailServersDo(t *testing.T) {
	t.Parallel()
	web, heard := hear(t, http.StatusOK)
	s := newStand(t, Options{Reports: MailReports{
		URL: func() string { return web.URL + "/hooks/email/bounces" }, Secret: func() string { return "a secret of the hooks" },
	}})
	s.keep(&Message{Channel: Email, From: "shop@example.com", To: "ann@example.com", Subject: "Order 7 für Ann\nX-Evil: 1", Headers: map[string]string{
		"Message-Id": "<" + delivery + "@example.com>", "List-Unsubscribe": "<" + web.URL + "/unsubscribe/t>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
	}})
	path := "/sandbox/messages/" + s.messages("").Items[0].ID
	_, page := s.page(path)
	for _, f := range fates {
		mustContain(t, page, `value="`+f.Name+`"`)
		status, header, body := s.request(http.MethodPost, path+"/report", url.Values{"what": {f.Name}}.Encode(), "Content-Type", form)
		if status != http.StatusSeeOther {
			t.Fatalf("%s: answered %d %s", f.Name, status, body)
		}
		_, page := s.page(header.Get("Location"))
		mustContain(t, page, html.EscapeString(f.Told), `href="/suppressions"`)
		got := heard()
		if f.Name == fateLeft {
			if got.path != "/unsubscribe/t" || string(got.body) != "List-Unsubscribe=One-Click" || got.authorization != "" {
				t.Errorf("%s: the web app heard %+v", f.Name, got)
			}
			continue
		}
		if got.authorization != "Bearer a secret of the hooks" {
			t.Errorf("%s: came with %q", f.Name, got.authorization)
		}
		mustReport(t, f, got)
	}
}

// mustReport reads a report with the product's own parser.
func mustReport(t *testing.T, f fate, got post) {
	t.Helper()
	var reports []bounce.Report
	var err error
	if got.kind == "application/json" {
		if !json.Valid(got.body) {
			t.Errorf("%s: no JSON: %s", f.Name, got.body)
		}
		reports, err = bounce.ParseJSON(bytes.NewReader(got.body))
	} else {
		reports, err = bounce.Parse(bytes.NewReader(got.body))
	}
	want := map[string]bounce.Kind{"failed": bounce.Bounce, "delivered": bounce.Delivered, "": bounce.Complaint}[f.action]
	if err != nil || len(reports) != 1 || reports[0].Kind != want || reports[0].Status != f.status ||
		reports[0].DeliveryID() != delivery || reports[0].Recipient != "ann@example.com" {
		t.Errorf("%s: read as %+v, %v from\n%s", f.Name, reports, err, got.body)
	}
}

func TestAnEmailOffersOnlyWhatCanBecomeOfIt(t *testing.T) {
	t.Parallel()
	web, _ := hear(t, http.StatusForbidden)
	reports := MailReports{URL: func() string { return web.URL }, Secret: func() string { return "" }}
	for name, c := range map[string]struct {
		options Options
		message Message
		want    []string
	}{
		"no web app to report to":     {Options{}, Message{Channel: Email}, nil},
		"an SMS":                      {Options{Reports: reports}, Message{Channel: SMS, To: someone}, nil},
		"an email without a link":     {Options{Reports: reports}, Message{Channel: Email}, []string{"no_mailbox", "full", "delivered", fateSpam}},
		"a link to another machine":   {Options{}, leavable("<https://example.com/leave>"), nil},
		"a link that asks for a mail": {Options{}, leavable("<mailto:leave@example.com>"), nil},
		"a link for the reader's own eyes": {Options{}, Message{Channel: Email, Headers: map[string]string{
			"List-Unsubscribe": "<http://127.0.0.1:1/leave>"}}, nil},
		"a mail and a link": {Options{}, leavable("<mailto:leave@example.com>, <http://127.0.0.1:1/leave>"), []string{fateLeft}},
	} {
		s := newStand(t, c.options)
		s.keep(&c.message)
		path := "/sandbox/messages/" + s.messages("").Items[0].ID
		_, page := s.page(path)
		for _, f := range fates {
			offered := strings.Contains(page, `value="`+f.Name+`"`)
			wanted := strings.Contains(" "+strings.Join(c.want, " ")+" ", " "+f.Name+" ")
			if offered != wanted {
				t.Errorf("%s: %s is offered: %v, want %v", name, f.Name, offered, wanted)
			}
			if wanted {
				continue
			}
			if status, _, _ := s.request(http.MethodPost, path+"/report", url.Values{"what": {f.Name}}.Encode(), "Content-Type", form); status != http.StatusNotFound {
				t.Errorf("%s: %s was answered with %d, though it is not offered", name, f.Name, status)
			}
		}
	}
	s := newStand(t, Options{Reports: reports})
	s.keep(&Message{Channel: Email})
	status, _, body := s.request(http.MethodPost, "/sandbox/messages/"+s.messages("").Items[0].ID+"/report", "what=full", "Content-Type", form)
	if status != http.StatusBadGateway || !strings.Contains(body, "did not take the report") {
		t.Errorf("a report that is refused: %d %s", status, body)
	}
}

func leavable(links string) Message {
	return Message{Channel: Email, Headers: map[string]string{"List-Unsubscribe": links, "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}}
}
