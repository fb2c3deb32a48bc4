-- +goose Up

-- Which events take turns with each other: a lane is served in the order of time, and of several each gets its share.
ALTER TABLE notify_events ADD COLUMN lane TEXT COLLATE "C" NOT NULL DEFAULT '';
-- When every delivery of the event's workflow had been tried once, though the event is not settled.
ALTER TABLE notify_events ADD COLUMN passed_at TIMESTAMPTZ;
CREATE INDEX notify_events_waiting ON notify_events (lane, id) WHERE status = 'pending' AND batch_id IS NULL;

-- +goose Down
DROP INDEX notify_events_waiting;
ALTER TABLE notify_events DROP COLUMN passed_at;
ALTER TABLE notify_events DROP COLUMN lane;
