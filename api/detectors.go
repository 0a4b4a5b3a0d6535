package api

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/outband/outband/dlp"
	"github.com/outband/outband/dlp/corpus"
	"github.com/outband/outband/internal/store"
)

// Detector is one kind of sensitive data that is looked for.
type Detector struct {
	ID          string            `json:"id"`
	Title       string            `json:"title"`
	Description string            `json:"description"`
	Kind        string            `json:"kind"`
	Severity    string            `json:"severity" doc:"A hint for policies."`
	Optional    bool              `json:"optional" doc:"Not looked for unless a profile names it."`
	Keywords    []string          `json:"keywords" doc:"Words that stand in the text or in the name of the value."`
	Prefixes    []string          `json:"prefixes" doc:"What the value begins with."`
	Pattern     string            `json:"pattern" doc:"A regular expression (RE2); empty: a prefix, a keyword or a scanner finds it."`
	Scanner     string            `json:"scanner" doc:"Code that finds it, where no expression can; empty: none."`
	Validator   string            `json:"validator" doc:"The check that a match passes; empty: none."`
	Context     []string          `json:"context" doc:"Words near the value that make a match likelier."`
	Confidence  float64           `json:"confidence" doc:"Of a match without context, 0 to 1; 0: that of its kind."`
	Lines       []string          `json:"lines" doc:"Forms of lines of source code, of which several must stand near each other; * is any text."`
	Examples    *DetectorExamples `json:"examples,omitempty" doc:"Made up. The value stands between « and »; {class:n} stands for n characters. Not in lists."`
	References  []string          `json:"references"`
	Source      string            `json:"source" enum:"built-in"`
	Quality     *DetectorQuality  `json:"quality,omitempty" doc:"How well it did on the reference corpus; absent: it was not measured."`
}

// DetectorQuality is what was measured on the reference corpus when the program was built. A match counts from medium confidence on.
type DetectorQuality struct {
	Planted   int     `json:"planted" doc:"Values of this detector in the corpus."`
	Recall    float64 `json:"recall" doc:"Of these, the part that was found, 0 to 1."`
	Precision float64 `json:"precision" doc:"Of its matches, the part that was right, 0 to 1."`
	Decoys    int     `json:"decoys" doc:"Its matches on what only looks sensitive."`
}

// DetectorExamples are texts that a detector must and must not match, or it does not load.
type DetectorExamples struct {
	Match   []string `json:"match"`
	NoMatch []string `json:"no_match"`
}

func detector(d dlp.Detector) Detector {
	return Detector{
		ID: d.ID, Title: d.Title, Description: d.Description, Kind: d.Kind, Severity: d.Severity, Optional: d.Optional, Keywords: some(d.Keywords), Prefixes: some(d.Prefixes),
		Pattern: d.Pattern, Scanner: d.Scanner, Validator: d.Validator, Context: some(d.Context), Confidence: d.Confidence,
		Lines: some(d.Lines), Examples: &DetectorExamples{Match: some(d.Examples.Match), NoMatch: some(d.Examples.NoMatch)}, References: some(d.References), Source: sourceBuiltIn,
		Quality: detectorQuality(d.ID),
	}
}

func detectorQuality(id string) *DetectorQuality {
	s, ok := corpus.Measured(id)
	if !ok {
		return nil
	}
	return &DetectorQuality{Planted: s.Planted, Recall: s.Recall(), Precision: s.Precision(), Decoys: s.Decoys}
}

func (a *API) listDetectors(_ context.Context, in *ListInput) (*ListOutput[Detector], error) {
	var out []Detector
	for _, d := range a.d.Detectors() {
		x := detector(d)
		x.Examples = nil // They are most of it, and there are many.
		out = append(out, x)
	}
	slices.SortFunc(out, func(x, y Detector) int { return strings.Compare(x.ID, y.ID) })
	return paginate("detectors", out, func(d Detector) string { return d.ID }, *in)
}

func (a *API) getDetector(_ context.Context, in *IDInput) (*Output[Detector], error) {
	for _, d := range a.d.Detectors() {
		if d.ID == in.ID {
			return &Output[Detector]{detector(d)}, nil
		}
	}
	return nil, fmt.Errorf("detector: %w", store.ErrNotFound)
}
