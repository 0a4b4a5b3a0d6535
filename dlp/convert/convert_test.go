package convert

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outband/outband/dlp"
)

const leaks = `title = "rules of a test"

[allowlist]
paths = ["vendor/"]

[[rules]]
id = "acme-token"
description = "An Acme token."
regex = '''\bacme_([a-z0-9]{24})\b'''
entropy = 3
keywords = ["acme_"]

[[rules]]
id = "9lives key"
regex = '''(?i)[\w.-]{0,50}?(?:ninelives)(?:[ \t\w.-]{0,20})[\s'"]{0,3}(?:=|:)[\s'"]{0,5}([a-f0-9]{32})(?:[\s'"]|$)'''
keywords = ["ninelives"]

[[rules]]
id = "endless"
regex = '''^endless-key:\s+(?P<secret>[A-Za-z0-9+/]{20,}=*)'''
path = '''\.env$'''
  [[rules.allowlists]]
  regexes = ['''^AAAA+''', '''(?!x)''']
  stopwords = ["Example", "demo"]
  [[rules.allowlists]]
  regexTarget = "line"
  regexes = ["#"]

[[rules]]
id = "far-keyword"
regex = '''\bfk-[0-9]{10}\b'''
keywords = ["otherword"]

[[rules]]
id = "second-group"
secretGroup = 2
regex = '''(user|admin)-pass=([a-z]{8,12});'''

[[rules]]
id = "lookbehind"
regex = '''(?<=key=)[a-z]{10}'''

[[rules]]
id = "anything"
regex = '''[a-z0-9]{40}'''

[[rules]]
id = "by-path"
path = '''\.p12$'''

[[rules]]
id = "huge"
regex = '''hugekey[a-z]{900}[0-9]{900}'''

[[rules]]
id = "acme.token"
regex = '''acme-[0-9]{8}'''
`

// told are the notes without their sentences.
func told(r *Result) (out []string) {
	for _, n := range r.Notes {
		mark := "~"
		if n.Refused {
			mark = "-"
		}
		out = append(out, fmt.Sprintf("%d %s %s%s", n.Line, n.Rule, mark, n.Code))
	}
	return out
}

// loads holds the result to what `outband detectors test` asks for.
func loads(t *testing.T, r *Result) []dlp.Detector {
	t.Helper()
	text, err := r.YAML()
	if err != nil {
		t.Fatal(err)
	}
	all, err := dlp.Load("converted.yaml", text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return all
}

func found(t *testing.T, all []dlp.Detector, text string) (out []string) {
	t.Helper()
	e, err := dlp.New(all, dlp.DefaultConfiguration())
	if err != nil {
		t.Fatal(err)
	}
	res, err := e.Scan([]byte(text), dlp.Keys{})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range res.Matches {
		out = append(out, m.Detector+" "+text[m.Start:m.End])
	}
	return out
}

func TestGitleaksRulesBecomeDetectors(t *testing.T) {
	r, err := Gitleaks([]byte(leaks))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"0 - ~allow", "6 acme-token ~value", "13 9lives key ~edge", "18 endless ~bounded", "18 endless ~edge", "18 endless ~path", "18 endless ~allow", "18 endless ~stopword", "18 endless ~allow",
		"29 far-keyword ~keyword", "39 lookbehind -regexp", "43 anything -no_anchor", "47 by-path -no_pattern", "51 huge -too_costly", "55 acme.token -lint",
	}
	if diff := cmp.Diff(want, told(r)); diff != "" {
		t.Errorf("notes (-want +got):\n%s", diff)
	}
	if r.Rules != 10 || r.Refused() != 5 || len(r.Detectors) != 5 {
		t.Errorf("%d rules, %d refused, %d detectors", r.Rules, r.Refused(), len(r.Detectors))
	}
	all := loads(t, r)
	for _, tc := range []struct{ name, text, want string }{
		{"a group within a word makes all of it the value", "key acme_k3j9x0q8w7e6r5t4y3u2i1o0 end", "secret.gitleaks_acme_token acme_k3j9x0q8w7e6r5t4y3u2i1o0"},
		{"an assignment in another case", "NINELIVES_KEY = 'f3a9c0d817e65b24f3a9c0d817e65b24'", "secret.gitleaks_9lives_key f3a9c0d817e65b24f3a9c0d817e65b24"},
		{"a bounded repetition", "endless-key:   Q29uZ3JhdHMgeW91IGZvdW5kIGl0", "secret.gitleaks_endless Q29uZ3JhdHMgeW91IGZvdW5kIGl0"},
		{"the group that is named", "admin-pass=qwhfkzpt;", "secret.gitleaks_second_group qwhfkzpt"},
		{"no value", "acme_short ninelives=1", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := strings.Join(found(t, all, tc.text), "; "); got != tc.want {
				t.Errorf("found %q, want %q", got, tc.want)
			}
		})
	}
	for _, d := range all {
		if d.ID == "secret.gitleaks_endless" && (len(d.Allow) != 1 || !cmp.Equal(d.Weak, []string{"example", "demo"})) {
			t.Errorf("exceptions are %v and %v", d.Allow, d.Weak)
		}
		if d.ID == "secret.gitleaks_far_keyword" && !cmp.Equal(d.Context, []string{"otherword"}) {
			t.Errorf("context is %v", d.Context)
		}
	}
}

const recognizers = `recognizers:
  - CreditCardRecognizer
  - name: Badge
    supported_entity: STAFF_BADGE
    supported_languages:
      - language: en
        context: [badge, staff]
      - language: de
        context: [ausweis]
    patterns:
      - name: "badge (strong)"
        regex: "\\bBDG-(\\d{3})-\\d{5}\\b"
        score: 0.6
      - name: weak
        regex: "\\bB-GE[0-9]+\\b"
        score: 0.05
      - name: ahead
        regex: "(?=x)BDG"
        score: 0.5
  - name: Titles
    supported_entity: TITLE
    deny_list: ["Sr. Counsel", "Esquire"]
  - name: Off
    supported_entity: OFF
    enabled: false
    patterns: [{name: a, regex: "offoff", score: 0.5}]
  - name: Code
    supported_entity: CODE
    type: predefined
`

func TestPresidioRecognizersBecomeDetectors(t *testing.T) {
	r, err := Presidio([]byte(recognizers))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"2 - -no_pattern", "3 Badge ~languages", "3 Badge ~languages", "3 Badge ~confidence", "3 Badge/weak ~bounded", "3 Badge/weak ~examples", "3 Badge/ahead -regexp", "23 Off -disabled", "27 Code -no_pattern",
	}
	if diff := cmp.Diff(want, told(r)); diff != "" {
		t.Errorf("notes (-want +got):\n%s", diff)
	}
	if got := found(t, r.Detectors, "staff badge BDG-123-45678 of the Sr. Counsel"); !cmp.Equal(got, []string{"presidio.staff_badge_badge_strong BDG-123-45678", "presidio.title_deny_list Sr. Counsel"}) {
		t.Errorf("found %q", got)
	}
	for _, d := range r.Detectors {
		if d.ID == "presidio.staff_badge_badge_strong" && (d.Confidence != 0.6 || !cmp.Equal(d.Context, []string{"badge", "staff", "ausweis"})) {
			t.Errorf("detector %+v", d)
		}
	}
}

func TestSourcesThatAreNoneAreRefused(t *testing.T) {
	for _, tc := range []struct {
		name string
		read func([]byte) (*Result, error)
		text string
		want string
	}{
		{"no TOML", Gitleaks, "[[rules]\nid = 1", "line 2: "},
		{"another type", Gitleaks, "[[rules]]\nid = 1", "no gitleaks configuration"},
		{"no rules", Gitleaks, "title = \"x\"", "it has no [[rules]]"},
		{"a huge file", Gitleaks, strings.Repeat("#", MaxFile+1), "more than 4194304 bytes"},
		{"no YAML", Presidio, "recognizers: [", "no Presidio configuration"},
		{"no recognizers", Presidio, "a: b", "it has no list recognizers"},
		{"a huge YAML", Presidio, strings.Repeat("#", MaxFile+1), "more than 4194304 bytes"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if r, err := tc.read([]byte(tc.text)); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, %v; want %q", r, err, tc.want)
			}
		})
	}
}

func FuzzConvert(f *testing.F) {
	f.Add([]byte(leaks))
	f.Add([]byte(recognizers))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, read := range []func([]byte) (*Result, error){Gitleaks, Presidio} {
			r, err := read(data)
			if err != nil {
				continue
			}
			for _, d := range r.Detectors {
				if _, err := dlp.New([]dlp.Detector{d}, dlp.DefaultConfiguration()); err != nil {
					t.Errorf("a detector does not pass the lint: %v", err)
				}
			}
		}
	})
}
