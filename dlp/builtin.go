package dlp

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
)

//go:embed detectors/*.yaml
var builtinFiles embed.FS

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
