package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
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
	known, err := fs.Glob(migrations, "migrations/sqlite/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	next, have := fstest.MapFS{}, int64(0)
	for _, name := range known {
		if _, err := fmt.Sscanf(filepath.Base(name), "%d_", &have); err != nil {
			t.Fatalf("%s has no number: %v", name, err)
		}
		text, err := migrations.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		next[filepath.Base(name)] = &fstest.MapFile{Data: text}
	}
	next[fmt.Sprintf("%05d_next.sql", have+1)] = &fstest.MapFile{Data: []byte("-- +goose Up\nUPDATE meta SET value = 'blue' WHERE key = 'color';\n")}
	provider, err := goose.NewProvider(goose.DialectSQLite3, db.write, next, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		t.Fatal(err)
	}
	if from, err := db.upgrade(t.Context(), provider); from != have || err != nil {
		t.Fatalf("upgrade from %d: %v", from, err)
	}
	if got := color(t, fmt.Sprintf("%s.before-%d", path, have+1)); got != "red" {
		t.Errorf("the backup holds %q", got)
	}
	if got := color(t, path); got != "blue" {
		t.Errorf("the database holds %q", got)
	}
	if from, err := db.upgrade(t.Context(), provider); from != have+1 || err != nil {
		t.Errorf("a second upgrade from %d: %v", from, err)
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

// TestADatabaseOfTheFirstVersionIsBroughtUpToDate keeps what it holds.
func TestADatabaseOfTheFirstVersionIsBroughtUpToDate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "outband.db")
	if err := protect(path); err != nil {
		t.Fatal(err)
	}
	write, err := sql.Open("sqlite", dsn(path, "&_txlock=immediate"))
	if err != nil {
		t.Fatal(err)
	}
	first, err := migrations.ReadFile("migrations/sqlite/00001_loop.sql")
	if err != nil {
		t.Fatal(err)
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, write, fstest.MapFS{"00001_loop.sql": {Data: first}}, goose.WithDisableGlobalRegistry(true))
	if err == nil {
		_, err = provider.Up(t.Context())
	}
	if err == nil {
		_, err = write.ExecContext(t.Context(), `INSERT INTO meta (workspace_id, key, value) VALUES ('default', 'color', 'red')`)
	}
	if err := errors.Join(err, write.Close()); err != nil {
		t.Fatal(err)
	}
	db, err := Open(t.Context(), Configuration{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	if has, err := HasUsers(t.Context(), db.Read()); has || err != nil {
		t.Errorf("users: %t, %v", has, err)
	}
	if got := color(t, path); got != "red" {
		t.Errorf("the database holds %q", got)
	}
}

// TestTheSchemasOfBothDatabasesAreOne compares the columns of every table.
func TestTheSchemasOfBothDatabasesAreOne(t *testing.T) {
	columns := func(dialect string) map[string]string {
		out := map[string]string{}
		names, err := fs.Glob(migrations, "migrations/"+dialect+"/*.sql")
		if err != nil || len(names) == 0 {
			t.Fatal(names, err)
		}
		for _, name := range names {
			text, err := migrations.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range regexp.MustCompile(`(?s)CREATE TABLE (\w+) \((.*?)\n\);`).FindAllStringSubmatch(string(text), -1) {
				for line := range strings.Lines(m[2]) {
					line = strings.TrimSuffix(strings.TrimSpace(line), ",")
					if line == "" || strings.HasPrefix(line, "search ") { // Postgres's own full text.
						continue
					}
					line = strings.NewReplacer(` COLLATE "C"`, "", "BYTEA", "BLOB", " GENERATED BY DEFAULT AS IDENTITY", "").Replace(line)
					if strings.HasPrefix(line, "doc ") {
						line = "doc PRIMARY KEY"
					}
					out[m[1]] += strings.Join(strings.Fields(line), " ") + "\n"
				}
			}
		}
		return out
	}
	sqlite := columns("sqlite")
	if len(sqlite) < 25 {
		t.Errorf("%d tables", len(sqlite))
	}
	if diff := cmp.Diff(sqlite, columns("postgres")); diff != "" {
		t.Errorf("(-SQLite +Postgres):\n%s", diff)
	}
}

func TestServersThatDoNotSuit(t *testing.T) {
	for version, want := range map[string]string{"120022": CodePostgresOld, "90624": CodePostgresOld, "": CodePostgresOld, "130000": "", "180001": ""} {
		err := suits(version, "UTF8")
		if got := fmt.Sprint(err); (want == "") != (err == nil) || !strings.HasPrefix(got, want) && err != nil {
			t.Errorf("%s: %v, want %s", version, err, want)
		}
	}
	if err := suits("150000", "SQL_ASCII"); err == nil || !strings.HasPrefix(err.Error(), CodePostgresText) {
		t.Errorf("another encoding: %v", err)
	}
}
