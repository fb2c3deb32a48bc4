package rule

import (
	"errors"
	"strings"
	"sync"
	"testing"
)

func TestJudgeSendsWhenAnyLineIsTrue(t *testing.T) {
	t.Parallel()
	scope := Scope{Doc: document(t, anOrder)}
	for name, test := range map[string]struct {
		conditions string
		sends      bool
		reason     string
		lines      int
	}{
		"no conditions send":               {"", true, "no conditions", 0},
		"blank lines are no conditions":    {"\n  \r\n# a remark\n", true, "no conditions", 0},
		"one true line is enough":          {"doc.id == 1\r\ndoc.id == 7\r\ndoc.id > 0", true, "condition true at line 2, 3", 3},
		"a false line after a true one":    {"doc.id == 7\ndoc.id == 1", true, "condition true at line 1", 2},
		"all false":                        {"doc.id == 1\n\n  doc.id == 2", false, "condition false at line 1, 3", 2},
		"a broken line is false":           {"doc.gone == 1", false, "condition false at line 1 (not evaluated because of an error: line 1)", 1},
		"the line after a broken one runs": {"doc.gone == 1\ndoc.id == 7", true, "condition true at line 2", 2},
	} {
		verdict := compiled(t, func(n *Notification) { n.Conditions = test.conditions }).Judge(scope)
		if verdict.Sends != test.sends || verdict.Reason != test.reason || len(verdict.Lines) != test.lines {
			t.Errorf("%s: got %+v", name, verdict)
		}
	}
}

func TestJudgeShowsEveryLine(t *testing.T) {
	t.Parallel()
	c := compiled(t, func(n *Notification) { n.Conditions = "doc.id == 7\n\n  doc.gone == 1\ndoc.id == 8" })
	want := []LineResult{
		{Line: 1, Text: "doc.id == 7", Result: true},
		{Line: 3, Text: "doc.gone == 1", Error: "column 3: orders has no field gone"},
		{Line: 4, Text: "doc.id == 8"},
	}
	got := c.Judge(Scope{Doc: document(t, anOrder)}).Lines
	for i := range want {
		if i >= len(got) || got[i] != want[i] {
			t.Fatalf("got %+v, want %+v", got, want)
		}
	}
}

func TestADeleteRuleSeesTheRowThatIsGoneByBothNames(t *testing.T) {
	t.Parallel()
	c := compiled(t, func(n *Notification) {
		n.Trigger, n.Conditions = OnDelete, `doc.status == "APPROVED" and old_doc.status == "APPROVED"`
		n.Message = "{{ doc.id }} {{ old_doc.id }}"
	})
	scope := Scope{OldDoc: document(t, anOrder)}
	if verdict := c.Judge(scope); !verdict.Sends {
		t.Errorf("got %+v", verdict)
	}
	if content, err := c.Render(scope, ""); err != nil || content.Text != "7 7" {
		t.Errorf("got %+v, %v", content, err)
	}
}

func TestValueChangeComparesByType(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		field, before, after string
		fires                bool
		reason               string
	}{
		"a text that changed":           {"status", `{"status":"NEW"}`, `{"status":"OLD"}`, true, ""},
		"a text that did not":           {"status", `{"status":"NEW"}`, `{"status":"NEW"}`, false, "status did not change"},
		"'9' is 9 in a whole number":    {"quantity", `{"quantity":"9"}`, `{"quantity":9}`, false, "quantity did not change"},
		"12.50 is 12.5 in a decimal":    {"amount", `{"amount":"12.50"}`, `{"amount":"12.5"}`, false, "amount did not change"},
		"a decimal's last digit":        {"amount", `{"amount":"12.500000000000000000000001"}`, `{"amount":"12.5"}`, true, ""},
		"one instant in two zones":      {"shipped_at", `{"shipped_at":"2026-01-31T16:00:00+01:00"}`, `{"shipped_at":"2026-01-31T15:00:00Z"}`, false, "shipped_at did not change"},
		"a value from null":             {"quantity", `{"quantity":null}`, `{"quantity":0}`, true, ""},
		"a text from null":              {"email", `{}`, `{"email":""}`, true, ""},
		"null stays null":               {"email", `{}`, `{"email":null}`, false, "email did not change"},
		"the order of JSON keys":        {"tags", `{"tags":{"a":1,"b":[1.0]}}`, `{"tags":{"b":[1],"a":1}}`, false, "tags did not change"},
		"a JSON list":                   {"tags", `{"tags":[1,2]}`, `{"tags":[2,1]}`, true, ""},
		"bytes":                         {"seal", `{"seal":"AAEC"}`, `{"seal":"AAED"}`, true, ""},
		"a row whose past is unknown":   {"status", ``, `{"status":"NEW"}`, false, "whether status changed is not known: the row before or after the change is missing"},
		"a field that the model lost":   {"gone", `{}`, `{}`, false, "the model has no field gone any more"},
		"another field changes nothing": {"status", `{"status":"A","id":1}`, `{"status":"A","id":2}`, false, "status did not change"},
	} {
		c := compiled(t, func(n *Notification) { n.Trigger, n.ValueChangeField = OnValueChange, test.field })
		fires, reason := c.Fires(Scope{Doc: document(t, test.after), OldDoc: document(t, test.before)})
		if fires != test.fires || reason != test.reason {
			t.Errorf("%s: got %v, %q", name, fires, reason)
		}
	}
}

func TestOtherTriggersFireAlways(t *testing.T) {
	t.Parallel()
	for _, trigger := range []Trigger{OnNew, OnUpdate, OnDelete} {
		c := compiled(t, func(n *Notification) { n.Trigger, n.ValueChangeField = trigger, "status" })
		if fires, reason := c.Fires(Scope{}); !fires {
			t.Errorf("%s does not fire: %s", trigger, reason)
		}
	}
}

func TestCompileRefusesAnotherModelAndAnUnknownChannel(t *testing.T) {
	t.Parallel()
	wrongModel, wrongChannel := notification(), notification()
	wrongModel.Model, wrongChannel.Channel = "nothing", "fax"
	for _, n := range []*Notification{wrongModel, wrongChannel} {
		_, err := reader().Compile(n)
		var own *Error
		if !errors.As(err, &own) || own.Code == "" {
			t.Errorf("got %v, want an error with a code", err)
		}
	}
}

func TestACompiledNotificationIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	c := compiled(t, func(n *Notification) {
		n.Conditions, n.HTMLMessage = `doc.amount > 10 and doc.status in ("APPROVED", "NEW")`, "<b>{{ doc.status }}</b>"
		n.Recipients = []Recipient{{DocumentField: "email"}}
	})
	var group sync.WaitGroup
	for range 8 {
		scope := Scope{Doc: document(t, anOrder)}
		group.Go(func() {
			for range 50 {
				content, err := c.Render(scope, "")
				if err != nil || !strings.Contains(content.HTML, "APPROVED") {
					t.Errorf("got %+v, %v", content, err)
				}
				if !c.Judge(scope).Sends || len(c.Candidates(scope)) != 1 {
					t.Error("the verdict or the candidates are wrong")
				}
			}
		})
	}
	group.Wait()
}

func TestCandidatesComeInOrderAndAsFound(t *testing.T) {
	t.Parallel()
	c := compiled(t, func(n *Notification) {
		n.Channel = SMS
		n.Recipients = []Recipient{
			{Address: " +12025550100 ", DocumentField: "doc.phone"}, {DocumentField: " email "},
			{DocumentField: "old_doc.phone"}, {}, {DocumentField: "doc.gone"}, {Address: "+12025550100"},
			{DocumentField: "doc.weight"}, {DocumentField: "doc.quantity"},
		}
	})
	doc := document(t, `{"phone":12025550123,"email":" buyer@example.com ","weight":1.5}`)
	got := c.Candidates(Scope{Doc: doc})
	want := [][2]string{
		{"+12025550100", Direct}, {"12025550123", "doc.phone"}, {"buyer@example.com", "doc.email"},
		{"", "old_doc.phone"}, {"", "doc.gone"}, {"+12025550100", Direct}, {"", "doc.weight"}, {"", "doc.quantity"},
	}
	if len(got) != len(want) {
		t.Fatalf("got %v", got)
	}
	for i := range want {
		if [2]string{got[i].Value, got[i].From} != want[i] {
			t.Errorf("candidate %d is %+v, want %+v", i, got[i], want[i])
		}
	}
}
