-- +goose Up

-- The suppressions of one notification, newest first.
CREATE INDEX notify_suppressions_notification ON notify_suppressions (notification_id, id) WHERE notification_id <> '';

-- The messages by which people have said that they want messages or none, by their provider's names: a callback that comes
-- again must not undo what the person has said since.
CREATE TABLE notify_answers (
    id       TEXT PRIMARY KEY,
    heard_at DATETIME NOT NULL
);

-- The number of the last attempt before a person had the delivery opened again: that one and those before it are not in doubt.
ALTER TABLE notify_deliveries ADD COLUMN doubt_ended INTEGER NOT NULL DEFAULT 0;

-- Whose message it is that Twilio names. Emails are known by their delivery and stay out.
CREATE INDEX notify_attempts_provider ON notify_attempts (provider_id) WHERE provider_id <> '' AND provider_id NOT LIKE '%@%';

-- +goose Down
DROP INDEX notify_attempts_provider;
ALTER TABLE notify_deliveries DROP COLUMN doubt_ended;
DROP TABLE notify_answers;
DROP INDEX notify_suppressions_notification;
