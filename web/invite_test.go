package main

import (
	"log/slog"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/silquetech/silque-notifications/internal/account"
	"github.com/silquetech/silque-notifications/internal/store"
)

// invitedBy runs "web invite" on a database file, and gives its exit code and what it printed.
func invitedBy(t *testing.T, file string, arguments ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, complaints strings.Builder
	code = run(t.Context(), append([]string{"invite"}, arguments...), []string{"DATABASE_URL=sqlite://" + file, "NOTIFY_ADDR=:8099"}, &out, &complaints)
	return code, out.String(), complaints.String()
}

var linkOf = regexp.MustCompile(`http://127\.0\.0\.1:8099/welcome/(\S+)`)

func TestTheFirstAdminIsMadeByALink(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "test.db")
	code, stdout, stderr := invitedBy(t, file, "--email", "Ann@example.com", "--name", "Ann")
	link := linkOf.FindStringSubmatch(stdout)
	if code != 0 || link == nil || !strings.Contains(stdout, "ann@example.com (admin)") {
		t.Fatalf("%d\n%s\n%s", code, stdout, stderr)
	}
	db, err := store.Open("sqlite://"+file, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close(db) }()
	users := account.Users{DB: db}
	var said strings.Builder
	if err := tellFirst(t.Context(), db, slog.New(slog.NewTextHandler(&said, nil))); err != nil || !strings.Contains(said.String(), "web invite --email") {
		t.Errorf("the web app says %q, %v", &said, err)
	}
	if _, err := users.Welcome(t.Context(), link[1], "", "four words in a row"); err != nil {
		t.Fatal(err)
	}
	said.Reset()
	if err := tellFirst(t.Context(), db, slog.New(slog.NewTextHandler(&said, nil))); err != nil || said.Len() > 0 {
		t.Errorf("the web app says %q, %v", &said, err)
	}

	if code, stdout, _ := invitedBy(t, file, "--email", "ben@example.com"); code != 0 || !strings.Contains(stdout, "ben@example.com (viewer)") {
		t.Errorf("the second one: %d %s", code, stdout)
	}
	code, stdout, _ = invitedBy(t, file, "--email", "ann@example.com")
	if link := linkOf.FindStringSubmatch(stdout); code != 0 || link == nil || !strings.Contains(stdout, "(admin)") {
		t.Fatalf("a lost password: %d %s", code, stdout)
	} else if _, err := users.Welcome(t.Context(), link[1], "", "another long password"); err != nil {
		t.Error(err)
	}
	if code, _, stderr := invitedBy(t, file, "--email", "ann@example.com", "--role", "viewer"); code != 1 || !strings.Contains(stderr, "last active admin") {
		t.Errorf("the last admin: %d %s", code, stderr)
	}
}

func TestWrongUsageOfInviteIsExitCodeTwo(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "test.db")
	for arguments, want := range map[string]int{
		"": 2, "--email": 2, "ann@example.com": 2, "--email a@example.com extra": 2, "--email a@example.com --role root": 2, "-help": 0,
		"--email nobody": 1,
	} {
		if code, _, stderr := invitedBy(t, file, strings.Fields(arguments)...); code != want || stderr == "" {
			t.Errorf("%q: exit code %d, want %d: %s", arguments, code, want, stderr)
		}
	}
}
