-- +goose Up

-- When hand-overs of a channel may begin, for all workers together. Times are microseconds since 1970 by the database's
-- clock: the workers' own clocks differ.
CREATE TABLE notify_pace (
    channel      TEXT PRIMARY KEY,
    next_at      INTEGER NOT NULL DEFAULT 0, -- the first moment that nobody has reserved
    paused_until INTEGER NOT NULL DEFAULT 0,
    -- What the last one who asked was told: SQLite can return no more than what stands in the row.
    asked_at     INTEGER NOT NULL DEFAULT 0,
    begin_at     INTEGER NOT NULL DEFAULT 0,
    granted      INTEGER NOT NULL DEFAULT 0
);

-- Who hands over at the moment, one row for each hand-over that a channel may have under way at once.
CREATE TABLE notify_pace_leases (
    channel    TEXT NOT NULL,
    slot       INTEGER NOT NULL,
    holder     TEXT NOT NULL DEFAULT '',
    held_until INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (channel, slot)
);

-- +goose Down
DROP TABLE notify_pace_leases;
DROP TABLE notify_pace;
