package policy

import (
	"strconv"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
)

// The functions about updates. An activity that changes settings lists what it changed: updates.N.type, updates.N.previous_value and
// updates.N.current_value, flat as all fields of activities are.

// maxUpdates bounds the list that is looked through; a feed row has a handful.
const maxUpdates = 100

func updateMacros() []cel.Macro {
	return []cel.Macro{
		cel.GlobalMacro("updated", 1, unitMacro(fnUpdated)), cel.GlobalMacro("old_value", 1, unitMacro(fnOldValue)), cel.GlobalMacro("new_value", 1, unitMacro(fnNewValue)),
	}
}

func updateFunctions() []cel.EnvOption {
	return []cel.EnvOption{
		function(fnUpdated, isUpdated, cel.BoolType, cel.StringType),
		function(fnOldValue, oldValue, cel.StringType, cel.StringType),
		function(fnNewValue, newValue, cel.StringType, cel.StringType),
	}
}

// update returns the prefix of the fields of the update with this type.
func (u *unit) update(args []ref.Val) (prefix string, found bool) {
	kind, ok := args[0].(types.String)
	if !ok {
		return "", false
	}
	for i := range maxUpdates {
		prefix = "updates." + strconv.Itoa(i) + "."
		got, ok := u.in.Activity.Fields[prefix+"type"]
		if !ok {
			return "", false
		}
		if got == string(kind) {
			return prefix, true
		}
	}
	return "", false
}

// isUpdated is updated("x"): the activity changed the setting.
func isUpdated(u *unit, args []ref.Val) ref.Val {
	_, found := u.update(args)
	return types.Bool(found)
}

// oldValue is old_value("x"): what the setting was, and no text where that is null, a list or a mapping, or the setting was not changed.
func oldValue(u *unit, args []ref.Val) ref.Val { return u.updateValue(args, "previous_value") }

// newValue is new_value("x"): what the setting is now.
func newValue(u *unit, args []ref.Val) ref.Val { return u.updateValue(args, "current_value") }

func (u *unit) updateValue(args []ref.Val, field string) ref.Val {
	prefix, found := u.update(args)
	if !found {
		return types.String("")
	}
	return types.String(u.in.Activity.Fields[prefix+field])
}
