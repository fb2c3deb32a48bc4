package sandbox

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	twilioclient "github.com/twilio/twilio-go/client"
)

// listener is a web app that hears what Twilio says, and checks each signature with Twilio's own library.
type listener struct {
	*httptest.Server
	mutex sync.Mutex
	heard []url.Values
	wrong int
}

func listen(t *testing.T) *listener {
	t.Helper()
	l := new(listener)
	validator := twilioclient.NewRequestValidator(DefaultAuthToken)
	l.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		params := map[string]string{}
		for name := range r.PostForm {
			params[name] = r.PostForm.Get(name)
		}
		l.mutex.Lock()
		defer l.mutex.Unlock()
		if !validator.Validate(l.URL+r.URL.RequestURI(), params, r.Header.Get("X-Twilio-Signature")) {
			l.wrong++
			w.WriteHeader(http.StatusForbidden)
			return
		}
		l.heard = append(l.heard, r.PostForm)
	}))
	t.Cleanup(l.Close)
	return l
}

// wait gives the calls once there are so many.
func (l *listener) wait(t *testing.T, count int) []url.Values {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		l.mutex.Lock()
		heard, wrong := l.heard, l.wrong
		l.mutex.Unlock()
		if len(heard) >= count || wrong > 0 {
			if wrong > 0 {
				t.Fatalf("%d calls were signed wrongly", wrong)
			}
			return heard
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d calls came, want %d", len(heard), count)
		}
	}
}

func kept(t *testing.T, s *Sandbox, m Message) Message {
	t.Helper()
	if err := s.inbox.add(t.Context(), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestWhatBecomesOfAMessageIsReportedWithTwiliosSignature(t *testing.T) {
	t.Parallel()
	l := listen(t)
	s, err := Start(t.Context(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	m := kept(t, s, Message{Channel: WhatsApp, From: DefaultFrom, To: "+12025550123", Text: "Hello & welcome",
		Headers: map[string]string{paramStatusCallback: l.URL + "/hooks?delivery=d1&x=a%20b"}})
	s.report(m)
	heard := l.wait(t, 2)
	for i, want := range []string{"sent", "delivered"} {
		if got := heard[i]; got.Get("MessageStatus") != want || got.Get("MessageSid") != m.SID() || got.Get("To") != "whatsapp:+12025550123" {
			t.Errorf("call %d: %v", i, got)
		}
	}
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestNothingIsReportedToAnotherMachine(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{
		"http://127.0.0.1:1/x": true, "http://localhost:1": true, "http://[::1]:2/": true,
		"https://example.com/x": false, "http://10.0.0.1/": false, "http://127.0.0.1.example.com/": false, "/x": false, "http://[::ffff:10.0.0.1]/": false,
	} {
		if got := onLoopback(address) == nil; got != want {
			t.Errorf("%s: %v, want %v", address, got, want)
		}
	}
}

func TestAPersonAnswersFromTheInboxPage(t *testing.T) {
	t.Parallel()
	l := listen(t)
	s, err := Start(t.Context(), Options{Answers: func() string { return l.URL + "/hooks/twilio/messages" }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close(t.Context()) })
	page := httptest.NewServer(s.Handler())
	t.Cleanup(page.Close)
	m := kept(t, s, Message{Channel: SMS, From: DefaultFrom, To: "+12025550123", Text: "Hello"})
	mail := kept(t, s, Message{Channel: Email, From: "shop@example.com", To: "ann@example.com", Text: "Hello"})
	answer := func(id, word string) (status int, location string) {
		t.Helper()
		client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		response, err := client.PostForm(page.URL+"/sandbox/messages/"+id+"/answer", url.Values{"word": {word}})
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		return response.StatusCode, response.Header.Get("Location")
	}
	if status, location := answer(m.ID, "STOP"); status != http.StatusSeeOther || !strings.HasSuffix(location, m.ID+"?answered=STOP") {
		t.Errorf("answered %d to %s", status, location)
	}
	if got := l.wait(t, 1)[0]; got.Get("Body") != "STOP" || got.Get("From") != m.To || got.Get("To") != m.From || got.Get("AccountSid") != DefaultAccountSID {
		t.Errorf("the web app heard %v", got)
	}
	for name, to := range map[string][2]string{
		"a word that is not offered": {m.ID, "HELLO"}, "an email": {mail.ID, "STOP"}, "a message that is not there": {"none", "STOP"},
	} {
		if status, _ := answer(to[0], to[1]); status != http.StatusNotFound {
			t.Errorf("%s: answered %d", name, status)
		}
	}
}
