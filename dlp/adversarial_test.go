package dlp_test

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/outband/outband/dlp"
)

// hostile makes texts of about n bytes that wake one detector as often as they can, and let it find as little as they can. The key says which.
func hostile(tb testing.TB, d dlp.Detector, n int) map[string][]byte {
	out := map[string][]byte{}
	add := func(name, part string) {
		if part != "" {
			out[name] = []byte(strings.Repeat(part, max(1, n/len(part))))
		}
	}
	words := slices.Concat(d.Prefixes, d.Keywords)
	all := func(name, between string) {
		var b strings.Builder
		for i := 0; len(words) > 0 && b.Len() < n; i++ {
			b.WriteString(words[i%len(words)])
			b.WriteString(between)
		}
		if b.Len() > 0 {
			out[name] = []byte(b.String())
		}
	}
	all("keywords", "")
	all("keywords and blanks", " ")
	all("keywords in lines", "\n")
	fill := charsetSample(d.Charset)
	context := strings.Join(slices.Concat(d.Context[:min(len(d.Context), 4)], d.Negative[:min(len(d.Negative), 2)]), " ")
	for i, w := range words[:min(len(words), 3)] {
		add(fmt.Sprint("one keyword ", i), w)
		add(fmt.Sprint("keyword and operator ", i), w+"=")
		add(fmt.Sprint("keyword and verbs ", i), w+" is to was ")
		add(fmt.Sprint("keyword and longest gap ", i), w+strings.Repeat(" a", 20)+"= ")
		add(fmt.Sprint("keyword in a header ", i), w+",")
		if fill != "" {
			run := strings.Repeat(fill, d.Length.Max/len(fill)+2)
			add(fmt.Sprint("value one short ", i), w+"="+run[:max(d.Length.Min-1, 0)]+" ")
			add(fmt.Sprint("value one long ", i), w+"="+run[:d.Length.Max+1]+" ")
			add(fmt.Sprint("run one short ", i), w+run[:max(d.Length.Min-1, 0)]+" ")
			add(fmt.Sprint("run without an end ", i), w+run)
		}
	}
	for _, s := range d.Shapes {
		digits := strings.NewReplacer("#", "7", "A", "B", "X", "7", "~", " ").Replace(s.Shape)
		add("shape "+s.Shape, digits+" ")
		add("shape and context "+s.Shape, digits+" "+context+" ")
		add("shape glued "+s.Shape, digits)
	}
	if len(d.Lines) > 0 {
		add("lines", strings.ReplaceAll(strings.Join(d.Lines, "\n"), "*", "x")+"\n")
		add("two lines", strings.ReplaceAll(d.Lines[0]+"\n"+d.Lines[1], "*", "x")+"\n")
	}
	for i, ex := range slices.Concat(d.Examples.Match, d.Examples.NoMatch) {
		text, err := dlp.Expand(d.ID, ex)
		if err != nil {
			tb.Fatal(err)
		}
		before, rest, _ := strings.Cut(text, "«")
		value, after, marked := strings.Cut(rest, "»")
		if !marked {
			add(fmt.Sprint("decoy ", i), text+" ")
			continue
		}
		add(fmt.Sprint("example ", i), before+value+after+" ")
		add(fmt.Sprint("cut short ", i), before+value[:len(value)-1]+" ")
		add(fmt.Sprint("wrong end ", i), before+value[:len(value)-1]+"~ ")
		add(fmt.Sprint("half, back to back ", i), before+value[:(len(value)+1)/2])
		add(fmt.Sprint("value without its place ", i), value)
	}
	return out
}

// charsetSample returns some characters of a class.
func charsetSample(class string) string {
	switch class {
	case "":
		return ""
	case "hex", "hexany":
		return "0a1b2c3d4e5f"
	case "digits":
		return "9081726354"
	case "upper", "base32":
		return "A2B3C4D5E6F7"
	}
	return "a0b1c2d3e4f5"
}

// hostileParts are pieces that make work for the engine as a whole.
var hostileParts = []string{
	"-----BEGIN PRIVATE KEY-----", "-----BEGIN ", "\"type\": \"service_account\" private_key", "pwd=abc;", "pwd=abc;server=", "password=password=", "token=", "heroku ", ":AA", "a@",
	"a.b@c.d", "@", "://a:", "://a:b@", "12 34 56 78 90 ", "4111 1111 1111 1111", "4111 1111 1111 1112 ", "eyJ", ".eyJ", "eyJhbGciOiJ.", "\\", "\\u0034", "\u200b1", "1234-", "GB12",
	"GB82 WEST 1234 ", "AKIA", "discord.com/api/webhooks/", "if you are ", "display:none>", "4 rue a, 12345 A", "\U000e0041", "\u202e", ".internal", "://10.", "%B4111111111111111^", "AA1B",
	"fd1:", "1:a:", "do not circulate ", "your system prompt ", "0", "7", "0123456789", "a", "A", "z9", "Zz9", "deadbeef", "0f", "+", "+49 ", "1.", "1.1.1.1", "1/", "(1)", "a1", "1a ", "key ", "secret ",
	"api_key", "a,", "password,", "(password,", "api key\ttoken\t", "\n", "\na,", "<", "</td><td>", " is ", "abandon ", "seed phrase abandon zoo ", "é", "4 ", "12,", "x-1", "0x1", "bc1q", "3J", "4A",
}

// Text that is worst for any one detector ends within the budget of the product, and is cut into blocks without a difference.
func TestHostileText(t *testing.T) {
	if raceEnabled {
		t.Skip("one goroutine, and slow under the race detector; run without it")
	}
	const size = 1 << 10
	whole, small := engine(t, dlp.Configuration{}), engine(t, dlp.Configuration{BlockSize: 700})
	try := func(name string, text []byte) {
		want, err := whole.Scan(text, testKeys)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		got, err := small.Scan(text, testKeys)
		if diff := gocmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s in blocks: %v (-want +got):\n%s", name, err, diff)
		}
	}
	for _, part := range hostileParts {
		try(fmt.Sprintf("%q", part), []byte(strings.Repeat(part, size/len(part))))
	}
	for _, d := range whole.Detectors() {
		for name, text := range hostile(t, d, size) {
			try(d.ID+", "+name, text)
		}
	}
}

// processorTime is what the process has used of all processors: on a shared machine it says more than a clock.
func processorTime(b *testing.B) time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// BenchmarkHostile reports how fast the worst text of all is scanned, and the worst twenty detectors, in MB of text for each second of processor time.
func BenchmarkHostile(b *testing.B) {
	const (
		size    = 8 << 10 // for all texts
		larger  = 128 << 10
		suspect = 60 // detectors whose worst text is looked at again, and larger
	)
	e := engine(b, dlp.Configuration{})
	type run struct {
		name string
		text []byte
		rate float64
	}
	measure := func(name string, text []byte, times int) run {
		best := time.Duration(0)
		for range times {
			start := processorTime(b)
			if _, err := e.Scan(text, testKeys); err != nil {
				b.Errorf("%s: %v", name, err)
			}
			if took := max(processorTime(b)-start, 1); best == 0 || took < best {
				best = took
			}
		}
		return run{name, text, float64(len(text)) / best.Seconds() / 1e6}
	}
	slower := func(x, y run) int { return cmp.Compare(x.rate, y.rate) }
	for b.Loop() {
		var worst []run
		for _, part := range hostileParts {
			worst = append(worst, measure(fmt.Sprintf("%q", part), []byte(strings.Repeat(part, size/len(part))), 2))
		}
		for _, d := range e.Detectors() {
			w := run{}
			for name, text := range hostile(b, d, size) {
				if r := measure(d.ID+", "+name, text, 2); w.name == "" || r.rate < w.rate {
					w = r
				}
			}
			worst = append(worst, w)
		}
		slices.SortFunc(worst, slower)
		worst = worst[:suspect]
		for i, r := range worst {
			worst[i] = measure(r.name, bytes.Repeat(r.text, larger/len(r.text)), 3)
		}
		slices.SortFunc(worst, slower)
		var report strings.Builder
		for i, r := range worst[:20] {
			fmt.Fprintf(&report, "%.2f MB/s %s%s", r.rate, r.name, []string{"; ", "\n"}[i%2]) // A benchmark may log ten lines.
		}
		b.Log(report.String())
		b.ReportMetric(worst[0].rate, "MB/s-worst")
		b.ReportMetric(worst[19].rate, "MB/s-20th")
	}
}
