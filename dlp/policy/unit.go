package policy

import (
	"errors"
	"reflect"
	"time"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"

	"github.com/outband/outband/dlp"
)

// unit is what one evaluation sees: the activation that answers names without building a map, and the value of the hidden variable by
// which the functions reach the matches. It lives for one Evaluate and is used by one goroutine.
type unit struct {
	in   *Input
	look *Lookups
	prog *program
	err  error // the first error of a lookup

	asked   time.Duration    // that lookups took
	answers map[string]int64 // of the store, by the question as it is written
	shipped bool             // profiles are as they come with Outband
}

var _ cel.Activation = (*unit)(nil)
var _ ref.Val = (*unit)(nil)

// Parent implements cel.Activation.
func (u *unit) Parent() cel.Activation { return nil }

// ResolveName implements cel.Activation.
func (u *unit) ResolveName(name string) (any, bool) {
	in := u.in
	switch name {
	case varUnit:
		return u, true
	case "kind", "item.kind":
		return types.String(in.Item.Kind), true
	case "item.at":
		return types.Timestamp{Time: in.Item.At}, true
	case "resource.kind":
		return types.String(in.Resource.Kind), true
	case "resource.id":
		return types.String(in.Resource.ID), true
	case "resource.name":
		return types.String(in.Resource.Name), true
	case "resource.owner":
		return types.String(in.Resource.Owner), true
	case "resource.visibility":
		return types.String(in.Resource.Visibility), true
	case "resource.project":
		return types.String(in.Resource.Project), true
	case "actor.id":
		return types.String(in.Actor.ID), true
	case "actor.email":
		return types.String(in.Actor.Email), true
	case "actor.type":
		return types.String(in.Actor.Type), true
	case "actor.role":
		return types.String(in.Actor.Role), true
	case "actor.groups":
		return in.Actor.Groups, true
	case "actor.external":
		return types.Bool(in.Actor.External), true
	case "connection.id":
		return types.String(in.Connection.ID), true
	case "connection.name":
		return types.String(in.Connection.Name), true
	case "connection.connector":
		return types.String(in.Connection.Connector), true
	case "file.name":
		return types.String(in.File.Name), true
	case "file.type":
		return types.String(in.File.Type), true
	case "file.content_type":
		return types.String(in.File.Content), true
	case "file.mismatch":
		return types.Bool(in.File.Mismatch), true
	case "file.size":
		return types.Int(in.File.Size), true
	case "activity.type":
		return types.String(in.Activity.Type), true
	case "activity.fields":
		return in.Activity.Fields, true
	case "record.kind":
		return types.String(in.Record.Kind), true
	case "record.fields":
		return in.Record.Fields, true
	case "record.before":
		return in.Record.Before, true
	case "now":
		return types.Timestamp{Time: in.Now}, true
	}
	return nil, false
}

// ConvertToNative implements ref.Val; nothing converts a unit.
func (u *unit) ConvertToNative(reflect.Type) (any, error) {
	return nil, errors.New("a unit is no native value")
}

// ConvertToType implements ref.Val.
func (u *unit) ConvertToType(ref.Type) ref.Val { return types.MaybeNoSuchOverloadErr(u) }

// Equal implements ref.Val.
func (u *unit) Equal(other ref.Val) ref.Val { return types.Bool(other == ref.Val(u)) }

// Type implements ref.Val.
func (u *unit) Type() ref.Type { return unitType }

// Value implements ref.Val.
func (u *unit) Value() any { return u }

// selector returns the one that the compiler prepared for these literals. The macros admit literals of these two types only.
func (u *unit) selector(args []ref.Val) *selector {
	globs, _ := args[0].(types.String)
	least, _ := args[1].(types.Double)
	for i := range u.prog.selectors {
		s := &u.prog.selectors[i]
		if s.confidence == float64(least) && s.text == string(globs) {
			return &s.selector
		}
	}
	return &selector{}
}

func countMatches(u *unit, args []ref.Val) ref.Val {
	s := u.selector(args)
	n := 0
	for i := range u.in.Matches {
		if s.chooses(&u.in.Matches[i]) {
			n++
		}
	}
	return types.Int(n)
}

func bestConfidence(u *unit, args []ref.Val) ref.Val {
	s := u.selector(args)
	best := 0.0
	for i := range u.in.Matches {
		if m := &u.in.Matches[i]; m.Confidence > best && s.chooses(m) {
			best = m.Confidence
		}
	}
	return types.Double(best)
}

func distinctValues(u *unit, args []ref.Val) ref.Val {
	return u.different(args, func(m *dlp.Match) string { return m.Value })
}

func distinctDetectors(u *unit, args []ref.Val) ref.Val {
	return u.different(args, func(m *dlp.Match) string { return m.Detector })
}

func (u *unit) different(args []ref.Val, by func(*dlp.Match) string) ref.Val {
	s := u.selector(args)
	var seen map[string]struct{}
	first, found := "", false
	for i := range u.in.Matches {
		m := &u.in.Matches[i]
		if !s.chooses(m) {
			continue
		}
		switch key := by(m); {
		case !found:
			first, found = key, true
		case seen == nil && key == first: // Most units have one value, and that needs no map.
		default:
			if seen == nil {
				seen = map[string]struct{}{first: {}}
			}
			seen[key] = struct{}{}
		}
	}
	switch {
	case !found:
		return types.IntZero
	case seen == nil:
		return types.IntOne
	}
	return types.Int(len(seen))
}

func askTotal(u *unit, args []ref.Val) ref.Val {
	glob, ok := args[0].(types.String)
	if !ok {
		return types.MaybeNoSuchOverloadErr(args[0])
	}
	if u.look.Total == nil {
		return types.IntZero
	}
	began := time.Now()
	n, err := u.look.Total(u.prog.policy.ID, string(glob))
	return u.answer(began, n, err, fnTotal, args)
}

func askRecent(u *unit, args []ref.Val) ref.Val {
	glob, ok := args[0].(types.String)
	scope, ok2 := args[1].(types.String)
	within, ok3 := args[2].(types.Duration)
	if !ok || !ok2 || !ok3 {
		return types.NewErr("no such overload")
	}
	if u.look.Recent == nil {
		return types.IntZero
	}
	began := time.Now()
	n, err := u.look.Recent(string(glob), string(scope), time.Duration(within.Duration))
	return u.answer(began, n, err, fnRecent, args)
}

// answer keeps the store's error beside the evaluation, so that the failure can wrap it, its answer, so that a decision can tell of it, and the time that it
// took since it was asked.
func (u *unit) answer(began time.Time, n int64, err error, function string, args []ref.Val) ref.Val {
	u.asked += time.Since(began)
	if err != nil {
		if u.err == nil {
			u.err = err
		}
		return types.NewErr("lookup")
	}
	if u.answers == nil {
		u.answers = map[string]int64{}
	}
	u.answers[written(function, args)] = n
	return types.Int(n)
}

// activityField is field("x"): the field's text, and no text where the activity has no such field.
func activityField(u *unit, args []ref.Val) ref.Val {
	name, ok := args[0].(types.String)
	if !ok {
		return types.MaybeNoSuchOverloadErr(args[0])
	}
	return types.String(u.in.Activity.Fields[string(name)])
}
