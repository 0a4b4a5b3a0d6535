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
		try := attempt{value: span{-1, -1}, left: maxWork}
		if end = d.run(text, d.first, 0, &try); end >= 0 {
			return end, valueOf(end, try.value)
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
}

// attempt is one run of a direct expression.
type attempt struct {
	value span
	left  int // steps that it may still take
}

type stepKind byte

const (
	stepEnd stepKind = iota
	stepText
	stepRun
	stepFork
	stepOpen  // the value begins
	stepClose // the value ends
)

type directStep struct {
	kind        stepKind
	sure        bool     // fork: a byte of set decides
	loose       bool     // run: it may have to give back what it took
	text        string   // text: in its case
	set         *charset // run: the characters, with all bytes beyond ASCII when there are wide ones. Fork: what next begins with
	wide        []rune   // run: the characters beyond ASCII, between the first and second, the third and fourth and so on
	least, most int      // run: characters
	next, other int      // other: of a fork, when next does not match
}

// What run says instead of an end.
const (
	noMatch   = -1
	undecided = -2 // it is too much work
)

const (
	maxSteps = 1024 // of an expression
	maxWork  = 1024 // steps of an attempt: every place where it may go on in two ways could double them
)

// newDirect returns the steps of an expression, nil when it has none.
func newDirect(source string, whole bool) *direct {
	tree, err := syntax.Parse(source, syntax.Perl)
	if err != nil {
		return nil // It would not have compiled.
	}
	d := &direct{whole: whole, steps: []directStep{{kind: stepEnd}}}
	first, ok := d.add(tree, 0)
	if !ok {
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
	if re.Flags&syntax.FoldCase == 0 {
		return d.put(directStep{kind: stepText, text: string(re.Rune), next: next})
	}
	at, ok = next, true
	for _, c := range slices.Backward(re.Rune) {
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

func (d *direct) addRun(set *charset, wide []rune, least, most, next int) (int, bool) {
	loose := false
	if least < most {
		follows := charset{}
		d.begins(next, &follows)
		for c, in := range set {
			loose = loose || in && follows[c]
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
	case stepText:
		set[s.text[0]] = true
		return false
	case stepFork:
		a, b := d.begins(s.next, set), d.begins(s.other, set)
		return a || b
	case stepOpen, stepClose:
		return d.begins(s.next, set)
	}
	return true
}

// class returns the characters of an expression that is one character.
func class(re *syntax.Regexp) (set *charset, wide []rune, ok bool) {
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
	return nil, nil, false
}

// character is the class of one character, of all its cases when they are folded.
func character(c rune, flags syntax.Flags) (*charset, []rune) {
	list := []rune{c, c}
	if flags&syntax.FoldCase != 0 {
		for f := unicode.SimpleFold(c); f != c; f = unicode.SimpleFold(f) {
			list = append(list, f, f)
		}
	}
	slices.Sort(list)
	return ranges(list)
}

// ranges is the class of characters between the first and second, the third and fourth and so on, which are in order.
func ranges(list []rune) (set *charset, wide []rune) {
	set = &charset{}
	for i := 0; i+1 < len(list); i += 2 {
		for c := list[i]; c <= min(list[i+1], utf8.RuneSelf-1); c++ {
			set[c] = true
		}
		if list[i+1] >= utf8.RuneSelf {
			wide = append(wide, max(list[i], utf8.RuneSelf), list[i+1])
		}
	}
	for c := utf8.RuneSelf; c < len(set) && len(wide) > 0; c++ {
		set[c] = true
	}
	return set, wide
}

// take goes on with a run of the step behind its first n characters, which end at i, and returns how many it has and where they end.
func (s *directStep) take(text []byte, n, i int) (int, int) {
	for n < s.most && i < len(text) && s.set[text[i]] {
		size := 1
		if text[i] >= utf8.RuneSelf && len(s.wide) > 0 {
			var c rune
			c, size = utf8.DecodeRune(text[i:])
			if at, edge := slices.BinarySearch(s.wide, c); !edge && at%2 == 0 {
				break
			}
		}
		i += size
		n++
	}
	return n, i
}

// run returns where the match ends whose steps go on at a place with the character at i, noMatch or undecided.
func (d *direct) run(text []byte, at, i int, try *attempt) int {
	for ; try.left > 0; try.left-- {
		s := &d.steps[at]
		at = s.next
		switch s.kind {
		case stepEnd:
			if d.whole && i != len(text) {
				return noMatch
			}
			return i
		case stepOpen:
			try.value.start = i
		case stepClose:
			try.value.end = i
		case stepText:
			if len(text)-i < len(s.text) || string(text[i:i+len(s.text)]) != s.text {
				return noMatch
			}
			i += len(s.text)
		case stepRun:
			n, from := 0, i
			for n < s.most && i < len(text) && s.set[text[i]] && text[i] < utf8.RuneSelf {
				n++
				i++
			}
			if n < s.most && i < len(text) && text[i] >= utf8.RuneSelf {
				n, i = s.take(text, n, i)
			}
			if n < s.least {
				return noMatch
			}
			if s.loose {
				before := try.value
				for ; n > s.least; n-- {
					if end := d.run(text, s.next, i, try); end != noMatch {
						return end
					}
					try.value = before
					_, size := utf8.DecodeLastRune(text[from:i])
					i -= size
				}
			}
		case stepFork:
			switch {
			case !s.sure:
				before := try.value
				if end := d.run(text, s.next, i, try); end != noMatch {
					return end
				}
				try.value = before
				at = s.other
			case i == len(text) || !s.set[text[i]]:
				at = s.other
			}
		}
	}
	return undecided
}
