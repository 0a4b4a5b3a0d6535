package dlp

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// masked holds a mask to invariant 4: at most min(4, length/4) characters show, at the end that was asked for, and nothing hides or breaks text.
func masked(t interface {
	Helper()
	Errorf(string, ...any)
}, v []byte, head bool) {
	t.Helper()
	got := mask(v, head)
	n := utf8.RuneCount(v)
	shown := []rune(strings.Trim(got, "*"))
	if len(shown) > min(4, n/4) {
		t.Errorf("the mask %q shows %d of %d characters", got, len(shown), n)
	}
	if !utf8.ValidString(got) || utf8.RuneCountInString(got) > min(n, maxStars+4) || strings.ContainsFunc(got, func(c rune) bool { return c < ' ' || c == 0x7f }) {
		t.Errorf("the mask %q of %d characters is no plain text of at most that length", got, n)
	}
	stars := strings.Repeat("*", min(n-min(4, n/4), maxStars))
	if head && !strings.HasSuffix(got, stars) || !head && !strings.HasPrefix(got, stars) {
		t.Errorf("the mask %q shows the wrong end", got)
	}
}

func TestMaskNeverShowsMoreThanAQuarter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.OneOf(rapid.SliceOfN(rapid.Byte(), 0, 200), rapid.Map(rapid.String(), func(s string) []byte { return []byte(s) }),
			rapid.Map(rapid.StringMatching(`[*A-Za-z0-9+/=-]{0,80}`), func(s string) []byte { return []byte(s) })).Draw(t, "value")
		masked(t, v, rapid.Bool().Draw(t, "head"))
	})
}

// FuzzMask masks foreign bytes, alone and as the text of an engine.
func FuzzMask(f *testing.F) {
	for _, s := range []string{"", "a", "4111 1111 1111 1111", "mia@weber-home.de", "\xff\xfe\xfd\xfc", "пароль ключ", "漢字漢字漢字", "\u202e\u200babcd\u00ad", "password=Tz8!kkLm9 and SSN 536-22-8714"} {
		f.Add([]byte(s), true)
		f.Add([]byte(s), false)
	}
	all, err := Builtin()
	if err != nil {
		f.Fatal(err)
	}
	e, err := New(all, Configuration{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, v []byte, head bool) {
		masked(t, v, head)
		res, err := e.Scan(v, Keys{})
		if err != nil {
			t.Fatal(err)
		}
		out := e.Mask(string(v), Keys{})
		for _, m := range res.Matches {
			value := string(v[m.Start:m.End])
			if m.Confidence >= ConfidenceLow && len(value) >= 8 && e.byID[m.Detector].Scanner != "email_list" && strings.Count(out, value) >= strings.Count(string(v), value) {
				t.Errorf("the masked text still holds the value of %s", m.Detector)
			}
		}
	})
}
