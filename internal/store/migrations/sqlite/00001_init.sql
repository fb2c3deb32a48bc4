-- +goose Up

-- The catalog: what the registered models look like, so that worker and console need no Go types of the application.
CREATE TABLE notify_models (
    name       TEXT PRIMARY KEY,
    definition TEXT NOT NULL,
    updated_at DATETIME NOT NULL
);

-- One row: counts the changes of all notifications. Whoever changes one holds this row's lock until it commits, so the
-- numbers become visible in order, and an event that carries one names exactly the rules that were in force.
CREATE TABLE notify_revision (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    revision INTEGER NOT NULL
);
INSERT INTO notify_revision (id, revision) VALUES (1, 1);

CREATE TABLE notify_notifications (
    id                 TEXT PRIMARY KEY,
    title              TEXT NOT NULL,
    message            TEXT NOT NULL,
    html_message       TEXT NOT NULL,
    active             BOOLEAN NOT NULL,
    channel            TEXT NOT NULL,
    model              TEXT NOT NULL,
    trigger_name       TEXT NOT NULL,
    value_change_field TEXT NOT NULL,
    date_field         TEXT NOT NULL,
    alert_days         INTEGER,
    conditions         TEXT NOT NULL,
    recipients         TEXT NOT NULL,
    version            INTEGER NOT NULL,
    created_at         DATETIME NOT NULL,
    updated_at         DATETIME NOT NULL
);
CREATE INDEX notify_notifications_watch ON notify_notifications (model, trigger_name) WHERE active;

-- Every state that a notification ever had. An event is judged by those whose revisions enclose its own.
CREATE TABLE notify_notification_versions (
    notification_id TEXT NOT NULL,
    version         INTEGER NOT NULL,
    revision_from   INTEGER NOT NULL,
    revision_to     INTEGER,
    model           TEXT NOT NULL,
    trigger_name    TEXT NOT NULL,
    active          BOOLEAN NOT NULL,
    definition      TEXT NOT NULL,
    changed_by      TEXT NOT NULL,
    changed_at      DATETIME NOT NULL,
    PRIMARY KEY (notification_id, version)
);
CREATE INDEX notify_notification_versions_match
    ON notify_notification_versions (model, trigger_name, revision_from) WHERE active;
CREATE INDEX notify_notification_versions_current
    ON notify_notification_versions (notification_id) WHERE revision_to IS NULL;

-- The outbox.
CREATE TABLE notify_events (
    id              TEXT PRIMARY KEY,
    model           TEXT NOT NULL,
    key             TEXT NOT NULL,
    action          TEXT NOT NULL,
    doc             TEXT,
    old_doc         TEXT,
    revision        INTEGER NOT NULL,
    source          TEXT NOT NULL,
    idempotency_key TEXT,
    status          TEXT NOT NULL,
    reason          TEXT NOT NULL,
    decisions       TEXT,
    batch_id        TEXT,
    workflow_id     TEXT NOT NULL,
    created_at      DATETIME NOT NULL,
    claimed_at      DATETIME,
    started_at      DATETIME,
    resolved_at     DATETIME,
    settled_at      DATETIME,
    checked_at      DATETIME
);
CREATE UNIQUE INDEX notify_events_idempotency ON notify_events (idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX notify_events_open ON notify_events (status, id) WHERE status <> 'settled';
CREATE INDEX notify_events_claimed ON notify_events (claimed_at) WHERE status = 'pending' AND batch_id IS NOT NULL;
CREATE INDEX notify_events_started ON notify_events (checked_at) WHERE status = 'started';
CREATE INDEX notify_events_batch ON notify_events (batch_id) WHERE batch_id IS NOT NULL;
CREATE INDEX notify_events_model ON notify_events (model, id);
CREATE INDEX notify_events_row ON notify_events (key, model, id);
CREATE INDEX notify_events_workflow ON notify_events (workflow_id) WHERE workflow_id <> '';

CREATE TABLE notify_deliveries (
    id                   TEXT PRIMARY KEY,
    event_id             TEXT NOT NULL,
    notification_id      TEXT NOT NULL,
    notification_version INTEGER NOT NULL,
    channel              TEXT NOT NULL,
    address              TEXT NOT NULL,
    subject              TEXT NOT NULL,
    body_text            TEXT NOT NULL,
    body_html            TEXT NOT NULL,
    status               TEXT NOT NULL,
    attempts             INTEGER NOT NULL,
    provider_id          TEXT NOT NULL,
    error_code           TEXT NOT NULL,
    workflow_id          TEXT NOT NULL,
    retry_event_id       TEXT NOT NULL,
    created_at           DATETIME NOT NULL,
    updated_at           DATETIME NOT NULL,
    claimed_at           DATETIME,
    sent_at              DATETIME
);
CREATE UNIQUE INDEX notify_deliveries_once ON notify_deliveries (event_id, notification_id, channel, address);
CREATE INDEX notify_deliveries_notification ON notify_deliveries (notification_id, id);
CREATE INDEX notify_deliveries_status ON notify_deliveries (status, id);
CREATE INDEX notify_deliveries_channel ON notify_deliveries (channel, id);
CREATE INDEX notify_deliveries_address ON notify_deliveries (address, id);
CREATE INDEX notify_deliveries_provider ON notify_deliveries (provider_id) WHERE provider_id <> '';
CREATE INDEX notify_deliveries_error ON notify_deliveries (error_code, id) WHERE error_code <> '';
CREATE INDEX notify_deliveries_retry ON notify_deliveries (retry_event_id) WHERE retry_event_id <> '';
CREATE INDEX notify_deliveries_workflow ON notify_deliveries (workflow_id, id);

-- What the provider answered, try by try.
CREATE TABLE notify_attempts (
    delivery_id TEXT NOT NULL,
    number      INTEGER NOT NULL,
    outcome     TEXT NOT NULL,
    code        TEXT NOT NULL,
    detail      TEXT NOT NULL,
    started_at  DATETIME NOT NULL,
    finished_at DATETIME NOT NULL,
    PRIMARY KEY (delivery_id, number)
);

-- The error log.
CREATE TABLE notify_errors (
    id              TEXT PRIMARY KEY,
    code            TEXT NOT NULL,
    source          TEXT NOT NULL,
    message         TEXT NOT NULL,
    event_id        TEXT NOT NULL,
    delivery_id     TEXT NOT NULL,
    notification_id TEXT NOT NULL,
    attempt         INTEGER NOT NULL,
    context         TEXT,
    resolved        BOOLEAN NOT NULL,
    resolved_at     DATETIME,
    dedup_key       TEXT NOT NULL,
    created_at      DATETIME NOT NULL
);
CREATE UNIQUE INDEX notify_errors_once ON notify_errors (dedup_key);
CREATE INDEX notify_errors_event ON notify_errors (event_id, id);
CREATE INDEX notify_errors_delivery ON notify_errors (delivery_id, id);
CREATE INDEX notify_errors_notification ON notify_errors (notification_id, id);
CREATE INDEX notify_errors_code ON notify_errors (code, id);
CREATE INDEX notify_errors_source ON notify_errors (source, id);
CREATE INDEX notify_errors_resolved ON notify_errors (resolved, id);

-- +goose Down
DROP TABLE notify_errors;
DROP TABLE notify_attempts;
DROP TABLE notify_deliveries;
DROP TABLE notify_events;
DROP TABLE notify_notification_versions;
DROP TABLE notify_notifications;
DROP TABLE notify_revision;
DROP TABLE notify_models;
