package dlp_test

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/outband/outband/dlp"
)

// carriers are texts in which the values of a group, between «», are found. A group without one has a test of its own.
var carriers = map[string][]string{
	"payment_cards":    {"pay with card %, expires 09/28"},
	"ibans":            {"please pay to IBAN % by Friday"},
	"national_ids":     {"CPF do motorista: %", "Aadhaar number: %", "NPI: %", "NHS number: %"},
	"travel_documents": {"Personalausweis: %"},
	"vendor_keys":      {"api_key = \"%\"", "AccountKey=%;", "Authorization: Bearer %"},
}

var builtinEngines = sync.OnceValues(func() ([2]*dlp.Engine, error) {
	var out [2]*dlp.Engine
	all, err := dlp.Builtin()
	for i := range out {
		if err == nil {
			out[i], err = dlp.New(all, dlp.Configuration{Optional: true})
		}
	}
	return out, err
})

// engines returns two engines of all detectors, of which the second leaves out the groups. All tests share them, one after the other.
func engines(t *testing.T, groups ...dlp.TestGroup) (whole, less *dlp.Engine) {
	t.Helper()
	both, err := builtinEngines()
	if err != nil {
		t.Fatal(err)
	}
	if err := both[1].LeaveOut(groups); err != nil {
		t.Fatal(err)
	}
	return both[0], both[1]
}

func group(t *testing.T, id string) dlp.TestGroup {
	t.Helper()
	all, err := dlp.TestData()
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(all, func(g dlp.TestGroup) bool { return g.ID == id })
	if i < 0 {
		t.Fatalf("there is no group %s", id)
	}
	return all[i]
}

// found reports whether a detector of the group fires in a text.
func found(t *testing.T, e *dlp.Engine, g dlp.TestGroup, text string) bool {
	t.Helper()
	res, err := e.Scan([]byte(text), testKeys)
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(res.Matches, func(m dlp.Match) bool {
		return slices.ContainsFunc(g.Detectors, func(glob string) bool { return dlp.Glob(glob, m.Detector) })
	})
}

func TestEveryPublishedValueWouldBeFound(t *testing.T) {
	all, err := dlp.TestData()
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range all {
		if g.Title == "" || g.Description == "" || len(g.References) == 0 || len(g.Detectors) == 0 {
			t.Errorf("group %s lacks a title, description, reference or detector", g.ID)
		}
		if len(g.Values) > 0 && carriers[g.ID] == nil {
			t.Errorf("group %s has values and no text to try them in", g.ID)
		}
		whole, less := engines(t, g)
		for _, v := range g.Values {
			seen := false
			for _, c := range carriers[g.ID] {
				if text := strings.Replace(c, "%", v, 1); found(t, whole, g, text) {
					seen = true
					if found(t, less, g, text) {
						t.Errorf("group %s: %q is found all the same", g.ID, text)
					}
				}
			}
			if !seen {
				t.Errorf("group %s: no detector finds %s anyway", g.ID, v)
			}
		}
	}
}

func TestTestDataIsLeftOutByItsForm(t *testing.T) {
	addresses := dlp.Detector{ID: "network.address", Title: "Address", Severity: "low", Kind: dlp.KindPattern, Keywords: []string{"host"}, Pattern: `host=(?P<value>[0-9a-f.:/]{7,40})`, Confidence: 0.9}
	for _, tc := range []struct {
		group, text string
		left        bool
	}{
		{"payment_cards", "pay with card 4111-1111-1111-1111, expires 09/28", true},
		{"payment_cards", "pay with card 4539 5787 6362 1486, expires 09/28", false},
		{"ibans", "IBAN de89 3704 0044 0532 0130 00", true},
		{"ibans", "IBAN DE02 1203 0000 0000 2020 51", false},
		{"documentation_domains", "write to mia.weber@mail.EXAMPLE.com today", true},
		{"documentation_domains", "write to mia.weber@notexample.com today", false},
		{"documentation_domains", "write to mia.weber@example.com.acme-corp.io today", false},
		{"documentation_networks", "host=203.0.113.9", true},
		{"documentation_networks", "host=192.0.2.0/24", true},
		{"documentation_networks", "host=198.51.100.7:8080", true},
		{"documentation_networks", "host=2001:db8::1", true},
		{"documentation_networks", "host=203.0.114.9", false},
		{"documentation_networks", "host=2001:db9::1", false},
		{"travel_documents", "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<\nL898902C36UTO7408122F1204159ZE184226B<<<<<10", true},
		{"fiction_phones", "call her mobile phone: +61 491 570 156", true},
		{"fiction_phones", "call her mobile phone: +44 7700 900123", true},
		{"fiction_phones", "call her mobile phone: +44 7700 800123", false},
	} {
		t.Run(tc.text, func(t *testing.T) {
			g := group(t, tc.group)
			whole, less := engines(t, g)
			if tc.group == "documentation_networks" {
				var err error
				if whole, err = dlp.New([]dlp.Detector{addresses}, dlp.Configuration{}); err != nil {
					t.Fatal(err)
				}
				if less, err = dlp.New([]dlp.Detector{addresses}, dlp.Configuration{}); err != nil {
					t.Fatal(err)
				}
				if err := less.LeaveOut([]dlp.TestGroup{g}); err != nil {
					t.Fatal(err)
				}
			}
			if !found(t, whole, g, tc.text) {
				t.Fatal("it is not found by an engine that leaves nothing out")
			}
			if got := !found(t, less, g, tc.text); got != tc.left {
				t.Errorf("left out is %t, want %t", got, tc.left)
			}
		})
	}
}

func TestLeavingTestDataOutIsAnotherRuleset(t *testing.T) {
	whole, less := engines(t, group(t, "ibans"), group(t, "payment_cards"))
	seen := map[string]bool{whole.Ruleset(): true, less.Ruleset(): true}
	if err := less.LeaveOut([]dlp.TestGroup{group(t, "ibans")}); err != nil {
		t.Fatal(err)
	}
	if seen[less.Ruleset()] = true; len(seen) != 3 || len(less.Ruleset()) != 16 {
		t.Errorf("rulesets are %v", seen)
	}
	if err := less.LeaveOut([]dlp.TestGroup{{ID: "broken", Form: "none"}}); err == nil || !strings.Contains(err.Error(), "broken") {
		t.Errorf("a group that cannot be used: %v", err)
	}
	if found(t, less, group(t, "ibans"), "IBAN DE89370400440532013000") {
		t.Error("a group that was refused has changed what is left out")
	}
	if err := less.LeaveOut(nil); err != nil || less.Ruleset() != whole.Ruleset() {
		t.Errorf("nothing left out: %v, ruleset %s, want %s", err, less.Ruleset(), whole.Ruleset())
	}
}

func TestTestDataCostsNoAllocation(t *testing.T) {
	all, err := dlp.TestData()
	if err != nil {
		t.Fatal(err)
	}
	_, less := engines(t, all...)
	text := []byte(strings.Repeat("pay with card 4111 1111 1111 1111 or to IBAN DE89370400440532013000, ask mia.weber@example.com\n", 20))
	if _, err := less.Scan(text, testKeys); err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(20, func() { _, _ = less.Scan(text, testKeys) }); n > 0 && !raceEnabled {
		t.Errorf("%.0f allocations", n)
	}
}
