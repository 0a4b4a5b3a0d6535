package convert

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/outband/outband/dlp"
)

type presidioFile struct {
	Recognizers []yaml.Node `yaml:"recognizers"`
}

// recognizer is the part of a recognizer that is data. supported_languages holds names, or mappings with context words of their own.
type recognizer struct {
	Name      string            `yaml:"name"`
	Entity    string            `yaml:"supported_entity"`
	Enabled   *bool             `yaml:"enabled"`
	Patterns  []presidioPattern `yaml:"patterns"`
	Context   []string          `yaml:"context"`
	DenyList  []string          `yaml:"deny_list"`
	DenyScore *float64          `yaml:"deny_list_score"`
	Languages []yaml.Node       `yaml:"supported_languages"`
}

type presidioPattern struct {
	Name  string  `yaml:"name"`
	Regex string  `yaml:"regex"`
	Score float64 `yaml:"score"`
}

// Limits of what is taken of a recognizer.
const (
	maxDenied = 32 // words of a list; more make a dictionary
	leastSure = 0.2
)

// Presidio converts the pattern recognizers and deny lists of a Presidio configuration (YAML).
func Presidio(data []byte) (*Result, error) {
	if len(data) > MaxFile {
		return nil, fmt.Errorf("the file has more than %d bytes", MaxFile)
	}
	var file presidioFile
	if err := yaml.Unmarshal(data, &file); err != nil {
		return nil, errors.New("it is no Presidio configuration: " + strings.SplitN(strings.TrimPrefix(err.Error(), "yaml: "), "\n", 2)[0])
	}
	if len(file.Recognizers) == 0 {
		return nil, errors.New("it has no list recognizers")
	}
	r := &Result{}
	for _, n := range file.Recognizers {
		if n.Kind != yaml.MappingNode {
			r.Rules++
			r.refuse(n.Line, "-", CodeNoPattern, "a recognizer that is code or comes with Presidio is no data")
			continue
		}
		var rec recognizer
		if err := n.Decode(&rec); err != nil {
			r.Rules++
			r.refuse(n.Line, "-", CodeLint, "a key has a value of another type than in Presidio's own files")
			continue
		}
		r.recognizer(n.Line, rec)
	}
	return r, nil
}

func (r *Result) recognizer(line int, rec recognizer) {
	name := rec.Name
	if name == "" {
		name = "-"
	}
	rules := len(rec.Patterns)
	if len(rec.DenyList) > 0 {
		rules++
	}
	r.Rules += max(rules, 1)
	switch {
	case rec.Enabled != nil && !*rec.Enabled:
		r.refuse(line, name, CodeDisabled, "enabled is false")
		return
	case rules == 0:
		r.refuse(line, name, CodeNoPattern, "it has neither patterns nor a deny_list: it is code, or comes with Presidio")
		return
	}
	entity := rec.Entity
	if entity == "" {
		entity = rec.Name
	}
	words := slices.Clone(rec.Context)
	for _, n := range rec.Languages {
		var language struct {
			Context []string `yaml:"context"`
		}
		// A plain name of a language has no words.
		if n.Kind == yaml.MappingNode && n.Decode(&language) == nil && len(language.Context) > 0 {
			words = append(words, language.Context...)
			r.note(line, name, CodeLanguage, "context words of all languages were put together")
		}
	}
	words = slices.DeleteFunc(words, func(w string) bool { return len(w) < 2 || len(w) > 40 })
	detector := func(part string, score float64) dlp.Detector {
		d := dlp.Detector{
			ID: identifier("presidio", "", entity, part), Title: title(strings.TrimSpace(rec.Name+" "+part), entity), Description: "Made from a Presidio recognizer for " + entity + ".",
			Kind: dlp.KindPattern, Severity: "medium", Context: words, Confidence: min(score, 1),
		}
		if d.Confidence < leastSure {
			d.Confidence = leastSure
			r.note(line, name, CodeScore, "the score %g is below that of any match; it is %g now", score, leastSure)
		}
		return d
	}
	for i, p := range rec.Patterns {
		part := p.Name
		if part == "" {
			part = fmt.Sprint(i + 1)
		}
		before, taken := len(r.Notes), len(r.Detectors)
		d := detector(part, p.Score)
		r.take(line, name+"/"+part, d, p.Regex, wholeMatch)
		if len(r.Detectors) == taken && r.Notes[before].Code == CodeScore {
			r.Notes = slices.Delete(r.Notes, before, before+1)
		}
	}
	r.denied(line, name, rec, detector)
}

// denied makes a detector of a list of words.
func (r *Result) denied(line int, name string, rec recognizer, detector func(string, float64) dlp.Detector) {
	if len(rec.DenyList) == 0 {
		return
	}
	if len(rec.DenyList) > maxDenied {
		r.refuse(line, name+"/deny_list", CodeCost, "%d words are more than the %d of a detector; make a dictionary of them", len(rec.DenyList), maxDenied)
		return
	}
	score := 1.0
	if rec.DenyScore != nil {
		score = *rec.DenyScore
	}
	words := make([]string, len(rec.DenyList))
	for i, w := range rec.DenyList {
		words[i] = regexp.QuoteMeta(w)
	}
	r.take(line, name+"/deny_list", detector("deny list", score), strings.Join(words, "|"), wholeMatch)
}
