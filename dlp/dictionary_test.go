package dlp_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/outband/outband/dlp"
)

func listed(t testing.TB, list string, exactCase bool, cfg dlp.Configuration) *dlp.Engine {
	t.Helper()
	words, err := dlp.ParseWords([]byte(list), exactCase)
	if err != nil {
		t.Fatal(err)
	}
	d := dlp.Detector{ID: "custom.words", Title: "Words", Kind: dlp.KindDictionary, Severity: "high", Confidence: 0.7, List: "words"}
	cfg.Stock.Lists = map[string]*dlp.Words{"words": words}
	e, err := dlp.New([]dlp.Detector{d}, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func spans(t testing.TB, e *dlp.Engine, text string) []string {
	t.Helper()
	var out []string
	for _, m := range scan(t, e, text) {
		out = append(out, text[m.Start:m.End])
	}
	return out
}

func TestDictionary(t *testing.T) {
	list := "Falcon\nproject bluebird\nproject bluebird two\nR&D plan\nC++ core\n東京計画\nпроект Заря\nJean-Luc\n"
	e := listed(t, list, false, dlp.Configuration{})
	for _, tc := range []struct {
		name, text string
		want       []string
	}{
		{"any case", "the FALCON flies, falcon!", []string{"FALCON", "falcon"}},
		{"whole words only", "falcons falconry my_falcon falcon_1 efalcon", nil},
		{"an apostrophe ends a word", "Falcon's wing", []string{"Falcon"}},
		{"the longest phrase", "Project Bluebird Two and project bluebird three", []string{"Project Bluebird Two", "project bluebird"}},
		{"flexible blanks", "project \t\n  bluebird", []string{"project \t\n  bluebird"}},
		{"no blank is no phrase", "projectbluebird project-bluebird", nil},
		{"too many blanks", "project" + strings.Repeat(" ", 65) + "bluebird", nil},
		{"signs are part of it", "our r&d  plan in c++ core", []string{"r&d  plan", "c++ core"}},
		{"a script without blanks needs no edge", "極秘東京計画書", []string{"東京計画"}},
		{"letters of other scripts", "ПРОЕКТ заря, проектзаря", []string{"ПРОЕКТ заря"}},
		{"a dash of another script", "Jean\u2010Luc", []string{"Jean\u2010Luc"}},
		{"at the end of the text", "project bluebird ", []string{"project bluebird"}},
		{"the beginning of a phrase only", "project", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, spans(t, e, tc.text)); diff != "" {
				t.Errorf("spans (-want +got):\n%s", diff)
			}
		})
	}
	exact := listed(t, "Falcon", true, dlp.Configuration{})
	if got := spans(t, exact, "falcon Falcon FALCON"); !slices.Equal(got, []string{"Falcon"}) {
		t.Errorf("with case: %q", got)
	}
	if exact.Ruleset() == listed(t, "Falcon", false, dlp.Configuration{}).Ruleset() || exact.Ruleset() == listed(t, "Falcons", true, dlp.Configuration{}).Ruleset() {
		t.Error("another list is the same ruleset: what was scanned would not be scanned again")
	}
	if a, b := listed(t, "one two\nthree four", false, dlp.Configuration{}), listed(t, "three four\r\n\r\none two\n", false, dlp.Configuration{}); a.Ruleset() != b.Ruleset() {
		t.Error("the order of the words makes another ruleset")
	}
}

func TestTwoSpellingsOfAnEntryAreOneValue(t *testing.T) {
	e := listed(t, "project bluebird", false, dlp.Configuration{})
	m := scan(t, e, "Project  Bluebird and project\nbluebird")
	if len(m) != 2 || m[0].Value != m[1].Value || m[0].Value == "" {
		t.Errorf("matches %+v", m)
	}
}

func TestAListThatCannotBeUsed(t *testing.T) {
	for _, tc := range []struct {
		name, list string
		line       int
	}{
		{"a short entry", "falcon\nab\n", 2},
		{"one character of a script without blanks", "falcon\n\n京", 3},
		{"not UTF-8", "falcon\neagle\nsp\xffam", 3},
		{"a long entry", strings.Repeat("x", 201), 1},
		{"many words", "x\n" + strings.Repeat("ab ", 17), 1},
		{"too many entries", func() string {
			var b strings.Builder
			for i := range dlp.MaxWords + 1 {
				fmt.Fprintf(&b, "word%d\n", i)
			}
			return b.String()
		}(), dlp.MaxWords + 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var bad *dlp.WordsError
			if _, err := dlp.ParseWords([]byte(tc.list), false); !errors.As(err, &bad) || bad.Line != tc.line {
				t.Errorf("error %v, want one of line %d", err, tc.line)
			}
		})
	}
	for name, list := range map[string]string{"empty": "", "blank": " \n\t\n", "large": strings.Repeat("x", dlp.MaxWordList+1)} {
		if _, err := dlp.ParseWords([]byte(list), false); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// naiveWords is what a dictionary of plain words and phrases means, said with an expression.
func naiveWords(entries []string, text string) map[string]bool {
	out := map[string]bool{}
	for _, e := range entries {
		re := regexp.MustCompile(`(?i)\b` + strings.Join(strings.Fields(e), `\s{1,64}`) + `\b`)
		for at := 0; at < len(text); {
			m := re.FindStringIndex(text[at:])
			if m == nil {
				break
			}
			out[fmt.Sprint(at+m[0], "-", at+m[1])] = true
			at += m[0] + 1
			for at < len(text) && text[at] >= 'a' && text[at] <= 'z' {
				at++
			}
		}
	}
	return out
}

func TestADictionaryFindsWhatAnExpressionFinds(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		word := rapid.SampledFrom([]string{"alpha", "beta", "gamma", "al", "alp", "bet"})
		phrase := rapid.Custom(func(rt *rapid.T) string {
			return strings.Join(rapid.SliceOfN(word, 1, 3).Draw(rt, "words"), " ")
		}).Filter(func(s string) bool { return len(s) >= 3 })
		entries := rapid.SliceOfN(phrase, 1, 6).Draw(rt, "entries")
		var b strings.Builder
		for _, w := range rapid.SliceOfN(word, 0, 40).Draw(rt, "text") {
			b.WriteString(w)
			b.WriteString(rapid.SampledFrom([]string{" ", "  ", "\n", ", ", "", "-"}).Draw(rt, "gap"))
		}
		text := b.String()
		want := naiveWords(entries, text)
		e := listed(t, strings.Join(entries, "\n"), false, dlp.Configuration{})
		got := scan(t, e, text)
		covered := make([]bool, len(text)+1)
		for _, m := range got {
			if !want[fmt.Sprint(m.Start, "-", m.End)] {
				rt.Errorf("%q is no entry", text[m.Start:m.End])
			}
			for i := m.Start; i < m.End; i++ {
				covered[i] = true
			}
		}
		// Of matches that overlap one is kept, so every expected span touches one that was found.
		for span := range want {
			var from, to int
			fmt.Sscanf(span, "%d-%d", &from, &to)
			if !slices.Contains(covered[from:to], true) {
				rt.Errorf("%q was not found in %q", text[from:to], text)
			}
		}
	})
}

// crowd is a list of n made-up entries, every third of two words.
func crowd(n int) string {
	rng := rand.New(rand.NewPCG(1, 2))
	var b strings.Builder
	for i := range n {
		word := func() string {
			w := make([]byte, 6+rng.IntN(6))
			for i := range w {
				w[i] = byte('a' + rng.IntN(26))
			}
			return string(w)
		}
		b.WriteString(word())
		if i%3 == 0 {
			b.WriteString(" " + word())
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func TestALargeListStaysSmall(t *testing.T) {
	words, err := dlp.ParseWords([]byte(crowd(dlp.MaxWords)), false)
	if err != nil {
		t.Fatal(err)
	}
	if words.Entries() < dlp.MaxWords*99/100 || words.Bytes() > 8<<20 {
		t.Errorf("%d entries in %d bytes", words.Entries(), words.Bytes())
	}
}

func FuzzDictionary(f *testing.F) {
	f.Add("falcon\nproject bluebird", "the falcon of project  bluebird", uint8(10))
	f.Add("東京\nС++ é", "極秘東京", uint8(1))
	f.Add("\x00 \x00", "0", uint8(0))
	f.Add("a&b\nabc", "a&b&abc \\u0061bc", uint8(0))
	f.Fuzz(func(t *testing.T, list, text string, _ uint8) {
		words, err := dlp.ParseWords([]byte(list), false)
		if err != nil || len(text) > 1<<16 {
			return
		}
		d := dlp.Detector{ID: "custom.words", Title: "Words", Kind: dlp.KindDictionary, Severity: "high", Confidence: 0.7, List: "words"}
		e, err := dlp.New([]dlp.Detector{d}, dlp.Configuration{Stock: dlp.Stock{Lists: map[string]*dlp.Words{"words": words}}})
		if err != nil {
			t.Fatal(err)
		}
		res, err := e.Scan([]byte(text), testKeys)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range res.Matches {
			if m.Start < 0 || m.Start >= m.End || m.End > len(text) {
				t.Errorf("match at %d to %d of %d bytes", m.Start, m.End, len(text))
			}
		}
	})
}

// benchText is prose with a word of the list here and there.
func benchText(hit string) []byte {
	rng := rand.New(rand.NewPCG(3, 4))
	vocabulary := strings.Fields("the of and to in a is that for it was on are as with his they at be this from have or by one had not but what all were when we there can an your which their said if do will each about how up out them then she many some so these would other into has more two like him see time could no make than first been its who now people my made over did down only way find use may water long little very after words called just where most know")
	var b strings.Builder
	for b.Len() < 1<<20 {
		if rng.IntN(2000) == 0 {
			b.WriteString(hit)
		} else {
			b.WriteString(vocabulary[rng.IntN(len(vocabulary))])
		}
		b.WriteByte(" \n"[rng.IntN(12)/11])
	}
	return []byte(b.String())
}

func BenchmarkDictionary100k(b *testing.B) {
	list := crowd(dlp.MaxWords)
	words, err := dlp.ParseWords([]byte(list), false)
	if err != nil {
		b.Fatal(err)
	}
	hit, _, _ := strings.Cut(list, "\n")
	e := listed(b, list, false, dlp.Configuration{})
	empty, err := dlp.New(nil, dlp.Configuration{})
	if err != nil {
		b.Fatal(err)
	}
	for _, tc := range []struct {
		name string
		e    *dlp.Engine
		text []byte
	}{
		{"prose", e, benchText(hit)},
		{"prose with no list", empty, benchText(hit)},
		{"phrases that break off", e, []byte(strings.Repeat(strings.Fields(hit)[0]+" ", 1<<20/len(hit)))},
	} {
		b.Run(tc.name, func(b *testing.B) {
			b.SetBytes(int64(len(tc.text)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := tc.e.Scan(tc.text, testKeys); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(words.Bytes())/(1<<20), "MiB")
		})
	}
}
