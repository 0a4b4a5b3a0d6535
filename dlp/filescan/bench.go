package filescan

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/outband/outband/dlp"
	"github.com/outband/outband/dlp/corpus"
)

// BenchConfiguration says what Bench measures, and on what.
type BenchConfiguration struct {
	File   string // detectors to measure; empty: the built-in ones
	MiB    int    // size of the corpus
	Seed   uint64 // of the corpus
	Format string // text or json
}

// DefaultBenchConfiguration measures the built-in detectors on 16 MiB.
func DefaultBenchConfiguration() BenchConfiguration {
	return BenchConfiguration{MiB: 16, Seed: corpus.DefaultConfiguration().Seed, Format: "text"}
}

// bench is what was measured. Rates are those of one core, in the process's own time.
type bench struct {
	Documents int             `json:"documents"`
	Bytes     int             `json:"bytes"`
	Sensitive int             `json:"sensitive_bytes"`
	Seed      uint64          `json:"seed"`
	CompileMS float64         `json:"compile_ms"`
	Rate      float64         `json:"mb_per_second"`
	CleanRate float64         `json:"mb_per_second_clean"` // on text that holds nothing
	Decoys    int             `json:"decoys"`
	Matched   int             `json:"decoys_matched"` // with at least medium confidence
	Detectors []benchDetector `json:"detectors"`
}

type benchDetector struct {
	ID        string  `json:"id"`
	Cost      float64 `json:"cost_ns_per_kb"` // what it adds when it is alone; that of many is less than the sum
	Matches   int     `json:"matches"`        // of at least medium confidence
	Planted   int     `json:"planted"`
	Recall    float64 `json:"recall"`
	Precision float64 `json:"precision"`
}

// costText bounds the text that each detector is measured alone on, in bytes.
const costText = 1 << 20

// Bench makes the reference corpus with values of the detectors, and prints what each costs and finds, and how fast all are together. The error is an
// *ExitError: of code 1 when the detectors of the file are refused, of code 2 when something else went wrong.
func Bench(stdout io.Writer, cfg BenchConfiguration) error {
	if cfg.Format != "text" && cfg.Format != "json" {
		return &ExitError{ExitFailed, fmt.Errorf("unknown format %q; known are text, json", cfg.Format)}
	}
	if cfg.MiB < 1 || cfg.MiB > corpus.MaxSize>>20 {
		return &ExitError{ExitFailed, fmt.Errorf("size is %d; it is between 1 and %d MiB", cfg.MiB, corpus.MaxSize>>20)}
	}
	detectors, err := benched(cfg.File)
	if err != nil {
		return err
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	b, err := measure(detectors, cfg)
	if err != nil {
		return &ExitError{ExitFailed, err}
	}
	if cfg.Format == "json" {
		enc := json.NewEncoder(stdout)
		enc.SetIndent("", "  ")
		err = enc.Encode(b)
	} else {
		err = b.print(stdout)
	}
	if err != nil {
		return &ExitError{ExitFailed, fmt.Errorf("write result: %w", err)}
	}
	return nil
}

func benched(file string) ([]dlp.Detector, error) {
	if file == "" {
		all, err := dlp.Builtin()
		if err != nil {
			return nil, &ExitError{ExitFailed, err}
		}
		return all, nil
	}
	data, err := readFile(file)
	if err != nil {
		return nil, &ExitError{ExitFailed, err}
	}
	all, err := dlp.Load(file, data)
	if err != nil {
		return nil, &ExitError{ExitFindings, err}
	}
	if len(all) == 0 {
		return nil, &ExitError{ExitFindings, errors.New(file + ": there is no detector in it")}
	}
	for i := range all {
		all[i].Optional = false // It was named.
	}
	return all, nil
}

func measure(detectors []dlp.Detector, cfg BenchConfiguration) (*bench, error) {
	c, err := corpus.New(detectors, corpus.Configuration{Size: cfg.MiB << 20, Seed: cfg.Seed})
	if err != nil {
		return nil, err
	}
	clean, err := corpus.New(nil, corpus.Configuration{Size: cfg.MiB << 20, Seed: cfg.Seed, Clean: true})
	if err != nil {
		return nil, err
	}
	start := corpus.CPUTime()
	e, err := dlp.New(detectors, dlp.Configuration{})
	if err != nil {
		return nil, err
	}
	b := &bench{Documents: len(c.Documents), Bytes: c.Size, Sensitive: c.Sensitive, Seed: cfg.Seed, CompileMS: (corpus.CPUTime() - start).Seconds() * 1000}
	took, err := scanned(e, c.Documents)
	if err != nil {
		return nil, err
	}
	b.Rate = float64(c.Size) / 1e6 / took.Seconds()
	if took, err = scanned(e, clean.Documents); err != nil {
		return nil, err
	}
	b.CleanRate = float64(clean.Size) / 1e6 / took.Seconds()
	q, err := corpus.Measure(detectors, c, nil)
	if err != nil {
		return nil, err
	}
	for _, d := range q.Decoys {
		b.Decoys += d.Put
		b.Matched += d.Matched
	}
	costs, err := costs(detectors, c.Documents)
	if err != nil {
		return nil, err
	}
	for _, s := range q.Scores {
		b.Detectors = append(b.Detectors, benchDetector{s.Detector, costs[s.Detector], s.Right + s.Wrong, s.Planted, s.Recall(), s.Precision()})
	}
	slices.SortStableFunc(b.Detectors, func(x, y benchDetector) int { return cmp.Compare(y.Cost, x.Cost) })
	return b, nil
}

// scanned is the best of three rounds over the documents.
func scanned(e *dlp.Engine, docs []corpus.Document) (best time.Duration, err error) {
	for range 3 {
		start := corpus.CPUTime()
		for i := range docs {
			if _, err := e.Scan(docs[i].Text, dlp.Keys{}); err != nil {
				return 0, err
			}
		}
		if took := max(corpus.CPUTime()-start, time.Microsecond); best == 0 || took < best {
			best = took
		}
	}
	return best, nil
}

// costs is what each detector costs when it is alone, in nanoseconds for each 1,000 bytes, without what an engine costs that looks for nothing.
func costs(detectors []dlp.Detector, docs []corpus.Document) (map[string]float64, error) {
	size := 0
	for i := range docs {
		if size += len(docs[i].Text); size >= costText {
			docs = docs[:i+1]
			break
		}
	}
	cost := func(some ...dlp.Detector) (float64, error) {
		e, err := dlp.New(some, dlp.Configuration{Optional: true})
		if err != nil {
			return 0, err
		}
		took, err := scanned(e, docs)
		return float64(took.Nanoseconds()) * 1000 / float64(size), err
	}
	none, err := cost()
	if err != nil {
		return nil, err
	}
	out := map[string]float64{}
	for _, d := range detectors {
		alone, err := cost(d)
		if err != nil {
			return nil, err
		}
		out[d.ID] = max(0, alone-none)
	}
	return out, nil
}

func (b *bench) print(stdout io.Writer) error {
	w := tabwriter.NewWriter(stdout, 0, 8, 2, ' ', tabwriter.AlignRight)
	p := &sticky{w: w}
	p.printf("ns/kB alone\tmatches\tplanted\trecall\tprecision\t  detector\n")
	for _, d := range b.Detectors {
		p.printf("%.0f\t%d\t%d\t%.3f\t%.3f\t  %s\n", d.Cost, d.Matches, d.Planted, d.Recall, d.Precision, d.ID)
	}
	if p.err == nil {
		p.err = w.Flush()
	}
	p.w = stdout
	p.printf("\n%d detectors, compiled in %.0f ms; %d documents, %.1f MB, %.2f %% sensitive, seed %d\n", len(b.Detectors), b.CompileMS, b.Documents, float64(b.Bytes)/1e6,
		100*float64(b.Sensitive)/float64(b.Bytes), b.Seed)
	p.printf("%d of %d decoys matched with at least medium confidence\n%.0f MB/s on one core, %.0f MB/s on clean text\n", b.Matched, b.Decoys, b.Rate, b.CleanRate)
	return p.err
}

// sticky keeps the first error of many writes.
type sticky struct {
	w   io.Writer
	err error
}

func (s *sticky) printf(format string, args ...any) {
	if s.err == nil {
		_, s.err = fmt.Fprintf(s.w, format, args...)
	}
}
