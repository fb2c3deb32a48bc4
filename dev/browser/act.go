package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// inputRoles are what one can write into.
var inputRoles = []string{"textbox", "searchbox", "combobox", "spinbutton"}

// Do runs JavaScript in the page, and waits until what it began has settled.
func (p *Page) Do(script string) error {
	if _, err := chromedp.Run(p.ctx, chromedp.Evaluate[chromedp.Void](script, chromedp.EvalAwaitPromise)); err != nil {
		return fmt.Errorf("browser: %q: %w", script, err)
	}
	return p.Settle()
}

// Click clicks with the mouse what has a role and a name for people who use a screen reader: "button", "Save". Where
// nothing has exactly that name, a part of one is enough. It waits until the thing is there and nothing covers it.
func (p *Page) Click(role, name string) error {
	at, err := p.reach([]string{role}, name)
	if err != nil {
		return err
	}
	p.watch.touch()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.MouseClickXY(at.X, at.Y)); err != nil {
		return fmt.Errorf("browser: click %s %q: %w", role, name, err)
	}
	return p.Settle()
}

// Fill writes into the field that has a name, in place of what stood there.
func (p *Page) Fill(name, text string) error {
	at, err := p.reach(inputRoles, name)
	if err != nil {
		return err
	}
	p.watch.touch()
	if _, err := call[bool](p, at.object, `function() { this.focus(); this.select?.(); return true; }`); err != nil {
		return err
	}
	if text == "" {
		err = chromedp.Do(p.ctx, chromedp.KeyEvent("\b"))
	} else {
		_, err = chromedp.Call(p.ctx, input.InsertText, input.InsertTextParams{Text: text})
	}
	if err != nil {
		return fmt.Errorf("browser: fill %q: %w", name, err)
	}
	return p.Settle()
}

// Choose chooses the option of a select whose text begins with option.
func (p *Page) Choose(name, option string) error {
	at, err := p.reach([]string{"combobox"}, name)
	if err != nil {
		return err
	}
	p.watch.touch()
	words, _ := json.Marshal(option)
	found, err := call[bool](p, at.object, `function() {
		const option = [...this.options].find((o) => o.text.trim().startsWith(`+string(words)+`));
		if (!option) return false;
		this.value = option.value;
		this.dispatchEvent(new Event("input", { bubbles: true }));
		this.dispatchEvent(new Event("change", { bubbles: true }));
		return true;
	}`)
	if err != nil {
		return err
	}
	if !found {
		return fmt.Errorf("browser: %q has no option %q", name, option)
	}
	return p.Settle()
}

// Press presses keys, one after the other, as a keyboard does: "\t" is Tab, "\r" Enter. It waits until what they began
// has settled.
func (p *Page) Press(keys string) error {
	p.watch.touch()
	if err := chromedp.Do(p.ctx, chromedp.KeyEvent(keys)); err != nil {
		return fmt.Errorf("browser: press %q: %w", keys, err)
	}
	return p.Settle()
}

// TabTo goes from thing to thing with the Tab key until it is at the one with a role and a name, at most as often as a
// page can have things.
func (p *Page) TabTo(role, name string) error {
	const most = 300
	var seen []string
	for range most {
		if err := chromedp.Do(p.ctx, chromedp.KeyEvent("\t")); err != nil {
			return err
		}
		r, n, err := p.Focused()
		if err != nil {
			return err
		}
		if r == role && n == name {
			return nil
		}
		seen = append(seen, fmt.Sprintf("%s %q", r, n))
	}
	return fmt.Errorf("browser: Tab does not reach %s %q, but %s", role, name, strings.Join(seen[:min(60, len(seen))], ", "))
}

// Focused gives the role and the name of what has the focus.
func (p *Page) Focused() (role, name string, err error) {
	object, err := chromedp.Run(p.ctx, chromedp.Evaluate[*runtime.RemoteObject]("document.activeElement || document.body"))
	if err != nil {
		return "", "", err
	}
	tree, err := chromedp.Call(p.ctx, accessibility.GetPartialAXTree, accessibility.GetPartialAXTreeParams{ObjectID: object.ObjectID, FetchRelatives: new(false)})
	if err != nil || len(tree.Nodes) == 0 {
		return "", "", err
	}
	return text(tree.Nodes[0].Role), text(tree.Nodes[0].Name), nil
}

// See waits until the page shows a text.
func (p *Page) See(words string) error {
	quoted, _ := json.Marshal(words)
	return p.Until(`document.body.innerText.includes(`+string(quoted)+`)`, "the page does not show "+string(quoted))
}

// Until waits until a condition in JavaScript holds; otherwise says what is wrong, and what the page shows instead.
func (p *Page) Until(condition, otherwise string) error {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	for {
		// A page that is being left cannot be asked; the next one can.
		if holds, err := chromedp.Run(ctx, chromedp.Evaluate[bool](condition)); err == nil && holds {
			return nil
		}
		select {
		case <-ctx.Done():
			shown, _ := chromedp.Run(p.ctx, chromedp.Evaluate[string]("location.href + '\\n' + document.body.innerText"))
			return fmt.Errorf("browser: %s, but:\n%s", otherwise, shown)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// spot is a thing on the page, and where it can be clicked.
type spot struct {
	object runtime.RemoteObjectID
	X, Y   float64
	// Covered is what lies over it.
	Covered string
}

// reach waits until a thing can be used, and scrolls to it.
func (p *Page) reach(roles []string, name string) (*spot, error) {
	deadline := time.Now().Add(patience)
	for {
		at, problem := p.find(roles, name)
		if problem == nil {
			return at, nil
		}
		if time.Now().After(deadline) || p.ctx.Err() != nil {
			return nil, problem
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// find gives a thing with one of the roles and a name.
func (p *Page) find(roles []string, name string) (*spot, error) {
	all, err := p.things(roles)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, fits := range []func(string) bool{
		func(n string) bool { return n == name }, func(n string) bool { return strings.Contains(n, name) },
	} {
		for _, node := range all {
			n := text(node.Name)
			names = append(names, n)
			if !fits(n) {
				continue
			}
			at, err := p.spot(node)
			if err != nil {
				return nil, err
			}
			if at.Covered != "" {
				return nil, fmt.Errorf("browser: %s %q is covered by %s", roles[0], name, at.Covered)
			}
			return at, nil
		}
	}
	address, _ := p.Address()
	return nil, fmt.Errorf("browser: on %s there is no %s %q, but %q", address, strings.Join(roles, " or "), name, names[:len(names)/2])
}

// things lists what a screen reader can come to that has one of the roles.
func (p *Page) things(roles []string) (found []*accessibility.Node, err error) {
	document, err := chromedp.Run(p.ctx, chromedp.Evaluate[*runtime.RemoteObject]("document"))
	if err != nil {
		return nil, err
	}
	for _, role := range roles {
		result, err := chromedp.Call(p.ctx, accessibility.QueryAXTree, accessibility.QueryAXTreeParams{ObjectID: document.ObjectID, Role: role})
		if err != nil {
			return nil, fmt.Errorf("browser: read the page as a screen reader: %w", err)
		}
		found = append(found, slices.DeleteFunc(result.Nodes, func(n *accessibility.Node) bool { return n.Ignored })...)
	}
	return found, nil
}

// spot scrolls to a thing and says where it is.
func (p *Page) spot(node *accessibility.Node) (*spot, error) {
	resolved, err := chromedp.Call(p.ctx, dom.ResolveNode, dom.ResolveNodeParams{BackendNodeID: node.BackendDOMNodeID})
	if err != nil {
		return nil, err
	}
	at, err := call[spot](p, resolved.Object.ObjectID, `function() {
		this.scrollIntoView({ block: "center", inline: "nearest", behavior: "instant" });
		const box = this.getClientRects()[0] || this.getBoundingClientRect();
		const x = box.x + box.width / 2, y = box.y + box.height / 2;
		const top = document.elementFromPoint(x, y);
		const own = !top || this.contains(top) || top.contains(this) || (top.closest("label") && top.closest("label").contains(this));
		return { X: x, Y: y, Covered: own ? "" : top.outerHTML.slice(0, 120) };
	}`)
	if err != nil {
		return nil, err
	}
	at.object = resolved.Object.ObjectID
	return &at, nil
}

// call runs a function on an object of the page.
func call[T any](p *Page, object runtime.RemoteObjectID, function string) (T, error) {
	var value T
	result, err := chromedp.Call(p.ctx, runtime.CallFunctionOn, runtime.CallFunctionOnParams{
		FunctionDeclaration: function, ObjectID: object, ReturnByValue: new(true), UserGesture: new(true),
	})
	if err != nil {
		return value, fmt.Errorf("browser: run a function of the page: %w", err)
	}
	if result.ExceptionDetails != nil {
		return value, fmt.Errorf("browser: run a function of the page: %s", exception(result.ExceptionDetails))
	}
	return value, json.Unmarshal(result.Result.Value, &value)
}

func text(v *accessibility.Value) string {
	var s string
	if v != nil {
		_ = json.Unmarshal(v.Value, &s)
	}
	return s
}

// Has says whether a thing is there now, to be used.
func (p *Page) Has(role, name string) (bool, error) {
	all, err := p.things([]string{role})
	return slices.ContainsFunc(all, func(n *accessibility.Node) bool { return text(n.Name) == name }), err
}
