package policy

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outband/outband/dlp"
)

func TestAProfileIsAskedForByALiteralThatNamesOne(t *testing.T) {
	own := dlp.Profile{ID: "own", Title: "Own", Detectors: []string{"contact.*"}}
	for _, tc := range []struct {
		name, when string
		profiles   []dlp.Profile
		want       string
	}{
		{"a built-in profile", `profile("pci")`, nil, ""},
		{"a profile that is given", `profile("own")`, []dlp.Profile{own}, ""},
		{"an unknown profile", "kind == \"message\" &&\n  profile(\"pcy\")", nil, `policy content.x: line 9, column 13: there is no profile "pcy"; there are ai_safety, all, credentials,`},
		{"a built-in profile that is not among those given", `profile("pci")`, []dlp.Profile{own}, `policy content.x: line 8, column 11: there is no profile "pci"; there are own`},
		{"a profile that is computed", `profile(kind)`, nil, "policy content.x: line 8, column 11: profile() takes the id of a profile as a text literal"},
		{"a profile compared to a number", `profile("pci") > 0`, nil, "policy content.x: line 8, column 18: found no matching overload for '_>_' applied to '(bool, int)'"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := Compile([]*Policy{parse(t, file("content.x", `items: ["*"]`, tc.when))}, nil, nil, tc.profiles...)
			if tc.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v\nwant %s", err, tc.want)
			}
		})
	}
}

func TestASeverityAsksForAProfileToo(t *testing.T) {
	text := graded(`'profile("own") ? "critical" : "low"'`, "tests:\n  - {name: two, input: {matches: [{detector: financial.card, count: 2}]}, want: true, severity: critical}\n")
	own := dlp.Profile{ID: "own", Title: "Own", Detectors: []string{"financial.*"}, MinMatches: 2}
	if v := Check([]byte(text), nil, own); len(v.Issues) > 0 {
		t.Fatal(v.Issues)
	}
	if v := Check([]byte(text), nil); len(v.Issues) != 1 || !errors.Is(v.Issues[0], ErrInvalid) {
		t.Errorf("a profile that there is not: %v", v.Issues)
	}
	set, err := Compile([]*Policy{parse(t, text)}, nil, nil, own)
	if err != nil {
		t.Fatal(err)
	}
	if e := set.Policies()[0]; e.Profiles["own"] != own.Digest() {
		t.Errorf("profiles %v", e.Profiles)
	}
	in := Input{Item: Item{Kind: "message"}}
	for _, want := range []string{SeverityLow, SeverityCritical} {
		in.Matches = append(in.Matches, match("financial.card", 0.9, want))
		decisions, _ := set.Evaluate(in, Lookups{})
		if len(decisions) != 1 || decisions[0].Severity != want || len(decisions[0].Asked) != 1 || decisions[0].Asked[0].Name != `count("financial.*")` {
			t.Errorf("%d matches: %+v", len(in.Matches), decisions)
		}
	}
}

func TestTheMatchesOfAProfileAreEvidence(t *testing.T) {
	set := compiledSet(t, nil, file("content.x", `items: ["*"]`, `profile("pii") || count("secret.*") > 0`))
	in := Input{Item: Item{Kind: "message"}, Matches: []dlp.Match{
		match("contact.email", 0.8, "a"), match("secret.aws", 0.9, "b"), match("contact.phone", 0.8, "c"), match("contact.date_of_birth", 0.8, "d"), match("national_id.us_ssn", 0.3, "e"),
	}}
	in.Matches[0].Start, in.Matches[2].Start, in.Matches[3].Start = 100, 200, 300
	for _, tc := range []struct {
		name  string
		texts []int
		want  []int
	}{
		{"one text", nil, []int{0, 1, 2, 3}},
		{"two texts", []int{0, 0, 0, 1, 1}, []int{1}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			in.Texts = tc.texts
			decisions, failures := set.Evaluate(in, Lookups{})
			if len(decisions) != 1 || len(failures) > 0 {
				t.Fatalf("%d decisions, failures %v", len(decisions), failures)
			}
			if diff := cmp.Diff(tc.want, decisions[0].Evidence); diff != "" {
				t.Errorf("evidence (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAChangedProfileChangesTheRulesAndBreaksNoBuiltInTest(t *testing.T) {
	profiles, err := dlp.Profiles()
	if err != nil {
		t.Fatal(err)
	}
	list := builtin(t)
	before, err := Compile(list, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range profiles {
		if profiles[i].ID == "pci" {
			profiles[i].MinMatches = 5
		}
	}
	after, err := Compile(list, nil, nil, profiles...)
	if err != nil {
		t.Fatalf("the tests of the built-in policies hold the profiles as they are shipped: %v", err)
	}
	if before.Version() == after.Version() {
		t.Error("the version is the same: what was scanned would not be scanned again")
	}
	in := Input{Item: Item{Kind: "message"}, Matches: []dlp.Match{match("financial.card", 0.9, "a")}}
	fires := func(s *Set) bool {
		decisions, _ := s.Evaluate(in, Lookups{})
		for _, d := range decisions {
			if d.PolicyID == "content.card_numbers" {
				return true
			}
		}
		return false
	}
	if !fires(before) || fires(after) {
		t.Error("the policy does not follow its profile")
	}
	for _, e := range after.Policies() {
		own := file("content.own", `items: ["*"]`, `profile("pci")`) + "tests:\n  - {name: one card, input: {matches: [{detector: financial.card}]}, want: true}\n"
		if e.Policy.ID == "content.card_numbers" && e.Profiles["pci"] == "" {
			t.Error("the policy does not name its profile")
		}
		if _, err := Compile([]*Policy{parse(t, own)}, nil, nil, profiles...); !errors.Is(err, ErrRed) {
			t.Fatalf("a test of one's own that the profile makes red: %v", err)
		}
	}
}
