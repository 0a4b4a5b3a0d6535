-- +goose Up

-- People who sign in. email is in lower case; password_hash is Argon2id in PHC form, empty until a password is set.
CREATE TABLE users (
    workspace_id  TEXT   NOT NULL,
    id            TEXT   NOT NULL,
    email         TEXT   NOT NULL,
    name          TEXT   NOT NULL,
    role          TEXT   NOT NULL,
    password_hash TEXT   NOT NULL,
    created_at    BIGINT NOT NULL,
    updated_at    BIGINT NOT NULL,
    signed_in_at  BIGINT NOT NULL DEFAULT 0,
    disabled_at   BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (workspace_id, id)
);
CREATE UNIQUE INDEX users_email ON users (workspace_id, email);

-- Sessions are opaque: the cookie's text is 256 random bits, of which only a hash is here.
CREATE TABLE sessions (
    workspace_id TEXT   NOT NULL,
    id           TEXT   NOT NULL,
    user_id      TEXT   NOT NULL,
    hash         TEXT   NOT NULL,
    created_at   BIGINT NOT NULL,
    seen_at      BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, id)
);
CREATE UNIQUE INDEX sessions_hash ON sessions (workspace_id, hash);
CREATE INDEX sessions_user ON sessions (workspace_id, user_id);

-- Links that work once: the set-up of the first admin (no user), an invitation or new password, a sign-in of the demo.
CREATE TABLE sign_in_links (
    workspace_id TEXT   NOT NULL,
    id           TEXT   NOT NULL,
    purpose      TEXT   NOT NULL,
    user_id      TEXT   NOT NULL,
    hash         TEXT   NOT NULL,
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, id)
);
CREATE UNIQUE INDEX sign_in_links_hash ON sign_in_links (workspace_id, hash);

-- The request budget of one account behind connections, shared by all processes. Calls are granted for a few seconds ahead; a grant counts until
-- the minute after its end is over.
CREATE TABLE rate_budgets (
    workspace_id TEXT   NOT NULL,
    id           TEXT   NOT NULL,
    paused_until BIGINT NOT NULL,
    gap_us       BIGINT NOT NULL,
    slow_until   BIGINT NOT NULL,
    updated_at   BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, id)
);
CREATE TABLE rate_grants (
    workspace_id TEXT   NOT NULL,
    id           TEXT   NOT NULL,
    budget_id    TEXT   NOT NULL,
    calls        BIGINT NOT NULL,
    at           BIGINT NOT NULL,
    until_at     BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, id)
);
CREATE INDEX rate_grants_budget ON rate_grants (workspace_id, budget_id, until_at);

-- Who works on something that only one process may work on, and until when.
CREATE TABLE leases (
    workspace_id TEXT   NOT NULL,
    name         TEXT   NOT NULL,
    owner        TEXT   NOT NULL,
    until_at     BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, name)
);
