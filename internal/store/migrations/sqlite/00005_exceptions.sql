-- +goose Up

-- Exceptions from policies, never deleted. Empty fields of the scope narrow nothing; actor_keys are keys of actors between commas, fingerprint and masked
-- are those of one value. suppressed counts exception_units, last_at is when one was seen last.
CREATE TABLE exceptions (
    workspace_id  TEXT   NOT NULL,
    id            TEXT   NOT NULL,
    policy_id     TEXT   NOT NULL,
    connection_id TEXT   NOT NULL,
    resource_kind TEXT   NOT NULL,
    resource_id   TEXT   NOT NULL,
    actor_keys    TEXT   NOT NULL,
    detector      TEXT   NOT NULL,
    fingerprint   TEXT   NOT NULL,
    masked        TEXT   NOT NULL,
    owner         TEXT   NOT NULL,
    reason        TEXT   NOT NULL,
    expires_at    BIGINT NOT NULL,
    created_at    BIGINT NOT NULL,
    created_by    TEXT   NOT NULL,
    updated_at    BIGINT NOT NULL,
    revoked_at    BIGINT NOT NULL,
    revoked_by    TEXT   NOT NULL,
    suppressed    BIGINT NOT NULL,
    last_at       BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, id)
);

-- The units (one instance.resource) that an exception kept from making a finding, each once.
CREATE TABLE exception_units (
    workspace_id  TEXT   NOT NULL,
    exception_id  TEXT   NOT NULL,
    resource_kind TEXT   NOT NULL,
    resource_id   TEXT   NOT NULL,
    first_at      BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, exception_id, resource_kind, resource_id)
);
CREATE INDEX exception_units_at ON exception_units (workspace_id, first_at);

-- What policies and detectors did, by hour since 1970, of all processes together. A policy's held are decisions that a pause held back; a detector's
-- matches are by band of confidence.
CREATE TABLE policy_stats (
    workspace_id TEXT   NOT NULL,
    policy_id    TEXT   NOT NULL,
    hour         BIGINT NOT NULL,
    evaluations  BIGINT NOT NULL,
    decisions    BIGINT NOT NULL,
    shadow       BIGINT NOT NULL,
    held         BIGINT NOT NULL,
    failures     BIGINT NOT NULL,
    nanos        BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, policy_id, hour)
);
CREATE TABLE detector_stats (
    workspace_id TEXT   NOT NULL,
    detector_id  TEXT   NOT NULL,
    hour         BIGINT NOT NULL,
    candidates   BIGINT NOT NULL,
    low          BIGINT NOT NULL,
    medium       BIGINT NOT NULL,
    high         BIGINT NOT NULL,
    very_high    BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, detector_id, hour)
);

-- Policies that cost or found too much, one row for each: paused, or with paused 0 only reported, as a locked one is. ended_at is 0 while it stands.
CREATE TABLE policy_pauses (
    workspace_id TEXT   NOT NULL,
    policy_id    TEXT   NOT NULL,
    reason       TEXT   NOT NULL,
    measured     BIGINT NOT NULL,
    bound        BIGINT NOT NULL,
    paused       BIGINT NOT NULL,
    held         BIGINT NOT NULL,
    at           BIGINT NOT NULL,
    ended_at     BIGINT NOT NULL,
    ended_by     TEXT   NOT NULL,
    PRIMARY KEY (workspace_id, policy_id)
);
