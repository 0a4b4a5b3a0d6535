package corpus

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"sync"
)

//go:embed quality_gen.json
var measuredFile []byte

var measured = sync.OnceValues(func() (map[string]Score, error) {
	var scores map[string]Score
	if err := json.Unmarshal(measuredFile, &scores); err != nil {
		return nil, fmt.Errorf("read scores of the built-in detectors: %w", err)
	}
	for id, s := range scores {
		s.Detector = id
		scores[id] = s
	}
	return scores, nil
})

// Measured returns how well a built-in detector did on the corpus of DefaultConfiguration, as it was measured when the program was built. It is false
// for a detector that is not built in.
func Measured(detector string) (Score, bool) {
	scores, err := measured()
	if err != nil {
		return Score{}, false // The file is the program's own, and a test reads it.
	}
	s, ok := scores[detector]
	return s, ok
}
