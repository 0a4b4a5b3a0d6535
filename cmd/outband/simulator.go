package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/outband/outband/fixtures/claudesim"
)

// simulatorCommand makes `outband simulator`: APIs of SaaS apps over a made-up organisation, for demonstrations, training and tests.
func simulatorCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "simulator", Short: "Serve the API of a SaaS app with a made-up organisation behind it", Args: cobra.NoArgs}
	cmd.AddCommand(simulatorClaudeCommand())
	return cmd
}

// simulatorClaudeCommand serves until the command's context ends, which is on SIGINT or SIGTERM.
func simulatorClaudeCommand() *cobra.Command {
	var o claudesim.RunOptions
	var epoch string
	cmd := &cobra.Command{
		Use: "claude", Short: "Serve Anthropic's Compliance API, on a loopback address only", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if epoch != "" {
				t, err := time.Parse(time.RFC3339, epoch)
				if err != nil {
					return fmt.Errorf("--epoch %q: want a time such as 2026-01-31T09:00:00Z", epoch)
				}
				o.Epoch = t
			}
			return claudesim.Run(cmd.Context(), o, cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Listen, "listen", "127.0.0.1:8091", "loopback `address` to listen on; port 0 takes a free one")
	f.Uint64Var(&o.Seed, "seed", 1, "`number` that the organisation is made from")
	f.StringVar(&epoch, "epoch", "", "`time` at which the history ends, RFC 3339 (default: the minute of the start)")
	f.IntVar(&o.Rate, "rate", claudesim.DefaultRate, "requests that each window allows; 0: no limit")
	f.DurationVar(&o.RateWindow, "rate-window", claudesim.DefaultRateWindow, "length of the window")
	f.IntVar(&o.AdminRate, "admin-rate", claudesim.DefaultAdminRate, "requests of the Admin API that each window allows; 0: no limit")
	f.IntVar(&o.RemoteRate, "remote-rate", 0, "requests for remote sessions that each window allows besides; 0: no limit")
	f.DurationVar(&o.IndexLag, "index-lag", claudesim.DefaultIndexLag, "how long new rows of the activity feed stay hidden; negative: not at all")
	f.DurationVar(&o.Live, "live", 0, "add a chat, an answer or a deletion each `tick`, e.g. 2s (default: never)")
	f.IntVar(&o.Size.People, "people", 0, "members of the organisation (default: some 70)")
	f.IntVar(&o.Size.Chats, "chats", 0, "chats of the history, at least the 640 of the default")
	f.IntVar(&o.Size.Messages, "messages", 0, "messages of all these chats together (default: as they come)")
	f.IntVar(&o.Size.Files, "files", 0, "files and artifacts of these chats, at least (default: some 140)")
	f.DurationVar(&o.DeleteAfter, "delete-after", 0, "live: every fourth new chat is deleted so long after its last message (default: now and then a recent one)")
	f.DurationVar(&o.LateRows, "late-rows", 0, "live: every fifth row of the feed is indexed up to so long after it happened")
	f.DurationVar(&o.LateChats, "late-chats", 0, "live: every fifth change of a chat is listed up to so long after it happened")
	f.BoolVar(&o.Ties, "ties", false, "live: three events at a time, with the same times")
	f.BoolVar(&o.Disabled, "compliance-off", false, "answer as a tenant that has the Compliance API off")
	f.BoolVar(&o.SettingsOff, "settings-off", false, "answer 404 for the settings, as for most tenants")
	f.BoolVar(&o.LocalOff, "local-sessions-off", false, "answer 404 for local sessions")
	f.DurationVar(&o.TokenTTL, "token-ttl", claudesim.DefaultTokenTTL, "how long the page tokens of transcripts go")
	f.BoolVar(&o.HugeFile, "huge-file", false, "add a text file of 120 MiB")
	f.StringVar(&o.FaultsFile, "faults", "", "YAML or JSON `file` of faults and incidents")
	f.IntVar(&o.FaultPercent, "fault-percent", 0, "spoil so many of a hundred answers, with faults of all kinds that go away by themselves")
	f.BoolVar(&o.Control, "control", false, "answer under /simulator/ with metrics, truth and what was served when")
	f.StringVar(&o.TruthFile, "truth", "", "`file` to write what is planted to")
	f.StringVar(&o.KeysFile, "keys", "", "JSON `file` of the keys to take (default: the demo keys)")
	return cmd
}
