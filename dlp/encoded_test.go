package dlp_test

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"html"
	"image"
	"image/png"
	"io"
	"math/big"
	"math/rand/v2"
	"mime/quotedprintable"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"github.com/outband/outband/dlp"
	"github.com/outband/outband/dlp/view"
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

// certificate makes a certificate of someone with an address, and says nothing about its key.
func certificate(t *testing.T, rng *rand.ChaCha8) string {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rng)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "shop.acme.example", Organization: []string{"Acme"}},
		EmailAddresses: []string{"mia@weber-home.de"}, DNSNames: []string{"shop.acme.example", "www.acme.example"}, NotAfter: time.Unix(2_000_000_000, 0),
	}
	der, err := x509.CreateCertificate(rng, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// What is random, or a picture, or the shape of a program, yields nothing when it is taken for encoded text.
func TestEncodedNoise(t *testing.T) {
	e := engine(t, dlp.Configuration{})
	rng := rand.NewChaCha8([32]byte{1})
	blob := func(n int) []byte {
		b := make([]byte, n)
		// Read never fails.
		_, _ = rng.Read(b)
		return b
	}
	texts := map[string]string{}
	for i := range 200 {
		b := blob(16 + 7*i)
		texts[fmt.Sprintf("base64 %d", i)] = "blob " + base64.StdEncoding.EncodeToString(b) + " end"
		texts[fmt.Sprintf("base64 for URLs %d", i)] = "blob " + base64.RawURLEncoding.EncodeToString(b) + " end"
		texts[fmt.Sprintf("hex %d", i)] = "blob " + hex.EncodeToString(b) + " end"
		texts[fmt.Sprintf("lines %d", i)] = "blob\n" + lines(base64.StdEncoding.EncodeToString(b), "\n", 64) + "\nend"
	}
	for i := range 20 {
		texts[fmt.Sprintf("commit %d", i)] = "commit " + hex.EncodeToString(blob(20)) + "\nMerge: " + hex.EncodeToString(blob(4)) + "\n"
		texts[fmt.Sprintf("integrity %d", i)] = `<script src="/app.js" integrity="sha384-` + base64.StdEncoding.EncodeToString(blob(48)) + `"></script>`
		texts[fmt.Sprintf("lock %d", i)] = `"integrity": "sha512-` + base64.StdEncoding.EncodeToString(blob(64)) + `"`
		texts[fmt.Sprintf("certificate %d", i)] = certificate(t, rng)
	}
	picture := image.NewGray(image.Rect(0, 0, 64, 64))
	copy(picture.Pix, blob(len(picture.Pix)))
	var file bytes.Buffer
	if err := png.Encode(&file, picture); err != nil {
		t.Fatal(err)
	}
	texts["picture"] = `<img src="data:image/png;base64,` + base64.StdEncoding.EncodeToString(file.Bytes()) + `">`
	texts["picture in lines"] = "Content-Transfer-Encoding: base64\n\n" + lines(base64.StdEncoding.EncodeToString(file.Bytes()), "\r\n", 76)
	texts["drawing"] = `url("data:image/svg+xml;base64,` + base64.StdEncoding.EncodeToString([]byte(`<svg><desc>mia@weber-home.de</desc><path d="M4111 1111 1111 1111"/></svg>`)) + `")`
	texts["minified script"] = strings.Repeat(`!function(e,t){"object"==typeof exports&&"undefined"!=typeof module?t(exports):t((e=e||self).app={})}(this,function(e){e.isAbsoluteURLWithCredentialsOrPort=function(t){return/^([a-z][a-z\d+\-.]*:)?\/\//i.test(t)&&!0&t.indexOf("%2F")&&"&amp;"!==t}});`, 20)
	texts["names and paths"] = "src/internal/application/controllers/AbstractConfigurationPropertiesFactoryBean.java calls getApplicationConfigurationOrDefaultValueForTenant in /usr/local/lib/python3/site_packages/google_auth_oauthlib_interactive\n"
	texts["formats"] = `log.Printf("%02d:%02d %5d%% %20s %x", h, m, 100, name, sum); x=10; y=3D; if a&lt;b {}`
	for name, text := range texts {
		for _, m := range scan(t, e, text) {
			t.Errorf("%s: %+v", name, m)
		}
	}
}

// What is made to cost much, or to hide, is bounded, and says when something was left out.
func TestEncodedBounds(t *testing.T) {
	e := engine(t, dlp.DefaultConfiguration())
	b64 := base64.StdEncoding.EncodeToString
	bomb := b64(compress(strings.Repeat("\n", 1<<20)))
	inner := b64([]byte(strings.Repeat(bomb+" ", 8)))
	for _, tc := range []struct {
		name, text string
		undecoded  bool
	}{
		{"a compressed bomb", bomb, true},
		{"bombs in a bomb", strings.Repeat(b64(compress(strings.Repeat(bomb+"\n", 100)))+"\n", 50), true},
		{"bombs in base64", strings.Repeat(inner+"\n", 20), true},
		{"many small runs", strings.Repeat(b64([]byte("a short line of text"))+" ", 8000), false},
		{"many small compressed runs", strings.Repeat(b64(compress("a"))+" ", 4000), false},
		{"all codes at once", strings.Repeat("%41&#65;=41=3D ", 50000), true},
		{"damaged compression", "H4sIAAAAAAAA" + strings.Repeat("AAAAzzzz", 1000), false},
		{"a long compressed run", b64(compress(string(bytes.Join(raw(documents(t, 200_000, true)), nil)))), true},
		{"lines that get shorter", ladder(), false},
	} {
		start := time.Now()
		res, err := e.Scan([]byte(tc.text), testKeys)
		if err != nil || res.Truncated || res.Undecoded != tc.undecoded {
			t.Errorf("%s: truncated %t, undecoded %t, %v", tc.name, res.Truncated, res.Undecoded, err)
		}
		if took := time.Since(start); !raceEnabled && took > 5*time.Second {
			t.Errorf("%s: %v for %d bytes", tc.name, took, len(tc.text))
		}
	}
	deep := "my card: 5555 5555 5555 4444"
	for range 3 {
		deep = b64([]byte("data " + deep))
	}
	if got := scan(t, e, deep); len(got) > 0 {
		t.Errorf("three codes deep: %+v", got)
	}
}

// ladder is lines of base64, each of which another could go on.
func ladder() string {
	var b strings.Builder
	for range 20 {
		for n := 1000; n >= 40; n -= 4 {
			b.WriteString(strings.Repeat("QUJD", n/4) + "\n")
		}
	}
	return b.String()
}

func TestDecodedTextAllocatesLittle(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes sync.Pool forget at random")
	}
	e := engine(t, dlp.Configuration{})
	text := []byte(strings.Repeat(base64.StdEncoding.EncodeToString([]byte(strings.Repeat("nothing of interest in here; ", 20)))+"\nand %20 more &amp; more\n", 50))
	if n := testing.AllocsPerRun(20, func() {
		if res, err := e.Scan(text, testKeys); err != nil || len(res.Matches) > 0 {
			t.Fatal(res.Matches, err)
		}
	}); n >= 1 {
		t.Errorf("%v allocations", n)
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

// What looking for runs costs where there are none.
func BenchmarkRuns(b *testing.B) {
	text := bytes.Join(raw(documents(b, 4<<20, true)), nil)
	var runs []view.Run
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		runs = view.Runs(runs[:0], text)
	}
	b.ReportMetric(float64(len(runs)), "runs")
}

// Every line is base64 of text, and the worst that was thought of.
func BenchmarkScanEncoded(b *testing.B) {
	plain := bytes.Join(raw(documents(b, 3<<20, false)), nil)
	bomb := base64.StdEncoding.EncodeToString(compress(strings.Repeat("password: token key 12 34 @\n", 10000)))
	for _, bc := range []struct{ name, text string }{
		{"base64", lines(base64.StdEncoding.EncodeToString(plain), "\n", 76)},
		{"codes", strings.Repeat("%41&#65;=41=3D ", 1<<17)},
		{"runs", strings.Repeat(base64.StdEncoding.EncodeToString([]byte("a short line of text"))+" ", 1<<16)},
		{"bombs", strings.Repeat(base64.StdEncoding.EncodeToString(compress(strings.Repeat(bomb+"\n", 100)))+"\n", 200)},
	} {
		b.Run(bc.name, func(b *testing.B) {
			e := compile(b, builtin(b))
			perCore(b, len(bc.text), func() { scanAll(b, e, [][]byte{[]byte(bc.text)}) })
		})
	}
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
