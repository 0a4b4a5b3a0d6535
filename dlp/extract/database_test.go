package extract

import (
	"bytes"
	"database/sql"
	"os"
	"path/filepath"
	"testing"

	"github.com/outband/outband/fixtures/documents"
	_ "modernc.org/sqlite" // the driver that says whether the generated files are ones
)

func TestDatabaseDocuments(t *testing.T) { checkDocuments(t, "sqlite") }

func FuzzDatabase(f *testing.F) { fuzzDocuments(f, "sqlite") }

// TestGeneratedDatabasesAreWhole: SQLite itself finds no fault but the pages that no tree has, which are what is planted.
func TestGeneratedDatabasesAreWhole(t *testing.T) {
	docs, err := documents.All(1)
	if err != nil {
		t.Fatal(err)
	}
	for _, doc := range docs {
		if doc.Format != "sqlite" {
			continue
		}
		name := filepath.Join(t.TempDir(), doc.Name)
		if err := os.WriteFile(name, doc.Data, 0o600); err != nil {
			t.Fatal(err)
		}
		db, err := sql.Open("sqlite", name)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		var n int
		if err := db.QueryRow(`SELECT count(*) FROM people WHERE "full name" != '' AND length(note) >= 0`).Scan(&n); err != nil || n != 5 {
			t.Errorf("%s: %d rows, %v", doc.Name, n, err)
		}
		var value string
		if err := db.QueryRow(`SELECT value FROM keyed WHERE k = 'key'`).Scan(&value); err != nil || !bytes.Contains([]byte(value), []byte("ghp_")) {
			t.Errorf("%s: %q, %v", doc.Name, value, err)
		}
	}
}

// TestDatabaseCutAnywhere: no cut makes it hang or panic, and what is cut off is a gap.
func TestDatabaseCutAnywhere(t *testing.T) {
	docs, err := documents.All(1)
	if err != nil {
		t.Fatal(err)
	}
	for _, doc := range docs {
		if doc.Format != "sqlite" {
			continue
		}
		for n := 512; n < len(doc.Data)-1024; n += 37 {
			if _, rep := readAll(t, doc.Name, doc.Data[:n], Options{}); rep.Gaps == nil {
				t.Fatalf("%s: cut at %d of %d: no gap", doc.Name, n, len(doc.Data))
			}
		}
	}
}
