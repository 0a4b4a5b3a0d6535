package policy

import (
	"regexp"
	"slices"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"
	"go.yaml.in/yaml/v3"

	"github.com/outband/outband/dlp"
)

// severityForm says what an expression for a severity must look like. With it, what a policy can give is known when it is saved.
const severityForm = `a severity expression chooses between the words with ? and :, such as count("financial.card") > 9 ? "critical" : "high"; each end must be one of "critical", "high", "medium", "low", "info"`

var word = regexp.MustCompile(`^\w+$`)

// severity reads one of the severities, or an expression that gives one. worst is the word, or the worst that the expression can give.
func (d *decoder) severity(n *yaml.Node, source []byte) (worst, expression string, at place) {
	if n.Kind != yaml.ScalarNode || word.MatchString(n.Value) {
		return d.oneOf(n, Severities()...), "", place{}
	}
	expression, at = d.expression(n, source)
	return worstSeverity(expression), expression, at
}

// worstSeverity is the worst severity that an expression can give, so that a locked policy has a floor before it is compiled. It is empty for an
// expression that cannot be read: compile says why.
func worstSeverity(expression string) (worst string) {
	defer func() {
		// An author's text must not end the process, whatever the library makes of it.
		if recover() != nil {
			worst = ""
		}
	}()
	env, err := environment()
	if err != nil || len(expression) > MaxExpression {
		return ""
	}
	parsed, issues := env.Parse(expression)
	if issues.Err() != nil {
		return ""
	}
	levels, wrong := severityLevels(parsed.NativeRep().Expr())
	if wrong != nil {
		return ""
	}
	return levels[0]
}

// severityLevels returns the severities between which an expression chooses, the worst first, or the part of it that is none of them.
func severityLevels(e ast.Expr) (levels []string, wrong ast.Expr) {
	ends := []ast.Expr{e}
	for len(ends) > 0 {
		last := ends[len(ends)-1]
		ends = ends[:len(ends)-1]
		if last.Kind() == ast.CallKind && last.AsCall().FunctionName() == operators.Conditional {
			ends = append(ends, last.AsCall().Args()[1:]...)
			continue
		}
		text, ok := literal(last).(types.String)
		if !ok || !validSeverity(string(text)) {
			return nil, last
		}
		levels = append(levels, string(text))
	}
	slices.SortFunc(levels, func(a, b string) int { return slices.Index(Severities(), a) - slices.Index(Severities(), b) })
	return slices.Compact(levels), nil
}

// compileSeverity compiles the expression that gives the severity.
func compileSeverity(p *Policy, detectors []string, profiles []dlp.Profile) (*program, error) {
	c := *p
	c.When, c.when = p.SeverityWhen, p.severityAt
	return compile(&c, detectors, profiles, cel.StringType)
}

// grade evaluates an expression that gives a severity.
func (p *program) grade(u *unit, small bool) (string, error) {
	value, err := p.eval(u, small)
	if err != nil {
		return "", err
	}
	text, ok := value.(types.String)
	if !ok {
		return "", p.policy.fault(nil, ErrEvaluation, "the expression gave no severity")
	}
	return string(text), nil
}
