// Package store is Outband's system of record: schema, migrations, transactions, connections, checkpoints, items, coverage, scans, tokens and
// the audit log. One SQL text with $N parameters serves SQLite and Postgres. Writes go through Write, one transaction at a time, so that
// what a scan stores and the place it has read to can never disagree (invariant 1).
package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Workspace is the one workspace of this version; every key and every computed id holds it.
const Workspace = "default"

// Errors that callers act on.
var (
	ErrNotFound    = errors.New("not found")
	ErrConflict    = errors.New("already exists")
	ErrChanged     = errors.New("changed meanwhile")
	ErrNewerSchema = errors.New("the database was written by a newer version of Outband: install that version, or restore the backup made before the upgrade")
)

// Configuration says where the database is.
type Configuration struct {
	Path     string // SQLite file
	Postgres string // connection string; replaces Path
}

// Dialect is the kind of database, for the few statements that differ: free text.
type Dialect string

// The databases.
const (
	SQLite   Dialect = "sqlite"
	Postgres Dialect = "postgres"
)

// DB is an open database.
type DB struct {
	write   *sql.DB // its transactions wait for each other
	read    *sql.DB
	dialect Dialect
	path    string // of SQLite's file
	now     func() time.Time
}

//go:embed migrations/sqlite/*.sql migrations/postgres/*.sql
var migrations embed.FS

// Open opens the database and brings its schema up to date. SQLite's file is made if there is none, and an older one is copied beside itself first;
// a Postgres database must exist, and its backup is its admin's. A schema newer than this program is refused with ErrNewerSchema.
func Open(ctx context.Context, cfg Configuration) (*DB, error) {
	if cfg.Postgres != "" {
		return openPostgres(ctx, cfg.Postgres)
	}
	if err := protect(cfg.Path); err != nil {
		return nil, err
	}
	write, err := sql.Open("sqlite", dsn(cfg.Path, "&_txlock=immediate"))
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", filepath.Base(cfg.Path), err)
	}
	write.SetMaxOpenConns(1)
	read, err := sql.Open("sqlite", dsn(cfg.Path, "&_pragma=query_only(1)"))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", filepath.Base(cfg.Path), err), write.Close())
	}
	read.SetMaxOpenConns(readers)
	db := &DB{write: write, read: read, dialect: SQLite, path: cfg.Path, now: time.Now}
	if err := db.migrate(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// protect makes the file, if there is none, before SQLite does, and closes it to others: it is the key of everything a scan found, and the files
// that SQLite keeps beside it take its mode. A file that exists is not opened: closing it would let go of the locks that SQLite holds on it in
// this process.
func protect(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		err = f.Close()
	} else if errors.Is(err, fs.ErrExist) {
		err = os.Chmod(path, 0o600)
	}
	if err != nil {
		return fmt.Errorf("protect the database: %w", err)
	}
	return nil
}

func dsn(path, more string) string {
	u := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath()}
	return u.String() + "?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=busy_timeout(10000)&_pragma=foreign_keys(1)&_pragma=temp_store(MEMORY)" + more
}

func (db *DB) migrate(ctx context.Context) error {
	sub, err := fs.Sub(migrations, "migrations/sqlite")
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, db.write, sub, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	const patience, pause, tries = 10 * time.Second, 20 * time.Millisecond, 5
	before, same := int64(-1), 0
	for end := time.Now().Add(patience); ; {
		have, err := db.upgrade(ctx, provider)
		if err == nil {
			return nil
		}
		// Another process may be doing the same, as a command does beside a server that starts: then the version moves sooner or later, or the file
		// is locked. A try can meet the other's copy first and the other's migration next, so that one more at the same version proves nothing.
		if same++; have != before || busy(err) {
			same = 0
		}
		if same == tries || time.Now().After(end) {
			return err
		}
		before = have
		select {
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		case <-time.After(pause):
		}
	}
}

// upgrade brings the schema up to date once, and returns the version that it began at, or -1.
func (db *DB) upgrade(ctx context.Context, provider *goose.Provider) (have int64, err error) {
	have, want, err := provider.GetVersions(ctx)
	if err != nil {
		return -1, fmt.Errorf("read the schema version: %w", err)
	}
	if have > want {
		return have, fmt.Errorf("schema %d, this program knows %d: %w", have, want, ErrNewerSchema)
	}
	if have == want {
		return have, nil
	}
	if have > 0 && db.dialect == SQLite {
		if err := db.backup(ctx, fmt.Sprintf("%s.before-%d", db.path, want)); err != nil {
			return have, err
		}
	}
	if _, err := provider.Up(ctx); err != nil {
		return have, fmt.Errorf("bring the schema from %d to %d: %w", have, want, err)
	}
	return have, nil
}

// busy reports whether another process held the database longer than a query waits.
func busy(err error) bool {
	const primary = 0xff // of an extended result code
	var e *sqlite.Error
	return errors.As(err, &e) && e.Code()&primary == sqlite3.SQLITE_BUSY
}

func (db *DB) backup(ctx context.Context, to string) error {
	if _, err := os.Stat(to); err == nil {
		return nil // An upgrade that was interrupted has made it already.
	}
	// Under another name until it is whole, so that a copy that was cut short is never taken for the backup.
	part := to + ".part"
	if err := os.Remove(part); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove a copy that was cut short: %w", err)
	}
	_, err := db.write.ExecContext(ctx, `VACUUM INTO $1`, part)
	if err == nil {
		err = os.Chmod(part, 0o600)
	}
	if err == nil {
		err = os.Rename(part, to)
	}
	if err != nil {
		return fmt.Errorf("copy the database before the upgrade: %w", err)
	}
	return nil
}

// Dialect returns the kind of the database.
func (db *DB) Dialect() Dialect { return db.dialect }

// Close closes the database.
func (db *DB) Close() error { return errors.Join(db.read.Close(), db.write.Close()) }

// SetClock replaces the clock, for tests.
func (db *DB) SetClock(now func() time.Time) { db.now = now }

// Now is the store's clock, in UTC with the precision that it stores.
func (db *DB) Now() time.Time { return db.now().UTC().Truncate(time.Microsecond) }

// Tx is a write transaction.
type Tx struct {
	*sql.Tx
	dialect Dialect
	now     time.Time
}

// Now is the time of the transaction; every row that it writes carries the same.
func (tx *Tx) Now() time.Time { return tx.now }

// Write runs f in a transaction that no other writer of the installation runs beside: on SQLite an immediate one, on Postgres one that holds an
// advisory lock. So what f reads stays true until it is stored, and numbers that f draws are in the order of the commits. An error of f rolls
// everything back.
func (db *DB) Write(ctx context.Context, f func(*Tx) error) error {
	var options *sql.TxOptions
	if db.dialect == Postgres {
		// Whatever the server's default is: what others have stored while this one waited for the lock must be seen.
		options = &sql.TxOptions{Isolation: sql.LevelReadCommitted}
	}
	tx, err := db.write.BeginTx(ctx, options)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	returned := false
	defer func() {
		if !returned {
			// f panicked: the one connection that writes must not stay in its transaction. The panic tells what went wrong.
			_ = tx.Rollback()
		}
	}()
	if db.dialect == Postgres {
		if _, err = tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock($1)`, int64(writeLock)); err != nil {
			err = fmt.Errorf("wait for other writers: %w", err)
		}
	}
	if err == nil {
		err = f(&Tx{Tx: tx, dialect: db.dialect, now: db.Now()})
	}
	returned = true
	if err != nil {
		if rerr := tx.Rollback(); rerr != nil && !errors.Is(rerr, sql.ErrTxDone) {
			return errors.Join(err, fmt.Errorf("roll back: %w", rerr))
		}
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// Querier is what both a transaction and the pool of readers answer.
type Querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// Read returns the pool of readers. Each query is a transaction of its own: long results are read in keyset batches.
func (db *DB) Read() Querier {
	if db.dialect == Postgres {
		return utf8Querier{db.read}
	}
	return db.read
}

// In adds values to the arguments of a statement and returns their places there, to stand between the brackets of an IN.
func In(args *[]any, values []string) string {
	var b strings.Builder
	for i, v := range values {
		if i > 0 {
			b.WriteString(", ")
		}
		*args = append(*args, v)
		b.WriteString("$" + strconv.Itoa(len(*args)))
	}
	return b.String()
}

// Micros is the stored form of a time; the zero time is 0.
func Micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// FromMicros is the reverse of Micros.
func FromMicros(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}
