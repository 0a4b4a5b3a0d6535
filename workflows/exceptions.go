package workflows

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"github.com/outband/outband/dlp"
	"github.com/outband/outband/dlp/policy"
	"github.com/outband/outband/findings"
	"github.com/outband/outband/internal/store"
)

// exceptions are those that were active when the store was last asked, by policy. They are not changed, and expire by the clock of the transaction.
type exceptions struct {
	byPolicy map[string][]store.Exception
}

// followExceptions takes the active exceptions over from the store. A locked policy admits none: one that was made before an upgrade locked its
// policy has no effect.
func (r *Rules) followExceptions(ctx context.Context) error {
	active, err := store.ActiveExceptions(ctx, r.db.Read(), r.db.Now())
	if err != nil {
		return err
	}
	x := &exceptions{byPolicy: map[string][]store.Exception{}}
	for _, e := range active {
		x.byPolicy[e.PolicyID] = append(x.byPolicy[e.PolicyID], e)
	}
	for _, e := range r.Current().Policies() {
		if e.Policy.Locked {
			delete(x.byPolicy, e.Policy.ID)
		}
	}
	r.exceptions.Store(x)
	return nil
}

// active returns the exceptions from a policy at a time.
func (x *exceptions) active(policyID string, now time.Time) (out []store.Exception) {
	for _, e := range x.byPolicy[policyID] {
		if e.State(now) == store.ExceptionActive {
			out = append(out, e)
		}
	}
	return out
}

// of names the exceptions from a policy at a time, empty when there are none.
func (x *exceptions) of(policyID string, now time.Time) string {
	var ids strings.Builder
	for _, e := range x.active(policyID, now) {
		ids.WriteString(" " + e.ID)
	}
	if ids.Len() == 0 {
		return ""
	}
	sum := sha256.Sum256([]byte(ids.String()))
	return "." + hex.EncodeToString(sum[:8])
}

// decides names all by which a posture policy judges records: when an exception begins or ends, the records that stand are judged again.
func (p *page) decides(e policy.Effective, now time.Time) (string, error) {
	version, err := e.Decides()
	return version + p.exceptions.of(e.Policy.ID, now), err
}

// judging names all by which a run of a snapshot judges records.
func (p *page) judging(now time.Time) string {
	out := p.rules.Version()
	for _, e := range p.rules.Policies() {
		if e.Policy.Kind == policy.KindPosture {
			out += p.exceptions.of(e.Policy.ID, now)
		}
	}
	return out
}

// excepted is what of a decision falls under exceptions.
type excepted struct {
	whole   string         // id of the exception under which all of it falls; empty: none
	matches map[int]string // ids of exceptions by the index of a match that falls under one
}

// under says what of a decision falls under exceptions. f is the finding that the decision would make, without instances.
func (p *page) under(now time.Time, f findings.Detection, evidence []int, matches []dlp.Match) (out excepted) {
	actor, asked := "", false
	for _, e := range p.exceptions.active(f.PolicyID, now) {
		if e.ConnectionID != "" && e.ConnectionID != p.connection.ID || e.ResourceKind != "" && e.ResourceKind != f.Resource.Kind || e.ResourceID != "" && e.ResourceID != f.Resource.ID {
			continue
		}
		if len(e.ActorKeys) > 0 {
			if !asked {
				actor, asked = p.Keys.Findings.ActorKey(p.connection.ID, f.Actor), true
			}
			if actor == "" || !slices.Contains(e.ActorKeys, actor) {
				continue
			}
		}
		if e.Detector == "" && e.Fingerprint == "" {
			return excepted{whole: e.ID}
		}
		for _, i := range evidence {
			if out.matches[i] == "" && findings.Covers(e, matches[i]) {
				if out.matches == nil {
					out.matches = map[int]string{}
				}
				out.matches[i] = e.ID
			}
		}
	}
	return out
}

// withheld are the detections that are counted for the exceptions, one for each.
func (x excepted) withheld(f findings.Detection, unit findings.Ref) (out []findings.Detection) {
	ids := []string{x.whole}
	if x.whole == "" {
		ids = ids[:0]
		for _, id := range x.matches {
			ids = append(ids, id)
		}
		slices.Sort(ids)
		ids = slices.Compact(ids)
	}
	for _, id := range ids {
		f.Exception, f.Instances = id, []findings.NewInstance{{Resource: unit}}
		out = append(out, f)
	}
	return out
}

// without returns what is left of a decision, and whether anything is: the policy is asked once more about the unit without the matches that fall under
// exceptions, so that an exception from one of twenty addresses leaves nineteen.
func (p *page) without(x excepted, d policy.Decision, in policy.Input, look policy.Lookups) (policy.Decision, bool) {
	if x.whole != "" {
		return d, false
	}
	if len(x.matches) == 0 {
		return d, true
	}
	var kept []int
	all := in.Matches
	texts := in.Texts
	in.Matches, in.Texts = nil, nil
	for i, m := range all {
		if x.matches[i] == "" {
			kept, in.Matches, in.Texts = append(kept, i), append(in.Matches, m), append(in.Texts, texts[i])
		}
	}
	left, still := p.rules.Ask(d.PolicyID, in, look)
	for i, n := range left.Evidence {
		left.Evidence[i] = kept[n]
	}
	return left, still
}
