package pace

import (
	"strconv"
	"time"
)

// LeaseTime is how long a dead worker's leases last.
const LeaseTime = leaseTime

// Burst is how many hand-overs may begin together.
func (l Limits) Burst() int { return l.burst() }

// SetClock makes a Gate take the test's time for its own and the database's.
func (g *Gate) SetClock(now func() time.Time) {
	g.now = now
	g.sqlNow = func() string { return "CAST(" + strconv.FormatInt(now().UnixMicro(), 10) + " AS BIGINT)" }
}
