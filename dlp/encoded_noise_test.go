package dlp_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"image"
	"image/png"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/outband/outband/dlp"
	"github.com/outband/outband/dlp/view"
)

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
