package pace_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/pace"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

func TestASlowChannelIsSlowForEveryWorkerAndTheOthersAreNot(t *testing.T) {
	t.Parallel()
	for name, l := range map[string]pace.Limits{
		"without limits": {}, "with a rate": {PerSecond: 1000}, "with a concurrency": {Concurrency: 50}, "with both": {PerSecond: 1000, Concurrency: 50},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachURL(t, func(t *testing.T, url string) {
				gates := workers(t, url, 2, limits{rule.Email: l, rule.SMS: l})
				c := newClock(gates...)
				slow(t, gates[0], rule.SMS, 30*time.Second)
				for i, g := range gates {
					if a := admit(t, g, rule.SMS, 10, 5*time.Second); a.Granted != 0 || a.Wait != 25*time.Second {
						t.Errorf("worker %d may begin %d SMS, or ask again in %s; want none, and 25s", i, a.Granted, a.Wait)
					}
					if left, err := g.Paused(t.Context(), rule.SMS); err != nil || left != 30*time.Second {
						t.Errorf("worker %d takes SMS to be paused for %s, error %v; want 30s", i, left, err)
					}
					if a := admit(t, g, rule.Email, 10, 0); a.Granted != 10 || a.Wait != 0 {
						t.Errorf("worker %d may begin %d emails in %s; want 10 at once", i, a.Granted, a.Wait)
					}
					if left, err := g.Paused(t.Context(), rule.Email); err != nil || left != 0 {
						t.Errorf("worker %d takes email to be paused for %s, error %v", i, left, err)
					}
					c.pass(10 * time.Millisecond) // by then the emails' rate has room again
					slow(t, gates[0], rule.SMS, 30*time.Second)
				}
				c.pass(25 * time.Second)
				if a := admit(t, gates[1], rule.SMS, 10, 5*time.Second); a.Granted != 1 || a.Wait != 5*time.Second {
					t.Errorf("before the pause's end %d are granted in %s; want 1 at its end", a.Granted, a.Wait)
				}
			})
		})
	}
}

func TestAPauseIsNeverShortened(t *testing.T) {
	t.Parallel()
	eachURL(t, func(t *testing.T, url string) {
		gates := workers(t, url, 2, nil)
		c := newClock(gates...)
		slow(t, gates[0], rule.Email, time.Minute)
		slow(t, gates[1], rule.Email, time.Second)
		slow(t, gates[0], rule.Email, 0)
		for i, g := range gates {
			if a := admit(t, g, rule.Email, 1, 0); a.Granted != 0 || a.Wait != time.Minute {
				t.Errorf("worker %d is to ask again in %s, want 1m", i, a.Wait)
			}
		}
		slow(t, gates[1], rule.Email, 100*time.Hour)
		c.pass(pace.MaxPause - time.Second)
		if a := admit(t, gates[0], rule.Email, 1, 0); a.Granted != 0 || a.Wait != time.Second {
			t.Errorf("before the longest pause ends %d are granted, or in %s", a.Granted, a.Wait)
		}
	})
}

func TestOthersPausesAreSeenWithinAQuarterOfASecondAndOnesOwnAtOnce(t *testing.T) {
	t.Parallel()
	eachURL(t, func(t *testing.T, url string) {
		gates := workers(t, url, 2, nil)
		own, other := gates[0], gates[1]
		c := newClock(gates...)
		admit(t, own, rule.SMS, 1, 0)
		admit(t, other, rule.SMS, 1, 0)
		slow(t, own, rule.SMS, time.Minute)
		if a := admit(t, own, rule.SMS, 1, 0); a.Granted != 0 {
			t.Error("a worker does not heed its own pause")
		}
		c.pass(249 * time.Millisecond)
		if a := admit(t, other, rule.SMS, 1, 0); a.Granted != 1 {
			t.Error("a look was not kept for 250ms")
		}
		c.pass(time.Millisecond)
		if a := admit(t, other, rule.SMS, 1, 0); a.Granted != 0 {
			t.Error("after 250ms the other worker's pause is not seen")
		}
	})
}

func TestAPausedChannelIsEnteredGently(t *testing.T) {
	t.Parallel()
	eachURL(t, func(t *testing.T, url string) {
		gates := workers(t, url, 2, nil)
		c := newClock(gates...)
		slow(t, gates[0], rule.Email, time.Second)
		c.pass(time.Second)
		for second, most := range []int{8, 16, 32, 64, 128, 256, 512, 1024} {
			total := 0
			for i := range 25 {
				total += admit(t, gates[i%2], rule.Email, 1000, 0).Granted
				c.pass(40 * time.Millisecond)
			}
			if total > most+most/10+1 || total < most*2/5 {
				t.Errorf("in second %d after the pause %d may begin, want %d", second+1, total, most)
			}
		}
		for _, g := range gates {
			if a := admit(t, g, rule.Email, 1000, 0); a.Granted != 1000 {
				t.Errorf("in the ninth second only %d may begin at once", a.Granted)
			}
		}
	})
}

func TestARateHoldsAfterAPauseToo(t *testing.T) {
	t.Parallel()
	eachURL(t, func(t *testing.T, url string) {
		l := pace.Limits{PerSecond: 40}
		g := workers(t, url, 1, limits{rule.Email: l})[0]
		c := newClock(g)
		slow(t, g, rule.Email, time.Second)
		c.pass(time.Second)
		var granted record
		for range 150 {
			if a := admit(t, g, rule.Email, 10, 0); a.Granted > 0 {
				granted.add(c.now(), a.Granted)
			}
			c.pass(40 * time.Millisecond)
		}
		if err := granted.tooMany(l); err != nil {
			t.Error(err)
		}
		if total := granted.total(); total < 110 {
			t.Errorf("in 6 seconds %d began, want 8, 16, 32 and then 40 a second", total)
		}
	})
}

func TestWithoutLimitsNothingIsAskedButForPauses(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		db, statements := counted(db)
		g := pace.New(db, nil)
		c := newClock(g)
		for range 1000 {
			a := admit(t, g, rule.Email, 3, 0)
			if a.Granted != 3 || a.Wait != 0 {
				t.Fatalf("%d are granted in %s, want 3 at once", a.Granted, a.Wait)
			}
			release(t, a, 1)
		}
		if n := statements.Load(); n != 1 {
			t.Errorf("1000 admissions within 250ms took %d statements, want one look", n)
		}
		c.pass(250 * time.Millisecond)
		admit(t, g, rule.Email, 1, 0)
		if n := statements.Load(); n != 2 {
			t.Errorf("after 250ms there were %d looks, want 2", n)
		}
	})
}

func TestAnAdmissionWithLimitsTakesOneStatementForEach(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		limits pace.Limits
		want   int64
	}{
		"rate":        {pace.Limits{PerSecond: 1000}, 1},
		"concurrency": {pace.Limits{Concurrency: 20}, 1},
		"both":        {pace.Limits{PerSecond: 1000, Concurrency: 20}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testdb.Each(t, func(t *testing.T, db *gorm.DB) {
				db, statements := counted(db)
				g := pace.New(db, limits{rule.Email: test.limits})
				newClock(g)
				admit(t, g, rule.Email, 1, 0) // makes the rows
				before := statements.Load()
				if a := admit(t, g, rule.Email, 1, time.Second); a.Granted != 1 || statements.Load()-before != test.want {
					t.Errorf("%d granted by %d statements, want %d", a.Granted, statements.Load()-before, test.want)
				}
			})
		})
	}
}

func TestOnesOwnPauseIsHeededWithoutTheDatabase(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		g := pace.New(db, nil)
		newClock(g)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := g.Slow(ctx, rule.SMS, time.Minute); !errors.Is(err, context.Canceled) {
			t.Fatalf("a pause that could not be written gave %v", err)
		}
		left, err := g.Paused(t.Context(), rule.SMS)
		if err != nil || left != time.Minute {
			t.Errorf("the pause lasts %s, error %v; want 1m", left, err)
		}
	})
}

func TestAnUnknownChannelIsAnError(t *testing.T) {
	t.Parallel()
	g := pace.New(testdb.SQLite(t), nil)
	_, admitted := g.Admit(t.Context(), "pigeon", 1, 0)
	_, paused := g.Paused(t.Context(), "pigeon")
	if slowed := g.Slow(t.Context(), "pigeon", time.Second); admitted == nil || paused == nil || slowed == nil {
		t.Errorf("errors are %v, %v and %v", admitted, paused, slowed)
	}
	if a := admit(t, g, rule.Email, 0, 0); a.Granted != 0 || a.Release(t.Context(), 0) != nil {
		t.Errorf("of none, %d are granted", a.Granted)
	}
}

func TestOnlyRefusalsThatMeanTheChannelAskToSlow(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]bool{
		"twilio_20429": true, "twilio_http_429": true, "twilio_63018": true, "twilio_21211": false, "twilio_63038": false, "twilio_busy": false,
		"smtp_421": true, "smtp_421_4.7.28": true, "smtp_454": true, "smtp_auth_454_4.7.0": true, "smtp_432_4.3.2": true, "smtp_451_4.3.2": true,
		"smtp_452_4.3.1": true, "smtp_450_4.7.1": false, "smtp_450_4.2.1": false, "smtp_452_4.2.2": false, "smtp_4219": false, "smtp_550_5.1.1": false,
		"smtp_busy": false, "smtp_connect": false, "attachment_http_429": false, "": false,
	} {
		if got := pace.AsksToSlow(code); got != want {
			t.Errorf("%q asks to slow: %v, want %v", code, got, want)
		}
	}
}

func TestPausesAreShownToWhoeverAsks(t *testing.T) {
	t.Parallel()
	eachURL(t, func(t *testing.T, url string) {
		db := testdb.Open(t, url)
		if pauses, err := pace.Pauses(t.Context(), db); err != nil || len(pauses) != 0 {
			t.Errorf("before any: %v, %v", pauses, err)
		}
		slow(t, workers(t, url, 1, limits{})[0], rule.SMS, time.Hour)
		pauses, err := pace.Pauses(t.Context(), db)
		if left := pauses[rule.SMS]; err != nil || len(pauses) != 1 || left > time.Hour || left < 59*time.Minute {
			t.Errorf("with one: %v, %v", pauses, err)
		}
	})
}
