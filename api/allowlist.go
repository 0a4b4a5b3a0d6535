package api

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"github.com/outband/outband/dlp"
	"github.com/outband/outband/internal/store"
	"github.com/outband/outband/workflows"
)

// AllowlistGroup is a group of published values, which make no finding.
type AllowlistGroup struct {
	ID          string   `json:"id"`
	Title       string   `json:"title"`
	Description string   `json:"description"`
	References  []string `json:"references" doc:"Where the values are published."`
	Detectors   []string `json:"detectors" doc:"Globs of the detectors whose matches are compared."`
	Mode        string   `json:"mode" enum:"on,off" doc:"In force. on: its values are left out."`
	DefaultMode string   `json:"default_mode" enum:"on,off" doc:"As shipped."`
	Form        string   `json:"form" enum:"digits,compact,lower,raw" doc:"How a value is written before it is compared: its digits alone; in capitals without blanks, hyphens, dots and slashes; in lower case; as it is."`
	Values      []string `json:"values" doc:"Whole values."`
	Domains     []string `json:"domains" doc:"What stands behind the @ of an address; their subdomains count too."`
	Networks    []string `json:"networks" doc:"Networks that hold an address."`
	Patterns    []string `json:"patterns" doc:"Regular expressions (RE2) for a whole value."`
}

// Allowed are the published values that a detector itself leaves out.
type Allowed struct {
	DetectorID string   `json:"detector_id"`
	Title      string   `json:"title"`
	Values     []string `json:"values" doc:"Values, or expressions between slashes."`
}

// Allowlist is all that makes no finding because it is published.
type Allowlist struct {
	Items     []AllowlistGroup `json:"items"`
	Detectors []Allowed        `json:"detectors" doc:"What single detectors leave out. It is part of them and cannot be switched off."`
}

func (a *API) allowlist(ctx context.Context, _ *struct{}) (*Output[Allowlist], error) {
	groups, err := a.allowlistGroups(ctx)
	if err != nil {
		return nil, err
	}
	out := Allowlist{Items: groups, Detectors: []Allowed{}}
	for _, d := range a.d.Detectors.All() {
		if len(d.Allow) > 0 {
			out.Detectors = append(out.Detectors, Allowed{DetectorID: d.ID, Title: d.Title, Values: d.Allow})
		}
	}
	slices.SortFunc(out.Detectors, func(x, y Allowed) int { return cmp.Compare(x.DetectorID, y.DetectorID) })
	return &Output[Allowlist]{out}, nil
}

func (a *API) allowlistGroups(ctx context.Context) ([]AllowlistGroup, error) {
	all, err := dlp.TestData()
	if err != nil {
		return nil, err
	}
	stored, err := store.Overrides(ctx, a.d.DB.Read())
	if err != nil {
		return nil, err
	}
	modes := map[string]string{}
	for _, o := range stored {
		if o.Kind == workflows.OverrideTestData {
			modes[o.ID] = o.Mode
		}
	}
	out := make([]AllowlistGroup, 0, len(all))
	for _, g := range all {
		out = append(out, AllowlistGroup{
			ID: g.ID, Title: g.Title, Description: g.Description, References: some(g.References), Detectors: some(g.Detectors), Mode: cmp.Or(modes[g.ID], g.Mode), DefaultMode: g.Mode,
			Form: g.Form, Values: some(g.Values), Domains: some(g.Domains), Networks: some(g.Networks), Patterns: some(g.Patterns),
		})
	}
	return out, nil
}

// Switch is an input.
type Switch string

// Schema implements huma.SchemaProvider.
func (Switch) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Enum: enum([]string{dlp.TestDataOn, dlp.TestDataOff})}
}

// UpdateAllowlistInput switches a group; null goes back to what was shipped.
type UpdateAllowlistInput struct {
	IDInput
	Body struct {
		Mode Optional[Switch] `json:"mode"`
	}
}

func (a *API) updateAllowlist(ctx context.Context, in *UpdateAllowlistInput) (*Output[AllowlistGroup], error) {
	find := func() (*AllowlistGroup, error) {
		all, err := a.allowlistGroups(ctx)
		if err != nil {
			return nil, err
		}
		for i := range all {
			if all[i].ID == in.ID {
				return &all[i], nil
			}
		}
		return nil, fmt.Errorf("group: %w", store.ErrNotFound)
	}
	if _, err := find(); err != nil {
		return nil, err
	}
	mode := string(in.Body.Mode.Value)
	err := a.d.DB.Write(ctx, func(tx *store.Tx) error {
		if err := store.PutOverride(ctx, tx, store.Override{Kind: workflows.OverrideTestData, ID: in.ID, Mode: mode}, actor(ctx)); err != nil {
			return err
		}
		return audit(ctx, tx, "allowlist.override", in.ID, map[string]string{"mode": mode})
	})
	if err != nil {
		return nil, err
	}
	if err := a.detectorsChanged(ctx, in.ID); err != nil {
		return nil, err
	}
	g, err := find()
	if err != nil {
		return nil, err
	}
	return &Output[AllowlistGroup]{*g}, nil
}
