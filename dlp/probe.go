package dlp

import (
	"bytes"
	"math"
	"math/rand/v2"
	"regexp/syntax"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
)

// Bounds of the probe. A custom detector shares a core with hundreds of others, so it may not need more than a fraction of it even for the text that is
// worst for it. It is compared with a plain detector on the same machine: machines differ, and so do builds.
const (
	probeText   = 64 << 10        // bytes of each text
	probeTimes  = 8               // how many times as long as the plain detector it may take
	probeTries  = 5               // the clock is coarse, and the garbage of others is collected meanwhile
	probeBudget = 5 * time.Second // of the wall, when all else fails
)

// plain is what other detectors are compared with: a word and six digits.
var plain = Detector{ID: "custom.plain", Title: "Plain", Kind: KindPattern, Severity: "info", Pattern: "PLAIN-(?P<value>[0-9]{6})", Confidence: 0.6}

// plainTime is how long plain takes for the text that is the worst for it.
var plainTime = sync.OnceValues(func() (worstTime time.Duration, err error) {
	e, err := New([]Detector{plain}, DefaultConfiguration())
	if err != nil {
		return 0, err
	}
	runtime.LockOSThread() // Its time is counted.
	defer runtime.UnlockOSThread()
	for _, text := range worst(e.rules[0].Detector, probeText) {
		best := time.Duration(math.MaxInt64)
		for range probeTries {
			start := threadTime()
			if _, err := e.Scan(text, Keys{}); err != nil {
				return 0, err
			}
			best = min(best, threadTime()-start)
		}
		worstTime = max(worstTime, best)
	}
	return worstTime, nil
})

// Cost is what a detector costs.
type Cost struct {
	Steps int     // of its expressions: instructions × longest match; 0 without one
	Limit int     // of Steps
	Rate  float64 // MB in a second of one core of the machine that measures, on the text that is the worst for it
}

// Cost measures a detector that compiles, on texts that are made to be the worst for it: what a pattern costs in the end shows only when it runs. One that is
// too slow for one of them is refused with a *LintError. It takes some tens of milliseconds.
func (s Stock) Cost(d Detector) (Cost, error) {
	d.Optional, d.builtin = false, false
	cfg := DefaultConfiguration()
	cfg.Stock, cfg.BudgetPerMiB = s, probeBudget
	e, err := New([]Detector{d}, cfg)
	if err != nil {
		return Cost{}, err
	}
	c := Cost{Limit: maxCost}
	for _, r := range e.rules {
		c.Steps = max(c.Steps, r.steps)
		for _, p := range r.parts {
			c.Steps = max(c.Steps, p.steps)
		}
	}
	limit, err := plainTime()
	if err != nil {
		return c, err
	}
	limit *= probeTimes
	runtime.LockOSThread() // Its time is counted.
	defer runtime.UnlockOSThread()
	for _, text := range worst(e.rules[0].Detector, probeText) {
		took, ok := e.quick(text, limit)
		if !ok {
			return c, d.fail(d.body(), 0, "too slow: there are texts that take it more than %d times as long as the plainest pattern; make the keyword longer, and the repetitions and lists shorter", probeTimes)
		}
		if rate := float64(len(text)) / 1e6 / max(took.Seconds(), 1e-9); c.Rate == 0 || rate < c.Rate {
			c.Rate = rate
		}
	}
	return c, nil
}

// quick reports whether the text is scanned within limit, in one of some tries, and how long that took.
func (e *Engine) quick(text []byte, limit time.Duration) (time.Duration, bool) {
	for range probeTries {
		start := threadTime()
		_, err := e.Scan(text, Keys{})
		took := threadTime() - start
		if err == nil && took <= limit {
			return took, true
		}
		if took > 4*limit {
			break
		}
	}
	return 0, false
}

// body is the field that says what is looked for.
func (d *Detector) body() string {
	switch {
	case d.Pattern != "":
		return "pattern"
	case len(d.Prefixes) > 0:
		return "prefixes"
	case len(d.Keywords) > 0:
		return "keywords"
	}
	return "scanner"
}

// fillers stand between keywords: what names, values and gaps are made of, and characters of two and three bytes.
var fillers = []string{"a", "1", " ", "A", "=", "-", "a1", "é", "漢", "\n", "a ", ". "}

// worst makes texts of n bytes in which a detector looks again and again: its keywords with all kinds of characters between them, values that match,
// and values that match but for their end.
func worst(d Detector, n int) (texts [][]byte) {
	rng := rand.New(rand.NewPCG(1, 2)) // The same texts each time.
	add := func(pieces []string) {
		if len(pieces) == 0 {
			return
		}
		b := bytes.NewBuffer(make([]byte, 0, n+4096))
		for i := 0; b.Len() < n; i++ {
			b.WriteString(pieces[i%len(pieces)])
		}
		texts = append(texts, b.Bytes()[:n])
	}
	between := func(pieces []string, with string) []string {
		out := make([]string, len(pieces))
		for i, p := range pieces {
			out[i] = p + with
		}
		return out
	}
	wake := slices.Concat(d.Keywords, d.Prefixes, d.Words[:min(100, len(d.Words))])
	if len(wake) == 0 {
		wake = []string{"word"}
	}
	values := d.values(rng)
	add(wake)
	for _, f := range fillers {
		for _, times := range []int{1, 30, 500} {
			add(between(wake, strings.Repeat(f, times)))
		}
		add(between(wake, "="+strings.Repeat(f, 40)))
		add(between(values, f))
	}
	add(values)
	var cut, half []string
	for _, v := range values {
		cut, half = append(cut, v[:max(1, len(v)-1)]), append(half, v[:max(1, len(v)/2)])
	}
	add(cut)
	add(half)
	if len(d.Context)+len(d.Negative) > 0 {
		around := append(append([]string{}, d.Context...), d.Negative...)
		for i, v := range values {
			values[i] = v + " " + around[i%len(around)] + " "
		}
		add(values)
	}
	return texts
}

// values makes some values in the form of the detector; they need not have a right checksum.
func (d *Detector) values(rng *rand.Rand) (out []string) {
	if d.Kind == KindPattern {
		tree, err := syntax.Parse(d.Pattern, syntax.Perl)
		if err != nil {
			return nil // It would not have compiled.
		}
		for i := range 8 {
			if v := sample(tree, rng, i < 4); v != "" {
				out = append(out, v)
			}
		}
		return out
	}
	for _, s := range d.Shapes {
		out = append(out, strings.NewReplacer("#", "1", "A", "K", "X", "7", "~", "-").Replace(s.Shape))
	}
	for _, l := range d.Lines {
		out = append(out, strings.ReplaceAll(l, "*", " x ")+"\n")
	}
	set, err := parseCharset(d.Charset)
	if err != nil || d.Charset == "" {
		return out
	}
	var chars []byte
	for c := range 256 {
		if set[c] {
			chars = append(chars, byte(c))
		}
	}
	for _, size := range []int{d.Length.Min, min(d.Length.Min+20, d.Length.Max), d.Length.Max, d.Length.Max + 1} {
		run := make([]byte, size)
		for i := range run {
			run[i] = chars[rng.IntN(len(chars))]
		}
		for _, p := range d.Prefixes[:min(4, len(d.Prefixes))] {
			out = append(out, p+string(run)+" ")
		}
		for _, k := range d.Keywords[:min(4, len(d.Keywords))] {
			out = append(out, k+"="+string(run)+" ")
		}
	}
	return out
}

// sample makes a text that an expression matches, as long as it can be or as it falls.
func sample(re *syntax.Regexp, rng *rand.Rand, long bool) string {
	const enough = 4096
	var b strings.Builder
	var walk func(re *syntax.Regexp)
	walk = func(re *syntax.Regexp) {
		switch re.Op {
		case syntax.OpLiteral:
			b.WriteString(string(re.Rune))
		case syntax.OpCharClass:
			if len(re.Rune) > 0 {
				i := rng.IntN(len(re.Rune)/2) * 2
				b.WriteRune(re.Rune[i] + rng.Int32N(min(re.Rune[i+1]-re.Rune[i], 25)+1))
			}
		case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
			b.WriteByte("a 1"[rng.IntN(3)])
		case syntax.OpAlternate:
			walk(re.Sub[rng.IntN(len(re.Sub))])
		case syntax.OpQuest:
			if long || rng.IntN(2) == 0 {
				walk(re.Sub[0])
			}
		case syntax.OpRepeat:
			n := re.Max
			if !long {
				n = re.Min + rng.IntN(re.Max-re.Min+1)
			}
			for ; n > 0 && b.Len() < enough; n-- {
				walk(re.Sub[0])
			}
		case syntax.OpConcat, syntax.OpCapture:
			for _, s := range re.Sub {
				walk(s)
			}
		}
	}
	walk(re)
	return b.String()
}
