package main

import (
	"github.com/spf13/cobra"

	"github.com/outband/outband/dlp/filescan"
)

// detectorsCommand is `outband detectors list|test|convert`.
func detectorsCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "detectors", Short: "List, test and convert detectors"}
	cmd.AddCommand(&cobra.Command{
		Use:          "list",
		Short:        "List the built-in detectors",
		Args:         cobra.NoArgs,
		SilenceUsage: true,
		RunE:         func(cmd *cobra.Command, _ []string) error { return filescan.List(cmd.OutOrStdout()) },
	}, &cobra.Command{
		Use:   "test [FILE…]",
		Short: "Hold detectors to their examples: the built-in ones, or those of YAML files",
		Long: `Hold detectors to the lint and to their own examples: the built-in ones, or those of YAML files.

Exit code 0: all is green. 1: something is red; file, line, column and reason are on standard error. 2: a file could not be read.`,
		SilenceUsage: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			return filescan.Test(cmd.OutOrStdout(), cmd.ErrOrStderr(), args)
		},
	}, convertCommand())
	return cmd
}

// convertCommand is `outband detectors convert`.
func convertCommand() *cobra.Command {
	var cfg filescan.Conversion
	cmd := &cobra.Command{
		Use:   "convert --from gitleaks|presidio FILE",
		Short: "Turn rules of another tool into detectors",
		Long: `Turn rules of another tool into detectors: a gitleaks configuration (TOML), or Presidio recognizers of patterns and deny lists (YAML).

Each detector passes the lint and has examples that were made for it; give the result to detectors test, and look at the examples. What was refused, and what became
weaker than it was, is on standard error with the line of the source and a code.

Exit code 0: every rule was taken. 1: some were refused. 2: the file cannot be read or written.`,
		Args:         cobra.ExactArgs(1),
		SilenceUsage: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg.File = args[0]
			return filescan.Convert(cmd.OutOrStdout(), cmd.ErrOrStderr(), cfg)
		},
	}
	cmd.Flags().StringVar(&cfg.From, "from", "", "gitleaks or presidio")
	cmd.Flags().StringVar(&cfg.Out, "out", "", "file that is written (default: standard output)")
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
		return &filescan.ExitError{Code: filescan.ExitFailed, Err: err}
	})
	return cmd
}
