package policy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/interpreter"

	"github.com/outband/outband/dlp"
)

// program is a compiled policy. It is not changed after compile, so that any number of goroutines may run it.
type program struct {
	policy    *Policy
	limited   cel.Program
	free      cel.Program // nil: every evaluation has a limit
	info      *ast.SourceInfo
	selectors []namedSelector
	profiles  []dlp.Profile // that it asks for
	shipped   []dlp.Profile // the same as they come with Outband; those that do not, as in profiles
	questions []question
	standing  []string // kinds of records that it counts, sorted
	fields    []string // of records, that it names, in its order
	asks      bool     // it has questions to the store
	closing   *program // of closed_by; nil: there is none
	grades    *program // of severity; nil: it is one word
	levels    []string // what grades can give, the worst first
	cost      uint64   // of the worst case, in units
}

// namedSelector is a selector with the literals that it was made of.
type namedSelector struct {
	text string
	selector
}

// compile checks and plans the expression of one policy, which may ask for these profiles and must give want. With the ids of the known detectors it also
// refuses globs that name none.
func compile(p *Policy, detectors []string, profiles []dlp.Profile, want *cel.Type) (out *program, err error) {
	defer func() {
		// An author's text must not end the process, whatever the library makes of it.
		if r := recover(); r != nil {
			out, err = nil, p.fault(nil, ErrInvalid, "the expression is more than the CEL library can compile")
		}
	}()
	env, err := environment()
	if err != nil {
		return nil, fmt.Errorf("make the CEL environment: %w", err)
	}
	if len(p.When) > MaxExpression {
		return nil, p.fault(nil, ErrInvalid, "the expression has %d bytes, more than the %d allowed", len(p.When), MaxExpression)
	}
	checked, issues := env.Compile(p.When)
	if issues.Err() != nil {
		return nil, p.issues(issues)
	}
	tree := checked.NativeRep()
	out = &program{policy: p, info: tree.SourceInfo()}
	if !checked.OutputType().IsExactType(want) {
		must := "true or false"
		if want == cel.StringType {
			must = "a severity"
		}
		return nil, p.fault(out.at(tree.Expr().ID()), ErrInvalid, "the expression gives %s; it must give %s", cel.FormatCELType(checked.OutputType()), must)
	}
	if want == cel.StringType {
		var wrong ast.Expr
		if out.levels, wrong = severityLevels(tree.Expr()); wrong != nil {
			return nil, p.fault(out.at(wrong.ID()), ErrInvalid, "%s", severityForm)
		}
	}
	if at, problem := checkPatterns(tree); problem != "" {
		return nil, p.fault(out.at(at), ErrInvalid, "%s", problem)
	}
	out.questions = questions(tree)
	if err := out.collect(tree, detectors, profiles); err != nil {
		return nil, err
	}
	cost, err := env.EstimateCost(checked, estimator{})
	if err != nil {
		return nil, p.fault(nil, ErrInvalid, "the cost of the expression cannot be estimated")
	}
	if cost.Max > MaxStaticCost {
		return nil, p.fault(nil, ErrInvalid, "the expression could cost more than %d units: it has too many or too deep loops, or too large texts", MaxStaticCost)
	}
	out.cost = cost.Max
	out.limited, err = env.Program(checked, cel.EvalOptions(cel.OptOptimize|cel.OptTrackCost), cel.CostTracking(estimator{}),
		cel.CostLimit(CostLimit), cel.InterruptCheckFrequency(checkEvery))
	if err != nil {
		return nil, p.fault(nil, ErrInvalid, "the expression cannot be planned: %s", err)
	}
	if cost.Max <= smallCost && !loops(tree) {
		out.free, err = env.Program(checked, cel.EvalOptions(cel.OptOptimize))
		if err != nil {
			return nil, p.fault(nil, ErrInvalid, "the expression cannot be planned: %s", err)
		}
	}
	return out, nil
}

// compileAll compiles the expression of one policy, that of its severity and that of its closed_by. The error joins the problems of all.
func compileAll(p *Policy, detectors []string, profiles []dlp.Profile) (*program, error) {
	out, err := compile(p, detectors, profiles, cel.BoolType)
	if p.SeverityWhen != "" {
		grades, failed := compileSeverity(p, detectors, profiles)
		if err = errors.Join(err, failed); err == nil {
			out.grades, out.cost = grades, out.cost+grades.cost
			out.standing = slices.Compact(slices.Sorted(slices.Values(slices.Concat(out.standing, grades.standing))))
		}
	}
	if p.ClosedBy == nil {
		return out, err
	}
	c := *p
	c.When, c.when = p.ClosedBy.When, p.ClosedBy.when
	if c.When == "" {
		c.When = "true"
	}
	closing, failed := compile(&c, detectors, profiles, cel.BoolType)
	if failed == nil && closing.asks {
		failed = c.fault(nil, ErrInvalid, "closed_by: asks the store; it may look at its activity alone")
	}
	if err = errors.Join(err, failed); err != nil {
		return nil, err
	}
	out.closing = closing
	return out, nil
}

// collect gathers the selectors of the expression: they count, and they say which matches are a finding's evidence. It gathers the kinds of records
// that the expression counts, and the fields of a record that it names, too.
func (p *program) collect(tree *ast.AST, detectors []string, profiles []dlp.Profile) error {
	var failed error
	ast.PreOrderVisit(tree.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if name := namedField(e); name != "" && !slices.Contains(p.fields, name) {
			p.fields = append(p.fields, name)
		}
		if e.Kind() != ast.CallKind || failed != nil {
			return
		}
		call := e.AsCall()
		switch call.FunctionName() {
		case fnTotal, fnRecent, fnStanding:
			p.asks = true
		}
		var least types.Double
		switch call.FunctionName() {
		case fnCount, fnDistinct, fnKinds, fnConfidence:
			least, _ = literal(call.Args()[2]).(types.Double) // The macro put a literal there.
		case fnTotal:
			if p.policy.About == AboutActor {
				failed = p.policy.fault(p.at(e.ID()), ErrInvalid, "total() counts by the resource, and this policy is about the actor")
				return
			}
		case fnProfile:
			failed = p.ask(call.Args()[1], profiles)
			return
		case fnStanding:
			kind, _ := literal(call.Args()[1]).(types.String)
			p.standing = append(p.standing, string(kind))
			return
		default:
			return
		}
		text, _ := literal(call.Args()[1]).(types.String) // The macros admit nothing but a literal.
		s, err := parseSelector(string(text), float64(least))
		if err != nil {
			failed = p.policy.fault(p.at(e.ID()), ErrInvalid, "%s", err)
			return
		}
		if detectors != nil {
			if unknown := s.unknown(detectors); len(unknown) > 0 {
				failed = p.policy.fault(p.at(call.Args()[1].ID()), ErrInvalid, "no detector has an id like %q", strings.Join(unknown, " "))
				return
			}
		}
		p.selectors = append(p.selectors, namedSelector{string(text), s})
	}))
	slices.Sort(p.standing)
	p.standing = slices.Compact(p.standing)
	return failed
}

// evidence returns the matches that the expression's selectors choose, and those by which a profile is met.
func (p *program) evidence(in *Input) []int {
	var out []int
	for i := range in.Matches {
		for j := range p.selectors {
			if p.selectors[j].chooses(&in.Matches[i]) {
				out = append(out, i)
				break
			}
		}
	}
	for i := range p.profiles {
		if met := p.profiles[i].Meets(in.Matches, in.Texts); len(met) > 0 {
			out = union(out, met)
		}
	}
	return out
}

// run evaluates an expression that gives true or false. small says that the input is within the sizes that the worst case was reckoned with.
func (p *program) run(u *unit, small bool) (bool, error) {
	value, err := p.eval(u, small)
	if err != nil {
		return false, err
	}
	b, ok := value.(types.Bool)
	if !ok {
		return false, p.policy.fault(nil, ErrEvaluation, "the expression gave neither true nor false")
	}
	return bool(b), nil
}

func (p *program) eval(u *unit, small bool) (value ref.Val, err error) {
	u.prog, u.err, u.answers = p, nil, nil
	if p.free != nil && small {
		value, _, err = p.free.Eval(u)
	} else {
		ctx, cancel := context.WithTimeout(context.Background(), TimeLimit)
		defer cancel()
		value, _, err = p.limited.ContextEval(ctx, u)
	}
	if err != nil {
		return nil, p.failure(u, err)
	}
	return value, nil
}

// failures are the messages of CEL that are passed on. Invariant 4: the rest of a message can hold a foreign key or text, so it is dropped.
var failures = []string{
	"no such key", "no such overload", "no such attribute", "division by zero", "modulus by zero", "integer overflow", "index out of bounds",
	"type conversion error",
}

func (p *program) failure(u *unit, err error) error {
	var cancelled interpreter.EvalCancelledError
	var node *types.Err
	switch {
	case u.err != nil:
		return p.policy.fault(nil, fmt.Errorf("%w: %w", ErrLookup, u.err), "the store did not answer: %s", u.err)
	case errors.As(err, &cancelled) && cancelled.Cause == interpreter.CostLimitExceeded:
		return p.policy.fault(nil, ErrCost, "the evaluation cost more than %d units", CostLimit)
	case errors.Is(err, interpreter.InterruptError{}) || errors.As(err, &cancelled):
		return p.policy.fault(nil, ErrTime, "the evaluation took more than %s", TimeLimit)
	}
	message := "the evaluation failed"
	for _, known := range failures {
		if strings.HasPrefix(err.Error(), known) {
			message += ": " + known
			break
		}
	}
	if errors.As(err, &node) {
		return p.policy.fault(p.at(node.NodeID()), ErrEvaluation, "%s", message)
	}
	return p.policy.fault(nil, ErrEvaluation, "%s", message)
}

func (p *program) at(id int64) common.Location { return p.info.GetStartLocation(id) }

// fault makes an error about the policy, at a place of its expression if one is given.
func (p *Policy) fault(at common.Location, kind error, format string, args ...any) *Error {
	line, column := 1, 0
	if at != nil {
		line, column = at.Line(), at.Column()
	}
	out := &Error{PolicyID: p.ID, Message: fmt.Sprintf(format, args...), Err: kind}
	out.Line, out.Column = p.when.at(line, column)
	return out
}

// issues turns what the CEL compiler found into errors with their place in the file.
func (p *Policy) issues(found *cel.Issues) error {
	var out []error
	for _, e := range found.Errors() {
		if len(out) == maxErrors {
			break
		}
		out = append(out, p.fault(e.Location, ErrInvalid, "%s", strings.ReplaceAll(e.Message, " (in container '')", "")))
	}
	return errors.Join(out...)
}
