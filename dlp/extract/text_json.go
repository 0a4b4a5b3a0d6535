package extract

import (
	"bufio"
	"errors"
	"io"
	"unicode/utf16"
	"unicode/utf8"
)

// Bounds of JSON.
const (
	maxJSONDepth = 10_000
	maxJSONKey   = 1 << 10 // bytes that are kept of a name
)

// jsonReader reads JSON as it comes, without holding a value of it.
type jsonReader struct {
	r   *bufio.Reader
	buf []byte // for one string at a time
}

// pump gives write what a text holds, in pieces.
func (j jsonReader) pump(r io.Reader, write func(p []byte) error) error {
	return pumpWith(j.buf, r, write)
}

// next returns the first byte of what comes, which it does not take.
func (j jsonReader) next() (byte, error) {
	for {
		b, err := j.r.ReadByte()
		if errors.Is(err, io.EOF) {
			return 0, errMalformed
		}
		if err != nil {
			return 0, err
		}
		if b != ' ' && b != '\n' && b != '\t' && b != '\r' {
			return b, j.r.UnreadByte()
		}
	}
}

// take takes a byte that must come.
func (j jsonReader) take(want byte) error {
	b, err := j.next()
	if err != nil {
		return err
	}
	if b != want {
		return errMalformed
	}
	_, err = j.r.Discard(1)
	return err
}

// list calls each for what stands between two brackets, with commas between.
func (j jsonReader) list(open, end byte, each func() error) error {
	if err := j.take(open); err != nil {
		return err
	}
	for first := true; ; first = false {
		b, err := j.next()
		if err != nil {
			return err
		}
		if b == end {
			return j.take(end)
		}
		if !first {
			if err := j.take(','); err != nil {
				return err
			}
		}
		if err := each(); err != nil {
			return err
		}
	}
}

// object calls each with every name, which takes the value. What is no object is left out.
func (j jsonReader) object(each func(key string) error) error {
	if b, err := j.next(); err != nil || b != '{' {
		return errors.Join(err, j.skip())
	}
	return j.list('{', '}', func() error {
		key, err := j.key()
		if err != nil {
			return err
		}
		return each(key)
	})
}

// array calls each for every element, which takes it. What is no array is left out.
func (j jsonReader) array(each func() error) error {
	if b, err := j.next(); err != nil || b != '[' {
		return errors.Join(err, j.skip())
	}
	return j.list('[', ']', each)
}

// key reads a name and the colon behind it.
func (j jsonReader) key() (string, error) {
	var key []byte
	t := jsonText{j: j}
	if b, err := j.next(); err != nil || b != '"' {
		return "", errors.Join(err, errMalformed)
	}
	err := j.pump(&t, func(p []byte) error {
		key = append(key, p[:min(len(p), maxJSONKey-len(key))]...)
		return nil
	})
	if err != nil {
		return "", err
	}
	return string(key), j.take(':')
}

// skip takes a value.
func (j jsonReader) skip() error {
	return j.strings(func(string, io.Reader) error { return nil })
}

// strings takes a value and calls each for every string and every other scalar in it, with the name that it has, or that the value around it has.
func (j jsonReader) strings(each func(key string, r io.Reader) error) error {
	var stack []byte
	key := ""
	for {
		b, err := j.next()
		if err != nil {
			return err
		}
		switch b {
		case '{', '[':
			if len(stack) == maxJSONDepth {
				return errMalformed
			}
			stack = append(stack, b)
			if err := j.take(b); err != nil {
				return err
			}
		case '}', ']':
			if len(stack) == 0 || stack[len(stack)-1] != b-2 {
				return errMalformed
			}
			stack = stack[:len(stack)-1]
			if err := j.take(b); err != nil {
				return err
			}
		case ',':
			if len(stack) == 0 {
				return errMalformed
			}
			if err := j.take(b); err != nil {
				return err
			}
			continue
		default:
			t := &jsonText{j: j}
			if err := each(key, t); err != nil {
				return err
			}
			if err := t.drain(); err != nil {
				return err
			}
		}
		if len(stack) == 0 {
			return nil
		}
		if stack[len(stack)-1] != '{' {
			continue
		}
		if b, err = j.next(); err != nil {
			return err
		}
		if b == ',' {
			if err := j.take(b); err != nil {
				return err
			}
			if b, err = j.next(); err != nil {
				return err
			}
		}
		if b == '}' {
			continue
		}
		if key, err = j.key(); err != nil {
			return err
		}
	}
}

// text is a string or another scalar, or the strings of an array, one behind the other, as a notebook writes its lines.
func (j jsonReader) text() *jsonText { return &jsonText{j: j, lists: true} }

// jsonText gives the text of a value in UTF-8.
type jsonText struct {
	j      jsonReader
	lists  bool
	begun  bool
	inList bool
	inside byte // what is being read: '"' a string, 'x' another scalar, 0: nothing
	done   bool
	held   [utf8.UTFMax]byte // of a character that did not fit
	n      int
}

func (t *jsonText) drain() error {
	return t.j.pump(t, func([]byte) error { return nil })
}

// Read implements io.Reader. Its error is errMalformed for what is no JSON.
func (t *jsonText) Read(p []byte) (int, error) {
	n := copy(p, t.held[:t.n])
	t.n = copy(t.held[:], t.held[n:t.n])
	for n == 0 || n < len(p) && t.n == 0 {
		if t.done {
			if n > 0 {
				return n, nil
			}
			return 0, io.EOF
		}
		if t.inside == 0 {
			if err := t.begin(); err != nil {
				return n, err
			}
			continue
		}
		m, err := t.char()
		if err != nil {
			return n, err
		}
		c := copy(p[n:], t.held[:m])
		n += c
		t.n = copy(t.held[:], t.held[c:m])
	}
	return n, nil
}

// begin finds the next string.
func (t *jsonText) begin() error {
	b, err := t.j.next()
	if err != nil {
		return err
	}
	switch {
	case t.inList && (b == ']' || b == ','):
		t.done = b == ']'
		return t.j.take(b)
	case t.begun && !t.inList:
		t.done = true
	case b == '"':
		t.begun, t.inside = true, '"'
		return t.j.take('"')
	case b == '[' && t.lists && !t.inList:
		t.begun, t.inList = true, true
		return t.j.take('[')
	case b == '{' || b == '[':
		if t.begun = true; !t.inList {
			t.done = true
		}
		return t.j.skip()
	case b == '}' || b == ']' || b == ',' || b == ':' || b < ' ': // What begins nothing would be met again and again.
		return errMalformed
	default:
		t.begun, t.inside = true, 'x'
	}
	return nil
}

// char reads a character into held and returns its length; 0: what was being read ended.
func (t *jsonText) char() (int, error) {
	end := func() (int, error) {
		t.inside = 0
		t.done = !t.inList
		return 0, nil
	}
	b, err := t.j.r.ReadByte()
	if errors.Is(err, io.EOF) {
		if t.inside == 'x' {
			return end()
		}
		return 0, errMalformed
	}
	if err != nil {
		return 0, err
	}
	if t.inside == 'x' {
		if b <= ' ' || b == ',' || b == ']' || b == '}' || b == '"' || b == '{' || b == '[' {
			if err := t.j.r.UnreadByte(); err != nil {
				return 0, err
			}
			return end()
		}
		t.held[0] = b
		return 1, nil
	}
	switch b {
	case '"':
		return end()
	case '\\':
		r, err := t.escape()
		if err != nil {
			return 0, err
		}
		return utf8.EncodeRune(t.held[:], r), nil
	}
	t.held[0] = b
	return 1, nil
}

var jsonEscapes = map[byte]rune{'n': '\n', 't': '\t', 'r': '\r', 'b': '\b', 'f': '\f', '"': '"', '\\': '\\', '/': '/'}

func (t *jsonText) escape() (rune, error) {
	b, err := t.j.r.ReadByte()
	if err != nil {
		return 0, errMalformed
	}
	if r, ok := jsonEscapes[b]; ok {
		return r, nil
	}
	if b != 'u' {
		return rune(b), nil
	}
	r, ok := t.hex4(0)
	if !ok {
		return 0, errMalformed
	}
	if _, err := t.j.r.Discard(4); err != nil {
		return 0, errMalformed
	}
	if !utf16.IsSurrogate(r) {
		return r, nil
	}
	if mark, err := t.j.r.Peek(2); err != nil || string(mark) != `\u` {
		return utf8.RuneError, nil
	}
	low, ok := t.hex4(2)
	if both := utf16.DecodeRune(r, low); ok && both != utf8.RuneError {
		_, err := t.j.r.Discard(6)
		return both, err
	}
	return utf8.RuneError, nil
}

// hex4 looks at four digits that begin so many bytes on.
func (t *jsonText) hex4(skip int) (r rune, ok bool) {
	b, err := t.j.r.Peek(skip + 4)
	if err != nil {
		return 0, false
	}
	for _, c := range b[skip:] {
		v := hexDigit(c)
		if v < 0 {
			return 0, false
		}
		r = r<<4 | rune(v)
	}
	return r, true
}

// hexDigit returns what a digit of hexadecimal numbers is worth; -1: it is none.
func hexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}
