package corpus

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/outband/outband/dlp"
)

// Score is how well one detector does on a corpus. A match counts from medium confidence on.
type Score struct {
	Detector string `json:"-"`
	Planted  int    `json:"planted"` // values of this detector
	Found    int    `json:"found"`   // of these, over just their span; also when a more specific detector has the match and names this one
	Right    int    `json:"right"`   // matches on a planted value of this detector, or of one that lost the match to it
	Wrong    int    `json:"wrong"`   // matches elsewhere: on a decoy, on the value of another detector, on ordinary text
	Decoys   int    `json:"decoys"`  // of the wrong ones, those on a decoy
	Checksum bool   `json:"-"`       // its values prove themselves by a sum or a structure
}

// Recall is the part of the planted values that were found, 1 when none was planted.
func (s Score) Recall() float64 { return ratio(s.Found, s.Planted) }

// Precision is the part of the matches that were right, 1 when there was none.
func (s Score) Precision() float64 { return ratio(s.Right, s.Right+s.Wrong) }

func ratio(part, all int) float64 {
	if all == 0 {
		return 1
	}
	return float64(part) / float64(all)
}

// Family is the part of the detector's id before the dot.
func (s Score) Family() string {
	family, _, _ := strings.Cut(s.Detector, ".")
	return family
}

// DecoyScore says how many decoys of one name were there, and how many were matched with at least medium confidence.
type DecoyScore struct {
	Name         string
	Put, Matched int
}

// Quality is what a set of detectors found in a corpus, by id and by name.
type Quality struct {
	Scores []Score
	Decoys []DecoyScore
}

// Fault is a value that was missed, or a match that is wrong. It holds text of the corpus, which is made up.
type Fault struct {
	Detector string // that missed, or that matched wrongly
	Missed   bool
	Instead  string // what matched there, or what stands there
	Text     string // with up to 80 bytes on both sides
}

// Measure scans a corpus that was made for these detectors. Optional detectors are looked for apart, so that they change nothing about the others.
// report, when there is one, is called for each fault.
func Measure(detectors []dlp.Detector, c *Corpus, report func(Fault)) (*Quality, error) {
	q := &measure{scores: map[string]*Score{}, decoys: map[string]*DecoyScore{}, report: report}
	var usual, optional []dlp.Detector
	for _, d := range detectors {
		k, err := newKind(d)
		if err != nil {
			return nil, err
		}
		q.scores[d.ID] = &Score{Detector: d.ID, Checksum: k.checksum()}
		if d.Optional {
			optional = append(optional, d)
		} else {
			usual = append(usual, d)
		}
	}
	for _, group := range [][]dlp.Detector{usual, optional} {
		if len(group) == 0 {
			continue
		}
		e, err := dlp.New(group, dlp.Configuration{Optional: true})
		if err != nil {
			return nil, err
		}
		for i := range c.Documents {
			if err := q.document(e, &c.Documents[i]); err != nil {
				return nil, fmt.Errorf("scan document %d of the corpus: %w", i, err)
			}
		}
	}
	for _, d := range c.Documents {
		for _, p := range d.Decoys {
			q.decoy(p.Name).Put++
		}
	}
	out := &Quality{}
	for _, s := range q.scores {
		out.Scores = append(out.Scores, *s)
	}
	for _, d := range q.decoys {
		out.Decoys = append(out.Decoys, *d)
	}
	slices.SortFunc(out.Scores, func(a, b Score) int { return cmp.Compare(a.Detector, b.Detector) })
	slices.SortFunc(out.Decoys, func(a, b DecoyScore) int { return cmp.Compare(a.Name, b.Name) })
	return out, nil
}

type measure struct {
	scores map[string]*Score
	decoys map[string]*DecoyScore
	report func(Fault)
}

func (q *measure) decoy(name string) *DecoyScore {
	if q.decoys[name] == nil {
		q.decoys[name] = &DecoyScore{Name: name}
	}
	return q.decoys[name]
}

var errTruncated = errors.New("a detector had more matches than are kept")

func (q *measure) document(e *dlp.Engine, d *Document) error {
	res, err := e.Scan(d.Text, dlp.Keys{})
	if err != nil {
		return err
	}
	if res.Truncated {
		return errTruncated
	}
	matches := slices.DeleteFunc(res.Matches, func(m dlp.Match) bool { return m.Confidence < dlp.ConfidenceMedium })
	for _, p := range d.Planted {
		if _, used := e.Detector(p.Name); used {
			q.planted(d, p, matches)
		}
	}
	for _, m := range matches {
		q.match(d, m)
	}
	for _, p := range d.Decoys {
		if slices.ContainsFunc(matches, func(m dlp.Match) bool { return overlap(m, p) }) {
			q.decoy(p.Name).Matched++
		}
	}
	return nil
}

func overlap(m dlp.Match, p Place) bool { return m.Start < p.End && p.Start < m.End }

// names reports whether a match is one of the detector, or one that it lost to a more specific one.
func names(m dlp.Match, detector string) bool {
	return m.Detector == detector || slices.Contains(m.Also, detector)
}

// planted counts whether a value was found: over just its span, or as what lost to a match that overlaps it.
func (q *measure) planted(d *Document, p Place, matches []dlp.Match) {
	s := q.scores[p.Name]
	s.Planted++
	instead := ""
	for _, m := range matches {
		if !overlap(m, p) {
			continue
		}
		if names(m, p.Name) && (p.Wide || m.Detector != p.Name || m.Start == p.Start && m.End == p.End) {
			s.Found++
			return
		}
		instead += fmt.Sprintf("%s(%+d,%+d) ", m.Detector, m.Start-p.Start, m.End-p.End)
	}
	q.fault(d, p.Start, p.End, Fault{Detector: p.Name, Missed: true, Instead: strings.TrimSpace(instead)})
}

// match counts whether a match is right. What else of an example stands around a value is not judged: nobody said what of it is sensitive.
func (q *measure) match(d *Document, m dlp.Match) {
	s := q.scores[m.Detector]
	instead, kept := "", false
	for _, p := range d.Planted {
		if overlap(m, p) && names(m, p.Name) {
			s.Right++
			return
		}
		if overlap(m, p) && !p.Wide {
			instead = p.Name
		}
		kept = kept || m.Start >= p.From && m.End <= p.To
	}
	if kept && instead == "" {
		return
	}
	s.Wrong++
	for _, p := range d.Decoys {
		if overlap(m, p) {
			instead = p.Name
			s.Decoys++
			break
		}
	}
	q.fault(d, m.Start, m.End, Fault{Detector: m.Detector, Instead: instead})
}

func (q *measure) fault(d *Document, start, end int, f Fault) {
	if q.report == nil {
		return
	}
	const side = 80
	f.Text = string(d.Text[max(0, start-side):start]) + "«" + string(d.Text[start:end]) + "»" + string(d.Text[end:min(len(d.Text), end+side)])
	q.report(f)
}

// Sum adds the scores that a condition chooses.
func (q *Quality) Sum(chosen func(Score) bool) (total Score) {
	for _, s := range q.Scores {
		if chosen(s) {
			total.Planted += s.Planted
			total.Found += s.Found
			total.Right += s.Right
			total.Wrong += s.Wrong
			total.Decoys += s.Decoys
		}
	}
	return total
}

// DecoyRate is the part of all decoys that were matched with at least medium confidence.
func (q *Quality) DecoyRate() float64 {
	var put, matched int
	for _, d := range q.Decoys {
		put += d.Put
		matched += d.Matched
	}
	if put == 0 {
		return 0
	}
	return float64(matched) / float64(put)
}
