package app

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"slices"
	"strings"
	"testing"
)

// changing are the methods that carry a body.
var changing = []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}

// bodiless are calls of the API that have no use for a body: one that comes in chunks is not read at all.
var bodiless = []string{
	"DELETE /api/v1/notifications/:id", "POST /api/v1/notifications/:id/duplicate", "DELETE /api/v1/lists/:id", "DELETE /api/v1/suppressions/:id",
	"POST /api/v1/deliveries/:id/retry", "POST /api/v1/errors/:id/resolve",
}

// dress says in which form a route takes a body, how it begins, what can follow for ever, and the most bytes of it.
func dress(call string) (contentType, first, more string, limit int64) {
	switch {
	case strings.HasPrefix(call, "POST /hooks/twilio/"):
		return "application/x-www-form-urlencoded", "Body=", strings.Repeat("x", 32<<10), 64 << 10
	case strings.Contains(call, " /api/"), strings.HasPrefix(call, "POST /hooks/"):
		return "application/json", `{"title":"`, strings.Repeat("x", 32<<10), 1 << 20
	case strings.HasPrefix(call, "POST /sign-"), strings.HasPrefix(call, "POST /welcome/"), strings.HasPrefix(call, "POST /unsubscribe"):
		return "application/x-www-form-urlencoded", "x=", strings.Repeat("x", 32<<10), 64 << 10
	case call == "POST /notifications/import":
		return "multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x.json\"\r\n\r\n", strings.Repeat("x", 32<<10), 8 << 20
	default:
		return "application/x-www-form-urlencoded", "x=", strings.Repeat("x", 32<<10), 8 << 20
	}
}

// TestNoRouteTakesABodyOverItsLimit walks the router's own list: every route that could carry a body refuses one that says it is
// too large, and one that only turns out to be, before it writes anything, and reads no more of it than the limit.
func TestNoRouteTakesABodyOverItsLimit(t *testing.T) {
	t.Parallel()
	e := besieged(t, Timeouts{})
	before := e.rows()
	routes := 0
	for _, route := range e.app.engine.Routes() {
		call := route.Method + " " + route.Path
		if !slices.Contains(changing, route.Method) {
			continue
		}
		routes++
		contentType, first, more, limit := dress(call)
		c := e.who(needs[call])
		status, body, _ := e.flood(e.head(c, call, "Content-Type: "+contentType, fmt.Sprintf("Content-Length: %d", limit+1)), func(sent int64) string {
			if sent == 0 {
				return first
			}
			return more[:min(int64(len(more)), limit+1-sent)]
		})
		refused(t, call+" with a length", status, body)
		status, body, sent := e.flood(e.head(c, call, "Content-Type: "+contentType, "Transfer-Encoding: chunked"), func(sent int64) string {
			if sent == 0 {
				return chunk(first)
			}
			return chunk(more)
		})
		if !slices.Contains(bodiless, call) {
			refused(t, call+" in chunks", status, body)
		}
		if slack := int64(24 << 20); sent > limit+slack { // what the two sockets hold
			t.Errorf("%s: %d bytes were taken", call, sent)
		}
	}
	if routes < 50 {
		t.Errorf("%d routes: this test has lost what it looks at", routes)
	}
	if after := e.rows(); after != before {
		t.Errorf("something was written:\n%s\nbefore:\n%s", after, before)
	}
	e.stillServes()
}

func chunk(text string) string { return fmt.Sprintf("%x\r\n%s\r\n", len(text), text) }

// refused checks an answer that turns a body away: by its size, in the form that the route's callers read.
func refused(t *testing.T, what string, status int, body string) {
	t.Helper()
	switch {
	case status == http.StatusNotFound && strings.Contains(what, "/unsubscribe"):
		// the link comes first: without a right one, the body is not even looked at
	case status != http.StatusRequestEntityTooLarge && status != http.StatusBadRequest:
		t.Errorf("%s: %d\n%.300s", what, status, body)
	case strings.Contains(what, "/hooks/twilio/"):
	case strings.Contains(what, "/api/") || strings.Contains(what, "/hooks/"):
		var answer struct {
			Error struct{ Code, Message string }
		}
		if err := json.Unmarshal([]byte(body), &answer); err != nil || answer.Error.Code == "" || answer.Error.Message == "" {
			t.Errorf("%s: answered %.300s, %v", what, body, err)
		}
	case !strings.Contains(body, "This is too large"):
		t.Errorf("%s: the page does not say why\n%.300s", what, body)
	}
}

// bombs are bodies of the API that are small on the wire and could be large or endless to read.
func bombs() map[string]string {
	many := func(one string) string { return strings.Repeat(one, 256<<10/len(one)) }
	var keys strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&keys, `"k%d":%d,`, i, i)
	}
	return map[string]string{
		"arrays in arrays":           strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000),
		"objects in objects":         strings.Repeat(`{"title":`, 100_000) + "1" + strings.Repeat("}", 100_000),
		"arrays in a field":          `{"title":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + "}",
		"arrays in a document":       `{"model":"orders","action":"create","key":"1","doc":{"a":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + "}}",
		"9,999 arrays in a document": `{"model":"orders","action":"create","key":"1","doc":{"a":` + strings.Repeat("[", 9_900) + strings.Repeat("]", 9_900) + "}}",
		"arrays that do not end":     many("["),
		"tens of thousands of keys":  "{" + keys.String() + `"k":1}`,
		"keys in a document":         `{"model":"orders","action":"create","key":"1","doc":{` + keys.String() + `"k":1}}`,
		"one key very often":         "{" + many(`"title":"x",`) + `"title":"x"}`,
		"a very long key":            `{"` + many("k") + `":1}`,
		"a very long number":         `{"alert_days":` + many("9") + "}",
		"a very large exponent":      `{"alert_days":1e999999999,"limit":-1E+999999999}`,
		"exponents in a document":    `{"model":"orders","action":"create","key":"1","doc":{"a":1e999999999,"b":-1e-999999999,"c":` + strings.Repeat("9", 100_000) + `}}`,
		"many recipients":            `{"recipients":[` + many(`{"address":1},`) + `{}]}`,
		"many IDs":                   `{"ids":[` + many(`"x",`) + `"x"]}`,
		"escapes":                    `{"title":"` + many(`\ud800`) + `"}`,
		"bytes that are no text":     `{"title":"` + many("\xff") + `"}`,
		"a byte order mark":          "\xef\xbb\xbf{}",
		"two objects":                "{}{}",
		"white space":                many(" "),
	}
}

// TestNoJSONIsTooMuch sends every bomb to every call that reads a body.
func TestNoJSONIsTooMuch(t *testing.T) {
	t.Parallel()
	e := besieged(t, Timeouts{})
	for _, route := range e.app.engine.Routes() {
		call := route.Method + " " + route.Path
		json := strings.Contains(route.Path, "/api/") || call == "POST /hooks/email/bounces"
		if !slices.Contains(changing, route.Method) || !json || slices.Contains(bodiless, call) {
			continue
		}
		for what, bomb := range bombs() {
			got := e.send(e.who(needs[call]), route.Method, somewhere(route.Path), bomb, "Content-Type: application/json")
			taken := got.status == http.StatusAccepted && call == "POST /api/v1/events" && strings.Contains(what, "document")
			if !taken && (got.status < 400 || got.status >= 500) {
				t.Errorf("%s, %s: %d %.300s", call, what, got.status, got.body)
			}
			if len(got.body) > 64<<10 {
				t.Errorf("%s, %s: an answer of %d bytes", call, what, len(got.body))
			}
		}
	}
	e.stillServes()
}

// TestNothingIsUnpacked: a body that is packed is read as it is, and is then none of what the route takes.
func TestNothingIsUnpacked(t *testing.T) {
	t.Parallel()
	e := besieged(t, Timeouts{})
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, _ = w.Write([]byte(`{"model":"orders","action":"create","key":"unpacked","doc":{"a":"` + strings.Repeat("x", 16<<20) + `"}}`))
	_ = w.Close()
	before := e.rows()
	for _, encoding := range []string{"gzip", "deflate", "br", "gzip, gzip", "x-gzip"} {
		for call, contentType := range map[string]string{
			"POST /api/v1/events": "application/json", "POST /api/v1/notifications": "application/json", "POST /hooks/email/bounces": "message/rfc822",
			"POST /notifications/new": "application/x-www-form-urlencoded",
		} {
			method, path, _ := strings.Cut(call, " ")
			got := e.send(e.who(needs[call]), method, path, packed.String(), "Content-Type: "+contentType, "Content-Encoding: "+encoding)
			if got.status < 400 || got.status >= 500 {
				t.Errorf("%s as %s: %d %.300s", call, encoding, got.status, got.body)
			}
		}
	}
	if after := e.rows(); after != before {
		t.Errorf("something was written:\n%s\nbefore:\n%s", after, before)
	}
}

// TestNoFormIsTooMuch sends forms and files that are small and made of very many parts.
func TestNoFormIsTooMuch(t *testing.T) {
	t.Parallel()
	e := besieged(t, Timeouts{})
	parts := func(n int, header textproto.MIMEHeader) string {
		var body bytes.Buffer
		w := multipart.NewWriter(&body)
		_ = w.SetBoundary("b")
		for i := range n {
			if header == nil {
				_ = w.WriteField(fmt.Sprintf("f%d", i), "x")
				continue
			}
			part, _ := w.CreatePart(header)
			_, _ = part.Write([]byte("x"))
		}
		_ = w.Close()
		return body.String()
	}
	headers := textproto.MIMEHeader{"Content-Disposition": {`form-data; name="file"; filename="x.json"`}}
	for i := range 20_000 {
		headers.Set(fmt.Sprintf("X-%d", i), "x")
	}
	file := textproto.MIMEHeader{"Content-Disposition": {`form-data; name="file"; filename="../../x.json"`}}
	const form, files = "application/x-www-form-urlencoded", "multipart/form-data; boundary=b"
	before := e.rows()
	for what, tc := range map[string]struct{ contentType, body string }{
		"thousands of fields":        {form, strings.Repeat("a=b&", 100_000)},
		"thousands of names":         {form, parts(0, nil) + strings.Join(names(100_000), "&")},
		"a field that is no field":   {form, "title=%zz"},
		"semicolons":                 {form, "title=x;message=y"},
		"thousands of parts":         {files, parts(5_000, nil)},
		"thousands of files":         {files, parts(5_000, file)},
		"thousands of headers":       {files, parts(1, headers)},
		"a header without end":       {files, "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"" + strings.Repeat("x", 1<<20) + "\"\r\n\r\nx\r\n--b--\r\n"},
		"a part without end":         {files, "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x\"\r\n\r\nx"},
		"a boundary without end":     {"multipart/form-data; boundary=" + strings.Repeat("b", 5_000), "--b\r\n\r\n"},
		"no boundary":                {"multipart/form-data", "--b\r\n\r\n"},
		"parts in parts":             {files, strings.Repeat("--b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n", 3_000)},
		"another multipart":          {"multipart/mixed; boundary=b", parts(2, nil)},
		"a file that is no file":     {files, parts(2, nil)},
		"a rule file of deep arrays": {files, "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x.json\"\r\n\r\n" + strings.Repeat("[", 1<<20) + "\r\n--b--\r\n"},
		"a rule file of deep objects": {files, "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x.json\"\r\n\r\n" +
			strings.Repeat(`{"notifications":`, 100_000) + "\r\n--b--\r\n"},
	} {
		for _, call := range []string{"POST /notifications/import", "POST /notifications/new", "POST /deliveries/retry", "POST /errors/resolve", "POST /lists/new"} {
			method, path, _ := strings.Cut(call, " ")
			got := e.send(e.who(admin), method, path, tc.body, "Content-Type: "+tc.contentType)
			if got.status < 400 || got.status >= 500 {
				t.Errorf("%s, %s: %d %.300s", call, what, got.status, got.body)
			}
		}
	}
	if after := e.rows(); after != before {
		t.Errorf("something was written:\n%s\nbefore:\n%s", after, before)
	}
	e.stillServes()
}

func names(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("f%d=x", i)
	}
	return all
}
