package dlp_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outband/outband/dlp"
)

func whyEngine(t testing.TB) *dlp.Engine {
	t.Helper()
	e, err := dlp.New(builtin(t), dlp.DefaultConfiguration())
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestTheStepsOfAConfidenceSumToIt(t *testing.T) {
	e := whyEngine(t)
	matches, steps := 0, map[string]int{}
	for _, d := range builtin(t) {
		for _, example := range slices.Concat(d.Examples.Match, d.Examples.NoMatch) {
			text := strings.NewReplacer("«", "", "»", "").Replace(example)
			res, err := e.Scan([]byte(text+" test example sample"), dlp.Keys{})
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range res.Matches {
				matches++
				why := e.Why(m)
				sum := 0.0
				for _, s := range why.Steps {
					sum += s.Delta
					steps[s.Step]++
					if s.Note == "" {
						t.Errorf("%s: the step %s has no note", m.Detector, s.Step)
					}
				}
				if math.Abs(sum-m.Confidence) > 1e-9 {
					t.Errorf("%s: the steps %v sum to %v, and the confidence is %v", m.Detector, why.Steps, sum, m.Confidence)
				}
				if m.Validated && len(why.Checks) == 0 {
					t.Errorf("%s: validated, and no check is named", m.Detector)
				}
				if len(m.Context) == 0 && slices.ContainsFunc(why.Steps, func(s dlp.Summand) bool { return s.Step == "context" }) {
					t.Errorf("%s: context without a word", m.Detector)
				}
				text := why.Encode()
				back, err := dlp.DecodeWhy(text)
				if err != nil || len(text) > dlp.MaxWhy || text == "" {
					t.Fatalf("%s: %d bytes, %v", m.Detector, len(text), err)
				}
				if diff := cmp.Diff(&why, back); diff != "" {
					t.Errorf("%s: encoded and decoded (-want +got):\n%s", m.Detector, diff)
				}
			}
		}
	}
	for _, s := range []string{"base", "check", "context", "negative", "weak", "cap"} {
		if steps[s] == 0 {
			t.Errorf("no match has the step %s", s)
		}
	}
	if matches < 1000 {
		t.Errorf("%d matches: the test says little", matches)
	}
}

func TestWhyIsOfOneDefinition(t *testing.T) {
	detectors := builtin(t)
	at := slices.IndexFunc(detectors, func(d dlp.Detector) bool { return d.ID == "financial.card" })
	version := func(d dlp.Detector) string {
		e, err := dlp.New([]dlp.Detector{d}, dlp.DefaultConfiguration())
		if err != nil {
			t.Fatal(err)
		}
		return e.Why(dlp.Match{Detector: d.ID, Base: 0.5, Confidence: 0.5}).DetectorVersion
	}
	a, b := detectors[at], detectors[at]
	b.Description = "Other words."
	same := version(a) == version(b)
	b.ContextWeight += 0.05
	if !same || version(a) == version(b) || version(a) == "" {
		t.Error("the version follows the words of a detector, or does not follow what it decides")
	}
}

func TestAStoredWhyKeepsToItsBytes(t *testing.T) {
	w := dlp.Why{DetectorVersion: strings.Repeat("a", 14), Steps: []dlp.Summand{{Step: "base", Delta: 0.123}}}
	for range 50 {
		w.Also = append(w.Also, "family."+strings.Repeat("x", 50))
	}
	text := w.Encode()
	back, err := dlp.DecodeWhy(text)
	if err != nil || len(text) > dlp.MaxWhy || len(back.Also) == 0 || len(back.Also) >= 50 {
		t.Errorf("%d bytes, %d others, %v", len(text), len(back.Also), err)
	}
	w = dlp.Why{DetectorVersion: strings.Repeat("a", 14), Encoding: []string{"quoted_printable", "percent", "base64", "gzip"}}
	for _, step := range []string{"base", "check", "context", "negative", "weak", "cap"} {
		w.Steps = append(w.Steps, dlp.Summand{Step: step, Delta: -0.123})
	}
	w.Checks = []string{strings.Repeat("v", 20), "entropy>=3.25"}
	if back, err := dlp.DecodeWhy(w.Encode()); err != nil || back == nil || !slices.Equal(back.Encoding, w.Encoding) {
		t.Errorf("the most that a match can have came back as %+v, %v", back, err)
	}
	if none, err := dlp.DecodeWhy(""); none != nil || err != nil {
		t.Errorf("nothing was kept: %v, %v", none, err)
	}
	if _, err := dlp.DecodeWhy("{"); err == nil {
		t.Error("half an explanation was read")
	}
}
