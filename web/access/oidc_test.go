package access_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/account"
	"github.com/silquetech/silque-notifications/internal/testdb"
	"github.com/silquetech/silque-notifications/web/access"
)

// issuer is a small OpenID Connect provider on loopback: it describes itself, sends people back with a code, checks the
// code's verifier, and signs tokens.
type issuer struct {
	t      *testing.T
	server *httptest.Server
	key    *rsa.PrivateKey
	// claims are what the next ID token says besides what it must; change adapts all of it.
	claims map[string]any
	change func(claims map[string]any)
	// userInfo is answered to who asks for it.
	userInfo map[string]any
	// signer signs in place of key when it is set.
	signer    *rsa.PrivateKey
	challenge string
	nonce     string
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	i := &issuer{t: t, key: key, claims: map[string]any{"sub": "ann-at-work", "email": "Ann@example.com", "email_verified": true, "name": "Ann"}}
	mux := http.NewServeMux()
	i.server = httptest.NewServer(mux)
	t.Cleanup(i.server.Close)
	reply := func(w http.ResponseWriter, body any) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(body)
	}
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, map[string]any{"issuer": i.server.URL, "authorization_endpoint": i.server.URL + "/authorize", "token_endpoint": i.server.URL + "/token",
			"jwks_uri": i.server.URL + "/keys", "userinfo_endpoint": i.server.URL + "/userinfo", "id_token_signing_alg_values_supported": []string{"RS256"}})
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &key.PublicKey, KeyID: "1", Algorithm: "RS256", Use: "sig"}}})
	})
	mux.HandleFunc("/userinfo", func(w http.ResponseWriter, _ *http.Request) { reply(w, i.userInfo) })
	mux.HandleFunc("/token", i.token)
	return i
}

func (i *issuer) token(w http.ResponseWriter, r *http.Request) {
	sum := sha256.Sum256([]byte(r.FormValue("code_verifier")))
	id, secret, _ := r.BasicAuth()
	if r.FormValue("code") != "the code" || base64.RawURLEncoding.EncodeToString(sum[:]) != i.challenge || id != "console" || secret != "secret" {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"error":"invalid_grant","error_description":"about ann@example.com"}`))
		return
	}
	claims := map[string]any{"iss": i.server.URL, "aud": "console", "iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix(), "nonce": i.nonce}
	for name, value := range i.claims {
		claims[name] = value
	}
	if i.change != nil {
		i.change(claims)
	}
	key := i.key
	if i.signer != nil {
		key = i.signer
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: key, KeyID: "1"}}, nil)
	if err != nil {
		i.t.Error(err)
		return
	}
	content, _ := json.Marshal(claims)
	signed, err := signer.Sign(content)
	if err != nil {
		i.t.Error(err)
		return
	}
	raw, _ := signed.CompactSerialize()
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"access_token": "a", "token_type": "Bearer", "id_token": raw})
}

// settings are those of a site that knows the provider. The site's own address is not known before it serves.
func (i *issuer) settings(role account.Role) func(*access.Options) {
	return func(o *access.Options) {
		o.PublicURL = "http://console.example.com"
		o.OIDC = access.OIDC{Issuer: i.server.URL, ClientID: "console", ClientSecret: "secret", Name: "Example ID", DefaultRole: role}
	}
}

// authorize is what the provider does when the person agrees: it gives the path that the browser is sent back to.
func (i *issuer) authorize(start answer) string {
	i.t.Helper()
	there, err := url.Parse(start.location())
	q := there.Query()
	if err != nil || start.code != http.StatusSeeOther || !strings.HasPrefix(start.location(), i.server.URL+"/authorize?") ||
		q.Get("redirect_uri") != "http://console.example.com/oidc/callback" || q.Get("code_challenge_method") != "S256" || q.Get("state") == "" ||
		q.Get("client_id") != "console" || !strings.Contains(q.Get("scope"), "openid") {
		i.t.Fatalf("%d to %s, %v", start.code, start.location(), err)
	}
	i.challenge, i.nonce = q.Get("code_challenge"), q.Get("nonce")
	return "/oidc/callback?" + url.Values{"state": {q.Get("state")}, "code": {"the code"}}.Encode()
}

func TestAPersonSignsInByOpenIDConnect(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		i := newIssuer(t)
		s := open(t, db, i.settings(""))
		ann := joined(t, db, "ann@example.com", account.Editor)
		b := s.browser()
		page := b.get("/sign-in?next=/page")
		if !strings.Contains(page.body, "Sign in with Example ID") || !strings.Contains(page.body, `href="/oidc/start?next=%2Fpage"`) {
			t.Fatalf("the sign-in page:\n%s", page.body)
		}
		back := i.authorize(b.get("/oidc/start?next=%2Fpage"))
		in := b.get(back)
		if in.code != http.StatusSeeOther || in.location() != "/page" {
			t.Fatalf("%d\n%s\n%s", in.code, in.body, s.log)
		}
		if page := b.get("/page"); !strings.HasPrefix(page.body, "hello ann@example.com") {
			t.Errorf("%d %s", page.code, page.body)
		}
		known, err := account.Users{DB: db}.Get(t.Context(), ann.ID)
		if err != nil || known.Identity != i.server.URL+" ann-at-work" {
			t.Errorf("%+v, %v", known, err)
		}
		if again := s.browser().get(back); again.code != http.StatusForbidden {
			t.Errorf("the answer in another browser: %d", again.code)
		}
		fresh := s.browser()
		i.authorize(fresh.get("/oidc/start"))
		if got := fresh.get(back); got.code != http.StatusForbidden {
			t.Errorf("the answer of another sign-in: %d", got.code)
		}
		other := s.browser()
		if got := other.get(i.authorize(other.get("/oidc/start?next=//evil.example"))); got.location() != "/" {
			t.Errorf("sent to %q", got.location())
		}
	})
}

func TestAnIdentityThatDoesNotHoldSignsNobodyIn(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	db := testdb.SQLite(t)
	s := open(t, db, i.settings(account.Viewer))
	gone := joined(t, db, "gone@example.com", account.Viewer)
	if _, err := (account.Users{DB: db}).SetActive(t.Context(), gone.ID, false, "test"); err != nil {
		t.Fatal(err)
	}
	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, says string
		prepare    func()
		change     func(claims map[string]any)
	}{
		{"an address that is not verified", "not verified", nil, func(c map[string]any) { c["email_verified"] = false }},
		{"an address of which nothing is said", "not verified", nil, func(c map[string]any) { delete(c, "email_verified") }},
		{"a token for another program", "does not hold", nil, func(c map[string]any) { c["aud"] = "another" }},
		{"a token of another provider", "does not hold", nil, func(c map[string]any) { c["iss"] = "https://evil.example" }},
		{"a token that is over", "does not hold", nil, func(c map[string]any) { c["exp"] = time.Now().Add(-time.Hour).Unix() }},
		{"a token that names nobody", "does not hold", nil, func(c map[string]any) { c["sub"] = "" }},
		{"a token of another sign-in", "does not hold", nil, func(c map[string]any) { c["nonce"] = "other" }},
		{"a token that somebody else signed", "does not hold", func() { i.signer = stranger }, nil},
		{"a code that was begun elsewhere", "does not hold", func() { i.challenge = "other" }, nil},
		{"a user who is deactivated", "deactivated", nil, func(c map[string]any) { c["email"], c["sub"] = "gone@example.com", "gone" }},
		{"somebody else in the user info", "does not hold", func() { i.userInfo = map[string]any{"sub": "other", "email": "a@example.com"} },
			func(c map[string]any) { delete(c, "email") }},
	} {
		i.signer, i.change = nil, test.change
		b := s.browser()
		back := i.authorize(b.get("/oidc/start"))
		if test.prepare != nil {
			test.prepare()
		}
		got := b.get(back)
		if got.code != http.StatusForbidden || !strings.Contains(got.body, test.says) || b.signedIn() {
			t.Errorf("%s: %d\n%s", test.name, got.code, got.body)
		}
	}
	if b := s.browser(); b.get("/oidc/callback?error=access_denied&state="+stateOf(t, b)).code != http.StatusForbidden {
		t.Error("a person who does not agree is signed in")
	}
	if strings.Contains(s.log.String(), "@example.com") {
		t.Errorf("the log names people:\n%s", s.log)
	}
}

// stateOf begins a sign-in, and gives its state.
func stateOf(t *testing.T, b *browser) string {
	t.Helper()
	there, err := url.Parse(b.get("/oidc/start").location())
	if err != nil {
		t.Fatal(err)
	}
	return there.Query().Get("state")
}

func TestSomebodyNewGetsTheDefaultRoleOrStaysOut(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		role account.Role
		in   bool
	}{{"", false}, {account.Viewer, true}} {
		i := newIssuer(t)
		i.claims = map[string]any{"sub": "new"}
		i.userInfo = map[string]any{"sub": "new", "email": "new@example.com", "email_verified": true} // not every provider puts it into the token
		db := testdb.SQLite(t)
		s := open(t, db, i.settings(test.role))
		b := s.browser()
		got := b.get(i.authorize(b.get("/oidc/start")))
		if b.signedIn() != test.in {
			t.Errorf("with the default role %q: %d\n%s\n%s", test.role, got.code, got.body, s.log)
		}
		if user, err := (account.Users{DB: db}).ByEmail(t.Context(), "new@example.com"); test.in && (err != nil || user.Role != test.role) {
			t.Errorf("%+v, %v", user, err)
		}
	}
}

func TestAProviderThatIsAwayIsSaidAndAskedAgain(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	db := testdb.SQLite(t)
	handler := i.server.Config.Handler
	i.server.Config.Handler = http.NotFoundHandler()
	s := open(t, db, i.settings(""))
	b := s.browser()
	if got := b.get("/oidc/start"); got.code != http.StatusBadGateway || !strings.Contains(got.body, "cannot be reached now") {
		t.Errorf("%d\n%s", got.code, got.body)
	}
	i.server.Config.Handler = handler
	i.authorize(b.get("/oidc/start"))
}

func TestThoseWhoComeWhileTheProviderIsAskedShareOneQuestion(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	var questions atomic.Int64
	i.server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		questions.Add(1)
		time.Sleep(time.Second)
		http.NotFound(w, r)
	})
	s := open(t, testdb.SQLite(t), i.settings(""))
	var people sync.WaitGroup
	for range 10 {
		b := s.browser()
		people.Go(func() {
			if got := b.get("/oidc/start"); got.code != http.StatusBadGateway {
				t.Errorf("%d", got.code)
			}
		})
	}
	people.Wait()
	if n := questions.Load(); n > 5 {
		t.Errorf("10 people made %d questions, one after the other", n)
	}
}
