package view_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/outband/outband/dlp/view"
)

func TestDecode(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"plain text stays", "nothing to undo", "nothing to undo"},
		{"a newline escape ends", `a\n4111`, "a\n4111"},
		{"a quote inside a string", `{\"k\":\"v\"}`, `{"k":"v"}`},
		{"a string inside a string", `"{\"k\":\"a\\nb\"}"`, "\"{\"k\":\"a\nb\"}\""},
		{"a unicode escape", `\u0034111`, "4111"},
		{"a surrogate pair", `\ud83d\ude00!`, "😀!"},
		{"half a pair", `\ud83d!`, "\ufffd!"},
		{"an unknown escape stays", `\d+\w`, `\d+\w`},
		{"a lone backslash at the end", `a\`, `a\`},
		{"full-width digits", "４１１１", "4111"},
		{"a soft hyphen and a zero-width space", "41\u00ad1\u200b1", "4111"},
		{"Arabic digits", "\u0664\u0661", "41"},
		{"typographic marks", "‘a’ – “b”\u00a0c", `'a' - "b" c`},
		{"an invisible character from an escape", `41\u200b11`, "4111"},
		{"accents stay", "café", "café"},
		{"broken UTF-8 stays", "a\xff\xfeb", "a\xff\xfeb"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var d view.Decoder
			if diff := cmp.Diff(tc.want, string(d.Decode([]byte(tc.in), view.UTF8).Text)); diff != "" {
				t.Errorf("Decode(%q) (-want +got):\n%s", tc.in, diff)
			}
		})
	}
}

func TestUTF16MapsBack(t *testing.T) {
	text := "key 😀 = v"
	var le []byte
	for _, u := range utf16.Encode([]rune(text)) {
		le = append(le, byte(u), byte(u>>8))
	}
	var d view.Decoder
	v := d.Decode(le, view.UTF16LE)
	if string(v.Text) != text {
		t.Fatalf("Decode = %q, want %q", v.Text, text)
	}
	at := strings.Index(text, "= v")
	if got := v.Start(at); got != 2*7 { // "key ", two units of the emoji and a space come before
		t.Errorf("Start = %d, want 14", got)
	}
	if got := v.End(len(v.Text)); got != len(le) {
		t.Errorf("End = %d, want %d", got, len(le))
	}
}

// Whatever is wrapped in JSON, however deep, is found again at the bytes that decode to it.
func TestOffsetsMapBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before := rapid.StringMatching(`[a-z "\n\t/é]{0,20}`).Draw(t, "before")
		after := rapid.StringMatching(`["\nx]{0,10}`).Draw(t, "after")
		doc := before + "VALUE" + after
		for range rapid.IntRange(0, 2).Draw(t, "depth") {
			b, err := json.Marshal(doc)
			if err != nil {
				t.Fatal(err)
			}
			doc = string(b)
		}
		var d view.Decoder
		v := d.Decode([]byte(doc), view.UTF8)
		at := strings.Index(string(v.Text), "VALUE")
		if at < 0 {
			t.Fatalf("the value is gone: %q", v.Text)
		}
		if got := doc[v.Start(at):v.End(at+5)]; got != "VALUE" {
			t.Fatalf("offsets point at %q in %q", got, doc)
		}
	})
}

func TestDecodeAllocatesNothingOnPlainText(t *testing.T) {
	text := []byte(strings.Repeat("plain text, with accents: café. ", 200))
	var d view.Decoder
	if n := testing.AllocsPerRun(20, func() { d.Decode(text, view.UTF8) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range []string{`a\nb`, `\ud83d\ude00`, "４１", `\\\\n`, "\xff\xfea\x00"} {
		f.Add([]byte(s), int8(0))
		f.Add([]byte(s), int8(1))
	}
	f.Fuzz(func(t *testing.T, b []byte, enc int8) {
		var d view.Decoder
		v := d.Decode(b, view.Encoding(uint8(enc)%3))
		last := 0
		for i := range v.Text {
			if !utf8.RuneStart(v.Text[i]) {
				continue
			}
			s, e := v.Start(i), v.End(i+1)
			if s < last || e < s || e > len(b) {
				t.Fatalf("offset %d maps to [%d,%d) after %d in %d bytes", i, s, e, last, len(b))
			}
			last = s
		}
	})
}
