package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/outband/outband/api"
	"github.com/outband/outband/connectors"
	"github.com/outband/outband/connectors/all"
	"github.com/outband/outband/internal/config"
	"github.com/outband/outband/internal/store"
	"github.com/outband/outband/internal/vault"
)

func environ() []string { return os.Environ() }

func tokenCommand() *cobra.Command {
	parent := &cobra.Command{Use: "token", Short: "Make API tokens", Args: cobra.NoArgs}
	var role, name, expires string
	cmd := &cobra.Command{Use: "create", Short: "Make an API token and print it, once, alone on standard output", Args: cobra.NoArgs}
	s := configured(cmd, map[string]string{"data": "data folder"})
	cmd.Flags().StringVar(&role, "role", "", "role of the token: "+strings.Join(api.Roles(), ", "))
	cmd.Flags().StringVar(&name, "name", "", "what the token is for")
	cmd.Flags().StringVar(&expires, "expires", "90d", "life of the token, like 12h or 90d; never: none")
	if err := cmd.MarkFlagRequired("role"); err != nil {
		panic(err) // The flag was defined above.
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := s.load(cmd, nil)
		if err != nil {
			return err
		}
		if !slices.Contains(api.Roles(), role) {
			return codedError{fmt.Errorf("--role %q is none of %s", role, strings.Join(api.Roles(), ", ")), 2}
		}
		life, err := parseLife(expires)
		if err != nil {
			return codedError{err, 2}
		}
		db, _, err := openFresh(cmd.Context(), cfg)
		if err != nil {
			return codedError{err, 2}
		}
		defer closeQuietly(db)
		var text string
		err = db.Write(cmd.Context(), func(tx *store.Tx) error {
			var until time.Time
			if life > 0 {
				until = tx.Now().Add(life)
			}
			var t store.Token
			if text, t, err = store.CreateToken(cmd.Context(), tx, name, role, until); err != nil {
				return err
			}
			return store.AppendAudit(cmd.Context(), tx, "cli", "token.create", t.ID, map[string]string{"role": role})
		})
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(cmd.OutOrStdout(), text)
		return err
	}
	parent.AddCommand(cmd)
	return parent
}

// parseLife reads a duration that may be in days; "never" is 0.
func parseLife(s string) (time.Duration, error) {
	if s == "never" {
		return 0, nil
	}
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.Atoi(days)
		if err == nil && n > 0 && n <= 3650 {
			return time.Duration(n) * 24 * time.Hour, nil
		}
		return 0, fmt.Errorf("--expires %q is not a number of days from 1d to 3650d", s)
	}
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("--expires %q is not a duration like 12h or 90d, or never", s)
	}
	return d, nil
}

// openFresh opens an installation. A new one is made ready, so that a token or a user can be made before the first start.
func openFresh(ctx context.Context, cfg config.Config) (*store.DB, *vault.Vault, error) {
	dir, _, err := folder(cfg, false)
	if err != nil {
		return nil, nil, err
	}
	return openStore(ctx, cfg, dir)
}

// openExisting opens an installation that must exist already: a check of a mistyped folder must not make a new one, and of Postgres without the
// key file no new key.
func openExisting(ctx context.Context, cfg config.Config) (*store.DB, *vault.Vault, error) {
	if _, err := os.Stat(filepath.Join(cfg.Data, "outband.db")); err != nil && sqlite(cfg) {
		return nil, nil, fmt.Errorf("there is no Outband database in %s", relative(cfg.Data))
	}
	if _, err := os.Stat(cfg.Key.File); err != nil && !sqlite(cfg) {
		return nil, nil, vault.ErrKeyMissing
	}
	dir, _, err := folder(cfg, false)
	if err != nil {
		return nil, nil, err
	}
	return openStore(ctx, cfg, dir)
}

// closeQuietly closes a database that was only read or whose writes are committed.
func closeQuietly(db *store.DB) {
	// Everything was committed before: an error of closing changes nothing for the caller.
	_ = db.Close()
}

func keysCommand() *cobra.Command {
	parent := &cobra.Command{Use: "keys", Short: "Check and rotate the key file", Args: cobra.NoArgs}
	sub := func(use, short string, f func(cmd *cobra.Command, db *store.DB, v *vault.Vault, keyFile string) error) {
		cmd := &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs}
		s := configured(cmd, map[string]string{"data": "data folder"})
		cmd.RunE = func(cmd *cobra.Command, _ []string) error {
			cfg, err := s.load(cmd, nil)
			if err != nil {
				return err
			}
			db, v, err := openExisting(cmd.Context(), cfg)
			if err != nil {
				return codedError{err, 2}
			}
			defer closeQuietly(db)
			return f(cmd, db, v, cfg.Key.File)
		}
		parent.AddCommand(cmd)
	}
	sub("status", "Say which key is in use", func(cmd *cobra.Command, _ *store.DB, v *vault.Vault, file string) error {
		_, fp := v.FingerprintKey()
		_, err := fmt.Fprintf(cmd.OutOrStdout(), "key file %s\nkey id %s\nfingerprint key %s\n", relative(file), v.KeyID(), fp)
		return err
	})
	sub("verify", "Open every stored secret", func(cmd *cobra.Command, db *store.DB, v *vault.Vault, _ string) error {
		n, err := v.Verify(cmd.Context(), db)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d secrets open with key %s\n", n, v.KeyID())
		return err
	})
	sub("rotate", "Make a new key file and wrap the data keys with it", func(cmd *cobra.Command, db *store.DB, _ *vault.Vault, file string) error {
		if err := vault.Rotate(cmd.Context(), db, file, "cli"); err != nil {
			return err
		}
		v, err := vault.Open(cmd.Context(), db, file)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "key id %s is in use; make a new backup of %s\n", v.KeyID(), relative(file))
		return err
	})
	return parent
}

func auditCommand() *cobra.Command {
	parent := &cobra.Command{Use: "audit", Short: "Check the audit log", Args: cobra.NoArgs}
	cmd := &cobra.Command{Use: "verify", Short: "Walk the hash chain; exit 1 and name the row if it is broken", Args: cobra.NoArgs}
	s := configured(cmd, map[string]string{"data": "data folder"})
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := s.load(cmd, nil)
		if err != nil {
			return err
		}
		db, _, err := openExisting(cmd.Context(), cfg)
		if err != nil {
			return codedError{err, 2}
		}
		defer closeQuietly(db)
		n, head, err := store.VerifyAudit(cmd.Context(), db.Read())
		var broken *store.AuditError
		if errors.As(err, &broken) {
			return codedError{err, 1}
		}
		if err != nil {
			return codedError{err, 2}
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d rows, head %s\n", n, head)
		return err
	}
	parent.AddCommand(cmd)
	return parent
}

func configCommand() *cobra.Command {
	parent := &cobra.Command{Use: "config", Short: "Check the configuration", Args: cobra.NoArgs}
	cmd := &cobra.Command{Use: "check", Short: "Read file and environment, and say what is wrong with them", Args: cobra.NoArgs}
	s := configured(cmd, map[string]string{"listen": "address of the API", "data": "data folder", "role": "all, api or worker"})
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if _, err := s.load(cmd, nil); err != nil {
			return err
		}
		_, err := fmt.Fprintln(cmd.OutOrStdout(), "the configuration is valid")
		return err
	}
	parent.AddCommand(cmd)
	return parent
}

func connectorsCommand() *cobra.Command {
	parent := &cobra.Command{Use: "connectors", Short: "List connectors", Args: cobra.NoArgs}
	var format string
	cmd := &cobra.Command{Use: "list", Short: "List the connectors of this version", Args: cobra.NoArgs}
	cmd.Flags().StringVar(&format, "format", "text", "text or json (one manifest a line)")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if format != "text" && format != "json" {
			return codedError{fmt.Errorf("--format %q is neither text nor json", format), 2}
		}
		table := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
		for _, c := range all.All() {
			m, err := connectors.ParseManifest(c.Manifest)
			if err != nil {
				return err
			}
			if format == "json" {
				if err := json.NewEncoder(cmd.OutOrStdout()).Encode(m); err != nil {
					return err
				}
				continue
			}
			var streams []string
			for _, s := range m.Streams {
				streams = append(streams, s.ID)
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", m.ID, m.Name, strings.Join(streams, ","), m.Docs)
		}
		return table.Flush()
	}
	parent.AddCommand(cmd)
	return parent
}
