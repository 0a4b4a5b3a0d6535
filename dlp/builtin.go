package dlp

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"slices"
	"sync"

	"go.yaml.in/yaml/v3"
)

//go:embed detectors/*.yaml
var builtinFiles embed.FS

//go:embed profiles.yaml
var profilesFile []byte

var builtin = sync.OnceValues(func() ([]Detector, error) {
	names, err := fs.Glob(builtinFiles, "detectors/*.yaml")
	if err != nil {
		return nil, fmt.Errorf("list built-in detectors: %w", err)
	}
	var all []Detector
	for _, name := range names {
		data, err := builtinFiles.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("read built-in detectors: %w", err)
		}
		d, err := Parse(name, data)
		if err != nil {
			return nil, err
		}
		for i := range d {
			d[i].builtin = true
		}
		all = append(all, d...)
	}
	return all, nil
})

// Builtin returns the detectors that come with the program, also the optional ones. Their examples and what their expressions cost are
// checked by tests, not here.
func Builtin() ([]Detector, error) {
	all, err := builtin()
	return slices.Clone(all), err
}

// Load reads custom detectors and refuses those that do not compile, disagree with their own examples, or are too slow. The error wraps one *LintError for
// each complaint.
func Load(file string, data []byte) ([]Detector, error) { return Stock{}.Load(file, data) }

// Load is the function Load for detectors that may name what is in stock.
func (s Stock) Load(file string, data []byte) ([]Detector, error) {
	all, err := Parse(file, data)
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, d := range all {
		found := s.Check(d)
		if len(found) == 0 {
			if _, err := s.Cost(d); err != nil {
				found = append(found, err)
			}
		}
		errs = append(errs, found...)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return all, nil
}

// Profile is a named set of detectors.
type Profile struct {
	ID            string   `yaml:"id"`
	Title         string   `yaml:"title"`
	Detectors     []string `yaml:"detectors"` // globs over ids
	Except        []string `yaml:"except"`
	MinConfidence float64  `yaml:"min_confidence"`
}

// Has reports whether the profile names the detector.
func (p Profile) Has(detector string) bool {
	match := func(g string) bool { return Glob(g, detector) }
	return slices.ContainsFunc(p.Detectors, match) && !slices.ContainsFunc(p.Except, match)
}

// Select returns the detectors of the profile; what it names is used even when it is optional.
func (p Profile) Select(all []Detector) []Detector {
	var out []Detector
	for _, d := range all {
		if p.Has(d.ID) {
			d.Optional = d.Optional && !slices.Contains(p.Detectors, d.ID)
			out = append(out, d)
		}
	}
	return out
}

// Profiles returns the profiles that come with the program.
func Profiles() ([]Profile, error) {
	dec := yaml.NewDecoder(bytes.NewReader(profilesFile))
	dec.KnownFields(true)
	var doc struct {
		Profiles []Profile `yaml:"profiles"`
	}
	if err := dec.Decode(&doc); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read profiles: %w", err)
	}
	for _, p := range doc.Profiles {
		if p.ID == "" || len(p.Detectors) == 0 || math.IsNaN(p.MinConfidence) || p.MinConfidence < 0 || p.MinConfidence > 1 {
			return nil, fmt.Errorf("read profiles: profile %q is incomplete", p.ID)
		}
	}
	return doc.Profiles, nil
}
