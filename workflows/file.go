package workflows

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/outband/outband/connectors"
	"github.com/outband/outband/dlp"
	"github.com/outband/outband/findings"
	"github.com/outband/outband/internal/store"
)

// content yields the parts of an item: those that its row held, else what its source fetches.
func (p *page) content(ctx context.Context, item connectors.Item) iter.Seq2[connectors.Part, error] {
	if item.Parts == nil {
		if f, ok := p.source.(connectors.Fetcher); ok {
			return f.Fetch(ctx, item)
		}
	}
	return func(yield func(connectors.Part, error) bool) {
		for _, part := range item.Parts {
			if !yield(part, nil) {
				return
			}
		}
	}
}

// child deals with a file or a document that an item shows. It is fetched and scanned once, and reported at each place.
func (p *page) child(ctx context.Context, child, parent connectors.Item) error {
	key := p.key(child)
	if child.Actor.ID == "" && child.Actor.Email == "" {
		child.Actor = parent.Actor
	}
	defer p.files.Lock(key.ConnectionID + "/" + key.Kind + "/" + key.ID)()
	what := p.about(child)
	what.resource = parent.Resource
	old, err := p.past(ctx, key)
	if err != nil {
		return err
	}
	if p.settled(old, child) {
		return p.placed(ctx, key, old, child, what)
	}
	if child.File != nil && child.File.Size > deferBytes && child.Parts == nil {
		return p.write(ctx, func(tx *store.Tx) (err error) {
			if err := p.place(ctx, tx, key, what); err != nil {
				return err
			}
			s := p.state(key, child, p.streamOf(key.Kind), store.ItemDeferred, "")
			s.Ruleset, s.Place = old.Ruleset, old.Place
			if s.Counted, err = stillCounted(old, child.Version); err != nil {
				return err
			}
			s.FirstTryAt, s.NextTryAt, s.Size = tx.Now(), tx.Now(), child.File.Size
			return store.PutItem(ctx, tx, s)
		})
	}
	return p.file(ctx, key, child, old, []about{what})
}

// placed reports a file that is known at one more place, from its stored result.
func (p *page) placed(ctx context.Context, key store.ItemKey, old store.Item, child connectors.Item, what about) error {
	return p.write(ctx, func(tx *store.Tx) error {
		if err := p.place(ctx, tx, key, what); err != nil {
			return err
		}
		if old.Result == "" {
			return nil // Reported at all places once it is scanned, or there is nothing to report.
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
	r := what.resource
	return store.AddPlace(ctx, tx, key, store.Place{
		ResourceKind: r.Kind, ResourceID: r.ID, ResourceName: p.mask(r.Name), ResourceURL: r.URL, ActorKey: actor, At: what.itemAt, Owner: r.Owner, Visibility: r.Visibility, Project: r.Project,
	})
}

// file fetches and scans a file or a document and commits it at its places.
func (p *page) file(ctx context.Context, key store.ItemKey, item connectors.Item, old store.Item, places []about) error {
	stream := p.streamOf(key.Kind)
	u, reason, err := p.scanFile(ctx, item)
	if size := declaredSize(item, old); err == nil && reason == "" && u.file.Size < size && old.Tries < shortTries {
		err = &connectors.Error{Kind: connectors.KindMalformed, Code: connectors.CodeMalformed, Message: "The file ended before its size.",
			Err: fmt.Errorf("%d of %d bytes came", u.file.Size, size)}
	}
	if err != nil {
		if reason = reasonOf(err); reason == "" {
			return p.setAside(ctx, key, item, stream, err, []*unit{u}, places...)
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
		s := p.state(key, item, stream, store.ItemScanned, "")
		c := store.Count{Stream: stream, Unit: u.ref.Kind, Outcome: store.OutcomeScanned, At: item.At, N: 1}
		if reason != "" {
			s = p.state(key, item, stream, store.ItemSkipped, reason)
			s.Ruleset = p.ruleset
			c.Outcome, c.Reason = store.OutcomeSkipped, reason
			if reason == store.ReasonDeleted {
				s.ActorKey, s.DeletedAt = p.Keys.Findings.ActorKey(p.connection.ID, places[0].actor), tx.Now()
			}
		}
		if reason == "" || len(u.matches) > 0 {
			if s.Result, err = u.encode(p.mask); err != nil {
				return err
			}
			s.Size = u.file.Size
		}
		counts, err := p.recount(old, &s, c, u.members)
		if err != nil {
			return err
		}
		if err := p.keep(ctx, tx, u); err != nil {
			return err
		}
		return p.commit(ctx, tx, found, s, counts)
	})
}

// shortTries is how often a file that ends before its size is tried again: a proxy that breaks off an answer looks like the end of a file. Then its size
// is a mistake of the source, and what came is all there is.
const shortTries = 3

// declaredSize is that of the list row, or what was kept of it for a try without one.
func declaredSize(item connectors.Item, old store.Item) int64 {
	if item.File != nil {
		return item.File.Size
	}
	return old.Size
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

func isGone(err error) bool {
	return isConnectorError(err) && connectors.KindOf(err) == connectors.KindGone
}

// scanFile fetches a file and scans its name and its content. The reason says why the content was not scanned, or not to its end.
func (p *page) scanFile(ctx context.Context, item connectors.Item) (u *unit, reason string, err error) {
	u = &unit{ref: connectors.Ref{Kind: item.Kind, ID: item.ID}, at: item.At}
	if item.File != nil {
		u.file.Name, u.file.Type, u.file.Size = item.File.Name, item.File.MIME, item.File.Size
	}
	if _, ok := p.source.(connectors.Fetcher); !ok && item.Parts == nil {
		return u, store.ReasonUnsupportedType, nil
	}
	for part, err := range p.content(ctx, item) {
		if err != nil {
			return u, reason, err
		}
		if part.Kind == connectors.PartPlace {
			continue // A file is read whole.
		}
		if part.Resource != (connectors.Ref{}) {
			u.ref = part.Resource // The connector's own word for it: an artifact is an item like a file.
		}
		if part.Name != "" {
			u.file.Name = part.Name
		}
		if part.Skipped != "" {
			reason = part.Skipped
			continue
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
