package findings

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/outband/outband/internal/store"
)

// place is one instance as it is stored.
type place struct {
	id string
	NewInstance
	fingerprint string
	count       int64
}

// partRecord is the part of the instance of a posture finding.
const partRecord = "record"

// instanceID is the id of an instance. Of a record there is one, whichever field it shows.
func (k Keys) instanceID(findingID string, in NewInstance) string {
	if in.Part == partRecord && in.Match.Value == "" {
		return k.InstanceID(findingID, in.Resource, "", "", "")
	}
	return k.InstanceID(findingID, in.Resource, in.Part, in.Path, in.Match.Value)
}

// storeInstances stores the instances of a finding that are not known yet, at most MaxInstances per resource, and raises the counts. added is by
// how much the true number grew; fresh are the fingerprints of what is new; renewed says that a record is known and shows something else.
func storeInstances(ctx context.Context, tx *store.Tx, keys Keys, findingID string, instances []NewInstance) (fresh []string, added int64, renewed bool, err error) {
	var order []Ref
	units := map[Ref][]*place{}
	byID := map[string]*place{}
	for _, in := range instances {
		id := keys.instanceID(findingID, in)
		if p, ok := byID[id]; ok {
			// The same value again in one place: one instance with a count and its first offsets.
			p.count++
			if in.Match.Start < p.Match.Start {
				p.NewInstance = in
			}
			continue
		}
		p := &place{id: id, NewInstance: in, fingerprint: in.Match.Fingerprint, count: 1}
		if p.fingerprint == "" {
			p.fingerprint = id // An activity or a record is only ever the same as itself.
		}
		byID[id] = p
		if _, ok := units[in.Resource]; !ok {
			order = append(order, in.Resource)
		}
		units[in.Resource] = append(units[in.Resource], p)
	}
	for _, ref := range order {
		f, n, r, err := storeUnit(ctx, tx, findingID, ref, units[ref])
		if err != nil {
			return nil, 0, false, err
		}
		fresh, added, renewed = append(fresh, f...), added+n, renewed || r
	}
	return fresh, added, renewed, nil
}

func storeUnit(ctx context.Context, tx *store.Tx, findingID string, ref Ref, places []*place) (fresh []string, added int64, renewed bool, err error) {
	var had int64
	err = tx.QueryRowContext(ctx, `SELECT n FROM instance_counts WHERE workspace_id = $1 AND finding_id = $2 AND resource_kind = $3 AND resource_id = $4`,
		store.Workspace, findingID, ref.Kind, ref.ID).Scan(&had)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, 0, false, fmt.Errorf("count instances: %w", err)
	}
	known, err := knownCounts(ctx, tx, places)
	if err != nil {
		return nil, 0, false, err
	}
	stored := min(had, MaxInstances) // As long as there is room, all that were counted are stored.
	var surplus []string
	for _, p := range places {
		count, ok := known[p.id]
		switch {
		case ok && p.count > count:
			if _, err := tx.ExecContext(ctx, `UPDATE instances SET count = $1 WHERE workspace_id = $2 AND id = $3`, p.count, store.Workspace, p.id); err != nil {
				return nil, 0, false, fmt.Errorf("count a value: %w", err)
			}
		case ok && p.Part == partRecord:
			changed, err := renew(ctx, tx, p)
			if err != nil {
				return nil, 0, false, err
			}
			renewed = renewed || changed
		case ok:
		case stored < MaxInstances:
			if err := insertInstance(ctx, tx, findingID, p); err != nil {
				return nil, 0, false, err
			}
			stored++
			fresh = append(fresh, p.fingerprint)
		default:
			surplus = append(surplus, p.fingerprint)
		}
	}
	// Past the cap nobody knows which ones were there before: they are new only if there are more than there ever were.
	n := max(had, stored+int64(len(surplus)))
	if n == had {
		return nil, 0, renewed, nil
	}
	if n > had+int64(len(fresh)) {
		fresh = append(fresh, surplus...)
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO instance_counts (workspace_id, finding_id, resource_kind, resource_id, n) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (workspace_id, finding_id, resource_kind, resource_id) DO UPDATE SET n = excluded.n`, store.Workspace, findingID, ref.Kind, ref.ID, n)
	if err != nil {
		return nil, 0, false, fmt.Errorf("count instances: %w", err)
	}
	return fresh, n - had, renewed, nil
}

// renew stores what the instance of a record shows now, and reports whether it showed something else.
func renew(ctx context.Context, tx *store.Tx, p *place) (bool, error) {
	res, err := tx.ExecContext(ctx, `UPDATE instances SET part = $1, path = $2, masked = $3 WHERE workspace_id = $4 AND id = $5 AND (path <> $2 OR masked <> $3)`, p.Part, p.Path, p.Match.Masked, store.Workspace, p.id)
	if err != nil {
		return false, fmt.Errorf("renew an instance: %w", err)
	}
	n, err := res.RowsAffected()
	if err != nil {
		return false, fmt.Errorf("renew an instance: %w", err)
	}
	return n > 0, nil
}

// knownCounts returns how often the value of each place that is stored was seen in it.
func knownCounts(ctx context.Context, tx *store.Tx, places []*place) (map[string]int64, error) {
	const batch = 200
	out := make(map[string]int64, len(places))
	for len(places) > 0 {
		part := places[:min(batch, len(places))]
		places = places[len(part):]
		args, ids := []any{store.Workspace}, make([]string, len(part))
		for i, p := range part {
			ids[i] = p.id
		}
		rows, err := tx.QueryContext(ctx, `SELECT id, count FROM instances WHERE workspace_id = $1 AND id IN (`+store.In(&args, ids)+`)`, args...)
		if err != nil {
			return nil, fmt.Errorf("read instances: %w", err)
		}
		err = Each(rows, func() error {
			var id string
			var n int64
			if err := rows.Scan(&id, &n); err != nil {
				return err
			}
			out[id] = n
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("read instances: %w", err)
		}
	}
	return out, nil
}

func insertInstance(ctx context.Context, tx *store.Tx, findingID string, p *place) error {
	words := p.Match.Context
	if words == nil {
		words = []string{}
	}
	contextJSON, err := json.Marshal(words)
	if err != nil {
		return fmt.Errorf("encode context words: %w", err)
	}
	m := p.Match
	where, err := placeOf(m.Where).encode()
	if err != nil {
		return err
	}
	// Invariant 4: the mask, the detector's own words and the neighbourhood as shape; never the text.
	_, err = tx.ExecContext(ctx, `INSERT INTO instances (workspace_id, id, finding_id, resource_kind, resource_id, part, path, start_at, end_at, line, detector, confidence, validated, masked,
			before_shape, after_shape, context, fingerprint, count, occurred_at, first_seen_at, explanation, place, line_column)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24)`,
		store.Workspace, p.id, findingID, p.Resource.Kind, p.Resource.ID, p.Part, p.Path, m.Start, m.End, m.Line, m.Detector, m.Confidence, b2i(m.Validated), m.Masked,
		m.Before, m.After, string(contextJSON), p.fingerprint, p.count, store.Micros(p.At), store.Micros(tx.Now()), p.Why, where, m.Column)
	if err != nil {
		return fmt.Errorf("store instance: %w", err)
	}
	return nil
}

// InstanceColumns are the columns that ScanInstance reads.
const InstanceColumns = `id, resource_kind, resource_id, part, path, start_at, end_at, line, detector, confidence, validated, masked, before_shape, after_shape, context, count, occurred_at, first_seen_at, place, line_column`

// ScanInstance reads one row of InstanceColumns and then more.
func ScanInstance(row interface{ Scan(...any) error }, more ...any) (Instance, error) {
	var in Instance
	var validated int64
	var words, where string
	l := &in.Location
	if err := row.Scan(append([]any{&in.ID, &in.Resource.Kind, &in.Resource.ID, &l.Part, &l.Path, &l.Start, &l.End, &l.Line, &in.Detector, &in.Confidence, &validated, &in.Masked,
		&in.Before, &in.After, &words, &in.Count, &in.OccurredAt, &in.FirstSeenAt, &where, &l.Column}, more...)...); err != nil {
		return in, fmt.Errorf("read instance: %w", err)
	}
	if err := json.Unmarshal([]byte(words), &in.Context); err != nil {
		return in, fmt.Errorf("decode the context words of instance %s: %w", in.ID, err)
	}
	if where != "" {
		if err := json.Unmarshal([]byte(where), &l.DocumentPlace); err != nil {
			return in, fmt.Errorf("decode the place of instance %s: %w", in.ID, err)
		}
	}
	if len(in.Context) == 0 {
		in.Context = nil
	}
	in.Validated = validated != 0
	switch in.Resource.Kind {
	case "message":
		l.MessageID = in.Resource.ID
	case "file":
		l.FileID = in.Resource.ID
	}
	return in, nil
}

// Each calls f for each row and closes the rows.
func Each(rows *sql.Rows, f func() error) error {
	for rows.Next() {
		if err := f(); err != nil {
			return errors.Join(err, rows.Close())
		}
	}
	return errors.Join(rows.Err(), rows.Close())
}

func b2i(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
