package filescan

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/outband/outband/dlp"
)

// printer writes findings in one format.
type printer interface {
	print(f Finding) error
	close(findings int, failed bool) error
}

func newPrinter(s *scanner) (printer, error) {
	w := bufio.NewWriter(s.deps.Stdout)
	switch s.cfg.Format {
	case "", "text":
		return &textPrinter{w}, nil
	case "json":
		return &jsonPrinter{w, json.NewEncoder(w)}, nil
	case "sarif":
		return newSARIF(s, w), nil
	}
	return nil, fmt.Errorf("unknown format %q; known are text, json, sarif", s.cfg.Format)
}

type textPrinter struct{ w *bufio.Writer }

func (p *textPrinter) print(f Finding) error {
	at := fmt.Sprint(f.Line)
	if !f.text {
		at = " " + display(f.Location)
	}
	if _, err := fmt.Fprintf(p.w, "%s:%s: %s (%s, %s%s): %s\n", display(f.Path), at, f.Title, f.Detector, dlp.Band(f.Confidence), f.encoded(), f.Masked); err != nil {
		return err
	}
	return p.w.Flush()
}

func (p *textPrinter) close(int, bool) error { return p.w.Flush() }

type jsonPrinter struct {
	w   *bufio.Writer
	enc *json.Encoder
}

func (p *jsonPrinter) print(f Finding) error {
	if err := p.enc.Encode(f); err != nil {
		return err
	}
	return p.w.Flush()
}

func (p *jsonPrinter) close(int, bool) error { return p.w.Flush() }

// The parts of SARIF 2.1.0 that code hosts read.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool struct {
			Driver sarifDriver `json:"driver"`
		} `json:"tool"`
		Invocations []sarifInvocation `json:"invocations"`
		ColumnKind  string            `json:"columnKind"`
		Results     []sarifResult     `json:"results"`
	}
	sarifDriver struct {
		Name    string      `json:"name"`
		Version string      `json:"version,omitempty"`
		Rules   []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID    string    `json:"id"`
		Short sarifText `json:"shortDescription"`
		Full  sarifText `json:"fullDescription"`
		Help  string    `json:"helpUri,omitempty"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifInvocation struct {
		Successful bool `json:"executionSuccessful"`
	}
	sarifResult struct {
		RuleID    string          `json:"ruleId"`
		RuleIndex int             `json:"ruleIndex"`
		Level     string          `json:"level"`
		Message   sarifText       `json:"message"`
		Locations []sarifLocation `json:"locations"`
	}
	sarifLocation struct {
		Physical sarifPhysical  `json:"physicalLocation"`
		Logical  []sarifLogical `json:"logicalLocations,omitempty"` // place in a document
	}
	sarifPhysical struct {
		Artifact struct {
			URI string `json:"uri"`
		} `json:"artifactLocation"`
		Region *sarifRegion `json:"region,omitempty"` // of a text
	}
	sarifLogical struct {
		Name string `json:"fullyQualifiedName"`
	}
	sarifRegion struct {
		StartLine  int `json:"startLine"`
		ByteOffset int `json:"byteOffset"`
		ByteLength int `json:"byteLength"`
	}
)

type sarifPrinter struct {
	w       io.Writer
	flush   func() error
	run     sarifRun
	scanner *scanner
	rule    map[string]int
}

func newSARIF(s *scanner, w *bufio.Writer) *sarifPrinter {
	p := &sarifPrinter{w: w, flush: w.Flush, scanner: s, rule: map[string]int{}}
	p.run.Tool.Driver = sarifDriver{Name: "outband", Version: s.cfg.Version, Rules: []sarifRule{}}
	p.run.ColumnKind = "utf16CodeUnits"
	p.run.Results = []sarifResult{}
	return p
}

func (p *sarifPrinter) print(f Finding) error {
	at, ok := p.rule[f.Detector]
	if !ok {
		d := p.scanner.titles[f.Detector]
		at = len(p.run.Tool.Driver.Rules)
		p.rule[f.Detector] = at
		r := sarifRule{ID: d.ID, Short: sarifText{d.Title}, Full: sarifText{d.Description}}
		if len(d.References) > 0 {
			r.Help = d.References[0]
		}
		p.run.Tool.Driver.Rules = append(p.run.Tool.Driver.Rules, r)
	}
	var loc sarifLocation
	loc.Physical.Artifact.URI = uriOf(f.Path)
	place := ""
	if f.text {
		loc.Physical.Region = &sarifRegion{f.Line, f.Start, f.End - f.Start}
	} else if f.Location != "" {
		loc.Logical = []sarifLogical{{f.Location}}
		place = " at " + f.Location // Code hosts show no logical location.
	}
	res := sarifResult{
		RuleID: f.Detector, RuleIndex: at, Level: level(f.Confidence),
		Message: sarifText{fmt.Sprintf("%s: %s%s (confidence %.2f%s)", f.Title, f.Masked, place, f.Confidence, f.encoded())},
	}
	res.Locations = []sarifLocation{loc}
	p.run.Results = append(p.run.Results, res)
	return nil
}

// uriOf is a path as a URI, in which a member of a container stays outer.zip!/inner and a mask its stars.
func uriOf(path string) string {
	u := url.URL{Path: filepath.ToSlash(path)}
	u.RawPath = strings.NewReplacer("%21", "!", "%2A", "*").Replace(u.EscapedPath())
	return u.String()
}

// level follows the confidence: what is only likely is a warning.
func level(confidence float64) string {
	switch {
	case confidence >= dlp.ConfidenceHigh:
		return "error"
	case confidence >= dlp.ConfidenceMedium:
		return "warning"
	}
	return "note"
}

func (p *sarifPrinter) close(_ int, failed bool) error {
	p.run.Invocations = []sarifInvocation{{Successful: !failed}}
	enc := json.NewEncoder(p.w)
	enc.SetIndent("", "  ")
	if err := enc.Encode(sarifLog{"https://json.schemastore.org/sarif-2.1.0.json", "2.1.0", []sarifRun{p.run}}); err != nil {
		return fmt.Errorf("write findings: %w", err)
	}
	return p.flush()
}
