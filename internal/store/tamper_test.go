package store_test

import (
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"

	"github.com/outband/outband/internal/store"
)

// tamperings is how many changes to the audit log the property tries.
const tamperings = 300

// TestEveryTamperingIsNamed changes the audit log as a person with the file could, with its triggers dropped, and expects the verifier to name
// the first row that is wrong.
func TestEveryTamperingIsNamed(t *testing.T) {
	const rows = 12
	path := filepath.Join(t.TempDir(), "outband.db")
	db := open(t, path)
	audit(t, db, rows)
	other := raw(t, path)
	other.SetMaxOpenConns(1)
	exec(t, other, `DROP TRIGGER audit_no_update`)
	exec(t, other, `DROP TRIGGER audit_no_delete`)
	exec(t, other, `CREATE TABLE original AS SELECT * FROM audit`)
	for i := range tamperings {
		tampering := rapid.Custom(func(r *rapid.T) change { return draw(r, rows) }).Example(i)
		for _, q := range tampering.sql {
			exec(t, other, q)
		}
		_, _, err := store.VerifyAudit(t.Context(), db.Read())
		var broken *store.AuditError
		if !errors.As(err, &broken) || broken.Seq != int64(tampering.seq) {
			t.Errorf("%s: %v, want row %d", tampering.name, err, tampering.seq)
		}
		restore(t, other)
	}
	if n, _, err := store.VerifyAudit(t.Context(), db.Read()); n != rows || err != nil {
		t.Errorf("restored: %d, %v", n, err)
	}
}

func restore(t *testing.T, db *sql.DB) {
	t.Helper()
	exec(t, db, `DELETE FROM audit`)
	exec(t, db, `INSERT INTO audit SELECT * FROM original`)
}

// change is one tampering and the row that it must be seen at.
type change struct {
	name string
	sql  []string
	seq  int
}

func draw(r *rapid.T, rows int) change {
	at := rapid.IntRange(1, rows).Draw(r, "row")
	switch rapid.IntRange(0, 4).Draw(r, "kind") {
	case 0:
		// The last row can be cut off unseen by the chain alone; the test below holds that.
		first := rapid.IntRange(1, rows-1).Draw(r, "first")
		last := rapid.IntRange(first, rows-1).Draw(r, "last")
		return change{fmt.Sprintf("delete rows %d to %d", first, last), []string{fmt.Sprintf(`DELETE FROM audit WHERE seq BETWEEN %d AND %d`, first, last)}, first}
	case 1:
		column := rapid.SampledFrom([]string{"actor", "action", "object", "detail", "prev_hash", "hash"}).Draw(r, "column")
		return change{fmt.Sprintf("edit %s of row %d", column, at), []string{fmt.Sprintf(`UPDATE audit SET %s = %s || 'x' WHERE seq = %d`, column, column, at)}, at}
	case 2:
		by := rapid.SampledFrom([]int{-1, 1, 60_000_000}).Draw(r, "microseconds")
		return change{fmt.Sprintf("move the time of row %d by %d", at, by), []string{fmt.Sprintf(`UPDATE audit SET at = at + %d WHERE seq = %d`, by, at)}, at}
	case 3:
		b := rapid.IntRange(1, rows-1).Draw(r, "other")
		if b >= at {
			b++
		}
		return change{fmt.Sprintf("swap rows %d and %d", at, b), []string{
			fmt.Sprintf(`UPDATE audit SET seq = -1 WHERE seq = %d`, at), fmt.Sprintf(`UPDATE audit SET seq = %d WHERE seq = %d`, at, b), fmt.Sprintf(`UPDATE audit SET seq = %d WHERE seq = -1`, b),
		}, min(at, b)}
	default:
		return change{fmt.Sprintf("put a copy of row %d at the end", at), []string{
			fmt.Sprintf(`INSERT INTO audit SELECT workspace_id, %d, at, actor, action, object, detail, prev_hash, hash FROM audit WHERE seq = %d`, rows+1, at),
		}, rows + 1}
	}
}

// TestRowsCutOffTheEndChangeTheHead is the limit of a chain: only the head kept elsewhere tells.
func TestRowsCutOffTheEndChangeTheHead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "outband.db")
	db := open(t, path)
	audit(t, db, 5)
	_, before, err := store.VerifyAudit(t.Context(), db.Read())
	if err != nil {
		t.Fatal(err)
	}
	other := raw(t, path)
	exec(t, other, `DROP TRIGGER audit_no_delete`)
	exec(t, other, `DELETE FROM audit WHERE seq > 3`)
	n, after, err := store.VerifyAudit(t.Context(), db.Read())
	if err != nil || n != 3 || after == before {
		t.Errorf("VerifyAudit: %d rows, head changed: %v, %v", n, after != before, err)
	}
}
