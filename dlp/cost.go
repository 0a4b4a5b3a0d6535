package dlp

import (
	"strings"
	"time"
)

// Cost is what a detector costs. Rate is of a text made of its own words, the worst that it meets, in MB a second of the machine that measures.
type Cost struct {
	Steps int     // of its expressions: instructions × longest match; 0 without one
	Limit int     // of Steps
	Rate  float64 // MB/s
}

const (
	probeSize = 64 << 10
	leastRate = 1 // MB/s; a detector below it would hold up every scan
)

// Cost measures a detector that compiles. One that is slower than a megabyte a second is refused with a *LintError. It takes a few milliseconds, or at most
// three times 64 ms of the slowest.
func (s Stock) Cost(d Detector) (Cost, error) {
	d.Optional = false
	cfg := DefaultConfiguration()
	cfg.Stock = s
	e, err := New([]Detector{d}, cfg)
	if err != nil {
		return Cost{}, err
	}
	c := Cost{Limit: maxCost}
	for _, r := range e.rules {
		c.Steps = max(c.Steps, r.cost)
		for _, p := range r.parts {
			c.Steps = max(c.Steps, p.cost)
		}
	}
	for _, text := range probes(e.rules[0]) {
		// Of three runs the fastest counts: what the machine does beside it is no fault of the detector.
		best := 0.0
		for range 3 {
			start := time.Now()
			if _, err := e.Scan(text, Keys{}); err != nil {
				return c, d.fail("", 0, "cannot be run over a text made of its own words")
			}
			best = max(best, float64(len(text))/1e6/max(time.Since(start).Seconds(), 1e-9))
			if best > 50 {
				break
			}
		}
		if c.Rate == 0 || best < c.Rate {
			c.Rate = best
		}
	}
	if c.Rate < leastRate {
		return c, d.fail("pattern", 0, "scans %.2f MB a second of a text made of its own words; at least %d is needed. Shorten what may repeat, or begin with a longer fixed word", c.Rate, leastRate)
	}
	return c, nil
}

// probes are texts that bring a detector up as often as can be.
func probes(r *rule) [][]byte {
	words := append(append([]string{}, r.Keywords...), r.Prefixes...)
	for _, p := range r.parts {
		words = append(words, p.Keywords...)
	}
	for i, w := range r.Words {
		if i == 100 {
			break
		}
		words = append(words, w)
	}
	words = append(words, r.Context...)
	if len(words) == 0 {
		words = []string{"word"}
	}
	var out [][]byte
	for _, between := range []string{"", " ", ` = "aB3x9Kq7Lm2Zr8Tw4Yp6" `, "-0123456789 ", "aaaaaaaaaaaaaaaaaaaaaaaa "} {
		var b strings.Builder
		for i := 0; b.Len() < probeSize; i++ {
			b.WriteString(words[i%len(words)])
			b.WriteString(between)
		}
		out = append(out, []byte(b.String()[:probeSize]))
	}
	return out
}
