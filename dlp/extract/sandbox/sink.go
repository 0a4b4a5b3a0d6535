package sandbox

import (
	"encoding/binary"
	"io"
	"sync"
	"time"

	"github.com/outband/outband/dlp/extract"
)

// flushAfter is how long a record waits in the child for others, at most: what was read before a child dies is not lost with it.
const flushAfter = 50 * time.Millisecond

// sink sends what a document holds to the parent. It implements extract.Sink.
type sink struct {
	mu    sync.Mutex
	w     io.Writer
	buf   []byte
	at    extract.Location
	timer *time.Timer
	err   error
}

func newSink(w io.Writer) *sink {
	s := &sink{w: w, buf: make([]byte, 0, maxRecord+16)}
	s.timer = time.AfterFunc(time.Hour, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.flush()
	})
	return s
}

// reset makes it ready for the next file.
func (s *sink) reset() { s.at = extract.Location{} }

func (s *sink) flush() {
	if len(s.buf) > 0 && s.err == nil {
		_, s.err = s.w.Write(s.buf)
	}
	s.buf = s.buf[:0]
}

// record puts one into the buffer.
func (s *sink) record(put func(to []byte) []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.buf) == 0 {
		s.timer.Reset(flushAfter)
	}
	if s.buf = put(s.buf); len(s.buf) >= maxRecord {
		s.flush()
	}
	return s.err
}

func (s *sink) send() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flush()
	return s.err
}

func (s *sink) hello(json []byte) error {
	if err := s.record(func(to []byte) []byte { return appendString(append(to, opHello), string(json)) }); err != nil {
		return err
	}
	return s.send()
}

// ready says that the child is done with the file before, and heard of the next one.
func (s *sink) ready() error {
	if err := s.record(func(to []byte) []byte { return append(to, opReady) }); err != nil {
		return err
	}
	return s.send()
}

// Typed tells what the file is before it is read: a child that dies of it has said so much.
func (s *sink) Typed(media, format string) error {
	if err := s.record(func(to []byte) []byte {
		return appendString(appendString(append(to, opType), word(media)), word(format))
	}); err != nil {
		return err
	}
	return s.send()
}

// Begin begins a text. What came before it is sent.
func (s *sink) Begin(raw bool) error {
	if err := s.send(); err != nil {
		return err
	}
	b := byte(0)
	if raw {
		b = 1
	}
	return s.record(func(to []byte) []byte { return append(to, opBegin, b) })
}

// Mark says where what follows stands.
func (s *sink) Mark(at extract.Location) error {
	at = cleanLocation(at)
	return s.record(func(to []byte) []byte {
		to = appendLocation(append(to, opMark), &s.at, &at)
		s.at = at
		return to
	})
}

// Source says which byte of the file follows.
func (s *sink) Source(offset int64) error {
	return s.record(func(to []byte) []byte { return binary.AppendVarint(append(to, opSource), max(offset, -1)) })
}

// Write sends text.
func (s *sink) Write(p []byte) error {
	for len(p) > 0 {
		n := min(len(p), maxRecord)
		if err := s.record(func(to []byte) []byte {
			if len(to)+n > cap(to) {
				n = max(cap(to)-len(to)-8, 1) // The buffer stays as it is.
				n = min(n, len(p))
			}
			to = binary.AppendUvarint(append(to, opText), uint64(n))
			return append(to, p[:n]...)
		}); err != nil {
			return err
		}
		p = p[n:]
	}
	return nil
}

func (s *sink) done(r extract.Report, held uint64) error {
	for _, g := range r.Gaps {
		if err := s.record(func(to []byte) []byte {
			to = appendString(append(to, opGap), cleaned(g.Path, maxPath))
			return appendString(appendString(to, word(g.Reason)), word(g.Type))
		}); err != nil {
			return err
		}
	}
	if err := s.record(func(to []byte) []byte {
		to = append(to, opDone, 0)
		if r.Mismatch {
			to[len(to)-1] = 1
		}
		for _, n := range []uint64{uint64(max(r.Entries, 0)), uint64(max(r.Bytes, 0)), uint64(max(r.Cut, 0)), held} {
			to = binary.AppendUvarint(to, min(n, maxNumber))
		}
		return appendString(appendString(to, word(r.Type)), word(r.Format))
	}); err != nil {
		return err
	}
	return s.send()
}

func appendString(to []byte, s string) []byte {
	return append(binary.AppendUvarint(to, uint64(len(s))), s...)
}

// word is s if it may stand as one.
func word(s string) string {
	if !isWord(s) {
		return ""
	}
	return s
}
