// Package convert turns rules of other tools into detectors. What it gives passes the lint; what it refuses or makes weaker than it was is told with
// the line of the source and a stable code. Nothing is run but regular expressions of bounded work.
package convert

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/outband/outband/dlp"
)

// Codes of notes. The first group refuses a rule, the second tells what of it was lost.
const (
	CodeNoPattern = "no_pattern" // it has no expression: it looks at paths only, or is code
	CodeRegexp    = "regexp"     // not RE2: lookaround, a reference back
	CodeNoAnchor  = "no_anchor"  // no literal is in every match
	CodeCost      = "too_costly" // too long, or too much work, however it is bounded
	CodeLint      = "lint"       // anything else that detectors are held to
	CodeDisabled  = "disabled"   // the source switches it off

	CodeBounded  = "bounded"    // a repetition without an end got one
	CodeEdge     = "edge"       // ^ or $ was taken out: a detector sees a window of the text
	CodePath     = "path"       // a condition on paths was left out
	CodeAllow    = "allow"      // an exception was left out: it looks at lines, commits or paths
	CodeStopword = "stopword"   // a word that dismissed a match makes it less sure instead
	CodeKeyword  = "keyword"    // a word that had to stand somewhere in the file makes a match surer instead
	CodeExamples = "examples"   // not enough examples could be made: add them before the detector is saved
	CodeValue    = "value"      // the value is more than the group that the source names
	CodeRequired = "required"   // a condition on other rules was left out
	CodeLanguage = "languages"  // the context words of all languages were put together
	CodeScore    = "confidence" // a score below that of any match was raised
)

// MaxFile bounds a source, in bytes.
const MaxFile = 4 << 20

// Note is what became of a rule, or of a part of it.
type Note struct {
	Line    int // from 1; 0: not known
	Rule    string
	Code    string
	Reason  string
	Refused bool
}

func (n Note) String() string {
	what := "weakened"
	if n.Refused {
		what = "refused"
	}
	return fmt.Sprintf("%d: %s: %s (%s): %s", n.Line, n.Rule, what, n.Code, n.Reason)
}

// Result is what a source was turned into.
type Result struct {
	Detectors []dlp.Detector
	Notes     []Note
	Rules     int // of the source
}

// Refused is how many rules were refused.
func (r *Result) Refused() int {
	n := 0
	for _, note := range r.Notes {
		if note.Refused {
			n++
		}
	}
	return n
}

func (r *Result) note(line int, rule, code, format string, args ...any) {
	r.Notes = append(r.Notes, Note{Line: line, Rule: rule, Code: code, Reason: fmt.Sprintf(format, args...)})
}

func (r *Result) refuse(line int, rule, code, format string, args ...any) {
	r.Notes = append(r.Notes, Note{Line: line, Rule: rule, Code: code, Reason: fmt.Sprintf(format, args...), Refused: true})
}

// take bounds the expression of a detector, holds it to the lint, makes examples, and keeps it or says why not.
func (r *Result) take(line int, rule string, d dlp.Detector, source string, group int) {
	if slices.ContainsFunc(r.Detectors, func(have dlp.Detector) bool { return have.ID == d.ID }) {
		r.refuse(line, rule, CodeLint, "another rule has become %s already", d.ID)
		return
	}
	var failed *dlp.LintError
	// The widest bound that the lint admits.
	for _, bound := range []int{200, 100, 50, 20} {
		x, err := rewrite(source, group, bound)
		if err != nil {
			r.refuse(line, rule, CodeRegexp, "%s", err)
			return
		}
		d.Pattern = x.source
		if _, err = dlp.New([]dlp.Detector{d}, dlp.DefaultConfiguration()); err != nil {
			if !errors.As(err, &failed) {
				r.refuse(line, rule, CodeLint, "it does not compile")
				return
			}
			if x.bounded && codeOf(failed) == CodeCost {
				continue
			}
			break
		}
		if x.bounded {
			r.note(line, rule, CodeBounded, "a repetition without an end goes up to %d", bound)
		}
		if x.edge {
			r.note(line, rule, CodeEdge, "^ and $ were taken out; the value ends where a word ends")
		}
		exemplify(&d, x)
		if x.grouped && len(d.Examples.Match) == 0 && widen(&d, source, bound) {
			r.note(line, rule, CodeValue, "all of the match is the value: that of the group begins or ends within a word")
		}
		if errs := dlp.Check(d); len(errs) > 0 {
			r.note(line, rule, CodeExamples, "%s has %d examples that match and %d that do not; 5 of each are needed", d.ID, len(d.Examples.Match), len(d.Examples.NoMatch))
		}
		r.Detectors = append(r.Detectors, d)
		return
	}
	r.refuse(line, rule, codeOf(failed), "%s", failed.Reason)
}

// widen makes all of the match the value of a detector, if that makes examples that hold.
func widen(d *dlp.Detector, source string, bound int) bool {
	x, err := rewrite(source, wholeMatch, bound)
	if err != nil {
		return false
	}
	whole := *d
	whole.Pattern, whole.Examples = x.source, dlp.Examples{}
	if exemplify(&whole, x); len(whole.Examples.Match) == 0 {
		return false
	}
	*d = whole
	return true
}

func codeOf(e *dlp.LintError) string {
	switch {
	case strings.HasPrefix(e.Reason, "nothing to anchor on"):
		return CodeNoAnchor
	case strings.HasPrefix(e.Reason, "longest match"), strings.HasPrefix(e.Reason, "cost "):
		return CodeCost
	case strings.HasPrefix(e.Reason, "invalid expression"):
		return CodeRegexp
	}
	return CodeLint
}

var notID = regexp.MustCompile(`[^a-z0-9]+`)

// identifier makes an id of a family and names, which hold any characters.
func identifier(family, prefix string, names ...string) string {
	id := strings.Trim(notID.ReplaceAllString(strings.ToLower(strings.Join(append([]string{prefix}, names...), "_")), "_"), "_")
	return family + "." + strings.Trim(id[:min(len(id), 60)], "_")
}

// title cuts a description to one line of a title.
func title(text, otherwise string) string {
	text = strings.Join(strings.Fields(text), " ")
	if text == "" {
		text = otherwise
	}
	if runes := []rune(text); len(runes) > 100 {
		text = string(runes[:99]) + "…"
	}
	return text
}

// written is a detector with the keys that conversions fill.
type written struct {
	ID          string       `yaml:"id"`
	Title       string       `yaml:"title"`
	Description string       `yaml:"description,omitempty"`
	Kind        string       `yaml:"kind"`
	Severity    string       `yaml:"severity"`
	Pattern     string       `yaml:"pattern"`
	Entropy     float64      `yaml:"entropy,omitempty"`
	Context     []string     `yaml:"context,omitempty"`
	Weak        []string     `yaml:"weak,omitempty"`
	Allow       []string     `yaml:"allow,omitempty"`
	Confidence  float64      `yaml:"confidence"`
	Examples    dlp.Examples `yaml:"examples"`
}

// YAML is the detectors as a file of them.
func (r *Result) YAML() ([]byte, error) {
	var doc struct {
		Detectors []written `yaml:"detectors"`
	}
	for _, d := range r.Detectors {
		doc.Detectors = append(doc.Detectors, written{
			d.ID, d.Title, d.Description, d.Kind, d.Severity, d.Pattern, d.Entropy, d.Context, d.Weak, d.Allow, d.Confidence, d.Examples,
		})
	}
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	if err := errors.Join(enc.Encode(doc), enc.Close()); err != nil {
		return nil, fmt.Errorf("write the detectors: %w", err)
	}
	return out.Bytes(), nil
}
