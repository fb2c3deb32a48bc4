package activities

import (
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/silquetech/silque-notifications/internal/rule"
)

var orders = &rule.Model{
	Name: "orders", Label: "Orders", PrimaryKey: []string{"id"},
	Fields: []rule.Field{
		{Name: "id", Label: "ID", Type: rule.Integer}, {Name: "status", Label: "Status", Type: rule.String},
		{Name: "email", Label: "Email", Type: rule.String, Nullable: true},
	},
}

type modelSet map[string]*rule.Model

func (s modelSet) Model(name string) (*rule.Model, bool) {
	m, ok := s[name]
	return m, ok
}

// plain takes what has an @, in small letters, and panics where a test wants to see that.
type plain struct{}

func (plain) Normalize(_ rule.Channel, raw string) (string, error) {
	switch {
	case raw == "panic@example.com":
		panic("broken")
	case !strings.Contains(raw, "@"):
		return "", errors.New("it is no address")
	}
	return strings.ToLower(raw), nil
}

func judging() *Activities {
	return &Activities{Addresses: plain{}, Log: slog.New(slog.DiscardHandler)}
}

func scope(t *testing.T, doc, oldDoc string) rule.Scope {
	t.Helper()
	s, err := scopeOf(orders, Event{Doc: json.RawMessage(doc), OldDoc: json.RawMessage(oldDoc)})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestANotificationSaysWhatItDoesWithAChange(t *testing.T) {
	t.Parallel()
	direct := func(addresses ...string) func(n *rule.Notification) {
		return func(n *rule.Notification) {
			n.Recipients = nil
			for _, a := range addresses {
				n.Recipients = append(n.Recipients, rule.Recipient{Address: a})
			}
		}
	}
	tests := []struct {
		name      string
		change    func(n *rule.Notification)
		outcome   rule.Decision
		detail    string
		addresses []string
		errors    []rule.ErrCode
	}{
		{"it sends", nil, rule.Sends, "", []string{"ann@example.com"}, nil},
		{"the same person twice gets one message", direct("Ann@example.com", "ann@example.com", "ben@example.com"),
			rule.Sends, "", []string{"ann@example.com", "ben@example.com"}, nil},
		{"a bad address does not hold back the others", direct("nobody", "ben@example.com"),
			rule.Sends, "", []string{"ben@example.com"}, []rule.ErrCode{rule.EmailRecipientError}},
		{"no address is good", direct("nobody"), rule.NoRecipient, "no recipient has a valid address", nil, []rule.ErrCode{rule.EmailRecipientError}},
		{"a field that is no address", func(n *rule.Notification) { n.Recipients = []rule.Recipient{{DocumentField: "doc.status"}} },
			rule.NoRecipient, "no recipient", nil, []rule.ErrCode{rule.EmailRecipientResolveFail}},
		{"a number that is none", func(n *rule.Notification) { n.Channel = rule.SMS; direct("nobody")(n) },
			rule.NoRecipient, "no recipient", nil, []rule.ErrCode{rule.NumberRecipientError}},
		{"a field that is no number", func(n *rule.Notification) {
			n.Channel, n.Recipients = rule.WhatsApp, []rule.Recipient{{DocumentField: "doc.status"}}
		}, rule.NoRecipient, "no recipient", nil, []rule.ErrCode{rule.NumberRecipientResolveFail}},
		{"its condition is false", func(n *rule.Notification) { n.Conditions = `doc.status == "open"` }, rule.FalseLines, "", nil, nil},
		{"its field has not changed", func(n *rule.Notification) { n.Trigger, n.ValueChangeField = rule.OnValueChange, "email" }, rule.Unchanged, "", nil, nil},
		{"its field has changed", func(n *rule.Notification) { n.Trigger, n.ValueChangeField = rule.OnValueChange, "status" },
			rule.Sends, "", []string{"ann@example.com"}, nil},
		{"its condition names a field that is gone", func(n *rule.Notification) { n.Conditions = "doc.total == 1" },
			rule.FalseLines, "line 1", nil, []rule.ErrCode{rule.ConditionEvalFail}},
		{"one of its conditions is true", func(n *rule.Notification) { n.Conditions = "doc.total == 1\n" + `doc.status == "paid"` },
			rule.Sends, "", []string{"ann@example.com"}, []rule.ErrCode{rule.ConditionEvalFail}},
		{"it panics", direct("panic@example.com"), rule.Invalid, "could not be evaluated", nil, []rule.ErrCode{rule.TemplateParseFail}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			n := &rule.Notification{ID: "n1", Version: 4, Title: "Order {{ doc.id }}", Message: "It is {{ doc.status }}", Active: true,
				Channel: rule.Email, Model: "orders", Trigger: rule.OnUpdate, Recipients: []rule.Recipient{{DocumentField: "doc.email"}}}
			if test.change != nil {
				test.change(n)
			}
			r := Resolution{EventID: "e1"}
			look := look{models: modelSet{"orders": orders}, computed: new(time.Duration), scope: scope(t,
				`{"id":7,"status":"paid","email":"ann@example.com"}`, `{"id":7,"status":"open","email":"ann@example.com"}`)}
			if err := judging().judge(t.Context(), &r, n, look); err != nil {
				t.Fatal(err)
			}
			if len(r.Decisions) != 1 {
				t.Fatalf("%d decisions, want 1", len(r.Decisions))
			}
			d := r.Decisions[0]
			if d.NotificationID != "n1" || d.Version != 4 || d.Outcome != test.outcome || !strings.Contains(d.Detail, test.detail) ||
				d.Deliveries != len(test.addresses) || test.outcome != rule.Sends && d.Detail == "" {
				t.Errorf("decided %+v, want %s (%s)", d, test.outcome, test.detail)
			}
			var addresses []string
			for _, m := range r.Deliveries {
				addresses = append(addresses, m.Address)
				if m.NotificationID != "n1" || m.NotificationVersion != 4 || m.Channel != rule.Email || m.Subject != "Order 7" || m.Text != "It is paid" {
					t.Errorf("message %+v", m)
				}
			}
			var codes []rule.ErrCode
			for _, e := range r.Errors {
				codes = append(codes, e.Code)
				if e.NotificationID != "n1" || e.Key == "" || strings.Contains(e.Message, "nobody") {
					t.Errorf("error %+v", e)
				}
			}
			if !slices.Equal(addresses, test.addresses) || !slices.Equal(codes, test.errors) {
				t.Errorf("to %v with errors %v (%+v), want %v and %v", addresses, codes, r.Errors, test.addresses, test.errors)
			}
		})
	}
}

func TestNotificationsThatTakeTooLongTogetherAreReported(t *testing.T) {
	t.Parallel()
	used := computeLimit + 1
	n := &rule.Notification{ID: "n1", Version: 1, Title: "t", Message: "m", Channel: rule.Email, Model: "orders", Trigger: rule.OnUpdate,
		Recipients: []rule.Recipient{{Address: "ann@example.com"}}}
	r := Resolution{EventID: "e1"}
	look := look{models: modelSet{"orders": orders}, computed: &used, scope: scope(t, `{"id":7}`, `{"id":7}`)}
	if err := judging().judge(t.Context(), &r, n, look); err != nil {
		t.Fatal(err)
	}
	if len(r.Deliveries) > 0 || len(r.Errors) != 1 || r.Decisions[0].Outcome != rule.Invalid {
		t.Errorf("it came to %+v", r)
	}
}

func TestACompiledRuleIsUsedForItsVersionAndModelOnly(t *testing.T) {
	t.Parallel()
	var c compiledRules
	get := func(version int64, model *rule.Model) *rule.Compiled {
		t.Helper()
		compiled, err := c.get(rule.Reader{Models: modelSet{"orders": model}}, &rule.Notification{ID: "n1", Version: version, Title: "t", Message: "m", Channel: rule.Email, Model: "orders",
			Trigger: rule.OnNew, Recipients: []rule.Recipient{{Address: "ann@example.com"}}})
		if err != nil {
			t.Fatal(err)
		}
		return compiled
	}
	second := get(2, orders)
	if get(2, orders) != second {
		t.Error("the same version is compiled again")
	}
	if get(1, orders) == second {
		t.Error("an older version is judged by a newer one")
	}
	if get(2, orders) != second {
		t.Error("an older version drove out the newer one")
	}
	changed := *orders
	if get(2, &changed) == second {
		t.Error("a changed model is judged by its old form")
	}
	if get(3, &changed) == second {
		t.Error("a newer version is judged by an older one")
	}
}
