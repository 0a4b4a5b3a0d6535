package extract

import (
	"bytes"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
)

func TestMailIsToldByItsHeaders(t *testing.T) {
	for text, want := range map[string]bool{
		"From: a\nSubject: b\n\nhello":                            true,
		"\xEF\xBB\xBF\r\n\r\nReceived: x\r\n y\r\nDate: z\r\n":    true,
		"X-A: 1\nX-B: 2\nTo: a\nMessage-ID: <1>\n":                true,
		"Subject: the plan\n\nFrom: here on it is prose":          false,
		"to: a\nfrom: b\n":                                        false,
		"Note: Subject: x\nThe rest is prose.\nFrom: me\nTo: you": false,
		"name,from\nSubject: x\nTo: y\n":                          false,
	} {
		if got := isMail([]byte(text)); got != want {
			t.Errorf("isMail(%q) = %v", text, got)
		}
	}
	if !isMbox([]byte("From a@b Mon Jan  1 00:00:00 2024\nFrom: a\n")) || isMbox([]byte("From here to 2024 it is prose.\nAnd so on.\n")) {
		t.Error("a mailbox is told by its first two lines")
	}
}

func TestNothingOfATextThatLooksLikeMailIsLost(t *testing.T) {
	words := strings.Fields("one two: three four= five --six From: seven =?x?= eight begin nine ; ten")
	var text strings.Builder
	text.WriteString("Subject: prose\nFrom: nobody\n")
	for i, w := range words {
		fmt.Fprintf(&text, "line%02d %s\n", i, w)
		if i%3 == 0 {
			text.WriteString("\n")
		}
	}
	c, _ := readAll(t, "x", []byte(text.String()), Options{})
	all := c.all()
	for i, w := range words {
		if s := fmt.Sprintf("line%02d %s", i, w); !strings.Contains(all, s) {
			t.Errorf("%q is lost", s)
		}
	}
}

func TestLongLinesAreReadWhole(t *testing.T) {
	long := strings.Repeat("0123456789abcdef", 20_000) // 320,000 bytes: longer than any buffer, and than a header that is decoded.
	for name, mail := range map[string]string{
		"text":             "From: a\nSubject: b\n\n" + long,
		"header":           "From: a\nSubject: " + long + "\n\n",
		"quoted printable": "From: a\nSubject: b\nContent-Transfer-Encoding: quoted-printable\n\n" + strings.ReplaceAll(long, "9a", "=39=61"),
		"line of a list":   "From: a\nSubject: b\n" + strings.ReplaceAll(long, "f", "f ") + "\nTo: c\n\n",
	} {
		c, _ := readAll(t, name, []byte(mail), Options{})
		all := c.all()
		if name == "line of a list" {
			all = strings.ReplaceAll(all, "f ", "f")
		}
		if !strings.Contains(all, long) {
			t.Errorf("%s: the line is not whole", name)
		}
	}
}

func TestMultipartsInOneAnotherEnd(t *testing.T) {
	var b strings.Builder
	b.WriteString("From: a\nSubject: b\n")
	for i := range 500 {
		fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n", i, i)
	}
	b.WriteString("\nthe end\n")
	c, rep := readAll(t, "nest", []byte(b.String()), Options{})
	if !strings.Contains(c.all(), "the end") || len(rep.Gaps) != 1 || rep.Gaps[0].Reason != ReasonDepth {
		t.Errorf("gaps %v", rep.Gaps)
	}
}

func TestMailsInOneAnotherEndAtTheDepth(t *testing.T) {
	mail := "From: a\nSubject: level\nContent-Type: message/rfc822\n\n"
	_, rep := readAll(t, "nest", []byte(strings.Repeat(mail, 3000)+"\nthe end\n"), Options{})
	if len(rep.Gaps) != 1 || rep.Gaps[0].Reason != ReasonDepth {
		t.Errorf("gaps %v", rep.Gaps)
	}
}

// sized gives n bytes of base64 behind a head, without holding them.
type sized struct {
	head io.Reader
	n    int
}

func (s *sized) Read(p []byte) (int, error) {
	if n, err := s.head.Read(p); err == nil {
		return n, nil
	}
	if s.n <= 0 {
		return 0, io.EOF
	}
	n := 0
	for n+77 <= len(p) && s.n > 0 {
		n += copy(p[n:], "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVpBQkNERUZHSElKS0xNTk9QUVJTVFVWV1hZWkFCQ0RF\n")
		s.n -= 77
	}
	return n, nil
}

func TestALargeAttachmentIsNotHeld(t *testing.T) {
	r := &sized{head: strings.NewReader("From: a\nSubject: b\nContent-Type: application/octet-stream; name=a.txt\nContent-Transfer-Encoding: base64\n\n"), n: 32 << 20}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	rep, err := Read(t.Context(), File{}, r, Options{}, nowhere{})
	runtime.ReadMemStats(&after)
	if err != nil || rep.Text < 20<<20 || rep.Gaps != nil {
		t.Fatalf("%v, %+v", err, rep)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 8<<20 {
		t.Errorf("%d bytes were allocated in all", used)
	}
}

func TestAMailboxOfManyMailsIsNoTooManyMembers(t *testing.T) {
	var b bytes.Buffer
	for i := range 2500 {
		fmt.Fprintf(&b, "From a@b Mon Jan  1 00:00:00 2024\nFrom: a\nSubject: b\nContent-Type: text/html\n\n<p>mail %d\n\n", i)
	}
	c, rep := readAll(t, "box", b.Bytes(), Options{})
	if !strings.Contains(c.all(), "mail 2499") || rep.Gaps != nil {
		t.Errorf("gaps %v", rep.Gaps)
	}
}

func FuzzMail(f *testing.F) {
	for _, d := range legacyDocuments(f) {
		if !isCompound(d.Data) && !isTNEF(d.Data) {
			f.Add(d.Data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		rep := readHostile(t, data)
		// Undoing an encoding makes text shorter, or three bytes of one; the names of members are given out beside.
		if rep.Text > 64*int64(len(data))+4096 {
			t.Errorf("%d bytes of text from %d", rep.Text, len(data))
		}
	})
}
