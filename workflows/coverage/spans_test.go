package coverage

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func at(minute int) time.Time { return time.Unix(int64(minute)*60, 0).UTC() }

func spansOf(minutes ...int) (out []Span) {
	for i := 0; i+1 < len(minutes); i += 2 {
		out = append(out, Span{at(minutes[i]), at(minutes[i+1])})
	}
	return out
}

func TestMinus(t *testing.T) {
	for _, tc := range []struct {
		name                 string
		spans, without, want []Span
	}{
		{"nothing is taken away", spansOf(0, 10), nil, spansOf(0, 10)},
		{"all is covered by pieces that touch", spansOf(0, 10), spansOf(5, 10, 0, 5), nil},
		{"a hole in the middle", spansOf(0, 10), spansOf(0, 3, 6, 12), spansOf(3, 6)},
		{"both ends stick out", spansOf(0, 10), spansOf(2, 8), spansOf(0, 2, 8, 10)},
		{"one piece over two spans", spansOf(0, 4, 6, 10), spansOf(3, 7), spansOf(0, 3, 7, 10)},
		{"spans that overlap count once", spansOf(0, 6, 4, 10), spansOf(0, 1), spansOf(1, 10)},
		{"an empty span is nothing", spansOf(3, 3, 9, 5), nil, nil},
	} {
		if diff := cmp.Diff(tc.want, minus(tc.spans, tc.without)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.name, diff)
		}
	}
}

// Minute by minute, what is left is what is in one list and not in the other.
func TestMinusIsTheDifferenceOfSets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Span {
			from := rapid.IntRange(0, 40).Draw(t, "from")
			return Span{at(from), at(from + rapid.IntRange(0, 10).Draw(t, "length"))}
		}), 0, 8)
		a, b := list.Draw(t, "spans"), list.Draw(t, "without")
		in := func(spans []Span, m int) bool {
			for _, s := range spans {
				if !at(m).Before(s.From) && at(m).Before(s.To) {
					return true
				}
			}
			return false
		}
		got := minus(a, b)
		for m := range 60 {
			if want := in(a, m) && !in(b, m); in(got, m) != want {
				t.Fatalf("minute %d of %v less %v is %v, want %v", m, a, b, !want, want)
			}
		}
		for i := 1; i < len(got); i++ {
			if !got[i-1].To.Before(got[i].From) {
				t.Fatalf("spans %v touch", got)
			}
		}
	})
}
