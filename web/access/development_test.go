package access_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/silquetech/silque-notifications/internal/account"
	"github.com/silquetech/silque-notifications/internal/testdb"
	"github.com/silquetech/silque-notifications/web/access"
)

func inDevelopment(o *access.Options) { o.Development = true }

func TestDevelopmentSignsInWhoeverComesFromThisMachine(t *testing.T) {
	t.Parallel()
	s := open(t, testdb.SQLite(t), inDevelopment)
	b := s.browser()
	if page := b.get("/page"); page.code != http.StatusOK || !strings.HasPrefix(page.body, "hello admin@localhost") {
		t.Fatalf("%d %s", page.code, page.body)
	}
	_, token, _ := strings.Cut(b.get("/page").body, "admin@localhost ")
	if got := b.post("/change", token); got.code != http.StatusOK {
		t.Errorf("a form: %d", got.code)
	}
	if out := b.post("/sign-out", token); out.code != http.StatusSeeOther || b.signedIn() {
		t.Fatal("nobody can sign out")
	}
	page := b.get("/sign-in")
	for _, role := range account.Roles {
		if !strings.Contains(page.body, `name="role" value="`+string(role)+`"`) {
			t.Errorf("there is no button for %s:\n%s", role, page.body)
		}
	}
	if got := b.post("/sign-in/development", b.token("/sign-in"), "role", "viewer", "next", "/page"); got.location() != "/page" {
		t.Fatalf("%d %s", got.code, got.location())
	}
	if page := b.get("/page"); !strings.HasPrefix(page.body, "hello viewer@localhost") {
		t.Errorf("%d %s", page.code, page.body)
	}
	if got := b.post("/sign-in/development", b.tokenOfPage(), "role", "root"); got.code != http.StatusForbidden {
		t.Errorf("a role that is none: %d", got.code)
	}
}

// tokenOfPage gives the token that the page behind the guard shows.
func (b *browser) tokenOfPage() string {
	fields := strings.Fields(b.get("/page").body)
	return fields[len(fields)-1]
}

func TestDevelopmentsSignInIsForThisMachineByItsOwnName(t *testing.T) {
	t.Parallel()
	s := open(t, testdb.SQLite(t), inDevelopment)
	for name, change := range map[string]func(*http.Request){
		"a name that leads here (DNS rebinding)": func(r *http.Request) { r.Host = "evil.example" },
		"a name that begins like ours":           func(r *http.Request) { r.Host = "localhost.evil.example:8080" },
		"what a proxy passes on":                 func(r *http.Request) { r.Header.Set("X-Forwarded-For", "198.51.100.1") },
		"a change without a session":             func(r *http.Request) { r.Method = http.MethodPut },
	} {
		b := s.browser()
		if got := b.get("/page", change); got.code == http.StatusOK || b.cookie("silque_session") != "" {
			t.Errorf("%s: %d", name, got.code)
		}
	}
	for _, host := range []string{"localhost:8080", "127.0.0.1", "[::1]:8080", "LOCALHOST"} {
		if got := s.browser().get("/page", func(r *http.Request) { r.Host = host }); got.code != http.StatusOK {
			t.Errorf("%s: %d", host, got.code)
		}
	}
}

func TestWithoutTheOptionThereIsNoDevelopmentSignIn(t *testing.T) {
	t.Parallel()
	db := testdb.SQLite(t)
	if page := open(t, db, inDevelopment).browser().get("/page"); page.code != http.StatusOK {
		t.Fatal(page.code) // the users of development are in this database now
	}
	s := open(t, db)
	b := s.browser()
	if b.signedIn() {
		t.Error("a page opens without a sign-in")
	}
	page := b.get("/sign-in")
	if strings.Contains(page.body, "development") || !strings.Contains(page.body, "Nobody can sign in yet") {
		t.Errorf("the sign-in page:\n%s", page.body)
	}
	if got := b.post("/sign-in/development", b.token("/sign-in"), "role", "admin"); got.code != http.StatusNotFound || b.signedIn() {
		t.Errorf("its form answers: %d", got.code)
	}
	for _, password := range []string{"", "admin", "admin@localhost"} {
		if got := b.signIn("admin@localhost", password, ""); got.code != http.StatusUnprocessableEntity {
			t.Errorf("%q signs in: %d", password, got.code)
		}
	}
}
