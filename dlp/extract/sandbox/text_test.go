package sandbox

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outband/outband/dlp/extract"
)

// TestLocationHasEveryField fails when a field is added to extract.Location and not to the wire.
func TestLocationHasEveryField(t *testing.T) {
	var full extract.Location
	v := reflect.ValueOf(&full).Elem()
	for i := range v.NumField() {
		switch f := v.Field(i); f.Kind() {
		case reflect.String:
			f.SetString(v.Type().Field(i).Name)
		case reflect.Int:
			f.SetInt(int64(i + 1))
		case reflect.Bool:
			f.SetBool(true)
		default:
			t.Fatalf("field %s has a kind that the wire does not know", v.Type().Field(i).Name)
		}
	}
	var got extract.Location
	code := appendLocation(nil, &got, &full)
	if err := readLocation(bytes.NewReader(code), &got); err != nil || got != full {
		t.Errorf("%v (-want +got):\n%s", err, cmp.Diff(full, got))
	}
	code = appendLocation(nil, &full, &extract.Location{})
	if err := readLocation(bytes.NewReader(code), &got); err != nil || got != (extract.Location{}) {
		t.Errorf("back: %+v, %v", got, err)
	}
}

func TestLocationsThatAreRefused(t *testing.T) {
	for name, l := range map[string]extract.Location{
		"broken UTF-8": {Sheet: "a\xff"}, "two lines": {Name: "a\nb"}, "long name": {Name: strings.Repeat("a", maxString+1)},
		"long path": {Path: strings.Repeat("a", maxPath+1)}, "below zero": {Page: -1}, "too high": {Row: 1 << 40},
	} {
		var got extract.Location
		if err := readLocation(bytes.NewReader(appendLocation(nil, &got, &l)), &got); !errors.Is(err, errProtocol) {
			t.Errorf("%s: %v", name, err)
		}
		l = cleanLocation(l)
		got = extract.Location{}
		if err := readLocation(bytes.NewReader(appendLocation(nil, &got, &l)), &got); err != nil || got != l {
			t.Errorf("%s, cleaned: %+v, %v", name, got, err)
		}
	}
}

// random is a location that shares most fields with the one before, as those of a document do.
func random(r *rand.Rand, l extract.Location) extract.Location {
	for range 1 + r.IntN(2) {
		switch r.IntN(6) {
		case 0:
			l.Page = r.IntN(9)
		case 1:
			l.Cell = string(rune('A'+r.IntN(26))) + "7"
		case 2:
			l.Paragraph += r.IntN(3)
		case 3:
			l.Part = []string{"", extract.PartComment, extract.PartHeader}[r.IntN(3)]
		case 4:
			l.Hidden = !l.Hidden
		case 5:
			l.Path = strings.Repeat("é", r.IntN(20))
		}
	}
	return l
}

// TestMarks compares what is kept compactly with a plain list, under forgetting.
func TestMarks(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	for range 20 {
		var m marks
		var list []mark
		var l extract.Location
		offset, kept := 0, 0
		for range 3000 {
			l = random(r, l)
			source := int64(-1)
			if r.IntN(2) == 0 {
				source = int64(r.IntN(1 << 20))
			}
			n := mark{offset, l, source}
			m.add(n)
			if len(list) > 0 && list[len(list)-1].offset == offset {
				list = list[:len(list)-1]
			}
			list = append(list, n)
			offset += r.IntN(5)
			if r.IntN(100) == 0 {
				kept = offset - r.IntN(min(offset-kept, 2000)+1)
				m.forget(kept)
			}
			at := kept
			if offset > kept {
				at += r.IntN(offset - kept)
			}
			var want mark
			for _, c := range list {
				if c.offset <= at {
					want = c
				}
			}
			gotAt, gotSource := m.locate(at)
			if gotAt != want.at || gotSource != want.sourceAt(at) {
				t.Fatalf("offset %d of %d: %+v, %d; want %+v, %d", at, offset, gotAt, gotSource, want.at, want.sourceAt(at))
			}
		}
	}
}

// TestMarksAreBounded has a text of many places that nobody forgets.
func TestMarksAreBounded(t *testing.T) {
	var m marks
	names := []string{strings.Repeat("a", maxString), strings.Repeat("b", maxString)}
	const n = 50_000
	for i := range n {
		m.add(mark{i, extract.Location{Path: "book.xlsx", Name: names[i%2], Row: i}, -1})
	}
	size := 0
	for i := range m.blocks {
		size += m.blocks[i].cost()
	}
	if size != m.size || size > maxMarks {
		t.Errorf("%d bytes of marks, counted %d", size, m.size)
	}
	if at, source := m.locate(0); at != (extract.Location{Path: "book.xlsx"}) || source != -1 {
		t.Errorf("the first one: %+v, %d", at, source)
	}
	if at, _ := m.locate(n - 100); at.Row != n-100 {
		t.Errorf("a late one: %+v", at)
	}
	m.forget(n)
	if m.size != 0 || len(m.blocks) != 0 {
		t.Errorf("all forgotten: %d blocks, %d bytes", len(m.blocks), m.size)
	}
}

func TestCellsAreKeptCompactly(t *testing.T) {
	var m marks
	for i := range 100_000 {
		m.add(mark{i * 8, extract.Location{Path: "book.xlsx", Sheet: "Salaries", Cell: "AB" + string(rune('0'+i%10)), Row: i}, -1})
	}
	if per := float64(m.size) / 100_000; per > 12 {
		t.Errorf("%.1f bytes for a cell", per)
	}
}

// piece is a run of text from one place.
type piece struct {
	raw   bool
	begin bool
	at    extract.Location
	from  int64
	text  string
}

// TestTextThroughThePipe sends random texts through the sink and the decoder, with random sizes of reads.
func TestTextThroughThePipe(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		var pieces []piece
		l := extract.Location{}
		for i := range 1 + r.IntN(200) {
			l = random(r, l)
			p := piece{begin: i == 0 || r.IntN(20) == 0, at: l, from: int64(r.IntN(3)) - 1, text: strings.Repeat(string(rune('a'+r.IntN(26))), 1+r.IntN(50))}
			if r.IntN(50) == 0 {
				p.text = strings.Repeat("0123456789abcdef", 10_000)
			}
			pieces = append(pieces, p)
		}
		var wire bytes.Buffer
		s := newSink(&wire)
		for _, p := range pieces {
			var err error
			if p.begin {
				err = s.Begin(p.raw)
			}
			if err = errors.Join(err, s.Mark(p.at), s.Source(p.from), s.Write([]byte(p.text))); err != nil {
				t.Fatal(err)
			}
		}
		report := extract.Report{Type: "text/plain", Format: "text", Entries: 3, Bytes: 99, Mismatch: true, Cut: 2,
			Gaps: []extract.Gap{{Path: "a\nb", Reason: extract.ReasonDepth, Type: "application/zip"}}}
		if err := s.done(report, 5); err != nil {
			t.Fatal(err)
		}
		f := &reading{child: &process{dec: decoder{r: bufio.NewReaderSize(iotestChunks{&wire, r}, 4096)}}}
		f.child.dec.reset(1 << 40)
		rest := pieces
		f.texts(func(text *Text) error {
			var got []byte
			buf := make([]byte, 1+r.IntN(5000))
			for {
				n, err := text.Read(buf)
				got = append(got, buf[:n]...)
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					return err
				}
			}
			offset := 0
			for i := 0; len(rest) > 0 && (i == 0 || !rest[0].begin); i++ {
				p := rest[0]
				rest = rest[1:]
				if !bytes.HasPrefix(got[offset:], []byte(p.text)) {
					t.Fatalf("text at %d is another one", offset)
				}
				for _, in := range []int{0, len(p.text) - 1} {
					at, source := text.Locate(offset + in)
					want := int64(-1)
					if p.from >= 0 {
						want = p.from + int64(in)
					}
					if at != p.at || source != want {
						t.Fatalf("offset %d: %+v, %d; want %+v, %d", offset+in, at, source, p.at, want)
					}
				}
				offset += len(p.text)
			}
			if offset != len(got) {
				t.Fatalf("%d bytes more", len(got)-offset)
			}
			return nil
		})
		if len(rest) > 0 || f.dead {
			t.Fatalf("%d pieces left, lost: %v", len(rest), f.err)
		}
		report.Gaps[0].Path, report.Text = "a b", f.child.dec.text
		if diff := cmp.Diff(report, f.child.dec.report); diff != "" || f.child.dec.held != 5 {
			t.Errorf("report (-want +got):\n%s", diff)
		}
	}
}

// iotestChunks gives random amounts.
type iotestChunks struct {
	r    io.Reader
	rand *rand.Rand
}

func (c iotestChunks) Read(p []byte) (int, error) { return c.r.Read(p[:1+c.rand.IntN(len(p))]) }

// FuzzDecoder has a child say anything: nothing of it breaks the bounds, and reading it ends.
func FuzzDecoder(f *testing.F) {
	var good bytes.Buffer
	s := newSink(&good)
	at := extract.Location{Path: "a.zip!/b", Sheet: "S", Cell: "A1", Page: 3, Hidden: true}
	if err := errors.Join(s.Typed("text/plain", "text"), s.Begin(true), s.Mark(at), s.Source(4), s.Write([]byte("some text")), s.Mark(extract.Location{}), s.Write([]byte("more")),
		s.Begin(false), s.Write([]byte("x")), s.done(extract.Report{Gaps: []extract.Gap{{Path: "p", Reason: "r", Type: "t"}}}, 1)); err != nil {
		f.Fatal(err)
	}
	f.Add(good.Bytes())
	f.Add([]byte{opBegin, 0, opText, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f})
	f.Add([]byte{opBegin, 0, opMark, 0xff, 0x1f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Add([]byte{opGap, 1, 'a', 1, 'b', 0, opDone, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		ended := make(chan struct{})
		close(ended)
		p := &process{dec: decoder{r: bufio.NewReaderSize(bytes.NewReader(data), 4096)}, ended: ended, stderr: &bounded{}, state: exited(t)}
		const limit = 1000
		p.dec.reset(limit)
		r := &reading{child: p}
		total := 0
		r.texts(func(text *Text) error {
			b, err := io.ReadAll(text)
			total += len(b)
			for i := 0; i <= len(b); i++ {
				at, source := text.Locate(i)
				if cleanLocation(at) != at || source < -1 {
					t.Fatalf("place %+v, %d", at, source)
				}
			}
			text.Forget(len(b))
			return err
		})
		if total > limit || total > len(data) || len(p.dec.report.Gaps) > maxGaps {
			t.Fatalf("%d bytes of text, %d gaps of %d bytes", total, len(p.dec.report.Gaps), len(data))
		}
		p.dec = decoder{r: bufio.NewReader(bytes.NewReader(data))}
		if _, err := p.dec.hello(); err == nil && len(data) > 0 && data[0] != opHello {
			t.Fatal("a hello that is none")
		}
	})
}
