package policy

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/outband/outband/dlp"
)

// Override is what an installation sets on a policy that it does not own: it is kept by the policy's id, so it survives upgrades.
type Override struct {
	PolicyID string `json:"policy_id"`
	Severity string `json:"severity,omitempty"` // empty: as the policy says
	Mode     string `json:"mode,omitempty"`     // empty: as the policy says
	Paused   bool   `json:"paused,omitempty"`   // by itself: it is evaluated and counted, whatever its mode
}

// Effective is a policy with what the overrides make of it.
type Effective struct {
	Policy   *Policy `json:"policy"`
	Severity string  `json:"severity"`
	Mode     string  `json:"mode"`
	Paused   bool    `json:"paused,omitempty"` // it makes nothing until somebody resumes it

	// Standing are the kinds of records that the policy counts with standing(), sorted: it has an answer only once all of them were read.
	Standing []string `json:"standing"`

	// Profiles are the profiles that the policy asks for, by id, with what they decide (dlp.Profile.Digest).
	Profiles map[string]string `json:"profiles,omitempty"`

	// Fields are the fields of a record that the policy's expression names, in its order.
	Fields []string `json:"fields"`

	// Levels are the severities that the policy's own expression can give, the worst first; empty where the severity is one word.
	Levels []string `json:"levels,omitempty"`

	// Err says why a stored policy compiles no longer; nothing asks it then.
	Err error `json:"-"`

	overridden bool // the severity
}

// SeverityWhen is the expression that decides the severity; empty where one word or an override does.
func (e Effective) SeverityWhen() string {
	if e.overridden {
		return ""
	}
	return e.Policy.SeverityWhen
}

// Decides is a digest of all by which the policy decides about a unit and makes a finding: 32 hex characters, equal for equal policies in force.
func (e Effective) Decides() (string, error) {
	line, err := e.line()
	sum := sha256.Sum256(line)
	return hex.EncodeToString(sum[:16]), err
}

func (e Effective) line() ([]byte, error) {
	p := e.Policy
	decides := []any{p.ID, p.Version, p.Title, p.Kind, p.On, p.About, p.When, p.ClosedBy, e.Severity, e.Mode}
	if e.SeverityWhen() != "" {
		decides = append(decides, p.SeverityWhen)
	}
	if e.Paused {
		decides = append(decides, "paused") // Else the line is as it was before: what was judged needs no second look.
	}
	if len(e.Profiles) > 0 {
		decides = append(decides, e.Profiles)
	}
	line, err := json.Marshal(decides)
	if err != nil {
		return nil, fmt.Errorf("hash policy %s: %w", p.ID, err)
	}
	return line, nil
}

// Failure is an evaluation that gave no answer. The caller counts it and shows the policy as failing.
type Failure struct {
	PolicyID string
	Err      error // an *Error of kind ErrCost, ErrTime, ErrLookup or ErrEvaluation; no value of the unit is in it
}

// Set is a compiled set of policies. It is not changed after Compile; any number of goroutines may use it.
type Set struct {
	all     []Effective
	active  []compiled // in the order of the ids, without those that are off
	version string

	items    map[string][]int // content policies by kind of item, those for AnyItem among them
	others   []int            // content policies for AnyItem, for the kinds that no policy names
	types    map[string][]int // activity policies by exact type
	globs    []globbed        // activity policies by glob
	closing  map[string][]int // activity policies by the types that close their findings
	recorded map[string][]int // posture policies by kind of record
}

type compiled struct {
	*program
	severity string // where graded is nil, or fails
	graded   *program
	shadow   bool
	paused   bool
	counter  *counter // nil: nobody measures
}

// grade returns the severity of a unit that breaks the policy. Where the expression fails it is the worst that it can give: an error hides nothing.
func (c *compiled) grade(u *unit, small bool) (string, error) {
	if c.graded == nil {
		return c.severity, nil
	}
	severity, err := c.graded.grade(u, small)
	if err != nil {
		return c.severity, err
	}
	return severity, nil
}

type globbed struct {
	glob  string
	index int
}

// CheckOverride reports whether an installation may set this on the policy. What is set on a policy that is locked must leave it on, and its
// severity no lower than the policy's own: whoever wants to hide what they do could otherwise turn off the alarm about it first. The error is an
// *Error of kind ErrLocked, or of kind ErrInvalid for a severity or mode that is none. The policy's id in o is not looked at.
func CheckOverride(p *Policy, o Override) error {
	switch {
	case o.Severity != "" && !validSeverity(o.Severity), o.Mode != "" && !validMode(o.Mode):
		return &Error{PolicyID: p.ID, Message: "an override sets an unknown severity or mode", Err: ErrInvalid}
	case p.Locked && o.Mode != "" && o.Mode != ModeOn:
		return &Error{PolicyID: p.ID, Message: "the policy is locked: its mode cannot be " + o.Mode, Err: ErrLocked}
	case p.Locked && o.Paused:
		return &Error{PolicyID: p.ID, Message: "the policy is locked: it cannot be paused", Err: ErrLocked}
	case p.Locked && o.Severity != "" && slices.Index(Severities(), o.Severity) > slices.Index(Severities(), p.Severity):
		return &Error{PolicyID: p.ID, Message: "the policy is locked: its severity cannot be lower than " + p.Severity, Err: ErrLocked}
	}
	return nil
}

// Compile compiles the policies and runs their tests. detectors are the ids that a glob may name; nil skips that check. profiles are those that a policy
// may ask for; none: the built-in ones. The tests of a built-in policy are run with the profiles as they come with Outband, so that changing one breaks
// none. Overrides of policies
// that are not there have no effect; one that CheckOverride refuses is an error. On any error there is no Set: an *Error of kind ErrInvalid names the place in the policy's file, one of
// kind ErrRed the test that failed, one of kind ErrLocked the override that is refused; several are joined.
func Compile(policies []*Policy, overrides []Override, detectors []string, profiles ...dlp.Profile) (*Set, error) {
	profiles, err := known(profiles)
	if err != nil {
		return nil, err
	}
	ids := digestOf(detectors)
	byID := make(map[string]Override, len(overrides))
	var errs []error
	for _, o := range overrides {
		byID[o.PolicyID] = o
	}
	sorted := slices.SortedFunc(slices.Values(policies), func(a, b *Policy) int { return cmp.Compare(a.ID, b.ID) })
	s := &Set{items: map[string][]int{}, types: map[string][]int{}, closing: map[string][]int{}, recorded: map[string][]int{}}
	for i, p := range sorted {
		if i > 0 && sorted[i-1].ID == p.ID {
			errs = append(errs, p.fault(nil, ErrInvalid, "two policies have this id"))
			continue
		}
		prog, err := p.tested(detectors, ids, profiles)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		o := byID[p.ID]
		if err := CheckOverride(p, o); err != nil {
			errs = append(errs, err)
			continue
		}
		e := Effective{Policy: p, Severity: cmp.Or(o.Severity, p.Severity), Mode: cmp.Or(o.Mode, p.Mode), Paused: o.Paused, Standing: prog.standing, Profiles: prog.digests(), Fields: prog.fields, overridden: o.Severity != ""}
		if prog.grades != nil {
			e.Levels = prog.grades.levels
		}
		s.all = append(s.all, e)
		if e.Mode != ModeOff {
			c := compiled{program: prog, severity: e.Severity, shadow: e.Mode == ModeShadow, paused: e.Paused}
			if !e.overridden {
				c.graded = prog.grades
			}
			s.active = append(s.active, c)
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	s.index()
	version, err := s.hash()
	if err != nil {
		return nil, err
	}
	s.version = version
	return s, nil
}

// index prepares the look at "on:", so that a unit meets only the policies that are about its kind.
func (s *Set) index() {
	for i := range s.active {
		for _, kind := range s.active[i].policy.On.Items {
			if kind == AnyItem {
				s.others = append(s.others, i)
			} else if !slices.Contains(s.items[kind], i) {
				s.items[kind] = append(s.items[kind], i)
			}
		}
		for _, glob := range s.active[i].policy.On.Activities {
			if selected, err := parseSelector(glob, 0); err == nil && selected.terms[0].shape == shapeExact {
				s.types[glob] = append(s.types[glob], i)
			} else {
				s.globs = append(s.globs, globbed{glob, i})
			}
		}
		if c := s.active[i].policy.ClosedBy; c != nil {
			for _, typ := range c.Activities {
				s.closing[typ] = append(s.closing[typ], i)
			}
		}
		for _, kind := range s.active[i].policy.On.Records {
			s.recorded[kind] = append(s.recorded[kind], i)
		}
	}
	for kind, named := range s.items {
		if kind != itemActivity && kind != itemRecord {
			s.items[kind] = union(named, s.others)
		}
	}
}

func union(a, b []int) []int {
	out := slices.Concat(a, b)
	slices.Sort(out)
	return slices.Compact(out)
}

// about returns the policies that look at this unit, in the order of their ids.
func (s *Set) about(in *Input) []int {
	switch in.Item.Kind {
	case itemActivity:
		out := slices.Concat(s.items[itemActivity], s.types[in.Activity.Type])
		for _, g := range s.globs {
			if dlp.Glob(g.glob, in.Activity.Type) {
				out = append(out, g.index)
			}
		}
		slices.Sort(out)
		return slices.Compact(out)
	case itemRecord:
		return union(s.items[itemRecord], s.recorded[in.Record.Kind])
	}
	if named, ok := s.items[in.Item.Kind]; ok {
		return named
	}
	return s.others
}

// hash covers all that decides about a finding or is written into it, and not the words of guides and tests: changing those scans nothing again.
func (s *Set) hash() (string, error) {
	h := sha256.New()
	for _, e := range s.all {
		line, err := e.line()
		if err != nil {
			return "", err
		}
		h.Write(append(line, '\n'))
	}
	return hex.EncodeToString(h.Sum(nil)[:16]), nil
}

// Version identifies what the set decides: 32 hex characters, equal for equal policies and overrides, in whatever order they were given.
func (s *Set) Version() string { return s.version }

// Policies returns every policy of the set, those that are off too, in the order of their ids.
func (s *Set) Policies() []Effective { return slices.Clone(s.all) }

// Evaluate asks every policy that looks at this unit. A policy whose evaluation failed is a Failure; if it is a content policy and one of the
// unit's matches is its evidence, it is a Decision too (Failed), because a broken policy must not hide sensitive data.
func (s *Set) Evaluate(in Input, look Lookups) ([]Decision, []Failure) {
	var decisions []Decision
	var failures []Failure
	small := in.withinHints()
	u := unit{in: &in, look: &look}
	for _, i := range s.about(&in) {
		c := &s.active[i]
		var began time.Time
		if c.counter != nil {
			began, u.asked = time.Now(), 0
		}
		d, decided, err := c.decide(&u, small)
		if c.counter != nil {
			c.counter.note(time.Since(began), u.asked, decided, c, err)
		}
		if err != nil {
			failures = append(failures, Failure{PolicyID: c.policy.ID, Err: err})
		}
		if decided {
			decisions = append(decisions, d)
		}
	}
	return decisions, failures
}

// Closes returns the ids, in order, of the policies whose findings about its resource this activity takes back. One whose expression failed takes
// nothing back and is a Failure.
func (s *Set) Closes(in Input) (ids []string, failures []Failure) {
	small := in.withinHints()
	u := unit{in: &in, look: &Lookups{}}
	for _, i := range s.closing[in.Activity.Type] {
		c := &s.active[i]
		closes, err := c.closing.run(&u, small)
		switch {
		case err != nil:
			failures = append(failures, Failure{PolicyID: c.policy.ID, Err: err})
		case closes:
			ids = append(ids, c.policy.ID)
		}
	}
	return ids, failures
}

// ClosedBy returns the types of activities that may take back a finding of a policy; none: nothing does.
func (s *Set) ClosedBy(policyID string) []string {
	i, found := slices.BinarySearchFunc(s.active, policyID, func(c compiled, id string) int { return cmp.Compare(c.policy.ID, id) })
	if !found || s.active[i].policy.ClosedBy == nil {
		return nil
	}
	return s.active[i].policy.ClosedBy.Activities
}
