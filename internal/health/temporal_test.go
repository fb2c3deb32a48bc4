package health

import (
	"errors"
	"strings"
	"testing"
	"time"

	"go.temporal.io/api/serviceerror"
)

func TestWhatKeepsTemporalAwayIsSaid(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		err  error
		want string
	}{
		"no such namespace": {serviceerror.NewNamespaceNotFound("shop"), "TEMPORAL_NAMESPACE"},
		"refused":           {serviceerror.NewPermissionDenied("no", "key 123"), "TEMPORAL_API_KEY"},
		"away":              {serviceerror.NewUnavailable("dial 10.0.0.1: secret"), "TEMPORAL_ADDRESS"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := noTemporal(test.err, "shop")
			if a.State != Down || !strings.Contains(a.Advice, test.want) || strings.Contains(a.Text+a.Advice, "secret") {
				t.Errorf("got %+v", a)
			}
		})
	}
}

func TestAWorkerIsThereWhenEveryQueueIsServed(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	queues := []queue{{title: "Workflows"}, {title: "Email"}}
	seen := func(ago time.Duration) pollers { return pollers{count: 2, last: now.Add(-ago)} }
	for name, test := range map[string]struct {
		asked []pollers
		state State
		want  string
	}{
		"served":                  {[]pollers{seen(time.Second), seen(time.Minute)}, OK, "takes tasks"},
		"silent for two minutes":  {[]pollers{seen(2 * time.Minute), seen(2 * time.Minute)}, Warning, "silent"},
		"a channel without":       {[]pollers{seen(time.Second), {}}, Down, "Email"},
		"none, and none before":   {[]pollers{{}, {}}, Down, "No worker"},
		"Temporal does not say":   {[]pollers{seen(time.Second), {err: errors.New("secret")}}, Down, "cannot be asked"},
		"silent here, none there": {[]pollers{seen(time.Hour), {}}, Down, "No worker"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := workerAnswer(queues, test.asked, now)
			if a.State != test.state || !strings.Contains(a.Text, test.want) || (a.State != OK) != (a.Advice != "") {
				t.Errorf("got %+v", a)
			}
		})
	}
}

func TestTheTwoQueuesOfAChannelAreOneLine(t *testing.T) {
	t.Parallel()
	now := time.Now()
	queues := []queue{{title: "Workflows"}, {title: "Email"}, {title: "Email"}}
	served := pollers{count: 1, last: now}
	a := workerAnswer(queues, []pollers{served, served, {count: 1, last: now.Add(-time.Minute)}}, now)
	if len(a.Facts) != 2 || !a.Facts[1].At.Equal(now.Add(-time.Minute)) {
		t.Errorf("got %+v", a.Facts)
	}
	if a := workerAnswer(queues, []pollers{served, served, {}}, now); len(a.Facts) != 2 || a.Facts[1].Value != "nobody asks for tasks" {
		t.Errorf("got %+v", a.Facts)
	}
}
