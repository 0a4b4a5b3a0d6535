package validate

import (
	"bytes"
	"math"
	"math/bits"
)

// Entropy is the Shannon entropy of the bytes of b in bits a byte, 0 for an empty b.
func Entropy(b []byte) float64 {
	if len(b) == 0 {
		return 0
	}
	var n [256]int32
	var seen [256 / 64]uint64
	for _, c := range b {
		n[c]++
		seen[c/64] |= 1 << (c % 64)
	}
	var terms [16]float64 // of the counts that are common, once each
	h := 0.0
	for i, set := range seen {
		for ; set != 0; set &= set - 1 {
			c := n[i*64+bits.TrailingZeros64(set)]
			if int(c) < len(terms) && terms[c] != 0 {
				h -= terms[c]
				continue
			}
			p := float64(c) / float64(len(b))
			term := p * math.Log2(p)
			if int(c) < len(terms) {
				terms[c] = term
			}
			h -= term
		}
	}
	return h
}

// fillers are parts of values that people write where a secret should stand, in lower case. A short word also stands in a random value, so that it counts
// only where it is a word by itself, or the value is not drawn at random.
var fillers = []string{
	"xxxx", "****", "....", "your", "placeholder", "redacted", "changeme", "change_me", "change-me", "replace", "insert", "example", "sample", "dummy",
	"1234567890", "0123456789", "abcdefgh", "todo", "lorem", "notreal", "not-real", "fake",
}

// fillerStarts has a bit for the hash of the first two bytes of every filler.
var fillerStarts = func() (set [1 << 10 / 64]uint64) {
	for _, f := range fillers {
		h := pair(f[0], f[1])
		set[h/64] |= 1 << (h % 64)
	}
	return set
}()

func pair(a, b byte) uint16 { return uint16(a&31)<<5 | uint16(b&31) }

// randomLength and randomEntropy are from when on a value counts as drawn at random: bytes, bits a byte.
const (
	randomLength  = 20
	randomEntropy = 3.6
)

// fillerWord reports whether low, the lower case of b, holds a filler.
func fillerWord(low, b []byte) bool {
	for i := 0; i+1 < len(low); i++ {
		h := pair(low[i], low[i+1])
		if fillerStarts[h/64]>>(h%64)&1 == 0 {
			continue
		}
		for _, f := range fillers {
			end := i + len(f)
			if low[i] != f[0] || end > len(low) || string(low[i:end]) != f {
				continue
			}
			if len(f) > 4 || !letter(f[0]) || f[0] == 'x' || wordAt(b, i, end) || len(b) < randomLength || Entropy(b) < randomEntropy {
				return true
			}
		}
	}
	return false
}

// wordAt reports whether b[from:to] is a word by itself: in one case but for its first letter, with a mark beside it, or with no letter around it but such of
// the other case.
func wordAt(b []byte, from, to int) bool {
	for i := from + 2; i < to; i++ {
		if small(b[i]) != small(b[from+1]) {
			return false
		}
	}
	if small(b[from]) && !small(b[from+1]) {
		return false
	}
	if from > 0 && mark(b[from-1]) || to < len(b) && mark(b[to]) {
		return true
	}
	begins := from == 0 || !letter(b[from-1]) || small(b[from-1]) && !small(b[from])
	return begins && (to == len(b) || !letter(b[to]) || small(b[to-1]) && !small(b[to]))
}

func mark(c byte) bool { return !letter(c) && (c < '0' || c > '9') }

func small(c byte) bool { return c >= 'a' && c <= 'z' }

// Placeholder reports whether a value stands for a secret and is none: a filler word, one character over and over, a variable.
func Placeholder(b []byte) bool {
	if len(b) == 0 || Filler(b) {
		return true
	}
	switch b[0] {
	case '$', '<', '%', '{':
		return true
	}
	return bytes.Contains(b, []byte("${")) || bytes.Contains(b, []byte("{{")) || bytes.Contains(b, []byte("$(")) || bytes.Contains(b, []byte("..."))
}

// Filler reports whether b holds a word of documentation or a run that nobody draws at random.
func Filler(b []byte) bool {
	var buf [128]byte
	low := buf[:copy(buf[:], b)]
	for i, c := range low {
		if c-'A' < 26 {
			low[i] = c + 'a' - 'A'
		}
	}
	if fillerWord(low, b) {
		return true
	}
	// Of a long value the run has to be a quarter: some tokens begin with a row of zero bits, the AAAA of base64.
	least := max(8, (len(low)+3)/4)
	for i := least - 1; i < len(low); {
		run := 1
		for run < least && low[i-run] == low[i] {
			run++
		}
		if run == least {
			return true
		}
		i += least - run // No run that is long enough ends before.
	}
	return len(low) >= 12 && few(low)
}

// few reports whether b is made of no more than four characters.
func few(b []byte) bool {
	var seen [4]byte
	n := 0
	for i, c := range b {
		if i > 0 && c == b[i-1] || bytes.IndexByte(seen[:n], c) >= 0 {
			continue
		}
		if n == len(seen) {
			return false
		}
		seen[n] = c
		n++
	}
	return true
}

type mix struct{ lower, upper, digit, other int }

func classes(b []byte) (m mix) {
	for _, c := range b {
		switch {
		case c >= 'a' && c <= 'z':
			m.lower++
		case c >= 'A' && c <= 'Z':
			m.upper++
		case c >= '0' && c <= '9':
			m.digit++
		default:
			m.other++
		}
	}
	return m
}

func (m mix) kinds() int {
	n := 0
	for _, c := range []int{m.lower, m.upper, m.digit, m.other} {
		if c > 0 {
			n++
		}
	}
	return n
}

// words are whole values that name a thing and are no secret, in lower case.
var words = map[string]bool{
	"password": true, "passwort": true, "secret": true, "token": true, "none": true, "null": true, "true": true, "false": true, "string": true,
	"undefined": true, "required": true, "optional": true, "default": true, "hidden": true, "invalid": true, "incorrect": true, "missing": true,
	"expired": true, "username": true, "passwd": true, "prompt": true, "testing": true, "disabled": true, "enabled": true, "unknown": true,
	"password1": true, "password123": true, "test1234": true, "readonly": true,
}

// Password judges a value assigned to the name of a password. Pass: at least three kinds of characters, or two and eight characters. Words,
// code and placeholders are rejected.
func Password(b []byte) Verdict {
	if len(b) < 6 || Placeholder(b) || expression(b) {
		return Reject
	}
	m := classes(b)
	if m.kinds() == 1 && len(b) < 16 || m.other == len(b) || word(b) || asked(b) {
		return Reject
	}
	if m.kinds() >= 3 || m.digit > 0 && len(b) >= 8 {
		return Pass
	}
	if m.digit == 0 && m.upper+m.other == 0 {
		return Reject // Lower-case words only: prose and names of fields.
	}
	if m.digit == 0 && (m.other == 0 || bytes.ContainsAny(b, "_-./:")) {
		return Reject // Words of one case or another, names and paths.
	}
	return Unknown
}

// asked reports whether b is a word in lower case at the end of a question or a cry: "what was the password again?".
func asked(b []byte) bool {
	b, mark := b[:len(b)-1], b[len(b)-1]
	return (mark == '?' || mark == '!') && classes(b).lower == len(b)
}

// Key judges a value assigned to the name of a key or token: drawn at random or not. Names, paths, versions, dates and identifiers are rejected.
func Key(b []byte) Verdict {
	if Placeholder(b) || expression(b) || word(b) {
		return Reject
	}
	m := classes(b)
	if m.digit == 0 || m.lower+m.upper == 0 || m.digit == 1 && len(b) > 24 || m.upper == 0 && m.digit*8 < len(b) {
		return Reject // Names with a number in them.
	}
	if len(b) == 36 && UUID(b) != Reject {
		return Unknown
	}
	h := Entropy(b)
	switch {
	case hexOnly(b) && h < 3.0, !hexOnly(b) && h < 3.3:
		return Reject
	case changes(b) < len(b)/5:
		return Reject // Long runs of one kind: words joined with a number.
	case h >= 3.6 || hexOnly(b) && len(b) >= 32:
		return Pass
	}
	return Unknown
}

func hexOnly(b []byte) bool {
	for _, c := range b {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
			return false
		}
	}
	return true
}

// changes counts the places where the kind of character changes.
func changes(b []byte) int {
	kind := func(c byte) int {
		switch {
		case c >= 'a' && c <= 'z':
			return 0
		case c >= 'A' && c <= 'Z':
			return 1
		case c >= '0' && c <= '9':
			return 2
		}
		return 3
	}
	n := 0
	for i := 1; i < len(b); i++ {
		if kind(b[i]) != kind(b[i-1]) {
			n++
		}
	}
	return n
}

func word(b []byte) bool {
	var buf [16]byte
	if len(b) > len(buf) {
		return false
	}
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		buf[i] = c
	}
	return words[string(buf[:len(b)])]
}

// expression reports whether a value is code: a call, an index, a dotted name.
func expression(b []byte) bool {
	if bytes.ContainsAny(b, "()[]") && bytes.ContainsAny(b, ".($[") && !bytes.ContainsAny(b, "!#%^&*") {
		return true
	}
	if bytes.Contains(b, []byte("://")) || bytes.Contains(b, []byte("->")) || bytes.Contains(b, []byte("::")) {
		return true
	}
	dots := 0
	for i, c := range b {
		switch {
		case c == '.' && i > 0 && i < len(b)-1:
			dots++
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '_':
		default:
			return false
		}
	}
	return dots > 0
}
