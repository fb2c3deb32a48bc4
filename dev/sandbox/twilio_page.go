package sandbox

import (
	"net/url"
	"strconv"
	"strings"
	"time"
)

// The sizes of a page of Twilio's message list.
const (
	twilioPageSize    = 50
	maxTwilioPageSize = 1000
)

// twilioPage is what a request asks of the message list.
type twilioPage struct {
	query  query
	number int
	token  string
	form   url.Values
}

func readTwilioPage(form url.Values) (twilioPage, *twilioError) {
	page := twilioPage{form: form, query: query{limit: twilioPageSize}, token: form.Get("PageToken")}
	to, from := form.Get(paramTo), form.Get(paramFrom)
	page.query.to = strings.TrimPrefix(to, whatsAppPrefix)
	page.query.from = strings.TrimPrefix(from, whatsAppPrefix)
	switch {
	case strings.HasPrefix(to+from, whatsAppPrefix):
		page.query.channel = WhatsApp
	case to+from != "":
		page.query.channel = SMS
	}
	if size := form.Get("PageSize"); size != "" {
		n, err := strconv.Atoi(size)
		if err != nil || n < 1 || n > maxTwilioPageSize {
			return page, &errTwilioPageSize
		}
		page.query.limit = n
	}
	if problem := page.readPosition(); problem != nil {
		return page, problem
	}
	return page, page.readDates()
}

func (p *twilioPage) readPosition() *twilioError {
	if number := p.form.Get("Page"); number != "" {
		n, err := strconv.Atoi(number)
		if err != nil || n < 0 {
			return &errTwilioPage
		}
		p.number = n
	}
	if p.token == "" {
		if p.number > 0 {
			return &errTwilioPage
		}
		return nil
	}
	id, ok := idOfSID(strings.TrimPrefix(p.token, "PA"))
	if !ok {
		return &errTwilioPage
	}
	p.query.before = id
	return nil
}

// readDates reads the three filters on the time of sending. All include their bound, which is a day or a second.
func (p *twilioPage) readDates() *twilioError {
	for _, filter := range []struct {
		name         string
		since, until bool
	}{
		{name: "DateSent", since: true, until: true},
		{name: "DateSent>", since: true},
		{name: "DateSent<", until: true},
	} {
		value := p.form.Get(filter.name)
		if value == "" {
			continue
		}
		from, to, ok := readTwilioDate(value)
		if !ok {
			return new(errTwilioDate.about(filter.name))
		}
		if filter.since {
			p.query.since = from
		}
		if filter.until {
			p.query.until = to
		}
	}
	return nil
}

// readTwilioDate returns the start of a day or second, and the start of the next.
func readTwilioDate(value string) (from, to time.Time, ok bool) {
	if day, err := time.Parse(time.DateOnly, value); err == nil {
		return day, day.AddDate(0, 0, 1), true
	}
	if at, err := time.Parse(time.RFC3339, value); err == nil {
		return at.Truncate(time.Second), at.Truncate(time.Second).Add(time.Second), true
	}
	return time.Time{}, time.Time{}, false
}

// at is the query string of another page of the same list.
func (p twilioPage) at(number int, token string) string {
	form := url.Values{}
	for name, values := range p.form {
		form[name] = values
	}
	form.Set("PageSize", strconv.Itoa(p.query.limit))
	form.Set("Page", strconv.Itoa(number))
	form.Del("PageToken")
	if token != "" {
		form.Set("PageToken", token)
	}
	return form.Encode()
}

func (s *Sandbox) twilioListURI(queryString string) string {
	return "/" + twilioVersion + "/Accounts/" + s.account.sid + "/Messages.json?" + queryString
}
