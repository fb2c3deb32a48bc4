package outbox

import (
	"fmt"
	"time"

	"github.com/google/uuid"
)

// FirstID gives the least ID of a moment: every ID that NewID gave before it is less. IDs are UUIDv7, which begin with the
// milliseconds since 1970 (RFC 9562, 5.7), so the primary key serves as an index by time.
func FirstID(at time.Time) string {
	ms := max(at.UnixMilli(), 0)
	return fmt.Sprintf("%08x-%04x", ms>>16, ms&0xffff)
}

// TimeOf gives the moment in which NewID gave an ID, to the millisecond; the zero time for what is no such ID.
func TimeOf(id string) time.Time {
	parsed, err := uuid.Parse(id)
	if err != nil || parsed.Version() != 7 {
		return time.Time{}
	}
	seconds, nanoseconds := parsed.Time().UnixTime()
	return time.Unix(seconds, nanoseconds).UTC()
}
