package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/outband/outband/dlp/policy"
)

// Exit codes of the policies commands.
const (
	policiesRed     = 1 // a test gave something else than its policy says
	policiesInvalid = 2 // a file cannot be read, a policy does not compile, or the command line is wrong
)

// policiesError ends the command with an exit code of its own.
type policiesError struct {
	text string
	code int
}

func (e *policiesError) Error() string { return e.text }

// ExitCode returns the code that the process ends with.
func (e *policiesError) ExitCode() int { return e.code }

// policiesCommand makes `outband policies`: what is built in, the tests that policies carry, and the custom ones of an installation.
func policiesCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "policies", Short: "List and test policies, and take the custom ones of an installation out and in", Args: cobra.NoArgs}
	cmd.AddCommand(policiesListCommand(), policiesTestCommand(), policiesExportCommand(), policiesImportCommand())
	return cmd
}

func policiesListCommand() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the built-in policies",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			list, err := policy.Builtin()
			if err != nil {
				return &policiesError{err.Error(), policiesInvalid}
			}
			switch format {
			case "json":
				return policy.WriteJSON(cmd.OutOrStdout(), list)
			case "text":
				return policy.WriteTable(cmd.OutOrStdout(), list)
			}
			return &policiesError{fmt.Sprintf("--format %q is neither text nor json", format), policiesInvalid}
		},
	}
	cmd.Flags().StringVar(&format, "format", "text", "text or json (one object a line)")
	return cmd
}

func policiesTestCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "test [FILE…]",
		Short: "Run the tests inside policies: the built-in ones, or those in the files",
		Long: "Run the tests inside policies: the built-in ones, or those in the files.\n" +
			"Exit 0: all passed, 1: a test is red, 2: a file cannot be read or a policy is invalid.",
		RunE: func(cmd *cobra.Command, names []string) error {
			files, err := policy.BuiltinSources()
			if err != nil {
				return &policiesError{err.Error(), policiesInvalid}
			}
			if len(names) > 0 {
				files = readPolicies(names)
			}
			report, err := policy.TestSources(cmd.OutOrStdout(), cmd.ErrOrStderr(), files, nil)
			switch {
			case err != nil:
				return &policiesError{err.Error(), policiesInvalid}
			case report.Invalid > 0:
				return &policiesError{fmt.Sprintf("%d files cannot be read or hold an invalid policy", report.Invalid), policiesInvalid}
			case report.Failed > 0:
				return &policiesError{fmt.Sprintf("%d tests failed", report.Failed), policiesRed}
			}
			return nil
		},
	}
}

func readPolicies(names []string) []policy.Source {
	out := make([]policy.Source, 0, len(names))
	for _, name := range names {
		data, err := readLimited(name, policy.MaxFileBytes)
		out = append(out, policy.Source{Name: name, Data: data, Err: err})
	}
	return out
}

// withoutPath drops the path of a file error, because the line begins with it.
func withoutPath(err error) error {
	var at *os.PathError
	if errors.As(err, &at) {
		return fmt.Errorf("%s: %w", at.Op, at.Err)
	}
	return err
}
