package search

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/outband/outband/findings"
	"github.com/outband/outband/findings/filter"
	"github.com/outband/outband/internal/store"
)

// Consumer is the name of the index among the consumers of the finding log.
const Consumer = "elasticsearch"

const (
	// MaxBehind is how old the oldest change may be that the index has not taken, before the store answers instead.
	MaxBehind = 30 * time.Second

	patience    = 2 * time.Second // for one answer of the index
	restAfter   = 5 * time.Second // after a failure the index is left alone so long; then one question is a probe
	behindEvery = time.Second     // how long an answer to "is it behind" is good for
)

// Switch asks the index, and the store where the index does not answer, is behind, or is not configured. A question is never an error because of the
// index; what the store answered in its place is marked degraded. It is safe for concurrent use.
type Switch struct {
	embedded *Reader
	index    Engine // nil: there is none
	now      func() time.Time
	patience time.Duration

	mu        sync.Mutex
	restUntil time.Time // the index failed: it is not asked before this
	probing   bool      // the one question after a rest is under way
	checkedAt time.Time // of behind
	behind    bool
}

// NewSwitch makes a switch; index is nil without one.
func NewSwitch(embedded *Reader, index Engine) *Switch {
	return &Switch{embedded: embedded, index: index, now: time.Now, patience: patience}
}

// List implements Engine.
func (s *Switch) List(ctx context.Context, q Query) (Page, error) {
	out, degraded, err := choose(ctx, s, func(ctx context.Context, e Engine) (Page, error) { return e.List(ctx, q) })
	out.Degraded = degraded
	return out, err
}

// Facets implements Engine.
func (s *Switch) Facets(ctx context.Context, f filter.Filter) (Facets, error) {
	out, degraded, err := choose(ctx, s, func(ctx context.Context, e Engine) (Facets, error) { return e.Facets(ctx, f) })
	out.Degraded = degraded
	return out, err
}

// Timeline implements Engine.
func (s *Switch) Timeline(ctx context.Context, f filter.Filter, from, to time.Time, interval, tz string) (Timeline, error) {
	out, degraded, err := choose(ctx, s, func(ctx context.Context, e Engine) (Timeline, error) {
		return e.Timeline(ctx, f, from, to, interval, tz)
	})
	out.Degraded = degraded
	return out, err
}

// People implements Engine.
func (s *Switch) People(ctx context.Context, f filter.Filter, limit int) (People, error) {
	out, degraded, err := choose(ctx, s, func(ctx context.Context, e Engine) (People, error) { return e.People(ctx, f, limit) })
	out.Degraded = degraded
	return out, err
}

// choose asks one engine, and the store if that fails.
func choose[T any](ctx context.Context, s *Switch, ask func(context.Context, Engine) (T, error)) (out T, degraded bool, err error) {
	if s.index == nil {
		out, err = ask(ctx, s.embedded)
		return out, false, err
	}
	if s.admit(ctx) {
		within, cancel := context.WithTimeout(ctx, s.patience)
		out, err = ask(within, s.index)
		cancel()
		unsuited := errors.Is(err, ErrUnsuited)
		s.settle(err == nil || unsuited || refused(err), ctx.Err() != nil)
		switch {
		case err == nil || refused(err):
			return out, false, err
		case ctx.Err() != nil:
			return out, false, ctx.Err()
		}
		out, err = ask(ctx, s.embedded)
		return out, !unsuited, err
	}
	out, err = ask(ctx, s.embedded)
	return out, true, err
}

// admit reports whether the index may be asked. Whoever is admitted calls settle.
func (s *Switch) admit(ctx context.Context) bool {
	if s.isBehind(ctx) {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.restUntil.IsZero() {
		return true
	}
	if s.probing || s.now().Before(s.restUntil) {
		return false
	}
	s.probing = true
	return true
}

// settle notes how an answer went; one that was given up by whoever asked says nothing about the index.
func (s *Switch) settle(ok, cancelled bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.probing = false
	switch {
	case ok:
		s.restUntil = time.Time{}
	case !cancelled:
		s.restUntil = s.now().Add(restAfter)
	}
}

// isBehind reports whether the index lacks a change older than MaxBehind. What cannot be known counts as behind.
func (s *Switch) isBehind(ctx context.Context) bool {
	s.mu.Lock()
	now := s.now()
	if !s.checkedAt.IsZero() && now.Sub(s.checkedAt) < behindEvery {
		defer s.mu.Unlock()
		return s.behind
	}
	s.mu.Unlock()
	lag, err := ReadLag(ctx, s.embedded.db)
	if ctx.Err() != nil {
		return true // Whoever asked is gone; that is not to be remembered.
	}
	behind := err != nil || lag.Behind()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.checkedAt, s.behind = now, behind
	return behind
}

// Lag is how far the index is behind the finding log.
type Lag struct {
	Offset  int64         // its place in the log: all up to there is in it
	Unknown bool          // it has no place in the log yet
	Rows    int64         // changes that it lacks
	Age     time.Duration // of the oldest of them; 0: none
}

// Behind reports whether the store should answer in place of the index.
func (l Lag) Behind() bool { return l.Unknown || l.Age > MaxBehind }

// ReadLag compares the place of the index with the log.
func ReadLag(ctx context.Context, db *store.DB) (l Lag, err error) {
	q := db.Read()
	err = q.QueryRowContext(ctx, `SELECT seq FROM consumers WHERE workspace_id = $1 AND id = $2`, store.Workspace, Consumer).Scan(&l.Offset)
	if errors.Is(err, sql.ErrNoRows) {
		l.Unknown, err = true, nil
	}
	if err != nil {
		return l, fmt.Errorf("read the place of the index in the finding log: %w", err)
	}
	end, err := findings.LogEnd(ctx, q)
	if err != nil {
		return l, err
	}
	if l.Rows = end - l.Offset; l.Rows <= 0 {
		l.Rows = 0
		return l, nil
	}
	var at int64
	err = q.QueryRowContext(ctx, `SELECT at FROM finding_log WHERE workspace_id = $1 AND seq > $2 ORDER BY seq LIMIT 1`, store.Workspace, l.Offset).Scan(&at)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return l, fmt.Errorf("read the finding log: %w", err)
	}
	l.Age = max(db.Now().Sub(store.FromMicros(at)), 1)
	return l, nil
}

// Get is Reader.Get: details come from the store.
func (s *Switch) Get(ctx context.Context, id string) (findings.Finding, error) {
	return s.embedded.Get(ctx, id)
}

// Instances is Reader.Instances.
func (s *Switch) Instances(ctx context.Context, findingID string, limit int, after string) (InstancePage, error) {
	return s.embedded.Instances(ctx, findingID, limit, after)
}

// History is Reader.History.
func (s *Switch) History(ctx context.Context, findingID string, limit int, after string) (EventPage, error) {
	return s.embedded.History(ctx, findingID, limit, after)
}

// Export is Reader.Export: an export is complete, so it comes from the store.
func (s *Switch) Export(ctx context.Context, w io.Writer, format string, f filter.Filter) (int64, error) {
	return s.embedded.Export(ctx, w, format, f)
}
