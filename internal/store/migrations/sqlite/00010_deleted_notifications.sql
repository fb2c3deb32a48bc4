-- +goose Up

-- What was deleted last, so that it can be found and brought back.
CREATE INDEX notify_notification_versions_deleted ON notify_notification_versions (revision_from, notification_id)
    WHERE revision_to IS NULL AND change = 'deleted';

-- +goose Down
DROP INDEX notify_notification_versions_deleted;
