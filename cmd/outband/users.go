package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/outband/outband/api"
	"github.com/outband/outband/internal/config"
	"github.com/outband/outband/internal/store"
)

// setUpLink makes the link by which the first admin is made, as long as there is no user; else it is empty. It voids the one of an earlier start.
func (in *instance) setUpLink(ctx context.Context) (link string, err error) {
	err = in.db.Write(ctx, func(tx *store.Tx) error {
		has, err := store.HasUsers(ctx, tx)
		if err != nil || has {
			return err
		}
		text, err := store.NewLink(ctx, tx, store.LinkSetup, "", store.SetupLinkLife)
		if err != nil {
			return err
		}
		link = api.SetUpURL(in.publicURL(), text)
		return store.AppendAudit(ctx, tx, "system", "link.create", "installation", map[string]string{"purpose": store.LinkSetup})
	})
	return link, err
}

// makeUser stores a user for whoever owns the machine.
func makeUser(ctx context.Context, tx *store.Tx, u store.User) (store.User, error) {
	u, err := store.CreateUser(ctx, tx, u)
	if err != nil {
		return u, err
	}
	return u, store.AppendAudit(ctx, tx, "cli", "user.create", u.ID, map[string]string{"role": u.Role})
}

// makeLink makes a link of a user and returns its text.
func makeLink(ctx context.Context, tx *store.Tx, purpose, userID string, life time.Duration) (string, error) {
	text, err := store.NewLink(ctx, tx, purpose, userID, life)
	if err != nil {
		return "", err
	}
	return text, store.AppendAudit(ctx, tx, "cli", "link.create", userID, map[string]string{"purpose": purpose})
}

// signInURL is where a link with this text leads: to public_url, else to the address that the settings let a server listen on.
func signInURL(cfg config.Config, text string) string {
	base := cfg.PublicURL
	if base == "" {
		host, port, err := net.SplitHostPort(cfg.Listen)
		if err != nil || host == "" || net.ParseIP(host).IsUnspecified() {
			host = "localhost"
		}
		base = listenURL(cfg, net.JoinHostPort(host, port))
	}
	return api.SignInURL(base, text)
}

// usersCommand is `outband users list|create|link`: a way in for whoever owns the machine when nobody can sign in.
func usersCommand() *cobra.Command {
	parent := &cobra.Command{Use: "users", Short: "List and make users, and make sign-in links, beside a running server", Args: cobra.NoArgs}
	parent.AddCommand(usersListCommand(), usersCreateCommand(), usersLinkCommand())
	return parent
}

// opened adds the settings to a command and runs it on the store. fresh lets it begin an installation.
func opened(cmd *cobra.Command, fresh bool, run func(cmd *cobra.Command, cfg config.Config, db *store.DB, args []string) error) *cobra.Command {
	s := configured(cmd, map[string]string{"data": "data folder", "listen": "address of the server, for the link, unless public_url is set"})
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cfg, err := s.load(cmd, nil)
		if err != nil {
			return err
		}
		open := openExisting
		if fresh {
			open = openFresh
		}
		db, _, err := open(cmd.Context(), cfg)
		if err != nil {
			return codedError{err, 2}
		}
		defer closeQuietly(db)
		return run(cmd, cfg, db, args)
	}
	return cmd
}

func usersListCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "List users", Args: cobra.NoArgs}
	return opened(cmd, false, func(cmd *cobra.Command, _ config.Config, db *store.DB, _ []string) error {
		users, err := store.ListUsers(cmd.Context(), db.Read())
		if err != nil {
			return err
		}
		table := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "EMAIL\tNAME\tROLE\tSTATE\tSIGNED IN")
		for _, u := range users {
			state, signedIn := "active", "never"
			switch {
			case !u.DisabledAt.IsZero():
				state = "disabled"
			case u.PasswordHash == "":
				state = "no password"
			}
			if !u.SignedInAt.IsZero() {
				signedIn = u.SignedInAt.Format(time.RFC3339)
			}
			fmt.Fprintf(table, "%s\t%q\t%s\t%s\t%s\n", u.Email, u.Name, u.Role, state, signedIn)
		}
		return table.Flush()
	})
}

func usersCreateCommand() *cobra.Command {
	var email, name, role string
	cmd := &cobra.Command{Use: "create", Short: "Make a user and print, once, the link by which they choose a password", Args: cobra.NoArgs}
	cmd.Flags().StringVar(&email, "email", "", "e-mail address, with which the user signs in")
	cmd.Flags().StringVar(&name, "name", "", "name (default: the address)")
	cmd.Flags().StringVar(&role, "role", "", "role: "+strings.Join(api.Roles(), ", "))
	for _, needed := range []string{"email", "role"} {
		if err := cmd.MarkFlagRequired(needed); err != nil {
			panic(err) // The flag was defined above.
		}
	}
	return opened(cmd, true, func(cmd *cobra.Command, cfg config.Config, db *store.DB, _ []string) error {
		if !slices.Contains(api.Roles(), role) {
			return codedError{fmt.Errorf("--role %q is none of %s", role, strings.Join(api.Roles(), ", ")), 2}
		}
		if name = strings.TrimSpace(name); name == "" {
			name = strings.TrimSpace(email)
		}
		if len(name) > maxUserName {
			return codedError{fmt.Errorf("--name has more than %d bytes", maxUserName), 2}
		}
		return printLink(cmd, cfg, db, func(ctx context.Context, tx *store.Tx) (string, error) {
			u, err := makeUser(ctx, tx, store.User{Email: email, Name: name, Role: role})
			switch {
			case errors.Is(err, store.ErrEmail):
				return "", codedError{fmt.Errorf("--email %q is not an e-mail address", email), 2}
			case errors.Is(err, store.ErrConflict):
				return "", errors.New("a user has this address already; make a link with: outband users link")
			}
			return u.ID, err
		})
	})
}

// maxUserName is the longest name of a user, in bytes.
const maxUserName = 120

func usersLinkCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "link EMAIL", Short: "Print, once, a new link by which a user signs in and chooses a password", Args: cobra.ExactArgs(1)}
	return opened(cmd, false, func(cmd *cobra.Command, cfg config.Config, db *store.DB, args []string) error {
		return printLink(cmd, cfg, db, func(ctx context.Context, tx *store.Tx) (string, error) {
			u, err := store.FindUserByEmail(ctx, tx, args[0])
			switch {
			case errors.Is(err, store.ErrNotFound):
				return "", errors.New("no user has this address; outband users list names those there are")
			case err == nil && !u.DisabledAt.IsZero():
				return "", errors.New("this user is disabled; an admin can enable them in the pages, or make another user with: outband users create")
			}
			return u.ID, err
		})
	})
}

// printLink makes the link of the user that find returns, and prints it alone on standard output, after it was stored and audited.
func printLink(cmd *cobra.Command, cfg config.Config, db *store.DB, find func(context.Context, *store.Tx) (userID string, err error)) error {
	ctx, text := cmd.Context(), ""
	err := db.Write(ctx, func(tx *store.Tx) error {
		userID, err := find(ctx, tx)
		if err != nil {
			return err
		}
		text, err = makeLink(ctx, tx, store.LinkInvite, userID, store.InviteLinkLife)
		return err
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(cmd.OutOrStdout(), signInURL(cfg, text))
	return err
}
