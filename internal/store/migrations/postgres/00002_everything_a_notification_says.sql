-- +goose Up

-- A notification as it is now, whole, as JSON; the columns beside it are those that lists are filtered and searched by.
ALTER TABLE notify_notifications ADD COLUMN definition TEXT;
UPDATE notify_notifications SET definition = (
    SELECT v.definition FROM notify_notification_versions v
    WHERE v.notification_id = notify_notifications.id AND v.revision_to IS NULL
);
ALTER TABLE notify_notifications DROP COLUMN html_message;
ALTER TABLE notify_notifications DROP COLUMN value_change_field;
ALTER TABLE notify_notifications DROP COLUMN date_field;
ALTER TABLE notify_notifications DROP COLUMN alert_days;
ALTER TABLE notify_notifications DROP COLUMN conditions;

-- What the change was: created, changed, activated, deactivated, deleted; empty for those of before.
ALTER TABLE notify_notification_versions ADD COLUMN change TEXT NOT NULL DEFAULT '';

-- A date alert concerns one notification; every other event has none here.
ALTER TABLE notify_events ADD COLUMN notification_id TEXT COLLATE "C" NOT NULL DEFAULT '';

-- What a delivery needs besides its address and texts, as JSON: copies, reply-to, template, attachments.
ALTER TABLE notify_deliveries ADD COLUMN details TEXT;
ALTER TABLE notify_deliveries ADD COLUMN locale TEXT NOT NULL DEFAULT '';
-- Zero means that the settings' apply.
ALTER TABLE notify_deliveries ADD COLUMN retry_attempts INTEGER NOT NULL DEFAULT 0;
ALTER TABLE notify_deliveries ADD COLUMN retry_interval BIGINT NOT NULL DEFAULT 0;
ALTER TABLE notify_deliveries ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;
ALTER TABLE notify_deliveries ADD COLUMN valid_until TIMESTAMPTZ;

-- Saved lists of recipients.
CREATE TABLE notify_lists (
    id         TEXT COLLATE "C" PRIMARY KEY,
    name       TEXT NOT NULL,
    entries    TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
);
CREATE UNIQUE INDEX notify_lists_name ON notify_lists (name);

-- Which state of a notification its Temporal schedule was last brought in step with.
CREATE TABLE notify_alert_schedules (
    notification_id TEXT COLLATE "C" PRIMARY KEY,
    version         BIGINT NOT NULL,
    applied_at      TIMESTAMPTZ NOT NULL
);

CREATE INDEX notify_notifications_dates ON notify_notifications (id) WHERE trigger_name IN ('days_before', 'days_after');

-- How far the last scan of a date alert has come: its keys do not travel through Temporal.
CREATE TABLE notify_alert_scans (
    notification_id TEXT COLLATE "C" PRIMARY KEY,
    scan            TEXT NOT NULL,
    until           TIMESTAMPTZ NOT NULL,
    after_key       TEXT NOT NULL,
    updated_at      TIMESTAMPTZ NOT NULL
);

-- What was imported from elsewhere, so that a repeated import finds it. While the notification has the version that the
-- import gave it, nobody has changed it here.
CREATE TABLE notify_imports (
    source          TEXT COLLATE "C" PRIMARY KEY,
    notification_id TEXT COLLATE "C" NOT NULL,
    digest          TEXT NOT NULL,
    version         BIGINT NOT NULL,
    imported_at     TIMESTAMPTZ NOT NULL
);

-- +goose Down
DROP TABLE notify_imports;
DROP INDEX notify_notifications_dates;
DROP TABLE notify_alert_scans;
DROP TABLE notify_alert_schedules;
DROP TABLE notify_lists;
ALTER TABLE notify_deliveries DROP COLUMN valid_until;
ALTER TABLE notify_deliveries DROP COLUMN priority;
ALTER TABLE notify_deliveries DROP COLUMN retry_interval;
ALTER TABLE notify_deliveries DROP COLUMN retry_attempts;
ALTER TABLE notify_deliveries DROP COLUMN locale;
ALTER TABLE notify_deliveries DROP COLUMN details;
ALTER TABLE notify_events DROP COLUMN notification_id;
ALTER TABLE notify_notification_versions DROP COLUMN change;
ALTER TABLE notify_notifications ADD COLUMN html_message TEXT NOT NULL DEFAULT '';
ALTER TABLE notify_notifications ADD COLUMN value_change_field TEXT NOT NULL DEFAULT '';
ALTER TABLE notify_notifications ADD COLUMN date_field TEXT NOT NULL DEFAULT '';
ALTER TABLE notify_notifications ADD COLUMN alert_days INTEGER;
ALTER TABLE notify_notifications ADD COLUMN conditions TEXT NOT NULL DEFAULT '';
UPDATE notify_notifications SET
    html_message = COALESCE(definition::json ->> 'html_message', ''),
    value_change_field = COALESCE(definition::json ->> 'value_change_field', ''),
    date_field = COALESCE(definition::json ->> 'date_field', ''),
    alert_days = (definition::json ->> 'alert_days')::integer,
    conditions = COALESCE(definition::json ->> 'conditions', '');
ALTER TABLE notify_notifications DROP COLUMN definition;
