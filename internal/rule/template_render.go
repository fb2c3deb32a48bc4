package rule

import (
	"fmt"
	"strings"
	"time"
)

// The limits of the work on one text. Every accepted template stays far below them on ordinary rows.
const (
	// iterationLimit bounds the turns of all loops.
	iterationLimit = 10_000
	// workLimit bounds the bytes that go through placeholders and their filters; a condition counts as conditionWork.
	workLimit = 4 << 20
	// allWorkLimit bounds that of all texts of one notification and event: languages, variables, files.
	allWorkLimit  = 8 * workLimit
	conditionWork = 200
	// patience bounds the time of one notification and event, for what the counting does not see. It is long: on a busy
	// machine the clock runs for others.
	patience = 5 * time.Second
)

// blockCondition compiles the condition of {% if … %}.
func blockCondition(line string, names *scopeNames) (*condition, error) {
	program, err := compileLine(line, names, engine(names))
	if err != nil {
		return nil, err
	}
	return &condition{text: line, program: program}, nil
}

// rendering is one text on its way out.
type rendering struct {
	turns int
	work  int
	meter *meter
}

// spend counts work, and stops what is too much.
func (r *rendering) spend(work int, place position) error {
	r.work += work
	r.meter.work += work
	if r.work > workLimit || r.meter.work > allWorkLimit || r.meter.late() {
		return templateError(place, "filling in this text takes too much work: shorten it, or its loops")
	}
	return nil
}

// textRendering writes into a text.
type textRendering struct {
	rendering
	out strings.Builder
}

// render writes the text with its placeholders filled in, once: a value that holds braces is a value. More than
// textOutputLimit bytes are an error.
func (t template) render(v view) (string, error) {
	r := &textRendering{rendering: rendering{meter: v.meter()}}
	if err := r.nodes(t, v); err != nil {
		return "", err
	}
	return r.out.String(), nil
}

func (r *textRendering) nodes(t template, v view) error {
	for i := range t {
		var err error
		switch n := &t[i]; {
		case n.hole != nil:
			var text string
			if text, err = n.hole.text(v, &r.rendering); err == nil {
				err = r.write(text)
			}
		case n.choice != nil:
			err = r.choice(n.choice, v)
		case n.loop != nil:
			err = r.loop(n.loop, v)
		default:
			err = r.write(n.literal)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *textRendering) write(text string) error {
	if r.out.Len()+len(text) > textOutputLimit {
		return &Error{Code: TemplateParseFail, Message: fmt.Sprintf(
			"the text is larger than %d KiB once its values are filled in: shorten it", textOutputLimit>>10)}
	}
	r.out.WriteString(text)
	return nil
}

func (r *textRendering) choice(c *choice, v view) error {
	for i := range c.branches {
		holds, err := c.branches[i].holds(v, &r.rendering)
		if err != nil {
			return err
		}
		if holds {
			return r.nodes(c.branches[i].body, v)
		}
	}
	return nil
}

func (r *textRendering) loop(l *loop, v view) error {
	turns, err := r.turnsOf(l, v)
	if err != nil {
		return err
	}
	if len(turns) == 0 {
		return r.nodes(l.empty, v)
	}
	for _, turn := range turns {
		if err := r.nodes(l.body, turn); err != nil {
			return err
		}
	}
	return nil
}

// holds says whether the branch is the one to take.
func (b *branch) holds(v view, r *rendering) (bool, error) {
	if b.line == "" {
		return true, nil
	}
	if b.test == nil {
		return false, templateError(b.place, "the condition names what is not there any more")
	}
	if err := r.spend(conditionWork, b.place); err != nil {
		return false, err
	}
	holds, err := b.test.evaluate(v)
	if err != nil {
		return false, b.place.of(err)
	}
	return holds, nil
}

// turnsOf gives a loop's turns: what its body sees in each.
func (r *rendering) turnsOf(l *loop, v view) ([]view, error) {
	if l.path == nil {
		return nil, templateError(l.place, "%s names what is not there any more", strings.Join(l.names, "."))
	}
	rows := v.rows(*l.path)
	if r.turns += len(rows); r.turns > iterationLimit {
		return nil, templateError(l.place, "the loops of a text can take %d turns at most", iterationLimit)
	}
	turns := make([]view, len(rows))
	for i, row := range rows {
		turns[i] = v.with(l.name, row).with(loopName, Document{
			"index": int64(i + 1), "first": i == 0, "last": i == len(rows)-1,
		})
	}
	return turns, nil
}
