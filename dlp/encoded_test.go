package dlp_test

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"mime/quotedprintable"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"github.com/outband/outband/dlp"
)

// coding writes a text in a code, and reads a part of what it wrote, which may begin and end with characters that hold more than the part.
type coding struct {
	name     string
	encoding []string
	write    func(string) string
	read     func(string) string
}

func compress(text string) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(text)); err != nil {
		panic(err)
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func lines(s, end string, size int) string {
	var b strings.Builder
	for len(s) > size {
		b.WriteString(s[:size] + end)
		s = s[size:]
	}
	return b.String() + s
}

func utf16le(s string) []byte {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = append(b, byte(u), byte(u>>8))
	}
	return b
}

func percent(s string) string {
	var b strings.Builder
	for i, c := range []byte(s) {
		if i%3 == 0 || c <= ' ' || strings.IndexByte(`"%&+=/:?#`, c) >= 0 {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// window decodes base64 from any character on.
func window(s string) string {
	s = strings.Map(func(c rune) rune {
		switch c {
		case '-':
			return '+'
		case '_':
			return '/'
		case '\n', '\r', ' ', '=':
			return -1
		}
		return c
	}, s)
	var all []string
	for lead := range 4 {
		b, _ := base64.RawStdEncoding.DecodeString(strings.Repeat("A", lead) + s)
		all = append(all, string(b))
	}
	return strings.Join(all, "\n")
}

var codings = []coding{
	{"base64", []string{"base64"}, func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }, window},
	{"base64 for URLs", []string{"base64"}, func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }, window},
	{"base64 in lines", []string{"base64"}, func(s string) string { return lines(base64.StdEncoding.EncodeToString([]byte(s)), "\r\n", 76) }, window},
	{"base64 in indented lines", []string{"base64"}, func(s string) string { return lines(base64.StdEncoding.EncodeToString([]byte(s)), "\n    ", 64) }, window},
	{"base64 of UTF-16", []string{"base64"}, func(s string) string { return base64.StdEncoding.EncodeToString(utf16le(s)) }, func(s string) string {
		return strings.ReplaceAll(window(s), "\x00", "")
	}},
	{"base64 twice", []string{"base64", "base64"}, func(s string) string {
		return base64.StdEncoding.EncodeToString([]byte("data: " + base64.StdEncoding.EncodeToString([]byte(s))))
	}, nil},
	{"hex", []string{"hex"}, func(s string) string { return hex.EncodeToString([]byte(s)) }, func(s string) string {
		b, _ := hex.DecodeString(s)
		return string(b)
	}},
	{"hex with its prefix", []string{"hex"}, func(s string) string { return "0x" + strings.ToUpper(hex.EncodeToString([]byte(s))) }, func(s string) string {
		b, _ := hex.DecodeString(s)
		return string(b)
	}},
	{"gzip", []string{"base64", "gzip"}, func(s string) string { return base64.StdEncoding.EncodeToString(compress(s)) }, nil},
	{"zlib", []string{"base64", "zlib"}, func(s string) string {
		var b bytes.Buffer
		w := zlib.NewWriter(&b)
		if _, err := w.Write([]byte(s)); err != nil {
			panic(err)
		}
		if err := w.Close(); err != nil {
			panic(err)
		}
		return base64.StdEncoding.EncodeToString(b.Bytes())
	}, nil},
	{"gzip in hex", []string{"hex", "gzip"}, func(s string) string { return hex.EncodeToString(compress(s)) }, nil},
	{"percent", []string{"percent"}, percent, func(s string) string {
		var b []byte
		for i := 0; i < len(s); i++ {
			if s[i] == '%' && i+2 < len(s) {
				c, _ := hex.DecodeString(s[i+1 : i+3])
				b, i = append(b, c...), i+2
				continue
			}
			b = append(b, s[i])
		}
		return string(b)
	}},
	{"entities", []string{"html"}, func(s string) string {
		var b strings.Builder
		for i, c := range s {
			switch i % 3 {
			case 0:
				fmt.Fprintf(&b, "&#%d;", c)
			case 1:
				fmt.Fprintf(&b, "&#x%X;", c)
			default:
				b.WriteString(html.EscapeString(string(c)))
			}
		}
		return b.String()
	}, html.UnescapeString},
	{"quoted-printable", []string{"quoted_printable"}, func(s string) string {
		b, column := new(strings.Builder), 0
		b.WriteString("\r\n")
		for i, c := range []byte("Dear colleagues, the values are here, please keep them safe. Dear colleagues, once more: " + s + " So far.") {
			out := string(c)
			if i%3 == 0 || c == '=' || c < ' ' {
				out = fmt.Sprintf("=%02X", c)
			}
			if column+len(out) > 74 {
				b.WriteString("=\r\n")
				column = 0
			}
			b.WriteString(out)
			column += len(out)
		}
		return b.String()
	}, func(s string) string {
		b, _ := io.ReadAll(quotedprintable.NewReader(strings.NewReader(s)))
		return string(b)
	}},
	{"percent in entities", []string{"html", "percent"}, func(s string) string { return strings.ReplaceAll(percent(s), "%", "&#37;") }, nil},
	{"base64 in percent", []string{"percent", "base64"}, func(s string) string {
		return "%22" + strings.ReplaceAll(base64.StdEncoding.EncodeToString([]byte(s)), "=", "%3D") + "%22"
	}, nil},
}

// plants are values of several detectors, and the words that stand before them.
func plants(t testing.TB) map[string][2]string {
	key := expand(t, "{base64:1500}")
	return map[string][2]string{
		"secret.aws_access_key_id": {"key id: ", expand(t, "AKIA{base32:16}")},
		"secret.github_pat":        {"token ", expand(t, "ghp_{github:0}")},
		"financial.card":           {"card: ", "5555 5555 5555 4444"},
		"national_id.us_ssn":       {"my ssn is ", "536-22-8714"},
		"contact.email":            {"write to me at ", "mia@weber-home.de"},
		"secret.private_key":       {"", "-----BEGIN PRIVATE KEY-----\n" + lines(key, "\n", 64) + "\n-----END PRIVATE KEY-----"},
	}
}

func TestEncoded(t *testing.T) {
	e := engine(t, dlp.Configuration{})
	for _, c := range codings {
		for detector, plant := range plants(t) {
			t.Run(c.name+" "+detector, func(t *testing.T) {
				run := c.write(plant[0] + plant[1] + " so far")
				text := "First line.\nSecond line: " + run + " and more.\nThird line.\n"
				var got []dlp.Match
				for _, m := range scan(t, e, text) {
					if m.Detector == detector {
						got = append(got, m)
					}
				}
				if len(got) != 1 {
					t.Fatalf("%d matches of %q: %v", len(got), text, scan(t, e, text))
				}
				m := got[0]
				if !slices.Equal(m.Encoding, c.encoding) {
					t.Errorf("encoding %v, want %v", m.Encoding, c.encoding)
				}
				if why := e.Why(m); !slices.Equal(why.Encoding, c.encoding) || m.Base == 0 || len(why.Steps) == 0 || why.Steps[0].Delta != m.Base {
					t.Errorf("it says why as %+v", why)
				}
				if m.Line != 1+strings.Count(text[:m.Start], "\n") {
					t.Errorf("line %d", m.Line)
				}
				plain := scan(t, e, plant[0]+plant[1]+" so far")
				at := slices.IndexFunc(plain, func(p dlp.Match) bool { return p.Detector == detector })
				if at < 0 || m.Value != plain[at].Value || m.Fingerprint != plain[at].Fingerprint || m.Masked != plain[at].Masked || m.Confidence > plain[at].Confidence {
					t.Errorf("%+v differs from %+v", m, plain)
				}
				span := text[m.Start:m.End]
				if slices.Contains([]string{"gzip", "zlib"}, c.encoding[len(c.encoding)-1]) {
					if strings.TrimRight(run, "=") != span {
						t.Errorf("span is not the run: %q", span)
					}
					return
				}
				if c.read != nil && !strings.Contains(c.read(span), plant[1]) {
					t.Errorf("span %q does not hold the value", span)
				}
				if len(span) > 8*(len(plant[1])+4) {
					t.Errorf("span %q is longer than the value", span)
				}
			})
		}
	}
}

// A match in the text as it stands is not found again in what it was decoded to.
func TestNothingIsFoundTwice(t *testing.T) {
	e := engine(t, dlp.Configuration{})
	for _, text := range []string{
		"https://a.example/?to=mia@weber-home.de&amp;x=%20y",
		"mail mia@weber-home.de &amp; call +49 30 901820 &#33;",
		"see%20this: card 4111 1111 1111 1111, ssn 536-22-8714 %20",
		"Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("admin:Tz8!kkLm9qR2vv")),
		expand(t, "token: eyJ{base64:20}."+base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"mia@weber-home.de","iat":1700000000}`))+".{base64:43}"),
	} {
		seen := map[string]int{}
		for _, m := range scan(t, e, text) {
			if seen[m.Detector]++; seen[m.Detector] > 1 || m.Encoding != nil {
				t.Errorf("%q: %+v", text, m)
			}
		}
	}
	text := "note: " + base64.StdEncoding.EncodeToString(compress("mia@weber-home.de, tom@weber-home.de, card 4111 1111 1111 1111 "+strings.Repeat("and so on ", 40)))
	var got []string
	for _, m := range scan(t, e, text) {
		got = append(got, m.Detector)
	}
	if diff := cmp.Diff([]string{"contact.email", "contact.email", "financial.card"}, got); diff != "" {
		t.Errorf("matches in one compressed run (-want +got):\n%s", diff)
	}
}

// Runs that are longer than a block and its margins are read in pieces, wherever the blocks begin.
func TestLongRuns(t *testing.T) {
	whole := engine(t, dlp.Configuration{})
	small := engine(t, dlp.Configuration{BlockSize: 5000})
	var b strings.Builder
	want := 0
	size := 70_000
	if raceEnabled {
		size = 25_000
	}
	for i := 0; b.Len() < size; i++ {
		fmt.Fprintf(&b, "%d: %s\n", i, strings.Repeat("All is well here. ", i%29))
		if i%7 == 0 {
			line, err := dlp.Expand(fmt.Sprint(i), "this key is AKIA{base32:16}, and so on\n")
			if err != nil {
				t.Fatal(err)
			}
			b.WriteString(line)
			want++
		}
	}
	for _, c := range codings[:15] {
		if slices.Contains(c.encoding, "gzip") || slices.Contains(c.encoding, "zlib") {
			continue // Of these the first piece is read.
		}
		t.Run(c.name, func(t *testing.T) {
			text := "It begins.\n" + c.write(b.String()) + "\nIt ends with mia@weber-home.de.\n"
			res, err := whole.Scan([]byte(text), testKeys)
			if err != nil || res.Truncated || res.Undecoded {
				t.Fatalf("truncated %t, undecoded %t, %v", res.Truncated, res.Undecoded, err)
			}
			got, values := 0, map[string]bool{}
			for _, m := range res.Matches {
				if m.Detector == "secret.aws_access_key_id" {
					got++
					values[m.Value] = true
				}
				if m.Line != 1+strings.Count(text[:m.Start], "\n") {
					t.Fatalf("%+v is on line %d", m, 1+strings.Count(text[:m.Start], "\n"))
				}
			}
			if got != want || len(values) != want {
				t.Errorf("%d keys, %d different ones, want %d", got, len(values), want)
			}
			blocks, err := small.Scan([]byte(text), testKeys)
			if diff := cmp.Diff(res, blocks); diff != "" || err != nil {
				t.Errorf("Scan in blocks: %v (-want +got):\n%s", err, diff)
			}
			read, _, err := small.ScanReader(t.Context(), strings.NewReader(text), testKeys, 1<<30)
			if diff := cmp.Diff(res, read); diff != "" || err != nil {
				t.Errorf("ScanReader: %v (-want +got):\n%s", err, diff)
			}
		})
	}
}

func FuzzEncoded(f *testing.F) {
	e, small := engine(f, dlp.Configuration{}), engine(f, dlp.Configuration{BlockSize: 256})
	for i := range codings {
		f.Add("my ssn is 536-22-8714, mail mia@weber-home.de, password=Tz8!kkLm9", uint8(i), uint8(3*i))
	}
	f.Fuzz(func(t *testing.T, text string, first, second uint8) {
		if len(text) > 1000 {
			return // Blocks this small cost too much.
		}
		text = "a " + codings[int(first)%len(codings)].write(text) + " b"
		if second%2 == 0 {
			text = "c " + codings[int(second/2)%len(codings)].write(text) + " d"
		}
		checkMatches(t, e, text)
		want, err := e.Scan([]byte(text), testKeys)
		if err != nil {
			t.Fatal(err)
		}
		got, err := small.Scan([]byte(text), testKeys)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Fatalf("Scan in blocks: %v (-want +got):\n%s", err, diff)
		}
	})
}

// Of a value that is a secret in its code, and holds another one, the more specific is shown and names the other.
func TestTheMoreSpecificOfTwoCodes(t *testing.T) {
	e := engine(t, dlp.Configuration{})
	key := expand(t, "ghp_{github:0}")
	text := "apiVersion: v1\nkind: Secret\ndata:\n  api_key: " + base64.StdEncoding.EncodeToString([]byte(key)) + "\n"
	got := scan(t, e, text)
	if len(got) != 1 || got[0].Detector != "secret.github_pat" || got[0].Line != 4 || len(got[0].Also) == 0 || !slices.Equal(got[0].Encoding, []string{"base64"}) {
		t.Errorf("%q: %+v", text, got)
	}
}

// A code within an escaped string, and in a text in UTF-16, is found at its bytes.
func TestEncodedInOtherViews(t *testing.T) {
	e := engine(t, dlp.Configuration{BlockSize: 64})
	run := base64.StdEncoding.EncodeToString([]byte("the card is 5555 5555 5555 4444, so far"))
	want := run[len("the card is ")/3*4 : len("the card is 5555 5555 5555 4444")/3*4+2]
	plain := "Zeile eins.\nZeile zwei, „ß“: " + run + "\n"
	escaped, err := json.Marshal(strings.ReplaceAll(plain, run, run[:20]+"\u00ad"+run[20:]))
	if err != nil {
		t.Fatal(err)
	}
	escaped = bytes.ReplaceAll(escaped, []byte("\u00ad"), []byte(`\u00ad`))
	for _, tc := range []struct {
		name, text, want string
		line             int
	}{
		{"UTF-16", string(utf16le(plain)), string(utf16le(want)), 2},
		{"an escaped string", string(escaped), want[:4] + `\u00ad` + want[4:], 1},
		{"letters that look alike", "see АKIАIOSFODNN7QXMPLЕK", "АKIАIOSFODNN7QXMPLЕK", 1},
	} {
		for name, scan := range map[string]func() (dlp.Result, error){
			"Scan": func() (dlp.Result, error) { return e.Scan([]byte(tc.text), testKeys) },
			"ScanReader": func() (dlp.Result, error) {
				res, _, err := e.ScanReader(t.Context(), iotest.HalfReader(strings.NewReader(tc.text)), testKeys, 1<<20)
				return res, err
			},
		} {
			res, err := scan()
			if err != nil || len(res.Matches) != 1 {
				t.Errorf("%s of %s: %v, %v", name, tc.name, res.Matches, err)
				continue
			}
			if m := res.Matches[0]; tc.text[m.Start:m.End] != tc.want || m.Line != tc.line {
				t.Errorf("%s of %s: %q on line %d, want %q", name, tc.name, tc.text[m.Start:m.End], m.Line, tc.want)
			}
		}
	}
}
