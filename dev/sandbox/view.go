package sandbox

import (
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"
)

// pageLength is how many messages the page lists at once.
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
	Opened   *Message
	Headers  []header
	Named    []header // of Headers, those that say who else an email names
	Faults   []Fault
	Faulty   bool
	Modes    []Mode
	Problem  string
	SMTPAddr string
	Starter  string // the command that sends test messages
	Delivery string // the delivery that an email says it belongs to; empty if it says none
}

type item struct {
	Message
	URL    string
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
	found, more, err := s.inbox.find(ctx, q)
	if err != nil {
		return view{}, err
	}
	total, err := s.inbox.count(ctx, query{})
	if err != nil {
		return view{}, err
	}
	v := view{
		Total: total, Channel: q.channel, Search: q.contains, Opened: opened,
		List:   pageURL("/sandbox", q, q.before),
		Faults: s.faults.all(), Modes: Modes, SMTPAddr: s.SMTPAddr(), Starter: s.starter(),
	}
	v.Faulty = slices.ContainsFunc(v.Faults, func(f Fault) bool { return f.Mode != OK })
	for _, m := range found {
		v.Items = append(v.Items, item{
			Message: m,
			URL:     pageURL("/sandbox/messages/"+m.ID, q, q.before),
			Opened:  opened != nil && opened.ID == m.ID,
		})
	}
	if more {
		v.Older = pageURL("/sandbox", q, found[len(found)-1].ID)
	}
	if q.before != "" {
		v.Newest = pageURL("/sandbox", q, "")
	}
	v.Filters = filters(q)
	if opened != nil {
		for _, name := range slices.Sorted(maps.Keys(opened.Headers)) {
			v.Headers = append(v.Headers, header{Name: name, Value: opened.Headers[name]})
			if opened.Channel == Email && slices.ContainsFunc(namedHeaders, func(n string) bool { return strings.EqualFold(n, name) }) {
				v.Named = append(v.Named, header{Name: name, Value: opened.Headers[name]})
			}
			if strings.EqualFold(name, deliveryHeader) {
				v.Delivery = opened.Headers[name]
			}
		}
	}
	return v, nil
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
