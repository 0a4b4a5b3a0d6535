package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/outband/outband/api"
	"github.com/outband/outband/connectors"
	"github.com/outband/outband/connectors/all"
	"github.com/outband/outband/dlp"
	"github.com/outband/outband/dlp/extract"
	"github.com/outband/outband/dlp/extract/sandbox"
	"github.com/outband/outband/dlp/policy"
	"github.com/outband/outband/findings"
	"github.com/outband/outband/findings/deliver"
	"github.com/outband/outband/findings/elastic"
	"github.com/outband/outband/findings/search"
	"github.com/outband/outband/internal/config"
	"github.com/outband/outband/internal/safehttp"
	"github.com/outband/outband/internal/secret"
	"github.com/outband/outband/internal/store"
	"github.com/outband/outband/internal/vault"
	"github.com/outband/outband/ui"
	"github.com/outband/outband/workflows"
	"github.com/outband/outband/workflows/authoring"
)

// keysOf are the keys that ids and fingerprints are computed with.
func keysOf(v *vault.Vault) workflows.Keys {
	fp, fpID := v.FingerprintKey()
	return workflows.Keys{Findings: findings.Keys{ID: v.IDKey()}, Matches: dlp.Keys{ID: v.IDKey(), Fingerprint: fp, FingerprintID: fpID}}
}

// openIndex prepares the index in Elasticsearch; it makes no call.
func openIndex(cfg config.Elasticsearch, d elastic.Dependencies) (*elastic.Index, error) {
	return elastic.Open(elastic.Configuration{URL: cfg.URL, Username: cfg.Username, Password: cfg.Password, APIKey: cfg.APIKey, CAFile: cfg.CAFile}, d)
}

// indexer is an elastic.Index as the workflow Index sees it.
type indexer struct{ *elastic.Index }

// Step implements workflows.Indexer.
func (i indexer) Step(ctx context.Context, budget time.Duration) (more bool, err error) {
	p, err := i.Index.Step(ctx, budget)
	var e *elastic.Error
	if errors.As(err, &e) {
		switch e.Code {
		case elastic.CodeRefused, elastic.CodeRights, elastic.CodeTLS, elastic.CodeProduct:
			err = fmt.Errorf("%w: %w", workflows.ErrIndexRefused, err)
		}
	}
	return p.More, err
}

// parts are the components that the API and the workers are made of.
type parts struct {
	detectors *workflows.Detectors
	rules     *workflows.Rules
	author    *authoring.Author
	http      *safehttp.Client
	opener    *workflows.Opener
	deliverer *deliver.Deliverer
	runner    *workflows.Runner
	reader    *search.Reader
	index     *elastic.Index // nil: there is none
}

// components makes the parts of the role, starts what runs, and returns what answers HTTP and what ends its event streams.
func (in *instance) components(ctx context.Context, temporal client.Client) (handler http.Handler, stopEvents func(), err error) {
	p, err := in.parts(ctx)
	if err != nil {
		return nil, nil, err
	}
	if err := in.run(ctx, p, temporal); err != nil {
		return nil, nil, err
	}
	if !in.answers() {
		return in.healthOnly(p), func() {}, nil
	}
	if err := p.reader.Load(ctx); err != nil {
		return nil, nil, err
	}
	a, err := in.api(p)
	if err != nil {
		return nil, nil, err
	}
	return a.Handler(), a.Stop, nil
}

func (in *instance) parts(ctx context.Context) (p *parts, err error) {
	p = &parts{}
	builtin, err := dlp.Builtin()
	if err != nil {
		return p, err
	}
	p.detectors, err = workflows.NewDetectors(ctx, workflows.DetectorDependencies{
		DB: in.db, Vault: in.vault, Builtin: builtin, Scans: in.works(),
		Changed: func(ctx context.Context, ids []string) error {
			if p.rules == nil {
				return nil // They are made with the ids, just after.
			}
			return p.rules.SetDetectors(ctx, ids)
		},
	})
	if err != nil {
		return p, err
	}
	if p.rules, err = workflows.NewRules(ctx, in.db, in.cfg.Policies.Dir, p.detectors.IDs()); err != nil {
		return p, err
	}
	profiles := func(ctx context.Context) ([]dlp.Profile, error) { return workflows.Profiles(ctx, in.db.Read()) }
	if p.author, err = authoring.New(in.db, p.detectors.IDs, profiles, p.rules.Files()); err != nil {
		return p, err
	}
	p.rules.Limit(workflows.Limits{Flood: in.cfg.Policies.FloodLimit, Cost: in.cfg.Policies.CostLimit})
	p.http = safehttp.New(safehttp.Config{Allow: in.cfg.Egress.Allow})
	if p.opener, err = workflows.NewOpener(all.All(), in.db, in.vault, p.http, "Outband/"+versionText()); err != nil {
		return p, err
	}
	in.measure(p)
	keys := keysOf(in.vault).Findings
	p.deliverer = deliver.New(deliver.Dependencies{
		DB: in.db, Keys: keys, HTTP: p.http.HTTP(), PublicURL: in.publicURL(), Version: versionText(), Now: time.Now,
		Secret: func(ctx context.Context, owner, field string) (secret.Value, error) {
			sealed, err := store.GetCredential(ctx, in.db.Read(), owner, field)
			if err != nil {
				return secret.Value{}, err
			}
			return in.vault.Unseal(sealed, owner, field)
		},
	})
	p.reader = search.New(in.db, keys)
	if in.cfg.Elasticsearch.URL != "" {
		p.index, err = openIndex(in.cfg.Elasticsearch, elastic.Dependencies{DB: in.db, Embedded: p.reader, Log: in.log})
		if err != nil {
			return p, err
		}
		in.onStop(func(context.Context) error { p.index.Close(); return nil })
	}
	return p, nil
}

// documents is the pool of children that read files; nil in a process that scans nothing.
func (in *instance) documents(ctx context.Context) (*sandbox.Pool, error) {
	if !in.works() {
		return nil, nil
	}
	f := in.cfg.Files
	pool, err := sandbox.New(sandbox.Configuration{
		Children: int(f.Children), Memory: f.MemoryMiB << 20, CPU: f.CPU, Wall: f.Time,
		Options: extract.Options{OCR: f.OCR, Limits: extract.Limits{
			File: f.MaxMiB << 20, Item: f.ItemMaxMiB << 20, Text: f.ItemMaxMiB << 20, Memory: f.MemoryMiB << 20 / 2, Entries: int(f.MaxMembers), Depth: int(f.MaxDepth), Ratio: f.MaxRatio,
			Pixels: f.MaxMegapixels * 1_000_000,
		}},
	})
	if err != nil {
		return nil, fmt.Errorf("files.ocr: %w", err)
	}
	in.onStop(func(context.Context) error { return pool.Close() })
	go in.sayGuards(ctx, pool)
	return pool, nil
}

// sayGuards starts the first child, for which nothing waits, and says what does not hold it on this host.
func (in *instance) sayGuards(ctx context.Context, pool *sandbox.Pool) {
	guards, err := pool.Guards(ctx)
	switch missing := guards.Missing(); {
	case errors.Is(err, sandbox.ErrClosed) || ctx.Err() != nil: // Stopped before it began.
	case err != nil:
		in.log.Error("no child that reads files can be started; files are put aside until one can", "err", err)
	case len(missing) > 0:
		in.log.Warn("this host refuses some guards of the children that read files", "missing", missing)
	}
}

// run starts the workers, and what keeps Temporal in step with the store, as the role says.
func (in *instance) run(ctx context.Context, p *parts, temporal client.Client) error {
	documents, err := in.documents(ctx)
	if err != nil {
		return err
	}
	d := workflows.Dependencies{DB: in.db, Documents: documents, Open: p.opener, Detectors: p.detectors, Rules: p.rules, Keys: keysOf(in.vault), Deliver: p.deliverer, Log: in.log}
	if p.index != nil {
		d.Index = indexer{p.index}
	}
	p.runner = workflows.NewRunner(workflows.RunnerOptions{
		Client: temporal, DB: in.db, Activities: workflows.NewActivities(d), Log: in.log,
		Work: in.works(), Manage: in.answers(), Index: p.index != nil, Exclusive: embeds(in.cfg),
	})
	in.onStop(func(ctx context.Context) error { p.runner.Stop(); return p.opener.Stop(ctx) })
	return p.runner.Start(ctx)
}

func (in *instance) api(p *parts) (*api.API, error) {
	cfg := in.cfg
	egress := make([]string, 0, len(cfg.Egress.Allow))
	for _, n := range cfg.Egress.Allow {
		egress = append(egress, n.String())
	}
	var engine search.Engine // A nil *elastic.Index in it would not be nil.
	if p.index != nil {
		engine = p.index
	}
	return api.New(api.DefaultConfiguration(), api.Dependencies{
		DB: in.db, Vault: in.vault, Connectors: all.All(), Findings: search.NewSwitch(p.reader, engine), Deliverer: p.deliverer, Runner: p.runner, TestConnection: p.opener.Test, Estimate: p.opener.Estimate,
		Detectors: p.detectors,
		Policies: func(ctx context.Context) ([]policy.Effective, error) {
			err := p.rules.Follow(ctx)
			return p.rules.Policies(), err
		},
		Author: p.author,
		PoliciesChanged: func(ctx context.Context) error {
			return errors.Join(p.rules.Reload(ctx), p.runner.PoliciesChanged(ctx))
		}, PolicyFailures: p.rules.Failures,
		CheckURL: func(raw string) error { return withAdvice(safehttp.CheckURL(raw, cfg.Egress.Allow)) },
		Health:   func(ctx context.Context) map[string]api.Check { return health(ctx, p) },
		Egress:   egress, Infrastructure: infrastructure(cfg), Demo: in.demo, Role: cfg.Role,
		UI: ui.Handler(), Version: versionText(), PublicURL: in.publicURL(), Log: in.log, Now: time.Now,
	})
}

// infrastructure are the servers of the configuration that this process calls.
func infrastructure(cfg config.Config) (out []api.EgressHost) {
	if host := postgresHost(cfg.Store.Postgres.Reveal()); host != "" {
		out = append(out, api.EgressHost{Host: host, For: "postgres"})
	}
	if cfg.Temporal.Address != "" {
		out = append(out, api.EgressHost{Host: cfg.Temporal.Address, For: "temporal"})
	}
	if u, err := url.Parse(cfg.Elasticsearch.URL); err == nil && u.Host != "" {
		out = append(out, api.EgressHost{Host: u.Host, For: "elasticsearch"})
	}
	return out
}

// postgresHost takes host and port out of a connection string, and nothing else of it; empty if it cannot be told.
func postgresHost(dsn string) string {
	if strings.Contains(dsn, "://") {
		u, err := url.Parse(dsn)
		if err != nil {
			return "" // A password with signs that belong escaped could be taken for a host.
		}
		return u.Host
	}
	host, port := "", "5432"
	for _, field := range strings.Fields(dsn) {
		switch name, value, _ := strings.Cut(field, "="); name {
		case "host":
			host = value
		case "port":
			port = value
		}
	}
	if host == "" {
		return ""
	}
	return net.JoinHostPort(host, port)
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
