package convert

import (
	"errors"
	"fmt"
	"regexp/syntax"
	"slices"
)

// rewritten is an expression as detectors take it.
type rewritten struct {
	source  string
	tree    *syntax.Regexp
	bounded bool // a repetition without an end got one
	edge    bool // ^ or $ was taken out
	grouped bool // the value is a group
}

// wholeMatch asks that all of the match is the value, whatever groups there are.
const wholeMatch = -1

// rewrite bounds every repetition, takes out the edges of lines and texts, and keeps one group, named value: the one with this number, or with 0 the first;
// without any, all of the match is the value. What may be absent before the value, and is no part of it, is left out: it finds nothing more.
func rewrite(source string, group, bound int) (rewritten, error) {
	tree, err := syntax.Parse(source, syntax.Perl)
	if err != nil {
		var at *syntax.Error
		if errors.As(err, &at) {
			return rewritten{}, fmt.Errorf("no expression of RE2: %s", at.Code)
		}
		return rewritten{}, errors.New("no expression of RE2")
	}
	groups := tree.MaxCap()
	if group > groups {
		return rewritten{}, fmt.Errorf("it has no group %d", group)
	}
	if group == 0 && groups > 0 {
		group = 1
	}
	x := rewritten{grouped: group > 0}
	tree = x.walk(tree, group, bound)
	if group > 0 {
		tree = trim(tree)
	}
	x.tree, x.source = tree, tree.String()
	return x, nil
}

func (x *rewritten) walk(re *syntax.Regexp, group, bound int) *syntax.Regexp {
	out := *re
	out.Sub = make([]*syntax.Regexp, len(re.Sub))
	for i, s := range re.Sub {
		out.Sub[i] = x.walk(s, group, bound)
	}
	switch re.Op {
	case syntax.OpStar, syntax.OpPlus, syntax.OpRepeat:
		if re.Op == syntax.OpRepeat && re.Max >= 0 {
			break
		}
		least := re.Min
		switch re.Op {
		case syntax.OpStar:
			least = 0
		case syntax.OpPlus:
			least = 1
		}
		x.bounded = true
		out.Op, out.Min, out.Max = syntax.OpRepeat, least, max(least, bound)
	case syntax.OpCapture:
		if re.Cap != group {
			return out.Sub[0]
		}
		out.Name = "value"
	case syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText, syntax.OpEndText:
		x.edge = true
		return &syntax.Regexp{Op: syntax.OpEmptyMatch}
	}
	return &out
}

// trim leaves out what may be absent at the start of an expression, unless the value is in it.
func trim(re *syntax.Regexp) *syntax.Regexp {
	if re.Op != syntax.OpConcat {
		return re
	}
	out := *re
	out.Sub = slices.Clone(re.Sub)
	for len(out.Sub) > 1 && absent(out.Sub[0]) && out.Sub[0].MaxCap() == 0 {
		out.Sub = out.Sub[1:]
	}
	return &out
}

func absent(re *syntax.Regexp) bool {
	return re.Op == syntax.OpEmptyMatch || re.Op == syntax.OpQuest || re.Op == syntax.OpRepeat && re.Min == 0
}
