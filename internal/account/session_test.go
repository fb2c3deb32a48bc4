package account_test

import (
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/account"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

// data is a session of somebody as scs encodes it.
func data(t *testing.T, u *account.User, id string) []byte {
	t.Helper()
	encoded, err := scs.GobCodec{}.Encode(time.Now().Add(time.Hour), map[string]any{
		account.SessionUser: u.ID, account.SessionID: id, account.SessionAddress: "192.0.2.7", account.SessionClient: "Firefox",
	})
	if err != nil {
		t.Fatal(err)
	}
	return encoded
}

// begin stores a session, and gives its token.
func begin(t *testing.T, db *gorm.DB, u *account.User, id string) string {
	t.Helper()
	token := "hash of " + id + u.ID
	if err := (account.Sessions{DB: db}).CommitCtx(t.Context(), token, data(t, u, id), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	return token
}

func lives(t *testing.T, db *gorm.DB, token string) bool {
	t.Helper()
	_, found, err := account.Sessions{DB: db}.FindCtx(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestASessionIsKeptUntilItEndsAndStaysEnded(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		ctx, sessions := t.Context(), account.Sessions{DB: db}
		ann := joined(t, db, "ann@example.com", account.Viewer)
		token := begin(t, db, ann, "one")
		if !lives(t, db, token) || lives(t, db, "another") {
			t.Fatal("only what was stored is there")
		}
		rows, err := sessions.Of(ctx, ann.ID)
		if err != nil || len(rows) != 1 || rows[0].ID != "one" || rows[0].Address != "192.0.2.7" || rows[0].Client != "Firefox" {
			t.Errorf("%+v, %v", rows, err)
		}
		if err := sessions.DeleteCtx(ctx, token); err != nil {
			t.Fatal(err)
		}
		begin(t, db, ann, "one") // a request that was under way
		if lives(t, db, token) {
			t.Error("a request that was under way brought the session back")
		}
		if rows, err := sessions.Of(ctx, ann.ID); err != nil || len(rows) != 0 {
			t.Errorf("%+v, %v", rows, err)
		}
	})
}

func TestASessionEndsWithItsTimeAndIsSwept(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		ann := joined(t, db, "ann@example.com", account.Viewer)
		token := begin(t, db, ann, "one")
		later := account.Sessions{DB: db, Now: func() time.Time { return time.Now().Add(2 * time.Hour) }}
		if _, found, err := later.FindCtx(t.Context(), token); err != nil || found {
			t.Errorf("after its time: %v, %v", found, err)
		}
		if err := later.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if lives(t, db, token) {
			t.Error("it was not swept")
		}
	})
}

func TestADeactivationEndsEverySessionAndAWishTheOthers(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		ann, ben := joined(t, db, "ann@example.com", account.Viewer), joined(t, db, "ben@example.com", account.Viewer)
		here, there, his := begin(t, db, ann, "here"), begin(t, db, ann, "there"), begin(t, db, ben, "his")
		if err := (account.Sessions{DB: db}).EndOthers(t.Context(), ann, "here"); err != nil {
			t.Fatal(err)
		}
		if !lives(t, db, here) || lives(t, db, there) || !lives(t, db, his) {
			t.Error("her other session ends, and nothing else")
		}
		after, err := account.Users{DB: db}.SetActive(t.Context(), ann.ID, false, "boss")
		if err != nil || after.Stamp == ann.Stamp || lives(t, db, here) || !lives(t, db, his) {
			t.Errorf("after the deactivation: %+v, %v", after, err)
		}
	})
}
