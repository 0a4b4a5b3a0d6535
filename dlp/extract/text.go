package extract

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"golang.org/x/text/transform"
)

// textFormats read text. The last one takes all that has text/plain above it: source code, Markdown, YAML, JSON, XML, SVG, calendars and so on.
var textFormats = []format{
	{id: "rtf", media: []string{"text/rtf"}, read: readRTF},
	{id: "html", media: []string{"text/html", "application/xhtml+xml"}, read: readHTML},
	{id: "ipynb", media: []string{notebookType}, read: readNotebook},
	{id: "csv", media: []string{"text/csv", "text/tab-separated-values"}, read: readTable},
	{id: "ndjson", media: []string{"application/x-ndjson"}, read: readLines},
	{id: "text", media: []string{"text/plain"}, read: readText},
}

// chunk is how much text is read at a time, in bytes.
const chunk = 64 << 10

// head looks at the first bytes of the file without taking them.
func (d *Doc) head() ([]byte, error) {
	head, err := d.r.Peek(headBytes)
	if err != nil && !errors.Is(err, io.EOF) && len(head) == 0 {
		return nil, err
	}
	return head, nil
}

// utf8 gives the file in UTF-8, and whether its bytes are those of the file. html says where a charset may be named.
func (d *Doc) utf8(html bool) (r io.Reader, same bool, err error) {
	head, err := d.head()
	if err != nil {
		return nil, false, err
	}
	c := charsetOf(head, d.told, html)
	if _, err := d.r.Discard(c.skip); err != nil {
		return nil, false, err
	}
	if c.enc == nil {
		return d.r, c.skip == 0, nil
	}
	return transform.NewReader(d.r, c.enc.NewDecoder()), false, nil
}

// pump gives p what r holds, in pieces of at most chunk bytes.
func pump(r io.Reader, write func(p []byte) error) error {
	buf := make([]byte, chunk)
	for {
		n, err := r.Read(buf)
		if n > 0 {
			if err := write(buf[:n]); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// readText gives out a text as it stands if the scanner can read it so: in UTF-8, UTF-16, or in a charset that ASCII is a part of and that nobody knows.
// Others are decoded.
func readText(d *Doc) error {
	head, err := d.head()
	if err != nil {
		return err
	}
	c := charsetOf(head, d.told, false)
	if !c.raw {
		return d.decodeText(c, (&lines{t: d.Text(Location{}), line: 1}).write)
	}
	t := d.RawText(Location{})
	return pump(d.r, func(p []byte) error {
		_, err := t.Write(p)
		return err
	})
}

// readLines gives out records that are a line each: the row is the number of the line.
func readLines(d *Doc) error {
	head, err := d.head()
	if err != nil {
		return err
	}
	if c := charsetOf(head, d.told, false); !c.raw || c.wide {
		return readText(d)
	}
	t, row := d.RawText(Location{}), 1
	return pump(d.r, func(p []byte) error {
		for len(p) > 0 {
			n := bytes.IndexByte(p, '\n') + 1
			end := n > 0
			if !end {
				n = len(p)
			}
			t.At(Location{Row: row})
			if _, err := t.Write(p[:n]); err != nil {
				return err
			}
			if p = p[n:]; end {
				row++
			}
		}
		return nil
	})
}

// decodeText gives out a text in UTF-8, and where in the file what stands in ASCII has its place.
func (d *Doc) decodeText(c charset, out func(p []byte, source int64) error) error {
	if _, err := d.r.Discard(c.skip); err != nil {
		return err
	}
	if c.width == nil {
		return pump(transform.NewReader(d.r, c.enc.NewDecoder()), func(p []byte) error { return out(p, -1) })
	}
	r, at := bufio.NewReaderSize(d.r, chunk), int64(c.skip)
	dec := c.enc.NewDecoder()
	dst := make([]byte, 4*chunk)
	for {
		src, err := r.Peek(chunk)
		if err != nil && !errors.Is(err, io.EOF) && len(src) == 0 {
			return err
		}
		if len(src) == 0 {
			return nil
		}
		n, ascii := c.run(src, err != nil)
		text, source := src[:n], int64(-1)
		dec.Reset()
		if !ascii || c.wide {
			m, used, derr := dec.Transform(dst, text, true)
			if derr != nil && used == 0 {
				return errMalformed
			}
			n, text = used, dst[:m]
		}
		if ascii {
			source = at
		}
		if err := out(text, source); err != nil {
			return err
		}
		at += int64(n)
		if _, err := r.Discard(n); err != nil {
			return err
		}
	}
}

// leastRun is how long a run of ASCII must be for its place in the file to be told: blanks between words of other letters are many.
const leastRun = 6

// run returns the length of the run of ASCII that src begins with, or of the run of other characters, with what is too short between them. last says that
// nothing follows.
func (c charset) run(src []byte, last bool) (n int, ascii bool) {
	n = c.ascii(src)
	if n >= leastRun || n == len(src) {
		return n, true
	}
	for n < len(src) {
		if a := c.ascii(src[n:min(len(src), n+leastRun)]); a == leastRun {
			break
		} else if a > 0 {
			n += a
			continue
		}
		w := c.width(src[n:])
		if n+w > len(src) {
			if !last && n > 0 {
				break // The rest of the character is yet to come.
			}
			w = len(src) - n
		}
		n += w
	}
	return n, false
}

// ascii returns how many characters of ASCII, of a byte each, b begins with.
func (c charset) ascii(b []byte) int {
	for i, x := range b {
		if e, ok := c.enc.(ebcdic); ok {
			if e.rune(x) >= 0x80 {
				return i
			}
		} else if x >= 0x80 {
			return i
		}
	}
	return len(b)
}

// lines writes text that is not that of the file byte for byte, and marks its lines.
type lines struct {
	t    *Text
	line int
}

func (l *lines) write(p []byte, source int64) error {
	l.t.from(source)
	for len(p) > 0 {
		n := bytes.IndexByte(p, '\n') + 1
		end := n > 0
		if !end {
			n = len(p)
		}
		l.t.At(Location{Line: l.line})
		if _, err := l.t.Write(p[:n]); err != nil {
			return err
		}
		if p = p[n:]; end {
			l.line++
		}
	}
	return nil
}
