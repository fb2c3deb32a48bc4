package sandbox

import (
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twilio/twilio-go/client"
)

func TestTwilioFaultsRefuseWithTheirCodesAndThenEnd(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		mode         Mode
		status, code int
		retryAfter   string
	}{
		{Temporary, http.StatusServiceUnavailable, 20503, ""},
		{Permanent, http.StatusBadRequest, 21211, ""},
		{RateLimit, http.StatusTooManyRequests, 20429, "2"},
	} {
		t.Run(string(test.mode), func(t *testing.T) {
			t.Parallel()
			s := newStand(t, Options{})
			s.setFault(SMS, test.mode, 2)
			c, transport := s.twilioClient(DefaultAccountSID, DefaultAuthToken, 5*time.Second)
			for range 2 {
				_, err := c.Api.CreateMessage(newSMS(someone, DefaultFrom, "x"))
				if refusal := twilioRefusal(t, err); refusal.Code != test.code || refusal.Status != test.status || transport.last.StatusCode != test.status {
					t.Fatalf("got %+v", refusal)
				}
				if got := transport.last.Header.Get("Retry-After"); got != test.retryAfter {
					t.Fatalf("Retry-After %q", got)
				}
			}
			if _, err := c.Api.CreateMessage(newSMS(someone, DefaultFrom, "x")); err != nil {
				t.Fatalf("after the fault: %v", err)
			}
			if n := len(s.messages("").Items); n != 1 {
				t.Fatalf("%d messages", n)
			}
		})
	}
}

func TestAFaultStaysInItsChannel(t *testing.T) {
	t.Parallel()
	s := newStand(t, Options{})
	s.setFault(WhatsApp, Temporary, 0)
	if _, err := s.twilio().Api.CreateMessage(newSMS(someone, DefaultFrom, "x")); err != nil {
		t.Fatalf("SMS: %v", err)
	}
	if err := s.sendMail("a@example.com"); err != nil {
		t.Fatalf("email: %v", err)
	}
	for range 3 { // 0: until changed
		if _, err := s.twilio().Api.CreateMessage(newSMS("whatsapp:"+someone, "whatsapp:"+DefaultFrom, "x")); err == nil {
			t.Fatal("WhatsApp was taken")
		}
	}
	s.setFault(WhatsApp, OK, 0)
	if _, err := s.twilio().Api.CreateMessage(newSMS("whatsapp:"+someone, "whatsapp:"+DefaultFrom, "x")); err != nil {
		t.Fatalf("WhatsApp after ok: %v", err)
	}
}

func TestTwilioHangAndDropGiveNoAnswerAndKeepNothing(t *testing.T) {
	t.Parallel()
	for mode, timeout := range map[Mode]time.Duration{Hang: 200 * time.Millisecond, Drop: time.Minute} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			s := newStand(t, Options{})
			s.setFault(SMS, mode, 1)
			c, _ := s.twilioClient(DefaultAccountSID, DefaultAuthToken, timeout)
			began := time.Now()
			_, err := c.Api.CreateMessage(newSMS(someone, DefaultFrom, "x"))
			if err == nil || errors.As(err, new(*client.TwilioRestError)) {
				t.Fatalf("got %v, want a broken connection", err)
			}
			if took := time.Since(began); took > 40*time.Second {
				t.Fatalf("the client was held for %v", took)
			}
			if n := len(s.messages("").Items); n != 0 {
				t.Fatalf("%d messages were kept", n)
			}
			if _, err := s.twilio().Api.CreateMessage(newSMS(someone, DefaultFrom, "x")); err != nil {
				t.Fatalf("after the fault: %v", err)
			}
		})
	}
}

func TestTwilioSlowTakesTheMessageLateAndOnlyIfTheClientWaits(t *testing.T) {
	t.Parallel()
	const slow = 500 * time.Millisecond
	s := newStand(t, Options{slowAnswer: slow})
	s.setFault(SMS, Slow, 2)
	hasty, _ := s.twilioClient(DefaultAccountSID, DefaultAuthToken, 50*time.Millisecond)
	if _, err := hasty.Api.CreateMessage(newSMS(someone, DefaultFrom, "hasty")); err == nil {
		t.Fatal("answered at once")
	}
	began := time.Now()
	if _, err := s.twilio().Api.CreateMessage(newSMS(someone, DefaultFrom, "patient")); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took < slow {
		t.Fatalf("answered after %v", took)
	}
	if list := s.messages(""); len(list.Items) != 1 || list.Items[0].Text != "patient" {
		t.Fatalf("%+v", list.Items)
	}
}

func TestCloseLetsGoOfARequestThatHangs(t *testing.T) {
	t.Parallel()
	s := newStand(t, Options{})
	s.setFault(SMS, Hang, 1)
	ended := make(chan error, 1)
	go func() {
		c, _ := s.twilioClient(DefaultAccountSID, DefaultAuthToken, 10*time.Second)
		_, err := c.Api.CreateMessage(newSMS(someone, DefaultFrom, "x"))
		ended <- err
	}()
	waitUntil(t, func() bool { return s.faults.all()[1].Mode == OK })
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if err == nil {
			t.Fatal("the message was taken")
		}
	case <-time.After(5 * time.Second):
		t.Fatal("the request still hangs")
	}
}

func TestTwilioFaultsAreCountedExactlyUnderConcurrency(t *testing.T) {
	t.Parallel()
	s := newStand(t, Options{})
	const senders, each, faulty = 8, 10, 33
	s.setFault(SMS, RateLimit, faulty)
	var refused atomic.Int64
	var all sync.WaitGroup
	for range senders {
		all.Go(func() {
			c := s.twilio()
			for range each {
				if _, err := c.Api.CreateMessage(newSMS(someone, DefaultFrom, "x")); err != nil {
					refused.Add(1)
				}
			}
		})
	}
	all.Wait()
	if refused.Load() != faulty {
		t.Errorf("%d hand-overs met the fault, want %d", refused.Load(), faulty)
	}
	if kept := len(s.messages("?limit=1000").Items); kept != senders*each-faulty {
		t.Errorf("%d messages were kept, want %d", kept, senders*each-faulty)
	}
}
