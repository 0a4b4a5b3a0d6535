package extract

import (
	"bytes"
	"errors"
	"io"
)

// element is what an element does to the text around it.
type element struct {
	name  string
	block bool // it parts words
	cell  bool // of a table
	plain bool // neither its text nor what is in it is unlike that around it
}

// elements are those that are known, by a number of their name. A page of nothing but tags has millions.
var elements = func() (t [512][]*element) {
	for _, names := range []map[string]bool{block, noChildren, vector, set("a abbr b bdi bdo big cite code data del dfn em font i ins kbd label mark meter nobr output " +
		"progress q rp rt ruby s samp slot small span strike strong sub sup td th time tt u var")} {
		for name := range names {
			e := newElement(name)
			if findElement([]byte(name), elementNumber([]byte(name)), &t) == nil {
				n := elementNumber([]byte(name))
				t[n] = append(t[n], e)
			}
		}
	}
	return t
}()

func elementNumber(name []byte) (n uint32) {
	for _, c := range name {
		n = n*31 + uint32(c)
	}
	return n % 512
}

func findElement(name []byte, number uint32, t *[512][]*element) *element {
	for _, e := range t[number] {
		if e.name == string(name) {
			return e
		}
	}
	return nil
}

func newElement(name string) *element {
	cell := name == "td" || name == "th"
	return &element{name: name, cell: cell, block: block[name] && !cell, plain: !rawTags[name] && name != "template"}
}

// elementNamed returns what is known of an element. The name is in lower case.
func elementNamed(name []byte) *element {
	if e := findElement(name, elementNumber(name), &elements); e != nil {
		return e
	}
	return newElement(string(name))
}

// bareElement returns the known element of a tag that is its name and nothing else, from behind < or </; nil: it is another tag.
func bareElement(tag []byte) *element {
	n := len(tag) - 1
	if n < 1 || n > leastUnknown || tag[n] != '>' {
		return nil
	}
	var low [leastUnknown]byte
	for i, c := range tag[:n] {
		if !isAlnum(c) {
			return nil
		}
		if c >= 'A' {
			c |= 0x20
		}
		low[i] = c
	}
	return findElement(low[:n], elementNumber(low[:n]), &elements)
}

// leastDense is how many bare tags in a row make a page that is read without the tokenizer, which needs some 100 ns for each.
const leastDense = 32

var errDense = errors.New("nothing but bare tags")

// tagSource gives the tokenizer its bytes, and takes back those that it has not looked at.
type tagSource struct {
	r   io.Reader
	buf []byte
	at  int // what of buf was taken
	err error
}

// fill reads on. false: there is nothing more, or no room.
func (s *tagSource) fill() bool {
	s.buf = s.buf[:copy(s.buf[:cap(s.buf)], s.buf[s.at:])]
	s.at = 0
	for range 100 {
		if s.err != nil || len(s.buf) == cap(s.buf) {
			return false
		}
		var n int
		n, s.err = s.r.Read(s.buf[len(s.buf):cap(s.buf)])
		if s.buf = s.buf[:len(s.buf)+n]; n > 0 {
			return true
		}
	}
	s.err = io.ErrNoProgress
	return false
}

func (s *tagSource) Read(p []byte) (int, error) {
	if s.at == len(s.buf) && !s.fill() {
		return 0, s.err
	}
	n := copy(p, s.buf[s.at:])
	s.at += n
	return n, nil
}

// back takes back the last n bytes. The tokenizer has none but those that its last call of Read gave it.
func (s *tagSource) back(n int) { s.at -= n }

// plain reports whether the tag of an element that begins hides nothing and holds nothing but text and tags.
func (p *page) plain(e *element) bool { return e != nil && e.plain && e.name != p.hidden }

// dense reads bare tags and the texts between them, up to anything else.
func (p *page) dense(s *tagSource) error {
	for {
		b := s.buf[s.at:]
		text := bytes.IndexByte(b, '<')
		size := bytes.IndexByte(b[max(text, 0):min(len(b), max(text, 0)+leastUnknown+3)], '>') + 1
		if text < 0 || size == 0 {
			if text >= 0 && len(b)-text >= leastUnknown+3 || !s.fill() {
				return nil
			}
			continue
		}
		tag := b[text : text+size]
		end := size > 2 && tag[1] == '/'
		e := bareElement(tag[1:])
		if end {
			e = bareElement(tag[2:])
		}
		if e == nil || !end && !p.plain(e) {
			return nil
		}
		if text > 0 {
			if err := p.text(b[:text], p.offset); err != nil {
				return err
			}
		}
		s.at += text + size
		p.offset += int64(text + size)
		var err error
		if end {
			err = p.closed(e)
		} else {
			err = p.boundary(e)
		}
		if err != nil {
			return err
		}
	}
}
