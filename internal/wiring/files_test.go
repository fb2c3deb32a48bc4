package wiring

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/silquetech/silque-notifications/activities"
	"github.com/silquetech/silque-notifications/internal/channel"
	"github.com/silquetech/silque-notifications/internal/rule"
)

// carrying gives a channel that takes files of 1,000 bytes, 2,000 together, under the settings of environ.
func carrying(t *testing.T, sender channel.Sender, environ ...string) withFiles {
	t.Helper()
	c := settings(t, append(environ, "NOTIFY_ATTACHMENT_MAX_SIZE=1000")...)
	fetcher, err := newFetcher(c.Attachments)
	if err != nil {
		t.Fatal(err)
	}
	return newWithFiles(sender, c.Attachments, fetcher)
}

func withDetails(files ...rule.File) activities.Message {
	return activities.Message{DeliveryID: "d", Channel: rule.Email, To: "ann@example.com", Details: rule.Details{Files: files}}
}

func TestTheEmailChannelCarriesFiles(t *testing.T) {
	t.Parallel()
	s, err := newSenders(settings(t, mail...), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, carries := s.byChannel[rule.Email].(withFiles); !carries {
		t.Errorf("the email channel is a %T", s.byChannel[rule.Email])
	}
}

func TestFilesAreFetchedForTheHandOver(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "invoice-7.pdf"), []byte("invoice"), 0o600); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("terms")) }))
	t.Cleanup(server.Close)
	sender := new(answering)
	out := carrying(t, sender, "NOTIFY_ATTACHMENT_DIRS="+dir, "NOTIFY_ATTACHMENT_HOSTS="+server.URL)
	m := withDetails(
		rule.File{Name: "note.txt", Text: "Grüße"}, rule.File{Text: "unnamed"}, rule.File{Location: "invoice-7.pdf"},
		rule.File{Name: "Terms.txt", Location: server.URL + "/t"},
	)
	m.Details.Cc = []string{"boss@example.com"}
	id, detail, err := out.Send(t.Context(), m)
	if err != nil || id != "id" || detail != "250 taken" {
		t.Fatalf("got %q, %q, %v", id, detail, err)
	}
	want := channel.Message{DeliveryID: "d", To: "ann@example.com", Cc: []string{"boss@example.com"}, Files: []channel.File{
		{Name: "note.txt", Content: []byte("Grüße")}, {Name: "attachment.txt", Content: []byte("unnamed")},
		{Name: "invoice-7.pdf", Content: []byte("invoice")}, {Name: "Terms.txt", Content: []byte("terms")},
	}}
	if !reflect.DeepEqual(sender.got, want) {
		t.Errorf("sent %+v, want %+v", sender.got, want)
	}
}

func TestAMessageIsHeldBackWithoutItsFiles(t *testing.T) {
	t.Parallel()
	outage := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }))
	t.Cleanup(outage.Close)
	text := func(n int) rule.File { return rule.File{Text: strings.Repeat("x", n)} }
	for name, tc := range map[string]struct {
		files []rule.File
		class activities.Class
		code  string
	}{
		"a file outside the allow-list":        {[]rule.File{{Location: "/etc/hostname"}}, activities.Permanent, "attachment_not_allowed"},
		"a server that is down":                {[]rule.File{{Location: outage.URL}}, activities.Temporary, "attachment_http_503"},
		"a text that is too large":             {[]rule.File{text(1001)}, activities.Permanent, "attachment_too_large"},
		"files that are too large together":    {[]rule.File{text(1000), text(1000), text(1)}, activities.Permanent, "attachment_too_large"},
		"a file after others that can be sent": {[]rule.File{text(1), {Location: "ftp://x/y"}}, activities.Permanent, "attachment_not_allowed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sender := new(answering)
			_, _, err := carrying(t, sender, "NOTIFY_ATTACHMENT_HOSTS="+outage.URL).Send(t.Context(), withDetails(tc.files...))
			var refusal activities.Refusal
			if !errors.As(err, &refusal) {
				t.Fatalf("%v is no refusal", err)
			}
			if class, code, _, detail := refusal.Refusal(); class != tc.class || code != tc.code || detail == "" {
				t.Errorf("refusal %s, %s, %s", class, code, detail)
			}
			if sender.got.DeliveryID != "" {
				t.Error("the message was handed over all the same")
			}
		})
	}
	sender := new(answering)
	if _, _, err := carrying(t, sender).Send(t.Context(), withDetails(text(1000), text(1000))); err != nil || len(sender.got.Files) != 2 {
		t.Errorf("files of just the limits: %v", err)
	}
}

func TestFetchingLeavesTimeForTheHandOver(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	t.Cleanup(server.Close)
	const patience = 9 * time.Second
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	begun := time.Now()
	_, _, err := carrying(t, new(answering), "NOTIFY_ATTACHMENT_HOSTS="+server.URL).Send(ctx,
		withDetails(rule.File{Location: server.URL + "/a"}, rule.File{Location: server.URL + "/b"}))
	var refusal *channel.Error
	if !errors.As(err, &refusal) || refusal.Class != channel.Temporary || refusal.Code != "attachment_timeout" {
		t.Errorf("got %v", err)
	}
	if took := time.Since(begun); took > patience*2/3 {
		t.Errorf("it took %s of %s", took, patience)
	}
	ctx, cancel = context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if got := timeToFetch(ctx); got != 5*time.Second {
		t.Errorf("of a minute, fetching may take %s", got)
	}
	if got := timeToFetch(context.Background()); got != 5*time.Second {
		t.Errorf("without a deadline, fetching may take %s", got)
	}
}

func TestAskingForAMessageFetchesNothing(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	t.Cleanup(server.Close)
	out := carrying(t, new(finding), "NOTIFY_ATTACHMENT_HOSTS="+server.URL)
	if ids, err := out.Find(t.Context(), withDetails(rule.File{Location: server.URL}), time.Time{}); err != nil || len(ids) != 2 {
		t.Errorf("found %v, %v", ids, err)
	}
	if asked.Load() > 0 {
		t.Error("a file was fetched")
	}
}
