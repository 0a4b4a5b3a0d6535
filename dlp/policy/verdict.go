package policy

import (
	"errors"
	"fmt"

	"github.com/outband/outband/dlp"
)

// Verdict is all there is to say about the file of a policy before it is saved.
type Verdict struct {
	Policy *Policy  // nil: the file cannot be read
	Issues []*Error // why it cannot be saved, red tests among them; empty: it can
	Tests  []Result // one for each test, in the order of the file; empty where the policy does not compile
	Cost   uint64   // the worst case of one evaluation, in units; MaxStaticCost is the most that is admitted
	Levels []string // the severities that it can give, the worst first
}

// Check reads the file of a policy, compiles it and runs its tests; detectors and profiles are as in Compile.
func Check(data []byte, detectors []string, profiles ...dlp.Profile) Verdict {
	var v Verdict
	p, err := Parse(data)
	if err != nil {
		v.Issues = issues(err)
		return v
	}
	v.Policy, v.Levels = p, []string{p.Severity}
	prog, err := (*program)(nil), error(nil)
	if profiles, err = known(profiles); err == nil {
		prog, err = compileAll(p, detectors, profiles)
	}
	if err != nil {
		v.Issues = issues(err)
		return v
	}
	v.Cost = prog.cost
	if prog.grades != nil {
		v.Levels = prog.grades.levels
	}
	v.Tests = runTests(prog)
	v.Issues = issues(red(p, v.Tests))
	return v
}

// Red reports whether red tests are all that is wrong with the policy.
func (v Verdict) Red() bool {
	for _, issue := range v.Issues {
		if !errors.Is(issue, ErrRed) {
			return false
		}
	}
	return len(v.Issues) > 0
}

// Refuse adds an issue that the file alone does not show, at the place of one of its top-level keys.
func (v *Verdict) Refuse(key, format string, args ...any) {
	e := &Error{Line: 1, Message: fmt.Sprintf(format, args...), Err: ErrInvalid}
	if v.Policy != nil {
		e.PolicyID = v.Policy.ID
		if root, err := parseYAML(v.Policy.source); err == nil {
			if n := valueOf(root, key); n != nil {
				e.Line, e.Column = n.Line, n.Column
			}
		}
	}
	v.Issues = append(v.Issues, e)
}

// issues takes joined errors apart.
func issues(err error) []*Error {
	if err == nil {
		return nil
	}
	var out []*Error
	if joined, ok := err.(interface{ Unwrap() []error }); ok { // A joined error must not be taken for the first in it.
		for _, e := range joined.Unwrap() {
			out = append(out, issues(e)...)
		}
		return out
	}
	var one *Error
	if errors.As(err, &one) {
		return []*Error{one}
	}
	return []*Error{{Message: err.Error(), Err: ErrInvalid}}
}
