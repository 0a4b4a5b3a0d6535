package dlp

import (
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// expression is what the compiler knows about a regular expression before it runs.
type expression struct {
	source        string
	longest       int // bytes
	groups, value int // how many groups there are, and which is the value; 0: none
	literals      []string
	least         int // bytes before the literal
	most          int
	before        *charset
	first         *charset // what a match begins with
	needs         *charset // what a match holds a run of needed of; nil: nothing like that
	needed        int
	also          []string // other literals, in lower case, of which every match holds one; nil: none
}

// compile makes the expression that can run, when it is first used: most detectors of an engine never see their keyword. What analyse let pass compiles.
func (x expression) compile() func() *regexp.Regexp { return lazily(x.source) }

// anchored makes what matches at the start only.
func (x expression) anchored() *matcher { return newMatcher(x.source, x.value, false) }

// whole makes what matches nothing but a whole text.
func (x expression) whole() *matcher { return newMatcher(x.source, 0, true) }

func lazily(source string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(source) })
}

// analyse refuses an expression whose work cannot be bounded: it must have a longest match, stay within the budget, and, for anchor > 0, every
// match must hold one of a few literals of at least anchor bytes.
func (r *rule) analyse(field, source string, anchor int) (expression, error) {
	tree, err := syntax.Parse(source, syntax.Perl)
	if err != nil {
		e, ok := err.(*syntax.Error)
		if !ok {
			return expression{}, r.fail(field, 0, "invalid expression")
		}
		return expression{}, r.fail(field, max(0, strings.Index(source, e.Expr)), "invalid expression: %s", e.Code)
	}
	if at := unbounded(source); at >= 0 {
		return expression{}, r.fail(field, at, "unbounded repetition; write {0,n}")
	}
	if edge := findOp(tree, syntax.OpBeginText, syntax.OpEndText, syntax.OpBeginLine, syntax.OpEndLine); edge {
		return expression{}, r.fail(field, 0, "^ and $ have no meaning in a window of the text")
	}
	x := expression{source: source, longest: longest(tree)}
	if x.longest == 0 {
		return expression{}, r.fail(field, 0, "expression matches nothing but empty text")
	}
	if x.longest > maxPattern {
		return expression{}, r.fail(field, 0, "longest match is %d bytes; at most %d are allowed", x.longest, maxPattern)
	}
	if !r.builtin {
		prog, err := syntax.Compile(tree.Simplify())
		if err != nil {
			return expression{}, r.fail(field, 0, "invalid expression")
		}
		cost := len(prog.Inst) * x.longest
		if cost > maxCost {
			return expression{}, r.fail(field, 0, "cost %d is over the budget of %d; shorten the repetitions", cost, maxCost)
		}
		r.steps = max(r.steps, cost)
	}
	x.groups, x.value = tree.MaxCap(), max(0, slices.Index(tree.CapNames(), "value"))
	if anchor > 1 {
		l := anchors(tree)
		if shortest(l.literals) < anchor {
			return expression{}, r.fail(field, 0, "nothing to anchor on: no literal of at least %d bytes is in every match", anchor)
		}
		x.literals, x.least, x.most, x.before = l.literals, l.least, l.most, l.before
		x.first = &charset{}
		begins(tree, x.first)
		x.needs, x.needed = needs(tree)
		x.also = also(tree, x.literals)
	}
	return x, nil
}

// unbounded returns the place of the first *, + or {n,} of an expression, or -1.
func unbounded(s string) int {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\':
			i++
		case c == '[':
			i = classEnd(s, i)
		case c == '*' || c == '+':
			return i
		case c == '{':
			if end := strings.IndexByte(s[i:], '}'); end > 0 && s[i+end-1] == ',' {
				return i
			}
		}
	}
	return -1
}

// classEnd returns where the class that begins at i ends, or the length of s.
func classEnd(s string, i int) int {
	i++
	if strings.HasPrefix(s[i:], "^]") {
		i += 2
	} else if strings.HasPrefix(s[i:], "]") {
		i++
	}
	for ; i < len(s) && s[i] != ']'; i++ {
		if s[i] == '\\' {
			i++
		}
	}
	return i
}

func findOp(re *syntax.Regexp, ops ...syntax.Op) bool {
	if slices.Contains(ops, re.Op) {
		return true
	}
	return slices.ContainsFunc(re.Sub, func(s *syntax.Regexp) bool { return findOp(s, ops...) })
}

// longest returns the length of the longest match in bytes, capped well above every limit.
func longest(re *syntax.Regexp) int {
	const ceiling = 1 << 20
	n := 0
	switch re.Op {
	case syntax.OpLiteral:
		for _, c := range re.Rune {
			n += width(c, re.Flags)
		}
	case syntax.OpCharClass:
		if len(re.Rune) > 0 {
			n = width(re.Rune[len(re.Rune)-1], 0)
		}
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		n = 4
	case syntax.OpStar, syntax.OpPlus:
		return ceiling
	case syntax.OpRepeat:
		if re.Max < 0 {
			return ceiling
		}
		n = re.Max * longest(re.Sub[0])
	case syntax.OpAlternate:
		for _, s := range re.Sub {
			n = max(n, longest(s))
		}
	default:
		for _, s := range re.Sub {
			n += longest(s)
		}
	}
	return min(n, ceiling)
}

// emptyValue reports whether the group value of an expression that parses can match nothing.
func emptyValue(source string) bool {
	tree, err := syntax.Parse(source, syntax.Perl)
	if err != nil {
		return true
	}
	var look func(re *syntax.Regexp) bool
	look = func(re *syntax.Regexp) bool {
		return re.Op == syntax.OpCapture && re.Name == "value" && least(re) == 0 || slices.ContainsFunc(re.Sub, look)
	}
	return look(tree)
}

func width(c rune, flags syntax.Flags) int {
	if c < 0x80 && (flags&syntax.FoldCase == 0 || c != 'k' && c != 'K' && c != 's' && c != 'S') {
		return 1
	}
	return 4 // Also the Kelvin sign and the long s, which fold to ASCII.
}

// least returns a length in bytes that no match is shorter than.
func least(re *syntax.Regexp) int {
	n := 0
	switch re.Op {
	case syntax.OpLiteral:
		return len(re.Rune)
	case syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return 1
	case syntax.OpRepeat:
		return re.Min * least(re.Sub[0])
	case syntax.OpAlternate:
		n = least(re.Sub[0])
		for _, s := range re.Sub[1:] {
			n = min(n, least(s))
		}
	case syntax.OpConcat, syntax.OpCapture:
		for _, s := range re.Sub {
			n += least(s)
		}
	}
	return n
}

// begins adds the bytes that a match may begin with to set, and reports whether it may also be empty.
func begins(re *syntax.Regexp, set *charset) (empty bool) {
	add := func(lo, hi rune) {
		for c := lo; c <= min(hi, utf8.RuneSelf-1); c++ {
			set[c] = true
		}
		for c := utf8.RuneSelf; hi >= utf8.RuneSelf && c < len(set); c++ {
			set[c] = c&0xc0 != 0x80
		}
	}
	switch re.Op {
	case syntax.OpLiteral:
		c := re.Rune[0]
		add(c, c)
		for f := unicode.SimpleFold(c); re.Flags&syntax.FoldCase != 0 && f != c; f = unicode.SimpleFold(f) {
			add(f, f)
		}
	case syntax.OpCharClass:
		for i := 0; i+1 < len(re.Rune); i += 2 {
			add(re.Rune[i], re.Rune[i+1])
		}
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		add(0, utf8.MaxRune)
	case syntax.OpAlternate:
		for _, s := range re.Sub {
			empty = begins(s, set) || empty
		}
	case syntax.OpConcat:
		for _, s := range re.Sub {
			if !begins(s, set) {
				return false
			}
		}
		return true
	case syntax.OpCapture:
		return begins(re.Sub[0], set)
	case syntax.OpRepeat:
		return begins(re.Sub[0], set) || re.Min == 0
	case syntax.OpQuest:
		begins(re.Sub[0], set)
		return true
	default:
		return true
	}
	return empty
}

// needs returns the class of which every match holds the longest run, of at least four, and its length; nil: none.
func needs(re *syntax.Regexp) (set *charset, n int) {
	switch re.Op {
	case syntax.OpRepeat:
		if re.Sub[0].Op != syntax.OpCharClass {
			if re.Min > 0 {
				return needs(re.Sub[0])
			}
			return nil, 0
		}
		if re.Min >= 4 {
			if set = ended(re); set != nil {
				return set, re.Min
			}
		}
	case syntax.OpConcat, syntax.OpCapture:
		for _, s := range re.Sub {
			if c, m := needs(s); m > n {
				set, n = c, m
			}
		}
	}
	return set, n
}

// maxAlso is how many other literals are looked for.
const maxAlso = 16

// also returns the longest literals, other than those that anchor the expression, of which every match holds one. Short ones are marks, not letters, which
// are rare where the others are.
func also(re *syntax.Regexp, anchor []string) []string {
	var best []string
	switch re.Op {
	case syntax.OpCapture:
		return also(re.Sub[0], anchor)
	case syntax.OpConcat:
		for _, s := range re.Sub {
			list := anchors(s).literals
			if s.Op == syntax.OpCapture || s.Op == syntax.OpConcat {
				list = also(s, anchor)
			}
			if len(list) == 0 || len(list) > maxAlso || shortest(list) <= shortest(best) || slices.ContainsFunc(list, func(l string) bool {
				return l == "" || slices.ContainsFunc(anchor, func(a string) bool { return strings.Contains(strings.ToLower(a), strings.ToLower(l)) }) ||
					len(l) < 4 && strings.ContainsFunc(l, func(c rune) bool { return unicode.IsLetter(c) || unicode.IsDigit(c) || c == ' ' })
			}) {
				continue
			}
			best = make([]string, len(list))
			for i, l := range list {
				best[i] = strings.ToLower(l)
			}
		}
	}
	return best
}

// anchorSet is a set of literals of which every match holds at least one, how many bytes stand before it at least and at most, and, where that is known,
// the bytes that may stand just before it.
type anchorSet struct {
	literals    []string
	least, most int
	before      *charset
}

// ended returns the set of bytes that a repeated class ends with, nil for all else.
func ended(re *syntax.Regexp) *charset {
	switch re.Op {
	case syntax.OpCapture:
		return ended(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min > 0 {
			return ended(re.Sub[0])
		}
	case syntax.OpCharClass:
		var set charset
		for i := 0; i+1 < len(re.Rune); i += 2 {
			if re.Rune[i+1] >= 0x80 {
				return nil
			}
			for c := re.Rune[i]; c <= re.Rune[i+1]; c++ {
				set[c] = true
			}
		}
		return &set
	}
	return nil
}

func shortest(l []string) int {
	if len(l) == 0 {
		return 0
	}
	n := len(l[0])
	for _, s := range l {
		n = min(n, len(s))
	}
	return n
}

// anchors finds the best set: the one whose shortest literal is longest, then the smallest.
func anchors(re *syntax.Regexp) anchorSet {
	if exact := expand(re); exact != nil {
		return anchorSet{literals: exact}
	}
	switch re.Op {
	case syntax.OpLiteral:
		// Of a literal with other scripts, the longest part in ASCII.
		parts := strings.FieldsFunc(strings.ToLower(string(re.Rune)), func(c rune) bool { return c >= 0x80 })
		if len(parts) > 0 {
			part := slices.MaxFunc(parts, func(a, b string) int { return len(a) - len(b) })
			return anchorSet{literals: []string{part}, most: longest(re)}
		}
	case syntax.OpCapture:
		return anchors(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min > 0 {
			return anchors(re.Sub[0])
		}
	case syntax.OpAlternate:
		var out anchorSet
		for i, s := range re.Sub {
			a := anchors(s)
			if len(a.literals) == 0 || len(out.literals)+len(a.literals) > maxKeywords {
				return anchorSet{}
			}
			if i == 0 {
				out.least = a.least
			}
			out.least, out.most = min(out.least, a.least), max(out.most, a.most)
			out.literals = append(out.literals, a.literals...)
		}
		return out
	case syntax.OpConcat:
		var best anchorSet
		shortestBefore, longestBefore := 0, 0
		for i := 0; i < len(re.Sub); i++ {
			// Neighbours that are exact make one longer literal.
			a, next := anchors(re.Sub[i]), i
			if exact := expand(re.Sub[i]); exact != nil {
				for next+1 < len(re.Sub) {
					more := cross(exact, expand(re.Sub[next+1]))
					if more == nil {
						break
					}
					exact, next = more, next+1
				}
				a = anchorSet{literals: exact}
			}
			if s, b := shortest(a.literals), shortest(best.literals); s > b || s == b && len(a.literals) < len(best.literals) {
				best = anchorSet{literals: a.literals, least: shortestBefore + a.least, most: longestBefore + a.most}
				if i > 0 && a.most == 0 {
					best.before = ended(re.Sub[i-1])
				}
			}
			for ; i <= next; i++ {
				shortestBefore += least(re.Sub[i])
				longestBefore += longest(re.Sub[i])
			}
			i--
		}
		return best
	}
	return anchorSet{}
}

// expand lists everything that re matches when that is a short list of ASCII strings, folded to lower case where case does not matter.
func expand(re *syntax.Regexp) []string {
	switch re.Op {
	case syntax.OpLiteral:
		s := string(re.Rune)
		if re.Flags&syntax.FoldCase != 0 {
			s = strings.ToLower(s)
		}
		if strings.ContainsFunc(s, func(c rune) bool { return c >= 0x80 }) {
			return nil
		}
		return []string{s}
	case syntax.OpCharClass:
		var out []string
		for i := 0; i+1 < len(re.Rune); i += 2 {
			for c := re.Rune[i]; c <= re.Rune[i+1]; c++ {
				if c >= 0x80 || len(out) == 10 {
					return nil
				}
				out = append(out, string(c))
			}
		}
		return out
	case syntax.OpCapture:
		return expand(re.Sub[0])
	case syntax.OpAlternate:
		var out []string
		for _, s := range re.Sub {
			e := expand(s)
			if e == nil || len(out)+len(e) > maxKeywords {
				return nil
			}
			out = append(out, e...)
		}
		return out
	case syntax.OpConcat:
		out := []string{""}
		for _, s := range re.Sub {
			if out = cross(out, expand(s)); out == nil {
				return nil
			}
		}
		return out
	}
	return nil
}

func cross(a, b []string) []string {
	if len(a) == 0 || len(b) == 0 || len(a)*len(b) > 32 {
		return nil
	}
	out := make([]string, 0, len(a)*len(b))
	for _, x := range a {
		for _, y := range b {
			out = append(out, x+y)
		}
	}
	return out
}
