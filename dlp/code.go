package dlp

import (
	"bytes"
	"fmt"
	"math/bits"
	"strings"
)

// Bounds of what makes source code of lines. They are far below a block's margin, so that blocks change nothing.
const (
	codeForms  = 3    // different forms of lines
	codeWindow = 1200 // bytes from the first to the last of them
	codeGap    = 2400 // bytes without such a place that end one match and let another start
	codeMore   = 0.1  // what each further form adds, three times at most
	codeReach  = 400  // bytes of a line that are looked at
	maxForms   = 32   // for each detector
)

// lineForm is one form of a line: text, any text, text, ...
type lineForm struct {
	rule  int // place in Engine.codes
	bit   int
	parts []string // the first starts the line; the last ends it unless it is empty
}

// lineIndex lists the forms by their first byte.
type lineIndex [256][]lineForm

func (x *lineIndex) add(r *rule, place int) {
	for i, l := range r.Lines {
		x[l[0]] = append(x[l[0]], lineForm{place, i, strings.Split(l, "*")})
	}
}

func (r *rule) compileLines() error {
	if n := len(r.Lines); n < codeForms || n > maxForms {
		return r.fail("lines", 0, "scanner code needs %d to %d lines", codeForms, maxForms)
	}
	for i, l := range r.Lines {
		if first, _, _ := strings.Cut(l, "*"); len(first) < 2 || first[0] <= ' ' || strings.Contains(l, "**") || len(l) > 80 {
			return r.fail(fmt.Sprintf("lines.%d", i), 0, "a line has at most 80 bytes and starts with two that are not blank")
		}
	}
	return nil
}

// codeLine is a line that has a form of a rule.
type codeLine struct {
	start, end int
	bit        int
	dense      bool // enough other forms follow
	to         int  // the end of the last form that it takes
	forms      int
}

func (f *lineForm) match(line []byte) bool {
	first := f.parts[0]
	if len(line) < len(first) || string(line[:len(first)]) != first {
		return false
	}
	rest := line[len(first):]
	last := len(f.parts) - 1
	if last == 0 {
		return len(rest) == 0
	}
	for _, p := range f.parts[1:last] {
		n := bytes.Index(rest, []byte(p))
		if n < 0 {
			return false
		}
		rest = rest[n+len(p):]
	}
	end := f.parts[last]
	return len(rest) >= len(end) && string(rest[len(rest)-len(end):]) == end
}

// code looks at every line for the forms of programming languages.
func (s *state) code() {
	e := s.engine
	if len(e.codes) == 0 {
		return
	}
	for i := range s.forms {
		s.forms[i] = s.forms[i][:0]
	}
	for at := 0; at < len(s.text); {
		start, n := at, bytes.IndexByte(s.text[at:], '\n')
		if n < 0 {
			n = len(s.text) - at
		}
		at += n + 1
		line := bytes.Trim(s.text[start:min(start+n, start+codeReach)], " \t\r")
		if len(line) < 2 {
			continue
		}
		for i := range e.lines[line[0]] {
			f := &e.lines[line[0]][i]
			if !f.match(line) {
				continue
			}
			from := start + bytes.IndexByte(s.text[start:], line[0])
			s.forms[f.rule] = append(s.forms[f.rule], codeLine{start: from, end: from + len(line), bit: f.bit})
		}
	}
	for i, r := range e.codes {
		if len(s.forms[i]) >= codeForms && !s.overdue() {
			s.current = r
			s.codeMatches(r, s.forms[i])
		}
	}
	s.current = nil
}

// codeMatches adds a match where enough different forms begin to stand close together.
func (s *state) codeMatches(r *rule, lines []codeLine) {
	var next [maxForms]int // 1 + the nearest line of each form, from the one looked at on
	for i := len(lines) - 1; i >= 0; i-- {
		l := &lines[i]
		next[l.bit] = i + 1
		var seen uint32
		for bit, n := range next[:len(r.Lines)] {
			if n > 0 && lines[n-1].end <= l.start+codeWindow {
				seen |= 1 << bit
			}
		}
		if l.forms = bits.OnesCount32(seen); l.forms < codeForms {
			continue
		}
		l.dense = true
		// The match ends with the form that makes them enough.
		var ends [codeForms]int
		for bit, n := range next[:len(r.Lines)] {
			if seen&(1<<bit) == 0 {
				continue
			}
			end := lines[n-1].end
			for k := range ends {
				if ends[k] == 0 || end < ends[k] {
					end, ends[k] = ends[k], end
				}
				if end == 0 {
					break
				}
			}
		}
		l.to = ends[codeForms-1]
	}
	last := -codeGap - 1
	for i := range lines {
		l := &lines[i]
		if !l.dense {
			continue
		}
		if l.start-last > codeGap {
			s.add(candidate{rule: r, start: l.start, end: l.to, confidence: r.Confidence + codeMore*float64(min(l.forms-codeForms, 3))})
		}
		last = l.start
	}
}
