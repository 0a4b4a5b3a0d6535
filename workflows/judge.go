package workflows

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/outband/outband/connectors"
	"github.com/outband/outband/dlp/policy"
	"github.com/outband/outband/findings"
	"github.com/outband/outband/internal/store"
)

// fieldCall is the field of an activity that says whose call it was; the framework alone sets it. Calls of our own are counted and not stored.
const fieldCall = "outband.call"

// What fieldCall says.
const (
	callOwn        = "own"
	callForeign    = "foreign"    // with our key, and not by us
	callUnverified = "unverified" // with our key, and what would prove that it was by us was lost
)

const (
	// callBatch is how many rows of the app's log of calls one transaction judges.
	callBatch = 500

	// callYoung is the age under which a row is not held to be foreign: the id of its request may not be stored yet. The next window shows it again.
	callYoung = 15 * time.Second

	// clockSkew is how far the app's clock and ours may differ.
	clockSkew = 10 * time.Minute

	// A run that was killed has lost the ids of requests that were made this long before it stored its last ones, and this long after.
	lostBefore = 30 * time.Second
	lostAfter  = 2 * time.Minute

	// runBegins is how long before its run a row of it can seem to be, by the clocks.
	runBegins = 5 * time.Second
)

// call is a row of the app's log of calls.
type call struct {
	item    connectors.Item
	key     string
	request string
	run     string // of its signature, "" without a valid one
	n       int64
	known   bool // its request is one of ours
}

// workCalls deals with a page of the app's own log of calls: ours are counted, and what was called with our key by others is stored as an activity
// that says so. Calls with other keys are activities like any other.
func (p *page) workCalls(ctx context.Context, items []connectors.Item) error {
	// Ours of a moment ago are known before they are looked for.
	if err := p.Open.calls.of(p.connection.ID).Flush(ctx); err != nil {
		return err
	}
	calls, keys, err := p.learnCalls(ctx, items)
	if err != nil {
		return err
	}
	if err := p.rejudge(ctx); err != nil {
		return err
	}
	for batch := range slices.Chunk(calls, callBatch) {
		var others []call
		var again []connectors.Item
		err := p.write(ctx, func(tx *store.Tx) (err error) {
			others, again, err = p.countOwn(ctx, tx, batch)
			return err
		})
		if err != nil {
			return err
		}
		for _, item := range again {
			p.listedAgain(item)
		}
		unproven, err := store.UnprovenCallRuns(ctx, p.DB.Read(), p.connection.ID)
		if err != nil {
			return err
		}
		var rows []connectors.Item
		for _, c := range others {
			if keys[c.key] {
				if p.young(c) {
					continue
				}
				c.item.Activity.Fields[fieldCall] = verdict(c.known, c.item.At, p.unsure(unproven))
			}
			rows = append(rows, c.item)
		}
		if err := p.storeActivities(ctx, rows); err != nil {
			return err
		}
	}
	return nil
}

// learnCalls reads what the rows of a page prove: which keys are ours, and that the app's log shows our signatures. It looks at the whole page first, so
// that a row is not judged by less than what was read together with it.
func (p *page) learnCalls(ctx context.Context, items []connectors.Item) (calls []call, keys map[string]bool, err error) {
	q := p.DB.Read()
	var ids []string
	for _, item := range items {
		c := call{item: item, key: item.Activity.Call.KeyID, request: item.Activity.Call.RequestID}
		if len(c.request) > requestLength {
			c.request = "" // None of ours is so long.
		}
		if run, n, ok := callOf(p.Keys.Findings.ID, item.Activity.Call.UserAgent); ok {
			c.run, c.n = run, n
			ids = append(ids, againOf(signature(p.Keys.Findings.ID, run, n)))
		}
		ids = append(ids, c.request)
		delete(item.Activity.Fields, fieldCall)
		calls = append(calls, c)
	}
	slices.Sort(ids)
	known, err := store.KnownRequests(ctx, q, p.connection.ID, slices.Compact(ids))
	if err != nil {
		return nil, nil, err
	}
	if keys, err = store.OwnKeys(ctx, q, p.connection.ID); err != nil {
		return nil, nil, err
	}
	runs := map[string]*store.CallRun{}
	var learned, proven []string
	for i := range calls {
		c := &calls[i]
		c.known = c.request != "" && known[c.request]
		if c.run == "" && !c.known {
			continue
		}
		run, err := p.callRun(ctx, runs, c.run)
		if err != nil {
			return nil, nil, err
		}
		if run != nil && !p.inRun(*run, *c, keys[c.key]) {
			c.run = "" // A signature that was ours, used once more after its run or with another key.
		}
		if run != nil && c.run != "" && !run.Proven {
			run.Proven, proven = true, append(proven, c.run)
		}
		// Where the app gives its requests ids, a signature alone teaches no key: somebody could have seen it.
		ours := c.known || c.run != "" && c.request == ""
		if ours && c.key != "" && !keys[c.key] && (run == nil || run.ConnectionID == p.connection.ID) {
			keys[c.key], learned = true, append(learned, c.key)
		}
	}
	if len(learned)+len(proven) == 0 {
		return calls, keys, nil
	}
	return calls, keys, p.write(ctx, func(tx *store.Tx) error {
		for _, key := range learned {
			if err := store.AddOwnKey(ctx, tx, p.connection.ID, key); err != nil {
				return err
			}
		}
		for _, run := range proven {
			if err := store.ProveCallRun(ctx, tx, run); err != nil {
				return err
			}
		}
		return nil
	})
}

// requestLength bounds the ids of requests.
const requestLength = 128

// callRun returns a run, nil if it is not known: the store may be a backup that is older than the run, and the signature proves it all the same.
func (p *page) callRun(ctx context.Context, runs map[string]*store.CallRun, name string) (*store.CallRun, error) {
	if name == "" {
		return nil, nil
	}
	if run, ok := runs[name]; ok {
		return run, nil
	}
	run, err := store.GetCallRun(ctx, p.DB.Read(), name)
	if errors.Is(err, store.ErrNotFound) {
		runs[name] = nil
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	runs[name] = &run
	return &run, nil
}

// inRun reports whether a signed call can have been made by its run: in its time, and with a key that it has. A test of a key has that of the connection
// that is made of it.
func (p *page) inRun(run store.CallRun, c call, ownKey bool) bool {
	end := run.StoppedAt
	if end.IsZero() {
		end = run.StartedAt.Add(runFor)
	}
	if c.item.At.Before(run.StartedAt.Add(-clockSkew)) || c.item.At.After(end.Add(clockSkew)) {
		return false
	}
	return run.ConnectionID == "" || run.ConnectionID == p.connection.ID || !ownKey
}

// countOwn counts the calls that are ours and returns the others, and those of ours that were listed before. A signature counts once; what uses it again
// is not ours, unless its request is known. The ledger alone counts them: a scan that saw nothing but its own calls has read no item.
func (p *page) countOwn(ctx context.Context, tx *store.Tx, batch []call) (others []call, again []connectors.Item, err error) {
	var lines []store.Count
	for _, c := range batch {
		own, first, err := p.own(ctx, tx, c)
		if err != nil {
			return nil, nil, err
		}
		switch {
		case !own:
			others = append(others, c)
		case !first:
			again = append(again, c.item)
		default:
			lines = p.line(lines, store.Count{Stream: p.ref.Stream, Unit: connectors.KindActivity, Outcome: store.OutcomeScanned, At: c.item.At, N: 1})
		}
	}
	return others, again, store.AddCounts(ctx, tx, p.connection.ID, lines...)
}

// own reports whether a call is ours, and whether its row is seen for the first time.
func (p *page) own(ctx context.Context, tx *store.Tx, c call) (own, first bool, err error) {
	seen := store.SeenCall{Run: c.run, N: c.n, ActivityID: c.item.ID, RequestID: c.request, At: c.item.At}
	if c.run == "" {
		seen.Run, seen.N = c.item.ID, 0 // Its request alone proves it, as behind a proxy that writes its own User-Agent.
	}
	before, err := store.GetSeenCall(ctx, tx, seen.Run, seen.N)
	switch {
	case errors.Is(err, store.ErrNotFound) && c.run == "" && !c.known:
		return false, false, nil
	case errors.Is(err, store.ErrNotFound):
		return true, true, store.PutSeenCall(ctx, tx, seen)
	case err != nil:
		return false, false, err
	case before.ActivityID == c.item.ID:
		return true, false, nil
	}
	return p.twice(ctx, tx, c, seen, before)
}

// twice decides about a call whose signature another row has shown before. That row was held to be ours by its signature; if only the request of the
// later one is known, the earlier one used a signature that it had seen, and it is the foreign one.
func (p *page) twice(ctx context.Context, tx *store.Tx, c call, seen, before store.SeenCall) (own, first bool, err error) {
	again := againOf(signature(p.Keys.Findings.ID, c.run, c.n))
	known, err := store.KnownRequests(ctx, tx, p.connection.ID, []string{before.RequestID, again})
	if err != nil {
		return false, false, err
	}
	switch {
	case known[again]:
		// Our own transport sent it again on another connection. Which of the rows it was is not known, and that there are more than two not expected.
	case !c.known:
		return false, false, nil
	case before.RequestID == "" || !known[before.RequestID]:
		if err := p.accuse(ctx, tx, c, before); err != nil {
			return false, false, err
		}
		return true, true, store.PutSeenCall(ctx, tx, seen)
	}
	// Both are ours. The second one has a row of its own, so that it is counted once.
	seen.Run, seen.N = c.item.ID, 0
	if _, err := store.GetSeenCall(ctx, tx, seen.Run, 0); !errors.Is(err, store.ErrNotFound) {
		return true, false, err
	}
	return true, true, store.PutSeenCall(ctx, tx, seen)
}

// accuse makes a foreign call of one that was counted as ours. What is known of it is its id, request and time.
func (p *page) accuse(ctx context.Context, tx *store.Tx, c call, before store.SeenCall) error {
	err := store.AddCounts(ctx, tx, p.connection.ID, store.Count{Stream: p.ref.Stream, Unit: connectors.KindActivity, Outcome: store.OutcomeScanned, At: before.At, N: -1})
	if err != nil {
		return err
	}
	item := c.item
	item.ID, item.At = before.ActivityID, before.At
	item.Activity = &connectors.Activity{Type: c.item.Activity.Type, Fields: map[string]string{fieldCall: callForeign, "request_id": before.RequestID}}
	_, err = p.activity(ctx, tx, item, &unit{ref: connectors.Ref{Kind: connectors.KindActivity, ID: item.ID}, at: item.At})
	return err
}

// young reports whether it is too early to hold a call for foreign. Only live windows overlap so far that it is shown again.
func (p *page) young(c call) bool {
	return p.ref.Lane == store.LaneLive && !c.known && p.DB.Now().Sub(c.item.At) < callYoung && time.Duration(p.stream.Lookback+p.stream.Settle) > 4*callYoung
}

// unsure returns whether proof of a call at a time may be lost, while no row has shown that signatures get through, which would be proof enough: it lies
// in what a run may not have stored before it was killed, or is so old that the ids of requests are purged. The run of this process has stored all.
func (p *page) unsure(unproven []store.CallRun) func(time.Time) bool {
	mine, tests := p.Open.calls.of(p.connection.ID).name(), p.Open.calls.of("").name()
	return func(at time.Time) bool {
		old := p.DB.Now().Sub(at) > store.RequestsKept-clockSkew
		for _, r := range unproven {
			if old && !at.Before(r.StartedAt.Add(-clockSkew)) && !at.After(r.FlushedAt.Add(clockSkew)) {
				return true
			}
			if !r.StoppedAt.IsZero() || r.Run == mine || r.Run == tests {
				continue
			}
			from := r.FlushedAt.Add(-lostBefore)
			if begins := r.StartedAt.Add(-runBegins); begins.After(from) {
				from = begins
			}
			if !at.Before(from) && !at.After(r.FlushedAt.Add(lostAfter)) {
				return true
			}
		}
		return false
	}
}

// verdict is what a call with one of our keys is that has no signature of its own.
func verdict(known bool, at time.Time, unsure func(time.Time) bool) string {
	switch {
	case known:
		return callOwn
	case unsure(at):
		return callUnverified
	}
	return callForeign
}

// rejudge decides about stored calls whose key has become known as ours since.
func (p *page) rejudge(ctx context.Context) error {
	for {
		decidable, err := store.DecidableCalls(ctx, p.DB.Read(), p.connection.ID, feedBatch)
		if err != nil || len(decidable) == 0 {
			return err
		}
		ids := make([]string, 0, len(decidable))
		for _, c := range decidable {
			ids = append(ids, c.RequestID)
		}
		known, err := store.KnownRequests(ctx, p.DB.Read(), p.connection.ID, ids)
		if err != nil {
			return err
		}
		unproven, err := store.UnprovenCallRuns(ctx, p.DB.Read(), p.connection.ID)
		if err != nil {
			return err
		}
		unsure := p.unsure(unproven)
		err = p.write(ctx, func(tx *store.Tx) error {
			for _, c := range decidable {
				if err := p.decide(ctx, tx, c.ActivityID, verdict(known[c.RequestID], c.At, unsure)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
}

// decide writes into a stored activity whose call it was, and evaluates the policies once more. Its fields are masked by now, and what they matched is
// reported already.
func (p *page) decide(ctx context.Context, tx *store.Tx, activityID, whose string) error {
	if err := store.DropUndecidedCall(ctx, tx, p.connection.ID, activityID); err != nil {
		return err
	}
	stored, err := store.GetActivity(ctx, tx, p.connection.ID, activityID)
	if errors.Is(err, store.ErrNotFound) {
		return nil // Purged.
	}
	if err != nil {
		return err
	}
	fields := map[string]string{}
	if err := json.Unmarshal([]byte(stored.Fields), &fields); err != nil {
		return fmt.Errorf("decode the fields of an activity: %w", err)
	}
	fields[fieldCall] = whose
	changed, err := json.Marshal(fields)
	if err != nil {
		return fmt.Errorf("encode an activity: %w", err)
	}
	if err := store.SetActivityFields(ctx, tx, p.connection.ID, activityID, string(changed)); err != nil || whose == callOwn {
		return err
	}
	actor, err := findings.GetActor(ctx, tx, stored.ActorKey)
	if err != nil {
		return err
	}
	u := &unit{ref: connectors.Ref{Kind: connectors.KindActivity, ID: activityID}, at: stored.At}
	what := about{resource: connectors.Resource{Kind: stored.ResourceKind, ID: stored.ResourceID}, actor: actor, activity: policy.Activity{Type: stored.Type, Fields: fields}, itemAt: stored.At}
	return p.found(ctx, tx, p.detect(ctx, tx, u, what))
}
