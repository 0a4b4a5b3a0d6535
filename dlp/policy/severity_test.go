package policy

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// graded returns the file of a policy whose severity is an expression.
func graded(severity, tests string) string {
	text := strings.Replace(file("content.graded", `items: ["*"]`, `count("financial.*") > 0`), "severity: high", "severity: "+severity, 1)
	return text + tests
}

func TestSeverityIsAnExpression(t *testing.T) {
	const expression = `'count("financial.*") > 9 ? "critical" : (actor.external ? "high" : "low")'`
	text := graded(expression, `tests:
  - {name: many, input: {matches: [{detector: financial.card, count: 10}]}, want: true, severity: critical}
  - {name: one, input: {matches: [{detector: financial.card}]}, want: true, severity: low}
  - {name: outside, input: {actor.external: true, matches: [{detector: financial.card}]}, want: true, severity: high}
`)
	p := parse(t, text)
	if p.Severity != SeverityCritical || p.SeverityWhen == "" {
		t.Errorf("severity %q when %q, want the worst that it can give", p.Severity, p.SeverityWhen)
	}
	s := compiledSet(t, nil, text)
	in := Input{Item: Item{Kind: "message"}, Matches: nil}
	in.Matches = append(in.Matches, match("financial.card", 0.9, "v"))
	decisions, failures := s.Evaluate(in, Lookups{})
	if len(failures) > 0 || len(decisions) != 1 || decisions[0].Severity != SeverityLow || !decisions[0].Graded {
		t.Errorf("Evaluate gave %+v and %v", decisions, failures)
	}
	if diff := cmp.Diff([]string{"critical", "high", "low"}, s.Policies()[0].Levels); diff != "" {
		t.Errorf("levels (-want +got):\n%s", diff)
	}
	over := compiledSet(t, []Override{{PolicyID: p.ID, Severity: SeverityInfo}}, text)
	if decisions, _ := over.Evaluate(in, Lookups{}); len(decisions) != 1 || decisions[0].Severity != SeverityInfo || decisions[0].Graded {
		t.Errorf("an override gave %+v", decisions)
	}
	other := compiledSet(t, nil, strings.Replace(text, "> 9", "> 8", 1))
	if s.Version() == other.Version() || over.Version() == s.Version() {
		t.Error("another severity expression is the same set")
	}
}

func TestAnExpressionForTheSeverityThatFailsGivesTheWorst(t *testing.T) {
	s := compiledSet(t, nil, graded(`'activity.fields["x"] == "y" ? "high" : "low"'`, ""))
	decisions, failures := s.Evaluate(Input{Item: Item{Kind: "message"}, Matches: append(Input{}.Matches, match("financial.card", 0.9, "v"))}, Lookups{})
	if len(decisions) != 1 || decisions[0].Severity != SeverityHigh || len(failures) != 1 || !errors.Is(failures[0].Err, ErrEvaluation) {
		t.Errorf("Evaluate gave %+v and %v", decisions, failures)
	}
}

func TestSeverityIsChecked(t *testing.T) {
	for _, tc := range []struct{ severity, want string }{
		{"hihg", `"hihg" is none of critical`},
		{`'count("x.y") > 1'`, "the expression gives bool; it must give a severity"},
		{`'count("x.y") > 1 ? "critical" : "bad"'`, "line 4, column 44: a severity expression"},
		{`'actor.role + ""'`, "a severity expression"},
		{`'colour ? "high" : "low"'`, "line 4, column 12: undeclared reference to 'colour'"},
	} {
		v := Check([]byte(graded(tc.severity, "")), nil)
		if len(v.Issues) == 0 || !strings.Contains(v.Issues[0].Error(), tc.want) || v.Red() {
			t.Errorf("severity %s: %v, want %q", tc.severity, v.Issues, tc.want)
		}
	}
	v := Check([]byte(graded("low", "tests:\n  - {name: a, input: {matches: [{detector: financial.card}]}, want: true, severity: high}\n")), nil)
	if len(v.Issues) != 1 || !v.Red() || v.Tests[0].Got != "true, low" || v.Tests[0].Want != "true, high" {
		t.Errorf("a test of the severity: %v, %+v", v.Issues, v.Tests)
	}
	for _, test := range []string{"want: false, severity: high", "want_error: true, severity: high", "closes: true, severity: high"} {
		if v := Check([]byte(graded("low", "tests:\n  - {name: a, input: {}, "+test+"}\n")), nil); len(v.Issues) != 1 || !strings.Contains(v.Issues[0].Message, "severity: goes with want: true") {
			t.Errorf("%s: %v", test, v.Issues)
		}
	}
}

func TestALockedPolicyKeepsTheWorstOfItsSeverities(t *testing.T) {
	p := parse(t, graded(`'actor.external ? "high" : "low"'`, "locked: true\n"))
	if err := CheckOverride(p, Override{Severity: SeverityMedium}); !errors.Is(err, ErrLocked) {
		t.Errorf("a lower severity: %v", err)
	}
	if err := CheckOverride(p, Override{Severity: SeverityCritical}); err != nil {
		t.Errorf("a higher severity: %v", err)
	}
}
