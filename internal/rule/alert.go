package rule

import (
	"regexp"
	"time"
	_ "time/tzdata" // the names of time zones are part of the language: they work without the machine's own files
)

// The limits of a date alert: a hundred years.
const (
	AlertDaysLimit    = 36_500
	AlertHoursLimit   = AlertDaysLimit * 24
	AlertMinutesLimit = AlertHoursLimit * 60
)

// alertTimeForm is a time of day.
var alertTimeForm = regexp.MustCompile(`^([01]?[0-9]|2[0-3]):[0-5][0-9]$`)

// DateAlert is when a notification with a date trigger fires for a row.
type DateAlert struct {
	field Field
	// days, or offset, is what is added to the field's value; negative for days_before.
	days   int
	offset time.Duration
	whole  bool
	// hour and minute are the time of day of an alert of whole days.
	hour, minute int
	zone         *time.Location
	since        time.Time
}

// Alert gives when the notification fires; false for one that has no date trigger, or whose field is not there (any more).
func (r Reader) Alert(n *Notification) (DateAlert, bool) {
	m, ok := r.Models.Model(n.Model)
	if !ok || n.Trigger != DaysBefore && n.Trigger != DaysAfter || n.AlertDays == nil {
		return DateAlert{}, false
	}
	field, ok := m.Field(n.DateField)
	if !ok || field.Type != Date && field.Type != DateTime {
		return DateAlert{}, false
	}
	since := n.ActiveSince
	if since.IsZero() {
		since = n.CreatedAt
	}
	a := DateAlert{field: field, zone: r.Settings.zone(n), since: since, whole: n.AlertUnit == "" || n.AlertUnit == Days}
	count := *n.AlertDays
	if n.Trigger == DaysBefore {
		count = -count
	}
	switch {
	case a.whole:
		a.days = count
		a.hour, a.minute = n.alertTime()
	case field.Type == Date:
		return DateAlert{}, false
	case n.AlertUnit == Hours:
		a.offset = time.Duration(count) * time.Hour
	default:
		a.offset = time.Duration(count) * time.Minute
	}
	return a, true
}

// alertTime gives the time of day; midnight when there is none.
func (n *Notification) alertTime() (hour, minute int) {
	at, err := time.Parse("15:04", n.AlertTime)
	if err != nil {
		return 0, 0
	}
	return at.Hour(), at.Minute()
}

// AlertTime is when in the day an alert of whole days fires, and where; ok is false for one of hours or minutes.
func (s Settings) AlertTime(n *Notification) (hour, minute int, zone *time.Location, ok bool) {
	hour, minute = n.alertTime()
	return hour, minute, s.zone(n), n.AlertUnit == "" || n.AlertUnit == Days
}

// Field is the one that the alert counts from.
func (a DateAlert) Field() Field { return a.field }

// Moment is when the alert fires for a row; ok is false when the row has no date.
func (a DateAlert) Moment(doc Document) (moment time.Time, ok bool) {
	value, ok := doc[a.field.Name].(time.Time)
	if !ok {
		return time.Time{}, false
	}
	if !a.whole {
		return value.Add(a.offset), true
	}
	if a.field.Type == DateTime {
		value = value.In(a.zone)
	}
	year, month, day := value.Date()
	return wallTime(year, month, day+a.days, a.hour, a.minute, a.zone), true
}

// wallTime is a time of day on a day in a zone. One that the clock skips is the moment after the gap, and of one that
// comes twice it is the first.
func wallTime(year int, month time.Month, day, hour, minute int, zone *time.Location) time.Time {
	t := time.Date(year, month, day, hour, minute, 0, 0, zone)
	if t.Hour() != hour || t.Minute() != minute {
		return gapEnd(t, zone)
	}
	// Of two moments with the same time of day, time.Date may give the later one. Clocks change by two hours at most.
	for _, back := range []time.Duration{30 * time.Minute, time.Hour, 2 * time.Hour} {
		if earlier := t.Add(-back); earlier.Hour() == hour && earlier.Minute() == minute {
			return earlier
		}
	}
	return t
}

// gapEnd finds the moment at which the clock jumps, near a time that does not exist.
func gapEnd(t time.Time, zone *time.Location) time.Time {
	start, end := t.In(zone).ZoneBounds()
	for _, bound := range []time.Time{start, end} {
		if !bound.IsZero() && bound.Sub(t).Abs() <= 3*time.Hour {
			return bound
		}
	}
	return t
}

// Horizon is the first moment of which the alert can still tell at a time, given how far back a scan looks: it tells of
// nothing before the notification became active, except that of an alert of whole days that day counts from its beginning.
func (a DateAlert) Horizon(now time.Time, window time.Duration) time.Time {
	horizon, since := now.Add(-window), a.since
	if a.whole && !since.IsZero() {
		since = midnight(since.In(a.zone), a.zone)
	}
	if since.After(horizon) {
		return since
	}
	return horizon
}

// rangeMargin covers the zones (UTC-12 to UTC+14), a day of daylight saving and the time of day.
const rangeMargin = 3 * 24 * time.Hour

// Range gives the values of the field between which every row lies whose moment is from one time to another. It is wider
// than that by some days: Moment decides.
func (a DateAlert) Range(from, until time.Time) (low, high time.Time) {
	if a.whole {
		return from.AddDate(0, 0, -a.days).Add(-rangeMargin).UTC(), until.AddDate(0, 0, -a.days).Add(rangeMargin).UTC()
	}
	return from.Add(-a.offset).Add(-rangeMargin).UTC(), until.Add(-a.offset).Add(rangeMargin).UTC()
}

// alert checks the fields of a date trigger.
func (v *validation) alert() {
	n := v.n
	unit := n.AlertUnit
	if unit == "" {
		unit = Days
	}
	limits := map[AlertUnit]int{Days: AlertDaysLimit, Hours: AlertHoursLimit, Minutes: AlertMinutesLimit}
	limit, known := limits[unit]
	if !known {
		v.errs.add("alert_unit", "choose days, hours or minutes")
		limit = AlertDaysLimit
	}
	if n.AlertDays != nil && (*n.AlertDays < 0 || *n.AlertDays > limit) {
		v.errs.add("alert_days", "must be a whole number from 0 to %d", limit)
	}
	if n.TimeZone != "" {
		if _, err := time.LoadLocation(n.TimeZone); err != nil || n.TimeZone == "Local" {
			v.errs.add("time_zone", "there is no such time zone: write one such as Europe/Berlin, or UTC")
		}
	}
	if n.AlertTime != "" && !alertTimeForm.MatchString(n.AlertTime) {
		v.errs.add("alert_time", "write a time of day such as 09:00")
	}
	if n.Trigger == DaysBefore || n.Trigger == DaysAfter {
		v.alertField(unit)
	}
}

func (v *validation) alertField(unit AlertUnit) {
	n := v.n
	if n.AlertDays == nil {
		v.errs.add("alert_days", "say how many days, zero or more")
	}
	if unit != Days && n.AlertTime != "" {
		v.errs.add("alert_time", "a time of day goes with whole days only: remove it")
	}
	switch {
	case n.DateField == "":
		v.errs.add("date_field", "choose the date that the alert counts from")
	case v.model == nil:
	default:
		field, ok := v.model.Field(n.DateField)
		switch {
		case !ok:
			v.errs.add("date_field", "%s", unknownField(v.model.Name, n.DateField, v.model.Fields))
		case field.Type != Date && field.Type != DateTime:
			v.errs.add("date_field", "%s is %s: choose one that holds a date", field.Name, field.Type.called())
		case field.Type == Date && unit != Days:
			v.errs.add("alert_unit", "%s holds days without a time: count in days", field.Name)
		}
	}
}
