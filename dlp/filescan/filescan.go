// Package filescan runs the detectors over files, folders and standard input for the command line. It reads, never writes, follows no symbolic
// link out of a folder that it was given, and says on the error stream what it could not read and why. It prints masks, never values.
package filescan

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/outband/outband/dlp"
	"github.com/outband/outband/dlp/docscan"
	"github.com/outband/outband/dlp/extract"
	"github.com/outband/outband/dlp/extract/sandbox"
)

// Exit codes of the command.
const (
	ExitClean    = 0
	ExitFindings = 1
	ExitFailed   = 2
)

// ExitError carries the exit code of a command that ended as it should: 1 with findings, 2 when something could not be read. Err is nil when all
// has been said already; otherwise it is the sentence to print.
type ExitError struct {
	Code int
	Err  error
}

// ExitCode is what the process ends with.
func (e *ExitError) ExitCode() int { return e.Code }

// Error is empty when there is nothing left to say.
func (e *ExitError) Error() string {
	if e.Err == nil {
		return ""
	}
	return e.Err.Error()
}

// Unwrap returns Err.
func (e *ExitError) Unwrap() error { return e.Err }

// Configuration is what the command was asked to do.
type Configuration struct {
	Paths         []string // "-" is Stdin
	Format        string   // text, json or sarif
	Profile       string   // its id; empty: all, or the only one of ProfileFile
	ProfileFile   string   // a file of profiles that are used in place of those of the same id; empty: none
	Detectors     []string // files of detectors that are used beside the profile's
	MinConfidence float64  // 0 means that of the profile
	Workers       int      // 0 means one for each processor
	MaxFileBytes  int64    // what is behind it in a file is not scanned; 0 means 1 GiB
	OCR           bool     // read the text of images with Tesseract
	Explain       bool     // say why of each finding; of format json
	Version       string   // of the program, for SARIF

	LeaveOutTestData bool // values that are published for tests, in the groups that are on as shipped
}

// Dependencies are the streams of the command.
type Dependencies struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
}

// defaultMaxFileBytes bounds one file. It is read in blocks, so memory does not grow with it.
const defaultMaxFileBytes = 1 << 30

// Reasons for which something was not scanned, or not to its end, beside those of package extract.
const (
	reasonSpecial   = "not_a_regular_file"
	reasonOutside   = "symlink_out_of_tree"
	reasonBroken    = "symlink_broken"
	reasonObjects   = "git_objects"
	reasonBudget    = "over_time_limit"
	reasonPanic     = "scan_failed"
	reasonTruncated = "too_many_matches"
	reasonUndecoded = "encoded_text_too_big"
)

// Finding is one line of output. Path leads into containers, as in outer.zip!/inner/name. Start and End are byte offsets, End exclusive, in the file, or in
// the text that was taken from it where it is no text; Line counts from 1. Location is the place as a person names it. Encoding is that of dlp.Match.
type Finding struct {
	Path       string   `json:"path"`
	Location   string   `json:"location"`
	Detector   string   `json:"detector"`
	Title      string   `json:"title"`
	Start      int      `json:"start"`
	End        int      `json:"end"`
	Line       int      `json:"line"`
	Confidence float64  `json:"confidence"`
	Validated  bool     `json:"validated"`
	Masked     string   `json:"masked"`
	Encoding   []string `json:"encoding,omitempty"`
	Why        *Why     `json:"why,omitempty"` // with Configuration.Explain
	text       bool     // Start, End and Line are those of a text, not of what was taken from a document
}

// Why is dlp.Why, with the detector's words that stood near.
type Why struct {
	dlp.Why
	Context []string `json:"context"`
}

type scanner struct {
	cfg       Configuration
	deps      Dependencies
	engine    *dlp.Engine
	keys      dlp.Keys
	documents *docscan.Scanner
	prof      dlp.Profile
	beside    map[string]bool // detectors of Configuration.Detectors that the profile does not name
	titles    map[string]dlp.Detector
}

// Run scans and prints. The error is nil when all was read and nothing found, else an *ExitError.
func Run(ctx context.Context, cfg Configuration, deps Dependencies) error {
	s, err := newScanner(cfg, deps)
	if err != nil {
		return &ExitError{ExitFailed, err}
	}
	out, err := newPrinter(s)
	if err != nil {
		return &ExitError{ExitFailed, err}
	}
	pool, err := sandbox.New(s.pool())
	if err != nil {
		return &ExitError{ExitFailed, err}
	}
	s.documents = &docscan.Scanner{Pool: pool, Engine: s.engine, Keys: s.keys}
	findings, failed, err := s.all(ctx, out)
	err = errors.Join(err, pool.Close())
	if err == nil {
		err = out.close(findings, failed)
	}
	switch {
	case err != nil:
		return &ExitError{ExitFailed, err}
	case failed:
		return &ExitError{Code: ExitFailed}
	case findings > 0:
		return &ExitError{Code: ExitFindings}
	}
	return nil
}

// pool is how documents are read: text of any length up to the bound of a file, the rest as a server does.
func (s *scanner) pool() sandbox.Configuration {
	limits := extract.DefaultLimits()
	limits.File = s.cfg.MaxFileBytes
	limits.Text = max(limits.Text, limits.File)
	return sandbox.Configuration{Children: s.cfg.Workers, Options: extract.Options{Limits: limits, OCR: s.cfg.OCR}}
}

func newScanner(cfg Configuration, deps Dependencies) (*scanner, error) {
	all, err := dlp.Builtin()
	if err != nil {
		return nil, err
	}
	var own []dlp.Detector
	for _, name := range cfg.Detectors {
		more, err := load(name)
		if err != nil {
			return nil, err
		}
		own = append(own, more...)
	}
	prof, err := chooseProfile(cfg, slices.Concat(all, own))
	if err != nil {
		return nil, err
	}
	if cfg.Explain && cfg.Format != "json" {
		return nil, errors.New("--explain goes with --format json")
	}
	if len(cfg.Paths) == 0 {
		return nil, errors.New("nothing to scan; give a file, a folder or - for standard input")
	}
	if cfg.MinConfidence != 0 {
		prof.MinConfidence = cfg.MinConfidence
	}
	s := &scanner{cfg: cfg, deps: deps, prof: prof, beside: map[string]bool{}, titles: map[string]dlp.Detector{}}
	if s.cfg.Workers <= 0 {
		s.cfg.Workers = runtime.GOMAXPROCS(0)
	}
	if s.cfg.MaxFileBytes <= 0 {
		s.cfg.MaxFileBytes = defaultMaxFileBytes
	}
	for _, d := range own {
		s.beside[d.ID] = !prof.Has(d.ID)
	}
	use := append(prof.Select(all), own...)
	if s.engine, err = dlp.New(use, dlp.DefaultConfiguration()); err != nil {
		return nil, err
	}
	if cfg.LeaveOutTestData {
		groups, err := dlp.TestData()
		if err != nil {
			return nil, err
		}
		groups = slices.DeleteFunc(groups, func(g dlp.TestGroup) bool { return g.Mode == dlp.TestDataOff })
		if err := s.engine.LeaveOut(groups); err != nil {
			return nil, err
		}
	}
	for _, d := range s.engine.Detectors() {
		s.titles[d.ID] = d
	}
	// Nothing is stored, so the keys live as long as the run: digests cannot be compared across runs.
	s.keys.ID = make([]byte, 32)
	// crypto/rand.Read never fails: it ends the program instead.
	_, _ = rand.Read(s.keys.ID)
	return s, nil
}

// job is one thing to scan, or a reason why it is not. done is closed when the result is in.
type job struct {
	path     string
	open     func() (io.ReadCloser, error)
	reason   string
	err      error
	gaps     []extract.Gap // of the file and of what is in it
	unnamed  int           // gaps that are not named
	findings []Finding
	done     chan struct{}
}

// all scans in parallel and prints in the order of the walk.
func (s *scanner) all(ctx context.Context, out printer) (findings int, failed bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	work := make(chan *job)
	order := make(chan *job, 4*s.cfg.Workers)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() {
		defer close(work)
		defer close(order)
		for _, path := range s.cfg.Paths {
			s.walk(ctx, path, func(j *job) bool {
				j.done = make(chan struct{})
				select {
				case order <- j:
				case <-ctx.Done():
					return false
				}
				if j.open == nil {
					close(j.done)
					return true
				}
				select {
				case work <- j:
				case <-ctx.Done():
					return false
				}
				return true
			})
		}
	})
	for range s.cfg.Workers {
		wg.Go(func() {
			for j := range work {
				s.scan(ctx, j)
				close(j.done)
			}
		})
	}
	for j := range order {
		select {
		case <-j.done:
		case <-ctx.Done():
			return findings, true, fmt.Errorf("scan: %w", ctx.Err())
		}
		failed = s.complain(j) || failed
		for _, f := range j.findings {
			findings++
			if err := out.print(f); err != nil {
				return findings, true, fmt.Errorf("write findings: %w", err)
			}
		}
	}
	if err := ctx.Err(); err != nil {
		return findings, true, fmt.Errorf("scan: %w", err)
	}
	return findings, failed, nil
}

// complain says what was not read and why, and reports whether that makes the run a failed one: what has a type that is not read, or is locked, does not.
func (s *scanner) complain(j *job) (failed bool) {
	reason := j.reason
	if j.err != nil {
		reason = cause(j.err)
	}
	if reason != "" {
		failed = s.say(j.path, reason)
	}
	said := map[[2]string]bool{}
	for _, g := range j.gaps {
		if at := [2]string{g.Path, g.Reason}; !said[at] { // A broken file is broken in several places.
			said[at] = true
			failed = s.say(member(j.path, s.mask(g.Path)), g.Reason) || failed
		}
	}
	if j.unnamed > 0 {
		failed = s.say(j.path, fmt.Sprintf("%d more files in it were not read", j.unnamed)) || failed
	}
	return failed
}

func (s *scanner) say(path, reason string) bool {
	// There is no other stream to complain on when this one fails.
	_, _ = fmt.Fprintf(s.deps.Stderr, "outband: %s: %s\n", display(path), reason)
	switch reason {
	case reasonSpecial:
		return slices.Contains(s.cfg.Paths, path) // Named by a person: a pipe that is not read is not clean.
	case extract.ReasonUnsupported, extract.ReasonMedia, extract.ReasonImage, extract.ReasonEncrypted, reasonOutside, reasonBroken, reasonObjects, reasonTruncated, reasonUndecoded:
		return false
	}
	return true
}

func (s *scanner) scan(ctx context.Context, j *job) {
	var opened, closed error
	open := func(context.Context) (io.ReadCloser, error) {
		var r io.ReadCloser
		if r, opened = j.open(); opened != nil {
			return nil, opened
		}
		return closing{r, &closed}, nil
	}
	res, err := s.documents.ScanAgain(ctx, extract.File{Name: filepath.Base(j.path)}, open, nil)
	if opened != nil {
		if j.reason = reasonOf(opened); j.reason == "" {
			j.err = opened
		}
		return
	}
	if err == nil {
		j.findings, j.gaps, j.unnamed = s.findings(j.path, res), res.Gaps, res.Cut
		switch {
		case res.Truncated:
			j.reason = reasonTruncated
		case res.Undecoded:
			j.reason = reasonUndecoded
		}
	}
	if err = errors.Join(err, closed); err != nil {
		j.err = err
	}
}

// closing keeps the error of closing a file.
type closing struct {
	io.ReadCloser
	err *error
}

func (c closing) Close() error {
	*c.err = c.ReadCloser.Close()
	return *c.err
}

// findings are the matches of a file that meets the profile; of any other, those of the detectors beside it.
func (s *scanner) findings(path string, res docscan.Result) []Finding {
	met := len(s.prof.Meets(res.Matches, res.Texts)) > 0
	var out []Finding
	for _, m := range res.Matches {
		if m.Confidence < s.prof.MinConfidence || !met && !s.beside[m.Detector] {
			continue
		}
		var why *Why
		if s.cfg.Explain {
			why = &Why{s.engine.Why(m), append([]string{}, m.Context...)}
		}
		at := m.Where.Masked(s.mask)
		if m.Source {
			at.Line, at.Column = m.Line, m.Column
		}
		whole := member(path, at.Path)
		at.Path = ""
		out = append(out, Finding{
			Why:  why,
			Path: whole, Location: at.String(), text: m.Source, Detector: m.Detector, Title: s.titles[m.Detector].Title,
			Start: m.Start, End: m.End, Line: m.Line, Confidence: m.Confidence, Validated: m.Validated, Masked: m.Masked, Encoding: m.Encoding,
		})
	}
	return out
}

// mask hides the values in what a file names (invariant 4).
func (s *scanner) mask(name string) string { return s.engine.Mask(name, s.keys) }

// member is the path of a file, or of what is in it.
func member(file, path string) string {
	if path == "" {
		return file
	}
	return file + "!/" + path
}

// encoded says, behind a comma, what a value is written in, the outermost first; nothing for plain text.
func (f Finding) encoded() string {
	if len(f.Encoding) == 0 {
		return ""
	}
	return ", in " + strings.Join(f.Encoding, ", ")
}
