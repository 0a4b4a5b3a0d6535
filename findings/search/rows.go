package search

import (
	"context"
	"fmt"

	"github.com/outband/outband/findings"
	"github.com/outband/outband/findings/filter"
	"github.com/outband/outband/internal/store"
)

// Rows returns findings without instances in the order of ids, at most MaxLimit. One that the filter does not select any more is left out, so that a
// page which an index has chosen shows nothing that it was not asked for; text and people are not looked at again.
func (r *Reader) Rows(ctx context.Context, ids []string, f filter.Filter) ([]findings.Finding, error) {
	out := make([]findings.Finding, 0, len(ids))
	if len(ids) == 0 {
		return out, nil
	}
	if len(ids) > MaxLimit {
		return nil, fmt.Errorf("read findings: %d at once, at most %d", len(ids), MaxLimit)
	}
	f.Query, f.Actor = "", nil
	b := r.builder()
	where := b.where(f)
	rows, err := r.db.Read().QueryContext(ctx, `SELECT `+findings.Columns+`, COALESCE(a.vendor_id, ''), COALESCE(a.email, '')
		FROM findings f LEFT JOIN actors a ON a.workspace_id = f.workspace_id AND a.key = f.actor_key
		WHERE f.workspace_id = `+b.arg(store.Workspace)+` AND f.id IN `+b.in(ids)+` AND `+where, b.args...)
	if err != nil {
		return nil, fmt.Errorf("read findings: %w", err)
	}
	found := map[string]findings.Finding{}
	err = findings.Each(rows, func() error {
		var actor findings.Person
		s, err := findings.ScanFinding(rows, &actor.ID, &actor.Email)
		s.Actor = actor
		found[s.ID] = s.Finding
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read findings: %w", err)
	}
	for _, id := range ids {
		if x, ok := found[id]; ok {
			out = append(out, x)
		}
	}
	return out, nil
}
