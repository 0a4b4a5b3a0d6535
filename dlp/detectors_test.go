package dlp_test

import (
	"testing"

	"github.com/outband/outband/dlp"
)

func TestBuiltinExamples(t *testing.T) {
	all := builtin(t)
	for _, d := range all {
		t.Run(d.ID, func(t *testing.T) {
			for _, err := range dlp.Check(d) {
				t.Error(err)
			}
			if len(d.References) == 0 || d.Description == "" {
				t.Error("no references or no description")
			}
		})
	}
	if len(all) < 75 {
		t.Errorf("%d detectors", len(all))
	}
}

func builtin(t testing.TB) []dlp.Detector {
	t.Helper()
	all, err := dlp.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	return all
}
