package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/outband/outband/api/problem"
	"github.com/outband/outband/findings"
	"github.com/outband/outband/internal/id"
	"github.com/outband/outband/internal/store"
)

// wrap puts around the routes what holds for all of them.
func (a *API) wrap(routes *http.ServeMux) http.Handler {
	guard := http.NewCrossOriginProtection()
	guard.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		send(w, r, problem.New(http.StatusForbidden, problem.CodeCrossOrigin, "The request comes from a page of another site. Send it from Outband's own page or from a program."))
	}))
	guarded := guard.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch _, pattern := routes.Handler(r); {
		case pattern != "":
			routes.ServeHTTP(w, r)
		case reserved(r.URL.Path):
			noRoute(w, r, routes)
		default:
			a.d.UI.ServeHTTP(w, r)
		}
	}))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		request := id.New("req_")
		h := w.Header()
		h.Set("X-Request-Id", request)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Content-Security-Policy", "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		h.Set("Referrer-Policy", "no-referrer")
		if strings.HasPrefix(r.URL.Path, "/api/") {
			h.Set("Cache-Control", "no-store")
		}
		r = r.WithContext(context.WithValue(r.Context(), keyRequestID, request))
		tracked := &trackingWriter{ResponseWriter: w}
		defer a.recover(tracked, r)
		guarded.ServeHTTP(tracked, r)
	})
}

// trackingWriter knows whether the answer has begun.
type trackingWriter struct {
	http.ResponseWriter
	begun bool
}

// WriteHeader implements http.ResponseWriter.
func (w *trackingWriter) WriteHeader(status int) {
	w.begun = true
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *trackingWriter) Write(b []byte) (int, error) {
	w.begun = true
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *trackingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// recover answers a panic with a problem, or cuts an answer off that has begun. The value of a panic may quote what was sent: it is not logged,
// its type and the stack are.
func (a *API) recover(w *trackingWriter, r *http.Request) {
	v := recover()
	switch {
	case v == nil:
		return
	case v == http.ErrAbortHandler:
		panic(v)
	}
	a.d.Log.Error("request panicked", "code", problem.CodeInternal, "request", requestID(r.Context()), "err", fmt.Sprintf("%T", v), "stack", string(debug.Stack()))
	if w.begun {
		panic(http.ErrAbortHandler)
	}
	send(w, r, problem.Internal())
}

// reserved reports whether a path belongs to the API or the health checks, so that what they do not know is a problem. The rest is the pages': which
// of those paths exist, only they know.
func reserved(path string) bool {
	for _, ours := range []string{"/api", "/healthz", "/readyz"} {
		if path == ours || strings.HasPrefix(path, ours+"/") {
			return true
		}
	}
	return false
}

// noRoute answers a path or method that no route has. The mux knows which of them it is.
func noRoute(w http.ResponseWriter, r *http.Request, routes *http.ServeMux) {
	probe := &discard{header: http.Header{}}
	routes.ServeHTTP(probe, r)
	if probe.status == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", probe.header.Get("Allow"))
		send(w, r, problem.New(probe.status, problem.CodeMethod, "This path does not take that method. The header Allow names those that it takes."))
		return
	}
	send(w, r, problem.New(http.StatusNotFound, problem.CodeRoute, "There is no such path. /api/openapi.json lists all of them."))
}

// discard keeps the status and headers of an answer.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(status int)      { d.status = status }

// send writes a problem as the whole answer.
func send(w http.ResponseWriter, r *http.Request, p *problem.Problem) {
	sent := *p
	sent.RequestID = requestID(r.Context())
	maps.Copy(w.Header(), sent.GetHeaders())
	w.Header().Set("Content-Type", sent.ContentType(""))
	w.WriteHeader(sent.Status)
	// A failed write means that the client has left.
	_ = json.NewEncoder(w).Encode(sent)
}

// transform turns every error, the framework's too, into a problem with the request's id.
func transform(ctx huma.Context, _ string, v any) (any, error) {
	var sent problem.Problem
	switch v := v.(type) {
	case *problem.Problem:
		sent = *v
	case *huma.ErrorModel:
		sent = *problem.FromHuma(v)
	default:
		return v, nil
	}
	sent.RequestID = requestID(ctx.Context())
	return &sent, nil
}

// checkQuery refuses a query that would be read in another way than its sender meant: malformed, or one value given twice.
func checkQuery(ctx huma.Context, next func(huma.Context)) {
	r, w := humago.Unwrap(ctx)
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		send(w, r, problem.BadQuery(problem.Field{Location: "query", Message: "The query cannot be decoded."}))
		return
	}
	var wrong []problem.Field
	for _, p := range ctx.Operation().Parameters {
		given := values[p.Name]
		if p.In != "query" || len(given) < 2 {
			continue
		}
		switch {
		case p.Schema.Type != huma.TypeArray:
			wrong = append(wrong, problem.Field{Location: "query." + p.Name, Message: "The parameter is given more than once."})
		case slices.Contains(given, ""):
			wrong = append(wrong, problem.Field{Location: "query." + p.Name, Message: "One of the values is empty."})
		}
	}
	if len(wrong) > 0 {
		send(w, r, problem.BadQuery(wrong...))
		return
	}
	next(ctx)
}

// errAudit marks a failure to write the audit log.
var errAudit = errors.New("the audit log cannot be written")

// problem turns an error of a handler into what the caller sees. Errors of the store and of bugs go to the log.
func (a *API) problem(ctx context.Context, err error) *problem.Problem {
	var p *problem.Problem
	switch {
	case errors.As(err, &p):
		return p
	case errors.Is(err, errAudit):
		// Invariant 11: what cannot be audited is refused.
		p = problem.New(http.StatusServiceUnavailable, problem.CodeAudit, "The audit log cannot be written, so nothing was done. Check the disk of the store and try again.")
	case errors.Is(err, store.ErrNotFound), errors.Is(err, findings.ErrNotFound):
		return problem.NotFound()
	case ctx.Err() != nil:
		return problem.New(http.StatusServiceUnavailable, problem.CodeUnavailable, "The request was given up before it was done. Send it again.")
	default:
		p = problem.Internal()
	}
	a.d.Log.Error("request failed", "code", p.Code, "request", requestID(ctx), "err", err)
	return p
}

// audit appends a row in the transaction of the change. Detail holds ids, states and codes only.
func audit(ctx context.Context, tx *store.Tx, action, object string, detail map[string]string) error {
	return auditBy(ctx, tx, actor(ctx), action, object, detail)
}

// auditBy is audit for a request that says by what it holds who makes it.
func auditBy(ctx context.Context, tx *store.Tx, who, action, object string, detail map[string]string) error {
	if err := store.AppendAudit(ctx, tx, who, action, object, detail); err != nil {
		return fmt.Errorf("%w: %w", errAudit, err)
	}
	return nil
}

// auditRead notes a read of evidence before it is answered.
func (a *API) auditRead(ctx context.Context, action, object string, detail map[string]string) error {
	return asAudit(a.d.DB.Write(ctx, func(tx *store.Tx) error { return audit(ctx, tx, action, object, detail) }))
}

// asAudit makes the failure of a transaction that only writes the audit log one of the log.
func asAudit(err error) error {
	if err != nil && !errors.Is(err, errAudit) {
		return fmt.Errorf("%w: %w", errAudit, err)
	}
	return err
}
