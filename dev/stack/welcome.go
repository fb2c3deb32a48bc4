package stack

import (
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"
)

// Welcome is the block that the terminal shows when all is up.
func (s *Stack) Welcome() string {
	var b strings.Builder
	fmt.Fprintf(&b, `
  Silque Notifications is up.

    Start page       %[1]s/
    Demo shop        %[1]s/demo
    Sandbox inbox    %[1]s/sandbox
    Temporal Web UI  %[2]s
    REST API         %[1]s/api/v1   (openapi.json describes it)

  Sign in to the API with the header
    Authorization: Bearer %[3]s

  Three things to try:
    1. Add a customer at %[1]s/demo/customers
       and read the welcome email in the inbox.
    2. Break email in the inbox's fault switches ("temporary", 2 times), add another customer, and watch
       the attempts in Temporal Web UI: it arrives at the third.
    3. Send a test message from a second terminal:
         %[4]sgo run ./starter --email --to you@example.com

  Ctrl-C stops everything. Data: %[5]s

`, s.URL(), s.UIURL(), s.Token(), s.starterSettings(), s.options.Data)
	return b.String()
}

// starterSettings are the settings that a second terminal needs, where they differ from the defaults.
func (s *Stack) starterSettings() string {
	var settings []string
	if s.settings.DatabaseURL != "sqlite://.data/notifications.db" {
		url := s.settings.DatabaseURL
		if strings.HasPrefix(url, "postgres") {
			url = "postgres://…" // it may hold a password
		}
		settings = append(settings, "DATABASE_URL="+url)
	}
	if s.TemporalAddr() != "127.0.0.1:7233" {
		settings = append(settings, "TEMPORAL_ADDRESS="+s.TemporalAddr())
	}
	if s.UIURL() != "http://127.0.0.1:8233" {
		settings = append(settings, "NOTIFY_TEMPORAL_UI_URL="+s.UIURL())
	}
	if len(settings) == 0 {
		return ""
	}
	return strings.Join(settings, " ") + " "
}

//go:embed page
var page embed.FS

var startTemplate = template.Must(template.ParseFS(page, "page/start.html"))

// startPage mounts the first page that a newcomer sees.
func (s *Stack) startPage(r *gin.Engine) {
	r.GET("/", func(c *gin.Context) {
		c.Header("Content-Security-Policy", "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		c.Header("Content-Type", "text/html; charset=utf-8")
		data := map[string]string{"TemporalUI": s.UIURL(), "Starter": s.starterSettings() + "go run ./starter --email --to you@example.com"}
		if err := startTemplate.Execute(c.Writer, data); err != nil {
			s.log.Error("The start page cannot be rendered", "error", err)
		}
	})
	r.GET("/start.css", func(c *gin.Context) {
		content, _ := page.ReadFile("page/start.css") // it is embedded
		c.Data(http.StatusOK, "text/css; charset=utf-8", content)
	})
}
