package saying_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/saying"
)

func TestANotificationIsSaidInOneSentence(t *testing.T) {
	t.Parallel()
	tests := []struct {
		n    rule.Notification
		when string
	}{
		{rule.Notification{Model: "orders", Trigger: rule.OnNew}, "when an order is created"},
		{rule.Notification{Model: "sales.order_lines", Trigger: rule.OnUpdate}, "when an order line is updated"},
		{rule.Notification{Model: "companies", Trigger: rule.OnDelete}, "when a company is deleted"},
		{rule.Notification{Model: "addresses", Trigger: rule.OnNew}, "when an address is created"},
		{rule.Notification{Model: "status", Trigger: rule.OnNew}, "when a status is created"},
		{rule.Notification{Model: "orders", Trigger: rule.OnValueChange, ValueChangeField: "status"}, "when an order’s status changes"},
		{rule.Notification{Model: "orders", Trigger: rule.OnValueChange, ValueChangeField: "status", ValueChangeFields: []string{"due_on"}, ValueChangeFrom: new(""), ValueChangeTo: new("PAID")},
			"when an order’s status or due on changes from nothing to PAID"},
		{rule.Notification{Model: "invoices", Trigger: rule.DaysBefore, DateField: "due_date", AlertDays: new(3)}, "3 days before an invoice’s due date"},
		{rule.Notification{Model: "invoices", Trigger: rule.DaysAfter, DateField: "due_date", AlertDays: new(1), AlertUnit: rule.Hours}, "1 hour after an invoice’s due date"},
		{rule.Notification{Model: "invoices", Trigger: rule.DaysAfter, DateField: "due_date", AlertDays: new(0)}, "on the day of an invoice’s due date"},
		{rule.Notification{}, "when something happens to a row"},
	}
	for _, test := range tests {
		if got := saying.When(&test.n); got != test.when {
			t.Errorf("%+v: %q, want %q", test.n, got, test.when)
		}
	}
}

func TestRecipientsAndConditionsAreSaid(t *testing.T) {
	t.Parallel()
	names := saying.Names{List: func(id string) string { return map[string]string{"l": "Night"}[id] }}
	n := rule.Notification{Conditions: "\n doc.amount > 5 \n", Recipients: []rule.Recipient{
		{Address: "ann@example.com"}, {DocumentField: "doc.customer.email"}, {ListID: "l"}, {Copy: true, Address: "x"},
		{Query: &rule.RecipientQuery{Model: "employees", Where: []rule.Match{{Field: "role", Value: "chef"}}}},
	}}
	if got := saying.Whom(&n, names); got != "ann@example.com, the customer’s email and 2 more" {
		t.Error(got)
	}
	n.Recipients = n.Recipients[2:]
	if got := saying.Whom(&n, names); got != "saved list “Night” and every one of employees where role is chef" {
		t.Error(got)
	}
	if got := saying.Whom(&rule.Notification{}, names); got != "nobody" {
		t.Error(got)
	}
	if got := saying.If(&n); got != "if doc.amount > 5" {
		t.Error(got)
	}
	n.Conditions += "\ndoc.b"
	if got := saying.If(&n); got != "if any of 2 conditions holds" {
		t.Error(got)
	}
}

// TestNoPartOfANotificationIsLeftOutOfADifference changes every field of a notification in turn, those of the future too.
func TestNoPartOfANotificationIsLeftOutOfADifference(t *testing.T) {
	t.Parallel()
	decided := []string{"id", "version", "created_at", "updated_at", "active_since"}
	shared := map[string]string{"value_change_fields": "value_change_field", "alert_unit": "alert_days"}
	samples := map[string]any{
		"recipients": []rule.Recipient{{Address: "x"}}, "variants": []rule.Variant{{Locale: "de"}}, "attachments": []rule.Attachment{{Name: "x"}},
		"value_change_fields": []string{"x"}, "content_variables": map[string]string{"1": "x"},
	}
	fields := reflect.TypeFor[rule.Notification]()
	for i := range fields.NumField() {
		name := fields.Field(i).Tag.Get("json")
		if slices.Contains(decided, name) {
			continue
		}
		before, after := rule.Notification{AlertDays: new(0)}, rule.Notification{AlertDays: new(0)}
		value := reflect.ValueOf(&after).Elem().Field(i)
		switch {
		case samples[name] != nil:
			value.Set(reflect.ValueOf(samples[name]))
		case value.Kind() == reflect.String:
			value.SetString("x")
		case value.Kind() == reflect.Bool:
			value.SetBool(true)
		case value.Kind() == reflect.Int:
			value.SetInt(7)
		case value.Type() == reflect.TypeFor[*int]():
			value.Set(reflect.ValueOf(new(7)))
		default:
			value.Set(reflect.ValueOf(new("x")))
		}
		want := name
		if shared[name] != "" {
			want = shared[name]
		}
		got := saying.Differences(&before, &after, saying.Names{})
		if len(got) != 1 || got[0].Field != want || got[0].Label == "" {
			t.Errorf("%s: %+v", name, got)
		}
		if got := saying.Differences(&after, &after, saying.Names{}); len(got) != 0 {
			t.Errorf("%s differs from itself: %+v", name, got)
		}
	}
}

func TestTextsAreComparedLineByLine(t *testing.T) {
	t.Parallel()
	signs := map[string]string{saying.Same: " ", saying.Added: "+", saying.Removed: "-", saying.LeftOut: "…"}
	long := strings.Repeat("x\n", 5000)
	for name, test := range map[string]struct{ before, after, want string }{
		"nothing":       {"", "", ""},
		"a new text":    {"", "a\nb", "+a|+b"},
		"an old text":   {"a\r\nb", "", "-a|-b"},
		"one line":      {"a\nb\nc", "a\nB\nc", " a|-b|+B| c"},
		"a line more":   {"a\nc", "a\nb\nc", " a|+b| c"},
		"moved":         {"a\nb\nc", "b\nc\na", "-a| b| c|+a"},
		"far away":      {"1\n2\n3\n4\n5\n6\n7\n8\n9", "1\n2\n3\n4\n5\n6\n7\n8\n9\n10", "…| 7| 8| 9|+10"},
		"not much left": {"1\n2\n3\n4\n5", "1\n2\n3\n4\n5\n6", " 1| 2| 3| 4| 5|+6"},
		"very long":     {"a\n" + long, "b\n" + strings.Repeat("y\n", 5000), ""},
	} {
		var said []string
		for _, line := range saying.Lines(test.before, test.after) {
			said = append(said, signs[line.Kind]+line.Text)
		}
		if got := strings.Join(said, "|"); got != test.want && name != "very long" {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

func TestAnEmailsTitleIsCalledItsSubjectAsInTheForm(t *testing.T) {
	t.Parallel()
	for channel, want := range map[rule.Channel]string{rule.Email: "Subject", rule.SMS: "Title"} {
		before, after := &rule.Notification{Channel: channel, Title: "a"}, &rule.Notification{Channel: channel, Title: "b"}
		if got := saying.Differences(before, after, saying.Names{}); len(got) != 1 || got[0].Label != want {
			t.Errorf("%s: %+v, want %s", channel, got, want)
		}
	}
}
