package api

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/url"
	"slices"

	"github.com/outband/outband/connectors"
	"github.com/outband/outband/findings/deliver"
	"github.com/outband/outband/findings/search"
	"github.com/outband/outband/internal/store"
)

// System is what an operator wants to know of the installation.
type System struct {
	Version   string           `json:"version"`
	PublicURL string           `json:"public_url"`
	Demo      bool             `json:"demo" doc:"The data is made up: outband demo."`
	Role      string           `json:"role" enum:"all,api" doc:"Of the process that answers. all: it scans too."`
	StartedAt *string          `json:"started_at" format:"date-time" doc:"Of that process."`
	Ready     bool             `json:"ready"`
	Checks    map[string]Check `json:"checks"`
	Store     StoreInfo        `json:"store"`
	Search    SearchInfo       `json:"search"`
	Egress    Egress           `json:"egress"`
}

// StoreInfo says where everything is kept.
type StoreInfo struct {
	Kind string `json:"kind" enum:"sqlite,postgres"`
}

// Engines that answer lists, facets and timelines.
const (
	EngineEmbedded      = "embedded"
	EngineElasticsearch = "elasticsearch"
)

// SearchInfo says what answers lists, facets and timelines.
type SearchInfo struct {
	Engine   string `json:"engine" enum:"embedded,elasticsearch" doc:"As configured."`
	Degraded bool   `json:"degraded" doc:"Elasticsearch does not answer or is behind: the embedded engine answers."`
	Detail   string `json:"detail" doc:"One sentence for an operator; empty when all is well."`
	Behind   int64  `json:"behind" doc:"Rows of the finding log that Elasticsearch does not have yet."`
}

// Egress is what may be called (invariant 10).
type Egress struct {
	Hosts []EgressHost `json:"hosts" doc:"Named by connections, destinations and the configuration."`
	Allow []string     `json:"allow" doc:"egress.allow: networks that may be called though they are private."`
}

// EgressHost is a host that is called.
type EgressHost struct {
	Host string `json:"host"`
	For  string `json:"for" doc:"The id of the connection or destination, or the part: temporal, postgres, elasticsearch."`
}

func (a *API) system(ctx context.Context, _ *struct{}) (*Output[System], error) {
	checks, ready := a.health().checks(ctx)
	info, err := a.search(ctx, checks)
	if err != nil {
		return nil, err
	}
	hosts := some(a.d.Infrastructure)
	add := func(address, id string) {
		if u, err := url.Parse(address); err == nil && u.Host != "" {
			hosts = append(hosts, EgressHost{Host: u.Host, For: id})
		}
	}
	all, err := store.ListConnections(ctx, a.d.DB.Read())
	if err != nil {
		return nil, err
	}
	for _, c := range all {
		add(c.Config[connectors.ConfigBaseURL], c.ID)
	}
	destinations, err := deliver.List(ctx, a.d.DB.Read())
	if err != nil {
		return nil, err
	}
	for _, x := range destinations {
		add(x.Config.URL, x.ID)
	}
	return &Output[System]{System{
		Version: a.d.Version, PublicURL: a.d.PublicURL, Demo: a.d.Demo, Role: a.d.Role, StartedAt: stamp(a.startedAt), Ready: ready, Checks: checks,
		Store: StoreInfo{Kind: string(a.d.DB.Dialect())}, Search: info, Egress: Egress{Hosts: hosts, Allow: some(slices.Sorted(slices.Values(a.d.Egress)))},
	}}, nil
}

func (a *API) health() Health {
	return Health{DB: a.d.DB, Parts: func(ctx context.Context) map[string]Check { return a.d.Health(ctx) }, Log: a.d.Log}
}

// search says which engine answers. Elasticsearch is configured if its state is among the checks.
func (a *API) search(ctx context.Context, checks map[string]Check) (SearchInfo, error) {
	c, configured := checks[EngineElasticsearch]
	if !configured {
		return SearchInfo{Engine: EngineEmbedded}, nil
	}
	lag, err := search.ReadLag(ctx, a.d.DB)
	if err != nil {
		return SearchInfo{}, err
	}
	out := SearchInfo{Engine: EngineElasticsearch, Degraded: c.State != StateUp || lag.Behind(), Detail: c.Detail, Behind: lag.Rows}
	if out.Degraded && out.Detail == "" {
		out.Detail = "Elasticsearch is behind the store, which answers until the index has caught up."
	}
	return out, nil
}

// Health knows how the parts of a process are. The API shows it, and a worker serves nothing else.
type Health struct {
	DB    *store.DB
	Parts func(context.Context) map[string]Check // of everything but the store
	Log   *slog.Logger
}

// Routes adds /healthz, whether the process lives, and /readyz, whether it can work: 200 or 503, with the names of the parts and their states and no
// details, since no token is asked for.
func (h Health) Routes(mux *http.ServeMux) {
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write([]byte("ok\n")) // A failed write means that the client has left.
	})
	mux.HandleFunc("GET /readyz", h.ready)
}

// checks asks the store and all other parts. The installation is ready unless one is down.
func (h Health) checks(ctx context.Context) (map[string]Check, bool) {
	checks := map[string]Check{}
	for name, c := range h.Parts(ctx) {
		if name == EngineElasticsearch && c.State == StateDown {
			c.State = StateDegraded // The embedded engine answers in its place.
		}
		checks[name] = c
	}
	checks["store"] = Check{State: StateUp}
	if _, err := store.Epoch(ctx, h.DB.Read()); err != nil {
		h.Log.Error("store does not answer", "err", err)
		checks["store"] = Check{State: StateDown, Detail: "The store does not answer. Its log line says why."}
	}
	for _, c := range checks {
		if c.State == StateDown {
			return checks, false
		}
	}
	return checks, true
}

func (h Health) ready(w http.ResponseWriter, r *http.Request) {
	checks, ready := h.checks(r.Context())
	out := struct {
		Ready  bool              `json:"ready"`
		Checks map[string]string `json:"checks"`
	}{Ready: ready, Checks: map[string]string{}}
	for name, c := range checks {
		out.Checks[name] = c.State
	}
	w.Header().Set("Content-Type", "application/json")
	if !ready {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	// A failed write means that the client has left.
	_ = json.NewEncoder(w).Encode(out)
}
