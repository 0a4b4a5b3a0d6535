package policy

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Source is the file of one policy as a command read it.
type Source struct {
	Name string // what its problems are told with; empty for a built-in policy
	Data []byte
	Err  error // why it could not be read
}

// Report is the outcome of the tests of several files.
type Report struct {
	Policies int // that could be read and compiled
	Passed   int // tests
	Failed   int // tests
	Invalid  int // files that cannot be read or whose policy does not compile
}

// TestSources runs the tests inside the files. It writes one line per test and a last line with the counts to out, one line per problem to
// problems, and goes on after a problem, so that one run tells all of them. The error is of writing to out.
func TestSources(out, problems io.Writer, files []Source, detectors []string) (Report, error) {
	var report Report
	for _, f := range files {
		results, err := f.test(detectors)
		if err != nil {
			report.Invalid++
			f.complain(problems, err)
			continue
		}
		report.Policies++
		for _, r := range results {
			line := fmt.Sprintf("ok    %s: %s\n", r.PolicyID, r.Name)
			if r.Passed {
				report.Passed++
			} else {
				report.Failed++
				line = fmt.Sprintf("FAIL  %s: %s: got %s, want %s\n", r.PolicyID, r.Name, r.Got, r.Want)
				if r.Err != nil {
					line += fmt.Sprintf("      %s\n", r.Err)
				}
			}
			if _, err := io.WriteString(out, line); err != nil {
				return report, fmt.Errorf("write the results: %w", err)
			}
		}
	}
	if _, err := fmt.Fprintf(out, "%d policies, %d tests passed, %d failed\n", report.Policies, report.Passed, report.Failed); err != nil {
		return report, fmt.Errorf("write the results: %w", err)
	}
	return report, nil
}

func (f Source) test(detectors []string) ([]Result, error) {
	if f.Err != nil {
		return nil, f.Err
	}
	p, err := Parse(f.Data)
	if err != nil {
		return nil, err
	}
	return RunTests(p, detectors)
}

// complain writes one line per problem, with the file's name before it.
func (f Source) complain(to io.Writer, err error) {
	var text strings.Builder
	for line := range strings.SplitSeq(err.Error(), "\n") {
		if f.Name != "" {
			line = f.Name + ": " + line
		}
		text.WriteString(line + "\n")
	}
	_, _ = io.WriteString(to, text.String()) // Where the problems cannot be written, the count of them still tells.
}

// BuiltinSources returns the files of the built-in policies.
func BuiltinSources() ([]Source, error) {
	list, err := Builtin()
	if err != nil {
		return nil, err
	}
	out := make([]Source, 0, len(list))
	for _, p := range list {
		out = append(out, Source{Data: p.source})
	}
	return out, nil
}

// WriteTable writes a table of policies for people.
func WriteTable(out io.Writer, list []*Policy) error {
	var text strings.Builder
	text.WriteString("ID\tSEVERITY\tKIND\tTESTS\tTITLE\n")
	for _, p := range list {
		fmt.Fprintf(&text, "%s\t%s\t%s\t%d\t%s\n", p.ID, p.Severity, p.Kind, len(p.Tests), p.Title)
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if _, err := io.WriteString(table, text.String()); err != nil {
		return fmt.Errorf("write the table: %w", err)
	}
	return table.Flush()
}

// WriteJSON writes policies as JSON, one object a line.
func WriteJSON(out io.Writer, list []*Policy) error {
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false) // Expressions are full of < and >.
	for _, p := range list {
		if err := enc.Encode(p); err != nil {
			return fmt.Errorf("write policy %s: %w", p.ID, err)
		}
	}
	return nil
}
