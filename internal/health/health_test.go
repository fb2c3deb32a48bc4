package health

import (
	"context"
	"sync/atomic"
	"testing"
	"time"
)

func answers(name string, state State) Probe {
	return Probe{Name: name, Ask: func(context.Context) Answer { return Answer{State: state} }}
}

// hangs never answers, whatever its context says, until the test ends.
func hangs(t *testing.T, name string) Probe {
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	return Probe{Name: name, Ask: func(context.Context) Answer { <-release; return Answer{State: OK} }}
}

// monitor is one with less patience.
func monitor(t *testing.T, patience time.Duration, probes ...Probe) *Monitor {
	t.Helper()
	m := New(probes...)
	m.patience = patience
	t.Cleanup(m.Stop)
	return m
}

func states(parts []Part) map[string]State {
	all := map[string]State{}
	for _, p := range parts {
		all[p.Name] = p.State
	}
	return all
}

// until looks again and again until a part has a state.
func until(t *testing.T, m *Monitor, name string, want State) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; {
		got := states(m.Look(t.Context(), 50*time.Millisecond))
		if got[name] == want {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s is %s, want %s", name, got[name], want)
		}
	}
}

func TestALookShowsWhatEveryPartSays(t *testing.T) {
	t.Parallel()
	m := monitor(t, time.Minute, answers("fine", OK), answers("broken", Down), Probe{Name: "unset"})
	got := states(m.Look(t.Context(), 10*time.Second))
	if got["fine"] != OK || got["broken"] != Down || got["unset"] != Off {
		t.Errorf("got %v", got)
	}
	if !m.Up("fine") || m.Up("broken") || !m.Up("unset") || !m.Up("nothing of that name") {
		t.Error("Up says otherwise")
	}
}

func TestAPartThatHangsKeepsNobodyWaiting(t *testing.T) {
	t.Parallel()
	m := monitor(t, 100*time.Millisecond, answers("fine", OK), hangs(t, "stuck"))
	began := time.Now()
	got := states(m.Look(t.Context(), 10*time.Millisecond))
	if got["stuck"] != Waiting || !m.Up("stuck") {
		t.Errorf("before it is late: %v", got)
	}
	if took := time.Since(began); took > 40*time.Second {
		t.Errorf("a look took %s", took)
	}
	until(t, m, "stuck", Down)
	if m.Up("stuck") {
		t.Error("a part that does not answer counts as up")
	}
	until(t, m, "fine", OK)
}

func TestAPartThatHangsIsNotAskedTwice(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	release := make(chan struct{})
	m := monitor(t, 20*time.Millisecond, Probe{Name: "stuck", Ask: func(context.Context) Answer {
		asked.Add(1)
		<-release
		return Answer{State: OK}
	}})
	until(t, m, "stuck", Down)
	ahead := time.Now().Add(fresh)
	m.mutex.Lock()
	m.now = func() time.Time { return ahead.Add(time.Since(ahead)) }
	m.mutex.Unlock()
	m.Look(t.Context(), 0)
	if n := asked.Load(); n != 1 {
		t.Errorf("it was asked %d times at once", n)
	}
	close(release)
	until(t, m, "stuck", OK)
}

func TestAnAnswerServesEverybodyForSomeSeconds(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	var later atomic.Int64
	m := New(Probe{Name: "part", Ask: func(context.Context) Answer { asked.Add(1); return Answer{State: OK} }})
	t.Cleanup(m.Stop)
	began := time.Now()
	m.now = func() time.Time { return began.Add(time.Duration(later.Load())) }
	for range 10 {
		m.Look(t.Context(), time.Second)
	}
	if n := asked.Load(); n != 1 {
		t.Fatalf("ten looks asked %d times", n)
	}
	later.Store(int64(fresh))
	if got := states(m.Look(t.Context(), 0)); got["part"] != OK {
		t.Errorf("the old answer is not shown while the new one is awaited: %v", got)
	}
	for deadline := time.Now().Add(10 * time.Second); asked.Load() != 2; {
		if time.Now().After(deadline) {
			t.Fatal("an old answer is not asked anew")
		}
	}
	later.Store(int64(3 * stale))
	m.end() // nobody answers any more
	if got := states(m.Look(t.Context(), 0)); got["part"] != Waiting {
		t.Errorf("an answer of an hour ago still counts: %v", got)
	}
}

func TestWatchedPartsAreAskedThoughNobodyLooks(t *testing.T) {
	t.Parallel()
	m := New(answers("temporal", Down), answers("other", Down))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); m.Run(ctx, "temporal") }()
	for deadline := time.Now().Add(10 * time.Second); m.Up("temporal"); {
		if time.Now().After(deadline) {
			t.Fatal("nobody noticed that it is down")
		}
		time.Sleep(time.Millisecond)
	}
	if !m.Up("other") {
		t.Error("a part that is not watched was asked")
	}
	cancel()
	<-done
}
