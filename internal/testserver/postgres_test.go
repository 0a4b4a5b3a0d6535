package testserver

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/outband/outband/internal/store"
	"github.com/outband/outband/internal/store/storetest"
)

// child makes a run of this test binary print where its server is, and wait.
const child = "OUTBAND_TEST_CHILD"

func TestChildOfOtherTests(t *testing.T) {
	if os.Getenv(child) == "" {
		return // It is run by the tests below.
	}
	fmt.Printf("%s\n%s\n", Postgres(t), PostgresStore(t))
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		t.Error(err)
	}
}

// startChild runs TestChildOfOtherTests until its input is closed, and returns the two databases that it was given.
func startChild(t *testing.T, env ...string) (cmd *exec.Cmd, in io.Closer, dsns [2]string) {
	t.Helper()
	cmd = exec.Command(os.Args[0], "-test.run", "^TestChildOfOtherTests$")
	cmd.Env = append(os.Environ(), append(env, child+"=1")...)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for i := range dsns {
		if !lines.Scan() {
			t.Fatal("the child printed no connection string")
		}
		dsns[i] = lines.Text()
	}
	return cmd, in, dsns
}

func TestEachTestHasADatabaseOfItsOwn(t *testing.T) {
	first, second, made := Postgres(t), Postgres(t), PostgresStore(t)
	if first == second || second == made {
		t.Error("two tests share a database")
	}
	tables := func(dsn string) (n int) {
		db, err := storetest.Server(dsn)
		if err != nil {
			t.Fatal(err)
		}
		if err := db.QueryRow(`SELECT COUNT(*) FROM pg_tables WHERE schemaname = 'public'`).Scan(&n); err != nil {
			t.Error(err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
		return n
	}
	if a, b := tables(first), tables(made); a != 0 || b < 25 {
		t.Errorf("%d tables in an empty database, %d in one with the schema", a, b)
	}
	if db := Open(t); db.Dialect() != store.SQLite && os.Getenv("OUTBAND_TEST_STORE") == "" {
		t.Errorf("a test's store is %s", db.Dialect())
	}
}

// TestTheServerEndsWithItsTests kills a test binary, which then cannot clean up.
func TestTheServerEndsWithItsTests(t *testing.T) {
	if os.Getenv("OUTBAND_TEST_POSTGRES_URL") != "" {
		t.Skip("SKIPPED, because OUTBAND_TEST_POSTGRES_URL names a server that is not ours")
	}
	cmd, _, dsns := startChild(t)
	u, err := url.Parse(dsns[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("the child was not killed")
	}
	for end := time.Now().Add(startFor); ; time.Sleep(20 * time.Millisecond) {
		c, err := net.Dial("tcp", u.Host)
		if err != nil {
			return
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		if time.Now().After(end) {
			t.Fatal("the server outlives its tests")
		}
	}
}

// TestAServerThatIsNamedIsUsed gives a child the server of this process, and looks that nothing is left on it.
func TestAServerThatIsNamedIsUsed(t *testing.T) {
	base := Postgres(t)
	cmd, in, dsns := startChild(t, "OUTBAND_TEST_POSTGRES_URL="+base)
	want, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	for _, dsn := range dsns {
		if u, err := url.Parse(dsn); err != nil || u.Host != want.Host || u.Path == want.Path {
			t.Errorf("not a database of its own on the server: %v", err)
		}
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	db, err := storetest.Server(base)
	if err != nil {
		t.Fatal(err)
	}
	var left int
	if err := db.QueryRow(`SELECT COUNT(*) FROM pg_database WHERE datname LIKE $1`, fmt.Sprintf("outband_test_%d_%%", cmd.Process.Pid)).Scan(&left); err != nil || left != 0 {
		t.Errorf("%d databases left, %v", left, err)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}

func TestTheNewestServerIsTaken(t *testing.T) {
	for path, want := range map[string]int{"/usr/lib/postgresql/15/bin/initdb": 15, "/usr/lib/postgresql/18beta1/bin/initdb": 0, strings.Repeat("/x", 3): 0} {
		if got := major(path); got != want {
			t.Errorf("%s: %d", path, got)
		}
	}
}
