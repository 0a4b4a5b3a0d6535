package policy

import (
	"errors"
	"strings"
	"testing"

	"github.com/outband/outband/dlp"
)

func TestABuiltInPolicyIsCompiledAgainOnlyForOtherDetectorsOrProfiles(t *testing.T) {
	profiles, err := dlp.Profiles()
	if err != nil {
		t.Fatal(err)
	}
	compile := func(list []*Policy, profiles []dlp.Profile) map[string]*program {
		t.Helper()
		s, err := Compile(list, nil, nil, profiles...)
		if err != nil {
			t.Fatal(err)
		}
		out := map[string]*program{}
		for _, c := range s.active {
			out[c.policy.ID] = c.program
		}
		return out
	}
	all := builtin(t)
	first, second := compile(all, nil), compile(all, profiles)
	asking := 0
	for id, p := range first {
		if second[id] != p {
			t.Errorf("%s is compiled again for the same", id)
		}
		asking += len(p.digests())
	}
	if asking == 0 {
		t.Fatal("no built-in policy asks for a profile")
	}

	changed := make([]dlp.Profile, len(profiles))
	for i, p := range profiles {
		p.MinMatches += 7
		changed[i] = p
	}
	for id, p := range compile(all, changed) {
		if again, asks := p != first[id], len(p.digests()) > 0; again != asks {
			t.Errorf("%s: compiled again %t, asks for a profile %t", id, again, asks)
		}
		for profile, digest := range p.digests() {
			if digest == first[id].digests()[profile] {
				t.Errorf("%s is judged by %s as it was", id, profile)
			}
		}
	}

	if _, err := Compile(all, nil, []string{"secret.none"}); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "no detector has an id like") {
		t.Errorf("with detectors that its globs do not name: %v", err)
	}
	other := *all[0]
	other.When, other.Tests = "false", nil
	if p := compile([]*Policy{&other}, nil)[other.ID]; p == first[other.ID] || p.policy != &other {
		t.Error("a copy that says something else is taken for the policy itself")
	}
}
