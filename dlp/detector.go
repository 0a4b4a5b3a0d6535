package dlp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"
)

// Kinds of detectors: how the engine confirms what the prefilter saw.
const (
	KindToken      = "token"      // a prefix, then a run of a character class
	KindAssignment = "assignment" // a name, an operator, a value
	KindPattern    = "pattern"    // a bounded regular expression around a keyword
	KindScanner    = "scanner"    // a scanner written in Go: number, email, email_list, pem, ...
	KindDictionary = "dictionary" // words and phrases of a list
	KindExact      = "exact"      // values of a table, known by keyed digests only
)

// Detector is one kind of sensitive data: how it is found, how sure a match is, and the examples that it is held to. It is data (YAML);
// New compiles it.
type Detector struct {
	ID          string   `yaml:"id"`
	Title       string   `yaml:"title"`
	Description string   `yaml:"description"`
	References  []string `yaml:"references"` // documentation of the vendor or authority
	Kind        string   `yaml:"kind"`
	Severity    string   `yaml:"severity"` // a hint for policies: critical, high, medium, low, info
	Optional    bool     `yaml:"optional"` // not in the default set; a profile or a configuration names it

	Keywords      []string `yaml:"keywords"` // assignment and scanner: what must stand in the text; pattern: computed when absent
	Prefixes      []string `yaml:"prefixes"` // token: exact case
	Charset       string   `yaml:"charset"`  // token, assignment: a name (hex, alnum, ...) or a class such as A-Za-z0-9_-
	Length        Length   `yaml:"length"`   // token: of the part behind the prefix; assignment: of the value
	Pattern       string   `yaml:"pattern"`  // pattern: the expression, its group "value" is the match; token, assignment: the value must match it whole
	Name          string   `yaml:"name"`     // assignment: strict: the keyword ends the name; free (default): up to 40 characters more may follow
	Loose         bool     `yaml:"loose"`    // assignment: the value may follow without an operator
	Scanner       string   `yaml:"scanner"`
	Shapes        []Shape  `yaml:"shapes"`         // scanner number
	Words         []string `yaml:"words"`          // dictionary: in the file itself
	List          string   `yaml:"list"`           // dictionary: a stored one, by its id
	CaseSensitive bool     `yaml:"case_sensitive"` // dictionary: of the words in the file
	Table         string   `yaml:"table"`          // exact: a stored table, by its id
	Columns       []string `yaml:"columns"`        // exact: those that count; all when absent
	Least         int      `yaml:"least"`          // exact: so many columns of one row, 1 when absent
	Within        int      `yaml:"within"`         // exact: words from the first of them to the last, 30 when absent

	Lines []string `yaml:"lines"` // scanner code: forms of lines, * is any text; three of them near each other make a match

	Validator      string   `yaml:"validator"`
	Entropy        float64  `yaml:"entropy"` // least Shannon entropy of the value, bits a character
	Context        []string `yaml:"context"` // words within 60 characters that make a match likelier
	ContextWeight  float64  `yaml:"context_weight"`
	RequireContext bool     `yaml:"require_context"`
	Negative       []string `yaml:"negative"` // words within 60 characters that make a match less likely
	Confidence     float64  `yaml:"confidence"`
	Weak           []string `yaml:"weak"`        // parts of a value, in lower case, that make it less sensitive: a test key, a documentation domain
	Allow          []string `yaml:"allow"`       // values, or /expressions/, that are published examples: never above very low
	Canonical      string   `yaml:"canonical"`   // digits, upper, lower or raw (default): what makes two spellings one value
	Mask           string   `yaml:"mask"`        // head or tail (default): which end may show
	Specificity    int      `yaml:"specificity"` // wins overlaps; 0 means the default of the kind

	Examples Examples `yaml:"examples"`

	builtin bool // what its expressions cost is known
	file    string
	nodes   func() []*yaml.Node // of the detectors of the file; only an error asks for them
	place   int                 // among these
}

// Length bounds a run of characters, in bytes.
type Length struct {
	Min int `yaml:"min"`
	Max int `yaml:"max"`
}

// Shape is a written form of a number: # is a digit, A a capital letter, X either, ~ a space or hyphen (the same each time), all else itself.
type Shape struct {
	Shape      string  `yaml:"shape"`
	Confidence float64 `yaml:"confidence"`
}

// Examples are texts with the value between « and ». {class:n} stands for n made-up characters, so that no file holds a secret-shaped string.
type Examples struct {
	Match   []string `yaml:"match"`
	NoMatch []string `yaml:"no_match"`
}

type position struct {
	line, column int
	quoted       bool
}

// LintError is a detector that cannot be used, with the place in its file. Line and Column count from 1; 0 means unknown.
type LintError struct {
	File         string
	Line, Column int
	Detector     string
	Reason       string
}

func (e *LintError) Error() string {
	return fmt.Sprintf("%s:%d:%d: detector %s: %s", e.File, e.Line, e.Column, e.Detector, e.Reason)
}

// maxFile bounds a detector file, in bytes.
const maxFile = 4 << 20

// Parse reads a detector file: one YAML document with the key detectors. It checks the form only; New checks what it means.
func Parse(file string, data []byte) ([]Detector, error) {
	if len(data) > maxFile {
		return nil, &LintError{File: file, Line: 1, Column: 1, Detector: "-", Reason: fmt.Sprintf("file is larger than %d bytes", maxFile)}
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	var doc struct {
		Detectors []Detector `yaml:"detectors"`
	}
	if err := dec.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, &LintError{File: file, Line: 1, Column: 1, Detector: "-", Reason: "file is empty"}
		}
		return nil, yamlError(file, err)
	}
	nodes := sync.OnceValue(func() []*yaml.Node {
		var root yaml.Node
		if err := yaml.Unmarshal(data, &root); err != nil {
			return nil // It was decoded before.
		}
		return detectorNodes(&root)
	})
	for i := range doc.Detectors {
		d := &doc.Detectors[i]
		d.file, d.nodes, d.place = file, nodes, i
	}
	return doc.Detectors, nil
}

// Source is the detector as a file of its own, as it was written; nil for one that was not read from a file.
func (d *Detector) Source() ([]byte, error) {
	if d.nodes == nil {
		return nil, nil
	}
	nodes := d.nodes()
	if d.place >= len(nodes) {
		return nil, nil
	}
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	err := enc.Encode(map[string][]*yaml.Node{"detectors": {nodes[d.place]}})
	if err := errors.Join(err, enc.Close()); err != nil {
		return nil, fmt.Errorf("write detector %s: %w", d.ID, err)
	}
	return b.Bytes(), nil
}

// positions is where the values of the detector stand in its file.
func (d *Detector) positions() map[string]position {
	at := map[string]position{}
	if d.nodes == nil {
		return at // It was not read from a file.
	}
	if nodes := d.nodes(); d.place < len(nodes) {
		locate(nodes[d.place], "", at)
	}
	return at
}

var yamlLine = regexp.MustCompile(`line (\d{1,9}): ([^\n]{1,200})`)

// yamlError keeps the first complaint of the YAML reader and its line. The reader gives no column, and no line for the first.
func yamlError(file string, err error) error {
	line, reason := yamlComplaint(err)
	return &LintError{File: file, Line: line, Column: 1, Detector: "-", Reason: reason}
}

// yamlComplaint is the first complaint of the YAML reader and its line, 1 where it tells none.
func yamlComplaint(err error) (line int, reason string) {
	line, reason = 1, "invalid YAML: "+clip(strings.TrimPrefix(err.Error(), "yaml: "))
	if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
		// The expression admits digits only, and no more than fit.
		_, _ = fmt.Sscanf(m[1], "%d", &line)
		reason = m[2]
	}
	return line, reason
}

// clip shortens what an error repeats of a file.
func clip(s string) string {
	const most = 120
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

func detectorNodes(root *yaml.Node) []*yaml.Node {
	if len(root.Content) == 0 || root.Content[0].Kind != yaml.MappingNode {
		return nil
	}
	m := root.Content[0].Content
	for i := 0; i+1 < len(m); i += 2 {
		if m[i].Value == "detectors" {
			return m[i+1].Content
		}
	}
	return nil
}

// locate notes where the value of every key and list entry stands: "pattern", "examples.match.3".
func locate(n *yaml.Node, path string, at map[string]position) {
	at[path] = position{n.Line, n.Column, n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0}
	join := func(key string) string {
		if path == "" {
			return key
		}
		return path + "." + key
	}
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			locate(n.Content[i+1], join(n.Content[i].Value), at)
		}
	case yaml.SequenceNode:
		for i, c := range n.Content {
			locate(c, join(fmt.Sprint(i)), at)
		}
	}
}

// Complaint is a *LintError about a field of the detector, by those who know more of it than its file says.
func (d *Detector) Complaint(field, reason string) error { return d.fail(field, 0, "%s", reason) }

// fail makes the error about a field; offset is a byte within its text.
func (d *Detector) fail(field string, offset int, format string, args ...any) error {
	at := d.positions()
	p, ok := at[field]
	if !ok {
		p = at[""]
		offset = 0
	}
	if p.quoted {
		offset++
	}
	return &LintError{File: d.file, Line: p.line, Column: p.column + offset, Detector: clip(d.ID), Reason: fmt.Sprintf(format, args...)}
}
