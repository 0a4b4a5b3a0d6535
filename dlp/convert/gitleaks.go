package convert

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"

	"github.com/outband/outband/dlp"
)

// gitleaksFile is the part of a gitleaks configuration that says something about texts.
type gitleaksFile struct {
	Rules      []gitleaksRule      `toml:"rules"`
	Allowlist  *gitleaksAllowlist  `toml:"allowlist"`
	Allowlists []gitleaksAllowlist `toml:"allowlists"`
}

type gitleaksRule struct {
	ID          string              `toml:"id"`
	Description string              `toml:"description"`
	Regex       string              `toml:"regex"`
	Path        string              `toml:"path"`
	SecretGroup int                 `toml:"secretGroup"`
	Entropy     float64             `toml:"entropy"`
	Keywords    []string            `toml:"keywords"`
	Allowlist   *gitleaksAllowlist  `toml:"allowlist"`
	Allowlists  []gitleaksAllowlist `toml:"allowlists"`
	Required    []any               `toml:"required"`
}

type gitleaksAllowlist struct {
	Condition   string   `toml:"condition"`
	RegexTarget string   `toml:"regexTarget"`
	Regexes     []string `toml:"regexes"`
	Stopwords   []string `toml:"stopwords"`
	Paths       []string `toml:"paths"`
	Commits     []string `toml:"commits"`
}

// Confidence of converted rules: those that also ask for entropy are surer.
const (
	plainConfidence  = 0.6
	randomConfidence = 0.7
)

// Gitleaks converts the rules of a gitleaks configuration (TOML).
func Gitleaks(data []byte) (*Result, error) {
	if len(data) > MaxFile {
		return nil, fmt.Errorf("the file has more than %d bytes", MaxFile)
	}
	var file gitleaksFile
	if _, err := toml.Decode(string(data), &file); err != nil {
		var at toml.ParseError
		if errors.As(err, &at) {
			return nil, fmt.Errorf("line %d: %s", at.Position.Line, at.Message)
		}
		return nil, errors.New("it is no gitleaks configuration: a key has a value of another type")
	}
	if len(file.Rules) == 0 {
		return nil, errors.New("it has no [[rules]]")
	}
	lines := headings(data, "[[rules]]")
	r := &Result{Rules: len(file.Rules)}
	if file.Allowlist != nil || len(file.Allowlists) > 0 {
		r.note(0, "-", CodeAllow, "the allow-list for all rules was left out; use exceptions of policies")
	}
	for i, rule := range file.Rules {
		line := 0
		if i < len(lines) {
			line = lines[i]
		}
		r.gitleaks(line, rule)
	}
	return r, nil
}

// headings are the lines on which a table begins. The TOML reader does not tell them.
func headings(data []byte, heading string) (out []int) {
	n := 0
	for line := range bytes.Lines(data) {
		n++
		if bytes.HasPrefix(bytes.TrimSpace(line), []byte(heading)) {
			out = append(out, n)
		}
	}
	return out
}

func (r *Result) gitleaks(line int, rule gitleaksRule) {
	name := rule.ID
	if name == "" {
		name = "-"
	}
	if rule.Regex == "" {
		r.refuse(line, name, CodeNoPattern, "it has no regex; detectors look into texts, not at paths")
		return
	}
	d := dlp.Detector{
		ID: identifier("secret", "gitleaks", rule.ID), Title: title(rule.Description, rule.ID), Description: rule.Description, Kind: dlp.KindPattern, Severity: "high",
		Entropy: rule.Entropy, Confidence: plainConfidence,
	}
	if rule.Entropy > 0 {
		d.Confidence = randomConfidence
	}
	before := len(r.Notes)
	if rule.Path != "" {
		r.note(line, name, CodePath, "the condition on the path was left out")
	}
	if len(rule.Required) > 0 {
		r.note(line, name, CodeRequired, "the condition on other rules was left out")
	}
	if words := loose(rule); len(words) > 0 {
		d.Context = words
		r.note(line, name, CodeKeyword, "%s had to stand in the file; near a match it makes it surer", strings.Join(words, ", "))
	}
	lists := rule.Allowlists
	if rule.Allowlist != nil {
		lists = append(lists, *rule.Allowlist)
	}
	for _, list := range lists {
		r.allow(line, name, list, &d)
	}
	notes := slices.Clone(r.Notes[before:])
	r.Notes = r.Notes[:before]
	taken := len(r.Detectors)
	r.take(line, name, d, rule.Regex, rule.SecretGroup)
	if len(r.Detectors) > taken {
		r.Notes = append(r.Notes, notes...) // Of a rule that is refused, that alone is told.
	}
}

// loose are the keywords of a rule that its own expression does not hold.
func loose(rule gitleaksRule) (out []string) {
	for _, k := range rule.Keywords {
		if len(k) >= 2 && len(k) <= 40 && !strings.Contains(strings.ToLower(unescape(rule.Regex)), strings.ToLower(k)) {
			out = append(out, k)
		}
	}
	return out
}

// unescape takes the signs away by which an expression writes a literal, so that a word can be looked for in it.
func unescape(source string) string { return strings.NewReplacer(`\`, "", "(?i)", "").Replace(source) }

// allow takes over the exceptions of a rule that look at the value alone.
func (r *Result) allow(line int, name string, list gitleaksAllowlist, d *dlp.Detector) {
	switch {
	case len(list.Paths)+len(list.Commits) > 0 && strings.EqualFold(list.Condition, "AND"),
		len(list.Regexes) > 0 && list.RegexTarget != "" && list.RegexTarget != "secret":
		r.note(line, name, CodeAllow, "an exception that looks at more than the value was left out")
		return
	case len(list.Paths)+len(list.Commits) > 0:
		r.note(line, name, CodeAllow, "exceptions by path or commit were left out")
	}
	left := 0
	for _, source := range list.Regexes {
		x, err := rewrite(source, 0, 50)
		if err != nil {
			left++
			continue
		}
		trial := *d
		trial.Pattern, trial.Allow = "outband", []string{"/" + plain(x) + "/"}
		if _, err := dlp.New([]dlp.Detector{trial}, dlp.DefaultConfiguration()); err != nil {
			left++
			continue
		}
		d.Allow = append(d.Allow, trial.Allow[0])
	}
	if left > 0 {
		r.note(line, name, CodeAllow, "%d expressions of exceptions were left out: the lint refuses them", left)
	}
	words := 0
	for _, w := range list.Stopwords {
		if w = strings.ToLower(w); w != "" && !slices.Contains(d.Weak, w) {
			d.Weak, words = append(d.Weak, w), words+1
		}
	}
	if words > 0 {
		r.note(line, name, CodeStopword, "%d words that dismissed a value make it less sure", words)
	}
}

// plain is an expression without the name of its group, which means nothing in an exception.
func plain(x rewritten) string { return strings.ReplaceAll(x.source, "(?P<value>", "(?:") }
