package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// AuditRow is one row of the audit log. It holds ids only, so that erasing a person breaks no chain.
type AuditRow struct {
	Seq      int64
	At       time.Time
	Actor    string            // usr_ or tok_ id, "cli" or "system"
	Action   string            // e.g. connection.create
	Object   string            // the id of what was read or changed
	Detail   map[string]string // ids, states and codes; never content, names or secrets
	PrevHash string
	Hash     string
}

// AppendAudit adds a row in the transaction of the change that it records: if it cannot be written, the change is not made (invariant 11).
func AppendAudit(ctx context.Context, tx *Tx, actor, action, object string, detail map[string]string) error {
	// The hash is over what is stored, byte for byte.
	r := AuditRow{Seq: 1, At: tx.Now(), Actor: storable(actor), Action: storable(action), Object: storable(object), Detail: detail}
	err := tx.QueryRowContext(ctx, `SELECT seq + 1, hash FROM audit WHERE workspace_id = $1 ORDER BY seq DESC LIMIT 1`, Workspace).Scan(&r.Seq, &r.PrevHash)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("read the end of the audit log: %w", err)
	}
	text, err := r.detailText()
	if err != nil {
		return err
	}
	r.Hash = r.sum(text)
	_, err = tx.ExecContext(ctx, `INSERT INTO audit (workspace_id, seq, at, actor, action, object, detail, prev_hash, hash) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		Workspace, r.Seq, Micros(r.At), r.Actor, r.Action, r.Object, text, r.PrevHash, r.Hash)
	if err != nil {
		return fmt.Errorf("write the audit log: %w", err)
	}
	return nil
}

func (r AuditRow) detailText() (string, error) {
	if len(r.Detail) == 0 {
		return "{}", nil
	}
	b, err := json.Marshal(r.Detail) // Keys come out sorted.
	if err != nil {
		return "", fmt.Errorf("encode audit detail: %w", err)
	}
	return string(b), nil
}

// sum is the SHA-256 of the row as a JSON array: workspace, seq, time in microseconds, actor, action, object, detail, hash before.
func (r AuditRow) sum(detail string) string {
	b, err := json.Marshal([]any{Workspace, r.Seq, Micros(r.At), r.Actor, r.Action, r.Object, detail, r.PrevHash})
	if err != nil {
		panic(err) // Strings and numbers only.
	}
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

// ListAudit returns rows newest first, with a seq below before (0: from the end).
func ListAudit(ctx context.Context, q Querier, before int64, limit int) ([]AuditRow, error) {
	if before <= 0 {
		before = 1 << 62
	}
	rows, err := q.QueryContext(ctx, `SELECT seq, at, actor, action, object, detail, prev_hash, hash FROM audit WHERE workspace_id = $1 AND seq < $2 ORDER BY seq DESC LIMIT $3`, Workspace, before, limit)
	if err != nil {
		return nil, fmt.Errorf("read the audit log: %w", err)
	}
	return collect(rows, func(r *sql.Rows) (AuditRow, error) {
		row, _, err := scanAudit(r)
		return row, err
	})
}

func scanAudit(r *sql.Rows) (row AuditRow, detail string, err error) {
	var at int64
	if err := r.Scan(&row.Seq, &at, &row.Actor, &row.Action, &row.Object, &detail, &row.PrevHash, &row.Hash); err != nil {
		return row, "", fmt.Errorf("read the audit log: %w", err)
	}
	row.At = FromMicros(at)
	if err := json.Unmarshal([]byte(detail), &row.Detail); err != nil {
		return row, detail, fmt.Errorf("decode audit row %d: %w", row.Seq, err)
	}
	return row, detail, nil
}

// AuditError says which row breaks the chain.
type AuditError struct {
	Seq    int64
	Reason string
}

// Error implements error.
func (e *AuditError) Error() string { return fmt.Sprintf("audit row %d: %s", e.Seq, e.Reason) }

// VerifyAudit walks the chain in batches and returns the number of rows and the hash of the last, or an *AuditError that names the first row that
// was changed, removed or moved. Rows cut off the end are seen only by comparing the last hash with one kept elsewhere.
func VerifyAudit(ctx context.Context, q Querier) (n int64, head string, err error) {
	for {
		rows, err := q.QueryContext(ctx, `SELECT seq, at, actor, action, object, detail, prev_hash, hash FROM audit WHERE workspace_id = $1 AND seq > $2 ORDER BY seq LIMIT 1000`, Workspace, n)
		if err != nil {
			return n, head, fmt.Errorf("read the audit log: %w", err)
		}
		batch, err := collect(rows, func(r *sql.Rows) (AuditRow, error) {
			row, detail, err := scanAudit(r)
			if err != nil {
				return row, &AuditError{row.Seq, "cannot be decoded"}
			}
			if row.Hash != row.sum(detail) {
				return row, &AuditError{row.Seq, "its content does not fit its hash"}
			}
			return row, nil
		})
		if err != nil {
			return n, head, err
		}
		for _, row := range batch {
			if row.Seq != n+1 {
				return n, head, &AuditError{n + 1, "is missing"}
			}
			if row.PrevHash != head {
				return n, head, &AuditError{row.Seq, "does not follow the row before"}
			}
			n, head = row.Seq, row.Hash
		}
		if len(batch) == 0 {
			return n, head, nil
		}
	}
}
