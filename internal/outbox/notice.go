package outbox

// Channel is the name under which Postgres tells relays in other processes of new events (LISTEN and NOTIFY).
const Channel = "notify_outbox"

// PassedChannel is the name under which workers tell relays in other processes that a batch has passed, see MarkPassed; the
// notice carries the workflow's ID.
const PassedChannel = "notify_passed"
