package bounce_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/silquetech/silque-notifications/internal/bounce"
)

func TestTheGenericFormIsRead(t *testing.T) {
	t.Parallel()
	got, err := bounce.ParseJSON(strings.NewReader(` [
		{"type":"bounce","message_id":"<` + messageID + `>","recipient":"Ann@EXAMPLE.org","status":"5.1.1","diagnostic":"no\nsuch user","id":"7"},
		{"type":"complaint","message_id":"` + deliveryID + `","recipient":"bob@example.org"},
		{"type":"bounce","message_id":"` + messageID + `","recipient":"ann@example.org","diagnostic":"550 5.1.1 unknown"}] `))
	if err != nil || len(got) != 3 {
		t.Fatalf("read %+v, %v", got, err)
	}
	for i, want := range []bounce.Report{
		{Kind: bounce.Bounce, MessageID: messageID, Recipient: "Ann@example.org", Status: "5.1.1", Diagnostic: "no such user", ID: "7"},
		{Kind: bounce.Complaint, MessageID: deliveryID, Recipient: "bob@example.org"},
		{Kind: bounce.Bounce, MessageID: messageID, Recipient: "ann@example.org", Status: "5.1.1", Diagnostic: "550 5.1.1 unknown"},
	} {
		if got[i] != want {
			t.Errorf("read %+v, want %+v", got[i], want)
		}
	}
	one, err := bounce.ParseJSON(strings.NewReader(`{"type":"delivered","message_id":"` + messageID + `","recipient":"ann@example.org"}`))
	if err != nil || len(one) != 1 || one[0].Kind != bounce.Delivered {
		t.Errorf("a single report: %+v, %v", one, err)
	}
}

func TestAWrongReportIsNamedByItsPlace(t *testing.T) {
	t.Parallel()
	good := `{"type":"bounce","message_id":"` + messageID + `","recipient":"ann@example.org"}`
	many := "[" + strings.TrimSuffix(strings.Repeat(good+",", 1001), ",") + "]"
	for name, tc := range map[string]struct{ content, field string }{
		"nothing":                   {"", ""},
		"no JSON":                   {"type=bounce", ""},
		"an empty list":             {"[]", ""},
		"null":                      {"null", "0.type"},
		"a number":                  {"7", ""},
		"a list in a list":          {"[[]]", ""},
		"a name that is misspelled": {`{"typ":"bounce"}`, ""},
		"two documents":             {good + good, ""},
		"too many":                  {many, ""},
		"a type that is unknown":    {strings.Replace(good, `"bounce"`, `"opened"`, 1), "0.type"},
		"no message":                {`[` + good + `,{"type":"bounce","recipient":"ann@example.org"}]`, "1.message_id"},
		"a message that is too long": {strings.Replace(good, messageID, strings.Repeat("x", 1000), 1),
			"0.message_id"},
		"no recipient":                  {strings.Replace(good, "ann@example.org", "", 1), "0.recipient"},
		"a recipient with a line break": {strings.Replace(good, "ann@example.org", `ann@example.org\r\nBcc: eve@example.org`, 1), "0.recipient"},
		"a status that is none":         {strings.Replace(good, `{`, `{"status":"hard",`, 1), "0.status"},
		"an ID that is too long":        {strings.Replace(good, `{`, `{"id":"`+strings.Repeat("x", 1000)+`",`, 1), "0.id"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := bounce.ParseJSON(strings.NewReader(tc.content))
			var input *bounce.InputError
			if !errors.As(err, &input) || len(got) > 0 {
				t.Fatalf("read %+v, %v", got, err)
			}
			if tc.field != "" && input.Fields[tc.field] == "" {
				t.Errorf("%q is not named: %v", tc.field, input.Fields)
			}
			if strings.Contains(err.Error(), "example.org") {
				t.Errorf("the error tells the address: %v", err)
			}
		})
	}
	if _, err := bounce.ParseJSON(&endless{"[", good + ","}); !errors.Is(err, bounce.ErrTooLarge) {
		t.Errorf("reports without end: %v", err)
	}
}

func TestAReportIsKnownAgain(t *testing.T) {
	t.Parallel()
	base := bounce.Report{Kind: bounce.Bounce, MessageID: messageID, Recipient: "ann@example.org", Status: "5.1.1", Diagnostic: "no", ID: "7"}
	same := base
	same.Recipient, same.Diagnostic, same.MessageID = "ANN@example.org", "told in other words", deliveryID
	if base.Identity() != same.Identity() {
		t.Error("the same report by another way is another one")
	}
	for name, change := range map[string]func(r *bounce.Report){
		"another ID":      func(r *bounce.Report) { r.ID = "8" },
		"no ID":           func(r *bounce.Report) { r.ID = "" },
		"another kind":    func(r *bounce.Report) { r.Kind = bounce.Delayed },
		"another status":  func(r *bounce.Report) { r.Status = "5.1.2" },
		"another address": func(r *bounce.Report) { r.Recipient = "bob@example.org" },
	} {
		other := base
		change(&other)
		if other.Identity() == base.Identity() {
			t.Errorf("%s makes the same report", name)
		}
	}
}

func FuzzParseJSON(f *testing.F) {
	f.Add(`[{"type":"bounce","message_id":"` + messageID + `","recipient":"ann@example.org","status":"5.1.1"}]`)
	f.Add(`{"type":"complaint","message_id":"x","recipient":"ann@example.org","id":"7","diagnostic":"550 5.1.1"}`)
	f.Fuzz(func(t *testing.T, content string) {
		reports, err := bounce.ParseJSON(strings.NewReader(content))
		var input *bounce.InputError
		if err != nil && !errors.As(err, &input) && !errors.Is(err, bounce.ErrTooLarge) {
			t.Fatalf("an error that is not the package's: %v", err)
		}
		for _, r := range reports {
			if r.MessageID == "" || r.Recipient == "" || strings.ContainsAny(r.Recipient+r.Diagnostic+r.Status, "\r\n\x00") {
				t.Fatalf("a report %+v", r)
			}
		}
	})
}
