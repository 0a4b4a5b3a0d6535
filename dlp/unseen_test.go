package dlp_test

import (
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"github.com/outband/outband/dlp"
)

func tags(s string) string {
	return strings.Map(func(c rune) rune { return c + 0xe0000 }, s)
}

func TestHiddenText(t *testing.T) {
	e := engine(t, dlp.Configuration{})
	for _, tc := range []struct {
		name, text string
		want       []string // detector, "=", the source of the match
	}{
		{"a run", "a\u200b\u200c\u200d\u2060\u200bb", []string{"ai.hidden_zero_width=\u200b\u200c\u200d\u2060\u200b"}},
		{"between letters", "xi\u200bg\u200bn\u200bo\u200br\u200be it", []string{"ai.hidden_zero_width=\u200bg\u200bn\u200bo\u200br\u200b"}},
		{"too few", "a\u200b\u200b\u200b\u200bb", nil},
		{"escaped", `{"t":"x\u200b\u200b\u200b\u200b\u200b"}`, []string{`ai.hidden_zero_width=\u200b\u200b\u200b\u200b\u200b`}},
		{"tags in escaped pairs", `"\udb40\udc68\udb40\udc69"`, []string{`ai.hidden_tags=\udb40\udc68\udb40\udc69`}},
		{"a flag", "\U0001f3f4" + tags("gbeng") + "\U000e007f", nil},
		{"a family", "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466\u200d\U0001f466\u200d\U0001f466", nil},
		{"Persian", strings.Repeat("می\u200cخواهم ", 9), nil},
		{"right to left before Hebrew", "\u2067שלום עולם\u2069 and \u202bשלום עולם\u202c", nil},
		{"an override", "x\u202egpj.exe", []string{"ai.bidi_override=\u202e"}},
		{"selectors", "o\ufe00\ufe01\ufe02", []string{"ai.hidden_selectors=\ufe00\ufe01\ufe02"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var got []string
			for _, m := range scan(t, e, tc.text) {
				if strings.HasPrefix(m.Detector, "ai.") {
					got = append(got, m.Detector+"="+tc.text[m.Start:m.End])
					if strings.ContainsFunc(m.Masked, func(c rune) bool { return c > '~' }) {
						t.Errorf("the mask %q shows hidden characters", m.Masked)
					}
				}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("matches (-want +got):\n%s", diff)
			}
		})
	}
}

// Text in tag characters is read like any other: what is smuggled in it is found.
func TestTagsAreRead(t *testing.T) {
	e := engine(t, dlp.Configuration{})
	text := "hello " + tags("card 4111 1111 1111 1111") + " world"
	found := map[string]bool{}
	for _, m := range scan(t, e, text) {
		found[m.Detector] = true
		for _, d := range m.Also {
			found[d] = true
		}
	}
	if !found["financial.card"] || !found["ai.hidden_tags"] {
		t.Errorf("found %v", found)
	}
}

func TestHiddenTextInUTF16(t *testing.T) {
	e := engine(t, dlp.Configuration{})
	b := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune("ab " + tags("hi") + " c")) {
		b = append(b, byte(u), byte(u>>8))
	}
	m := scan(t, e, string(b))
	if len(m) != 1 || m[0].Detector != "ai.hidden_tags" || m[0].Start != 8 || m[0].End != 16 {
		t.Errorf("matches %+v", m)
	}
}

// A run that is longer than a block is one match, at the same place, whatever the block.
func TestLongRunOfHiddenText(t *testing.T) {
	text := "start " + strings.Repeat("\u200b", 5000) + " end " + strings.Repeat("a\u200b", 30_000) + strings.Repeat("\npackage x\nimport (\nif err != nil {\nreturn nil\n", 3000)
	want, err := engine(t, dlp.Configuration{Optional: true}).Scan([]byte(text), testKeys)
	if err != nil {
		t.Fatal(err)
	}
	got, err := engine(t, dlp.Configuration{Optional: true, BlockSize: 3000}).Scan([]byte(text), testKeys)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("in blocks: %v (-want +got):\n%s", err, diff)
	}
	n := 0
	for _, m := range want.Matches {
		if m.Detector == "ai.hidden_zero_width" || m.Detector == "source.go" {
			n++
		}
	}
	if n != 3 {
		t.Errorf("%d matches of hidden text and code", n)
	}
}
