// Package testserver starts real servers for tests: Postgres and Elasticsearch. Each is started at most once for a test binary, on loopback and a
// free port, by another user than root, and ends with the test binary, however that ends. A server that is named in the environment is used
// instead.
package testserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/outband/outband/internal/store"
	"github.com/outband/outband/internal/store/storetest"
)

const (
	startFor         = time.Minute
	postgresUser     = "outband_test"
	postgresPassword = "made-up for tests, p@ss/word"
)

// postgres is the one server of this test binary.
var postgres struct {
	once   sync.Once
	base   string    // connection string of a database from which others are made
	locale string    // of those others
	given  bool      // it is not ours
	end    io.Closer // while it is open, the server runs
	err    error

	schema    string // name of the database whose schema is up to date
	schemaErr error
	made      sync.Once
	copying   sync.Mutex // Postgres copies a database for one at a time.
	databases atomic.Int64
}

// Postgres returns the connection string of an empty database of a real server: that of OUTBAND_TEST_POSTGRES_URL, or else a scratch cluster made
// of the Debian package postgresql. The database is dropped after the test. Without any server the test fails in CI and is skipped elsewhere.
func Postgres(t testing.TB) string {
	t.Helper()
	base := server(t)
	name, err := create("template0")
	if err != nil {
		t.Fatal(err)
	}
	return dropped(t, base, name)
}

// PostgresStore is as Postgres, but the database has this version's schema. It is a copy of one that was made once, which takes a tenth of the time.
func PostgresStore(t testing.TB) string {
	t.Helper()
	base := server(t)
	if postgres.given {
		// Nothing is left on a server that is not ours: there each test makes its schema.
		dsn := Postgres(t)
		if err := migrate(dsn); err != nil {
			t.Fatal(err)
		}
		return dsn
	}
	postgres.made.Do(func() {
		if postgres.schema, postgres.schemaErr = create("template0"); postgres.schemaErr == nil {
			postgres.schemaErr = migrate(named(base, postgres.schema))
		}
	})
	if postgres.schemaErr != nil {
		t.Fatal(postgres.schemaErr)
	}
	name, err := create(postgres.schema)
	if err != nil {
		t.Fatal(err)
	}
	return dropped(t, base, name)
}

// OpenPostgres opens a PostgresStore for the length of the test.
func OpenPostgres(t testing.TB) *store.DB {
	t.Helper()
	return Connect(t, PostgresStore(t))
}

// Connect opens the store of a database for the length of the test, as one more process of its installation does.
func Connect(t testing.TB, dsn string) *store.DB {
	t.Helper()
	return storetest.Connect(t, store.Configuration{Postgres: dsn})
}

// Open opens a new store for the length of the test: SQLite or, where OUTBAND_TEST_STORE is "postgres", Postgres, so that a suite can be run on both.
func Open(t testing.TB) *store.DB {
	t.Helper()
	if os.Getenv("OUTBAND_TEST_STORE") == string(store.Postgres) {
		return OpenPostgres(t)
	}
	return OpenSQLite(t)
}

// OpenSQLite opens a new store in a file for the length of the test.
func OpenSQLite(t testing.TB) *store.DB {
	t.Helper()
	return storetest.Open(t, filepath.Join(t.TempDir(), "outband.db"))
}

// migrate brings a database up to date, and leaves nobody connected to it: only then can it be copied.
func migrate(dsn string) error {
	db, err := store.Open(context.Background(), store.Configuration{Postgres: dsn})
	if err != nil {
		return err
	}
	return db.Close()
}

// create makes a database as a copy of another one.
func create(template string) (name string, err error) {
	postgres.copying.Lock()
	defer postgres.copying.Unlock()
	name = fmt.Sprintf("outband_test_%d_%d", os.Getpid(), postgres.databases.Add(1))
	return name, execute(postgres.base, "CREATE DATABASE "+name+" ENCODING 'UTF8' "+postgres.locale+" TEMPLATE "+template)
}

// dropped returns the connection string of a database that is dropped after the test.
func dropped(t testing.TB, base, name string) string {
	t.Helper()
	t.Cleanup(func() {
		if err := execute(base, "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			t.Error(err)
		}
	})
	return named(base, name)
}

// named is a connection string with another database in it.
func named(base, name string) string {
	u, err := url.Parse(base)
	if err != nil {
		panic("testserver: OUTBAND_TEST_POSTGRES_URL is no URL") // server has looked at it.
	}
	u.Path = "/" + name
	return u.String()
}

func execute(dsn, statement string) error {
	db, err := storetest.Server(dsn)
	if err != nil {
		return err
	}
	_, err = db.Exec(statement)
	if err = errors.Join(err, db.Close()); err != nil {
		return fmt.Errorf("%.20s…: %w", statement, err)
	}
	return nil
}

// locale makes databases sort text as people do, where the server can: what Outband compares by bytes must not depend on it.
func locale(dsn string) (string, error) {
	db, err := storetest.Server(dsn)
	if err != nil {
		return "", err
	}
	var icu bool
	err = db.QueryRow(`SELECT current_setting('server_version_num')::int >= 150000 AND EXISTS (SELECT 1 FROM pg_collation WHERE collprovider = 'i')`).Scan(&icu)
	if err = errors.Join(err, db.Close()); err != nil {
		return "", fmt.Errorf("ask the server for its locales: %w", err)
	}
	if icu {
		return "LOCALE 'C' LOCALE_PROVIDER icu ICU_LOCALE 'en'", nil
	}
	return "LOCALE 'C'", nil
}

// server returns the connection string of the server, which the first caller starts.
func server(t testing.TB) string {
	t.Helper()
	bin := postgresBin()
	given := os.Getenv("OUTBAND_TEST_POSTGRES_URL")
	if given == "" && bin == "" {
		missing(t, "Postgres (Debian package postgresql)")
	}
	postgres.once.Do(func() {
		if postgres.base, postgres.given = given, given != ""; !postgres.given {
			postgres.base, postgres.end, postgres.err = startPostgres(bin)
		} else if u, err := url.Parse(given); err != nil || u.Scheme == "" {
			postgres.err = errors.New("OUTBAND_TEST_POSTGRES_URL is no URL")
		}
		if postgres.err == nil {
			postgres.locale, postgres.err = locale(postgres.base)
		}
	})
	if postgres.err != nil {
		t.Fatalf("start Postgres: %v", postgres.err)
	}
	return postgres.base
}

// missing ends a test whose server is not installed: it must run in CI.
func missing(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("%s is not installed", what)
	}
	t.Skipf("SKIPPED, because %s is not installed", what)
}

// postgresBin is the folder of the newest server's programs, or "".
func postgresBin() string {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err == nil && len(found) > 0 {
		slices.SortFunc(found, func(a, b string) int { return major(b) - major(a) })
		return filepath.Dir(found[0])
	}
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path)
	}
	return ""
}

func major(path string) int {
	n, err := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
	if err != nil {
		return 0 // A preview such as 18beta1 comes last.
	}
	return n
}

// keeper runs a server, given as its arguments, until its own input ends, which it does with the process at the other end. Then it stops the server
// by its process id, and removes the folder that it runs in.
const keeper = `"$@" >log 2>&1 </dev/null &
read -r nothing
kill -INT $!
wait $!
cd / && exec rm -rf "$OLDPWD"`

func startPostgres(bin string) (dsn string, end io.Closer, err error) {
	dir, err := os.MkdirTemp("", "outband-postgres-")
	if err != nil {
		return "", nil, err
	}
	defer func() {
		if err != nil && end == nil {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()
	who, err := Unprivileged("postgres")
	if err != nil {
		return "", nil, err
	}
	password := filepath.Join(dir, "password")
	if err := os.WriteFile(password, []byte(postgresPassword), 0o600); err != nil {
		return "", nil, err
	}
	if err := Give(dir, who); err != nil {
		return "", nil, err
	}
	data := filepath.Join(dir, "data")
	initdb := exec.Command(filepath.Join(bin, "initdb"), "--pgdata", data, "--username", postgresUser, "--pwfile", password, "--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C", "--no-sync")
	if out, err := run(initdb, dir, who).CombinedOutput(); err != nil {
		return "", nil, fmt.Errorf("initdb: %w\n%s", err, out)
	}
	port, err := FreePort()
	if err != nil {
		return "", nil, err
	}
	kept := run(exec.Command("/bin/sh", "-c", keeper, "sh", filepath.Join(bin, "postgres"), "-D", data, "-p", strconv.Itoa(port), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="+dir,
		"-c", "fsync=off", "-c", "full_page_writes=off", "-c", "max_connections=200", "-c", "shared_buffers=64MB"), dir, who)
	if end, err = kept.StdinPipe(); err != nil {
		return "", nil, err
	}
	if err := kept.Start(); err != nil {
		return "", nil, errors.Join(err, os.RemoveAll(dir))
	}
	u := url.URL{Scheme: "postgres", User: url.UserPassword(postgresUser, postgresPassword), Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), Path: "/postgres", RawQuery: "sslmode=disable"}
	for began := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		err := execute(u.String(), "SELECT 1")
		if err == nil {
			return u.String(), end, nil
		}
		if time.Since(began) > startFor {
			text, _ := os.ReadFile(filepath.Join(dir, "log")) // The error tells enough without it.
			return "", nil, errors.Join(fmt.Errorf("it does not answer: %w\n%s", err, text), end.Close(), kept.Wait())
		}
	}
}

// User is who a server runs as; nil: as the test itself.
type User struct{ UID, GID int }

// Unprivileged returns the user that a server runs as: the named one or, if there is none, nobody. A test that is not run by root runs it itself.
func Unprivileged(name string) (*User, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		return &User{65534, 65534}, nil
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.Atoi(u.Gid)
	return &User{uid, gid}, err
}

// Give makes a user the owner of a folder and of all in it.
func Give(dir string, who *User) error {
	if who == nil {
		return nil
	}
	return filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, who.UID, who.GID)
	})
}

// run makes a command run in a folder as a user, with an environment of its own.
func run(cmd *exec.Cmd, dir string, who *User) *exec.Cmd {
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TMPDIR=" + dir, "LC_ALL=C", "TZ=UTC"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if who != nil {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(who.UID), Gid: uint32(who.GID)}
	}
	return cmd
}

// FreePort returns a port of loopback that nobody listens on now.
func FreePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}
