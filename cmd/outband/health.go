package main

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/outband/outband/api"
	"github.com/outband/outband/internal/store"
)

// healthTime is how long a part has to answer before it counts as down.
const healthTime = 3 * time.Second

// health asks the parts beside the store. Without Elasticsearch the installation is ready all the same: the API counts it as degraded.
func health(ctx context.Context, p *parts) map[string]api.Check {
	ctx, cancel := context.WithTimeout(ctx, healthTime)
	defer cancel()
	out := map[string]api.Check{"temporal": {State: api.StateUp}}
	if p.runner.Healthy(ctx) != nil {
		out["temporal"] = api.Check{State: api.StateDown, Detail: "Temporal does not answer: scans and deliveries wait."}
	}
	if p.index != nil {
		h := p.index.Health(ctx)
		out[api.EngineElasticsearch] = api.Check{State: h.State, Detail: h.Detail}
	}
	return out
}

// healthOnly is all that a worker serves: whether it lives, and whether it can work.
func (in *instance) healthOnly(p *parts) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write([]byte("ok\n")) // A failed write means that the client has left.
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		checks := health(r.Context(), p)
		if _, err := store.Epoch(r.Context(), in.db.Read()); err != nil {
			checks["store"] = api.Check{State: api.StateDown}
		} else {
			checks["store"] = api.Check{State: api.StateUp}
		}
		ready, states := true, map[string]string{}
		for name, c := range checks {
			if name == api.EngineElasticsearch && c.State == api.StateDown {
				c.State = api.StateDegraded // The index catches up; nothing of a worker waits for it.
			}
			ready, states[name] = ready && c.State != api.StateDown, c.State
		}
		status := http.StatusOK
		if !ready {
			status = http.StatusServiceUnavailable
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]any{"ready": ready, "checks": states}) // As above.
	})
	return mux
}
