-- +goose Up

-- People who may use the console. The email is in its normal form (lower case), and is their name in histories. Without a
-- password hash a person is invited, or signs in by OpenID Connect; identity is then "issuer subject". Sessions carry the
-- number that stamp had when they began, and end when it moves: at a new password, and at a deactivation.
CREATE TABLE notify_users (
    id              TEXT PRIMARY KEY,
    email           TEXT NOT NULL,
    name            TEXT NOT NULL,
    role            TEXT NOT NULL,
    active          BOOLEAN NOT NULL,
    password_hash   TEXT NOT NULL,
    identity        TEXT NOT NULL,
    stamp           INTEGER NOT NULL,
    created_at      DATETIME NOT NULL,
    updated_at      DATETIME NOT NULL,
    last_sign_in_at DATETIME
);
CREATE UNIQUE INDEX notify_users_email ON notify_users (email);
CREATE UNIQUE INDEX notify_users_identity ON notify_users (identity) WHERE identity <> '';
CREATE INDEX notify_users_admins ON notify_users (id) WHERE active AND role = 'admin';

-- Links that set a password, once. Only the token's hash is kept.
CREATE TABLE notify_invitations (
    id         TEXT PRIMARY KEY,
    user_id    TEXT NOT NULL REFERENCES notify_users (id) ON DELETE CASCADE,
    token_hash TEXT NOT NULL,
    created_by TEXT NOT NULL,
    created_at DATETIME NOT NULL,
    expires_at DATETIME NOT NULL,
    used_at    DATETIME
);
CREATE INDEX notify_invitations_expires ON notify_invitations (expires_at);
CREATE UNIQUE INDEX notify_invitations_token ON notify_invitations (token_hash);
CREATE INDEX notify_invitations_user ON notify_invitations (user_id);

-- Sessions of browsers. token is a hash. An ended one stays until it expires, so that a request that was under way when
-- it ended cannot bring it back.
CREATE TABLE notify_sessions (
    token      TEXT PRIMARY KEY,
    id         TEXT NOT NULL,
    user_id    TEXT NOT NULL,
    data       BLOB NOT NULL,
    address    TEXT NOT NULL,
    client     TEXT NOT NULL,
    created_at DATETIME NOT NULL,
    seen_at    DATETIME NOT NULL,
    expires_at DATETIME NOT NULL,
    ended_at   DATETIME
);
CREATE INDEX notify_sessions_user ON notify_sessions (user_id);
CREATE INDEX notify_sessions_expiry ON notify_sessions (expires_at);

-- Tokens of the REST API. Only the hash is kept; the prefix tells people which is which.
CREATE TABLE notify_api_tokens (
    id           TEXT PRIMARY KEY,
    name         TEXT NOT NULL,
    scopes       TEXT NOT NULL,
    hash         TEXT NOT NULL,
    prefix       TEXT NOT NULL,
    created_by   TEXT NOT NULL,
    created_at   DATETIME NOT NULL,
    expires_at   DATETIME,
    revoked_at   DATETIME,
    last_used_at DATETIME
);
CREATE UNIQUE INDEX notify_api_tokens_hash ON notify_api_tokens (hash);
CREATE UNIQUE INDEX notify_api_tokens_name ON notify_api_tokens (name) WHERE revoked_at IS NULL;
CREATE INDEX notify_api_tokens_maker ON notify_api_tokens (created_by);

-- Who changed what, and when.
CREATE TABLE notify_audit (
    id        TEXT PRIMARY KEY,
    at        DATETIME NOT NULL,
    actor     TEXT NOT NULL,
    action    TEXT NOT NULL,
    target    TEXT NOT NULL,
    target_id TEXT NOT NULL,
    detail    TEXT NOT NULL
);
CREATE INDEX notify_audit_actor ON notify_audit (actor, id);
CREATE INDEX notify_audit_action ON notify_audit (action, id);
CREATE INDEX notify_audit_target ON notify_audit (target, id);
CREATE INDEX notify_audit_target_id ON notify_audit (target_id, id);

-- +goose Down
DROP TABLE notify_audit;
DROP TABLE notify_api_tokens;
DROP TABLE notify_sessions;
DROP TABLE notify_invitations;
DROP TABLE notify_users;
