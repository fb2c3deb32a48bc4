package rule

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// judged evaluates one line on the order of the shop, at noon of 2026-03-28 in UTC, the day before Berlin's clocks change.
func judged(t *testing.T, line, zone string) LineResult {
	t.Helper()
	c := compiled(t, func(n *Notification) { n.Conditions, n.TimeZone = line, zone })
	doc := anOrderOfTheShop()
	doc["due"] = time.Date(2026, 3, 30, 0, 0, 0, 0, time.UTC)
	doc["shipped_at"] = time.Date(2026, 3, 28, 23, 30, 0, 0, time.UTC)
	scope, _ := loaded(t, c, aShop(), Scope{Doc: doc, At: time.Date(2026, 3, 28, 12, 0, 0, 0, time.UTC)})
	return c.Judge(scope).Lines[0]
}

func TestDatesAreComparedAndCountedInTheNotificationsZone(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{ // the zones in which it is true
		`doc.due < today() + days(3)`:                       "UTC Europe/Berlin",
		`doc.due == today() + days(2)`:                      "UTC Europe/Berlin",
		`doc.due - today() == days(2)`:                      "UTC Europe/Berlin",
		`today() + weeks(1) - days(1) == "2026-04-03"`:      "UTC Europe/Berlin",
		`doc.shipped_at < "2026-03-29"`:                     "UTC",
		`doc.shipped_at >= "2026-03-29"`:                    "Europe/Berlin",
		`doc.shipped_at == "2026-03-29 00:30"`:              "Europe/Berlin",
		`doc.shipped_at == "2026-03-28T23:30:00Z"`:          "UTC Europe/Berlin",
		`doc.shipped_at < today() + days(1)`:                "UTC",
		`now() == "2026-03-28 13:00"`:                       "Europe/Berlin",
		`now() - hours(1.5) < now() - minutes(89)`:          "UTC Europe/Berlin",
		`doc.shipped_at + days(1) == "2026-03-30 00:30"`:    "Europe/Berlin",
		`doc.shipped_at + hours(24) == "2026-03-30 01:30"`:  "Europe/Berlin",
		`doc.due in ("2026-03-30", "2026-03-31")`:           "UTC Europe/Berlin",
		`now() < doc.due < now() + days(5)`:                 "UTC Europe/Berlin",
		`days(1) == hours(24) and days(1) < weeks(1)`:       "UTC Europe/Berlin",
		`now() + days(1) - now() > hours(23)`:               "UTC",
		`old_doc.due == None and not old_doc.due < today()`: "UTC Europe/Berlin",
		`today() - days(doc.quantity + 1) == "2026-03-27"`:  "UTC Europe/Berlin",
		`today() + hours(1) == "2026-03-28T01:00:00"`:       "UTC Europe/Berlin",
		`not (days(0) or doc.due - doc.due)`:                "UTC Europe/Berlin",
		`days(2) + today() == doc.due`:                      "UTC Europe/Berlin",
	} {
		for _, zone := range []string{"UTC", "Europe/Berlin"} {
			got := judged(t, line, zone)
			if got.Result != strings.Contains(want, zone) || got.Error != "" {
				t.Errorf("%s in %s is %t (%s), want it true in %s", line, zone, got.Result, got.Error, want)
			}
		}
	}
}

func TestTextsAreTestedInEverySpelling(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]bool{
		`doc.status startswith "in"`:                                 true,
		`doc.status startsWith "In"`:                                 false,
		`doc.status.startswith("in")`:                                true,
		`startswith(doc.status, "in")`:                               true,
		`doc.status endswith "sit" and doc.status.endsWith("t")`:     true,
		`doc.status contains "tran"`:                                 true,
		`doc.status not contains "x"`:                                true,
		`not doc.status not contains "x"`:                            false,
		`doc.status matches "^IN"`:                                   false,
		`doc.status matches "(?i)^IN .*t$"`:                          true,
		`matches(doc.status, r"\s")`:                                 true,
		`lower("ÄB" ) == "äb" and upper(doc.status) == "IN TRANSIT"`: true,
		`len(doc.status) == 10 and len(doc.tags) == 2`:               true,
		`doc.tags contains "new"`:                                    true,
		`contains(doc.tags, "old")`:                                  false,
		`doc.email startswith "a"`:                                   false,
		`doc.customer.name startswith "A"`:                           true,
		`doc.email contains None`:                                    false,
	} {
		got := judged(t, line, "")
		if line == `doc.email contains None` {
			if got.Error == "" {
				t.Errorf("%s has no error", line)
			}
			continue
		}
		if got.Result != want || got.Error != "" {
			t.Errorf("%s is %t (%s), want %t", line, got.Result, got.Error, want)
		}
	}
}

func TestConditionsLookAtManyRows(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]bool{
		`count(doc.items) == 2`:                                                                        true,
		`len(doc.items) > 2`:                                                                           false,
		`sum(doc.items.price) == 10.5`:                                                                 true,
		`min(doc.items.price) == 1.5 and max(doc.items.price) == 9`:                                    true,
		`any(item.price > 5 for item in doc.items)`:                                                    true,
		`all(item.price > 5 for item in doc.items)`:                                                    false,
		`all(item.price > doc.quantity and item.name != "" for item in doc.items)`:                     true,
		`any(item.price > 100 for item in old_doc.items)`:                                              false,
		`all(item.price > 100 for item in old_doc.items)`:                                              true,
		`sum(old_doc.items.price) == 0 and max(old_doc.items.price) is None`:                           true,
		`any(any(o.name == "Ann" for o in doc.customer) and item.name == "Pen" for item in doc.items)`: true,
		`not any(item.name startswith "x" for item in doc.items) and doc.paid`:                         true,
	} {
		if got := judged(t, line, ""); got.Result != want || got.Error != "" {
			t.Errorf("%s is %t (%s), want %t", line, got.Result, got.Error, want)
		}
	}
}

func TestCallsThatAreWrongAreRefusedWithTheirColumn(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		`doc.due < tody()`:                                      "line 1, column 11: there is no function tody: did you mean today?",
		`doc.due < zzzzzzz()`:                                   "there are today, now, days",
		`doc.due < today`:                                       "column 11: today is a function: write today()",
		`doc.due < today(1)`:                                    "column 11: today() takes nothing between its parentheses",
		`doc.due < today() + 3`:                                 "+ cannot join them; write for example today() + days(3)",
		`doc.due < today() * days(3)`:                           "* cannot join them",
		`doc.due + doc.due == today()`:                          "+ cannot join them",
		`days(doc.status) == days(1)`:                           "column 6: doc.status is text: days() takes a number",
		`days(1, 2) == days(1)`:                                 "days() takes a number between its parentheses",
		`doc.due < days(3)`:                                     "they cannot be compared with <",
		`doc.status matches "("`:                                "column 20: the pattern cannot be read",
		`doc.status matches doc.email`:                          "column 20: matches needs a pattern in quotes",
		`doc.status matches "` + strings.Repeat("a", 501) + `"`: "longer than 500 characters",
		`doc.id startswith "1"`:                                 "column 1: doc.id is a number: startswith works on texts",
		`doc.status startswith 1`:                               "column 23: 1 is a number: startswith needs a text after it",
		`doc.status.startwith("a")`:                             "there is no method startwith",
		`startswith(doc.status)`:                                "startswith() takes a text and another one",
		`len(doc.id) > 1`:                                       "doc.id is a number: len() takes",
		`count(doc.status) > 1`:                                 "count() takes a relation to many",
		`sum(doc.items.name) > 1`:                               "sum() takes a number of a relation to many",
		`sum(doc.items) > 1`:                                    "sum() takes a number of a relation to many",
		`any(doc.paid)`:                                         "any() takes a condition for every row",
		`any(item.gone for item in doc.items)`:                  "column 5: items has no field gone",
		`any(item.price > 1 for item in doc.itms)`:              "column 32: orders has no field itms: did you mean items?",
		`any(doc.paid for doc in doc.items)`:                    "the name doc is taken",
		`any(item.price > 1 for item in doc.status)`:            "has no rows to look at",
		`any(item.price > 1 for item in doc.items`:              "( is never closed",
		`any(any(any(c.price > 1 for c in doc.items) for b in doc.items) for a in doc.items)`: "2 deep at most",
		`item.price > 1`:           "unknown name item",
		`$env == 1`:                "unexpected '$'",
		`doc.status startwith "a"`: "unexpected startwith: did you mean startswith?",
		`doc.status == “A”`:        "unexpected “: write straight quotes",
		`doc.status contains`:      "unexpected the end of the line",
	} {
		n := notification()
		n.Conditions = line
		if got := reader().Validate(n)["conditions"]; !strings.Contains(got, want) {
			t.Errorf("%s: got %q, want it to contain %q", line, got, want)
		}
	}
}

func TestCallsThatFailOnARowAreFalseAndSayWhy(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		`today() + days(0.5) == today()`: "days() takes a whole number",
		`now() + hours(3000000) > now()`: "at most 36500 days",
		`today() + days(1e9) == today()`: "at most 366000 days",
		`doc.tags startswith "a"`:        "startswith works on texts",
	} {
		if got := judged(t, line, ""); got.Result || !strings.Contains(got.Error, want) {
			t.Errorf("%s is %t (%s), want an error with %q", line, got.Result, got.Error, want)
		}
	}
}

func TestAChangeFromOrToAValueIsWaitedFor(t *testing.T) {
	t.Parallel()
	text := func(s string) *string { return &s }
	doc := func(status string, quantity any) Document {
		return Document{"status": status, "quantity": quantity, "amount": decimal("12.50"), "shipped_at": time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)}
	}
	for name, test := range map[string]struct {
		change        func(n *Notification)
		before, after Document
		fires         bool
		reason        string
	}{
		"one of several fields":       {func(n *Notification) { n.ValueChangeField, n.ValueChangeFields = "status", []string{"quantity"} }, doc("A", int64(1)), doc("A", int64(2)), true, ""},
		"none of several fields":      {func(n *Notification) { n.ValueChangeFields = []string{"status", "quantity"} }, doc("A", int64(1)), doc("A", int64(1)), false, "status or quantity did not change"},
		"from the value":              {func(n *Notification) { n.ValueChangeField, n.ValueChangeFrom = "status", text("A") }, doc("A", nil), doc("B", nil), true, ""},
		"from another value":          {func(n *Notification) { n.ValueChangeField, n.ValueChangeFrom = "status", text("C") }, doc("A", nil), doc("B", nil), false, "status changed, but not from or to"},
		"to a number by its value":    {func(n *Notification) { n.ValueChangeField, n.ValueChangeTo = "quantity", text("9.0") }, doc("A", int64(1)), doc("A", int64(9)), true, ""},
		"to nothing":                  {func(n *Notification) { n.ValueChangeField, n.ValueChangeTo = "quantity", text("") }, doc("A", int64(1)), doc("A", nil), true, ""},
		"to an empty text":            {func(n *Notification) { n.ValueChangeField, n.ValueChangeTo = "status", text("") }, doc("A", nil), doc("", nil), true, ""},
		"to something, not nothing":   {func(n *Notification) { n.ValueChangeField, n.ValueChangeTo = "quantity", text("") }, doc("A", nil), doc("A", int64(0)), false, "not from or to"},
		"a field that is gone":        {func(n *Notification) { n.ValueChangeField = "gone" }, doc("A", nil), doc("B", nil), false, "no field gone any more"},
		"one that is gone, one there": {func(n *Notification) { n.ValueChangeFields = []string{"gone", "status"} }, doc("A", nil), doc("B", nil), true, ""},
		"9 and 9":                     {func(n *Notification) { n.ValueChangeField = "quantity" }, doc("A", int64(9)), doc("A", int64(9)), false, "did not change"},
	} {
		c := compiled(t, func(n *Notification) { n.Trigger = OnValueChange; test.change(n) })
		fires, reason := c.Fires(Scope{OldDoc: test.before, Doc: test.after})
		if fires != test.fires || !strings.Contains(reason, test.reason) {
			t.Errorf("%s: fires %t (%s), want %t (%s)", name, fires, reason, test.fires, test.reason)
		}
	}
	for name, test := range map[string]struct {
		change      func(n *Notification)
		field, want string
	}{
		"a second field's typo": {func(n *Notification) { n.ValueChangeFields = []string{"status", "quantty"} }, "value_change_fields[1]", "did you mean quantity?"},
		"a value of no number":  {func(n *Notification) { n.ValueChangeField, n.ValueChangeTo = "quantity", text("x") }, "value_change_to", "quantity must be a whole number"},
		"a value of no boolean": {func(n *Notification) { n.ValueChangeField, n.ValueChangeTo = "paid", text("yes") }, "value_change_to", "paid must be either True or False"},
		"a value of no decimal": {func(n *Notification) { n.ValueChangeField, n.ValueChangeTo = "amount", text("x") }, "value_change_to", "amount must be a number such as 12.50"},
		"a value of no date":    {func(n *Notification) { n.ValueChangeField, n.ValueChangeFrom = "due", text("x") }, "value_change_from", "due must be a date"},
		"too many": {func(n *Notification) {
			for i := range 21 {
				n.ValueChangeFields = append(n.ValueChangeFields, fmt.Sprint("f", i))
			}
		}, "value_change_fields", "at most 20"},
	} {
		n := notification()
		n.Trigger = OnValueChange
		test.change(n)
		if got := reader().Validate(n)[test.field]; !strings.Contains(got, test.want) {
			t.Errorf("%s: %q, want it to contain %q", name, got, test.want)
		}
	}
}

// BenchmarkCondition is one typical line.
func BenchmarkCondition(b *testing.B) {
	n := notification()
	n.Conditions = `doc.status == "APPROVED" and old_doc.amount != doc.amount and doc.due < today() + days(30)`
	c, err := reader().Compile(n)
	if err != nil {
		b.Fatal(err)
	}
	scope := Scope{Doc: document(b, anOrder), OldDoc: Document{}, At: time.Date(2026, 1, 30, 0, 0, 0, 0, time.UTC)}
	for b.Loop() {
		if !c.Judge(scope).Sends {
			b.Fatal("it does not send")
		}
	}
}
