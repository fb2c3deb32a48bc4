package health

import (
	"context"
	"fmt"
	"strings"
	"time"

	"go.temporal.io/sdk/client"
	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/workflows"
)

// listed is how many schedules are looked through for the next that fires: Temporal gives them in no order.
const listed = 100

// DateAlerts asks whether each notification with a date has its schedule in Temporal, and when the next one fires.
func DateAlerts(db *gorm.DB, schedules client.ScheduleClient, interval time.Duration) Probe {
	return Probe{Name: "alerts", Title: "Date alerts", Settings: []string{"NOTIFY_ALERT_INTERVAL"}, Ask: func(ctx context.Context) Answer {
		wanted, made, err := store.AlertSchedules{DB: db}.Count(ctx)
		if err != nil {
			return Answer{State: Down, Text: "The database cannot be asked.", Advice: "Look at the database first."}
		}
		a := Answer{State: OK, Text: "Every date alert has its schedule.", Facts: []Fact{
			{Name: "Notifications with a date", Value: fmt.Sprint(wanted)}, {Name: "Their schedules", Value: fmt.Sprint(made)},
			{Name: "Looked at every", Value: strings.Replace(interval.String(), "m0s", "m", 1)},
		}}
		if wanted == 0 {
			a.Text = "No notification waits for a date."
			return a
		}
		if made < wanted {
			a.State, a.Text = Warning, fmt.Sprintf("%d of %d date alerts have no schedule in step yet.", wanted-made, wanted)
			a.Advice = "They are made in the background within a minute while Temporal answers."
		}
		if at, ok := next(ctx, schedules, wanted); ok {
			a.Facts = append(a.Facts, Fact{Name: "The next look", At: at})
		}
		return a
	}}
}

// next finds when the next schedule fires, where there are few enough to look through.
func next(ctx context.Context, schedules client.ScheduleClient, wanted int64) (at time.Time, ok bool) {
	if wanted > listed || schedules == nil {
		return at, false
	}
	list, err := schedules.List(ctx, client.ScheduleListOptions{PageSize: listed})
	if err != nil {
		return at, false
	}
	for list.HasNext() {
		entry, err := list.Next()
		if err != nil {
			return at, false
		}
		if entry.Paused || !strings.HasPrefix(entry.ID, workflows.AlertScheduleID("")) || len(entry.NextActionTimes) == 0 {
			continue
		}
		if first := entry.NextActionTimes[0]; !ok || first.Before(at) {
			at, ok = first, true
		}
	}
	return at, ok
}
