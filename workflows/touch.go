package workflows

import (
	"context"
	"time"

	"github.com/outband/outband/connectors"
	"github.com/outband/outband/findings"
	"github.com/outband/outband/internal/store"
)

// reasonTouched is the reason of an item that waits to be read once more because an activity changed its content.
const reasonTouched = "touched"

// touchSlack is how much later than an activity an item may have been read without having shown what the activity did.
const touchSlack = 2 * time.Minute

// touch puts down the items that new activities changed to be read once more, soon: each once, whatever number of activities name it.
func (p *page) touch(ctx context.Context, tx *store.Tx, fresh []connectors.Item) error {
	last := map[connectors.Ref]connectors.Item{}
	var refs []connectors.Ref
	for _, item := range fresh {
		for _, ref := range item.Activity.Touches {
			before, named := last[ref]
			if !named {
				refs = append(refs, ref)
			}
			if !named || item.At.After(before.At) {
				last[ref] = item
			}
		}
	}
	for _, ref := range refs {
		if err := p.touchOne(ctx, tx, ref, last[ref]); err != nil {
			return err
		}
	}
	return nil
}

func (p *page) touchOne(ctx context.Context, tx *store.Tx, ref connectors.Ref, activity connectors.Item) error {
	key := store.ItemKey{ConnectionID: p.connection.ID, Kind: ref.Kind, ID: ref.ID}
	old, err := p.pastIn(ctx, tx, key)
	if err != nil {
		return err
	}
	switch {
	case ref.ID == "" || old.State == store.ItemDeferred || old.State == store.ItemQuarantined || !old.DeletedAt.IsZero():
		return nil // It is worked again by itself, or there is nothing left to read.
	case old.State == "" && p.ref.Lane == store.LaneBackfill:
		return nil // Its own stream lists it as it is now.
	case old.State != "" && old.UpdatedAt.After(activity.At.Add(touchSlack)):
		return nil // It was read after that.
	}
	if old.State == "" {
		old = store.Item{ItemKey: key, At: activity.At}
		if old.Stream, err = p.streamOfKind(ctx, tx, ref.Kind); err != nil {
			return err
		}
	}
	places, err := store.Places(ctx, tx, key)
	if err != nil {
		return err
	}
	if len(places) == 0 {
		// Nothing more is known of it than who changed it. Its list tells the rest, if it shows it.
		actor, err := findings.UpsertActor(ctx, tx, p.Keys.Findings, p.connection.ID, p.about(activity).actor)
		if err != nil {
			return err
		}
		if err := store.AddPlace(ctx, tx, key, store.Place{ResourceKind: ref.Kind, ResourceID: ref.ID, ActorKey: actor, At: activity.At}); err != nil {
			return err
		}
	}
	old.State, old.Reason, old.Tries, old.FirstTryAt, old.NextTryAt = store.ItemDeferred, reasonTouched, 0, tx.Now(), tx.Now()
	return store.PutItem(ctx, tx, old)
}

// streamOfKind is the stream that an item of a kind belongs to: the one that others came from, else the one that is named like it.
func (p *page) streamOfKind(ctx context.Context, q store.Querier, kind string) (string, error) {
	if kind == connectors.KindFile {
		return streamFiles, nil
	}
	stream, err := store.StreamOf(ctx, q, p.connection.ID, kind)
	if err != nil || stream != "" {
		return stream, err
	}
	m, err := p.Open.Manifest(p.connection.Connector)
	if err != nil {
		return "", err
	}
	if s, ok := m.Stream(kind + "s"); ok {
		return s.ID, nil
	}
	return p.ref.Stream, nil
}
