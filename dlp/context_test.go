package dlp

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// What is folded once for many candidates is what each would see alone.
func TestSurroundings(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	pieces := []string{"a", "bc", "camelCase", "XYZ", " ", "_", "-", "\n", "1", "23", "é", "ж", "漢", "\xff", ".", "q"}
	for range 200 {
		var s state
		for n := rng.IntN(400); n >= 0; n-- {
			s.text = append(s.text, pieces[rng.IntN(len(pieces))]...)
		}
		at := 0
		for range 100 {
			if at += rng.IntN(40) - 5; at < 0 || rng.IntN(20) == 0 {
				at = rng.IntN(len(s.text))
			}
			start := min(at, len(s.text))
			end := min(start+[]int{0, 1, 9, 40, 900}[rng.IntN(5)], len(s.text))
			want := words(nil, s.text[max(0, start-contextRadius):start])
			want = append(want, '\n')
			want = words(want, s.text[end:min(len(s.text), end+contextRadius)])
			var list wordList
			list.read(want)
			got := s.surroundings(start, end)
			if !slices.Equal(got, want) || s.near.list.starts != list.starts {
				t.Fatalf("[%d, %d) of %q:\n got %q\nwant %q", start, end, s.text, got, want)
			}
			for _, w := range []string{"bc", "bca", "camel", "case", "xyz", "éж", "жbc", "漢", "a bc", "1.q"} {
				if found, want := s.near.list.has(got, w, startOf([]byte(w))), hasWord(got, w); found != want {
					t.Fatalf("%q in %q: %v, want %v", w, got, found, want)
				}
			}
		}
	}
}
