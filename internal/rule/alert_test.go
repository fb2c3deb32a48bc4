package rule

import (
	"strings"
	"testing"
	"time"
)

// alerting gives the alert of a notification about a date field of orders.
func alerting(t *testing.T, change func(n *Notification)) DateAlert {
	t.Helper()
	n := notification()
	n.Trigger, n.DateField, n.AlertDays = DaysBefore, "due", new(int)
	change(n)
	if errs := reader().Validate(n); len(errs) > 0 {
		t.Fatal(errs)
	}
	a, ok := reader().Alert(n)
	if !ok {
		t.Fatal("it is no alert")
	}
	return a
}

func TestAnAlertsMomentIsRightAcrossDaylightSaving(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		trigger Trigger
		count   int
		unit    AlertUnit
		at      string
		zone    string
		field   string
		value   string
		want    string
	}{
		{"midnight in UTC", DaysBefore, 3, "", "", "", "due", "2026-03-31", "2026-03-28T00:00:00Z"},
		{"a time of day", DaysBefore, 3, Days, "09:00", "UTC", "due", "2026-03-31", "2026-03-28T09:00:00Z"},
		{"Berlin in winter", DaysBefore, 3, Days, "09:00", "Europe/Berlin", "due", "2026-03-31", "2026-03-28T08:00:00Z"},
		{"Berlin in summer", DaysBefore, 1, Days, "09:00", "Europe/Berlin", "due", "2026-03-31", "2026-03-30T07:00:00Z"},
		{"Berlin, in the gap", DaysBefore, 2, Days, "02:30", "Europe/Berlin", "due", "2026-03-31", "2026-03-29T01:00:00Z"},
		{"Berlin, an hour that comes twice", DaysAfter, 1, Days, "02:30", "Europe/Berlin", "due", "2026-10-24", "2026-10-25T00:30:00Z"},
		{"New York, in the gap", DaysAfter, 0, Days, "2:30", "America/New_York", "due", "2026-03-08", "2026-03-08T07:00:00Z"},
		{"New York, an hour that comes twice", DaysAfter, 0, Days, "01:30", "America/New_York", "due", "2026-11-01", "2026-11-01T05:30:00Z"},
		{"a gap at midnight", DaysAfter, 0, Days, "00:00", "America/Santiago", "due", "2026-09-06", "2026-09-06T04:00:00Z"},
		{"an instant's day is the zone's", DaysAfter, 1, Days, "09:00", "Europe/Berlin", "shipped_at", "2026-06-30T22:30:00Z", "2026-07-02T07:00:00Z"},
		{"an instant's day in UTC", DaysAfter, 1, Days, "09:00", "", "shipped_at", "2026-06-30T22:30:00Z", "2026-07-01T09:00:00Z"},
		{"hours before", DaysBefore, 36, Hours, "", "Europe/Berlin", "shipped_at", "2026-03-29T12:00:00Z", "2026-03-28T00:00:00Z"},
		{"minutes after", DaysAfter, 90, Minutes, "", "", "shipped_at", "2026-03-29T12:00:00Z", "2026-03-29T13:30:00Z"},
		{"over the end of February", DaysBefore, 1, Days, "", "", "due", "2028-03-01", "2028-02-29T00:00:00Z"},
	} {
		a := alerting(t, func(n *Notification) {
			n.Trigger, n.AlertDays, n.AlertUnit, n.AlertTime, n.TimeZone, n.DateField = test.trigger, &test.count, test.unit, test.at, test.zone, test.field
		})
		got, ok := a.Moment(document(t, `{"`+test.field+`":"`+test.value+`"}`))
		if !ok || got.UTC().Format(time.RFC3339) != test.want {
			t.Errorf("%s: %s, want %s", test.name, got.UTC().Format(time.RFC3339), test.want)
		}
	}
	if _, ok := alerting(t, func(*Notification) {}).Moment(Document{"due": nil}); ok {
		t.Error("a row without a date has a moment")
	}
}

func TestEveryRowThatIsDueLiesInTheRangeThatIsRead(t *testing.T) {
	t.Parallel()
	from := time.Date(2026, 3, 28, 12, 0, 0, 0, time.UTC)
	until := from.Add(72 * time.Hour)
	for _, zone := range []string{"UTC", "Europe/Berlin", "Pacific/Kiritimati", "Etc/GMT+12"} {
		for _, count := range []int{0, 1, 400} {
			for field, unit := range map[string]AlertUnit{"due": Days, "shipped_at": Hours} {
				a := alerting(t, func(n *Notification) { n.AlertDays, n.TimeZone, n.AlertUnit, n.DateField = &count, zone, unit, field })
				low, high := a.Range(from, until)
				for value := low.AddDate(0, 0, -20).Truncate(24 * time.Hour); value.Before(high.AddDate(0, 0, 20)); value = value.Add(24 * time.Hour) {
					moment, _ := a.Moment(Document{field: value})
					if !moment.Before(from) && !moment.After(until) && (value.Before(low) || value.After(high)) {
						t.Errorf("%s, %d %s: %s is due at %s and not read", zone, count, unit, value, moment)
					}
				}
			}
		}
	}
}

func TestAnAlertDoesNotLookBackBeyondTheDayOnWhichItBecameActive(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 7, 10, 15, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		name, since, want string
		unit              AlertUnit
	}{
		{"active for long", "2026-01-01T00:00:00Z", "2026-07-07T15:00:00Z", Days},
		{"active since this afternoon", "2026-07-10T14:00:00Z", "2026-07-09T22:00:00Z", Days},
		{"hours count from the moment", "2026-07-10T14:00:00Z", "2026-07-10T14:00:00Z", Hours},
	} {
		since, err := time.Parse(time.RFC3339, test.since)
		if err != nil {
			t.Fatal(err)
		}
		a := alerting(t, func(n *Notification) {
			n.ActiveSince, n.TimeZone, n.AlertUnit, n.DateField = since, "Europe/Berlin", test.unit, "shipped_at"
		})
		if got := a.Horizon(now, 72*time.Hour).UTC().Format(time.RFC3339); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
}

func TestDateAlertsThatAreWrongAreRefusedOnTheirField(t *testing.T) {
	t.Parallel()
	days := func(n int) *int { return &n }
	for name, test := range map[string]struct {
		change      func(n *Notification)
		field, want string
	}{
		"no field":               {func(n *Notification) { n.DateField = "" }, "date_field", "choose the date"},
		"a field's typo":         {func(n *Notification) { n.DateField = "duee" }, "date_field", "did you mean due?"},
		"a text":                 {func(n *Notification) { n.DateField = "status" }, "date_field", "status is a string field"},
		"no days":                {func(n *Notification) { n.AlertDays = nil }, "alert_days", "say how many"},
		"days below zero":        {func(n *Notification) { n.AlertDays = days(-1) }, "alert_days", "from 0 to 36500"},
		"too many days":          {func(n *Notification) { n.AlertDays = days(36_501) }, "alert_days", "from 0 to 36500"},
		"hours of a day":         {func(n *Notification) { n.AlertUnit = Hours }, "alert_unit", "count in days"},
		"an unknown unit":        {func(n *Notification) { n.AlertUnit = "moons" }, "alert_unit", "choose days, hours or minutes"},
		"an unknown zone":        {func(n *Notification) { n.TimeZone = "Mars/Base" }, "time_zone", "Europe/Berlin"},
		"a time of day":          {func(n *Notification) { n.AlertTime = "24:00" }, "alert_time", "such as 09:00"},
		"a time of day of hours": {func(n *Notification) { n.AlertUnit, n.DateField, n.AlertTime = Hours, "shipped_at", "09:00" }, "alert_time", "whole days only"},
		"days of another kind":   {func(n *Notification) { n.Trigger, n.AlertDays = OnNew, days(-1) }, "alert_days", "from 0"},
	} {
		n := notification()
		n.Trigger, n.DateField, n.AlertDays = DaysBefore, "due", days(3)
		test.change(n)
		if got := reader().Validate(n)[test.field]; !strings.Contains(got, test.want) {
			t.Errorf("%s: %s is %q, want it to contain %q", name, test.field, got, test.want)
		}
	}
}
