package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

// Codes of what is wrong with a Postgres server; docs/errors.md has a line for each.
const (
	CodePostgresDSN     = "OB-1040"
	CodePostgresReach   = "OB-1041"
	CodePostgresAuth    = "OB-1042"
	CodePostgresMissing = "OB-1043"
	CodePostgresRights  = "OB-1044"
	CodePostgresOld     = "OB-1045"
	CodePostgresText    = "OB-1046"
)

const (
	// writeLock is the advisory lock that every write transaction of an installation holds until it ends.
	writeLock = 0x6f757462616e64 // "outband"

	oldestPostgres = 13_00_00 // as server_version_num
	readers        = 8

	connectLimit = 10 * time.Second // to connect, where the connection string says nothing else; so with the next four
	idleLimit    = time.Minute      // between two statements of a transaction
	lockLimit    = 30 * time.Second // to wait for other writers
	readLimit    = time.Minute      // for one query
	writeLimit   = 5 * time.Minute  // for one statement of a write or of a migration
)

func openPostgres(ctx context.Context, dsn string) (*DB, error) {
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		// The error of the parser can quote what it read, a password among it.
		return nil, errors.New(CodePostgresDSN + ": store.postgres is no connection string, or a file that it names cannot be read. Write it as postgres://user:password@host:5432/database?sslmode=verify-full")
	}
	if cfg.ConnectTimeout == 0 {
		cfg.ConnectTimeout = connectLimit
	}
	set := func(c *pgx.ConnConfig, name string, value any) {
		if _, ok := c.RuntimeParams[name]; !ok { // What the connection string says wins.
			c.RuntimeParams[name] = fmt.Sprint(value)
		}
	}
	set(cfg, "application_name", "outband")
	set(cfg, "timezone", "UTC")
	// A process that hangs, or whose network does, must not keep the lock of the writers for ever.
	set(cfg, "idle_in_transaction_session_timeout", idleLimit.Milliseconds())
	set(cfg, "lock_timeout", lockLimit.Milliseconds())
	reading := cfg.Copy()
	reading.RuntimeParams["default_transaction_read_only"] = "on"
	set(reading, "plan_cache_mode", "force_custom_plan") // How a text is best looked for depends on the text.
	set(cfg, "statement_timeout", writeLimit.Milliseconds())
	set(reading, "statement_timeout", readLimit.Milliseconds())

	db := &DB{write: stdlib.OpenDB(*cfg), read: stdlib.OpenDB(*reading), dialect: Postgres, now: time.Now}
	db.write.SetMaxOpenConns(2) // While one commits, the next one already waits at the server.
	db.read.SetMaxOpenConns(readers)
	for _, pool := range []*sql.DB{db.write, db.read} {
		pool.SetMaxIdleConns(readers)
		pool.SetConnMaxIdleTime(5 * time.Minute)
		pool.SetConnMaxLifetime(time.Hour) // A server behind a name that has moved is found again.
	}
	if err := db.suits(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	sub, err := fs.Sub(migrations, "migrations/postgres")
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read migrations: %w", err), db.Close())
	}
	// Several processes may start at once: one of them migrates, the others wait.
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 300))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make the lock of the migrations: %w", err), db.Close())
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, db.write, sub, goose.WithDisableGlobalRegistry(true), goose.WithSessionLocker(locker))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read migrations: %w", err), db.Close())
	}
	if _, err := db.upgrade(ctx, provider); err != nil {
		return nil, errors.Join(postgresError(err), db.Close())
	}
	return db, nil
}

// suits asks the server what it is.
func (db *DB) suits(ctx context.Context) error {
	var version, encoding string
	err := db.read.QueryRowContext(ctx, `SELECT current_setting('server_version_num'), current_setting('server_encoding')`).Scan(&version, &encoding)
	if err != nil {
		return postgresError(err)
	}
	return suits(version, encoding)
}

func suits(version, encoding string) error {
	if n, err := strconv.Atoi(version); err != nil || n < oldestPostgres {
		return errors.New(CodePostgresOld + ": the Postgres server is older than version 13. Use a newer one")
	}
	if encoding != "UTF8" {
		return errors.New(CodePostgresText + ": the database does not store its text as UTF8. Create one with ENCODING 'UTF8' and TEMPLATE template0")
	}
	return nil
}

// postgresError says what an admin can do about an error of the start. The driver's own texts can hold the user, the host and parts of the
// connection string: they are left out.
func postgresError(err error) error {
	var server *pgconn.PgError
	if errors.As(err, &server) {
		switch {
		case strings.HasPrefix(server.Code, "28"):
			return errors.New(CodePostgresAuth + ": Postgres refused the user of store.postgres: the password is wrong, or pg_hba.conf does not let it in from here. Correct one of them")
		case server.Code == "3D000":
			return errors.New(CodePostgresMissing + ": the database that store.postgres names does not exist. Create it, owned by Outband's user, with ENCODING 'UTF8'")
		case server.Code == "42501":
			return errors.New(CodePostgresRights + ": the user of store.postgres may not connect to the database, or not create tables in it. Make it the owner of the database, or GRANT CREATE, USAGE ON SCHEMA public")
		case server.Code == "53300", strings.HasPrefix(server.Code, "57P"):
			return errors.New(CodePostgresReach + ": the Postgres server of store.postgres takes no connection now: it starts, stops, or has too many. Try again, or raise its max_connections")
		}
		return fmt.Errorf("postgres: SQLSTATE %s: %s", server.Code, server.Message)
	}
	var network net.Error
	var connect *pgconn.ConnectError
	if errors.As(err, &network) || errors.As(err, &connect) {
		return errors.New(CodePostgresReach + ": the Postgres server of store.postgres does not answer. Check host, port, TLS (sslmode, sslrootcert) and that it runs")
	}
	return err
}

// storable is text as Postgres takes it: it stores no NUL and nothing that is not UTF-8, and foreign text may hold both.
func storable(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// stored makes every text among the arguments of a statement storable. It is the one place that does: what is looked up is changed as what was
// stored. The arguments of the caller stay as they are.
func stored(args []any) []any {
	out := args
	for i, a := range args {
		v := reflect.ValueOf(a)
		if v.Kind() != reflect.String {
			continue
		}
		if s := v.String(); storable(s) != s {
			if &out[0] == &args[0] {
				out = slices.Clone(args)
			}
			out[i] = storable(s)
		}
	}
	return out
}

// utf8Querier passes its arguments through stored.
type utf8Querier struct{ *sql.DB }

func (q utf8Querier) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return q.DB.QueryContext(ctx, query, stored(args)...)
}

func (q utf8Querier) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	return q.DB.QueryRowContext(ctx, query, stored(args)...)
}

// QueryContext runs a query in the transaction.
func (tx *Tx) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return tx.Tx.QueryContext(ctx, query, tx.args(args)...)
}

// QueryRowContext runs a query for one row in the transaction.
func (tx *Tx) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	return tx.Tx.QueryRowContext(ctx, query, tx.args(args)...)
}

// ExecContext runs a statement in the transaction.
func (tx *Tx) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	return tx.Tx.ExecContext(ctx, query, tx.args(args)...)
}

func (tx *Tx) args(args []any) []any {
	if tx.dialect == Postgres {
		return stored(args)
	}
	return args
}
