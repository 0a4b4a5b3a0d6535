package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/outband/outband/internal/config"
)

// codedError ends the command with an exit code of its own.
type codedError struct {
	error
	code int
}

// ExitCode returns the code that the process ends with.
func (e codedError) ExitCode() int { return e.code }

// Unwrap returns the cause.
func (e codedError) Unwrap() error { return e.error }

// settings are the flags of every command that needs the configuration.
type settings struct {
	file  string
	flags map[string]*string
}

// configured adds --config and the named keys as flags to a command.
func configured(cmd *cobra.Command, keys map[string]string) *settings {
	s := &settings{flags: map[string]*string{}}
	cmd.Flags().StringVar(&s.file, "config", "", "configuration file (YAML)")
	for key, help := range keys {
		s.flags[key] = cmd.Flags().String(key, "", help)
	}
	return s
}

func (s *settings) load(cmd *cobra.Command, more map[string]string) (config.Config, error) {
	flags := map[string]string{}
	for key, value := range more {
		flags[key] = value
	}
	for key, value := range s.flags {
		if cmd.Flags().Changed(key) {
			flags[key] = *value
		}
	}
	cfg, err := config.Load(config.Options{File: s.file, Env: environ(), Flags: flags})
	if err != nil {
		return cfg, codedError{err, 2}
	}
	return cfg, nil
}

func serveCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "serve", Short: "Run the server: API and pages, scans and deliveries, or a part of them", Args: cobra.NoArgs}
	s := configured(cmd, map[string]string{
		"listen": "address of the API and the pages, or of a worker's health (default 127.0.0.1:8080; a worker: none)", "data": "data folder (default ./outband-data)", "role": "all, api or worker (default all)",
	})
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := s.load(cmd, nil)
		if err != nil {
			return err
		}
		return serve(cmd.Context(), cfg, cmd.OutOrStdout())
	}
	return cmd
}

func serve(ctx context.Context, cfg config.Config, out io.Writer) error {
	log := newLogger(cfg.Log.Level)
	in, err := start(ctx, cfg, log, false)
	if err != nil {
		return codedError{err, 2}
	}
	log.Info("outband started", "listen", in.address, "role", cfg.Role)
	if cfg.Role == config.RoleWorker && cfg.PublicURL == "" {
		log.Warn("public_url not set: events that this worker delivers hold no link")
	}
	ready := in.url()
	if ready == "" {
		ready = cfg.Role
	}
	link := ""
	if in.answers() {
		if link, err = in.setUpLink(context.WithoutCancel(ctx)); err != nil {
			return errors.Join(err, in.stop(context.WithoutCancel(ctx)))
		}
	}
	fmt.Fprintf(out, "outband ready: %s\n", ready)
	if link != "" {
		fmt.Fprintf(out, "set-up: open %s\n", link) // To whoever started the process, never to the log.
	}
	var failure error
	select {
	case <-ctx.Done():
	case failure = <-in.failed:
	}
	return errors.Join(failure, in.stop(context.WithoutCancel(ctx)))
}
