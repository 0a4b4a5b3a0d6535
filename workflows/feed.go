package workflows

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/outband/outband/connectors"
	"github.com/outband/outband/dlp/policy"
	"github.com/outband/outband/findings"
	"github.com/outband/outband/internal/store"
)

// feedBatch is how many activities one transaction holds. Each of them is stored whole or not at all.
const feedBatch = 100

// workActivities deals with the activities of a page. Rows of the app's own log of calls are judged first.
func (p *page) workActivities(ctx context.Context, items []connectors.Item) error {
	var calls, rest []connectors.Item
	for _, item := range items {
		if item.Activity.Call != nil {
			calls = append(calls, item)
			continue
		}
		delete(item.Activity.Fields, fieldCall) // The app has no say in it.
		rest = append(rest, item)
	}
	if len(calls) > 0 {
		if err := p.workCalls(ctx, calls); err != nil {
			return err
		}
	}
	return p.storeActivities(ctx, rest)
}

// storeActivities stores activities, masked, and evaluates the policies on those that are new.
func (p *page) storeActivities(ctx context.Context, items []connectors.Item) error {
	for batch := range slices.Chunk(items, feedBatch) {
		units := make([]*unit, len(batch))
		for i, item := range batch {
			u := &unit{ref: connectors.Ref{Kind: connectors.KindActivity, ID: item.ID}, at: item.At}
			for _, field := range slices.Sorted(maps.Keys(item.Activity.Fields)) {
				res, err := p.engine.Scan([]byte(item.Activity.Fields[field]), p.Keys.Matches)
				if err != nil {
					return fmt.Errorf("scan an activity: %w", err)
				}
				u.add(res.Matches, connectors.PartField, field, item.At)
			}
			units[i] = u
		}
		var again []connectors.Item
		err := p.write(ctx, func(tx *store.Tx) error {
			var fresh []connectors.Item
			again = again[:0]
			for i, item := range batch {
				known, err := p.activity(ctx, tx, item, units[i])
				if err != nil {
					return err
				}
				if known {
					again = append(again, item)
				} else {
					fresh = append(fresh, item)
				}
			}
			return p.touch(ctx, tx, fresh)
		})
		if err != nil {
			return err
		}
		for _, item := range again {
			p.listedAgain(item)
		}
	}
	return nil
}

// activity stores one activity. One that is known, because it is stored already, is the overlap of two windows and changes nothing.
func (p *page) activity(ctx context.Context, tx *store.Tx, item connectors.Item, u *unit) (known bool, err error) {
	masked := make(map[string]string, len(item.Activity.Fields))
	for k, v := range item.Activity.Fields {
		masked[k] = p.mask(v)
	}
	fields, err := json.Marshal(masked)
	if err != nil {
		return false, fmt.Errorf("encode an activity: %w", err)
	}
	if item.Resource.ID == "" {
		item.Resource = p.account()
	}
	what := p.about(item)
	what.activity = policy.Activity{Type: item.Activity.Type, Fields: item.Activity.Fields}
	actor, err := findings.UpsertActor(ctx, tx, p.Keys.Findings, p.connection.ID, what.actor)
	if err != nil {
		return false, err
	}
	known, err = store.HasActivity(ctx, tx, p.connection.ID, item.ID)
	if err != nil || known {
		return known, err
	}
	// Judged before it is stored: recent() counts what came before it.
	outcome, reason, scanned := store.OutcomeScanned, "", int64(1)
	broken := p.detect(ctx, tx, u, what)
	if err = p.found(ctx, tx, broken); err == nil {
		broken = slices.DeleteFunc(broken, func(d findings.Detection) bool { return d.Shadow }) // It closes nothing either.
		err = p.revert(ctx, tx, u, what, broken)
	}
	if errors.Is(err, findings.ErrInvalid) {
		outcome, reason, scanned = store.OutcomeSkipped, connectors.SkipMalformed, 0 // Nothing of it was stored; the rest of the page goes on (invariant 5).
	} else if err != nil {
		return false, err
	}
	err = store.PutActivity(ctx, tx, store.Activity{
		ConnectionID: p.connection.ID, ID: item.ID, Type: item.Activity.Type, At: item.At, ActorKey: actor, ResourceKind: item.Resource.Kind, ResourceID: item.Resource.ID, Fields: string(fields),
	})
	if err != nil {
		return false, err
	}
	if c := item.Activity.Call; c != nil && c.KeyID != "" && item.Activity.Fields[fieldCall] == "" {
		undecided := store.UndecidedCall{ActivityID: item.ID, KeyID: c.KeyID, RequestID: c.RequestID, At: item.At}
		if err := store.PutUndecidedCall(ctx, tx, p.connection.ID, undecided); err != nil {
			return false, err
		}
	}
	lines := p.line(nil, store.Count{Stream: p.ref.Stream, Unit: item.Kind, Outcome: outcome, Reason: reason, At: item.At, N: 1})
	if err := store.AddCounts(ctx, tx, p.connection.ID, lines...); err != nil {
		return false, err
	}
	return false, store.AddProgress(ctx, tx, p.scanID, 1, scanned, 1-scanned, 0)
}

// account is the organisation behind the connection: what an activity is about that names nothing else.
func (p *page) account() connectors.Resource {
	id := p.connection.AccountID
	if id == "" {
		id = p.connection.ID
	}
	return connectors.Resource{Kind: "organization", ID: id, Name: p.connection.AccountName}
}
