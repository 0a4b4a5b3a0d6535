package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/outband/outband/internal/store"
)

const ownPolicy = `id: custom.card
version: 1
title: A card of ours
severity: low
guide: Open {resource.url} and look.
on: {items: ["*"]}
when: count("financial.card") > 0
tests:
  - {name: a card, input: {matches: [{detector: financial.card}]}, want: true}
`

func TestPoliciesAreTakenInAndOut(t *testing.T) {
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	other := strings.Replace(ownPolicy, "custom.card", "custom.more", 1)
	red := strings.Replace(other, "> 0", "> 1", 1)
	one, both, notRed := write("one.yaml", ownPolicy), write("both.yaml", "# Ours\n---\n"+ownPolicy+"---\n"+red), write("invalid.yaml", strings.Replace(other, "count(", "cuont(", 1))
	write("folder/a.yaml", ownPolicy)
	write("folder/b.yaml", other)
	write("folder/notes.txt", "no policy")
	builtIn := write("builtin.yaml", strings.Replace(ownPolicy, "custom.card", "content.card_numbers", 1))
	long := write("long.yaml", ownPolicy+"#"+strings.Repeat("x", 64<<10))
	for _, tc := range []struct {
		args           []string
		code           int
		stdout, stderr string
	}{
		{[]string{"import", one}, 2, "", "no Outband database"},
		{[]string{"users"}, 0, "", ""}, // Makes the installation.
		{[]string{"import"}, 1, "", "requires at least 1 arg"},
		{[]string{"import", filepath.Join(dir, "none.yaml")}, 2, "", "no such file"},
		{[]string{"import", "--dry-run", one}, 0, "created   custom.card version 1\n1 policies would be saved\n", ""},
		{[]string{"export"}, 0, "", ""},
		{[]string{"import", both}, 1, "created   custom.card version 1\n", "both.yaml:21:5: test \"a card\" gave false, want true\noutband: 1 of 2 policies are refused, so none is saved\n"},
		{[]string{"import", one, notRed}, 2, "created   custom.card version 1\n", "invalid.yaml:7:12: undeclared reference to 'cuont'"},
		{[]string{"import", builtIn}, 2, "", "builtin.yaml:1:5: the policy content.card_numbers is built in"},
		{[]string{"import", long}, 2, "", "more than the 65536 allowed"},
		{[]string{"export"}, 0, "", ""},
		{[]string{"import", "--reason", "From git.", filepath.Join(dir, "folder")}, 0, "created   custom.card version 1\ncreated   custom.more version 1\n2 policies saved\n", ""},
		{[]string{"import", filepath.Join(dir, "folder")}, 0, "unchanged custom.card version 1\nunchanged custom.more version 1\n2 policies saved\n", ""},
		{[]string{"import", write("red.yaml", strings.Replace(ownPolicy, "> 0", "> 1", 1))}, 1, "", "red.yaml:9:5: test"},
		{[]string{"import", write("louder.yaml", strings.Replace(ownPolicy, "severity: low", "severity: high", 1))}, 0, "updated   custom.card version 2\n1 policies saved\n", ""},
		{[]string{"export"}, 0, strings.Replace(strings.Replace(ownPolicy, "severity: low", "severity: high", 1), "version: 1", "version: 2", 1) + "---\n" + other, ""},
		{[]string{"export", "--out", filepath.Join(dir, "out")}, 0, "2 policies written to ", ""},
		{[]string{"import", "--dry-run", filepath.Join(dir, "out")}, 0, "unchanged custom.card version 2\nunchanged custom.more version 1\n2 policies would be saved\n", ""},
	} {
		args := append(append([]string{"policies"}, tc.args...), "--data", data)
		if tc.args[0] == "users" {
			args = []string{"users", "create", "--email", "ana@example.com", "--role", "admin", "--data", data}
		}
		stdout, stderr, code := command(t, args...)
		if code != tc.code || !strings.Contains(stderr, tc.stderr) || tc.args[0] != "users" && !strings.HasPrefix(stdout, tc.stdout) || tc.args[0] == "export" && tc.stdout == "" && stdout != "" {
			t.Errorf("%v: exit %d, want %d\n%s%s", tc.args, code, tc.code, stdout, stderr)
		}
	}
	db, err := store.Open(t.Context(), store.Configuration{Path: filepath.Join(data, "outband.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer closeQuietly(db)
	v, err := store.GetPolicyVersion(t.Context(), db.Read(), "custom.more", 0)
	if err != nil || v.By != "cli" || v.Reason != "From git." || v.YAML != other {
		t.Errorf("stored %+v, %v", v, err)
	}
	rows, err := store.ListAudit(t.Context(), db.Read(), 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, r := range rows {
		if strings.HasPrefix(r.Action, "policy.") {
			n++
		}
	}
	if n != 3 {
		t.Errorf("%d changes of policies are audited, want 3", n)
	}
}
