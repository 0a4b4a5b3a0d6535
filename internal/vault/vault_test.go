package vault

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/outband/outband/internal/secret"
	"github.com/outband/outband/internal/store"
	"github.com/outband/outband/internal/store/storetest"
)

func open(t *testing.T, dir string) *store.DB {
	t.Helper()
	return storetest.Open(t, filepath.Join(dir, "outband.db"))
}

func TestAKeyIsMadeOnTheFirstRunOnly(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	db, key := open(t, dir), filepath.Join(dir, "key")
	first, err := Open(ctx, db, key)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(key)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("key file: %v, %v", info, err)
	}
	sealed, err := first.Seal(secret.NewValue("planted-secret"), "con_1", "api_key")
	if err != nil || strings.Contains(sealed, "planted") {
		t.Fatalf("seal: %v", err)
	}
	second, err := Open(ctx, db, key)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first.IDKey(), second.IDKey()) || len(first.IDKey()) != 32 {
		t.Error("idkey changed between two starts")
	}
	got, err := second.Unseal(sealed, "con_1", "api_key")
	if err != nil || got.Reveal() != "planted-secret" {
		t.Errorf("unseal: %v", err)
	}
	for _, other := range [][2]string{{"con_2", "api_key"}, {"con_1", "other"}} {
		if _, err := second.Unseal(sealed, other[0], other[1]); err == nil {
			t.Errorf("a ciphertext opened as %v", other)
		}
	}

	saved, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	locked := func(name string, want error) {
		t.Helper()
		if _, err := Open(ctx, db, key); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", name, err, want)
		}
	}
	if err := os.Remove(key); err != nil {
		t.Fatal(err)
	}
	locked("missing key", ErrKeyMissing)
	if _, err := os.Stat(key); err == nil {
		t.Error("a new key was made for a sealed database")
	}
	other := t.TempDir()
	if _, err := Open(ctx, open(t, other), filepath.Join(other, "key")); err != nil {
		t.Fatal(err)
	}
	wrong, err := os.ReadFile(filepath.Join(other, "key"))
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"another key": wrong, "an empty key": nil, "half a key": saved[:len(saved)/2]} {
		if err := os.WriteFile(key, content, 0o600); err != nil {
			t.Fatal(err)
		}
		locked(name, ErrKeyWrong)
	}
	if err := os.WriteFile(key, saved, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(key, 0o644); err != nil {
		t.Fatal(err)
	}
	locked("a key that others can read", ErrKeyMode)
}

func TestRotationKeepsIDsAndSurvivesAKillAtEachStep(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	db, key := open(t, dir), filepath.Join(dir, "key")
	v, err := Open(ctx, db, key)
	if err != nil {
		t.Fatal(err)
	}
	old, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	if err := Rotate(ctx, db, key, "cli"); err != nil {
		t.Fatal(err)
	}
	rotated, err := Open(ctx, db, key)
	if err != nil {
		t.Fatal(err)
	}
	if rotated.KeyID() == v.KeyID() || !bytes.Equal(rotated.IDKey(), v.IDKey()) {
		t.Error("rotation must change the key and keep idkey")
	}
	// Killed after the database changed and before the file moved: the old name holds the old key.
	if err := os.Rename(key, key+".new"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(key, old, 0o600); err != nil {
		t.Fatal(err)
	}
	again, err := Open(ctx, db, key)
	if err != nil {
		t.Fatal(err)
	}
	if again.KeyID() != rotated.KeyID() {
		t.Error("the interrupted rotation was not finished")
	}
	if n, _, err := store.VerifyAudit(ctx, db.Read()); err != nil || n != 2 {
		t.Errorf("audit: %d rows, %v", n, err)
	}
}
