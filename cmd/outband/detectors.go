package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/outband/outband/dlp"
	"github.com/outband/outband/dlp/filescan"
	"github.com/outband/outband/internal/store"
	"github.com/outband/outband/workflows"
)

// detectorsCommand is `outband detectors list|test|bench|export|import|convert`.
func detectorsCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "detectors", Short: "List, test, measure and convert detectors"}
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
	}, benchCommand(), detectorsExportCommand(), detectorsImportCommand(), convertCommand())
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

// detectorsOf opens an installation and the detectors of it.
func detectorsOf(cmd *cobra.Command, s *settings) (*store.DB, *workflows.Detectors, error) {
	cfg, err := s.load(cmd, nil)
	if err != nil {
		return nil, nil, err
	}
	db, v, err := openExisting(cmd.Context(), cfg)
	if err != nil {
		return nil, nil, codedError{err, 2}
	}
	builtin, err := dlp.Builtin()
	if err == nil {
		var d *workflows.Detectors
		if d, err = workflows.NewDetectors(cmd.Context(), workflows.DetectorDependencies{DB: db, Vault: v, Builtin: builtin}); err == nil {
			return db, d, nil
		}
	}
	closeQuietly(db)
	return nil, nil, codedError{err, 2}
}

func detectorsExportCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "export FOLDER", Short: "Write the custom detectors to a folder, one file each", Args: cobra.ExactArgs(1), SilenceUsage: true}
	s := configured(cmd, map[string]string{"data": "data folder"})
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		db, _, err := detectorsOf(cmd, s)
		if err != nil {
			return err
		}
		defer closeQuietly(db)
		all, err := store.CustomDetectors(cmd.Context(), db.Read())
		if err != nil {
			return codedError{err, 2}
		}
		if err := os.MkdirAll(args[0], 0o700); err != nil {
			return codedError{withoutPath(err), 2}
		}
		for _, d := range all {
			if err := os.WriteFile(filepath.Join(args[0], d.ID+".yaml"), []byte(d.YAML), 0o600); err != nil {
				return codedError{fmt.Errorf("%s.yaml: %w", d.ID, withoutPath(err)), 2}
			}
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d detectors written\n", len(all))
		return err
	}
	return cmd
}

func detectorsImportCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "import FILE…", Short: "Save custom detectors from YAML files: all of them, or none",
		Long: `Save custom detectors from YAML files: all of them, or none. A detector that is there already gets a new version; one that is the same is left alone.

Exit code 0: all are saved. 1: something is refused by the lint, is red or is too slow; file, line, column and reason are on standard error. 2: a file cannot be read.`,
		Args: cobra.MinimumNArgs(1), SilenceUsage: true,
	}
	s := configured(cmd, map[string]string{"data": "data folder"})
	cmd.RunE = func(cmd *cobra.Command, names []string) error {
		db, held, err := detectorsOf(cmd, s)
		if err != nil {
			return err
		}
		defer closeQuietly(db)
		sources := map[string]string{} // by id
		red := false
		for _, name := range names {
			data, err := readLimited(name, workflows.MaxDetectorSource)
			if err != nil {
				return codedError{fmt.Errorf("%s: %w", name, err), 2}
			}
			checked, err := held.Check(cmd.Context(), name, data)
			for _, c := range workflows.Complaints(err) {
				red = true
				cmd.PrintErrln(c)
			}
			if err != nil && len(workflows.Complaints(err)) == 0 {
				return codedError{err, 2}
			}
			for i := range checked.Detectors {
				d := &checked.Detectors[i]
				text := data // A file of one is kept with its comments and order.
				if len(checked.Detectors) > 1 {
					if text, err = d.Source(); err != nil {
						return codedError{err, 2}
					}
				}
				if _, twice := sources[d.ID]; twice {
					red = true
					cmd.PrintErrln(d.Complaint("id", "id is used twice"))
				}
				sources[d.ID] = string(text)
			}
		}
		if red {
			return codedError{errors.New("nothing was saved"), 1}
		}
		saved, err := saveDetectors(cmd.Context(), db, sources)
		if err != nil {
			return codedError{err, 2}
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d detectors saved, %d unchanged\n", saved, len(sources)-saved)
		return err
	}
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

// saveDetectors stores those that differ from what is in force, in one transaction, and returns how many did.
func saveDetectors(ctx context.Context, db *store.DB, sources map[string]string) (saved int, err error) {
	err = db.Write(ctx, func(tx *store.Tx) error {
		have, err := store.CustomDetectors(ctx, tx)
		if err != nil {
			return err
		}
		for _, id := range slices.Sorted(maps.Keys(sources)) {
			var expected int64
			action := "detector.create"
			if i := slices.IndexFunc(have, func(d store.Detector) bool { return d.ID == id }); i >= 0 {
				if have[i].YAML == sources[id] {
					continue
				}
				expected, action = have[i].Version, "detector.update"
			}
			version, err := store.PutDetector(ctx, tx, id, sources[id], expected, "cli")
			if err != nil {
				return err
			}
			if err := store.AppendAudit(ctx, tx, "cli", action, id, map[string]string{"version": strconv.FormatInt(version, 10)}); err != nil {
				return err
			}
			saved++
		}
		all, err := store.CustomDetectors(ctx, tx)
		if err == nil && len(all) > workflows.MaxCustomDetectors {
			err = fmt.Errorf("%d custom detectors are too many; there can be %d", len(all), workflows.MaxCustomDetectors)
		}
		return err
	})
	return saved, err
}

// readLimited reads a file that may have no more than limit bytes; what reads it then says that it is too large.
func readLimited(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, withoutPath(err)
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, withoutPath(err)
	}
	return data, nil
}
