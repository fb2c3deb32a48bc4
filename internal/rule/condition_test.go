package rule

import (
	"errors"
	"strings"
	"testing"
)

// judge gives the result and the error of one line.
func judge(t *testing.T, line string, s Scope) LineResult {
	t.Helper()
	verdict := compiled(t, func(n *Notification) { n.Conditions = line }).Judge(s)
	if len(verdict.Lines) != 1 {
		t.Fatalf("%s gave %d lines", line, len(verdict.Lines))
	}
	return verdict.Lines[0]
}

func TestConditionsHold(t *testing.T) {
	t.Parallel()
	scope := Scope{Doc: document(t, anOrder), OldDoc: document(t, `{"id":7,"status":"NEW","amount":"12.5","quantity":8}`)}
	for line, want := range map[string]bool{
		// The original's own examples.
		`doc.status == "APPROVED"`:                         true,
		`old_doc.amount != doc.amount`:                     false,
		`(notif.channel == "E") and (doc.amount > 0)`:      true,
		`    doc.status == "APPROVED"  # indented`:         true,
		`doc.status == 'APPROVED' and not doc.paid`:        false,
		`not doc.status == "NEW"`:                          true,
		`not (doc.paid and doc.status == "NEW")`:           true,
		`doc.status != old_doc.status`:                     true,
		`doc.status in ("APPROVED", "CLOSED")`:             true,
		`doc.status in ["NEW", old_doc.status]`:            false,
		`doc.status not in ("NEW",)`:                       true,
		`doc.status in ()`:                                 false,
		`"APP" in doc.status`:                              true,
		`"@" not in doc.email`:                             false,
		`0 < doc.amount <= 12.5`:                           true,
		`0 < doc.amount < 12.5`:                            false,
		`1 < 2 < 3 > 2`:                                    true,
		`doc.quantity == -9`:                               false,
		`-doc.quantity == -9`:                              true,
		`doc.quantity - 1 == old_doc.quantity`:             true,
		`doc.quantity % 4 == 1 and -7 % 3 == 2`:            true,
		`doc.amount * 2 == 25`:                             true,
		`doc.amount / 4 == 3.125`:                          true,
		`2 + 3 * 4 == 14 and (2 + 3) * 4 == 20`:            true,
		`7 / 2 == 3.5`:                                     true,
		`doc.weight == 0.1`:                                true,
		`doc.weight * 3 > 0.2`:                             true,
		`doc.amount == 12.50`:                              true,
		`doc.amount > 1_000`:                               false,
		`doc.amount < 99999999999999999999999999`:          true,
		`doc.due == "2026-01-31"`:                          true,
		`"2026-01-01" <= doc.due < "2026-02-01"`:           true,
		`doc.due in ("2026-01-30", "2026-01-31")`:          true,
		`doc.shipped_at > "2026-01-31"`:                    true,
		`doc.shipped_at == "2026-01-31T16:04:05+01:00"`:    true,
		`doc.shipped_at > doc.due`:                         true,
		`doc.opens < "09:00"`:                              true,
		`doc.seal is not None`:                             true,
		`doc.seal == doc.seal`:                             true,
		`"new" in doc.tags`:                                true,
		`doc.tags == None`:                                 false,
		`doc.paid`:                                         true,
		`doc.paid == True`:                                 true,
		`doc.paid is True`:                                 true,
		`doc.paid == 1`:                                    true,
		`doc.paid != 0`:                                    true,
		`doc.email and doc.quantity`:                       true,
		`old_doc.email or old_doc.paid`:                    false,
		`True`:                                             true,
		`False or not False`:                               true,
		`doc.status == "a\"b\\n\x41\u00e9"`:                false,
		`doc.status == r"\d" or doc.status == u"APPROVED"`: true,
		`notif.channel == "email"`:                         true,
		`notif.channel != "W"`:                             true,
		`notif.channel in ("S", "W")`:                      false,
		`notif.trigger == "update" and notif.active and notif.model == "orders"`: true,
		`notif.title == "x" or notif.id == "n1"`:                                 true,
		`old_doc is not None`:                                                    true,
		`old_doc and old_doc.quantity == 8`:                                      true,
		// A null compares equal to null alone, and has no order.
		`old_doc.email is None`:       true,
		`old_doc.email == None`:       true,
		`old_doc.email != doc.email`:  true,
		`old_doc.weight > 0`:          false,
		`old_doc.weight <= 0`:         false,
		`not old_doc.weight > 0`:      true,
		`old_doc.weight + 1 > 0`:      false,
		`old_doc.email in (None, "")`: true,
		`old_doc.email in ("a", "b")`: false,
		`"a" in old_doc.email`:        false,
		`old_doc.email in "a"`:        false,
		`old_doc.due < "2026-01-01"`:  false,
	} {
		got := judge(t, line, scope)
		if got.Result != want || got.Error != "" {
			t.Errorf("%s is %v (%s), want %v", line, got.Result, got.Error, want)
		}
	}
}

func TestOldDocIsNullWhenARowIsCreated(t *testing.T) {
	t.Parallel()
	scope := Scope{Doc: document(t, anOrder)}
	for line, want := range map[string]bool{
		`old_doc is None`: true,
		`old_doc == None`: true,
		`old_doc is not None and old_doc.status == "A"`: false,
		`old_doc.status == "A"`:                         false,
		`old_doc.status is None`:                        true,
		`old_doc.amount != doc.amount`:                  true,
		`old_doc.amount > 0`:                            false,
		`not old_doc`:                                   true,
	} {
		if got := judge(t, line, scope); got.Result != want || got.Error != "" {
			t.Errorf("%s is %v (%s), want %v", line, got.Result, got.Error, want)
		}
	}
}

func TestConditionsAreRefusedWithTheirColumn(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		`doc.statsu == "A"`:                           "column 1: orders has no field statsu: did you mean status?",
		`doc.status == "A" and dic.id == 1`:           "column 23: unknown name dic",
		`status == "A"`:                               "column 1: unknown name status",
		`doc.customer.emial == "a"`:                   "column 1: customers has no field emial: did you mean email?",
		`doc.tags.size == 1`:                          "column 1: doc.tags is a field and leads no further",
		`doc.customer == 1`:                           "column 1: doc.customer alone is no value: name a field, such as doc.customer.id",
		`doc.customer_id.name == "a"`:                 "column 1: doc.customer_id is a field and leads no further: write doc.customer",
		`doc.items.price == 1`:                        "column 1: doc.items.price leads to many rows",
		`doc.status == 9`:                             "column 15: doc.status is text and 9 is a number",
		`doc.quantity == "9"`:                         "column 17: doc.quantity is a number and \"9\" is text",
		`doc.paid == "yes"`:                           "column 13: doc.paid is true or false and",
		`doc.paid == 2`:                               "column 13: doc.paid is true or false and",
		`doc.due > "soon"`:                            "column 11: \"soon\" is compared with doc.due and must be a date such as 2026-01-31",
		`doc.opens > "soon"`:                          "must be a time of day such as 15:04:05",
		`doc.due > 5`:                                 "column 11: doc.due is a date and 5 is a number",
		`doc.due == doc.opens`:                        "column 12: doc.due is a date and doc.opens is a time of day",
		`doc.seal > doc.seal`:                         "cannot be compared with >",
		`doc.quantity < None`:                         "cannot be compared with <",
		`doc.status in "A" < 5`:                       "column 21:",
		`doc.quantity in ("9", 9)`:                    "column 18:",
		`doc.quantity in doc.status`:                  "they cannot be compared with in",
		`doc.quantity in 9`:                           "they cannot be compared with in",
		`doc.status is "A"`:                           "column 15: is works with None, True and False only: write ==",
		`doc.status == "A" or "B"`:                    "column 22: \"B\" alone is no condition",
		`"A"`:                                         "column 1:",
		`None`:                                        "column 1: None alone is no condition",
		`(1, 2)`:                                      "alone is no condition",
		`doc == old_doc`:                              "they cannot be compared",
		`doc in (doc, 1)`:                             "a list cannot hold a whole row",
		`doc.id in ((1, 2), 3)`:                       "a list cannot hold a list",
		`doc.status + 1 == 2`:                         "column 1: doc.status is text: + works on numbers only",
		`notif.channel == "fax"`:                      "column 18: \"fax\" is no channel",
		`notif == 1`:                                  "column 1: notif alone is no value",
		`notif.message == "a"`:                        "notif has no field message",
		`doc.status = "A"`:                            "column 12: unexpected =: write == to compare",
		`doc.paid && doc.id`:                          "write and",
		`doc.paid || doc.id`:                          "write or",
		`!doc.paid`:                                   "write not",
		`doc.id ** 2 == 4`:                            "powers are not available",
		`doc.id // 2 == 4`:                            "whole-number division is not available",
		`doc.paid == true`:                            "column 13: unexpected true: write True",
		`doc.email == null`:                           "write None",
		`doc.status == "A`:                            "column 15: the text has no closing quote",
		`doc.status == """A"""`:                       "not three of them",
		`doc.status == b"A"`:                          "the prefix b",
		`doc.status == "A" "B"`:                       "column 19: unexpected a text",
		`doc.status == "\u12"`:                        "the escape \\u needs 4 hexadecimal digits",
		`(doc.paid`:                                   "column 1: ( is never closed",
		`doc.id in [1, 2`:                             "column 11: [ is never closed",
		`doc.id in [1 2]`:                             "column 14: unexpected 2",
		`doc.paid)`:                                   "column 9: unexpected )",
		`doc.id ==`:                                   "column 10: unexpected the end of the line",
		`== 1`:                                        "column 1: unexpected ==",
		`doc.`:                                        "a field's name must follow the point after doc",
		`doc.status.upper() == "A"`:                   "column 12: there is no method upper",
		`doc["status"] == "A"`:                        "column 4: unexpected [",
		`all(doc.tags, True)`:                         "column 1: all() takes a condition for every row",
		`doc.id in 1..5`:                              "not a number",
		`doc.id == 1abc`:                              "not a number",
		`doc.id == 1e9999`:                            "the number is too large",
		`doc.id if doc.paid else 1`:                   "column 8: unexpected if",
		`lambda: 1`:                                   "column 7: unexpected ':'",
		`doc.paid ? 1 : 2`:                            "column 10: unexpected '?'",
		`doc.status == "é" and doc.x == 1`:            "column 23: orders has no field x",
		`$env.doc.id == 1`:                            "column 1: unexpected '$'",
		strings.Repeat("(", 500) + "doc.paid":         "too many parentheses",
		strings.Repeat("not ", 500) + "doc.paid":      "too many parentheses",
		"doc.id == " + strings.Repeat("-", 500) + "1": "too many parentheses",
		"doc.paid" + strings.Repeat(" and doc.paid", 500): "the line is too long",
		`doc.status == "A" and doc.__class__ == 1`:        "has no field __class__",
	} {
		got := judge(t, line, Scope{Doc: document(t, anOrder)})
		if got.Result || !strings.Contains(got.Error, want) {
			t.Errorf("%.80s gave %v, %q; want an error with %q", line, got.Result, got.Error, want)
		}
	}
}

func TestAConditionThatFailsAtRunTimeIsFalseAndSaysWhyWithoutValues(t *testing.T) {
	t.Parallel()
	scope := Scope{Doc: document(t, `{"quantity":0,"weight":1e308,"amount":"1e900","tags":{"zebra":1},"status":"zebra"}`)}
	for line, want := range map[string]string{
		`1 / doc.quantity > 1`:   "column 3: division by zero",
		`1 % doc.quantity > 1`:   "division by zero",
		`doc.weight * 10 > 1`:    "a result is too large",
		`doc.tags > 1`:           "the values are of different types and have no order",
		`doc.tags + 1 > 1`:       "+ works on numbers only",
		`doc.tags in doc.status`: "only a text can be in a text",
		`doc.amount` + strings.Repeat(" * doc.amount", 20) + ` > 1`: "a result is too large",
	} {
		got := judge(t, line, scope)
		if got.Result || !strings.Contains(got.Error, want) || strings.Contains(got.Error, "zebra") {
			t.Errorf("%.60s gave %v, %q; want an error with %q", line, got.Result, got.Error, want)
		}
	}
}

func TestTextsAreNeverMistakenForCode(t *testing.T) {
	t.Parallel()
	scope := Scope{Doc: document(t, `{"status":"None and True is not (x, y) # {{ doc.id }}"}`)}
	line := `doc.status == "None and True is not (x, y) # {{ doc.id }}"`
	if got := judge(t, line, scope); !got.Result || got.Error != "" {
		t.Errorf("%s is %v (%s), want true", line, got.Result, got.Error)
	}
}

func TestAPanicInAConditionIsAnError(t *testing.T) {
	t.Parallel()
	broken := &condition{} // has no program: the engine panics
	result, err := broken.evaluate(view{})
	var own *Error
	if result || !errors.As(err, &own) || own.Code != ConditionEvalFail {
		t.Errorf("got %v, %v; want an error with the code %s", result, err, ConditionEvalFail)
	}
}

func TestJSONFieldsCompareByWhatTheyHold(t *testing.T) {
	t.Parallel()
	for line, tags := range map[string]string{
		`doc.tags == ["a", 1]`:             `["a",1.0]`,
		`doc.tags != ["a", 2]`:             `["a",1]`,
		`doc.tags == "a"`:                  `"a"`,
		`doc.tags > 1.5`:                   `2`,
		`doc.tags * 2 == 5`:                `2.5`,
		`doc.tags`:                         `["a"]`,
		`not doc.tags`:                     `{}`,
		`"key" in doc.tags`:                `{"key":null}`,
		`"key" not in doc.tags`:            `null`,
		`doc.tags in "abc"`:                `"b"`,
		`doc.tags in (1, "x", None, True)`: `true`,
		`doc.tags == old_doc.tags`:         `{"a":[{"b":1}]}`,
	} {
		scope := Scope{Doc: document(t, `{"tags":`+tags+`}`), OldDoc: document(t, `{"tags":{"a":[{"b":1.0}]}}`)}
		if got := judge(t, line, scope); !got.Result || got.Error != "" {
			t.Errorf("%s with %s is %v (%s), want true", line, tags, got.Result, got.Error)
		}
	}
}
