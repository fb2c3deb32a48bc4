package sms_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/silquetech/silque-notifications/internal/channel"
	"github.com/silquetech/silque-notifications/internal/channel/sms"
	"github.com/silquetech/silque-notifications/internal/twilio"
)

// Twilio takes the message, and its answer is lost, comes too late or is no answer. The hand-over is in doubt, and what is
// asked before another one finds the message.
func TestAMessageWhoseAnswerWasLostIsInDoubtAndFound(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		answer func(w http.ResponseWriter, r *http.Request)
		code   string
	}{
		"it comes after the time is over": {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "twilio_timeout"},
		"it is dropped": {func(w http.ResponseWriter, _ *http.Request) {
			if c, _, err := w.(http.Hijacker).Hijack(); err == nil {
				_ = c.Close()
			}
		}, "twilio_connection_lost"},
		"it is an error page": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadGateway)
			_, _ = w.Write([]byte("<html>Bad Gateway</html>"))
		}, "twilio_http_502"},
		"it names no message": {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("{}")) }, "twilio_bad_answer"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			taken := &standIn{}
			var posts atomic.Int32
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodGet {
					taken.ServeHTTP(w, r)
					return
				}
				posts.Add(1)
				taken.ServeHTTP(httptest.NewRecorder(), r)
				tc.answer(w, r)
			}))
			t.Cleanup(server.Close)
			client, err := twilio.New(twilio.Config{
				AccountSID: "AC00000000000000000000000000000001", AuthToken: "token", BaseURL: server.URL, Timeout: 2 * time.Second,
			})
			if err != nil {
				t.Fatal(err)
			}
			out, err := sms.New(sms.Config{From: "+15005550006"}, client)
			if err != nil {
				t.Fatal(err)
			}
			begun := time.Now()
			m := channel.Message{DeliveryID: "d1", To: "+12025550123", Text: "Order 7 is late."}
			_, err = out.Send(t.Context(), m)
			var refusal *channel.Error
			if !errors.As(err, &refusal) || refusal.Class != channel.Unknown || refusal.Code != tc.code {
				t.Fatalf("got %v, want unknown %s", err, tc.code)
			}
			found, err := out.Find(t.Context(), m, begun)
			if err != nil || len(found) != 1 || found[0].ProviderID != "SM1" {
				t.Errorf("found %+v, %v", found, err)
			}
			if n := posts.Load(); n != 1 {
				t.Errorf("%d hand-overs, want 1", n)
			}
		})
	}
}
