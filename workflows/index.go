package workflows

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// Indexer brings the finding log into a search index of its own. Step does what is due, for at most budget, and says whether there is more.
type Indexer interface {
	Step(ctx context.Context, budget time.Duration) (more bool, err error)
}

// ErrIndexRefused is what the error of an Indexer wraps when only an admin can mend it: a wrong password, a missing privilege. It is tried again
// all the same, less often.
var ErrIndexRefused = errors.New("the index refuses the credentials")

const (
	indexFor     = 4 * time.Minute // one call of IndexSome
	indexIdle    = 750 * time.Millisecond
	indexRefused = time.Minute // until the next try after a refusal

	typeIndex = "Index"
)

// IndexInput is empty: there is one index.
type IndexInput struct{}

// Index feeds the finding log to the search index, for as long as there is one. An index that is down delays nothing else, and nothing is lost:
// the place in the log stands in the store.
func Index(ctx workflow.Context, in IndexInput) error {
	var a *Activities
	if stopped, err := consume(ctx, 30*time.Second, a.IndexSome); stopped || err != nil {
		return err
	}
	return workflow.NewContinueAsNewError(ctx, Index, in)
}

// IndexSome brings what is due into the index, for a few minutes. It reports whether this installation has no index any more.
func (a *Activities) IndexSome(ctx context.Context) (stopped bool, err error) {
	if a.Index == nil {
		a.Log.Warn("index not configured here: set elasticsearch.url for every process, or for none", "code", "OB-3011")
		return true, nil
	}
	ctx, stop := working(ctx)
	defer stop()
	end := time.Now().Add(indexFor)
	for time.Now().Before(end) {
		more, err := a.Index.Step(ctx, time.Until(end))
		if ctx.Err() != nil {
			return false, ActivityError(ctx.Err())
		}
		if a.index.changed(conditionOf(err)) {
			a.logIndex(err)
		}
		if err != nil {
			return false, indexError(err)
		}
		if more {
			continue
		}
		select {
		case <-ctx.Done():
			return false, ActivityError(ctx.Err())
		case <-time.After(indexIdle):
		}
	}
	return false, nil
}

// indexError is tried again without end: soon while the index is down, less often while it refuses.
func indexError(err error) error {
	o := temporal.ApplicationErrorOptions{Details: []any{"OB-3011"}}
	if errors.Is(err, ErrIndexRefused) {
		o.Details, o.NextRetryDelay = []any{"OB-3012"}, indexRefused
		return temporal.NewApplicationErrorWithOptions("The search index refuses Outband; only an admin can mend that.", typeIndex, o)
	}
	return temporal.NewApplicationErrorWithOptions("The search index cannot be written to; it catches up by itself.", typeIndex, o)
}

func (a *Activities) logIndex(err error) {
	switch conditionOf(err) {
	case indexUp:
		a.Log.Info("search index answers")
	case indexDown:
		a.Log.Warn("search index cannot be written to; lists and facets come from the store meanwhile", "code", "OB-3011", "err", err)
	case indexForbids:
		a.Log.Error("search index refuses the credentials; lists and facets come from the store meanwhile", "code", "OB-3012", "err", err)
	}
}

const (
	indexUp = iota + 1
	indexDown
	indexForbids
)

func conditionOf(err error) int {
	switch {
	case err == nil:
		return indexUp
	case errors.Is(err, ErrIndexRefused):
		return indexForbids
	}
	return indexDown
}

// condition remembers how something was, so that each change is one line of the log.
type condition struct {
	mu  sync.Mutex
	now int
}

func (c *condition) changed(to int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.now == to {
		return false
	}
	c.now = to
	return true
}
