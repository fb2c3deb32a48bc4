package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"path"
	"regexp"
	"time"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/address"
	"github.com/silquetech/silque-notifications/internal/health"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/web/access"
	"github.com/silquetech/silque-notifications/web/console"
)

var quiet = slog.New(slog.DiscardHandler)

// visitor is a browser without a cache, on a console of its own. It is signed in as development signs in, by a session.
type visitor struct {
	base    string
	client  *http.Client
	server  *http.Server
	monitor *health.Monitor
	access  *access.Access
	// weights are those of static files, by address.
	weights map[string]int
}

// open serves the console on loopback.
func open(db *gorm.DB) (*visitor, error) {
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	signIn, err := access.New(access.Options{DB: db, Development: true, Log: quiet})
	if err != nil {
		return nil, err
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	monitor := health.New(health.Database(db))
	pages := console.New(console.Config{
		DB: db, Access: signIn, Addresses: address.Normalizer{DefaultRegion: "US"}, Rows: store.Rows{DB: db}, Health: monitor,
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
		client:  &http.Client{Transport: &http.Transport{}, Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		monitor: monitor, access: signIn, weights: map[string]int{},
	}
	go func() { _ = v.server.Serve(listener) }()
	return v, nil
}

func (v *visitor) close() {
	v.client.CloseIdleConnections()
	_ = v.server.Close()
	v.monitor.Stop()
	_ = v.access.Close(context.Background())
}

// answer is what came for one request.
type answer struct {
	status int
	body   []byte
	// weight is what crossed the wire: a file may come compressed.
	weight int
	took   time.Duration
}

// get reads an answer to its end.
func (v *visitor) get(ctx context.Context, address string) (a answer, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, v.base+address, http.NoBody)
	if err != nil {
		return a, err
	}
	request.Header.Set("Accept", "text/html")
	request.Header.Set("Accept-Encoding", "gzip") // set by hand: the client leaves what came as it came
	began := time.Now()
	response, err := v.client.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	a = answer{status: response.StatusCode, body: body, weight: len(body), took: time.Since(began)}
	if err == nil && response.Header.Get("Content-Encoding") == "gzip" {
		a.body, err = unzip(body)
	}
	return a, err
}

func unzip(body []byte) ([]byte, error) {
	reader, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(reader)
}

// loaded finds what a browser loads for a page besides its HTML: all of it is our own.
var loaded = regexp.MustCompile(`<(?:link|script|img|iframe)\b[^>]*?\b(?:href|src)="(/[^"]*)"`)

// weight adds up the page and everything that it loads, in bytes.
func (v *visitor) weight(ctx context.Context, page answer) (int, error) {
	total := page.weight
	for _, found := range loaded.FindAllSubmatch(page.body, -1) {
		address := string(found[1])
		weight, known := v.weights[address]
		if !known {
			file, err := v.get(ctx, address)
			if err != nil {
				return 0, err
			}
			if file.status != http.StatusOK {
				return 0, fmt.Errorf("a page loads %s, which answers %d", address, file.status)
			}
			weight = file.weight
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
		page, err := v.get(ctx, address)
		if err != nil || page.status != http.StatusOK {
			return address, err
		}
		link := hrefOf.FindSubmatch(nextLink.Find(page.body))
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
