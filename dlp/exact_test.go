package dlp_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/outband/outband/dlp"
)

const staff = `Email,Account,Name,Team
ana.souza@example.com,4711-0815,Ana Souza,Platform
bo@example.com,88 12 34 56,"Larsen, Bo",Platform
çiğdem@example.com,AB-99-1234-X,Çiğdem Yılmaz,Sales
`

func hashed(t testing.TB, csv string, columns ...string) ([]byte, dlp.TableKey) {
	t.Helper()
	key := dlp.NewTableKey()
	var b bytes.Buffer
	if _, err := dlp.HashTable(&b, strings.NewReader(csv), "staff", columns, key); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), key
}

func table(t testing.TB, csv string, columns ...string) *dlp.Table {
	t.Helper()
	file, key := hashed(t, csv, columns...)
	out, err := dlp.ReadTable(bytes.NewReader(file), "staff", key)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func exactEngine(t testing.TB, tab *dlp.Table, cfg dlp.Configuration, change func(*dlp.Detector)) *dlp.Engine {
	t.Helper()
	d := dlp.Detector{ID: "custom.staff", Title: "Staff", Kind: dlp.KindExact, Severity: "high", Confidence: 0.9, Table: "staff"}
	if change != nil {
		change(&d)
	}
	cfg.Stock.Tables = map[string]*dlp.Table{"staff": tab}
	e, err := dlp.New([]dlp.Detector{d}, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestExactValues(t *testing.T) {
	e := exactEngine(t, table(t, staff, "email", "account", "name"), dlp.Configuration{}, nil)
	for _, tc := range []struct {
		name, text string
		want       []string
	}{
		{"an address in a sentence", "Write to Ana.Souza@Example.com.", []string{"Ana.Souza@Example.com"}},
		{"an address in JSON", `{"to":"bo@example.com"}`, []string{"bo@example.com"}},
		{"a number with other separators", "acct 47110815 or 4711.0815 or 4711 0815", []string{"47110815", "4711.0815", "4711 0815"}},
		{"a number without separators", "88123456", []string{"88123456"}},
		{"letters and digits", "ab991234x; AB 99 1234 X", []string{"ab991234x", "AB 99 1234 X"}},
		{"a name over cells", "Ana,Souza;x", []string{"Ana,Souza"}},
		{"a name with more blanks", "ANA   SOUZA", []string{"ANA   SOUZA"}},
		{"a name in the order of the table", "larsen, bo; Bo Larsen", []string{"larsen, bo"}},
		{"letters of NFKC and case", "Ç\u0049\u0307x ÇiĞdem Yılmaz", []string{"ÇiĞdem Yılmaz"}},
		{"part of a longer value", "xana.souza@example.com ana.souza@example.community 147110815", nil},
		{"a name over lines", "Ana\nSouza", nil},
		{"nothing", "Platform team, souza", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, spans(t, e, tc.text)); diff != "" {
				t.Errorf("spans (-want +got):\n%s", diff)
			}
		})
	}
	m := scan(t, e, "4711-0815 and 4711 0815")
	if len(m) != 2 || m[0].Value != m[1].Value || !m[0].Validated {
		t.Errorf("two spellings of one number: %+v", m)
	}
}

func TestColumnsOfOneRow(t *testing.T) {
	tab := table(t, staff, "email", "account", "name", "team")
	two := exactEngine(t, tab, dlp.Configuration{}, func(d *dlp.Detector) { d.Least, d.Within = 2, 8 })
	for _, tc := range []struct {
		name, text string
		want       []string
	}{
		{"two of a row", "Ana Souza has 4711-0815", []string{"Ana Souza", "4711-0815"}},
		{"three of a row", "Ana Souza has 4711-0815, ana.souza@example.com", []string{"Ana Souza", "4711-0815", "ana.souza@example.com"}},
		{"two rows are no row", "Ana Souza has 88123456", nil},
		{"one alone", "Ana Souza", nil},
		{"the same value twice", "Ana Souza, Ana Souza", nil},
		{"too far from each other", "Ana Souza " + strings.Repeat("and so on ", 4) + "4711-0815", nil},
		{"a value that many share", "Platform: bo@example.com", []string{"Platform", "bo@example.com"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, spans(t, two, tc.text)); diff != "" {
				t.Errorf("spans (-want +got):\n%s", diff)
			}
		})
	}
	some := exactEngine(t, tab, dlp.Configuration{}, func(d *dlp.Detector) { d.Least, d.Columns = 2, []string{"email", "account"} })
	if got := spans(t, some, "Ana Souza has 4711-0815"); got != nil {
		t.Errorf("a column that does not count: %q", got)
	}
}

func TestAFrequentValueNeedsARareOne(t *testing.T) {
	var b strings.Builder
	b.WriteString("email,team\n")
	for i := range 50 {
		fmt.Fprintf(&b, "user%d@example.com,Engineering\n", i)
	}
	e := exactEngine(t, table(t, b.String(), "email", "team"), dlp.Configuration{}, func(d *dlp.Detector) { d.Least = 2 })
	for text, want := range map[string]int{"Engineering user7@example.com": 2, "user7@example.com in Engineering": 2, "Engineering Engineering": 0, "user7@example.com user8@example.com": 0} {
		if got := scan(t, e, text); len(got) != want {
			t.Errorf("%q: %d matches, want %d", text, len(got), want)
		}
	}
}

func TestExactRulesThatCannotBe(t *testing.T) {
	tab := table(t, staff, "email", "name")
	for name, change := range map[string]func(*dlp.Detector){
		"no such table":          func(d *dlp.Detector) { d.Table = "others" },
		"no such column":         func(d *dlp.Detector) { d.Columns = []string{"phone"} },
		"a column twice":         func(d *dlp.Detector) { d.Columns = []string{"name", "name"} },
		"more than the columns":  func(d *dlp.Detector) { d.Least = 3 },
		"fewer than none":        func(d *dlp.Detector) { d.Least = -1 },
		"a window too wide":      func(d *dlp.Detector) { d.Least, d.Within = 2, 201 },
		"a pattern with a table": func(d *dlp.Detector) { d.Pattern = "abc" },
	} {
		d := dlp.Detector{ID: "custom.staff", Title: "Staff", Kind: dlp.KindExact, Severity: "high", Confidence: 0.9, Table: "staff"}
		change(&d)
		var lint *dlp.LintError
		if _, err := dlp.New([]dlp.Detector{d}, dlp.Configuration{Stock: dlp.Stock{Tables: map[string]*dlp.Table{"staff": tab}}}); !errors.As(err, &lint) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestATableFileHoldsNoValueAndNeedsItsKey(t *testing.T) {
	file, key := hashed(t, staff, "email", "account", "name", "team")
	for _, clear := range []string{"souza", "Souza", "4711", "example.com", key.Text()} {
		if bytes.Contains(file, []byte(clear)) {
			t.Errorf("the file holds %q", clear)
		}
	}
	if s := fmt.Sprintf("%v %+v %#v %s", key, key, key, key); strings.Contains(s, key.Text()[10:]) {
		t.Error("a key prints itself")
	}
	back, err := dlp.ParseTableKey(" " + key.Text() + "\n")
	if err != nil || back != key {
		t.Errorf("key %v, %v", back, err)
	}
	if _, err := dlp.ParseTableKey("obedm1_short"); err == nil {
		t.Error("half a key was taken")
	}
	for name, read := range map[string]func() error{
		"another key":   func() error { _, err := dlp.ReadTable(bytes.NewReader(file), "staff", dlp.NewTableKey()); return err },
		"another table": func() error { _, err := dlp.ReadTable(bytes.NewReader(file), "guests", key); return err },
	} {
		if err := read(); !errors.Is(err, dlp.ErrTableKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for i := range file {
		bad := slices.Clone(file)
		bad[i] ^= 1
		if _, err := dlp.ReadTable(bytes.NewReader(bad), "staff", key); err == nil {
			t.Fatalf("byte %d of %d was changed, and the file read", i, len(file))
		}
	}
	for n := range file {
		if _, err := dlp.ReadTable(bytes.NewReader(file[:n]), "staff", key); err == nil {
			t.Fatalf("%d bytes of %d were read", n, len(file))
		}
	}
	if _, err := dlp.ReadTable(bytes.NewReader(append(slices.Clone(file), 0)), "staff", key); !errors.Is(err, dlp.ErrTableSum) {
		t.Errorf("a byte too many: %v", err)
	}
}

func TestHashTableSaysWhichRowIsWrong(t *testing.T) {
	for _, tc := range []struct {
		name, csv string
		columns   []string
		row       int
	}{
		{"an empty file", "", []string{"email"}, 1},
		{"no such column", staff, []string{"phone"}, 1},
		{"a row with a cell too many", "email,name\na@example.com,Ana\nb@example.com,Bo,x\n", []string{"email"}, 3},
		{"a quote that is not closed", "email,name\na@example.com,\"Ana\n", []string{"email"}, 2},
		{"not UTF-8", "email,name\na@example.com,Ana\nb@example.com,\xff\xfe\xff\xfe\xff\xfe\n", []string{"email", "name"}, 3},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var bad *dlp.RowError
			_, err := dlp.HashTable(&bytes.Buffer{}, strings.NewReader(tc.csv), "staff", tc.columns, dlp.NewTableKey())
			if !errors.As(err, &bad) || bad.Row != tc.row {
				t.Errorf("error %v, want one of row %d", err, tc.row)
			}
		})
	}
	for name, columns := range map[string][]string{"no column": nil, "a column twice": {"email", "Email"}, "a strange name": {"e/mail"}} {
		if _, err := dlp.HashTable(&bytes.Buffer{}, strings.NewReader(staff), "staff", columns, dlp.NewTableKey()); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	head, err := dlp.HashTable(&bytes.Buffer{}, strings.NewReader("a,b\nshort,one two three four five\nlong enough,x\n"), "staff", []string{"a", "b"}, dlp.NewTableKey())
	if err != nil || head.Rows != 2 || head.Cells != 1 || head.Short != 2 || head.Long != 1 {
		t.Errorf("header %+v, %v", head, err)
	}
	if _, err := dlp.HashTable(&bytes.Buffer{}, strings.NewReader("a\nx\n"), "staff", []string{"a"}, dlp.NewTableKey()); err == nil {
		t.Error("a table of nothing was written")
	}
}

// Words, phrases and values near the edges of blocks are found whatever the size of the blocks.
func TestCustomKindsDoNotDependOnBlocks(t *testing.T) {
	tab := table(t, staff, "email", "account", "name", "team")
	detectors := []dlp.Detector{
		{ID: "custom.words", Title: "Words", Kind: dlp.KindDictionary, Severity: "high", Confidence: 0.5, Words: []string{"falcon", "project bluebird", "東京計画"}, Context: []string{"secret"}},
		{ID: "custom.staff", Title: "Staff", Kind: dlp.KindExact, Severity: "high", Confidence: 0.9, Table: "staff"},
		{ID: "custom.staff_rows", Title: "Staff", Kind: dlp.KindExact, Severity: "high", Confidence: 0.9, Table: "staff", Least: 2, Within: 12, Specificity: 70},
	}
	make := func(block int) *dlp.Engine {
		e, err := dlp.New(detectors, dlp.Configuration{BlockSize: block, Stock: dlp.Stock{Tables: map[string]*dlp.Table{"staff": tab}}})
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	whole := make(1 << 20)
	engines := []*dlp.Engine{make(2), make(64), make(1000), make(4096)}
	rapid.Check(t, func(rt *rapid.T) {
		parts := rapid.SliceOfN(rapid.SampledFrom([]string{
			"falcon ", "project  ", "bluebird ", "project bluebird\n", "極秘東京計画書", "secret ", "Ana ", "Souza ", "Ana Souza, ", "4711-0815 ", "4711 0815 ", "bo@example.com ", "Platform ", "ana.souza@example.com ",
			"and so on ", `\n`, strings.Repeat("x", 150) + " ", "88 12 34 56 ",
		}), 0, 120).Draw(rt, "parts")
		text := strings.Join(parts, "")
		want := scan(t, whole, text)
		for _, e := range engines {
			if diff := cmp.Diff(want, scan(t, e, text)); diff != "" {
				rt.Fatalf("other blocks, other matches (-whole +blocks):\n%s", diff)
			}
		}
	})
}

func FuzzTableFile(f *testing.F) {
	key := dlp.NewTableKey()
	var b bytes.Buffer
	if _, err := dlp.HashTable(&b, strings.NewReader(staff), "staff", []string{"email", "name"}, key); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add(b.Bytes()[:40])
	f.Add([]byte("OBEDM\x00\x00\x01\xff\xff\x00\x00{}"))
	f.Fuzz(func(t *testing.T, file []byte) {
		tab, err := dlp.ReadTable(bytes.NewReader(file), "staff", key)
		if err != nil {
			return
		}
		e := exactEngine(t, tab, dlp.Configuration{}, func(d *dlp.Detector) { d.Least = len(tab.Columns) })
		scan(t, e, staff)
	})
}

// FuzzExactText holds that a value is found in every text around it that does not join it, and that no text breaks the scan.
func FuzzExactText(f *testing.F) {
	f.Add("Ana Souza", " says ")
	f.Add("4711-0815", "\n")
	f.Add("ﬁve\u0301 hundred", "; ")
	f.Fuzz(func(t *testing.T, value, around string) {
		if len(value) > 200 || len(around) > 1<<12 || strings.ContainsAny(value, "\\\"\r\n\x00") {
			return
		}
		key := dlp.NewTableKey()
		var b bytes.Buffer
		if _, err := dlp.HashTable(&b, strings.NewReader("v\n\""+value+"\"\n"), "staff", []string{"v"}, key); err != nil {
			return
		}
		tab, err := dlp.ReadTable(&b, "staff", key)
		if err != nil {
			t.Fatal(err)
		}
		scan(t, exactEngine(t, tab, dlp.Configuration{}, nil), around+"\n|"+value+"|\n"+around)
	})
}

func BenchmarkExactMillion(b *testing.B) {
	rng := rand.New(rand.NewPCG(5, 6))
	var csv bytes.Buffer
	csv.WriteString("email,account,name\n")
	for i := range 1_000_000 {
		fmt.Fprintf(&csv, "user%d@example.com,%010d,Given%d Family%d\n", i, rng.IntN(1e10), rng.IntN(5000), rng.IntN(50000))
	}
	key := dlp.NewTableKey()
	var file bytes.Buffer
	if _, err := dlp.HashTable(&file, &csv, "staff", []string{"email", "account", "name"}, key); err != nil {
		b.Fatal(err)
	}
	size := file.Len()
	csv = bytes.Buffer{}
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC() // What pools kept goes with the second.
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	tab, err := dlp.ReadTable(bytes.NewReader(file.Bytes()), "staff", key)
	if err != nil {
		b.Fatal(err)
	}
	resident := heap() - before
	runtime.KeepAlive(file)
	e := exactEngine(b, tab, dlp.Configuration{}, func(d *dlp.Detector) { d.Least = 2 })
	for _, tc := range []struct {
		name string
		text []byte
	}{
		{"prose", benchText("user4711@example.com")},
		{"numbers", func() []byte {
			var t bytes.Buffer
			for t.Len() < 1<<20 {
				fmt.Fprintf(&t, "%d %d ", rng.IntN(1e9), rng.IntN(1e6))
			}
			return t.Bytes()
		}()},
		{"the table itself", func() []byte {
			var t bytes.Buffer
			for i := 0; t.Len() < 1<<20; i++ {
				fmt.Fprintf(&t, "user%d@example.com Given%d Family%d\n", i, rng.IntN(5000), rng.IntN(50000))
			}
			return t.Bytes()
		}()},
	} {
		b.Run(tc.name, func(b *testing.B) {
			b.SetBytes(int64(len(tc.text)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := e.Scan(tc.text, testKeys); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(resident)/(1<<20), "MiB-resident")
			b.ReportMetric(float64(size)/(1<<20), "MiB-file")
		})
	}
	runtime.KeepAlive(tab)
}
