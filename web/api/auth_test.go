package api_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/account"
	"github.com/silquetech/silque-notifications/internal/audit"
	"github.com/silquetech/silque-notifications/internal/testdb"
	"github.com/silquetech/silque-notifications/web/api"
)

func bearer(secret string) http.Header {
	return http.Header{"Authorization": {"Bearer " + secret}, "Content-Type": {"application/json"}}
}

// needed is what a route's scope must be, found by its method alone but for three.
func needed(method, path string) account.Scope {
	switch {
	case method == http.MethodGet, path == "/notifications/preview", path == "/notifications/compare":
		return account.Read
	case path == "/events":
		return account.Events
	default:
		return account.Write
	}
}

func TestEveryRouteAsksForTheScopeThatItNeeds(t *testing.T) {
	t.Parallel()
	db := testdb.SQLite(t)
	s := serve(t, db, nil)
	secrets := map[account.Scope]string{}
	for _, scope := range account.Scopes {
		var err error
		if _, secrets[scope], err = (account.Tokens{DB: db}).Create(t.Context(), string(scope), []account.Scope{scope}, nil, "ann@example.com"); err != nil {
			t.Fatal(err)
		}
	}
	for _, route := range s.engine.Routes() {
		path := strings.NewReplacer(":id", anID, ":model", "orders", "/api/v1", "").Replace(route.Path)
		if strings.HasSuffix(path, "/openapi.json") {
			continue
		}
		need := needed(route.Method, path)
		for scope, secret := range secrets {
			opens := scope == need || need == account.Events && scope == account.Write
			r := s.send(t, route.Method, path, []byte("{"), bearer(secret))
			if opens == (r.status == http.StatusForbidden) || r.status == http.StatusUnauthorized {
				t.Errorf("%s %s with the scope %s: status %d", route.Method, path, scope, r.status)
			}
			if !opens {
				message, _ := r.refusal(t, http.StatusForbidden, "forbidden")
				contains(t, "the message", message, "the scope "+string(need))
				contains(t, "the message", message, "the token has "+string(scope))
			}
		}
	}
}

func TestTheHistorySaysWhichTokenItWas(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s := serve(t, db, nil)
		_, secret, err := (account.Tokens{DB: db}).Create(t.Context(), "crm", []account.Scope{account.Write}, nil, "ann@example.com")
		if err != nil {
			t.Fatal(err)
		}
		s.send(t, http.MethodPost, "/lists", []byte(`{"name":"Night shift","entries":[]}`), bearer(secret)).object(t, http.StatusCreated)
		s.send(t, http.MethodPost, "/lists", []byte(`{"name":"Day shift","entries":[]}`), bearer(token)).object(t, http.StatusCreated)
		records, _, err := audit.List(t.Context(), db, audit.Filter{Target: "list"}, "", 0)
		if err != nil || len(records) != 2 || records[0].Actor != "api" || records[1].Actor != "token crm" {
			t.Errorf("%+v, %v", records, err)
		}
	})
}

func TestATokenThatIsOverOpensNothingAndOneOfAnAdminOpensWithoutTheSetting(t *testing.T) {
	t.Parallel()
	db := testdb.SQLite(t)
	s := serve(t, db, func(c *api.Config) { c.Token = "" })
	tokens := account.Tokens{DB: db}
	made, secret, err := tokens.Create(t.Context(), "crm", []account.Scope{account.Read}, nil, "ann@example.com")
	if err != nil {
		t.Fatal(err)
	}
	s.send(t, http.MethodGet, "/lists", nil, bearer(secret)).object(t, http.StatusOK)
	if _, err := tokens.Revoke(t.Context(), made.ID, "ann@example.com"); err != nil {
		t.Fatal(err)
	}
	s.send(t, http.MethodGet, "/lists", nil, bearer(secret)).refusal(t, http.StatusUnauthorized, "unauthorized")
	soon := time.Now().Add(time.Hour)
	if _, secret, err = tokens.Create(t.Context(), "erp", []account.Scope{account.Read}, &soon, "ann@example.com"); err != nil {
		t.Fatal(err)
	}
	s.send(t, http.MethodGet, "/lists", nil, bearer(secret)).object(t, http.StatusOK)
	if err := db.Exec("UPDATE notify_api_tokens SET expires_at = ? WHERE name = 'erp'", time.Now().UTC().Add(-time.Minute)).Error; err != nil {
		t.Fatal(err)
	}
	s.send(t, http.MethodGet, "/lists", nil, bearer(secret)).refusal(t, http.StatusUnauthorized, "unauthorized")
}
