package dlp

import (
	"slices"

	"github.com/outband/outband/dlp/validate"
)

const (
	mnemonicReach = 64                        // bytes between the keyword and the nearest word of the phrase
	mnemonicGap   = 12                        // bytes between two words: a blank, the number of a list, the end of a line
	mnemonicWords = 6 + validate.MaxMnemonic  // words of a run that are looked at
	mnemonicBytes = mnemonicReach + 24*(8+12) // how far from the keyword a phrase may reach
	mnemonicTries = 16                        // checksums that are tried for one run
	mnemonicLeast = 12                        // words of the shortest phrase
)

// phraseRun is a run of words of BIP 39: their numbers and places.
type phraseRun struct {
	n      int
	number [mnemonicWords]int
	start  [mnemonicWords]int
	end    [mnemonicWords]int
}

// scanMnemonic confirms a recovery phrase near a keyword, behind it or else before it: 12 to 24 words of BIP 39 in a row whose checksum is right.
func scanMnemonic(s *state, r *rule, from, to int) {
	var run phraseRun
	if s.phrase(r, &run, to, min(len(s.text), to+mnemonicBytes), to+mnemonicReach) {
		return
	}
	if start := s.before(from); start >= 0 {
		s.phrase(r, &run, start, from, start)
	}
}

// phrase looks for a phrase in text[lo:hi] that starts at limit or before, and reports whether it found one.
func (s *state) phrase(r *rule, run *phraseRun, lo, hi, limit int) bool {
	run.n = 0
	for i := lo; i < hi; {
		start, end := nextWord(s.text[:hi], i)
		if run.n > 0 && !run.near(start) || run.n == mnemonicWords {
			if run.find(s, r) {
				return true
			}
			run.n = 0
		}
		if run.n == 0 && start > limit {
			return false
		}
		if !run.word(s.text, start, end) {
			if run.find(s, r) {
				return true
			}
			run.n = 0
		}
		if run.n == mnemonicLeast && repeats(run.number[:mnemonicLeast]) {
			return false
		}
		i = max(end, i+1)
	}
	return run.find(s, r)
}

// before returns where the run of words of BIP 39 that ends before the keyword at from starts, or -1.
func (s *state) before(from int) int {
	first, n := -1, 0
	var last [mnemonicLeast]int
	limit := max(0, from-mnemonicBytes)
	for i := from; i > limit; {
		end := i
		for end > limit && !isLetter(s.text[end-1]) {
			end--
		}
		start := end
		for start > limit && end-start < 10 && isLetter(s.text[start-1]) {
			start--
		}
		if start == end || first >= 0 && i-end > mnemonicGap || first < 0 && from-end > mnemonicReach/2 {
			return first
		}
		word := validate.MnemonicWord(s.text[start:end])
		if word < 0 && first >= 0 {
			return first
		}
		if word >= 0 {
			if n < len(last) {
				last[n] = word
			}
			if n++; n == len(last) && repeats(last[:]) {
				return -1
			}
			first = start
		}
		i = start
	}
	return first
}

// nextWord returns the span of the first word of t from i on; it is empty at the end of t.
func nextWord(t []byte, i int) (start, end int) {
	for i < len(t) && !isLetter(t[i]) {
		i++
	}
	start = i
	for i < len(t) && isLetter(t[i]) {
		i++
	}
	// The n of an escaped line end belongs to no word.
	if start > 0 && start < i && t[start-1] == '\\' && (t[start] == 'n' || t[start] == 'r' || t[start] == 't') {
		start++
	}
	return start, i
}

// near reports whether a word that starts at start belongs to the run.
func (p *phraseRun) near(start int) bool { return start-p.end[p.n-1] <= mnemonicGap }

// word appends the word at t[start:end] if it is one of BIP 39, and reports whether it is.
func (p *phraseRun) word(t []byte, start, end int) bool {
	if end-start > 8 {
		return false
	}
	n := validate.MnemonicWord(t[start:end])
	if n < 0 {
		return false
	}
	p.number[p.n], p.start[p.n], p.end[p.n] = n, start, end
	p.n++
	return true
}

// find looks for a phrase in the run, first where something other than one blank stands before it: a colon, a quote, a line end. Words that repeat
// were not drawn at random.
func (p *phraseRun) find(s *state, r *rule) bool {
	if p.n < mnemonicLeast {
		return false
	}
	tries := 0
	for _, anywhere := range []bool{false, true} {
		for first := 0; first+mnemonicLeast <= p.n; first++ {
			if free := first == 0 || p.start[first]-p.end[first-1] != 1; free == anywhere || repeats(p.number[first:first+mnemonicLeast]) {
				continue
			}
			for n := validate.MaxMnemonic; n >= mnemonicLeast; n -= 3 {
				if first+n > p.n {
					continue
				}
				if validate.MnemonicPhrase(p.number[first : first+n]) {
					s.add(candidate{rule: r, start: p.start[first], end: p.end[first+n-1], confidence: r.Confidence})
					return true
				}
				if tries++; tries == mnemonicTries {
					return false
				}
			}
		}
	}
	return false
}

// repeats reports whether fewer than eight of twelve words differ.
func repeats(words []int) bool {
	distinct := 0
	for i, w := range words {
		if !slices.Contains(words[:i], w) {
			distinct++
		}
	}
	return distinct < 8
}
