package extract

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// Bounds of one XML part, in bytes unless said otherwise.
const (
	xmlChunk   = 32 << 10 // of text that is given at once
	xmlTag     = 4 << 20  // one tag with its attributes
	xmlDepth   = 10_000   // elements in one another
	xmlNameMax = 1 << 10  // name of an element or attribute
)

// xmlToken is what xmlReader found next.
type xmlToken byte

const (
	xmlEOF xmlToken = iota
	xmlStart
	xmlEnd     // also after the start of an element that is empty
	xmlText    // text of an element, perhaps not all of it
	xmlComment // comment, processing instruction or document type
)

type xmlAttr struct{ prefix, name, value []byte }

// xmlReader reads XML as a stream, in memory that is bounded by one tag. It takes what office programs take and more: it expands no entity but those that
// XML itself has, reads no document type, and does not mind an end tag of another name.
type xmlReader struct {
	r       *bufio.Reader
	prefix  []byte    // of the element, if it has one
	name    []byte    // of the element that starts or ends, without prefix
	attrs   []xmlAttr // of the element that starts
	text    []byte    // of xmlText and xmlComment; valid until the next call
	buf     []byte
	ended   []byte
	stack   []byte // names of the open elements
	ends    []int
	closing bool // the element that started is empty
	cdata   bool
	started bool
}

func newXMLReader(r io.Reader) *xmlReader {
	b := bufio.NewReaderSize(r, 64<<10)
	head, _ := b.Peek(256) // An error comes again when it is read.
	switch {
	case bytes.HasPrefix(head, []byte("\xef\xbb\xbf")):
		discard(b, 3)
	case bytes.HasPrefix(head, []byte("\xff\xfe")), bytes.HasPrefix(head, []byte("<\x00")):
		b = bufio.NewReaderSize(transform.NewReader(b, unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewDecoder()), 64<<10)
	case bytes.HasPrefix(head, []byte("\xfe\xff")), bytes.HasPrefix(head, []byte("\x00<")):
		b = bufio.NewReaderSize(transform.NewReader(b, unicode.UTF16(unicode.BigEndian, unicode.UseBOM).NewDecoder()), 64<<10)
	case bytes.HasPrefix(head, []byte("<?xml")):
		decl, _, _ := bytes.Cut(head, []byte("?>"))
		_, v, ok := bytes.Cut(decl, []byte("encoding="))
		if !ok || len(v) < 2 {
			break
		}
		name, _, _ := bytes.Cut(v[1:], v[:1])
		low := strings.ToLower(string(name))
		if e, err := htmlindex.Get(low); err == nil && low != "utf-8" && !strings.HasPrefix(low, "utf-16") {
			b = bufio.NewReaderSize(transform.NewReader(b, e.NewDecoder()), 64<<10)
		}
	}
	return &xmlReader{r: b}
}

// discard skips n bytes that were peeked at.
func discard(b *bufio.Reader, n int) {
	if _, err := b.Discard(n); err != nil {
		return // The reader gives its error again.
	}
}

// next returns what comes next. At the end of the part that is xmlEOF; a part that ends within an element is malformed.
func (x *xmlReader) next() (xmlToken, error) {
	if x.closing {
		x.closing = false
		x.pop()
		return xmlEnd, nil
	}
	if x.cdata {
		return x.cdataText()
	}
	for {
		c, err := x.r.ReadByte()
		if errors.Is(err, io.EOF) {
			if len(x.ends) > 0 || !x.started {
				return xmlEOF, errMalformed
			}
			return xmlEOF, nil
		}
		if err != nil {
			return xmlEOF, err
		}
		if c != '<' {
			if err := x.r.UnreadByte(); err != nil {
				return xmlEOF, err
			}
			return x.chars()
		}
		tok, ok, err := x.markup()
		if err != nil {
			return xmlEOF, malformedEOF(err)
		}
		if ok {
			return tok, nil
		}
	}
}

func malformedEOF(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errMalformed
	}
	return err
}

// chars reads text up to the next tag, or a chunk of it.
func (x *xmlReader) chars() (xmlToken, error) {
	x.text = x.text[:0]
	for len(x.text) < xmlChunk {
		if _, err := x.r.Peek(1); err != nil {
			if errors.Is(err, io.EOF) {
				break
			}
			return xmlEOF, err
		}
		b, _ := x.r.Peek(min(x.r.Buffered(), xmlChunk))
		n := bytes.IndexAny(b, "<&")
		if n < 0 {
			n = len(b)
		}
		x.text = append(x.text, b[:n]...)
		discard(x.r, n)
		if n == len(b) {
			continue
		}
		if b[n] == '<' {
			break
		}
		x.text = x.entity(x.text)
	}
	return xmlText, nil
}

// entity reads a reference that stands next, and appends what it stands for; one that XML does not define is kept as it is.
func (x *xmlReader) entity(to []byte) []byte {
	b, _ := x.r.Peek(12)
	n := bytes.IndexByte(b, ';')
	if n < 2 {
		discard(x.r, 1)
		return append(to, '&')
	}
	name := string(b[1:n])
	var c rune
	switch name {
	case "lt":
		c = '<'
	case "gt":
		c = '>'
	case "amp":
		c = '&'
	case "quot":
		c = '"'
	case "apos":
		c = '\''
	default:
		base, digits := 10, strings.TrimPrefix(name, "#")
		if strings.HasPrefix(digits, "x") {
			base, digits = 16, digits[1:]
		}
		v, err := strconv.ParseUint(digits, base, 21)
		if err != nil || name[0] != '#' || !utf8.ValidRune(rune(v)) {
			discard(x.r, 1)
			return append(to, '&')
		}
		c = rune(v)
	}
	discard(x.r, n+1)
	return utf8.AppendRune(to, c)
}

// markup reads what stands behind a <. ok is false for what gives nothing.
func (x *xmlReader) markup() (tok xmlToken, ok bool, err error) {
	b, err := x.r.Peek(1)
	if err != nil {
		return 0, false, err
	}
	switch b[0] {
	case '!':
		b, _ = x.r.Peek(8)
		switch {
		case bytes.HasPrefix(b, []byte("!--")):
			discard(x.r, 3)
			err = x.until("-->")
		case bytes.HasPrefix(b, []byte("![CDATA[")):
			discard(x.r, 8)
			x.cdata = true
			tok, err = x.cdataText()
			return tok, true, err
		default:
			err = x.doctype()
		}
		return xmlComment, len(bytes.TrimSpace(x.text)) > 0, err
	case '?':
		discard(x.r, 1)
		err = x.until("?>")
		return xmlComment, len(x.text) > 0 && !bytes.HasPrefix(x.text, []byte("xml ")) && !bytes.HasPrefix(x.text, []byte("mso-application")), err
	case '/':
		if err := x.until(">"); err != nil {
			return 0, false, err
		}
		if len(x.ends) == 0 {
			return 0, false, nil
		}
		x.pop()
		return xmlEnd, true, nil
	}
	err = x.start()
	return xmlStart, true, err
}

// until collects up to an end, which is dropped.
func (x *xmlReader) until(end string) error {
	x.text = x.text[:0]
	last := end[len(end)-1]
	for len(x.text) < xmlTag {
		b, err := x.r.ReadSlice(last)
		x.text = append(x.text, b...)
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
		if bytes.HasSuffix(x.text, []byte(end)) {
			x.text = x.text[:len(x.text)-len(end)]
			return nil
		}
	}
	return errMemory
}

// doctype collects a document type with its internal subset: nothing of it is acted on, but text can stand in it.
func (x *xmlReader) doctype() error {
	x.text = x.text[:0]
	depth, quote := 1, byte(0)
	for len(x.text) < xmlTag {
		c, err := x.r.ReadByte()
		if err != nil {
			return err
		}
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '<' || c == '[':
			depth++
		case c == '>' || c == ']':
			if depth--; depth <= 0 {
				return nil
			}
		}
		x.text = append(x.text, c)
	}
	return errMemory
}

func (x *xmlReader) cdataText() (xmlToken, error) {
	x.text = x.text[:0]
	for len(x.text) < xmlChunk {
		b, err := x.r.ReadSlice('>')
		x.text = append(x.text, b...)
		if bytes.HasSuffix(x.text, []byte("]]>")) {
			x.text, x.cdata = x.text[:len(x.text)-3], false
			return xmlText, nil
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return xmlEOF, malformedEOF(err)
		}
	}
	// The end may stand astride two chunks: its first bytes go back into the reader's next chunk.
	for i := 2; i > 0; i-- {
		if tail, _ := x.r.Peek(3 - i); bytes.HasSuffix(x.text, []byte("]]>")[:i]) && string(tail) == "]]>"[i:] {
			discard(x.r, 3-i)
			x.text, x.cdata = x.text[:len(x.text)-i], false
			break
		}
	}
	return xmlText, nil
}

// start reads a start tag.
func (x *xmlReader) start() error {
	x.started = true
	x.buf, x.attrs = x.buf[:0], x.attrs[:0]
	prefix, name, err := x.qname()
	if err != nil {
		return err
	}
	x.prefix, x.name = prefix, name
	for {
		c, err := x.skipSpace()
		if err != nil {
			return err
		}
		switch c {
		case '>':
			return x.push()
		case '/':
			discard(x.r, 1)
			if c, err = x.skipSpace(); err != nil {
				return err
			}
			if c == '>' {
				x.closing = true
				return x.push()
			}
		default:
			if err := x.attribute(); err != nil {
				return err
			}
		}
		if len(x.buf) > xmlTag || len(x.attrs) > xmlDepth {
			return errMemory
		}
	}
}

func (x *xmlReader) skipSpace() (byte, error) {
	for {
		c, err := x.r.ReadByte()
		if err != nil {
			return 0, err
		}
		if c > ' ' {
			return c, x.r.UnreadByte()
		}
	}
}

// qname reads a name, up to what cannot be in one. At least one byte is taken.
func (x *xmlReader) qname() (prefix, name []byte, err error) {
	from, colon := len(x.buf), -1
	for n := 0; ; n++ {
		c, err := x.r.ReadByte()
		if err != nil {
			return nil, nil, err
		}
		if n > 0 && (c <= ' ' || c == '=' || c == '>' || c == '/') {
			if err := x.r.UnreadByte(); err != nil {
				return nil, nil, err
			}
			break
		}
		if n > xmlNameMax {
			return nil, nil, errMalformed
		}
		if c == ':' && colon < 0 {
			colon = len(x.buf) - from
		}
		x.buf = append(x.buf, c)
	}
	whole := x.buf[from:len(x.buf):len(x.buf)]
	if colon < 0 {
		return nil, whole, nil
	}
	return whole[:colon], whole[colon+1:], nil
}

func (x *xmlReader) attribute() error {
	prefix, name, err := x.qname()
	if err != nil {
		return err
	}
	c, err := x.skipSpace()
	if err != nil {
		return err
	}
	from := len(x.buf)
	if c == '=' {
		discard(x.r, 1)
		if c, err = x.skipSpace(); err != nil {
			return err
		}
		if c == '"' || c == '\'' {
			discard(x.r, 1)
			if err := x.value(c); err != nil {
				return err
			}
		}
	}
	x.attrs = append(x.attrs, xmlAttr{prefix, name, x.buf[from:len(x.buf):len(x.buf)]})
	return nil
}

func (x *xmlReader) value(quote byte) error {
	stop := string([]byte{quote, '&'})
	for len(x.buf) <= xmlTag {
		if _, err := x.r.Peek(1); err != nil {
			return err
		}
		b, _ := x.r.Peek(x.r.Buffered())
		n := bytes.IndexAny(b, stop)
		if n < 0 {
			n = len(b)
		}
		x.buf = append(x.buf, b[:n]...)
		end := n < len(b) && b[n] == quote
		amp := n < len(b) && !end
		discard(x.r, n)
		if end {
			discard(x.r, 1)
			return nil
		}
		if amp {
			x.buf = x.entity(x.buf)
		}
	}
	return errMemory
}

func (x *xmlReader) push() error {
	discard(x.r, 1) // the >
	if len(x.ends) >= xmlDepth {
		return errTooDeep
	}
	x.stack = append(x.stack, x.name...)
	x.ends = append(x.ends, len(x.stack))
	return nil
}

// pop makes the innermost open element the one that ends.
func (x *xmlReader) pop() {
	from := x.openFrom(len(x.ends) - 1)
	x.ended = append(x.ended[:0], x.stack[from:]...)
	x.name = x.ended
	x.stack, x.ends = x.stack[:from], x.ends[:len(x.ends)-1]
}

func (x *xmlReader) openFrom(i int) int {
	if i <= 0 {
		return 0
	}
	return x.ends[i-1]
}
