package filescan

import (
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"github.com/outband/outband/dlp"
)

// maxDetectorFile bounds a file of custom detectors, in bytes.
const maxDetectorFile = 4 << 20

// List prints the built-in detectors as a table: id, kind, severity, title.
func List(stdout io.Writer) error {
	all, err := dlp.Builtin()
	if err != nil {
		return &ExitError{ExitFailed, err}
	}
	w := tabwriter.NewWriter(stdout, 0, 8, 2, ' ', 0)
	for _, d := range all {
		note := ""
		if d.Optional {
			note = " (optional)"
		}
		if _, err := fmt.Fprintf(w, "%s\t%s\t%s\t%s%s\n", d.ID, d.Kind, d.Severity, d.Title, note); err != nil {
			return &ExitError{ExitFailed, fmt.Errorf("write list: %w", err)}
		}
	}
	if err := w.Flush(); err != nil {
		return &ExitError{ExitFailed, fmt.Errorf("write list: %w", err)}
	}
	return nil
}

// Test holds the detectors of the files, or the built-in ones when there is no file, to the lint and to their own examples; those of files may not be
// slow either. Complaints go to
// stderr with file, line and column. The error is nil when all is green, an *ExitError of code 1 when something is red, of code 2 when a file
// cannot be read.
func Test(stdout, stderr io.Writer, files []string) error {
	var all []dlp.Detector
	var red, unread int
	complain := func(err error) {
		// There is no other stream to complain on when this one fails.
		_, _ = fmt.Fprintln(stderr, err)
	}
	if len(files) == 0 {
		builtin, err := dlp.Builtin()
		if err != nil {
			return &ExitError{ExitFindings, err}
		}
		all = builtin
	}
	for _, name := range files {
		data, err := readFile(name)
		if err != nil {
			complain(err)
			unread++
			continue
		}
		ds, err := dlp.Parse(name, data)
		if err != nil {
			complain(err)
			red++
			continue
		}
		all = append(all, ds...)
	}
	examples := 0
	seen := map[string]bool{}
	for _, d := range all {
		examples += len(d.Examples.Match) + len(d.Examples.NoMatch)
		errs := dlp.Check(d)
		if len(errs) == 0 && len(files) > 0 {
			if _, err := (dlp.Stock{}).Cost(d); err != nil {
				errs = append(errs, err)
			}
		}
		if seen[d.ID] {
			errs = append(errs, fmt.Errorf("detector %s: id is used twice", d.ID))
		}
		seen[d.ID] = true
		for _, err := range errs {
			complain(err)
		}
		if len(errs) > 0 {
			red++
		}
	}
	if _, err := fmt.Fprintf(stdout, "%d detectors, %d examples, %d red\n", len(all), examples, red); err != nil {
		return &ExitError{ExitFailed, fmt.Errorf("write result: %w", err)}
	}
	switch {
	case unread > 0:
		return &ExitError{Code: ExitFailed}
	case red > 0:
		return &ExitError{Code: ExitFindings}
	}
	return nil
}

// load reads a file of detectors that may be used: what the lint refuses or an example contradicts is an error. Those marked optional are used.
func load(name string) ([]dlp.Detector, error) {
	data, err := readFile(name)
	if err != nil {
		return nil, err
	}
	all, err := dlp.Load(name, data)
	for i := range all {
		all[i].Optional = false
	}
	return all, err
}

func readFile(name string) (data []byte, err error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	data, err = io.ReadAll(io.LimitReader(f, maxDetectorFile+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxDetectorFile {
		return nil, fmt.Errorf("%s: larger than %d bytes", name, maxDetectorFile)
	}
	return data, nil
}
