-- +goose Up

-- The suppressions of one notification, newest first.
CREATE INDEX notify_suppressions_notification ON notify_suppressions (notification_id, id) WHERE notification_id <> '';

-- The messages by which people have said that they want messages or none, by their provider's names: a callback that comes
-- again must not undo what the person has said since.
CREATE TABLE notify_answers (
    id       TEXT PRIMARY KEY,
    heard_at DATETIME NOT NULL
);

-- +goose Down
DROP TABLE notify_answers;
DROP INDEX notify_suppressions_notification;
