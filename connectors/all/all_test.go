package all

import (
	"testing"

	"github.com/outband/outband/connectors"
)

func TestEveryConnectorHasAValidManifestWithAnIDOfItsOwn(t *testing.T) {
	seen := map[string]bool{}
	for i, c := range All() {
		m, err := connectors.ParseManifest(c.Manifest)
		if err != nil {
			t.Errorf("connector %d: %v", i, err)
			continue
		}
		if seen[m.ID] {
			t.Errorf("connector %d: id %q is taken", i, m.ID)
		}
		seen[m.ID] = true
		if c.Open == nil {
			t.Errorf("connector %q has no Open", m.ID)
		}
	}
}
