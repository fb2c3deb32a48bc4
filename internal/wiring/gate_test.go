package wiring

import (
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/silquetech/silque-notifications/internal/config"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

func TestMain(m *testing.M) { os.Exit(testdb.Run(m)) }

func TestASettingBoundsItsChannelAndNoOther(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	g := newGate(testdb.SQLite(t), config.Limits{SMSConcurrency: 2}, slog.New(slog.DiscardHandler))
	admit := func(channel rule.Channel) (int, func()) {
		t.Helper()
		granted, _, release, err := g.Admit(ctx, channel, 5, 0)
		if err != nil {
			t.Fatal(err)
		}
		return granted, func() { release(ctx, 0) }
	}
	first, release := admit(rule.SMS)
	second, _ := admit(rule.SMS)
	third, _ := admit(rule.SMS)
	if first != 1 || second != 1 || third != 0 {
		t.Errorf("granted %d, %d and %d at a concurrency of 2, want one by one and then none", first, second, third)
	}
	release()
	if again, _ := admit(rule.SMS); again != 1 {
		t.Errorf("granted %d after one came free, want 1", again)
	}
	if email, _ := admit(rule.Email); email != 5 {
		t.Errorf("granted %d emails, want all 5", email)
	}
}

func TestOnlyCodesThatMeanTheWholeChannelSlowItDown(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	g := newGate(testdb.SQLite(t), config.Limits{}, slog.New(slog.DiscardHandler))
	granted := func(channel rule.Channel) int {
		t.Helper()
		n, _, _, err := g.Admit(ctx, channel, 1, 0)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	g.Slow(ctx, rule.SMS, "twilio_21211", time.Hour) // one bad number
	if granted(rule.SMS) != 1 {
		t.Error("a bad number has paused its channel")
	}
	g.Slow(ctx, rule.SMS, "twilio_20429", time.Hour) // too many requests
	if granted(rule.SMS) != 0 || granted(rule.Email) != 1 {
		t.Error("too many requests must pause SMS, and SMS alone")
	}
}
