package dlp_test

import (
	"errors"
	"testing"
	"time"

	"github.com/outband/outband/dlp"
	"github.com/outband/outband/dlp/corpus"
	fixture "github.com/outband/outband/fixtures/hostile"
)

const (
	worstText = 128 << 10
	worstLoad = 10 * time.Second // to read and compile a hostile file, or to refuse it
)

// TestHostileDetectors holds the lint to its promise: a custom detector is refused with its place, or it cannot make a scan slow.
func TestHostileDetectors(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes every speed another")
	}
	cases, err := fixture.Detectors()
	if err != nil {
		t.Fatal(err)
	}
	if len(cases) < 100 {
		t.Errorf("%d cases", len(cases))
	}
	least, err := dlp.LeastRate()
	if err != nil {
		t.Fatal(err)
	}
	least /= 2 // The clock is coarse, and the machine may be busy.
	ran, refused := 0, 0
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			ran++
			start := corpus.CPUTime()
			detectors, err := dlp.Parse("hostile.yaml", c.Source)
			var e *dlp.Engine
			if err == nil {
				e, err = dlp.New(detectors, dlp.Configuration{})
			}
			for i := 0; err == nil && i < len(detectors); i++ {
				_, err = dlp.Stock{}.Cost(detectors[i])
			}
			if took := corpus.CPUTime() - start; took > worstLoad {
				t.Errorf("loading took %s", took)
			}
			if err != nil {
				refused++
				var lint *dlp.LintError
				if !errors.As(err, &lint) || lint.Line < 1 || lint.Column < 1 || lint.Reason == "" {
					t.Errorf("refused without a place: %v", err)
				}
				if len(err.Error()) > 10_000 {
					t.Errorf("the refusal has %d bytes", len(err.Error()))
				}
				return
			}
			for _, d := range e.Detectors() {
				for _, text := range dlp.WorstTexts(d, worstText) {
					if speed := speedOf(t, e, text, 2*least); speed < least {
						t.Errorf("%.1f MB/s on a text of %q", speed/1e6, text[:min(len(text), 60)])
					}
				}
			}
		})
	}
	if refused < ran/2 || ran > 1 && refused == ran {
		t.Errorf("%d of %d are refused", refused, ran)
	}
}

// speedOf is the best of a few scans, in bytes in a second of the process's own time; one over enough ends it.
func speedOf(t *testing.T, e *dlp.Engine, text []byte, enough float64) float64 {
	best := time.Duration(0)
	for range 4 {
		start := corpus.CPUTime()
		if _, err := e.Scan(text, dlp.Keys{}); err != nil {
			t.Fatal(err)
		}
		if took := max(corpus.CPUTime()-start, time.Microsecond); best == 0 || took < best {
			best = took
		}
		if float64(len(text))/best.Seconds() > enough {
			break
		}
	}
	return float64(len(text)) / best.Seconds()
}

// TestTheWorstTextsAreScanned sees that no text that is made to be the worst for a built-in detector ends a scan with an error.
func TestTheWorstTextsAreScanned(t *testing.T) {
	e := engine(t, dlp.Configuration{})
	for i, d := range builtin(t) {
		if raceEnabled && i%20 > 0 {
			continue // Each is ten times as slow.
		}
		for _, text := range dlp.WorstTexts(d, 4<<10) {
			if _, err := e.Scan(text, testKeys); err != nil {
				t.Errorf("%s: %v in %.80q", d.ID, err, text)
			}
		}
	}
}
