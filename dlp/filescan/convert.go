package filescan

import (
	"fmt"
	"io"
	"os"

	"github.com/outband/outband/dlp/convert"
)

// Conversion is what `outband detectors convert` was asked to do.
type Conversion struct {
	From string // gitleaks or presidio
	File string
	Out  string // a file; empty: standard output
}

// Convert turns the rules of another tool into a file of detectors, and says on stderr what was refused or became weaker. The error is nil when every
// rule was taken, an *ExitError of code 1 when some were refused, of code 2 when the file cannot be read, holds no rules, or cannot be written.
func Convert(stdout, stderr io.Writer, cfg Conversion) error {
	read := map[string]func([]byte) (*convert.Result, error){"gitleaks": convert.Gitleaks, "presidio": convert.Presidio}[cfg.From]
	if read == nil {
		return &ExitError{ExitFailed, fmt.Errorf("--from %q is neither gitleaks nor presidio", cfg.From)}
	}
	data, err := readFile(cfg.File)
	if err != nil {
		return &ExitError{ExitFailed, err}
	}
	res, err := read(data)
	if err != nil {
		return &ExitError{ExitFailed, fmt.Errorf("%s: %w", cfg.File, err)}
	}
	text, err := res.YAML()
	if err != nil {
		return &ExitError{ExitFailed, err}
	}
	if cfg.Out != "" {
		err = os.WriteFile(cfg.Out, text, 0o644)
	} else {
		_, err = stdout.Write(text)
	}
	if err != nil {
		return &ExitError{ExitFailed, fmt.Errorf("write the detectors: %w", err)}
	}
	for _, n := range res.Notes {
		// There is no other stream to complain on when this one fails.
		_, _ = fmt.Fprintf(stderr, "%s:%s\n", cfg.File, n)
	}
	// As above.
	_, _ = fmt.Fprintf(stderr, "%d rules, %d detectors, %d refused\n", res.Rules, len(res.Detectors), res.Refused())
	if res.Refused() > 0 {
		return &ExitError{Code: ExitFindings}
	}
	return nil
}
