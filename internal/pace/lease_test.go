package pace_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/silquetech/silque-notifications/internal/pace"
	"github.com/silquetech/silque-notifications/internal/rule"
)

func TestWorkersTogetherKeepTheConcurrency(t *testing.T) {
	t.Parallel()
	for name, l := range map[string]pace.Limits{"alone": {Concurrency: 7}, "with a rate": {Concurrency: 7, PerSecond: 10000}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachURL(t, func(t *testing.T, url string) {
				gates := workers(t, url, 3, limits{rule.Email: l})
				var underWay, highest, done atomic.Int64
				var sending sync.WaitGroup
				for _, g := range slices.Concat(gates, gates, gates) {
					sending.Go(func() {
						for range 15 {
							a := admit(t, g, rule.Email, 1+rand.IntN(3), time.Second)
							if now := underWay.Add(int64(a.Granted)); now > int64(l.Concurrency) {
								t.Errorf("%d hand-overs are under way, want %d at most", now, l.Concurrency)
							} else if before := highest.Load(); now > before {
								highest.CompareAndSwap(before, now)
							}
							underWay.Add(-int64(a.Granted))
							done.Add(int64(a.Granted))
							release(t, a, 0)
						}
					})
				}
				sending.Wait()
				if done.Load() == 0 || highest.Load() < 2 {
					t.Errorf("%d hand-overs were done, %d at most at once", done.Load(), highest.Load())
				}
				if a := admit(t, gates[0], rule.Email, 10, time.Minute); a.Granted != l.Concurrency {
					t.Errorf("when all have ended, %d are granted, want %d", a.Granted, l.Concurrency)
				}
			})
		})
	}
}

func TestADeadWorkersLeasesAreTakenOverWhenTheyHaveExpired(t *testing.T) {
	t.Parallel()
	eachURL(t, func(t *testing.T, url string) {
		gates := workers(t, url, 2, limits{rule.WhatsApp: {Concurrency: 3}})
		dead, other := gates[0], gates[1]
		c := newClock(gates...)
		held := admit(t, dead, rule.WhatsApp, 10, 0)
		if held.Granted != 3 || held.Wait != 0 {
			t.Fatalf("%d were granted with a wait of %s, want 3 at once", held.Granted, held.Wait)
		}
		c.pass(pace.LeaseTime - 20*time.Millisecond)
		if a := admit(t, other, rule.WhatsApp, 1, 0); a.Granted != 0 || a.Wait != 20*time.Millisecond {
			t.Fatalf("before the leases end %d are granted, or in %s; want none, and 20ms", a.Granted, a.Wait)
		}
		c.pass(20 * time.Millisecond)
		taken := admit(t, other, rule.WhatsApp, 10, 0)
		if taken.Granted != 3 {
			t.Fatalf("after the leases have ended %d are granted, want 3", taken.Granted)
		}
		release(t, held, 3) // it was not dead after all
		if a := admit(t, dead, rule.WhatsApp, 1, 0); a.Granted != 0 || a.Wait != 100*time.Millisecond {
			t.Errorf("what was taken over has come free for %d, or in %s; want none, and 100ms", a.Granted, a.Wait)
		}
		release(t, taken, 0)
		if a := admit(t, dead, rule.WhatsApp, 10, 0); a.Granted != 3 {
			t.Errorf("after the release %d are granted, want 3", a.Granted)
		}
	})
}

func TestAReleaseWorksAfterItsContextHasEnded(t *testing.T) {
	t.Parallel()
	eachURL(t, func(t *testing.T, url string) {
		g := workers(t, url, 1, limits{rule.Email: {Concurrency: 1, PerSecond: 1}})[0]
		newClock(g)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := admit(t, g, rule.Email, 1, 0).Release(ctx, 1); err != nil {
			t.Fatal(err)
		}
		if a := admit(t, g, rule.Email, 1, 0); a.Granted != 1 || a.Wait != 0 {
			t.Errorf("%d are granted, in %s", a.Granted, a.Wait)
		}
	})
}

func TestWhatTheScheduleRefusesHoldsNoConcurrency(t *testing.T) {
	t.Parallel()
	eachURL(t, func(t *testing.T, url string) {
		l := pace.Limits{Concurrency: 4, PerSecond: 1}
		gates := workers(t, url, 2, limits{rule.SMS: l})
		c := newClock(gates...)
		var held []pace.Admission
		for i := range 4 {
			a := admit(t, gates[0], rule.SMS, 3, 0)
			held = append(held, a)
			wait := []time.Duration{time.Second, time.Second, time.Second, 100 * time.Millisecond}[i] // in the end no slot is free
			if refused := admit(t, gates[1], rule.SMS, 3, 0); a.Granted != 1 || refused.Granted != 0 || refused.Wait != wait {
				t.Fatalf("%d are granted, then %d with a wait of %s", a.Granted, refused.Granted, refused.Wait)
			}
			c.pass(time.Second)
		}
		if a := admit(t, gates[1], rule.SMS, 3, 0); a.Granted != 0 || a.Wait > 100*time.Millisecond {
			t.Errorf("with all of the concurrency in use %d are granted, wait %s", a.Granted, a.Wait)
		}
		release(t, held[2], 0)
		if a := admit(t, gates[1], rule.SMS, 3, 0); a.Granted != 1 {
			t.Errorf("after one release %d are granted, want 1", a.Granted)
		}
	})
}

func TestMoreConcurrencyCountsAfterAChangeOfTheSettings(t *testing.T) {
	t.Parallel()
	eachURL(t, func(t *testing.T, url string) {
		few, many := workers(t, url, 1, limits{rule.Email: {Concurrency: 2}})[0], workers(t, url, 1, limits{rule.Email: {Concurrency: 5}})[0]
		if a := admit(t, few, rule.Email, 9, 0); a.Granted != 2 {
			t.Errorf("%d are granted, want 2", a.Granted)
		}
		if a := admit(t, many, rule.Email, 9, 0); a.Granted != 3 {
			t.Errorf("%d are granted, want the 3 that are new", a.Granted)
		}
	})
}
