package dlp

import "github.com/outband/outband/dlp/validate"

const (
	mnemonicReach = 96                          // bytes between the keyword and the first word of the phrase
	mnemonicGap   = 12                          // bytes between two words: a blank, the number of a list, the end of a line
	mnemonicWords = 12 + validate.MaxMnemonic   // words of a run that are looked at
	mnemonicBytes = mnemonicReach + 24*(8+12+4) // how far behind the keyword a phrase ends
)

// phraseRun is a run of words of BIP 39: their numbers and places.
type phraseRun struct {
	n      int
	number [mnemonicWords]int
	start  [mnemonicWords]int
	end    [mnemonicWords]int
}

// scanMnemonic confirms a recovery phrase behind a keyword: 12 to 24 words of BIP 39 in a row whose checksum is right.
func scanMnemonic(s *state, r *rule, _, to int) {
	t := s.text[:min(len(s.text), to+mnemonicBytes)]
	var run phraseRun
	last := to
	for i := to; i < len(t); {
		if !isLetter(t[i]) {
			i++
			continue
		}
		start, end := i, i
		for end < len(t) && isLetter(t[end]) {
			end++
		}
		// The n of an escaped line end belongs to no word.
		if t[start-1] == '\\' && (t[start] == 'n' || t[start] == 'r' || t[start] == 't') {
			start++
		}
		word := -1
		if end-start <= 8 {
			word = validate.MnemonicWord(t[start:end])
		}
		if word < 0 || run.n == mnemonicWords || run.n > 0 && start-last > mnemonicGap {
			if run.add(s, r) || end-to > mnemonicReach {
				return
			}
			run.n = 0
		}
		if word >= 0 {
			run.number[run.n], run.start[run.n], run.end[run.n] = word, start, end
			run.n++
		}
		i, last = end, end
	}
	run.add(s, r)
}

// add looks for a phrase in the run, first where something other than one blank stands before it: a colon, a quote, a line end.
func (p *phraseRun) add(s *state, r *rule) bool {
	for _, anywhere := range []bool{false, true} {
		for first := 0; first+12 <= p.n; first++ {
			if !anywhere && first > 0 && p.start[first]-p.end[first-1] == 1 {
				continue
			}
			for n := validate.MaxMnemonic; n >= 12; n -= 3 {
				if first+n > p.n || !validate.MnemonicPhrase(p.number[first:first+n]) {
					continue
				}
				s.add(candidate{rule: r, start: p.start[first], end: p.end[first+n-1], confidence: r.Confidence})
				return true
			}
		}
	}
	return false
}
