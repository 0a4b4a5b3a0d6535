package main

import (
	"github.com/spf13/cobra"

	"github.com/outband/outband/dlp/filescan"
)

// detectorsCommand is `outband detectors list|test`.
func detectorsCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "detectors", Short: "List and test detectors"}
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
	})
	return cmd
}
