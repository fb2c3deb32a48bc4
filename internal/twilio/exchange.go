package twilio

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

// maxAnswer bounds what is read of one answer, in bytes; a page of the message list stays well below it.
const maxAnswer = 4 << 20

// exchange carries the requests of one call and remembers what came back.
type exchange struct {
	ctx       context.Context
	base      *url.URL
	transport http.RoundTripper

	connected  atomic.Bool // from here on the server may have seen the request
	status     int         // of the last answer; 0: there was none
	retryAfter string
	date       string // of the last answer
}

// RoundTrip sends one request to the base address under the call's context and reads the answer to its end: twilio-go
// leaves the bodies of refusals unread and open, which would cost a connection each.
func (x *exchange) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx := httptrace.WithClientTrace(x.ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { x.connected.Store(true) },
	})
	req = req.Clone(ctx)
	if x.base != nil {
		req.URL.Scheme, req.URL.Host, req.Host = x.base.Scheme, x.base.Host, x.base.Host
		req.URL.Path = strings.TrimSuffix(x.base.Path, "/") + req.URL.Path
	}
	x.status, x.retryAfter, x.date = 0, "", ""
	resp, err := x.transport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	x.status, x.retryAfter = resp.StatusCode, resp.Header.Get("Retry-After")
	x.date = resp.Header.Get("Date")
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	_ = resp.Body.Close()
	if err != nil {
		return nil, fmt.Errorf("the answer broke off: %w", err)
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// clockNoise is how far a Date may be from our clock and count as the same: it tells whole seconds, and was on its way.
const clockNoise = 2 * time.Second

// ahead says by its Date how far the server's clock is ahead of ours; zero when they tell the same, or there is no Date.
func (x *exchange) ahead(now time.Time) time.Duration {
	at, err := http.ParseTime(x.date)
	if err != nil {
		return 0
	}
	if d := at.Sub(now); d.Abs() > clockNoise {
		return d
	}
	return 0
}
