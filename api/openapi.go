package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/outband/outband/api/problem"
	"github.com/outband/outband/findings"
)

// mount registers the routes and writes the OpenAPI document.
func (a *API) mount() error {
	mux := http.NewServeMux()
	registry := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	// The framework's own error never leaves (transform), so it is not what the document shows.
	registry.RegisterTypeAlias(reflect.TypeFor[huma.ErrorModel](), reflect.TypeFor[problem.Problem]())
	config := huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title: "Outband", Version: "v1",
				Description: "Times are RFC 3339, UTC, milliseconds. Ids are opaque. Lists take limit and cursor. Unknown fields and query parameters are refused.",
				License:     &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"},
			},
			Servers: []*huma.Server{{URL: "/"}},
			Components: &huma.Components{
				Schemas: registry,
				SecuritySchemes: map[string]*huma.SecurityScheme{
					"token":   {Type: "http", Scheme: "bearer", Description: "A token made by `outband token create` or POST /api/v1/tokens."},
					"session": {Type: "apiKey", In: "cookie", Name: SessionCookie, Description: "The session of a person, set by POST /api/v1/session. A token, if there is one too, goes before it."},
				},
			},
		},
		Formats:                      map[string]huma.Format{"application/json": jsonFormat, "json": jsonFormat},
		DefaultFormat:                "application/json",
		RejectUnknownQueryParameters: true,
		Transformers:                 []huma.Transformer{transform},
	}
	a.huma = humago.New(mux, config)
	a.huma.UseMiddleware(a.authorize, checkQuery)
	for _, r := range a.routes() {
		r.op.Tags = []string{strings.Split(strings.TrimPrefix(r.op.Path, "/api/v1/"), "/")[0]}
		r.op.Extensions = map[string]any{"x-roles": r.op.Metadata[metaRoles]}
		r.register(a, r.op)
	}
	polish(a.huma.OpenAPI())
	doc, err := json.Marshal(a.huma.OpenAPI())
	if err != nil {
		return fmt.Errorf("encode the OpenAPI document: %w", err)
	}
	var out bytes.Buffer
	if err := json.Indent(&out, doc, "", "  "); err != nil {
		return fmt.Errorf("encode the OpenAPI document: %w", err)
	}
	out.WriteByte('\n')
	a.openapi = out.Bytes()

	mux.HandleFunc("GET /api/openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		// A failed write means that the client has left.
		_, _ = w.Write(a.openapi)
	})
	a.health().Routes(mux)
	a.handler = a.wrap(mux)
	return nil
}

// polish says in the document what the types cannot.
func polish(doc *huma.OpenAPI) {
	for _, s := range doc.Components.Schemas.Map() {
		strict(s)
	}
	for _, item := range doc.Paths {
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
			if op == nil {
				continue
			}
			for _, p := range op.Parameters {
				strict(p.Schema)
			}
		}
	}
	schemas := doc.Components.Schemas.Map()
	for name, values := range map[string][]string{"severity": findings.Severities(), "status": findings.Statuses(), "kind": findings.Kinds(), "source": findings.Sources()} {
		for _, schema := range []string{"Finding", "Event"} {
			if p := schemas[schema].Properties[name]; p != nil {
				p.Enum = enum(values)
			}
		}
	}
	// Those that a source may not know are empty then, so they have no format.
	for schema, names := range map[string][]string{"Finding": {"first_seen_at", "last_seen_at"}, "Instance": {"first_seen_at"}, "Event": {"at"}, "Bucket": {"at"}} {
		for _, name := range names {
			schemas[schema].Properties[name].Format = "date-time"
		}
	}
}

func enum(values []string) []any {
	out := make([]any, len(values))
	for i, v := range values {
		out[i] = v
	}
	return out
}

// strict makes arrays never null: handlers answer with an empty one.
func strict(s *huma.Schema) {
	if s == nil {
		return
	}
	if s.Type == huma.TypeArray {
		s.Nullable = false
	}
	strict(s.Items)
	if more, ok := s.AdditionalProperties.(*huma.Schema); ok {
		strict(more)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		strict(s.Properties[name])
	}
}
