package hooks

import (
	"sync"
	"time"
)

// takeBacksAnHour bounds how often a link takes its leaving back. Each time is a line of the audit log, which is kept for
// ever, and so is each leaving after it. To leave is never refused: without a taking back, it changes nothing twice.
const takeBacksAnHour = 10

// takeBacks counts them by delivery in the current hour, each web process for itself. Signed links alone come here, so what
// it holds is bounded by the emails that were sent.
type takeBacks struct {
	mutex sync.Mutex
	hour  time.Time
	made  map[string]int
}

// another counts one, or says how long to wait.
func (t *takeBacks) another(deliveryID string, now time.Time) (wait time.Duration, allowed bool) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if hour := now.Truncate(time.Hour); t.made == nil || !hour.Equal(t.hour) {
		t.hour, t.made = hour, make(map[string]int)
	}
	if t.made[deliveryID] >= takeBacksAnHour {
		return t.hour.Add(time.Hour).Sub(now), false
	}
	t.made[deliveryID]++
	return 0, true
}
