package docscan_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/outband/outband/dlp"
	"github.com/outband/outband/dlp/docscan"
	"github.com/outband/outband/dlp/extract"
	"github.com/outband/outband/dlp/extract/sandbox"
	"github.com/outband/outband/fixtures/documents"
)

var update = flag.Bool("update", false, "rewrite the tables of docs/documents.md")

// TestMain is the child too.
func TestMain(m *testing.M) {
	sandbox.Child()
	goleak.VerifyTestMain(m)
}

// newScanner makes a scanner of all built-in detectors, whose children are this test binary.
func newScanner(t testing.TB, cfg sandbox.Configuration) *docscan.Scanner {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cfg.Command = []string{self, sandbox.Argument}
	pool, err := sandbox.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := pool.Close(); err != nil {
			t.Error(err)
		}
	})
	detectors, err := dlp.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	engine, err := dlp.New(detectors, dlp.DefaultConfiguration())
	if err != nil {
		t.Fatal(err)
	}
	return &docscan.Scanner{Pool: pool, Engine: engine, Keys: dlp.Keys{ID: bytes.Repeat([]byte{7}, 32)}}
}

// seen is where a value of a document was reported, or what of the document was not read.
type seen struct{ place, where, document string }

// TestDocuments scans every document of fixtures/documents as a server does, and demands that each planted value is found as what it is and at exactly its
// place, and each gap. The tables of docs/documents.md are what it saw: go test ./dlp/docscan -run TestDocuments -update rewrites them.
func TestDocuments(t *testing.T) {
	docs, err := documents.All(1)
	if err != nil {
		t.Fatal(err)
	}
	s := newScanner(t, sandbox.Configuration{})
	var formats []string
	values, gaps := map[string][]seen{}, map[string][]seen{}
	for _, d := range docs {
		if !slices.Contains(formats, d.Format) {
			formats = append(formats, d.Format)
		}
		res, err := s.Scan(t.Context(), extract.File{Name: d.Name}, bytes.NewReader(d.Data), func([32]byte, int64) bool { return true })
		if err != nil {
			t.Fatalf("%s %s: %v", d.Format, d.Name, err)
		}
		for _, p := range d.Plants {
			if at := found(t, s, d, p, res); at != "" {
				values[d.Format] = append(values[d.Format], seen{p.Place, strings.ReplaceAll(at, p.Value, "<value>"), d.Name})
			}
		}
		var got []string
		for _, g := range res.Gaps {
			got = append(got, g.Reason)
			gaps[d.Format] = append(gaps[d.Format], seen{g.Reason, g.Path, d.Name})
		}
		slices.Sort(got)
		want := slices.Sorted(slices.Values(d.Gaps))
		if diff := cmp.Diff(want, got); diff != "" || res.Cut > 0 {
			t.Errorf("%s %s: gaps (-want +got), %d more:\n%s", d.Format, d.Name, res.Cut, diff)
		}
	}
	compareTables(t, tables(formats, values, gaps))
}

// found is the place of a planted value as it is shown to a person.
func found(t *testing.T, s *docscan.Scanner, d documents.Document, p documents.Plant, res docscan.Result) string {
	t.Helper()
	alone, err := s.Engine.Scan([]byte(p.Value), s.Keys)
	if err != nil {
		t.Fatal(err)
	}
	if len(alone.Matches) != 1 || !strings.HasPrefix(alone.Matches[0].Detector, "secret.github_") {
		t.Fatalf("the value of %q is no token by itself: %v", p.Place, alone.Matches)
	}
	var others []string
	for _, m := range res.Matches {
		if m.Value != alone.Matches[0].Value || m.Detector != alone.Matches[0].Detector {
			continue
		}
		at := m.Where
		if p.Where.Line > 0 && m.Source {
			at.Line, at.Column = m.Line, m.Column
		}
		if documents.Where(at) == p.Where {
			return at.String()
		}
		others = append(others, fmt.Sprintf("%+v", at))
	}
	t.Errorf("%s %s: the value of %q is not found at %+v, but at %q", d.Format, d.Name, p.Place, p.Where, others)
	return ""
}
