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
// html/template does that, and its own language stays out of reach: the author's text cannot hold {{, and every hole is
// {{index . n}}.
type htmlBody struct {
	template template
	escaped  *htmltemplate.Template
}

// newHTMLBody gives an *Error when a value stands where it cannot be made safe, the HTML ends within a
// tag, or holds a script.
func newHTMLBody(t template) (*htmlBody, error) {
	var source strings.Builder
	var holes []*placeholder
	for _, s := range t {
		if s.hole == nil {
			source.WriteString(s.literal)
			continue
		}
		source.WriteString(holeAction(len(holes)))
		holes = append(holes, s.hole)
	}
	if err := checkHTMLCost(source.String()); err != nil {
		return nil, err
	}
	parsed, err := htmltemplate.New("html_message").Parse(source.String())
	if err != nil {
		return nil, htmlError(err, holes)
	}
	// html/template escapes at the first execution. Doing it here finds what it cannot escape, and leaves nothing that
	// changes to the executions that run at the same time.
	if err := parsed.Execute(io.Discard, make([]string, len(holes))); err != nil {
		return nil, htmlError(err, holes)
	}
	return &htmlBody{template: t, escaped: parsed}, nil
}

func holeAction(n int) string { return fmt.Sprintf("{{index . %d}}", n) }

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
	own.Message = "a value cannot be made safe in this HTML: " + message
	return own
}

// render gives the HTML with its values filled in.
func (b *htmlBody) render(v view) (string, error) {
	values := []string{}
	for _, s := range b.template {
		if s.hole != nil {
			values = append(values, s.fill(v))
		}
	}
	var out cappedBuffer
	if err := b.escaped.Execute(&out, values); err != nil {
		if out.full {
			return "", &Error{Code: TemplateParseFail, Message: fmt.Sprintf(
				"the HTML is larger than %d KiB once its values are filled in: shorten it", htmlOutputLimit>>10)}
		}
		return "", &Error{Code: TemplateParseFail, Message: "the HTML cannot be rendered", cause: err}
	}
	return out.String(), nil
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
