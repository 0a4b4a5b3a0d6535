-- +goose Up

-- Where in a document an instance stands: page, sheet and cell, slide, paragraph and the like, as JSON with masked names. Empty: the part and the path
-- say all.
ALTER TABLE instances ADD COLUMN place TEXT NOT NULL DEFAULT '';
ALTER TABLE instances ADD COLUMN line_column BIGINT NOT NULL DEFAULT 0;

-- Results of scanned contents, by a keyed digest of the bytes: the same file is scanned once under one ruleset, wherever and under whatever name and id it
-- appears.
CREATE TABLE contents (
    workspace_id TEXT NOT NULL,
    digest       TEXT NOT NULL,
    ruleset      TEXT NOT NULL,
    result       TEXT NOT NULL,
    updated_at   BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, digest)
);
CREATE INDEX contents_age ON contents (updated_at);

-- How the ledger counts a version of a file: read again under other rules, it is counted in place of what it was.
ALTER TABLE items ADD COLUMN counted TEXT NOT NULL DEFAULT '';
