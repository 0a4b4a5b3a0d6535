package api

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"

	"github.com/outband/outband/connectors"
	"github.com/outband/outband/findings/deliver"
	"github.com/outband/outband/internal/store"
)

// System is what an operator wants to know of the installation.
type System struct {
	Version   string           `json:"version"`
	PublicURL string           `json:"public_url"`
	Ready     bool             `json:"ready"`
	Checks    map[string]Check `json:"checks"`
	Egress    Egress           `json:"egress"`
}

// Egress is what may be called (invariant 10).
type Egress struct {
	Hosts []EgressHost `json:"hosts" doc:"Named by connections and destinations."`
	Allow []string     `json:"allow" doc:"egress.allow: networks that may be called though they are private."`
}

// EgressHost is a host that is called.
type EgressHost struct {
	Host string `json:"host"`
	For  string `json:"for" doc:"The id of the connection or destination."`
}

func (a *API) system(ctx context.Context, _ *struct{}) (*Output[System], error) {
	checks, ready := a.checks(ctx)
	hosts := []EgressHost{}
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
		Version: a.d.Version, PublicURL: a.d.PublicURL, Ready: ready, Checks: checks, Egress: Egress{Hosts: hosts, Allow: some(slices.Sorted(slices.Values(a.d.Egress)))},
	}}, nil
}

// checks asks the store and all other parts. The installation is ready unless one is down.
func (a *API) checks(ctx context.Context) (map[string]Check, bool) {
	checks := map[string]Check{}
	for name, c := range a.d.Health(ctx) {
		checks[name] = c
	}
	checks["store"] = Check{State: StateUp}
	if _, err := store.Epoch(ctx, a.d.DB.Read()); err != nil {
		a.d.Log.Error("store does not answer", "err", err)
		checks["store"] = Check{State: StateDown, Detail: "The store does not answer. Its log line says why."}
	}
	for _, c := range checks {
		if c.State == StateDown {
			return checks, false
		}
	}
	return checks, true
}

// ready answers /readyz: 200 when work can be done. Without a token it names the parts and their states, no details.
func (a *API) ready(w http.ResponseWriter, r *http.Request) {
	checks, ready := a.checks(r.Context())
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
