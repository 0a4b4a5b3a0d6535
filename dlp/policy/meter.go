package policy

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Meter counts what policies do, whatever set they are in. It is safe for concurrent use; the zero Meter is ready.
type Meter struct {
	mu   sync.Mutex
	byID map[string]*counter
}

type counter struct {
	evaluations, decisions, shadow, held, failures, nanos, asking atomic.Int64
}

// Usage is what one policy did.
type Usage struct {
	Evaluations int64         // units that it was asked about
	Decisions   int64         // of these, units that break it, those of Shadow and Held among them
	Shadow      int64         // decisions in mode shadow
	Held        int64         // decisions while it was paused
	Failures    int64         // evaluations that gave no answer
	Time        time.Duration // of all evaluations together
	Asking      time.Duration // of that, waiting for answers of the store
}

// Add returns the sum of two.
func (u Usage) Add(v Usage) Usage {
	return Usage{u.Evaluations + v.Evaluations, u.Decisions + v.Decisions, u.Shadow + v.Shadow, u.Held + v.Held, u.Failures + v.Failures, u.Time + v.Time, u.Asking + v.Asking}
}

// of returns the counter of a policy.
func (m *Meter) of(policyID string) *counter {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.byID == nil {
		m.byID = map[string]*counter{}
	}
	if m.byID[policyID] == nil {
		m.byID[policyID] = &counter{}
	}
	return m.byID[policyID]
}

// Take returns what was counted since it was last called, without the policies that did nothing.
func (m *Meter) Take() map[string]Usage {
	m.mu.Lock()
	all := maps.Clone(m.byID)
	m.mu.Unlock()
	out := map[string]Usage{}
	for id, c := range all {
		u := Usage{c.evaluations.Swap(0), c.decisions.Swap(0), c.shadow.Swap(0), c.held.Swap(0), c.failures.Swap(0), time.Duration(c.nanos.Swap(0)), time.Duration(c.asking.Swap(0))}
		if u != (Usage{}) {
			out[id] = u
		}
	}
	return out
}

// note counts one evaluation.
func (c *counter) note(took, asking time.Duration, decided bool, p *compiled, err error) {
	c.evaluations.Add(1)
	c.nanos.Add(int64(took))
	c.asking.Add(int64(asking))
	if err != nil {
		c.failures.Add(1)
	}
	if !decided {
		return
	}
	c.decisions.Add(1)
	switch {
	case p.paused:
		c.held.Add(1)
	case p.shadow:
		c.shadow.Add(1)
	}
}

// Measure has a meter count what the set evaluates. It is called before the set is used.
func (s *Set) Measure(m *Meter) {
	for i := range s.active {
		s.active[i].counter = m.of(s.active[i].policy.ID)
	}
}

// Ask asks one policy about a unit, and counts nothing: it was asked about the unit before, and the unit has become less. False: the unit does not break
// the policy, or the policy does not look at it.
func (s *Set) Ask(policyID string, in Input, look Lookups) (Decision, bool) {
	small := in.withinHints()
	u := unit{in: &in, look: &look}
	i, found := slices.BinarySearchFunc(s.active, policyID, func(c compiled, id string) int { return strings.Compare(c.policy.ID, id) })
	if !found || !slices.Contains(s.about(&in), i) {
		return Decision{}, false
	}
	d, decided, _ := s.active[i].decide(&u, small)
	return d, decided
}

// decide asks the policy about a unit. A content policy that failed keeps what it has evidence for. The error of a decision that is there is that of the
// expression or of the severity.
func (c *compiled) decide(u *unit, small bool) (d Decision, decided bool, err error) {
	broken, err := c.run(u, small)
	if !broken && (err == nil || c.policy.Kind != KindContent) {
		return d, false, err
	}
	evidence := c.evidence(u.in)
	if err != nil && len(evidence) == 0 {
		return d, false, err
	}
	asked := c.asked(u) // Before the severity is asked for, which begins anew.
	severity, ungraded := c.grade(u, small)
	return Decision{
		PolicyID: c.policy.ID, Version: c.policy.Version, Kind: c.policy.Kind, Severity: severity, Graded: c.graded != nil, Title: c.policy.Title,
		About: c.policy.About, Asked: asked, Evidence: evidence, Shadow: c.shadow, Paused: c.paused, Failed: err != nil,
	}, true, cmp.Or(err, ungraded)
}
