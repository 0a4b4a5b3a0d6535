package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/outband/outband/api"
	"github.com/outband/outband/connectors"
	"github.com/outband/outband/connectors/all"
	"github.com/outband/outband/dlp"
	"github.com/outband/outband/dlp/policy"
	"github.com/outband/outband/findings"
	"github.com/outband/outband/findings/deliver"
	"github.com/outband/outband/findings/search"
	"github.com/outband/outband/internal/config"
	"github.com/outband/outband/internal/datadir"
	"github.com/outband/outband/internal/safehttp"
	"github.com/outband/outband/internal/secret"
	"github.com/outband/outband/internal/store"
	"github.com/outband/outband/internal/temporalembed"
	"github.com/outband/outband/internal/vault"
	"github.com/outband/outband/ui"
	"github.com/outband/outband/workflows"
)

// instance is a running server: every component, wired.
type instance struct {
	cfg     config.Config
	log     *slog.Logger
	address string // of the API, host:port
	db      *store.DB
	vault   *vault.Vault
	search  *search.Reader
	failed  chan error // the HTTP server ended by itself

	stops []func(context.Context) error // in the order of the starts
}

// openStore opens the data folder's database and its vault, without the server's lock.
func openStore(ctx context.Context, cfg config.Config, dir datadir.Dir) (*store.DB, *vault.Vault, error) {
	db, err := store.Open(ctx, store.Configuration{Path: dir.Database()})
	if err != nil {
		return nil, nil, err
	}
	v, err := vault.Open(ctx, db, cfg.Key.File)
	if err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	return db, v, nil
}

// start starts a server. On an error everything that was started is stopped.
func start(ctx context.Context, cfg config.Config, log *slog.Logger) (_ *instance, err error) {
	in := &instance{cfg: cfg, log: log, failed: make(chan error, 1)}
	defer func() {
		if err != nil {
			err = errors.Join(err, in.stop(context.WithoutCancel(ctx)))
		}
	}()
	dir, err := datadir.Open(cfg.Data)
	if err != nil {
		return nil, err
	}
	lock, err := dir.Lock()
	if err != nil {
		return nil, err
	}
	in.onStop(func(context.Context) error { return lock.Unlock() })
	// The address is taken first, so that a busy port is told before anything else is done.
	listener, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", cfg.Listen, err)
	}
	in.address = listener.Addr().String()
	serving := false
	in.onStop(func(context.Context) error {
		if serving {
			return nil // Closed by the HTTP server.
		}
		return listener.Close()
	})
	if in.db, in.vault, err = openStore(ctx, cfg, dir); err != nil {
		return nil, err
	}
	in.onStop(func(context.Context) error { return in.db.Close() })

	temporal, exclusive, err := in.temporal(ctx, dir)
	if err != nil {
		return nil, err
	}
	server, err := in.components(ctx, temporal, exclusive)
	if err != nil {
		return nil, err
	}
	serving = true
	go func() {
		var err error
		if cfg.TLS.Cert != "" {
			err = server.ServeTLS(listener, cfg.TLS.Cert, cfg.TLS.Key)
		} else {
			err = server.Serve(listener)
		}
		if !errors.Is(err, http.ErrServerClosed) {
			in.failed <- err
		}
	}()
	in.onStop(func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			return server.Close()
		}
		return nil
	})
	return in, nil
}

// temporal starts the embedded server, or dials the one of the configuration.
func (in *instance) temporal(ctx context.Context, dir datadir.Dir) (c client.Client, exclusive bool, err error) {
	address := in.cfg.Temporal.Address
	if address == "" {
		var stop func() error
		address, stop, err = temporalembed.Start(ctx, temporalembed.Options{Database: dir.TemporalDatabase(), State: dir.TemporalState(), Log: in.log})
		if err != nil {
			return nil, false, err
		}
		in.onStop(func(ctx context.Context) error { return within(ctx, 3*time.Second, stop) })
		exclusive = true
	}
	// A server that has just started answers after a moment.
	for began := time.Now(); ; {
		c, err = workflows.Dial(ctx, address, temporalembed.Namespace, in.log)
		if err == nil || time.Since(began) > 20*time.Second {
			break
		}
		select {
		case <-ctx.Done():
			return nil, false, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
	if err != nil {
		return nil, false, err
	}
	in.onStop(func(context.Context) error { c.Close(); return nil })
	return c, exclusive, nil
}

// within runs stop, and leaves it behind if it takes longer: what the embedded Temporal holds is disposable.
func within(ctx context.Context, d time.Duration, stop func() error) error {
	done := make(chan error, 1)
	go func() { done <- stop() }()
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return nil
	}
}

// components makes the parts that scan, deliver and answer, starts the workers, and returns the HTTP server.
func (in *instance) components(ctx context.Context, temporal client.Client, exclusive bool) (*http.Server, error) {
	cfg, userAgent := in.cfg, "Outband/"+versionText()
	detectors, err := dlp.Builtin()
	if err != nil {
		return nil, err
	}
	engine, err := dlp.New(detectors, dlp.DefaultConfiguration())
	if err != nil {
		return nil, err
	}
	ids := make([]string, 0, len(detectors))
	for _, d := range detectors {
		ids = append(ids, d.ID)
	}
	rules, err := workflows.NewRules(ctx, in.db, cfg.Policies.Dir, ids)
	if err != nil {
		return nil, err
	}
	out := safehttp.New(safehttp.Config{Allow: cfg.Egress.Allow})
	opener, err := workflows.NewOpener(all.All(), in.db, in.vault, out, userAgent)
	if err != nil {
		return nil, err
	}
	fp, fpID := in.vault.FingerprintKey()
	keys := workflows.Keys{Findings: findings.Keys{ID: in.vault.IDKey()}, Matches: dlp.Keys{ID: in.vault.IDKey(), Fingerprint: fp, FingerprintID: fpID}}
	publicURL := cfg.PublicURL
	if publicURL == "" {
		publicURL = in.url()
	}
	deliverer := deliver.New(deliver.Dependencies{
		DB: in.db, Keys: keys.Findings, HTTP: out.HTTP(), PublicURL: publicURL, Version: versionText(), Now: time.Now,
		Secret: func(ctx context.Context, owner, field string) (secret.Value, error) {
			sealed, err := store.GetCredential(ctx, in.db.Read(), owner, field)
			if err != nil {
				return secret.Value{}, err
			}
			return in.vault.Unseal(sealed, owner, field)
		},
	})
	activities := workflows.NewActivities(workflows.Dependencies{DB: in.db, Open: opener, Engine: engine, Rules: rules, Keys: keys, Deliver: deliverer, Log: in.log})
	runner := workflows.NewRunner(workflows.RunnerOptions{Client: temporal, DB: in.db, Activities: activities, Log: in.log, Exclusive: exclusive})
	if err := runner.Start(ctx); err != nil {
		return nil, err
	}
	in.onStop(func(context.Context) error { runner.Stop(); return nil })
	in.search = search.New(in.db, keys.Findings)
	if err := in.search.Load(ctx); err != nil {
		return nil, err
	}
	egress := make([]string, 0, len(cfg.Egress.Allow))
	for _, p := range cfg.Egress.Allow {
		egress = append(egress, p.String())
	}
	a, err := api.New(api.DefaultConfiguration(), api.Dependencies{
		DB: in.db, Vault: in.vault, Connectors: all.All(), Findings: in.search, Deliverer: deliverer, Runner: runner, TestConnection: opener.Test,
		Detectors:       func() []dlp.Detector { return detectors },
		Policies:        func(context.Context) ([]policy.Effective, error) { return rules.Current().Policies(), nil },
		PoliciesChanged: rules.Reload,
		CheckURL:        func(raw string) error { return withAdvice(safehttp.CheckURL(raw, cfg.Egress.Allow)) },
		Health: func(ctx context.Context) map[string]api.Check {
			return map[string]api.Check{"temporal": check(runner.Healthy(ctx))}
		},
		Egress: egress, UI: ui.Handler(), Version: versionText(), PublicURL: publicURL, Log: in.log, Now: time.Now,
	})
	if err != nil {
		return nil, err
	}
	server := &http.Server{Handler: a.Handler(), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, ErrorLog: slog.NewLogLogger(in.log.Handler(), slog.LevelDebug)}
	server.RegisterOnShutdown(a.Stop)
	return server, nil
}

// withAdvice says what to do about a URL that may not be saved, under the code that the same address has when it is dialled.
func withAdvice(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, safehttp.ErrURL):
		return fmt.Errorf("%w. Give an address like https://api.example.com", err)
	}
	return fmt.Errorf("%s: %w. Use an https address on the internet, or add its network to egress.allow", connectors.CodeAddressBlocked, err)
}

func check(err error) api.Check {
	if err != nil {
		return api.Check{State: api.StateDown, Detail: "Temporal does not answer: scans and deliveries wait."}
	}
	return api.Check{State: api.StateUp}
}

func (in *instance) url() string {
	scheme := "http"
	if in.cfg.TLS.Cert != "" {
		scheme = "https"
	}
	return scheme + "://" + in.address
}

func (in *instance) onStop(f func(context.Context) error) { in.stops = append(in.stops, f) }

// stop stops all, the last started first.
func (in *instance) stop(ctx context.Context) (err error) {
	for i := len(in.stops) - 1; i >= 0; i-- {
		err = errors.Join(err, in.stops[i](ctx))
	}
	in.stops = nil
	return err
}

// newLogger logs to standard error, one JSON object a line.
func newLogger(level slog.Level) *slog.Logger {
	return slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
}

// relative shortens a path below the working folder for messages.
func relative(path string) string {
	wd, err := os.Getwd()
	if err != nil {
		return path
	}
	if rel, err := filepath.Rel(wd, path); err == nil && len(rel) < len(path) {
		return rel
	}
	return path
}
