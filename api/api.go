// Package api is the HTTP interface of Outband. It promises that every operation has a row in the table of roles and is refused without one, that
// every change and every read of evidence is in the audit log before it is answered (invariant 11), that secrets go in and never come out
// (invariant 8), and that every error is problem+json with a stable code and nothing of what was sent.
package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/alexedwards/argon2id"
	"github.com/danielgtaylor/huma/v2"

	"github.com/outband/outband/connectors"
	"github.com/outband/outband/dlp/policy"
	"github.com/outband/outband/findings"
	"github.com/outband/outband/findings/deliver"
	"github.com/outband/outband/findings/filter"
	"github.com/outband/outband/findings/search"
	"github.com/outband/outband/internal/secret"
	"github.com/outband/outband/internal/store"
	"github.com/outband/outband/internal/vault"
	"github.com/outband/outband/workflows"
	"github.com/outband/outband/workflows/authoring"
)

// Configuration of the API.
type Configuration struct {
	ProgressEvery time.Duration // least time between two progress events of a scan
	Heartbeat     time.Duration // between two signs of life on a silent event stream, which also checks the token again
	TestTimeout   time.Duration // of one connection test or test event
	BodyTimeout   time.Duration // for a request's body to arrive
	WriteTimeout  time.Duration // for one piece of a streamed reply to be taken by the client

	SessionIdle      time.Duration   // a session that is not used for so long ends
	SessionLife      time.Duration   // a session ends then, however it is used
	GuessWindow      time.Duration   // in which tries of passwords and links are counted
	GuessesByAccount int             // tries in a window for one account from one address
	GuessesByAddress int             // tries in a window from one address (IPv6: one /64)
	Argon2id         argon2id.Params // of new hashes; the lengths are fixed
	HashesAtOnce     int             // each takes Argon2id.Memory KiB; the others wait
	HashWait         time.Duration   // for a turn to hash
	TrustedProxies   []netip.Prefix  // whose X-Forwarded-For is believed, for GuessesByAddress; none: the peer counts
}

// DefaultConfiguration returns the values of the product.
func DefaultConfiguration() Configuration {
	return Configuration{
		ProgressEvery: 500 * time.Millisecond, Heartbeat: 15 * time.Second, TestTimeout: time.Minute, BodyTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second,
		SessionIdle: 12 * time.Hour, SessionLife: 7 * 24 * time.Hour, GuessWindow: 10 * time.Minute, GuessesByAccount: 10, GuessesByAddress: 100,
		Argon2id: argon2id.Params{Memory: 64 << 10, Iterations: 2, Parallelism: 2}, HashesAtOnce: 2, HashWait: 10 * time.Second,
	}
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
type TestFunc func(ctx context.Context, c store.Connection, secrets map[string]secret.Value, report func(connectors.Step)) (connectors.Account, error)

// Findings answers questions about findings. *search.Switch is one, and *search.Reader where there is no other engine.
type Findings interface {
	search.Engine
	// Get returns a finding with its first instances, or findings.ErrNotFound.
	Get(ctx context.Context, id string) (findings.Finding, error)
	// Instances returns a page of a finding's instances. Errors: findings.ErrNotFound, search.ErrCursor.
	Instances(ctx context.Context, findingID string, limit int, after string) (search.InstancePage, error)
	// History returns a page of a finding's changes. Errors: findings.ErrNotFound, search.ErrCursor.
	History(ctx context.Context, findingID string, limit int, after string) (search.EventPage, error)
	// Export writes all findings of a filter and returns how many. Errors: search.ErrFormat, filter.ErrFilter, that of w.
	Export(ctx context.Context, w io.Writer, format string, f filter.Filter) (int64, error)
}

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

// Dependencies of the API. All are needed but those whose comment says what their absence means.
type Dependencies struct {
	DB              *store.DB
	Vault           *vault.Vault
	Connectors      []connectors.Connector
	Findings        Findings
	Deliverer       *deliver.Deliverer
	Detectors       *workflows.Detectors
	Policies        func(context.Context) ([]policy.Effective, error)
	Author          *authoring.Author
	PoliciesChanged func(context.Context) error // an override or a custom policy was stored: scans take it from now on
	PolicyFailures  func() map[string]int64     // evaluations without an answer since the start, by policy; nil: none are counted here
	Runner          Runner
	TestConnection  TestFunc
	Estimate        EstimateFunc
	CheckURL        func(string) error                     // whether an address may be called; its error does not hold the address
	Health          func(context.Context) map[string]Check // of everything but the store, e.g. "temporal"
	Egress          []string                               // the CIDRs of egress.allow, to show
	Infrastructure  []EgressHost                           // servers of the configuration that are called, to show; For is temporal, postgres or elasticsearch
	Demo            bool                                   // the data is made up, to show
	Role            string                                 // of the process, to show; empty: all
	UI              http.Handler                           // serves every path that is not the API's or a health check's
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
	builtIn   map[string]bool        // ids of the policies that come with Outband
	startedAt time.Time
	dests     deliver.Destinations
	auth      Authenticator
	guesses   *guessing
	passwords *passwords
	huma      huma.API
	handler   http.Handler
	openapi   []byte

	uploading sync.Mutex // held while the file of an exact table arrives

	stop    chan struct{}
	stopped sync.Once
}

// New makes an API. A zero value of the configuration means its default.
func New(cfg Configuration, d Dependencies) (*API, error) {
	def := DefaultConfiguration()
	for _, v := range []struct{ have, def *time.Duration }{
		{&cfg.ProgressEvery, &def.ProgressEvery}, {&cfg.Heartbeat, &def.Heartbeat}, {&cfg.TestTimeout, &def.TestTimeout},
		{&cfg.BodyTimeout, &def.BodyTimeout}, {&cfg.WriteTimeout, &def.WriteTimeout}, {&cfg.SessionIdle, &def.SessionIdle}, {&cfg.SessionLife, &def.SessionLife},
		{&cfg.GuessWindow, &def.GuessWindow}, {&cfg.HashWait, &def.HashWait},
	} {
		if *v.have <= 0 {
			*v.have = *v.def
		}
	}
	for _, v := range []struct{ have, def *int }{{&cfg.GuessesByAccount, &def.GuessesByAccount}, {&cfg.GuessesByAddress, &def.GuessesByAddress}, {&cfg.HashesAtOnce, &def.HashesAtOnce}} {
		if *v.have <= 0 {
			*v.have = *v.def
		}
	}
	if cfg.Argon2id.Memory == 0 {
		cfg.Argon2id = def.Argon2id
	}
	if err := d.check(); err != nil {
		return nil, err
	}
	d.fill()
	a := &API{cfg: cfg, d: d, startedAt: d.Now(), builtIn: map[string]bool{}, stop: make(chan struct{})}
	builtIn, err := policy.Builtin()
	if err != nil {
		return nil, err
	}
	for _, p := range builtIn {
		a.builtIn[p.ID] = true
	}
	for _, c := range d.Connectors {
		m, err := connectors.ParseManifest(c.Manifest)
		if err != nil {
			return nil, err
		}
		a.manifests = append(a.manifests, m)
	}
	slices.SortFunc(a.manifests, func(x, y *connectors.Manifest) int { return strings.Compare(x.ID, y.ID) })
	a.dests = deliver.Destinations{CheckURL: d.CheckURL, Seal: d.Vault.Seal}
	a.auth = &authenticator{db: d.DB, limits: a.limits(), now: d.Now, log: d.Log}
	a.guesses = newGuessing(cfg.GuessesByAccount, cfg.GuessesByAddress, cfg.GuessWindow)
	a.passwords = newPasswords(cfg.Argon2id, cfg.HashesAtOnce, cfg.HashWait)
	if err := a.mount(); err != nil {
		return nil, err
	}
	return a, nil
}

func (d *Dependencies) check() error {
	for name, missing := range map[string]bool{
		"DB": d.DB == nil, "Vault": d.Vault == nil, "Findings": d.Findings == nil, "Deliverer": d.Deliverer == nil, "Detectors": d.Detectors == nil,
		"Policies": d.Policies == nil, "PoliciesChanged": d.PoliciesChanged == nil, "Author": d.Author == nil, "Runner": d.Runner == nil, "TestConnection": d.TestConnection == nil, "Estimate": d.Estimate == nil,
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

// fill puts in what an absent dependency means.
func (d *Dependencies) fill() {
	if d.PolicyFailures == nil {
		d.PolicyFailures = func() map[string]int64 { return nil }
	}
	if d.Role == "" {
		d.Role = "all"
	}
}

// Handler serves the API, the OpenAPI document, the health checks and, elsewhere, the pages. It is not to be put under http.TimeoutHandler, which breaks
// event streams.
func (a *API) Handler() http.Handler { return a.handler }

// Stop ends the event streams, so that a server that shuts down does not wait for their clients. Give it to http.Server.RegisterOnShutdown.
func (a *API) Stop() { a.stopped.Do(func() { close(a.stop) }) }

// OpenAPI is the document of the API, as JSON.
func (a *API) OpenAPI() []byte { return a.openapi }
