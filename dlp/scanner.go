package dlp

import (
	"bytes"

	"github.com/outband/outband/dlp/validate"
)

// scanFunc confirms around a keyword, a run of digits or an @ at [from, to).
type scanFunc func(s *state, r *rule, from, to int)

// scanner says what wakes a scanner: its keywords, or nothing (runs of digits, @, or the matches of a whole text).
type scanner struct {
	scan     scanFunc
	keywords bool
	runs     runs
}

// runs says which runs of digits a scanner looks at. What is empty or 0 does not matter.
type runs struct {
	before, first, behind string // bytes, and classes: \a letters, \A capital letters, \x letters of hexadecimal numbers, \W what is in no word, or nothing
	least, most           int    // digits
}

// wakes tells the scanners of Engine.runs that look at a run of digits, as bits.
type wakes struct {
	before, first, behind [256]uint64
	length                [64]uint64 // the last also stands for longer runs
}

// maxRuns is how many scanners of runs of digits an engine can have.
const maxRuns = 64

func (w *wakes) add(n int, r runs) {
	for c := range 256 {
		for _, x := range []struct {
			to    *[256]uint64
			class string
		}{{&w.before, r.before}, {&w.first, r.first}, {&w.behind, r.behind}} {
			if inClass(x.class, byte(c)) {
				x.to[c] |= 1 << n
			}
		}
	}
	for length := range w.length {
		if length >= r.least && (r.most == 0 || length <= r.most) {
			w.length[length] |= 1 << n
		}
	}
}

func (w *wakes) at(before, first, behind byte, length int) uint64 {
	return w.before[before] & w.first[first] & w.behind[behind] & w.length[min(length, len(w.length)-1)]
}

// inClass reports whether a class of runs holds c; 0 stands for the edge of the text.
func inClass(class string, c byte) bool {
	for i := 0; i < len(class); i++ {
		in := class[i] == c
		if class[i] == '\\' {
			i++
			switch class[i] {
			case 'a':
				in = isLetter(c)
			case 'A':
				in = isUpper(c)
			case 'x':
				in = c|0x20 >= 'a' && c|0x20 <= 'f'
			case 'W':
				in = !isWord(c)
			}
		}
		if in {
			return true
		}
	}
	return class == ""
}

func scannerByName(name string) (scanner, bool) {
	switch name {
	case "number", "email", "email_list", "base58", "code":
		return scanner{}, true
	case "iban":
		return scanner{scan: scanIBAN, runs: runs{before: `\a`}}, true
	case "bitcoin":
		return scanner{scan: scanBitcoin, runs: runs{before: `\WcC`, first: "13"}}, true
	case "ethereum":
		return scanner{scan: scanEthereum, runs: runs{first: "0", behind: "x", most: 1}}, true
	case "phone":
		return scanner{scan: scanPhone, runs: runs{before: "+"}}, true
	case "ipv4":
		return scanner{scan: scanIPv4, runs: runs{before: `\W`, behind: ".", most: 3}}, true
	case "ipv6":
		return scanner{scan: scanIPv6, runs: runs{before: `\x:-`}}, true
	case "mac":
		return scanner{scan: scanMAC, runs: runs{before: `\W\x`, most: 2}}, true
	case "monero":
		return scanner{scan: scanMonero, runs: runs{before: `\W`, first: "48"}}, true
	case "track":
		return scanner{scan: scanTrack, runs: runs{before: ";B", behind: "=^", least: 13, most: 19}}, true
	case "mrz":
		return scanner{scan: scanMRZ, runs: runs{behind: "MFX<", least: 7, most: 7}}, true
	case "vin":
		return scanner{scan: scanVIN, runs: runs{before: `\A`, least: 4, most: 12}}, true
	case "postcode":
		return scanner{scan: scanPostcode, runs: runs{behind: " ", least: 5, most: 5}}, true
	case "host":
		return scanner{scan: scanHost, keywords: true}, true
	case "internal_url":
		return scanner{scan: scanInternalURL, keywords: true}, true
	case "phrase":
		return scanner{scan: scanPhrase, keywords: true}, true
	case "pem":
		return scanner{scan: scanPEM, keywords: true}, true
	case "service_account":
		return scanner{scan: scanServiceAccount, keywords: true}, true
	case "connection_string":
		return scanner{scan: scanConnectionString, keywords: true}, true
	case "mnemonic":
		return scanner{scan: scanMnemonic, keywords: true}, true
	}
	return scanner{}, hiddenKind(name) != 0
}

func (r *rule) compileScanner() error {
	sc, ok := scannerByName(r.Scanner)
	if !ok {
		return r.fail("scanner", 0, "unknown scanner")
	}
	if sc.keywords != (len(r.Keywords) > 0) {
		return r.fail("keywords", 0, "scanner %s wants keywords: %t", r.Scanner, sc.keywords)
	}
	r.scan, r.runs = sc.scan, sc.runs
	if r.Scanner == "connection_string" {
		r.ahead, r.aheadSize = newAnyLiteral(serverKeys), len("data source=")
	}
	if r.Scanner == "service_account" {
		r.ahead, r.aheadSize = exactLiteral(keyMark), len(keyMark)
	}
	if r.Scanner == "postcode" {
		return r.compilePostcode()
	}
	if r.Scanner == "base58" {
		return r.compileBase58()
	}
	if r.Scanner == "code" {
		return r.compileLines()
	}
	if len(r.Shapes) > 0 || r.Scanner == "number" {
		return r.compileShapes()
	}
	return nil
}

func ibanStart(b []byte) bool {
	return isUpper(b[0]) && isUpper(b[1]) || isLetter(b[0]) && isLetter(b[1]) && !isUpper(b[0]) && !isUpper(b[1])
}

func ibanLength(a, b byte) int { return validate.IBANLength(a&^0x20, b&^0x20) }

// ats looks at every @ for e-mail addresses.
func (s *state) ats() {
	if len(s.engine.mails) == 0 {
		return
	}
	for i := 0; ; i++ {
		n := bytes.IndexByte(s.text[i:], '@')
		if n < 0 || s.overdue() {
			return
		}
		i += n
		start, end := s.address(i)
		if end == 0 {
			continue
		}
		for _, r := range s.engine.mails {
			s.current = r
			s.add(candidate{rule: r, start: start, end: end, confidence: r.Confidence})
		}
		s.current = nil
	}
}

// address returns the span of the e-mail address around the @ at i, 0 and 0 when there is none.
func (s *state) address(i int) (int, int) {
	t := s.text
	start := i
	for start > 0 && i-start < 64 && localByte(t[start-1]) {
		start--
	}
	for start < i && (t[start] == '.' || t[start] == '-' || t[start] == '\'') {
		start++
	}
	if start == i || t[i-1] == '.' || i-start == 3 && string(t[start:i]) == "git" || start > 1 && t[start-1] == '/' && t[start-2] == '/' {
		return 0, 0
	}
	end, label, dot := i+1, i+1, 0
	for end < len(t) && end-i < 254 {
		c := t[end]
		if c == '.' {
			if end == label {
				break
			}
			dot, label = end, end+1
		} else if !isLetter(c) && !isDigit(c) && c != '-' {
			break
		}
		end++
	}
	if end == label && dot > 0 { // The full stop of a sentence.
		end = dot
		dot = bytes.LastIndexByte(t[i:end], '.')
		if dot < 0 {
			return 0, 0
		}
		dot += i
	}
	tld := 0
	for dot > 0 && dot+1+tld < end && isLetter(t[dot+1+tld]) {
		tld++
	}
	if tld < 2 || dot+1+tld != end || t[i+1] == '-' || fileSuffix(t[dot+1:end]) || end < len(t) && t[end] == '_' {
		return 0, 0
	}
	return start, end
}

func localByte(c byte) bool {
	return isWord(c) || c == '.' || c == '-' || c == '+' || c == '%' || c == '\''
}

// fileSuffix reports whether the last label is that of an image or source file, as in logo@2x.png.
func fileSuffix(b []byte) bool {
	switch string(b) {
	case "png", "jpg", "jpeg", "gif", "svg", "webp", "css", "js", "ts", "json", "html", "md", "py", "go", "yaml", "yml", "txt", "service", "local":
		return true
	}
	return false
}

// maxPEM is how far a private key may read on behind its first line, in bytes.
const maxPEM = 16 << 10

// scanPEM confirms an armoured private key at "-----BEGIN ".
func scanPEM(s *state, r *rule, from, to int) {
	if end := s.pem(from, to); end > 0 {
		s.add(candidate{rule: r, start: from, end: end, confidence: r.Confidence})
	}
}

func (s *state) pem(from, to int) int {
	t := s.text[:min(len(s.text), from+maxPEM)]
	label := bytes.Index(t[to:min(len(t), to+48)], []byte("-----"))
	if label < 0 {
		return 0
	}
	name := bytes.TrimSpace(t[to : to+label])
	if !bytes.HasSuffix(name, []byte("PRIVATE KEY")) && !bytes.HasSuffix(name, []byte("PRIVATE KEY BLOCK")) {
		return 0
	}
	body := to + label + 5
	// The next dashes end the key, or it is cut off: then it goes as far as its alphabet does. Looking no further keeps the work linear.
	end := bytes.Index(t[body:], []byte("-----"))
	cut := end < 0 || !bytes.HasPrefix(t[body+end+5:], []byte("END"))
	if cut {
		limit := len(t) - body
		if end >= 0 {
			limit = end
		}
		for end = 0; end < limit && pemByte(t[body+end]); {
			end++
		}
	}
	if count(t[body:body+end]) < 64 {
		return 0
	}
	if cut {
		return body + len(bytes.TrimRight(t[body:body+end], " \r\n\t-"))
	}
	stop := body + end + len("-----END")
	if n := bytes.Index(t[stop:min(len(t), stop+48)], []byte("-----")); n >= 0 {
		return stop + n + 5
	}
	return stop
}

func pemByte(c byte) bool {
	return isWord(c) || c == '+' || c == '/' || c == '=' || c == '\n' || c == '\r' || c == ' ' || c == '\t' || c == ':' || c == ',' || c == '-'
}

// count is the number of base64 characters in b.
func count(b []byte) int {
	n := 0
	for _, c := range b {
		if isLetter(c) || isDigit(c) || c == '+' || c == '/' {
			n++
		}
	}
	return n
}

// keyMark is what the first line of a private key begins with.
const keyMark = "-----BEGIN "

// scanServiceAccount confirms the key of a Google service account: the private key that stands within 4 KiB of "service_account".
func scanServiceAccount(s *state, r *rule, from, to int) {
	const reach = 4 << 10
	lo := max(0, from-reach)
	window := s.text[lo:min(len(s.text), to+reach)]
	if s.first(r, lo, lo+len(window)) < 0 {
		return // Windows that overlap are read once.
	}
	mark := []byte(keyMark)
	at := bytes.Index(window[to-lo:], mark)
	if at >= 0 {
		at += to
	} else if at = bytes.Index(window[:from-lo], mark); at >= 0 {
		at += lo
	} else {
		return
	}
	if !bytes.Contains(s.text[max(0, at-40):at], []byte("private_key")) {
		return
	}
	if end := s.pem(at, at+len(mark)); end > 0 {
		s.add(candidate{rule: r, start: at, end: end, confidence: r.Confidence})
	}
}

// scanConnectionString confirms a URL with a password at "://", and the lists of JDBC and ADO at "password=" or "pwd=".
func scanConnectionString(s *state, r *rule, from, to int) {
	if s.text[to-1] == '=' {
		s.keyValues(r, from, to)
		return
	}
	t := s.text
	start := from
	for start > 0 && from-start < 24 && (isLetter(t[start-1]) || isDigit(t[start-1]) || t[start-1] == '+' || t[start-1] == '-' || t[start-1] == '.') {
		start--
	}
	colon, at := 0, 0
	end := to
	for ; end < len(t) && end-to < 320 && urlByte(t[end]); end++ {
		switch t[end] {
		case '@':
			at = end
		case ':':
			if at == 0 && colon == 0 {
				colon = end
			}
		case '/':
			if at == 0 {
				return // The path starts before any @: there is no user part.
			}
		}
		if at > 0 && (t[end] == '/' || t[end] == '?') {
			break
		}
	}
	if start == from || colon == 0 || at < colon+2 || end < at+2 {
		return
	}
	for end > at+2 && (t[end-1] == '.' || t[end-1] == ')' || t[end-1] == ',' || t[end-1] == ':') {
		end--
	}
	password := t[colon+1 : at]
	c := candidate{rule: r, start: start, end: end, confidence: r.Confidence}
	if validate.Placeholder(password) {
		return
	}
	if validate.Password(password) == validate.Reject {
		c.confidence -= 0.35
	}
	s.add(c)
}

func urlByte(c byte) bool {
	return c > ' ' && c < 0x7f && c != '"' && c != '\'' && c != '<' && c != '>' && c != '`' && c != '\\' && c != '|'
}

// listEnds are the bytes that no list of keys and values goes on behind.
var listEnds = charset{'\n': true, '"': true, '\'': true, '<': true}

// listRun is the last list of keys and values that was looked at, as far as it was, and the key in it that was.
type listRun struct{ block, from, key, end int }

// list returns where the list of keys and values around [from, to) begins and ends, as far as 256 bytes away. What the last one had in common with it is not
// read again: that keeps the work linear when a text repeats a key.
func (s *state) list(from, to int) (start, end int) {
	const reach = 256
	t, m := s.text, &s.lastList
	if m.block != s.blocks || from < m.key || to > m.end {
		*m = listRun{s.blocks, from, from, to}
	}
	m.from, m.key = max(m.from, from-reach), from
	for m.from > 0 && from-m.from < reach && (!listEnds[t[m.from-1]] || t[m.from-1] == '<') {
		m.from--
	}
	for m.end < len(t) && m.end-to < reach && !listEnds[t[m.end]] {
		m.end++
	}
	return m.from, min(m.end, to+reach)
}

// keyValues confirms a connection string of the form key=value;key=value that names a server and holds a password.
func (s *state) keyValues(r *rule, from, to int) {
	t := s.text
	start, end := s.list(from, to)
	if bytes.IndexByte(t[start:end], ';') < 0 {
		return
	}
	stop := bytes.IndexByte(t[to:end], ';')
	password := t[to:end]
	if stop >= 0 {
		password = password[:stop]
	}
	password = bytes.TrimSpace(password)
	if len(password) < 3 || validate.Placeholder(password) {
		return
	}
	first := s.first(r, start, end)
	if first < 0 {
		return
	}
	end = to + len(bytes.TrimRight(t[to:end], " ;\r"))
	if begin := min(first, from); end > begin {
		s.add(candidate{rule: r, start: begin, end: end, confidence: r.Confidence})
	}
}

// serverKeys are the keys that name the server in a connection string.
var serverKeys = []string{"server=", "data source=", "host=", "jdbc:", "addr=", "address="}

// indexFold returns where lower stands in b without regard to case, or -1.
func indexFold(b []byte, lower string) int {
	for i := 0; i+len(lower) <= len(b); i++ {
		if equalFold(b[i:i+len(lower)], lower) {
			return i
		}
	}
	return -1
}
