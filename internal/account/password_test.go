package account_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/account"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

func TestAPasswordIsLongAndNotEverybodys(t *testing.T) {
	t.Parallel()
	ann := &account.User{Email: "ann.longname@example.com", Name: "Ann Catherine B."}
	for password, taken := range map[string]bool{
		"":                               false,
		"eleven char":                    false,
		"twelve chars":                   true,
		"zwölf Zeichen":                  true,
		"üüüüüü12":                       false,
		good:                             true,
		"all lower case and no digit":    true,
		"ann.longname@example.com":       false,
		"Ann.LongName":                   false,
		"ann catherine b.":               false,
		"Password1234":                   false,
		"correct horse battery staple":   false,
		"aaaaaaaaaaaaaaa":                false,
		"abcabcabcabcabc":                false,
		"not text \xff\xfe and so on":    false,
		strings.Repeat("long words ", 8): true,
		strings.Repeat("x1", 101):        false,
	} {
		err := account.CheckNewPassword(password, ann)
		if (err == nil) != taken {
			t.Errorf("%q: %v", password, err)
		}
		var problem account.PasswordProblem
		if err != nil && (!errors.As(err, &problem) || strings.Contains(err.Error(), password) && password != "") {
			t.Errorf("%q is answered with %q", password, err)
		}
	}
}

func TestTheSamePasswordFromTwoKeyboardsIsTheSame(t *testing.T) {
	t.Parallel()
	db := testdb.SQLite(t)
	_, secret, err := account.Users{DB: db}.Invite(t.Context(), "ann@example.com", "", account.Viewer, "test")
	if err != nil {
		t.Fatal(err)
	}
	user, err := account.Users{DB: db}.Welcome(t.Context(), secret, "", "caf\u00e9 au lait, merci")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(user.PasswordHash, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("the hash is %s", user.PasswordHash)
	}
	if !account.CheckPassword(t.Context(), "cafe\u0301 au lait, merci", user.PasswordHash) {
		t.Error("the other way to write é is refused")
	}
}

func TestNobodysPasswordIsRefusedAndSoIsOneWhoseTurnNeverComes(t *testing.T) {
	t.Parallel()
	if account.CheckPassword(t.Context(), "nobody has this password", "") {
		t.Error("the password that stands for none signs in")
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if account.CheckPassword(ended, good, "") {
		t.Error("a request that has ended signs in")
	}
}

func TestANewPasswordNeedsTheOldOneAndEndsTheOtherSessions(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		ctx, users := t.Context(), account.Users{DB: db}
		ann := joined(t, db, "ann@example.com", account.Viewer)
		here, there := begin(t, db, ann, "here"), begin(t, db, ann, "there")
		if _, err := users.ChangePassword(ctx, ann.ID, "not this one", "another long password", "here"); !errors.Is(err, account.ErrPassword) {
			t.Fatalf("with a wrong password: %v", err)
		}
		if _, err := users.ChangePassword(ctx, ann.ID, good, "short", "here"); err == nil {
			t.Fatal("a short password is taken")
		}
		after, err := users.ChangePassword(ctx, ann.ID, good, "another long password", "here")
		if err != nil || after.Stamp == ann.Stamp {
			t.Fatalf("%+v, %v", after, err)
		}
		if !lives(t, db, here) || lives(t, db, there) {
			t.Error("the session here must go on, and the one there must not")
		}
	})
}
