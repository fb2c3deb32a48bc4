package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

func (s *stand) keep(messages ...*Message) {
	s.t.Helper()
	for _, m := range messages {
		if err := s.inbox.add(s.t.Context(), m); err != nil {
			s.t.Fatal(err)
		}
	}
}

func texts(messages []Message) string {
	all := make([]string, len(messages))
	for i, m := range messages {
		all[i] = m.Text
	}
	return strings.Join(all, " ")
}

func TestTheListIsFilteredAndNewestFirst(t *testing.T) {
	t.Parallel()
	s := newStand(t, Options{})
	s.keep(
		&Message{Channel: Email, To: "ann+orders@example.com", Text: "one"},
		&Message{Channel: SMS, To: someone, Text: "two"},
		&Message{Channel: WhatsApp, To: someone, Text: "three"},
		&Message{Channel: Email, To: "bob@example.com", Subject: "50% off_now", Text: "four"},
	)
	for _, test := range []struct{ query, want string }{
		{"", "four three two one"},
		{"?channel=email", "four one"},
		{"?channel=sms", "two"},
		{"?to=%2B12025550123", "three two"},
		{"?to=+12025550123", "three two"},
		{"?to=whatsapp:%2B12025550123&channel=whatsapp", "three"},
		{"?to=Ann+orders@EXAMPLE.com", "one"},
		{"?to=example.com", ""},
		{"?limit=2", "four three"},
		{"?limit=999999", "four three two one"},
		{"?q=50%25", "four"},
		{"?q=f_n", "four"},
		{"?q=BOB", "four"},
		{"?q=_", "four"},
	} {
		if got := texts(s.messages(test.query).Items); got != test.want {
			t.Errorf("%s: got %q, want %q", test.query, got, test.want)
		}
	}
}

func TestTheListGoesOnFromItsCursor(t *testing.T) {
	t.Parallel()
	s := newStand(t, Options{})
	for i := range 5 {
		s.keep(&Message{Channel: SMS, To: someone, Text: fmt.Sprint(i)})
	}
	var got []string
	next, pages := "", 0
	for {
		page := s.messages("?limit=2&cursor=" + next)
		got = append(got, texts(page.Items))
		pages++
		if next = page.Next; next == "" || pages > 5 {
			break
		}
	}
	if all := strings.Join(got, "|"); all != "4 3|2 1|0" {
		t.Fatalf("got %q", all)
	}
}

func TestAnEmptyListIsAList(t *testing.T) {
	t.Parallel()
	s := newStand(t, Options{})
	if _, _, body := s.request(http.MethodGet, "/sandbox/api/messages", ""); body != `{"items":[],"next":""}` {
		t.Fatal(body)
	}
}

func TestAMessageHasTheFieldsOfTheContract(t *testing.T) {
	t.Parallel()
	s := newStand(t, Options{})
	s.keep(&Message{Channel: SMS, To: someone, Text: "x"})
	id := s.messages("").Items[0].ID
	status, _, body := s.request(http.MethodGet, "/sandbox/api/messages/"+id, "")
	var fields map[string]any
	if err := json.Unmarshal([]byte(body), &fields); err != nil || status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	for _, name := range []string{"id", "channel", "from", "to", "subject", "text", "html", "headers", "attachments", "received_at"} {
		if value, ok := fields[name]; !ok || value == nil {
			t.Errorf("no %s in %s", name, body)
		}
	}
}

func TestDeleteEmptiesTheInbox(t *testing.T) {
	t.Parallel()
	s := newStand(t, Options{})
	s.keep(&Message{Channel: SMS, To: someone, Text: "x"})
	id := s.messages("").Items[0].ID
	if status, _, body := s.request(http.MethodDelete, "/sandbox/api/messages", ""); status != http.StatusNoContent || body != "" {
		t.Fatalf("%d %s", status, body)
	}
	if n := len(s.messages("").Items); n != 0 {
		t.Fatalf("%d messages are left", n)
	}
	if status, _, body := s.request(http.MethodGet, "/sandbox/api/messages/"+id, ""); status != http.StatusNotFound || !strings.Contains(body, `"code":"not_found"`) {
		t.Fatalf("%d %s", status, body)
	}
}

func TestWrongRequestsAreRefusedInTheShapeOfTheContract(t *testing.T) {
	t.Parallel()
	s := newStand(t, Options{})
	for _, test := range []struct {
		name, method, path, body string
		status                   int
		field                    string
	}{
		{"an unknown channel in the list", "GET", "/messages?channel=fax", "", 400, "channel"},
		{"a limit of nothing", "GET", "/messages?limit=0", "", 400, "limit"},
		{"a limit that is no number", "GET", "/messages?limit=x", "", 400, "limit"},
		{"a cursor of one's own", "GET", "/messages?cursor=x", "", 400, "cursor"},
		{"an unknown channel", "PUT", "/faults", `{"channel":"fax","mode":"ok"}`, 422, "channel"},
		{"no channel", "PUT", "/faults", `{"mode":"ok"}`, 422, "channel"},
		{"an unknown mode", "PUT", "/faults", `{"channel":"sms","mode":"explode"}`, 422, "mode"},
		{"no mode", "PUT", "/faults", `{"channel":"sms"}`, 422, "mode"},
		{"a negative count", "PUT", "/faults", `{"channel":"sms","mode":"hang","count":-1}`, 422, "count"},
		{"half a hand-over", "PUT", "/faults", `{"channel":"sms","mode":"hang","count":1.5}`, 422, "count"},
		{"a count that is text", "PUT", "/faults", `{"channel":"sms","mode":"hang","count":"2"}`, 422, "count"},
		{"a field that is not known", "PUT", "/faults", `{"channel":"sms","mode":"hang","times":2}`, 422, "times"},
		{"no JSON", "PUT", "/faults", `channel=sms`, 400, ""},
		{"two objects", "PUT", "/faults", `{"channel":"sms","mode":"hang"}{}`, 400, ""},
		{"a list", "PUT", "/faults", `[]`, 400, ""},
		{"nothing", "PUT", "/faults", ``, 400, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			status, _, body := s.request(test.method, "/sandbox/api"+test.path, test.body)
			var answer struct {
				Error struct {
					Code, Message string
					Fields        map[string]string
				}
			}
			if err := json.Unmarshal([]byte(body), &answer); err != nil {
				t.Fatalf("%s: %v", body, err)
			}
			if status != test.status || answer.Error.Code == "" || answer.Error.Message == "" || answer.Error.Fields == nil {
				t.Fatalf("%d %s", status, body)
			}
			if test.field != "" && answer.Error.Fields[test.field] == "" {
				t.Fatalf("no word about %s in %s", test.field, body)
			}
		})
	}
	for _, c := range Channels {
		if f := s.fault(c); f.Mode != OK {
			t.Errorf("a wrong request set %+v", f)
		}
	}
}

func TestGetFaultsShowsWhatIsLeft(t *testing.T) {
	t.Parallel()
	s := newStand(t, Options{})
	s.setFault(Email, Temporary, 3)
	if err := s.sendMail("a@example.com"); err == nil {
		t.Fatal("the fault was not met")
	}
	if f := s.fault(Email); f != (Fault{Channel: Email, Mode: Temporary, Count: 2}) {
		t.Fatalf("%+v", f)
	}
}

func TestAnotherWebSiteCannotChangeAnything(t *testing.T) {
	t.Parallel()
	s := newStand(t, Options{})
	s.keep(&Message{Channel: SMS, To: someone, Text: "x"})
	for _, marks := range [][]string{
		{"Sec-Fetch-Site", "cross-site"},
		{"Sec-Fetch-Site", "same-site"},
		{"Origin", "https://attacker.example"},
	} {
		for _, attempt := range [][3]string{
			{"POST", "/sandbox/empty", ""},
			{"POST", "/sandbox/faults", "channel=sms&mode=hang&count=0"},
			{"DELETE", "/sandbox/api/messages", ""},
			{"PUT", "/sandbox/api/faults", `{"channel":"sms","mode":"hang"}`},
		} {
			headers := append([]string{"Content-Type", "application/x-www-form-urlencoded"}, marks...)
			if status, _, _ := s.request(attempt[0], attempt[1], attempt[2], headers...); status != http.StatusForbidden {
				t.Errorf("%v with %v: %d", attempt, marks, status)
			}
		}
	}
	if len(s.messages("").Items) != 1 || s.fault(SMS).Mode != OK {
		t.Fatal("something was changed")
	}
}
