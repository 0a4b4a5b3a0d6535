package api

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/outband/outband/api/problem"
	"github.com/outband/outband/dlp"
	"github.com/outband/outband/dlp/policy"
	"github.com/outband/outband/internal/store"
	"github.com/outband/outband/workflows"
)

// maxIssues is how many complaints one answer lists.
const maxIssues = 50

// DetectorIssue is a complaint about the file of a detector.
type DetectorIssue struct {
	Line     int    `json:"line" doc:"From 1; 0: not known."`
	Column   int    `json:"column" doc:"From 1; 0: not known."`
	Detector string `json:"detector" doc:"Its id; - where it is not known."`
	Message  string `json:"message"`
}

// DetectorCost is what a detector costs.
type DetectorCost struct {
	Steps int     `json:"steps" doc:"Of its expressions: instructions times longest match; 0 without one."`
	Limit int     `json:"limit" doc:"The most steps that are taken."`
	Rate  float64 `json:"rate" doc:"MB/s, measured now, of a text made of the detector's own words: the worst that it meets."`
}

// SampleMatch is where a detector fired in a sample, masked.
type SampleMatch struct {
	Detector   string  `json:"detector"`
	Start      int     `json:"start" doc:"Bytes."`
	End        int     `json:"end" doc:"Bytes, exclusive."`
	Line       int     `json:"line"`
	Confidence float64 `json:"confidence"`
	Band       string  `json:"band" enum:"very_low,low,medium,high,very_high"`
	Validated  bool    `json:"validated"`
	Masked     string  `json:"masked"`
}

// DetectorCheck is what the file of a detector is worth.
type DetectorCheck struct {
	OK        bool            `json:"ok" doc:"It can be saved."`
	ID        string          `json:"id" doc:"Of the first detector; empty: it could not be read."`
	Detectors int             `json:"detectors"`
	Examples  int             `json:"examples" doc:"How many examples it carries."`
	Issues    []DetectorIssue `json:"issues"`
	Cost      DetectorCost    `json:"cost"`
	Matches   []SampleMatch   `json:"matches" doc:"In the sample, at most 200."`
	Note      string          `json:"note" doc:"Why the sample was not searched, or not to its end; empty: it was."`
}

// CheckDetectorInput is a file and a text to try it on.
type CheckDetectorInput struct {
	Body struct {
		YAML   string `json:"yaml" maxLength:"262144" doc:"The file of a detector."`
		Sample string `json:"sample,omitempty" maxLength:"65536" doc:"A text to try it on. It stays in memory, is not logged, and is gone when the answer is made."`
	}
}

const maxSampleMatches = 200

func (a *API) checkDetector(ctx context.Context, in *CheckDetectorInput) (*Output[DetectorCheck], error) {
	checked, err := a.d.Detectors.Check(ctx, detectorFile, []byte(in.Body.YAML))
	complaints := workflows.Complaints(err)
	if err != nil && len(complaints) == 0 {
		return nil, err
	}
	out := DetectorCheck{OK: err == nil, Detectors: len(checked.Detectors), Issues: issues(complaints), Matches: []SampleMatch{}}
	for i, d := range checked.Detectors {
		if i == 0 {
			out.ID = d.ID
		}
		out.Examples += len(d.Examples.Match) + len(d.Examples.NoMatch)
		if i < len(checked.Costs) {
			c := checked.Costs[i]
			if out.Cost.Limit == 0 || c.Rate < out.Cost.Rate {
				out.Cost = DetectorCost{Steps: c.Steps, Limit: c.Limit, Rate: float64(int(c.Rate*10)) / 10}
			}
		}
	}
	if in.Body.Sample != "" {
		out.Matches, out.Note = trySample(checked, in.Body.Sample)
	}
	return &Output[DetectorCheck]{out}, nil
}

// trySample searches a sample with detectors that compile, also when their examples are red. Invariant 4: what comes back is masked.
func trySample(c workflows.Checked, sample string) ([]SampleMatch, string) {
	out := []SampleMatch{}
	cfg := dlp.DefaultConfiguration()
	cfg.Stock, cfg.Optional, cfg.MaxMatches, cfg.BudgetPerMiB = c.Stock, true, maxSampleMatches, time.Second
	e, err := dlp.New(c.Detectors, cfg)
	if err != nil || len(c.Detectors) == 0 {
		return out, "The sample is searched when the file can be read."
	}
	res, err := e.Scan([]byte(sample), dlp.Keys{})
	if err != nil {
		return out, "The search of the sample took too long."
	}
	for _, m := range res.Matches {
		if len(out) == maxSampleMatches {
			res.Truncated = true
			break
		}
		out = append(out, SampleMatch{m.Detector, m.Start, m.End, m.Line, m.Confidence, dlp.Band(m.Confidence), m.Validated, m.Masked})
	}
	if res.Truncated {
		return out, fmt.Sprintf("The sample has more matches than the %d that are shown.", maxSampleMatches)
	}
	return out, ""
}

// detectorFile is the name of the file in complaints that have no other.
const detectorFile = "detector.yaml"

func issues(complaints []*dlp.LintError) []DetectorIssue {
	out := []DetectorIssue{}
	for _, c := range complaints {
		if len(out) == maxIssues {
			break
		}
		out = append(out, DetectorIssue{c.Line, c.Column, c.Detector, c.Reason})
	}
	return out
}

// refused is the problem of a file that cannot be saved.
func refused(err error) error {
	complaints := workflows.Complaints(err)
	if len(complaints) == 0 {
		return err
	}
	var fields []problem.Field
	for _, i := range issues(complaints) {
		fields = append(fields, problem.Field{Location: "body.yaml", Message: fmt.Sprintf("line %d, column %d: %s", i.Line, i.Column, i.Message)})
	}
	return problem.New(http.StatusUnprocessableEntity, problem.CodeDetector, "The detector was not saved: it is refused by the lint, is red in one of its examples, or is too slow. Correct what is listed.", fields...)
}

// oneDetector reads a file that must hold one detector, fit to be saved.
func (a *API) oneDetector(ctx context.Context, yaml string) (dlp.Detector, error) {
	checked, err := a.d.Detectors.Check(ctx, detectorFile, []byte(yaml))
	if err != nil {
		return dlp.Detector{}, refused(err)
	}
	if len(checked.Detectors) != 1 {
		return dlp.Detector{}, refused(&dlp.LintError{File: detectorFile, Detector: "-", Reason: "the file holds " + strconv.Itoa(len(checked.Detectors)) + " detectors; save each by itself"})
	}
	return checked.Detectors[0], nil
}

// CreateDetectorInput is a new detector.
type CreateDetectorInput struct {
	Body struct {
		YAML string `json:"yaml" maxLength:"262144" doc:"The file of one detector; its id begins with custom."`
	}
}

func (a *API) createDetector(ctx context.Context, in *CreateDetectorInput) (*Output[Detector], error) {
	d, err := a.oneDetector(ctx, in.Body.YAML)
	if err != nil {
		return nil, err
	}
	return a.saveDetector(ctx, "detector.create", d.ID, in.Body.YAML, 0)
}

// ReplaceDetectorInput is the next version of a detector.
type ReplaceDetectorInput struct {
	IDInput
	Body struct {
		YAML            string `json:"yaml" maxLength:"262144" doc:"The file of one detector, with the same id."`
		ExpectedVersion int64  `json:"expected_version" minimum:"1" doc:"The version that was edited."`
	}
}

func (a *API) replaceDetector(ctx context.Context, in *ReplaceDetectorInput) (*Output[Detector], error) {
	d, err := a.oneDetector(ctx, in.Body.YAML)
	if err != nil {
		return nil, err
	}
	if d.ID != in.ID {
		return nil, refused(d.Complaint("id", "the id differs from that of the detector that is saved; an id does not change"))
	}
	if _, err := a.customDetector(ctx, in.ID); err != nil {
		return nil, err
	}
	return a.saveDetector(ctx, "detector.update", d.ID, in.Body.YAML, in.Body.ExpectedVersion)
}

func (a *API) saveDetector(ctx context.Context, action, id, yaml string, expected int64) (*Output[Detector], error) {
	err := a.d.DB.Write(ctx, func(tx *store.Tx) error {
		have, err := store.CustomDetectors(ctx, tx)
		if err != nil {
			return err
		}
		if expected == 0 && len(have) >= workflows.MaxCustomDetectors {
			return problem.New(http.StatusConflict, problem.CodeFull, fmt.Sprintf("There are %d custom detectors already. Remove one first.", workflows.MaxCustomDetectors))
		}
		version, err := store.PutDetector(ctx, tx, id, yaml, expected, actor(ctx))
		if err != nil {
			return err
		}
		return audit(ctx, tx, action, id, map[string]string{"version": strconv.FormatInt(version, 10)})
	})
	if errors.Is(err, store.ErrConflict) {
		return nil, problem.New(http.StatusConflict, problem.CodeChanged, "Somebody else saved this detector meanwhile, or one with this id is there. Load it again and repeat the change.")
	}
	if err != nil {
		return nil, err
	}
	if err := a.detectorsChanged(ctx, id); err != nil {
		return nil, err
	}
	return a.getDetector(ctx, &IDInput{id})
}

// customDetector returns the version in force, or what is wrong with asking for it.
func (a *API) customDetector(ctx context.Context, id string) (store.Detector, error) {
	all, err := store.CustomDetectors(ctx, a.d.DB.Read())
	if err != nil {
		return store.Detector{}, err
	}
	for _, d := range all {
		if d.ID == id {
			return d, nil
		}
	}
	if !strings.HasPrefix(id, workflows.CustomPrefix) {
		if _, err := a.detectorState(ctx, id); err == nil {
			return store.Detector{}, problem.New(http.StatusConflict, problem.CodeBuiltIn, "The detector is built in: it can be switched off and copied, but not changed or removed.")
		}
	}
	return store.Detector{}, fmt.Errorf("detector: %w", store.ErrNotFound)
}

func (a *API) deleteDetector(ctx context.Context, in *IDInput) error {
	d, err := a.customDetector(ctx, in.ID)
	if err != nil {
		return err
	}
	users, err := a.policiesOf(ctx, in.ID)
	if err != nil {
		return err
	}
	if len(users) > 0 {
		return inUse("policies name this detector", users)
	}
	err = a.d.DB.Write(ctx, func(tx *store.Tx) error {
		version, err := store.PutDetector(ctx, tx, in.ID, "", d.Version, actor(ctx))
		if err != nil {
			return err
		}
		if err := store.PutOverride(ctx, tx, store.Override{Kind: workflows.DetectorOverride, ID: in.ID}, actor(ctx)); err != nil {
			return err
		}
		return audit(ctx, tx, "detector.delete", in.ID, map[string]string{"version": strconv.FormatInt(version, 10)})
	})
	if errors.Is(err, store.ErrConflict) {
		return problem.New(http.StatusConflict, problem.CodeChanged, "Somebody else saved this detector meanwhile. Load it again and repeat the change.")
	}
	if err != nil {
		return err
	}
	return a.detectorsChanged(ctx, in.ID)
}

func inUse(what string, ids []string) error {
	return problem.New(http.StatusConflict, problem.CodeInUse, fmt.Sprintf("It was not removed, because %s: %s. Change them first.", what, strings.Join(ids[:min(len(ids), 20)], ", ")))
}

// policiesOf returns the policies that would not compile without a detector.
func (a *API) policiesOf(ctx context.Context, id string) (ids []string, err error) {
	all, err := a.d.Policies(ctx)
	if err != nil {
		return nil, err
	}
	profiles, err := workflows.Profiles(ctx, a.d.DB.Read())
	if err != nil {
		return nil, err
	}
	with := a.d.Detectors.IDs()
	var without []string
	for _, x := range with {
		if x != id {
			without = append(without, x)
		}
	}
	for _, e := range all {
		alone := []*policy.Policy{e.Policy}
		if _, err := policy.Compile(alone, nil, without, profiles...); err == nil {
			continue
		}
		if _, err := policy.Compile(alone, nil, with, profiles...); err == nil {
			ids = append(ids, e.Policy.ID)
		}
	}
	return ids, nil
}

// DetectorSource is the file of a detector.
type DetectorSource struct {
	ID      string `json:"id"`
	Version int64  `json:"version" doc:"0: it is built in."`
	YAML    string `json:"yaml"`
}

func (a *API) detectorSource(ctx context.Context, in *IDInput) (*Output[DetectorSource], error) {
	d, err := a.customDetector(ctx, in.ID)
	if err == nil {
		return &Output[DetectorSource]{DetectorSource{d.ID, d.Version, d.YAML}}, nil
	}
	if p := (*problem.Problem)(nil); !errors.As(err, &p) || p.Code != problem.CodeBuiltIn {
		return nil, err
	}
	s, err := a.detectorState(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	text, err := s.Detector.Source()
	if err != nil {
		return nil, err
	}
	return &Output[DetectorSource]{DetectorSource{in.ID, 0, string(text)}}, nil
}

// DetectorVersion is one version of a custom detector.
type DetectorVersion struct {
	Version   int64  `json:"version"`
	YAML      string `json:"yaml" doc:"Empty: this version removed the detector."`
	CreatedAt string `json:"created_at" format:"date-time"`
	CreatedBy string `json:"created_by" doc:"The id of a user or token, or cli."`
}

// DetectorVersionsInput asks for a page of versions.
type DetectorVersionsInput struct {
	IDInput
	ListInput
}

func (a *API) detectorVersions(ctx context.Context, in *DetectorVersionsInput) (*ListOutput[DetectorVersion], error) {
	all, err := store.DetectorVersions(ctx, a.d.DB.Read(), in.ID, 0, maxVersions)
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("detector: %w", store.ErrNotFound)
	}
	var out []DetectorVersion
	for _, d := range all {
		out = append(out, DetectorVersion{d.Version, d.YAML, *stamp(d.CreatedAt), d.CreatedBy})
	}
	// Pages go by ascending keys; the newest version comes first.
	return paginate("detector-versions "+in.ID, out, func(v DetectorVersion) string { return fmt.Sprintf("%020d", math.MaxInt64-v.Version) }, in.ListInput)
}

// maxVersions is how far back the versions of a detector are listed.
const maxVersions = 500
