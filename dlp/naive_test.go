package dlp_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	ahocorasick "github.com/petar-dambovaliev/aho-corasick"

	"github.com/outband/outband/dlp"
)

// naive is the usual loop over the same detectors: one pass for all keywords, then the expression of every detector whose keyword occurs over the whole
// document, and those without a keyword over every document. It neither validates nor weighs what it finds. It is the measure of the engine and
// changes alone, in a commit of its own.
type naive struct {
	keywords ahocorasick.AhoCorasick
	owners   [][]int // detectors by keyword
	rules    []*regexp.Regexp
	always   []int // detectors without a keyword
	wanted   []bool
}

func newNaive(tb testing.TB, detectors []dlp.Detector) *naive {
	tb.Helper()
	n := &naive{}
	place := map[string]int{}
	var words []string
	for _, d := range detectors {
		source, keywords := expression(d)
		if source == "" {
			continue
		}
		re, err := regexp.Compile(source)
		if err != nil {
			tb.Fatalf("%s: %v", d.ID, err)
		}
		i := len(n.rules)
		n.rules = append(n.rules, re)
		if len(keywords) == 0 {
			n.always = append(n.always, i)
		}
		for _, w := range keywords {
			w = strings.ToLower(w)
			at, ok := place[w]
			if !ok {
				at = len(words)
				place[w] = at
				words, n.owners = append(words, w), append(n.owners, nil)
			}
			n.owners[at] = append(n.owners[at], i)
		}
	}
	b := ahocorasick.NewAhoCorasickBuilder(ahocorasick.Opts{AsciiCaseInsensitive: true, MatchKind: ahocorasick.StandardMatch, DFA: true})
	n.keywords = b.Build(words)
	n.wanted = make([]bool, len(n.rules))
	return n
}

// scan returns how much it found.
func (n *naive) scan(text []byte) (found int) {
	clear(n.wanted)
	for _, i := range n.always {
		n.wanted[i] = true
	}
	for it := n.keywords.IterOverlappingByte(text); ; {
		m := it.Next()
		if m == nil {
			break
		}
		for _, i := range n.owners[m.Pattern()] {
			n.wanted[i] = true
		}
	}
	for i, wanted := range n.wanted {
		if wanted {
			found += len(n.rules[i].FindAllIndex(text, -1))
		}
	}
	return found
}

var naiveClasses = map[string]string{
	"hex": "0-9a-f", "hexany": "0-9a-fA-F", "digits": "0-9", "alnum": "0-9A-Za-z", "lower": "0-9a-z", "base32": "A-Z2-7", "upper": "0-9A-Z", "base64": "0-9A-Za-z+/=",
	"base64url": "0-9A-Za-z_-", "printable": "!-~",
}

// expression is what one would write for a detector without an engine, and the words without which it cannot match.
func expression(d dlp.Detector) (source string, keywords []string) {
	class, ok := naiveClasses[d.Charset]
	if !ok {
		class = d.Charset
	}
	run := fmt.Sprintf("[%s]{%d,%d}", class, min(d.Length.Min, 1000), min(d.Length.Max, 1000))
	switch {
	case d.Kind == dlp.KindToken:
		return oneOf(d.Prefixes) + run, d.Prefixes
	case d.Kind == dlp.KindAssignment:
		return "(?i)" + oneOf(d.Keywords) + `[\w .-]{0,40}["']{0,2}\s{0,4}[:=]{1,3}\s{0,4}["']{0,2}` + run, d.Keywords
	case d.Kind == dlp.KindPattern:
		return d.Pattern, d.Keywords
	case d.Scanner == "email":
		return `[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,5}`, nil
	case len(d.Keywords) > 0:
		return oneOf(d.Keywords) + `[^\n]{0,200}`, d.Keywords
	case len(d.Shapes) > 0:
		var forms []string
		for _, s := range d.Shapes {
			forms = append(forms, strings.NewReplacer(`#`, `\d`, "A", "[A-Z]", "X", "[A-Z0-9]", "~", "[ -]").Replace(regexp.QuoteMeta(s.Shape)))
		}
		return `\b(?:` + strings.Join(forms, "|") + `)\b`, nil
	}
	return "", nil
}

func oneOf(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = regexp.QuoteMeta(w)
	}
	return "(?:" + strings.Join(quoted, "|") + ")"
}
