package filter

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outband/outband/findings"
)

func TestParse(t *testing.T) {
	two := Filter{Severity: []string{"critical", "high"}, Status: []string{"open"}}
	for text, want := range map[string]Filter{
		"":                                   {},
		"severity:critical,high status:open": two,
		"severity=critical,high&status=open": two,
		"severity=critical&severity=high&status=open":         two,
		" status:open\tseverity:critical severity:high,high ": two,
		`resource_kind:"shared drive" kind:content`:           {ResourceKind: []string{"shared drive"}, Kind: []string{"content"}},
		`actor=dana%2Bx%40corp.example`:                       {Actor: []string{"dana+x@corp.example"}},
		`actor:dana=x`:                                        {Actor: []string{"dana=x"}},
		`policy_id:"a,b"`:                                     {PolicyID: []string{"a,b"}},
		"detector:secret.aws,pci.card source:deleted connector:claude connection_id:con_a": {Detector: []string{"secret.aws", "pci.card"}, Source: []string{"deleted"}, Connector: []string{"claude"}, ConnectionID: []string{"con_a"}},
	} {
		got, err := Parse(text)
		if err != nil {
			t.Errorf("Parse(%q): %v", text, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("Parse(%q) (-want +got):\n%s", text, diff)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, text := range []string{
		"severity", "severity:", "severity:bad", "status:new", "kind:x", "source:x", "colour:red", "severity:,", "severity=%zz", "severity=", "=high", ":high",
		`actor:"open`, `actor:"a"b`, "q:aws", "severity:high and status:open", "severity=high&status", strings.Repeat("x", MaxText+1), "actor:" + strings.Repeat("x", MaxValue+1),
	} {
		if _, err := Parse(text); !errors.Is(err, ErrFilter) {
			t.Errorf("Parse(%q): %v", text[:min(len(text), 40)], err)
		}
	}
	if err := (&Filter{From: 5, To: 5}).Validate(); !errors.Is(err, ErrFilter) {
		t.Error(err)
	}
}

func TestMatch(t *testing.T) {
	x := findings.Finding{Severity: "high", Status: "open", Kind: "content", Source: "present", PolicyID: "p", ConnectionID: "con_a", Connector: "claude",
		Resource: findings.Resource{Kind: "chat"}, Actor: findings.Person{ID: "user_1", Email: "Dana@corp.example"}, Detectors: []string{"a.x", "b.y"}, FirstSeenAt: 100}
	for text, want := range map[string]bool{
		"": true, "severity:high,low": true, "severity:low": false, "detector:b.y": true, "detector:b": false, "actor:dana@CORP.example": true, "actor:user_1": true,
		"actor:user_2": false, "severity:high status:resolved": false, "resource_kind:chat connector:claude connection_id:con_a policy_id:p source:present kind:content": true,
	} {
		f, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if f.Match(&x) != want {
			t.Errorf("%q: %v", text, !want)
		}
	}
	if !(&Filter{From: 100, To: 101}).Match(&x) || (&Filter{To: 100}).Match(&x) || (&Filter{From: 101}).Match(&x) {
		t.Error("the range is from inclusive to exclusive")
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"severity:critical,high status:open", "severity=high&actor=a%40b", `actor:"x y"`, "actor:a\u00a0b", "a=b", "::", "&&"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := Parse(s)
		if err != nil {
			if !errors.Is(err, ErrFilter) {
				t.Fatal(err)
			}
			return
		}
		text := got.String()
		again, err := Parse(text)
		if len(text) > MaxText {
			return // Quotes made it longer than may be read.
		}
		if err != nil {
			t.Fatalf("%q is spelled %q: %v", s, text, err)
		}
		for i, values := range got.Values() {
			want := map[string]bool{}
			for _, v := range *values {
				want[v] = true
			}
			have := map[string]bool{}
			for _, v := range *again.Values()[i] {
				have[v] = true
			}
			if diff := cmp.Diff(want, have); diff != "" {
				t.Fatalf("%q is spelled %q (-want +got):\n%s", s, text, diff)
			}
		}
	})
}
