package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/outband/outband/dlp/extract"
)

// TestConcurrency has more readers than children, and some of their files kill the child that reads them.
func TestConcurrency(t *testing.T) {
	p := newPool(t, Configuration{Children: 3, Files: 7}, "misbehave")
	var wg sync.WaitGroup
	var died atomic.Int32
	for g := range 8 {
		wg.Go(func() {
			for i := range 6 {
				name, want := "nothing", 0
				if (g+i)%4 == 0 {
					name, want = "exit", 1
				}
				decide := keep
				if i%2 == 0 {
					decide = nil
				}
				n := 0
				res, err := p.Read(context.Background(), extract.File{Name: name}, strings.NewReader(strings.Repeat("x", 100_000)), decide, func(t *Text) error {
					b, err := io.ReadAll(t)
					n += len(b)
					return err
				})
				if err != nil || len(res.Gaps) != want || n != len("before") {
					t.Errorf("%s: %d bytes, %+v, %v", name, n, res.Gaps, err)
				}
				died.Add(int32(len(res.Gaps)))
			}
		})
	}
	wg.Wait()
	if died.Load() != 12 {
		t.Errorf("%d died", died.Load())
	}
	if len(p.busy) != 0 || len(p.slots) != 0 || len(p.idle) > 3 {
		t.Errorf("afterwards %d are busy, %d slots are taken, %d are idle", len(p.busy), len(p.slots), len(p.idle))
	}
}

// TestContextsThatEnd ends readings at all times, of a document that takes a while.
func TestContextsThatEnd(t *testing.T) {
	p := newPool(t, Configuration{Children: 2})
	body := strings.Repeat("all work and no play. ", 1<<17)
	var wg sync.WaitGroup
	for g := range 3 {
		wg.Go(func() {
			for i := range 10 {
				ctx, cancel := context.WithCancel(context.Background())
				n := 0
				_, err := p.Read(ctx, extract.File{}, strings.NewReader(body), nil, func(t *Text) error {
					buf := make([]byte, 10_000)
					for {
						m, err := t.Read(buf)
						if n += m; n > (g*10+i)*100_000 {
							cancel()
						}
						if errors.Is(err, io.EOF) {
							return nil
						}
						if err != nil {
							return err
						}
					}
				})
				if err == nil && n != len(body) || err != nil && !errors.Is(err, context.Canceled) {
					t.Errorf("%d bytes of %d: %v", n, len(body), err)
				}
				cancel()
			}
		})
	}
	wg.Wait()
}

func TestMissingTesseract(t *testing.T) {
	if _, err := New(Configuration{Options: extract.Options{OCR: true}, Tesseract: "/nonexistent/tesseract"}); err == nil || !strings.Contains(err.Error(), "OCR") {
		t.Errorf("%v", err)
	}
}

func benchmark(b *testing.B, cfg Configuration, size int) {
	cfg.Children = 1
	p := newPool(b, cfg)
	body := strings.Repeat("all work and no play. ", size/22+1)[:size]
	read := func() {
		n := 0
		res, err := p.Read(context.Background(), extract.File{}, strings.NewReader(body), nil, func(t *Text) error {
			buf := make([]byte, 64<<10)
			for {
				m, err := t.Read(buf)
				if n += m; errors.Is(err, io.EOF) {
					return nil
				}
				if err != nil {
					return err
				}
			}
		})
		if err != nil || len(res.Gaps) > 0 || n != size {
			b.Fatalf("%d bytes, %+v, %v", n, res, err)
		}
	}
	read() // The first child is there.
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		read()
	}
}

// BenchmarkWarm reads texts with a child that is there.
func BenchmarkWarm(b *testing.B) {
	for _, size := range []int{1 << 10, 1 << 20, 64 << 20} {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) { benchmark(b, Configuration{}, size) })
	}
}

// BenchmarkCold starts a child for each text.
func BenchmarkCold(b *testing.B) { benchmark(b, Configuration{Files: 1}, 1<<10) }
