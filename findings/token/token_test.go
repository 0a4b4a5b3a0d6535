package token

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestSplit(t *testing.T) {
	for text, want := range map[string][]string{
		"":                           nil,
		"AWS key in a prompt":        {"aws", "key", "in", "a", "prompt"},
		"secret.aws_access-key":      {"secret", "aws", "access", "key"},
		"Größe Straße ÉCOLE":         {"größe", "straße", "école"},
		"e\u0301cole":                {"école"},
		"日本語 text かな":                {"日", "本", "語", "text", "か", "な"},
		"データ":                        {"デ", "ー", "タ"},
		"abc漢def":                    {"abc", "漢", "def"},
		"한국어":                        {"한", "국", "어"},
		"ＡＢＣ１２":                      {"abc12"},
		"dana.ruiz@corp.example":     {"dana", "ruiz", "corp", "example"},
		"\x00\xff!?":                 nil,
		strings.Repeat("a", 100):     {strings.Repeat("a", 64)},
		"AKIA************":           {"akia"},
		"\"quoted\" AND OR NOT NEAR": {"quoted", "and", "or", "not", "near"},
	} {
		if diff := cmp.Diff(want, Split(text)); diff != "" {
			t.Errorf("Split(%q) (-want +got):\n%s", text, diff)
		}
	}
}

func TestParse(t *testing.T) {
	for query, want := range map[string][]Term{
		"":                        nil,
		"  ":                      nil,
		"aws key":                 {{Tokens: []string{"aws"}}, {Tokens: []string{"key"}}},
		`"aws key"`:               {{Tokens: []string{"aws", "key"}}},
		`foo*`:                    {{Tokens: []string{"foo"}, Prefix: true}},
		`"foo bar"* x`:            {{Tokens: []string{"foo", "bar"}, Prefix: true}, {Tokens: []string{"x"}}},
		`a@b.example`:             {{Tokens: []string{"a", "b", "example"}}},
		`"never closed`:           {{Tokens: []string{"never", "closed"}}},
		`key"next phrase"`:        {{Tokens: []string{"key"}}, {Tokens: []string{"next", "phrase"}}},
		`foo !!! ) OR`:            {{Tokens: []string{"foo"}}, {Tokens: []string{"or"}}},
		strings.Repeat("a ", 100): slices.Repeat([]Term{{Tokens: []string{"a"}}}, maxTerms),
	} {
		got, ok := Parse(query)
		if diff := cmp.Diff(want, got); diff != "" || !ok {
			t.Errorf("Parse(%q) = %v (-want +got):\n%s", query, ok, diff)
		}
	}
	if _, ok := Parse("!!!"); ok {
		t.Error("a query of nothing but punctuation can be looked for")
	}
}

func TestTSQuery(t *testing.T) {
	for query, want := range map[string][2]string{
		"key":                {"'key'", " key "},
		"foo*":               {"'foo':*", " foo"},
		`"aws access ke"*`:   {"'aws' & 'access' & 'ke':*", " aws access ke"},
		`O'Brien\`:           {"'o' & 'brien'", " o brien "},
		`'a' | !'b':* <-> c`: {"'a'", " a "},
		"東京*":                {"'東' & '京':*", " 東 京"},
	} {
		terms, _ := Parse(query)
		if len(terms) == 0 || terms[0].TSQuery() != want[0] || terms[0].Run() != want[1] {
			t.Errorf("%q: %v, want %q", query, terms, want)
		}
	}
}

// quotedTokens is every tsquery that TSQuery may make.
var quotedTokens = regexp.MustCompile(`^'[\pL\pN]{1,64}'( & '[\pL\pN]{1,64}')*(:\*)?$`)

// FuzzQueries holds what both databases rely on: no query makes a word of their own languages, and a term is found where Match finds it.
func FuzzQueries(f *testing.F) {
	f.Add(`"aws access ke"*`, "AWS access key in a chat")
	f.Add(`O'Brien & !x:* <-> \`, `o'brien \ x`)
	f.Add("東京*", "東京タワー")
	f.Add("a\x00b \xff", "\xffa\x00b")
	f.Fuzz(func(t *testing.T, query, text string) {
		column := Column(text, "end of the column")
		terms, _ := Parse(query)
		for _, term := range terms {
			if q := term.TSQuery(); !quotedTokens.MatchString(q) {
				t.Errorf("tsquery %q", q)
			}
			if found := strings.Contains(" "+column+" ", term.Run()); found != term.Match(column) {
				t.Errorf("%q in %q: %t, want %t", term.Run(), column, found, !found)
			}
		}
	})
}

func TestNoPhraseAcrossTexts(t *testing.T) {
	column := Column("one two", "", "three")
	for query, want := range map[string]bool{`"one two"`: true, `"two three"`: false, `thr*`: true, `"one tw"*`: true, `two*`: true, `one three`: true, `four`: false} {
		terms, _ := Parse(query)
		got := true
		for _, term := range terms {
			got = got && term.Match(column)
		}
		if got != want {
			t.Errorf("%s: %v", query, got)
		}
	}
}

func FuzzSplit(f *testing.F) {
	for _, s := range []string{"AWS key", "日本語", "e\u0301", "İI", "ﷺ", "\xff\x00", "½Ⅷ²", "ᄒ\u1161ᆫ"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		tokens := Split(s)
		for _, token := range tokens {
			if token == "" || !utf8.ValidString(token) || strings.ContainsAny(token, " \"*\x00"+gap) || utf8.RuneCountInString(token) > maxToken {
				t.Fatalf("token %q", token)
			}
		}
		if again := Split(strings.Join(tokens, " ")); !slices.Equal(tokens, again) {
			t.Fatalf("%q gives %q, those give %q", s, tokens, again)
		}
		terms, _ := Parse(s)
		for _, term := range terms {
			if q := term.FTS5(); strings.Count(q, `"`) != 2 {
				t.Fatalf("FTS5 query %q", q)
			}
		}
	})
}
