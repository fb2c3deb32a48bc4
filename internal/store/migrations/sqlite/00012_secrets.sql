-- +goose Up

-- Random keys that every process must have alike and nobody needs to set, each by what it is for. A key that goes makes
-- worthless what was signed with it: the links to unsubscribe of every email so far.
CREATE TABLE notify_secrets (
    purpose    TEXT PRIMARY KEY,
    value      BLOB NOT NULL,
    created_at DATETIME NOT NULL
);

-- +goose Down
DROP TABLE notify_secrets;
