package health_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/channel"
	"github.com/silquetech/silque-notifications/internal/channel/email"
	"github.com/silquetech/silque-notifications/internal/health"
	"github.com/silquetech/silque-notifications/internal/pace"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/testdb"
	"github.com/silquetech/silque-notifications/internal/twilio"
)

// words are all that people see of an answer.
func words(a health.Answer) string {
	var all strings.Builder
	all.WriteString(string(a.State) + ": " + a.Text + " " + a.Advice)
	for _, f := range a.Facts {
		all.WriteString("; " + f.Name + ": " + f.Value)
	}
	return all.String()
}

func TestTheDatabaseSaysWhichItIs(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		a := health.Database(db).Ask(t.Context())
		name := map[string]string{"sqlite": "SQLite 3.", "postgres": "PostgreSQL 1"}[db.Name()]
		if a.State != health.OK || !strings.Contains(words(a), name) {
			t.Errorf("got %s", words(a))
		}
		if err := store.Close(db); err != nil {
			t.Fatal(err)
		}
		if a := health.Database(db).Ask(t.Context()); a.State != health.Down || a.Advice == "" {
			t.Errorf("closed: %s", words(a))
		}
	})
}

func TestAClockThatIsFarOffTheDatabasesIsNamed(t *testing.T) {
	t.Parallel()
	for ahead, want := range map[time.Duration]string{
		3 * time.Hour:    "warning: This machine's clock is 3h0m0s behind the database's.",
		-3 * time.Hour:   "warning: This machine's clock is 3h0m0s ahead of the database's.",
		-2 * time.Second: "ok: It answers.",
	} {
		t.Run(ahead.String(), func(t *testing.T) {
			t.Parallel()
			a := health.Database(testdb.Open(t, testdb.PostgresURLWithClock(t, ahead))).Ask(t.Context())
			if !strings.HasPrefix(words(a), want) || a.State == health.Warning && !strings.Contains(a.Advice, "NTP") {
				t.Errorf("got %s, want %s", words(a), want)
			}
		})
	}
}

func TestTheRelaySaysWhetherEventsWait(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		unable, stalled bool
		want            string
	}{
		{false, false, "ok: "},
		{false, true, "down: Events wait: Temporal"},
		{true, false, "down: Events wait: the database"},
		{true, true, "down: Events wait: the database"},
	} {
		a := health.Relay(func() bool { return tc.unable }, func() bool { return tc.stalled }).Ask(t.Context())
		if !strings.HasPrefix(words(a), tc.want) {
			t.Errorf("unable %v, stalled %v: %s, want %s", tc.unable, tc.stalled, words(a), tc.want)
		}
	}
}

// listen gives the port of a listener that takes connections and says what serve says.
func listen(t *testing.T, serve func(net.Conn)) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = conn.Close() })
			go serve(conn)
		}
	}()
	return listener.Addr().(*net.TCPAddr).Port
}

// closedPort is one on which nobody listens.
func closedPort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().(*net.TCPAddr).Port
}

// says answers each line of a client in turn, and ends with what it was not asked for.
func says(lines ...string) func(net.Conn) {
	return func(conn net.Conn) {
		for _, line := range lines {
			if _, err := conn.Write([]byte(line + "\r\n")); err != nil {
				return
			}
			if _, err := conn.Read(make([]byte, 1024)); err != nil {
				return
			}
		}
	}
}

func TestTheMailServerIsAskedWithoutAMessage(t *testing.T) {
	t.Parallel()
	const secret = "hidden-password"
	tests := map[string]struct {
		port  func(*testing.T) int
		state health.State
		want  string
	}{
		"up":              {func(t *testing.T) int { return listen(t, says("220 here", "250 hello", "250 fine", "221 bye")) }, health.OK, "lets us in"},
		"down":            {closedPort, health.Down, "smtp_connect"},
		"hanging":         {func(t *testing.T) int { return listen(t, func(net.Conn) {}) }, health.Down, "smtp_timeout"},
		"another program": {func(t *testing.T) int { return listen(t, says("HTTP/1.1 400 Bad Request", "")) }, health.Down, "smtp_"},
		"refusing":        {func(t *testing.T) int { return listen(t, says("554 go away, ann@example.com", "")) }, health.Down, "smtp_554"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sender, err := email.New(email.Config{Host: "127.0.0.1", Port: test.port(t), TLS: email.TLSNone, From: "shop@example.com", Timeout: 300 * time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			a := health.MailServer(sender.Check)(t.Context())
			if a.State != test.state || !strings.Contains(words(a), test.want) || a.State == health.Down && a.Advice == "" {
				t.Errorf("got %s", words(a))
			}
			if strings.Contains(words(a), secret) || strings.Contains(words(a), "ann@") {
				t.Errorf("it says too much: %s", words(a))
			}
		})
	}
}

func TestARefusedPasswordIsSaidToBeOne(t *testing.T) {
	t.Parallel()
	refuse := func(context.Context) error {
		return &channel.Error{Class: channel.Permanent, Code: "smtp_auth_535", Detail: "535 bob@example.com is unknown"}
	}
	a := health.MailServer(refuse)(t.Context())
	if !strings.Contains(words(a), "SMTP_PASSWORD") || strings.Contains(words(a), "bob@") {
		t.Errorf("got %s", words(a))
	}
	if a := health.MailServer(func(context.Context) error { return errors.New("secret") })(t.Context()); a.State != health.Down || strings.Contains(words(a), "secret") {
		t.Errorf("got %s", words(a))
	}
}

func TestTwilioIsAskedForTheAccount(t *testing.T) {
	t.Parallel()
	const sid = "AC00000000000000000000000000000001"
	answering := func(status int, body string) func(*testing.T) string {
		return func(t *testing.T) string {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(status)
				_, _ = w.Write([]byte(body))
			}))
			t.Cleanup(server.Close)
			return server.URL
		}
	}
	tests := map[string]struct {
		url   func(*testing.T) string
		state health.State
		want  string
	}{
		"active":            {answering(200, `{"sid":"`+sid+`","status":"active","type":"Full","friendly_name":"ann@example.com"}`), health.OK, "knows the account"},
		"a trial":           {answering(200, `{"sid":"`+sid+`","status":"active","type":"Trial"}`), health.Warning, "verified numbers"},
		"suspended":         {answering(200, `{"sid":"`+sid+`","status":"suspended","type":"Full"}`), health.Down, "suspended the account"},
		"wrong credentials": {answering(401, `{"code":20003,"message":"Authenticate","status":401}`), health.Down, "TWILIO_AUTH_TOKEN"},
		"down": {func(t *testing.T) string {
			return "http://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(closedPort(t)))
		}, health.Down, "twilio_connect"},
		"hanging": {func(t *testing.T) string {
			return "http://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(listen(t, func(net.Conn) {})))
		}, health.Down, "twilio_timeout"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, err := twilio.New(twilio.Config{AccountSID: sid, AuthToken: "secrettoken", BaseURL: test.url(t), Timeout: 500 * time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			a := health.Twilio(client.Check)(t.Context())
			if a.State != test.state || !strings.Contains(words(a), test.want) {
				t.Errorf("got %s", words(a))
			}
			for _, hidden := range []string{"secrettoken", sid, "ann@"} {
				if strings.Contains(words(a), hidden) {
					t.Errorf("it says too much: %s", words(a))
				}
			}
		})
	}
}

func TestAChannelSaysThatItIsPaused(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		gate := pace.New(db, nil)
		probe := health.Channel(rule.SMS, func(context.Context) health.Answer { return health.Answer{State: health.OK} }, gate)
		if a := probe.Ask(t.Context()); a.State != health.OK {
			t.Errorf("before: %s", words(a))
		}
		if err := gate.Slow(t.Context(), rule.SMS, time.Hour); err != nil {
			t.Fatal(err)
		}
		if a := probe.Ask(t.Context()); a.State != health.Warning || !strings.Contains(words(a), "Paused until") || !strings.Contains(words(a), "NOTIFY_SMS_PER_SECOND") {
			t.Errorf("paused: %s", words(a))
		}
	})
}

func TestAChannelWithoutSettingsNamesThem(t *testing.T) {
	t.Parallel()
	for _, c := range rule.Channels {
		if p := health.Channel(c, nil, nil); p.Ask != nil || len(p.Settings) == 0 || p.Title == "" {
			t.Errorf("%s: %+v", c, p)
		}
	}
}
