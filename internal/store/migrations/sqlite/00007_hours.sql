-- +goose Up

-- How many deliveries of each hour (since 1970, UTC, by creation) ended how, for charts: exact, whatever changes a row.
-- Those that have not ended are few and are counted when somebody asks. There is one writer at a time here, so that no
-- transaction waits for another's count.
CREATE TABLE notify_delivery_hours (
    hour    INTEGER NOT NULL,
    channel TEXT NOT NULL,
    status  TEXT NOT NULL,
    n       INTEGER NOT NULL,
    PRIMARY KEY (hour, channel, status)
) WITHOUT ROWID;

-- +goose StatementBegin
CREATE TRIGGER notify_deliveries_count_new AFTER INSERT ON notify_deliveries
WHEN NEW.status NOT IN ('pending', 'sending')
BEGIN
    INSERT INTO notify_delivery_hours (hour, channel, status, n)
    VALUES (CAST(strftime('%s', NEW.created_at) AS INTEGER) / 3600, NEW.channel, NEW.status, 1)
    ON CONFLICT (hour, channel, status) DO UPDATE SET n = n + 1;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER notify_deliveries_count_ended AFTER UPDATE OF status ON notify_deliveries
WHEN NEW.status <> OLD.status AND NEW.status NOT IN ('pending', 'sending')
BEGIN
    INSERT INTO notify_delivery_hours (hour, channel, status, n)
    VALUES (CAST(strftime('%s', NEW.created_at) AS INTEGER) / 3600, NEW.channel, NEW.status, 1)
    ON CONFLICT (hour, channel, status) DO UPDATE SET n = n + 1;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER notify_deliveries_count_changed AFTER UPDATE OF status ON notify_deliveries
WHEN NEW.status <> OLD.status AND OLD.status NOT IN ('pending', 'sending')
BEGIN
    UPDATE notify_delivery_hours SET n = n - 1
    WHERE hour = CAST(strftime('%s', OLD.created_at) AS INTEGER) / 3600 AND channel = OLD.channel AND status = OLD.status;
END;
-- +goose StatementEnd

INSERT INTO notify_delivery_hours (hour, channel, status, n)
SELECT CAST(strftime('%s', created_at) AS INTEGER) / 3600, channel, status, COUNT(*) FROM notify_deliveries
WHERE status NOT IN ('pending', 'sending') GROUP BY 1, 2, 3;

-- +goose Down
DROP TRIGGER notify_deliveries_count_changed;
DROP TRIGGER notify_deliveries_count_ended;
DROP TRIGGER notify_deliveries_count_new;
DROP TABLE notify_delivery_hours;
