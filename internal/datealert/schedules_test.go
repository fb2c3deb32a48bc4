package datealert_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/silquetech/silque-notifications/internal/datealert"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/testdb"
	"github.com/silquetech/silque-notifications/workflows"
)

// clock is Temporal's schedules in memory.
type clock struct {
	client.ScheduleClient
	mutex     sync.Mutex
	schedules map[string]client.ScheduleOptions
	triggered []string
	calls     int
	err       error
}

func (c *clock) enter() (func(), error) {
	c.mutex.Lock()
	c.calls++
	return c.mutex.Unlock, c.err
}

func (c *clock) Create(_ context.Context, o client.ScheduleOptions) (client.ScheduleHandle, error) {
	leave, err := c.enter()
	defer leave()
	if err != nil {
		return nil, err
	}
	if _, there := c.schedules[o.ID]; there {
		return nil, temporal.ErrScheduleAlreadyRunning
	}
	c.schedules[o.ID] = o
	if o.TriggerImmediately {
		c.triggered = append(c.triggered, o.ID)
	}
	return nil, nil
}

func (c *clock) GetHandle(_ context.Context, id string) client.ScheduleHandle {
	return &hand{clock: c, id: id}
}

// hand is one schedule.
type hand struct {
	client.ScheduleHandle
	clock *clock
	id    string
}

func (h *hand) known() error {
	if _, there := h.clock.schedules[h.id]; !there {
		return serviceerror.NewNotFound("schedule not found")
	}
	return nil
}

func (h *hand) Describe(context.Context) (*client.ScheduleDescription, error) {
	leave, err := h.clock.enter()
	defer leave()
	return &client.ScheduleDescription{}, errors.Join(err, h.known())
}

func (h *hand) Delete(context.Context) error {
	leave, err := h.clock.enter()
	defer leave()
	if err := errors.Join(err, h.known()); err != nil {
		return err
	}
	delete(h.clock.schedules, h.id)
	return nil
}

func (h *hand) Trigger(context.Context, client.ScheduleTriggerOptions) error {
	leave, err := h.clock.enter()
	defer leave()
	h.clock.triggered = append(h.clock.triggered, h.id)
	return err
}

func (h *hand) Update(_ context.Context, o client.ScheduleUpdateOptions) error {
	leave, err := h.clock.enter()
	defer leave()
	if err != nil {
		return err
	}
	update, err := o.DoUpdate(client.ScheduleUpdateInput{})
	if err != nil {
		return err
	}
	known := h.clock.schedules[h.id]
	known.Spec, known.Action, known.Paused = *update.Schedule.Spec, update.Schedule.Action, update.Schedule.State.Paused
	h.clock.schedules[h.id] = known
	return nil
}

// look gives "time of day, zone, paused" of each schedule.
func (c *clock) look() (all []string) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	for _, s := range c.schedules {
		text := fmt.Sprint(s.Spec.Intervals[0].Every, " ", s.Paused)
		for _, c := range s.Spec.Calendars {
			text += fmt.Sprintf(" %d:%02d %s", c.Hour[0].Start, c.Minute[0].Start, s.Spec.TimeZoneName)
		}
		all = append(all, text)
	}
	slices.Sort(all)
	return all
}

func schedules(o *office, c *clock) *datealert.Schedules {
	return datealert.NewSchedules(datealert.Options{DB: o.db, Temporal: c, TaskQueue: "q", Interval: time.Minute})
}

func TestASchedulesLifeFollowsItsNotification(t *testing.T) {
	t.Parallel()
	each(t, func(o *office) {
		c := &clock{schedules: map[string]client.ScheduleOptions{}}
		s := schedules(o, c)
		want := func(what string, triggered int, all ...string) {
			t.Helper()
			o.must(s.Reconcile(t.Context(), false))
			if got := c.look(); !slices.Equal(got, all) || len(c.triggered) != triggered {
				t.Errorf("%s: %q, %d times at once; want %q, %d", what, got, len(c.triggered), all, triggered)
			}
		}
		want("nothing yet", 0)
		n := o.rule(func(n *rule.Notification) { n.AlertTime, n.TimeZone = "09:30", "Europe/Berlin" })
		o.rule(func(n *rule.Notification) { n.Trigger = rule.OnUpdate })
		want("created", 1, "1m0s false 9:30 Europe/Berlin")
		calls := c.calls
		want("unchanged", 1, "1m0s false 9:30 Europe/Berlin")
		if c.calls != calls {
			t.Error("Temporal was asked although nothing had changed")
		}
		n.AlertTime = ""
		o.must(o.book.Update(t.Context(), n, "test"))
		want("changed", 2, "1m0s false 0:00 Europe/Berlin")
		_, err := o.book.SetActive(t.Context(), []string{n.ID}, false, "test")
		o.must(err)
		want("paused", 2, "1m0s true 0:00 Europe/Berlin")
		_, err = o.book.SetActive(t.Context(), []string{n.ID}, true, "test")
		o.must(err)
		want("active again", 3, "1m0s false 0:00 Europe/Berlin")
		n.Trigger = rule.OnNew
		o.must(o.book.Update(t.Context(), n, "test"))
		want("no date any more", 3)
		n.Trigger, n.AlertDays, n.AlertUnit, n.DateField = rule.DaysAfter, new(3), rule.Minutes, "paid_at"
		o.must(o.book.Update(t.Context(), n, "test"))
		want("minutes", 4, "1m0s false")
		o.must(o.book.Delete(t.Context(), n.ID, "test"))
		want("deleted", 4)
		if left := testCount(t, o.db, "notify_alert_schedules"); left != 0 {
			t.Errorf("%d schedules are remembered", left)
		}
	})
}

func TestAScheduleThatTemporalLostIsMadeAgain(t *testing.T) {
	t.Parallel()
	each(t, func(o *office) {
		c := &clock{schedules: map[string]client.ScheduleOptions{}}
		n := o.rule(nil)
		o.must(schedules(o, c).Reconcile(t.Context(), true))
		clear(c.schedules)
		o.must(schedules(o, c).Reconcile(t.Context(), true))
		made, there := c.schedules[workflows.AlertScheduleID(n.ID)]
		if !there {
			t.Fatal("it was not made again")
		}
		action := made.Action.(*client.ScheduleWorkflowAction)
		if action.TaskQueue != "q" || action.Workflow != "AlertOnDates" || fmt.Sprint(action.Args) != fmt.Sprintf("[{%s  0}]", n.ID) {
			t.Errorf("it starts %+v", action)
		}
		triggered := len(c.triggered)
		o.must(schedules(o, c).Reconcile(t.Context(), true))
		if len(c.triggered) != triggered {
			t.Error("a schedule in step was started at a look at everything")
		}
	})
}

func TestChangedSettingsReachSchedulesThatAreThere(t *testing.T) {
	t.Parallel()
	each(t, func(o *office) {
		c := &clock{schedules: map[string]client.ScheduleOptions{}}
		n := o.rule(nil)
		o.must(schedules(o, c).Reconcile(t.Context(), true))
		changed := datealert.NewSchedules(datealert.Options{DB: o.db, Temporal: c, TaskQueue: "new", Interval: time.Hour})
		o.must(changed.Reconcile(t.Context(), true))
		s := c.schedules[workflows.AlertScheduleID(n.ID)]
		if queue := s.Action.(*client.ScheduleWorkflowAction).TaskQueue; queue != "new" || s.Spec.Intervals[0].Every != time.Hour || len(c.triggered) != 1 {
			t.Errorf("it starts on %s every %s, started %d times at once", queue, s.Spec.Intervals[0].Every, len(c.triggered))
		}
	})
}

// lateClock lets another process make the schedule between the look and the creation.
type lateClock struct {
	*clock
	other client.ScheduleOptions
}

func (c *lateClock) Create(ctx context.Context, o client.ScheduleOptions) (client.ScheduleHandle, error) {
	if c.other.ID == "" {
		c.other = o
		c.other.Paused = true
		if _, err := c.clock.Create(ctx, c.other); err != nil {
			return nil, err
		}
	}
	return c.clock.Create(ctx, o)
}

func TestAScheduleThatAnotherProcessMadeAtTheSameMomentIsBroughtInStep(t *testing.T) {
	t.Parallel()
	each(t, func(o *office) {
		c := &lateClock{clock: &clock{schedules: map[string]client.ScheduleOptions{}}}
		n := o.rule(nil)
		s := datealert.NewSchedules(datealert.Options{DB: o.db, Temporal: c, TaskQueue: "q"})
		o.must(s.Reconcile(t.Context(), false))
		if c.schedules[workflows.AlertScheduleID(n.ID)].Paused {
			t.Error("an active notification's schedule is left paused")
		}
	})
}

func TestATemporalThatIsDownDelaysSchedulesOnly(t *testing.T) {
	t.Parallel()
	o := &office{t: t, db: testdb.SQLite(t)}
	o.book = newBook(o.db)
	o.register("due")
	c := &clock{schedules: map[string]client.ScheduleOptions{}, err: errors.New("connection refused")}
	s := schedules(o, c)
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { s.Run(ctx) })
	defer running.Wait()
	defer stop()
	o.rule(nil)
	s.Nudge()
	until(t, func() bool { c.mutex.Lock(); defer c.mutex.Unlock(); return c.calls > 0 })
	c.mutex.Lock()
	c.err = nil
	c.mutex.Unlock()
	until(t, func() bool { return len(c.look()) == 1 })
}

// until polls with a deadline.
func until(t *testing.T, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatal("it did not come to pass")
		}
		time.Sleep(10 * time.Millisecond)
	}
}
