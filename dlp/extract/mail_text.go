package extract

import (
	"bufio"
	"bytes"
	"io"
	"strings"
)

// text gives out a body of text: decoded, soft line ends joined, files within it taken out as attachments.
func (m *mailReader) text(body io.Reader, h mailHeader, num string) error {
	at := Location{Message: num}
	br := bufio.NewReaderSize(charsetReader(h.params["charset"], body), 16<<10)
	flowed := strings.EqualFold(h.params["format"], "flowed")
	drop := strings.EqualFold(h.params["delsp"], "yes")
	t := m.d.Text(at)
	start, soft := true, false
	for {
		line, err := br.ReadSlice('\n')
		if len(line) > 0 {
			if start {
				if bytes.HasPrefix(line, []byte("begin ")) {
					line = bytes.Clone(line) // Looking ahead moves it.
					if name, ok := inlineFile(line, br); ok {
						if err := m.inline(br, name, at); err != nil {
							return err
						}
						soft = false
						continue
					}
				}
				if bytes.HasPrefix(line, []byte("-----BEGIN PGP MESSAGE-----")) {
					m.encrypted()
				}
			}
			if flowed && start {
				if soft {
					line = bytes.TrimLeft(line, ">")
				}
				line = bytes.TrimPrefix(line, []byte(" "))
			}
			start = line == nil || bytes.HasSuffix(line, []byte("\n"))
			soft = false
			if flowed && start {
				if s := bytes.TrimRight(line, "\r\n"); bytes.HasSuffix(s, []byte(" ")) && string(s) != "-- " {
					soft = true
					if line = s; drop {
						line = s[:len(s)-1]
					}
				}
			}
			if _, werr := t.Write(line); werr != nil {
				return werr
			}
		}
		if err != nil && err != bufio.ErrBufferFull {
			if m.d.w.fatal != nil {
				return m.d.w.fatal
			}
			if err != io.EOF {
				m.d.Gap(ReasonMalformed)
			}
			return t.WriteString("\n")
		}
	}
}

// inlineFile tells whether a line begins a file of uuencode within text.
func inlineFile(line []byte, br *bufio.Reader) (name string, ok bool) {
	s := strings.TrimRight(string(line[:min(len(line), 1024)]), "\r\n")
	rest, ok := strings.CutPrefix(s, "begin ")
	if !ok {
		return "", false
	}
	mode, name, ok := strings.Cut(strings.TrimPrefix(rest, "-base64 "), " ")
	if !ok || len(mode) < 3 || len(mode) > 5 || strings.Trim(mode, "01234567") != "" || strings.HasPrefix(rest, "-base64") {
		return "", false
	}
	ahead, _ := br.Peek(80)
	first, _, _ := bytes.Cut(ahead, []byte("\n"))
	if _, ok := uuLine(bytes.TrimRight(first, "\r"), nil); !ok {
		return "", false
	}
	return name, true
}

func (m *mailReader) inline(br *bufio.Reader, name string, at Location) error {
	r := &uuReader{br: br}
	if err := m.d.Member(Member{Name: name, Body: r, At: at}); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, r)
	return err
}

// uuReader decodes the lines of uuencode up to the one that says end, or to one that is none.
type uuReader struct {
	br   *bufio.Reader
	out  []byte
	at   int // what of out was taken
	done bool
}

func (r *uuReader) Read(p []byte) (int, error) {
	for r.at == len(r.out) {
		if r.done {
			return 0, io.EOF
		}
		ahead, err := r.br.Peek(128)
		if len(ahead) == 0 {
			r.done = true
			if err == io.EOF {
				return 0, io.EOF
			}
			return 0, err
		}
		line, _, ok := bytes.Cut(ahead, []byte("\n"))
		n := len(line)
		if ok {
			n++
		}
		line = bytes.TrimRight(line, "\r")
		if string(line) == "end" {
			r.done = true
		} else {
			r.at = 0
			r.out, ok = uuLine(line, r.out[:0])
			if !ok {
				r.out, r.done = r.out[:0], true
				continue // The line is text again.
			}
		}
		if _, err := r.br.Discard(n); err != nil {
			return 0, err
		}
	}
	n := copy(p, r.out[r.at:])
	r.at += n
	return n, nil
}

// uuLine decodes one line of uuencode; false: it is none.
func uuLine(line, out []byte) ([]byte, bool) {
	if len(line) == 0 || line[0] < ' ' || line[0] > '`' {
		return out, false
	}
	n := int(line[0]-' ') & 63
	code := line[1:]
	if len(code) > (n+2)/3*4+2 || len(code)+4 < (n+2)/3*4 { // Blanks at the end may be lost, and a checksum may follow.
		return out, false
	}
	at := func(i int) byte {
		if i >= len(code) {
			return 0
		}
		return (code[i] - ' ') & 63
	}
	for _, c := range code {
		if c < ' ' || c > '`' {
			return out, false
		}
	}
	start := len(out)
	for i := 0; i < (n+2)/3*4; i += 4 {
		a, b, c, d := at(i), at(i+1), at(i+2), at(i+3)
		out = append(out, a<<2|b>>4, b<<4|c>>2, c<<6|d)
	}
	return out[:start+n], true
}
