-- +goose Up

-- What lists of notifications are sorted and searched by, in lower case: the program keeps both, which knows the letters of
-- every language. What is here already is brought near enough, and is exact from its next change on.
ALTER TABLE notify_notifications ADD COLUMN sort_title TEXT NOT NULL DEFAULT '';
ALTER TABLE notify_notifications ADD COLUMN search_text TEXT NOT NULL DEFAULT '';
UPDATE notify_notifications SET sort_title = LOWER(SUBSTR(title, 1, 100)), search_text = LOWER(title || CHAR(10) || message || CHAR(10) ||
    REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(recipients, '"address":', ''), '"document_field":', ''), '"list_id":', ''), '"query":', ''), '"copy":', ''));
CREATE INDEX notify_notifications_title ON notify_notifications (sort_title, id);
CREATE INDEX notify_notifications_changed ON notify_notifications (updated_at, id);
CREATE INDEX notify_notifications_created ON notify_notifications (created_at, id);
CREATE INDEX notify_notifications_model ON notify_notifications (model, id);
CREATE INDEX notify_notifications_channel ON notify_notifications (channel, id);
CREATE INDEX notify_notifications_trigger ON notify_notifications (trigger_name, id);
CREATE INDEX notify_notifications_active ON notify_notifications (active, id);

-- What one change did, so that it can be taken back.
CREATE INDEX notify_notification_versions_revision ON notify_notification_versions (revision_from) WHERE revision_to IS NULL;

-- A file of notifications between its upload and its import, so that any web process can carry on with it.
CREATE TABLE notify_rule_files (
    id          TEXT PRIMARY KEY,
    name        TEXT NOT NULL,
    content     BLOB NOT NULL,
    created_by  TEXT NOT NULL,
    created_at  DATETIME NOT NULL
);
CREATE INDEX notify_rule_files_age ON notify_rule_files (created_at);

-- +goose Down
DROP TABLE notify_rule_files;
DROP INDEX notify_notification_versions_revision;
DROP INDEX notify_notifications_active;
DROP INDEX notify_notifications_trigger;
DROP INDEX notify_notifications_channel;
DROP INDEX notify_notifications_model;
DROP INDEX notify_notifications_created;
DROP INDEX notify_notifications_changed;
DROP INDEX notify_notifications_title;
ALTER TABLE notify_notifications DROP COLUMN search_text;
ALTER TABLE notify_notifications DROP COLUMN sort_title;
