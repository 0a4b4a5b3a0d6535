package dlp

import (
	"slices"

	"github.com/outband/outband/dlp/validate"
)

// scanPhrase takes a keyword itself, as a whole word.
func scanPhrase(s *state, r *rule, from, to int) {
	if s.bounded(from, to) {
		s.add(candidate{rule: r, start: from, end: to, confidence: r.Confidence})
	}
}

// base58 looks at the word around the first of its runs of digits, for addresses of 25 to 44 characters.
func (s *state) base58(from, to int) {
	const longest = 44
	t := s.text
	start, end := from, to
	for start > 0 && isLetter(t[start-1]) && from-start < longest {
		start--
	}
	if start > 0 && isWord(t[start-1]) {
		return
	}
	for end < len(t) && (isLetter(t[end]) || isDigit(t[end])) && end-start <= longest {
		end++
	}
	n := end - start
	if n < 25 || n > longest || !s.bounded(start, end) || allDigits(t[start:end]) {
		return
	}
	for _, r := range s.engine.bases {
		if r.Length.Min <= n && n <= r.Length.Max && (len(r.Charset) == 0 || r.set[t[start]]) {
			s.current = r
			s.add(candidate{rule: r, start: start, end: end, confidence: r.Confidence})
		}
	}
	s.current = nil
}

func allDigits(b []byte) bool {
	return !slices.ContainsFunc(b, func(c byte) bool { return !isDigit(c) })
}

// compileBase58 reads the characters that an address starts with (charset) and its length.
func (r *rule) compileBase58() error {
	set, err := parseCharset(r.Charset)
	if err != nil {
		return r.fail("charset", 0, "%s", err)
	}
	r.set = set
	if r.Length.Min < 25 || r.Length.Max < r.Length.Min || r.Length.Max > 44 {
		return r.fail("length", 0, "length needs 25 <= min <= max <= 44")
	}
	return nil
}

// scanMonero confirms an address of 95 or 106 characters at the 4 or 8 that it starts with.
func scanMonero(s *state, r *rule, from, _ int) {
	const short, long = 95, 106
	t := s.text
	if t[from] != '4' && t[from] != '8' || from > 0 && isWord(t[from-1]) || from+short > len(t) || !isWord(t[from+short-1]) {
		return
	}
	end := from
	for end < len(t) && (isLetter(t[end]) || isDigit(t[end])) && end-from <= long {
		end++
	}
	if n := end - from; n == short || n == long {
		s.add(candidate{rule: r, start: from, end: end, confidence: r.Confidence})
	}
}

// scanTrack confirms the data of a magnetic stripe at its account number: %B number ^ name ^ expiry, or ; number = expiry (ISO/IEC 7813).
func scanTrack(s *state, r *rule, from, to int) {
	t := s.text
	if n := to - from; n < 13 || n > 19 || from == 0 || to >= len(t) {
		return
	}
	start, end := from-1, to+1
	switch {
	case t[start] == ';' && t[to] == '=':
	case t[start] == 'B' && start > 0 && t[start-1] == '%' && t[to] == '^':
		start--
		for end < len(t) && end-to <= 27 && t[end] != '^' && t[end] >= ' ' {
			end++
		}
		if end >= len(t) || t[end] != '^' || end-to < 3 {
			return
		}
		end++
	default:
		return
	}
	first := end
	for end < len(t) && isDigit(t[end]) && end-first < 40 {
		end++
	}
	if end-first < 7 {
		return // Expiry and service code have seven digits.
	}
	for end < len(t) && t[end] > ' ' && t[end] != '?' && t[end] < 0x7f && t[end] != '"' && end-first < 40 {
		end++
	}
	if end < len(t) && t[end] == '?' {
		end++
	}
	s.add(candidate{rule: r, start: start, end: end, confidence: r.Confidence})
}

// hexStart returns where the word of hexadecimal digits, colons and hyphens begins whose first decimal digits stand at i; -1 when it has others
// before.
func (s *state) hexStart(i int) int {
	start := i
	for start > 0 && i-start < 40 {
		c := s.text[start-1]
		if isDigit(c) {
			return -1
		}
		if c != ':' && c != '-' && (c|0x20 < 'a' || c|0x20 > 'f') {
			break
		}
		start--
	}
	return start
}

// scanMAC confirms six pairs of hexadecimal digits at the first of their decimal digits.
func scanMAC(s *state, r *rule, from, _ int) {
	start := s.hexStart(from)
	if start < 0 || start+17 > len(s.text) || s.text[start+2] != ':' && s.text[start+2] != '-' || start > 0 && isWord(s.text[start-1]) {
		return
	}
	end := start + 17
	if end < len(s.text) && (isWord(s.text[end]) || s.text[end] == s.text[start+2]) {
		return
	}
	s.add(candidate{rule: r, start: start, end: end, confidence: r.Confidence})
}

// scanIPv6 confirms an address of hexadecimal groups at the first of its decimal digits.
func scanIPv6(s *state, r *rule, from, _ int) {
	start := s.hexStart(from)
	if start < 0 || start+6 > len(s.text) || s.text[start]|0x20 != 'f' || start > 0 && (isWord(s.text[start-1]) || s.text[start-1] == '.') {
		return
	}
	end := start
	for end < len(s.text) && end-start < 46 && (s.text[end] == ':' || isDigit(s.text[end]) || s.text[end]|0x20 >= 'a' && s.text[end]|0x20 <= 'f') {
		end++
	}
	for end > start && s.text[end-1] == ':' && s.text[end-2] != ':' {
		end--
	}
	if end < len(s.text) && isWord(s.text[end]) {
		return
	}
	s.add(candidate{rule: r, start: start, end: end, confidence: r.Confidence})
}

// scanMRZ confirms the second line of a passport's machine-readable zone at its date of birth.
func scanMRZ(s *state, r *rule, from, to int) {
	const before, length = 13, 44
	start := from - before
	if to-from != 7 || start < 0 || start+length > len(s.text) {
		return
	}
	switch s.text[to] {
	case 'M', 'F', 'X', '<':
	default:
		return
	}
	if slices.ContainsFunc(s.text[start:start+length], func(c byte) bool { return !isUpper(c) && !isDigit(c) && c != '<' }) || !s.bounded(start, start+length) {
		return
	}
	s.add(candidate{rule: r, start: start, end: start + length, confidence: r.Confidence})
}

// scanVIN confirms a vehicle identification number at the digits that it ends with.
func scanVIN(s *state, r *rule, from, to int) {
	const length = 17
	start := to - length
	if to-from < 4 || to-from > 12 || start < 0 || !isUpper(s.text[from-1]) || !s.bounded(start, to) {
		return
	}
	if !slices.ContainsFunc(s.text[start:to], func(c byte) bool { return !isUpper(c) && !isDigit(c) }) {
		s.add(candidate{rule: r, start: start, end: to, confidence: r.Confidence})
	}
}

// hostByte reports whether c is part of a host name.
func hostByte(c byte) bool { return isLetter(c) || isDigit(c) || c == '-' || c == '.' }

// host returns where the name begins that ends with the suffix at [from, to); -1 when it is none, or goes on.
func (s *state) host(from, to int) int {
	t := s.text
	if isUpper(t[from+1]) {
		return -1 // codes.Internal is no host.
	}
	if to < len(t) && (isWord(t[to]) || t[to] == '-' || t[to] == '(' || t[to] == '.' && to+1 < len(t) && isWord(t[to+1])) {
		return -1
	}
	start := from
	for start > 0 && from-start < 200 && hostByte(t[start-1]) {
		start--
	}
	for start < from && (t[start] == '.' || t[start] == '-') {
		start++
	}
	if start == from || start > 0 && isWord(t[start-1]) {
		return -1
	}
	return start
}

// scanHost confirms the name of a host at its suffix, which is the keyword.
func scanHost(s *state, r *rule, from, to int) {
	if start := s.host(from, to); start >= 0 {
		s.add(candidate{rule: r, start: start, end: to, confidence: r.Confidence})
	}
}

// scanInternalURL confirms a URL at the suffix of its host, or at "://" and the start of a private address.
func scanInternalURL(s *state, r *rule, from, to int) {
	const longest = 160 // bytes of port and path
	t := s.text
	scheme, end := from, to
	if t[from] == ':' {
		for end < len(t) && end-from < 20 && (isDigit(t[end]) || t[end] == '.') {
			end++
		}
		if validate.PrivateIPv4(t[from+len("://"):end]) != validate.Pass {
			return
		}
	} else {
		scheme = s.host(from, to) - len("://")
		if scheme < 0 || string(t[scheme:scheme+3]) != "://" {
			return
		}
	}
	start := scheme
	for start > 0 && scheme-start < 5 && isLetter(t[start-1]) {
		start--
	}
	if w := t[start:scheme]; len(w) < 4 || len(w) > 5 || !equalFold(w, "https"[:len(w)]) {
		return
	}
	if end < len(t) && (t[end] == ':' || t[end] == '/') {
		for limit := end + longest; end < len(t) && end < limit && urlByte(t[end]) && t[end] != ')' && t[end] != ']'; {
			end++
		}
		for t[end-1] == '.' || t[end-1] == ',' || t[end-1] == ':' || t[end-1] == ';' {
			end--
		}
	}
	s.add(candidate{rule: r, start: start, end: end, confidence: r.Confidence})
}

// compilePostcode reads the expression of an address and the characters that one starts with (charset).
func (r *rule) compilePostcode() error {
	set, err := parseCharset(r.Charset)
	if err != nil || r.Charset == "" {
		return r.fail("charset", 0, "charset names the characters that an address starts with")
	}
	info, err := r.analyse("pattern", r.Pattern, 0)
	if err != nil {
		return err
	}
	r.set, r.longest = set, info.longest
	r.pattern = info.anchored()
	return nil
}

// behindStreet reports whether b ends as what stands between a street and a postcode does.
func behindStreet(b []byte) bool {
	n := len(b)
	return n > 1 && (b[n-1] == '\n' || b[n-1] == ',' || b[n-1] == '-' || b[n-1] == ' ' && (b[n-2] == ',' || b[n-2] == '-'))
}

// scanPostcode confirms an address at its postcode of five digits, with a town behind it. It starts at one of the nearest words before that begin
// with the charset.
func scanPostcode(s *state, r *rule, from, to int) {
	const before, behind, tries = 80, 48, 4
	t := s.text
	if to-from != 5 || to+2 > len(t) || t[to] != ' ' || !isUpper(t[to+1]) && t[to+1] < 0x80 || !behindStreet(t[max(0, from-3):from]) {
		return
	}
	n := 0
	for at := from - 1; at >= max(0, from-before) && n < tries; at-- {
		if !r.set[t[at]] || at > 0 && isWord(t[at-1]) {
			continue
		}
		n++
		if end, _ := r.pattern.find(t[at:min(len(t), to+behind)]); at+end >= to && s.bounded(at, at+end) {
			s.add(candidate{rule: r, start: at, end: at + end, confidence: r.Confidence})
			return
		}
	}
}
