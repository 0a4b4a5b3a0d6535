package main

import (
	"bytes"
	"log/slog"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/outband/outband/internal/config"
	"github.com/outband/outband/internal/secret"
	"github.com/outband/outband/internal/store"
	"github.com/outband/outband/internal/store/storetest"
)

// command runs one command in this process.
func command(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), args, &out, &errs)
	return out.String(), errs.String(), code
}

func TestUsersCommands(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	link := regexp.MustCompile(`^http://localhost:8443/sign-in#token=(outband_link_\S+)\n$`)
	for _, tc := range []struct {
		args   []string
		code   int
		stderr string
	}{
		{[]string{"list"}, 2, "no Outband database"},
		{[]string{"create", "--email", "Ana@Example.com", "--role", "king"}, 2, "none of viewer"},
		{[]string{"create", "--email", "ana", "--role", "admin"}, 2, "not an e-mail address"},
		{[]string{"create", "--email", "a@b.example", "--role", "admin", "--name", strings.Repeat("x", 121)}, 2, "more than 120 bytes"},
		{[]string{"create", "--email", "Ana@Example.com", "--role", "admin"}, 0, ""},
		{[]string{"create", "--email", "ana@example.com", "--role", "admin"}, 1, "outband users link"},
		{[]string{"link", "bo@example.com"}, 1, "no user"},
		{[]string{"link", " ana@EXAMPLE.com"}, 0, ""},
	} {
		args := append(append([]string{"users"}, tc.args...), "--data", data)
		if tc.code == 0 {
			args = append(args, "--listen", "localhost:8443")
		}
		stdout, stderr, code := command(t, args...)
		if code != tc.code || !strings.Contains(stderr, tc.stderr) || (code == 0) != link.MatchString(stdout) {
			t.Errorf("%v: exit %d, want %d\n%s%s", tc.args, code, tc.code, stdout, stderr)
		}
	}
	stdout, _, code := command(t, "users", "list", "--data", data)
	if code != 0 || !regexp.MustCompile(`(?m)^ana@example\.com +"Ana@Example\.com" +admin +no password +never$`).MatchString(stdout) {
		t.Errorf("list: exit %d\n%s", code, stdout)
	}

	db, err := store.Open(t.Context(), store.Configuration{Path: filepath.Join(data, "outband.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer closeQuietly(db)
	u, err := store.FindUserByEmail(t.Context(), db.Read(), "ana@example.com")
	if err != nil {
		t.Fatal(err)
	}
	rows, _, err := store.VerifyAudit(t.Context(), db.Read())
	if err != nil || rows != 4 { // The keys, the user, two links.
		t.Errorf("%d audit rows, %v", rows, err)
	}
	// Only the newer link works.
	stdout, _, _ = command(t, "users", "link", u.Email, "--data", data, "--listen", "localhost:8443")
	l, err := store.FindLink(t.Context(), db.Read(), link.FindStringSubmatch(stdout)[1], db.Now())
	if err != nil || l.Purpose != store.LinkInvite || l.UserID != u.ID {
		t.Errorf("link %+v, %v", l, err)
	}
}

func TestTheSetUpLinkIsMadeWhileThereIsNoUser(t *testing.T) {
	db := storetest.Open(t, filepath.Join(t.TempDir(), "outband.db"))
	in := &instance{db: db, address: "127.0.0.1:8080", log: slog.New(slog.DiscardHandler), cfg: config.Config{Role: config.RoleAll}}
	first, err := in.setUpLink(t.Context())
	if err != nil || !strings.HasPrefix(first, "http://127.0.0.1:8080/set-up#token=outband_link_") {
		t.Fatalf("%q, %v", first, err)
	}
	in.cfg.PublicURL = "https://outband.example.com"
	second, err := in.setUpLink(t.Context())
	if err != nil || !strings.HasPrefix(second, "https://outband.example.com/set-up#token=outband_link_") || strings.HasSuffix(first, second[len(second)-20:]) {
		t.Errorf("%q, %v", second, err)
	}
	err = db.Write(t.Context(), func(tx *store.Tx) error {
		_, err := makeUser(t.Context(), tx, store.User{Email: "a@b.example", Name: "A", Role: "admin"})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if link, err := in.setUpLink(t.Context()); err != nil || link != "" {
		t.Errorf("with a user: %q, %v", link, err)
	}
}

func TestPostgresHostHoldsNothingElse(t *testing.T) {
	for dsn, want := range map[string]string{
		"":                                     "",
		"postgres://u:hunter2@db:5432/outband": "db:5432",
		"postgres://u:hunter2@db/outband?sslmode=verify-full&password=hunter2": "db",
		"postgres://u:hunt/er2@db:5432/outband":                                "",
		"postgres://u:hunt?er2@db:5432/outband":                                "",
		"postgres:///outband?host=/run/postgresql":                             "",
		"host=db port=5433 user=u password=hunter2":                            "db:5433",
		"user=u password=hunter2 host=db":                                      "db:5432",
		"dbname=outband password=hunter2":                                      "",
	} {
		if got := postgresHost(dsn); got != want {
			t.Errorf("postgresHost(%q) = %q, want %q", dsn, got, want)
		}
	}
}

func TestWhereFilesAreKept(t *testing.T) {
	dir := t.TempDir()
	base := config.Config{Data: filepath.Join(dir, "data"), Key: config.Key{File: filepath.Join(dir, "data", "key")}}
	shared := func(key string) config.Config {
		c := base
		c.Store.Postgres, c.Temporal.Address, c.Key.File = secret.NewValue("postgres://db/x"), "temporal:7233", key
		return c
	}
	embedding := shared(filepath.Join(dir, "key"))
	embedding.Temporal.Address = ""
	for name, tc := range map[string]struct {
		cfg            config.Config
		server, wanted bool
	}{
		"SQLite":                              {base, false, true},
		"Postgres with the key in the folder": {shared(base.Key.File), true, true},
		"Postgres with the key elsewhere":     {shared(filepath.Join(dir, "key")), true, false},
		"a server that embeds Temporal":       {embedding, true, true},
		"a command beside it":                 {embedding, false, false},
	} {
		if _, used, err := folder(tc.cfg, tc.server); err != nil || used != tc.wanted {
			t.Errorf("%s: %v, %v", name, used, err)
		}
	}
}

func TestReindexNeedsAnIndex(t *testing.T) {
	if stdout, stderr, code := command(t, "reindex", "--data", t.TempDir()); code != 2 || !strings.Contains(stderr, "OB-1025") || stdout != "" {
		t.Errorf("exit %d: %s%s", code, stdout, stderr)
	}
}
