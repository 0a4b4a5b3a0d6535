package sandbox

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/outband/outband/dlp/extract"
)

// TestMain is the child too: of extract itself, and, with a third argument, of a reader that misbehaves.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == Argument {
		if len(os.Args) > 2 {
			child(misbehave)
		}
		Child()
	}
	goleak.VerifyTestMain(m)
}

// newPool makes a pool of this test binary.
func newPool(t testing.TB, cfg Configuration, extra ...string) *Pool {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cfg.Command = append([]string{self, Argument}, extra...)
	p, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// gathered is what take got of a text.
type gathered struct {
	text string
	raw  bool
}

func gather(into *[]gathered) func(*Text) error {
	return func(t *Text) error {
		b, err := io.ReadAll(t)
		*into = append(*into, gathered{string(b), t.Raw()})
		return err
	}
}

func keep([32]byte, int64) bool { return true }

func TestRead(t *testing.T) {
	p := newPool(t, Configuration{Children: 1})
	long := strings.Repeat("all work and no play. ", 1<<16)
	for _, tc := range []struct {
		name, body string
		decide     func([32]byte, int64) bool
		want       []gathered
		report     extract.Report
	}{
		{"as bytes come", long, nil, []gathered{{long, true}}, extract.Report{Type: "text/plain", Format: "text"}},
		{"spooled", long, keep, []gathered{{long, true}}, extract.Report{Type: "text/plain", Format: "text"}},
		{"type that is not read", "\x7fELF\x02\x01\x01" + strings.Repeat("\x00", 1<<20), nil, nil,
			extract.Report{Type: "application/x-elf", Gaps: []extract.Gap{{Reason: extract.ReasonUnsupported, Type: "application/x-elf"}}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var got []gathered
			res, err := p.Read(context.Background(), extract.File{Name: "a"}, strings.NewReader(tc.body), tc.decide, gather(&got))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(gathered{})); diff != "" {
				t.Errorf("texts (-want +got):\n%.500s", diff)
			}
			if res.Sum != sha256.Sum256([]byte(tc.body)) || res.Size != int64(len(tc.body)) || res.Dropped {
				t.Errorf("sum or size: %d bytes, dropped %v", res.Size, res.Dropped)
			}
			if res.Type != tc.report.Type || res.Format != tc.report.Format || !cmp.Equal(res.Gaps, tc.report.Gaps) {
				t.Errorf("report: %+v", res.Report)
			}
		})
	}
}

func TestDecide(t *testing.T) {
	p := newPool(t, Configuration{Children: 1})
	body := []byte("known")
	res, err := p.Read(context.Background(), extract.File{}, bytes.NewReader(body), func(sum [32]byte, size int64) bool {
		if sum != sha256.Sum256(body) || size != 5 {
			t.Errorf("decide got %x, %d", sum, size)
		}
		return false
	}, func(*Text) error {
		t.Error("a file that is not wanted was read")
		return nil
	})
	if err != nil || !res.Dropped || res.Sum != sha256.Sum256(body) {
		t.Errorf("%+v, %v", res, err)
	}
	var got []gathered
	if _, err := p.Read(context.Background(), extract.File{}, strings.NewReader("next"), keep, gather(&got)); err != nil || len(got) != 1 || got[0].text != "next" {
		t.Errorf("after it: %v, %v", got, err)
	}
}

func TestFileOverTheLimit(t *testing.T) {
	p := newPool(t, Configuration{Children: 1, Options: extract.Options{Limits: extract.Limits{File: 100_000}}})
	for name, decide := range map[string]func([32]byte, int64) bool{"as bytes come": nil, "spooled": func([32]byte, int64) bool {
		t.Error("decide was asked about a part of a file")
		return false
	}} {
		endless := &endless{}
		var got []gathered
		res, err := p.Read(context.Background(), extract.File{}, endless, decide, gather(&got))
		if err != nil || len(got) != 1 || len(got[0].text) != 100_000 {
			t.Fatalf("%s: %d texts, %v", name, len(got), err)
		}
		if want := []extract.Gap{{Reason: extract.ReasonFileSize, Type: "text/plain"}}; !cmp.Equal(res.Gaps, want) || res.Sum != [32]byte{} || res.Size != 100_001 {
			t.Errorf("%s: %+v", name, res)
		}
		if endless.n > 200_000 {
			t.Errorf("%s: %d bytes were taken", name, endless.n)
		}
	}
}

type endless struct{ n int }

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'a'
	}
	e.n += len(p)
	return len(p), nil
}

var errTest = errors.New("test")

func TestErrors(t *testing.T) {
	p := newPool(t, Configuration{Children: 1})
	for name, decide := range map[string]func([32]byte, int64) bool{"as bytes come": nil, "spooled": keep} {
		none := func(*Text) error { return nil }
		if _, err := p.Read(context.Background(), extract.File{}, io.MultiReader(strings.NewReader("begin"), failing{}), decide, none); !errors.Is(err, errTest) {
			t.Errorf("%s: error of the body: %v", name, err)
		}
		if _, err := p.Read(context.Background(), extract.File{}, strings.NewReader("text"), decide, func(*Text) error { return errTest }); !errors.Is(err, errTest) {
			t.Errorf("%s: error of take: %v", name, err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		if _, err := p.Read(ctx, extract.File{}, &endless{}, decide, func(t *Text) error {
			cancel()
			_, err := io.Copy(io.Discard, t)
			return err
		}); decide == nil && !errors.Is(err, context.Canceled) {
			t.Errorf("%s: context that ends: %v", name, err)
		}
		cancel()
		if _, err := p.Read(ctx, extract.File{}, strings.NewReader("text"), decide, none); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: context that has ended: %v", name, err)
		}
		var got []gathered
		if _, err := p.Read(context.Background(), extract.File{}, strings.NewReader("fine"), decide, gather(&got)); err != nil || len(got) != 1 || got[0].text != "fine" {
			t.Errorf("%s: the next file: %v, %v", name, got, err)
		}
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errTest }
