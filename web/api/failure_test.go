package api_test

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/testdb"
	"github.com/silquetech/silque-notifications/web/api"
)

func TestABrokenDatabaseIsAnInternalErrorWithoutDetails(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s := serve(t, db, nil)
		for _, table := range []string{"notify_notifications", "notify_events", "notify_deliveries", "notify_errors", "notify_models", "notify_lists", "notify_notification_versions",
			"notify_suppressions"} {
			if err := db.Exec("DROP TABLE " + table).Error; err != nil {
				t.Fatal(err)
			}
		}
		for _, route := range s.engine.Routes() {
			path := strings.NewReplacer(":id", anID, ":model", "orders", "/api/v1", "").Replace(route.Path)
			if strings.HasSuffix(path, "/openapi.json") {
				continue
			}
			if strings.HasSuffix(path, "/recipients") {
				path += "?channel=email"
			}
			r := s.call(t, route.Method, path, bodyFor(path, route.Method))
			message, _ := r.refusal(t, 500, "internal")
			if strings.Contains(message, "notify_") || strings.Contains(message, "table") {
				t.Errorf("%s %s shows %q", route.Method, path, message)
			}
			contains(t, "the log", s.log.String(), route.Path)
		}
		if log := s.log.String(); strings.Contains(log, "12025550123") || strings.Contains(log, "ann@") {
			t.Errorf("the log holds personal data: %s", log)
		}
	})
}

// bodyFor is a body that the call accepts.
func bodyFor(path, method string) any {
	switch {
	case method == http.MethodGet || method == http.MethodDelete:
		return nil
	case strings.HasSuffix(path, "activate"):
		return map[string]any{"ids": []string{anID}}
	case strings.HasSuffix(path, "/preview"):
		return map[string]any{"notification_id": anID, "doc": row("NEW")}
	case path == "/deliveries/retry":
		return map[string]any{"filter": map[string]any{"address": "+12025550123"}}
	case path == "/events":
		return map[string]any{"model": "orders", "key": "7", "action": "create", "doc": row("NEW")}
	case path == "/notifications/compare":
		return map[string]any{"notification": input(nil)}
	case strings.HasPrefix(path, "/lists"):
		return map[string]any{"name": "On call"}
	case strings.HasPrefix(path, "/deliveries/") && strings.HasSuffix(path, "/resolve"):
		return map[string]any{"outcome": "arrived"}
	case path == "/suppressions":
		return map[string]any{"channel": "email", "address": "ann@example.com"}
	case path == "/test":
		return map[string]any{"channel": "sms", "to": "+12025550123"}
	default:
		return input(nil)
	}
}

func TestADatabaseThatCannotBeReachedIsUnavailable(t *testing.T) {
	t.Parallel()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := closed.Addr().String()
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := gorm.Open(postgres.Open("postgres://user:secret@"+address+"/db"),
		&gorm.Config{DisableAutomaticPing: true, Logger: logger.Discard})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close(db) })
	s := serveOn(t, db, nil)
	s.call(t, http.MethodGet, "/deliveries", nil).refusal(t, 503, "unavailable")
	if strings.Contains(s.log.String(), "secret") {
		t.Errorf("the log holds the password: %s", s.log.String())
	}
	contains(t, "the log", s.log.String(), "/api/v1/deliveries")
}

// panicking is a reader of rows that panics.
type panicking struct{}

func (panicking) Row(context.Context, *rule.Model, string) (json.RawMessage, error) {
	panic("ann@example.com is not what was expected")
}

func TestAPanicIsAnInternalErrorAndTheServerLives(t *testing.T) {
	t.Parallel()
	s := serve(t, testdb.SQLite(t), func(c *api.Config) { c.Rows = panicking{} })
	body := map[string]any{"notification": input(nil), "key": "7"}
	s.call(t, http.MethodPost, "/notifications/preview", body).refusal(t, 500, "internal")
	contains(t, "the log", s.log.String(), "panic with a string")
	contains(t, "the log", s.log.String(), "failure_test.go")
	if strings.Contains(s.log.String(), "ann@") {
		t.Errorf("the log holds personal data: %s", s.log.String())
	}
	s.call(t, http.MethodGet, "/models", nil).object(t, 200)
}

// quoting is a reader of rows whose database quotes a value.
type quoting struct{}

func (quoting) Row(context.Context, *rule.Model, string) (json.RawMessage, error) {
	return nil, &pgconn.PgError{Code: "22P02", Message: `invalid input syntax for type bigint: "ann@example.com"`}
}

func TestWhatPostgresQuotesIsNotLogged(t *testing.T) {
	t.Parallel()
	s := serve(t, testdb.SQLite(t), func(c *api.Config) { c.Rows = quoting{} })
	body := map[string]any{"notification": input(nil), "key": "ann@example.com"}
	r := s.call(t, http.MethodPost, "/notifications/preview", body)
	r.refusal(t, 500, "internal")
	contains(t, "the log", s.log.String(), "22P02")
	if strings.Contains(s.log.String(), "ann@") || strings.Contains(string(r.body), "ann@") {
		t.Errorf("the log %s\nor the answer %s holds personal data", s.log.String(), r.body)
	}
}
