-- +goose Up

-- What did not come by the plugin is rare and looked for: calls of the API, alerts, retries and test messages by hand.
CREATE INDEX notify_events_source ON notify_events (source, id) WHERE source <> 'plugin';

-- What one press has resolved can be opened again as one.
CREATE INDEX notify_errors_resolved_at ON notify_errors (resolved_at) WHERE resolved_at IS NOT NULL;

-- Retries of everything that a filter matches: they go on in steps, whoever looks.
CREATE TABLE notify_bulk_retries (
    id         TEXT PRIMARY KEY,
    filter     TEXT NOT NULL,
    actor      TEXT NOT NULL,
    status     TEXT NOT NULL,
    total      INTEGER NOT NULL,
    after_id   TEXT NOT NULL,
    until_id   TEXT NOT NULL,
    accepted   INTEGER NOT NULL,
    skipped    INTEGER NOT NULL,
    created_at DATETIME NOT NULL,
    updated_at DATETIME NOT NULL,
    ended_at   DATETIME
);
CREATE INDEX notify_bulk_retries_ended ON notify_bulk_retries (ended_at) WHERE status <> 'running';
CREATE INDEX notify_bulk_retries_running ON notify_bulk_retries (id) WHERE status = 'running';

-- +goose Down
DROP TABLE notify_bulk_retries;
DROP INDEX notify_errors_resolved_at;
DROP INDEX notify_events_source;
