package pace_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/silquetech/silque-notifications/internal/pace"
	"github.com/silquetech/silque-notifications/internal/rule"
)

// begun is hand-overs that were let begin at one moment.
type begun struct {
	at    time.Time
	count int
}

// record keeps what many goroutines were granted.
type record struct {
	sync.Mutex
	all []begun
}

func (r *record) add(at time.Time, count int) {
	r.Lock()
	defer r.Unlock()
	r.all = append(r.all, begun{at, count})
}

func (r *record) total() int {
	total := 0
	for _, b := range r.all {
		total += b.count
	}
	return total
}

// tooMany looks at every window of time that begins and ends with a hand-over.
func (r *record) tooMany(l pace.Limits) error {
	slices.SortFunc(r.all, func(a, b begun) int { return a.at.Compare(b.at) })
	for i := range r.all {
		count := 0
		for _, last := range r.all[i:] {
			count += last.count
			window := last.at.Sub(r.all[i].at)
			if most := float64(l.Burst()) + l.PerSecond*window.Seconds(); float64(count) > most+1e-6 {
				return fmt.Errorf("%d hand-overs began within %s, want %.2f at most", count, window, most)
			}
		}
	}
	return nil
}

func TestWorkersTogetherKeepTheRateOverEveryWindow(t *testing.T) {
	t.Parallel()
	for _, perSecond := range []float64{0.5, 14, 1000} {
		t.Run(fmt.Sprintf("at %v a second", perSecond), func(t *testing.T) {
			t.Parallel()
			eachURL(t, func(t *testing.T, url string) {
				l := pace.Limits{PerSecond: perSecond}
				gates := workers(t, url, 3, limits{rule.SMS: l})
				c := newClock(gates...)
				began, rounds, step := c.now(), 25, time.Duration(2/perSecond*float64(time.Second))
				var granted record
				for range rounds {
					var asking sync.WaitGroup
					for _, g := range slices.Concat(gates, gates) {
						asking.Go(func() {
							a := admit(t, g, rule.SMS, 1+rand.IntN(2*l.Burst()), rand.N(step))
							unused := rand.IntN(a.Granted+1) * rand.IntN(2)
							release(t, a, unused)
							if a.Granted > unused {
								granted.add(c.now().Add(a.Wait), a.Granted-unused)
							}
						})
					}
					asking.Wait()
					c.pass(rand.N(2*step) + time.Millisecond)
				}
				if err := granted.tooMany(l); err != nil {
					t.Error(err)
				}
				if least := int(l.PerSecond * c.now().Sub(began).Seconds() / 2); granted.total() < min(least, rounds) {
					t.Errorf("only %d were granted in %s", granted.total(), c.now().Sub(began))
				}
			})
		})
	}
}

// The database's own clock: what it counts cannot be more than the test's time allows.
func TestTheRateHoldsByTheDatabasesClock(t *testing.T) {
	t.Parallel()
	eachURL(t, func(t *testing.T, url string) {
		l, patience := pace.Limits{PerSecond: 200}, 50*time.Millisecond
		gates := workers(t, url, 3, limits{rule.Email: l})
		began := time.Now()
		var granted record
		var asking sync.WaitGroup
		for _, g := range slices.Concat(gates, gates) {
			asking.Go(func() {
				for range 20 {
					granted.add(began, admit(t, g, rule.Email, 30, patience).Granted)
				}
			})
		}
		asking.Wait()
		took := time.Since(began) + patience
		most := float64(l.Burst()) + l.PerSecond*took.Seconds()
		if total := granted.total(); total < l.Burst() || float64(total) > most {
			t.Errorf("%d were granted within %s, want %d to %.0f", total, took, l.Burst(), most)
		}
	})
}

// leastWait is the shortest wait before another ask.
const leastWait = 10 * time.Millisecond

func TestOnlyWhatBeginsWithinThePatienceIsReserved(t *testing.T) {
	t.Parallel()
	eachURL(t, func(t *testing.T, url string) {
		gates := workers(t, url, 2, limits{rule.SMS: {PerSecond: 10}})
		newClock(gates...)
		for i, want := range []struct {
			patience time.Duration
			granted  int
			wait     time.Duration
		}{
			{0, 1, 0},
			{99 * time.Millisecond, 0, leastWait}, // the place is 1 ms too far, and nobody is to ask that soon
			{50 * time.Millisecond, 0, 50 * time.Millisecond},
			{100 * time.Millisecond, 1, 100 * time.Millisecond},
			{time.Second, 1, 200 * time.Millisecond},
			{0, 0, 300 * time.Millisecond},
		} {
			a := admit(t, gates[i%2], rule.SMS, 5, want.patience)
			if a.Granted != want.granted || a.Wait != want.wait {
				t.Errorf("ask %d: %d were granted with a wait of %s, want %d and %s", i, a.Granted, a.Wait, want.granted, want.wait)
			}
		}
	})
}

func TestWhatIsNotUsedIsGivenBackUnlessSomebodyReservedAfterIt(t *testing.T) {
	t.Parallel()
	eachURL(t, func(t *testing.T, url string) {
		g := workers(t, url, 1, limits{rule.Email: {PerSecond: 50}})[0] // 5 at once, 20 ms apart
		newClock(g)
		used := admit(t, g, rule.Email, 5, time.Second)
		release(t, used, 3)
		release(t, used, 5) // the second time counts for nothing
		next := admit(t, g, rule.Email, 5, time.Second)
		if used.Granted != 5 || next.Wait != 40*time.Millisecond {
			t.Errorf("after 2 of %d were used, the next wait %s, want 40ms", used.Granted, next.Wait)
		}
		after := admit(t, g, rule.Email, 1, time.Second)
		release(t, next, 5)
		if last := admit(t, g, rule.Email, 1, time.Second); after.Wait != 140*time.Millisecond || last.Wait != 160*time.Millisecond {
			t.Errorf("beside a reservation at %s, what is given back lets the next begin at %s, want 160ms", after.Wait, last.Wait)
		}
	})
}

func TestAClockThatIsSetBackDoesNotStandAChannelStill(t *testing.T) {
	t.Parallel()
	for name, l := range map[string]pace.Limits{"without limits": {}, "with both": {PerSecond: 1, Concurrency: 1}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachURL(t, func(t *testing.T, url string) {
				gates := workers(t, url, 2, limits{rule.Email: l})
				c := newClock(gates...)
				admit(t, gates[0], rule.Email, 1, time.Minute)
				slow(t, gates[0], rule.Email, time.Hour)
				c.pass(-365 * 24 * time.Hour)
				if a := admit(t, gates[1], rule.Email, 1, 0); a.Granted != 1 || a.Wait != 0 {
					t.Errorf("%d are granted, wait %s; want 1 at once", a.Granted, a.Wait)
				}
				slow(t, gates[1], rule.Email, 20*time.Second)
				if left, err := gates[1].Paused(t.Context(), rule.Email); err != nil || left != 20*time.Second {
					t.Errorf("the next pause lasts %s, error %v; want 20s", left, err)
				}
			})
		})
	}
}

func TestABurstIsWhatATenthOfASecondAllows(t *testing.T) {
	t.Parallel()
	for perSecond, want := range map[float64]int{0.01: 1, 1: 1, 19: 1, 20: 2, 80: 8, 1000: 100, 10000: 1000} {
		if got := (pace.Limits{PerSecond: perSecond}).Burst(); got != want {
			t.Errorf("at %v a second the burst is %d, want %d", perSecond, got, want)
		}
	}
}
