package bare_test

import (
	"testing"

	"github.com/silquetech/silque-notifications/bench/bare"
	"github.com/silquetech/silque-notifications/bench/systemtest"
)

func TestEachEmailThatNoSaveAskedForArrivesOnce(t *testing.T) {
	t.Parallel()
	systemtest.DeliversEachOnce(t, "sqlite", bare.OpenSender)
}

func TestASaveAloneSendsNothing(t *testing.T) {
	t.Parallel()
	for _, database := range []string{"sqlite", "postgres"} {
		t.Run("on "+database, func(t *testing.T) {
			t.Parallel()
			box := systemtest.Sink(t)
			s := systemtest.Open(t, database, box, bare.OpenSaver)
			systemtest.Save(t, s, 20)
			if err := s.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			if sent := box.Count(); sent != 0 {
				t.Errorf("%d emails were sent, want none", sent)
			}
		})
	}
}
