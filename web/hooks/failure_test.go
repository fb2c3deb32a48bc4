package hooks

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/jackc/pgx/v5/pgconn"
)

// TestNoFailureOfAHookQuotesAValue gives both hooks the errors in which a database or a driver quotes an address.
func TestNoFailureOfAHookQuotesAValue(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{
		"Postgres, a value that does not fit": &pgconn.PgError{Code: "22P02", Message: `invalid input syntax for type uuid: "ann@example.org"`},
		"Postgres, a constraint":              &pgconn.PgError{Code: "23505", Detail: "Key (address)=(ann@example.org) already exists.", Message: "ann@example.org"},
		"a driver that cannot convert":        errors.New(`sql: Scan error on column index 0, name "n": converting driver.Value type string ("ann@example.org") to a int`),
		"a driver that cannot encode":         errors.New(`unable to encode "ann@example.org" into binary format for int8`),
	} {
		var text bytes.Buffer
		log := slog.New(slog.NewTextHandler(&text, nil))
		for _, fails := range []func(*gin.Context, error){
			NewTwilio(TwilioConfig{Log: log}).fail,
			func(c *gin.Context, err error) { NewEmail(EmailConfig{Log: log}).logFailure(c, err) },
		} {
			text.Reset()
			c, _ := gin.CreateTestContext(httptest.NewRecorder())
			c.Request = httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/hooks/x", nil)
			fails(c, fmt.Errorf("store: read: %w", err))
			if said := text.String(); strings.Contains(said, "ann") || !strings.Contains(said, "level=ERROR") {
				t.Errorf("%s: %q", name, said)
			}
		}
	}
}
