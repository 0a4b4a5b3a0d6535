package view_test

import (
	"encoding/binary"
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode"
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
		{"an accent behind its letter is joined to it", "cafe\u0301", "café"},
		{"an accent that no letter has with it stays", "4\u0301", "4\u0301"},
		{"Devanagari and Adlam digits", "\u096a\u0967\U0001e951", "411"},
		{"circled, raised and mathematical digits", "④① ⁴¹ 𝟒𝟏 ⑩", "41 41 41 10"},
		{"the number of a footnote stays", "4111¹ m²", "4111¹ m²"},
		{"letters of signs and ligatures", "ℂarol ﬁle Ⓐ 🄰", "Carol file A A"},
		{"small forms", "a﹫b﹒c", "a@b.c"},
		{"words for signs stay", "№ 4 ™ …", "№ 4 ™ …"},
		{"keys", "4️⃣1⃣", "41"},
		{"struck out digits", "4\u03361\u0336", "41"},
		{"Cyrillic letters in a token", "АKIАIОSFODNN7 gһp_аbcd0123", "AKIAIOSFODNN7 ghp_abcd0123"},
		{"Greek letters in a token", "ΑKIA01234", "AKIA01234"},
		{"one letter of a word", "pаssword = x", "password = x"},
		{"a zero-width space beside it", "АK\u200bIАIOSF0D", "AKIAIOSF0D"},
		{"Cyrillic words stay", "пароль: Сос ОКО рас СССР2024 МТ123456", "пароль: Сос ОКО рас СССР2024 МТ123456"},
		{"half Cyrillic words stay", "Windows-сервер USB-кабель iPhoneом", "Windows-сервер USB-кабель iPhoneом"},
		{"Greek words stay", "ΑΦΜ Ο Νόμος", "ΑΦΜ Ο Νόμος"},
		{"a long token of many foreign letters stays", "аbсdеfаbсdеfаbсdеfааааааааааааааааааааа", "аbсdеfаbсdеfаbсdеfааааааааааааааааааааа"},
		{"bytes of a string literal", `\x34\x311\x0a`, "411\n"},
		{"bytes beyond ASCII stay", `\xe9 \xzz \x00`, `\xe9 \xzz \x00`},
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

func TestEveryDecimalDigitIsFolded(t *testing.T) {
	var d view.Decoder
	for _, table := range unicode.Nd.R16 {
		for r := rune(table.Lo); r <= rune(table.Hi); r++ {
			one(t, &d, r)
		}
	}
	for _, table := range unicode.Nd.R32 {
		for r := rune(table.Lo); r <= rune(table.Hi); r++ {
			one(t, &d, r)
		}
	}
}

func one(t *testing.T, d *view.Decoder, r rune) {
	if got := d.Decode([]byte(string(r)), view.UTF8).Text; len(got) != 1 || got[0] < '0' || got[0] > '9' {
		t.Errorf("%U is %q", r, got)
	}
}

func TestDetect(t *testing.T) {
	encode := func(order binary.AppendByteOrder, s string) (b []byte) {
		for _, u := range utf16.Encode([]rune(s)) {
			b = order.AppendUint16(b, u)
		}
		return b
	}
	for name, text := range map[string]string{
		"English": "My card: 4111 1111 1111 1111.\r\n", "German": "Größe: 4 €, Straße", "Russian": "Моя карта: 4111, привет, как дела\n",
		"Greek": "Ο αριθμός μου είναι 12", "Chinese": "我的号码是 4111，一一一一，谢谢你们\n一二三四五六七八九十", "Japanese": "カードの番号は 4111 です。よろしくお願いします",
		"Arabic": "رقم بطاقتي 4111 شكرا", "Hindi": "मेरा नंबर 4111 है", "emoji": "😀 so long 😀😀", "short": "a=1\n",
	} {
		for enc, order := range map[view.Encoding]binary.AppendByteOrder{view.UTF16LE: binary.LittleEndian, view.UTF16BE: binary.BigEndian} {
			if got, n := view.Detect(encode(order, text)); got != enc || n != 0 {
				t.Errorf("%s in %d: %d, mark of %d", name, enc, got, n)
			}
			marked := encode(order, "\ufeff"+text)
			if got, n := view.Detect(marked); got != enc || n != 2 {
				t.Errorf("%s in %d with a mark: %d, mark of %d", name, enc, got, n)
			}
		}
	}
	rng := rand.New(rand.NewPCG(1, 2))
	random := make([]byte, 4096)
	for i := range random {
		random[i] = byte(rng.Uint32())
	}
	var ints []byte
	for i := range 500 {
		ints = binary.LittleEndian.AppendUint32(ints, uint32(i*7))
	}
	for name, b := range map[string]string{
		"UTF-8": "héllo wörld, 日本", "with a mark": "\xef\xbb\xbfa", "Windows-1252": "Stra\xdfe \x84zitiert\x93 \x80 5", "names between NULs": "src/a.go\x00src/bc.go\x00docs/read me.md\x00",
		"Windows-1252 with a NUL": "Stra\xdfe\x00 Gr\xf6\xdfe und mehr, und noch mehr Text\x00 x", "Cyrillic with a NUL": "привет\x00как дела, всё хорошо\x00", "random": string(random),
		"numbers": string(ints), "UTF-32": "a\x00\x00\x00b\x00\x00\x00c\x00\x00\x00d\x00\x00\x00", "empty": "", "zeros": strings.Repeat("\x00", 100),
	} {
		if got, _ := view.Detect([]byte(b)); got != view.UTF8 {
			t.Errorf("%s is taken for %d", name, got)
		}
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
