package workflows

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/outband/outband/dlp"
	"github.com/outband/outband/dlp/policy"
	"github.com/outband/outband/findings"
	"github.com/outband/outband/internal/store"
)

// Limits say when a policy is paused by itself.
type Limits struct {
	Flood int64         // new findings in an hour, of which one of history weighs a tenth; 0: no limit
	Cost  time.Duration // of an evaluation, the mean of at least costSample; 0: no limit
}

// DefaultLimits returns the limits of the product.
func DefaultLimits() Limits { return Limits{Flood: 1000, Cost: 5 * time.Millisecond} }

const (
	operateEvery = 10 * time.Second // between two looks for a flood
	statsEvery   = time.Minute      // between two writes of what policies and detectors did

	floodSpan    = time.Hour
	historyShare = 10 // findings of history that weigh as much as one of today

	costSample  = 100 // evaluations
	askingShare = 10  // time of the store that weighs as much as one of the policy's own

	statsKept = 8 * day
)

// operation watches what the policies of a process cost and yield.
type operation struct {
	meter policy.Meter

	mu        sync.Mutex
	limits    Limits
	looked    time.Time
	flushed   time.Time
	policies  map[string]policy.Usage // that are not stored yet
	detectors map[string]dlp.Usage
	costs     map[string]policy.Usage // since the mean was last judged
}

// Limit replaces the limits. It is called before the first scan.
func (r *Rules) Limit(l Limits) {
	r.watch.mu.Lock()
	defer r.watch.mu.Unlock()
	r.watch.limits = l
}

// operate stores what policies and detectors did, and pauses policies that cost or find too much, at most every so often unless it is to be done now. What
// goes wrong is logged: no scan fails with it, and what was counted is stored the next time.
func (a *Activities) operate(ctx context.Context, now bool) {
	w := &a.Rules.watch
	if now {
		w.mu.Lock()
	} else if !w.mu.TryLock() {
		return // Another page does it.
	}
	defer w.mu.Unlock()
	if !now && time.Since(w.looked) < operateEvery {
		return
	}
	w.looked = time.Now()
	var suspects []store.Pause
	if now || time.Since(w.flushed) >= statsEvery {
		suspects = a.takeUsage(w)
		if err := a.flush(ctx, w); err != nil {
			a.Log.Warn("what policies and detectors did could not be stored", "code", "OB-3021", "err", err)
		}
		w.flushed = time.Now()
	}
	floods, err := a.floods(ctx, w.limits)
	if err == nil {
		err = a.pause(ctx, append(suspects, floods...))
	}
	if err != nil {
		a.Log.Warn("policies could not be watched", "code", "OB-3021", "err", err)
	}
}

// takeUsage adds what was counted to what is not stored yet, and returns the policies whose mean is over the limit.
func (a *Activities) takeUsage(w *operation) (over []store.Pause) {
	if w.policies == nil {
		w.policies, w.detectors, w.costs = map[string]policy.Usage{}, map[string]dlp.Usage{}, map[string]policy.Usage{}
	}
	for id, u := range a.Detectors.TakeUsage() {
		w.detectors[id] = w.detectors[id].Add(u)
	}
	for id, u := range w.meter.Take() {
		w.policies[id] = w.policies[id].Add(u)
		sum := w.costs[id].Add(u)
		if sum.Evaluations < costSample {
			w.costs[id] = sum
			continue
		}
		delete(w.costs, id)
		if mean := cost(sum) / time.Duration(sum.Evaluations); w.limits.Cost > 0 && mean > w.limits.Cost {
			over = append(over, store.Pause{PolicyID: id, Reason: store.PauseCost, Measured: int64(mean), Bound: int64(w.limits.Cost)})
		}
	}
	return over
}

// cost is what evaluations cost: a slow store is no fault of a policy, so that waiting for its answers weighs little.
func cost(u policy.Usage) time.Duration { return u.Time - u.Asking + u.Asking/askingShare }

// flush stores what is not stored yet.
func (a *Activities) flush(ctx context.Context, w *operation) error {
	if len(w.policies)+len(w.detectors) == 0 {
		return nil
	}
	err := a.DB.Write(ctx, func(tx *store.Tx) error {
		for id, u := range w.policies {
			s := store.PolicyStats{PolicyID: id, Evaluations: u.Evaluations, Decisions: u.Decisions, Shadow: u.Shadow, Held: u.Held, Failures: u.Failures, Time: u.Time}
			if err := store.AddPolicyStats(ctx, tx, s); err != nil {
				return err
			}
			if u.Held > 0 {
				if err := store.AddHeld(ctx, tx, id, u.Held); err != nil {
					return err
				}
			}
		}
		for id, u := range w.detectors {
			s := store.DetectorStats{DetectorID: id, Candidates: u.Candidates, Low: u.Low, Medium: u.Medium, High: u.High, VeryHigh: u.VeryHigh}
			if err := store.AddDetectorStats(ctx, tx, s); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		clear(w.policies)
		clear(w.detectors)
	}
	return err
}

// floods returns the policies that made too many new findings in the last hour. What was found before a person resumed a policy counts no more. Posture
// policies are left out: their findings are bounded by the records that there are.
func (a *Activities) floods(ctx context.Context, limits Limits) (over []store.Pause, err error) {
	if limits.Flood <= 0 {
		return nil, nil
	}
	q, since := a.DB.Read(), a.DB.Now().Add(-floodSpan)
	yields, err := findings.NewSince(ctx, q, since, "")
	if err != nil {
		return nil, err
	}
	ended := map[string]time.Time{}
	pauses, err := store.Pauses(ctx, q)
	if err != nil {
		return nil, err
	}
	for _, p := range pauses {
		ended[p.PolicyID] = p.EndedAt
	}
	for _, y := range yields {
		if weight(y) <= limits.Flood {
			continue
		}
		if at := ended[y.PolicyID]; at.After(since) {
			again, err := findings.NewSince(ctx, q, at, y.PolicyID)
			if err != nil {
				return nil, err
			}
			if len(again) == 0 || weight(again[0]) <= limits.Flood {
				continue
			}
			y = again[0]
		}
		over = append(over, store.Pause{PolicyID: y.PolicyID, Reason: store.PauseFlood, Measured: weight(y), Bound: limits.Flood})
	}
	return over, nil
}

func weight(y findings.Yield) int64 { return y.Fresh + (y.New-y.Fresh)/historyShare }

// pause pauses policies, with a row of the audit log for each, and takes it over at once. A locked policy is reported and works on.
func (a *Activities) pause(ctx context.Context, suspects []store.Pause) error {
	if len(suspects) == 0 {
		return nil
	}
	inForce := map[string]policy.Effective{}
	for _, e := range a.Rules.Current().Policies() {
		inForce[e.Policy.ID] = e
	}
	changed := false
	for _, p := range suspects {
		e, known := inForce[p.PolicyID]
		if !known || e.Paused || p.Reason == store.PauseFlood && e.Policy.Kind == policy.KindPosture {
			continue
		}
		p.Paused = !e.Policy.Locked
		begun := false
		err := a.DB.Write(ctx, func(tx *store.Tx) (err error) {
			if begun, err = store.BeginPause(ctx, tx, p); err != nil || !begun {
				return err
			}
			action := "policy.pause"
			if !p.Paused {
				action = "policy.flag"
			}
			return store.AppendAudit(ctx, tx, "system", action, p.PolicyID, map[string]string{"reason": p.Reason, "measured": strconv.FormatInt(p.Measured, 10), "limit": strconv.FormatInt(p.Bound, 10)})
		})
		if err != nil {
			return err
		}
		if begun {
			changed = true
			a.Log.Warn("a policy cost or found too much", "policy", p.PolicyID, "reason", p.Reason, "measured", p.Measured, "limit", p.Bound, "paused", p.Paused, "code", "OB-3022")
		}
	}
	if !changed {
		return nil
	}
	return a.Rules.Reload(ctx)
}
