-- +goose Up

-- Addresses that get no messages on a channel: of one notification, or of any when notification_id is empty. Addresses are
-- in their normal form and in lower case: an answer may come from another spelling of the address that was written to.
CREATE TABLE notify_suppressions (
    id              TEXT COLLATE "C" PRIMARY KEY,
    channel         TEXT COLLATE "C" NOT NULL,
    address         TEXT COLLATE "C" NOT NULL,
    notification_id TEXT COLLATE "C" NOT NULL,
    reason          TEXT COLLATE "C" NOT NULL,
    source          TEXT COLLATE "C" NOT NULL,
    delivery_id     TEXT COLLATE "C" NOT NULL,
    detail          TEXT NOT NULL,
    created_at      TIMESTAMPTZ NOT NULL,
    created_by      TEXT COLLATE "C" NOT NULL
);
CREATE UNIQUE INDEX notify_suppressions_once ON notify_suppressions (channel, address, notification_id);
CREATE INDEX notify_suppressions_channel ON notify_suppressions (channel, id);
CREATE INDEX notify_suppressions_reason ON notify_suppressions (reason, id);
CREATE INDEX notify_suppressions_address ON notify_suppressions (address, id);

-- When the provider said that it arrived.
-- Deliveries before attempts, as programs of before do that are still at work: whoever goes the other way waits for them
-- while they wait.
ALTER TABLE notify_deliveries ADD COLUMN delivered_at TIMESTAMPTZ;
-- What the provider called the message of each attempt: its reports name one of them, not always the last.
ALTER TABLE notify_attempts ADD COLUMN provider_id TEXT COLLATE "C" NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE notify_deliveries DROP COLUMN delivered_at;
ALTER TABLE notify_attempts DROP COLUMN provider_id;
DROP TABLE notify_suppressions;
