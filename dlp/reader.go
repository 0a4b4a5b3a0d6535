package dlp

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// ScanReader scans up to maxBytes from r in blocks, without holding more than one of them. It returns the number of bytes scanned; when r has
// more than maxBytes, Result.Truncated is set. The matches are those that Scan finds in the same bytes. Reading stops when ctx is done. Matches of a
// reader that is Placed say where in their document they stand.
func (e *Engine) ScanReader(ctx context.Context, r io.Reader, keys Keys, maxBytes int64) (Result, int64, error) {
	s := e.acquire(keys)
	defer e.release(s)
	s.placed, _ = r.(Placed)
	st := &stream{r: r, left: maxBytes}
	res, err := s.run(ctx, st)
	e.scanned.Add(st.read)
	if err != nil {
		return Result{}, st.read, err
	}
	res.Truncated = res.Truncated || st.more
	return res, st.read, nil
}

// stream is a text that is read as it is scanned. buf holds one block and its margins.
type stream struct {
	r    io.Reader
	left int64 // bytes that may still be read
	read int64
	buf  []byte
	base int // offset of buf[0]
	at   int // where the next block's own part starts, relative to buf
	done bool
	more bool
}

func (s *stream) next(ctx context.Context, size int) ([]byte, int, int, int, error) {
	if from := calm2(s.buf, s.at-margin); from > 0 {
		n := copy(s.buf, s.buf[from:])
		s.buf, s.base, s.at = s.buf[:n], s.base+from, s.at-from
	}
	if err := s.fill(ctx, s.at+size+margin); err != nil {
		return nil, 0, 0, 0, err
	}
	if s.at >= len(s.buf) {
		return nil, 0, 0, 0, io.EOF
	}
	own, end := s.at, min(s.at+size, len(s.buf))
	s.at = end
	return s.buf[:min(end+margin, len(s.buf))], s.base, own, end, nil
}

func calm2(buf []byte, at int) int {
	if at <= 0 {
		return 0
	}
	return calm(buf, at)
}

// leastRead is how much is read of a text at first.
const leastRead = 4 << 10

// fill reads until buf holds want bytes, the text ends, or the limit is reached.
func (s *stream) fill(ctx context.Context, want int) error {
	for len(s.buf) < want && !s.done {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("read text: %w", err)
		}
		need := min(int64(want-len(s.buf)), s.left)
		if need == 0 {
			return s.probe()
		}
		have := len(s.buf)
		if cap(s.buf) == have {
			// A message is short: the buffer grows with the text, not to a whole block at once.
			grown := make([]byte, have, have+min(int(need), max(have, leastRead)))
			copy(grown, s.buf)
			s.buf = grown
		}
		n, err := s.r.Read(s.buf[have:min(have+int(need), cap(s.buf))])
		s.buf = s.buf[:have+n]
		s.read += int64(n)
		s.left -= int64(n)
		if errors.Is(err, io.EOF) {
			s.done = true
		} else if err != nil {
			return fmt.Errorf("read text: %w", err)
		}
	}
	return nil
}

// probe finds out, at the limit, whether the text goes on.
func (s *stream) probe() error {
	s.done = true
	var one [1]byte
	n, err := io.ReadFull(s.r, one[:])
	s.more = n > 0
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read text: %w", err)
	}
	return nil
}
