package policy

import (
	"strings"
	"testing"

	"github.com/outband/outband/dlp/policies"
)

func builtin(t testing.TB) []*Policy {
	t.Helper()
	list, err := Builtin()
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestBuiltin(t *testing.T) {
	list := builtin(t)
	if len(list) < 18 {
		t.Errorf("there are %d built-in policies, want at least 18", len(list))
	}
	set, err := Compile(list, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range set.active {
		p := set.active[i].policy
		if _, err := policies.Files.Open(p.ID + ".yaml"); err != nil {
			t.Errorf("policy %s is not in a file named after it", p.ID)
		}
		if prefix, _, _ := strings.Cut(p.ID, "."); prefix != p.Kind {
			t.Errorf("policy %s is of kind %s", p.ID, p.Kind)
		}
		if p.Description == "" || !strings.Contains(p.Guide, placeholder) {
			t.Errorf("policy %s has no description, or a guide without %s", p.ID, placeholder)
		}
		var yes, no int
		for _, test := range p.Tests {
			if test.Want {
				yes++
			} else {
				no++
			}
		}
		if yes < 1 || no < 2 || p.Kind != KindContent && yes+no < 4 {
			t.Errorf("policy %s has %d tests that want true and %d that want false; it needs 1 and 2, and four over activities and records", p.ID, yes, no)
		}
	}
}
