package extract

import (
	"bytes"
	"math"
	"slices"
	"strconv"
)

// Objects of a PDF (ISO 32000-2, 7.3): nil, bool, int64, float64, pdfName, pdfString, []any, pdfDict, pdfRef, *pdfStream, and pdfOp for a bare word.
type (
	pdfName   string
	pdfString string
	pdfOp     string
	pdfDict   map[pdfName]any
	pdfRef    struct{ num, gen int }
	pdfStream struct {
		dict     pdfDict
		raw      []byte // as in the file, decrypted when it is decoded
		at       int64  // where raw begins in the file; the name of the stream
		num, gen int    // by which it is decrypted
	}
)

const (
	pdfNesting = 100     // arrays and dictionaries in one another
	pdfNodes   = 1 << 20 // values of one object: about 50 MiB at the most
)

// pdfLexer reads objects from bytes. It never fails: what cannot be read is skipped or nil, and it always moves on.
type pdfLexer struct {
	b     []byte
	pos   int
	nodes int // values made so far
	// open says that a string had no end. The next ones are looked for on their line only, or a file of open brackets would take quadratic time.
	open bool
}

// Kinds of bytes.
const (
	pdfRegular = iota
	pdfWhite
	pdfDelim
)

var pdfKind = func() (k [256]byte) {
	for _, c := range "\x00\t\n\f\r " {
		k[c] = pdfWhite
	}
	for _, c := range "()<>[]{}/%" {
		k[c] = pdfDelim
	}
	return k
}()

// space skips white space and comments.
func (l *pdfLexer) space() {
	for l.pos < len(l.b) {
		switch c := l.b[l.pos]; {
		case pdfKind[c] == pdfWhite:
			l.pos++
		case c == '%':
			for l.pos < len(l.b) && l.b[l.pos] != '\n' && l.b[l.pos] != '\r' {
				l.pos++
			}
		default:
			return
		}
	}
}

// word returns the regular characters that follow.
func (l *pdfLexer) word() []byte {
	from := l.pos
	for l.pos < len(l.b) && pdfKind[l.b[l.pos]] == pdfRegular {
		l.pos++
	}
	return l.b[from:l.pos]
}

// end is what object returns behind the last one.
type pdfEnd struct{}

// closer is what object returns for a ] or >> or } that closes nothing it began.
type pdfCloser byte

// object reads the next one. refs says that `1 0 R` is one: so in files, not in content streams.
func (l *pdfLexer) object(refs bool, depth int) any {
	l.space()
	if l.pos >= len(l.b) {
		return pdfEnd{}
	}
	l.nodes++
	c := l.b[l.pos]
	switch c {
	case '/':
		l.pos++
		return l.name()
	case '(':
		l.pos++
		return l.literal()
	case '<':
		if l.pos+1 < len(l.b) && l.b[l.pos+1] == '<' {
			l.pos += 2
			return l.dict(refs, depth)
		}
		l.pos++
		return l.hex()
	case '>':
		l.pos++
		if l.pos < len(l.b) && l.b[l.pos] == '>' {
			l.pos++
		}
		return pdfCloser('>')
	case '[':
		l.pos++
		return l.array(refs, depth)
	case ']', ')', '{', '}':
		l.pos++
		return pdfCloser(c)
	}
	w := l.word()
	if n, ok := pdfNumber(w); ok {
		if i, is := n.(int64); is && refs && i >= 0 && i < math.MaxInt32 {
			if r, ok := l.ref(int(i)); ok {
				return r
			}
		}
		return n
	}
	switch string(w) {
	case "true":
		return true
	case "false":
		return false
	case "null":
		return nil
	}
	return pdfOp(w)
}

// ref reads the rest of `12 0 R`, or nothing.
func (l *pdfLexer) ref(num int) (pdfRef, bool) {
	from := l.pos
	l.space()
	w := l.word()
	if len(w) > 0 && len(w) <= 5 {
		if gen, err := strconv.Atoi(string(w)); err == nil && gen >= 0 {
			l.space()
			if l.pos < len(l.b) && l.b[l.pos] == 'R' && (l.pos+1 == len(l.b) || pdfKind[l.b[l.pos+1]] != pdfRegular) {
				l.pos++
				return pdfRef{num, gen}, true
			}
		}
	}
	l.pos = from
	return pdfRef{}, false
}

func (l *pdfLexer) array(refs bool, depth int) any {
	out := []any{}
	for depth < pdfNesting && l.nodes < pdfNodes {
		from := l.pos
		v := l.object(refs, depth+1)
		if l.ends(v, ']', from) {
			return out
		}
		if v == pdfCloser('>') { // The array was never closed; the dictionary around it is.
			l.pos = from
			return out
		}
		if isPDFValue(v) {
			out = append(out, v)
		}
	}
	return out
}

func (l *pdfLexer) dict(refs bool, depth int) any {
	out := pdfDict{}
	for depth < pdfNesting && l.nodes < pdfNodes {
		from := l.pos
		key := l.object(refs, depth+1)
		if l.ends(key, '>', from) {
			return out
		}
		k, ok := key.(pdfName)
		if !ok {
			continue
		}
		from = l.pos
		v := l.object(refs, depth+1)
		if l.ends(v, '>', from) {
			return out
		}
		if _, twice := out[k]; isPDFValue(v) && (!twice || v != nil) {
			out[k] = v
		}
	}
	return out
}

// ends reports whether what was read from a place in an array or a dictionary ends it: its closer, the end of the file, or a word that stands in neither and
// is read again.
func (l *pdfLexer) ends(v any, closer pdfCloser, from int) bool {
	switch v := v.(type) {
	case pdfEnd:
		return true
	case pdfCloser:
		return v == closer
	case pdfOp:
		if v == "endobj" || v == "stream" || v == "endstream" {
			l.pos = from
			return true
		}
	}
	return false
}

// isPDFValue reports whether what was read is a value, and no sign or word of the syntax.
func isPDFValue(v any) bool {
	switch v.(type) {
	case pdfEnd, pdfCloser, pdfOp:
		return false
	}
	return true
}

func (l *pdfLexer) name() pdfName {
	w := l.word()
	if bytes.IndexByte(w, '#') < 0 {
		return pdfName(w)
	}
	out := make([]byte, 0, len(w))
	for i := 0; i < len(w); i++ {
		if w[i] == '#' && i+2 < len(w) {
			hi, lo := pdfHexDigit(w[i+1]), pdfHexDigit(w[i+2])
			if hi >= 0 && lo >= 0 {
				out = append(out, byte(hi<<4|lo))
				i += 2
				continue
			}
		}
		out = append(out, w[i])
	}
	return pdfName(out)
}

// literal reads a string in parentheses, behind the first.
func (l *pdfLexer) literal() pdfString {
	from, open := l.pos, 1
	plain := true
	for ; !l.open && l.pos < len(l.b); l.pos++ {
		switch l.b[l.pos] {
		case '\\':
			plain = false
			l.pos++
		case '\r':
			plain = false
		case '(':
			open++
		case ')':
			if open--; open == 0 {
				s := l.b[from:l.pos]
				l.pos++
				if plain {
					return pdfString(s)
				}
				return pdfUnescape(s)
			}
		}
	}
	l.open = true // No end: the line is all that can be told to be the string.
	s := l.b[from:]
	if i := slices.IndexFunc(s, func(c byte) bool { return c == '\r' || c == '\n' }); i >= 0 {
		s = s[:i]
	}
	l.pos = from + len(s)
	s = bytes.TrimSuffix(s, []byte(")"))
	return pdfUnescape(s)
}

func pdfUnescape(s []byte) pdfString {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '\r' { // Any line end is one \n.
			if i+1 < len(s) && s[i+1] == '\n' {
				i++
			}
			c = '\n'
		}
		if c != '\\' || i+1 >= len(s) {
			out = append(out, c)
			continue
		}
		i++
		switch c = s[i]; c {
		case 'n':
			c = '\n'
		case 'r':
			c = '\r'
		case 't':
			c = '\t'
		case 'b':
			c = '\b'
		case 'f':
			c = '\f'
		case '\n':
			continue
		case '\r':
			if i+1 < len(s) && s[i+1] == '\n' {
				i++
			}
			continue
		case '0', '1', '2', '3', '4', '5', '6', '7':
			n := int(c - '0')
			for j := 0; j < 2 && i+1 < len(s) && s[i+1] >= '0' && s[i+1] <= '7'; j++ {
				i++
				n = n<<3 | int(s[i]-'0')
			}
			c = byte(n)
		}
		out = append(out, c)
	}
	return pdfString(out)
}

// hex reads a string in angle brackets, behind the first.
func (l *pdfLexer) hex() pdfString {
	end := bytes.IndexByte(l.b[l.pos:], '>')
	if end < 0 {
		end = len(l.b) - l.pos
	}
	s := l.b[l.pos : l.pos+end]
	l.pos = min(l.pos+end+1, len(l.b))
	out := make([]byte, 0, len(s)/2+1)
	half := -1
	for _, c := range s {
		d := pdfHexDigit(c)
		switch {
		case d < 0:
		case half < 0:
			half = d
		default:
			out = append(out, byte(half<<4|d))
			half = -1
		}
	}
	if half >= 0 {
		out = append(out, byte(half<<4))
	}
	return pdfString(out)
}

func pdfHexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// pdfNumber reads a number as lenient readers do: `--5`, `.5`, `5.`, `1-2` are ones.
func pdfNumber(w []byte) (any, bool) {
	if len(w) == 0 || len(w) > 400 {
		return nil, false
	}
	i, neg := 0, false
	for i < len(w) && (w[i] == '+' || w[i] == '-') {
		neg = neg || w[i] == '-'
		i++
	}
	if i == len(w) {
		return nil, false
	}
	var whole float64
	var n int64
	digits := 0
	for ; i < len(w) && w[i] >= '0' && w[i] <= '9'; i++ {
		whole = whole*10 + float64(w[i]-'0')
		if n < math.MaxInt64/10-1 {
			n = n*10 + int64(w[i]-'0')
		} else {
			n = math.MaxInt64 / 10
		}
		digits++
	}
	if i == len(w) {
		if neg {
			n = -n
		}
		return n, true
	}
	if w[i] == '-' && digits > 0 {
		if neg {
			n = -n
		}
		return n, true
	}
	if w[i] != '.' {
		return nil, false
	}
	scale := 0.1
	for i++; i < len(w) && w[i] >= '0' && w[i] <= '9'; i++ {
		whole += float64(w[i]-'0') * scale
		scale /= 10
		digits++
	}
	if i < len(w) && w[i] != '-' && w[i] != '.' || digits == 0 && len(w) > 1 {
		return nil, false
	}
	if neg {
		whole = -whole
	}
	return whole, true
}
