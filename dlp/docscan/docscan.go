// Package docscan scans documents: a child process takes the text out of a file, the engine of this process scans it as it comes, and each match says where
// in the document it stands. Neither the file nor its text is ever whole in this process.
package docscan

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/outband/outband/dlp"
	"github.com/outband/outband/dlp/extract"
	"github.com/outband/outband/dlp/extract/sandbox"
)

// Result is what a document holds.
type Result struct {
	sandbox.Result
	Matches   []dlp.Match // Start and End are bytes of the file where it is text, else of all its texts one behind the other
	Texts     []int       // in which text of the document each match stands, from 1
	Truncated bool        // a text has more matches than are kept
	Undecoded bool        // as in dlp.Result
}

// Scanner scans documents with one engine. It is safe for concurrent use.
type Scanner struct {
	Pool   *sandbox.Pool
	Engine *dlp.Engine
	Keys   dlp.Keys
}

// Tries is how often ScanAgain reads a file whose child is killed from outside.
const Tries = 3

// ScanAgain is Scan of what open gives. When the child is killed from outside, the file is opened and scanned again at once, Tries times in all.
func (s *Scanner) ScanAgain(ctx context.Context, f extract.File, open func(context.Context) (io.ReadCloser, error), decide func(sum [32]byte, size int64) bool) (Result, error) {
	for try := 1; ; try++ {
		body, err := open(ctx)
		if err != nil {
			return Result{}, err
		}
		res, err := s.Scan(ctx, f, body, decide)
		// What was wanted of the body has been read: an error of closing it says nothing about that.
		_ = body.Close()
		if try == Tries || !errors.Is(err, sandbox.ErrKilled) {
			return res, err
		}
	}
}

// Scan scans a file. decide is that of sandbox.Pool.Read. What was found before something went wrong with the file itself is in the result, with the gap; an
// error is that of body, of ctx or of the scan (dlp.ErrBudget, dlp.ErrPanic), or sandbox.ErrKilled: then nothing is known of the file, and it is to be
// tried again.
func (s *Scanner) Scan(ctx context.Context, f extract.File, body io.Reader, decide func(sum [32]byte, size int64) bool) (Result, error) {
	var out Result
	texts, before := 0, 0
	var err error
	out.Result, err = s.Pool.Read(ctx, f, body, decide, func(t *sandbox.Text) error {
		texts++
		res, n, err := s.Engine.ScanReader(ctx, t, s.Keys, math.MaxInt64)
		if err != nil {
			return fmt.Errorf("scan a text of the file: %w", err)
		}
		for _, m := range res.Matches {
			if m.Where.Line > 0 && m.Where.Column == 0 {
				m.Where.Column = m.Column // The lines of the text are those of the file.
			}
			if m.Source = m.Source || t.Raw(); !m.Source {
				m.Start, m.End = m.Start+before, m.End+before
			}
			out.Matches, out.Texts = append(out.Matches, m), append(out.Texts, texts)
		}
		out.Truncated, out.Undecoded = out.Truncated || res.Truncated, out.Undecoded || res.Undecoded
		before += int(n)
		return nil
	})
	if err != nil {
		return Result{}, err
	}
	return out, nil
}
