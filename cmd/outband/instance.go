package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/outband/outband/internal/config"
	"github.com/outband/outband/internal/datadir"
	"github.com/outband/outband/internal/metrics"
	"github.com/outband/outband/internal/store"
	"github.com/outband/outband/internal/temporalembed"
	"github.com/outband/outband/internal/vault"
	"github.com/outband/outband/workflows"
)

// instance is a running process: every component of its role, wired.
type instance struct {
	cfg     config.Config
	demo    bool // the data is made up
	log     *slog.Logger
	address string // that it listens on, host:port; empty for a worker that serves nothing
	db      *store.DB
	vault   *vault.Vault
	metrics *metrics.Metrics // nil: there are none
	failed  chan error       // the HTTP server ended by itself

	stops []func(context.Context) error // in the order of the starts
}

// answers reports whether the process has the API and the pages, works whether it scans and delivers.
func (in *instance) answers() bool { return in.cfg.Role != config.RoleWorker }
func (in *instance) works() bool   { return in.cfg.Role != config.RoleAPI }

// embeds reports whether a server with these settings has the Temporal server within.
func embeds(cfg config.Config) bool { return cfg.Temporal.Address == "" }

// sqlite reports whether the store is the file of the data folder.
func sqlite(cfg config.Config) bool { return cfg.Store.Postgres.Reveal() == "" }

// folder makes the data folder ready if anything is kept in it: the store, the key, or with a server also the database of the embedded Temporal.
func folder(cfg config.Config, server bool) (dir datadir.Dir, used bool, err error) {
	key, err := filepath.Rel(cfg.Data, cfg.Key.File)
	inside := err == nil && filepath.IsLocal(key)
	if !sqlite(cfg) && !inside && (!server || !embeds(cfg)) {
		return datadir.Dir{}, false, nil
	}
	dir, err = datadir.Open(cfg.Data)
	return dir, true, err
}

// openStore opens the database and its vault, without the server's lock.
func openStore(ctx context.Context, cfg config.Config, dir datadir.Dir) (*store.DB, *vault.Vault, error) {
	where := store.Configuration{Postgres: cfg.Store.Postgres.Reveal()}
	if sqlite(cfg) {
		where = store.Configuration{Path: dir.Database()}
	}
	db, err := store.Open(ctx, where)
	if err != nil {
		return nil, nil, err
	}
	v, err := vault.Open(ctx, db, cfg.Key.File)
	if err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	return db, v, nil
}

// start starts a process. On an error everything that was started is stopped.
func start(ctx context.Context, cfg config.Config, log *slog.Logger, demo bool) (_ *instance, err error) {
	in := &instance{cfg: cfg, demo: demo, log: log, failed: make(chan error, 1)}
	defer func() {
		if err != nil {
			err = errors.Join(err, in.stop(context.WithoutCancel(ctx)))
		}
	}()
	dir, used, err := folder(cfg, true)
	if err != nil {
		return nil, err
	}
	// The lock is for the files of the folder. Processes that have none there may share it for its key.
	if used && (sqlite(cfg) || embeds(cfg)) {
		lock, err := dir.Lock()
		if err != nil {
			return nil, err
		}
		in.onStop(func(context.Context) error { return lock.Unlock() })
	}
	if _, err := os.Stat(cfg.Key.File); errors.Is(err, fs.ErrNotExist) && !in.answers() {
		return nil, errors.New("OB-1008: there is no key file, and a worker makes none. Start a process of the role api first, and give this one the same file with key.file")
	}
	// The address is taken first, so that a busy port is told before anything else is done.
	serving := false
	var listener net.Listener
	if cfg.Listen != "" {
		if listener, err = net.Listen("tcp", cfg.Listen); err != nil {
			return nil, fmt.Errorf("listen on %s: %w", cfg.Listen, err)
		}
		in.address = listener.Addr().String()
		in.onStop(func(context.Context) error {
			if serving {
				return nil // Closed by the HTTP server.
			}
			return listener.Close()
		})
	}
	serveMetrics, err := in.listenMetrics()
	if err != nil {
		return nil, err
	}
	if in.db, in.vault, err = openStore(ctx, cfg, dir); err != nil {
		return nil, err
	}
	in.onStop(func(context.Context) error { return in.db.Close() })

	temporal, err := in.temporal(ctx, dir)
	if err != nil {
		return nil, err
	}
	handler, stopEvents, err := in.components(ctx, temporal)
	if err != nil {
		return nil, err
	}
	serveMetrics()
	if listener == nil {
		return in, nil
	}
	serving = true
	in.serve(listener, handler, stopEvents)
	return in, nil
}

// serve answers HTTP until the instance stops. stopEvents ends what a client would wait for without end.
func (in *instance) serve(listener net.Listener, handler http.Handler, stopEvents func()) {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, ErrorLog: slog.NewLogLogger(in.log.Handler(), slog.LevelDebug)}
	server.RegisterOnShutdown(stopEvents)
	go func() {
		var err error
		if in.cfg.TLS.Cert != "" {
			err = server.ServeTLS(listener, in.cfg.TLS.Cert, in.cfg.TLS.Key)
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
}

// temporal starts the embedded server, or dials the one of the configuration.
func (in *instance) temporal(ctx context.Context, dir datadir.Dir) (c client.Client, err error) {
	address := in.cfg.Temporal.Address
	if embeds(in.cfg) {
		var stop func() error
		address, stop, err = temporalembed.Start(ctx, temporalembed.Options{Database: dir.TemporalDatabase(), State: dir.TemporalState(), Log: in.log})
		if err != nil {
			return nil, err
		}
		in.onStop(func(ctx context.Context) error { return within(ctx, 3*time.Second, stop) })
	}
	// A server that has just started answers after a moment.
	for began := time.Now(); ; {
		c, err = workflows.Dial(ctx, address, temporalembed.Namespace, in.log)
		if err == nil || time.Since(began) > 20*time.Second {
			break
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
	if err != nil {
		return nil, err
	}
	in.onStop(func(context.Context) error { c.Close(); return nil })
	return c, nil
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

// url is the address that the process listens on; empty if it serves nothing.
func (in *instance) url() string {
	if in.address == "" {
		return ""
	}
	return listenURL(in.cfg, in.address)
}

// publicURL is the address under which people reach the pages, as far as it is known.
func (in *instance) publicURL() string {
	if in.cfg.PublicURL != "" || !in.answers() {
		return in.cfg.PublicURL
	}
	return in.url()
}

func listenURL(cfg config.Config, address string) string {
	scheme := "http"
	if cfg.TLS.Cert != "" {
		scheme = "https"
	}
	return scheme + "://" + address
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
