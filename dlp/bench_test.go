package dlp_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/outband/outband/dlp"
)

// corpus makes n bytes of chats in JSON, prose, code and log lines; with planted values in a third of the documents when dirty.
func corpus(tb testing.TB, n int, dirty bool) []byte {
	rng := rand.New(rand.NewPCG(7, 11))
	words := strings.Fields("the a of and to in is it for on with as at by from this that report meeting budget customer service deploy cluster " +
		"pipeline token value request error please could would summary draft review access user account password policy number secret key")
	sentence := func(k int) string {
		var b strings.Builder
		for i := range k {
			if i > 0 {
				b.WriteByte(' ')
			}
			b.WriteString(words[rng.IntN(len(words))])
		}
		return b.String() + ". "
	}
	planted := []string{"card 4111 1111 1111 1111", "SSN 536-22-8714", "DE89 3704 0044 0532 0130 00", "mia@weber-home.de", "+49 30 901820", "ghp_{github:0}", "AWS_SECRET_ACCESS_KEY={base64:40}", "password=Tz8!kkLm9"}
	decoys := []string{"4111 1111 1111 1112", "000-12-3456", "6f9619ff-8b86-d011-b42d-00cf4fc964ff", "9fceb02d0ae598e95dc970b74767f19372d61af8", "1700000000123456"}
	var b strings.Builder
	for b.Len() < n {
		text := sentence(12) + sentence(20)
		if dirty && rng.IntN(3) == 0 {
			v, err := dlp.Expand(fmt.Sprint(b.Len()), planted[rng.IntN(len(planted))])
			if err != nil {
				tb.Fatal(err)
			}
			text += v + " " + decoys[rng.IntN(len(decoys))] + "\n" + sentence(8)
		}
		switch rng.IntN(10) {
		case 0, 1, 2, 3, 4:
			j, err := json.Marshal(map[string]any{"id": rng.IntN(1 << 30), "role": "user", "text": text + sentence(30) + "\n" + sentence(10)})
			if err != nil {
				tb.Fatal(err)
			}
			b.Write(j)
		case 5, 6:
			b.WriteString(text + sentence(40))
		case 7, 8:
			fmt.Fprintf(&b, "// %s\nfunc handle%d(v int) error {\n\tif v > %d {\n\t\treturn fmt.Errorf(\"handle %%d: out of range\", v)\n\t}\n\treturn nil\n}\n", text, rng.IntN(1000), rng.IntN(1000))
		default:
			fmt.Fprintf(&b, "2026-03-01T10:22:%02dZ INFO request id=%x status=200 took=%dms msg=%q", rng.IntN(60), rng.Uint64(), rng.IntN(900), text)
		}
		b.WriteByte('\n')
	}
	return []byte(b.String()[:n])
}

func benchmarkScan(b *testing.B, text []byte) {
	e := engine(b, dlp.Configuration{})
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := e.Scan(text, testKeys); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkScan(b *testing.B) { benchmarkScan(b, corpus(b, 4<<20, true)) }

func BenchmarkScanClean(b *testing.B) { benchmarkScan(b, corpus(b, 4<<20, false)) }

func BenchmarkNew(b *testing.B) {
	all := builtin(b)
	for b.Loop() {
		if _, err := dlp.New(all, dlp.Configuration{}); err != nil {
			b.Fatal(err)
		}
	}
}

// naive is the engine without its ideas: one expression for each detector, each over the whole text.
func naive(tb testing.TB) []*regexp.Regexp {
	classes := map[string]string{"hex": "0-9a-f", "hexany": "0-9a-fA-F", "alnum": "0-9A-Za-z", "base32": "A-Z2-7", "upper": "0-9A-Z", "base64": "0-9A-Za-z+/=", "base64url": "0-9A-Za-z_-", "printable": "!-~"}
	quote := func(list []string) string {
		out := make([]string, len(list))
		for i, s := range list {
			out[i] = regexp.QuoteMeta(s)
		}
		return "(?:" + strings.Join(out, "|") + ")"
	}
	var all []*regexp.Regexp
	for _, d := range builtin(tb) {
		class := d.Charset
		if c, ok := classes[class]; ok {
			class = c
		}
		run := fmt.Sprintf("[%s]{%d,%d}", class, min(d.Length.Min, 1000), min(d.Length.Max, 1000))
		var src string
		switch {
		case d.Kind == dlp.KindToken:
			src = quote(d.Prefixes) + run
		case d.Kind == dlp.KindAssignment:
			src = "(?i)" + quote(d.Keywords) + `[\w .-]{0,40}["']{0,2}\s{0,4}[:=]{1,3}\s{0,4}["']{0,2}` + run
		case d.Kind == dlp.KindPattern:
			src = d.Pattern
		case d.Scanner == "email":
			src = `[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,5}`
		case len(d.Keywords) > 0:
			src = quote(d.Keywords) + `[^\n]{0,200}`
		case len(d.Shapes) > 0:
			var forms []string
			for _, s := range d.Shapes {
				f := regexp.QuoteMeta(s.Shape)
				for old, repl := range map[string]string{"#": `\d`, "A": "[A-Z]", "~": "[ -]"} {
					f = strings.ReplaceAll(f, old, repl)
				}
				forms = append(forms, f)
			}
			src = `\b(?:` + strings.Join(forms, "|") + `)\b`
		default:
			continue
		}
		re, err := regexp.Compile(src)
		if err != nil {
			tb.Fatalf("%s: %v", d.ID, err)
		}
		all = append(all, re)
	}
	return all
}

// BenchmarkRatio times both on the same bytes in one run, because rates on shared machines cannot be compared.
func BenchmarkRatio(b *testing.B) {
	text := corpus(b, 256<<10, true)
	e, slow := engine(b, dlp.Configuration{}), naive(b)
	var fast, reference time.Duration
	for b.Loop() {
		start := time.Now()
		for range 8 {
			if _, err := e.Scan(text, testKeys); err != nil {
				b.Fatal(err)
			}
		}
		fast += time.Since(start) / 8
		start = time.Now()
		for _, re := range slow {
			re.FindAllIndex(text, -1)
		}
		reference += time.Since(start)
	}
	b.ReportMetric(float64(reference)/float64(fast), "x-naive")
}
