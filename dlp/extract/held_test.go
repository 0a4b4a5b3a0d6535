package extract

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
)

func TestHeldFileIsNotCopied(t *testing.T) {
	for _, size := range []int{1, headBytes, headBytes + 1, 100_000} {
		data := bytes.Repeat([]byte("a"), size)
		for _, tc := range []struct {
			name string
			lim  Limits
			read int // before Bytes
			same bool
		}{
			{"whole", Limits{}, 0, true},
			{"after a byte was read", Limits{}, 1, false},
			{"over the memory", Limits{Memory: int64(size) - 1}, 0, false},
		} {
			if tc.lim.Memory == 0 && tc.name == "over the memory" {
				continue // No limit is the default one.
			}
			t.Run(fmt.Sprintf("%s, %d bytes", tc.name, size), func(t *testing.T) {
				h := Hold(data)
				w := &walker{ctx: context.Background(), opt: Options{Limits: tc.lim.orDefault()}, sink: &collected{}, file: h}
				f := &format{id: "x", read: func(d *Doc) error {
					if _, err := io.CopyN(io.Discard, d.Reader(), int64(tc.read)); err != nil {
						return err
					}
					got, err := d.Bytes()
					if err != nil {
						return err
					}
					if same := len(got) > 0 && &got[0] == &data[0]; same != tc.same {
						t.Errorf("the same bytes: %v, want %v", same, tc.same)
					}
					if len(got) != size-tc.read {
						t.Errorf("got %d bytes of %d", len(got), size)
					}
					if rest, err := io.ReadAll(d.Reader()); err != nil || len(rest) > 0 {
						t.Errorf("after all bytes: %d more, %v", len(rest), err)
					}
					return nil
				}}
				d := &Doc{w: w}
				d.start(Member{Body: h})
				if _, err := d.r.Peek(headBytes); err != nil && size >= headBytes {
					t.Fatal(err)
				}
				if err := d.guarded(f.read); err != nil && tc.same {
					t.Error(err)
				}
				if tc.same && w.report.Bytes != int64(size) {
					t.Errorf("counted %d bytes of %d", w.report.Bytes, size)
				}
			})
		}
	}
}

type typedSink struct {
	collected
	told []string
}

func (s *typedSink) Typed(media, format string) error {
	s.told = append(s.told, media+" "+format)
	return nil
}

func TestTypeIsToldFirst(t *testing.T) {
	s := &typedSink{}
	if _, err := Read(context.Background(), File{}, Hold([]byte("some text")), Options{}, s); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(s.told, ","); got != "text/plain text" {
		t.Errorf("told %q", got)
	}
}
