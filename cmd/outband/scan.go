package main

import (
	"github.com/spf13/cobra"

	"github.com/outband/outband/dlp/filescan"
)

// scanCommand is `outband scan`: DLP over files, without a server or network.
func scanCommand() *cobra.Command {
	var cfg filescan.Configuration
	cmd := &cobra.Command{
		Use:   "scan PATH…|-",
		Short: "Look for sensitive data in files, folders or standard input",
		Long: `Look for sensitive data in files, folders or standard input (-), without a server or network.

Documents are opened: office files, PDF, mail, archives, notebooks, databases, in a child process without rights. Their members are named like
outer.zip!/inner/name. Values are never printed, only masks. Exit code 0: nothing found. 1: findings. 2: something could not be read; the reason is on standard error.
Matches of medium confidence (0.4) and above are reported unless --min-confidence says otherwise. A profile with thresholds reports the files that meet
them, with all their matches: three kinds of personal data near each other with pii, ten card numbers with pci_bulk.`,
		SilenceUsage: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg.Paths = args
			cfg.Version = versionText()
			return filescan.Run(cmd.Context(), cfg, filescan.Dependencies{Stdin: cmd.InOrStdin(), Stdout: cmd.OutOrStdout(), Stderr: cmd.ErrOrStderr()})
		},
	}
	// A wrong flag is an error of the command, not a finding.
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
		return &filescan.ExitError{Code: filescan.ExitFailed, Err: err}
	})
	cmd.Flags().StringVar(&cfg.Format, "format", "text", "text, json (one object a line) or sarif")
	cmd.Flags().StringVar(&cfg.Profile, "profile", "", "set of detectors with thresholds: credentials, pci, pii, phi, source_code, ai_safety, … (default: all)")
	cmd.Flags().StringVar(&cfg.ProfileFile, "profile-file", "", "file of profiles (YAML), used in place of the built-in ones of the same id")
	cmd.Flags().StringSliceVar(&cfg.Detectors, "detectors", nil, "YAML file of detectors to use beside the profile's; may be given again")
	cmd.Flags().Float64Var(&cfg.MinConfidence, "min-confidence", 0, "report matches of at least this confidence, 0 to 1 (default: the profile's, 0.4)")
	cmd.Flags().BoolVar(&cfg.Explain, "explain", false, "say in each line of JSON why it was found: how its confidence is made, checks, words near")
	cmd.Flags().BoolVar(&cfg.LeaveOutTestData, "skip-test-data", false, "leave out published test values, such as the example cards of payment processors")
	cmd.Flags().BoolVar(&cfg.OCR, "ocr", false, "read the text of images with Tesseract, which has to be installed")
	cmd.Flags().IntVar(&cfg.Workers, "workers", 0, "files scanned at once (default: one for each processor)")
	return cmd
}
