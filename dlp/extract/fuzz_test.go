package extract

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/outband/outband/fixtures/documents"
	"github.com/outband/outband/fixtures/hostile"
)

// strict is a Sink that holds what it is told to the contract of Sink, and keeps no text.
type strict struct {
	begun, marked, raw bool
	written, text      int64
	failAt             int64 // so many bytes of text are taken; 0: all
}

var (
	errOrder = errors.New("the sink was told things out of order")
	errFull  = errors.New("the sink is full")
)

func (s *strict) Begin(raw bool) error {
	s.begun, s.marked, s.raw, s.text = true, false, raw, 0
	return nil
}

func (s *strict) Mark(at Location) error {
	if !s.begun {
		return errOrder
	}
	s.marked = true
	return nil
}

func (s *strict) Source(offset int64) error {
	if !s.begun || offset < -1 {
		return errOrder
	}
	return nil
}

func (s *strict) Write(p []byte) error {
	if !s.begun || !s.marked || len(p) == 0 {
		return errOrder
	}
	s.written += int64(len(p))
	if s.failAt > 0 && s.written > s.failAt {
		return errFull
	}
	return nil
}

// fuzzLimits are low, so that a small file passes each of them.
var fuzzLimits = Limits{File: 1 << 20, Item: 3 << 20, Text: 2 << 20, Memory: 4 << 20, Entries: 60, Depth: 5, Ratio: 200, Pixels: 1 << 20}

// FuzzRead holds the frame and every format to what Read promises of any bytes: it ends, without a panic; what it gives out, counts and names stays within
// the limits; the sink is told things in order; and a sink that fails ends it with its own error.
func FuzzRead(f *testing.F) {
	seed := func(name string, data []byte) {
		if len(data) <= 16<<10 { // The fuzzer reads all seeds before it begins.
			f.Add(name, data, int64(len(data)%2*100))
		}
	}
	docs, err := documents.All(1)
	if err != nil {
		f.Fatal(err)
	}
	for _, d := range docs {
		seed(d.Name, d.Data)
	}
	for file, err := range hostile.Files(1, len(hostile.Families())) {
		if err != nil {
			f.Fatal(err)
		}
		if file.Open == nil {
			seed(file.Name, file.Data)
		}
	}
	f.Fuzz(func(t *testing.T, name string, data []byte, failAt int64) {
		if len(data) > 1<<20 {
			return
		}
		testHookPanic = func(p any, stack []byte) { t.Errorf("panic: %v\n%s", p, stack) }
		defer func() { testHookPanic = nil }()
		// Ten times what the slowest seed needs under the fuzzer. A format that does not look at the context hangs, which the fuzzer tells.
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		s := &strict{failAt: max(failAt, 0)}
		rep, err := Read(ctx, File{Name: name}, bytes.NewReader(data), Options{Limits: fuzzLimits}, s)
		switch {
		case errors.Is(err, errFull):
			if s.failAt == 0 {
				t.Error("a sink that takes everything was full")
			}
		case err != nil:
			t.Fatalf("Read: %v", err)
		case s.failAt > 0 && s.written > s.failAt:
			t.Error("the error of the sink was lost")
		case rep.Text != s.written:
			t.Errorf("%d bytes of text were counted, %d written", rep.Text, s.written)
		}
		// A reader hands out at most one buffer after its limit is passed, and the file itself does not count into the item.
		if limit := fuzzLimits.Item + fuzzLimits.File + 2*headBytes + 64<<10; rep.Bytes > limit || rep.Text > fuzzLimits.Text || rep.Entries > fuzzLimits.Entries || len(rep.Gaps) > maxGaps {
			t.Errorf("%d bytes, %d of text, %d entries, %d gaps", rep.Bytes, rep.Text, rep.Entries, len(rep.Gaps))
		}
	})
}

// brokenSource gives some bytes and then an error that is its own.
type brokenSource struct {
	r   io.Reader
	err error
}

func (b *brokenSource) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if errors.Is(err, io.EOF) {
		err = b.err
	}
	return n, err
}

// TestABrokenSourceIsNoFaultOfTheFile breaks the source off in the middle of valid documents and of hostile files: the error comes out, whatever the format
// makes of it.
func TestABrokenSourceIsNoFaultOfTheFile(t *testing.T) {
	docs, err := documents.All(3)
	if err != nil {
		t.Fatal(err)
	}
	for file, err := range hostile.Files(3, len(hostile.Families())) {
		if err != nil {
			t.Fatal(err)
		}
		if file.Open == nil && len(file.Data) > 0 {
			docs = append(docs, documents.Document{Name: file.Family + " " + file.Name, Data: file.Data})
		}
	}
	gone := errors.New("connection reset")
	for _, d := range docs {
		r := &brokenSource{bytes.NewReader(d.Data[:len(d.Data)/2]), gone}
		rep, err := Read(context.Background(), File{Name: d.Name}, r, Options{Limits: fuzzLimits}, &strict{})
		if !errors.Is(err, gone) && rep.Gaps == nil {
			t.Errorf("%s: Read returned %v and no gap", d.Name, err)
		}
	}
}
