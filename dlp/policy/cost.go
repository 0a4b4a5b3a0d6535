package policy

import (
	"regexp/syntax"
	"time"

	"github.com/google/cel-go/checker"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/overloads"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
)

// Limits of one evaluation, in CEL's cost units (a comparison costs about one; a unit takes 10 to 500 ns).
const (
	// MaxStaticCost is the worst case above which an expression is refused when it is compiled.
	MaxStaticCost = 1_000_000
	// CostLimit stops an evaluation that runs with a limit.
	CostLimit = 100_000
	// TimeLimit stops a loop that runs with a limit.
	TimeLimit = 50 * time.Millisecond

	smallCost   = 10_000 // an expression without loops whose worst case is below runs without a limit
	checkEvery  = 100    // iterations between two looks at the time
	lookupCost  = 1_000  // of one question to the store
	matchFactor = 10     // matches that cost one unit
)

// The sizes that the worst case is reckoned with. An input that is larger runs with a limit, whatever the expression.
const (
	hintText    = 4096 // bytes of a text
	hintEntries = 512  // of a list or a map
	hintMatches = 1000
)

// estimator tells CEL the sizes and costs that it cannot know, when an expression is compiled and when it runs.
type estimator struct{}

// EstimateSize implements checker.CostEstimator.
func (estimator) EstimateSize(node checker.AstNode) *checker.SizeEstimate {
	switch node.Type().Kind() {
	case types.ListKind, types.MapKind:
		return &checker.SizeEstimate{Max: hintEntries}
	}
	return &checker.SizeEstimate{Max: hintText}
}

// EstimateCallCost implements checker.CostEstimator.
func (estimator) EstimateCallCost(function, _ string, _ *checker.AstNode, _ []checker.AstNode) *checker.CallEstimate {
	switch function {
	case fnCount, fnDistinct, fnKinds, fnConfidence:
		return &checker.CallEstimate{CostEstimate: checker.CostEstimate{Min: 1, Max: 1 + hintMatches/matchFactor}}
	case fnProfile:
		return &checker.CallEstimate{CostEstimate: checker.CostEstimate{Min: 1, Max: 1 + hintMatches}}
	case fnTotal, fnRecent, fnStanding:
		return &checker.CallEstimate{CostEstimate: checker.FixedCostEstimate(lookupCost)}
	case fnField, fnText, fnOldValue, fnNewValue:
		return &checker.CallEstimate{CostEstimate: checker.FixedCostEstimate(1), ResultSize: &checker.SizeEstimate{Max: hintText}}
	case fnEntries:
		return &checker.CallEstimate{CostEstimate: checker.CostEstimate{Min: 1, Max: 1 + hintEntries}, ResultSize: &checker.SizeEstimate{Max: hintEntries}}
	case fnOlder, fnUpdated:
		return &checker.CallEstimate{CostEstimate: checker.FixedCostEstimate(1)}
	}
	return nil
}

// CallCost implements interpreter.ActualCostEstimator.
func (estimator) CallCost(function, _ string, args []ref.Val, _ ref.Val) *uint64 {
	cost := uint64(1)
	switch function {
	case fnCount, fnDistinct, fnKinds, fnConfidence:
		if u, ok := args[0].(*unit); ok {
			cost += uint64(len(u.in.Matches) / matchFactor)
		}
	case fnProfile:
		if u, ok := args[0].(*unit); ok {
			cost += uint64(len(u.in.Matches))
		}
	case fnTotal, fnRecent, fnStanding:
		cost = lookupCost
	case fnEntries:
		if u, ok := args[0].(*unit); ok {
			cost += u.entries(args[1])
		}
	case fnField, fnText, fnOlder, fnUpdated, fnOldValue, fnNewValue:
	default:
		return nil
	}
	return &cost
}

// loops reports whether the expression has a loop.
func loops(tree *ast.AST) (found bool) {
	ast.PreOrderVisit(tree.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		found = found || e.Kind() == ast.ComprehensionKind
	}))
	return found
}

// checkPatterns looks at every call of matches(). Invariant 9: a pattern out of the SaaS app could be of any size, and it could not be checked
// before it runs, so a pattern must be a literal, and small. cel-go's own limit of the size panics on a pattern that counts repetitions.
func checkPatterns(tree *ast.AST) (at int64, problem string) {
	ast.PreOrderVisit(tree.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if problem != "" || e.Kind() != ast.CallKind || e.AsCall().FunctionName() != overloads.Matches {
			return
		}
		args := e.AsCall().Args()
		last := args[len(args)-1] // The checker admits matches() with a pattern only.
		at = last.ID()
		pattern, ok := literal(last).(types.String)
		if !ok {
			problem = "the pattern of matches() must be a text literal"
			return
		}
		parsed, err := syntax.Parse(string(pattern), syntax.Perl)
		if err != nil {
			problem = "the pattern of matches() is no regular expression"
			return
		}
		prog, err := syntax.Compile(parsed.Simplify())
		if err != nil || len(prog.Inst) > maxRegexpSteps {
			problem = "the pattern of matches() is too large: repeat less"
		}
	}))
	return at, problem
}

// withinHints reports whether the input is as small as the worst case was reckoned with.
func (in *Input) withinHints() bool {
	if len(in.Matches) > hintMatches || len(in.Actor.Groups) > hintEntries || len(in.Activity.Fields) > hintEntries {
		return false
	}
	for _, text := range [...]string{
		in.Item.Kind, in.Resource.Kind, in.Resource.ID, in.Resource.Name, in.Resource.Owner, in.Resource.Visibility, in.Resource.Project,
		in.Actor.ID, in.Actor.Email, in.Actor.Type, in.Actor.Role, in.Connection.ID, in.Connection.Name, in.Connection.Connector,
		in.File.Name, in.File.Type, in.File.Content, in.Activity.Type, in.Record.Kind,
	} {
		if len(text) > hintText {
			return false
		}
	}
	for _, group := range in.Actor.Groups {
		if len(group) > hintText {
			return false
		}
	}
	for name, value := range in.Activity.Fields {
		if len(name) > hintText || len(value) > hintText {
			return false
		}
	}
	left := hintEntries
	return within(in.Record.Fields, &left) && within(in.Record.Before, &left)
}

// within reports whether a value of a record is within the hints: all its texts, and all its entries together.
func within(value any, left *int) bool {
	*left--
	switch v := value.(type) {
	case string:
		return len(v) <= hintText
	case map[string]any:
		for name, inner := range v {
			if *left < 0 || len(name) > hintText || !within(inner, left) {
				return false
			}
		}
	case []any:
		for _, inner := range v {
			if *left < 0 || !within(inner, left) {
				return false
			}
		}
	case []string:
		for _, inner := range v {
			if *left < 0 || !within(inner, left) {
				return false
			}
		}
	}
	return *left >= 0
}
