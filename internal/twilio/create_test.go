package twilio_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/silquetech/silque-notifications/internal/channel"
	"github.com/silquetech/silque-notifications/internal/twilio"
)

func TestCreateHandsOverTheMessage(t *testing.T) {
	t.Parallel()
	s := start(t, created)
	out := client(t, s, func(c *twilio.Config) { c.StatusCallback = "https://example.com/hooks/twilio?k=1#rc=5&rp=all" })
	receipt, err := out.Create(t.Context(), params())
	if err != nil {
		t.Fatal(err)
	}
	if receipt != (channel.Receipt{ProviderID: "SM1", Response: "queued"}) {
		t.Errorf("receipt = %+v", receipt)
	}
	got := s.got()
	if len(got) != 1 || got[0].method != "POST" || got[0].path != path || got[0].user != account || got[0].secret != token {
		t.Fatalf("requests: %+v", got)
	}
	for name, want := range map[string]string{
		"To": "+12025550123", "From": "+15005550006", "Body": "Order 7 is late.", "MessagingServiceSid": "",
		"StatusCallback": "https://example.com/hooks/twilio?delivery=d1&k=1#rc=5&rp=all",
	} {
		if got[0].form.Get(name) != want {
			t.Errorf("%s = %q, want %q", name, got[0].form.Get(name), want)
		}
	}
}

func TestCreateFollowsTheSettings(t *testing.T) {
	t.Parallel()
	s := start(t, created)
	out := client(t, s, func(c *twilio.Config) {
		c.AuthToken, c.APIKey, c.APISecret, c.BaseURL = "", "SK0000", "secret", s.URL+"/twilio/"
	})
	p := params()
	p.From, p.MessagingServiceSID = "", service
	if _, err := out.Create(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	got := s.got()[0]
	if got.user != "SK0000" || got.secret != "secret" || got.path != "/twilio"+path {
		t.Errorf("request: %+v", got)
	}
	if got.form.Get("MessagingServiceSid") != service || got.form.Has("From") || got.form.Has("StatusCallback") {
		t.Errorf("form: %v", got.form)
	}
}

// hosts is a transport that remembers the host and says nothing.
type hosts struct{ seen []string }

func (h *hosts) RoundTrip(r *http.Request) (*http.Response, error) {
	h.seen = append(h.seen, r.URL.Scheme+"://"+r.URL.Host)
	return nil, io.ErrUnexpectedEOF
}

func TestTheHostComesFromTheSettingsAlone(t *testing.T) {
	t.Setenv("TWILIO_EDGE", "sydney")
	t.Setenv("TWILIO_REGION", "au1")
	for name, tc := range map[string]struct{ edge, region, base, want string }{
		"by default":           {"", "", "", "https://api.twilio.com"},
		"with edge and region": {"dublin", "ie1", "", "https://api.dublin.ie1.twilio.com"},
		"with a stand-in":      {"dublin", "ie1", "http://127.0.0.1:1", "http://127.0.0.1:1"},
	} {
		t.Run(name, func(t *testing.T) {
			h := &hosts{}
			out, err := twilio.New(twilio.Config{
				AccountSID: account, AuthToken: token, Edge: tc.edge, Region: tc.region, BaseURL: tc.base, Transport: h,
			})
			if err != nil {
				t.Fatal(err)
			}
			_, err = out.Create(t.Context(), params())
			wantRefusal(t, err, channel.Temporary, "twilio_connect")
			if len(h.seen) != 1 || h.seen[0] != tc.want {
				t.Errorf("asked %v, want %s", h.seen, tc.want)
			}
		})
	}
}

func TestCreateClassifiesTheAnswer(t *testing.T) {
	t.Parallel()
	html := func(status int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, "<html>no</html>")
		}
	}
	cases := map[string]struct {
		answer http.HandlerFunc
		class  channel.Class
		code   string
	}{
		"a code that no list has":      {failing(400, 21999), channel.Permanent, "twilio_21999"},
		"not found":                    {failing(404, 20404), channel.Permanent, "twilio_20404"},
		"429 in JSON":                  {failing(429, 20429), channel.Temporary, "twilio_20429"},
		"429 with a code of its own":   {failing(429, 14107), channel.Temporary, "twilio_14107"},
		"429 in HTML":                  {html(429), channel.Temporary, "twilio_http_429"},
		"403 in HTML, from a proxy":    {html(403), channel.Permanent, "twilio_http_403"},
		"408":                          {html(408), channel.Temporary, "twilio_http_408"},
		"500 in JSON":                  {failing(500, 20500), channel.Unknown, "twilio_20500"},
		"503 in HTML":                  {html(503), channel.Unknown, "twilio_http_503"},
		"502 in HTML":                  {html(502), channel.Unknown, "twilio_http_502"},
		"JSON without a code":          {func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, 400, map[string]any{}) }, channel.Permanent, "twilio_http_400"},
		"a success without SID":        {func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, 201, map[string]any{"status": "queued"}) }, channel.Unknown, "twilio_bad_answer"},
		"a success that is HTML":       {html(200), channel.Unknown, "twilio_bad_answer"},
		"a success without any answer": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusCreated) }, channel.Unknown, "twilio_bad_answer"},
		"a success that breaks off in its JSON": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusCreated)
			_, _ = io.WriteString(w, `{"sid": "SM1", "status"`)
		}, channel.Unknown, "twilio_bad_answer"},
		"a refusal that is no JSON of Twilio's": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadGateway)
			_, _ = io.WriteString(w, `{"code": "what", "message": [1`)
		}, channel.Unknown, "twilio_http_502"},
		"a redirect in JSON": {func(w http.ResponseWriter, _ *http.Request) {
			writeJSON(w, 302, resource("SM1", "queued", time.Now(), nil))
		}, channel.Temporary, "twilio_http_302"},
		"a redirect in HTML": {html(307), channel.Temporary, "twilio_http_307"},
	}
	for _, code := range []int{21211, 21610, 21612, 21614, 30006, 20003, 21408, 21606, 21608, 21617, 21658, 63016} {
		status := 400
		if code == 20003 {
			status = 401
		}
		cases[fmt.Sprintf("permanent %d", code)] = struct {
			answer http.HandlerFunc
			class  channel.Class
			code   string
		}{failing(status, code), channel.Permanent, fmt.Sprintf("twilio_%d", code)}
	}
	for code, status := range map[int]int{20503: 503, 21611: 400, 30001: 400, 30003: 400, 30500: 500, 63018: 400, 63038: 400} {
		cases[fmt.Sprintf("temporary %d", code)] = struct {
			answer http.HandlerFunc
			class  channel.Class
			code   string
		}{failing(status, code), channel.Temporary, fmt.Sprintf("twilio_%d", code)}
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, tc.answer)
			_, err := client(t, s, nil).Create(t.Context(), params())
			wantRefusal(t, err, tc.class, tc.code)
			if strings.Contains(err.Error(), "2025550123") {
				t.Errorf("the error tells the number: %v", err)
			}
			if n := len(s.got()); n != 1 {
				t.Errorf("%d requests, want 1", n)
			}
		})
	}
}

func TestARedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	elsewhere := start(t, created)
	for _, status := range []int{301, 302, 303, 307, 308} {
		s := start(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL+r.URL.Path, status) })
		_, err := client(t, s, nil).Create(t.Context(), params())
		wantRefusal(t, err, channel.Temporary, fmt.Sprintf("twilio_http_%d", status))
	}
	if n := len(elsewhere.got()); n != 0 {
		t.Errorf("%d requests followed a redirect, with the credentials", n)
	}
}

// expiring is a context whose deadline passes exactly when passed is closed.
type expiring struct {
	context.Context
	passed <-chan struct{}
}

func (e expiring) Done() <-chan struct{} { return e.passed }

func (e expiring) Err() error {
	select {
	case <-e.passed:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

func TestAServerThatHangsHoldsNoOneUp(t *testing.T) {
	t.Parallel()
	const deadline, cancels, own, inAnswer = "the caller's deadline passes", "the caller cancels",
		"the client's own timeout passes", "the deadline passes in the answer"
	for name, code := range map[string]string{
		deadline: "twilio_timeout", cancels: "twilio_canceled", own: "twilio_timeout", inAnswer: "twilio_timeout",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			arrived := make(chan struct{})
			s := start(t, func(w http.ResponseWriter, r *http.Request) {
				if name == inAnswer {
					w.WriteHeader(http.StatusCreated)
					_, _ = io.WriteString(w, `{"sid": "S`)
					w.(http.Flusher).Flush()
				}
				close(arrived)
				<-r.Context().Done()
			})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			timeout := time.Minute
			switch name {
			case cancels:
				go func() { <-arrived; cancel() }()
			case own:
				timeout = time.Second
			default:
				ctx = expiring{ctx, arrived}
			}
			begun := time.Now()
			_, err := client(t, s, func(c *twilio.Config) { c.Timeout = timeout }).Create(ctx, params())
			wantRefusal(t, err, channel.Unknown, code)
			if took := time.Since(begun); took > 40*time.Second {
				t.Errorf("Create returned after %v", took)
			}
		})
	}
}

func TestALostConnectionIsUnknownAndNotRepeated(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]string{
		"without an answer":            "",
		"in the middle of the answer":  "HTTP/1.1 201 Created\r\nContent-Length: 500\r\n\r\n{\"sid\": \"SM1\"",
		"in the middle of the headers": "HTTP/1.1 201 Cre",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, func(w http.ResponseWriter, _ *http.Request) {
				conn, _, err := w.(http.Hijacker).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = io.WriteString(conn, before)
				_ = conn.Close()
			})
			_, err := client(t, s, nil).Create(t.Context(), params())
			code := "twilio_connection_lost"
			if strings.Contains(before, "sid") {
				code = "twilio_bad_answer"
			}
			wantRefusal(t, err, channel.Unknown, code)
			if n := len(s.got()); n != 1 {
				t.Errorf("%d requests, want 1", n)
			}
		})
	}
}

func TestWhatNeverReachedTwilioIsTemporary(t *testing.T) {
	t.Parallel()
	t.Run("nothing listening", func(t *testing.T) {
		t.Parallel()
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		_ = listener.Close()
		out := client(t, &standIn{Server: &httptest.Server{URL: "http://" + listener.Addr().String()}}, nil)
		_, err = out.Create(t.Context(), params())
		wantRefusal(t, err, channel.Temporary, "twilio_connect")
	})
	t.Run("a certificate that no one vouches for", func(t *testing.T) {
		t.Parallel()
		s := httptest.NewUnstartedServer(http.HandlerFunc(created))
		s.Config.ErrorLog = log.New(io.Discard, "", 0)
		s.StartTLS()
		t.Cleanup(s.Close)
		_, err := client(t, &standIn{Server: s}, nil).Create(t.Context(), params())
		wantRefusal(t, err, channel.Temporary, "twilio_connect")
	})
	for name, tc := range map[string]struct {
		host string
		now  func() time.Time
	}{
		"a certificate for another name":    {"localhost", nil},
		"a certificate that has expired":    {"127.0.0.1", func() time.Time { return time.Now().AddDate(100, 0, 0) }},
		"a certificate that is not yet one": {"127.0.0.1", func() time.Time { return time.Now().AddDate(-100, 0, 0) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := httptest.NewUnstartedServer(http.HandlerFunc(created))
			s.Config.ErrorLog = log.New(io.Discard, "", 0)
			s.StartTLS()
			t.Cleanup(s.Close)
			trusted := x509.NewCertPool()
			trusted.AddCert(s.Certificate())
			transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted, Time: tc.now}}
			t.Cleanup(transport.CloseIdleConnections)
			there := &standIn{Server: &httptest.Server{URL: strings.Replace(s.URL, "127.0.0.1", tc.host, 1)}}
			_, err := client(t, there, func(c *twilio.Config) { c.Transport = transport }).Create(t.Context(), params())
			if refusal := refusalOf(t, err, channel.Temporary, "twilio_connect"); !strings.Contains(refusal.Detail, "certificate") {
				t.Errorf("the detail is %q, want one that names the certificate", refusal.Detail)
			}
		})
	}
	t.Run("a name that does not resolve", func(t *testing.T) {
		t.Parallel()
		out := client(t, &standIn{Server: &httptest.Server{URL: "https://api.invalid"}}, func(c *twilio.Config) { c.Timeout = 3 * time.Second })
		_, err := out.Create(t.Context(), params())
		var refusal *channel.Error
		if !errors.As(err, &refusal) || refusal.Class != channel.Temporary || refusal.Code != "twilio_connect" && refusal.Code != "twilio_timeout" {
			t.Errorf("got %v, want twilio_connect, or twilio_timeout where no name server answers", err)
		}
	})
	t.Run("a server that does not finish the handshake in time", func(t *testing.T) {
		t.Parallel()
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = listener.Close() })
		s := &standIn{Server: &httptest.Server{URL: "https://" + listener.Addr().String()}}
		_, err = client(t, s, func(c *twilio.Config) { c.Timeout = 100 * time.Millisecond }).Create(t.Context(), params())
		wantRefusal(t, err, channel.Temporary, "twilio_timeout")
	})
}

func TestBodiesThatTwilioWouldRefuseAreNotSent(t *testing.T) {
	t.Parallel()
	s := start(t, created)
	out := client(t, s, nil)
	for name, tc := range map[string]struct{ body, code string }{
		"no text":                    {"", "empty_body"},
		"spaces alone":               {" \n\t", "empty_body"},
		"1601 characters":            {strings.Repeat("x", 1601), "body_too_long"},
		"1601 characters of 2 bytes": {strings.Repeat("ü", 1601), "body_too_long"},
	} {
		p := params()
		p.Body = tc.body
		_, err := out.Create(t.Context(), p)
		if refusal := refusalOf(t, err, channel.Permanent, tc.code); name == "" || refusal.Detail == "" {
			t.Errorf("%s: no detail", name)
		}
	}
	if n := len(s.got()); n != 0 {
		t.Errorf("%d requests, want none", n)
	}
	p := params()
	p.Body = strings.Repeat("ü", 1600)
	if _, err := out.Create(t.Context(), p); err != nil {
		t.Errorf("1600 characters: %v", err)
	}
}

func TestRefusalsLeaveNoConnectionBehind(t *testing.T) {
	t.Parallel()
	s := start(t, failing(400, 21211))
	out := client(t, s, nil)
	for range 5 {
		_, err := out.Create(t.Context(), params())
		wantRefusal(t, err, channel.Permanent, "twilio_21211")
	}
	if n := s.connections.Load(); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
}

func TestConcurrentCallsKeepTheirOwnContextAndAnswer(t *testing.T) {
	t.Parallel()
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.PostForm.Get("Body"), "hang") {
			<-r.Context().Done()
			return
		}
		writeJSON(w, 201, resource("SM"+r.PostForm.Get("Body"), "queued", time.Now(), nil))
	})
	out := client(t, s, nil)
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			p, ctx := params(), t.Context()
			p.Body = fmt.Sprint(i)
			if i%4 == 0 {
				p.Body = "hang"
				short, cancel := context.WithCancel(ctx)
				time.AfterFunc(50*time.Millisecond, cancel)
				_, err := out.Create(short, p)
				wantCode(t, err, "twilio_canceled")
				return
			}
			if r, err := out.Create(ctx, p); err != nil || r.ProviderID != "SM"+p.Body {
				t.Errorf("message %d: %+v, %v", i, r, err)
			}
		})
	}
	wg.Wait()
}

// wantCode is wantRefusal for other goroutines, which must not end the test.
func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	if err == nil || !strings.HasSuffix(err.Error(), code) {
		t.Errorf("got %v, want code %s", err, code)
	}
}
