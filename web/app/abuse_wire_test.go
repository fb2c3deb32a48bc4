package app

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// smuggled is a call that must never be made: it stands where a body is.
func (e *estate) smuggled() string {
	body := `{"model":"orders","action":"create","key":"smuggled","doc":{"id":"smuggled"}}`
	return e.head(e.who(events), "POST /api/v1/events", "Content-Type: application/json", fmt.Sprintf("Content-Length: %d", len(body))) + body
}

// TestNoRequestHidesInAnother sends what two servers can read in two ways: where they disagree on the end of a body, its rest
// would be somebody's request. After anything of that kind no further request of the connection is heard.
func TestNoRequestHidesInAnother(t *testing.T) {
	t.Parallel()
	e := besieged(t, Timeouts{Header: 2 * time.Second, Read: 2 * time.Second, Idle: time.Second}) // some leave the server waiting
	const kind = "Content-Type: application/json"
	start := func(headers ...string) string {
		return e.head(e.who(events), "POST /api/v1/events", append([]string{kind}, headers...)...)
	}
	inside := e.smuggled()
	whole := func(body string) string { return fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(body), body) }
	before := e.rows()
	requests := map[string]string{
		"a length that is too short":          start("Content-Length: 2") + "{}\x00" + inside,
		"a length that is too long":           start("Content-Length: 100000") + "{}",
		"two lengths":                         start("Content-Length: 2", fmt.Sprintf("Content-Length: %d", 2+len(inside))) + "{}" + inside,
		"two lengths in one header":           start(fmt.Sprintf("Content-Length: 2, %d", 2+len(inside))) + "{}" + inside,
		"a length with a sign":                start("Content-Length: +2") + "{}" + inside,
		"a length below zero":                 start("Content-Length: -1") + "{}" + inside,
		"a length in hexadecimal":             start("Content-Length: 0x2") + "{}" + inside,
		"a length that overflows":             start("Content-Length: 18446744073709551618") + "{}" + inside,
		"a length before a space":             start("Content-Length : 2") + "{}" + inside,
		"an empty length":                     start("Content-Length: ") + inside,
		"a length and chunks":                 start(fmt.Sprintf("Content-Length: %d", len(whole("{}"))+len(inside)), "Transfer-Encoding: chunked") + whole("{}") + inside,
		"chunks and a length":                 start("Transfer-Encoding: chunked", "Content-Length: 4") + whole("{}") + inside,
		"chunks and nothing else":             start("Transfer-Encoding: chunked") + whole("{}") + inside,
		"chunks twice":                        start("Transfer-Encoding: chunked", "Transfer-Encoding: chunked") + whole("{}") + inside,
		"chunks and something else":           start("Transfer-Encoding: chunked, identity") + whole("{}") + inside,
		"chunks of another name":              start("Transfer-Encoding: xchunked") + whole("{}") + inside,
		"chunks after a tab":                  start("Transfer-Encoding:\tchunked") + whole("{}") + inside,
		"chunks after a vertical tab":         start("Transfer-Encoding: \vchunked") + whole("{}") + inside,
		"chunks on a second line":             start("Transfer-Encoding:\r\n chunked") + whole("{}") + inside,
		"chunks before a space":               start("Transfer-Encoding : chunked", "Content-Length: 2") + "{}" + inside,
		"chunks with HTTP/1.0":                strings.Replace(start("Transfer-Encoding: chunked"), "HTTP/1.1", "HTTP/1.0", 1) + whole("{}") + inside,
		"a chunk of a length with a sign":     start("Transfer-Encoding: chunked") + "+2\r\n{}\r\n0\r\n\r\n" + inside,
		"a chunk of a length with 0x":         start("Transfer-Encoding: chunked") + "0x2\r\n{}\r\n0\r\n\r\n" + inside,
		"a chunk whose length overflows":      start("Transfer-Encoding: chunked") + "10000000000000002\r\n{}\r\n0\r\n\r\n" + inside,
		"a chunk that is longer than it says": start("Transfer-Encoding: chunked") + "2\r\n{}" + inside + "\r\n0\r\n\r\n",
		"a chunk without its end":             start("Transfer-Encoding: chunked") + "2\r\n{}0\r\n\r\n" + inside,
		"an extension with a line break":      start("Transfer-Encoding: chunked") + "2;x\n{}\r\n0\r\n\r\n" + inside,
		"an extension without end":            start("Transfer-Encoding: chunked") + "2;" + strings.Repeat("x", 100_000) + "\r\n{}\r\n0\r\n\r\n" + inside,
		"trailers":                            start("Transfer-Encoding: chunked", "Trailer: Content-Length") + "2\r\n{}\r\n0\r\nContent-Length: 500\r\nAuthorization: Bearer x\r\n\r\n" + inside,
		"trailers without end":                start("Transfer-Encoding: chunked") + "2\r\n{}\r\n0\r\n" + strings.Repeat("X-One: 1\r\n", 20_000) + "\r\n" + inside,
		"a line without a colon":              start("Content-Length: 2", "nonsense") + "{}" + inside,
		"a header name with a space":          start("Content-Length: 2", "X One: 1") + "{}" + inside,
		"a header with NUL":                   start("Content-Length: 2", "X-One: \x001") + "{}" + inside,
		"a header with CR":                    start("Content-Length: 2", "X-One: 1\rTransfer-Encoding: chunked") + "{}" + inside,
		"a folded first header":               strings.Replace(start("Content-Length: 2"), "HTTP/1.1\r\n", "HTTP/1.1\r\n X-One: 1\r\n", 1) + "{}" + inside,
		"two hosts":                           start("Content-Length: 2", "Host: elsewhere.example.com") + "{}" + inside,
		"no version":                          "POST /api/v1/events\r\n\r\n" + inside,
		"another version":                     strings.Replace(start("Content-Length: 2"), "HTTP/1.1", "HTTP/1.2", 1) + "{}",
		"another protocol":                    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + inside,
		"a request in a line":                 "POST /api/v1/events HTTP/1.1 HTTP/1.1\r\nHost: x\r\n\r\n" + inside,
		"TLS":                                 "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + strings.Repeat("\x00", 512) + inside,
		"a body of a GET":                     e.head(e.who(read), "GET /api/v1/events", fmt.Sprintf("Content-Length: %d", len(inside))) + inside,
		"a body of a sign-in page":            e.head(caller{}, "GET /sign-in", fmt.Sprintf("Content-Length: %d", len(inside))) + inside,
		"a body of a HEAD":                    e.head(caller{}, "HEAD /healthz", fmt.Sprintf("Content-Length: %d", len(inside)), "Connection: close") + inside,
		"an upgrade":                          e.head(caller{}, "GET /healthz", "Connection: Upgrade, HTTP2-Settings, close", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA") + inside,
		"a tunnel":                            "CONNECT elsewhere.example.com:80 HTTP/1.1\r\nHost: elsewhere.example.com\r\n\r\n" + inside,
	}
	t.Run("each", func(t *testing.T) {
		for what, raw := range requests {
			t.Run(what, func(t *testing.T) {
				t.Parallel()
				statuses, last := e.answers(raw)
				if slices.Contains(statuses, http.StatusAccepted) || len(statuses) > 2 {
					t.Errorf("answered %v\n%.300s", statuses, last)
				}
			})
		}
	})
	if after := e.rows(); after != before {
		t.Errorf("something was written:\n%s", after)
	}
	// The proof that it would be heard: the same request where it may stand.
	if statuses, _ := e.answers(inside + inside); !slices.Equal(statuses, []int{http.StatusAccepted, http.StatusAccepted}) || e.rows() == before {
		t.Errorf("two requests one after the other are answered with %v: this test has lost what it looks at", statuses)
	}
	e.stillServes()
}

// TestRequestsOfOneConnectionAreEachTheirOwn pipelines: what one request proves, the next has to prove again.
func TestRequestsOfOneConnectionAreEachTheirOwn(t *testing.T) {
	t.Parallel()
	e := besieged(t, Timeouts{})
	var raw strings.Builder
	var want []int
	for range 50 {
		raw.WriteString(e.head(e.who(read), "GET /api/v1/notifications"))
		raw.WriteString(e.head(caller{}, "GET /api/v1/notifications"))
		raw.WriteString(e.head(e.who(admin), "GET /users"))
		raw.WriteString(e.head(caller{}, "GET /users", "Accept: text/html"))
		want = append(want, http.StatusOK, http.StatusUnauthorized, http.StatusOK, http.StatusSeeOther)
	}
	raw.WriteString(e.head(caller{}, "GET /healthz", "Connection: close"))
	want = append(want, http.StatusOK)
	if got, _ := e.answers(raw.String()); !slices.Equal(got, want) {
		t.Errorf("answered %v,\nwant %v", got, want)
	}
}

// TestNoHeaderIsTooMuch sends headers that are large, many, or of odd forms.
func TestNoHeaderIsTooMuch(t *testing.T) {
	t.Parallel()
	e := besieged(t, Timeouts{})
	many := make([]string, 100_000)
	for i := range many {
		many[i] = fmt.Sprintf("X-%d: %d", i, i)
	}
	const tooLarge = http.StatusRequestHeaderFieldsTooLarge
	for what, tc := range map[string]struct {
		head string
		want []int
	}{
		"a header over the limit":        {e.head(e.who(read), "GET /api/v1/events", "X-Long: "+strings.Repeat("x", 70<<10)), []int{tooLarge}},
		"a header of megabytes":          {e.head(e.who(read), "GET /api/v1/events", "X-Long: "+strings.Repeat("x", 4<<20)), []int{tooLarge}},
		"a hundred thousand headers":     {e.head(e.who(read), "GET /api/v1/events", many...), []int{tooLarge}},
		"a thousand headers":             {e.head(e.who(read), "GET /api/v1/events", many[:1000]...), []int{http.StatusOK}},
		"a path over the limit":          {e.head(e.who(read), "GET /api/v1/events/"+strings.Repeat("x", 70<<10)), []int{tooLarge}},
		"a query over the limit":         {e.head(e.who(read), "GET /api/v1/events?model="+strings.Repeat("x", 70<<10)), []int{tooLarge}},
		"a long query":                   {e.head(e.who(viewer), "GET /deliveries?q="+strings.Repeat("x", 30<<10)), []int{http.StatusOK, http.StatusBadRequest}},
		"very many parameters":           {e.head(e.who(viewer), "GET /deliveries?"+strings.Repeat("q=x&", 10_001)), []int{http.StatusOK, http.StatusBadRequest}},
		"a large cookie":                 {e.head(caller{cookie: "silque_session=" + strings.Repeat("x", 40<<10)}, "GET /users"), []int{http.StatusSeeOther, http.StatusUnauthorized}},
		"very many cookies":              {e.head(caller{cookie: strings.Repeat("a=b; ", 8_000)}, "GET /users"), []int{http.StatusSeeOther, http.StatusUnauthorized}},
		"a large token":                  {e.head(caller{bearer: strings.Repeat("x", 40<<10)}, "GET /api/v1/events"), []int{http.StatusUnauthorized}},
		"a folded token":                 {e.head(caller{}, "GET /api/v1/events", "Authorization: Bearer\r\n "+settingsToken), []int{http.StatusOK, http.StatusBadRequest}},
		"two tokens":                     {e.head(caller{bearer: settingsToken}, "GET /api/v1/events", "Authorization: Bearer wrong"), []int{http.StatusUnauthorized}},
		"very many forwarded addresses":  {e.head(caller{}, "GET /healthz", "X-Forwarded-For: "+strings.Repeat("192.0.2.1, ", 5_000)), []int{http.StatusOK}},
		"very many languages and ranges": {e.head(e.who(viewer), "GET /", "Accept-Language: "+strings.Repeat("de;q=0.1,", 3_000), "Range: bytes="+strings.Repeat("0-1,", 3_000)), []int{http.StatusOK}},
		"a range of a file, many times":  {e.head(caller{}, "GET /static/style.css", "Range: bytes="+strings.Repeat("0-,", 10_000)), []int{http.StatusOK, http.StatusNotFound, http.StatusRequestedRangeNotSatisfiable, http.StatusPartialContent}},
	} {
		statuses, last := e.answers(strings.Replace(tc.head, "\r\n", "\r\nConnection: close\r\n", 1))
		if len(statuses) != 1 || !slices.Contains(tc.want, statuses[0]) || len(last) > 1<<20 {
			t.Errorf("%s: answered %v, want %v\n%.300s", what, statuses, tc.want, last)
		}
	}
	e.stillServes()
}

// TestASlowClientIsSentAway: whoever does not come to an end is, and the connection with them, whatever is slow. The server is
// production's with shorter timeouts.
func TestASlowClientIsSentAway(t *testing.T) {
	t.Parallel()
	brief := 300 * time.Millisecond
	e := besieged(t, Timeouts{Header: brief, Read: 2 * brief, Write: 10 * brief, Idle: brief})
	before := e.rows()
	events := e.who(events)
	for what, tc := range map[string]struct{ head, drop string }{
		"nothing at all":               {"", ""},
		"a header, letter by letter":   {"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ", "x"},
		"headers, one by one":          {"GET /healthz HTTP/1.1\r\nHost: x\r\n", "X-Slow: x\r\n"},
		"empty lines before a request": {"", "\r\n"},
		"a body, letter by letter":     {e.head(events, "POST /api/v1/events", "Content-Type: application/json", "Content-Length: 1000000"), " "},
		"a body, chunk by chunk":       {e.head(events, "POST /api/v1/events", "Content-Type: application/json", "Transfer-Encoding: chunked"), "1\r\n \r\n"},
		"a body that never comes":      {e.head(events, "POST /api/v1/events", "Content-Type: application/json", "Content-Length: 10"), ""},
		"a form of a sign-in page":     {e.head(caller{}, "POST /sign-in", "Content-Type: application/x-www-form-urlencoded", "Content-Length: 1000"), "x"},
		"a body that nobody waits for": {e.head(caller{}, "POST /healthz", "Content-Length: 1000000"), "x"},
		"a report of a mail server":    {e.head(e.who(reports), "POST /hooks/email/bounces", "Content-Type: message/rfc822", "Content-Length: 1000000"), "x"},
		"idleness after an answer":     {e.head(caller{}, "GET /healthz"), ""},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			conn := e.dial()
			closed := make(chan error, 1)
			go func() {
				_, err := io.Copy(io.Discard, conn)
				closed <- err
			}()
			_, _ = io.WriteString(conn, tc.head)
			drip := time.NewTicker(10 * time.Millisecond)
			defer drip.Stop()
			hang := time.After(guard)
			for {
				select {
				case <-closed: //nolint:errcheck // however it ends, it has
					return
				case <-drip.C:
					_, _ = io.WriteString(conn, tc.drop)
				case <-hang:
					t.Fatal("the connection is held for ever")
				}
			}
		})
	}
	t.Cleanup(func() {
		if after := e.rows(); after != before {
			t.Errorf("something was written:\n%s", after)
		}
	})
}

// TestACrowdThatWaitsKeepsNobodyOut holds hundreds of connections open in the middle of a request, and asks for a page.
func TestACrowdThatWaitsKeepsNobodyOut(t *testing.T) {
	t.Parallel()
	e := besieged(t, Timeouts{})
	for i := range 400 {
		conn := e.dial()
		half := []string{
			"", "GET /sign-in HT", e.head(caller{}, "POST /sign-in", "Content-Type: application/x-www-form-urlencoded", "Content-Length: 10"),
			e.head(e.who(events), "POST /api/v1/events", "Content-Type: application/json", "Content-Length: 10"),
		}[i%4]
		if _, err := io.WriteString(conn, half); err != nil {
			t.Fatal(err)
		}
	}
	e.stillServes()
	conn := e.dial()
	if _, err := io.WriteString(conn, e.head(caller{}, "GET /readyz")); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Errorf("ready: %v, %v", response, err)
	}
	_ = response.Body.Close()
}

// TestTheServerHasBounds: what production runs with, in case nobody says otherwise.
func TestTheServerHasBounds(t *testing.T) {
	t.Parallel()
	e := besieged(t, Timeouts{})
	s := e.app.server()
	if s.ReadHeaderTimeout != 10*time.Second || s.ReadTimeout != 30*time.Second || s.WriteTimeout != time.Minute || s.IdleTimeout != 2*time.Minute || s.MaxHeaderBytes != 64<<10 {
		t.Errorf("the server has %v %v %v %v %d", s.ReadHeaderTimeout, s.ReadTimeout, s.WriteTimeout, s.IdleTimeout, s.MaxHeaderBytes)
	}
}
