package policy

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/parser"
)

// The functions about records. A record's fields are what an app tells today: text(), entries() and older() answer for a field that is missing,
// null or of another shape, so that a posture policy neither fails nor makes a finding of what nobody said.

// fieldForm is the form of a field's name in standing(): the store looks into its records by it, so it is no free text.
var fieldForm = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)

func recordMacros() []cel.Macro {
	return []cel.Macro{
		cel.GlobalMacro("text", 1, unitMacro(fnText)), cel.GlobalMacro("entries", 1, unitMacro(fnEntries)), cel.GlobalMacro("older", 2, unitMacro(fnOlder)),
		cel.GlobalMacro("standing", 3, standingMacro),
	}
}

func recordFunctions() []cel.EnvOption {
	text := cel.StringType
	return []cel.EnvOption{
		function(fnText, recordText, text, text),
		function(fnEntries, recordEntries, cel.ListType(text), text),
		function(fnOlder, recordOlder, cel.BoolType, text, cel.DurationType),
		function(fnStanding, askStanding, cel.IntType, text, text, text),
	}
}

// unitMacro hands the unit to a function whose arguments may be any expression.
func unitMacro(hidden string) cel.MacroFactory {
	return func(eh parser.ExprHelper, _ ast.Expr, args []ast.Expr) (ast.Expr, *common.Error) {
		return eh.NewCall(hidden, append([]ast.Expr{eh.NewIdent(varUnit)}, args...)...), nil
	}
}

func standingMacro(eh parser.ExprHelper, _ ast.Expr, args []ast.Expr) (ast.Expr, *common.Error) {
	const kinds, fields = "standing() takes the kind of record as a text literal", `standing() takes a field as a text literal: a name, "id" for the record's id, or "" for all records`
	kind, failed := textLiteral(eh, args[0], kinds)
	if failed != nil {
		return nil, failed
	}
	if !kindForm.MatchString(kind) {
		return nil, eh.NewError(args[0].ID(), kinds)
	}
	field, failed := textLiteral(eh, args[1], fields)
	if failed != nil {
		return nil, failed
	}
	if field != "" && !fieldForm.MatchString(field) {
		return nil, eh.NewError(args[1].ID(), fields)
	}
	return eh.NewCall(fnStanding, eh.NewIdent(varUnit), args[0], args[1], args[2]), nil
}

func askStanding(u *unit, args []ref.Val) ref.Val {
	kind, ok := args[0].(types.String)
	field, ok2 := args[1].(types.String)
	value, ok3 := args[2].(types.String)
	if !ok || !ok2 || !ok3 {
		return types.NewErr("no such overload")
	}
	if u.look.Standing == nil {
		return types.IntZero
	}
	began := time.Now()
	n, err := u.look.Standing(string(kind), string(field), string(value))
	return u.answer(began, n, err, fnStanding, []ref.Val{args[0], args[1], nil})
}

// recordText is text("x"): the field as text, and no text where it is missing, null, a list or a mapping.
func recordText(u *unit, args []ref.Val) ref.Val {
	name, ok := args[0].(types.String)
	if !ok {
		return types.MaybeNoSuchOverloadErr(args[0])
	}
	return types.String(scalar(u.recordField(string(name))))
}

// Field is a field of a record, or one of a mapping in it by a dotted path ("created_by.id").
func Field(fields map[string]any, path string) (value any, ok bool) {
	for {
		if value, ok := fields[path]; ok {
			return value, true
		}
		first, rest, found := strings.Cut(path, ".")
		inner, ok := fields[first].(map[string]any)
		if !found || !ok {
			return nil, false
		}
		fields, path = inner, rest
	}
}

func (u *unit) recordField(path string) any {
	value, _ := Field(u.in.Record.Fields, path)
	return value
}

// namedField is the field of a record that an expression names here: record.fields.x, record.before["x"], text("x"), entries("x") or older("x", …).
func namedField(e ast.Expr) string {
	var name ast.Expr
	switch e.Kind() {
	case ast.SelectKind:
		if ofRecord(e.AsSelect().Operand()) {
			return e.AsSelect().FieldName()
		}
		return ""
	case ast.CallKind:
		switch args := e.AsCall().Args(); e.AsCall().FunctionName() {
		case fnText, fnEntries, fnOlder:
			name = args[1]
		case operators.Index:
			if ofRecord(args[0]) {
				name = args[1]
			}
		}
	}
	if name == nil {
		return ""
	}
	text, _ := literal(name).(types.String)
	return string(text)
}

// ofRecord reports whether an expression is record.fields or record.before.
func ofRecord(e ast.Expr) bool {
	path := pathOf(e)
	return path == "record.fields" || path == "record.before"
}

// pathOf is the dotted name that an expression is; empty: it is none.
func pathOf(e ast.Expr) string {
	path := ""
	for e.Kind() == ast.SelectKind {
		path = "." + e.AsSelect().FieldName() + path
		e = e.AsSelect().Operand()
	}
	if e.Kind() != ast.IdentKind {
		return ""
	}
	return e.AsIdent() + path
}

// recordEntries is entries("x"): the entries of a list as text, those that are lists or mappings left out; no entries where it is no list.
func recordEntries(u *unit, args []ref.Val) ref.Val {
	name, ok := args[0].(types.String)
	if !ok {
		return types.MaybeNoSuchOverloadErr(args[0])
	}
	out := []string{}
	switch list := u.recordField(string(name)).(type) {
	case []any:
		for _, e := range list {
			if text := scalar(e); text != "" {
				out = append(out, text)
			}
		}
	case []string:
		out = append(out, list...)
	}
	return types.NewStringList(types.DefaultTypeAdapter, out)
}

// scalar is the text of a value as JSON holds it.
func scalar(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case int64:
		return strconv.FormatInt(v, 10)
	case int:
		return strconv.Itoa(v)
	}
	return ""
}

// recordOlder is older("x", d): the field is a time more than d before now. No time is not older than anything.
func recordOlder(u *unit, args []ref.Val) ref.Val {
	name, ok := args[0].(types.String)
	than, ok2 := args[1].(types.Duration)
	if !ok || !ok2 {
		return types.NewErr("no such overload")
	}
	text, _ := u.recordField(string(name)).(string)
	at, ok := moment(text)
	return types.Bool(ok && u.in.Now.Sub(at) > than.Duration)
}

// moment reads a time as apps write it: RFC 3339, with or without the offset; without one it is UTC.
func moment(text string) (time.Time, bool) {
	const noOffset = "2006-01-02T15:04:05"
	if len(text) < len(noOffset) || len(text) > 40 {
		return time.Time{}, false
	}
	for _, layout := range []string{time.RFC3339, noOffset} { // Parse admits a fraction of a second that the layout does not name.
		if at, err := time.Parse(layout, text); err == nil {
			return at, true
		}
	}
	return time.Time{}, false
}

// entries is how many entries a field's list has, which is what entries() costs.
func (u *unit) entries(name ref.Val) uint64 {
	key, _ := name.(types.String) // Anything else costs nothing: the function refuses it.
	switch list := u.recordField(string(key)).(type) {
	case []any:
		return uint64(len(list))
	case []string:
		return uint64(len(list))
	}
	return 0
}
