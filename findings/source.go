package findings

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/outband/outband/internal/store"
)

// Refused reports whether err is about the change that was asked for, not about the store.
func Refused(err error) bool {
	return errors.Is(err, ErrNotFound) || errors.Is(err, ErrStatus) || errors.Is(err, ErrReason) || errors.Is(err, ErrTransition) || errors.Is(err, ErrLocked)
}

// MarkSource notes what the source says about a resource: SourceDeleted, or SourcePresent if it is back. The status of its findings stays. It
// returns how many findings it changed, one log row each.
func MarkSource(ctx context.Context, tx *store.Tx, connectionID string, resource Ref, source string) (int, error) {
	if !slices.Contains(Sources(), source) {
		return 0, fmt.Errorf("mark a %s: no such source state", resource.Kind)
	}
	total := 0
	for {
		n, err := mark(ctx, tx, source, `f.connection_id = $3 AND f.resource_kind = $4 AND f.resource_id = $5`, connectionID, resource.Kind, resource.ID)
		if err != nil || n == 0 {
			return total, err
		}
		total += n
	}
}

// MarkSourceUnknown notes, in batches, that a connection is gone: nobody can say any more what became of its resources. It can be called again
// after an error or a crash, and returns how many findings it changed.
func MarkSourceUnknown(ctx context.Context, db *store.DB, connectionID string) (int, error) {
	total := 0
	for {
		var n int
		err := db.Write(ctx, func(tx *store.Tx) (err error) {
			n, err = mark(ctx, tx, SourceUnknown, `f.connection_id = $3`, connectionID)
			return err
		})
		if err != nil || n == 0 {
			return total, err
		}
		total += n
	}
}

// mark changes at most 200 findings, so that one transaction stays short.
func mark(ctx context.Context, tx *store.Tx, source, where string, args ...any) (int, error) {
	rows, err := tx.QueryContext(ctx, `SELECT `+Columns+` FROM findings f WHERE f.workspace_id = $1 AND f.source <> $2 AND `+where+` ORDER BY f.first_seen_at, f.id LIMIT 200`,
		append([]any{store.Workspace, source}, args...)...)
	if err != nil {
		return 0, fmt.Errorf("list findings to mark: %w", err)
	}
	var recs []Snapshot
	err = Each(rows, func() error {
		rec, err := ScanFinding(rows)
		recs = append(recs, rec)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("list findings to mark: %w", err)
	}
	typ := TypeUpdated
	if source == SourceDeleted {
		typ = TypeSourceDeleted
	}
	for _, rec := range recs {
		rec.Source = source // and not the status: a deletion decides nothing
		if err := record(ctx, tx, rec, typ, "", ""); err != nil {
			return 0, err
		}
	}
	return len(recs), nil
}
