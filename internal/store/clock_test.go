package store

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestProcessesWhoseClocksDifferTellTheDatabasesTime(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ ahead, want time.Duration }{
		"three hours ahead":        {3 * time.Hour, 0},
		"three hours behind":       {-3 * time.Hour, 0},
		"a year ahead":             {365 * 24 * time.Hour, 0},
		"as good as the same":      {300 * time.Millisecond, 300 * time.Millisecond},
		"a little behind the same": {-300 * time.Millisecond, -300 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			database := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
			own := database.Add(tc.ahead)
			c := &clock{own: func() time.Time { return own }, ask: func(context.Context) (time.Time, error) { return database, nil }}
			if got := c.now(); !got.Equal(own) {
				t.Errorf("before the first look it is %s, want the own time %s", got, own)
			}
			c.look(t.Context())
			if got, want := c.now(), database.Add(tc.want); !got.Equal(want) || got.Location() != time.UTC {
				t.Errorf("it is %s, want %s", got, want)
			}
			own = own.Add(10 * time.Second)
			if got, want := c.now(), database.Add(tc.want+10*time.Second); !got.Equal(want) {
				t.Errorf("ten seconds later it is %s, want %s", got, want)
			}
		})
	}
}

func TestADatabaseThatIsAwayLeavesTheTimeAsItWas(t *testing.T) {
	t.Parallel()
	database := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	own, away := database.Add(3*time.Hour), error(nil)
	c := &clock{own: func() time.Time { return own }, ask: func(context.Context) (time.Time, error) { return database, away }}
	c.look(t.Context())
	away = errors.New("away")
	own = own.Add(time.Hour)
	c.look(t.Context())
	if got, want := c.now(), database.Add(time.Hour); !got.Equal(want) {
		t.Errorf("it is %s, want %s", got, want)
	}
}

func TestAReadingThatHasGrownOldIsRenewedInTheBackground(t *testing.T) {
	t.Parallel()
	begun, asked := time.Now(), make(chan struct{}, 1)
	c := &clock{own: time.Now, ask: func(context.Context) (time.Time, error) {
		asked <- struct{}{}
		return time.Now().Add(time.Hour), nil
	}}
	c.reading.Store(&reading{at: begun.Add(-2 * clockAge)})
	if got := c.now(); got.Sub(begun) > time.Minute {
		t.Errorf("now waited for the database: it is %s", got)
	}
	<-asked
	for deadline := time.Now().Add(time.Minute); c.now().Sub(begun) < time.Hour-time.Minute; {
		if time.Now().After(deadline) {
			t.Fatal("the look changed nothing")
		}
		time.Sleep(time.Millisecond)
	}
}
