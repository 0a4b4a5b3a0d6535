package search_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/outband/outband/findings"
	"github.com/outband/outband/findings/search"
	"github.com/outband/outband/findings/search/searchtest"
	"github.com/outband/outband/internal/store"
)

var contractKeys = findings.Keys{ID: []byte("0123456789abcdef0123456789abcdef")}

func openStore(t testing.TB, cfg store.Configuration) *store.DB {
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

func TestContractSQLite(t *testing.T) {
	db := openStore(t, store.Configuration{Path: filepath.Join(t.TempDir(), "outband.db")})
	r := search.New(db, contractKeys)
	searchtest.Run(t, searchtest.Subject{DB: db, Keys: contractKeys, Embedded: r, Engine: r})
}
