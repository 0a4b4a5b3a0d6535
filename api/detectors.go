package api

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/outband/outband/dlp/corpus"
	"github.com/outband/outband/internal/store"
	"github.com/outband/outband/workflows"
)

// Detector is one kind of sensitive data that is looked for.
type Detector struct {
	ID          string            `json:"id"`
	Title       string            `json:"title"`
	Description string            `json:"description"`
	Kind        string            `json:"kind"`
	Severity    string            `json:"severity" doc:"A hint for policies."`
	Optional    bool              `json:"optional" doc:"Not looked for unless it is switched on or a profile names it."`
	On          bool              `json:"on" doc:"It is looked for."`
	Mode        string            `json:"mode" enum:"on,off," doc:"What it was switched to; empty: it is as it comes."`
	Keywords    []string          `json:"keywords" doc:"Words that stand in the text or in the name of the value."`
	Prefixes    []string          `json:"prefixes" doc:"What the value begins with."`
	Pattern     string            `json:"pattern" doc:"A regular expression (RE2); empty: a prefix, a keyword or a scanner finds it."`
	Scanner     string            `json:"scanner" doc:"Code that finds it, where no expression can; empty: none."`
	List        string            `json:"list" doc:"The dictionary whose words are looked for; empty: none."`
	Table       string            `json:"table" doc:"The exact table whose values are looked for; empty: none."`
	Validator   string            `json:"validator" doc:"The check that a match passes; empty: none."`
	Context     []string          `json:"context" doc:"Words near the value that make a match likelier."`
	Confidence  float64           `json:"confidence" doc:"Of a match without context, 0 to 1; 0: that of its kind."`
	Lines       []string          `json:"lines" doc:"Forms of lines of source code, of which several must stand near each other; * is any text."`
	Examples    *DetectorExamples `json:"examples,omitempty" doc:"Made up. The value stands between « and »; {class:n} stands for n characters. Not in lists."`
	References  []string          `json:"references"`
	Source      string            `json:"source" enum:"built-in,custom"`
	Version     int64             `json:"version" doc:"Of a custom detector; 0: it is built in."`
	Failing     string            `json:"failing" doc:"Why a custom detector cannot be used since an upgrade, or since what it names has changed; empty: it can."`
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

func detector(d workflows.DetectorState) Detector {
	source := sourceBuiltIn
	if d.Version > 0 {
		source = sourceCustom
	}
	return Detector{
		ID: d.ID, Title: d.Title, Description: d.Description, Kind: d.Kind, Severity: d.Severity, Optional: d.Optional, On: d.On, Mode: d.Mode, Keywords: some(d.Keywords), Prefixes: some(d.Prefixes),
		Pattern: d.Pattern, Scanner: d.Scanner, List: d.List, Table: d.Table, Validator: d.Validator, Context: some(d.Context), Confidence: d.Confidence,
		Lines: some(d.Lines), Examples: &DetectorExamples{Match: some(d.Examples.Match), NoMatch: some(d.Examples.NoMatch)}, References: some(d.References),
		Source: source, Version: d.Version, Failing: d.Failing, Quality: detectorQuality(d.ID),
	}
}

func detectorQuality(id string) *DetectorQuality {
	s, ok := corpus.Measured(id)
	if !ok {
		return nil
	}
	return &DetectorQuality{Planted: s.Planted, Recall: s.Recall(), Precision: s.Precision(), Decoys: s.Decoys}
}

// followDetectors sees what another process has changed. A store that does not answer leaves what is known.
func (a *API) followDetectors(ctx context.Context) ([]workflows.DetectorState, error) {
	err := a.d.Detectors.Follow(ctx)
	return a.d.Detectors.All(), err
}

func (a *API) listDetectors(ctx context.Context, in *ListInput) (*ListOutput[Detector], error) {
	all, err := a.followDetectors(ctx)
	if err != nil {
		return nil, err
	}
	var out []Detector
	for _, d := range all {
		x := detector(d)
		x.Examples = nil // They are most of it, and there are many.
		out = append(out, x)
	}
	slices.SortFunc(out, func(x, y Detector) int { return strings.Compare(x.ID, y.ID) })
	return paginate("detectors", out, func(d Detector) string { return d.ID }, *in)
}

func (a *API) detectorState(ctx context.Context, id string) (workflows.DetectorState, error) {
	all, err := a.followDetectors(ctx)
	if err != nil {
		return workflows.DetectorState{}, err
	}
	for _, d := range all {
		if d.ID == id {
			return d, nil
		}
	}
	return workflows.DetectorState{}, fmt.Errorf("detector: %w", store.ErrNotFound)
}

func (a *API) getDetector(ctx context.Context, in *IDInput) (*Output[Detector], error) {
	d, err := a.detectorState(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &Output[Detector]{detector(d)}, nil
}

// DetectorMode is an input.
type DetectorMode string

// Schema implements huma.SchemaProvider.
func (DetectorMode) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Enum: enum([]string{workflows.DetectorOn, workflows.DetectorOff})}
}

// UpdateDetectorInput switches a detector; null goes back to how it comes.
type UpdateDetectorInput struct {
	IDInput
	Body struct {
		Mode Optional[DetectorMode] `json:"mode" doc:"on: looked for, also when it is optional. off: not looked for. null: as it comes."`
	}
}

func (a *API) updateDetector(ctx context.Context, in *UpdateDetectorInput) (*Output[Detector], error) {
	if _, err := a.detectorState(ctx, in.ID); err != nil {
		return nil, err
	}
	err := a.d.DB.Write(ctx, func(tx *store.Tx) error {
		o := store.Override{Kind: workflows.DetectorOverride, ID: in.ID, Mode: string(in.Body.Mode.Value)}
		if err := store.PutOverride(ctx, tx, o, actor(ctx)); err != nil {
			return err
		}
		return audit(ctx, tx, "detector.override", in.ID, map[string]string{"mode": o.Mode})
	})
	if err != nil {
		return nil, err
	}
	if err := a.detectorsChanged(ctx, in.ID); err != nil {
		return nil, err
	}
	return a.getDetector(ctx, &in.IDInput)
}

// detectorsChanged puts a change in force in this process; others follow by themselves.
func (a *API) detectorsChanged(ctx context.Context, id string) error {
	if err := a.d.Detectors.Reload(ctx); err != nil {
		return a.engineDown("detector", id, err)
	}
	return nil
}
