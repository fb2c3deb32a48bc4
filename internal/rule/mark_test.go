package rule

import (
	"fmt"
	"slices"
	"testing"
)

func TestAMistakeInATextIsMarkedAtItsPlace(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change func(n *Notification)
		want   string
	}{
		"a placeholder":                 {func(n *Notification) { n.Message = "Grüße\n an {{ doc.nmae | upper }}, ja" }, "message 2:5 10+22 {{ doc.nmae | upper }}"},
		"one that is never closed":      {func(n *Notification) { n.Title = "Order {{ doc.id" }, "title 1:7 6+2 {{"},
		"a block":                       {func(n *Notification) { n.Message = "a\n{% when x %}" }, "message 2:1 2+12 {% when x %}"},
		"a condition's name":            {func(n *Notification) { n.Conditions = "# all\n  doc.stauts == \"A\"" }, "conditions 2:3 8+10 doc.stauts"},
		"a text in a block's condition": {func(n *Notification) { n.Message = "{% if doc.stauts %}x{% endif %}" }, "message 1:7 6+10 doc.stauts"},
		"a text in another language":    {func(n *Notification) { n.Variants = []Variant{{Locale: "de", Message: "{{ doc.xyz }}"}} }, "variants[0].message 1:1 0+13 {{ doc.xyz }}"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := notification()
			test.change(n)
			errs, marks := reader().Examine(n)
			if len(marks) != 1 || errs[marks[0].Field] == "" || marks[0].Message == "" {
				t.Fatalf("got %+v of %v", marks, errs)
			}
			m := marks[0]
			texts := map[string]string{"title": n.Title, "message": n.Message, "html_message": n.HTMLMessage, "conditions": n.Conditions}
			if len(n.Variants) > 0 {
				texts["variants[0].message"] = n.Variants[0].Message
			}
			runes := []rune(texts[m.Field])
			got := fmt.Sprintf("%s %d:%d %d+%d %s", m.Field, m.Line, m.Column, m.Start, m.Length, string(runes[m.Start:m.Start+m.Length]))
			if got != test.want {
				t.Errorf("marked %q (%s), want %q", got, m.Message, test.want)
			}
		})
	}
}

func TestEveryMistakeOfAFieldIsMarked(t *testing.T) {
	t.Parallel()
	n := notification()
	n.Conditions = "doc.a == 1\ndoc.status == \"A\"\ndoc.b == 1"
	_, marks := reader().Examine(n)
	lines := []int{}
	for _, m := range marks {
		lines = append(lines, m.Line)
	}
	if !slices.Equal(lines, []int{1, 3}) {
		t.Errorf("marked lines %v", lines)
	}
}
