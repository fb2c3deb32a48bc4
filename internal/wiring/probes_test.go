package wiring

import (
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/silquetech/silque-notifications/internal/health"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

func TestProbesAskWhatTheSettingsName(t *testing.T) {
	t.Parallel()
	// Nothing listens on port 1.
	mailServer := []string{"SMTP_HOST=127.0.0.1", "SMTP_PORT=1", "SMTP_TLS=none", "SMTP_FROM=Shop <shop@example.com>"}
	standIn := append(slices.Clone(account), "TWILIO_BASE_URL=http://127.0.0.1:1", "TWILIO_SMS_FROM=+12025550100")
	temporal, err := Dial([]string{"TEMPORAL_CONFIG_FILE=" + t.TempDir() + "/none.toml", "TEMPORAL_ADDRESS=127.0.0.1:1"}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(temporal.Close)
	for _, test := range []struct {
		name    string
		environ []string
		want    map[string]health.State
	}{
		{"nothing is configured", nil, map[string]health.State{"email": health.Off, "sms": health.Off, "whatsapp": health.Off, "temporal": health.Down, "worker": health.Down, "alerts": health.OK}},
		{"nothing answers", slices.Concat(mailServer, standIn), map[string]health.State{"email": health.Down, "sms": health.Down, "whatsapp": health.Off}},
		{"the sender is nobody", []string{"SMTP_HOST=127.0.0.1", "SMTP_FROM=nobody"}, map[string]health.State{"email": health.Down}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			m := health.New(Probes(settings(t, test.environ...), testdb.SQLite(t), temporal)...)
			t.Cleanup(m.Stop)
			seen := 0
			for _, part := range m.Look(t.Context(), 30*time.Second) {
				if want, named := test.want[part.Name]; named {
					seen++
					if part.State != want {
						t.Errorf("%s is %s (%s), want %s", part.Name, part.State, part.Text, want)
					}
				}
			}
			if seen != len(test.want) {
				t.Errorf("%d of %d parts are there", seen, len(test.want))
			}
		})
	}
}
