package sandbox

import (
	"context"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
)

// pageLength is how many messages the page lists at once, and a phone shows.
const pageLength = 100

// deliveryHeader is the header field in which our emails name their delivery.
const deliveryHeader = "X-Silque-Delivery"

// namedHeaders are the header fields that the page shows beside the envelope's recipient.
var namedHeaders = []string{"Cc", "Reply-To"}

// view is what the page shows.
type view struct {
	Items    []item
	Total    int64 // in the inbox, whatever is filtered
	Filters  []filter
	Channel  Channel
	Search   string
	Older    string // address of the next page; empty on the last
	Newest   string // address of the first page; empty on it
	List     string // address of the list that is shown, without a message
	Here     string // address of the page itself
	Opened   *Message
	As       string   // how an email is shown: html, text or source
	Ways     []filter // the other ways to show it
	Answered string   // the word that was just answered, if any
	Reported string   // what was just reported of the email, in words; empty if nothing was
	Fates    []fate   // what can become of the email
	Answers  []string // the words that a phone offers to answer with
	Phone    *phone   // what an SMS or a WhatsApp message stands in
	Headers  []header
	Named    []header // of Headers, those that say who else an email names
	Faults   []Fault
	Faulty   bool
	Modes    []Mode
	Problem  string
	SMTPAddr string
	Starter  string // the command that sends test messages
	Delivery string // where the console shows the delivery of an email; empty when it is not known
	Temporal string // address of Temporal Web UI; empty for none
}

type item struct {
	Message
	URL    string
	Count  int64 // messages of the conversation; 0 for a single message
	Opened bool
}

type filter struct {
	Label, URL string
	Current    bool
}

type header struct{ Name, Value string }

func (s *Sandbox) view(c *gin.Context, opened *Message) (view, error) {
	ctx, form := c.Request.Context(), c.Request.URL.Query()
	q, _ := readQuery(form) // a page shows what it can of a wrong query
	if !q.channel.known() {
		q.channel = ""
	}
	q.limit = pageLength
	total, err := s.inbox.count(ctx, query{})
	if err != nil {
		return view{}, err
	}
	v := view{
		Total: total, Channel: q.channel, Search: q.contains, Opened: opened, Temporal: s.temporal,
		List: pageURL("/sandbox", q, q.before), Here: c.Request.URL.RequestURI(), Filters: filters(q),
		Faults: s.faults.all(), Modes: Modes, SMTPAddr: s.SMTPAddr(), Starter: s.starter(),
	}
	v.Faulty = slices.ContainsFunc(v.Faults, func(f Fault) bool { return f.Mode != OK })
	if err := s.list(ctx, &v, q); err != nil {
		return view{}, err
	}
	if opened != nil {
		if answered := form.Get("answered"); slices.Contains(answerWords, answered) {
			v.Answered = answered
		}
		if f, ok := fateNamed(s.fatesOf(opened), form.Get("reported")); ok {
			v.Reported = f.Told
		}
		if s.answers != nil {
			v.Answers = answerWords
		}
		return v, s.open(ctx, &v, q, form.Get("as"))
	}
	return v, nil
}

// list fills in the messages; those of phones stand by number once only one channel is shown.
func (s *Sandbox) list(ctx context.Context, v *view, q query) error {
	var more bool
	if q.channel == SMS || q.channel == WhatsApp {
		found, m, err := s.inbox.conversations(ctx, q)
		if err != nil {
			return err
		}
		more = m
		for _, conversation := range found {
			v.Items = append(v.Items, item{Message: conversation.Message, Count: conversation.Count,
				Opened: v.Opened != nil && v.Opened.Channel == conversation.Channel && v.Opened.To == conversation.To})
		}
	} else {
		found, m, err := s.inbox.find(ctx, q)
		if err != nil {
			return err
		}
		more = m
		for _, message := range found {
			v.Items = append(v.Items, item{Message: message, Opened: v.Opened != nil && v.Opened.ID == message.ID})
		}
	}
	for i, it := range v.Items {
		v.Items[i].URL = pageURL("/sandbox/messages/"+it.ID, q, q.before)
	}
	if more {
		v.Older = pageURL("/sandbox", q, v.Items[len(v.Items)-1].ID)
	}
	if q.before != "" {
		v.Newest = pageURL("/sandbox", q, "")
	}
	return nil
}

// open fills in what belongs to the message that is read.
func (s *Sandbox) open(ctx context.Context, v *view, q query, as string) error {
	m := v.Opened
	for _, name := range slices.Sorted(maps.Keys(m.Headers)) {
		v.Headers = append(v.Headers, header{Name: name, Value: m.Headers[name]})
		if m.Channel == Email && slices.ContainsFunc(namedHeaders, func(n string) bool { return strings.EqualFold(n, name) }) {
			v.Named = append(v.Named, header{Name: name, Value: m.Headers[name]})
		}
	}
	if m.Channel != Email {
		phone, err := s.phone(ctx, m, q)
		v.Phone = phone
		return err
	}
	v.Delivery = deliveryOf(m)
	v.Fates = s.fatesOf(m)
	v.As, v.Ways = ways(m, as, q)
	return nil
}

// deliveryOf gives the console's page of an email's delivery, or of what its Message-ID is found under.
func deliveryOf(m *Message) string {
	var found string
	for name, value := range m.Headers {
		switch {
		case strings.EqualFold(name, deliveryHeader) && uuid.Validate(value) == nil:
			return "/deliveries/" + value
		case strings.EqualFold(name, "Message-ID") && value != "":
			found = search(strings.Trim(value, "<>"))
		}
	}
	return found
}

// search is the console's search for the deliveries that a provider's identifier belongs to.
func search(provider string) string { return "/deliveries?" + url.Values{"q": {provider}}.Encode() }

// ways lists how the email can be shown, and chooses one: its HTML when it has some, unless another is asked for.
func ways(m *Message, as string, q query) (chosen string, all []filter) {
	for _, way := range []struct {
		name, label string
		there       bool
	}{{"html", "HTML", m.HTML != ""}, {"text", "Text", m.Text != "" || m.HTML == ""}, {"source", "Source", m.Source != ""}} {
		if !way.there {
			continue
		}
		if chosen == "" || way.name == as {
			chosen = way.name
		}
		address := pageURL("/sandbox/messages/"+m.ID, q, q.before)
		separator := "?"
		if strings.Contains(address, "?") {
			separator = "&"
		}
		all = append(all, filter{Label: way.label, URL: address + separator + "as=" + way.name})
	}
	for i := range all {
		all[i].Current = strings.EqualFold(all[i].Label, chosen)
	}
	return chosen, all
}

func filters(q query) []filter {
	all := []filter{{Label: "All", Current: q.channel == ""}}
	for _, c := range Channels {
		all = append(all, filter{Label: c.Label(), Current: q.channel == c})
	}
	for i, c := range append([]Channel{""}, Channels...) {
		q.channel = c
		all[i].URL = pageURL("/sandbox", q, "")
	}
	return all
}

// pageURL is a page's address that keeps the filters.
func pageURL(path string, q query, cursor string) string {
	form := url.Values{}
	for name, value := range map[string]string{"channel": string(q.channel), "q": q.contains, "to": q.to, "cursor": cursor} {
		if value != "" {
			form.Set(name, value)
		}
	}
	if len(form) == 0 {
		return path
	}
	return path + "?" + form.Encode()
}
