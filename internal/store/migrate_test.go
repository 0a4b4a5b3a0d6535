package store

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/pressly/goose/v3"
)

// withColor makes a database with something in it.
func withColor(t *testing.T, path string) *DB {
	t.Helper()
	db, err := Open(t.Context(), Configuration{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Write(t.Context(), func(tx *Tx) error { return SetMeta(t.Context(), tx, "color", "red") }); err != nil {
		t.Fatal(err)
	}
	return db
}

func TestTheBackupIsWholeAndClosedToOthers(t *testing.T) {
	dir := t.TempDir()
	db := withColor(t, filepath.Join(dir, "outband.db"))
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	to := filepath.Join(dir, "outband.db.before-2")
	// What a kill in the middle of an earlier copy leaves.
	if err := os.WriteFile(to+".part", []byte("half a database"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := db.backup(t.Context(), to); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(to + ".part"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the unfinished copy stays: %v", err)
	}
	info, err := os.Stat(to)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("backup: %v, %v", info, err)
	}
	if got := color(t, to); got != "red" {
		t.Errorf("the backup holds %q", got)
	}
	// An upgrade that is tried again keeps the first backup, which is the one from before.
	if err := db.Write(t.Context(), func(tx *Tx) error { return SetMeta(t.Context(), tx, "color", "blue") }); err != nil {
		t.Fatal(err)
	}
	if err := db.backup(t.Context(), to); err != nil {
		t.Fatal(err)
	}
	if got := color(t, to); got != "red" {
		t.Errorf("after a second try the backup holds %q", got)
	}
}

func TestAnUpgradeCopiesTheDatabaseFirst(t *testing.T) {
	path := filepath.Join(t.TempDir(), "outband.db")
	db := withColor(t, path)
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	first, err := migrations.ReadFile("migrations/sqlite/00001_loop.sql")
	if err != nil {
		t.Fatal(err)
	}
	next := fstest.MapFS{
		"00001_loop.sql": {Data: first},
		"00002_next.sql": {Data: []byte("-- +goose Up\nUPDATE meta SET value = 'blue' WHERE key = 'color';\n")},
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, db.write, next, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		t.Fatal(err)
	}
	if have, err := db.upgrade(t.Context(), provider); have != 1 || err != nil {
		t.Fatalf("upgrade from %d: %v", have, err)
	}
	if got := color(t, path+".before-2"); got != "red" {
		t.Errorf("the backup holds %q", got)
	}
	if got := color(t, path); got != "blue" {
		t.Errorf("the database holds %q", got)
	}
	if have, err := db.upgrade(t.Context(), provider); have != 2 || err != nil {
		t.Errorf("a second upgrade from %d: %v", have, err)
	}
	// The version of before, opening it now, refuses.
	if _, err := Open(t.Context(), Configuration{Path: path}); !errors.Is(err, ErrNewerSchema) {
		t.Errorf("Open: %v", err)
	}
}

func color(t *testing.T, path string) (value string) {
	t.Helper()
	db, err := sql.Open("sqlite", dsn(path, "&_pragma=query_only(1)"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	if value, err = GetMeta(context.Background(), db, "color"); err != nil {
		t.Fatal(err)
	}
	return value
}
