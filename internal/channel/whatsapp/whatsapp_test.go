package whatsapp_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/silquetech/silque-notifications/internal/channel"
	"github.com/silquetech/silque-notifications/internal/channel/whatsapp"
	"github.com/silquetech/silque-notifications/internal/twilio"
)

const messagingService = "MG00000000000000000000000000000002"

// standIn takes every WhatsApp message and lists the last one. Like Twilio, it refuses two channels in one message.
type standIn struct {
	mu   sync.Mutex
	last map[string]any
}

func (s *standIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = r.ParseForm()
	w.Header().Set("Content-Type", "application/json")
	if r.Method == http.MethodGet {
		list := []any{}
		if s.last != nil && s.last["to"] == r.URL.Query().Get("To") {
			list = append(list, s.last)
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"messages": list})
		return
	}
	to, from, service := r.PostForm.Get("To"), r.PostForm.Get("From"), r.PostForm.Get("MessagingServiceSid")
	code := 0
	switch {
	case !strings.HasPrefix(to, "whatsapp:+") || service == "" && !strings.HasPrefix(from, "whatsapp:+"):
		code = 21910
	case to == "whatsapp:+15005550009":
		code = 63016
	}
	if code != 0 {
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(map[string]any{"code": code, "message": "refused", "status": 400})
		return
	}
	body := r.PostForm.Get("Body")
	if template := r.PostForm.Get("ContentSid"); template != "" && !r.PostForm.Has("Body") {
		body = template + " " + r.PostForm.Get("ContentVariables") // Twilio would fill the template in
	}
	s.last = map[string]any{
		"sid": "SM1", "status": "queued", "direction": "outbound-api", "date_created": time.Now().UTC().Format(time.RFC1123Z),
		"to": to, "body": body, "from": from, "messaging_service_sid": service,
	}
	w.WriteHeader(http.StatusCreated)
	_ = json.NewEncoder(w).Encode(s.last)
}

func start(t *testing.T) (*standIn, *twilio.Client) {
	t.Helper()
	s := &standIn{}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	client, err := twilio.New(twilio.Config{AccountSID: "AC00000000000000000000000000000001", AuthToken: "token", BaseURL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	return s, client
}

func TestAMessageIsHandedOverAndFoundAgain(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		cfg      whatsapp.Config
		wantFrom string
	}{
		"from a number":                 {whatsapp.Config{From: "+15005550006"}, "whatsapp:+15005550006"},
		"from a number with its prefix": {whatsapp.Config{From: "whatsapp:+15005550006"}, "whatsapp:+15005550006"},
		"through a messaging service":   {whatsapp.Config{MessagingServiceSID: messagingService}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, client := start(t)
			out, err := whatsapp.New(tc.cfg, client)
			if err != nil {
				t.Fatal(err)
			}
			begun := time.Now()
			m := channel.Message{DeliveryID: "d1", To: "+12025550123", Text: "Order 7 is late."}
			if found, err := out.Find(t.Context(), m, begun); err != nil || len(found) != 0 {
				t.Fatalf("before: found %v, %v", found, err)
			}
			receipt, err := out.Send(t.Context(), m)
			if err != nil || receipt.ProviderID != "SM1" {
				t.Fatalf("Send: %+v, %v", receipt, err)
			}
			if s.last["to"] != "whatsapp:+12025550123" || s.last["from"] != tc.wantFrom || s.last["messaging_service_sid"] != tc.cfg.MessagingServiceSID {
				t.Errorf("handed over %v", s.last)
			}
			found, err := out.Find(t.Context(), m, begun)
			if err != nil || len(found) != 1 || found[0] != receipt {
				t.Errorf("after: found %+v, want %+v; %v", found, receipt, err)
			}
		})
	}
}

func TestSendTellsWhyNot(t *testing.T) {
	t.Parallel()
	_, client := start(t)
	out, err := whatsapp.New(whatsapp.Config{From: "+15005550006"}, client)
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct{ to, text, code string }{
		"outside the 24 hours":    {"+15005550009", "hello", "twilio_63016"},
		"a text that is too long": {"+12025550123", strings.Repeat("x", 1601), "body_too_long"},
		"no text":                 {"+12025550123", "", "empty_body"},
	} {
		_, err := out.Send(t.Context(), channel.Message{DeliveryID: "d1", To: tc.to, Text: tc.text})
		var refusal *channel.Error
		if !errors.As(err, &refusal) || refusal.Class != channel.Permanent || refusal.Code != tc.code {
			t.Errorf("%s: %v, want permanent %s", name, err, tc.code)
		}
	}
}

func TestNewChecksTheSender(t *testing.T) {
	t.Parallel()
	_, client := start(t)
	for name, tc := range map[string]struct {
		cfg whatsapp.Config
		ok  bool
	}{
		"a number":                      {whatsapp.Config{From: "+12025550123"}, true},
		"a messaging service":           {whatsapp.Config{MessagingServiceSID: messagingService}, true},
		"neither":                       {whatsapp.Config{}, false},
		"both":                          {whatsapp.Config{From: "+12025550123", MessagingServiceSID: messagingService}, false},
		"a name":                        {whatsapp.Config{From: "Silque"}, false},
		"a number without +":            {whatsapp.Config{From: "12025550123"}, false},
		"something else than a service": {whatsapp.Config{MessagingServiceSID: "MG1"}, false},
	} {
		if _, err := whatsapp.New(tc.cfg, client); (err == nil) != tc.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := whatsapp.New(whatsapp.Config{From: "+12025550123"}, nil); err == nil {
		t.Error("New took no client")
	}
}

func TestATemplateIsHandedOverAndFoundAgain(t *testing.T) {
	t.Parallel()
	s, client := start(t)
	out, err := whatsapp.New(whatsapp.Config{From: "+15005550006"}, client)
	if err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	m := channel.Message{
		DeliveryID: "d1", To: "+12025550123", ContentSID: "HX0123456789abcdef0123456789abcdef",
		ContentVariables: map[string]string{"1": "Ann Smith", "2": "ORD-7"},
	}
	receipt, err := out.Send(t.Context(), m)
	if err != nil || receipt.ProviderID != "SM1" {
		t.Fatalf("Send: %+v, %v", receipt, err)
	}
	if s.last["body"] != m.ContentSID+` {"1":"Ann Smith","2":"ORD-7"}` {
		t.Errorf("handed over %v", s.last)
	}
	found, err := out.Find(t.Context(), m, begun)
	if err != nil || len(found) != 1 || found[0] != receipt {
		t.Errorf("found %+v, want %+v; %v", found, receipt, err)
	}
}
