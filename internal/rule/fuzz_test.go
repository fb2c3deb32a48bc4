package rule

import (
	"fmt"
	"strings"
	"testing"

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
		if name != compareFunction && name != calculateFunction && name != truthFunction && name != followFunction {
			a.t.Errorf("a call of %s", name)
		}
	case *ast.IdentifierNode:
		switch n.Value {
		case docName, oldDocName, notifName, compareFunction, calculateFunction, truthFunction, followFunction:
		default:
			a.t.Errorf("the name %s", n.Value)
		}
	default:
		a.t.Errorf("a %T", n)
	}
}

// FuzzConditions: whatever is written, nothing panics or hangs, only the allowed nodes come out, and what parses also
// passes expr's own checker and compiler.
func FuzzConditions(f *testing.F) {
	for _, seed := range []string{
		`doc.status == "APPROVED"`, `old_doc.amount != doc.amount`, `(notif.channel == "E") and (doc.amount > 0)`,
		`0 < doc.amount <= 10 or not doc.paid`, `doc.due > "2026-01-01"`, `doc.id in (1, -2, doc.quantity)`, `doc.x.y()`,
		`doc.email is not None`, `"a" not in doc.tags`, "doc.id % 0 == 1", `r'\d' < "\u00e9"`, `1e9 == .5 # x`, "not (", "a\x00\xff",
	} {
		f.Add(seed)
	}
	scope := Scope{Doc: document(f, anOrder)}
	f.Fuzz(func(t *testing.T, line string) {
		if len(line) > 2000 || strings.ContainsRune(line, '\n') {
			return
		}
		node, err := parseCondition(line, orderNames())
		if err == nil {
			ast.Walk(&node, allowedNodes{t})
			if _, err := compileLine(line, orderNames(), engine(orders)); err != nil {
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

// FuzzTemplate: whatever is written and whatever the value, nothing panics, a template without placeholders is itself,
// and an HTML body never lets a value open a tag.
func FuzzTemplate(f *testing.F) {
	for _, seed := range []string{"plain", "{{ doc.status }}", "<p title='{{doc.status}}'>", "{{", "}}{{ old_doc.id }}", "{{{ doc.id }}}", "{{- doc.id }}", "<a href={{ doc.status }}>", "<script>`{{ doc.status }}`</script>"} {
		f.Add(seed, "<x-evil>{{ doc.id }}")
	}
	f.Fuzz(func(t *testing.T, text, value string) {
		n := notification()
		n.Title, n.Message, n.HTMLMessage = text, text, text
		c, err := reader().Compile(n)
		if err != nil {
			t.Fatal(err)
		}
		content, err := c.Render(Scope{Doc: Document{"status": "<x-evil>" + value}}, "")
		if err != nil {
			return
		}
		if !strings.Contains(text, openBraces) && content.Text != text {
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
