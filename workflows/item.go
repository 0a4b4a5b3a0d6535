package workflows

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/outband/outband/connectors"
	"github.com/outband/outband/findings"
	"github.com/outband/outband/internal/store"
)

const (
	// deferBytes is the size from which a file is put off to an activity of its own.
	deferBytes = 8 << 20

	// maxTextBytes is how much of one text that is no file is scanned: a message, a title, instructions.
	maxTextBytes = 100 << 20

	// streamFiles is the stream under which the coverage of files is counted.
	streamFiles = "files"
)

// work scans the items of a page, a few at once, and reports whether it got through all of them. An item whose state is equal is skipped.
func (p *page) work(ctx context.Context, read connectors.Page) (all bool, err error) {
	if p.stream.Kind == connectors.StreamActivities {
		return true, p.workActivities(ctx, read.Items)
	}
	items, err := p.records(ctx, read.Items)
	if err != nil {
		return false, err
	}
	items = p.onceEach(newestFirst(items))
	deadline, started := time.Now().Add(p.bound()), 0
	var group errgroup.Group // Without a context of its own: what is under way when another item fails is finished and stored.
	group.SetLimit(atOnce)
	var failed atomic.Bool
	all = true
	for _, item := range items {
		old, err := p.past(ctx, p.key(item))
		if err != nil {
			return false, errors.Join(err, group.Wait())
		}
		if p.settled(old, item) {
			if old.UpdatedAt.Before(p.checkpoint.UpdatedAt) {
				p.listedAgain(item) // Not by this page, as what an earlier call of it stored is.
			}
			continue
		}
		if started >= pageItems || time.Now().After(deadline) || failed.Load() || ctx.Err() != nil {
			all = false
			break
		}
		started++
		group.Go(func() error {
			err := p.item(ctx, item, old)
			if err != nil {
				failed.Store(true)
			}
			return err
		})
	}
	if err := errors.Join(group.Wait(), ctx.Err()); err != nil {
		return false, err
	}
	return all, nil
}

// newestFirst orders a page for work: the newest is what its user is the likeliest to delete next. The cursor moves past all of them together.
func newestFirst(items []connectors.Item) []connectors.Item {
	return slices.SortedStableFunc(slices.Values(items), func(a, b connectors.Item) int { return b.At.Compare(a.At) })
}

// onceEach leaves an item out that the page shows again: both would be worked at once, and each be counted as the first.
func (p *page) onceEach(items []connectors.Item) []connectors.Item {
	seen := map[store.ItemKey]bool{}
	return slices.DeleteFunc(items, func(item connectors.Item) bool {
		again := seen[p.key(item)]
		if seen[p.key(item)] = true; again {
			p.listedAgain(item)
		}
		return again
	})
}

// bound is how long one call of ScanPage may begin new items.
func (p *page) bound() time.Duration {
	if p.ref.Lane == store.LaneLive {
		return pageTime
	}
	return oldPageTime
}

func (p *page) key(item connectors.Item) store.ItemKey {
	return store.ItemKey{ConnectionID: p.connection.ID, Kind: item.Kind, ID: item.ID}
}

// past is what is known of an item; it has no state if nothing is.
func (p *page) past(ctx context.Context, key store.ItemKey) (store.Item, error) {
	return p.pastIn(ctx, p.DB.Read(), key)
}

func (p *page) pastIn(ctx context.Context, q store.Querier, key store.ItemKey) (store.Item, error) {
	old, err := store.GetItem(ctx, q, key)
	if errors.Is(err, store.ErrNotFound) {
		return store.Item{}, nil
	}
	return old, err
}

// settled reports whether this version of an item has been dealt with under this ruleset. Deferred and quarantined items have a lane of their own.
func (p *page) settled(old store.Item, item connectors.Item) bool {
	if old.State == "" || old.Version != item.Version {
		return false
	}
	if item.Unsure && (rereads(old) || old.State == store.ItemFailed) && !old.UpdatedAt.After(p.since) {
		return false
	}
	return old.Ruleset == p.ruleset || !rereads(old)
}

// rereads reports whether other rules, or a release that reads more, may come to another end with an item: not with one that is gone.
func rereads(old store.Item) bool {
	return old.State == store.ItemScanned || old.State == store.ItemSkipped && old.Reason != store.ReasonDeleted && old.Reason != store.ReasonNoID
}

// item scans one content item and commits it. Whatever is wrong with the item itself ends in its state, not in an error (invariant 5).
func (p *page) item(ctx context.Context, item connectors.Item, old store.Item) error {
	key := p.key(item)
	if item.Deleted {
		return p.deleted(ctx, key, item, old)
	}
	item.Since, item.Again = old.Place, old.Place != "" && old.Ruleset != p.ruleset
	got, err := p.parts(ctx, item)
	if item.Since != "" && connectors.KindOf(err) == connectors.KindCursorExpired {
		item.Since, item.Again = "", false // All of it once more.
		got, err = p.parts(ctx, item)
	}
	if err == nil {
		for _, child := range got.children {
			if err = p.child(ctx, child, item); err != nil {
				break
			}
		}
	}
	if err != nil {
		if isGone(err) {
			return p.gone(ctx, key, item, old)
		}
		return p.setAside(ctx, key, item, p.ref.Stream, err, got.units)
	}
	got.tell(item, old)
	what := p.about(item)
	err = p.write(ctx, func(tx *store.Tx) error {
		var found []findings.Detection
		for _, u := range got.units {
			if err := p.keep(ctx, tx, u); err != nil {
				return err
			}
			if !u.empty() {
				found = append(found, p.detect(ctx, tx, u, what)...)
			}
		}
		if err := p.place(ctx, tx, key, what); err != nil {
			return err
		}
		s := p.state(key, item, p.ref.Stream, store.ItemScanned, "")
		if s.Place = got.place; s.Place == "" {
			s.Place = item.Since // A fetch that names no place has not moved.
		}
		return p.commit(ctx, tx, found, s, p.units(got.units, item, old))
	})
	if errors.Is(err, findings.ErrInvalid) {
		return p.setAside(ctx, key, item, p.ref.Stream, err, got.units)
	}
	return err
}

// fetched is the content of an item.
type fetched struct {
	units    []*unit
	children []connectors.Item
	place    string // where the next fetch goes on
}

// parts fetches an item, unless its row held its content, and scans its texts. Items of their own inside it are returned.
func (p *page) parts(ctx context.Context, item connectors.Item) (out fetched, err error) {
	byRef := map[connectors.Ref]*unit{}
	for part, err := range p.content(ctx, item) {
		if err != nil {
			return out, err // What came before is whole, and is reported.
		}
		switch {
		case part.Child != nil:
			out.children = append(out.children, *part.Child)
			continue
		case part.Kind == connectors.PartPlace:
			out.place = part.Path
			continue
		}
		u := byRef[part.Resource]
		if u == nil {
			u = &unit{ref: part.Resource, at: part.At, again: true}
			byRef[part.Resource], out.units = u, append(out.units, u)
		}
		u.again = u.again && part.Again
		if part.Skipped != "" {
			u.skipped = part.Skipped
			continue
		}
		if part.Kind == connectors.PartFile {
			// A file is not text because it comes with an item that is: what cannot be read of it is counted (invariant 5).
			reason, err := p.scanContent(ctx, part, u)
			if err != nil {
				return out, err
			}
			u.unread = reason
			continue
		}
		u.texts++
		if err := p.scanText(ctx, part, u); err != nil {
			return out, err
		}
	}
	return out, nil
}

// state is the state row of an item after this scan of it.
func (p *page) state(key store.ItemKey, item connectors.Item, stream, state, reason string) store.Item {
	s := store.Item{ItemKey: key, Stream: stream, Version: item.Version, State: state, Reason: reason, At: item.At}
	if state == store.ItemScanned {
		s.Ruleset = p.ruleset
	}
	return s
}

// commit stores what an item's scan found, its state and its counts: one transaction (invariant 1).
func (p *page) commit(ctx context.Context, tx *store.Tx, found []findings.Detection, s store.Item, counts []store.Count) error {
	if err := p.found(ctx, tx, found); err != nil {
		return err
	}
	if err := store.PutItem(ctx, tx, s); err != nil {
		return err
	}
	if err := store.AddCounts(ctx, tx, p.connection.ID, counts...); err != nil {
		return err
	}
	scanned, skipped := int64(1), int64(0)
	if s.State != store.ItemScanned {
		scanned, skipped = 0, 1
	}
	return store.AddProgress(ctx, tx, p.scanID, 1, scanned, skipped, 0)
}

func (p *page) found(ctx context.Context, tx *store.Tx, found []findings.Detection) error {
	if len(found) == 0 {
		return nil
	}
	res, err := findings.CommitItem(ctx, tx, p.Keys.Findings, findings.Commit{ConnectionID: p.connection.ID, Connector: p.connection.Connector, Detections: found})
	if err != nil {
		return err
	}
	if res.FindingsNew == 0 {
		return nil
	}
	return store.AddProgress(ctx, tx, p.scanID, 0, 0, 0, int64(res.FindingsNew))
}

func (p *page) streamOf(kind string) string {
	if kind == connectors.KindFile {
		return streamFiles
	}
	return p.ref.Stream
}
