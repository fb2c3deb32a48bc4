package outbox

// Channel is the name under which Postgres tells relays in other processes of new events (LISTEN and NOTIFY).
const Channel = "notify_outbox"
