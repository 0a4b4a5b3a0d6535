package findings

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/outband/outband/findings/token"
	"github.com/outband/outband/internal/store"
)

// Columns are the columns of findings, as f, that ScanFinding reads.
const Columns = `f.id, f.policy_id, f.policy_version, f.kind, f.severity, f.status, f.source, f.title, f.connection_id, f.connector, f.resource_kind, f.resource_id, f.resource_name, f.resource_url,
	f.actor_key, f.first_seen_at, f.last_seen_at, f.occurred_at, f.last_occurred_at, f.detectors, f.instance_count, f.finding_seq`

// ScanFinding reads one row of Columns and then more.
func ScanFinding(row interface{ Scan(...any) error }, more ...any) (Snapshot, error) {
	var s Snapshot
	var detectors string
	err := row.Scan(append([]any{&s.ID, &s.PolicyID, &s.PolicyVersion, &s.Kind, &s.Severity, &s.Status, &s.Source, &s.Title, &s.ConnectionID, &s.Connector,
		&s.Resource.Kind, &s.Resource.ID, &s.Resource.Name, &s.Resource.URL, &s.ActorKey, &s.FirstSeenAt, &s.LastSeenAt, &s.OccurredAt, &s.LastOccurredAt,
		&detectors, &s.InstanceCount, &s.Sequence}, more...)...)
	if err != nil {
		return s, err
	}
	s.Detectors = SplitDetectors(detectors)
	return s, nil
}

// DecodeSnapshot reads the snapshot of a log row.
func DecodeSnapshot(text string) (Snapshot, error) {
	var s Snapshot
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return s, fmt.Errorf("decode a snapshot of %d bytes: %w", len(text), err)
	}
	return s, nil
}

func joinDetectors(ids []string) string {
	if len(ids) == 0 {
		return ""
	}
	return "," + strings.Join(ids, ",") + ","
}

// SplitDetectors reads the column detectors; none is an empty list.
func SplitDetectors(column string) []string {
	if column = strings.Trim(column, ","); column == "" {
		return []string{}
	}
	return strings.Split(column, ",")
}

func load(ctx context.Context, q store.Querier, id string) (rec Snapshot, known bool, err error) {
	rec, err = ScanFinding(q.QueryRowContext(ctx, `SELECT `+Columns+` FROM findings f WHERE f.workspace_id = $1 AND f.id = $2`, store.Workspace, id))
	if errors.Is(err, sql.ErrNoRows) {
		return Snapshot{}, false, nil
	}
	if err != nil {
		return rec, false, fmt.Errorf("read finding %s: %w", id, err)
	}
	return rec, true, nil
}

// LogEnd is the last seq of the finding log; 0: it is empty.
func LogEnd(ctx context.Context, q store.Querier) (seq int64, err error) {
	if err := q.QueryRowContext(ctx, `SELECT COALESCE(MAX(seq), 0) FROM finding_log WHERE workspace_id = $1`, store.Workspace).Scan(&seq); err != nil {
		return 0, fmt.Errorf("read the end of the finding log: %w", err)
	}
	return seq, nil
}

// record appends a change to the log and stores the finding as it is after it. Invariant 3: every change is one row of the log.
func record(ctx context.Context, tx *store.Tx, rec Snapshot, typ, actor, reason string) error {
	epoch, err := store.Epoch(ctx, tx)
	if err != nil {
		return err
	}
	rec.Sequence++
	snapshot, err := rec.encode()
	if err != nil {
		return err
	}
	// Writers are serial: nobody else can take the same number.
	end, err := LogEnd(ctx, tx)
	if err != nil {
		return err
	}
	seq := end + 1
	_, err = tx.ExecContext(ctx, `INSERT INTO finding_log (workspace_id, seq, epoch, finding_id, finding_seq, type, at, actor, reason, snapshot) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		store.Workspace, seq, epoch, rec.ID, rec.Sequence, typ, store.Micros(tx.Now()), actor, reason, string(snapshot))
	if err != nil {
		return fmt.Errorf("append to the finding log: %w", err)
	}
	if err := save(ctx, tx, rec); err != nil {
		return err
	}
	tokens, err := searchTokens(ctx, tx, rec)
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `UPDATE findings SET last_seq = $1, tokens = $2 WHERE workspace_id = $3 AND id = $4`, seq, tokens, store.Workspace, rec.ID); err != nil {
		return fmt.Errorf("store finding %s: %w", rec.ID, err)
	}
	return nil
}

// searchTokens is what free text finds a finding by. The actor is not in it: search joins the actors, so that erasing one is one row.
func searchTokens(ctx context.Context, tx *store.Tx, rec Snapshot) (string, error) {
	const masks = 32 // the first ones: they never change
	texts := append([]string{rec.Title, rec.PolicyID, rec.Resource.Name, rec.Resource.ID}, rec.Detectors...)
	rows, err := tx.QueryContext(ctx, `SELECT masked FROM instances WHERE workspace_id = $1 AND finding_id = $2 ORDER BY first_seen_at, id LIMIT $3`, store.Workspace, rec.ID, masks)
	if err != nil {
		return "", fmt.Errorf("read masks: %w", err)
	}
	seen := map[string]bool{}
	err = Each(rows, func() error {
		var masked string
		if err := rows.Scan(&masked); err != nil {
			return err
		}
		if !seen[masked] {
			seen[masked] = true
			texts = append(texts, masked)
		}
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("read masks: %w", err)
	}
	return token.Column(texts...), nil
}

func save(ctx context.Context, tx *store.Tx, s Snapshot) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO findings (workspace_id, id, policy_id, policy_version, kind, severity, status, source, title, connection_id, connector, resource_kind, resource_id, resource_name,
			resource_url, actor_key, first_seen_at, last_seen_at, occurred_at, last_occurred_at, detectors, instance_count, finding_seq, last_seq, tokens)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, 0, '')
		ON CONFLICT (workspace_id, id) DO UPDATE SET policy_version = excluded.policy_version, severity = excluded.severity, status = excluded.status, source = excluded.source, title = excluded.title,
			resource_name = excluded.resource_name, resource_url = excluded.resource_url, actor_key = excluded.actor_key, last_seen_at = excluded.last_seen_at, occurred_at = excluded.occurred_at,
			last_occurred_at = excluded.last_occurred_at, detectors = excluded.detectors, instance_count = excluded.instance_count, finding_seq = excluded.finding_seq`,
		store.Workspace, s.ID, s.PolicyID, s.PolicyVersion, s.Kind, s.Severity, s.Status, s.Source, s.Title, s.ConnectionID, s.Connector, s.Resource.Kind, s.Resource.ID, s.Resource.Name,
		s.Resource.URL, s.ActorKey, int64(s.FirstSeenAt), int64(s.LastSeenAt), int64(s.OccurredAt), int64(s.LastOccurredAt), joinDetectors(s.Detectors), s.InstanceCount, s.Sequence)
	if err != nil {
		return fmt.Errorf("store finding %s: %w", s.ID, err)
	}
	return nil
}
