package hooks_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/address"
	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/testdb"
	"github.com/silquetech/silque-notifications/web/hooks"
)

func TestMain(m *testing.M) { os.Exit(testdb.Run(m)) }

const (
	public  = "https://notify.example.com"
	token   = "0123456789abcdef0123456789abcdef"
	account = "AC00000000000000000000000000000001"
	number  = "+12025550123"
	message = "SM00000000000000000000000000000001"
)

// site is a web app that takes Twilio's callbacks, behind a proxy.
type site struct {
	t   *testing.T
	db  *gorm.DB
	url string
	log *bytes.Buffer
}

func serve(t *testing.T, db *gorm.DB, change func(c *hooks.TwilioConfig)) *site {
	t.Helper()
	s := &site{t: t, db: db, log: new(bytes.Buffer)}
	c := hooks.TwilioConfig{
		DB: db, AuthToken: token, AccountSID: account, PublicURLs: []string{public},
		Addresses: address.Normalizer{}, Log: slog.New(slog.NewTextHandler(s.log, nil)),
	}
	if change != nil {
		change(&c)
	}
	engine := gin.New()
	hooks.NewTwilio(c).Register(engine)
	server := httptest.NewServer(engine)
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

// sign is Twilio's signature of a call (twilio.com/docs/usage/security), made here without its library.
func sign(address string, form url.Values, key string) string {
	for _, name := range slices.Sorted(maps.Keys(form)) {
		address += name + form.Get(name)
	}
	h := hmac.New(sha1.New, []byte(key))
	h.Write([]byte(address))
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// post calls a path with a form and a signature, and gives the answer.
func (s *site) post(path string, form url.Values, signature string) (status int, body string) {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		s.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if signature != "" {
		request.Header.Set("X-Twilio-Signature", signature)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	var text bytes.Buffer
	_, _ = text.ReadFrom(response.Body)
	return response.StatusCode, text.String()
}

// twilio calls as Twilio does.
func (s *site) twilio(path string, form url.Values) (status int, body string) {
	s.t.Helper()
	form.Set("AccountSid", account)
	return s.post(path, form, sign(public+path, form, token))
}

// sent is a delivery by SMS that Twilio has.
func (s *site) sent() *store.Delivery {
	s.t.Helper()
	now := time.Now().UTC()
	d := &store.Delivery{
		ID: outbox.NewID(), EventID: outbox.NewID(), NotificationID: "n", Channel: rule.SMS, Address: number, Status: store.DeliverySent,
		ProviderID: message, Attempts: 1, CreatedAt: now, UpdatedAt: now, SentAt: &now,
	}
	if _, err := (store.Deliveries{}).InsertTx(s.db, []*store.Delivery{d}); err != nil {
		s.t.Fatal(err)
	}
	return d
}

func (s *site) status(d *store.Delivery) store.DeliveryStatus {
	s.t.Helper()
	now, err := store.Deliveries{DB: s.db}.Get(s.t.Context(), d.ID)
	if err != nil {
		s.t.Fatal(err)
	}
	return now.Status
}

func (s *site) suppressed() (list []string) {
	s.t.Helper()
	page, err := store.Suppressions{DB: s.db}.List(s.t.Context(), store.SuppressionFilter{}, store.Paging{})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, k := range page.Items {
		list = append(list, fmt.Sprintf("%s %s %s", k.Channel, k.Address, k.Reason))
	}
	return list
}

func report(status, code string) url.Values {
	return url.Values{"MessageSid": {message}, "To": {number}, "From": {"+15005550006"}, "MessageStatus": {status}, "ErrorCode": {code}}
}

func TestTwiliosReportChangesTheDelivery(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s := serve(t, db, nil)
		d := s.sent()
		path := hooks.TwilioStatusPath + "?delivery=" + d.ID
		for range 2 {
			if status, body := s.twilio(path, report("delivered", "")); status != http.StatusNoContent || body != "" {
				t.Errorf("answered %d %q", status, body)
			}
		}
		if got := s.status(d); got != store.DeliveryDelivered {
			t.Errorf("it is %s", got)
		}
		if status, _ := s.twilio(hooks.TwilioStatusPath+"?delivery="+outbox.NewID(), report("delivered", "")); status != http.StatusNoContent {
			t.Errorf("about a delivery that is gone: %d, so Twilio would complain", status)
		}
		if text := s.log.String(); strings.Contains(text, number) || strings.Contains(text, token) {
			t.Errorf("the log tells too much:\n%s", text)
		}
	})
}

func TestAForgedCallIsRefusedAndTellsNothing(t *testing.T) {
	t.Parallel()
	s := serve(t, testdb.SQLite(t), nil)
	d := s.sent()
	path := hooks.TwilioStatusPath + "?delivery=" + d.ID
	mine := report("failed", "21610")
	mine.Set("AccountSid", account)
	right := sign(public+path, mine, token)
	with := func(name, value string) url.Values {
		form := maps.Clone(mine)
		form.Set(name, value)
		return form
	}
	other := with("AccountSid", "AC00000000000000000000000000000002")
	for name, call := range map[string]struct {
		path, signature string
		form            url.Values
	}{
		"without a signature":                   {path, "", mine},
		"with an empty token's signature":       {path, sign(public+path, mine, ""), mine},
		"with another token":                    {path, sign(public+path, mine, "other"), mine},
		"with half the signature":               {path, right[:8], mine},
		"for the address that the proxy called": {path, sign(s.url+path, mine, token), mine},
		"with another status":                   {path, right, with("MessageStatus", "delivered")},
		"with one parameter more":               {path, right, with("More", "x")},
		"for another delivery":                  {hooks.TwilioStatusPath + "?delivery=" + outbox.NewID(), right, mine},
		"with more in its address":              {path + "&more=1", right, mine},
		"of another account":                    {path, sign(public+path, other, token), other},
		"of another route":                      {hooks.TwilioMessagesPath + "?delivery=" + d.ID, right, mine},
	} {
		if status, body := s.post(call.path, call.form, call.signature); status != http.StatusForbidden || body != "" {
			t.Errorf("%s: answered %d %q", name, status, body)
		}
	}
	if s.status(d) != store.DeliverySent || len(s.suppressed()) != 0 {
		t.Errorf("something was changed: it is %s, suppressed %v", s.status(d), s.suppressed())
	}
	if status, _ := s.post(path, mine, right); status != http.StatusNoContent || s.status(d) != store.DeliveryFailed {
		t.Errorf("the true call: %d, it is %s", status, s.status(d))
	}
}

func TestACallWithoutTheSettingsThatProveItIsNotTaken(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(c *hooks.TwilioConfig){
		"no token":   func(c *hooks.TwilioConfig) { c.AuthToken = "" },
		"no address": func(c *hooks.TwilioConfig) { c.PublicURLs = nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, testdb.SQLite(t), change)
			d := s.sent()
			for _, path := range []string{hooks.TwilioStatusPath + "?delivery=" + d.ID, hooks.TwilioMessagesPath} {
				form := report("failed", "21610")
				form.Set("AccountSid", account)
				form.Set("Body", "STOP")
				for _, key := range []string{token, ""} {
					if status, _ := s.post(path, form, sign(public+path, form, key)); status != http.StatusServiceUnavailable {
						t.Errorf("%s: answered %d", path, status)
					}
				}
			}
			if s.status(d) != store.DeliverySent || len(s.suppressed()) != 0 {
				t.Error("something was changed")
			}
			if !strings.Contains(s.log.String(), "TWILIO_WEBHOOK_AUTH_TOKEN") {
				t.Errorf("the log does not say what to set:\n%s", s.log)
			}
		})
	}
}

func TestABodyThatIsTooLargeIsRefused(t *testing.T) {
	t.Parallel()
	s := serve(t, testdb.SQLite(t), nil)
	form := url.Values{"Body": {strings.Repeat("x", 1<<20)}}
	if status, _ := s.twilio(hooks.TwilioMessagesPath, form); status != http.StatusRequestEntityTooLarge {
		t.Errorf("answered %d", status)
	}
}

func TestSTOPKeepsMessagesAwayAndSTARTLetsThemIn(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s := serve(t, db, nil)
		manual := &store.Suppression{Channel: rule.SMS, Address: "+12025550199", Reason: store.SuppressedManual}
		if _, err := (store.Suppressions{DB: db}).Add(t.Context(), manual); err != nil {
			t.Fatal(err)
		}
		kept := "sms +12025550199 manual"
		sms, whatsApp := "sms "+number+" stop", "whatsapp "+number+" stop"
		for i, step := range []struct {
			from, body, kind string
			want             []string
		}{
			{number, "I will stop by tomorrow", "", []string{kept}},
			{number, "HELP", "", []string{kept}},
			{number, "stop", "", []string{sms, kept}},
			{number, " Stop. ", "", []string{sms, kept}},
			{"whatsapp:" + number, "STOPALL", "", []string{whatsApp, sms, kept}},
			{number, "Start", "", []string{whatsApp, kept}},
			{"whatsapp:" + number, "yes", "", []string{kept}},
			{"whatsapp:" + number, "BASTA", "STOP", []string{whatsApp, kept}},
			{"whatsapp:" + number, "STOP", "HELP", []string{whatsApp, kept}},
			{"whatsapp:" + number, "ALTA", "START", []string{kept}},
			{"+12025550199", "START", "", []string{kept}},
			{"12345", "STOP", "", []string{kept}},
			{number, "optout", "", []string{sms, kept}},
			{number, "UNSTOP", "", []string{kept}},
		} {
			form := url.Values{"MessageSid": {fmt.Sprintf("SM%032x", i)}, "From": {step.from}, "To": {"+15005550006"}, "Body": {step.body}}
			if step.kind != "" {
				form.Set("OptOutType", step.kind)
			}
			status, body := s.twilio(hooks.TwilioMessagesPath, form)
			if status != http.StatusOK || !strings.HasSuffix(body, "<Response></Response>") {
				t.Errorf("%s: answered %d %q", step.body, status, body)
			}
			if got := s.suppressed(); !slices.Equal(got, step.want) {
				t.Errorf("after %q %s of %s: %v, want %v", step.body, step.kind, step.from, got, step.want)
			}
		}
		if strings.Contains(s.log.String(), "tomorrow") || strings.Contains(s.log.String(), number) {
			t.Errorf("the log tells what people write:\n%s", s.log)
		}
	})
}

// TestAnAnswerThatIsReplayedDoesNotUndoWhatWasSaidSince repeats signed calls, as Twilio does after a time-out, and whoever
// has caught one could.
func TestAnAnswerThatIsReplayedDoesNotUndoWhatWasSaidSince(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s := serve(t, db, nil)
		say := func(n int, word string) int {
			t.Helper()
			if status, _ := s.twilio(hooks.TwilioMessagesPath,
				url.Values{"MessageSid": {fmt.Sprintf("SM%032x", n)}, "From": {number}, "Body": {word}}); status != http.StatusOK {
				t.Errorf("%s: answered %d", word, status)
			}
			return len(s.suppressed())
		}
		for i, step := range []struct {
			n    int
			word string
			want int
		}{
			{1, "STOP", 1}, {1, "STOP", 1}, {2, "START", 0}, {1, "STOP", 0}, {2, "START", 0}, {1, "STOP", 0},
			{3, "STOP", 1}, {2, "START", 1}, {1, "STOP", 1}, {4, "START", 0}, {3, "STOP", 0},
		} {
			if got := say(step.n, step.word); got != step.want {
				t.Errorf("call %d, %s of message %d: %d suppressions, want %d", i, step.word, step.n, got, step.want)
			}
		}
		if err := db.Exec("ALTER TABLE notify_suppressions RENAME TO away").Error; err != nil {
			t.Fatal(err)
		}
		form := url.Values{"MessageSid": {fmt.Sprintf("SM%032x", 5)}, "From": {number}, "Body": {"STOP"}}
		if status, _ := s.twilio(hooks.TwilioMessagesPath, form); status != http.StatusServiceUnavailable {
			t.Errorf("while the list is away: answered %d", status)
		}
		if err := db.Exec("ALTER TABLE away RENAME TO notify_suppressions").Error; err != nil {
			t.Fatal(err)
		}
		if got := say(5, "STOP"); got != 1 {
			t.Errorf("when Twilio comes again: %d suppressions, so what could not be taken counts as heard", got)
		}
	})
}

// TestASignatureDoesNotServeAFormWithOtherBoundaries moves what is signed between names and values: Twilio signs them without
// anything between, so all of these calls have the signature of the START that was caught.
func TestASignatureDoesNotServeAFormWithOtherBoundaries(t *testing.T) {
	t.Parallel()
	caught := url.Values{"AccountSid": {account}, "Body": {"START"}, "From": {number}, "MessageSid": {message}, "OriginalRepliedMessageSid": {"SM" + strings.Repeat("a", 32)}}
	signature := sign(public+hooks.TwilioMessagesPath, caught, token)
	without := func(names ...string) url.Values {
		form := maps.Clone(caught)
		for _, name := range names {
			delete(form, name)
		}
		return form
	}
	moved := without("MessageSid")
	moved["MessageSidS"] = []string{message[1:]}
	swallowed := without("MessageSid", "OriginalRepliedMessageSid")
	swallowed["Mess"] = []string{"ageSid" + message + "OriginalReplied"}
	swallowed["MessageSid"] = caught["OriginalRepliedMessageSid"]
	longer := without("OriginalRepliedMessageSid")
	longer["MessageSid"] = []string{message + "OriginalRepliedMessageSid" + caught.Get("OriginalRepliedMessageSid")}
	twice := maps.Clone(caught)
	twice["MessageSid"] = []string{message, "SM" + strings.Repeat("b", 32)}
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s := serve(t, db, nil)
		if status, _ := s.post(hooks.TwilioMessagesPath, caught, signature); status != http.StatusOK {
			t.Fatalf("the true call: answered %d", status)
		}
		s.twilio(hooks.TwilioMessagesPath, url.Values{"MessageSid": {"SM" + strings.Repeat("c", 32)}, "From": {number}, "Body": {"STOP"}})
		for name, call := range map[string]struct {
			form   url.Values
			status int
		}{
			"again":                          {caught, http.StatusOK},
			"with a letter moved":            {moved, http.StatusBadRequest},
			"with another SID in place":      {swallowed, http.StatusOK},
			"with all in one value":          {longer, http.StatusBadRequest},
			"with a parameter that is twice": {twice, http.StatusBadRequest},
		} {
			if status, body := s.post(hooks.TwilioMessagesPath, call.form, signature); status != call.status {
				t.Errorf("%s: answered %d %q, want %d: is it signed?", name, status, body, call.status)
			}
			if got := s.suppressed(); !slices.Equal(got, []string{"sms " + number + " stop"}) {
				t.Fatalf("%s: the STOP is undone: %v", name, got)
			}
		}
		d := s.sent()
		path := hooks.TwilioStatusPath + "?delivery=" + d.ID
		lost := report("failed", "21610")
		lost.Set("AccountSid", account)
		signature := sign(public+path, lost, token)
		delete(lost, "MessageSid")
		lost["MessageSidS"] = []string{message[1:]}
		if status, _ := s.post(path, lost, signature); status != http.StatusBadRequest || s.status(d) != store.DeliverySent {
			t.Errorf("a report with a letter moved: answered %d, it is %s", status, s.status(d))
		}
		if text := s.log.String(); !strings.Contains(text, "has Twilio's signature") || strings.Contains(text, number) || strings.Contains(text, message) {
			t.Errorf("the log says:\n%s", text)
		}
	})
}

func TestEachOfTwiliosWordsIsUnderstood(t *testing.T) {
	t.Parallel()
	s := serve(t, testdb.SQLite(t), nil)
	said := 0
	for _, stop := range []string{"STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"} {
		for _, start := range []string{"START", "YES", "UNSTOP"} {
			for _, step := range []struct {
				word string
				want int
			}{{stop, 1}, {start, 0}} {
				said++
				s.twilio(hooks.TwilioMessagesPath,
					url.Values{"MessageSid": {fmt.Sprintf("MM%032x", said)}, "From": {number}, "Body": {step.word}})
				if got := len(s.suppressed()); got != step.want {
					t.Errorf("after %s: %d suppressions, want %d", step.word, got, step.want)
				}
			}
		}
	}
}

func TestAReportThatCannotBeWrittenIsNotTaken(t *testing.T) {
	t.Parallel()
	s := serve(t, testdb.SQLite(t), nil)
	d := s.sent()
	if err := s.db.Exec("ALTER TABLE notify_deliveries RENAME TO away").Error; err != nil {
		t.Fatal(err)
	}
	if status, body := s.twilio(hooks.TwilioStatusPath+"?delivery="+d.ID, report("delivered", "")); status != http.StatusServiceUnavailable || body != "" {
		t.Errorf("answered %d %q, so it passes for taken", status, body)
	}
}
