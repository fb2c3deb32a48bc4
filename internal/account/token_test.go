package account_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/account"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

func TestATokenOpensUntilItExpiresOrIsRevoked(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		ctx, now := t.Context(), time.Now().UTC()
		tokens := account.Tokens{DB: db, Now: func() time.Time { return now }}
		soon := now.Add(time.Hour)
		made, secret, err := tokens.Create(ctx, "shop", []account.Scope{account.Events, account.Read}, &soon, "ann@example.com")
		if err != nil || made.ScopeList != "read,events" || !strings.HasPrefix(secret, made.Prefix) || len(made.Prefix) > len(secret)/2 {
			t.Fatalf("%+v, %v", made, err)
		}
		var kept int64
		db.Raw("SELECT COUNT(*) FROM notify_api_tokens WHERE hash = ? OR hash LIKE ?", secret, "%"+secret+"%").Scan(&kept)
		if kept != 0 {
			t.Error("the secret is kept in the open")
		}
		if found, err := tokens.BySecret(ctx, secret); err != nil || found.ID != made.ID || found.Actor() != "token shop" {
			t.Errorf("%+v, %v", found, err)
		}
		for _, wrong := range []string{"", secret + "x", made.Hash, "silque_"} {
			if _, err := tokens.BySecret(ctx, wrong); !errors.Is(err, account.ErrNotFound) {
				t.Errorf("%q opens: %v", wrong, err)
			}
		}
		if count, err := tokens.MadeBy(ctx, "ann@example.com"); err != nil || count != 1 {
			t.Errorf("she made %d, %v", count, err)
		}
		now = soon
		if _, err := tokens.BySecret(ctx, secret); !errors.Is(err, account.ErrNotFound) {
			t.Errorf("after its time: %v", err)
		}
		other, secret, err := tokens.Create(ctx, "crm", []account.Scope{account.Write}, nil, "ann@example.com")
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if _, err := tokens.Revoke(ctx, other.ID, "ben@example.com"); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := tokens.BySecret(ctx, secret); !errors.Is(err, account.ErrNotFound) {
			t.Errorf("revoked: %v", err)
		}
		if _, _, err := tokens.Create(ctx, "crm", []account.Scope{account.Write}, nil, "ann@example.com"); err != nil {
			t.Errorf("a revoked token's name can be used again: %v", err)
		}
		want := "ann@example.com token.created (shop for read, events)\nann@example.com token.created (crm for write)\n" +
			"ben@example.com token.revoked (crm)\nann@example.com token.created (crm for write)\n"
		if got := said(t, db); got != want {
			t.Errorf("the log says\n%s", got)
		}
		if list, next, err := tokens.List(ctx, ""); err != nil || len(list) != 3 || next != "" {
			t.Errorf("%d tokens, %q, %v", len(list), next, err)
		}
	})
}

func TestTheLastUseOfATokenIsWrittenOnceAMinute(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		ctx, now := t.Context(), time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		tokens := account.Tokens{DB: db, Now: func() time.Time { return now }}
		_, secret, err := tokens.Create(ctx, "shop", []account.Scope{account.Events}, nil, "ann")
		if err != nil {
			t.Fatal(err)
		}
		last := func() time.Time {
			t.Helper()
			if _, err := tokens.BySecret(ctx, secret); err != nil {
				t.Fatal(err)
			}
			list, _, err := tokens.List(ctx, "")
			if err != nil || list[0].LastUsedAt == nil {
				t.Fatal(list, err)
			}
			return *list[0].LastUsedAt
		}
		first := last()
		now = now.Add(30 * time.Second)
		if at := last(); !at.Equal(first) {
			t.Errorf("written after half a minute: %v", at)
		}
		now = now.Add(30 * time.Second)
		if at := last(); !at.Equal(now) {
			t.Errorf("not written after a minute: %v", at)
		}
	})
}

func TestATokenNeedsANameAndScopesOfItsOwn(t *testing.T) {
	t.Parallel()
	db := testdb.SQLite(t)
	tokens := account.Tokens{DB: db}
	past := time.Now().Add(-time.Minute)
	if _, _, err := tokens.Create(t.Context(), "taken", []account.Scope{account.Read}, nil, "ann"); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name    string
		scopes  []account.Scope
		expires *time.Time
		want    error
	}{
		{"", []account.Scope{account.Read}, nil, account.ErrTokenName},
		{"taken", []account.Scope{account.Read}, nil, account.ErrTokenName},
		{strings.Repeat("x", 61), []account.Scope{account.Read}, nil, account.ErrTokenName},
		{"a\nb", []account.Scope{account.Read}, nil, account.ErrTokenName},
		{"none", nil, nil, account.ErrTokenScopes},
		{"all", []account.Scope{"all"}, nil, account.ErrTokenScopes},
		{"late", []account.Scope{account.Read}, &past, account.ErrTokenExpiry},
	} {
		if _, _, err := tokens.Create(t.Context(), test.name, test.scopes, test.expires, "ann"); !errors.Is(err, test.want) {
			t.Errorf("%q with %v: %v", test.name, test.scopes, err)
		}
	}
}

func TestAScopeOpensWhatItSays(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		scopes string
		needed account.Scope
		opens  bool
	}{
		{"read", account.Read, true}, {"read", account.Events, false}, {"read", account.Write, false},
		{"events", account.Read, false}, {"events", account.Events, true}, {"events", account.Write, false},
		{"write", account.Read, false}, {"write", account.Events, true}, {"write", account.Write, true},
		{"read,write", account.Read, true}, {"", account.Read, false},
	} {
		if got := (&account.Token{ScopeList: test.scopes}).Has(test.needed); got != test.opens {
			t.Errorf("%q for %s: %v", test.scopes, test.needed, got)
		}
	}
}
