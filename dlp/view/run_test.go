package view_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outband/outband/dlp/view"
)

// open returns what the runs of a text hold.
func open(text string) []string {
	var got []string
	var o view.Opened
	for _, r := range view.Runs(nil, []byte(text)) {
		if o.Open([]byte(text), r, 1<<16) {
			got = append(got, strings.Join(o.Names, "+")+": "+string(o.Text))
		}
	}
	return got
}

func TestRuns(t *testing.T) {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write([]byte("packed text")); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	b64 := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	long := strings.Repeat("All is well here. ", 9)
	for _, tc := range []struct {
		name, text string
		want       []string
	}{
		{"prose", "There is nothing encoded in this sentence at all, anyway.", nil},
		{"a run", "see " + b64("hello, this is text") + ".", []string{"base64: hello, this is text"}},
		{"too short", "see " + b64("hello, it is") + ".", nil},
		{"letters beyond ASCII", b64("Größe: 4 €, ça va bien"), []string{"base64: Größe: 4 €, ça va bien"}},
		{"behind the path of a link", "/files/" + b64("hello, this is text"), []string{"base64: hello, this is text"}},
		{"behind a name", "run_" + strings.TrimRight(base64.URLEncoding.EncodeToString([]byte("hello>>this??is~text")), "="), []string{"base64: hello>>this??is~text"}},
		{"lines", "x:\n" + b64(long)[:76] + "\n" + b64(long)[76:152] + "\n" + b64(long)[152:] + "\nRegards,", []string{"base64: " + long}},
		{"lines of their own", b64("this is the first one") + "\n" + b64("this is the second"), []string{"base64: this is the first one", "base64: this is the second"}},
		{"compressed", base64.StdEncoding.EncodeToString(packed.Bytes()), []string{"base64+gzip: packed text"}},
		{"compressed and cut off", base64.StdEncoding.EncodeToString(packed.Bytes()[:len(packed.Bytes())-8]), []string{"base64+gzip: packed text"}},
		{"hex", "0x" + hex.EncodeToString([]byte("hello, this is text")), []string{"hex: hello, this is text"}},
		{"a digest", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", nil},
		{"a UUID", "6f9619ff-8b86-d011-b42d-00cf4fc964ff", nil},
		{"a web token", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4ifQ.c2lnbmF0dXJlIG9mIGl0", []string{"base64: signature of it"}},
		{"a drawing", "data:image/svg+xml;base64," + b64("<svg>hello, this is text</svg>"), nil},
		{"another data URI", "data:text/plain;base64," + b64("hello, this is text"), []string{"base64: hello, this is text"}},
		{"text for a while", b64("a text and then " + strings.Repeat("\x00\x01\x02\x03", 20)), nil},
		{"percent", "q=%22a%20b%22", []string{"percent: q=\"a b\""}},
		{"percent that is none", "100%, %d of %5, %zz, %02d", nil},
		{"entities", "a &lt;b&gt; &#65;&#x42; &amp;lt; &copy; &#0; &#xZ;", []string{"html: a <b> AB &lt; &copy; &#0; &#xZ;"}},
		{"quoted-printable", "a=20=3D b=C3=A9 =zz", []string{"quoted_printable: a = bé =zz"}},
		{"assignments", "a=20; b=AB; c=\nd", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, open(tc.text)); diff != "" {
				t.Errorf("runs of %q (-want +got):\n%s", tc.text, diff)
			}
		})
	}
}

func TestWipe(t *testing.T) {
	text := []byte("see " + base64.StdEncoding.EncodeToString([]byte("hello, this is text")) + " and %41 &amp; more")
	var o view.Opened
	var texts [][]byte
	for _, r := range view.Runs(nil, text) {
		if !o.Open(text, r, 1000) {
			t.Fatalf("no text in %+v", r)
		}
		texts = append(texts, o.Text)
	}
	o.Wipe()
	for _, b := range texts {
		if len(bytes.Trim(b, "\x00")) > 0 {
			t.Errorf("%q is left", b)
		}
	}
	var d view.Decoder
	v := d.Decode([]byte(`a\nsecret and more of it`), view.UTF8).Text
	d.Decode([]byte(`a\nb`), view.UTF8)
	d.Wipe()
	if len(bytes.Trim(v, "\x00")) > 0 {
		t.Errorf("%q is left", v)
	}
}

// Every part of what a run holds is what one reads at the place that it is mapped to.
func FuzzOpened(f *testing.F) {
	for _, s := range []string{
		"see aGVsbG8sIHRoaXMgaXMgdGV4dCwgYW5kIG1vcmU=", "68656c6c6f2c2074686973206973207465787420", "q=%22a%20b%22 and %C3%A9", "a &lt;b&gt; &#65;&#x42; &#128512;",
		"a=20=3D b=C3=A9 and so on\n", "H4sIAAAAAAAA/ypITM5OTVEoSa0oAQQAAP//vC5ZHwsAAAA=", "eJwrSEzOTk1RKEmtKAEAGXoERg==",
		strings.Repeat("QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9w", 2) + "\n  " + strings.Repeat("QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9w", 2) + "\nQUJD",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var o, again view.Opened
		for _, r := range view.Runs(nil, text) {
			if r.At < 0 || r.From < 0 || r.To > len(text) || r.From > r.To {
				t.Fatalf("%+v in %d bytes", r, len(text))
			}
			if !o.Open(text, r, 1<<16) {
				continue
			}
			last := r.From
			for i := range o.Text {
				from, to := o.Start(i), o.End(i+1)
				if from < last || to < from || to > r.To {
					t.Fatalf("byte %d of %+v maps to [%d,%d) after %d", i, r, from, to, last)
				}
				last = from
				if o.Whole || i%7 != 0 {
					continue
				}
				// Of base64 one reads from where a group of four begins.
				j, begin := min(len(o.Text), i+9), i
				if r.Code == view.Base64 {
					begin = i / 3 * 3
				}
				part := view.Run{Code: r.Code, From: o.Start(begin), To: o.End(j)}
				if again.Open(text, part, 1<<16); !again.Whole && !bytes.Contains(again.Text, o.Text[i:j]) {
					t.Fatalf("bytes %d to %d of %+v: %q does not hold %q", i, j, r, again.Text, o.Text[i:j])
				}
			}
		}
		o.Wipe()
	})
}

// Runs stand in the text, those of one code in order, whatever the text is.
func FuzzRuns(f *testing.F) {
	f.Add([]byte(strings.Repeat("z", 63) + "/0x" + strings.Repeat("z", 60)))
	f.Add([]byte("eyJlblmD0UR69eQw5NliV2J1cB.JgioxR_eU-awg4MtpNg1cPwYsootdH7_ypxS a/b-c_d+e0x/0x"))
	f.Add([]byte("data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAA\r\n  iVBORw0KGgoAAAANSUhEUgAA=="))
	f.Fuzz(func(t *testing.T, text []byte) {
		next := map[view.Code]int{}
		for _, r := range view.Runs(nil, text) {
			code := max(r.Code, view.Hex) // Base64 and Hex are looked for together.
			if r.At < next[code] || r.At >= len(text) || r.From < 0 || r.To <= r.From || r.To > len(text) {
				t.Fatalf("run %+v behind %d of %d bytes", r, next[code], len(text))
			}
			next[code] = r.At + 1
		}
	})
}
