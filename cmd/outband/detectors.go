package main

import (
	"github.com/spf13/cobra"

	"github.com/outband/outband/dlp/filescan"
)

// detectorsCommand is `outband detectors list|test|bench`.
func detectorsCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "detectors", Short: "List, test and measure detectors"}
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
	}, benchCommand())
	return cmd
}

func benchCommand() *cobra.Command {
	cfg := filescan.DefaultBenchConfiguration()
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure what detectors cost and find on the reference corpus",
		Long: `Measure what detectors cost and find, on the reference corpus: conversations, prose, code and logs made from a seed, with values of the detectors and
decoys in them. One core, and the process's own time. A detector's values are made from its examples.

Exit code 0: it was measured. 1: the detectors of the file are refused. 2: something else went wrong.`,
		Args:         cobra.NoArgs,
		SilenceUsage: true,
		RunE:         func(cmd *cobra.Command, _ []string) error { return filescan.Bench(cmd.OutOrStdout(), cfg) },
	}
	cmd.Flags().StringVar(&cfg.File, "file", cfg.File, "measure the detectors of this YAML file instead of the built-in ones")
	cmd.Flags().IntVar(&cfg.MiB, "size", cfg.MiB, "size of the corpus in MiB")
	cmd.Flags().Uint64Var(&cfg.Seed, "seed", cfg.Seed, "seed of the corpus")
	cmd.Flags().StringVar(&cfg.Format, "format", cfg.Format, "text or json")
	return cmd
}
