package dlp

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // The profiles that come with the program.
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

//go:embed profiles.yaml
var profilesFile []byte

// Profile is a named set of detectors with thresholds: what must stand in a text before the text is one of its kind. A threshold that is 0 asks for
// nothing. All that is counted has at least MinConfidence.
type Profile struct {
	ID            string   `yaml:"id"`
	Title         string   `yaml:"title"`
	Description   string   `yaml:"description,omitempty"`
	Detectors     []string `yaml:"detectors"`                // globs over ids
	Except        []string `yaml:"except,omitempty"`         // globs over ids that are left out
	Groups        []Group  `yaml:"groups,omitempty"`         // detectors that are one kind; a detector in none of them is a kind of its own
	AllOf         []string `yaml:"all_of,omitempty"`         // groups of each of which there is a match
	MinConfidence float64  `yaml:"min_confidence,omitempty"` // 0 to 1
	MinMatches    int      `yaml:"min_matches,omitempty"`
	MinDistinct   int      `yaml:"min_distinct,omitempty"` // different values
	MinKinds      int      `yaml:"min_kinds,omitempty"`    // different kinds
	Within        int      `yaml:"within,omitempty"`       // bytes of one text in which all that is counted stands; 0: anywhere in the unit
}

// Group are detectors that count as one kind: the first group that names a detector has it.
type Group struct {
	ID        string   `yaml:"id"`
	Detectors []string `yaml:"detectors"` // globs over ids
}

// Limits of a profile.
const (
	maxProfiles      = 200 // in one file
	maxGlobs         = 64
	maxGroups        = 16
	maxThreshold     = 1000
	minWithin        = 16
	maxProfileWithin = 1_000_000
	maxWordsTitle    = 200
	maxWordsText     = 2000
)

// ProfileProblem is what is wrong with a profile: the key, as in groups.0.id, and why.
type ProfileProblem struct{ Field, Reason string }

// ProfileError is a profile that cannot be used, with the place in its file. Line and Column count from 1; 0 means unknown.
type ProfileError struct {
	File         string
	Line, Column int
	Profile      string
	Reason       string
}

func (e *ProfileError) Error() string {
	return fmt.Sprintf("%s:%d:%d: profile %s: %s", e.File, e.Line, e.Column, e.Profile, e.Reason)
}

var (
	profileID = regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}$`)
	globForm  = regexp.MustCompile(`^[a-z0-9_.*?-]{1,80}$`)
)

// Check returns what is wrong with a profile. detectors are the ids that its globs may name; nil skips that.
func (p *Profile) Check(detectors []string) []ProfileProblem {
	var out []ProfileProblem
	fail := func(field, format string, args ...any) {
		out = append(out, ProfileProblem{field, fmt.Sprintf(format, args...)})
	}
	if !profileID.MatchString(p.ID) {
		fail("id", "an id is a lower-case letter and up to 39 more letters, digits and underscores")
	}
	if n := utf8.RuneCountInString(p.Title); strings.TrimSpace(p.Title) == "" || n > maxWordsTitle {
		fail("title", "a title has 1 to %d characters", maxWordsTitle)
	}
	if utf8.RuneCountInString(p.Description) > maxWordsText {
		fail("description", "a description has at most %d characters", maxWordsText)
	}
	globs := func(field string, list []string, least int) {
		if len(list) < least || len(list) > maxGlobs {
			fail(field, "from %d to %d globs of detector ids stand here", least, maxGlobs)
		}
		for i, g := range list {
			named := func(id string) bool { return Glob(g, id) }
			switch at := fmt.Sprintf("%s.%d", field, i); {
			case !globForm.MatchString(g):
				fail(at, "a glob holds letters, digits, the characters _ - . and the stars * and ?")
			case detectors != nil && !slices.ContainsFunc(detectors, named):
				fail(at, "no detector has an id like %q", g)
			}
		}
	}
	globs("detectors", p.Detectors, 1)
	globs("except", p.Except, 0)
	if len(p.Groups) > maxGroups {
		fail("groups", "a profile has at most %d groups", maxGroups)
	}
	ids := map[string]bool{}
	for i, g := range p.Groups {
		at := fmt.Sprintf("groups.%d", i)
		switch {
		case !profileID.MatchString(g.ID):
			fail(at+".id", "an id is a lower-case letter and up to 39 more letters, digits and underscores")
		case ids[g.ID]:
			fail(at+".id", "two groups have the id %q", g.ID)
		}
		ids[g.ID] = true
		globs(at+".detectors", g.Detectors, 1)
	}
	for i, id := range p.AllOf {
		if !ids[id] || slices.Contains(p.AllOf[:i], id) {
			fail(fmt.Sprintf("all_of.%d", i), "all_of names groups of this profile, each once")
		}
	}
	if math.IsNaN(p.MinConfidence) || p.MinConfidence < 0 || p.MinConfidence > 1 {
		fail("min_confidence", "a confidence goes from 0 to 1")
	}
	for field, v := range map[string]int{"min_matches": p.MinMatches, "min_distinct": p.MinDistinct, "min_kinds": p.MinKinds} {
		if v < 0 || v > maxThreshold {
			fail(field, "a threshold goes from 0 to %d", maxThreshold)
		}
	}
	if p.Within != 0 && (p.Within < minWithin || p.Within > maxProfileWithin) {
		fail("within", "within is 0 or goes from %d to %d bytes", minWithin, maxProfileWithin)
	}
	if len(out) == 0 && detectors != nil {
		if n := p.kinds(detectors); p.MinKinds > n {
			fail("min_kinds", "%d kinds are asked for, and the detectors make %d", p.MinKinds, n)
		}
	}
	slices.SortStableFunc(out, func(a, b ProfileProblem) int { return strings.Compare(a.Field, b.Field) })
	return out
}

// kinds is how many kinds the detectors make.
func (p *Profile) kinds(detectors []string) int {
	sort := sorter{profile: p, known: map[string]int{}}
	seen := map[int]bool{}
	for _, id := range detectors {
		if k := sort.kind(id); k >= 0 {
			seen[k] = true
		}
	}
	return len(seen)
}

// Has reports whether the profile names the detector.
func (p *Profile) Has(detector string) bool {
	return anyGlob(p.Detectors, detector) && !anyGlob(p.Except, detector)
}

func anyGlob(globs []string, id string) bool {
	return slices.ContainsFunc(globs, func(g string) bool { return Glob(g, id) })
}

// Select returns the detectors of the profile; what it names is used even when it is optional.
func (p *Profile) Select(all []Detector) []Detector {
	var out []Detector
	for _, d := range all {
		if p.Has(d.ID) {
			d.Optional = d.Optional && !slices.Contains(p.Detectors, d.ID)
			out = append(out, d)
		}
	}
	return out
}

// Digest names what the profile decides: equal for profiles that differ in words only. 16 hexadecimal digits.
func (p *Profile) Digest() string {
	c := *p
	c.Title, c.Description = "", ""
	b, err := json.Marshal(c)
	if err != nil {
		b = []byte(err.Error()) // A confidence that is no number; Check refuses it.
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}

// YAML is the profile as one document of the form that ParseProfile reads.
func (p *Profile) YAML() ([]byte, error) {
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	if err := errors.Join(enc.Encode(p), enc.Close()); err != nil {
		return nil, fmt.Errorf("write profile %s: %w", p.ID, err)
	}
	return out.Bytes(), nil
}

// ParseProfile reads one profile and checks its form. The error is a *ProfileError, or several joined.
func ParseProfile(file string, data []byte) (Profile, error) {
	var p Profile
	if err := decodeProfiles(file, data, &p); err != nil {
		return p, err
	}
	return p, p.located(file, data, nil, func(root *yaml.Node) *yaml.Node { return root })
}

// ParseProfiles reads a file with the key profiles, and checks each. detectors are the ids that globs may name; nil skips that. The error is a
// *ProfileError, or several joined.
func ParseProfiles(file string, data []byte, detectors []string) ([]Profile, error) {
	var doc struct {
		Profiles []Profile `yaml:"profiles"`
	}
	if err := decodeProfiles(file, data, &doc); err != nil {
		return nil, err
	}
	if len(doc.Profiles) == 0 || len(doc.Profiles) > maxProfiles {
		return nil, &ProfileError{File: file, Line: 1, Column: 1, Profile: "-", Reason: fmt.Sprintf("the key profiles lists 1 to %d profiles", maxProfiles)}
	}
	var errs []error
	seen := map[string]bool{}
	for i := range doc.Profiles {
		p := &doc.Profiles[i]
		at := func(root *yaml.Node) *yaml.Node { return listed(root, "profiles", i) }
		err := p.located(file, data, detectors, at)
		if err == nil && seen[p.ID] {
			err = &ProfileError{File: file, Profile: p.ID, Reason: "two profiles have this id"}
		}
		seen[p.ID] = true
		errs = append(errs, err)
	}
	return doc.Profiles, errors.Join(errs...)
}

func decodeProfiles(file string, data []byte, to any) error {
	if len(data) > maxFile {
		return &ProfileError{File: file, Profile: "-", Reason: fmt.Sprintf("file is larger than %d bytes", maxFile)}
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	err := dec.Decode(to)
	switch {
	case errors.Is(err, io.EOF):
		return &ProfileError{File: file, Line: 1, Column: 1, Profile: "-", Reason: "file is empty"}
	case err != nil:
		line, reason := yamlComplaint(err)
		return &ProfileError{File: file, Line: line, Column: 1, Profile: "-", Reason: reason}
	}
	return nil
}

// listed is entry i of the list under key.
func listed(root *yaml.Node, key string, i int) *yaml.Node {
	for n := 0; n+1 < len(root.Content); n += 2 {
		if list := root.Content[n+1]; root.Content[n].Value == key && i < len(list.Content) {
			return list.Content[i]
		}
	}
	return root
}

// located is what Check says, with the places in the file.
func (p *Profile) located(file string, data []byte, detectors []string, at func(*yaml.Node) *yaml.Node) error {
	problems := p.Check(detectors)
	if len(problems) == 0 {
		return nil
	}
	places := map[string]position{}
	var root yaml.Node
	if err := yaml.Unmarshal(data, &root); err == nil && len(root.Content) > 0 {
		locate(at(root.Content[0]), "", places)
	}
	var errs []error
	for _, problem := range problems {
		e := &ProfileError{File: file, Profile: p.ID, Reason: problem.Field + ": " + problem.Reason}
		where, ok := places[problem.Field]
		if !ok {
			where = places[""] // The key is missing: where the profile begins.
		}
		e.Line, e.Column = where.line, where.column
		errs = append(errs, e)
	}
	return errors.Join(errs...)
}

var builtinProfiles = sync.OnceValues(func() ([]Profile, error) { return ParseProfiles("profiles.yaml", profilesFile, nil) })

// Profiles returns the profiles that come with the program.
func Profiles() ([]Profile, error) {
	all, err := builtinProfiles()
	return slices.Clone(all), err
}
