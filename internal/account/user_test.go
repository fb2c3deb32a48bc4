package account_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/account"
	"github.com/silquetech/silque-notifications/internal/audit"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

func TestMain(m *testing.M) { os.Exit(testdb.Run(m)) }

const good = "four words in a row"

// joined makes a user who has set a password.
func joined(t *testing.T, db *gorm.DB, email string, role account.Role) *account.User {
	t.Helper()
	_, secret, err := account.Users{DB: db}.Invite(t.Context(), email, "", role, "test")
	if err != nil {
		t.Fatal(err)
	}
	user, err := account.Users{DB: db}.Welcome(t.Context(), secret, "", good)
	if err != nil {
		t.Fatal(err)
	}
	return user
}

// said gives the actions of the audit log, the oldest first.
func said(t *testing.T, db *gorm.DB) string {
	t.Helper()
	records, _, err := audit.List(t.Context(), db, audit.Filter{}, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	text := ""
	for _, r := range records {
		text = r.Actor + " " + r.Action + " (" + r.Detail + ")\n" + text
	}
	return text
}

func TestAnInvitationSetsAPasswordOnce(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		ctx, users := t.Context(), account.Users{DB: db}
		invited, secret, err := users.Invite(ctx, " Ann@Example.com ", "Ann", account.Editor, "boss@example.com")
		if err != nil || invited.Email != "ann@example.com" || !invited.Invited() {
			t.Fatalf("%+v, %v", invited, err)
		}
		if _, err := users.Welcome(ctx, secret, "", "short"); err == nil || errors.Is(err, account.ErrInvitation) {
			t.Fatalf("a short password: %v", err)
		}
		user, err := users.Welcome(ctx, secret, "Ann B.", good)
		if err != nil || user.Invited() || user.Name != "Ann B." || user.Stamp == invited.Stamp {
			t.Fatalf("%+v, %v", user, err)
		}
		if !account.CheckPassword(ctx, good, user.PasswordHash) || account.CheckPassword(ctx, good+".", user.PasswordHash) {
			t.Error("the password is another one")
		}
		if _, err := users.Welcome(ctx, secret, "", good); !errors.Is(err, account.ErrInvitation) {
			t.Errorf("a second use: %v", err)
		}
		if _, _, err := users.Invite(ctx, "ANN@example.com", "", account.Viewer, "boss@example.com"); !errors.Is(err, account.ErrEmailTaken) {
			t.Errorf("the same address again: %v", err)
		}
		want := "boss@example.com user.invited (ann@example.com as editor)\nann@example.com user.password_set (ann@example.com)\n"
		if got := said(t, db); got != want {
			t.Errorf("the log says\n%s", got)
		}
		for _, secretText := range []string{secret, good} {
			var found int64
			db.Raw("SELECT COUNT(*) FROM notify_invitations WHERE token_hash LIKE ?", "%"+secretText+"%").Scan(&found)
			if found != 0 {
				t.Error("a secret is kept in the open")
			}
		}
	})
}

func TestALinkEndsWithItsTimeWithANewerOneAndWithTheUser(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		ctx, now := t.Context(), time.Now()
		users := account.Users{DB: db, Now: func() time.Time { return now }}
		user, first, err := users.Invite(ctx, "ann@example.com", "", account.Editor, "boss")
		if err != nil {
			t.Fatal(err)
		}
		_, second, err := users.InviteAgain(ctx, user.ID, "boss")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := users.Invited(ctx, first); !errors.Is(err, account.ErrInvitation) {
			t.Errorf("the first link: %v", err)
		}
		if _, err := users.Invited(ctx, second); err != nil {
			t.Errorf("the second link: %v", err)
		}
		now = now.Add(account.InvitationLife + time.Second)
		if _, err := users.Invited(ctx, second); !errors.Is(err, account.ErrInvitation) {
			t.Errorf("after its time: %v", err)
		}
		_, third, err := users.InviteAgain(ctx, user.ID, "boss")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := users.SetActive(ctx, user.ID, false, "boss"); err != nil {
			t.Fatal(err)
		}
		if _, err := users.Welcome(ctx, third, "", good); !errors.Is(err, account.ErrInvitation) {
			t.Errorf("of a deactivated user: %v", err)
		}
		if _, err := users.Invited(ctx, ""); !errors.Is(err, account.ErrInvitation) {
			t.Errorf("no link at all: %v", err)
		}
	})
}

func TestTheLastActiveAdminStaysOne(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		ctx, users := t.Context(), account.Users{DB: db}
		if needs, err := users.NeedsFirst(ctx); err != nil || !needs {
			t.Errorf("an empty database needs an admin: %v, %v", needs, err)
		}
		ann := joined(t, db, "ann@example.com", account.Admin)
		if _, _, err := users.Invite(ctx, "invited@example.com", "", account.Admin, "ann"); err != nil {
			t.Fatal(err)
		}
		joined(t, db, "ed@example.com", account.Editor)
		for name, try := range map[string]func() error{
			"demote":     func() error { _, err := users.SetRole(ctx, ann.ID, account.Editor, "ann"); return err },
			"deactivate": func() error { _, err := users.SetActive(ctx, ann.ID, false, "ann"); return err },
		} {
			if err := try(); !errors.Is(err, account.ErrLastAdmin) {
				t.Errorf("%s the only admin who can sign in: %v", name, err)
			}
		}
		joined(t, db, "ben@example.com", account.Admin)
		if _, err := users.SetRole(ctx, ann.ID, account.Editor, "ben"); err != nil {
			t.Errorf("demote one of two: %v", err)
		}
		if needs, err := users.NeedsFirst(ctx); err != nil || needs {
			t.Errorf("there is an admin: %v, %v", needs, err)
		}
	})
}

func TestTwoAdminsCannotDemoteEachOther(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		users := account.Users{DB: db}
		var together sync.WaitGroup
		for round := range 5 {
			ann := joined(t, db, fmt.Sprintf("ann%d@example.com", round), account.Admin)
			ben := joined(t, db, fmt.Sprintf("ben%d@example.com", round), account.Admin)
			if round > 0 {
				db.Exec("UPDATE notify_users SET role = 'viewer' WHERE id NOT IN (?, ?)", ann.ID, ben.ID)
			}
			for _, u := range []*account.User{ann, ben} {
				together.Go(func() { _, _ = users.SetRole(context.Background(), u.ID, account.Viewer, "other") })
			}
			together.Wait()
			var admins int64
			db.Raw("SELECT COUNT(*) FROM notify_users WHERE role = 'admin'").Scan(&admins)
			if admins != 1 {
				t.Fatalf("round %d: %d admins are left", round, admins)
			}
		}
	})
}

func TestRolesNamesAndActivityAreChangedAndTold(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		ctx, users := t.Context(), account.Users{DB: db}
		ann := joined(t, db, "ann@example.com", account.Viewer)
		before := said(t, db)
		for _, err := range []error{
			second(users.SetRole(ctx, ann.ID, account.Editor, "boss")), second(users.SetRole(ctx, ann.ID, account.Editor, "boss")),
			second(users.SetName(ctx, ann.ID, " Ann ", "ann@example.com")), second(users.SetActive(ctx, ann.ID, false, "boss")),
			second(users.SetActive(ctx, ann.ID, false, "boss")), second(users.SetActive(ctx, ann.ID, true, "boss")),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		want := "boss user.role_changed (ann@example.com: viewer → editor)\nann@example.com user.renamed (ann@example.com)\n" +
			"boss user.deactivated (ann@example.com)\nboss user.activated (ann@example.com)\n"
		if got := strings.TrimPrefix(said(t, db), before); got != want {
			t.Errorf("the log says\n%s", got)
		}
		for name, err := range map[string]error{
			"a role that is none": second(users.SetRole(ctx, ann.ID, "root", "boss")),
			"a name of two lines": second(users.SetName(ctx, ann.ID, "a\nb", "boss")),
			"nobody":              second(users.SetActive(ctx, "nobody", true, "boss")),
		} {
			if err == nil {
				t.Errorf("%s is taken", name)
			}
		}
	})
}

func second[T any](_ T, err error) error { return err }

func TestSomeoneFromAProviderIsFoundByIdentityThenByAddress(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		ctx, users := t.Context(), account.Users{DB: db}
		const issuer = "https://id.example.com"
		if _, err := users.FromProvider(ctx, issuer, "1", "ann@example.com", "", ""); !errors.Is(err, account.ErrNotFound) {
			t.Errorf("somebody new without a default role: %v", err)
		}
		ann := joined(t, db, "ann@example.com", account.Editor)
		known, err := users.FromProvider(ctx, issuer, "1", "Ann@example.com", "", account.Viewer)
		if err != nil || known.ID != ann.ID || known.Role != account.Editor {
			t.Fatalf("%+v, %v", known, err)
		}
		moved, err := users.FromProvider(ctx, issuer, "1", "ann.married@example.com", "", account.Viewer)
		if err != nil || moved.ID != ann.ID {
			t.Errorf("with another address: %+v, %v", moved, err)
		}
		if _, err := users.FromProvider(ctx, issuer, "2", "ann@example.com", "", account.Viewer); !errors.Is(err, account.ErrIdentityTaken) {
			t.Errorf("another person with her old address: %v", err)
		}
		kate := joined(t, db, "kate@example.com", account.Admin)
		if u, err := users.FromProvider(ctx, issuer, "4", "\u212aate@example.com", "", account.Viewer); !errors.Is(err, account.ErrNotFound) {
			t.Errorf("somebody else's address became %s: %+v, %v", kate.Email, u, err)
		}
		if _, err := users.FromProvider(ctx, issuer, "5", "no address", "", account.Viewer); !errors.Is(err, account.ErrNotFound) {
			t.Errorf("no address: %v", err)
		}
		for _, strange := range []string{"ann\x00@example.com", "ann\xff@example.com"} {
			if _, err := users.ByEmail(ctx, strange); !errors.Is(err, account.ErrNotFound) {
				t.Errorf("%q: %v", strange, err)
			}
		}
		fresh, err := users.FromProvider(ctx, issuer, "3", "new@example.com", "New\nName", account.Viewer)
		if err != nil || fresh.Role != account.Viewer || fresh.Name != "" || fresh.Invited() {
			t.Errorf("somebody new: %+v, %v", fresh, err)
		}
	})
}

// TestSomebodyNewWhoComesTwiceAtOnceIsOneUser: in two windows, or by a browser that repeats the request.
func TestSomebodyNewWhoComesTwiceAtOnceIsOneUser(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		users := account.Users{DB: db}
		for round := range 10 {
			const windows = 4
			email := fmt.Sprintf("new%d@example.com", round)
			found, errs := make([]*account.User, windows), make([]error, windows)
			var all sync.WaitGroup
			for i := range windows {
				all.Go(func() {
					found[i], errs[i] = users.FromProvider(t.Context(), "https://id.example.com", email, email, "", account.Viewer)
				})
			}
			all.Wait()
			for i := range windows {
				if errs[i] != nil || found[i].ID != found[0].ID {
					t.Fatalf("round %d, window %d: %v, %v", round, i, found[i], errs[i])
				}
			}
		}
	})
}

func TestAdminsWhoTakeEachOthersRightsAtOnceLeaveOneAndNoDeadlock(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		users := account.Users{DB: db}
		ann, ben := joined(t, db, "ann@example.com", account.Admin), joined(t, db, "ben@example.com", account.Admin)
		for range 15 {
			var both sync.WaitGroup
			errs := make([]error, 2)
			for i, id := range []string{ann.ID, ben.ID} {
				both.Go(func() { _, errs[i] = users.SetRole(t.Context(), id, account.Viewer, "test") })
			}
			both.Wait()
			refused := 0
			for _, err := range errs {
				if errors.Is(err, account.ErrLastAdmin) {
					refused++
				} else if err != nil {
					t.Fatal(err)
				}
			}
			if refused != 1 {
				t.Fatalf("%d of 2 were refused", refused)
			}
			for _, id := range []string{ann.ID, ben.ID} {
				if _, err := users.SetRole(t.Context(), id, account.Admin, "test"); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

func TestDevelopmentsUsersAreMadeOnceAndAreNobodysFirstAdmin(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		ctx, users := t.Context(), account.Users{DB: db}
		first, err := users.Development(ctx, account.Admin)
		if err != nil || first.Email != "admin@localhost" {
			t.Fatal(first, err)
		}
		again, err := users.Development(ctx, account.Admin)
		if err != nil || again.ID != first.ID {
			t.Errorf("made again: %v, %v", again, err)
		}
		if needs, err := users.NeedsFirst(ctx); err != nil || !needs {
			t.Errorf("production still needs an admin: %v, %v", needs, err)
		}
		if account.CheckPassword(ctx, "", first.PasswordHash) {
			t.Error("an empty password signs in")
		}
		ann := joined(t, db, "ann@example.com", account.Admin)
		if _, err := users.SetActive(ctx, ann.ID, false, "ann@example.com"); !errors.Is(err, account.ErrLastAdmin) {
			t.Errorf("the last admin who can sign in in production was deactivated: %v", err)
		}
	})
}

func TestUsersAndTokensAreFoundByIndexes(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		ctx := t.Context()
		for i := range 300 {
			email := fmt.Sprintf("u%d@example.com", i)
			if _, _, err := (account.Users{DB: db}).Invite(ctx, email, "", account.Viewer, "test"); err != nil {
				t.Fatal(err)
			}
		}
		for name, ask := range map[string]func(db *gorm.DB) error{
			"a user by email":    func(db *gorm.DB) error { _, err := account.Users{DB: db}.ByEmail(ctx, "u7@example.com"); return err },
			"a user by identity": func(db *gorm.DB) error { _, _ = account.Users{DB: db}.ByIdentity(ctx, "a b"); return nil },
			"the first admin":    func(db *gorm.DB) error { _, err := account.Users{DB: db}.NeedsFirst(ctx); return err },
			"an invitation":      func(db *gorm.DB) error { _, _ = account.Users{DB: db}.Invited(ctx, "x"); return nil },
			"a session":          func(db *gorm.DB) error { _, _, err := account.Sessions{DB: db}.FindCtx(ctx, "x"); return err },
			"a user's sessions":  func(db *gorm.DB) error { _, err := account.Sessions{DB: db}.Of(ctx, "x"); return err },
			"sessions over":      func(db *gorm.DB) error { return account.Sessions{DB: db}.Sweep(ctx) },
			"a token":            func(db *gorm.DB) error { _, _ = account.Tokens{DB: db}.BySecret(ctx, "silque_x"); return nil },
			"a maker's tokens":   func(db *gorm.DB) error { _, err := account.Tokens{DB: db}.MadeBy(ctx, "x"); return err },
			"users":              func(db *gorm.DB) error { _, _, err := account.Users{DB: db}.List(ctx, "u2"); return err },
		} {
			plans := testdb.Plans(t, db, ask)
			if len(plans) == 0 {
				t.Errorf("%s: no statement was seen", name)
			}
			for _, plan := range plans {
				if plan.WholeTable(name == "the first admin") {
					t.Errorf("%s reads a whole table:\n%s\n%s", name, plan.Statement, plan.Text)
				}
			}
		}
		users, next, err := account.Users{DB: db}.List(ctx, "")
		if err != nil || len(users) != account.PageSize || next != users[account.PageSize-1].Email {
			t.Errorf("%d users, next %q, %v", len(users), next, err)
		}
	})
}
