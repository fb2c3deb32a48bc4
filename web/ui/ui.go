// Package ui is what the console looks like: templates and static files, embedded, and what every page has in common.
// It asks no other host for anything.
package ui

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"maps"
	"path"
	"strings"

	"github.com/gin-gonic/gin"
)

//go:embed all:templates static
var files embed.FS

// Policy is the Content-Security-Policy of every page: nothing from another host, no inline script or style.
const Policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'self'; frame-src 'self'; base-uri 'none'; frame-ancestors 'none'"

// PlainPolicy is the Content-Security-Policy of pages that run nothing.
const PlainPolicy = "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// Renderer turns templates into pages. Make one with New; it is safe for concurrent use.
type Renderer struct {
	pages  map[string]*template.Template
	static static
}

// partial is how a file is called that other templates use parts of: _filters.html.
const partial = "_"

// New reads every template. A file whose name begins with "_" holds parts for all; any other is a page, which defines
// "content". A template that cannot be parsed is a mistake of the program, found by any test: it panics.
func New() *Renderer {
	r := &Renderer{pages: make(map[string]*template.Template), static: readStatic()}
	names, err := fs.Glob(files, "templates/*.html")
	if err != nil {
		panic(err)
	}
	frame := template.New("frame.html").Funcs(functions).Funcs(template.FuncMap{"asset": r.static.url})
	for _, name := range names {
		if base := path.Base(name); base == "frame.html" || strings.HasPrefix(base, partial) {
			template.Must(frame.ParseFS(files, name))
		}
	}
	for _, name := range names {
		base := path.Base(name)
		if base == "frame.html" || strings.HasPrefix(base, partial) {
			continue
		}
		page := template.Must(frame.Clone())
		r.pages[strings.TrimSuffix(base, ".html")] = template.Must(page.ParseFS(files, name))
	}
	return r
}

// Pages lists the names of all pages.
func (r *Renderer) Pages() []string {
	names := make([]string, 0, len(r.pages))
	for name := range maps.Keys(r.pages) {
		names = append(names, name)
	}
	return names
}

// Render answers with a page, whole or not at all.
func (r *Renderer) Render(c *gin.Context, status int, name string, p *Page) error {
	page, ok := r.pages[name]
	if !ok {
		return fmt.Errorf("ui: there is no page %s", name)
	}
	var content bytes.Buffer
	if err := page.ExecuteTemplate(&content, "frame.html", p); err != nil {
		return fmt.Errorf("ui: render %s: %w", name, err)
	}
	policy := Policy
	if p.Plain {
		policy = PlainPolicy
	}
	Protect(c, policy)
	c.Data(status, "text/html; charset=utf-8", content.Bytes())
	return nil
}

// Part answers with one template of a page alone, for a script that puts it in its place.
func (r *Renderer) Part(c *gin.Context, status int, name, part string, p *Page) error {
	page, ok := r.pages[name]
	if !ok {
		return fmt.Errorf("ui: there is no page %s", name)
	}
	var content bytes.Buffer
	if err := page.ExecuteTemplate(&content, part, p); err != nil {
		return fmt.Errorf("ui: render %s of %s: %w", part, name, err)
	}
	Protect(c, Policy)
	c.Data(status, "text/html; charset=utf-8", content.Bytes())
	return nil
}

// Protect sets the headers of a page: what a browser may do with it, and that nobody keeps a copy.
func Protect(c *gin.Context, policy string) {
	c.Header("Content-Security-Policy", policy)
	c.Header("X-Content-Type-Options", "nosniff")
	c.Header("Referrer-Policy", "same-origin")
	c.Header("Cross-Origin-Opener-Policy", "same-origin")
	c.Header("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
	c.Header("Cache-Control", "no-store")
}

// MessagePolicy is the Content-Security-Policy under which the HTML of a message is shown in a frame: it runs nothing,
// fetches nothing and sends nothing.
const MessagePolicy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'; base-uri 'none'; frame-ancestors 'self'; sandbox"

// Message answers with the HTML of a message, for a frame of the console.
func Message(c *gin.Context, html string) {
	Protect(c, MessagePolicy)
	c.Header("X-Frame-Options", "SAMEORIGIN")
	c.Data(200, "text/html; charset=utf-8", []byte(html))
}
