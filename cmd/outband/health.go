package main

import (
	"context"
	"net/http"
	"time"

	"github.com/outband/outband/api"
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
	api.Health{DB: in.db, Parts: func(ctx context.Context) map[string]api.Check { return health(ctx, p) }, Log: in.log}.Routes(mux)
	return mux
}
