package workflows

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/outband/outband/connectors"
	"github.com/outband/outband/dlp"
	"github.com/outband/outband/dlp/extract/sandbox"
	"github.com/outband/outband/findings"
	"github.com/outband/outband/internal/store"
)

// quarantineFor is how long an item that fails is tried again before it is failed.
const quarantineFor = 72 * time.Hour

// deleted notes that the source says that an item was deleted by its user: its findings say so, and what was never scanned is counted, with who and when.
func (p *page) deleted(ctx context.Context, key store.ItemKey, item connectors.Item, old store.Item) error {
	lost := old.Ruleset == "" || old.State == store.ItemDeferred || old.State == store.ItemQuarantined
	return p.write(ctx, func(tx *store.Tx) error { return p.sourceDeleted(ctx, tx, key, item, old, lost, item.At) })
}

// gone notes that an item that its list showed, or that was to be read once more, is gone when it is fetched: what it had to be read for is lost.
func (p *page) gone(ctx context.Context, key store.ItemKey, item connectors.Item, old store.Item) error {
	return p.write(ctx, func(tx *store.Tx) error { return p.sourceDeleted(ctx, tx, key, item, old, true, tx.Now()) })
}

func (p *page) sourceDeleted(ctx context.Context, tx *store.Tx, key store.ItemKey, item connectors.Item, old store.Item, lost bool, at time.Time) error {
	if _, err := findings.MarkSource(ctx, tx, p.connection.ID, findings.Ref{Kind: item.Resource.Kind, ID: item.Resource.ID}, findings.SourceDeleted); err != nil {
		return err
	}
	actor, err := findings.UpsertActor(ctx, tx, p.Keys.Findings, p.connection.ID, p.about(item).actor)
	if err != nil {
		return err
	}
	if !lost {
		s := p.state(key, item, p.ref.Stream, store.ItemScanned, "")
		s.Place = old.Place
		return store.PutItem(ctx, tx, s)
	}
	s := p.state(key, item, p.streamOf(key.Kind), store.ItemSkipped, store.ReasonDeleted)
	s.Ruleset, s.Place, s.ActorKey, s.DeletedAt = old.Ruleset, old.Place, actor, at
	unit := item.Kind
	if old.Ruleset != "" {
		unit = unitTail
	}
	return p.commit(ctx, tx, nil, s, []store.Count{{Stream: s.Stream, Unit: unit, Outcome: store.OutcomeSkipped, Reason: store.ReasonDeleted, At: item.At, N: 1}})
}

// setAside quarantines an item that failed for a reason of its own: the page goes on, what was read of it is reported, and it is tried again for 72
// hours. What is wrong with the whole connection or with our own store is returned instead.
func (p *page) setAside(ctx context.Context, key store.ItemKey, item connectors.Item, stream string, cause error, units []*unit, places ...about) error {
	if ctx.Err() != nil || !ofTheItem(cause) {
		return cause
	}
	if errors.Is(cause, findings.ErrInvalid) {
		units = nil // It is what was found that cannot be stored.
	}
	code := "OB-3001"
	var e *connectors.Error
	if errors.As(cause, &e) && e.Code != "" {
		code = e.Code
	}
	file := len(places) > 0
	if !file {
		places = []about{p.about(item)}
	}
	err := p.write(ctx, func(tx *store.Tx) error {
		old, err := p.pastIn(ctx, tx, key)
		if err != nil {
			return err
		}
		var found []findings.Detection
		for _, what := range places {
			if err := p.place(ctx, tx, key, what); err != nil {
				return err
			}
			for _, u := range units {
				if !u.empty() {
					found = append(found, p.detect(ctx, tx, u, what)...)
				}
			}
		}
		if err := p.found(ctx, tx, found); err != nil {
			return err
		}
		s := p.state(key, item, stream, store.ItemQuarantined, code)
		s.Ruleset, s.Place, s.Size = old.Ruleset, old.Place, max(declaredSize(item, old), 0) // It goes on from where its last scan ended.
		if s.Counted, err = stillCounted(old, item.Version); err != nil {
			return err
		}
		s.FirstTryAt, s.Tries = tx.Now(), 1
		if old.State == store.ItemQuarantined && old.Version == item.Version {
			s.FirstTryAt, s.Tries = old.FirstTryAt, old.Tries+1
		}
		// Content that came with the row cannot be asked for again, and what failed here fails again.
		if item.Parts != nil || tx.Now().Sub(s.FirstTryAt) >= quarantineFor {
			s.State = store.ItemFailed
			counts := []store.Count{{Stream: stream, Unit: item.Kind, Outcome: store.OutcomeFailed, Reason: code, At: item.At, N: 1}}
			if file {
				if counts, err = p.recount(old, &s, counts[0], nil); err != nil {
					return err
				}
			}
			return p.commit(ctx, tx, nil, s, counts)
		}
		s.NextTryAt = tx.Now().Add(min(5*time.Minute<<min(s.Tries-1, 7), 6*time.Hour))
		return store.PutItem(ctx, tx, s)
	})
	if err != nil {
		return err
	}
	p.Log.Warn("item quarantined", "connection", p.connection.ID, "stream", stream, "scan", p.scanID, "code", code)
	return nil
}

// ofTheItem reports whether an error concerns one item only. An open breaker and a spent budget concern all.
func ofTheItem(err error) bool {
	// A child that is killed each time is killed for the file: by the kernel in want of memory.
	if errors.Is(err, sandbox.ErrKilled) || errors.Is(err, dlp.ErrPanic) || errors.Is(err, dlp.ErrBudget) || errors.Is(err, findings.ErrInvalid) {
		return true
	}
	var e *connectors.Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Kind {
	case connectors.KindMalformed, connectors.KindTooBig, connectors.KindGone, connectors.KindUnavailable, connectors.KindCursorExpired:
		return true
	case connectors.KindTransient:
		return e.Status != 0 // The app answered, so it is this item that it cannot give.
	}
	return false
}

// retry works one deferred or quarantined item again, as its row and its places tell of it.
func (p *page) retry(ctx context.Context, ref ItemRef) error {
	key := store.ItemKey{ConnectionID: p.connection.ID, Kind: ref.Kind, ID: ref.ID}
	old, err := p.past(ctx, key)
	if err != nil {
		return err
	}
	if old.State != store.ItemDeferred && old.State != store.ItemQuarantined {
		return nil // Done since it was listed.
	}
	places, err := store.Places(ctx, p.DB.Read(), key)
	if err != nil {
		return err
	}
	if len(places) == 0 {
		return fmt.Errorf("a %s item has no place", old.State)
	}
	var at []about
	self := 0 // the place that is the item itself
	for i, pl := range places {
		actor, err := findings.GetActor(ctx, p.DB.Read(), pl.ActorKey)
		if err != nil {
			return err
		}
		at = append(at, about{
			resource: connectors.Resource{
				Kind: pl.ResourceKind, ID: pl.ResourceID, Name: pl.ResourceName, URL: pl.ResourceURL, Owner: pl.Owner, Visibility: pl.Visibility, Project: pl.Project,
			},
			actor: actor, itemAt: pl.At,
		})
		if pl.ResourceKind == key.Kind && pl.ResourceID == key.ID {
			self = i
		}
	}
	p.ref.Stream, p.since = old.Stream, old.UpdatedAt
	if m, err := p.Open.Manifest(p.connection.Connector); err == nil {
		p.stream, _ = m.Stream(old.Stream) // The zero stream of files is paced like none.
	}
	ctx = p.paced(ctx, old.At.Before(liveStart(p.connection)))
	item := connectors.Item{Kind: key.Kind, ID: key.ID, Version: old.Version, At: old.At, Resource: at[self].resource}
	inside := key.Kind == connectors.KindDocument && (at[self].resource.Kind != key.Kind || at[self].resource.ID != key.ID)
	if key.Kind == connectors.KindFile || inside {
		return p.file(ctx, key, item, old, at)
	}
	a := at[self].actor
	item.Actor = connectors.Actor{ID: a.ID, Email: a.Email, Name: a.Name, Type: a.Type, Role: a.Role}
	return p.item(ctx, item, old)
}
