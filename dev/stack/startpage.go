package stack

import (
	"bytes"
	"context"
	"embed"
	"html/template"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
)

//go:embed page
var page embed.FS

var startTemplate = template.Must(template.ParseFS(page, "page/start.html"))

// startPolicy lets the first page load its style sheet and its icon, and nothing else.
const startPolicy = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// startView is what the first page shows.
type startView struct {
	TemporalUI, Starter string
	Trial               trial
	Watching            []watching
	// More says that there are further notifications, Unread that none can be read.
	More, Unread bool
}

// watching is a notification in one line.
type watching struct{ When, Channel, What string }

// startPage mounts the first page that a newcomer sees.
func (s *Stack) startPage(r *gin.Engine) {
	r.GET("/start", s.showStart)
	for path, contentType := range map[string]string{"start.css": "text/css; charset=utf-8", "icon.svg": "image/svg+xml"} {
		r.GET("/"+path, func(c *gin.Context) {
			content, _ := page.ReadFile("page/" + path) // it is embedded
			c.Data(http.StatusOK, contentType, content)
		})
	}
}

func (s *Stack) showStart(c *gin.Context) {
	v := startView{TemporalUI: s.UIURL(), Starter: s.starterCommand() + " --email --to you@example.com", Trial: s.trial()}
	var err error
	if v.Watching, v.More, err = s.watchings(c.Request.Context()); err != nil {
		s.log.Error("The start page cannot list the notifications", "error", err)
		v.Unread = true
	}
	var content bytes.Buffer
	if err := startTemplate.Execute(&content, v); err != nil {
		s.log.Error("The start page cannot be rendered", "error", err)
		c.AbortWithStatus(http.StatusInternalServerError)
		return
	}
	c.Header("Content-Security-Policy", startPolicy)
	c.Header("Cache-Control", "no-store")
	c.Data(http.StatusOK, "text/html; charset=utf-8", content.Bytes())
}

// watchings reads the active notifications, the newest first, and says whether there are more than a page of them.
func (s *Stack) watchings(ctx context.Context) (list []watching, more bool, err error) {
	found, err := store.Notifications{DB: s.db}.List(ctx, store.NotificationFilter{Active: new(true)}, store.Paging{})
	if err != nil {
		return nil, false, err
	}
	for _, n := range found.Items {
		list = append(list, inOneLine(n))
	}
	return list, found.Next != "", nil
}

func inOneLine(n *rule.Notification) watching {
	w := watching{When: n.Model + " · " + string(n.Trigger), Channel: string(n.Channel), What: n.Title}
	if n.ValueChangeField != "" {
		w.When += " of " + n.ValueChangeField
	}
	if w.What == "" { // as an SMS may be
		w.What, _, _ = strings.Cut(strings.TrimSpace(n.Message), "\n")
	}
	return w
}
