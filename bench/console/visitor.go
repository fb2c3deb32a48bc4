package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"time"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/account"
	"github.com/silquetech/silque-notifications/internal/address"
	"github.com/silquetech/silque-notifications/internal/health"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/web/console"
	"github.com/silquetech/silque-notifications/web/ui"
)

var quiet = slog.New(slog.DiscardHandler)

// signedIn takes everybody for an admin: signing in is no part of what is measured.
type signedIn struct{}

// Guard lets everybody in.
func (signedIn) Guard() []gin.HandlerFunc { return nil }

// Person is an admin.
func (signedIn) Person(*gin.Context) *ui.Person {
	return &ui.Person{ID: "0190a000-0000-7000-8000-000000000001", Name: "Ann", Email: "ann@example.com", Role: account.Admin}
}

// Token is as long as a real one.
func (signedIn) Token(*gin.Context) string {
	return "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef01234567"
}

// PutFlash keeps nothing.
func (signedIn) PutFlash(*gin.Context, ui.Flash) {}

// PopFlash has nothing.
func (signedIn) PopFlash(*gin.Context) *ui.Flash { return nil }

// visitor is a browser without a cache, on a console of its own.
type visitor struct {
	base    string
	client  *http.Client
	server  *http.Server
	monitor *health.Monitor
	// weights are those of static files, by address.
	weights map[string]int
}

// open serves the console on loopback.
func open(db *gorm.DB) (*visitor, error) {
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	monitor := health.New(health.Database(db))
	pages := console.New(console.Config{
		DB: db, Access: signedIn{}, Addresses: address.Normalizer{DefaultRegion: "US"}, Rows: store.Rows{DB: db}, Health: monitor,
		WorkflowLink: func(id string) string {
			return "http://127.0.0.1:8233/namespaces/default/workflows/" + url.PathEscape(id)
		},
		TemporalUI: "http://127.0.0.1:8233", Log: quiet,
	})
	pages.Register(engine)
	engine.NoRoute(pages.NoRoute()...)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	v := &visitor{
		base: "http://" + listener.Addr().String(), server: &http.Server{Handler: engine, ReadHeaderTimeout: time.Minute},
		client:  &http.Client{Transport: &http.Transport{}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		monitor: monitor, weights: map[string]int{},
	}
	go func() { _ = v.server.Serve(listener) }()
	return v, nil
}

func (v *visitor) close() {
	v.client.CloseIdleConnections()
	_ = v.server.Close()
	v.monitor.Stop()
}

// get reads an answer to its end.
func (v *visitor) get(ctx context.Context, address string) (status int, body []byte, took time.Duration, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, v.base+address, http.NoBody)
	if err != nil {
		return 0, nil, 0, err
	}
	request.Header.Set("Accept", "text/html")
	began := time.Now()
	response, err := v.client.Do(request)
	if err != nil {
		return 0, nil, 0, err
	}
	defer func() { _ = response.Body.Close() }()
	body, err = io.ReadAll(response.Body)
	return response.StatusCode, body, time.Since(began), err
}

// loaded finds what a browser loads for a page besides its HTML: all of it is our own.
var loaded = regexp.MustCompile(`<(?:link|script|img|iframe)\b[^>]*?\b(?:href|src)="(/[^"]*)"`)

// weight adds up the page and everything that it loads, in bytes.
func (v *visitor) weight(ctx context.Context, page []byte) (int, error) {
	total := len(page)
	for _, found := range loaded.FindAllSubmatch(page, -1) {
		address := string(found[1])
		weight, known := v.weights[address]
		if !known {
			status, body, _, err := v.get(ctx, address)
			if err != nil {
				return 0, err
			}
			if status != http.StatusOK {
				return 0, fmt.Errorf("a page loads %s, which answers %d", address, status)
			}
			weight = len(body)
			if path.Ext(address) != "" { // a static file, which no page changes
				v.weights[address] = weight
			}
		}
		total += weight
	}
	return total, nil
}

var nextLink = regexp.MustCompile(`<a[^>]*\brel="next"[^>]*>`)
var hrefOf = regexp.MustCompile(`\bhref="([^"]*)"`)

var errNoNext = errors.New("the list has no further page")

// deep follows a list's links to its next page so many times.
func (v *visitor) deep(ctx context.Context, address string, pages int) (string, error) {
	for range pages {
		status, body, _, err := v.get(ctx, address)
		if err != nil || status != http.StatusOK {
			return address, err
		}
		link := hrefOf.FindSubmatch(nextLink.Find(body))
		if link == nil {
			return address, errNoNext
		}
		from, err := url.Parse(address)
		if err != nil {
			return address, err
		}
		to, err := from.Parse(unescape(string(link[1])))
		if err != nil {
			return address, err
		}
		address = to.RequestURI()
	}
	return address, nil
}
