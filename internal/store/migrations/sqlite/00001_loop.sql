-- +goose Up
-- Times are integer microseconds, UTC. Every table has workspace_id, and it is part of every unique key.

CREATE TABLE meta (
    workspace_id TEXT NOT NULL,
    key          TEXT NOT NULL,
    value        TEXT NOT NULL,
    PRIMARY KEY (workspace_id, key)
);

CREATE TABLE connections (
    workspace_id  TEXT   NOT NULL,
    id            TEXT   NOT NULL,
    name          TEXT   NOT NULL,
    connector     TEXT   NOT NULL,
    account_id    TEXT   NOT NULL,
    account_name  TEXT   NOT NULL,
    key_kind      TEXT   NOT NULL,
    config        TEXT   NOT NULL,
    every_us      BIGINT NOT NULL,
    backfill_from BIGINT NOT NULL,
    state         TEXT   NOT NULL,
    state_code    TEXT   NOT NULL,
    state_message TEXT   NOT NULL,
    created_at    BIGINT NOT NULL,
    updated_at    BIGINT NOT NULL,
    deleted_at    BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (workspace_id, id)
);
CREATE UNIQUE INDEX connections_account ON connections (workspace_id, connector, account_id, key_kind);

-- Sealed secrets of connections and destinations; owner_id is the con_ or dst_ id.
CREATE TABLE credentials (
    workspace_id TEXT   NOT NULL,
    owner_id     TEXT   NOT NULL,
    field        TEXT   NOT NULL,
    sealed       TEXT   NOT NULL,
    updated_at   BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, owner_id, field)
);

CREATE TABLE checkpoints (
    workspace_id  TEXT   NOT NULL,
    connection_id TEXT   NOT NULL,
    stream        TEXT   NOT NULL,
    lane          TEXT   NOT NULL,
    slice         TEXT   NOT NULL,
    cursor        TEXT   NOT NULL,
    done          BIGINT NOT NULL,
    watermark_at  BIGINT NOT NULL,
    pages         BIGINT NOT NULL,
    failures      BIGINT NOT NULL,
    error         TEXT   NOT NULL,
    updated_at    BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, connection_id, stream, lane, slice)
);

CREATE TABLE items (
    workspace_id  TEXT   NOT NULL,
    connection_id TEXT   NOT NULL,
    kind          TEXT   NOT NULL,
    id            TEXT   NOT NULL,
    stream        TEXT   NOT NULL,
    version       TEXT   NOT NULL,
    ruleset       TEXT   NOT NULL,
    state         TEXT   NOT NULL,
    reason        TEXT   NOT NULL,
    tries         BIGINT NOT NULL,
    first_try_at  BIGINT NOT NULL,
    next_try_at   BIGINT NOT NULL,
    item_at       BIGINT NOT NULL,
    size          BIGINT NOT NULL,
    result        TEXT   NOT NULL,
    updated_at    BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, connection_id, kind, id)
);
CREATE INDEX items_due ON items (workspace_id, connection_id, state, next_try_at);

-- Where an item of its own (a file) is shown: one row for each resource that holds it.
CREATE TABLE item_places (
    workspace_id  TEXT   NOT NULL,
    connection_id TEXT   NOT NULL,
    kind          TEXT   NOT NULL,
    id            TEXT   NOT NULL,
    resource_kind TEXT   NOT NULL,
    resource_id   TEXT   NOT NULL,
    resource_name TEXT   NOT NULL,
    resource_url  TEXT   NOT NULL,
    actor_key     TEXT   NOT NULL,
    placed_at     BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, connection_id, kind, id, resource_kind, resource_id)
);

-- Activities with every string masked, kept 180 days.
CREATE TABLE activities (
    workspace_id  TEXT   NOT NULL,
    connection_id TEXT   NOT NULL,
    id            TEXT   NOT NULL,
    type          TEXT   NOT NULL,
    at            BIGINT NOT NULL,
    actor_key     TEXT   NOT NULL,
    resource_kind TEXT   NOT NULL,
    resource_id   TEXT   NOT NULL,
    fields        TEXT   NOT NULL,
    PRIMARY KEY (workspace_id, connection_id, id)
);
CREATE INDEX activities_type ON activities (workspace_id, connection_id, type, at);
CREATE INDEX activities_actor ON activities (workspace_id, connection_id, actor_key, at);
CREATE INDEX activities_resource ON activities (workspace_id, connection_id, resource_id, at);

-- All personal data of SaaS people stands here only; every other table holds the key, so erasing a person is one row. doc is the row's number
-- in actors_fts: a rowid of its own would not survive VACUUM.
CREATE TABLE actors (
    doc           INTEGER PRIMARY KEY,
    workspace_id  TEXT   NOT NULL,
    connection_id TEXT   NOT NULL,
    key           TEXT   NOT NULL,
    vendor_id     TEXT   NOT NULL,
    email         TEXT   NOT NULL,
    name          TEXT   NOT NULL,
    type          TEXT   NOT NULL,
    role          TEXT   NOT NULL,
    updated_at    BIGINT NOT NULL,
    tokens        TEXT   NOT NULL DEFAULT '',
    UNIQUE (workspace_id, key)
);

-- Full text over actors.tokens. Go makes the tokens; the ascii tokenizer only splits at the spaces between them. secure-delete leaves nothing
-- of an erased person in the index.
CREATE VIRTUAL TABLE actors_fts USING fts5 (tokens, content='actors', content_rowid='doc', tokenize="ascii");
INSERT INTO actors_fts (actors_fts, rank) VALUES ('secure-delete', 1);
-- +goose StatementBegin
CREATE TRIGGER actors_fts_insert AFTER INSERT ON actors BEGIN
    INSERT INTO actors_fts (rowid, tokens) VALUES (new.doc, new.tokens);
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER actors_fts_update AFTER UPDATE OF tokens ON actors WHEN old.tokens <> new.tokens BEGIN
    INSERT INTO actors_fts (actors_fts, rowid, tokens) VALUES ('delete', old.doc, old.tokens);
    INSERT INTO actors_fts (rowid, tokens) VALUES (new.doc, new.tokens);
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER actors_fts_delete AFTER DELETE ON actors BEGIN
    INSERT INTO actors_fts (actors_fts, rowid, tokens) VALUES ('delete', old.doc, old.tokens);
END;
-- +goose StatementEnd

CREATE TABLE coverage_counts (
    workspace_id  TEXT   NOT NULL,
    connection_id TEXT   NOT NULL,
    stream        TEXT   NOT NULL,
    outcome       TEXT   NOT NULL,
    reason        TEXT   NOT NULL,
    n             BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, connection_id, stream, outcome, reason)
);

CREATE TABLE coverage_intervals (
    workspace_id  TEXT   NOT NULL,
    connection_id TEXT   NOT NULL,
    stream        TEXT   NOT NULL,
    from_at       BIGINT NOT NULL,
    to_at         BIGINT NOT NULL,
    state         TEXT   NOT NULL,
    reason        TEXT   NOT NULL,
    updated_at    BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, connection_id, stream, from_at, to_at)
);

-- doc is the finding's number in findings_fts and in the columns in memory; it survives VACUUM. detectors is ",a,b," so that one is found by
-- its name between commas.
CREATE TABLE findings (
    doc              INTEGER PRIMARY KEY,
    workspace_id     TEXT   NOT NULL,
    id               TEXT   NOT NULL,
    policy_id        TEXT   NOT NULL,
    policy_version   BIGINT NOT NULL,
    kind             TEXT   NOT NULL,
    severity         TEXT   NOT NULL,
    status           TEXT   NOT NULL,
    source           TEXT   NOT NULL,
    title            TEXT   NOT NULL,
    connection_id    TEXT   NOT NULL,
    connector        TEXT   NOT NULL,
    resource_kind    TEXT   NOT NULL,
    resource_id      TEXT   NOT NULL,
    resource_name    TEXT   NOT NULL,
    resource_url     TEXT   NOT NULL,
    actor_key        TEXT   NOT NULL,
    first_seen_at    BIGINT NOT NULL,
    last_seen_at     BIGINT NOT NULL,
    occurred_at      BIGINT NOT NULL,
    last_occurred_at BIGINT NOT NULL,
    detectors        TEXT   NOT NULL,
    instance_count   BIGINT NOT NULL,
    finding_seq      BIGINT NOT NULL,
    last_seq         BIGINT NOT NULL,
    tokens           TEXT   NOT NULL,
    UNIQUE (workspace_id, id)
);
CREATE UNIQUE INDEX findings_seen ON findings (workspace_id, first_seen_at, id);
CREATE INDEX findings_resource ON findings (workspace_id, connection_id, resource_kind, resource_id);

-- Full text over findings.tokens. Go makes the tokens; the ascii tokenizer only splits at the spaces between them.
CREATE VIRTUAL TABLE findings_fts USING fts5 (tokens, content='findings', content_rowid='doc', tokenize="ascii");
-- +goose StatementBegin
CREATE TRIGGER findings_fts_insert AFTER INSERT ON findings BEGIN
    INSERT INTO findings_fts (rowid, tokens) VALUES (new.doc, new.tokens);
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER findings_fts_update AFTER UPDATE OF tokens ON findings WHEN old.tokens <> new.tokens BEGIN
    INSERT INTO findings_fts (findings_fts, rowid, tokens) VALUES ('delete', old.doc, old.tokens);
    INSERT INTO findings_fts (rowid, tokens) VALUES (new.doc, new.tokens);
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER findings_fts_delete AFTER DELETE ON findings BEGIN
    INSERT INTO findings_fts (findings_fts, rowid, tokens) VALUES ('delete', old.doc, old.tokens);
END;
-- +goose StatementEnd

CREATE TABLE instances (
    workspace_id  TEXT   NOT NULL,
    id            TEXT   NOT NULL,
    finding_id    TEXT   NOT NULL,
    resource_kind TEXT   NOT NULL,
    resource_id   TEXT   NOT NULL,
    part          TEXT   NOT NULL,
    path          TEXT   NOT NULL,
    start_at      BIGINT NOT NULL,
    end_at        BIGINT NOT NULL,
    line          BIGINT NOT NULL,
    detector      TEXT   NOT NULL,
    confidence    DOUBLE PRECISION NOT NULL,
    validated     BIGINT NOT NULL,
    masked        TEXT   NOT NULL,
    before_shape  TEXT   NOT NULL,
    after_shape   TEXT   NOT NULL,
    context       TEXT   NOT NULL,
    fingerprint   TEXT   NOT NULL,
    count         BIGINT NOT NULL,
    occurred_at   BIGINT NOT NULL,
    first_seen_at BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, id)
);
CREATE INDEX instances_finding ON instances (workspace_id, finding_id, first_seen_at, id);

-- The true number of instances for each (finding, instance.resource), also past the cap of stored rows.
CREATE TABLE instance_counts (
    workspace_id  TEXT   NOT NULL,
    finding_id    TEXT   NOT NULL,
    resource_kind TEXT   NOT NULL,
    resource_id   TEXT   NOT NULL,
    n             BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, finding_id, resource_kind, resource_id)
);

-- Fingerprints that a person's resolved, accepted_risk or false_positive covers.
CREATE TABLE finding_covered (
    workspace_id TEXT NOT NULL,
    finding_id   TEXT NOT NULL,
    fingerprint  TEXT NOT NULL,
    PRIMARY KEY (workspace_id, finding_id, fingerprint)
);

CREATE TABLE finding_log (
    workspace_id TEXT   NOT NULL,
    seq          BIGINT NOT NULL,
    epoch        BIGINT NOT NULL,
    finding_id   TEXT   NOT NULL,
    finding_seq  BIGINT NOT NULL,
    type         TEXT   NOT NULL,
    at           BIGINT NOT NULL,
    actor        TEXT   NOT NULL,
    reason       TEXT   NOT NULL,
    snapshot     TEXT   NOT NULL,
    PRIMARY KEY (workspace_id, seq)
);
CREATE UNIQUE INDEX finding_log_finding ON finding_log (workspace_id, finding_id, finding_seq, epoch);

CREATE TABLE consumers (
    workspace_id TEXT   NOT NULL,
    id           TEXT   NOT NULL,
    seq          BIGINT NOT NULL,
    updated_at   BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, id)
);

CREATE TABLE destinations (
    workspace_id  TEXT   NOT NULL,
    id            TEXT   NOT NULL,
    name          TEXT   NOT NULL,
    kind          TEXT   NOT NULL,
    config        TEXT   NOT NULL,
    filter        TEXT   NOT NULL,
    state         TEXT   NOT NULL,
    state_message TEXT   NOT NULL,
    created_at    BIGINT NOT NULL,
    updated_at    BIGINT NOT NULL,
    deleted_at    BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (workspace_id, id)
);

CREATE TABLE deliveries (
    workspace_id   TEXT   NOT NULL,
    destination_id TEXT   NOT NULL,
    event_id       TEXT   NOT NULL,
    seq            BIGINT NOT NULL,
    epoch          BIGINT NOT NULL,
    finding_id     TEXT   NOT NULL,
    finding_seq    BIGINT NOT NULL,
    type           TEXT   NOT NULL,
    state          TEXT   NOT NULL,
    tries          BIGINT NOT NULL,
    first_try_at   BIGINT NOT NULL,
    next_try_at    BIGINT NOT NULL,
    delivered_at   BIGINT NOT NULL,
    status         BIGINT NOT NULL,
    reason         TEXT   NOT NULL,
    created_at     BIGINT NOT NULL,
    updated_at     BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, destination_id, event_id)
);
CREATE INDEX deliveries_due ON deliveries (workspace_id, destination_id, state, next_try_at);
CREATE INDEX deliveries_finding ON deliveries (workspace_id, destination_id, finding_id, state, seq);
CREATE INDEX deliveries_seq ON deliveries (workspace_id, destination_id, seq);

CREATE TABLE policies (
    workspace_id TEXT   NOT NULL,
    id           TEXT   NOT NULL,
    version      BIGINT NOT NULL,
    yaml         TEXT   NOT NULL,
    created_at   BIGINT NOT NULL,
    created_by   TEXT   NOT NULL,
    PRIMARY KEY (workspace_id, id, version)
);

CREATE TABLE overrides (
    workspace_id TEXT   NOT NULL,
    kind         TEXT   NOT NULL,
    id           TEXT   NOT NULL,
    severity     TEXT   NOT NULL,
    mode         TEXT   NOT NULL,
    updated_at   BIGINT NOT NULL,
    updated_by   TEXT   NOT NULL,
    PRIMARY KEY (workspace_id, kind, id)
);

CREATE TABLE scans (
    workspace_id  TEXT   NOT NULL,
    id            TEXT   NOT NULL,
    connection_id TEXT   NOT NULL,
    state         TEXT   NOT NULL,
    cause         TEXT   NOT NULL,
    workflow_id   TEXT   NOT NULL,
    run_id        TEXT   NOT NULL,
    queued_at     BIGINT NOT NULL,
    started_at    BIGINT NOT NULL,
    finished_at   BIGINT NOT NULL,
    items_read    BIGINT NOT NULL,
    items_scanned BIGINT NOT NULL,
    items_skipped BIGINT NOT NULL,
    findings_new  BIGINT NOT NULL,
    progress      TEXT   NOT NULL,
    error_code    TEXT   NOT NULL,
    error         TEXT   NOT NULL,
    updated_at    BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, id)
);
CREATE INDEX scans_connection ON scans (workspace_id, connection_id, queued_at, id);
CREATE INDEX scans_state ON scans (workspace_id, state, connection_id);

CREATE TABLE tokens (
    workspace_id TEXT   NOT NULL,
    id           TEXT   NOT NULL,
    name         TEXT   NOT NULL,
    role         TEXT   NOT NULL,
    hash         TEXT   NOT NULL,
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    last_used_at BIGINT NOT NULL,
    revoked_at   BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (workspace_id, id)
);
CREATE UNIQUE INDEX tokens_hash ON tokens (workspace_id, hash);

-- Append-only; each row carries the hash of the one before. Rows hold ids only.
CREATE TABLE audit (
    workspace_id TEXT   NOT NULL,
    seq          BIGINT NOT NULL,
    at           BIGINT NOT NULL,
    actor        TEXT   NOT NULL,
    action       TEXT   NOT NULL,
    object       TEXT   NOT NULL,
    detail       TEXT   NOT NULL,
    prev_hash    TEXT   NOT NULL,
    hash         TEXT   NOT NULL,
    PRIMARY KEY (workspace_id, seq)
);
-- +goose StatementBegin
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN
    SELECT RAISE(ABORT, 'audit rows are append-only');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit BEGIN
    SELECT RAISE(ABORT, 'audit rows are append-only');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER finding_log_no_update BEFORE UPDATE ON finding_log BEGIN
    SELECT RAISE(ABORT, 'log rows are append-only');
END;
-- +goose StatementEnd
