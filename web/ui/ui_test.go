package ui_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/silquetech/silque-notifications/internal/account"
	"github.com/silquetech/silque-notifications/web/ui"
)

func TestMain(m *testing.M) {
	gin.SetMode(gin.ReleaseMode)
	m.Run()
}

// render answers with the page of a failure, which every frame surrounds.
func render(t *testing.T, p *ui.Page) *httptest.ResponseRecorder {
	t.Helper()
	r, recorder := ui.New(), httptest.NewRecorder()
	c, _ := gin.CreateTestContext(recorder)
	p.Data = map[string]string{"Message": "m", "Code": "c"}
	if err := r.Render(c, http.StatusOK, "failure", p); err != nil {
		t.Fatal(err)
	}
	return recorder
}

func TestAPageRunsNothingInlineAndLoadsNothingFromElsewhere(t *testing.T) {
	t.Parallel()
	answer := render(t, &ui.Page{Title: "T", Person: &ui.Person{Name: "Ann", Role: account.Admin}, TemporalUI: "http://ui"})
	body := answer.Body.String()
	for _, forbidden := range []string{"<style", " style=", " onclick=", " hx-on", "javascript:"} {
		if strings.Contains(body, forbidden) {
			t.Errorf("the page has %s", forbidden)
		}
	}
	for _, script := range regexp.MustCompile(`<(?:script|link)[^>]*(?:src|href)="([^"]*)"`).FindAllStringSubmatch(body, -1) {
		if !strings.HasPrefix(script[1], ui.StaticPath) {
			t.Errorf("the page loads %s", script[1])
		}
	}
	policy := answer.Header().Get("Content-Security-Policy")
	if policy != ui.Policy || strings.Contains(policy, "unsafe") {
		t.Errorf("the policy is %q", policy)
	}
}

func TestWhatIsShownIsEscaped(t *testing.T) {
	t.Parallel()
	const hostile = `<script>alert(1)</script>"'><img src=x onerror=alert(1)>`
	body := render(t, &ui.Page{
		Title: hostile, Person: &ui.Person{Name: hostile, Role: account.Viewer}, Development: hostile,
		Flash: &ui.Flash{Text: hostile, Undo: "/x", UndoFields: map[string][]string{hostile: {hostile}}, Path: hostile, Label: hostile},
		Links: []ui.Group{{Name: hostile, Links: []ui.Link{{Path: "javascript:alert(1)", Name: hostile}}}},
	}).Body.String()
	for _, raw := range []string{"<script>alert", "<img src=x", `href="javascript:`} {
		if strings.Contains(body, raw) {
			t.Errorf("the page holds %s", raw)
		}
	}
}

func TestTheLinksIntoTemporalAreGreyedWhileItIsDown(t *testing.T) {
	t.Parallel()
	page := func(up bool) string {
		return render(t, &ui.Page{Title: "T", TemporalUI: "http://ui", TemporalUp: up, Links: []ui.Group{{Name: "Watch"}}}).Body.String()
	}
	if up := page(true); !strings.Contains(up, `href="http://ui"`) {
		t.Error("no link while Temporal answers")
	}
	if down := page(false); strings.Contains(down, `href="http://ui"`) || !strings.Contains(down, "greyed") {
		t.Error("a link while Temporal does not answer")
	}
}

func TestTimesStandInTheReadersZone(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 7, 1, 23, 30, 0, 0, time.UTC)
	p := &ui.Page{Zone: berlin, Now: at.Add(90 * time.Second)}
	if got := string(p.When(at)); !strings.Contains(got, "2 Jul, 01:30:00") || !strings.Contains(got, `datetime="2026-07-01T23:30:00Z"`) {
		t.Errorf("When gives %s", got)
	}
	if got := string(p.Ago(&at)); !strings.Contains(got, ">1 minute ago<") || !strings.Contains(got, "CEST") {
		t.Errorf("Ago gives %s", got)
	}
	var never *time.Time
	if got := p.When(never) + p.Ago(time.Time{}); got != "" {
		t.Errorf("no moment gives %s", got)
	}
}

func TestAStaticFileIsKeptOnlyUnderItsVersion(t *testing.T) {
	t.Parallel()
	engine, r := gin.New(), ui.New()
	engine.GET("/static/*file", r.Static)
	get := func(path string, headers ...string) *httptest.ResponseRecorder {
		recorder, request := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, path, http.NoBody)
		for i := 0; i < len(headers); i += 2 {
			request.Header.Set(headers[i], headers[i+1])
		}
		engine.ServeHTTP(recorder, request)
		return recorder
	}
	body := render(t, &ui.Page{Title: "T"}).Body.String()
	versioned := regexp.MustCompile(`/static/console\.css\?v=\w+`).FindString(body)
	if answer := get(versioned); answer.Code != http.StatusOK || !strings.Contains(answer.Header().Get("Cache-Control"), "immutable") {
		t.Errorf("%s: %d, %v", versioned, answer.Code, answer.Header())
	}
	plain := get("/static/console.css?v=old")
	if plain.Header().Get("Cache-Control") != "no-cache" || plain.Header().Get("Content-Type") != "text/css; charset=utf-8" {
		t.Errorf("another version: %v", plain.Header())
	}
	if again := get("/static/console.css", "If-None-Match", plain.Header().Get("ETag")); again.Code != http.StatusNotModified {
		t.Errorf("unchanged: %d", again.Code)
	}
	small := get(versioned, "Accept-Encoding", "br, gzip")
	unpacked, err := gzip.NewReader(small.Body)
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(unpacked)
	if err != nil || string(content) != get(versioned).Body.String() || small.Header().Get("Content-Encoding") != "gzip" {
		t.Errorf("under gzip it is another file: %v, %v", err, small.Header())
	}
	for _, path := range []string{"/static/nothing.css", "/static/../ui.go", "/static/", "/static/%2e%2e/ui.go"} {
		if answer := get(path); answer.Code == http.StatusOK {
			t.Errorf("%s: %d", path, answer.Code)
		}
	}
}

func TestEveryPageCanBeParsed(t *testing.T) {
	t.Parallel()
	if pages := ui.New().Pages(); !slices.Contains(pages, "failure") || slices.Contains(pages, "frame") {
		t.Errorf("the pages are %v", pages)
	}
}
