package extract

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
)

// object reads the data of an embedded object: that of OLE 1 ([MS-OLEDS] 2.2), which is the file itself, or one that Windows' Packager wrapped.
func (p *rtf) object() error {
	if err := p.flow.end(); err != nil {
		return err
	}
	hex := &rtfHex{r: p.r}
	r := bufio.NewReaderSize(hex, headBytes)
	name, size := string(p.class), int64(-1)
	p.class = p.class[:0]
	if o, ok := ole1Header(r); ok {
		if _, err := r.Discard(o.length); err != nil {
			return err
		}
		if o.class != "" {
			name = o.class
		}
		if o.link {
			return errors.Join(p.flow.aside(Location{Part: PartLink, Paragraph: p.paragraph}, o.topic), drainAll(r))
		}
		size = o.size
	}
	if name == "" {
		name = "object"
	}
	if label, from, length, n, ok := packageHeader(r); ok {
		if err := p.flow.aside(Location{Part: PartProperty, Paragraph: p.paragraph, Name: "source"}, "source: "+from); err != nil {
			return err
		}
		if _, err := r.Discard(n); err != nil {
			return err
		}
		name, size = label, length
	}
	body := io.Reader(r)
	if size > 0 {
		body = io.LimitReader(r, size)
	}
	if err := p.d.Member(Member{Name: name, Body: body}); err != nil {
		return err
	}
	if err := drainAll(body); err != nil {
		return err
	}
	// Behind it comes its picture, which is not looked at, or what somebody hid.
	if rest, err := r.Peek(16); len(rest) == 16 && !bytes.HasPrefix(rest, ole1Version) {
		if err := p.d.Member(Member{Name: name + " (rest)", Body: r, Quiet: true}); err != nil {
			return err
		}
	} else if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return drainAll(r)
}

func drainAll(r io.Reader) error {
	return pump(r, func([]byte) error { return nil })
}

var ole1Version = []byte{1, 5, 0, 0}

type ole1 struct {
	class, topic string
	link         bool
	size         int64 // of the data, as declared
	length       int   // of the header
}

// ole1Header reads the header of an object of OLE 1: its version, whether it is a link or embedded, three names, each behind its length, and the size of what follows.
func ole1Header(r *bufio.Reader) (o ole1, ok bool) {
	b, err := r.Peek(headBytes)
	if err != nil && len(b) == 0 || len(b) < 12 {
		return o, false
	}
	kind := binary.LittleEndian.Uint32(b[4:])
	if b[1] != 5 || b[2] != 0 || b[3] != 0 || kind != 1 && kind != 2 {
		return o, false
	}
	at := 8
	var names [3]string
	for i := range names {
		if at+4 > len(b) {
			return o, false
		}
		n := int64(binary.LittleEndian.Uint32(b[at:]))
		if at += 4; n > int64(len(b)-at) {
			return o, false
		}
		names[i] = string(bytes.TrimRight(b[at:at+int(n)], "\x00"))
		at += int(n)
	}
	o = ole1{class: names[0], topic: names[1], link: kind == 1, length: at}
	if !o.link {
		if at+4 > len(b) {
			return o, false
		}
		o.size, o.length = int64(binary.LittleEndian.Uint32(b[at:])), at+4
	}
	return o, true
}

// packageHeader reads what Packager puts before a file: its label, the paths that it came from and that it is opened at, and its size.
func packageHeader(r *bufio.Reader) (label, from string, size int64, length int, ok bool) {
	b, err := r.Peek(headBytes)
	if err != nil && len(b) == 0 || len(b) < 16 || b[0] != 2 || b[1] != 0 {
		return
	}
	at := 2
	text := func() string {
		n := bytes.IndexByte(b[at:], 0)
		if n < 0 {
			at = len(b)
			return ""
		}
		s := string(b[at : at+n])
		at += n + 1
		return s
	}
	label, from = text(), text()
	if at+8 > len(b) || b[at+2] != 3 {
		return
	}
	n := int64(binary.LittleEndian.Uint32(b[at+4:]))
	if at += 8; n+4 > int64(len(b)-at) {
		return
	}
	at += int(n)
	return label, from, int64(binary.LittleEndian.Uint32(b[at:])), at + 4, label != ""
}

// rtfHex gives the bytes that stand in hexadecimal digits, or behind \bin, up to the end of the group, which it does not take.
type rtfHex struct {
	r      *bufio.Reader
	depth  int
	binary int // bytes to come as they are
	done   bool
}

func (h *rtfHex) Read(p []byte) (int, error) {
	n, high := 0, -1
	for n < len(p) {
		if h.done {
			break
		}
		b, err := h.r.ReadByte()
		if err != nil {
			if errors.Is(err, io.EOF) {
				h.done = true
				break
			}
			return n, err
		}
		if h.binary > 0 {
			h.binary--
			p[n] = b
			n++
			continue
		}
		switch v := hexDigit(b); {
		case v >= 0 && high < 0:
			high = v
		case v >= 0:
			p[n] = byte(high<<4 | v)
			n, high = n+1, -1
		case b == '{':
			h.depth++
		case b == '}' && h.depth == 0:
			h.done = true
			if err := h.r.UnreadByte(); err != nil {
				return n, err
			}
		case b == '}':
			h.depth--
		case b == '\\':
			if err := h.word(); err != nil {
				return n, err
			}
		}
	}
	if n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

// word reads a control word, of which only \bin matters.
func (h *rtfHex) word() error {
	var name []byte
	number := 0
	for {
		b, err := h.r.ReadByte()
		if err != nil {
			return ignoreEnd(err)
		}
		switch {
		case b|0x20 >= 'a' && b|0x20 <= 'z' && len(name) < maxWord:
			name = append(name, b)
		case b >= '0' && b <= '9' && number < 1<<40:
			number = number*10 + int(b-'0')
		default:
			if string(name) == "bin" {
				h.binary = number
			}
			if b == ' ' {
				return nil
			}
			return h.r.UnreadByte()
		}
	}
}
