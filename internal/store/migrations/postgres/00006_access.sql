-- +goose Up

-- People who may use the console. The email is in its normal form (lower case), and is their name in histories. Without a
-- password hash a person is invited, or signs in by OpenID Connect; identity is then "issuer subject". Sessions carry the
-- number that stamp had when they began, and end when it moves: at a new password, and at a deactivation.
CREATE TABLE notify_users (
    id              TEXT COLLATE "C" PRIMARY KEY,
    email           TEXT COLLATE "C" NOT NULL,
    name            TEXT NOT NULL,
    role            TEXT NOT NULL,
    active          BOOLEAN NOT NULL,
    password_hash   TEXT NOT NULL,
    identity        TEXT COLLATE "C" NOT NULL,
    stamp           BIGINT NOT NULL,
    created_at      TIMESTAMPTZ NOT NULL,
    updated_at      TIMESTAMPTZ NOT NULL,
    last_sign_in_at TIMESTAMPTZ
);
CREATE UNIQUE INDEX notify_users_email ON notify_users (email);
CREATE UNIQUE INDEX notify_users_identity ON notify_users (identity) WHERE identity <> '';
CREATE INDEX notify_users_admins ON notify_users (id) WHERE active AND role = 'admin';

-- Links that set a password, once. Only the token's hash is kept.
CREATE TABLE notify_invitations (
    id         TEXT COLLATE "C" PRIMARY KEY,
    user_id    TEXT COLLATE "C" NOT NULL REFERENCES notify_users (id) ON DELETE CASCADE,
    token_hash TEXT COLLATE "C" NOT NULL,
    created_by TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    used_at    TIMESTAMPTZ
);
CREATE INDEX notify_invitations_expires ON notify_invitations (expires_at);
CREATE UNIQUE INDEX notify_invitations_token ON notify_invitations (token_hash);
CREATE INDEX notify_invitations_user ON notify_invitations (user_id);

-- Sessions of browsers. token is a hash. An ended one stays until it expires, so that a request that was under way when
-- it ended cannot bring it back.
CREATE TABLE notify_sessions (
    token      TEXT COLLATE "C" PRIMARY KEY,
    id         TEXT COLLATE "C" NOT NULL,
    user_id    TEXT COLLATE "C" NOT NULL,
    data       BYTEA NOT NULL,
    address    TEXT NOT NULL,
    client     TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    seen_at    TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    ended_at   TIMESTAMPTZ
);
CREATE INDEX notify_sessions_user ON notify_sessions (user_id);
CREATE INDEX notify_sessions_expiry ON notify_sessions (expires_at);

-- Tokens of the REST API. Only the hash is kept; the prefix tells people which is which.
CREATE TABLE notify_api_tokens (
    id           TEXT COLLATE "C" PRIMARY KEY,
    name         TEXT COLLATE "C" NOT NULL,
    scopes       TEXT NOT NULL,
    hash         TEXT COLLATE "C" NOT NULL,
    prefix       TEXT NOT NULL,
    created_by   TEXT COLLATE "C" NOT NULL,
    created_at   TIMESTAMPTZ NOT NULL,
    expires_at   TIMESTAMPTZ,
    revoked_at   TIMESTAMPTZ,
    last_used_at TIMESTAMPTZ
);
CREATE UNIQUE INDEX notify_api_tokens_hash ON notify_api_tokens (hash);
CREATE UNIQUE INDEX notify_api_tokens_name ON notify_api_tokens (name) WHERE revoked_at IS NULL;
CREATE INDEX notify_api_tokens_maker ON notify_api_tokens (created_by);

-- Who changed what, and when.
CREATE TABLE notify_audit (
    id        TEXT COLLATE "C" PRIMARY KEY,
    at        TIMESTAMPTZ NOT NULL,
    actor     TEXT COLLATE "C" NOT NULL,
    action    TEXT COLLATE "C" NOT NULL,
    target    TEXT COLLATE "C" NOT NULL,
    target_id TEXT COLLATE "C" NOT NULL,
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
