-- +goose Up

-- Addresses that get no messages on a channel: of one notification, or of any when notification_id is empty. Addresses are
-- in their normal form and in lower case: an answer may come from another spelling of the address that was written to.
CREATE TABLE notify_suppressions (
    id              TEXT PRIMARY KEY,
    channel         TEXT NOT NULL,
    address         TEXT NOT NULL,
    notification_id TEXT NOT NULL,
    reason          TEXT NOT NULL,
    source          TEXT NOT NULL,
    delivery_id     TEXT NOT NULL,
    detail          TEXT NOT NULL,
    created_at      DATETIME NOT NULL,
    created_by      TEXT NOT NULL
);
CREATE UNIQUE INDEX notify_suppressions_once ON notify_suppressions (channel, address, notification_id);
CREATE INDEX notify_suppressions_channel ON notify_suppressions (channel, id);
CREATE INDEX notify_suppressions_reason ON notify_suppressions (reason, id);
CREATE INDEX notify_suppressions_address ON notify_suppressions (address, id);

-- When the provider said that it arrived.
ALTER TABLE notify_deliveries ADD COLUMN delivered_at DATETIME;
-- What the provider called the message of each attempt: its reports name one of them, not always the last.
ALTER TABLE notify_attempts ADD COLUMN provider_id TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE notify_deliveries DROP COLUMN delivered_at;
ALTER TABLE notify_attempts DROP COLUMN provider_id;
DROP TABLE notify_suppressions;
