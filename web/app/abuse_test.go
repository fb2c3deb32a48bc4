package app

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/silquetech/silque-notifications/internal/catalog"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

// guard ends a wait that would be for ever: nothing here is measured.
const guard = 30 * time.Second

// noTemporal is a Temporal that cannot be reached.
type noTemporal struct{}

func (noTemporal) ExecuteWorkflow(context.Context, client.StartWorkflowOptions, any, ...any) (client.WorkflowRun, error) {
	return nil, serviceerror.NewUnavailable("away")
}

func (noTemporal) DescribeWorkflowExecution(context.Context, string, string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	return nil, serviceerror.NewUnavailable("away")
}

// besieged is an estate whose requests go to the server that production runs, by Run, on a listener of its own.
func besieged(t *testing.T, timeouts Timeouts) *estate {
	t.Helper()
	e := newEstate(t, testdb.SQLite(t))
	orders := &rule.Model{Name: "orders", PrimaryKey: []string{"id"}, Fields: []rule.Field{{Name: "id", Type: rule.String}, {Name: "a", Type: rule.JSON}, {Name: "b", Type: rule.Decimal}, {Name: "c", Type: rule.Decimal}}}
	if err := catalog.Save(t.Context(), e.app.config.DB, orders); err != nil {
		t.Fatal(err)
	}
	config := e.app.config
	config.Temporal, config.Timeouts = noTemporal{}, timeouts
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e.app = New(config)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- e.app.Run(ctx, listener) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the server ends with %v", err)
		}
	})
	e.server = &httptest.Server{Listener: listener}
	return e
}

// who gives a caller who has what is needed.
func (e *estate) who(needed need) caller {
	e.t.Helper()
	i := slices.IndexFunc(e.callers, func(c caller) bool { return slices.Contains(c.has, needed) })
	if i < 0 {
		return e.callers[0]
	}
	return e.callers[i]
}

// dial connects to the server.
func (e *estate) dial() net.Conn {
	e.t.Helper()
	conn, err := net.Dial("tcp", e.server.Listener.Addr().String())
	if err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(guard))
	return conn
}

// head writes a request's line and header for a caller; headers are whole lines.
func (e *estate) head(c caller, call string, headers ...string) string {
	method, path, _ := strings.Cut(call, " ")
	lines := append([]string{method + " " + somewhere(path) + " HTTP/1.1", "Host: " + e.server.Listener.Addr().String()}, headers...)
	for name, value := range map[string]string{"Cookie: ": c.cookie, "X-CSRF-Token: ": c.form, "Authorization: Bearer ": c.bearer} {
		if strings.TrimSpace(value) != "" {
			lines = append(lines, name+value)
		}
	}
	return strings.Join(append(lines, "Origin: http://"+e.server.Listener.Addr().String()), "\r\n") + "\r\n\r\n"
}

// answers sends bytes as they are, and gives the statuses of all answers until the server closes, with the body of the last.
// The client's side stays open: to net/http, a client that ends it has hung up, and nothing more is done for it.
func (e *estate) answers(raw string) (statuses []int, last string) {
	e.t.Helper()
	conn := e.dial()
	go func() { _, _ = io.WriteString(conn, raw) }()
	for in := bufio.NewReader(conn); ; {
		response, err := http.ReadResponse(in, nil)
		if err != nil {
			if timeout := net.Error(nil); errors.As(err, &timeout) && timeout.Timeout() {
				e.t.Fatalf("the server neither answers nor closes: %.300q", raw)
			}
			return statuses, last
		}
		body, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()
		statuses, last = append(statuses, response.StatusCode), string(body)
	}
}

// rows counts what every table holds that a request could write into.
func (e *estate) rows() string {
	e.t.Helper()
	db := e.app.config.DB
	var tables []string
	if err := db.Raw("SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'notify_%' ORDER BY name").Scan(&tables).Error; err != nil {
		e.t.Fatal(err)
	}
	var all strings.Builder
	for _, table := range tables {
		if table == "notify_sessions" || table == "notify_secrets" { // touched by looking, and made when one is first needed
			continue
		}
		var count int64
		if err := db.Table(table).Count(&count).Error; err != nil {
			e.t.Fatal(err)
		}
		fmt.Fprintf(&all, "%s %d\n", table, count)
	}
	return all.String()
}

// stillServes asks for a page as an ordinary visitor.
func (e *estate) stillServes() {
	e.t.Helper()
	if got := e.send(e.who(viewer), http.MethodGet, "/notifications", ""); got.status != http.StatusOK {
		e.t.Errorf("an ordinary request is answered with %d", got.status)
	}
	if got := e.send(e.who(read), http.MethodGet, "/api/v1/notifications", ""); got.status != http.StatusOK {
		e.t.Errorf("an ordinary call is answered with %d", got.status)
	}
}

// flood sends a header and then whatever next gives, until the server will have no more of it, and gives the answer and how much
// was sent.
func (e *estate) flood(head string, next func(sent int64) string) (status int, body string, sent int64) {
	e.t.Helper()
	conn := e.dial()
	var written atomic.Int64
	done := make(chan struct{})
	go func() {
		defer close(done)
		if _, err := io.WriteString(conn, head); err != nil {
			return
		}
		for {
			n, err := io.WriteString(conn, next(written.Load()))
			written.Add(int64(n))
			if err != nil || n == 0 {
				return
			}
		}
	}()
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		e.t.Errorf("no answer to %.60q: %v", head, err)
	} else {
		content, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()
		status, body = response.StatusCode, string(content)
	}
	_ = conn.Close()
	<-done
	return status, body, written.Load()
}
