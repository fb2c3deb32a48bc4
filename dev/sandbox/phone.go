package sandbox

import (
	"context"
	"html"
	"html/template"
	"regexp"
	"slices"
	"strings"
)

// phone is the screen of someone who was sent SMS or WhatsApp messages.
type phone struct {
	Channel Channel
	// To is whose phone it is, From who sent the newest message.
	To, From string
	Bubbles  []bubble
	// More says that there are earlier messages, which are not shown.
	More bool
}

// bubble is one message on the screen.
type bubble struct {
	Message
	Shown template.HTML
	// Segments is in how many pieces an SMS goes over the air.
	Segments int
	// Template and Variables are what a WhatsApp message was made from instead of a text.
	Template, Variables string
	Media               []string
	// URL opens this message, Delivery its delivery in the console.
	URL, Delivery string
	Opened        bool
	// Day is set on the first message of a day.
	Day bool
}

// phone shows what the recipient of a message received on its channel, up to the newest, which may be later than it.
func (s *Sandbox) phone(ctx context.Context, opened *Message, q query) (*phone, error) {
	found, more, err := s.inbox.find(ctx, query{channel: opened.Channel, to: opened.To, limit: pageLength})
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(found, func(m Message) bool { return m.ID == opened.ID }) {
		found = append(found, *opened) // older than what a phone shows
	}
	slices.Reverse(found)
	p := &phone{Channel: opened.Channel, To: opened.To, From: found[len(found)-1].From, More: more}
	day := ""
	for _, m := range found {
		b := bubble{
			Message: m, Shown: shownText(m), Opened: m.ID == opened.ID, Template: m.Headers[paramContentSID], Variables: m.Headers[paramContentVariables],
			URL: pageURL("/sandbox/messages/"+m.ID, q, q.before), Delivery: search(m.SID()),
		}
		if m.Channel == SMS {
			b.Segments = segments(m.Text)
		}
		if media := m.Headers[paramMedia]; media != "" {
			b.Media = strings.Split(media, "\n")
		}
		if at := m.ReceivedAt.UTC().Format("2006-01-02"); at != day {
			b.Day, day = true, at
		}
		p.Bubbles = append(p.Bubbles, b)
	}
	return p, nil
}

// whatsAppMarks are WhatsApp's marks around words, and what they mean:
// https://faq.whatsapp.com/539178204879377
var whatsAppMarks = []struct {
	mark *regexp.Regexp
	with string
}{
	{regexp.MustCompile("```([^`]+)```"), "<code>$1</code>"},
	{regexp.MustCompile(`(^|[\s(])\*([^\s*](?:[^*\n]*[^\s*])?)\*`), "$1<b>$2</b>"},
	{regexp.MustCompile(`(^|[\s(>])_([^\s_](?:[^_\n]*[^\s_])?)_`), "$1<i>$2</i>"},
	{regexp.MustCompile(`(^|[\s(>])~([^\s~](?:[^~\n]*[^\s~])?)~`), "$1<s>$2</s>"},
}

// shownText escapes a text, and on WhatsApp makes its marks bold, italic, struck and fixed as the app does.
func shownText(m Message) template.HTML {
	text := html.EscapeString(m.Text)
	if m.Channel == WhatsApp {
		for _, f := range whatsAppMarks {
			text = f.mark.ReplaceAllString(text, f.with)
		}
	}
	return template.HTML(text) //nolint:gosec // escaped above; the marks hold no attribute
}
