package rule

import (
	"bytes"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"io"
	"strings"
)

// htmlBody is an HTML template whose values are escaped for the place where they stand: text, attribute, URL, style.
// html/template does that, and its own language stays out of reach: the author's text cannot hold {{, and every
// placeholder, choice and loop is a call of ours by its number.
type htmlBody struct {
	source  htmlSource
	escaped *htmltemplate.Template
}

// htmlSource is a template in html/template's language.
type htmlSource struct {
	text     strings.Builder
	holes    []*placeholder
	branches []*branch
	loops    []*loop
}

// frame is what html/template's dot holds: the rows in sight, and the rendering that it is part of.
type frame struct {
	body *htmlBody
	view view
	work *rendering
}

// htmlFunctions are all that a generated template calls. They are methods of nothing: the dot carries everything.
var htmlFunctions = htmltemplate.FuncMap{
	"hole":  func(n int, f frame) (string, error) { return f.hole(n) },
	"test":  func(n int, f frame) (bool, error) { return f.test(n) },
	"turns": func(n int, f frame) ([]frame, error) { return f.turns(n) },
}

// newHTMLBody gives an *Error when a value stands where it cannot be made safe, the HTML ends within a
// tag, or holds a script.
func newHTMLBody(t template) (*htmlBody, error) {
	b := &htmlBody{}
	b.source.write(t)
	source := b.source.text.String()
	if err := checkHTMLCost(source); err != nil {
		return nil, err
	}
	parsed, err := htmltemplate.New("html_message").Funcs(htmlFunctions).Parse(source)
	if err != nil {
		return nil, htmlError(err, b.source.holes)
	}
	// html/template escapes at the first execution, every branch of it. Doing it here finds what it cannot escape, and
	// leaves nothing that changes to the executions that run at the same time.
	if err := parsed.Execute(io.Discard, frame{}); err != nil {
		return nil, htmlError(err, b.source.holes)
	}
	b.escaped = parsed
	return b, nil
}

// write puts the tree into html/template's words.
func (s *htmlSource) write(t template) {
	for i := range t {
		switch n := &t[i]; {
		case n.hole != nil:
			s.text.WriteString(holeAction(len(s.holes)))
			s.holes = append(s.holes, n.hole)
		case n.choice != nil:
			s.writeChoice(n.choice)
		case n.loop != nil:
			fmt.Fprintf(&s.text, "{{range turns %d .}}", len(s.loops))
			s.loops = append(s.loops, n.loop)
			s.write(n.loop.body)
			if len(n.loop.empty) > 0 {
				s.text.WriteString("{{else}}")
				s.write(n.loop.empty)
			}
			s.text.WriteString("{{end}}")
		default:
			s.text.WriteString(n.literal)
		}
	}
}

func (s *htmlSource) writeChoice(c *choice) {
	for i := range c.branches {
		b := &c.branches[i]
		switch {
		case i == 0:
			fmt.Fprintf(&s.text, "{{if test %d .}}", len(s.branches))
		case b.line != "":
			fmt.Fprintf(&s.text, "{{else if test %d .}}", len(s.branches))
		default:
			s.text.WriteString("{{else}}")
		}
		s.branches = append(s.branches, b)
		s.write(b.body)
	}
	s.text.WriteString("{{end}}")
}

func holeAction(n int) string { return fmt.Sprintf("{{hole %d .}}", n) }

// hole gives a placeholder's text; nothing in the execution that is there for the escaping alone.
func (f frame) hole(n int) (string, error) {
	if f.body == nil {
		return "", nil
	}
	return f.body.source.holes[n].text(f.view, f.work)
}

func (f frame) test(n int) (bool, error) {
	if f.body == nil {
		return false, nil
	}
	return f.body.source.branches[n].holds(f.view, f.work)
}

func (f frame) turns(n int) ([]frame, error) {
	if f.body == nil {
		return nil, nil
	}
	views, err := f.work.turnsOf(f.body.source.loops[n], f.view)
	if err != nil {
		return nil, err
	}
	frames := make([]frame, len(views))
	for i, v := range views {
		frames[i] = frame{body: f.body, view: v, work: f.work}
	}
	return frames, nil
}

// htmlError says it in the author's own words: the holes are named as they are written.
func htmlError(err error, holes []*placeholder) error {
	own := &Error{Code: TemplateParseFail, Message: "the HTML cannot be read", cause: err}
	var unsafe *htmltemplate.Error
	if !errors.As(err, &unsafe) {
		return own
	}
	message := unsafe.Description
	for i := len(holes) - 1; i >= 0; i-- {
		message = strings.ReplaceAll(message, holeAction(i), holes[i].source)
	}
	own.Line = unsafe.Line
	if unsafe.ErrorCode == htmltemplate.ErrEndContext {
		own.Message = "the HTML ends within a tag or an attribute: close it (a quote or a > may be missing)"
		return own
	}
	own.Message = "a value cannot be made safe in this HTML: " + message
	return own
}

// render gives the HTML with its values filled in.
func (b *htmlBody) render(v view) (string, error) {
	var out cappedBuffer
	err := b.escaped.Execute(&out, frame{body: b, view: v, work: &rendering{meter: v.meter()}})
	var own *Error
	switch {
	case err == nil:
		return out.String(), nil
	case out.full:
		return "", &Error{Code: TemplateParseFail, Message: fmt.Sprintf(
			"the HTML is larger than %d KiB once its values are filled in: shorten it", htmlOutputLimit>>10)}
	case errors.As(err, &own):
		return "", own
	default:
		return "", &Error{Code: TemplateParseFail, Message: "the HTML cannot be rendered", cause: err}
	}
}

// cappedBuffer refuses what goes beyond htmlOutputLimit, so that rendering stops there.
type cappedBuffer struct {
	bytes.Buffer
	full bool
}

func (b *cappedBuffer) Write(p []byte) (int, error) {
	if b.Len()+len(p) > htmlOutputLimit {
		b.full = true
		return 0, errors.New("too large")
	}
	return b.Buffer.Write(p)
}
