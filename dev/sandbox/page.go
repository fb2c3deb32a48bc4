package sandbox

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
)

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed static/*
var staticFiles embed.FS

var pages = template.Must(template.New("").Funcs(template.FuncMap{
	"clock":   func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") },
	"day":     func(t time.Time) string { return t.UTC().Format("Monday, 2 January") },
	"minute":  func(t time.Time) string { return t.UTC().Format("15:04") },
	"bytes":   byteCount,
	"rfc3339": func(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) },
}).ParseFS(templateFiles, "templates/*.html"))

// What a browser may do with the page, and with the HTML of a mail: that one runs nothing, fetches nothing, and shows
// only inside the page.
const (
	pagePolicy = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
	mailPolicy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'; frame-ancestors 'self'; sandbox"
)

func (s *Sandbox) showInbox(c *gin.Context) { s.render(c, http.StatusOK, nil, "") }

func (s *Sandbox) showMessage(c *gin.Context) {
	m, err := s.inbox.get(c.Request.Context(), c.Param("id"))
	switch {
	case errors.Is(err, errNoMessage):
		s.render(c, http.StatusNotFound, nil, "That message is gone: the inbox was emptied.")
	case err != nil:
		s.refuseInternal(c, err)
	default:
		s.render(c, http.StatusOK, &m, "")
	}
}

func (s *Sandbox) showHTML(c *gin.Context) {
	m, err := s.inbox.get(c.Request.Context(), c.Param("id"))
	switch {
	case errors.Is(err, errNoMessage):
		refuse(c, errNotFound)
	case err != nil:
		s.refuseInternal(c, err)
	default:
		protect(c, mailPolicy)
		c.Header("X-Frame-Options", "SAMEORIGIN")
		c.Data(http.StatusOK, "text/html; charset=utf-8", []byte(m.HTML))
	}
}

func (s *Sandbox) postFault(c *gin.Context) {
	count, err := strconv.Atoi(strings.TrimSpace(c.DefaultPostForm("count", "0")))
	fault := Fault{Channel: Channel(c.PostForm("channel")), Mode: Mode(c.PostForm("mode")), Count: count}
	problems := fault.problems()
	if err != nil {
		problems["count"] = "must be a whole number"
	}
	if len(problems) > 0 {
		text := "The fault was not set:"
		for _, field := range slices.Sorted(maps.Keys(problems)) {
			text += fmt.Sprintf(" %s %s.", field, problems[field])
		}
		s.render(c, http.StatusUnprocessableEntity, nil, text)
		return
	}
	s.faults.put(fault)
	c.Redirect(http.StatusSeeOther, placeInInbox(c.PostForm("back")))
}

// placeInInbox gives the page of the inbox that a form was sent from, or its first one: never a page elsewhere.
func placeInInbox(path string) string {
	rest, ok := strings.CutPrefix(path, "/sandbox")
	if u, err := url.Parse(path); ok && err == nil && u.Host == "" && (rest == "" || rest[0] == '?' || strings.HasPrefix(rest, "/messages/")) {
		return path
	}
	return "/sandbox"
}

func (s *Sandbox) postEmpty(c *gin.Context) {
	if err := s.inbox.empty(c.Request.Context()); err != nil {
		s.refuseInternal(c, err)
		return
	}
	c.Redirect(http.StatusSeeOther, "/sandbox")
}

func (s *Sandbox) render(c *gin.Context, status int, opened *Message, problem string) {
	v, err := s.view(c, opened)
	if err != nil {
		s.refuseInternal(c, err)
		return
	}
	v.Problem = problem
	if c.Request.Method != http.MethodGet {
		v.Here = "/sandbox"
	}
	var page bytes.Buffer
	if err := pages.ExecuteTemplate(&page, "inbox.html", v); err != nil {
		s.refuseInternal(c, fmt.Errorf("sandbox: render the page: %w", err))
		return
	}
	protect(c, pagePolicy)
	c.Header("X-Frame-Options", "DENY")
	c.Data(status, "text/html; charset=utf-8", page.Bytes())
}

func serveStatic(c *gin.Context) {
	c.Header("X-Content-Type-Options", "nosniff")
	c.Header("Cache-Control", "no-cache")
	c.FileFromFS("static/"+c.Param("file"), http.FS(staticFiles))
}

// byteCount writes a size for people.
func byteCount(size int64) string {
	switch {
	case size == 1:
		return "1 byte"
	case size < 1<<10:
		return fmt.Sprintf("%d bytes", size)
	case size < 1<<20:
		return fmt.Sprintf("%.1f KiB", float64(size)/(1<<10))
	default:
		return fmt.Sprintf("%.1f MiB", float64(size)/(1<<20))
	}
}

func protect(c *gin.Context, policy string) {
	c.Header("Content-Security-Policy", policy)
	c.Header("X-Content-Type-Options", "nosniff")
	c.Header("Referrer-Policy", "same-origin")
	c.Header("Cache-Control", "no-store")
}
