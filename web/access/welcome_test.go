package access_test

import (
	"net/http"
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/account"
	"github.com/silquetech/silque-notifications/internal/testdb"
	"github.com/silquetech/silque-notifications/web/access"
)

func TestALinkSetsAPasswordAndSignsIn(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s := open(t, db)
		_, secret, err := account.Users{DB: db}.Invite(t.Context(), "ann@example.com", "Ann", account.Editor, "boss")
		if err != nil {
			t.Fatal(err)
		}
		path, b := access.WelcomePath(secret), s.browser()
		page := b.get(path)
		if page.code != http.StatusOK || !strings.Contains(page.body, "ann@example.com") || page.header.Get("Referrer-Policy") != "same-origin" {
			t.Fatalf("%d %v\n%s", page.code, page.header, page.body)
		}
		for want, passwords := range map[string][2]string{
			"12 characters or more":  {"short", "short"},
			"not the same":           {good, good + "."},
			"your own address":       {"ann@example.com", "ann@example.com"},
			"first passwords that o": {"password1234", "password1234"},
		} {
			got := b.post(path, b.token(path), "name", "Ann", "password", passwords[0], "again", passwords[1])
			if got.code != http.StatusUnprocessableEntity || !strings.Contains(got.body, want) || strings.Contains(got.body, `value="`+passwords[0]) && passwords[0] != "ann@example.com" {
				t.Errorf("want %q, got %d\n%s", want, got.code, got.body)
			}
		}
		got := b.post(path, b.token(path), "name", "Ann B.", "password", good, "again", good)
		if got.code != http.StatusSeeOther || got.location() != "/" || !b.signedIn() {
			t.Fatalf("%d %s", got.code, got.body)
		}
		other := s.browser()
		if again := other.get(path); again.code != http.StatusNotFound || !strings.Contains(again.body, "This link cannot be used") {
			t.Errorf("a second use: %d", again.code)
		}
		if in := other.signIn("ann@example.com", good, "/page"); in.location() != "/page" {
			t.Errorf("the password signs in: %d", in.code)
		}
		if made := other.get("/welcome/made-up"); made.code != http.StatusNotFound {
			t.Errorf("a made-up link: %d", made.code)
		}
	})
}
