-- +goose Up

-- What became of every unit (one instance.resource), by the day of its own time: day counts from 1970, 0 where the time is not known. Read is the
-- sum of the outcomes.
CREATE TABLE coverage_units (
    workspace_id  TEXT   NOT NULL,
    connection_id TEXT   NOT NULL,
    stream        TEXT   NOT NULL,
    day           BIGINT NOT NULL,
    unit          TEXT   NOT NULL,
    outcome       TEXT   NOT NULL,
    reason        TEXT   NOT NULL,
    n             BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, connection_id, stream, day, unit, outcome, reason)
);
INSERT INTO coverage_units (workspace_id, connection_id, stream, day, unit, outcome, reason, n)
    SELECT workspace_id, connection_id, stream, 0, '', outcome, reason, n FROM coverage_counts WHERE outcome <> 'read';
DROP TABLE coverage_counts;

-- place: where the next fetch of the item goes on. actor_key and deleted_at: whose it was, and when its user deleted it.
ALTER TABLE items ADD COLUMN place TEXT NOT NULL DEFAULT '';
ALTER TABLE items ADD COLUMN actor_key TEXT NOT NULL DEFAULT '';
ALTER TABLE items ADD COLUMN deleted_at BIGINT NOT NULL DEFAULT 0;
CREATE INDEX items_deleted ON items (workspace_id, connection_id, deleted_at);

-- What policies ask of a resource, so that an item that is worked again from its row is judged as it was.
ALTER TABLE item_places ADD COLUMN owner TEXT NOT NULL DEFAULT '';
ALTER TABLE item_places ADD COLUMN visibility TEXT NOT NULL DEFAULT '';
ALTER TABLE item_places ADD COLUMN project TEXT NOT NULL DEFAULT '';

ALTER TABLE connections ADD COLUMN backfill_paused BIGINT NOT NULL DEFAULT 0;
-- What the last test of the key said of it, as JSON: scopes, organisations, since when there is data.
ALTER TABLE connections ADD COLUMN key_facts TEXT NOT NULL DEFAULT '';

-- Rows of snapshots, with their past: a row stands from valid_from until valid_to, which is 0 for the one that stands now. fields and about are JSON
-- with every string masked; about is what a finding points to. digest, keyed, is of the fields as they were read, and tells whether they changed.
-- seen_at is the beginning of the snapshot that held it last; missed counts the whole snapshots in a row that did not hold it.
CREATE TABLE records (
    workspace_id  TEXT   NOT NULL,
    connection_id TEXT   NOT NULL,
    kind          TEXT   NOT NULL,
    id            TEXT   NOT NULL,
    valid_from    BIGINT NOT NULL,
    valid_to      BIGINT NOT NULL,
    stream        TEXT   NOT NULL,
    scope         TEXT   NOT NULL,
    actor_key     TEXT   NOT NULL,
    about         TEXT   NOT NULL,
    fields        TEXT   NOT NULL,
    digest        TEXT   NOT NULL,
    at            BIGINT NOT NULL,
    seen_at       BIGINT NOT NULL,
    missed        BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, connection_id, kind, id, valid_from)
);
CREATE UNIQUE INDEX records_now ON records (workspace_id, connection_id, kind, id) WHERE valid_to = 0;
CREATE INDEX records_stream ON records (workspace_id, connection_id, stream, valid_to, seen_at);
CREATE INDEX records_changed ON records (workspace_id, connection_id, valid_from);
CREATE INDEX records_ended ON records (workspace_id, connection_id, valid_to) WHERE valid_to > 0;

-- The single values of the records that stand, as text: what standing() counts. A long one is cut off.
CREATE TABLE record_values (
    workspace_id  TEXT   NOT NULL,
    connection_id TEXT   NOT NULL,
    kind          TEXT   NOT NULL,
    field         TEXT   NOT NULL,
    value         TEXT   NOT NULL,
    id            TEXT   NOT NULL,
    PRIMARY KEY (workspace_id, connection_id, kind, field, value, id)
);

-- The last snapshot of each stream: whole, partial (some scopes are missing, named in missing) or unavailable; empty until one has ended. whole_at is
-- the end of the last one that was whole. It is being read while began_at is after ended_at; rules are the policies that were in force when it began.
CREATE TABLE snapshots (
    workspace_id  TEXT   NOT NULL,
    connection_id TEXT   NOT NULL,
    stream        TEXT   NOT NULL,
    began_at      BIGINT NOT NULL,
    ended_at      BIGINT NOT NULL,
    whole_at      BIGINT NOT NULL,
    state         TEXT   NOT NULL,
    missing       TEXT   NOT NULL,
    records       BIGINT NOT NULL,
    rules         TEXT   NOT NULL,
    PRIMARY KEY (workspace_id, connection_id, stream)
);

-- Which version of which posture policy has judged the records of a stream that stand.
CREATE TABLE posture_runs (
    workspace_id  TEXT   NOT NULL,
    connection_id TEXT   NOT NULL,
    stream        TEXT   NOT NULL,
    policy_id     TEXT   NOT NULL,
    version       TEXT   NOT NULL,
    judged_at     BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, connection_id, stream, policy_id)
);

-- The records for which a posture finding stands: one row for each (finding, record). fine_at is the beginning of the snapshot in which the policy was
-- false for it, 0: it was true when it was last judged; gone says that the record stands no longer.
CREATE TABLE posture_causes (
    workspace_id  TEXT   NOT NULL,
    finding_id    TEXT   NOT NULL,
    connection_id TEXT   NOT NULL,
    policy_id     TEXT   NOT NULL,
    stream        TEXT   NOT NULL,
    scope         TEXT   NOT NULL,
    kind          TEXT   NOT NULL,
    id            TEXT   NOT NULL,
    fine_at       BIGINT NOT NULL,
    gone          BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, finding_id, kind, id)
);
CREATE INDEX posture_causes_record ON posture_causes (workspace_id, connection_id, kind, id);
CREATE INDEX posture_causes_fine ON posture_causes (workspace_id, connection_id, stream, fine_at);

-- Own calls: a run is one process that calls with a connection's key. stopped_at is 0 until it ended in order; flushed_at: the ids of its requests
-- are stored up to then. connection_id is empty for the tests of keys that are not saved.
-- proven: the app's log has shown a signature of it.
CREATE TABLE call_runs (
    workspace_id  TEXT   NOT NULL,
    run           TEXT   NOT NULL,
    connection_id TEXT   NOT NULL,
    started_at    BIGINT NOT NULL,
    flushed_at    BIGINT NOT NULL,
    stopped_at    BIGINT NOT NULL,
    proven        BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, run)
);
CREATE INDEX call_runs_connection ON call_runs (workspace_id, connection_id, started_at);

-- Numbers of calls that the app's log has shown, each once, and the row that showed it. A row that only its request proves has its own id as run, and 0.
CREATE TABLE calls_seen (
    workspace_id TEXT   NOT NULL,
    run          TEXT   NOT NULL,
    n            BIGINT NOT NULL,
    activity_id  TEXT   NOT NULL,
    request_id   TEXT   NOT NULL,
    at           BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, run, n)
);
CREATE INDEX calls_seen_at ON calls_seen (workspace_id, at);

-- The app's ids of our own requests, kept for 48 hours.
CREATE TABLE call_requests (
    workspace_id  TEXT   NOT NULL,
    connection_id TEXT   NOT NULL,
    request_id    TEXT   NOT NULL,
    at            BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, connection_id, request_id)
);
CREATE INDEX call_requests_at ON call_requests (workspace_id, at);

-- The app's ids of the keys that a connection calls with.
CREATE TABLE own_keys (
    workspace_id  TEXT   NOT NULL,
    connection_id TEXT   NOT NULL,
    key_id        TEXT   NOT NULL,
    first_seen_at BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, connection_id, key_id)
);

-- Rows of the app's log of calls that nobody can judge yet: made with a key that is not known as the connection's own. They are judged when it is.
CREATE TABLE calls_undecided (
    workspace_id  TEXT   NOT NULL,
    connection_id TEXT   NOT NULL,
    activity_id   TEXT   NOT NULL,
    key_id        TEXT   NOT NULL,
    request_id    TEXT   NOT NULL,
    at            BIGINT NOT NULL,
    noted_at      BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, connection_id, activity_id)
);
CREATE INDEX calls_undecided_key ON calls_undecided (workspace_id, connection_id, key_id);
CREATE INDEX calls_undecided_noted ON calls_undecided (workspace_id, noted_at);
