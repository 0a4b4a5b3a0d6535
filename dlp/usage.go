package dlp

import "sync/atomic"

// Usage is what one detector did.
type Usage struct {
	Candidates int64 // places where it looked closer, whether they became a match or not
	Low        int64 // matches by band of confidence
	Medium     int64
	High       int64
	VeryHigh   int64
}

// Add returns the sum of two.
func (u Usage) Add(v Usage) Usage {
	return Usage{u.Candidates + v.Candidates, u.Low + v.Low, u.Medium + v.Medium, u.High + v.High, u.VeryHigh + v.VeryHigh}
}

// usage counts for one rule.
type usage struct {
	candidates                  atomic.Int64
	low, medium, high, veryHigh atomic.Int64
}

// match counts a match.
func (u *usage) match(confidence float64) {
	switch {
	case confidence >= ConfidenceVeryHigh:
		u.veryHigh.Add(1)
	case confidence >= ConfidenceHigh:
		u.high.Add(1)
	case confidence >= ConfidenceMedium:
		u.medium.Add(1)
	default:
		u.low.Add(1)
	}
}

// count hands over the candidates of one scan: a few rules, so that a scan pays for those that it met only.
func (s *state) count() {
	for _, i := range s.touched {
		s.engine.usage[i].candidates.Add(s.tried[i])
		s.tried[i] = 0
	}
	s.touched = s.touched[:0]
}

// TakeUsage returns, by id, what the detectors did since it was last called, in all scans that have ended; those that did nothing are left out. A text of a
// scan that failed has candidates and no match.
func (e *Engine) TakeUsage() map[string]Usage {
	out := map[string]Usage{}
	for i, r := range e.rules {
		c := &e.usage[i]
		u := Usage{c.candidates.Swap(0), c.low.Swap(0), c.medium.Swap(0), c.high.Swap(0), c.veryHigh.Swap(0)}
		if u != (Usage{}) {
			out[r.ID] = u
		}
	}
	return out
}
