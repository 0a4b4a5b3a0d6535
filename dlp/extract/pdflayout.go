package extract

import (
	"cmp"
	"math"
	"slices"
	"strings"
)

// pdfGlyph is a glyph that stands on a page: where it begins and where the next one is due, in any unit, and the size of its font.
type pdfGlyph struct {
	text             string
	x, y, ex, ey, em float32
}

// pdfLayout puts the glyphs of a page together to lines. Content order is kept, since writers give columns and cells in it; what stands side by side
// and came at other times is joined, so that a value that is drawn in pieces comes out whole.
type pdfLayout struct {
	glyphs []pdfGlyph
}

// pdfPage is how many glyphs are put together at once: more than a page holds, and 8 MiB.
const pdfPage = 200_000

const (
	pdfGap     = 0.17 // of the size, between glyphs: a blank. The narrowest blanks of fonts are 0.2, and kerning is under 0.1.
	pdfTab     = 2.0
	pdfJoin    = 0.6  // between runs that came at different times
	pdfLetters = 4    // gaps in a row that make letters spaced out
	pdfLine    = 0.35 // off the line, and still on it: superscripts
)

// pdfRun is a row of glyphs that came one after the other on one line.
type pdfRun struct {
	from, to     int // glyphs
	ux, uy       float64
	along, until float64 // on the line
	across       float64
	em           float64
	next         int // run that goes on from here; -1: none
	gap          float64
	joined       bool
}

// lines gives the text of the page.
func (l *pdfLayout) lines() string {
	runs, gaps := l.runs()
	l.join(runs)
	var b strings.Builder
	var order []int
	var before []float64
	head := pdfHeads(runs)
	for i := range runs { // A line comes out where the piece of it that came first does.
		if head[i] < 0 {
			continue
		}
		order, before = order[:0], before[:0]
		gap := 0.0
		for j := head[i]; j >= 0; j = runs[j].next {
			for g := runs[j].from; g < runs[j].to; g++ {
				if l.glyphs[g].text == "" {
					continue
				}
				if g > runs[j].from {
					gap = gaps[g]
				}
				order, before = append(order, g), append(before, gap)
			}
			gap = runs[j].gap
		}
		l.write(&b, order, before)
	}
	return b.String()
}

// pdfHeads gives, for the run of each line that came first, the one that the line begins with; -1 for the others.
func pdfHeads(runs []pdfRun) []int {
	head := make([]int, len(runs))
	for i := range head {
		head[i] = -1
	}
	for i := range runs {
		if runs[i].joined {
			continue
		}
		first := i
		for j := i; j >= 0; j = runs[j].next {
			first = min(first, j)
		}
		head[first] = i
	}
	return head
}

// write gives a line: a blank where a gap is wide, unless a row of letters is spaced out as a whole.
func (l *pdfLayout) write(b *strings.Builder, order []int, gaps []float64) {
	if len(order) == 0 {
		return
	}
	limit := make([]float64, len(order))
	for i := range limit {
		limit[i] = pdfGap
	}
	blank := func(i int) bool { return strings.TrimSpace(l.glyphs[order[i]].text) == "" }
	for i := 1; i < len(order); {
		j := i
		for j < len(order) && gaps[j] > pdfGap && gaps[j] < 3 && !blank(j) && !blank(j-1) && len(l.glyphs[order[j]].text) <= 4 {
			j++
		}
		if j-i >= pdfLetters {
			s := slices.Clone(gaps[i:j])
			slices.Sort(s)
			usual := s[len(s)/2]
			for k := i; k < j; k++ {
				limit[k] = usual*1.5 + 0.05
			}
		}
		i = max(j, i+1)
	}
	for i, g := range order {
		if i > 0 && gaps[i] > limit[i] && !blank(i) && !blank(i-1) {
			if gaps[i] > pdfTab {
				b.WriteByte('\t')
			} else {
				b.WriteByte(' ')
			}
		}
		b.WriteString(l.glyphs[g].text)
	}
	b.WriteByte('\n')
}

// runs cuts the glyphs where a line ends. gaps are those before the glyphs, in parts of the size.
func (l *pdfLayout) runs() (runs []pdfRun, gaps []float64) {
	gaps = make([]float64, len(l.glyphs))
	last := -1 // glyph before
	for i := range l.glyphs {
		g := &l.glyphs[i]
		if last >= 0 {
			r := &runs[len(runs)-1]
			p := &l.glyphs[last]
			if p.text == g.text && pdfDistance(p.x, p.y, g.x, g.y) < 0.1*float64(g.em) && pdfDistance(p.x, p.y, p.ex, p.ey) > 0.1*float64(g.em) {
				g.text = "" // drawn twice to look bold
				r.to = i + 1
				continue
			}
			em := math.Max(math.Min(float64(p.em), float64(g.em)), 1e-6)
			dx, dy := float64(g.x-p.ex), float64(g.y-p.ey)
			along, across := (dx*r.ux+dy*r.uy)/em, math.Abs(dx*r.uy-dy*r.ux)/em
			near := math.Hypot(dx, dy) <= pdfGap*em
			if near || across <= pdfLine && along > -0.5 && along < 40 || math.IsNaN(along) {
				if !near && along > 0 {
					gaps[i] = along
				}
				r.to, last = i+1, i
				continue
			}
		}
		r := pdfRun{from: i, to: i + 1, ux: 1, next: -1, em: float64(g.em)}
		if d := pdfDistance(g.x, g.y, g.ex, g.ey); d > 0 {
			r.ux, r.uy = float64(g.ex-g.x)/d, float64(g.ey-g.y)/d
		}
		runs, last = append(runs, r), i
	}
	for i := range runs {
		r := &runs[i]
		a, z := &l.glyphs[r.from], &l.glyphs[r.to-1]
		r.along = float64(a.x)*r.ux + float64(a.y)*r.uy
		r.until = float64(z.ex)*r.ux + float64(z.ey)*r.uy
		r.across = float64(a.y)*r.ux - float64(a.x)*r.uy
	}
	return runs, gaps
}

func pdfDistance(x, y, ex, ey float32) float64 { return math.Hypot(float64(ex-x), float64(ey-y)) }

// join links runs that stand side by side on one line.
func (l *pdfLayout) join(runs []pdfRun) {
	if len(runs) < 2 {
		return
	}
	order := make([]int, len(runs))
	for i := range order {
		order[i] = i
	}
	angle := func(r *pdfRun) float64 { return math.Round(math.Atan2(r.uy, r.ux) * 90 / math.Pi) }
	slices.SortStableFunc(order, func(a, b int) int {
		if c := cmp.Compare(angle(&runs[a]), angle(&runs[b])); c != 0 {
			return c
		}
		return cmp.Compare(runs[a].across, runs[b].across)
	})
	for from := 0; from < len(order); {
		first := &runs[order[from]]
		to := from + 1
		for to < len(order) && angle(&runs[order[to]]) == angle(first) && runs[order[to]].across-first.across <= 0.2*first.em {
			to++
		}
		line := order[from:to]
		slices.SortStableFunc(line, func(a, b int) int { return cmp.Compare(runs[a].along, runs[b].along) })
		for i := 1; i < len(line); i++ {
			a, b := &runs[line[i-1]], &runs[line[i]]
			em := math.Max(math.Min(a.em, b.em), 1e-6)
			gap := (b.along - a.until) / em
			if gap > -0.25 && gap <= pdfJoin && b.along > a.along && a.em < 1.6*b.em && b.em < 1.6*a.em {
				a.next, a.gap, b.joined = line[i], math.Max(gap, 0), true
			}
		}
		from = to
	}
}
