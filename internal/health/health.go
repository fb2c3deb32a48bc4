// Package health says how the parts are that the system works with: database, Temporal, worker, mail server, Twilio. It
// asks them in the background and keeps what they said for some seconds, so that no page waits for a part that hangs.
// Answers are for people: they hold no secret, no address of a recipient and no text of a server.
package health

import (
	"context"
	"sync"
	"time"
)

// State is how a part is.
type State string

// The states of a part.
const (
	OK      State = "ok"
	Warning State = "warning" // it works, and something is to be looked at
	Down    State = "down"    // it does not work
	Off     State = "off"     // it has no settings
	Waiting State = "waiting" // it has been asked for the first time and has not answered yet
)

// Fact is something to know about a part.
type Fact struct {
	Name, Value string
	// At is a moment to show in place of Value.
	At time.Time
}

// Answer is what a part says of itself.
type Answer struct {
	State State
	// Text says in a line how it is, and Advice what to do about it; Advice is empty when there is nothing to do.
	Text, Advice string
	Facts        []Fact
}

// Probe is how a part is asked.
type Probe struct {
	// Name is by which programs know the part, such as "temporal"; Title is for people.
	Name, Title string
	// Settings are those that configure it.
	Settings []string
	// Ask asks. It should heed ctx; the Monitor goes on without it when it does not. A part without settings has none.
	Ask func(ctx context.Context) Answer
}

// Part is how a part was when it was asked last.
type Part struct {
	Name, Title string
	Settings    []string
	Answer
	// At is when it answered, Took how long that took.
	At   time.Time
	Took time.Duration
}

const (
	// fresh is how old an answer may be before somebody who looks has the part asked anew.
	fresh = 5 * time.Second
	// stale is from when on an answer says nothing any more.
	stale = time.Minute
	// patience is how long a part may take to answer.
	patience = 5 * time.Second
	// grace is for an answer that says that the time is over.
	grace = 200 * time.Millisecond
	// watchInterval is how often the watched parts are asked although nobody looks.
	watchInterval = 5 * time.Second
)

// Monitor keeps what the parts said. Make one with New. Run it, or Stop it; it is safe for concurrent use.
type Monitor struct {
	patience time.Duration
	now      func() time.Time

	life    context.Context
	end     context.CancelFunc
	asking  sync.WaitGroup
	mutex   sync.Mutex
	stopped bool
	seats   []*seat
	changed chan struct{} // closed and replaced at each answer
}

// seat is one part's place.
type seat struct {
	probe Probe
	part  Part
	// busy says that it is being asked: one that hangs is not asked again before it lets go.
	busy bool
}

// New gives a Monitor of the parts, in the order in which they are shown. None has been asked yet.
func New(probes ...Probe) *Monitor {
	m := &Monitor{patience: patience, now: time.Now, changed: make(chan struct{})}
	m.life, m.end = context.WithCancel(context.Background())
	for _, p := range probes {
		answer := Answer{State: Waiting, Text: "It is being asked."}
		if p.Ask == nil {
			answer = Answer{State: Off, Text: "It is not configured here."}
		}
		m.seats = append(m.seats, &seat{probe: p, part: Part{Name: p.Name, Title: p.Title, Settings: p.Settings, Answer: answer}})
	}
	return m
}

// Run asks the named parts again and again, whether somebody looks or not, until ctx ends; then it stops the Monitor.
func (m *Monitor) Run(ctx context.Context, watched ...string) {
	defer m.Stop()
	ticker := time.NewTicker(watchInterval)
	defer ticker.Stop()
	for {
		for _, name := range watched {
			m.ask(func(s *seat) bool { return s.probe.Name == name })
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// Stop ends the questions under way, and lets no other begin. A question that does not heed its context is left to itself.
func (m *Monitor) Stop() {
	m.mutex.Lock()
	m.stopped = true
	m.mutex.Unlock()
	m.end()
	m.asking.Wait()
}

// Up says whether a part worked when it was asked last. A part that is not known, or was not asked yet, counts as up. It
// asks nothing and takes no time.
func (m *Monitor) Up(name string) bool {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	for _, s := range m.seats {
		if s.probe.Name == name {
			return s.part.State != Down
		}
	}
	return true
}

// Look gives every part, and has those asked anew in the background whose answers are some seconds old. It waits for
// answers only where there is none that says anything, and no longer than wait.
func (m *Monitor) Look(ctx context.Context, wait time.Duration) []Part {
	m.ask(func(s *seat) bool { return m.now().Sub(s.part.At) >= fresh })
	deadline := time.NewTimer(wait)
	defer deadline.Stop()
	for {
		parts, complete, changed := m.parts()
		if complete {
			return parts
		}
		select {
		case <-changed:
		case <-deadline.C:
			return parts
		case <-ctx.Done():
			return parts
		}
	}
}

// parts copies what is known.
func (m *Monitor) parts() (parts []Part, complete bool, changed <-chan struct{}) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	complete = true
	for _, s := range m.seats {
		part := s.part
		if s.probe.Ask != nil && m.now().Sub(part.At) > stale {
			part.Answer = Answer{State: Waiting, Text: "It is being asked."}
			complete = false
		}
		parts = append(parts, part)
	}
	return parts, complete, m.changed
}

// ask begins a question to each part that is meant and is not being asked.
func (m *Monitor) ask(meant func(*seat) bool) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	if m.stopped {
		return
	}
	for _, s := range m.seats {
		if s.probe.Ask == nil || s.busy || !meant(s) {
			continue
		}
		s.busy = true
		m.asking.Go(func() { m.question(s) })
	}
}

// question asks one part and keeps the answer, or that there was none in time.
func (m *Monitor) question(s *seat) {
	ctx, cancel := context.WithTimeout(m.life, m.patience)
	began := m.now()
	answered := make(chan Answer, 1)
	go func() {
		defer cancel()
		answered <- s.probe.Ask(ctx)
		m.mutex.Lock()
		defer m.mutex.Unlock()
		s.busy = false
	}()
	select {
	case a := <-answered:
		m.keep(s, a, began)
		return
	case <-ctx.Done():
	}
	late := time.NewTimer(grace)
	defer late.Stop()
	select {
	case a := <-answered:
		m.keep(s, a, began)
	case <-late.C:
		m.keep(s, Answer{State: Down, Text: "It does not answer within " + m.patience.String() + "."}, began)
	}
}

func (m *Monitor) keep(s *seat, a Answer, began time.Time) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	if m.life.Err() != nil {
		return // what is said at a stop says nothing of the part
	}
	s.part.Answer, s.part.At = a, m.now()
	s.part.Took = s.part.At.Sub(began)
	close(m.changed)
	m.changed = make(chan struct{})
}
