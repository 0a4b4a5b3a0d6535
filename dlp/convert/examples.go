package convert

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/outband/outband/dlp"
)

// wanted is how many examples of each kind a detector needs.
const wanted = 5

// surroundings are where examples stand.
var surroundings = []string{
	"%s\n", "# settings\n%s\nLOG_LEVEL=warn\n", "The value is %s today.", "env:\n  - %s\n", "deploy --config a.yaml %s --wait", "2026-03-04T10:00:00Z INFO started %s\n", "(%s)", "| a | %s |",
}

// others are texts without the value. Whatever of them matches all the same is left out.
var others = []string{
	"TOKEN=\nLOG_LEVEL=warn\n", "The token is kept in the vault and rotated every month.", "token: <your token here>", "id: 1f0e, commit 9c2a, build 77\n",
	"see https://docs.example.com/security/tokens for the format", "key=CHANGEME\nport=8080\n", "func token() string { return os.Getenv(\"TOKEN\") }", "retries: 3\ntimeout: 30s\nname: web\n",
}

// exemplify makes examples out of the expression: made-up values that the detector finds, in different surroundings. Those that do not hold are left out.
func exemplify(d *dlp.Detector, x rewritten) {
	engine, err := dlp.New([]dlp.Detector{*d}, dlp.DefaultConfiguration())
	if err != nil {
		return // It was compiled before.
	}
	for i := range 5 * len(surroundings) {
		if len(d.Examples.Match) == wanted {
			break
		}
		m := newMaker(d.ID, i)
		text := m.text(x.tree)
		if !strings.Contains(text, "«") {
			text = "«" + text + "»"
		}
		example := fmt.Sprintf(surroundings[i%len(surroundings)], text)
		if len(example) < 4000 && !slices.Contains(d.Examples.Match, example) && holds(engine, *d, len(d.Examples.Match), example) {
			d.Examples.Match = append(d.Examples.Match, example)
		}
	}
	for _, text := range others {
		res, err := engine.Scan([]byte(text), dlp.Keys{})
		if err == nil && len(res.Matches) == 0 && len(d.Examples.NoMatch) < wanted {
			d.Examples.NoMatch = append(d.Examples.NoMatch, text)
		}
	}
}

// holds reports whether the detector finds just what is marked, as dlp.Check wants it of example i.
func holds(engine *dlp.Engine, d dlp.Detector, i int, example string) bool {
	text, err := dlp.Expand(fmt.Sprintf("%sexamples.match.%d", d.ID, i), example)
	if err != nil {
		return false
	}
	before, rest, _ := strings.Cut(text, "«")
	value, after, _ := strings.Cut(rest, "»")
	res, err := engine.Scan([]byte(before+value+after), dlp.Keys{})
	return err == nil && slices.ContainsFunc(res.Matches, func(m dlp.Match) bool {
		return m.Start == len(before) && m.End == len(before)+len(value) && m.Confidence >= dlp.ConfidenceMedium
	})
}

// maker writes texts that an expression matches. Long runs are written as macros of examples, so that no file holds a text in the shape of a secret.
type maker struct {
	rng     *rand.Rand
	variant int
}

func newMaker(seed string, variant int) *maker {
	h := fnv.New64a()
	h.Write([]byte(seed))
	return &maker{rng: rand.New(rand.NewPCG(h.Sum64(), uint64(variant))), variant: variant}
}

func (m *maker) text(re *syntax.Regexp) string {
	switch re.Op {
	case syntax.OpLiteral:
		if re.Flags&syntax.FoldCase != 0 {
			return strings.ToLower(string(re.Rune))
		}
		return string(re.Rune)
	case syntax.OpCharClass:
		return string(m.pick(re.Rune))
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return "x"
	case syntax.OpCapture:
		return "«" + m.text(re.Sub[0]) + "»"
	case syntax.OpQuest:
		if m.variant%2 == 0 {
			return ""
		}
		return m.text(re.Sub[0])
	case syntax.OpRepeat:
		n := re.Min
		if spare := min(re.Max-re.Min, 12); spare > 0 && re.Min < 8 {
			n += m.rng.IntN(spare + 1)
		}
		return m.repeat(re.Sub[0], n)
	case syntax.OpAlternate:
		return m.text(re.Sub[m.rng.IntN(len(re.Sub))])
	case syntax.OpConcat:
		var out strings.Builder
		for _, s := range re.Sub {
			out.WriteString(m.text(s))
		}
		return out.String()
	}
	return "" // Empty matches and the edges of words.
}

func (m *maker) repeat(re *syntax.Regexp, n int) string {
	if re.Op == syntax.OpCharClass && n >= 8 {
		for _, name := range []string{"alnum", "lower", "upper", "hex", "hexup", "digits", "letters"} {
			if within(dlp.MacroSet(name), re.Rune) {
				return fmt.Sprintf("{%s:%d}", name, n)
			}
		}
	}
	var out strings.Builder
	for range n {
		out.WriteString(m.text(re))
	}
	return out.String()
}

// within reports whether all characters of set are in a class.
func within(set string, class []rune) bool {
	return !strings.ContainsFunc(set, func(c rune) bool {
		for i := 0; i+1 < len(class); i += 2 {
			if class[i] <= c && c <= class[i+1] {
				return false
			}
		}
		return true
	})
}

// pick draws a character of a class: a letter or a digit if there is one, else a sign, else anything.
func (m *maker) pick(class []rune) rune {
	for _, admits := range []func(rune) bool{
		func(c rune) bool { return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' },
		func(c rune) bool { return c > ' ' && c < 0x7f },
		func(c rune) bool { return c == ' ' },
	} {
		var have []rune
		for i := 0; i+1 < len(class); i += 2 {
			for c := class[i]; c <= min(class[i+1], 0x7f); c++ {
				if admits(c) {
					have = append(have, c)
				}
			}
		}
		if len(have) > 0 {
			return have[m.rng.IntN(len(have))]
		}
	}
	if len(class) == 0 || !utf8.ValidRune(class[0]) {
		return 'x'
	}
	return class[0]
}
