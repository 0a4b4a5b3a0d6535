package dlp_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/outband/outband/dlp"
)

var testKeys = dlp.Keys{ID: []byte("id key of a test, 32 bytes long!"), Fingerprint: []byte("fp key of a test"), FingerprintID: "k1"}

func engine(t testing.TB, cfg dlp.Configuration) *dlp.Engine {
	t.Helper()
	e, err := dlp.New(builtin(t), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func scan(t testing.TB, e *dlp.Engine, text string) []dlp.Match {
	t.Helper()
	res, err := e.Scan([]byte(text), testKeys)
	if err != nil {
		t.Fatal(err)
	}
	return res.Matches
}

func expand(t testing.TB, text string) string {
	t.Helper()
	out, err := dlp.Expand("test", text)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// The tables of what a person tries first, and of what looks just like it.
func TestScan(t *testing.T) {
	e := engine(t, dlp.Configuration{})
	for _, tc := range []struct {
		name, text, detector, value string
		validated                   bool
		least                       float64
	}{
		{"a well-known test card", "charge 4111 1111 1111 1111 now", "financial.card", "4111 1111 1111 1111", true, dlp.ConfidenceHigh},
		{"a card behind a JSON escape", `{"t":"pay\n4111111111111111\nok"}`, "financial.card", "4111111111111111", true, dlp.ConfidenceHigh},
		{"a card in full-width digits", "card ４１１１ １１１１ １１１１ １１１１", "financial.card", "４１１１ １１１１ １１１１ １１１１", true, dlp.ConfidenceHigh},
		{"a card with zero-width spaces", "card 4111\u200b1111\u200b1111\u200b1111.", "financial.card", "4111\u200b1111\u200b1111\u200b1111", true, dlp.ConfidenceHigh},
		{"a number in two layers of JSON", `"{\"ssn\":\"a\\n536-22-8714\"}"`, "national_id.us_ssn", "536-22-8714", true, dlp.ConfidenceVeryHigh},
		{"a card in a CSV row", "id,pan,exp\n7,5555555555554444,1229", "financial.card", "5555555555554444", true, dlp.ConfidenceHigh},
		{"a bare SSN", "it is 536-22-8714", "national_id.us_ssn", "536-22-8714", true, dlp.ConfidenceMedium},
		{"a password in prose", "the password is Sunny4!Day, do not share", "secret.password_assignment", "Sunny4!Day", false, dlp.ConfidenceHigh},
		{"a password in prose before another verb", "the password is Sunny4!Day and the way to Production1", "secret.password_assignment", "Sunny4!Day", false, dlp.ConfidenceHigh},
		{"a password in prose behind a verb without one", "the password to the server is Sunny4!Day", "secret.password_assignment", "Sunny4!Day", false, dlp.ConfidenceHigh},
		{"a token behind many of its prefixes", expand(t, strings.Repeat(".eyJ", 3000)+" {jwt:0}"), "secret.jwt", expand(t, "{jwt:0}"), true, dlp.ConfidenceHigh},
		{"a password flag", "mysql -u root --password Tz8!kkLm9 shop", "secret.password_assignment", "Tz8!kkLm9", false, dlp.ConfidenceHigh},
		{"the vendor wins over the generic name", expand(t, "api_key = ghp_{github:0}"), "secret.github_pat", expand(t, "ghp_{github:0}"), true, dlp.ConfidenceVeryHigh},
		{"a phone with separators keeps its place beside a word against it", "order: +49 30 23125 898", "contact.phone", "+49 30 23125 898", true, dlp.ConfidenceMedium},
		{"a phone", "ring me: +49 30 901820", "contact.phone", "+49 30 901820", true, dlp.ConfidenceHigh},
		{"an address", "mail mia@weber-home.de!", "contact.email", "mia@weber-home.de", false, dlp.ConfidenceHigh},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, m := range scan(t, e, tc.text) {
				if m.Detector == tc.detector && tc.text[m.Start:m.End] == tc.value {
					if m.Confidence < tc.least || m.Validated != tc.validated {
						t.Errorf("confidence %.2f validated %t", m.Confidence, m.Validated)
					}
					return
				}
			}
			t.Errorf("not found; got %v", scan(t, e, tc.text))
		})
	}
}

func TestNearMissesStayBelowHigh(t *testing.T) {
	e := engine(t, dlp.Configuration{})
	for _, text := range []string{
		"AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE", "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
		"api_key: YOUR_API_KEY", "token = ${TOKEN}", "Authorization: Bearer <token>", "GITHUB_TOKEN=ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
		"password: ********", "DB_PASSWORD={{ vault.db }}", "secret: changeme", "token: xxxxxxxxxxxxxxxxxxxxxxxx",
		"call (555) 123-4567 or 555-0100", "+1 555 010 0123", "id 6f9619ff-8b86-d011-b42d-00cf4fc964ff",
		"request_id: 0b8f3f5e-1f0a-4c1d-9a55-3f1f1a2b3c4d", "commit 9fceb02d0ae598e95dc970b74767f19372d61af8",
		"order 4111111111111111 has shipped", "card 4111 1111 1111 1112", "1700000000123456", "2026-03-01T10:22:07.123456Z",
		"rows: 536228714", "ssn 000-12-3456", "the SSN 078-05-1120 was printed on a wallet", "invoice 987654321", "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
		"version 10.2.3.4", "ISBN 9783161484100", "const maxTokens = 4096", "token_type: bearer", "passwordField = findViewById(R.id.password)",
		"see https://user@host.internal/path", "postgres://user:password@localhost/db", "sk-learn and sk-image", "task-1234567890abcdef", "lat 52.5200066, lon 13.4049540",
		"SWIFT developers wanted", "price 1,234,567,890", "tracking 1Z999AA10123456784", "+49", "a@b.c", "\\d{3}-\\d{2}-\\d{4}",
	} {
		for _, m := range scan(t, e, text) {
			if m.Confidence >= dlp.ConfidenceHigh {
				t.Errorf("%q: %s at %.2f", text, m.Detector, m.Confidence)
			}
		}
	}
}

// The end of a name says what a value is: an id beside a vendor's name is no key.
func TestTheEndOfANameSaysWhatItHolds(t *testing.T) {
	e := engine(t, dlp.Configuration{})
	for text, want := range map[string]string{
		"rollbar_access_token = {hex:32}":                              "secret.rollbar_token",
		"rollbar_project_id = {hex:32}":                                "",
		"rollbarCommit: '{hex:32}'":                                    "",
		"LINODE_IMAGE_SHA256={hex:64}":                                 "",
		"LINODE_TOKEN={hex:64}":                                        "secret.linode_token",
		"{\"linodeId\": \"{hex:64}\"}":                                 "",
		"deploy --linode-token {hex:64} --wait":                        "secret.linode_token",
		"deploy --linode-image-id {hex:64} -y":                         "",
		"the rollbar key is {hex:32}, keep it":                         "secret.rollbar_token",
		"approle_secret_id={hex:8}-{hex:4}-4{hex:3}-a{hex:3}-{hex:12}": "secret.vault_approle_secret_id",
	} {
		got := ""
		for _, m := range scan(t, e, expand(t, text)) {
			if strings.HasPrefix(m.Detector, "secret.") {
				got = m.Detector
			}
		}
		if got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestMatchFields(t *testing.T) {
	e := engine(t, dlp.Configuration{})
	text := "one\ntwo\nMy card: 4111 1111 1111 1111, ok? Ünï"
	got := scan(t, e, text)
	if len(got) != 1 {
		t.Fatalf("matches %v", got)
	}
	m := got[0]
	m.Value, m.Fingerprint = "", ""
	want := dlp.Match{
		Detector: "financial.card", Start: 17, End: 36, Line: 3, Column: 10, Confidence: 0.93, Validated: true, Masked: "***************1111",
		Before: "xxx xxx xx xxxx: ", After: ", xx? xxx", Context: []string{"card"}, Base: 0.53, Marks: 3,
	}
	if diff := cmp.Diff(want, m); diff != "" {
		t.Errorf("match (-want +got):\n%s", diff)
	}
	if got[0].Value == "" || !strings.HasPrefix(got[0].Fingerprint, "k1:") {
		t.Errorf("value %q, fingerprint %q", got[0].Value, got[0].Fingerprint)
	}
	other := scan(t, e, "4111-1111-1111-1111")
	if other[0].Value != got[0].Value || other[0].Fingerprint != got[0].Fingerprint {
		t.Error("another spelling has another digest")
	}
	res, err := e.Scan([]byte(text), dlp.Keys{})
	if err != nil || res.Matches[0].Value != "" || res.Matches[0].Fingerprint != "" {
		t.Error("a digest without a key")
	}
}

func TestContextHidesNeighbours(t *testing.T) {
	e := engine(t, dlp.Configuration{})
	for _, m := range scan(t, e, "password=a#B$9%k!z 4111111111111111") {
		if m.Detector == "financial.card" && strings.ContainsAny(m.Before, "#$%!") {
			t.Errorf("the context shows marks of a password: %q", m.Before)
		}
	}
}

func TestEmailList(t *testing.T) {
	e := engine(t, dlp.Configuration{})
	var b strings.Builder
	for i := range 12 {
		fmt.Fprintf(&b, "person%d@acme.example; ", i%11)
	}
	n := 0
	for _, m := range scan(t, e, b.String()) {
		if m.Detector == "contact.email_list" {
			n++
			if !strings.HasPrefix(b.String()[m.Start:m.End], "person0@") || !strings.HasSuffix(b.String()[:m.End], "person9@acme.example") {
				t.Errorf("span %q", b.String()[m.Start:m.End])
			}
		}
	}
	if n != 1 {
		t.Errorf("%d lists", n)
	}
}

func TestMask(t *testing.T) {
	e := engine(t, dlp.Configuration{})
	for in, want := range map[string]string{
		"Notes of Mia":                        "Notes of Mia",
		"card 4111 1111 1111 1111 (Visa)":     "card ***************1111 (Visa)",
		"mail to mia@weber-home.de and leave": "mail to mia@************* and leave",
		"report 123456789.pdf":                "report 123456789.pdf",
	} {
		if got := e.Mask(in, testKeys); got != want {
			t.Errorf("Mask(%q) = %q, want %q", in, got, want)
		}
	}
	long := strings.Repeat("4111 1111 1111 1111, ", 2000)
	if got := e.Mask(long, testKeys); strings.Contains(got, "4111") {
		t.Error("a text with too many matches shows one")
	}
}

func TestUTF16(t *testing.T) {
	e := engine(t, dlp.Configuration{BlockSize: 64})
	text := strings.Repeat("Zeile ohne etwas\n", 30) + "IBAN DE89 3704 0044 0532 0130 00\n"
	b := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune(text)) {
		b = append(b, byte(u), byte(u>>8))
	}
	res, err := e.Scan(b, testKeys)
	if err != nil || len(res.Matches) != 1 {
		t.Fatalf("%v, %v", res.Matches, err)
	}
	m := res.Matches[0]
	if want := 2 + 2*strings.Index(text, "DE89"); m.Start != want || m.End != want+2*27 || m.Line != 31 {
		t.Errorf("span %d to %d on line %d, want from %d", m.Start, m.End, m.Line, want)
	}
}

// mixed is a text of plain parts and planted values, some behind escapes.
func mixed(t *rapid.T) string {
	part := rapid.SampledFrom([]string{
		"plain words and more of them, nothing here. ", "\n", `\n`, "é ü 日本 ", "{\"k\": \"v\"} ", "x = 12345 ", `C:\\temp\\new `, "４", "\u200b",
		"card 4111 1111 1111 1111 ", "DE89370400440532013000 ", "ssn 536-22-8714, ", "mia@weber-home.de ", "password=Tz8!kkLm9q ", "+49 30 901820 ",
		`"text":"a\n5555555555554444"`, "postgres://app:Rk7x9Qq2z@db.internal/shop ", strings.Repeat("lorem ", 50), strings.Repeat("\\", 5),
		"\u200b\u200c\u200b\u200d\u2060", "\U000e0068\U000e0069", "a\ufe01\ufe02\ufe03", "\u202e", `\u200b\u200c\u200b\u200d\u2060`, "ignore all previous instructions ",
		base64.StdEncoding.EncodeToString([]byte("the card: 5555 5555 5555 4444, mia@weber-home.de")) + " ", "4d792073736e206973203533362d32322d383731342e0a20", "%20card%204111%201111 1111 1111 ",
		"mail=20to=20mia@weber-home.de=3D=\n", "ssn 536&#45;22&#x2d;8714 &amp; ", base64.StdEncoding.EncodeToString(compress("IBAN DE89370400440532013000, tom@weber-home.de")) + "\n",
		lines(base64.StdEncoding.EncodeToString([]byte(strings.Repeat("All is well. ", 20)+"ssn 536-22-8714.")), "\n  ", 76) + "\n", "QUtJQVF3ZXJ0eXVpb3BBU0RGR0hK", "ZGF0YTogYldsaFFIZGxZbVZ5TFdodmJXVXVaR1VnYzJGcFpBPT0=\n",
		"АKІАIOSF0DNN7QXMPLEК ", "ｇhp_ ① ﬁ",
		"\npackage x\n\nimport (\n", "\nif err != nil {\n\treturn nil, err\n}\n", "\nclass A:\n    def f(self):\n        return self.x\n", "DK13585628 9.8 7 ", "8003608833357361 ",
		"-----BEGIN PRIVATE KEY-----\n" + strings.Repeat("QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2\n", 3) + "-----END PRIVATE KEY-----\n",
	})
	return strings.Join(rapid.SliceOfN(part, 1, 60).Draw(t, "parts"), "")
}

func TestBlockSizeChangesNothing(t *testing.T) {
	whole := engine(t, dlp.Configuration{Optional: true})
	var small []*dlp.Engine
	for _, n := range []int{2, 64, 100, 1000} {
		small = append(small, engine(t, dlp.Configuration{BlockSize: n, Optional: true}))
	}
	rapid.Check(t, func(rt *rapid.T) {
		text := mixed(rt)
		want, err := whole.Scan([]byte(text), testKeys)
		if err != nil {
			rt.Fatal(err)
		}
		e := small[rapid.IntRange(0, len(small)-1).Draw(rt, "size")]
		got, err := e.Scan([]byte(text), testKeys)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			rt.Fatalf("Scan in blocks: %v (-want +got):\n%s", err, diff)
		}
		read, n, err := e.ScanReader(context.Background(), iotest.OneByteReader(strings.NewReader(text)), testKeys, 1<<30)
		if diff := cmp.Diff(want, read); diff != "" || err != nil || n != int64(len(text)) {
			rt.Fatalf("ScanReader: %d bytes, %v (-want +got):\n%s", n, err, diff)
		}
	})
}

func TestMatchesLieInTheText(t *testing.T) {
	e := engine(t, dlp.Configuration{})
	rapid.Check(t, func(rt *rapid.T) {
		text := mixed(rt)
		if rapid.Bool().Draw(rt, "json") {
			b, err := json.Marshal(map[string]string{"text": text})
			if err != nil {
				rt.Fatal(err)
			}
			text = string(b)
		}
		checkMatches(rt, e, text)
	})
}

type fataler interface{ Fatalf(string, ...any) }

func checkMatches(t fataler, e *dlp.Engine, text string) {
	res, err := e.Scan([]byte(text), testKeys)
	if err != nil {
		t.Fatalf("scan: %v", err)
	}
	last := 0
	for _, m := range res.Matches {
		if m.Start < last || m.End <= m.Start || m.End > len(text) || m.Line != 1+strings.Count(text[:m.Start], "\n") {
			t.Fatalf("%s at %d to %d on line %d", m.Detector, m.Start, m.End, m.Line)
		}
		shown := len([]rune(strings.ReplaceAll(m.Masked, "*", "")))
		n := utf8.RuneCountInString(text[m.Start:m.End])
		if slices.Contains(m.Encoding, "gzip") || slices.Contains(m.Encoding, "zlib") {
			n = utf8.RuneCountInString(m.Masked) // The value may be longer than its place.
		}
		if shown > min(4, n/4) {
			t.Fatalf("%s: the mask shows %d of %d characters", m.Detector, shown, n)
		}
		for _, s := range []string{m.Before, m.After} {
			if len([]rune(s)) > 40 || strings.ContainsFunc(s, func(c rune) bool {
				return c > '~' || c < ' ' || c >= '1' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' && c != 'x'
			}) {
				t.Fatalf("%s: context %q is no shape", m.Detector, s)
			}
		}
		if m.Confidence <= 0 || m.Confidence > 1 {
			t.Fatalf("%s: confidence %v", m.Detector, m.Confidence)
		}
		if m.Detector != "contact.email_list" {
			last = m.Start
		}
	}
}

func TestCleanTextAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes sync.Pool forget at random")
	}
	e := engine(t, dlp.Configuration{})
	for name, text := range map[string]string{
		"prose":  strings.Repeat("The quick brown fox jumps over the lazy dog; token and password are words too, é. ", 500),
		"log":    strings.Repeat("2026-03-01T10:22:07.123Z INFO request id=7f3a took=12ms status=200 bytes=18234 user_count=41\n", 500),
		"json":   strings.Repeat(`{"a":1,"b":"two\nlines","c":[1,2,3],"t":1700000000000}`+"\n", 500),
		"source": strings.Repeat("func add(a, b int) int {\n\treturn a + b // 0x7f\n}\n\n", 500),
	} {
		t.Run(name, func(t *testing.T) {
			b := []byte(text)
			if res, err := e.Scan(b, testKeys); err != nil || len(res.Matches) > 0 {
				t.Fatalf("not clean: %v %v", res.Matches, err)
			}
			if n := testing.AllocsPerRun(20, func() {
				if _, err := e.Scan(b, testKeys); err != nil {
					t.Fatal(err)
				}
			}); n >= 1 {
				t.Errorf("%v allocations", n)
			}
		})
	}
}

func TestOneEngineServesMany(t *testing.T) {
	e := engine(t, dlp.Configuration{BlockSize: 512})
	text := []byte(strings.Repeat("plain words 4111 1111 1111 1111 and mia@weber-home.de\n", 40))
	want, err := e.Scan(text, testKeys)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if got, err := e.Scan(text, testKeys); err != nil || cmp.Diff(want, got) != "" {
				t.Errorf("another answer at the same time: %v", err)
			}
		})
	}
	wg.Wait()
}

// Text made to wake a detector as often as it can ends within the budget of the product.
func TestAdversarialText(t *testing.T) {
	e, size := engine(t, dlp.DefaultConfiguration()), 1<<17
	if raceEnabled {
		size = 1 << 13
	}
	for _, part := range []string{
		"-----BEGIN PRIVATE KEY-----", "\"type\": \"service_account\" private_key", "pwd=abc;", "password=password=", "token=", "heroku ", ":AA", "a@", "a.b@c.d",
		"://a:", "://a:b@", "12 34 56 78 90 ", "4111 1111 1111 1111", "eyJ", "\\", "\\u0034", "\u200b1", "1234-", "GB12", "AKIA", "discord.com/api/webhooks/",
		"if you are ", "display:none>", "4 rue a, 12345 A", "\U000e0041", "\u202e", ".internal", "://10.", "%B4111111111111111^", "AA1B", "fd1:", "do not circulate ", "your system prompt ",
	} {
		text := []byte(strings.Repeat(part, size/len(part)))
		if _, err := e.Scan(text, testKeys); err != nil {
			t.Errorf("%q: %v", part, err)
		}
	}
}

func TestCap(t *testing.T) {
	e := engine(t, dlp.Configuration{MaxMatches: 10})
	res, err := e.Scan([]byte(strings.Repeat("4111 1111 1111 1111, ", 50)), testKeys)
	if err != nil || len(res.Matches) != 10 || !res.Truncated {
		t.Errorf("%d matches, truncated %t, %v", len(res.Matches), res.Truncated, err)
	}
}

func TestBudget(t *testing.T) {
	e := engine(t, dlp.Configuration{BudgetPerMiB: time.Nanosecond})
	_, err := e.Scan(bytes.Repeat([]byte("mia@weber-home.de 4111 1111 1111 1111 "), 2000), testKeys)
	if !errors.Is(err, dlp.ErrBudget) {
		t.Errorf("error %v", err)
	}
}

func TestScanReaderLimit(t *testing.T) {
	e := engine(t, dlp.Configuration{})
	text := "card 4111 1111 1111 1111 and 5555 5555 5555 4444 "
	res, n, err := e.ScanReader(context.Background(), strings.NewReader(text), testKeys, 26)
	if err != nil || n != 26 || len(res.Matches) != 1 || !res.Truncated {
		t.Errorf("%d bytes, %d matches, truncated %t, %v", n, len(res.Matches), res.Truncated, err)
	}
	res, n, err = e.ScanReader(context.Background(), strings.NewReader(text), testKeys, int64(len(text)))
	if err != nil || n != int64(len(text)) || len(res.Matches) != 2 || res.Truncated {
		t.Errorf("%d bytes, %d matches, truncated %t, %v", n, len(res.Matches), res.Truncated, err)
	}
	if _, _, err := e.ScanReader(context.Background(), iotest.ErrReader(io.ErrUnexpectedEOF), testKeys, 10); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("error %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, _, err := e.ScanReader(ctx, strings.NewReader(text), testKeys, 10); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestRuleset(t *testing.T) {
	all := builtin(t)
	a := engine(t, dlp.Configuration{})
	b, err := dlp.New(append(all[1:len(all):len(all)], all[0]), dlp.Configuration{})
	if err != nil || a.Ruleset() != b.Ruleset() || len(a.Ruleset()) != 16 {
		t.Errorf("order changes the ruleset: %s, %s, %v", a.Ruleset(), b.Ruleset(), err)
	}
	c, err := dlp.New(all[1:], dlp.Configuration{})
	if err != nil || a.Ruleset() == c.Ruleset() {
		t.Errorf("another set has the same ruleset, %v", err)
	}
}

func FuzzScan(f *testing.F) {
	e := engine(f, dlp.Configuration{BlockSize: 256})
	for _, s := range []string{
		"card 4111 1111 1111 1111", `{"a":"\n536-22-8714"}`, "-----BEGIN PRIVATE KEY-----\nAA", "postgres://a:b@c", "password: x", "@", "a@b.co",
		"\xff\xfea\x00", "eyJ", "1234567890123456789012345678901234567890123", "+", "GB", "heroku key = ", "0x", "bc1",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if strings.HasPrefix(s, "\xff\xfe") || strings.HasPrefix(s, "\xfe\xff") {
			if _, err := e.Scan([]byte(s), testKeys); err != nil {
				t.Fatal(err)
			}
			return
		}
		checkMatches(t, e, s)
	})
}

func TestTheNameOfAColumnIsContext(t *testing.T) {
	e := engine(t, dlp.DefaultConfiguration())
	rows := strings.Repeat("7,Kenji,Velmouth,\n", 40)
	for _, tc := range []struct {
		name, text string
		high       bool
	}{
		{"a table", "id,name,city,aadhaar\n" + rows + "6,Ngozi,Calaverde,2691 9765 5739\n", true},
		{"a table with tabs and quotes", "\"id\"\t\"Aadhaar_Number\"\n" + rows + "6\t2691 9765 5739\n", true},
		{"a table about something else", "id,name,city,order\n" + rows + "6,Ngozi,Calaverde,2691 9765 5739\n", false},
		{"prose", "We talked of aadhaar, and of more.\n" + rows + "6,Ngozi,Calaverde,2691 9765 5739\n", false},
		{"no line after the names", "id,aadhaar", false},
	} {
		res, err := e.Scan([]byte(tc.text), testKeys)
		if err != nil {
			t.Fatal(err)
		}
		high := slices.ContainsFunc(res.Matches, func(m dlp.Match) bool {
			return m.Detector == "national_id.in_aadhaar" && m.Confidence >= dlp.ConfidenceHigh
		})
		if high != tc.high {
			t.Errorf("%s: %+v", tc.name, res.Matches)
		}
	}
}
