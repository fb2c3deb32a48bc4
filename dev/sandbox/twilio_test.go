package sandbox

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twilio/twilio-go"
	"github.com/twilio/twilio-go/client"
	api "github.com/twilio/twilio-go/rest/api/v2010"
)

const someone = "+12025550123"

func newSMS(to, from, body string) *api.CreateMessageParams {
	p := &api.CreateMessageParams{}
	p.SetTo(to)
	p.SetFrom(from)
	p.SetBody(body)
	return p
}

func (s *stand) twilio() *twilio.RestClient {
	c, _ := s.twilioClient(DefaultAccountSID, DefaultAuthToken, 5*time.Second)
	return c
}

func TestAMessageFromTheRealTwilioClientReachesTheInbox(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, prefix string
		channel      Channel
	}{
		{"an SMS", "", SMS},
		{"a WhatsApp message", "whatsapp:", WhatsApp},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newStand(t, Options{})
			params := newSMS(test.prefix+someone, test.prefix+DefaultFrom, "Grüße\n<b>")
			params.SetStatusCallback("https://example.com/hook?delivery=7")
			created, err := s.twilio().Api.CreateMessage(params)
			if err != nil {
				t.Fatal(err)
			}
			if !regexp.MustCompile(`^SM[0-9a-f]{32}$`).MatchString(*created.Sid) || *created.Status != "queued" || *created.Direction != "outbound-api" ||
				*created.To != test.prefix+someone || *created.From != test.prefix+DefaultFrom || *created.Body != "Grüße\n<b>" ||
				*created.NumSegments != "1" || *created.ApiVersion != "2010-04-01" || *created.AccountSid != DefaultAccountSID ||
				created.DateSent != nil || created.Price != nil || created.ErrorCode != nil {
				t.Fatalf("created: %+v", created)
			}
			if _, err := time.Parse(time.RFC1123Z, *created.DateCreated); err != nil {
				t.Fatal(err)
			}
			if want := "/2010-04-01/Accounts/" + DefaultAccountSID + "/Messages/" + *created.Sid + ".json"; *created.Uri != want {
				t.Fatalf("uri %s, want %s", *created.Uri, want)
			}
			list := s.messages("?channel=" + string(test.channel))
			if len(list.Items) != 1 {
				t.Fatalf("inbox: %+v", list.Items)
			}
			if m := list.Items[0]; m.To != someone || m.From != DefaultFrom || m.Text != "Grüße\n<b>" || m.Headers["StatusCallback"] == "" {
				t.Fatalf("inbox: %+v", m)
			}
			fetched, err := s.twilio().Api.FetchMessage(*created.Sid, nil)
			if err != nil || *fetched.Sid != *created.Sid || *fetched.Status != "delivered" || fetched.DateSent == nil {
				t.Fatalf("fetched: %+v, %v", fetched, err)
			}
		})
	}
}

func TestAMessagingServiceAndATemplateAreTaken(t *testing.T) {
	t.Parallel()
	s := newStand(t, Options{})
	p := &api.CreateMessageParams{}
	p.SetTo("whatsapp:" + someone)
	p.SetMessagingServiceSid("MG" + strings.Repeat("a", 32))
	p.SetContentSid("HX" + strings.Repeat("b", 32))
	p.SetContentVariables(`{"1":"Order 7"}`)
	created, err := s.twilio().Api.CreateMessage(p)
	if err != nil {
		t.Fatal(err)
	}
	if *created.Status != "accepted" || created.From != nil || *created.MessagingServiceSid != "MG"+strings.Repeat("a", 32) || *created.NumSegments != "0" {
		t.Fatalf("created: %+v", created)
	}
	if m := s.messages("").Items[0]; m.Channel != WhatsApp || !strings.Contains(m.Text, "Order 7") || m.Headers["ContentSid"] == "" {
		t.Fatalf("inbox: %+v", m)
	}
}

func TestTwilioRefusesTemplatesThatCannotBeFilledIn(t *testing.T) {
	t.Parallel()
	s := newStand(t, Options{})
	template := "HX" + strings.Repeat("b", 32)
	for name, test := range map[string]struct {
		template, variables string
		code                int
	}{
		"a template without variables":   {template, "", 0},
		"an empty object":                {template, "{}", 0},
		"an apostrophe and four spaces":  {template, `{"1":"O'Hara    7"}`, 0},
		"another SID":                    {"MG" + strings.Repeat("b", 32), "", 21655},
		"a SID that is too short":        {"HX1", `{"1":"x"}`, 21655},
		"variables without a template":   {"", `{"1":"x"}`, 21654},
		"no JSON":                        {template, "{1:x}", 21656},
		"a list":                         {template, `["x"]`, 21656},
		"null":                           {template, "null", 21656},
		"a value that is null":           {template, `{"1":null}`, 21656},
		"a value that is an object":      {template, `{"1":{"a":"b"}}`, 21656},
		"an empty value":                 {template, `{"1":"x","2":""}`, 21656},
		"a line break in a value":        {template, `{"1":"a\nb"}`, 21656},
		"a tab in a value":               {template, `{"1":"a\tb"}`, 21656},
		"five spaces in a row":           {template, `{"1":"a     b"}`, 21656},
		"one variable more than allowed": {template, "{" + manyVariables(101) + "}", 21656},
	} {
		t.Run(name, func(t *testing.T) {
			p := newSMS("whatsapp:"+someone, "whatsapp:"+DefaultFrom, "")
			p.Body = nil
			if test.template != "" {
				p.SetContentSid(test.template)
			} else {
				p.SetBody("x")
			}
			if test.variables != "" {
				p.SetContentVariables(test.variables)
			}
			_, err := s.twilio().Api.CreateMessage(p)
			if test.code == 0 {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if refusal := twilioRefusal(t, err); refusal.Code != test.code || refusal.Status != http.StatusBadRequest {
				t.Fatalf("got %+v, want code %d", refusal, test.code)
			}
		})
	}
}

// manyVariables writes n variables named by numbers.
func manyVariables(n int) string {
	list := make([]string, 0, n)
	for i := range n {
		list = append(list, `"`+strconv.Itoa(i)+`":"x"`)
	}
	return strings.Join(list, ",")
}

func TestTwilioRefusesWhatTwilioRefuses(t *testing.T) {
	t.Parallel()
	s := newStand(t, Options{})
	for _, test := range []struct {
		name           string
		to, from, body string
		code           int
	}{
		{"an invalid test number", "+15005550001", DefaultFrom, "x", 21211},
		{"a test number without a route", "+15005550002", DefaultFrom, "x", 21612},
		{"a test number in a region without permission", "+15005550003", DefaultFrom, "x", 21408},
		{"a test number that opted out", "+15005550004", DefaultFrom, "x", 21610},
		{"a test number that is a landline", "+15005550009", DefaultFrom, "x", 21614},
		{"an invalid test number on WhatsApp", "whatsapp:+15005550001", "whatsapp:" + DefaultFrom, "x", 21211},
		{"a number without its plus sign", "12025550123", DefaultFrom, "x", 21211},
		{"no recipient", "", DefaultFrom, "x", 21604},
		{"no sender", someone, "", "x", 21603},
		{"no text", someone, DefaultFrom, "", 21602},
		{"1,601 characters", someone, DefaultFrom, strings.Repeat("ü", 1601), 21617},
		{"a WhatsApp recipient and an SMS sender", "whatsapp:" + someone, DefaultFrom, "x", 21910},
		{"an SMS recipient and a WhatsApp sender", someone, "whatsapp:" + DefaultFrom, "x", 21910},
		{"a sender that is no number", someone, "+1", "x", 21212},
		{"an invalid sender for tests", someone, "+15005550001", "x", 21212},
		{"a sender of somebody else", someone, "+15005550007", "x", 21606},
		{"a sender with a full queue", someone, "+15005550008", "x", 21611},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := s.twilio().Api.CreateMessage(newSMS(test.to, test.from, test.body))
			refusal := twilioRefusal(t, err)
			if refusal.Code != test.code || refusal.Status != http.StatusBadRequest || refusal.Message == "" || strings.Contains(refusal.Message, subject) {
				t.Fatalf("got %+v, want code %d", refusal, test.code)
			}
			if want := "https://www.twilio.com/docs/errors/" + jsonNumber(test.code); refusal.MoreInfo != want {
				t.Fatalf("more_info %s", refusal.MoreInfo)
			}
		})
	}
	if n := len(s.messages("").Items); n != 0 {
		t.Fatalf("%d refused messages were kept", n)
	}
	if _, err := s.twilio().Api.CreateMessage(newSMS(someone, "Demo Shop", strings.Repeat("ü", 1600))); err != nil {
		t.Fatalf("1,600 characters from a name: %v", err)
	}
}

func jsonNumber(n int) string { b, _ := json.Marshal(n); return string(b) }

func twilioRefusal(t *testing.T, err error) *client.TwilioRestError {
	t.Helper()
	var refusal *client.TwilioRestError
	if !errors.As(err, &refusal) {
		t.Fatalf("got %v, want a Twilio error", err)
	}
	return refusal
}

func TestWrongTwilioCredentialsAreRefused(t *testing.T) {
	t.Parallel()
	s := newStand(t, Options{})
	for name, login := range map[string][2]string{
		"token":   {DefaultAccountSID, "wrong"},
		"account": {"ACwrong", DefaultAuthToken},
	} {
		c, _ := s.twilioClient(login[0], login[1], 5*time.Second)
		_, err := c.Api.CreateMessage(newSMS(someone, DefaultFrom, "x"))
		if refusal := twilioRefusal(t, err); refusal.Code != 20003 || refusal.Status != http.StatusUnauthorized {
			t.Errorf("wrong %s: %+v", name, refusal)
		}
	}
	another := newSMS(someone, DefaultFrom, "x")
	another.SetPathAccountSid("ACanother")
	if _, err := s.twilio().Api.CreateMessage(another); twilioRefusal(t, err).Code != 20003 {
		t.Errorf("another account: %v", err)
	}
	if status, header, _ := s.request(http.MethodGet, TwilioPath+"/2010-04-01/Accounts/"+DefaultAccountSID+"/Messages.json", ""); status != http.StatusUnauthorized || header.Get("WWW-Authenticate") == "" {
		t.Errorf("no credentials: %d", status)
	}
}

func TestTheCredentialsAreThoseOfTheOptions(t *testing.T) {
	t.Parallel()
	s := newStand(t, Options{AccountSID: "ACother", AuthToken: "other"})
	form := url.Values{"To": {someone}, "From": {DefaultFrom}, "Body": {"x"}}.Encode()
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+TwilioPath+"/2010-04-01/Accounts/ACother/Messages.json", strings.NewReader(form))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth("ACother", "other")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusCreated {
		t.Fatalf("status %d", answer.StatusCode)
	}
}

func TestTwilioListsByRecipientAndTime(t *testing.T) {
	t.Parallel()
	s := newStand(t, Options{})
	c := s.twilio()
	for _, m := range []*api.CreateMessageParams{
		newSMS(someone, DefaultFrom, "one"), newSMS("+12025550199", DefaultFrom, "other"),
		newSMS("whatsapp:"+someone, "whatsapp:"+DefaultFrom, "chat"), newSMS(someone, DefaultFrom, "two"),
	} {
		if _, err := c.Api.CreateMessage(m); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.sendMail("a@example.com"); err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC()
	for _, test := range []struct {
		name string
		set  func(*api.ListMessageParams)
		want string
	}{
		{"nothing: all that came by Twilio, newest first", func(*api.ListMessageParams) {}, "two chat other one"},
		{"a number", func(p *api.ListMessageParams) { p.SetTo(someone) }, "two one"},
		{"a number on WhatsApp", func(p *api.ListMessageParams) { p.SetTo("whatsapp:" + someone) }, "chat"},
		{"after a time that passed", func(p *api.ListMessageParams) { p.SetTo(someone).SetDateSentAfter(now.Add(-time.Minute)) }, "two one"},
		{"after a time to come", func(p *api.ListMessageParams) { p.SetTo(someone).SetDateSentAfter(now.Add(time.Minute)) }, ""},
		{"before a time that passed", func(p *api.ListMessageParams) { p.SetDateSentBefore(now.Add(-time.Minute)) }, ""},
		{"before a time to come", func(p *api.ListMessageParams) { p.SetTo(someone).SetDateSentBefore(now.Add(time.Minute)) }, "two one"},
		{"pages of one, read to the end", func(p *api.ListMessageParams) { p.SetTo(someone).SetPageSize(1) }, "two one"},
	} {
		t.Run(test.name, func(t *testing.T) {
			params := &api.ListMessageParams{}
			test.set(params)
			found, err := c.Api.ListMessage(params)
			if err != nil {
				t.Fatal(err)
			}
			bodies := make([]string, len(found))
			for i, m := range found {
				bodies[i] = *m.Body
			}
			if got := strings.Join(bodies, " "); got != test.want {
				t.Fatalf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestTheTwilioListDescribesItsPage(t *testing.T) {
	t.Parallel()
	s := newStand(t, Options{})
	for range 3 {
		if _, err := s.twilio().Api.CreateMessage(newSMS(someone, DefaultFrom, "x")); err != nil {
			t.Fatal(err)
		}
	}
	size := 2
	page, err := s.twilio().Api.PageMessage(&api.ListMessageParams{PageSize: &size}, "", "")
	if err != nil {
		t.Fatal(err)
	}
	base := "/2010-04-01/Accounts/" + DefaultAccountSID + "/Messages.json?"
	if page.Start != 0 || page.End != 1 || page.Page != 0 || page.PageSize != 2 || len(page.Messages) != 2 ||
		!strings.HasPrefix(page.FirstPageUri, base) || !strings.HasPrefix(page.Uri, base) || page.NextPageUri == nil || page.PreviousPageUri != nil {
		t.Fatalf("%+v", page)
	}
	for _, wrong := range []string{"PageSize=0", "PageSize=1001", "PageSize=x", "DateSent=yesterday", "DateSent%3E=1", "PageToken=x", "Page=1"} {
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+TwilioPath+base+wrong, nil)
		r.SetBasicAuth(DefaultAccountSID, DefaultAuthToken)
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %d", wrong, answer.StatusCode)
		}
	}
}

func TestTwilioDatesIncludeTheirDayOrSecond(t *testing.T) {
	t.Parallel()
	for value, want := range map[string][2]string{
		"2026-03-31":           {"2026-03-31T00:00:00Z", "2026-04-01T00:00:00Z"},
		"2026-03-31T10:20:30Z": {"2026-03-31T10:20:30Z", "2026-03-31T10:20:31Z"},
	} {
		from, to, ok := readTwilioDate(value)
		if !ok || from.Format(time.RFC3339) != want[0] || to.Format(time.RFC3339) != want[1] {
			t.Errorf("%s: %v to %v", value, from, to)
		}
	}
}

func TestAnUnknownTwilioMessageIsNotFound(t *testing.T) {
	t.Parallel()
	s := newStand(t, Options{})
	if err := s.sendMail("a@example.com"); err != nil {
		t.Fatal(err)
	}
	for _, sid := range []string{"SM" + strings.Repeat("0", 32), "nonsense", sidOf(s.messages("").Items[0].ID)} {
		_, err := s.twilio().Api.FetchMessage(sid, nil)
		if refusal := twilioRefusal(t, err); refusal.Code != 20404 || refusal.Status != http.StatusNotFound {
			t.Errorf("%s: %+v", sid, refusal)
		}
	}
}

func TestTextsAreCountedInSegments(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text string
		want int
	}{
		{"", 1},
		{strings.Repeat("a", 160), 1},
		{strings.Repeat("a", 161), 2},
		{strings.Repeat("a", 307), 3},
		{strings.Repeat("€", 80), 1},
		{strings.Repeat("€", 81), 2},
		{strings.Repeat("語", 70), 1},
		{strings.Repeat("語", 71), 2},
		{strings.Repeat("😀", 36), 2},
	} {
		if got := segments(test.text); got != test.want {
			t.Errorf("%d characters of %.3q: %d segments, want %d", len([]rune(test.text)), test.text, got, test.want)
		}
	}
}
