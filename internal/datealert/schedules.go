package datealert

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/workflows"
)

const (
	// DefaultInterval is how often a notification's dates are looked at besides its own time of day: rows that come or
	// move late are found then.
	DefaultInterval = 5 * time.Minute
	// lookInterval is how often the notifications are compared with their schedules without a nudge.
	lookInterval = 30 * time.Second
	// retryPause is the wait after Temporal did not answer; it doubles up to lookInterval.
	retryPause = time.Second
	// quietFailures are not worth a word: at a first start Temporal gets its search attributes at the same moment.
	quietFailures = 3
	// missedWindow is how late a start may be made up for: a scan looks back further than any missed start.
	missedWindow = time.Minute
	// callTimeout bounds one call of Temporal.
	callTimeout = 10 * time.Second
)

// Schedules keeps one Temporal schedule for each notification with a date trigger: created, changed, paused and deleted
// as the notification is. Make one with NewSchedules, run it with Run, and Nudge it after a change. Any number of
// processes may do so at once. A Temporal that is down delays schedules and nothing else.
type Schedules struct {
	db        *gorm.DB
	temporal  client.ScheduleClient
	settings  rule.Settings
	taskQueue string
	interval  time.Duration
	log       *slog.Logger
	nudges    chan struct{}
	// seen is the revision of the rules at the last look that found everything in step; zero when a look is due.
	seen int64
}

// Options are what Schedules works with.
type Options struct {
	DB       *gorm.DB
	Temporal client.ScheduleClient
	Settings rule.Settings
	// TaskQueue is where the scans run.
	TaskQueue string
	// Interval is how often dates are looked at; DefaultInterval when zero.
	Interval time.Duration
	Log      *slog.Logger
}

// NewSchedules gives Schedules on the application's database.
func NewSchedules(o Options) *Schedules {
	if o.Interval <= 0 {
		o.Interval = DefaultInterval
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Schedules{
		db: o.DB, temporal: o.Temporal, settings: o.Settings, taskQueue: o.TaskQueue, interval: o.Interval, log: o.Log,
		nudges: make(chan struct{}, 1),
	}
}

// Nudge says that a notification has changed. It never blocks.
func (s *Schedules) Nudge() {
	select {
	case s.nudges <- struct{}{}:
	default:
	}
}

// Run keeps the schedules in step until ctx ends. It begins with a look at every schedule: Temporal's data may have been
// lost, or come from another time than the database's.
func (s *Schedules) Run(ctx context.Context) {
	everything, pause, failures := true, retryPause, 0
	for {
		err := s.Reconcile(ctx, everything)
		wait := lookInterval
		if err == nil {
			everything, pause, failures = false, retryPause, 0
		} else if ctx.Err() == nil {
			if failures++; failures > quietFailures {
				s.log.Warn("The schedules of date alerts are not in step yet; trying again", "error", err)
			}
			wait, pause = pause, min(2*pause, lookInterval)
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-s.nudges:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// Reconcile brings every schedule in step that is not, or looks at every one of them. It goes on after a failure; the
// error joins all of them.
func (s *Schedules) Reconcile(ctx context.Context, everything bool) error {
	revision, err := store.Notifications{DB: s.db}.Revision(ctx)
	if err != nil {
		return err
	}
	if !everything && revision == s.seen {
		return nil
	}
	notifications, err := store.Notifications{DB: s.db}.DateRules(ctx)
	if err != nil {
		return err
	}
	applied, err := store.AlertSchedules{DB: s.db}.All(ctx)
	if err != nil {
		return err
	}
	var problems []error
	for _, n := range notifications {
		if everything || applied[n.ID] != n.Version {
			problems = append(problems, s.apply(ctx, n, applied[n.ID] == n.Version))
		}
		delete(applied, n.ID)
	}
	for id := range applied {
		problems = append(problems, s.remove(ctx, id))
	}
	err = errors.Join(problems...)
	if err == nil {
		s.seen = revision
	}
	return err
}

// apply makes a notification's schedule what it should be, and remembers that. One that is known to be in step is only
// made when it is not there, and gets today's settings.
func (s *Schedules) apply(ctx context.Context, n *rule.Notification, inStep bool) error {
	call, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	handle := s.temporal.GetHandle(call, workflows.AlertScheduleID(n.ID))
	_, err := handle.Describe(call)
	switch {
	case isNotFound(err):
		_, err = s.temporal.Create(call, s.options(n))
		if errors.Is(err, temporal.ErrScheduleAlreadyRunning) { // another process made it at this moment, perhaps of an older version
			err = s.update(call, handle, n, n.Active)
		}
	case err == nil: // even one in step: the settings may have changed
		err = s.update(call, handle, n, n.Active && !inStep)
	}
	if err != nil {
		return fmt.Errorf("datealert: schedule of notification %s: %w", n.ID, err)
	}
	return store.AlertSchedules{DB: s.db}.Put(ctx, n.ID, n.Version)
}

// update replaces the schedule, and looks at the dates at once where that is wanted: there may be rows that are due by the
// new rule.
func (s *Schedules) update(ctx context.Context, handle client.ScheduleHandle, n *rule.Notification, atOnce bool) error {
	options := s.options(n)
	err := handle.Update(ctx, client.ScheduleUpdateOptions{DoUpdate: func(client.ScheduleUpdateInput) (*client.ScheduleUpdate, error) {
		return &client.ScheduleUpdate{Schedule: &client.Schedule{
			Action: options.Action, Spec: &options.Spec,
			Policy: &client.SchedulePolicies{Overlap: options.Overlap, CatchupWindow: options.CatchupWindow},
			State:  &client.ScheduleState{Paused: options.Paused, Note: options.Note},
		}}, nil
	}})
	if err != nil || !atOnce {
		return err
	}
	return handle.Trigger(ctx, client.ScheduleTriggerOptions{})
}

// remove deletes the schedule of a notification that is gone, or has no date any more.
func (s *Schedules) remove(ctx context.Context, notificationID string) error {
	call, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	err := s.temporal.GetHandle(call, workflows.AlertScheduleID(notificationID)).Delete(call)
	if err != nil && !isNotFound(err) {
		return fmt.Errorf("datealert: delete the schedule of notification %s: %w", notificationID, err)
	}
	return store.AlertSchedules{DB: s.db}.Remove(ctx, notificationID)
}

func isNotFound(err error) bool {
	var notFound *serviceerror.NotFound
	return errors.As(err, &notFound)
}

// options describe a notification's schedule. It carries IDs only.
func (s *Schedules) options(n *rule.Notification) client.ScheduleOptions {
	options := client.ScheduleOptions{
		ID:      workflows.AlertScheduleID(n.ID),
		Spec:    s.spec(n),
		Overlap: enums.SCHEDULE_OVERLAP_POLICY_SKIP, CatchupWindow: missedWindow,
		Paused: !n.Active, TriggerImmediately: n.Active,
		Action: &client.ScheduleWorkflowAction{
			ID: workflows.AlertScheduleID(n.ID), Workflow: "AlertOnDates", TaskQueue: s.taskQueue,
			Args:                  []any{workflows.AlertOnDatesInput{NotificationID: n.ID}},
			TypedSearchAttributes: temporal.NewSearchAttributes(workflows.NotificationsAttribute.ValueSet([]string{n.ID})),
			StaticSummary:         "dates of notification " + n.ID,
		},
	}
	if !n.Active {
		options.Note = "The notification is not active."
	}
	return options
}

// spec is when the dates are looked at: at the notification's time of day in its zone, and every interval, spread so that
// not all notifications begin at the same moment.
func (s *Schedules) spec(n *rule.Notification) client.ScheduleSpec {
	spread := fnv.New32a()
	_, _ = spread.Write([]byte(n.ID))
	spec := client.ScheduleSpec{Intervals: []client.ScheduleIntervalSpec{{
		Every: s.interval, Offset: (time.Duration(spread.Sum32()) * time.Millisecond % s.interval).Truncate(time.Second),
	}}}
	if hour, minute, zone, ok := s.settings.AlertTime(n); ok {
		spec.TimeZoneName = zone.String()
		spec.Calendars = []client.ScheduleCalendarSpec{{
			Hour: []client.ScheduleRange{{Start: hour}}, Minute: []client.ScheduleRange{{Start: minute}},
		}}
	}
	return spec
}
