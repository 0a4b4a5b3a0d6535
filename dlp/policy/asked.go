package policy

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/overloads"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
)

// Asked is one thing that an expression asked for, as it is written there, and what the answer was: a number, true or false, a time, or a word of a fixed
// vocabulary. Of any other text only its length is told, and nothing of what tells who a person is.
type Asked struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// maxAsked bounds what is told of one decision: in number, and in bytes of names and values.
const (
	maxAsked      = 24
	maxAskedBytes = 700
)

// question is something that an expression names and that can be answered again.
type question struct {
	name   string
	answer func(u *unit) (ref.Val, bool)
	person bool // the answer may tell who somebody is
}

var (
	wordForm   = regexp.MustCompile(`^[a-z][a-z_]{0,31}$`)
	personForm = regexp.MustCompile(`(?i)mail|name|user|actor_|actor\.id|owner|person|member|_by|resource\.(id|project)`)
)

// questions are what the expression asks for, in its order, each once.
func questions(tree *ast.AST) []question {
	var out []question
	add := func(q question) {
		if q.name != "" && len(out) < maxAsked && !slices.ContainsFunc(out, func(have question) bool { return have.name == q.name }) {
			q.person = personForm.MatchString(q.name)
			out = append(out, q)
		}
	}
	ast.PreOrderVisit(tree.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		switch e.Kind() {
		case ast.CallKind:
			add(called(e.AsCall()))
		case ast.IdentKind, ast.SelectKind:
			path := pathOf(e)
			add(variable(path))
			if of, name := mapEntry(path); of != "" && !(e.Kind() == ast.SelectKind && e.AsSelect().IsTestOnly()) {
				add(element(of, name))
			}
		}
	}))
	return out
}

// entryMaps are the variables of which entries are told, not they themselves.
var entryMaps = []string{"activity.fields", "record.fields", "record.before"}

// mapEntry splits the path of an entry: record.fields.x. Other paths are none.
func mapEntry(path string) (of, name string) {
	for _, m := range entryMaps {
		if rest, ok := strings.CutPrefix(path, m+"."); ok && !strings.Contains(rest, ".") {
			return m, rest
		}
	}
	return "", ""
}

func variable(name string) question {
	known := false
	for _, v := range variables {
		known = known || v.name == name
	}
	if !known || slices.Contains(entryMaps, name) {
		return question{}
	}
	return question{name: name, answer: func(u *unit) (ref.Val, bool) {
		v, ok := u.ResolveName(name)
		if groups, list := v.([]string); list {
			return types.NewStringList(types.DefaultTypeAdapter, groups), true
		}
		val, is := v.(ref.Val)
		return val, ok && is
	}}
}

// element is an entry of a map: activity.fields["x"], record.fields.x.
func element(of, name string) question {
	return question{name: fmt.Sprintf("%s[%q]", of, name), answer: func(u *unit) (ref.Val, bool) {
		var v any
		found := true
		switch of {
		case "activity.fields":
			v, found = u.in.Activity.Fields[name]
		case "record.fields":
			v, found = Field(u.in.Record.Fields, name)
		default:
			v, found = Field(u.in.Record.Before, name)
		}
		if !found {
			return nil, false
		}
		return types.DefaultTypeAdapter.NativeToValue(v), true
	}}
}

// functions are those whose answer depends on nothing but the unit.
var functions = map[string]func(*unit, []ref.Val) ref.Val{
	fnCount: countMatches, fnDistinct: distinctValues, fnKinds: distinctDetectors, fnConfidence: bestConfidence, fnProfile: meetsProfile,
	fnField: activityField, fnText: recordText, fnEntries: recordEntries, fnOlder: recordOlder, fnUpdated: isUpdated, fnOldValue: oldValue, fnNewValue: newValue,
}

func called(call ast.CallExpr) question {
	function, args := call.FunctionName(), call.Args()
	if function == operators.Index && len(args) == 2 {
		name, ok := literal(args[1]).(types.String)
		if of := pathOf(args[0]); ok && slices.Contains(entryMaps, of) {
			return element(of, string(name))
		}
		return question{}
	}
	if !strings.HasPrefix(function, "@") || len(args) < 2 {
		return question{}
	}
	values := make([]ref.Val, 0, len(args)-1)
	for _, a := range args[1:] { // The first is the unit.
		v := literal(a)
		if a.Kind() == ast.CallKind && a.AsCall().FunctionName() == overloads.TypeConvertDuration && len(a.AsCall().Args()) == 1 {
			if text, ok := literal(a.AsCall().Args()[0]).(types.String); ok {
				if d, err := time.ParseDuration(string(text)); err == nil {
					v = types.Duration{Duration: d}
				}
			}
		}
		values = append(values, v)
	}
	name := written(function, values)
	if ask, ok := functions[function]; ok && !slices.Contains(values, nil) {
		return question{name: name, answer: func(u *unit) (ref.Val, bool) { return ask(u, values), true }}
	}
	if function == fnTotal || function == fnRecent || function == fnStanding {
		// The store was asked, or was not because the rest had decided; it is not asked again.
		return question{name: name, answer: func(u *unit) (ref.Val, bool) {
			n, ok := u.answers[name]
			return types.Int(n), ok
		}}
	}
	return question{}
}

// written is a call as a person writes it; what is no literal is "…".
func written(function string, args []ref.Val) string {
	var out []string
	for i, a := range args {
		switch v := a.(type) {
		case types.String:
			out = append(out, strconv.Quote(string(v)))
		case types.Double:
			if i > 0 && v == 0 {
				continue // No lowest confidence was written.
			}
			out = append(out, strconv.FormatFloat(float64(v), 'g', -1, 64))
		case types.Duration:
			out = append(out, v.Duration.String())
		default:
			out = append(out, "…")
		}
	}
	return strings.TrimPrefix(function, "@") + "(" + strings.Join(out, ", ") + ")"
}

// asked answers the questions about a unit. It asks the store nothing.
func (p *program) asked(u *unit) []Asked {
	var out []Asked
	room := maxAskedBytes
	for _, q := range p.questions {
		v, ok := q.answer(u)
		value := "not asked"
		if ok {
			value = shown(v, q.person)
		}
		if room -= len(q.name) + len(value); room < 0 {
			return out
		}
		out = append(out, Asked{q.name, value})
	}
	return out
}

// shown is what may be kept of an answer. Invariant 4: no text but words of a fixed vocabulary.
func shown(v ref.Val, person bool) string {
	switch v := v.(type) {
	case types.Bool, types.Int, types.Uint:
		return fmt.Sprint(v.Value())
	case types.Double:
		return strconv.FormatFloat(float64(v), 'g', 6, 64)
	case types.Timestamp:
		return v.Time.UTC().Format(time.RFC3339)
	case types.String:
		switch text := string(v); {
		case text == "":
			return "empty"
		case !person && wordForm.MatchString(text):
			return text
		default:
			return fmt.Sprintf("text of %d characters", utf8.RuneCountInString(text))
		}
	case types.Null:
		return "null"
	}
	if list, ok := v.(interface{ Size() ref.Val }); ok {
		return fmt.Sprintf("%v entries", list.Size().Value())
	}
	return "no answer"
}
