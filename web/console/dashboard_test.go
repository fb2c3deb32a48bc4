package console

import (
	"fmt"
	"html"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/account"
	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/testdb"
	"github.com/silquetech/silque-notifications/web/ui"
)

func TestTheDashboardBeginsWithWhatToDo(t *testing.T) {
	t.Parallel()
	v := visit(t, testdb.SQLite(t), account.Viewer)
	v.holds(v.page("/"), "Nothing has been told yet", "write the first one", "registered")
	if strings.Contains(v.page("/"), "/demo") {
		t.Error("production speaks of the demo shop")
	}
	dev := visit(t, testdb.SQLite(t), account.Admin, func(c *Config) { c.Elsewhere = []ui.Link{{Path: "/demo", Name: "Demo shop"}} })
	dev.holds(dev.page("/"), `href="/demo"`, `href="/sandbox"`)
}

func TestTheDashboardShowsWhatWasToldAndWhatFails(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		const hostile = `<script>alert(1)</script>`
		n := &rule.Notification{Title: hostile, Message: "m", Channel: rule.Email, Model: "orders", Trigger: rule.OnNew}
		if err := (store.Notifications{DB: db}).Create(t.Context(), n, "ann"); err != nil {
			t.Fatal(err)
		}
		var rows []*store.Delivery
		for i, status := range []store.DeliveryStatus{"sent", "delivered", "failed", "failed", "unknown", "suppressed", "pending"} {
			id := outbox.NewID()
			rows = append(rows, &store.Delivery{ID: id, EventID: id, NotificationID: n.ID, Channel: rule.Channels[i%3], Status: status,
				Address: hostile, ErrorCode: "smtp_550" + hostile, CreatedAt: time.Now().UTC(), UpdatedAt: time.Now().UTC()})
		}
		if _, err := (store.Deliveries{}).InsertTx(db, rows); err != nil {
			t.Fatal(err)
		}
		other := &store.Delivery{ID: outbox.NewID(), EventID: outbox.NewID(), NotificationID: outbox.NewID(), Channel: rule.Email, Address: "other@example.com",
			Status: store.DeliveryFailed, CreatedAt: time.Now().UTC().Add(-48 * time.Hour), UpdatedAt: time.Now().UTC()}
		other.ID = outbox.FirstID(other.CreatedAt) + other.ID[13:]
		v := visit(t, db, account.Viewer)
		page := v.page("/?span=week")
		if _, err := (store.Deliveries{}).InsertTx(db, []*store.Delivery{other}); err != nil {
			t.Fatal(err)
		}
		links := regexp.MustCompile(`href="(/deliveries\?[^"]+)"`)
		for _, from := range []string{page, v.page("/notifications/" + n.ID)} {
			followed := 0
			for _, link := range links.FindAllStringSubmatch(from, -1) {
				if path := html.UnescapeString(link[1]); strings.Contains(path, n.ID) || strings.Contains(path, "address=") {
					if followed++; strings.Contains(v.page(path), "other@example.com") {
						t.Errorf("%s leads to what is not about it", path)
					}
				}
			}
			if followed == 0 {
				t.Error("there is no link to follow")
			}
		}
		v.holds(page, "<b>2</b>", "<b>1</b>", "6 deliveries that ended: 2 sent, 2 failed, 1 unknown, 1 suppressed",
			"2 failed", "/deliveries?notification="+n.ID+"&amp;status=failed", "&lt;script&gt;")
		if strings.Contains(page, hostile) || strings.Contains(page, "Nothing has been told yet") {
			t.Errorf("the page is\n%s", page)
		}
		if got := strings.Count(page, `<th scope="row">`); got != 7 {
			t.Errorf("%d days", got)
		}
		few := visit(t, db, account.Viewer, func(c *Config) { c.Elsewhere = []ui.Link{{Path: "/demo", Name: "Demo shop"}} })
		if err := db.Exec("UPDATE notify_deliveries SET status = 'sent' WHERE status = 'pending'").Error; err != nil {
			t.Fatal(err)
		}
		few.holds(few.page("/"), "Three steps to begin with", `href="/demo"`)
		down := visit(t, db, account.Viewer, func(c *Config) { c.TemporalUp = func() bool { return false } })
		down.holds(down.page("/"), "Temporal does not answer", "greyed")

		answer := v.get("/dashboard.csv?span=day")
		lines := strings.Split(strings.TrimSpace(answer.Body.String()), "\n")
		if answer.Code != http.StatusOK || len(lines) != 25 || !strings.HasSuffix(lines[24], ",3,2,1,1,3,2,2,7") {
			t.Errorf("%d %s", answer.Code, answer.Body)
		}
	})
}

func TestASeriesFollowsTheReadersDays(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 10, 26, 9, 30, 0, 0, time.UTC) // the day before has 25 hours in Berlin
	hour := func(at string, n int64) store.HourCount {
		begin, err := time.Parse("2006-01-02T15", at)
		if err != nil {
			t.Fatal(err)
		}
		return store.HourCount{Hour: begin, Channel: rule.SMS, Status: store.DeliverySent, Count: n}
	}
	counts := []store.HourCount{hour("2026-10-19T21", 100), hour("2026-10-24T21", 1), hour("2026-10-24T22", 2), hour("2026-10-25T22", 4), hour("2026-10-25T23", 8), hour("2026-10-26T09", 16)}
	s := seriesOf(spanOf("week"), counts, now, berlin)
	var got []string
	for _, b := range s.Buckets {
		got = append(got, fmt.Sprint(b.Label, ":", b.SMS))
	}
	if want := "20 Oct:0 21 Oct:0 22 Oct:0 23 Oct:0 24 Oct:1 25 Oct:6 26 Oct:24"; strings.Join(got, " ") != want {
		t.Errorf("the days are %v, want %s", got, want)
	}
	if s.Total != 31 || s.Sent != 31 {
		t.Errorf("in all %+v", s)
	}
	day := seriesOf(spanOf("nonsense"), counts, now, berlin)
	if len(day.Buckets) != 24 || day.Buckets[23].Label != "10:00" || day.Buckets[23].SMS != 16 || day.Total != 28 {
		t.Errorf("the last hours are %+v", day)
	}
}
