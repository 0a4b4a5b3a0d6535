package search

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/outband/outband/findings"
	"github.com/outband/outband/findings/token"
	"github.com/outband/outband/internal/store"
)

const (
	// maxTexts is how many terms are remembered; each takes a bit for a finding.
	maxTexts = 128
	// reloadAfter is how many rows of the log a term follows before asking anew is cheaper.
	reloadAfter = 20_000
)

// texts remember which findings hold a term. The database is asked once for a term, which for a common word takes a second for a million findings;
// then the term follows the finding log, and what is new is matched here. Nothing of people is remembered.
type texts struct {
	mu   sync.Mutex
	used int64
	held map[string]*text
}

// text is one term.
type text struct {
	mu   sync.Mutex
	used int64 // when, by texts.used; guarded by texts.mu
	seq  int64 // of the log; 0: it was not asked for yet
	docs bits  // never changed in place
}

// bits are a set of rows.
type bits []uint64

func (b bits) has(i int) bool { return i>>6 < len(b) && b[i>>6]&(1<<(i&63)) != 0 }

func (b *bits) put(i int, in bool) {
	if need := i>>6 + 1; need > len(*b) {
		*b = append(*b, make([]uint64, need-len(*b))...)
	}
	if in {
		(*b)[i>>6] |= 1 << (i & 63)
	} else {
		(*b)[i>>6] &^= 1 << (i & 63)
	}
}

// docs returns the rows whose findings hold the term. The set is not to be changed.
func (x *texts) docs(ctx context.Context, r *Reader, t token.Term) (bits, error) {
	e := x.entry(t)
	e.mu.Lock()
	defer e.mu.Unlock()
	end, err := findings.LogEnd(ctx, r.db.Read())
	switch {
	case err != nil:
		return nil, err
	case e.docs == nil || end-e.seq > reloadAfter:
		// The end of the log was read first: what changes while the database answers is matched again from there.
		docs, err := r.ask(ctx, t)
		if err != nil {
			return nil, err
		}
		e.docs, e.seq = docs, end
	case end > e.seq:
		if err := r.follow(ctx, t, e); err != nil {
			return nil, err
		}
	}
	return e.docs, nil
}

// entry returns the place of a term, and forgets the one that was not used for longest if there are too many.
func (x *texts) entry(t token.Term) *text {
	key := strings.Join(t.Tokens, " ")
	if t.Prefix {
		key += "*"
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.used++
	e, ok := x.held[key]
	if !ok {
		if len(x.held) >= maxTexts {
			oldest := ""
			for k, other := range x.held {
				if oldest == "" || other.used < x.held[oldest].used {
					oldest = k
				}
			}
			delete(x.held, oldest)
		}
		e = &text{}
		x.held[key] = e
	}
	e.used = x.used
	return e
}

// ask asks the database for all findings that hold a term.
func (r *Reader) ask(ctx context.Context, t token.Term) (bits, error) {
	b := r.builder()
	var query string
	if b.dialect == store.Postgres {
		query = "SELECT f.doc FROM findings f WHERE " + b.own(t)
	} else { // The index alone knows: it need not look at the findings.
		query = "SELECT rowid FROM findings_fts WHERE findings_fts MATCH " + b.arg(t.FTS5())
	}
	rows, err := r.db.Read().QueryContext(ctx, query, b.args...)
	if err != nil {
		return nil, fmt.Errorf("search findings: %w", err)
	}
	docs := bits{}
	err = findings.Each(rows, func() error {
		var doc int64
		err := rows.Scan(&doc)
		if err == nil {
			docs.put(int(doc-1), true)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("search findings: %w", err)
	}
	return docs, nil
}

// follow matches what has changed since.
func (r *Reader) follow(ctx context.Context, t token.Term, e *text) error {
	docs, seq := slices.Clone(e.docs), e.seq
	rows, err := r.db.Read().QueryContext(ctx, `SELECT l.seq, f.doc, f.tokens FROM finding_log l JOIN findings f ON f.workspace_id = l.workspace_id AND f.id = l.finding_id
		WHERE l.workspace_id = $1 AND l.seq > $2 ORDER BY l.seq`, store.Workspace, e.seq)
	if err != nil {
		return fmt.Errorf("follow the finding log: %w", err)
	}
	err = findings.Each(rows, func() error {
		var doc int64
		var tokens string
		if err := rows.Scan(&seq, &doc, &tokens); err != nil {
			return err
		}
		docs.put(int(doc-1), t.Match(tokens))
		return nil
	})
	if err != nil {
		return fmt.Errorf("follow the finding log: %w", err)
	}
	e.docs, e.seq = docs, seq
	return nil
}
