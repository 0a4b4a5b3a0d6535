-- +goose Up

-- Why a version of a custom policy was made. A retired version ends the policy: its yaml is empty, and nothing asks it any more.
ALTER TABLE policies ADD COLUMN reason TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE policies ADD COLUMN retired BIGINT NOT NULL DEFAULT 0;

-- What policies in shadow would have made findings of. It stands apart from the findings, so that nothing of it is listed, counted or delivered with them.
CREATE TABLE shadow_findings (
    workspace_id   TEXT COLLATE "C" NOT NULL,
    id             TEXT COLLATE "C" NOT NULL,
    policy_id      TEXT COLLATE "C" NOT NULL,
    policy_version BIGINT NOT NULL,
    severity       TEXT COLLATE "C" NOT NULL,
    connection_id  TEXT COLLATE "C" NOT NULL,
    resource_kind  TEXT COLLATE "C" NOT NULL,
    resource_id    TEXT COLLATE "C" NOT NULL,
    resource_name  TEXT COLLATE "C" NOT NULL,
    resource_url   TEXT COLLATE "C" NOT NULL,
    first_seen_at  BIGINT NOT NULL,
    last_seen_at   BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, id)
);
CREATE INDEX shadow_findings_policy ON shadow_findings (workspace_id, policy_id, first_seen_at, id);
