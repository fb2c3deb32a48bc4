package access_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/silquetech/silque-notifications/internal/account"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

// TestAnAnswerOfTheProviderIsBounded lets each thing that the provider is asked for come without an end: nobody is signed
// in, and the rest of the answer is not read.
func TestAnAnswerOfTheProviderIsBounded(t *testing.T) {
	t.Parallel()
	const limit = 32 << 20 // what is on its way when we hang up, of some questions: the system's buffers hold megabytes
	for _, path := range []string{"/.well-known/openid-configuration", "/keys", "/token", "/userinfo"} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			i := newIssuer(t)
			i.claims = map[string]any{"sub": "new"} // the address is asked for
			i.userInfo = map[string]any{"sub": "new", "email": "new@example.com", "email_verified": true}
			usual := i.server.Config.Handler
			var written atomic.Int64
			i.server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != path {
					usual.ServeHTTP(w, r)
					return
				}
				w.Header().Set("Content-Type", "application/json")
				for line := strings.Repeat(" ", 64<<10); written.Load() < 8*limit; {
					n, err := w.Write([]byte(line))
					written.Add(int64(n))
					if err != nil {
						return // the other side has had enough
					}
				}
			})
			s := open(t, testdb.SQLite(t), i.settings(account.Viewer))
			b := s.browser()
			start := b.get("/oidc/start")
			if path == "/.well-known/openid-configuration" {
				if start.code != http.StatusBadGateway {
					t.Errorf("%d", start.code)
				}
			} else if got := b.get(i.authorize(start)); got.code != http.StatusForbidden || b.signedIn() {
				t.Errorf("%d\n%s", got.code, got.body)
			}
			if n := written.Load(); n == 0 || n > limit {
				t.Errorf("%d bytes were taken", n)
			}
		})
	}
}

// TestTheProviderSendsUsToNoOtherHost: a question can carry our secret and somebody's code.
func TestTheProviderSendsUsToNoOtherHost(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/.well-known/openid-configuration", "/keys", "/token", "/userinfo"} {
		for _, status := range []int{http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect} {
			t.Run(fmt.Sprint(path, " by ", status), func(t *testing.T) {
				t.Parallel()
				i := newIssuer(t)
				i.claims = map[string]any{"sub": "new"}
				i.userInfo = map[string]any{"sub": "new", "email": "new@example.com", "email_verified": true}
				usual := i.server.Config.Handler
				var strayed atomic.Int64
				elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					strayed.Add(1)
					usual.ServeHTTP(w, r) // it answers as the provider would
				}))
				t.Cleanup(elsewhere.Close)
				i.server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Path == path {
						http.Redirect(w, r, elsewhere.URL+r.URL.RequestURI(), status)
						return
					}
					usual.ServeHTTP(w, r)
				})
				s := open(t, testdb.SQLite(t), i.settings(account.Viewer))
				b := s.browser()
				start := b.get("/oidc/start")
				if start.code == http.StatusSeeOther {
					b.get(i.authorize(start))
				}
				if b.signedIn() || strayed.Load() > 0 {
					t.Errorf("signed in: %v, asked elsewhere: %d times", b.signedIn(), strayed.Load())
				}
				if !strings.Contains(s.log.String(), "redirects to another host") {
					t.Errorf("the log does not say why:\n%s", s.log)
				}
			})
		}
	}
}

// TestAProviderMayRedirectOnItsOwnHost: some put a path before all of theirs.
func TestAProviderMayRedirectOnItsOwnHost(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	usual := i.server.Config.Handler
	i.server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/keys" {
			http.Redirect(w, r, "/moved", http.StatusFound)
			return
		}
		if r.URL.Path == "/moved" {
			r.URL.Path = "/keys"
		}
		usual.ServeHTTP(w, r)
	})
	s := open(t, testdb.SQLite(t), i.settings(account.Viewer))
	b := s.browser()
	if b.get(i.authorize(b.get("/oidc/start"))); !b.signedIn() {
		t.Errorf("not signed in:\n%s", s.log)
	}
	i.server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, http.StatusFound) })
	round := open(t, testdb.SQLite(t), i.settings(account.Viewer))
	if got := round.browser().get("/oidc/start"); got.code != http.StatusBadGateway {
		t.Errorf("redirects without an end: %d", got.code)
	}
}

// TestAProviderThatHangsIsGivenUp lets each answer stop in its middle; the person is told, and does not wait for ever.
func TestAProviderThatHangsIsGivenUp(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/.well-known/openid-configuration", "/keys", "/token"} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			i := newIssuer(t)
			usual := i.server.Config.Handler
			i.server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != path {
					usual.ServeHTTP(w, r)
					return
				}
				w.Header().Set("Content-Type", "application/json")
				_, _ = w.Write([]byte("{"))
				_ = http.NewResponseController(w).Flush()
				<-r.Context().Done() // we have hung up
			})
			s := open(t, testdb.SQLite(t), i.settings(account.Viewer))
			b := s.browser()
			got := b.get("/oidc/start")
			if got.code == http.StatusSeeOther {
				got = b.get(i.authorize(got))
			}
			if got.code != http.StatusBadGateway && got.code != http.StatusForbidden || b.signedIn() {
				t.Errorf("%d\n%s", got.code, got.body)
			}
		})
	}
}
