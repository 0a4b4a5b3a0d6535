package corpus_test

import (
	"bytes"
	"encoding/json"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outband/outband/dlp"
	"github.com/outband/outband/dlp/corpus"
)

func builtin(tb testing.TB) []dlp.Detector {
	tb.Helper()
	all, err := dlp.Builtin()
	if err != nil {
		tb.Fatal(err)
	}
	return all
}

func made(tb testing.TB, cfg corpus.Configuration) *corpus.Corpus {
	tb.Helper()
	c, err := corpus.New(builtin(tb), cfg)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

func TestTheSameSeedMakesTheSameCorpus(t *testing.T) {
	a, b := made(t, corpus.Configuration{Size: 1 << 20, Seed: 3}), made(t, corpus.Configuration{Size: 1 << 20, Seed: 3})
	if diff := cmp.Diff(a, b); diff != "" {
		t.Errorf("two corpora of one seed (-one +other):\n%s", diff)
	}
	if other := made(t, corpus.Configuration{Size: 1 << 20, Seed: 4}); bytes.Equal(a.Join(), other.Join()) {
		t.Error("two seeds make the same corpus")
	}
}

func TestCorpusIsMadeAsItSays(t *testing.T) {
	c := made(t, corpus.Configuration{Size: 8 << 20, Seed: 1})
	shares := map[string]int{}
	planted := map[string]bool{}
	size, sensitive, decoys := 0, 0, 0
	for i, d := range c.Documents {
		shares[d.Form] += len(d.Text)
		size += len(d.Text)
		decoys += len(d.Decoys)
		if d.Form == corpus.FormChat && !json.Valid(d.Text) {
			t.Fatalf("document %d is a conversation and no JSON", i)
		}
		for _, p := range append(d.Planted, d.Decoys...) {
			if p.Start < 0 || p.Start >= p.End || p.End > len(d.Text) || p.Name == "" || p.To > 0 && (p.From > p.Start || p.To < p.End) {
				t.Fatalf("document %d of %d bytes has the place %+v", i, len(d.Text), p)
			}
		}
		for _, p := range d.Planted {
			planted[p.Name] = true
			if p.Name == "national_id.us_ssn" && p.End-p.Start != 9 && p.End-p.Start != 11 {
				t.Errorf("a planted number stands at %q", d.Text[p.Start:p.End])
			}
			if len(p.Name) > 7 && p.Name[:7] == "source." && !p.Wide {
				t.Error("source code is planted and must be found whole")
			}
		}
	}
	for form, want := range map[string]float64{corpus.FormChat: 0.5, corpus.FormProse: 0.2, corpus.FormCode: 0.2, corpus.FormLog: 0.1} {
		if got := float64(shares[form]) / float64(size); math.Abs(got-want) > 0.03 {
			t.Errorf("%s is %.3f of the corpus, want %.1f", form, got, want)
		}
	}
	sensitive = c.Sensitive
	if share := float64(sensitive) / float64(size); c.Size != size || size < 8<<20 || math.Abs(share-0.01) > 0.001 {
		t.Errorf("%d bytes, said to be %d; %.4f of them sensitive", size, c.Size, share)
	}
	for _, d := range builtin(t) {
		if !planted[d.ID] {
			t.Errorf("no value of %s is planted", d.ID)
		}
	}
	if decoys < 500 {
		t.Errorf("%d decoys", decoys)
	}
}

func TestCleanTextHoldsNothing(t *testing.T) {
	c := made(t, corpus.Configuration{Size: 4 << 20, Seed: 1, Clean: true})
	e, err := dlp.New(builtin(t), dlp.Configuration{})
	if err != nil {
		t.Fatal(err)
	}
	for i, d := range c.Documents {
		res, err := e.Scan(d.Text, dlp.Keys{})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range res.Matches {
			if m.Confidence >= dlp.ConfidenceMedium {
				t.Errorf("document %d: %s at %.2f: %q", i, m.Detector, m.Confidence, d.Text[m.Start:m.End])
			}
		}
		if len(d.Planted)+len(d.Decoys) > 0 {
			t.Fatalf("document %d of a clean corpus has places", i)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		detectors []dlp.Detector
		cfg       corpus.Configuration
	}{
		"no size":                       {builtin(t), corpus.Configuration{}},
		"too large a size":              {builtin(t), corpus.Configuration{Size: corpus.MaxSize + 1}},
		"a detector without an example": {[]dlp.Detector{{ID: "custom.x", Kind: dlp.KindToken}}, corpus.DefaultConfiguration()},
		"an example without a value":    {[]dlp.Detector{{ID: "custom.x", Kind: dlp.KindToken, Examples: dlp.Examples{Match: []string{"abc"}}}}, corpus.DefaultConfiguration()},
		"an unknown macro":              {[]dlp.Detector{{ID: "custom.x", Kind: dlp.KindToken, Examples: dlp.Examples{Match: []string{"«abc{none:3}»"}}}}, corpus.Configuration{Size: 1 << 20}},
	} {
		if _, err := corpus.New(tc.detectors, tc.cfg); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
