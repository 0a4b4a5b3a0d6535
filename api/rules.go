package api

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/outband/outband/dlp/policy"
	"github.com/outband/outband/internal/store"
)

// Detector is one kind of sensitive data that is looked for.
type Detector struct {
	ID          string   `json:"id"`
	Title       string   `json:"title"`
	Description string   `json:"description"`
	Kind        string   `json:"kind"`
	Severity    string   `json:"severity" doc:"A hint for policies."`
	Validator   string   `json:"validator" doc:"The check that a match passes; empty: none."`
	References  []string `json:"references"`
}

func (a *API) listDetectors(_ context.Context, in *ListInput) (*ListOutput[Detector], error) {
	var out []Detector
	for _, d := range a.d.Detectors() {
		out = append(out, Detector{ID: d.ID, Title: d.Title, Description: d.Description, Kind: d.Kind, Severity: d.Severity, Validator: d.Validator, References: some(d.References)})
	}
	slices.SortFunc(out, func(x, y Detector) int { return strings.Compare(x.ID, y.ID) })
	return paginate("detectors", out, func(d Detector) string { return d.ID }, *in)
}

// Policy is a policy with what the overrides make of it.
type Policy struct {
	ID              string    `json:"id"`
	Version         int       `json:"version"`
	Title           string    `json:"title"`
	Description     string    `json:"description"`
	Kind            string    `json:"kind" enum:"content,activity,posture"`
	Severity        string    `json:"severity" enum:"critical,high,medium,low,info" doc:"In force."`
	Mode            string    `json:"mode" enum:"on,shadow,off" doc:"In force. shadow: evaluated and counted, makes no finding."`
	DefaultSeverity string    `json:"default_severity" doc:"Of the policy itself."`
	DefaultMode     string    `json:"default_mode" doc:"Of the policy itself."`
	Guide           string    `json:"guide" doc:"What to do; {resource.url} stands for the link into the app."`
	On              policy.On `json:"on"`
	When            string    `json:"when" doc:"CEL."`
	References      []string  `json:"references"`
	Tests           int       `json:"tests" doc:"How many tests the policy carries."`
}

func rendered(e policy.Effective) Policy {
	p := e.Policy
	return Policy{
		ID: p.ID, Version: p.Version, Title: p.Title, Description: p.Description, Kind: p.Kind, Severity: e.Severity, Mode: e.Mode, DefaultSeverity: p.Severity,
		DefaultMode: cmp.Or(p.Mode, policy.ModeOn), Guide: p.Guide, On: p.On, When: p.When, References: some(p.References), Tests: len(p.Tests),
	}
}

func (a *API) listPolicies(ctx context.Context, in *ListInput) (*ListOutput[Policy], error) {
	all, err := a.d.Policies(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]Policy, 0, len(all))
	for _, e := range all {
		out = append(out, rendered(e))
	}
	slices.SortFunc(out, func(x, y Policy) int { return strings.Compare(x.ID, y.ID) })
	return paginate("policies", out, func(p Policy) string { return p.ID }, *in)
}

// UpdatePolicyInput overrides what is in it; null goes back to what the policy says.
type UpdatePolicyInput struct {
	IDInput
	Body struct {
		Severity Optional[Severity] `json:"severity,omitzero"`
		Mode     Optional[Mode]     `json:"mode,omitzero"`
	}
}

func (a *API) updatePolicy(ctx context.Context, in *UpdatePolicyInput) (*Output[Policy], error) {
	if _, err := a.policy(ctx, in.ID); err != nil {
		return nil, err
	}
	err := a.d.DB.Write(ctx, func(tx *store.Tx) error {
		o := store.Override{Kind: OverrideKind, ID: in.ID}
		all, err := store.Overrides(ctx, tx)
		if err != nil {
			return err
		}
		for _, have := range all {
			if have.Kind == OverrideKind && have.ID == in.ID {
				o = have
			}
		}
		if in.Body.Severity.Set {
			o.Severity = string(in.Body.Severity.Value)
		}
		if in.Body.Mode.Set {
			o.Mode = string(in.Body.Mode.Value)
		}
		if err := store.PutOverride(ctx, tx, o, actor(ctx)); err != nil {
			return err
		}
		return audit(ctx, tx, "policy.override", in.ID, map[string]string{"severity": o.Severity, "mode": o.Mode})
	})
	if err != nil {
		return nil, err
	}
	if err := a.d.PoliciesChanged(ctx); err != nil {
		return nil, a.engineDown("object", in.ID, err)
	}
	e, err := a.policy(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &Output[Policy]{rendered(e)}, nil
}

func (a *API) policy(ctx context.Context, id string) (policy.Effective, error) {
	all, err := a.d.Policies(ctx)
	if err != nil {
		return policy.Effective{}, err
	}
	for _, e := range all {
		if e.Policy.ID == id {
			return e, nil
		}
	}
	return policy.Effective{}, fmt.Errorf("policy: %w", store.ErrNotFound)
}

// OverrideKind is the kind of the overrides that PATCH policies writes.
const OverrideKind = "policy"

// Severity is an input.
type Severity string

// Schema implements huma.SchemaProvider.
func (Severity) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Enum: enum(policy.Severities())}
}

// Mode is an input.
type Mode string

// Schema implements huma.SchemaProvider.
func (Mode) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Enum: enum([]string{policy.ModeOn, policy.ModeShadow, policy.ModeOff})}
}
