package policy

import (
	"fmt"
	"sync"
	"time"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/parser"
)

// Limits of the language.
const (
	MaxExpression  = 4096                 // bytes of one expression
	MaxRecent      = 180 * 24 * time.Hour // how far recent() may look back: activities are kept for 180 days
	maxNodes       = 4096                 // nodes of the tree, after the macros
	maxDepth       = 64                   // of the tree
	maxLoops       = 3                    // loops in one another
	maxRegexpSteps = 1000                 // instructions of one compiled regular expression
)

const anyGlob = "*"

// The names that the macros expand to. "@" cannot be written in an expression, so nobody calls them with something else.
const (
	fnCount      = "@count"
	fnDistinct   = "@distinct"
	fnKinds      = "@kinds"
	fnConfidence = "@confidence"
	fnProfile    = "@profile"
	fnTotal      = "@total"
	fnRecent     = "@recent"
	fnField      = "@field"
	fnText       = "@text"
	fnEntries    = "@entries"
	fnOlder      = "@older"
	fnStanding   = "@standing"
	fnUpdated    = "@updated"
	fnOldValue   = "@old_value"
	fnNewValue   = "@new_value"
	varUnit      = "@unit"
)

// unitType is the type of the hidden variable that hands the unit of the evaluation to the functions.
var unitType = cel.OpaqueType("outband.unit")

// variables are all that an expression can name. They are flat: "resource.kind" is one variable, which is faster than a field of a
// structure and lets the compiler find a misspelt one.
var variables = []struct {
	name string
	kind *cel.Type
}{
	{"kind", cel.StringType},
	{"item.kind", cel.StringType},
	{"item.at", cel.TimestampType},
	{"resource.kind", cel.StringType},
	{"resource.id", cel.StringType},
	{"resource.name", cel.StringType},
	{"resource.owner", cel.StringType},
	{"resource.visibility", cel.StringType},
	{"resource.project", cel.StringType},
	{"actor.id", cel.StringType},
	{"actor.email", cel.StringType},
	{"actor.type", cel.StringType},
	{"actor.role", cel.StringType},
	{"actor.groups", cel.ListType(cel.StringType)},
	{"actor.external", cel.BoolType},
	{"connection.id", cel.StringType},
	{"connection.name", cel.StringType},
	{"connection.connector", cel.StringType},
	{"file.name", cel.StringType},
	{"file.type", cel.StringType},
	{"file.size", cel.IntType},
	{"file.content_type", cel.StringType},
	{"file.mismatch", cel.BoolType},
	{"activity.type", cel.StringType},
	{"activity.fields", cel.MapType(cel.StringType, cel.StringType)},
	{"record.kind", cel.StringType},
	{"record.fields", cel.MapType(cel.StringType, cel.DynType)},
	{"record.before", cel.MapType(cel.StringType, cel.DynType)},
	{"now", cel.TimestampType},
}

// environment is the one CEL environment of the process; it is not changed once made.
var environment = sync.OnceValues(newEnvironment)

func newEnvironment() (*cel.Env, error) {
	text, number := cel.StringType, cel.DoubleType
	options := []cel.EnvOption{
		cel.Variable(varUnit, unitType),
		cel.ParserExpressionSizeLimit(MaxExpression),
		cel.ParserRecursionLimit(maxDepth),
		cel.ExpressionNodeLimit(maxNodes),
		cel.CrossTypeNumericComparisons(true),
		cel.DefaultUTCTimeZone(true),
		cel.EagerlyValidateDeclarations(true),
		cel.ASTValidators(
			cel.ValidateDurationLiterals(), cel.ValidateTimestampLiterals(), cel.ValidateRegexLiterals(), cel.ValidateComprehensionNestingLimit(maxLoops),
		),
		cel.Macros(append(append(recordMacros(), updateMacros()...),
			selectorMacro("count", fnCount), selectorMacro("distinct", fnDistinct), selectorMacro("kinds", fnKinds),
			selectorMacro("confidence", fnConfidence),
			cel.GlobalMacro("profile", 1, profileMacro), cel.GlobalMacro("total", 1, totalMacro), cel.GlobalMacro("recent", 3, recentMacro), cel.GlobalMacro("field", 1, unitMacro(fnField)),
		)...),
		function(fnCount, countMatches, cel.IntType, text, number),
		function(fnDistinct, distinctValues, cel.IntType, text, number),
		function(fnKinds, distinctDetectors, cel.IntType, text, number),
		function(fnConfidence, bestConfidence, cel.DoubleType, text, number),
		function(fnProfile, meetsProfile, cel.BoolType, text),
		function(fnTotal, askTotal, cel.IntType, text),
		function(fnRecent, askRecent, cel.IntType, text, text, cel.DurationType),
		function(fnField, activityField, cel.StringType, text),
	}
	options = append(append(options, recordFunctions()...), updateFunctions()...)
	for _, v := range variables {
		options = append(options, cel.Variable(v.name, v.kind))
	}
	return cel.NewEnv(options...)
}

// function declares one of the hidden functions; its first argument is the unit.
func function(name string, run func(*unit, []ref.Val) ref.Val, result *cel.Type, args ...*cel.Type) cel.EnvOption {
	return cel.Function(name, cel.Overload(name+"_unit", append([]*cel.Type{unitType}, args...), result,
		cel.FunctionBinding(func(values ...ref.Val) ref.Val {
			u, ok := values[0].(*unit)
			if !ok {
				return types.MaybeNoSuchOverloadErr(values[0])
			}
			return run(u, values[1:])
		})))
}

// selectorMacro makes f("globs") and f("globs", 0.6) of a call. The globs and the confidence must be literals: only then does the compiler
// know which matches belong to the finding.
func selectorMacro(name, hidden string) cel.Macro {
	return cel.GlobalVarArgMacro(name, func(eh parser.ExprHelper, _ ast.Expr, args []ast.Expr) (ast.Expr, *common.Error) {
		if len(args) == 0 || len(args) > 2 {
			return nil, eh.NewError(0, name+"() takes a glob and, if wanted, a lowest confidence")
		}
		globs, failed := textLiteral(eh, args[0], name+"() takes globs as a text literal")
		if failed != nil {
			return nil, failed
		}
		least := 0.0
		if len(args) == 2 {
			switch v := literal(args[1]).(type) {
			case types.Double:
				least = float64(v)
			case types.Int:
				least = float64(v)
			default:
				return nil, eh.NewError(args[1].ID(), name+"() takes the lowest confidence as a number literal")
			}
			if !(least >= 0 && least <= 1) {
				return nil, eh.NewError(args[1].ID(), "a confidence goes from 0 to 1")
			}
		}
		if _, err := parseSelector(globs, least); err != nil {
			return nil, eh.NewError(args[0].ID(), err.Error())
		}
		return eh.NewCall(hidden, eh.NewIdent(varUnit), args[0], eh.NewLiteral(types.Double(least))), nil
	})
}

func totalMacro(eh parser.ExprHelper, _ ast.Expr, args []ast.Expr) (ast.Expr, *common.Error) {
	glob, failed := textLiteral(eh, args[0], "total() takes a glob as a text literal")
	if failed != nil {
		return nil, failed
	}
	// The store is asked with this glob as it stands, and it knows no lists of globs.
	if err := checkGlob(glob); err != nil {
		return nil, eh.NewError(args[0].ID(), err.Error())
	}
	return eh.NewCall(fnTotal, eh.NewIdent(varUnit), args[0]), nil
}

func recentMacro(eh parser.ExprHelper, _ ast.Expr, args []ast.Expr) (ast.Expr, *common.Error) {
	glob, failed := textLiteral(eh, args[0], "recent() takes the glob of activity types as a text literal")
	if failed != nil {
		return nil, failed
	}
	if err := checkGlob(glob); err != nil {
		return nil, eh.NewError(args[0].ID(), err.Error())
	}
	const scopes = `recent() takes the scope "actor", "resource" or "connection"`
	scope, failed := textLiteral(eh, args[1], scopes)
	if failed != nil {
		return nil, failed
	}
	if scope != "actor" && scope != "resource" && scope != "connection" {
		return nil, eh.NewError(args[1].ID(), scopes)
	}
	const durations = `recent() takes a literal duration such as duration("1h")`
	if args[2].Kind() != ast.CallKind || args[2].AsCall().FunctionName() != "duration" || len(args[2].AsCall().Args()) != 1 {
		return nil, eh.NewError(args[2].ID(), durations)
	}
	within, failed := textLiteral(eh, args[2].AsCall().Args()[0], durations)
	if failed != nil {
		return nil, failed
	}
	if d, err := time.ParseDuration(within); err != nil || d <= 0 || d > MaxRecent {
		return nil, eh.NewError(args[2].ID(), fmt.Sprintf("the duration of recent() goes up to %dh, in units h, m and s", int(MaxRecent.Hours())))
	}
	return eh.NewCall(fnRecent, eh.NewIdent(varUnit), args[0], args[1], args[2]), nil
}

func literal(e ast.Expr) ref.Val {
	if e.Kind() != ast.LiteralKind {
		return nil
	}
	return e.AsLiteral()
}

func textLiteral(eh parser.ExprHelper, e ast.Expr, otherwise string) (string, *common.Error) {
	if v, ok := literal(e).(types.String); ok {
		return string(v), nil
	}
	return "", eh.NewError(e.ID(), otherwise)
}
