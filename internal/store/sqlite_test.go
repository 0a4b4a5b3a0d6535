package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/outband/outband/internal/store"
	"github.com/outband/outband/internal/store/storetest"
)

func open(t *testing.T, path string) *store.DB {
	t.Helper()
	return storetest.Connect(t, store.Configuration{Path: path})
}

// raw opens a second connection to a database, as a person with the file would.
func raw(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func exec(t *testing.T, db *sql.DB, query string, args ...any) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), query, args...); err != nil {
		t.Fatal(err)
	}
}

func TestSQLite(t *testing.T) {
	storetest.Run(t, func(t *testing.T) *store.DB { return storetest.Open(t, filepath.Join(t.TempDir(), "outband.db")) })
}

// TestWritersOfSeveralProcesses opens the file once for each writer, as processes do. Deferred transactions fail here by the dozen.
func TestWritersOfSeveralProcesses(t *testing.T) {
	const writers, each = 8, 50
	path := filepath.Join(t.TempDir(), "outband.db")
	errs := make(chan error, writers)
	dbs := make([]*store.DB, writers)
	for i := range dbs {
		dbs[i] = open(t, path)
	}
	for _, db := range dbs {
		go func() {
			for range each {
				if err := db.Write(t.Context(), func(tx *store.Tx) error { return storetest.Increment(t.Context(), tx, "n") }); err != nil {
					errs <- err
					return
				}
			}
			errs <- nil
		}()
	}
	for range writers {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if got, err := store.GetMeta(t.Context(), dbs[0].Read(), "n"); err != nil || got != fmt.Sprint(writers*each) {
		t.Errorf("%s increments, %v", got, err)
	}
}

// TestOpenedByTwoAtOnce is a command that runs beside the first start of a server.
func TestOpenedByTwoAtOnce(t *testing.T) {
	for range 3 {
		path := filepath.Join(t.TempDir(), "outband.db")
		errs := make(chan error, 4)
		for range cap(errs) {
			go func() {
				db, err := store.Open(context.Background(), store.Configuration{Path: path})
				if err == nil {
					err = db.Close()
				}
				errs <- err
			}()
		}
		for range cap(errs) {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
	}
}

func TestFilesAreClosedToOthers(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "outband.db")
	db := open(t, path)
	if err := db.Write(t.Context(), func(tx *store.Tx) error { return store.SetMeta(t.Context(), tx, "a", "b") }); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) < 3 {
		t.Fatalf("%d files, %v: want the database, its log and its shared memory", len(entries), err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", e.Name(), info.Mode(), err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	// A backup that was copied back by hand.
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	open(t, path)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("opened again: %v, %v", info.Mode(), err)
	}
}

func TestPathsAreTakenLiterally(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a b.db", "a?mode=memory.db", "a%41.db", "a#b.db", "ü:memory:.db"} {
		db := open(t, filepath.Join(dir, name))
		if err := db.Write(t.Context(), func(tx *store.Tx) error { return store.SetMeta(t.Context(), tx, "name", name) }); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"a b.db", "a?mode=memory.db", "a%41.db", "a#b.db", "ü:memory:.db"} {
		db := open(t, filepath.Join(dir, name))
		if got, err := store.GetMeta(t.Context(), db.Read(), "name"); err != nil || got != name {
			t.Errorf("%s holds %q, %v", name, got, err)
		}
	}
}

func TestANewerSchemaIsRefusedAndLeftAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "outband.db")
	if err := open(t, path).Close(); err != nil {
		t.Fatal(err)
	}
	exec(t, raw(t, path), `INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, 1)`)
	db, err := store.Open(t.Context(), store.Configuration{Path: path})
	if !errors.Is(err, store.ErrNewerSchema) {
		t.Errorf("Open: %v, %v", db, err)
	}
	var n int
	if err := raw(t, path).QueryRowContext(t.Context(), `SELECT COUNT(*) FROM goose_db_version WHERE version_id = 99999`).Scan(&n); err != nil || n != 1 {
		t.Errorf("%d rows, %v", n, err)
	}
}

func TestAuditRowsAreAppendOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "outband.db")
	db := open(t, path)
	audit(t, db, 2)
	other := raw(t, path)
	for _, q := range []string{`UPDATE audit SET actor = 'usr_2' WHERE seq = 1`, `DELETE FROM audit WHERE seq = 2`, `DELETE FROM audit`} {
		if _, err := other.ExecContext(t.Context(), q); err == nil || !strings.Contains(err.Error(), "append-only") {
			t.Errorf("%s: %v", q, err)
		}
	}
	if n, _, err := store.VerifyAudit(t.Context(), db.Read()); n != 2 || err != nil {
		t.Errorf("VerifyAudit: %d, %v", n, err)
	}
}

// TestNothingChangesWhileTheAuditLogCannotBeWritten upholds invariant 11.
func TestNothingChangesWhileTheAuditLogCannotBeWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "outband.db")
	db := open(t, path)
	audit(t, db, 1)
	other := raw(t, path)
	exec(t, other, `CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'the disk is full'); END`)
	change := func() error {
		return db.Write(t.Context(), func(tx *store.Tx) error {
			if err := store.SetMeta(t.Context(), tx, "color", "red"); err != nil {
				return err
			}
			return store.AppendAudit(t.Context(), tx, "usr_1", "meta.set", "color", nil)
		})
	}
	if err := change(); err == nil {
		t.Error("the change was made")
	}
	if _, err := store.GetMeta(t.Context(), db.Read(), "color"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the change is stored: %v", err)
	}
	exec(t, other, `DROP TRIGGER full`)
	if err := change(); err != nil {
		t.Errorf("once it can be written again: %v", err)
	}

	// A database that another program keeps locked.
	ctx, cancel := context.WithCancel(t.Context())
	holder, err := other.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := holder.ExecContext(t.Context(), `BEGIN IMMEDIATE`); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := db.Write(ctx, func(tx *store.Tx) error { return store.AppendAudit(ctx, tx, "usr_1", "x", "y", nil) }); err == nil {
		t.Error("wrote past the lock of another program")
	}
	if _, err := holder.ExecContext(t.Context(), `ROLLBACK`); err != nil {
		t.Fatal(err)
	}
	if err := holder.Close(); err != nil {
		t.Fatal(err)
	}
	if n, _, err := store.VerifyAudit(t.Context(), db.Read()); n != 2 || err != nil {
		t.Errorf("VerifyAudit: %d, %v", n, err)
	}
}

func audit(t *testing.T, db *store.DB, n int) {
	t.Helper()
	err := db.Write(t.Context(), func(tx *store.Tx) error {
		for i := range n {
			if err := store.AppendAudit(t.Context(), tx, fmt.Sprint("usr_", i%3), "finding.triage", fmt.Sprint("fnd_", i), map[string]string{"to": fmt.Sprint(i)}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
