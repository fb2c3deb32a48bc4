-- +goose Up

-- Nothing: on Postgres this version says when to vacuum, and SQLite uses the pages of deleted rows again by itself. Both
-- databases count the same versions.
SELECT 1;

-- +goose Down
SELECT 1;
