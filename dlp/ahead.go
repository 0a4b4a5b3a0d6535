package dlp

import (
	"bytes"
	"strings"
)

// finder looks for what every match of a rule holds. It returns the place of the first in text, -1: none, and how long it is.
type finder interface {
	find(text []byte) (at, size int)
}

// classRun is a run of so many characters of a class.
type classRun struct {
	set  *charset
	size int
}

func (f classRun) find(text []byte) (at, size int) {
	for i := f.size - 1; i < len(text); {
		n := 0
		for n < f.size && f.set[text[i-n]] {
			n++
		}
		if n == f.size {
			return i - n + 1, n
		}
		i += f.size - n
	}
	return -1, 0
}

// exactLiteral is a literal in its case.
type exactLiteral string

func (f exactLiteral) find(text []byte) (at, size int) {
	return bytes.Index(text, []byte(f)), len(f)
}

// anyLiteral is one of a few literals in lower case.
type anyLiteral struct {
	list  []string
	first *charset // what they begin with, in either case
}

func newAnyLiteral(list []string) anyLiteral {
	f := anyLiteral{list, &charset{}}
	for _, l := range list {
		f.first[l[0]] = true
		f.first[strings.ToUpper(l)[0]] = true
	}
	return f
}

func (f anyLiteral) find(text []byte) (at, size int) {
	for i, c := range text {
		if !f.first[c] {
			continue
		}
		for _, l := range f.list {
			if i+len(l) <= len(text) && equalFold(text[i:i+len(l)], l) {
				return i, len(l)
			}
		}
	}
	return -1, 0
}

// lookout is what a finder saw last: nothing begins in [from, found), and found is what it found, or how far it looked.
type lookout struct {
	block       int
	from, found int
	size        int // 0: nothing is at found
}

// first returns where the first thing that the rule's finder finds in [from, to) begins, or -1. Windows that overlap are read once: the work is linear.
func (s *state) first(r *rule, from, to int) int {
	m := &s.lookouts[r.slot]
	if m.block != s.blocks || from < m.from || from > m.found {
		*m = lookout{block: s.blocks, from: from, found: from}
	}
	if m.size == 0 && m.found < to {
		at, size := r.ahead.find(s.text[m.found:to])
		if at >= 0 {
			m.found, m.size = m.found+at, size
		} else {
			m.found = max(m.found, to-r.aheadSize+1) // One may begin just before the end of the window.
		}
	}
	if m.size == 0 || m.found+m.size > to {
		return -1
	}
	return m.found
}

// ahead reports whether [from, to) holds what every match of the rule holds.
func (s *state) ahead(r *rule, from, to int) bool { return s.first(r, from, to) >= 0 }
