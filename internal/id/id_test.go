package id

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

var form = regexp.MustCompile(`^[a-z]+_[a-z2-7]{26}$`)

func TestNewIDsAreDistinctAndOfOneForm(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		got := New("con_")
		if !form.MatchString(got) || seen[got] {
			t.Fatalf("New: %q, seen before: %v", got, seen[got])
		}
		seen[got] = true
	}
}

// TestComputedIsTheDocumentedFormula computes one id by hand: a change of the formula would double every finding.
func TestComputedIsTheDocumentedFormula(t *testing.T) {
	key := []byte(strings.Repeat("k", 32))
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("\x00\x00\x00\x00\x00\x00\x00\x07finding" + "\x00\x00\x00\x00\x00\x00\x00\x07default" + "\x00\x00\x00\x00\x00\x00\x00\x00"))
	want := "fnd_" + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(mac.Sum(nil)[:16]))
	if got := Computed(key, "fnd_", "finding", "default", ""); got != want || !form.MatchString(got) {
		t.Errorf("Computed: %q, want %q", got, want)
	}
}

// TestComputedTellsFieldsApart upholds invariant 2: no two lists of fields share an id, wherever the borders between the fields lie.
func TestComputedTellsFieldsApart(t *testing.T) {
	key := []byte("a key of an installation")
	rapid.Check(t, func(r *rapid.T) {
		fields := rapid.SliceOfN(rapid.StringMatching(`[ab\x00]{0,3}`), 1, 4)
		a, b := fields.Draw(r, "a"), fields.Draw(r, "b")
		same := slices.Equal(a, b)
		if got := Computed(key, "ins_", a[0], a[1:]...) == Computed(key, "ins_", b[0], b[1:]...); got != same {
			r.Errorf("%q and %q: equal ids %v", a, b, got)
		}
		if Computed(key, "ins_", a[0], a[1:]...) == Computed([]byte("another key"), "ins_", a[0], a[1:]...) {
			r.Errorf("%q has one id under two keys", a)
		}
	})
}
