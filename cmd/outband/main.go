// Command outband is the whole product: the server, the demo, the simulator, and the tools for files, detectors, policies and keys.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	_ "time/tzdata" // time zones of the timeline, also on hosts without a zone database

	"github.com/spf13/cobra"

	"github.com/outband/outband/dlp/extract/sandbox"
)

// version is set by the build: -ldflags "-X main.version=…".
var version = ""

func versionText() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "0.1.0-dev"
}

func main() {
	sandbox.Child() // Before anything else: it reads foreign files, and needs nothing of what follows.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run runs one command and returns the exit code: that of an error with an ExitCode method, else 0 or 1.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := &cobra.Command{
		Use: "outband", Short: "A self-hosted, out-of-band cloud access security broker", SilenceUsage: true, SilenceErrors: true,
		Args: cobra.NoArgs,
	}
	root.AddCommand(serveCommand(), demoCommand(), simulatorCommand(), scanCommand(), detectorsCommand(), edmCommand(), policiesCommand(), connectorsCommand(),
		usersCommand(), tokenCommand(), reindexCommand(), keysCommand(), auditCommand(), configCommand(), versionCommand())
	root.CompletionOptions.DisableDefaultCmd = true
	groups(root)
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	if text := err.Error(); text != "" {
		fmt.Fprintln(stderr, "outband:", text)
	}
	var coded interface{ ExitCode() int }
	if errors.As(err, &coded) {
		return coded.ExitCode()
	}
	return 1
}

// groups makes commands that only hold others refuse what they do not know: cobra would print its help and succeed.
func groups(cmd *cobra.Command) {
	for _, sub := range cmd.Commands() {
		groups(sub)
	}
	if !cmd.Runnable() {
		cmd.Args, cmd.RunE = cobra.NoArgs, func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	}
}

func versionCommand() *cobra.Command {
	return &cobra.Command{Use: "version", Short: "Print the version", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		_, err := fmt.Fprintln(cmd.OutOrStdout(), "outband", versionText())
		return err
	}}
}
