package e2e

import (
	"database/sql"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestCommandsWithoutAServer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := write("good.yaml", "egress:\n  allow: [10.0.0.0/8]\n")
	unknown := write("unknown.yaml", "listen: 127.0.0.1:0\nlistenn: 127.0.0.1:0\n")
	broken := write("broken.yaml", "listen: [")
	data := filepath.Join(dir, "data")
	for _, tc := range []struct {
		args           string
		code           int
		stdout, stderr string // patterns
	}{
		{"version", 0, `^outband \S+\n$`, `^$`},
		{"detectors list", 0, `(?m)^secret\.github_pat\s`, `^$`},
		{"detectors test", 0, `\d\d detectors, \d+ examples, 0 red`, `^$`},
		{"detectors test " + filepath.Join(dir, "gone.yaml"), 2, ``, `gone\.yaml`},
		{"policies list", 0, `(?m)^content\.card_numbers\s`, `^$`},
		{"policies list --format json", 0, `(?m)^\{.*"content\.card_numbers"`, `^$`},
		{"policies test", 0, `\d+ policies, \d+ tests passed, 0 failed`, `^$`},
		{"policies test " + filepath.Join(dir, "gone.yaml"), 2, ``, `gone\.yaml`},
		{"connectors list", 0, `(?m)^claude\s+Claude\s`, `^$`},
		{"connectors list --format json", 0, `(?m)^\{.*"claude"`, `^$`},
		{"config check --config " + good, 0, `valid`, `^$`},
		{"config check --config " + unknown, 2, `^$`, `OB-1011.*listenn`},
		{"config check --config " + broken, 2, `^$`, `OB-1010`},
		{"config check --config " + filepath.Join(dir, "gone.yaml"), 2, `^$`, `OB-1010`},
		{"config check --listen 0.0.0.0:8080", 2, `^$`, `OB-1016`},
		{"token create --data " + data, 1, `^$`, `role`},
		{"token create --role king --data " + data, 2, `^$`, `viewer, analyst`},
		{"token create --role viewer --expires soon --data " + data, 2, `^$`, `--expires`},
		{"token create --role viewer --expires 1d --data " + data, 0, `^\S{20,}\n$`, `^$`},
		{"audit verify --data " + data, 0, `\d+ rows, head [0-9a-f]{64}`, `^$`},
		{"audit verify --data " + filepath.Join(dir, "elsewhere"), 2, `^$`, `no Outband database`},
		{"keys status --data " + data, 0, `key id [0-9a-f]{8}`, `^$`},
		{"keys verify --data " + data, 0, `\d+ secrets open`, `^$`},
		{"nonsense", 1, `^$`, `nonsense`},
	} {
		stdout, stderr, code := command(t, "", strings.Fields(tc.args)...)
		if code != tc.code || !regexp.MustCompile(tc.stdout).MatchString(stdout) || !regexp.MustCompile(tc.stderr).MatchString(stderr) {
			t.Errorf("outband %s: exit %d, want %d\nstdout, want %s:\n%.500s\nstderr, want %s:\n%.500s", tc.args, code, tc.code, tc.stdout, stdout, tc.stderr, stderr)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "elsewhere", "outband.db")); !os.IsNotExist(err) {
		t.Errorf("a check of a mistyped folder made a database: %v", err)
	}
}

// refused wants a start that ends at once with exit code 2 and a code.
func refused(t *testing.T, data, code string) {
	t.Helper()
	stdout, stderr, exit := command(t, "", "serve", "--listen", "127.0.0.1:0", "--data", data)
	if exit != 2 || strings.Count(stderr, code) != 1 || strings.Contains(stdout, "ready") {
		t.Errorf("exit %d, want 2 with %s once:\n%s%s", exit, code, stdout, stderr)
	}
}

func TestKeysLocksAndAudit(t *testing.T) {
	t.Parallel()
	sim := simulator(t, "--seed", "2", "--epoch", orgEpoch.Format(time.RFC3339))
	data := filepath.Join(t.TempDir(), "data")
	s := serve(t, bin(t), data, "")
	s.firstScan(s.connect(sim, demoKey, orgEpoch), time.Minute)
	s.destination("http://127.0.0.1:1/")

	t.Run("a second server is refused and the first goes on", func(t *testing.T) {
		refused(t, data, "OB-1004")
		if status, _ := s.call("GET", "/system", nil); status != 200 {
			t.Errorf("the first server answers %d", status)
		}
	})
	t.Run("the folder is closed to others", func(t *testing.T) {
		for _, name := range []string{"", "outband.db", "key", "temporal.db"} {
			info, err := os.Stat(filepath.Join(data, name))
			if err != nil {
				t.Fatal(err)
			}
			if info.Mode().Perm()&0o077 != 0 {
				t.Errorf("%q has mode %v", name, info.Mode())
			}
		}
	})
	t.Run("Temporal's database is in WAL mode", func(t *testing.T) {
		raw, err := os.ReadFile(filepath.Join(data, "temporal.db"))
		if err != nil {
			t.Fatal(err)
		}
		// Bytes 18 and 19 of an SQLite file are its write and read versions: 2 is WAL.
		if len(raw) < 20 || raw[18] != 2 || raw[19] != 2 {
			t.Errorf("temporal.db has versions %v", raw[18:20])
		}
	})
	t.Run("tokens are made and refused beside a server", func(t *testing.T) {
		viewer := *s
		viewer.token = newToken(t, data, "viewer")
		if status, _ := viewer.call("GET", "/connections", nil); status != 200 {
			t.Errorf("a viewer lists connections: %d", status)
		}
		if status, _ := viewer.call("POST", "/destinations", map[string]any{"name": "x", "config": map[string]string{"url": "https://hooks.example/"}}); status != 403 {
			t.Errorf("a viewer makes a destination: %d", status)
		}
		viewer.token += "x"
		if status, _ := viewer.call("GET", "/connections", nil); status != 401 {
			t.Errorf("a wrong token: %d", status)
		}
	})
	s.stop()

	t.Run("after a rotation the server starts with its secrets", func(t *testing.T) {
		before, err := os.ReadFile(filepath.Join(data, "key"))
		if err != nil {
			t.Fatal(err)
		}
		if out, errs, code := command(t, "", "keys", "rotate", "--data", data); code != 0 || !strings.Contains(out, "is in use") {
			t.Fatalf("keys rotate: exit %d\n%s%s", code, out, errs)
		}
		if out, errs, code := command(t, "", "keys", "verify", "--data", data); code != 0 || !strings.HasPrefix(out, "2 secrets open") {
			t.Fatalf("keys verify: exit %d\n%s%s", code, out, errs)
		}
		again := serve(t, bin(t), data, s.token)
		var l list[struct{ ID string }]
		again.must("GET", "/connections", nil, &l)
		if len(l.Items) != 1 {
			t.Fatalf("%d connections", len(l.Items))
		}
		var now scan
		again.must("POST", "/connections/"+l.Items[0].ID+"/scan", nil, &now)
		if got := again.finished(now.ID, time.Minute); got.State != "succeeded" {
			t.Errorf("a scan with the sealed key: %+v", got)
		}
		again.stop()

		key := filepath.Join(data, "key")
		after, err := os.ReadFile(key)
		if err != nil {
			t.Fatal(err)
		}
		replace := func(raw []byte, mode os.FileMode) {
			t.Helper()
			if err := os.RemoveAll(key); err != nil {
				t.Fatal(err)
			}
			if raw == nil {
				return
			}
			if err := os.WriteFile(key, raw, mode); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(key, mode); err != nil {
				t.Fatal(err)
			}
		}
		replace(before, 0o600)
		refused(t, data, "OB-1002")
		replace(nil, 0)
		refused(t, data, "OB-1001")
		if _, err := os.Stat(key); !os.IsNotExist(err) {
			t.Errorf("a new key was made in silence: %v", err)
		}
		replace(after, 0o644)
		refused(t, data, "OB-1003")
		replace(after, 0o600)
		if out, errs, code := command(t, "", "keys", "verify", "--data", data); code != 0 {
			t.Errorf("with the right key again: exit %d\n%s%s", code, out, errs)
		}
	})

	t.Run("a changed audit row is named", func(t *testing.T) {
		if out, errs, code := command(t, "", "audit", "verify", "--data", data); code != 0 {
			t.Fatalf("before: exit %d\n%s%s", code, out, errs)
		}
		tamper(t, data, `DROP TRIGGER audit_no_update`, `UPDATE audit SET object = object || 'x' WHERE seq = 3`)
		if out, errs, code := command(t, "", "audit", "verify", "--data", data); code != 1 || !strings.Contains(errs, "audit row 3") {
			t.Errorf("after a change: exit %d\n%s%s", code, out, errs)
		}
		tamper(t, data, `DROP TRIGGER audit_no_delete`, `UPDATE audit SET object = substr(object, 1, length(object) - 1) WHERE seq = 3`, `DELETE FROM audit WHERE seq = 2`)
		if out, errs, code := command(t, "", "audit", "verify", "--data", data); code != 1 || !strings.Contains(errs, "audit row 2") {
			t.Errorf("after a removal: exit %d\n%s%s", code, out, errs)
		}
	})
}

// tamper changes the store as somebody with the file would.
func tamper(t *testing.T, data string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(data, "outband.db"))
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range statements {
		if _, err := db.ExecContext(t.Context(), q); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}
