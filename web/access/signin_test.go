package access_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/account"
	"github.com/silquetech/silque-notifications/internal/testdb"
	"github.com/silquetech/silque-notifications/web/access"
)

func TestAPersonSignsInLooksAtThePageTheyWantedAndSignsOut(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s := open(t, db)
		joined(t, db, "ann@example.com", account.Editor)
		ann := s.browser()
		sent := ann.get("/page?x=1&y=2")
		if sent.code != http.StatusSeeOther || sent.location() != "/sign-in?next=%2Fpage%3Fx%3D1%26y%3D2" {
			t.Fatalf("%d %s", sent.code, sent.location())
		}
		page := ann.get(sent.location())
		if page.code != http.StatusOK || !strings.Contains(page.body, `value="/page?x=1&amp;y=2"`) ||
			strings.Contains(page.body, "as admin") || page.header.Get("Content-Security-Policy") == "" {
			t.Errorf("the sign-in page: %d\n%s", page.code, page.body)
		}
		in := ann.signIn(" Ann@Example.com ", good, "/page?x=1&y=2")
		if in.code != http.StatusSeeOther || in.location() != "/page?x=1&y=2" {
			t.Fatalf("%d %s", in.code, in.body)
		}
		for _, cookie := range in.header.Values("Set-Cookie") {
			if strings.HasPrefix(cookie, "silque_session=") && (!strings.Contains(cookie, "HttpOnly") || !strings.Contains(cookie, "SameSite=Lax")) {
				t.Errorf("the cookie is %s", cookie)
			}
		}
		if page := ann.get("/page"); !strings.HasPrefix(page.body, "hello ann@example.com ") {
			t.Errorf("%d %s", page.code, page.body)
		}
		if again := ann.get("/sign-in?next=/page"); again.code != http.StatusSeeOther || again.location() != "/page" {
			t.Errorf("the sign-in page of someone who is signed in: %d %s", again.code, again.location())
		}
		if got := ann.get("/admin"); got.code != http.StatusForbidden || !strings.Contains(got.body, "You may not do this") {
			t.Errorf("an editor on an admin's page: %d", got.code)
		}
		user, err := account.Users{DB: db}.ByEmail(t.Context(), "ann@example.com")
		if err != nil || user.LastSignInAt == nil {
			t.Errorf("%+v, %v", user, err)
		}
		token := ann.cookie("silque_session")
		_, form, _ := strings.Cut(ann.get("/page").body, "ann@example.com ")
		out := ann.post("/sign-out", form)
		if out.code != http.StatusSeeOther || ann.signedIn() {
			t.Errorf("after signing out: %d", out.code)
		}
		ann.plant("silque_session", token)
		if ann.signedIn() {
			t.Error("the cookie of before opens the session that has ended")
		}
	})
}

func TestTheSessionsTokenIsNotInTheDatabase(t *testing.T) {
	t.Parallel()
	db := testdb.SQLite(t)
	s := open(t, db)
	joined(t, db, "ann@example.com", account.Editor)
	ann := s.browser()
	ann.signIn("ann@example.com", good, "")
	var found int64
	token := ann.cookie("silque_session")
	db.Raw("SELECT COUNT(*) FROM notify_sessions WHERE token = ? OR data LIKE ?", token, "%"+token+"%").Scan(&found)
	if token == "" || found != 0 {
		t.Errorf("token %q is found in %d rows", token, found)
	}
}

func TestASessionThatSomebodyPlantedIsWorthNothing(t *testing.T) {
	t.Parallel()
	db := testdb.SQLite(t)
	s := open(t, db)
	joined(t, db, "mallory@example.com", account.Viewer)
	joined(t, db, "ann@example.com", account.Admin)
	mallory, ann := s.browser(), s.browser()
	mallory.signIn("mallory@example.com", good, "")
	planted := mallory.cookie("silque_session")
	for name, value := range map[string]string{"one of the attacker's own": planted, "one that was made up": "0123456789abcdef0123456789abcdef"} {
		ann.plant("silque_session", value)
		if got := ann.get("/sign-in"); name != "one of the attacker's own" && got.code != http.StatusOK {
			t.Fatalf("%s: %d", name, got.code)
		}
		other := s.browser()
		form := other.token("/sign-in")
		other.plant("silque_session", value)
		if in := other.post("/sign-in", form, "email", "ann@example.com", "password", good); in.code != http.StatusSeeOther {
			t.Fatalf("%s: %d", name, in.code)
		}
		if other.cookie("silque_session") == value {
			t.Errorf("%s: the token stays the same", name)
		}
		attacker := s.browser()
		attacker.plant("silque_session", value)
		if got := attacker.get("/page"); strings.Contains(got.body, "ann@") {
			t.Errorf("%s: the attacker is in her session", name)
		}
	}
}

func TestASessionEndsWithWhatItRestsOn(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		now := time.Now()
		s := open(t, db, func(o *access.Options) { o.Now = func() time.Time { return now } })
		users := account.Users{DB: db}
		ann, boss := joined(t, db, "ann@example.com", account.Admin), joined(t, db, "boss@example.com", account.Admin)
		begun := func() *browser {
			t.Helper()
			b := s.browser()
			if in := b.signIn("ann@example.com", good, ""); in.code != http.StatusSeeOther || !b.signedIn() {
				t.Fatalf("sign-in: %d", in.code)
			}
			return b
		}
		b := begun()
		if _, err := users.SetRole(t.Context(), ann.ID, account.Viewer, boss.Email); err != nil {
			t.Fatal(err)
		}
		if got := b.get("/admin"); got.code != http.StatusForbidden {
			t.Errorf("a role that was taken away still counts: %d", got.code)
		}
		now = now.Add(11 * time.Hour)
		if !b.signedIn() {
			t.Error("the session ends within a working day")
		}
		now = now.Add(11 * time.Hour)
		if !b.signedIn() {
			t.Error("looking at a page does not keep the session")
		}
		now = now.Add(13 * time.Hour)
		if b.signedIn() {
			t.Error("the session outlives a night without a look")
		}
		b = begun()
		if _, err := users.ChangePassword(t.Context(), ann.ID, good, "another long password", ""); err != nil {
			t.Fatal(err)
		}
		if b.signedIn() {
			t.Error("the session outlives the password")
		}
		if _, err := users.ChangePassword(t.Context(), ann.ID, "another long password", good, ""); err != nil {
			t.Fatal(err)
		}
		b = begun()
		if _, err := users.SetActive(t.Context(), ann.ID, false, boss.Email); err != nil {
			t.Fatal(err)
		}
		if b.signedIn() {
			t.Error("the session outlives the deactivation")
		}
		if in := b.signIn("ann@example.com", good, ""); in.code != http.StatusUnprocessableEntity {
			t.Errorf("a deactivated user signs in: %d", in.code)
		}
	})
}

func TestASessionEndsAfterItsLifetimeHoweverOftenItIsUsed(t *testing.T) {
	t.Parallel()
	db := testdb.SQLite(t)
	s := open(t, db, func(o *access.Options) { o.Lifetime = 300 * time.Millisecond })
	joined(t, db, "ann@example.com", account.Viewer)
	b := s.browser()
	b.signIn("ann@example.com", good, "")
	deadline := time.Now().Add(10 * time.Second)
	for b.signedIn() {
		if time.Now().After(deadline) {
			t.Fatal("the session goes on for ever")
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func TestWhetherThereIsSuchAnAccountCannotBeTold(t *testing.T) {
	t.Parallel()
	db := testdb.SQLite(t)
	s := open(t, db, func(o *access.Options) { o.Tries.OfAccount, o.Tries.OfAddress = 1000, 1000 })
	joined(t, db, "ann@example.com", account.Viewer)
	if _, _, err := (account.Users{DB: db}).Invite(t.Context(), "invited@example.com", "", account.Viewer, "test"); err != nil {
		t.Fatal(err)
	}
	b := s.browser()
	token := b.token("/sign-in")
	page, took := map[string]string{}, map[string]time.Duration{}
	emails := []string{"ann@example.com", "nobody@example.com", "invited@example.com"}
	for _, email := range emails {
		var times []time.Duration
		for range 7 {
			begin := time.Now()
			got := b.post("/sign-in", token, "email", email, "password", "not the password")
			times = append(times, time.Since(begin))
			page[email] = tokenField.ReplaceAllString(strings.ReplaceAll(got.body, email, "…"), "")
			_, page[email], _ = strings.Cut(page[email], "<main")
			if got.code != http.StatusUnprocessableEntity {
				t.Fatalf("%s: %d", email, got.code)
			}
		}
		took[email] = slices.Min(times)
	}
	for _, email := range emails[1:] {
		if page[email] != page[emails[0]] {
			t.Errorf("the answer for %s differs:\n%s\n%s", email, page[email], page[emails[0]])
		}
		if took[email] < took[emails[0]]/3 {
			t.Errorf("the answer for %s takes %v, for an account with a password %v", email, took[email], took[emails[0]])
		}
	}
	if said := s.log.String(); strings.Contains(said, "@example.com") {
		t.Errorf("the log names people:\n%s", said)
	}
}

func TestGuessingIsSlowedDownPerAccountAndPerAddress(t *testing.T) {
	t.Parallel()
	db := testdb.SQLite(t)
	s := open(t, db, func(o *access.Options) { o.Tries.OfAccount, o.Tries.OfAddress = 3, 6 })
	joined(t, db, "ann@example.com", account.Viewer)
	joined(t, db, "ben@example.com", account.Viewer)
	b := s.browser()
	token := b.token("/sign-in")
	try := func(email, password string) answer {
		t.Helper()
		return b.post("/sign-in", token, "email", email, "password", password)
	}
	for i := range 3 {
		if got := try("ANN@example.com", "guess"); got.code != http.StatusUnprocessableEntity {
			t.Fatalf("try %d: %d", i, got.code)
		}
	}
	got := try("ann@example.com", good)
	if got.code != http.StatusTooManyRequests || got.header.Get("Retry-After") == "" || !strings.Contains(got.body, "too many tries") || b.signedIn() {
		t.Fatalf("the right password after too many wrong ones: %d\n%s", got.code, got.body)
	}
	if got := try("ben@example.com", good); got.code != http.StatusSeeOther {
		t.Errorf("another account: %d", got.code)
	}
	_ = try("carl@example.com", good)
	if got := try("dan@example.com", good); got.code != http.StatusTooManyRequests {
		t.Errorf("one account after the other: %d", got.code)
	}
	forwarded := b.send(http.MethodPost, "/sign-in", strings.NewReader(url.Values{"csrf_token": {token}, "email": {"eve@example.com"}}.Encode()),
		func(r *http.Request) { r.Header.Set("X-Forwarded-For", "198.51.100.9") })
	if forwarded.code != http.StatusTooManyRequests {
		t.Errorf("an address that anybody can make up is believed: %d", forwarded.code)
	}
}

func TestNobodyIsSentToAnotherSite(t *testing.T) {
	t.Parallel()
	db := testdb.SQLite(t)
	s := open(t, db, func(o *access.Options) { o.Tries.OfAccount, o.Tries.OfAddress = 1000, 1000 })
	joined(t, db, "ann@example.com", account.Viewer)
	in := s.browser()
	in.signIn("ann@example.com", good, "")
	for next, want := range map[string]string{
		"":                              "/",
		"/":                             "/",
		"/notifications?active=true":    "/notifications?active=true",
		"/a//b":                         "/a/b",
		"//evil.example":                "/",
		"///evil.example":               "/",
		"/\\evil.example":               "/",
		"\\\\evil.example":              "/",
		"/%5Cevil.example":              "/",
		"/\t/evil.example":              "/",
		"/\n//evil.example":             "/",
		"https://evil.example/":         "/",
		"https:evil.example":            "/",
		"javascript:alert(1)":           "/",
		"evil.example":                  "/",
		"@evil.example":                 "/",
		"%20//evil.example":             "/",
		"/sign-out":                     "/",
		"/%2F/evil.example":             "/",
		"http://127.0.0.1/":             "/",
		"/a/../..//evil.example/%2e%2e": "/evil.example/%2e%2e",
	} {
		if got := in.get("/sign-in?" + url.Values{"next": {next}}.Encode()); got.code != http.StatusSeeOther || got.location() != want {
			t.Errorf("signed in, next=%q leads to %q, want %q", next, got.location(), want)
		}
		if !strings.Contains(next, "evil") || len(next) > 16 {
			continue // to check a password takes long
		}
		if got := s.browser().signIn("ann@example.com", good, next); got.code != http.StatusSeeOther || got.location() != want {
			t.Errorf("next=%q leads to %q (%d), want %q", next, got.location(), got.code, want)
		}
	}
}
