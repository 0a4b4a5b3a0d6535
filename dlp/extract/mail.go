package extract

import (
	"bufio"
	"bytes"
	"io"
	"regexp"
	"strconv"
	"strings"
)

var mailFormats = []format{
	{id: "mbox", media: []string{"application/mbox"}, magic: isMbox, read: readMbox},
	{id: "tnef", media: []string{"application/vnd.ms-tnef"}, magic: isTNEF, read: readTNEF},
	{id: "cms", media: []string{"application/pkcs7-signature"}, magic: isCMS, read: readCMS},
	{id: "eml", media: []string{"message/rfc822"}, magic: isMail, read: readMail},
}

// mailSigns are headers that hardly any other text begins with; true: alone with any other one of them they make a mail.
var mailSigns = map[string]bool{
	"from": false, "to": false, "date": false, "cc": false, "reply-to": false, "content-type": true, "subject": true, "message-id": true, "received": true,
	"mime-version": true, "return-path": true, "delivered-to": true, "dkim-signature": true, "content-transfer-encoding": true, "x-mailer": true,
	"arc-seal": true, "authentication-results": true, "x-original-to": true, "envelope-to": true, "x-received": true, "x-gm-thrid": true, "x-unsent": true,
	"snapshot-content-location": true,
}

// isMail reports whether a file begins with headers of a mail: two known ones, of which one is seldom used elsewhere, or three. A text that only looks so
// comes out whole all the same.
func isMail(head []byte) bool {
	head = bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xEF\xBB\xBF")), "\r\n")
	seen, sure := map[string]bool{}, false
	for i := 0; len(head) > 0 && i < 500; i++ {
		line, rest, _ := bytes.Cut(head, []byte("\n"))
		head = rest
		line = bytes.TrimRight(line, "\r")
		if len(line) == 0 {
			break
		}
		if i > 0 && (line[0] == ' ' || line[0] == '\t') {
			continue
		}
		name, ok := headerName(line)
		if !ok {
			if i > 0 && len(seen) == 0 || i == 0 && !bytes.HasPrefix(line, []byte("From ")) && !bytes.HasPrefix(line, []byte(">From ")) {
				return false
			}
			continue
		}
		name = strings.ToLower(name)
		if strong, known := mailSigns[name]; known {
			seen[name], sure = true, sure || strong
		}
		if len(seen) >= 3 || len(seen) == 2 && sure {
			return true
		}
	}
	return false
}

// fromLine is the line before a mail of a mailbox: who, and when with a time of day or a year.
var fromLine = regexp.MustCompile(`^From (?:\S.{0,300}?)?\b(?:\d{1,2}:\d{2}|(?:19|20)\d{2})\b`)

// isMbox reports whether a file begins with a From_ line and a header.
func isMbox(head []byte) bool {
	head = bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xEF\xBB\xBF")), "\r\n")
	line, rest, ok := bytes.Cut(head, []byte("\n"))
	if !ok || !fromLine.Match(line[:min(len(line), 400)]) {
		return false
	}
	_, ok = headerName(bytes.TrimPrefix(rest[:min(len(rest), 256)], []byte(">")))
	return ok
}

// headerName is the name of the header that a line begins.
func headerName(line []byte) (string, bool) {
	for i, c := range line[:min(len(line), 128)] {
		switch {
		case c == ':' && i > 0:
			return string(bytes.TrimRight(line[:i], " \t")), true
		case c == ' ' || c == '\t':
			if rest := bytes.TrimLeft(line[i:], " \t"); i == 0 || len(rest) == 0 || rest[0] != ':' {
				return "", false
			}
		case c < '!' || c > '~':
			return "", false
		}
	}
	return "", false
}

// maxMultipart is how deep multiparts may lie in one another.
const maxMultipart = 64

// mailReader reads mails line by line as they come. Only a header, and a line of text, are kept.
type mailReader struct {
	d      *Doc
	br     *bufio.Reader
	mbox   bool
	bounds []string // boundaries that are open, the outermost first
	stop   int      // the one whose line was met, from 1; 0: none
	final  bool     // the line ended its multipart
	over   bool     // the mail is at its end
	from   []byte   // the From_ line of the next mail
	back   []byte   // a line that was read and is to be read again
	inLine bool     // the last piece had no line end
	blank  bool     // the line before was empty
	sealed bool     // the gap of an encrypted body was noted
}

func newMailReader(d *Doc, mbox bool) *mailReader {
	return &mailReader{d: d, br: bufio.NewReaderSize(d.Reader(), 64<<10), mbox: mbox, blank: true}
}

func readMail(d *Doc) error {
	d.Type = "message/rfc822"
	m := newMailReader(d, false)
	if err := m.skipStart(); err != nil {
		return err
	}
	if err := m.entity(d.base.Message, true, "text/plain"); err != nil {
		return err
	}
	return m.raw(d.base.Message, false)
}

// readMbox reads mails that follow one another, each after a line that begins with From_.
func readMbox(d *Doc) error {
	d.Type = "application/mbox"
	m := newMailReader(d, true)
	if err := m.skipStart(); err != nil {
		return err
	}
	for n := 1; ; n++ {
		if err := m.raw(d.base.Message, false); err != nil { // It ends at the From_ line.
			return err
		}
		if m.from == nil {
			return nil
		}
		num := joinNumber(d.base.Message, n)
		if err := d.Text(Location{Part: PartHeader, Name: "From_", Message: num}).WriteString(string(decodeUTF8(m.from)) + "\n"); err != nil {
			return err
		}
		m.over, m.stop, m.bounds, m.back, m.from, m.sealed = false, 0, m.bounds[:0], nil, nil, false
		m.blank, m.inLine = false, false
		if err := m.entity(num, true, "text/plain"); err != nil {
			return err
		}
	}
}

// skipStart leaves out a byte order mark and empty lines before the first header.
func (m *mailReader) skipStart() error {
	if b, _ := m.br.Peek(3); bytes.Equal(b, []byte("\xEF\xBB\xBF")) {
		if _, err := m.br.Discard(3); err != nil {
			return err
		}
	}
	for {
		b, _ := m.br.Peek(1)
		if len(b) == 0 || b[0] != '\n' && b[0] != '\r' {
			break
		}
		if _, err := m.br.Discard(1); err != nil {
			return err
		}
	}
	return nil
}

// next gives the next line, or a piece of a long one, of the mail or of the part that is read. false: it is at its end. The bytes hold until the next call.
func (m *mailReader) next() ([]byte, bool, error) {
	if m.over || m.stop != 0 {
		return nil, false, nil
	}
	if b := m.back; b != nil {
		m.back = nil
		return b, true, nil
	}
	b, err := m.br.ReadSlice('\n')
	if len(b) == 0 && err != nil {
		m.over = true
		if err == io.EOF {
			return nil, false, nil
		}
		return nil, false, err
	}
	start := !m.inLine
	m.inLine = b[len(b)-1] != '\n'
	if start {
		if m.mbox && m.blank && bytes.HasPrefix(b, []byte("From ")) && fromLine.Match(b[:min(len(b), 400)]) {
			m.over, m.from = true, bytes.TrimRight(bytes.Clone(b), "\r\n")
			for m.inLine { // The rest of a line that is far too long.
				if b, err = m.br.ReadSlice('\n'); len(b) == 0 && err != nil {
					break
				}
				m.inLine = b[len(b)-1] != '\n'
			}
			return nil, false, nil
		}
		if b[0] == '-' && m.boundary(b) {
			return nil, false, nil
		}
		if m.mbox && b[0] == '>' && bytes.HasPrefix(bytes.TrimLeft(b, ">"), []byte("From ")) {
			b = b[1:]
		}
	}
	m.blank = start && len(bytes.TrimRight(b, "\r\n")) == 0
	return b, true, nil
}

// boundary notes whether a line is one between parts, or behind the last one.
func (m *mailReader) boundary(b []byte) bool {
	if !bytes.HasPrefix(b, []byte("--")) || len(b) > 4096 {
		return false
	}
	s := string(bytes.TrimRight(b[2:], " \t\r\n"))
	for i := len(m.bounds) - 1; i >= 0; i-- {
		if rest, ok := strings.CutPrefix(s, m.bounds[i]); ok && (rest == "" || rest == "--") {
			m.stop, m.final = i+1, rest != ""
			return true
		}
	}
	return false
}

// mailBody gives the lines of the part, but for the line end before a boundary, which belongs to it.
type mailBody struct {
	m       *mailReader
	b, then []byte
	end     string // line end that was held back
	done    bool
}

func (r *mailBody) Read(p []byte) (int, error) {
	for len(r.b) == 0 {
		if len(r.then) > 0 {
			r.b, r.then = r.then, nil
			break
		}
		if r.done {
			return 0, io.EOF
		}
		b, ok, err := r.m.next()
		if err != nil {
			return 0, err
		}
		if !ok {
			r.done = true
			if r.m.stop == 0 { // The end of the mail.
				r.b = []byte(r.end)
			}
			continue
		}
		r.b = []byte(r.end)
		switch {
		case bytes.HasSuffix(b, []byte("\r\n")):
			r.end = "\r\n"
		case bytes.HasSuffix(b, []byte("\n")):
			r.end = "\n"
		default:
			r.end = ""
		}
		r.then = b[:len(b)-len(r.end)]
	}
	n := copy(p, r.b)
	r.b = r.b[n:]
	return n, nil
}

// raw gives out what is left of the part or mail as it is: what stands before the first part and behind the last one, and what no rule covers.
func (m *mailReader) raw(num string, hidden bool) error {
	t := m.d.Text(Location{Message: num, Hidden: hidden})
	for {
		b, ok, err := m.next()
		if err != nil {
			return err
		}
		if !ok {
			return nil
		}
		if _, err := t.Write(decodeUTF8(b)); err != nil {
			return err
		}
	}
}

func joinNumber(num string, n int) string {
	if num == "" {
		return strconv.Itoa(n)
	}
	return num + "." + strconv.Itoa(n)
}
