package policy

import (
	"fmt"
	"io/fs"
	"slices"
	"sync"

	"github.com/outband/outband/dlp/policies"
)

// Builtin returns the policies that come with Outband, parsed once. They are read-only: an installation changes them by overrides.
func Builtin() ([]*Policy, error) {
	all, err := parsed()
	return slices.Clone(all), err
}

var parsed = sync.OnceValues(func() ([]*Policy, error) {
	names, err := fs.Glob(policies.Files, "*.yaml")
	if err != nil {
		return nil, fmt.Errorf("list built-in policies: %w", err)
	}
	out := make([]*Policy, 0, len(names))
	for _, name := range names {
		data, err := policies.Files.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("read built-in policy %s: %w", name, err)
		}
		p, err := Parse(data)
		if err != nil {
			return nil, fmt.Errorf("parse built-in policy %s: %w", name, err)
		}
		p.builtIn, p.ready = true, &ready{of: p}
		out = append(out, p)
	}
	return out, nil
})
