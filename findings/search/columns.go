package search

import (
	"context"
	"fmt"
	"sync"

	"github.com/outband/outband/findings"
	"github.com/outband/outband/internal/store"
)

// columns hold what facets and timelines count, one entry per finding at the index of its number doc. Dictionary codes keep a finding at 27
// bytes. They follow the finding log (invariant 3): every question first reads the rows after the last seq that it knows.
type columns struct {
	mu     sync.Mutex
	loaded bool
	seq    int64 // of the log

	live  []bool // a number without a finding is not
	first []int64
	// The facets; their order is that of filter.Fields without actor.
	severity, status, kind, source col[uint8]
	policy                         col[uint16]
	connection                     col[uint32]
	connector                      col[uint16]
	detectors                      col[uint32] // the code of a whole set, ",a,b,"
	resourceKind                   col[uint16]
}

func newColumns() *columns { return &columns{} }

// dimension is one facet's column.
type dimension interface {
	grow(n int)
	set(i int, value string) error
	names() []string
	// exclude notes, for every row whose code is not ok, that dimension d does not select it.
	exclude(ok []bool, d uint8, fails, which []uint8)
	// count counts, by code, the rows that every dimension but d selects.
	count(d uint8, fails, which []uint8) []int64
}

func (c *columns) dimensions() []dimension {
	return []dimension{&c.severity, &c.status, &c.kind, &c.source, &c.policy, &c.connection, &c.connector, &c.detectors, &c.resourceKind}
}

// col is a dictionary-encoded column.
type col[T uint8 | uint16 | uint32] struct {
	values []T
	dict   []string
	codes  map[string]T
}

func (c *col[T]) grow(n int) { c.values = append(c.values, make([]T, n-len(c.values))...) }

func (c *col[T]) names() []string { return c.dict }

func (c *col[T]) set(i int, value string) error {
	code, ok := c.codes[value]
	if !ok {
		if uint64(len(c.dict)) > uint64(^T(0)) {
			return fmt.Errorf("over %d distinct values in one facet", len(c.dict))
		}
		if c.codes == nil {
			c.codes = map[string]T{}
		}
		code = T(len(c.dict))
		c.dict = append(c.dict, value)
		c.codes[value] = code
	}
	c.values[i] = code
	return nil
}

func (c *col[T]) exclude(ok []bool, d uint8, fails, which []uint8) {
	for i, code := range c.values {
		if len(ok) == 0 || !ok[code] {
			fails[i]++
			which[i] = d
		}
	}
}

func (c *col[T]) count(d uint8, fails, which []uint8) []int64 {
	out := make([]int64, len(c.dict))
	for i, code := range c.values {
		if fails[i] == 0 || fails[i] == 1 && which[i] == d {
			out[code]++
		}
	}
	return out
}

const columnsSelect = `f.doc, f.first_seen_at, f.severity, f.status, f.kind, f.source, f.policy_id, f.connection_id, f.connector, f.detectors, f.resource_kind`

// row reads columnsSelect, and before it more, into the columns.
func (c *columns) row(rows interface{ Scan(...any) error }, more ...any) (doc int64, err error) {
	var first int64
	var values [9]string
	dest := append(more, &doc, &first)
	for i := range values {
		dest = append(dest, &values[i])
	}
	if err := rows.Scan(dest...); err != nil {
		return 0, err
	}
	i := int(doc - 1)
	if i >= len(c.live) {
		c.live = append(c.live, make([]bool, i+1-len(c.live))...)
		c.first = append(c.first, make([]int64, i+1-len(c.first))...)
		for _, d := range c.dimensions() {
			d.grow(i + 1)
		}
	}
	c.live[i], c.first[i] = true, first
	for j, d := range c.dimensions() {
		if err := d.set(i, values[j]); err != nil {
			return 0, err
		}
	}
	return doc, nil
}

// catchUp brings the columns to the end of the log; c.mu is held. Batches keep read transactions short.
func (c *columns) catchUp(ctx context.Context, q store.Querier) error {
	const batch = 5000
	if !c.loaded {
		// The end of the log first: what changes while the findings are read is read again from there.
		if err := q.QueryRowContext(ctx, `SELECT COALESCE(MAX(seq), 0) FROM finding_log WHERE workspace_id = $1`, store.Workspace).Scan(&c.seq); err != nil {
			return fmt.Errorf("read the end of the finding log: %w", err)
		}
		for last, n := int64(0), batch; n == batch; {
			rows, err := q.QueryContext(ctx, `SELECT `+columnsSelect+` FROM findings f WHERE f.workspace_id = $1 AND f.doc > $2 ORDER BY f.doc LIMIT $3`, store.Workspace, last, batch)
			if err != nil {
				return fmt.Errorf("load findings: %w", err)
			}
			n = 0
			err = findings.Each(rows, func() (err error) {
				n++
				last, err = c.row(rows)
				return err
			})
			if err != nil {
				return fmt.Errorf("load findings: %w", err)
			}
		}
		c.loaded = true
	}
	for n := batch; n == batch; {
		rows, err := q.QueryContext(ctx, `SELECT l.seq, `+columnsSelect+` FROM finding_log l JOIN findings f ON f.workspace_id = l.workspace_id AND f.id = l.finding_id
			WHERE l.workspace_id = $1 AND l.seq > $2 ORDER BY l.seq LIMIT $3`, store.Workspace, c.seq, batch)
		if err != nil {
			return fmt.Errorf("follow the finding log: %w", err)
		}
		n = 0
		err = findings.Each(rows, func() error {
			n++
			_, err := c.row(rows, &c.seq)
			return err
		})
		if err != nil {
			return fmt.Errorf("follow the finding log: %w", err)
		}
	}
	return nil
}

// Load loads the columns in memory. Call it at start: it takes about 2 s for a million findings.
func (r *Reader) Load(ctx context.Context) error {
	r.cols.mu.Lock()
	defer r.cols.mu.Unlock()
	return r.cols.catchUp(ctx, r.db.Read())
}
