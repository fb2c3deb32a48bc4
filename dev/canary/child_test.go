package canary

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"go.temporal.io/sdk/activity"
	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/dev/stack"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

// childVariable makes this test's program the stack instead, a process of its own: so all that it says is caught, from
// whatever part of it.
const childVariable = "SILQUE_CANARY_STACK"

func TestMain(m *testing.M) {
	if options := os.Getenv(childVariable); options != "" {
		if err := runStack(options); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(testdb.Run(m))
}

// started is what the stack tells the test.
type started struct{ URL, Temporal string }

// runStack runs a stack until its standard input ends. Each line there is an order.
func runStack(given string) error {
	var options stack.Options
	if err := json.Unmarshal([]byte(given), &options); err != nil {
		return err
	}
	options.LogTo = os.Stderr
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, childVariable) {
			options.Environ = append(options.Environ, variable)
		}
	}
	trouble := new(trouble)
	options.OnDatabase = trouble.mayBefall
	s, err := stack.Start(context.Background(), options)
	if err != nil {
		return err
	}
	if err := json.NewEncoder(os.Stdout).Encode(started{s.URL(), s.TemporalAddr()}); err != nil {
		return err
	}
	for orders := bufio.NewScanner(os.Stdin); orders.Scan(); {
		order, word, _ := strings.Cut(orders.Text(), ": ")
		switch order {
		case "say": // the proof that what is said is caught
			fmt.Println(word)
		case "log":
			s.Logger().Error("Said on purpose", "word", word)
		default:
			trouble.make(order, word)
		}
	}
	return s.Stop()
}

// trouble lets the next statements of the database go wrong in the worst way: with an error or a panic that quotes a value.
type trouble struct {
	left  atomic.Int64
	order atomic.Value
	word  atomic.Value
}

// mayBefall lets trouble meet every statement of a database that nobody uses yet.
func (t *trouble) mayBefall(db *gorm.DB) {
	callbacks := db.Callback()
	for _, register := range []func(string, func(*gorm.DB)) error{
		callbacks.Create().Before("*").Register, callbacks.Query().Before("*").Register, callbacks.Update().Before("*").Register,
		callbacks.Delete().Before("*").Register, callbacks.Row().Before("*").Register, callbacks.Raw().Before("*").Register,
	} {
		if err := register("canary:trouble", t.befall); err != nil {
			panic(err)
		}
	}
}

const (
	// often is how many statements one order spoils.
	often = 5
	// spent is what is said when they all are.
	spent = "Spoiled: "
)

func (t *trouble) make(order, word string) {
	t.word.Store(word)
	t.order.Store(order)
	t.left.Store(often)
}

// placeOf says who runs a statement: the worker, by a local activity, or by one of the name that is given; empty for
// the web app.
func placeOf(tx *gorm.DB) string {
	switch ctx := tx.Statement.Context; {
	case !activity.IsActivity(ctx):
		return ""
	case activity.GetInfo(ctx).IsLocalActivity:
		return "local activities"
	default:
		return "activities"
	}
}

// befall spoils a statement where it was ordered.
func (t *trouble) befall(tx *gorm.DB) {
	if t.left.Load() <= 0 {
		return
	}
	order, word := t.order.Load().(string), t.word.Load().(string)
	what, where, _ := strings.Cut(order, " in ")
	if where != placeOf(tx) {
		return
	}
	// A panic outside of a request and of an activity ends the process, as Go has it: then there is nothing left to look at.
	if what == "panic" && where == "" && tx.Statement.Context.Value(http.ServerContextKey) == nil {
		return
	}
	left := t.left.Add(-1)
	if left < 0 {
		return
	}
	if left == 0 {
		fmt.Println(spent + order)
	}
	switch what {
	case "panic":
		panic(fmt.Errorf("the value %s", word))
	case "refuse": // as Postgres says it
		_ = tx.AddError(&pgconn.PgError{Severity: "ERROR", Code: "22P02", Message: `invalid input syntax for type uuid: "` + word + `"`})
	case "scan": // as database/sql says it
		_ = tx.AddError(fmt.Errorf("sql: Scan error on column index 0, name %q: converting driver.Value type string (%q) to a int64: invalid syntax", "id", word))
	case "unreachable":
		_ = tx.AddError(&net.OpError{Op: "dial", Net: "tcp", Err: fmt.Errorf("connection refused")})
	}
}
