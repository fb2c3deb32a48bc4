-- +goose Up

-- Random keys that every process must have alike and nobody needs to set, each by what it is for. A key that goes makes
-- worthless what was signed with it: the links to unsubscribe of every email so far.
CREATE TABLE notify_secrets (
    purpose    TEXT COLLATE "C" PRIMARY KEY,
    value      BYTEA NOT NULL,
    created_at TIMESTAMPTZ NOT NULL
);

-- +goose Down
DROP TABLE notify_secrets;
