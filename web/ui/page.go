package ui

import (
	"fmt"
	"html"
	"html/template"
	"time"

	"github.com/silquetech/silque-notifications/internal/account"
)

// Page is what a template sees. The console fills in what all pages have; a handler sets the first group.
type Page struct {
	// Title stands in the browser's tab and at the top of the page.
	Title string
	// Area is the entry of the navigation that is marked as current: its path, such as /notifications.
	Area string
	// Styles and Scripts name further static files, such as deliveries.css.
	Styles, Scripts []string
	// Wide gives the content the whole width of the window.
	Wide bool
	// Bare leaves the navigation out, for someone who is not signed in.
	Bare bool
	// Plain leaves scripts out, and with them the cookies that they keep: for people who are no users, and on whose devices
	// nothing is kept.
	Plain bool
	// Data is the page's own.
	Data any

	// Person is who is signed in; nil when nobody is.
	Person *Person
	// Links is the navigation, as far as this person may use it.
	Links []Group
	// Token goes with every form, see the template "csrf".
	Token string
	Flash *Flash
	// Zone is the reader's.
	Zone *time.Location
	Now  time.Time
	// Theme is light or dark; empty follows the system.
	Theme string
	// Development is a line about the development sign-in; empty in production.
	Development string
	// TemporalUI is where Temporal Web UI is; empty when there is none to link to.
	TemporalUI string
	// TemporalUp says whether Temporal answers; when it does not, its links are greyed.
	TemporalUp bool
	// WorkflowLink gives a workflow's page in Temporal Web UI.
	WorkflowLink func(workflowID string) string
}

// Person is who looks at a page.
type Person struct {
	ID, Name, Email string
	Role            account.Role
}

// May says whether the person may do what the role is needed for. Nobody may do nothing.
func (p *Person) May(least account.Role) bool { return p != nil && p.Role.Allows(least) }

// Called is the person's name, or address.
func (p *Person) Called() string {
	if p.Name != "" {
		return p.Name
	}
	return p.Email
}

// Group is a part of the navigation.
type Group struct {
	Name  string
	Links []Link
}

// Link is an entry of the navigation.
type Link struct {
	Path, Name string
	// Elsewhere is a page outside the console.
	Elsewhere bool
}

// May is whether the person may do what the role is needed for: {{if .May "editor"}}.
func (p *Page) May(least string) bool { return p.Person.May(account.Role(least)) }

// Flash is a line about what has just been done, shown once.
type Flash struct {
	// Problem says that it was not done.
	Problem bool
	Text    string
	// Undo is where a POST takes it back; empty when it cannot be.
	Undo string
	// UndoFields go with that POST.
	UndoFields map[string][]string
	// Path and Label are a link to look further; empty for none.
	Path, Label string
}

// When shows a moment (time.Time or *time.Time) in the reader's zone; nothing for none.
func (p *Page) When(at any) template.HTML {
	t, ok := moment(at)
	if !ok {
		return ""
	}
	return p.timeTag(t, p.Stamp(t))
}

// Stamp writes a moment in the reader's zone, without the year while that is clear.
func (p *Page) Stamp(t time.Time) string {
	here, now := t.In(p.zone()), p.Now.In(p.zone())
	if here.Year() == now.Year() {
		return here.Format("2 Jan, 15:04:05")
	}
	return here.Format("2 Jan 2006, 15:04:05")
}

// Ago shows how long ago a moment is, or how far ahead.
func (p *Page) Ago(at any) template.HTML {
	t, ok := moment(at)
	if !ok {
		return ""
	}
	return p.timeTag(t, Distance(p.Now.Sub(t)))
}

// timeTag has the moment itself for programs, and in full for whoever points at it.
func (p *Page) timeTag(t time.Time, text string) template.HTML {
	full := t.In(p.zone()).Format("Monday, 2 January 2006, 15:04:05.000 MST")
	return template.HTML(fmt.Sprintf(`<time datetime="%s" title="%s">%s</time>`, //nolint:gosec // all of it is made here and escaped
		t.UTC().Format(time.RFC3339Nano), html.EscapeString(full), html.EscapeString(text)))
}

func (p *Page) zone() *time.Location {
	if p.Zone == nil {
		return time.UTC
	}
	return p.Zone
}

// ZoneName is the name of the reader's zone.
func (p *Page) ZoneName() string { return p.zone().String() }

func moment(at any) (time.Time, bool) {
	switch t := at.(type) {
	case time.Time:
		return t, !t.IsZero()
	case *time.Time:
		if t != nil {
			return *t, !t.IsZero()
		}
	}
	return time.Time{}, false
}

// Distance says a length of time since (or, below zero, until) in words.
func Distance(d time.Duration) string {
	form := "%s ago"
	if d < 0 {
		d, form = -d, "in %s"
	}
	if d < time.Second {
		return "now"
	}
	return fmt.Sprintf(form, Length(d))
}

// Length says a length of time in words, to its largest unit.
func Length(d time.Duration) string {
	for _, unit := range []struct {
		length time.Duration
		name   string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}, {time.Second, "second"}} {
		if d >= unit.length {
			return plural(int64(d/unit.length), unit.name)
		}
	}
	return fmt.Sprintf("%d ms", d.Milliseconds())
}
