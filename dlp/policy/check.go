package policy

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/outband/outband/dlp"
)

// Result is the outcome of one test inside a policy's file.
type Result struct {
	PolicyID string `json:"policy_id"`
	Name     string `json:"name"`
	Passed   bool   `json:"passed"`
	Got      string `json:"got"`    // true, false or error; "true, high" where the test states a severity
	Want     string `json:"want"`   // as Got
	Line     int    `json:"line"`   // of the test in the policy's file, from 1
	Column   int    `json:"column"` // in characters, from 1
	Err      error  `json:"-"`      // why the evaluation failed
}

// RunTests compiles one policy and runs the tests in its file; detectors and profiles are as in Compile. The error is why it does not compile; red tests are in the results.
func RunTests(p *Policy, detectors []string, profiles ...dlp.Profile) ([]Result, error) {
	profiles, err := known(profiles)
	if err != nil {
		return nil, err
	}
	prog, err := compileAll(p, detectors, profiles)
	if err != nil {
		return nil, err
	}
	return runTests(prog), nil
}

// runTests runs the expression only if "on:" admits the input, as Evaluate does.
func runTests(prog *program) []Result {
	out := make([]Result, 0, len(prog.policy.Tests))
	for i := range prog.policy.Tests {
		t := &prog.policy.Tests[i]
		r := Result{PolicyID: prog.policy.ID, Name: t.Name, Got: "false", Want: fmt.Sprint(t.Want), Line: t.line, Column: t.column}
		if t.WantError {
			r.Want = "error"
		}
		run, admitted := prog, prog.policy.On.admits(&t.input)
		if t.Closing {
			run, admitted = prog.closing, prog.closing != nil && slices.Contains(prog.policy.ClosedBy.Activities, t.input.Activity.Type)
		}
		if admitted {
			look := t.lookups()
			u, small := &unit{in: &t.input, look: &look, shipped: prog.policy.builtIn}, t.input.withinHints()
			got, err := run.run(u, small)
			r.Got, r.Err = fmt.Sprint(got), err
			if err == nil && got && t.Severity != "" {
				severity := prog.policy.Severity
				if prog.grades != nil {
					severity, r.Err = prog.grades.grade(u, small)
				}
				r.Got += ", " + severity
			}
			if r.Err != nil {
				r.Got = "error"
			}
		}
		if t.Severity != "" {
			r.Want += ", " + t.Severity
		}
		r.Passed = r.Got == r.Want
		out = append(out, r)
	}
	return out
}

// red returns an error for every test that failed.
func red(p *Policy, results []Result) error {
	var out []error
	for _, r := range results {
		if !r.Passed {
			message := fmt.Sprintf("test %q gave %s, want %s", r.Name, r.Got, r.Want)
			out = append(out, &Error{PolicyID: p.ID, Line: r.Line, Column: r.Column, Message: message, Err: ErrRed})
		}
	}
	return errors.Join(out...)
}

// admits is the look at "on:" for one policy.
func (o On) admits(in *Input) bool {
	switch in.Item.Kind {
	case itemActivity:
		matches := func(glob string) bool { return dlp.Glob(glob, in.Activity.Type) }
		return slices.ContainsFunc(o.Activities, matches) || slices.Contains(o.Items, itemActivity)
	case itemRecord:
		return slices.Contains(o.Records, in.Record.Kind) || slices.Contains(o.Items, itemRecord)
	}
	return slices.Contains(o.Items, in.Item.Kind) || slices.Contains(o.Items, AnyItem)
}

func (t *Test) lookups() Lookups {
	return Lookups{
		Total: func(string, string) (int64, error) { return t.total, nil },
		Recent: func(glob, _ string, _ time.Duration) (int64, error) {
			if n, ok := t.recent[glob]; ok {
				return n, nil
			}
			return t.recent[anyGlob], nil
		},
		Standing: func(kind, field, value string) (int64, error) {
			if n, ok := t.standing[kind+"/"+field+"/"+value]; ok {
				return n, nil
			}
			return t.standing[anyGlob], nil
		},
	}
}
