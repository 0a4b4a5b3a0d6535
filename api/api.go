// Package api is the HTTP interface of Outband. It promises that every operation has a row in the table of roles and is refused without one, that
// every change and every read of evidence is in the audit log before it is answered (invariant 11), that secrets go in and never come out
// (invariant 8), and that every error is problem+json with a stable code and nothing of what was sent.
package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/outband/outband/connectors"
	"github.com/outband/outband/dlp"
	"github.com/outband/outband/dlp/policy"
	"github.com/outband/outband/findings/deliver"
	"github.com/outband/outband/findings/search"
	"github.com/outband/outband/internal/secret"
	"github.com/outband/outband/internal/store"
	"github.com/outband/outband/internal/vault"
)

// Configuration of the API.
type Configuration struct {
	ProgressEvery time.Duration // least time between two progress events of a scan
	Heartbeat     time.Duration // between two signs of life on a silent event stream, which also checks the token again
	TestTimeout   time.Duration // of one connection test or test event
	BodyTimeout   time.Duration // for a request's body to arrive
	WriteTimeout  time.Duration // for one piece of a streamed reply to be taken by the client
}

// DefaultConfiguration returns the values of the product.
func DefaultConfiguration() Configuration {
	return Configuration{ProgressEvery: 500 * time.Millisecond, Heartbeat: 15 * time.Second, TestTimeout: time.Minute, BodyTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second}
}

// Runner is told of what was stored, after it was. Every method is safe to call again with the same id.
type Runner interface {
	// ScanQueued runs the queued scan of a connection soon.
	ScanQueued(ctx context.Context, connectionID string) error
	// ConnectionSaved makes or changes the connection's schedule.
	ConnectionSaved(ctx context.Context, connectionID string) error
	// ConnectionRemoved ends the schedule and what runs, and marks the connection's findings as of unknown source (findings.MarkSourceUnknown).
	ConnectionRemoved(ctx context.Context, connectionID string) error
	// Pause keeps the schedule from starting scans.
	Pause(ctx context.Context, connectionID string) error
	// Resume reverses Pause.
	Resume(ctx context.Context, connectionID string) error
	// DestinationSaved starts the delivery to a destination, or makes it look at the log now.
	DestinationSaved(ctx context.Context, destinationID string) error
	// DestinationRemoved ends the delivery.
	DestinationRemoved(ctx context.Context, destinationID string) error
}

// TestFunc tests a key and settings with a few calls, reports each step as it ends, and returns the account behind the key. Its error is a
// *connectors.Error where the app or the way to it is at fault.
type TestFunc func(ctx context.Context, connectorID string, config map[string]string, secrets map[string]secret.Value, report func(connectors.Step)) (connectors.Account, error)

// States of a part of the installation.
const (
	StateUp       = "up"
	StateDegraded = "degraded" // does its work in a lesser way; the installation is ready
	StateDown     = "down"
)

// Check is the state of one part of the installation.
type Check struct {
	State  string `json:"state" enum:"up,degraded,down"`
	Detail string `json:"detail" doc:"One sentence for an operator; empty when up."`
}

// Dependencies of the API. All are needed.
type Dependencies struct {
	DB              *store.DB
	Vault           *vault.Vault
	Connectors      []connectors.Connector
	Findings        *search.Reader
	Deliverer       *deliver.Deliverer
	Detectors       func() []dlp.Detector
	Policies        func(context.Context) ([]policy.Effective, error)
	PoliciesChanged func(context.Context) error // an override was stored: scans take it from now on
	Runner          Runner
	TestConnection  TestFunc
	CheckURL        func(string) error                     // whether an address may be called; its error does not hold the address
	Health          func(context.Context) map[string]Check // of everything but the store, e.g. "temporal"
	Egress          []string                               // the CIDRs of egress.allow, to show
	UI              http.Handler                           // serves /
	Version         string
	PublicURL       string
	Log             *slog.Logger
	Now             func() time.Time
}

// API serves HTTP.
type API struct {
	cfg       Configuration
	d         Dependencies
	manifests []*connectors.Manifest // in the order of their ids
	dests     deliver.Destinations
	auth      Authenticator
	huma      huma.API
	handler   http.Handler
	openapi   []byte

	stop    chan struct{}
	stopped sync.Once
}

// New makes an API. A zero value of the configuration means its default.
func New(cfg Configuration, d Dependencies) (*API, error) {
	def := DefaultConfiguration()
	for _, v := range []struct{ have, def *time.Duration }{
		{&cfg.ProgressEvery, &def.ProgressEvery}, {&cfg.Heartbeat, &def.Heartbeat}, {&cfg.TestTimeout, &def.TestTimeout},
		{&cfg.BodyTimeout, &def.BodyTimeout}, {&cfg.WriteTimeout, &def.WriteTimeout},
	} {
		if *v.have <= 0 {
			*v.have = *v.def
		}
	}
	if err := d.check(); err != nil {
		return nil, err
	}
	a := &API{cfg: cfg, d: d, stop: make(chan struct{})}
	for _, c := range d.Connectors {
		m, err := connectors.ParseManifest(c.Manifest)
		if err != nil {
			return nil, err
		}
		a.manifests = append(a.manifests, m)
	}
	slices.SortFunc(a.manifests, func(x, y *connectors.Manifest) int { return strings.Compare(x.ID, y.ID) })
	a.dests = deliver.Destinations{CheckURL: d.CheckURL, Seal: d.Vault.Seal}
	a.auth = &tokenAuthenticator{db: d.DB, now: d.Now, log: d.Log}
	if err := a.mount(); err != nil {
		return nil, err
	}
	return a, nil
}

func (d *Dependencies) check() error {
	for name, missing := range map[string]bool{
		"DB": d.DB == nil, "Vault": d.Vault == nil, "Findings": d.Findings == nil, "Deliverer": d.Deliverer == nil, "Detectors": d.Detectors == nil,
		"Policies": d.Policies == nil, "PoliciesChanged": d.PoliciesChanged == nil, "Runner": d.Runner == nil, "TestConnection": d.TestConnection == nil,
		"CheckURL": d.CheckURL == nil, "Health": d.Health == nil, "UI": d.UI == nil, "Log": d.Log == nil, "Now": d.Now == nil,
	} {
		if missing {
			return fmt.Errorf("api: the dependency %s is missing", name)
		}
	}
	if d.Version == "" {
		return errors.New("api: the version is missing")
	}
	return nil
}

// Handler serves the API, the OpenAPI document, the health checks and the page at /. It is not to be put under http.TimeoutHandler, which breaks
// event streams.
func (a *API) Handler() http.Handler { return a.handler }

// Stop ends the event streams, so that a server that shuts down does not wait for their clients. Give it to http.Server.RegisterOnShutdown.
func (a *API) Stop() { a.stopped.Do(func() { close(a.stop) }) }

// OpenAPI is the document of the API, as JSON.
func (a *API) OpenAPI() []byte { return a.openapi }
