package twilio_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/silquetech/silque-notifications/internal/channel"
	"github.com/silquetech/silque-notifications/internal/twilio"
)

const template = "HX0123456789abcdefABCDEF0123456789"

func byTemplate(variables map[string]string) twilio.CreateParams {
	p := params()
	p.Body, p.ContentSID, p.ContentVariables = "", template, variables
	return p
}

func TestCreateSendsATemplateInsteadOfAText(t *testing.T) {
	t.Parallel()
	s := start(t, created)
	p := byTemplate(map[string]string{"1": "Ann \"A\" O'Hara & Söhne", "2": " two\r\n\tlines     and spaces "})
	p.Body = strings.Repeat("not sent ", 1000)
	if _, err := client(t, s, nil).Create(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	form := s.got()[0].form
	if form.Has("Body") || form.Get("ContentSid") != template || form.Get("To") != p.To || form.Get("From") != p.From {
		t.Errorf("form: %v", form)
	}
	var variables map[string]string
	if err := json.Unmarshal([]byte(form.Get("ContentVariables")), &variables); err != nil {
		t.Fatalf("ContentVariables %q: %v", form.Get("ContentVariables"), err)
	}
	want := map[string]string{"1": "Ann \"A\" O'Hara & Söhne", "2": "two lines and spaces"}
	if !maps.Equal(variables, want) {
		t.Errorf("ContentVariables: %v, want %v", variables, want)
	}
}

func TestATemplateWithoutVariablesIsSentWithoutThem(t *testing.T) {
	t.Parallel()
	s := start(t, created)
	if _, err := client(t, s, nil).Create(t.Context(), byTemplate(nil)); err != nil {
		t.Fatal(err)
	}
	if form := s.got()[0].form; form.Has("ContentVariables") || form.Get("ContentSid") != template {
		t.Errorf("form: %v", form)
	}
}

func TestWhatIsNoTemplateIsRefusedBeforeAnythingIsSent(t *testing.T) {
	t.Parallel()
	s := start(t, created)
	for _, sid := range []string{"HX1", "MG0123456789abcdef0123456789abcdef", template + "0", template + "\n", "HXg123456789abcdef0123456789abcdef"} {
		p := byTemplate(nil)
		p.ContentSID = sid
		_, err := client(t, s, nil).Create(t.Context(), p)
		wantRefusal(t, err, channel.Permanent, "bad_content_sid")
	}
	if n := len(s.got()); n != 0 {
		t.Errorf("%d requests", n)
	}
}

func TestTheRefusalOfATemplateIsPermanent(t *testing.T) {
	t.Parallel()
	for code, want := range map[int]string{21655: "twilio_21655", 21656: "twilio_21656"} {
		_, err := client(t, start(t, failing(http.StatusBadRequest, code)), nil).Create(t.Context(), byTemplate(nil))
		wantRefusal(t, err, channel.Permanent, want)
	}
}

func TestFindKnowsATemplateByItsVariables(t *testing.T) {
	t.Parallel()
	telling := map[string]string{"name": "Ann Smith", "order": "order\nORD-7"}
	for name, tc := range map[string]struct {
		body      string
		variables map[string]string
		change    map[string]any
		created   time.Time
		want      bool
	}{
		"every value":                      {body: "Hi Ann Smith, your order ORD-7 is late.", variables: telling, want: true},
		"every value, on a trial account":  {body: "Sent from your Twilio trial account - Ann Smith: order  ORD-7", variables: telling, want: true},
		"another order":                    {body: "Hi Ann Smith, your order ORD-8 is late.", variables: telling},
		"a text of somebody else":          {body: "Hello!", variables: telling},
		"no text yet":                      {body: "", variables: telling},
		"no variables":                     {body: "Your order is late."},
		"a name alone, which tells little": {body: "Hi Ann", variables: map[string]string{"1": "Ann"}},
		"an empty value beside another":    {body: "Dear Annabel Smith", variables: map[string]string{"1": "Annabel Smith", "2": ""}, want: true},
		"another sender": {body: "Hi Ann Smith, your order ORD-7 is late.", variables: telling,
			change: map[string]any{"from": "+15005550007"}},
		"before": {body: "Hi Ann Smith, your order ORD-7 is late.", variables: telling, created: since.Add(-time.Minute)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := tc.created
			if at.IsZero() {
				at = since
			}
			change := map[string]any{"body": tc.body}
			maps.Copy(change, tc.change)
			s := start(t, func(w http.ResponseWriter, _ *http.Request) { page(w, "", resource("SM9", "sent", at, change)) })
			p := sought()
			p.Body, p.ContentSID, p.ContentVariables = "", template, tc.variables
			found, err := client(t, s, nil).Find(t.Context(), p)
			if err != nil {
				t.Fatal(err)
			}
			if tc.want {
				wantSIDs(t, found, "SM9")
			} else {
				wantSIDs(t, found)
			}
		})
	}
}
