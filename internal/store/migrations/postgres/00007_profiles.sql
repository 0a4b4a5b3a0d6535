-- +goose Up

-- Versions of profiles (YAML) that authors made: own ones, and those that stand in the place of a built-in one of the same id. A removed version
-- (yaml is empty) ends the profile, or brings the built-in one back; a later version begins it again.
CREATE TABLE profiles (
    workspace_id TEXT COLLATE "C" NOT NULL,
    id           TEXT COLLATE "C" NOT NULL,
    version      BIGINT NOT NULL,
    yaml         TEXT COLLATE "C" NOT NULL,
    removed      BIGINT NOT NULL,
    created_at   BIGINT NOT NULL,
    created_by   TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (workspace_id, id, version)
);

-- Why an instance was found and why its finding was made, as JSON: numbers, ids and the detectors' own words, never the text. Empty: it was stored
-- before this was kept.
ALTER TABLE instances ADD COLUMN explanation TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE findings ADD COLUMN explanation TEXT COLLATE "C" NOT NULL DEFAULT '';
