package workflows

import (
	"cmp"

	"github.com/outband/outband/dlp"
)

// OverrideTestData is the kind of the overrides that switch a group of the shipped test data on or off.
const OverrideTestData = "allowlist"

// leftOut returns the groups of the shipped test data that are on; modes are what overrides say, by group.
func leftOut(modes map[string]string) ([]dlp.TestGroup, error) {
	all, err := dlp.TestData()
	if err != nil {
		return nil, err
	}
	var out []dlp.TestGroup
	for _, g := range all {
		if cmp.Or(modes[g.ID], g.Mode) == dlp.TestDataOn {
			out = append(out, g)
		}
	}
	return out, nil
}
