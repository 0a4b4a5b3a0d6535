package dlp_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outband/outband/dlp"
)

func TestBuiltinProfilesNameDetectorsThatExist(t *testing.T) {
	all, err := dlp.Profiles()
	if err != nil {
		t.Fatal(err)
	}
	var ids, names []string
	for _, d := range builtin(t) {
		ids = append(ids, d.ID)
	}
	for _, p := range all {
		names = append(names, p.ID)
		for _, problem := range p.Check(ids) {
			t.Errorf("%s: %s: %s", p.ID, problem.Field, problem.Reason)
		}
	}
	for _, want := range []string{"pci", "pii", "phi", "credentials", "source_code", "ai_safety"} {
		if !slices.Contains(names, want) {
			t.Errorf("there is no profile %s", want)
		}
	}
}

func TestProfileFilesAreCheckedWithTheirPlaces(t *testing.T) {
	ids := []string{"secret.aws", "secret.gcp", "contact.email"}
	for _, tc := range []struct{ name, text, want string }{
		{"an unknown key", "profiles:\n  - id: a\n    titel: b\n", "f.yaml:3:1: profile -: field titel not found in type dlp.Profile"},
		{"no profile", "profiles: []\n", "f.yaml:1:1: profile -: the key profiles lists 1 to 200 profiles"},
		{"an empty file", "", "f.yaml:1:1: profile -: file is empty"},
		{"a glob that names nothing", "profiles:\n  - id: a\n    title: b\n    detectors: [\"secret.*\", \"card.*\"]\n", "f.yaml:4:29: profile a: detectors.1: no detector has an id like \"card.*\""},
		{"a confidence that is none", "profiles:\n  - id: a\n    title: b\n    detectors: [\"*\"]\n    min_confidence: 1.5\n", "f.yaml:5:21: profile a: min_confidence: a confidence goes from 0 to 1"},
		{"more kinds than there are", "profiles:\n  - id: a\n    title: b\n    detectors: [\"secret.*\"]\n    min_kinds: 3\n", "f.yaml:5:16: profile a: min_kinds: 3 kinds are asked for, and the detectors make 2"},
		{"a group that is not there", "profiles:\n  - id: a\n    title: b\n    detectors: [\"secret.*\"]\n    all_of: [keys]\n", "f.yaml:5:14: profile a: all_of.0: all_of names groups of this profile, each once"},
		{"a window of nothing", "profiles:\n  - id: a\n    title: b\n    detectors: [\"secret.*\"]\n    within: 3\n", "f.yaml:5:13: profile a: within: within is 0 or goes from 16 to 1000000 bytes"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := dlp.ParseProfiles("f.yaml", []byte(tc.text), ids)
			if err == nil || err.Error() != tc.want {
				t.Errorf("got %v\nwant %s", err, tc.want)
			}
		})
	}
	p, err := dlp.ParseProfile("f.yaml", []byte("id: a\ntitle: b\ndetectors: [\"secret.*\"]\nwithin: 100\nmin_distinct: 2\n"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := p.YAML()
	if err != nil {
		t.Fatal(err)
	}
	again, err := dlp.ParseProfile("f.yaml", text)
	if diff := cmp.Diff(p, again); err != nil || diff != "" || again.Digest() != p.Digest() {
		t.Errorf("written and read again: %v (-want +got):\n%s", err, diff)
	}
	again.Title = "other"
	same := again.Digest() == p.Digest()
	again.Within = 200
	if !same || again.Digest() == p.Digest() {
		t.Error("the digest follows a title, or does not follow a threshold")
	}
}

func TestAProfileIsMetWithinItsWindow(t *testing.T) {
	profiles, err := dlp.Profiles()
	if err != nil {
		t.Fatal(err)
	}
	pii := profiles[slices.IndexFunc(profiles, func(p dlp.Profile) bool { return p.ID == "pii" })]
	at := func(detector string, start int) dlp.Match {
		return dlp.Match{Detector: detector, Start: start, End: start + 20, Confidence: 0.8, Value: fmt.Sprint(detector, start)}
	}
	far := []dlp.Match{at("contact.email", 0), at("contact.phone", 300), at("national_id.us_ssn", 5000), at("contact.email", 4600), at("contact.phone_national", 4900)}
	for _, tc := range []struct {
		name    string
		matches []dlp.Match
		texts   []int
		want    []int
	}{
		{"three kinds near each other", far[2:], nil, []int{0, 1, 2}},
		{"what stands far away is not counted", far, nil, []int{2, 3, 4}},
		{"two kinds near each other", far[:3], nil, nil},
		{"two spellings of one kind", []dlp.Match{at("contact.email", 0), at("contact.phone", 30), at("contact.phone_national", 60)}, nil, nil},
		{"three kinds in two texts", far[2:], []int{0, 1, 1}, nil},
		{"three kinds in the second text", far[2:], []int{1, 1, 1}, []int{0, 1, 2}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, pii.Meets(tc.matches, tc.texts)); diff != "" {
				t.Errorf("Meets (-want +got):\n%s", diff)
			}
		})
	}
}

// meets is Meets as the documentation says it: every window that begins at a match is looked at.
func meets(p *dlp.Profile, matches []dlp.Match, texts []int) []int {
	in := map[int]bool{}
	for i := range matches {
		from, to := matches[i].Start, matches[i].Start+p.Within
		var inside []int
		values, kinds := map[string]bool{}, map[string]bool{}
		for j, m := range matches {
			if m.Confidence < p.MinConfidence || !p.Has(m.Detector) || p.Within > 0 && (texts[j] != texts[i] || m.Start < from || m.End > to) {
				continue
			}
			inside = append(inside, j)
			values[m.Value] = true
			kind := m.Detector
			for _, g := range p.Groups {
				if slices.ContainsFunc(g.Detectors, func(glob string) bool { return dlp.Glob(glob, m.Detector) }) {
					kind = "group " + g.ID
					break
				}
			}
			kinds[kind] = true
		}
		met := len(inside) >= max(1, p.MinMatches) && len(values) >= p.MinDistinct && len(kinds) >= p.MinKinds
		for _, id := range p.AllOf {
			met = met && kinds["group "+id]
		}
		for _, j := range inside {
			in[j] = in[j] || met
		}
	}
	var out []int
	for j := range matches {
		if in[j] {
			out = append(out, j)
		}
	}
	return out
}

func TestMeetsIsWhatEveryWindowSays(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	met := 0
	for range 3000 {
		p := dlp.Profile{
			Detectors: []string{"a.*", "b.*"}, Except: []string{"a.x"}, Groups: []dlp.Group{{ID: "g", Detectors: []string{"a.1", "a.2"}}, {ID: "h", Detectors: []string{"b.*"}}},
			MinConfidence: 0.3, MinMatches: r.IntN(5), MinDistinct: r.IntN(4), MinKinds: r.IntN(4), Within: r.IntN(2) * (20 + r.IntN(100)),
		}
		if r.IntN(2) == 0 {
			p.AllOf = []string{"g", "h"}
		}
		var matches []dlp.Match
		var texts []int
		for range r.IntN(25) {
			start := r.IntN(300)
			matches = append(matches, dlp.Match{
				Detector: []string{"a.1", "a.2", "a.3", "a.4", "a.x", "b.1", "c.1"}[r.IntN(7)], Start: start, End: start + 1 + r.IntN(30)*(1+r.IntN(5)/4*4),
				Confidence: r.Float64(), Value: fmt.Sprint(r.IntN(6)),
			})
			texts = append(texts, r.IntN(2))
		}
		want, got := meets(&p, matches, texts), p.Meets(matches, texts)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%+v over %v in %v (-want +got):\n%s", p, matches, texts, diff)
		}
		met += min(1, len(got))
	}
	if met < 300 || met > 2700 {
		t.Errorf("%d of 3000 profiles were met: the test says little", met)
	}
}

func BenchmarkMeets(b *testing.B) {
	profiles, err := dlp.Profiles()
	if err != nil {
		b.Fatal(err)
	}
	pii := profiles[slices.IndexFunc(profiles, func(p dlp.Profile) bool { return p.ID == "pii" })]
	for _, n := range []int{10, 1000, 100_000} {
		var matches []dlp.Match
		for i := range n {
			d := []string{"contact.email", "contact.phone", "national_id.us_ssn", strings.Repeat("x", 8)}[i%4]
			matches = append(matches, dlp.Match{Detector: d, Start: i * 40, End: i*40 + 20, Confidence: 0.8, Value: fmt.Sprint(i)})
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				pii.Meets(matches, nil)
			}
		})
	}
}
