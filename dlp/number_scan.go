package dlp

import "slices"

// scanIBAN confirms an IBAN at the two digits behind its country letters.
func scanIBAN(s *state, r *rule, from, _ int) {
	start := from - 2
	if start < 0 || !ibanStart(s.text[start:from]) || start > 0 && isWord(s.text[start-1]) {
		return
	}
	want := ibanLength(s.text[start], s.text[start+1])
	n, i := 0, start
	for ; i < len(s.text) && n < want; i++ {
		switch c := s.text[i]; {
		case isDigit(c) || isLetter(c):
			n++
		case (c == ' ' || c == '-') && n >= 4 && s.text[i-1] != c:
		default:
			return
		}
	}
	if n == want && want > 0 && s.bounded(start, i) {
		s.add(candidate{rule: r, start: start, end: i, confidence: r.Confidence})
	}
}

// scanBitcoin confirms an address at its first run of digits, which is the version or the 1 of bc1.
func scanBitcoin(s *state, r *rule, from, _ int) {
	start := from
	switch c := s.text[from]; {
	case c == '1' && from > 1 && (s.text[from-2] == 'b' && s.text[from-1] == 'c' || s.text[from-2] == 'B' && s.text[from-1] == 'C'):
		start -= 2
	case c != '1' && c != '3':
		return
	}
	if start > 0 && isWord(s.text[start-1]) {
		return
	}
	end := from
	for end < len(s.text) && end-start <= 90 && (isDigit(s.text[end]) || isLetter(s.text[end])) {
		end++
	}
	if n := end - start; n >= 26 && n <= 90 && (n <= 35 || start < from) && s.bounded(start, end) {
		s.add(candidate{rule: r, start: start, end: end, confidence: r.Confidence})
	}
}

// scanEthereum confirms 0x and forty hexadecimal digits.
func scanEthereum(s *state, r *rule, from, to int) {
	end := from + 42
	if to != from+1 || end > len(s.text) || s.text[from] != '0' || s.text[from+1] != 'x' || !s.bounded(from, end) {
		return
	}
	if !slices.ContainsFunc(s.text[from+2:end], func(c byte) bool { return !isDigit(c) && (c|0x20 < 'a' || c|0x20 > 'f') }) {
		s.add(candidate{rule: r, start: from, end: end, confidence: r.Confidence})
	}
}

// separated is what the separators of an international number say: a person wrote it.
const separated = 0.15

// scanPhone confirms an international number: +, 8 to 15 digits, single separators.
func scanPhone(s *state, r *rule, from, _ int) {
	if from == 0 || s.text[from-1] != '+' || from > 1 && isWord(s.text[from-2]) {
		return
	}
	n, end, confidence := 0, from, r.Confidence
	for i := from; i < len(s.text) && i-from < 30; i++ {
		c := s.text[i]
		if isDigit(c) {
			if n++; n > 15 {
				return
			}
			end = i + 1
			continue
		}
		if c != ' ' && c != '-' && c != '.' && c != '(' && c != ')' && c != '/' || i > end+1 {
			break
		}
	}
	formed := end-from > n
	if formed {
		confidence += separated
	}
	if n >= 8 && s.bounded(from, end) {
		s.add(candidate{rule: r, start: from - 1, end: end, confidence: confidence, formed: formed})
	}
}

// scanIPv4 confirms four dotted numbers.
func scanIPv4(s *state, r *rule, from, to int) {
	if to-from > 3 || from > 0 && (isWord(s.text[from-1]) || s.text[from-1] == '.' || s.text[from-1] == '-') {
		return
	}
	end := from
	for end < len(s.text) && end-from < 16 && (isDigit(s.text[end]) || s.text[end] == '.') {
		end++
	}
	for end > from && s.text[end-1] == '.' {
		end--
	}
	if end < len(s.text) && (isWord(s.text[end]) || s.text[end] == '-') {
		return
	}
	s.add(candidate{rule: r, start: from, end: end, confidence: r.Confidence})
}
