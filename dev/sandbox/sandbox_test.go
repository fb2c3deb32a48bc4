package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/twilio/twilio-go"
	"github.com/twilio/twilio-go/client"
	"github.com/wneessen/go-mail"
)

func TestMain(m *testing.M) {
	gin.SetMode(gin.TestMode)
	os.Exit(m.Run())
}

// stand is a running sandbox with its web side, as the development stack mounts it.
type stand struct {
	*Sandbox
	t   *testing.T
	url string
}

func newStand(t *testing.T, o Options) *stand {
	t.Helper()
	if o.Logger == nil {
		o.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	if o.slowAnswer == 0 {
		o.slowAnswer = 50 * time.Millisecond
	}
	s, err := Start(t.Context(), o)
	if err != nil {
		t.Fatalf("Start: %v", err)
	}
	web := httptest.NewServer(s.Handler())
	t.Cleanup(func() {
		if err := s.Close(context.Background()); err != nil {
			t.Errorf("Close: %v", err)
		}
		web.Close()
	})
	return &stand{Sandbox: s, t: t, url: web.URL}
}

// request sends a body to the web side and returns the status and the answer.
func (s *stand) request(method, path, body string, headers ...string) (int, http.Header, string) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	noRedirect := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := noRedirect.Do(r)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return answer.StatusCode, answer.Header, string(content)
}

type messageList struct {
	Items []Message `json:"items"`
	Next  string    `json:"next"`
}

func (s *stand) messages(queryString string) messageList {
	s.t.Helper()
	status, _, body := s.request(http.MethodGet, "/sandbox/api/messages"+queryString, "")
	if status != http.StatusOK {
		s.t.Fatalf("list: %d %s", status, body)
	}
	var list messageList
	if err := json.Unmarshal([]byte(body), &list); err != nil {
		s.t.Fatal(err)
	}
	return list
}

func (s *stand) setFault(c Channel, m Mode, count int) {
	s.t.Helper()
	fault, _ := json.Marshal(Fault{Channel: c, Mode: m, Count: count})
	if status, _, body := s.request(http.MethodPut, "/sandbox/api/faults", string(fault)); status != http.StatusOK {
		s.t.Fatalf("set fault: %d %s", status, body)
	}
}

func (s *stand) fault(c Channel) Fault {
	s.t.Helper()
	_, _, body := s.request(http.MethodGet, "/sandbox/api/faults", "")
	var list struct {
		Items []Fault `json:"items"`
	}
	if err := json.Unmarshal([]byte(body), &list); err != nil {
		s.t.Fatal(err)
	}
	for _, f := range list.Items {
		if f.Channel == c {
			return f
		}
	}
	s.t.Fatalf("no fault of %s in %s", c, body)
	return Fault{}
}

// mailClient is the real go-mail client, pointed at the sandbox.
func (s *stand) mailClient(timeout time.Duration) *mail.Client {
	s.t.Helper()
	host, port, err := net.SplitHostPort(s.SMTPAddr())
	if err != nil {
		s.t.Fatal(err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		s.t.Fatal(err)
	}
	c, err := mail.NewClient(host, mail.WithPort(number), mail.WithTLSPolicy(mail.NoTLS), mail.WithTimeout(timeout), mail.WithHELO("localhost"))
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

func newMail(t *testing.T, to ...string) *mail.Msg {
	t.Helper()
	m := mail.NewMsg()
	if err := errors.Join(m.FromFormat("Demo shop", "shop@example.com"), m.To(to...)); err != nil {
		t.Fatal(err)
	}
	m.Subject("Order 7")
	m.SetBodyString(mail.TypeTextPlain, "Your order is on its way.")
	return m
}

func (s *stand) sendMail(to ...string) error {
	s.t.Helper()
	return s.mailClient(5*time.Second).DialAndSendWithContext(s.t.Context(), newMail(s.t, to...))
}

// toSandbox sends what is meant for Twilio to the sandbox, as TWILIO_BASE_URL does.
type toSandbox struct {
	base *url.URL
	last *http.Response
}

func (r *toSandbox) RoundTrip(request *http.Request) (*http.Response, error) {
	request = request.Clone(request.Context())
	request.URL.Scheme, request.URL.Host = r.base.Scheme, r.base.Host
	request.URL.Path = r.base.Path + request.URL.Path
	request.Host = ""
	answer, err := http.DefaultTransport.RoundTrip(request)
	r.last = answer
	return answer, err
}

// twilioClient is the real twilio-go client, pointed at the sandbox; last is the latest answer.
func (s *stand) twilioClient(user, password string, timeout time.Duration) (*twilio.RestClient, *toSandbox) {
	s.t.Helper()
	base, err := url.Parse(s.url + TwilioPath)
	if err != nil {
		s.t.Fatal(err)
	}
	transport := &toSandbox{base: base}
	c := &client.Client{
		Credentials: client.NewCredentials(user, password),
		HTTPClient:  &http.Client{Transport: transport, Timeout: timeout},
	}
	c.SetAccountSid(DefaultAccountSID)
	return twilio.NewRestClientWithParams(twilio.ClientParams{Client: c}), transport
}

func TestStartRefusesAnAddressThatIsNotOnLoopback(t *testing.T) {
	t.Parallel()
	for _, addr := range []string{"0.0.0.0:0", ":0", "192.0.2.1:25", "127.0.0.1"} {
		if s, err := Start(t.Context(), Options{SMTPAddr: addr}); err == nil {
			_ = s.Close(t.Context())
			t.Errorf("Start took %q", addr)
		}
	}
}

func TestStartNamesAPortThatIsTaken(t *testing.T) {
	t.Parallel()
	s := newStand(t, Options{})
	_, err := Start(t.Context(), Options{SMTPAddr: s.SMTPAddr()})
	if err == nil || !strings.Contains(err.Error(), s.SMTPAddr()) {
		t.Fatalf("got %v, want an error that names %s", err, s.SMTPAddr())
	}
}

func TestTheInboxIsKeptAcrossARestartAndFaultsAreNot(t *testing.T) {
	t.Parallel()
	dir := t.TempDir() + "/with space & 100%?#"
	first, err := Start(t.Context(), Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	kept := &Message{Channel: SMS, From: DefaultFrom, To: "+12025550123", Text: "kept", Headers: map[string]string{"A": "b"}}
	if err := first.inbox.add(t.Context(), kept); err != nil {
		t.Fatal(err)
	}
	first.faults.put(Fault{Channel: SMS, Mode: Hang})
	if err := first.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, inboxFile)); err != nil {
		t.Fatalf("the inbox is not in its folder: %v", err)
	}
	second := newStand(t, Options{Dir: dir})
	list := second.messages("")
	if len(list.Items) != 1 || list.Items[0].ID != kept.ID || list.Items[0].Headers["A"] != "b" || !list.Items[0].ReceivedAt.Equal(kept.ReceivedAt) {
		t.Fatalf("after the restart: %+v, want %+v", list.Items, kept)
	}
	if f := second.fault(SMS); f.Mode != OK {
		t.Fatalf("fault after the restart: %+v", f)
	}
}

func TestAnInboxFromBeforeAttachmentsIsKept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, err := Start(t.Context(), Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := first.inbox.add(t.Context(), &Message{Channel: Email, Text: "kept"}); err != nil {
		t.Fatal(err)
	}
	if err := first.inbox.db.Exec("ALTER TABLE messages DROP COLUMN attachments").Error; err != nil {
		t.Fatal(err)
	}
	if err := first.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	second := newStand(t, Options{Dir: dir})
	if list := second.messages(""); len(list.Items) != 1 || list.Items[0].Text != "kept" || list.Items[0].Attachments == nil {
		t.Fatalf("after the change: %+v", list.Items)
	}
}

func TestCloseEndsTheServerAndCanBeRepeated(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	s, err := Start(t.Context(), Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", s.SMTPAddr()); err == nil {
		_ = conn.Close()
		t.Fatal("the SMTP server still listens")
	}
	if log.Len() > 0 {
		t.Fatalf("an orderly end was logged: %s", log.String())
	}
}
