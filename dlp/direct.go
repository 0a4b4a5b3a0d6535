package dlp

import (
	"regexp"
	"regexp/syntax"
	"slices"
	"sync"
	"unicode"
	"unicode/utf8"
)

// matcher runs an expression at the start of a text: by its steps where it has them, which is ten times as fast, else by the regexp package.
type matcher struct {
	source string
	group  int  // the submatch that is the value; 0: none
	whole  bool // the match ends where the text does
	direct func() *direct
	regexp func() *regexp.Regexp
}

// newMatcher makes what can run when it is first used: most detectors of an engine never see their keyword. What analyse let pass compiles.
func newMatcher(source string, group int, whole bool) *matcher {
	m := &matcher{source: source, group: group, whole: whole}
	m.direct = sync.OnceValue(func() *direct { return newDirect(source, whole) })
	end := ""
	if whole {
		end = `\z`
	}
	m.regexp = lazily(`\A(?:` + source + `)` + end)
	return m
}

// find returns where the match at the start of text ends, and its value: all of it when the match has no group for it. end is 0: there is none.
func (m *matcher) find(text []byte) (end int, value span) {
	if d := m.direct(); d != nil {
		value = span{-1, -1}
		if end = d.run(text, d.first, 0, &value); end >= 0 {
			return end, valueOf(end, value)
		}
		if end == noMatch {
			return 0, span{}
		}
	}
	got := m.regexp().FindSubmatchIndex(text)
	if got == nil {
		return 0, span{}
	}
	return got[1], valueOf(got[1], span{got[2*m.group], got[2*m.group+1]})
}

// matches reports whether there is a match at the start of text.
func (m *matcher) matches(text []byte) bool {
	end, _ := m.find(text)
	return end > 0
}

func valueOf(end int, value span) span {
	if value.start < 0 {
		return span{0, end} // This alternative has no group: all of it is the value.
	}
	return value
}

// direct is an expression that can be run byte by byte: seldom can a character belong to a repetition and to what follows it, so that little is tried twice.
type direct struct {
	steps []directStep
	first int // where it begins
	whole bool
	forks int
	loose int // in how many ways its loose runs may end
}

type stepKind byte

const (
	stepEnd stepKind = iota
	stepRun
	stepFork
	stepOpen  // the value begins
	stepClose // the value ends
)

// How a class stands to the characters beyond ASCII.
const (
	wideNone = iota
	wideAll
	wideSome // only the regexp package knows
	wideByte // the step is a byte of such a character
)

type directStep struct {
	kind        stepKind
	wide        byte     // run
	sure        bool     // fork: a byte of set decides
	loose       bool     // run: it may have to give back what it took
	set         *charset // run: the characters; of all bytes beyond ASCII when wide says so. Fork: what next begins with
	least, most int      // run: characters
	next, other int      // other: of a fork, when next does not match
}

// What run says instead of an end.
const (
	noMatch   = -1
	undecided = -2 // a character beyond ASCII in a place where that is not known
)

// Bounds of a direct expression. Every fork doubles the work that it may be.
const (
	maxForks = 4
	maxLoose = 512
	maxSteps = 1024
)

// newDirect returns the steps of an expression, nil when it has none.
func newDirect(source string, whole bool) *direct {
	tree, err := syntax.Parse(source, syntax.Perl)
	if err != nil {
		return nil // It would not have compiled.
	}
	d := &direct{whole: whole, loose: 1, steps: []directStep{{kind: stepEnd}}}
	first, ok := d.add(tree, 0)
	if !ok || d.forks > maxForks || d.loose > maxLoose {
		return nil
	}
	d.first = first
	return d
}

func (d *direct) put(s directStep) (int, bool) {
	d.steps = append(d.steps, s)
	return len(d.steps) - 1, len(d.steps) <= maxSteps
}

// add puts the steps of re before those at next.
func (d *direct) add(re *syntax.Regexp, next int) (at int, ok bool) {
	if set, wide, single := class(re); single {
		return d.addRun(set, wide, 1, 1, next)
	}
	switch re.Op {
	case syntax.OpEmptyMatch:
		return next, true
	case syntax.OpLiteral:
		return d.addLiteral(re, next)
	case syntax.OpConcat:
		at, ok = next, true
		for _, sub := range slices.Backward(re.Sub) {
			if at, ok = d.add(sub, at); !ok {
				break
			}
		}
		return at, ok
	case syntax.OpCapture:
		return d.addGroup(re, next)
	case syntax.OpAlternate:
		at, ok = d.add(re.Sub[len(re.Sub)-1], next)
		for _, sub := range slices.Backward(re.Sub[:len(re.Sub)-1]) {
			var one int
			if ok {
				one, ok = d.add(sub, next)
			}
			if ok {
				at, ok = d.addFork(one, at)
			}
		}
		return at, ok
	case syntax.OpQuest:
		return d.addRepeat(re, 0, 1, next)
	case syntax.OpRepeat:
		return d.addRepeat(re, re.Min, re.Max, next)
	}
	return 0, false
}

func (d *direct) addLiteral(re *syntax.Regexp, next int) (at int, ok bool) {
	at, ok = next, true
	for _, c := range slices.Backward(re.Rune) {
		if c >= utf8.RuneSelf && re.Flags&syntax.FoldCase == 0 {
			for _, b := range slices.Backward([]byte(string(c))) {
				set := &charset{}
				set[b] = true
				if at, ok = d.addRun(set, wideByte, 1, 1, at); !ok {
					return 0, false
				}
			}
			continue
		}
		set, wide := character(c, re.Flags)
		if at, ok = d.addRun(set, wide, 1, 1, at); !ok {
			return 0, false
		}
	}
	return at, ok
}

func (d *direct) addGroup(re *syntax.Regexp, next int) (at int, ok bool) {
	if re.Name != "value" {
		return d.add(re.Sub[0], next)
	}
	if at, ok = d.put(directStep{kind: stepClose, next: next}); ok {
		at, ok = d.add(re.Sub[0], at)
	}
	if ok {
		at, ok = d.put(directStep{kind: stepOpen, next: at})
	}
	return at, ok
}

func (d *direct) addRepeat(re *syntax.Regexp, least, most, next int) (at int, ok bool) {
	if re.Flags&syntax.NonGreedy != 0 || most < 0 {
		return 0, false
	}
	if set, wide, single := class(re.Sub[0]); single {
		if most == 0 {
			return next, true
		}
		return d.addRun(set, wide, least, most, next)
	}
	at, ok = next, true
	for i := most; i > 0 && ok; i-- {
		var one int
		if one, ok = d.add(re.Sub[0], at); !ok {
			break
		}
		if first := (charset{}); d.begins(one, &first) && !d.begins(next, &first) {
			return 0, false // What is repeated may be nothing.
		}
		if at = one; i > least {
			at, ok = d.addFork(one, next)
		}
	}
	return at, ok
}

func (d *direct) addRun(set *charset, wide byte, least, most, next int) (int, bool) {
	loose := false
	if least < most {
		follows := charset{}
		d.begins(next, &follows)
		for c, in := range set {
			loose = loose || in && follows[c]
		}
	}
	if loose {
		if d.loose *= most - least + 1; wide != wideNone || d.loose > maxLoose {
			return 0, false
		}
	}
	return d.put(directStep{kind: stepRun, set: set, wide: wide, least: least, most: most, loose: loose, next: next})
}

func (d *direct) addFork(next, other int) (int, bool) {
	a, b := &charset{}, charset{}
	empty := d.begins(next, a)
	sure := !d.begins(other, &b) && !empty
	for c, in := range a {
		sure = sure && !(in && b[c])
	}
	if !sure {
		d.forks++
	}
	return d.put(directStep{kind: stepFork, sure: sure, set: a, next: next, other: other})
}

// begins adds to set what the steps at a place can begin with, and reports whether they may be nothing.
func (d *direct) begins(at int, set *charset) bool {
	s := &d.steps[at]
	switch s.kind {
	case stepRun:
		for c, in := range s.set {
			set[c] = set[c] || in
		}
		return s.least == 0 && d.begins(s.next, set)
	case stepFork:
		a, b := d.begins(s.next, set), d.begins(s.other, set)
		return a || b
	case stepOpen, stepClose:
		return d.begins(s.next, set)
	}
	return true
}

// class returns the characters of an expression that is one character.
func class(re *syntax.Regexp) (set *charset, wide byte, ok bool) {
	switch {
	case re.Op == syntax.OpLiteral && len(re.Rune) == 1 && (re.Rune[0] < utf8.RuneSelf || re.Flags&syntax.FoldCase != 0):
		set, wide = character(re.Rune[0], re.Flags)
		return set, wide, true
	case re.Op == syntax.OpAnyChar:
		set, wide = ranges([]rune{0, unicode.MaxRune})
		return set, wide, true
	case re.Op == syntax.OpAnyCharNotNL:
		set, wide = ranges([]rune{0, '\n' - 1, '\n' + 1, unicode.MaxRune})
		return set, wide, true
	case re.Op == syntax.OpCharClass:
		set, wide = ranges(re.Rune)
		return set, wide, true
	}
	return nil, 0, false
}

// character is the class of one character, of all its cases when they are folded.
func character(c rune, flags syntax.Flags) (*charset, byte) {
	list := []rune{c, c}
	if flags&syntax.FoldCase != 0 {
		for f := unicode.SimpleFold(c); f != c; f = unicode.SimpleFold(f) {
			list = append(list, f, f)
		}
	}
	return ranges(list)
}

// ranges is the class of characters between the first and second, the third and fourth and so on.
func ranges(list []rune) (*charset, byte) {
	set, wide := &charset{}, byte(wideNone)
	for i := 0; i+1 < len(list); i += 2 {
		for c := list[i]; c <= min(list[i+1], utf8.RuneSelf-1); c++ {
			set[c] = true
		}
		if list[i] <= utf8.RuneSelf && list[i+1] == unicode.MaxRune {
			wide = wideAll
		} else if list[i+1] >= utf8.RuneSelf && wide == wideNone {
			wide = wideSome
		}
	}
	for c := utf8.RuneSelf; c < len(set) && wide != wideNone; c++ {
		set[c] = true
	}
	return set, wide
}

// run returns where the match ends whose steps go on at a place with the character at i, noMatch or undecided.
func (d *direct) run(text []byte, at, i int, value *span) int {
	for {
		s := &d.steps[at]
		at = s.next
		switch s.kind {
		case stepEnd:
			if d.whole && i != len(text) {
				return noMatch
			}
			return i
		case stepOpen:
			value.start = i
		case stepClose:
			value.end = i
		case stepRun:
			n := 0
			for n < s.most && i < len(text) && s.set[text[i]] {
				size := 1
				if text[i] >= utf8.RuneSelf && s.wide != wideByte {
					if s.wide == wideSome {
						return undecided
					}
					_, size = utf8.DecodeRune(text[i:])
				}
				i += size
				n++
			}
			if n < s.least {
				return noMatch
			}
			if s.loose {
				before := *value
				for ; n > s.least; n, i = n-1, i-1 {
					if end := d.run(text, s.next, i, value); end != noMatch {
						return end
					}
					*value = before
				}
			}
		case stepFork:
			switch {
			case !s.sure:
				before := *value
				if end := d.run(text, s.next, i, value); end != noMatch {
					return end
				}
				*value = before
				at = s.other
			case i == len(text) || !s.set[text[i]]:
				at = s.other
			}
		}
	}
}
