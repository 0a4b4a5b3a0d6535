package elastic

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/outband/outband/findings"
	"github.com/outband/outband/findings/search"
	"github.com/outband/outband/internal/id"
	"github.com/outband/outband/internal/store"
)

const (
	// logBatch is how many rows of the log one turn takes.
	logBatch = 1000
	// lookEvery is how often a Step looks whether the index is still there.
	lookEvery = time.Minute

	metaRefused = "elasticsearch.refused" // how many documents were refused since the index was last built
	metaReindex = "elasticsearch.reindex" // the place in the log from which a reindex under way covers; empty: there is none
	leaseName   = "elasticsearch.reindex"
)

// Progress is what a Step did.
type Progress struct {
	Indexed int  // findings
	Refused int  // documents that Elasticsearch will not take
	More    bool // the budget ended first: call again at once
}

// Step brings the index up to the end of the log, or as far as the budget goes. Its error is an *Error for an admin, or one of the store or of ctx;
// the place in the log has not moved then, and the next Step does the same again.
func (x *Index) Step(ctx context.Context, budget time.Duration) (p Progress, err error) {
	x.stepping.Lock()
	defer x.stepping.Unlock()
	deadline := x.deps.Now().Add(budget)
	if err := x.settle(ctx); err != nil {
		return p, err
	}
	for {
		done, err := x.turn(ctx, &p)
		if err != nil || done {
			return p, err
		}
		if !x.deps.Now().Before(deadline) {
			p.More = true
			return p, nil
		}
	}
}

// turn indexes the next rows of the log; done says that there were none.
func (x *Index) turn(ctx context.Context, p *Progress) (done bool, err error) {
	offset, err := x.offset(ctx)
	if err != nil {
		return false, err
	}
	if offset, err = x.look(ctx, offset); err != nil {
		return false, err
	}
	end, err := x.batchEnd(ctx, offset)
	if err != nil || end == offset {
		return true, err
	}
	writes, err := x.changed(ctx, offset, end, func(at findings.Time) string { return month(at) })
	if err != nil {
		return false, err
	}
	if err := x.prepare(ctx, indices(writes)); err != nil {
		return false, err
	}
	refused, err := x.send(ctx, writes)
	if err != nil {
		return false, err
	}
	// Invariant 3: the place moves only after the documents are durable in the index.
	moved, err := x.move(ctx, offset, end, refused)
	if moved {
		p.Indexed += len(writes) - refused
		p.Refused += refused
	}
	return false, err
}

// offset reads the place of the index in the log, and makes it if there is none: everything is to be indexed then.
func (x *Index) offset(ctx context.Context) (seq int64, err error) {
	lag, err := search.ReadLag(ctx, x.deps.DB)
	if err != nil || !lag.Unknown {
		return lag.Offset, err
	}
	return 0, x.deps.DB.Write(ctx, func(tx *store.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO consumers (workspace_id, id, seq, updated_at) VALUES ($1, $2, 0, $3) ON CONFLICT (workspace_id, id) DO NOTHING`,
			store.Workspace, search.Consumer, store.Micros(tx.Now()))
		if err != nil {
			return fmt.Errorf("store the place of the index in the finding log: %w", err)
		}
		return nil
	})
}

// look checks from time to time that the index is there. One that was lost, or another cluster than before, begins at the start of the log.
func (x *Index) look(ctx context.Context, offset int64) (int64, error) {
	now := x.deps.Now()
	x.mu.Lock()
	due := x.checkedAt.IsZero() || now.Sub(x.checkedAt) >= lookEvery
	x.mu.Unlock()
	if !due {
		return offset, nil
	}
	if err := x.prepare(ctx, nil); err != nil {
		return offset, err
	}
	have, err := x.aliased(ctx)
	if err != nil {
		return offset, err
	}
	if len(have) == 0 && offset > 0 {
		x.forget()
		if _, err := x.move(ctx, offset, 0, 0); err != nil {
			return offset, err
		}
		x.deps.Log.Warn("index not found, it is built from the log", "code", CodeMissing)
		offset = 0
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.checkedAt = now
	return offset, nil
}

// batchEnd returns the last of the next rows of the log after a place, or the place if there is none.
func (x *Index) batchEnd(ctx context.Context, after int64) (end int64, err error) {
	err = x.deps.DB.Read().QueryRowContext(ctx, `SELECT COALESCE(MAX(seq), $2) FROM (SELECT seq FROM finding_log WHERE workspace_id = $1 AND seq > $2 ORDER BY seq LIMIT $3) AS batch`,
		store.Workspace, after, logBatch).Scan(&end)
	if err != nil {
		return 0, fmt.Errorf("read the finding log: %w", err)
	}
	return end, nil
}

// documentSelect is what read needs: a document is made from the finding as the store has it, so that it is that of the finding's last change.
const documentSelect = findings.Columns + `, f.last_seq, f.tokens`

// changed reads the findings whose last change is in (after, end] of the log. One that changed again since is not among them: its turn comes with
// that row.
func (x *Index) changed(ctx context.Context, after, end int64, name func(findings.Time) string) ([]write, error) {
	return x.read(ctx, name, nil, `SELECT `+documentSelect+` FROM finding_log l JOIN findings f ON f.workspace_id = l.workspace_id AND f.id = l.finding_id AND f.last_seq = l.seq
		WHERE l.workspace_id = $1 AND l.seq > $2 AND l.seq <= $3 ORDER BY l.seq`, store.Workspace, after, end)
}

// read makes writes of rows of documentSelect and, before it, of more.
func (x *Index) read(ctx context.Context, name func(findings.Time) string, doc *int64, query string, args ...any) (out []write, err error) {
	q := x.deps.DB.Read()
	epoch, err := store.Epoch(ctx, q)
	if err != nil {
		return nil, err
	}
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("read findings to index: %w", err)
	}
	err = findings.Each(rows, func() error {
		var lastSeq int64
		var tokens string
		more := []any{&lastSeq, &tokens}
		if doc != nil {
			more = append(more, doc)
		}
		s, err := findings.ScanFinding(rows, more...)
		if err != nil {
			return err
		}
		w, err := newWrite(name(s.FirstSeenAt), version(epoch, lastSeq), newDocument(s, tokens))
		out = append(out, w)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read findings to index: %w", err)
	}
	return out, nil
}

// indices returns the names that writes go to.
func indices(writes []write) []string {
	seen := map[string]bool{}
	var out []string
	for _, w := range writes {
		if !seen[w.index] {
			seen[w.index] = true
			out = append(out, w.index)
		}
	}
	return out
}

// move moves the place of the index in the log, unless another has meanwhile: then the next turn begins where that one left it.
func (x *Index) move(ctx context.Context, from, to int64, refused int) (moved bool, err error) {
	err = x.deps.DB.Write(ctx, func(tx *store.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE consumers SET seq = $1, updated_at = $2 WHERE workspace_id = $3 AND id = $4 AND seq = $5`, to, store.Micros(tx.Now()), store.Workspace, search.Consumer, from)
		if err != nil {
			return fmt.Errorf("move the place of the index in the finding log: %w", err)
		}
		n, err := res.RowsAffected()
		if err != nil {
			return fmt.Errorf("move the place of the index in the finding log: %w", err)
		}
		if moved = n > 0; !moved || refused == 0 {
			return nil
		}
		before, err := number(ctx, tx, metaRefused)
		if err != nil {
			return err
		}
		return store.SetMeta(ctx, tx, metaRefused, strconv.FormatInt(before+int64(refused), 10))
	})
	return moved && err == nil, err
}

// number reads a number of the installation; one that is not there is 0.
func number(ctx context.Context, q store.Querier, key string) (int64, error) {
	v, err := store.GetMeta(ctx, q, key)
	if errors.Is(err, store.ErrNotFound) || err == nil && v == "" {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("the stored %s is not a number", key)
	}
	return n, nil
}

// settle undoes what a reindex that died left: the place goes back to where that one began, because what was indexed meanwhile may have gone into
// indices that it had already replaced.
func (x *Index) settle(ctx context.Context) error {
	since, err := store.GetMeta(ctx, x.deps.DB.Read(), metaReindex)
	if errors.Is(err, store.ErrNotFound) || err == nil && since == "" {
		return nil
	}
	if err != nil {
		return err
	}
	owner := store.LeaseOwner{Work: id.New("step_"), Attempt: 1}
	err = x.deps.DB.Write(ctx, func(tx *store.Tx) error {
		if err := store.AcquireLease(ctx, tx, leaseName, owner, time.Minute); err != nil {
			return err
		}
		if err := rewind(ctx, tx); err != nil {
			return err
		}
		return store.ReleaseLease(ctx, tx, leaseName, owner)
	})
	var held *store.LeaseHeldError
	if errors.As(err, &held) {
		return nil // It is alive.
	}
	return err
}

// rewind puts the place back to where the reindex began, and forgets that one.
func rewind(ctx context.Context, tx *store.Tx) error {
	since, err := number(ctx, tx, metaReindex)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `UPDATE consumers SET seq = $1, updated_at = $2 WHERE workspace_id = $3 AND id = $4 AND seq > $1`, since, store.Micros(tx.Now()), store.Workspace, search.Consumer)
	if err != nil {
		return fmt.Errorf("move the place of the index in the finding log: %w", err)
	}
	return store.SetMeta(ctx, tx, metaReindex, "")
}
