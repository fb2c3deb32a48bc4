package twilio_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/silquetech/silque-notifications/internal/channel"
	"github.com/silquetech/silque-notifications/internal/twilio"
)

const (
	account = "AC00000000000000000000000000000001"
	service = "MG00000000000000000000000000000002"
	token   = "0123456789abcdef"
	path    = "/2010-04-01/Accounts/" + account + "/Messages.json"
)

// request is what the stand-in got.
type request struct {
	method, path, user, secret string
	form                       url.Values // of a POST
	query                      url.Values
}

// standIn is an HTTP server in Twilio's place that remembers what it was asked.
type standIn struct {
	*httptest.Server
	connections atomic.Int32
	mu          sync.Mutex
	requests    []request
}

func start(t *testing.T, answer http.HandlerFunc) *standIn {
	t.Helper()
	s := &standIn{}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		user, secret, _ := r.BasicAuth()
		s.mu.Lock()
		s.requests = append(s.requests, request{r.Method, r.URL.Path, user, secret, r.PostForm, r.URL.Query()})
		s.mu.Unlock()
		answer(w, r)
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			s.connections.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	return s
}

func (s *standIn) got() []request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]request(nil), s.requests...)
}

// client gives a Client for the stand-in, with connections of its own.
func client(t *testing.T, s *standIn, set func(c *twilio.Config)) *twilio.Client {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	cfg := twilio.Config{AccountSID: account, AuthToken: token, BaseURL: s.URL, Timeout: 10 * time.Second, Transport: transport}
	if set != nil {
		set(&cfg)
	}
	out, err := twilio.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func params() twilio.CreateParams {
	return twilio.CreateParams{To: "+12025550123", From: "+15005550006", Body: "Order 7 is late.", DeliveryID: "d1"}
}

// resource is a message as Twilio's documentation shows it.
func resource(sid, status string, created time.Time, change map[string]any) map[string]any {
	out := map[string]any{
		"account_sid": account, "api_version": "2010-04-01", "body": "Order 7 is late.",
		"date_created": created.UTC().Format(time.RFC1123Z), "date_sent": nil, "date_updated": created.UTC().Format(time.RFC1123Z),
		"direction": "outbound-api", "error_code": nil, "error_message": nil, "from": "+15005550006",
		"messaging_service_sid": nil, "num_media": "0", "num_segments": "1", "price": nil, "price_unit": nil,
		"sid": sid, "status": status, "subresource_uris": map[string]any{"media": "/2010-04-01/x.json"},
		"to": "+12025550123", "uri": "/2010-04-01/Accounts/" + account + "/Messages/" + sid + ".json",
	}
	for k, v := range change {
		out[k] = v
	}
	return out
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

// created answers like Twilio does when it takes a message.
func created(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusCreated, resource("SM1", "queued", time.Now(), nil))
}

// failing answers with Twilio's error body.
func failing(status, code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, status, map[string]any{
			"code": code, "message": "about +12025550123", "more_info": fmt.Sprintf("https://www.twilio.com/docs/errors/%d", code), "status": status,
		})
	}
}

// page answers a list.
func page(w http.ResponseWriter, next string, messages ...map[string]any) {
	if messages == nil {
		messages = []map[string]any{}
	}
	body := map[string]any{"messages": messages, "page": 0, "page_size": 100, "uri": path, "next_page_uri": nil}
	if next != "" {
		body["next_page_uri"] = next
	}
	writeJSON(w, http.StatusOK, body)
}

// wantRefusal checks the class and the code of a refusal.
func wantRefusal(t *testing.T, err error, class channel.Class, code string) {
	t.Helper()
	_ = refusalOf(t, err, class, code)
}

// refusalOf does the same and gives the refusal for a closer look.
func refusalOf(t *testing.T, err error, class channel.Class, code string) *channel.Error {
	t.Helper()
	var refusal *channel.Error
	if !errors.As(err, &refusal) {
		t.Fatalf("got %v (%T), want a *channel.Error with code %s", err, err, code)
	}
	if refusal.Class != class || refusal.Code != code {
		t.Fatalf("got %s %s (%s), want %s %s", refusal.Class, refusal.Code, refusal.Detail, class, code)
	}
	return refusal
}
