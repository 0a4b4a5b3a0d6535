package sandbox

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/outband/outband/dlp/extract"
)

// TestChildThatMisbehaves has a child do everything that a document may bring it to. Each costs its file only: what came before stands, the reason is
// told, and the next file is read.
func TestChildThatMisbehaves(t *testing.T) {
	if raceEnabled {
		t.Log("memory and recursion are not tried: the race detector maps more than any limit")
	}
	cfg := Configuration{Children: 1, Memory: 256 << 20, CPU: time.Second, Wall: 3 * time.Second, Options: extract.Options{Limits: extract.Limits{Text: 1 << 20}}}
	p := newPool(t, cfg, "misbehave")
	for _, tc := range []struct{ name, reason string }{
		{"loop", extract.ReasonTime},
		{"sleep", extract.ReasonTime},
		{"memory", extract.ReasonMemory},
		{"recursion", extract.ReasonMemory},
		{"flood", extract.ReasonDied},
		{"marks", extract.ReasonDied},
		{"closed output", extract.ReasonDied},
		{"closed input", extract.ReasonTime},
		{"garbage", extract.ReasonDied},
		{"long frame", extract.ReasonDied},
		{"behind its end", extract.ReasonDied},
		{"no rest", ""},
		{"exit", extract.ReasonDied},
		{"panic", extract.ReasonDied},
		{"nothing read", ""},
		{"nothing", ""},
	} {
		if raceEnabled && tc.reason == extract.ReasonMemory {
			continue
		}
		for way, decide := range map[string]func([32]byte, int64) bool{"as bytes come": nil, "spooled": keep} {
			t.Run(tc.name+", "+way, func(t *testing.T) {
				var got []gathered
				body := strings.Repeat("x", 5<<20) // more than the pipe holds
				res, err := p.Read(context.Background(), extract.File{Name: tc.name}, strings.NewReader(body), decide, gather(&got))
				if err != nil {
					t.Fatal(err)
				}
				if tc.name != "nothing read" && (len(got) != 1 || !strings.HasPrefix(got[0].text, "before")) {
					t.Errorf("%d texts: what came before is lost", len(got))
				}
				var want []extract.Gap
				if tc.reason != "" {
					want = []extract.Gap{{Reason: tc.reason}}
				}
				gaps := res.Gaps
				for i := range gaps {
					gaps[i].Type = ""
				}
				if diff := cmp.Diff(want, gaps); diff != "" {
					t.Errorf("gaps (-want +got):\n%s", diff)
				}
				if res.Size != int64(len(body)) || res.Sum == [32]byte{} {
					t.Errorf("sum of %d bytes of %d", res.Size, len(body))
				}
				got = nil
				if res, err := p.Read(context.Background(), extract.File{Name: "nothing"}, strings.NewReader("x"), nil, gather(&got)); err != nil || len(got) != 1 || len(res.Gaps) > 0 {
					t.Errorf("the next file: %v, %+v, %v", got, res, err)
				}
			})
		}
	}
}

// TestProcessorTime holds the limit of processor time apart from that of waiting.
func TestProcessorTime(t *testing.T) {
	p := newPool(t, Configuration{Children: 1, CPU: time.Second, Wall: 5 * time.Minute}, "misbehave")
	for range 2 { // The second child knows nothing of the first one's time.
		if res, err := p.Read(context.Background(), extract.File{Name: "loop"}, strings.NewReader(""), nil, func(*Text) error { return nil }); err != nil || len(res.Gaps) != 1 || res.Gaps[0].Reason != extract.ReasonTime {
			t.Errorf("%+v, %v", res, err)
		}
	}
}

// TestSlowSideCostsNothing has a source and a scanner that take longer than a child may.
func TestSlowSideCostsNothing(t *testing.T) {
	p := newPool(t, Configuration{Children: 1, Wall: 300 * time.Millisecond})
	for name, decide := range map[string]func([32]byte, int64) bool{"as bytes come": nil, "spooled": keep} {
		body := io.MultiReader(&slow{strings.NewReader(strings.Repeat("a", 50_000))}, &slow{strings.NewReader(strings.Repeat("b", 50_000))})
		n := 0
		res, err := p.Read(context.Background(), extract.File{}, body, decide, func(t *Text) error {
			time.Sleep(500 * time.Millisecond)
			b, err := io.ReadAll(&slow{t})
			n += len(b)
			return err
		})
		if err != nil || len(res.Gaps) > 0 || n != 100_000 {
			t.Errorf("%s: %d bytes, %+v, %v", name, n, res.Gaps, err)
		}
	}
}

// slow gives 25 KB at a time, and waits before each.
type slow struct{ r io.Reader }

func (s *slow) Read(p []byte) (int, error) {
	time.Sleep(200 * time.Millisecond)
	return s.r.Read(p[:min(len(p), 25_000)])
}

func TestReplacedAfterFiles(t *testing.T) {
	p := newPool(t, Configuration{Children: 1, Files: 2})
	seen := map[*process]int{}
	for range 5 {
		if _, err := p.Read(context.Background(), extract.File{}, strings.NewReader("a"), nil, func(t *Text) error {
			seen[t.f.child]++
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	if len(seen) != 3 {
		t.Errorf("five files by %d children, want 3", len(seen))
	}
}

func TestClosedPool(t *testing.T) {
	p := newPool(t, Configuration{Children: 1}, "misbehave")
	began := make(chan struct{})
	ended := make(chan error)
	go func() {
		_, err := p.Read(context.Background(), extract.File{Name: "sleep"}, strings.NewReader(""), nil, func(t *Text) error {
			close(began)
			_, err := io.Copy(io.Discard, t)
			return err
		})
		ended <- err
	}()
	<-began
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if err := <-ended; !errors.Is(err, ErrClosed) {
		t.Errorf("read at work: %v", err)
	}
	if _, err := p.Read(context.Background(), extract.File{}, strings.NewReader(""), nil, nil); !errors.Is(err, ErrClosed) {
		t.Errorf("read after it: %v", err)
	}
}

func TestChildThatDoesNotStart(t *testing.T) {
	for name, command := range map[string][]string{"no such file": {"/nonexistent"}, "no child of ours": {"/bin/true"}} {
		p, err := New(Configuration{Command: command})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Read(context.Background(), extract.File{}, strings.NewReader(""), nil, nil); err == nil || !strings.Contains(err.Error(), "start a child") {
			t.Errorf("%s: %v", name, err)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
}
