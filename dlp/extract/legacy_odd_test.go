package extract

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// nowhere is a sink that keeps nothing.
type nowhere struct{}

func (nowhere) Begin(bool) error     { return nil }
func (nowhere) Mark(Location) error  { return nil }
func (nowhere) Source(int64) error   { return nil }
func (nowhere) Write(p []byte) error { return nil }

// readHostile reads bytes that may be anything: no panic, an end in time, and no more text than the limits allow.
func readHostile(t testing.TB, data []byte) Report {
	t.Helper()
	testHookPanic = func(p any, stack []byte) { t.Errorf("panic: %v\n%s", p, stack) }
	defer func() { testHookPanic = nil }()
	lim := Limits{File: 8 << 20, Item: 32 << 20, Text: 32 << 20, Memory: 64 << 20}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	rep, err := Read(ctx, File{}, bytes.NewReader(data), Options{Limits: lim}, nowhere{})
	if err != nil {
		t.Fatalf("%d bytes: %v", len(data), err)
	}
	return rep
}

func TestTruncatedAndFlippedLegacyFilesEnd(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, d := range legacyDocuments(t) {
		for i := range 60 {
			readHostile(t, d.Data[:len(d.Data)*i/60])
			b := bytes.Clone(d.Data)
			for range 1 + i%8 {
				b[r.IntN(len(b))] = byte(r.Uint32())
			}
			readHostile(t, b)
		}
	}
}

func TestAFileCutInTheMiddleIsAGapAndKeepsItsText(t *testing.T) {
	for _, d := range legacyDocuments(t) {
		if d.Format != "doc" || d.Gaps != nil {
			continue
		}
		_, rep := readAll(t, d.Name, d.Data[:len(d.Data)*2/3], Options{})
		if len(rep.Gaps) == 0 || rep.Gaps[0].Reason != ReasonMalformed {
			t.Errorf("%s: gaps %v", d.Name, rep.Gaps)
		}
	}
}

// compoundWith is a compound file with tables of the caller's own.
func compoundWith(sectors int, fat func(i int) uint32, dir func(i int) []byte) []byte {
	b := make([]byte, 512*(sectors+1))
	copy(b, compoundMagic)
	for at, v := range map[int]uint16{24: 0x3E, 26: 3, 28: 0xFFFE, 30: 9, 32: 6} {
		binary.LittleEndian.PutUint16(b[at:], v)
	}
	for at, v := range map[int]uint32{44: 1, 48: 1, 56: 4096, 60: 0xFFFFFFFE, 68: 0xFFFFFFFE} {
		binary.LittleEndian.PutUint32(b[at:], v)
	}
	for i := 1; i < 109; i++ {
		binary.LittleEndian.PutUint32(b[76+4*i:], cfbNone)
	}
	for i := range 128 {
		binary.LittleEndian.PutUint32(b[512+4*i:], fat(i))
	}
	for i := range 4 {
		copy(b[1024+128*i:], dir(i))
	}
	return b
}

func dirEntry(name string, kind byte, left, right, child, start uint32, size uint64) []byte {
	b := make([]byte, 128)
	for i, c := range name {
		binary.LittleEndian.PutUint16(b[2*i:], uint16(c))
	}
	binary.LittleEndian.PutUint16(b[64:], uint16(2*len(name)+2))
	b[66] = kind
	for i, v := range []uint32{left, right, child} {
		binary.LittleEndian.PutUint32(b[68+4*i:], v)
	}
	binary.LittleEndian.PutUint32(b[116:], start)
	binary.LittleEndian.PutUint64(b[120:], size)
	return b
}

func TestCyclesAndSharedSectorsOfACompoundFileEnd(t *testing.T) {
	const none = cfbNone
	text := "shared text of one sector "
	for name, file := range map[string][]byte{
		"chain in a ring": compoundWith(8, func(i int) uint32 { return uint32(2 + (i-1)%3) }, func(i int) []byte {
			return dirEntry(fmt.Sprintf("S%d", i), []byte{5, 2, 2, 2}[i], none, none, []uint32{1, none, none, none}[i], 3, 0xFFFFFFF0)
		}),
		"tree in a ring": compoundWith(8, func(i int) uint32 { return 0xFFFFFFFE }, func(i int) []byte {
			return dirEntry(fmt.Sprintf("S%d", i), []byte{5, 1, 1, 1}[i], uint32(i+1)%4, uint32(i+2)%4, uint32(i+3)%4, 3, 5000)
		}),
		"streams that share a sector": compoundWith(8, func(i int) uint32 { return 0xFFFFFFFE }, func(i int) []byte {
			return dirEntry(fmt.Sprintf("S%d", i), []byte{5, 2, 2, 2}[i], none, []uint32{none, 2, 3, none}[i], []uint32{1, none, none, none}[i], 3, 5000)
		}),
	} {
		copy(file[512*4:], text)
		c, rep := readAll(t, name, file, Options{})
		if n := strings.Count(c.all(), text); n > 1 {
			t.Errorf("%s: the sector came out %d times", name, n)
		}
		if rep.Text > 4096 || len(rep.Gaps) == 0 {
			t.Errorf("%s: %d bytes of text, gaps %v", name, rep.Text, rep.Gaps)
		}
	}
}

func TestStringsOfManyCellsStayWithinTheTextLimit(t *testing.T) {
	rec := func(typ int, v []byte) []byte {
		return append([]byte{byte(typ), byte(typ >> 8), byte(len(v)), byte(len(v) >> 8)}, v...)
	}
	b := rec(0x809, []byte{0, 6, 5, 0, 0, 0, 0, 0})
	s := strings.Repeat("x", 8000)
	b = append(b, rec(0xFC, append([]byte{1, 0, 0, 0, 1, 0, 0, 0, byte(len(s) & 255), byte(len(s) >> 8), 0}, s...))...)
	for range 20000 {
		b = append(b, rec(0xFD, make([]byte, 10))...)
	}
	d := &Doc{w: &walker{ctx: context.Background(), sink: nowhere{}}}
	d.w.opt.Limits = Limits{Text: 1 << 20}.orDefault()
	x := &xlsReader{d: d, t: d.Text(Location{}), page: 1252, sheets: map[uint32]xlsSheet{}, row: -1}
	if err := x.read(b); err == nil || d.w.report.Gaps[0].Reason != ReasonText {
		t.Errorf("error %v, gaps %v", err, d.w.report.Gaps)
	}
}

func FuzzCompound(f *testing.F) {
	for _, d := range legacyDocuments(f) {
		if isCompound(d.Data) || isTNEF(d.Data) {
			f.Add(d.Data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) { readHostile(t, data) })
}

// FuzzStreams reads the streams of the formats by themselves, which a fuzzer reaches better than those in a compound file.
func FuzzStreams(f *testing.F) {
	for _, d := range legacyDocuments(f) {
		if !isCompound(d.Data) {
			continue
		}
		w := &walker{ctx: context.Background(), sink: nowhere{}}
		w.opt.Limits = Limits{}.orDefault()
		root, err := openCompound(&Doc{w: w}, d.Data)
		if err != nil {
			f.Fatal(err)
		}
		for i, name := range []string{"Workbook", "PowerPoint Document", "\x05SummaryInformation"} {
			if b, err := root.read(name); err == nil && len(b) > 0 {
				f.Add(byte(i), b)
			}
		}
		if v := vbaOf(root); v != nil {
			if b, err := v.read("dir"); err == nil {
				f.Add(byte(3), b)
			}
		}
	}
	f.Add(byte(4), []byte("....................LZFu"))
	f.Fuzz(func(t *testing.T, kind byte, b []byte) {
		w := &walker{ctx: t.Context(), sink: nowhere{}}
		w.opt.Limits = Limits{File: 8 << 20, Text: 32 << 20, Memory: 64 << 20}.orDefault()
		d := &Doc{w: w}
		switch kind % 5 {
		case 0:
			x := &xlsReader{d: d, t: d.Text(Location{}), page: 1252, sheets: map[uint32]xlsSheet{}, row: -1}
			_ = x.read(b) // Any error will do.
		case 1:
			p := &pptReader{d: d, t: d.Text(Location{}), slides: map[uint32]pptSlideRef{}, ids: map[uint32]pptSlideRef{}}
			_ = p.top(b)
		case 2:
			_ = propertySets(d, b, summaryNames, "x")
		case 3:
			out, _ := unpackVBA(b)
			vbaModules(out)
		case 4:
			_, _ = unpackRTF(b, w.opt.Limits)
		}
		if w.report.Text > 32<<20 {
			t.Errorf("%d bytes of text", w.report.Text)
		}
	})
}
