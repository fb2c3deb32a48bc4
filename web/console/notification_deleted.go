package console

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/web/ui"
)

// deletedState asks, as the filter State, for what was deleted. It is no store.NotificationFilter: nothing that acts on all
// that match ever means these.
const deletedState = "deleted"

// deletedShown is how many of those that were deleted last are looked at.
const deletedShown = 200

// deletedRules are notifications that were deleted and have not come back.
type deletedRules struct {
	Rows []deletedRule
	// More: there are older ones, which the filters have not looked at.
	More bool
}

// deletedRule is the last state of one of them.
type deletedRule struct{ store.Version }

// Called is the title, or what stands for it.
func (r deletedRule) Called() string { return called(r.Notification) }

func (s *Console) showDeleted(c *gin.Context, q rulesQuery) error {
	ctx := c.Request.Context()
	versions, err := s.notifications.Deleted(ctx, deletedShown+1)
	if err != nil {
		return err
	}
	gone := &deletedRules{More: len(versions) > deletedShown}
	for _, v := range versions[:min(len(versions), deletedShown)] {
		if fits(q.Filter, v) {
			gone.Rows = append(gone.Rows, deletedRule{v})
		}
	}
	q.Values.Del("sort")
	q.Values.Set("active", deletedState)
	p := rulesPage{rulesQuery: q, Gone: gone, Count: int64(len(gone.Rows)), Shown: q.Values, Triggers: rule.Triggers, Channels: rule.Channels}
	if err := s.fillRows(ctx, &p, nil); err != nil {
		return err
	}
	if c.GetHeader("HX-Request") != "" {
		c.Header("HX-Push-Url", q.Link())
	}
	return s.show(c, http.StatusOK, "notifications_list", &ui.Page{
		Title: "Notifications", Area: "/notifications", Wide: true, Data: p,
		Styles: []string{"notifications.css"}, Scripts: []string{"notifications.js"},
	})
}

// fits applies the list's filters to a deleted notification; its last change is its end.
func fits(f store.NotificationFilter, v store.Version) bool {
	n := v.Notification
	same := func(asked, is string) bool { return asked == "" || asked == is }
	within := func(at, from, until time.Time) bool {
		return (from.IsZero() || !at.Before(from)) && (until.IsZero() || at.Before(until))
	}
	names := func(r rule.Recipient) bool { return r.ListID == f.ListID }
	return same(f.Channel, string(n.Channel)) && same(f.Trigger, string(n.Trigger)) && same(f.Model, n.Model) &&
		(f.ListID == "" || slices.ContainsFunc(n.Recipients, names)) &&
		strings.Contains(strings.ToLower(n.Title+"\n"+n.Message), strings.ToLower(f.Search)) &&
		within(n.CreatedAt, f.CreatedFrom, f.CreatedUntil) && within(v.ChangedAt, f.UpdatedFrom, f.UpdatedUntil)
}
