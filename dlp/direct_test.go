package dlp

import (
	"math/rand/v2"
	"testing"
)

// The steps of every built-in expression find what the regexp package finds: in texts that match, and in those with one thing amiss.
func TestDirect(t *testing.T) {
	detectors, err := Builtin()
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	pieces := []string{"", "", "a", "1", " ", "é", "\xff", "K", "ſ", "=", "\n", "\"", "&", ".", "漢字", "content="}
	run, all, ends := 0, 0, 0
	for _, d := range detectors {
		r, err := compile(d, Stock{})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range matchers(r) {
			all++
			steps := m.direct()
			if steps == nil {
				continue
			}
			run++
			slow := *m
			slow.direct = func() *direct { return nil }
			for _, v := range (&Detector{Kind: KindPattern, Pattern: m.source}).values(rng) {
				for range 40 {
					text := []byte(v)
					from := rng.IntN(len(text) + 1)
					to := min(len(text), from+rng.IntN(3))
					text = append(text[:from:from], pieces[rng.IntN(len(pieces))]+string(text[to:])+pieces[rng.IntN(len(pieces))]...)
					end, value := m.find(text)
					wantEnd, wantValue := slow.find(text)
					if end != wantEnd || value != wantValue {
						t.Fatalf("%s, %s in %q: %d %v, want %d %v", d.ID, m.source, text, end, value, wantEnd, wantValue)
					}
					if end > 0 {
						ends++
					}
				}
			}
		}
	}
	if run*10 < all*9 || ends == 0 {
		t.Errorf("%d of %d expressions run by their steps, %d matches", run, all, ends)
	}
}

func matchers(r *rule) (all []*matcher) {
	for _, x := range append([]*rule{r}, r.parts...) {
		for _, m := range []*matcher{x.pattern, x.value} {
			if m != nil {
				all = append(all, m)
			}
		}
	}
	return all
}

// The steps of an expression that nobody thought of find what the regexp package finds.
func FuzzDirect(f *testing.F) {
	detectors, err := Builtin()
	if err != nil {
		f.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for i, d := range detectors {
		if d.Pattern == "" || i%4 > 0 {
			continue
		}
		for _, v := range d.values(rng) {
			f.Add(d.Pattern, []byte(v))
		}
	}
	f.Fuzz(func(t *testing.T, pattern string, text []byte) {
		if len(pattern) > 200 || len(text) > 1000 {
			return
		}
		r := &rule{Detector: Detector{ID: "custom.fuzz", Kind: KindPattern, Pattern: pattern}}
		if err := r.compilePattern(); err != nil {
			return
		}
		for _, m := range matchers(r) {
			if m.direct() == nil {
				continue
			}
			slow := *m
			slow.direct = func() *direct { return nil }
			end, value := m.find(text)
			if wantEnd, wantValue := slow.find(text); end != wantEnd || value != wantValue {
				t.Fatalf("%s in %q: %d %v, want %d %v", m.source, text, end, value, wantEnd, wantValue)
			}
		}
	})
}
