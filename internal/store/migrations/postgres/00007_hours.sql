-- +goose Up

-- How many deliveries of each hour (since 1970, UTC, by creation) ended how, for charts: exact, whatever changes a row.
-- Those that have not ended are few and are counted when somebody asks.
CREATE TABLE notify_delivery_hours (
    hour    BIGINT NOT NULL,
    channel TEXT COLLATE "C" NOT NULL,
    status  TEXT COLLATE "C" NOT NULL,
    n       BIGINT NOT NULL,
    PRIMARY KEY (hour, channel, status)
);

-- What is not yet in the table above. Transactions only append here, so that none waits for another's count; the web app
-- folds the rows into the counts every few seconds.
CREATE TABLE notify_delivery_changes (
    hour    BIGINT NOT NULL,
    channel TEXT NOT NULL,
    status  TEXT NOT NULL,
    n       BIGINT NOT NULL
);

-- +goose StatementBegin
CREATE FUNCTION notify_count_new_deliveries() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO notify_delivery_changes (hour, channel, status, n)
    SELECT floor(extract(epoch FROM created_at) / 3600)::bigint, channel, status, COUNT(*) FROM new_rows
    WHERE status NOT IN ('pending', 'sending') GROUP BY 1, 2, 3;
    RETURN NULL;
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE FUNCTION notify_count_changed_deliveries() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO notify_delivery_changes (hour, channel, status, n)
    SELECT floor(extract(epoch FROM created_at) / 3600)::bigint, channel, status, SUM(one) FROM (
        SELECT created_at, channel, status, 1 AS one FROM new_rows WHERE status NOT IN ('pending', 'sending')
        UNION ALL
        SELECT created_at, channel, status, -1 FROM old_rows WHERE status NOT IN ('pending', 'sending')
    ) changes GROUP BY 1, 2, 3 HAVING SUM(one) <> 0;
    RETURN NULL;
END $$;
-- +goose StatementEnd

CREATE TRIGGER notify_deliveries_count_new AFTER INSERT ON notify_deliveries
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION notify_count_new_deliveries();
CREATE TRIGGER notify_deliveries_count_changed AFTER UPDATE ON notify_deliveries
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION notify_count_changed_deliveries();

INSERT INTO notify_delivery_hours (hour, channel, status, n)
SELECT floor(extract(epoch FROM created_at) / 3600)::bigint, channel, status, COUNT(*) FROM notify_deliveries
WHERE status NOT IN ('pending', 'sending') GROUP BY 1, 2, 3;

-- +goose Down
DROP TRIGGER notify_deliveries_count_changed ON notify_deliveries;
DROP TRIGGER notify_deliveries_count_new ON notify_deliveries;
DROP FUNCTION notify_count_changed_deliveries;
DROP FUNCTION notify_count_new_deliveries;
DROP TABLE notify_delivery_changes;
DROP TABLE notify_delivery_hours;
