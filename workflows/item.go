package workflows

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/outband/outband/connectors"
	"github.com/outband/outband/dlp"
	"github.com/outband/outband/findings"
	"github.com/outband/outband/internal/store"
)

const (
	// deferBytes is the size from which a file is put off to an activity of its own.
	deferBytes = 8 << 20

	// maxFileBytes is how much of one file is scanned; a larger one is too_big.
	maxFileBytes = 100 << 20

	// quarantineFor is how long an item that fails is tried again before it is failed.
	quarantineFor = 72 * time.Hour

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
	deadline, started := time.Now().Add(pageTime), 0
	var group errgroup.Group // Without a context of its own: what is under way when another item fails is finished and stored.
	group.SetLimit(atOnce)
	var failed atomic.Bool
	all = true
	for _, item := range items {
		known, err := p.known(ctx, store.ItemKey{ConnectionID: p.connection.ID, Kind: item.Kind, ID: item.ID}, item.Version)
		if err != nil {
			return false, errors.Join(err, group.Wait())
		}
		if known {
			continue
		}
		if started >= pageItems || time.Now().After(deadline) || failed.Load() || ctx.Err() != nil {
			all = false
			break
		}
		started++
		group.Go(func() error {
			err := p.item(ctx, item)
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

// known reports whether this version of an item has been dealt with under this ruleset. Deferred and quarantined items have a lane of their own.
func (p *page) known(ctx context.Context, key store.ItemKey, version string) (bool, error) {
	old, err := store.GetItem(ctx, p.DB.Read(), key)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil && p.settled(old, version), err
}

func (p *page) settled(old store.Item, version string) bool {
	return old.Version == version && (old.Ruleset == p.ruleset || old.State != store.ItemScanned)
}

// item scans one content item and commits it. Whatever is wrong with the item itself ends in its state, not in an error (invariant 5).
func (p *page) item(ctx context.Context, item connectors.Item) error {
	key := store.ItemKey{ConnectionID: p.connection.ID, Kind: item.Kind, ID: item.ID}
	if item.Deleted {
		return p.deleted(ctx, key, item)
	}
	units, children, err := p.parts(ctx, item)
	if err == nil {
		for _, child := range children {
			if err = p.child(ctx, child, item); err != nil {
				break
			}
		}
	}
	if err != nil {
		if connectors.KindOf(err) == connectors.KindGone && isConnectorError(err) {
			return p.deleted(ctx, key, item)
		}
		return p.setAside(ctx, key, item, p.ref.Stream, err, units)
	}
	what := p.about(item)
	err = p.write(ctx, func(tx *store.Tx) error {
		var found []findings.Detection
		for _, u := range units {
			found = append(found, p.detect(ctx, tx, u, what)...)
		}
		return p.commit(ctx, tx, found, p.state(key, item, p.ref.Stream, store.ItemScanned, ""))
	})
	if errors.Is(err, findings.ErrInvalid) {
		return p.setAside(ctx, key, item, p.ref.Stream, err, units)
	}
	return err
}

// parts fetches an item and scans its texts. Items of their own inside it are returned.
func (p *page) parts(ctx context.Context, item connectors.Item) (units []*unit, children []connectors.Item, err error) {
	fetcher, ok := p.source.(connectors.Fetcher)
	if !ok {
		return nil, nil, nil
	}
	byRef := map[connectors.Ref]*unit{}
	for part, err := range fetcher.Fetch(ctx, item) {
		if err != nil {
			return units, nil, err // What came before is whole, and is reported.
		}
		if part.Child != nil {
			children = append(children, *part.Child)
			continue
		}
		u := byRef[part.Resource]
		if u == nil {
			u = &unit{ref: part.Resource, at: part.At}
			byRef[part.Resource], units = u, append(units, u)
		}
		if err := p.scanText(ctx, part, u); err != nil {
			return units, nil, err
		}
	}
	return units, children, nil
}

// child deals with a file that an item shows. It is fetched and scanned once, and reported at each place.
func (p *page) child(ctx context.Context, child, parent connectors.Item) error {
	key := store.ItemKey{ConnectionID: p.connection.ID, Kind: child.Kind, ID: child.ID}
	defer p.files.Lock(key.ConnectionID + "/" + key.Kind + "/" + key.ID)()
	what := p.about(child)
	what.resource = parent.Resource
	old, err := store.GetItem(ctx, p.DB.Read(), key)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if err == nil && p.settled(old, child.Version) {
		return p.placed(ctx, key, old, child, what)
	}
	if child.File != nil && child.File.Size > deferBytes {
		return p.write(ctx, func(tx *store.Tx) error {
			if err := p.place(ctx, tx, key, what); err != nil {
				return err
			}
			s := p.state(key, child, streamFiles, store.ItemDeferred, "")
			s.FirstTryAt, s.NextTryAt, s.Size = tx.Now(), tx.Now(), child.File.Size
			return store.PutItem(ctx, tx, s)
		})
	}
	return p.file(ctx, key, child, []about{what})
}

// placed reports a file that is known at one more place, from its stored result.
func (p *page) placed(ctx context.Context, key store.ItemKey, old store.Item, child connectors.Item, what about) error {
	return p.write(ctx, func(tx *store.Tx) error {
		if err := p.place(ctx, tx, key, what); err != nil {
			return err
		}
		if old.State != store.ItemScanned {
			return nil // Reported at all places once it is scanned, or counted already.
		}
		u, err := decodeUnit(child.At, old.Result)
		if err != nil {
			return err
		}
		return p.found(ctx, tx, p.detect(ctx, tx, u, what))
	})
}

func (p *page) place(ctx context.Context, tx *store.Tx, key store.ItemKey, what about) error {
	actor, err := findings.UpsertActor(ctx, tx, p.Keys.Findings, p.connection.ID, what.actor)
	if err != nil {
		return err
	}
	return store.AddPlace(ctx, tx, key, store.Place{
		ResourceKind: what.resource.Kind, ResourceID: what.resource.ID, ResourceName: p.mask(what.resource.Name), ResourceURL: what.resource.URL, ActorKey: actor, At: what.itemAt,
	})
}

// file fetches and scans a file and commits it at its places.
func (p *page) file(ctx context.Context, key store.ItemKey, item connectors.Item, places []about) error {
	u, reason, err := p.scanFile(ctx, item)
	if err != nil {
		if reason = reasonOf(err); reason == "" {
			return p.setAside(ctx, key, item, streamFiles, err, []*unit{u}, places...)
		}
	}
	return p.write(ctx, func(tx *store.Tx) error {
		var found []findings.Detection
		for _, what := range places {
			if err := p.place(ctx, tx, key, what); err != nil {
				return err
			}
			found = append(found, p.detect(ctx, tx, u, what)...)
		}
		if reason != "" {
			return p.commit(ctx, tx, found, p.state(key, item, streamFiles, store.ItemSkipped, reason))
		}
		s := p.state(key, item, streamFiles, store.ItemScanned, "")
		if s.Result, err = u.encode(p.mask); err != nil {
			return err
		}
		s.Size = u.file.Size
		return p.commit(ctx, tx, found, s)
	})
}

// reasonOf is why an item can never be scanned, "" if trying again may help.
func reasonOf(err error) string {
	if !isConnectorError(err) {
		if errors.Is(err, dlp.ErrBudget) {
			return store.ReasonOverTime
		}
		return ""
	}
	switch connectors.KindOf(err) {
	case connectors.KindGone:
		return store.ReasonDeleted
	case connectors.KindTooBig:
		return store.ReasonTooBig
	}
	return ""
}

func isConnectorError(err error) bool {
	var e *connectors.Error
	return errors.As(err, &e)
}

// sniffBytes is how much of a file is looked at to tell text from anything else.
const sniffBytes = 8 << 10

// scanFile fetches a file and scans its name, and its content where that is text. The reason says why the content was not scanned.
func (p *page) scanFile(ctx context.Context, item connectors.Item) (u *unit, reason string, err error) {
	u = &unit{ref: connectors.Ref{Kind: item.Kind, ID: item.ID}, at: item.At}
	if item.File != nil {
		u.file.Name, u.file.Type, u.file.Size = item.File.Name, item.File.MIME, item.File.Size
	}
	fetcher, ok := p.source.(connectors.Fetcher)
	if !ok {
		return u, store.ReasonUnsupportedType, nil
	}
	for part, err := range fetcher.Fetch(ctx, item) {
		if err != nil {
			return u, reason, err
		}
		if part.Resource != (connectors.Ref{}) {
			u.ref = part.Resource // The connector's own word for it: an artifact is an item like a file.
		}
		if part.Name != "" {
			u.file.Name = part.Name
		}
		if part.Kind != connectors.PartFile {
			if err := p.scanText(ctx, part, u); err != nil {
				return u, reason, err
			}
			continue
		}
		if reason, err = p.scanContent(ctx, part, u); err != nil {
			return u, reason, err
		}
	}
	return u, reason, nil
}

func (p *page) scanContent(ctx context.Context, part connectors.Part, u *unit) (reason string, err error) {
	if part.Size > maxFileBytes {
		return store.ReasonTooBig, nil
	}
	body, err := part.Open(ctx)
	if err != nil {
		return "", err
	}
	defer discard(body)
	r := bufio.NewReaderSize(body, sniffBytes)
	head, err := r.Peek(sniffBytes)
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	if !dlp.IsText(head) {
		return store.ReasonUnsupportedType, nil
	}
	res, n, err := p.Engine.ScanReader(ctx, r, p.Keys.Matches, maxFileBytes)
	if err != nil {
		return "", err
	}
	u.file.Size = n
	u.add(res.Matches, part.Kind, part.Path, part.At)
	if n == maxFileBytes && res.Truncated {
		return store.ReasonTooBig, nil // What was read of it is reported all the same.
	}
	return "", nil
}

// state is the state row of an item after this scan of it.
func (p *page) state(key store.ItemKey, item connectors.Item, stream, state, reason string) store.Item {
	return store.Item{ItemKey: key, Stream: stream, Version: item.Version, Ruleset: p.ruleset, State: state, Reason: reason, At: item.At}
}

// commit stores what an item's scan found, its state and its counts: one transaction (invariant 1).
func (p *page) commit(ctx context.Context, tx *store.Tx, found []findings.Detection, s store.Item) error {
	if err := p.found(ctx, tx, found); err != nil {
		return err
	}
	if err := store.PutItem(ctx, tx, s); err != nil {
		return err
	}
	outcome, scanned, skipped := store.OutcomeScanned, int64(1), int64(0)
	if s.State != store.ItemScanned {
		outcome, scanned, skipped = store.OutcomeSkipped, 0, 1
	}
	if s.State == store.ItemFailed {
		outcome = store.OutcomeFailed
	}
	if err := store.AddCount(ctx, tx, p.connection.ID, store.Count{Stream: s.Stream, Unit: s.Kind, Outcome: outcome, Reason: s.Reason, At: s.At, N: 1}); err != nil {
		return err
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

// deleted notes that an item was deleted at its source: its findings say so, and what was never scanned is counted.
func (p *page) deleted(ctx context.Context, key store.ItemKey, item connectors.Item) error {
	return p.write(ctx, func(tx *store.Tx) error {
		old, err := store.GetItem(ctx, tx, key)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if _, err := findings.MarkSource(ctx, tx, p.connection.ID, findings.Ref{Kind: item.Resource.Kind, ID: item.Resource.ID}, findings.SourceDeleted); err != nil {
			return err
		}
		if old.State == store.ItemScanned {
			s := p.state(key, item, p.ref.Stream, store.ItemScanned, "")
			return store.PutItem(ctx, tx, s)
		}
		if _, err := findings.UpsertActor(ctx, tx, p.Keys.Findings, p.connection.ID, p.about(item).actor); err != nil {
			return err
		}
		return p.commit(ctx, tx, nil, p.state(key, item, p.streamOf(key), store.ItemSkipped, store.ReasonDeleted))
	})
}

func (p *page) streamOf(key store.ItemKey) string {
	if key.Kind == connectors.KindFile {
		return streamFiles
	}
	return p.ref.Stream
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
	if len(places) == 0 {
		places = []about{p.about(item)}
	}
	err := p.write(ctx, func(tx *store.Tx) error {
		old, err := store.GetItem(ctx, tx, key)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		var found []findings.Detection
		for _, what := range places {
			if err := p.place(ctx, tx, key, what); err != nil {
				return err
			}
			for _, u := range units {
				found = append(found, p.detect(ctx, tx, u, what)...)
			}
		}
		if err := p.found(ctx, tx, found); err != nil {
			return err
		}
		s := p.state(key, item, stream, store.ItemQuarantined, code)
		s.FirstTryAt, s.Tries = tx.Now(), 1
		if old.State == store.ItemQuarantined && old.Version == item.Version {
			s.FirstTryAt, s.Tries = old.FirstTryAt, old.Tries+1
		}
		if tx.Now().Sub(s.FirstTryAt) >= quarantineFor {
			s.State = store.ItemFailed
			return p.commit(ctx, tx, nil, s)
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
	if errors.Is(err, dlp.ErrPanic) || errors.Is(err, dlp.ErrBudget) || errors.Is(err, findings.ErrInvalid) {
		return true
	}
	var e *connectors.Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Kind {
	case connectors.KindMalformed, connectors.KindTooBig, connectors.KindGone:
		return true
	case connectors.KindTransient:
		return e.Status != 0 // The app answered, so it is this item that it cannot give.
	}
	return false
}

// retry works one deferred or quarantined item again.
func (p *page) retry(ctx context.Context, ref ItemRef) error {
	key := store.ItemKey{ConnectionID: p.connection.ID, Kind: ref.Kind, ID: ref.ID}
	old, err := store.GetItem(ctx, p.DB.Read(), key)
	if errors.Is(err, store.ErrNotFound) || (err == nil && old.State != store.ItemDeferred && old.State != store.ItemQuarantined) {
		return nil // Done since it was listed.
	}
	if err != nil {
		return err
	}
	places, err := store.Places(ctx, p.DB.Read(), key)
	if err != nil {
		return err
	}
	if len(places) == 0 {
		return fmt.Errorf("a %s item has no place", old.State)
	}
	var at []about
	for _, pl := range places {
		actor, err := findings.GetActor(ctx, p.DB.Read(), pl.ActorKey)
		if err != nil {
			return err
		}
		at = append(at, about{
			resource: connectors.Resource{Kind: pl.ResourceKind, ID: pl.ResourceID, Name: pl.ResourceName, URL: pl.ResourceURL}, actor: actor, itemAt: pl.At,
		})
	}
	item := connectors.Item{Kind: key.Kind, ID: key.ID, Version: old.Version, At: old.At, Resource: at[0].resource}
	if key.Kind == connectors.KindFile {
		return p.file(ctx, key, item, at)
	}
	a := at[0].actor
	item.Actor = connectors.Actor{ID: a.ID, Email: a.Email, Name: a.Name, Type: a.Type, Role: a.Role}
	p.ref.Stream = old.Stream
	return p.item(ctx, item)
}
