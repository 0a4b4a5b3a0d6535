-- +goose Up

-- Every version of the custom detectors; yaml is empty in the version that removed one.
CREATE TABLE detectors (
    workspace_id TEXT COLLATE "C" NOT NULL,
    id           TEXT COLLATE "C" NOT NULL,
    version      BIGINT NOT NULL,
    yaml         TEXT COLLATE "C" NOT NULL,
    created_at   BIGINT NOT NULL,
    created_by   TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (workspace_id, id, version)
);

-- Lists of words. Their text is in stock_chunks, sealed.
CREATE TABLE dictionaries (
    workspace_id   TEXT COLLATE "C" NOT NULL,
    id             TEXT COLLATE "C" NOT NULL,
    title          TEXT COLLATE "C" NOT NULL,
    version        BIGINT NOT NULL,
    digest         TEXT COLLATE "C" NOT NULL,
    entries        BIGINT NOT NULL,
    size           BIGINT NOT NULL,
    case_sensitive BIGINT NOT NULL,
    updated_at     BIGINT NOT NULL,
    updated_by     TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (workspace_id, id)
);

-- Tables of exact values. Their file, which holds keyed digests, is in stock_chunks, and their key among the credentials. version is 0 before the first file.
CREATE TABLE exact_tables (
    workspace_id TEXT COLLATE "C" NOT NULL,
    id           TEXT COLLATE "C" NOT NULL,
    title        TEXT COLLATE "C" NOT NULL,
    version      BIGINT NOT NULL,
    digest       TEXT COLLATE "C" NOT NULL,
    key_id       TEXT COLLATE "C" NOT NULL,
    columns      TEXT COLLATE "C" NOT NULL,
    rows_n       BIGINT NOT NULL,
    cells        BIGINT NOT NULL,
    size         BIGINT NOT NULL,
    memory       BIGINT NOT NULL,
    updated_at   BIGINT NOT NULL,
    updated_by   TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (workspace_id, id)
);

CREATE TABLE stock_chunks (
    workspace_id TEXT COLLATE "C" NOT NULL,
    owner_id     TEXT COLLATE "C" NOT NULL,
    version      BIGINT NOT NULL,
    n            BIGINT NOT NULL,
    data         BYTEA NOT NULL,
    PRIMARY KEY (workspace_id, owner_id, version, n)
);
