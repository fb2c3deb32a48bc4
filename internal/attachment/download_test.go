package attachment_test

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/silquetech/silque-notifications/internal/attachment"
	"github.com/silquetech/silque-notifications/internal/channel"
)

func allow(hosts ...string) func(c *attachment.Config) {
	return func(c *attachment.Config) { c.Hosts = hosts }
}

func TestFilesAreDownloadedFromTheAllowedHosts(t *testing.T) {
	t.Parallel()
	base := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if name := r.URL.Query().Get("name"); name != "" {
			w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
		}
		_, _ = w.Write([]byte("content"))
	})
	f := fetcher(t, allow(strings.ToUpper(base)))
	for location, want := range map[string]string{
		base + "/invoices/invoice%207.pdf?token=1": "invoice 7.pdf",
		base + "/download?name=invoice-7.pdf":      "invoice-7.pdf",
		base:                                       "",
		base + "/":                                 "",
		strings.Replace(base, "http:", "HTTP:", 1) + "/a.txt": "a.txt",
	} {
		name, content, err := f.Fetch(t.Context(), location)
		if err != nil || name != want || string(content) != "content" {
			t.Errorf("%s: %q with %q, %v", location, name, content, err)
		}
	}
}

func TestNoOtherHostIsAsked(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	base := serve(t, func(http.ResponseWriter, *http.Request) { asked.Add(1) })
	port := base[strings.LastIndexByte(base, ':')+1:]
	for name, tc := range map[string]struct{ entry, location string }{
		"http on an https entry":       {"127.0.0.1:" + port, base + "/secret"},
		"https on an http entry":       {base, "https://127.0.0.1:" + port + "/secret"},
		"another port":                 {"http://127.0.0.1", base + "/secret"},
		"another name of the host":     {base, "http://localhost:" + port + "/secret"},
		"credentials":                  {base, "http://user:secret@127.0.0.1:" + port + "/a"},
		"the allowed host as a user":   {"http://files.example.com", "http://files.example.com@127.0.0.1:" + port + "/secret"},
		"an allowed host's sub-domain": {"files.example.com", "https://secret.files.example.com/a"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := fetcher(t, allow(tc.entry)).Fetch(t.Context(), tc.location)
			wantRefusal(t, err, channel.Permanent, attachment.CodeNotAllowed, "")
		})
	}
	t.Cleanup(func() {
		if n := asked.Load(); n > 0 {
			t.Errorf("%d requests were made", n)
		}
	})
}

func TestRedirectsStayOnTheAllowedHosts(t *testing.T) {
	t.Parallel()
	var foreign atomic.Int32
	elsewhere := serve(t, func(http.ResponseWriter, *http.Request) { foreign.Add(1) })
	base := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/away":
			http.Redirect(w, r, elsewhere+"/secret", http.StatusFound)
		case len(r.URL.Path) > 1: // one step a letter
			http.Redirect(w, r, r.URL.Path[:len(r.URL.Path)-1], http.StatusMovedPermanently)
		case r.Header.Get("Referer") != "":
			w.WriteHeader(http.StatusTeapot)
		default:
			_, _ = w.Write([]byte("content"))
		}
	})
	f := fetcher(t, allow(base))
	if name, content, err := f.Fetch(t.Context(), base+"/abc"); err != nil || name != "abc" || string(content) != "content" {
		t.Errorf("after three redirects: %q with %q, %v", name, content, err)
	}
	_, _, err := f.Fetch(t.Context(), base+"/abcd")
	wantRefusal(t, err, channel.Permanent, attachment.CodeRedirects, base+"/abcd")
	_, _, err = f.Fetch(t.Context(), base+"/away")
	wantRefusal(t, err, channel.Permanent, attachment.CodeNotAllowed, base+"/away")
	if foreign.Load() > 0 {
		t.Error("the foreign host was asked")
	}
}

func TestAnAnswerThatIsNoFileHasItsReason(t *testing.T) {
	t.Parallel()
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	for name, tc := range map[string]struct {
		answer http.HandlerFunc
		class  channel.Class
		code   string
	}{
		"not found":           {status(404), channel.Permanent, "attachment_http_404"},
		"forbidden":           {status(403), channel.Permanent, "attachment_http_403"},
		"a success, but none": {status(204), channel.Permanent, "attachment_http_204"},
		"too many requests":   {status(429), channel.Temporary, "attachment_http_429"},
		"an outage":           {status(503), channel.Temporary, "attachment_http_503"},
		"a length beyond the limit": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1001")
			_, _ = w.Write([]byte("x"))
		}, channel.Permanent, attachment.CodeTooLarge},
		"more than the limit without a length": {func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil { // for ever
				_, _ = w.Write([]byte(strings.Repeat("x", 100)))
				_ = http.NewResponseController(w).Flush()
			}
		}, channel.Permanent, attachment.CodeTooLarge},
		"less than its length": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte("x"))
		}, channel.Temporary, attachment.CodeConnectionLost},
		"encoded content": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "br")
			_, _ = w.Write([]byte("x"))
		}, channel.Permanent, attachment.CodeBadAnswer},
		"no HTTP": {func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_ = conn.Close()
			}
		}, channel.Temporary, attachment.CodeConnect},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			base := serve(t, tc.answer)
			_, content, err := fetcher(t, allow(base)).Fetch(t.Context(), base+"/secret")
			wantRefusal(t, err, tc.class, tc.code, base+"/secret")
			if content != nil {
				t.Errorf("got %d bytes", len(content))
			}
		})
	}
}

func TestASlowServerIsGivenUp(t *testing.T) {
	t.Parallel()
	base := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/body" {
			_, _ = w.Write([]byte("x"))
			_ = http.NewResponseController(w).Flush()
		}
		<-r.Context().Done()
	})
	f := fetcher(t, func(c *attachment.Config) { c.Hosts, c.Timeout = []string{base}, 50*time.Millisecond })
	for _, path := range []string{"/head", "/body"} {
		_, _, err := f.Fetch(t.Context(), base+path)
		wantRefusal(t, err, channel.Temporary, attachment.CodeTimeout, base+path)
	}
	patient := fetcher(t, allow(base))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, _, err := patient.Fetch(ctx, base+"/head")
	wantRefusal(t, err, channel.Temporary, attachment.CodeTimeout, base+"/head")
	ctx, cancel = context.WithCancel(t.Context())
	cancel()
	_, _, err = patient.Fetch(ctx, base+"/head")
	wantRefusal(t, err, channel.Temporary, attachment.CodeCanceled, base+"/head")
}

func TestTheProxyOfTheEnvironmentIsNotUsed(t *testing.T) {
	var proxied atomic.Int32
	proxy := serve(t, func(http.ResponseWriter, *http.Request) { proxied.Add(1) })
	t.Setenv("HTTP_PROXY", proxy)
	t.Setenv("http_proxy", proxy)
	// A reserved name: a proxy would be asked for it, the network cannot be.
	_, _, err := fetcher(t, allow("http://files.invalid")).Fetch(t.Context(), "http://files.invalid/a")
	wantRefusal(t, err, channel.Temporary, attachment.CodeConnect, "http://files.invalid/a")
	if proxied.Load() > 0 {
		t.Error("the proxy was asked")
	}
}
