package connectors

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseTime(t *testing.T) {
	want := time.Date(2026, 11, 20, 9, 15, 42, 0, time.UTC)
	for in, want := range map[string]time.Time{
		"2026-11-20T09:15:42Z":             want,
		"2026-11-20T09:15:42+00:00":        want,
		"2026-11-20T11:15:42+02:00":        want,
		"2026-11-20T09:15:42":              want,
		"2026-11-20 09:15:42":              want,
		"2026-11-20T09:15:42.482913Z":      want.Add(482913 * time.Microsecond),
		"2026-11-20T09:15:42.482913":       want.Add(482913 * time.Microsecond),
		"2026-11-20T09:15:42.482913+00:00": want.Add(482913 * time.Microsecond),
		"":                                 {},
		"yesterday":                        {},
		"2026-13-20T09:15:42Z":             {},
	} {
		got, err := ParseTime(in)
		if !got.Equal(want) || (err == nil) == want.IsZero() {
			t.Errorf("ParseTime(%q) = %v, %v, want %v", in, got, err, want)
		}
	}
}

func TestParseRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)
	for in, want := range map[string]time.Duration{
		"7": 7 * time.Second, " 0 ": 0, "1.5": 1500 * time.Millisecond, "36000": time.Hour, "99999999999999999999": time.Hour, "-5": 0, "NaN": 0, "Inf": time.Hour,
		"Fri, 20 Nov 2026 09:00:30 GMT": 30 * time.Second, "Fri, 20 Nov 2026 08:00:30 GMT": 0, "Sat, 21 Nov 2026 09:00:00 GMT": time.Hour, "soon": 0, "": 0,
	} {
		if got := ParseRetryAfter(in, now); got != want {
			t.Errorf("ParseRetryAfter(%q) = %v, want %v", in, got, want)
		}
	}
}

func FuzzParseRetryAfter(f *testing.F) {
	for _, s := range []string{"7", "1e400", "Fri, 20 Nov 2026 09:00:30 GMT", "-0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if d := ParseRetryAfter(s, time.Unix(1_800_000_000, 0)); d < 0 || d > MaxRetryAfter {
			t.Errorf("ParseRetryAfter(%q) = %v", s, d)
		}
	})
}

func FuzzParseTime(f *testing.F) {
	for _, s := range []string{"2026-11-20T09:15:42Z", "2026-11-20T09:15:42.1", "9999-12-31T23:59:59-10:00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		at, err := ParseTime(s)
		if err != nil {
			return
		}
		// Whatever is accepted must survive a cursor.
		if got, err := (Slice{From: at}).Cursor().Slice(); err != nil || !got.From.Equal(at) {
			t.Errorf("%v came back as %v, %v", at, got.From, err)
		}
	})
}

func TestCursorKeepsItsSlice(t *testing.T) {
	want := Slice{From: time.Unix(1, 0).UTC(), To: time.Unix(2, 0).UTC(), After: "a\"b"}
	got, err := want.Cursor().Slice()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Slice (-want +got):\n%s", diff)
	}
}

func FuzzCursor(f *testing.F) {
	for _, s := range []string{"", "{}", `{"from":"2026-11-20T09:15:42Z","after":"x"}`, "x", `{"from":1}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		slice, err := Cursor(s).Slice()
		if err != nil {
			if KindOf(err) != KindCursorExpired {
				t.Errorf("Slice(%q): %v", s, err)
			}
			return
		}
		if again, err := slice.Cursor().Slice(); err != nil || !again.From.Equal(slice.From) || !again.To.Equal(slice.To) || again.After != slice.After {
			t.Errorf("Slice(%q) = %+v, again %+v, %v", s, slice, again, err)
		}
	})
}
