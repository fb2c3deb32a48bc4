package stack

import (
	"strings"
	"testing"
	"time"

	"github.com/silquetech/silque-notifications/internal/config"
)

func TestANewcomerHearsHowLongTheAttemptsTake(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		attempts int
		interval time.Duration
		want     trial
	}{
		"the defaults": {3, time.Minute, trial{2, "the email arrives at attempt 3", "Attempts are one minute apart", "NOTIFY_RETRY_INTERVAL=5s go run ./dev"}},
		"quick":        {3, 5 * time.Second, trial{2, "the email arrives at attempt 3", "Attempts are 5 seconds apart", ""}},
		"two attempts": {2, 90 * time.Second, trial{1, "the email arrives at attempt 2", "Attempts are 90 seconds apart", "NOTIFY_RETRY_INTERVAL=5s go run ./dev"}},
		"many":         {9, 1500 * time.Millisecond, trial{2, "the email arrives at attempt 3", "Attempts are 1.5s apart", ""}},
		"one attempt":  {1, time.Minute, trial{1, "it fails, as nothing is tried again (NOTIFY_RETRY_ATTEMPTS=1)", "", ""}},
	} {
		s := &Stack{settings: &config.Config{Notify: config.Notify{RetryAttempts: c.attempts, RetryInterval: c.interval}}}
		if got := s.trial(); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
		if lines := s.trial().indented(); !strings.Contains(lines, c.want.Pace) || !strings.Contains(lines, c.want.Quicker) {
			t.Errorf("%s: the terminal says %q", name, lines)
		}
	}
}
