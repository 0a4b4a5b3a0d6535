package store_test

import (
	"context"
	"errors"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/outband/outband/internal/store"
	"github.com/outband/outband/internal/store/storetest"
	"github.com/outband/outband/internal/testserver"
)

func TestPostgres(t *testing.T) {
	storetest.Run(t, func(t *testing.T) *store.DB { return testserver.OpenPostgres(t) })
}

func TestProcessesThatStartAtOnceMigrateOnce(t *testing.T) {
	dsn := testserver.Postgres(t)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			db, err := store.Open(t.Context(), store.Configuration{Postgres: dsn})
			if err != nil {
				t.Error(err)
				return
			}
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if db := testserver.Connect(t, dsn); db.Dialect() != store.Postgres {
		t.Errorf("dialect %s", db.Dialect())
	}
}

// TestWritersOfTwoProcessesAreSerial: what one reads before it writes, no other changes meanwhile, and the audit log stays one chain.
func TestWritersOfTwoProcessesAreSerial(t *testing.T) {
	dsn := testserver.PostgresStore(t) + "&default_transaction_isolation=serializable" // as a server may have it
	processes := []*store.DB{testserver.Connect(t, dsn), testserver.Connect(t, dsn)}
	const writers, each = 4, 25
	var group sync.WaitGroup
	for i := range writers {
		db := processes[i%len(processes)]
		group.Go(func() {
			for range each {
				if err := db.Write(t.Context(), func(tx *store.Tx) error {
					return store.AppendAudit(t.Context(), tx, "system", "test", "object", nil)
				}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	if n, _, err := store.VerifyAudit(t.Context(), processes[0].Read()); n != writers*each || err != nil {
		t.Errorf("%d rows, %v", n, err)
	}
}

func TestPostgresRowsAreAppendOnly(t *testing.T) {
	db := testserver.OpenPostgres(t)
	ctx := t.Context()
	if err := db.Write(ctx, func(tx *store.Tx) error {
		if _, err := tx.ExecContext(ctx, `INSERT INTO finding_log (workspace_id, seq, epoch, finding_id, finding_seq, type, at, actor, reason, snapshot) VALUES ('default', 1, 1, 'fnd_1', 1, '', 0, '', '', '{}')`); err != nil {
			return err
		}
		return store.AppendAudit(ctx, tx, "system", "test", "object", nil)
	}); err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{
		`UPDATE audit SET actor = 'x'`, `DELETE FROM audit`, `TRUNCATE audit`, `UPDATE finding_log SET actor = 'x'`, `TRUNCATE finding_log`,
	} {
		err := db.Write(ctx, func(tx *store.Tx) error { _, err := tx.ExecContext(ctx, statement); return err })
		if err == nil || !strings.Contains(err.Error(), "append-only") {
			t.Errorf("%s: %v", statement, err)
		}
	}
}

// TestForeignTextIsStored: Postgres takes no NUL and no broken UTF-8, and foreign text may hold both. What the caller passes stays as it is.
func TestForeignTextIsStored(t *testing.T) {
	db := testserver.OpenPostgres(t)
	ctx := t.Context()
	type named string
	args := []any{store.Workspace, named("a\x00b"), "c\xffd\x00"}
	if err := db.Write(ctx, func(tx *store.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO meta (workspace_id, key, value) VALUES ($1, $2, $3)`, args...)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if got, err := store.GetMeta(ctx, db.Read(), "a\x00b"); err != nil || got != "c\uFFFDd\uFFFD" {
		t.Errorf("%q, %v", got, err)
	}
	if args[1] != named("a\x00b") || args[2] != "c\xffd\x00" {
		t.Errorf("the arguments of the caller became %q", args)
	}
}

// TestALostConnectionIsOneError cuts every connection, also while a transaction is under way: that one is not stored, and the next call works.
func TestALostConnectionIsOneError(t *testing.T) {
	dsn := testserver.PostgresStore(t)
	db := testserver.Connect(t, dsn)
	server, err := storetest.Server(dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	}()
	ctx := t.Context()
	cut := func() {
		t.Helper()
		var n int
		if err := server.QueryRow(`SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`).Scan(&n); err != nil || n == 0 {
			t.Fatalf("%d connections cut, %v", n, err)
		}
	}
	err = db.Write(ctx, func(tx *store.Tx) error {
		cut()
		return store.SetMeta(ctx, tx, "color", "red")
	})
	if err == nil {
		t.Error("a transaction without a connection was stored")
	}
	if _, err := store.GetMeta(ctx, db.Read(), "color"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("after the cut: %v", err)
	}
	if err := db.Write(ctx, func(tx *store.Tx) error { return store.SetMeta(ctx, tx, "color", "blue") }); err != nil {
		t.Errorf("the next transaction: %v", err)
	}
}

// TestACallEndsWithItsContext: who waits for another writer, or for a slow answer, waits no longer than the caller does, and holds nothing up.
func TestACallEndsWithItsContext(t *testing.T) {
	dsn := testserver.PostgresStore(t)
	db, other := testserver.Connect(t, dsn), testserver.Connect(t, dsn)
	short := func() context.Context {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		t.Cleanup(cancel)
		return ctx
	}
	if err := other.Write(t.Context(), func(*store.Tx) error {
		return db.Write(short(), func(*store.Tx) error { t.Error("two transactions write at once"); return nil })
	}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("waiting for another writer: %v", err)
	}
	if err := db.Read().QueryRowContext(short(), `SELECT pg_sleep(20)`).Err(); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a slow answer: %v", err)
	}
	for _, db := range []*store.DB{db, other} {
		if err := db.Write(t.Context(), func(tx *store.Tx) error { return storetest.Increment(t.Context(), tx, "n") }); err != nil {
			t.Error(err)
		}
	}
}

// TestPostgresRightsAndText opens databases that Outband cannot use.
func TestPostgresRightsAndText(t *testing.T) {
	dsn := testserver.Postgres(t)
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	server, err := storetest.Server(dsn)
	if err != nil {
		t.Fatal(err)
	}
	run := func(statement string) {
		t.Helper()
		if _, err := server.Exec(statement); err != nil {
			t.Error(err)
		}
	}
	name := strings.TrimPrefix(u.Path, "/")
	t.Cleanup(func() {
		run(`DROP DATABASE IF EXISTS ` + name + `_latin WITH (FORCE)`)
		run(`DROP OWNED BY ` + name + `_reader`)
		run(`DROP ROLE ` + name + `_reader`)
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	run(`REVOKE CREATE ON SCHEMA public FROM PUBLIC`)
	run(`CREATE ROLE ` + name + `_reader LOGIN PASSWORD 'made-up'`)
	run(`CREATE DATABASE ` + name + `_latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0`)
	reader, latin := *u, *u
	reader.User, latin.Path = url.UserPassword(name+"_reader", "made-up"), "/"+name+"_latin"
	for want, dsn := range map[string]url.URL{store.CodePostgresRights: reader, store.CodePostgresText: latin} {
		if _, err := store.Open(t.Context(), store.Configuration{Postgres: dsn.String()}); err == nil || !strings.HasPrefix(err.Error(), want+": ") {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	// With the rights that the guide names it works.
	run(`GRANT CREATE, USAGE ON SCHEMA public TO ` + name + `_reader`)
	testserver.Connect(t, reader.String())
}

func TestPostgresErrorsSayWhatToDoAndHoldNoSecret(t *testing.T) {
	dsn := testserver.PostgresStore(t)
	with := func(change func(*url.URL)) string {
		u, err := url.Parse(dsn)
		if err != nil {
			t.Fatal(err)
		}
		change(u)
		return u.String()
	}
	port, err := testserver.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	const canary = "EXAMPLE-canary-4711"
	if err := func() error {
		db := testserver.Connect(t, dsn)
		return db.Write(t.Context(), func(tx *store.Tx) error {
			_, err := tx.ExecContext(t.Context(), `INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, true)`)
			return err
		})
	}(); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ name, dsn, want string }{
		{"no connection string", "postgres://u:" + canary + "@[", store.CodePostgresDSN},
		{"a certificate that is not there", with(func(u *url.URL) { u.RawQuery = "sslmode=verify-full&sslrootcert=/nowhere/" + canary }), store.CodePostgresDSN},
		{"a wrong password", with(func(u *url.URL) { u.User = url.UserPassword(u.User.Username(), canary) }), store.CodePostgresAuth},
		{"an unknown user", with(func(u *url.URL) { u.User = url.UserPassword("nobody_of_that_name", canary) }), store.CodePostgresAuth},
		{"an unknown database", with(func(u *url.URL) { u.Path = "/no_such_database" }), store.CodePostgresMissing},
		{"nobody listens", with(func(u *url.URL) { u.Host = "127.0.0.1:" + strconv.Itoa(port) }), store.CodePostgresReach},
		{"TLS that the server has not", with(func(u *url.URL) { u.RawQuery = "sslmode=verify-full" }), store.CodePostgresReach},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			_, err := store.Open(ctx, store.Configuration{Postgres: tc.dsn})
			if err == nil || !strings.HasPrefix(err.Error(), tc.want+": ") || strings.Contains(err.Error(), canary) {
				t.Errorf("got %v, want %s", err, tc.want)
			}
		})
	}
	if _, err := store.Open(t.Context(), store.Configuration{Postgres: dsn}); !errors.Is(err, store.ErrNewerSchema) {
		t.Errorf("a newer schema: %v", err)
	}
}
