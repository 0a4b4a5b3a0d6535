package storetest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/outband/outband/internal/store"
)

// migrated is the file of an empty store with this version's schema. Under the race detector the migrations are most of the time of a short test, so
// each process runs them once. Nothing in them is of one installation alone: ids and keys are made later, by those who open the copy.
var migrated = sync.OnceValues(func() (content []byte, err error) {
	dir, err := os.MkdirTemp("", "outband-store-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	path := filepath.Join(dir, "outband.db")
	db, err := store.Open(context.Background(), store.Configuration{Path: path})
	if err != nil {
		return nil, err
	}
	if err := db.Close(); err != nil {
		return nil, err
	}
	// The last connection that closes writes the log back into the file and removes it; what stayed in it would be missing in the copies.
	if _, err := os.Stat(path + "-wal"); !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the closed database has a log beside it: %v", err)
	}
	return os.ReadFile(path)
})

// Open opens a new SQLite store at path, where no file may be, for the length of the test. It is a copy of one that the process has migrated once; a
// test of the migrations themselves calls store.Open.
func Open(t testing.TB, path string) *store.DB {
	t.Helper()
	content, err := migrated()
	if err != nil {
		t.Fatal("make an empty store: ", err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	return Connect(t, store.Configuration{Path: path})
}

// Connect opens a store for the length of the test, as one more process of its installation does.
func Connect(t testing.TB, cfg store.Configuration) *store.DB {
	t.Helper()
	db, err := store.Open(context.Background(), cfg)
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
