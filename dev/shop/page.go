package shop

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strconv"

	"github.com/gin-gonic/gin"
)

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed static/*
var staticFiles embed.FS

var templates = template.Must(template.ParseFS(templateFiles, "templates/*.html"))

const pagePolicy = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"

// guardPages refuses forms that another web site sends. Links from anywhere are welcome.
func (s *Shop) guardPages(c *gin.Context) {
	c.Header("X-Content-Type-Options", "nosniff")
	c.Header("Referrer-Policy", "same-origin")
	if crossOrigin.Check(c.Request) != nil {
		s.showFailure(c, errCrossSite())
		c.Abort()
	}
}

func (s *Shop) showStart(c *gin.Context) {
	v := startView{frame: frameFor("Demo shop", "")}
	for _, m := range models {
		n, err := s.count(c.Request.Context(), m)
		if err != nil {
			s.showFailure(c, err)
			return
		}
		v.Models = append(v.Models, counted{Name: m.name, Label: m.label, About: m.about, Count: n})
	}
	s.render(c, http.StatusOK, "start.html", v)
}

func (s *Shop) showList(c *gin.Context) {
	m, err := pathModel(c)
	if err != nil {
		s.showFailure(c, err)
		return
	}
	s.renderList(c, m, nil, nil)
}

func (s *Shop) postNew(c *gin.Context) {
	m, err := pathModel(c)
	if err != nil {
		s.showFailure(c, err)
		return
	}
	sent, err := readForm(c)
	if err != nil {
		s.showFailure(c, err)
		return
	}
	row, err := s.create(c.Request.Context(), m, func(row record) error { return setForm(row, sent) })
	switch {
	case fieldProblems(err) != nil:
		s.renderList(c, m, sent, fieldProblems(err))
	case err != nil:
		s.showFailure(c, err)
	default:
		redirect(c, m, "saved", row.key())
	}
}

func (s *Shop) showEdit(c *gin.Context) {
	m, id, err := pathRow(c)
	if err != nil {
		s.showFailure(c, err)
		return
	}
	s.renderEdit(c, m, id, nil, nil)
}

func (s *Shop) postEdit(c *gin.Context) {
	m, id, err := pathRow(c)
	if err != nil {
		s.showFailure(c, err)
		return
	}
	sent, err := readForm(c)
	if err != nil {
		s.showFailure(c, err)
		return
	}
	_, err = s.change(c.Request.Context(), m, id, func(row record) error { return setForm(row, sent) })
	switch {
	case fieldProblems(err) != nil:
		s.renderEdit(c, m, id, sent, fieldProblems(err))
	case err != nil:
		s.showFailure(c, err)
	default:
		redirect(c, m, "saved", id)
	}
}

func (s *Shop) showDelete(c *gin.Context) {
	m, id, err := pathRow(c)
	if err != nil {
		s.showFailure(c, err)
		return
	}
	v, err := s.deleteView(c.Request.Context(), m, id)
	if err != nil {
		s.showFailure(c, err)
		return
	}
	s.render(c, http.StatusOK, "delete.html", v)
}

func (s *Shop) postDelete(c *gin.Context) {
	m, id, err := pathRow(c)
	if err == nil {
		err = s.remove(c.Request.Context(), m, id)
	}
	if err != nil {
		s.showFailure(c, err)
		return
	}
	redirect(c, m, "deleted", id)
}

// redirect leads back to the list, which then says what was done.
func redirect(c *gin.Context, m *model, done string, id int64) {
	c.Redirect(http.StatusSeeOther, "/demo/"+m.name+"?"+done+"="+strconv.FormatInt(id, 10))
}

// renderList shows a list with its empty form, or with the form as it was sent and what is wrong with it.
func (s *Shop) renderList(c *gin.Context, m *model, sent url.Values, wrong map[string]string) {
	v, err := s.listView(c.Request.Context(), m, c.Request.URL.Query(), sent, wrong)
	if err != nil {
		s.showFailure(c, err)
		return
	}
	s.render(c, statusOf(wrong), "list.html", v)
}

func (s *Shop) renderEdit(c *gin.Context, m *model, id int64, sent url.Values, wrong map[string]string) {
	v, err := s.editView(c.Request.Context(), m, id, sent, wrong)
	if err != nil {
		s.showFailure(c, err)
		return
	}
	s.render(c, statusOf(wrong), "edit.html", v)
}

func statusOf(wrong map[string]string) int {
	if len(wrong) > 0 {
		return http.StatusUnprocessableEntity
	}
	return http.StatusOK
}

func (s *Shop) showFailure(c *gin.Context, err error) {
	f := s.seen(c, err)
	s.render(c, f.status, "failure.html", failureView{frame: frameFor("Not possible", ""), Message: f.message})
}

func (s *Shop) render(c *gin.Context, status int, name string, v any) {
	var page bytes.Buffer
	if err := templates.ExecuteTemplate(&page, name, v); err != nil {
		s.log.ErrorContext(c.Request.Context(), "shop: a page cannot be rendered",
			"error", fmt.Errorf("shop: template %s: %w", name, err))
		c.AbortWithStatus(http.StatusInternalServerError)
		return
	}
	c.Header("Content-Security-Policy", pagePolicy)
	c.Header("X-Frame-Options", "DENY")
	c.Header("Cache-Control", "no-store")
	c.Data(status, "text/html; charset=utf-8", page.Bytes())
}

func serveStatic(c *gin.Context) {
	c.Header("Cache-Control", "no-cache")
	c.FileFromFS("static/"+c.Param("file"), http.FS(staticFiles))
}
