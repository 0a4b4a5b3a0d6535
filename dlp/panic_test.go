package dlp

import (
	"errors"
	"strings"
	"testing"
)

// A panic ends one document with a typed error that says which detector it was and nothing of the text; the engine goes on working.
func TestPanicIsRecovered(t *testing.T) {
	all, err := Builtin()
	if err != nil {
		t.Fatal(err)
	}
	e, err := New(all, Configuration{})
	if err != nil {
		t.Fatal(err)
	}
	r := *e.byID["secret.private_key"]
	r.scan = func(s *state, _ *rule, from, _ int) { panic(string(s.text[from:])) }
	for _, l := range e.filter.literals {
		for k, old := range l.rules {
			if old.ID == r.ID {
				l.rules[k] = &r
			}
		}
	}
	_, err = e.Scan([]byte("card 4111 1111 1111 1111 -----BEGIN PRIVATE KEY-----"), Keys{})
	if !errors.Is(err, ErrPanic) || !strings.Contains(err.Error(), "secret.private_key") || strings.Contains(err.Error(), "BEGIN") {
		t.Errorf("error %v", err)
	}
	res, err := e.Scan([]byte("card 4111 1111 1111 1111"), Keys{})
	if err != nil || len(res.Matches) != 1 {
		t.Errorf("after a panic: %v, %v", res.Matches, err)
	}
	if got := e.Mask("-----BEGIN PRIVATE KEY-----", Keys{}); strings.Contains(got, "BEGIN") {
		t.Errorf("Mask shows %q after a failed scan", got)
	}
}

func TestKeywordOfEveryRuleIsFound(t *testing.T) {
	all, err := Builtin()
	if err != nil {
		t.Fatal(err)
	}
	e, err := New(all, Configuration{Optional: true})
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, l := range e.filter.literals {
		for _, r := range l.rules {
			found[r.ID+" "+strings.ToLower(l.text)] = true
		}
	}
	for _, r := range e.rules {
		for _, k := range append(append([]string{}, r.Keywords...), r.Prefixes...) {
			if !found[r.ID+" "+strings.ToLower(k)] {
				t.Errorf("%s: keyword %q is not in the prefilter", r.ID, k)
			}
		}
		if r.Kind == KindPattern && len(r.Keywords) == 0 {
			t.Errorf("%s: no keyword", r.ID)
		}
		if r.longest > margin-maxPattern {
			t.Errorf("%s: longest match %d does not fit the margin", r.ID, r.longest)
		}
	}
}
