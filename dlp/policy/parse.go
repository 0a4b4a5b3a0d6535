package policy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Limits of a policy's file.
const (
	MaxFileBytes   = 64 << 10
	maxTitle       = 120 // characters
	maxText        = 2000
	maxTests       = 50
	maxList        = 100
	maxMatchesTest = 10_000
)

// AboutActor makes an activity policy's finding one about the actor, whatever the activity was done to: a hundred deletions are one finding about
// the person with a hundred instances, not a hundred findings.
const AboutActor = "actor"

// AnyItem in On.Items stands for every kind of item but activity and record, which are named where they are meant.
const AnyItem = "*"

// Policy is one policy as its file states it. It is not changed after Parse.
type Policy struct {
	ID          string `json:"id"`
	Version     int    `json:"version"`
	Title       string `json:"title"`
	Description string `json:"description"`
	Severity    string `json:"severity"` // where SeverityWhen decides, the worst that it can give
	Kind        string `json:"kind"`
	Guide       string `json:"guide"` // what to do; the placeholder {resource.url} stands for the link into the SaaS app
	On          On     `json:"on"`
	About       string `json:"about,omitempty"` // AboutActor: the finding is about who did it; empty: about the resource
	When        string `json:"when"`            // CEL
	// SeverityWhen is a CEL expression that gives the severity of each unit; empty: Severity is that of all.
	SeverityWhen string   `json:"severity_when,omitempty"`
	ClosedBy     *Closing `json:"closed_by,omitempty"`
	Mode         string   `json:"mode"`             // ModeOn unless the file says otherwise
	Locked       bool     `json:"locked,omitempty"` // it cannot be muted: see CheckOverride
	References   []string `json:"references,omitempty"`
	Tests        []Test   `json:"tests,omitempty"`

	source     []byte
	when       place
	severityAt place // of SeverityWhen
	builtIn    bool
	ready      *ready // of a built-in one; nil: it is compiled each time
}

// Closing says which activities take back what an activity policy found: one about the same resource, later than all that broke the policy, closes
// the finding.
type Closing struct {
	Activities []string `json:"activities"`     // exact types
	When       string   `json:"when,omitempty"` // CEL over that activity, without questions to the store; empty: every one

	when place
}

// On says which units a policy looks at. Exactly one of its lists is set, and it decides the kind of the policy.
type On struct {
	Items      []string `json:"items,omitempty"`      // kinds of items, or AnyItem
	Activities []string `json:"activities,omitempty"` // globs of activity types
	Records    []string `json:"records,omitempty"`    // kinds of records
}

// Test is one test inside a policy's file.
type Test struct {
	Name      string `json:"name"`
	Want      bool   `json:"want"`
	WantError bool   `json:"want_error,omitempty"` // the expression must fail, whatever Want says
	Closing   bool   `json:"closing,omitempty"`    // Want is about closed_by, not about the policy
	Severity  string `json:"severity,omitempty"`   // what a finding must have; empty: the test does not say

	input  Input
	total  int64
	recent map[string]int64 // answers by type glob; anyGlob answers every other one
	// standing has answers by kind/field/value; anyGlob answers every other one.
	standing map[string]int64
	line     int
	column   int
}

// place maps positions inside an expression to positions in the file.
type place struct {
	line   int // of the expression's first character
	column int // of it, from 1; 0: no column is known
	indent int // column of the first character of the lines that follow
}

// at returns the position in the file of a 1-based line and a 0-based column of the expression.
func (p place) at(line, column int) (int, int) {
	switch {
	case p.column == 0:
		return p.line, 0
	case line <= 1:
		return p.line, p.column + max(column, 0)
	}
	return p.line + line - 1, p.indent + max(column, 0)
}

// Source returns the file that the policy was parsed from.
func (p *Policy) Source() []byte { return bytes.Clone(p.source) }

// GuideFor returns the guide with the link into the SaaS app, or with words in its place where the app gives no link.
func (p *Policy) GuideFor(resourceURL string) string {
	if resourceURL == "" {
		resourceURL = "the SaaS app"
	}
	return strings.ReplaceAll(p.Guide, placeholder, resourceURL)
}

const placeholder = "{resource.url}"

var (
	idForm   = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}(\.[a-z0-9_]{1,64}){1,3}$`)
	kindForm = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)
	braces   = regexp.MustCompile(`\{[^{}]{0,64}\}`)
	yamlLine = regexp.MustCompile(`line ([0-9]{1,9}): (.*)`)
)

// Parse reads the file of one policy. It refuses unknown and repeated keys, anchors and aliases, a second document and more than MaxFileBytes.
// It does not look at the expression: Compile does. The error joins one *Error per problem, all of kind ErrInvalid.
func Parse(data []byte) (*Policy, error) {
	if len(data) > MaxFileBytes {
		return nil, &Error{Line: 1, Column: 1, Message: fmt.Sprintf("the file has %d bytes, more than the %d allowed", len(data), MaxFileBytes), Err: ErrInvalid}
	}
	root, err := parseYAML(data)
	if err != nil {
		return nil, err
	}
	d := &decoder{}
	p := &Policy{Mode: ModeOn, source: bytes.Clone(data)}
	d.policy(root, p)
	if len(d.errs) > 0 {
		for _, e := range d.errs {
			e.PolicyID = p.ID
		}
		return nil, d.err()
	}
	return p, nil
}

func parseYAML(data []byte) (*yaml.Node, error) {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, second yaml.Node
	if err := dec.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, &Error{Line: 1, Column: 1, Message: "the file is empty", Err: ErrInvalid}
		}
		return nil, syntaxError(err)
	}
	if err := dec.Decode(&second); !errors.Is(err, io.EOF) {
		if err != nil {
			return nil, syntaxError(err)
		}
		return nil, &Error{Line: second.Line, Column: second.Column, Message: "a file holds one policy; this is a second document", Err: ErrInvalid}
	}
	return doc.Content[0], nil
}

// syntaxError keeps the line that the YAML parser names; it names no column, and no line for the first.
func syntaxError(err error) error {
	message := strings.TrimPrefix(err.Error(), "yaml: ")
	line := 1
	if m := yamlLine.FindStringSubmatch(message); m != nil {
		line, _ = strconv.Atoi(m[1]) // The pattern admits digits only, few enough for an int.
		message = m[2]
	}
	return &Error{Line: line, Column: 1, Message: message, Err: ErrInvalid}
}

func (d *decoder) policy(root *yaml.Node, p *Policy) {
	var kind, about, closing *yaml.Node
	seen := d.mapping(root, "a policy", map[string]func(*yaml.Node){
		"id": func(n *yaml.Node) {
			p.ID = d.form(n, idForm, "lower-case words joined by dots, such as content.card_numbers")
		},
		"version":     func(n *yaml.Node) { p.Version = d.integer(n, 1, 1_000_000) },
		"title":       func(n *yaml.Node) { p.Title = d.text(n, maxTitle) },
		"description": func(n *yaml.Node) { p.Description = d.text(n, maxText) },
		"severity":    func(n *yaml.Node) { p.Severity, p.SeverityWhen, p.severityAt = d.severity(n, p.source) },
		"kind":        func(n *yaml.Node) { kind, p.Kind = n, d.oneOf(n, KindContent, KindActivity, KindPosture) },
		"guide":       func(n *yaml.Node) { p.Guide = d.guide(n) },
		"on":          func(n *yaml.Node) { p.On = d.on(n) },
		"about":       func(n *yaml.Node) { about, p.About = n, d.oneOf(n, AboutActor) },
		"when":        func(n *yaml.Node) { p.When, p.when = d.expression(n, p.source) },
		"mode":        func(n *yaml.Node) { p.Mode = d.oneOf(n, ModeOn, ModeShadow, ModeOff) },
		"locked":      func(n *yaml.Node) { p.Locked = d.boolean(n) },
		"closed_by":   func(n *yaml.Node) { closing, p.ClosedBy = n, d.closing(n, p.source) },
		"references":  func(n *yaml.Node) { p.References = d.references(n) },
		"tests":       func(n *yaml.Node) { p.Tests = d.tests(n) },
	})
	if seen == nil {
		return
	}
	for _, key := range []string{"id", "version", "title", "severity", "guide", "on", "when"} {
		if !seen[key] {
			d.fail(root, "the key %q is missing", key)
		}
	}
	if p.Locked && p.Mode != ModeOn && p.Mode != "" {
		d.fail(root, "a locked policy is on: locked: true and mode: %s do not go together", p.Mode)
	}
	want := p.On.kind()
	if kind != nil && want != "" && p.Kind != "" && p.Kind != want {
		d.fail(kind, "kind is %q, but on: makes it %q", p.Kind, want)
	}
	p.Kind = want
	if about != nil && want != KindActivity {
		d.fail(about, "about: is for policies over activities")
	}
	if closing != nil && (want != KindActivity || p.About != "") {
		d.fail(closing, "closed_by: is for policies over activities whose findings are about the resource")
	}
	for i := range p.Tests {
		p.Tests[i].complete(p.On)
	}
}

func (o On) kind() string {
	switch {
	case len(o.Items) > 0:
		return KindContent
	case len(o.Activities) > 0:
		return KindActivity
	case len(o.Records) > 0:
		return KindPosture
	}
	return ""
}

func (d *decoder) on(n *yaml.Node) On {
	var o On
	kinds := func(n *yaml.Node, star bool) []string {
		return d.list(n, func(n *yaml.Node) string {
			if star && n.Value == AnyItem {
				return AnyItem
			}
			return d.form(n, kindForm, "a kind such as message")
		})
	}
	seen := d.mapping(n, "on", map[string]func(*yaml.Node){
		"items":   func(n *yaml.Node) { o.Items = kinds(n, true) },
		"records": func(n *yaml.Node) { o.Records = kinds(n, false) },
		"activities": func(n *yaml.Node) {
			o.Activities = d.list(n, func(n *yaml.Node) string {
				glob := d.text(n, maxTitle)
				if err := checkGlob(glob); err != nil && glob != "" {
					d.fail(n, "%s", err)
				}
				return glob
			})
		},
	})
	if seen != nil && len(seen) != 1 {
		d.fail(n, "on: takes exactly one of items, activities and records")
	}
	return o
}

func (d *decoder) closing(n *yaml.Node, source []byte) *Closing {
	c := &Closing{}
	seen := d.mapping(n, "closed_by", map[string]func(*yaml.Node){
		"activities": func(n *yaml.Node) {
			c.Activities = d.list(n, func(n *yaml.Node) string { return d.form(n, kindForm, "a type such as share_revoked") })
		},
		"when": func(n *yaml.Node) { c.When, c.when = d.expression(n, source) },
	})
	if seen != nil && !seen["activities"] {
		d.fail(n, "closed_by needs activities")
	}
	return c
}

func (d *decoder) guide(n *yaml.Node) string {
	guide := d.text(n, maxText)
	for _, name := range braces.FindAllString(guide, -1) {
		if name != placeholder {
			d.fail(n, "the guide has the placeholder %s; the only one is %s", name, placeholder)
		}
	}
	return guide
}

func (d *decoder) references(n *yaml.Node) []string {
	return d.list(n, func(n *yaml.Node) string {
		link := d.text(n, maxText)
		if link != "" && !strings.HasPrefix(link, "https://") {
			d.fail(n, "a reference is an https:// address")
		}
		return link
	})
}

// expression reads when: and where it starts. A literal block (when: |) keeps its lines, so every position in it can be named.
func (d *decoder) expression(n *yaml.Node, source []byte) (string, place) {
	text := d.text(n, -1)
	if len(text) > MaxExpression {
		d.fail(n, "the expression has %d bytes, more than the %d allowed", len(text), MaxExpression)
	}
	lines := strings.Split(string(source), "\n")
	if n.Style&yaml.LiteralStyle != 0 && n.Line < len(lines) {
		first := lines[n.Line]
		// Spaces that the value keeps belong to the expression, not to the block's indentation.
		indent := len(first) - len(strings.TrimLeft(first, " ")) - (len(text) - len(strings.TrimLeft(text, " ")))
		return text, place{line: n.Line + 1, column: indent + 1, indent: indent + 1}
	}
	column := n.Column
	if n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0 {
		column++
	}
	// Folding and escapes move the characters: only an expression that stands in its line as it is has columns.
	if line := []rune(lines[min(n.Line, len(lines))-1]); column > len(line) || !strings.HasPrefix(string(line[column-1:]), text) {
		column = 0
	}
	return text, place{line: n.Line, column: column}
}

func (d *decoder) tests(n *yaml.Node) []Test {
	var out []Test
	names := map[string]bool{}
	d.sequence(n, maxTests, func(n *yaml.Node) {
		t := Test{line: n.Line, column: n.Column}
		t.input.Item.At = testTime
		t.input.Now = testTime
		seen := d.mapping(n, "a test", map[string]func(*yaml.Node){
			"name":       func(n *yaml.Node) { t.Name = d.text(n, maxTitle) },
			"input":      func(n *yaml.Node) { d.input(n, &t) },
			"want":       func(n *yaml.Node) { t.Want = d.boolean(n) },
			"closes":     func(n *yaml.Node) { t.Closing, t.Want = true, d.boolean(n) },
			"want_error": func(n *yaml.Node) { t.WantError = d.boolean(n) },
			"severity":   func(n *yaml.Node) { t.Severity = d.oneOf(n, Severities()...) },
		})
		switch {
		case seen == nil:
			return
		case !seen["name"]:
			d.fail(n, "a test needs a name")
		case names[t.Name]:
			d.fail(n, "two tests have the name %q", t.Name)
		case seen["closes"] && (seen["want"] || seen["want_error"]):
			d.fail(n, "test %q is about closed_by or about the policy, not both", t.Name)
		case seen["severity"] && (!t.Want || t.WantError || t.Closing):
			d.fail(n, "test %q states the severity of a finding that it does not want: severity: goes with want: true", t.Name)
		case !seen["want"] && !t.WantError && !t.Closing:
			d.fail(n, "test %q needs want: true or false", t.Name)
		}
		names[t.Name] = true
		out = append(out, t)
	})
	return out
}

// testTime is the time of a test that states none, so that tests give the same result on every day.
var testTime = time.Date(2026, time.January, 15, 12, 0, 0, 0, time.UTC)

// complete fills in what a test may leave out because on: says it already.
func (t *Test) complete(on On) {
	in := &t.input
	if in.Item.Kind == "" {
		switch on.kind() {
		case KindContent:
			in.Item.Kind = on.Items[0]
			if in.Item.Kind == AnyItem {
				in.Item.Kind = "message"
			}
		case KindActivity:
			in.Item.Kind = KindActivity
		case KindPosture:
			in.Item.Kind = itemRecord
		}
	}
	if len(on.Records) > 0 && in.Record.Kind == "" {
		in.Record.Kind = on.Records[0]
	}
	if len(on.Activities) > 0 && in.Activity.Type == "" && !strings.ContainsAny(on.Activities[0], "*?") {
		in.Activity.Type = on.Activities[0]
	}
}

// Kinds of items that AnyItem does not stand for.
const (
	itemActivity = "activity"
	itemRecord   = "record"
)

// Severities returns the severities, the worst first.
func Severities() []string {
	return []string{SeverityCritical, SeverityHigh, SeverityMedium, SeverityLow, SeverityInfo}
}

func validSeverity(s string) bool { return slices.Contains(Severities(), s) }

func validMode(m string) bool { return slices.Contains([]string{ModeOn, ModeShadow, ModeOff}, m) }
