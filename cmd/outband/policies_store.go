package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/outband/outband/dlp"
	"github.com/outband/outband/dlp/policy"
	"github.com/outband/outband/internal/config"
	"github.com/outband/outband/internal/store"
	"github.com/outband/outband/workflows"
	"github.com/outband/outband/workflows/authoring"
)

// maxPoliciesFile is the most bytes that a file of several policies may have.
const maxPoliciesFile = 8 << 20

// authored adds the settings to a command and runs it on the custom policies of an installation, beside a running server, which follows within seconds.
func authored(cmd *cobra.Command, run func(cmd *cobra.Command, a *authoring.Author, args []string) error) *cobra.Command {
	s := configured(cmd, map[string]string{"data": "data folder"})
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cfg, err := s.load(cmd, nil)
		if err != nil {
			return err
		}
		db, _, err := openExisting(cmd.Context(), cfg)
		if err != nil {
			return codedError{err, policiesInvalid}
		}
		defer closeQuietly(db)
		a, err := authorOf(cmd.Context(), cfg, db)
		if err != nil {
			return codedError{err, policiesInvalid}
		}
		return run(cmd, a, args)
	}
	return cmd
}

func authorOf(ctx context.Context, cfg config.Config, db *store.DB) (*authoring.Author, error) {
	detectors, err := dlp.Builtin()
	if err != nil {
		return nil, err
	}
	ids := make([]string, 0, len(detectors))
	for _, d := range detectors {
		ids = append(ids, d.ID)
	}
	custom, err := store.CustomDetectors(ctx, db.Read())
	if err != nil {
		return nil, err
	}
	for _, d := range custom {
		ids = append(ids, d.ID)
	}
	profiles := func(ctx context.Context) ([]dlp.Profile, error) { return workflows.Profiles(ctx, db.Read()) }
	known, err := profiles(ctx)
	if err != nil {
		return nil, err
	}
	files, err := workflows.PolicyFiles(cfg.Policies.Dir, ids, known...)
	if err != nil {
		return nil, err
	}
	return authoring.New(db, func() []string { return ids }, profiles, files)
}

func policiesExportCommand() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write the custom policies of an installation: one file each into a folder, or all to standard output",
		Args:  cobra.NoArgs,
	}
	cmd.Flags().StringVar(&out, "out", "-", "folder, which is made; -: all policies to standard output, with --- between them")
	return authored(cmd, func(cmd *cobra.Command, a *authoring.Author, _ []string) error {
		all, err := a.Export(cmd.Context())
		if err != nil {
			return err
		}
		if out == "-" {
			files := make([][]byte, 0, len(all))
			for _, p := range all {
				files = append(files, []byte(p.YAML))
			}
			_, err := cmd.OutOrStdout().Write(policy.Join(files))
			return err
		}
		if err := os.MkdirAll(out, 0o755); err != nil {
			return fmt.Errorf("make the folder: %w", err)
		}
		for _, p := range all {
			// The form of an id holds no separator of paths.
			if err := os.WriteFile(filepath.Join(out, p.ID+".yaml"), []byte(p.YAML), 0o644); err != nil {
				return fmt.Errorf("write a policy: %w", err)
			}
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d policies written to %s\n", len(all), relative(out))
		return err
	})
}

func policiesImportCommand() *cobra.Command {
	var dry bool
	var reason string
	cmd := &cobra.Command{
		Use:   "import FILE|DIR…",
		Short: "Save policies as custom ones, all or none; a running server follows within 5 seconds",
		Long: "Save policies as custom ones, all or none; a running server follows within 5 seconds. A file holds one policy, or several with --- between them;\n" +
			"of a folder, every *.yaml is read. Policies that are not named stay as they are.\n" +
			"Exit 0: saved, 1: a test is red, 2: a file cannot be read or a policy is refused.",
		Args: cobra.MinimumNArgs(1),
	}
	cmd.Flags().BoolVar(&dry, "dry-run", false, "say what would become of each, and save nothing")
	cmd.Flags().StringVar(&reason, "reason", "", "why; the versions keep it")
	return authored(cmd, func(cmd *cobra.Command, a *authoring.Author, args []string) error {
		if utf8.RuneCountInString(reason) > authoring.MaxReason {
			return codedError{fmt.Errorf("--reason has more than %d characters", authoring.MaxReason), policiesInvalid}
		}
		docs, err := readDocuments(args)
		if err != nil {
			return codedError{err, policiesInvalid}
		}
		files := make([][]byte, 0, len(docs))
		for _, d := range docs {
			files = append(files, d.Data)
		}
		report, err := a.Import(cmd.Context(), files, dry, authoring.Change{By: "cli", Reason: reason, Audit: auditCLI})
		if err != nil && !errors.Is(err, authoring.ErrRefused) {
			return err
		}
		if told := tell(cmd.OutOrStdout(), cmd.ErrOrStderr(), docs, report); told != nil {
			return told
		}
		if err != nil {
			return refusal(report, err)
		}
		saved := "saved"
		if dry {
			saved = "would be saved"
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d policies %s\n", len(report), saved)
		return err
	})
}

// named is one policy of a file.
type named struct {
	policy.Document
	name string // of the file
}

// readDocuments reads files, and the *.yaml of folders.
func readDocuments(names []string) ([]named, error) {
	var out []named
	for _, name := range names {
		files := []string{name}
		info, err := os.Stat(name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, withoutPath(err))
		}
		if info.IsDir() {
			if files, err = filepath.Glob(filepath.Join(name, "*.yaml")); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
		}
		for _, file := range files {
			data, err := readLimited(file, maxPoliciesFile)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
			if len(data) > maxPoliciesFile {
				return nil, fmt.Errorf("%s: the file has more than %d bytes", file, maxPoliciesFile)
			}
			for _, d := range policy.Split(data) {
				out = append(out, named{d, file})
			}
		}
	}
	if len(out) == 0 {
		return nil, errors.New("there is no policy in what was named")
	}
	return out, nil
}

// tell writes what became of each policy, and the problems with their places.
func tell(out, problems io.Writer, docs []named, report []authoring.Imported) error {
	for i, r := range report {
		if r.Outcome != authoring.OutcomeRefused {
			if _, err := fmt.Fprintf(out, "%-9s %s version %d\n", r.Outcome, r.ID, r.Version); err != nil {
				return err
			}
			continue
		}
		for _, issue := range r.Verdict.Issues {
			place := docs[i].name
			if issue.Line > 0 {
				place += fmt.Sprintf(":%d", docs[i].Line+issue.Line-1)
			}
			if issue.Line > 0 && issue.Column > 0 {
				place += fmt.Sprintf(":%d", issue.Column)
			}
			if _, err := fmt.Fprintf(problems, "%s: %s\n", place, issue.Message); err != nil {
				return err
			}
		}
	}
	return nil
}

// refusal ends the command: that a test is red is told apart from what is invalid.
func refusal(report []authoring.Imported, err error) error {
	refused := slices.DeleteFunc(slices.Clone(report), func(r authoring.Imported) bool { return r.Outcome != authoring.OutcomeRefused })
	if len(refused) == 0 {
		return &policiesError{err.Error(), policiesInvalid} // No single one is at fault: there would be too many.
	}
	code := policiesRed
	if slices.ContainsFunc(refused, func(r authoring.Imported) bool { return !r.Verdict.Red() }) {
		code = policiesInvalid
	}
	return &policiesError{fmt.Sprintf("%d of %d policies are refused, so none is saved", len(refused), len(report)), code}
}

// auditCLI audits a change that whoever owns the machine makes.
func auditCLI(ctx context.Context, tx *store.Tx, action, object string, detail map[string]string) error {
	return store.AppendAudit(ctx, tx, "cli", action, object, detail)
}
