package search

import (
	"context"
	"fmt"
	"sync"

	"github.com/outband/outband/findings"
	"github.com/outband/outband/internal/store"
)

// columns hold what facets and timelines count, one entry per finding at the index of its number doc. Dictionary codes keep a finding at 31
// bytes. They follow the finding log (invariant 3): every question first reads the rows after the last seq that it knows.
type columns struct {
	mu     sync.RWMutex
	loaded bool
	seq    int64 // of the log

	live   []bool // a number without a finding is not
	dead   int    // numbers without a finding
	first  []int64
	sorted bool // first only grows, as it does unless a clock went back: a range of time is a range of rows
	// The facets; their order is that of filter.Fields without actor.
	severity, status, kind, source col[uint8]
	policy                         col[uint16]
	connection                     col[uint32]
	connector                      col[uint16]
	detectors                      col[uint32] // the code of a whole set, ",a,b,"
	resourceKind                   col[uint16]
	actor                          col[uint32] // the key, no personal data; counted, but not a dimension: filters on people are asked of the database
}

func newColumns() *columns { return &columns{sorted: true} }

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

func (c *col[T]) put(i int, value string) error {
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

const columnsSelect = `f.doc, f.first_seen_at, f.severity, f.status, f.kind, f.source, f.policy_id, f.connection_id, f.connector, f.detectors, f.resource_kind, f.actor_key`

// row reads columnsSelect, and before it more, into the columns.
func (c *columns) row(rows interface{ Scan(...any) error }, more ...any) (doc int64, err error) {
	var first int64
	var values [10]string
	dest := append(more, &doc, &first)
	for i := range values {
		dest = append(dest, &values[i])
	}
	if err := rows.Scan(dest...); err != nil {
		return 0, err
	}
	i := int(doc - 1)
	if n := len(c.live); i >= n {
		for k := n; k <= i; k++ { // Numbers in between are free, for now: their time is that of the one before.
			at := first
			if k < i {
				at = 0
				if k > 0 {
					at = c.first[k-1]
				}
			}
			c.live, c.first = append(c.live, false), append(c.first, at)
		}
		c.dead += i + 1 - n
		for _, d := range c.dimensions() {
			d.grow(i + 1)
		}
		c.actor.grow(i + 1)
	}
	if !c.live[i] {
		c.live[i] = true
		c.dead--
	}
	c.first[i] = first
	if i > 0 && first < c.first[i-1] || i+1 < len(c.first) && first > c.first[i+1] {
		c.sorted = false
	}
	for j, d := range c.dimensions() {
		if err := d.put(i, values[j]); err != nil {
			return 0, err
		}
	}
	if err := c.actor.put(i, values[len(values)-1]); err != nil {
		return 0, err
	}
	return doc, nil
}

// current brings the columns to the end of the log, and leaves them locked for reading: the caller unlocks them.
func (c *columns) current(ctx context.Context, q store.Querier) error {
	end, err := findings.LogEnd(ctx, q)
	if err != nil {
		return err
	}
	c.mu.RLock()
	if c.loaded && c.seq >= end {
		return nil
	}
	c.mu.RUnlock()
	c.mu.Lock()
	err = c.catchUp(ctx, q)
	c.mu.Unlock()
	if err != nil {
		return err
	}
	c.mu.RLock()
	return nil
}

// catchUp brings the columns to the end of the log; c.mu is held. Batches keep read transactions short.
func (c *columns) catchUp(ctx context.Context, q store.Querier) error {
	const batch = 5000
	if !c.loaded {
		// The end of the log first: what changes while the findings are read is read again from there.
		end, err := findings.LogEnd(ctx, q)
		if err != nil {
			return err
		}
		c.seq = end
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
