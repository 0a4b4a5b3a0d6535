-- +goose Up

-- Why a version of a custom policy was made. A retired version ends the policy: its yaml is empty, and nothing asks it any more.
ALTER TABLE policies ADD COLUMN reason TEXT NOT NULL DEFAULT '';
ALTER TABLE policies ADD COLUMN retired BIGINT NOT NULL DEFAULT 0;
