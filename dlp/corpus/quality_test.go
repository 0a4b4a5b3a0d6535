package corpus_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/outband/outband/dlp/corpus"
)

var update = flag.Bool("update", false, "rewrite docs/detectors-quality.md and quality_gen.json")

const (
	qualityDoc  = "../../docs/detectors-quality.md"
	qualityJSON = "quality_gen.json"
)

// TestQuality measures all built-in detectors on the reference corpus, holds them to what is promised, and keeps the page and the file about it
// true; go test ./dlp/corpus -run TestQuality -update rewrites both, and -v lists what was missed and what is wrong.
func TestQuality(t *testing.T) {
	if raceEnabled {
		t.Skip("nothing runs beside it, and the race detector makes it ten times slower")
	}
	cfg := corpus.DefaultConfiguration()
	c := made(t, cfg)
	q, err := corpus.Measure(builtin(t), c, func(f corpus.Fault) {
		if testing.Verbose() {
			t.Logf("%s missed=%t instead=%q %q", f.Detector, f.Missed, f.Instead, f.Text)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	// The code that fills a fifth of the corpus would outweigh all else.
	values := func(s corpus.Score) bool { return s.Family() != "source" }
	all, sums := q.Sum(values), q.Sum(func(s corpus.Score) bool { return s.Checksum })
	if r := sums.Recall(); r < 0.99 {
		t.Errorf("recall of values with a checksum is %.4f, want 0.99", r)
	}
	if r := all.Recall(); r < 0.97 {
		t.Errorf("recall of planted values is %.4f, want 0.97", r)
	}
	if r := q.DecoyRate(); r > 0.005 {
		t.Errorf("%.4f of the decoys are matched, at most 0.005 may be", r)
	}
	for path, want := range map[string][]byte{qualityDoc: page(cfg, c, q, all, sums), qualityJSON: rows(t, q)} {
		if *update {
			if err := os.WriteFile(path, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is stale; run go test ./dlp/corpus -run TestQuality -update", path)
		}
	}
}

// rows is one line of JSON for each detector.
func rows(t *testing.T, q *corpus.Quality) []byte {
	var b bytes.Buffer
	for i, s := range q.Scores {
		row, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s%q:%s", []string{",\n", "{\n"}[truth(i == 0)], s.Detector, row)
	}
	b.WriteString("\n}\n")
	return b.Bytes()
}

func truth(b bool) int {
	if b {
		return 1
	}
	return 0
}

func page(cfg corpus.Configuration, c *corpus.Corpus, q *corpus.Quality, all, sums corpus.Score) []byte {
	var b bytes.Buffer
	line := func(name string, s corpus.Score) {
		fmt.Fprintf(&b, "| %s | %d | %.3f | %.3f | %d | %d |\n", name, s.Planted, s.Recall(), s.Precision(), s.Wrong, s.Decoys)
	}
	head := func(first string) {
		fmt.Fprintf(&b, "| %s | planted | recall | precision | wrong | on decoys |\n|---|---|---|---|---|---|\n", first)
	}
	put, matched := 0, 0
	for _, d := range q.Decoys {
		put += d.Put
		matched += d.Matched
	}
	b.WriteString("# How well the detectors do\n\nMade by `go test ./dlp/corpus -run TestQuality -update`. Do not edit.\n\n")
	fmt.Fprintf(&b, "Measured on the reference corpus (`dlp/corpus`, seed %d): %d documents, %d bytes, of them %.2f %% sensitive; half conversations as JSON, a fifth\n"+
		"prose, a fifth code, a tenth logs. `outband detectors bench` makes the same for any size and seed, and for your own detectors.\n\n", cfg.Seed, len(c.Documents), c.Size, 100*float64(c.Sensitive)/float64(c.Size))
	b.WriteString("A value counts as found when a match of at least medium confidence covers just its bytes, or a more specific match names its detector among those\n" +
		"that lost. Any other match of at least medium confidence is wrong: on a decoy, on the value of another detector, on ordinary text. Source code, lists\n" +
		"and hidden text count as found when a match touches them. Optional detectors are measured apart.\n\n")
	b.WriteString("What the figures do not say: values are drawn anew, but in the forms of the detectors' own examples, and where they have a checksum the detector's\n" +
		"own check draws them, so an error in that check does not show. Names of keys are those of the examples, each spelled as its surroundings want it. Phrases\n" +
		"and what cannot be drawn stand as in the examples, with other text around. A key without a shape of its own is planted with a name and an operator.\n\n## Totals\n\n")
	head("what")
	line("all but source code", all)
	line("with a checksum or a structure", sums)
	line("source code", q.Sum(func(s corpus.Score) bool { return s.Family() == "source" }))
	fmt.Fprintf(&b, "\n%d of %d decoys were matched with at least medium confidence: %.2f %%.\n\n## Families\n\n", matched, put, 100*q.DecoyRate())
	head("family")
	var families []string
	for _, s := range q.Scores {
		if f := s.Family(); !slices.Contains(families, f) {
			families = append(families, f)
			line(f, q.Sum(func(s corpus.Score) bool { return s.Family() == f }))
		}
	}
	b.WriteString("\n## Decoys\n\n| what | put | matched |\n|---|---|---|\n")
	for _, d := range q.Decoys {
		fmt.Fprintf(&b, "| %s | %d | %d |\n", d.Name, d.Put, d.Matched)
	}
	b.WriteString("\n## Detectors\n\n")
	head("id")
	for _, s := range q.Scores {
		line("`"+s.Detector+"`", s)
	}
	return b.Bytes()
}

func TestMeasuredKnowsEveryDetector(t *testing.T) {
	for _, d := range builtin(t) {
		if s, ok := corpus.Measured(d.ID); !ok || s.Detector != d.ID || s.Planted == 0 || s.Found > s.Planted {
			t.Errorf("%s is measured: %t, %+v", d.ID, ok, s)
		}
	}
	if _, ok := corpus.Measured("custom.none"); ok {
		t.Error("an unknown detector is measured")
	}
}

// A detector that finds nothing and one that finds everything are told from one that works.
func TestMeasureTellsMissesAndWrongMatches(t *testing.T) {
	all := builtin(t)
	at := func(id string) int {
		for i, d := range all {
			if d.ID == id {
				return i
			}
		}
		t.Fatalf("no detector %s", id)
		return -1
	}
	c := made(t, corpus.Configuration{Size: 8 << 20, Seed: 2})
	deaf, eager := at("secret.github_pat"), at("national_id.us_itin")
	all[deaf].Prefixes = []string{"never_seen_"}
	all[eager].Shapes = slices.Clone(all[eager].Shapes)
	for i := range all[eager].Shapes {
		all[eager].Shapes[i].Confidence = 0.9
	}
	all[eager].Validator, all[eager].Negative, all[eager].Specificity = "", nil, 90
	faults := map[string]int{}
	q, err := corpus.Measure(all, c, func(f corpus.Fault) {
		faults[fmt.Sprint(f.Detector, f.Missed)]++
		if !strings.Contains(f.Text, "«") {
			t.Errorf("a fault without its place: %q", f.Text)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range q.Scores {
		switch s.Detector {
		case "secret.github_pat":
			if s.Found > 0 || s.Recall() != 0 || faults["secret.github_pattrue"] != s.Planted {
				t.Errorf("a deaf detector: %+v, %d faults", s, faults["secret.github_pattrue"])
			}
		case "national_id.us_itin":
			if s.Precision() > 0.5 || s.Decoys == 0 || faults["national_id.us_itinfalse"] != s.Wrong {
				t.Errorf("an eager detector: %+v, precision %.2f, %d faults", s, s.Precision(), faults["national_id.us_itinfalse"])
			}
		}
	}
	if q.DecoyRate() < 0.005 {
		t.Errorf("an eager detector matches %.4f of the decoys", q.DecoyRate())
	}
}
