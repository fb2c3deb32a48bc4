package stack_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/silquetech/silque-notifications/dev/apiclient"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

// outcomes gives how the attempts of a delivery ended, in their order.
func (h *house) outcomes(t *testing.T, d apiclient.Delivery) string {
	t.Helper()
	var detail struct {
		AttemptsLog []struct{ Outcome string } `json:"attempts_log"`
	}
	must(t, h.Call(waiting(t), http.MethodGet, "/api/v1/deliveries/"+d.ID, nil, &detail))
	var all []string
	for _, a := range detail.AttemptsLog {
		all = append(all, a.Outcome)
	}
	return strings.Join(all, " ")
}

// phone is the inbox of a number.
func (h *house) phone(t *testing.T, number string) []apiclient.Message {
	t.Helper()
	inbox, err := h.Inbox(waiting(t), url.QueryEscape(number))
	must(t, err)
	return inbox
}

// someNumber is a number of this test's own.
func someNumber() string { return fmt.Sprintf("+1202555%04d", 200+people.Add(1)) }

// TestAnAcceptedMessageWhoseAnswerIsLostIsNotSentTwice has no reports that would end the doubt: only the look at Twilio's
// message list can.
func TestAnAcceptedMessageWhoseAnswerIsLostIsNotSentTwice(t *testing.T) {
	t.Parallel()
	for name, database := range map[string]func(t testing.TB) string{
		"SQLite": func(testing.TB) string { return "" }, "Postgres": testdb.PostgresURL,
	} {
		t.Run("on "+name, func(t *testing.T) {
			t.Parallel()
			h := start(t, database(t), "TWILIO_STATUS_CALLBACK=none")
			must(t, h.OnlyNotifications(waiting(t)))
			for _, channel := range []string{"sms", "whatsapp"} {
				h.notification(t, "new", "Taken by "+channel, map[string]any{"channel": channel, "recipients": []map[string]any{{"document_field": "doc.phone"}}})
				for round := range 3 {
					must(t, h.SetFault(waiting(t), channel, "lost", 1))
					number := someNumber()
					d, log := h.delivery(t, h.save(t, map[string]any{"name": "Taken by " + channel, "phone": number}))
					inbox := h.phone(t, number)
					if len(inbox) != 1 {
						t.Fatalf("%s, round %d: %d messages came, want one", channel, round, len(inbox))
					}
					if sid := "SM" + strings.ReplaceAll(inbox[0].ID, "-", ""); d.Status != "sent" || d.ProviderID != sid || len(log) != 0 {
						t.Errorf("%s, round %d: it is %s as %s with %d errors, want sent as %s", channel, round, d.Status, d.ProviderID, len(log), sid)
					}
					if got := h.outcomes(t, d); got != "unknown sent" {
						t.Errorf("%s, round %d: the attempts ended %s", channel, round, got)
					}
				}
			}
		})
	}
}

func TestAnEmailWhoseAnswerIsLostComesTwiceUnderOneName(t *testing.T) {
	t.Parallel()
	h := start(t, "")
	must(t, h.OnlyNotifications(waiting(t)))
	h.notification(t, "new", "Mailed", nil)
	must(t, h.SetFault(waiting(t), "email", "lost", 1))
	to := somebody()
	d, log := h.delivery(t, h.save(t, map[string]any{"name": "Mailed", "email": to}))
	inbox, err := h.Inbox(waiting(t), to)
	must(t, err)
	if d.Status != "sent" || h.outcomes(t, d) != "unknown sent" || len(log) != 0 || len(inbox) != 2 {
		t.Fatalf("it is %s after %s, with %d errors and %d emails; want two, the second for the lost answer", d.Status, h.outcomes(t, d), len(log), len(inbox))
	}
	for i, m := range inbox {
		header := func(name string) string {
			for spelt, value := range m.Headers {
				if strings.EqualFold(spelt, name) {
					return value
				}
			}
			return ""
		}
		if header("Message-ID") != "<"+d.ProviderID+">" || !strings.HasPrefix(d.ProviderID, d.ID+"@") || header("X-Silque-Delivery") != d.ID {
			t.Errorf("copy %d is called %q, of delivery %q; want that of %s in both", i, header("Message-ID"), header("X-Silque-Delivery"), d.ID)
		}
	}
	if inbox[0].Subject != inbox[1].Subject || inbox[0].Text != inbox[1].Text {
		t.Errorf("the copies differ: %+v", inbox)
	}
}

// answer answers a message as its recipient would.
func (h *house) answer(t *testing.T, m apiclient.Message, word string) {
	t.Helper()
	response, err := http.PostForm(h.URL+"/sandbox/messages/"+m.ID+"/answer", url.Values{"word": {word}})
	must(t, err)
	must(t, response.Body.Close())
	if response.Request.URL.Query().Get("answered") != word {
		t.Fatalf("%s was not taken: %d at %s", word, response.StatusCode, response.Request.URL)
	}
}

func TestTwilioReportsAndPeopleAnswer(t *testing.T) {
	t.Parallel()
	h := start(t, testdb.PostgresURL(t))
	must(t, h.OnlyNotifications(waiting(t)))
	for _, channel := range []string{"sms", "whatsapp"} {
		name, number := "Answers by "+channel, someNumber()
		h.notification(t, "new", name, map[string]any{"channel": channel, "recipients": []map[string]any{{"document_field": "doc.phone"}}})
		save := func(status string) apiclient.Delivery {
			t.Helper()
			d, _ := h.delivery(t, h.save(t, map[string]any{"name": name, "phone": number}))
			must(t, apiclient.Until(waiting(t), func() (bool, error) {
				err := h.Call(t.Context(), http.MethodGet, "/api/v1/deliveries/"+d.ID, nil, &d)
				return d.Status == status, err
			}))
			return d
		}
		suppressions := func() []struct{ Reason, Channel string } {
			t.Helper()
			var list apiclient.List[struct{ Reason, Channel string }]
			must(t, h.Call(waiting(t), http.MethodGet, "/api/v1/suppressions?address="+url.QueryEscape(number), nil, &list))
			return list.Items
		}
		save("delivered")
		first := h.phone(t, number)
		if len(first) != 1 {
			t.Fatalf("%s: %d messages came", channel, len(first))
		}
		h.answer(t, first[0], "STOP")
		if got := suppressions(); len(got) != 1 || got[0].Reason != "stop" || got[0].Channel != channel {
			t.Errorf("%s: after STOP the list holds %+v", channel, got)
		}
		if d := save("suppressed"); d.ErrorCode != "suppressed_stop" || d.Attempts != 0 || len(h.phone(t, number)) != 1 {
			t.Errorf("%s: after STOP the delivery is %+v, and %d messages came", channel, d, len(h.phone(t, number)))
		}
		h.answer(t, first[0], "START")
		if got := suppressions(); len(got) != 0 {
			t.Errorf("%s: after START the list holds %+v", channel, got)
		}
		if save("delivered"); len(h.phone(t, number)) != 2 {
			t.Errorf("%s: after START %d messages came", channel, len(h.phone(t, number)))
		}
		h.answer(t, first[0], "STOP")
		if got := suppressions(); len(got) != 1 {
			t.Errorf("%s: after another STOP the list holds %+v", channel, got)
		}
	}
}
