package twilio_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/silquetech/silque-notifications/internal/twilio"
)

// hostile are values that would be another parameter, header or value if something on the way took them at their word.
var hostile = map[string]string{
	"a parameter":                  "x&To=+12025550999&MediaUrl=https://evil.example.com/x",
	"a parameter after ;":          "x;To=+12025550999",
	"a parameter, encoded":         "x%26To=%2B12025550999",
	"a parameter, encoded twice":   "x%2526To=%252B12025550999",
	"equal signs":                  "To==&=x&",
	"a plus":                       "+1 +2",
	"a header":                     "x\r\nX-One: 1\r\n\r\nTo=+12025550999",
	"line breaks of each kind":     "a\rb\nc\r\nd\u2028e\u2029f\u0085g",
	"NUL":                          "x\x00&To=+12025550999",
	"bytes that are no characters": "x\xff\xc0\x8a\xed\xa0\x80&To=y",
	"the end of a JSON text":       `x","2":"y"},"3":{"z`,
	"a JSON escape":                `x\u0022,\"2\":\"y\\`,
	"markup":                       "<Response><Message to='+12025550999'>x</Message></Response>",
	"a path":                       "../../Accounts/AC0/Calls.json?To=x#y",
	"a phone extension":            "+12025550123,,99;ext=1",
	"another channel":              "whatsapp:+12025550999",
	"a very long text":             strings.Repeat("x&To=y ", 200),
}

// TestNoValueForTwilioBecomesAParameter gives each value each hostile text, and looks at the form that a real HTTP server
// reads: exactly the parameters that were asked for, each once.
func TestNoValueForTwilioBecomesAParameter(t *testing.T) {
	t.Parallel()
	const sid = "HX00000000000000000000000000000003"
	for field, set := range map[string]func(p *twilio.CreateParams, text string){
		"To":                  func(p *twilio.CreateParams, text string) { p.To = text },
		"From":                func(p *twilio.CreateParams, text string) { p.From = text },
		"Body":                func(p *twilio.CreateParams, text string) { p.Body = text },
		"MessagingServiceSid": func(p *twilio.CreateParams, text string) { p.From, p.MessagingServiceSID = "", text },
		"ContentSid":          func(p *twilio.CreateParams, text string) { p.ContentSID = text },
		"ContentVariables, a value": func(p *twilio.CreateParams, text string) {
			p.ContentSID, p.ContentVariables = sid, map[string]string{"1": text, "2": "two"}
		},
		"ContentVariables, a name": func(p *twilio.CreateParams, text string) {
			p.ContentSID, p.ContentVariables = sid, map[string]string{text: "one"}
		},
		"StatusCallback, by a delivery": func(p *twilio.CreateParams, text string) { p.DeliveryID = text },
	} {
		t.Run(field, func(t *testing.T) {
			t.Parallel()
			for what, text := range hostile {
				s := start(t, created)
				out := client(t, s, func(c *twilio.Config) { c.StatusCallback = "https://notify.example.com/hooks/twilio/status?k=1" })
				p := params()
				set(&p, text)
				_, err := out.Create(t.Context(), p)
				got := s.got()
				if err != nil {
					if p.ContentSID != text || len(got) > 0 {
						t.Errorf("%s: %v after %d requests", what, err, len(got))
					}
					continue
				}
				if len(got) != 1 || got[0].method != http.MethodPost || got[0].path != path || len(got[0].query) > 0 {
					t.Fatalf("%s: asked %+v", what, got)
				}
				asked := got[0].form
				checkCallback(t, what, asked, p.DeliveryID)
				if p.ContentSID != "" {
					checkVariables(t, what, asked, p.ContentVariables)
				}
				if want := wanted(p); !reflect.DeepEqual(asked, want) {
					t.Errorf("%s: the form is %q,\nwant %q", what, asked, want)
				}
			}
		})
	}
}

// wanted is the form without what was taken out of it by the checks.
func wanted(p twilio.CreateParams) url.Values {
	form := url.Values{"To": {p.To}}
	if p.MessagingServiceSID != "" {
		form.Set("MessagingServiceSid", p.MessagingServiceSID)
	} else {
		form.Set("From", p.From)
	}
	if p.ContentSID != "" {
		form.Set("ContentSid", p.ContentSID)
	} else {
		form.Set("Body", p.Body)
	}
	return form
}

// checkCallback reads the address for reports: the setting's, with one delivery.
func checkCallback(t *testing.T, what string, form url.Values, delivery string) {
	t.Helper()
	callback, err := url.Parse(form.Get("StatusCallback"))
	if err != nil || len(form["StatusCallback"]) != 1 {
		t.Fatalf("%s: StatusCallback is %q, %v", what, form["StatusCallback"], err)
	}
	if query := callback.Query(); callback.Host != "notify.example.com" || callback.Path != "/hooks/twilio/status" || callback.Fragment != "" ||
		!maps.EqualFunc(query, url.Values{"k": {"1"}, "delivery": {delivery}}, slices.Equal) {
		t.Errorf("%s: StatusCallback is %s", what, callback)
	}
	form.Del("StatusCallback")
}

// checkVariables reads the template's variables: as many as were given, under their names.
func checkVariables(t *testing.T, what string, form url.Values, given map[string]string) {
	t.Helper()
	var read map[string]string
	if err := json.Unmarshal([]byte(form.Get("ContentVariables")), &read); err != nil || len(form["ContentVariables"]) != 1 || len(read) != len(given) {
		t.Errorf("%s: the variables are %q, %v", what, form["ContentVariables"], err)
	}
	for name, value := range given {
		name, value = strings.ToValidUTF8(name, ""), strings.Join(strings.Fields(value), " ")
		found := false
		for readName, readValue := range read {
			found = found || strings.ReplaceAll(readName, "\uFFFD", "") == name && strings.ReplaceAll(readValue, "\uFFFD", "") == strings.ToValidUTF8(value, "")
		}
		if !found {
			t.Errorf("%s: the variables are %q, without %q", what, read, name)
		}
	}
	form.Del("ContentVariables")
}
