package dlp

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
)

// FuzzPrefilter compares it with a search for each keyword at each place, also where batches meet and at the edges of a text.
func FuzzPrefilter(f *testing.F) {
	keywords := []string{"abc", "api", "skey", "key=", "token", "secret_key", "secret_keys", "password", "passwort", "-----begin ", "straße", "絶密情報", "0q~", "a much longer keyword"}
	prefixes := []string{"AKI", "sk-A", "ghp_x", "github_pat_", "xoxb-\x00"}
	type place struct {
		keyword string
		from    int
	}
	var found []place
	var rules []*rule
	for i, k := range keywords {
		rules = append(rules, &rule{Detector: Detector{Kind: KindScanner, Keywords: []string{k}}, index: i, scan: func(_ *state, _ *rule, from, _ int) {
			found = append(found, place{k, from})
		}})
	}
	for i, k := range prefixes {
		rules = append(rules, &rule{Detector: Detector{Kind: KindScanner, Prefixes: []string{k}}, index: len(keywords) + i, scan: func(_ *state, _ *rule, from, _ int) {
			found = append(found, place{k, from})
		}})
	}
	filter := newPrefilter(rules)
	for _, k := range slices.Concat(keywords, prefixes) {
		f.Add([]byte(k), 0)
		f.Add([]byte(strings.ToUpper(k)+" "+k+k), batch-3)
		f.Add([]byte("x"+k), 2*batch-7)
	}
	for n := range 24 { // Shorter than all that is read at once.
		f.Add([]byte("secret_key=")[:n/2], n%2)
	}
	f.Fuzz(func(t *testing.T, text []byte, before int) {
		if before < 0 || before > 4*batch {
			return
		}
		text = slices.Clip(slices.Concat(bytes.Repeat([]byte("."), before), text, text))
		for n := range min(len(text), 16) { // of every length
			filter.find(&state{engine: &Engine{}, text: text[:n:n]})
		}
		var want []place
		for at := range text {
			for _, k := range keywords {
				if at+len(k) <= len(text) && equalFold(text[at:at+len(k)], k) {
					want = append(want, place{k, at})
				}
			}
			for _, k := range prefixes {
				if bytes.HasPrefix(text[at:], []byte(k)) {
					want = append(want, place{k, at})
				}
			}
		}
		found = nil
		filter.find(&state{engine: &Engine{}, text: text, deadline: time.Now().Add(time.Hour)})
		order := func(a, b place) int {
			return cmp.Or(cmp.Compare(a.from, b.from), strings.Compare(a.keyword, b.keyword))
		}
		slices.SortFunc(found, order)
		slices.SortFunc(want, order)
		if diff := gocmp.Diff(want, found, gocmp.AllowUnexported(place{})); diff != "" {
			t.Errorf("in %q (-want +got):\n%s", text, diff)
		}
	})
}
