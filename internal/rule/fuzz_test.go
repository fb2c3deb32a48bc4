package rule

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/expr-lang/expr/ast"
)

// allowedNodes fails the test when a tree holds a node that the grammar has no word for.
type allowedNodes struct{ t *testing.T }

func (a allowedNodes) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.NilNode, *ast.BoolNode, *ast.StringNode, *ast.ConstantNode, *ast.ArrayNode, *ast.MemberNode:
	case *ast.UnaryNode:
		if n.Operator != "not" {
			a.t.Errorf("a unary %s", n.Operator)
		}
	case *ast.BinaryNode:
		if n.Operator != "and" && n.Operator != "or" {
			a.t.Errorf("a binary %s", n.Operator)
		}
	case *ast.CallNode:
		name := fmt.Sprint(n.Callee)
		if name != compareFunction && name != calculateFunction && name != truthFunction && name != followFunction && !slices.Contains(calledFunctions, name) {
			a.t.Errorf("a call of %s", name)
		}
	case *ast.IdentifierNode:
		switch n.Value {
		case docName, oldDocName, notifName, compareFunction, calculateFunction, truthFunction, followFunction, environment, momentName, "item", "o":
		default:
			if slices.Contains(calledFunctions, n.Value) {
				return
			}
			a.t.Errorf("the name %s", n.Value)
		}
	default:
		a.t.Errorf("a %T", n)
	}
}

var calledFunctions = []string{dayFunction, midnightFunction, spanFunction, shiftFunction, textFunction, caseFunction,
	lengthFunction, aggregateFunction, quantifierFunction}

// FuzzConditions: whatever is written, nothing panics or hangs, only the allowed nodes come out, and what parses also
// passes expr's own checker and compiler.
func FuzzConditions(f *testing.F) {
	for _, seed := range []string{
		`doc.status == "APPROVED"`, `old_doc.amount != doc.amount`, `(notif.channel == "E") and (doc.amount > 0)`,
		`0 < doc.amount <= 10 or not doc.paid`, `doc.due > "2026-01-01"`, `doc.id in (1, -2, doc.quantity)`, `doc.x.y()`,
		`doc.email is not None`, `"a" not in doc.tags`, "doc.id % 0 == 1", `r'\d' < "\u00e9"`, `1e9 == .5 # x`, "not (", "a\x00\xff",
		`doc.due < today() + days(3) - hours(1)`, `doc.status.startswith("A") or doc.status not contains "x"`, `doc.status matches "a+"`,
		`any(item.price > 5 for item in doc.items)`, `sum(doc.items.price) == count(doc.items)`, `len(lower(doc.status)) > 1`, `doc.customer.name == "Ann"`,
	} {
		f.Add(seed)
	}
	scope := Scope{Doc: document(f, anOrder), At: time.Date(2026, 1, 30, 0, 0, 0, 0, time.UTC)}
	f.Fuzz(func(t *testing.T, line string) {
		defer func(started time.Time) {
			if took := time.Since(started); took > hang {
				t.Errorf("%q took %s", line, took)
			}
		}(time.Now())
		if len(line) > 2000 || strings.ContainsRune(line, '\n') {
			return
		}
		node, err := parseCondition(line, orderNames())
		if err == nil {
			ast.Walk(&node, allowedNodes{t})
			if _, err := compileLine(line, orderNames(), engine(orderNames())); err != nil {
				t.Errorf("%q parses but does not compile: %v", line, err)
			}
		}
		for _, condition := range compileConditions(line, orderNames()) {
			if _, err := condition.evaluate(compiledView(scope)); err != nil && strings.Contains(err.Error(), "cannot be evaluated") {
				t.Errorf("%q met an error that has no name: %v", line, err)
			}
		}
	})
}

func compiledView(s Scope) view {
	return (&Compiled{notif: notifValues(notification())}).view(s)
}

// FuzzTemplate: whatever is written and whatever the value, nothing panics or takes long, a template without marks is
// itself, and an HTML body never lets a value open a tag.
func FuzzTemplate(f *testing.F) {
	for _, seed := range []string{
		"plain", "{{ doc.status }}", "<p title='{{doc.status}}'>", "{{", "}}{{ old_doc.id }}", "{{{ doc.id }}}", "{{- doc.id }}",
		"<a href={{ doc.status }}>", "<script>`{{ doc.status }}`</script>", `{{ doc.status | default "x" | upper | truncate 3 }}`,
		`{{ doc.due | date "DD.MM.YYYY" "Europe/Berlin" }}{{ doc.amount|money:"EUR" }}`,
		"{% if doc.id > 3 %}a{% elif doc.paid %}b{% else %}c{% endif %}",
		"{% for i in doc.items %}{{ loop.index }}{{ i.name }}{% empty %}none{% endfor %}", "{%", "{% for x in %}", "{% endif %}{%}",
	} {
		f.Add(seed, "<x-evil>{{ doc.id }}")
	}
	f.Fuzz(func(t *testing.T, text, value string) {
		if len(text) > 4000 || len(value) > 4000 {
			return
		}
		started := time.Now()
		n := notification()
		n.Title, n.Message, n.HTMLMessage = text, text, text
		_ = reader().Validate(n)
		c, err := reader().Compile(n)
		if err != nil {
			t.Fatal(err)
		}
		shop := aShop()
		shop.rows["items"][0]["name"] = "<x-evil>" + value
		scope, _, err := c.Load(t.Context(), shop, Scope{Doc: Document{"id": int64(7), "status": "<x-evil>" + value, "amount": decimal("1.50")}})
		if err != nil {
			t.Fatal(err)
		}
		content, err := c.Render(scope, "")
		if took := time.Since(started); took > hang {
			t.Errorf("%q took %s", text, took)
		}
		if err != nil {
			return
		}
		if !strings.Contains(text, openBraces) && !strings.Contains(text, openBlock) && content.Text != text {
			t.Errorf("%q became %q", text, content.Text)
		}
		if strings.Contains(content.HTML, "<x-evil>") && !strings.Contains(text, "x-evil") && !strings.Contains(text, "<") {
			t.Errorf("%q let the value through: %q", text, content.HTML)
		}
		if strings.ContainsAny(content.Subject, "\r\n") {
			t.Errorf("the subject %q has a line break", content.Subject)
		}
	})
}

// BenchmarkRenderForTenRecipients is one event of a notification with conditions, filters, a loop and HTML.
func BenchmarkRenderForTenRecipients(b *testing.B) {
	n := notification()
	n.Message = "Dear {{ doc.customer.name | default \"customer\" }},\nyour order {{ doc.id }} of {{ doc.amount | money \"EUR\" }} is {{ doc.status | lower }}.\n" +
		"{% for item in doc.items %}\n- {{ item.name }}: {{ item.price | number 2 }}\n{% endfor %}"
	n.HTMLMessage = "<h1>{{ doc.status | title }}</h1><ul>{% for item in doc.items %}<li>{{ item.name }}</li>{% endfor %}</ul>"
	n.Conditions = `doc.status == "APPROVED" and doc.amount > 10`
	n.Recipients = nil
	for i := range 10 {
		n.Recipients = append(n.Recipients, Recipient{Address: fmt.Sprintf("r%d@example.com", i)})
	}
	c, err := reader().Compile(n)
	if err != nil {
		b.Fatal(err)
	}
	doc := document(b, anOrder)
	doc["customer_id"] = int64(3)
	shop := aShop()
	for b.Loop() {
		scope, _, err := c.Load(b.Context(), shop, Scope{Doc: doc})
		if err != nil {
			b.Fatal(err)
		}
		if o := c.Decide(scope, plainAddresses{}); len(o.Messages) != 10 {
			b.Fatal(o)
		}
	}
}
