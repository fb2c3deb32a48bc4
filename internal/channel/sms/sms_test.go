package sms_test

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
	"github.com/silquetech/silque-notifications/internal/channel/sms"
	"github.com/silquetech/silque-notifications/internal/twilio"
)

const messagingService = "MG00000000000000000000000000000002"

// standIn takes every message and lists the last one.
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
	if r.PostForm.Get("To") == "+15005550001" {
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(map[string]any{"code": 21211, "message": "Invalid 'To' Phone Number", "status": 400})
		return
	}
	s.last = map[string]any{
		"sid": "SM1", "status": "queued", "direction": "outbound-api", "date_created": time.Now().UTC().Format(time.RFC1123Z),
		"to": r.PostForm.Get("To"), "body": r.PostForm.Get("Body"),
		"from": r.PostForm.Get("From"), "messaging_service_sid": r.PostForm.Get("MessagingServiceSid"),
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
	for name, cfg := range map[string]sms.Config{
		"from a number":               {From: "+15005550006"},
		"through a messaging service": {MessagingServiceSID: messagingService},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, client := start(t)
			out, err := sms.New(cfg, client)
			if err != nil {
				t.Fatal(err)
			}
			begun := time.Now()
			m := channel.Message{DeliveryID: "d1", To: "+12025550123", Subject: "not for SMS", Text: "Order 7 is late."}
			if found, err := out.Find(t.Context(), m, begun); err != nil || len(found) != 0 {
				t.Fatalf("before: found %v, %v", found, err)
			}
			receipt, err := out.Send(t.Context(), m)
			if err != nil || receipt.ProviderID != "SM1" {
				t.Fatalf("Send: %+v, %v", receipt, err)
			}
			if s.last["to"] != m.To || s.last["body"] != m.Text || s.last["from"] != cfg.From || s.last["messaging_service_sid"] != cfg.MessagingServiceSID {
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
	out, err := sms.New(sms.Config{From: "+15005550006"}, client)
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct{ to, text, code string }{
		"a number that Twilio refuses": {"+15005550001", "hello", "twilio_21211"},
		"a text that is too long":      {"+12025550123", strings.Repeat("x", 1601), "body_too_long"},
		"no text":                      {"+12025550123", "", "empty_body"},
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
		cfg sms.Config
		ok  bool
	}{
		"a number":                      {sms.Config{From: "+12025550123"}, true},
		"a short code":                  {sms.Config{From: "12345"}, true},
		"a name":                        {sms.Config{From: "Silque Tech"}, true},
		"a messaging service":           {sms.Config{MessagingServiceSID: messagingService}, true},
		"neither":                       {sms.Config{}, false},
		"both":                          {sms.Config{From: "+12025550123", MessagingServiceSID: messagingService}, false},
		"a name of twelve characters":   {sms.Config{From: "Silque Techs"}, false},
		"a number without +":            {sms.Config{From: "12025550123"}, false},
		"a WhatsApp number":             {sms.Config{From: "whatsapp:+12025550123"}, false},
		"something else than a service": {sms.Config{MessagingServiceSID: "AC00000000000000000000000000000001"}, false},
	} {
		if _, err := sms.New(tc.cfg, client); (err == nil) != tc.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := sms.New(sms.Config{From: "12345"}, nil); err == nil {
		t.Error("New took no client")
	}
}
