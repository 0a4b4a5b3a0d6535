package api

import (
	"context"
	"strconv"

	"github.com/outband/outband/connectors"
)

// Connector is a connector as the form for a connection needs it.
type Connector struct {
	ID          string               `json:"id"`
	Name        string               `json:"name"`
	Vendor      string               `json:"vendor"`
	Docs        string               `json:"docs" doc:"Where the vendor explains the API and how to make a key."`
	Hosts       []string             `json:"hosts" doc:"Hosts that are called unless base_url names another."`
	Credentials Form                 `json:"credentials" doc:"JSON Schema of secrets."`
	Config      Form                 `json:"config" doc:"JSON Schema of config."`
	KeyKinds    []connectors.KeyKind `json:"key_kinds"`
	Scopes      []connectors.Scope   `json:"scopes" doc:"What the key must be allowed to do, and why."`
	Streams     []connectors.Stream  `json:"streams"`
	Limits      connectors.Limits    `json:"limits"`
}

// Form is a JSON Schema of an object, in the subset that the page renders.
type Form struct {
	Type       string               `json:"type" enum:"object"`
	Properties map[string]FormField `json:"properties"`
	Required   []string             `json:"required"`
	Order      []string             `json:"x-order" doc:"The fields in the order of the form."`
	Additional bool                 `json:"additionalProperties" doc:"Always false."`
}

// FormField is one input.
type FormField struct {
	Type        string   `json:"type" enum:"string,integer,boolean"`
	Title       string   `json:"title"`
	Description string   `json:"description,omitempty"`
	Format      string   `json:"format,omitempty"`
	WriteOnly   bool     `json:"writeOnly,omitempty"`
	Default     any      `json:"default,omitempty"`
	Minimum     *int64   `json:"minimum,omitempty"`
	Maximum     *int64   `json:"maximum,omitempty"`
	MaxLength   int      `json:"maxLength,omitempty" doc:"In bytes."`
	Pattern     string   `json:"pattern,omitempty" doc:"Of the whole value."`
	Enum        []string `json:"enum,omitempty"`
}

func (a *API) listConnectors(_ context.Context, in *ListInput) (*ListOutput[Connector], error) {
	out := make([]Connector, 0, len(a.manifests))
	for _, m := range a.manifests {
		c := Connector{
			ID: m.ID, Name: m.Name, Vendor: m.Vendor, Docs: m.Docs, Hosts: some(m.Hosts), Credentials: form(m.Secrets), Config: form(m.Config),
			KeyKinds: some(m.Keys), Scopes: some(m.Scopes), Streams: some(m.Streams), Limits: m.Limits,
		}
		for i := range c.Scopes {
			c.Scopes[i].Streams = some(c.Scopes[i].Streams)
		}
		out = append(out, c)
	}
	return paginate("connectors", out, func(c Connector) string { return c.ID }, *in)
}

// some copies a list; nil becomes an empty one, which is [] in JSON.
func some[T any](in []T) []T { return append([]T{}, in...) }

func form(fields []connectors.Field) Form {
	f := Form{Type: "object", Properties: map[string]FormField{}, Required: []string{}, Order: []string{}}
	for _, in := range fields {
		format := in.Format
		if format == "url" {
			format = "uri"
		}
		x := FormField{
			Type: in.Type, Title: in.Title, Description: in.Description, Format: format, WriteOnly: in.Secret, Minimum: in.Minimum, Maximum: in.Maximum,
			MaxLength: in.MaxLength, Enum: in.Enum,
		}
		if in.Pattern != "" {
			x.Pattern = "^(?:" + in.Pattern + ")$"
		}
		if in.Default != "" {
			x.Default = typed(in.Type, in.Default)
		}
		f.Properties[in.ID] = x
		f.Order = append(f.Order, in.ID)
		if in.Required && in.Default == "" {
			f.Required = append(f.Required, in.ID)
		}
	}
	return f
}

// typed is the JSON value of a stored setting.
func typed(kind, value string) any {
	switch kind {
	case "integer":
		if n, err := strconv.ParseInt(value, 10, 64); err == nil {
			return n
		}
	case "boolean":
		if b, err := strconv.ParseBool(value); err == nil {
			return b
		}
	}
	return value
}

func (a *API) manifest(connectorID string) *connectors.Manifest {
	for _, m := range a.manifests {
		if m.ID == connectorID {
			return m
		}
	}
	return nil
}
