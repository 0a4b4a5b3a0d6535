package api

import (
	"context"
	"strings"

	"github.com/outband/outband/dlp"
	"github.com/outband/outband/dlp/policy"
	"github.com/outband/outband/internal/store"
	"github.com/outband/outband/internal/vault"
	"github.com/outband/outband/workflows"
	"github.com/outband/outband/workflows/authoring"
)

// detectors are those of a process that scans nothing, so that they need not compile.
func (k *kit) detectors(v *vault.Vault, builtin []dlp.Detector) *workflows.Detectors {
	k.t.Helper()
	d, err := workflows.NewDetectors(k.t.Context(), workflows.DetectorDependencies{DB: k.db, Vault: v, Builtin: builtin})
	if err != nil {
		k.t.Fatal(err)
	}
	return d
}

// policies is two policies with the overrides of the store, as scans would read them.
func (k *kit) policies(ctx context.Context) ([]policy.Effective, error) {
	overrides, err := store.Overrides(ctx, k.db.Read())
	if err != nil {
		return nil, err
	}
	var out []policy.Effective
	custom, err := store.CustomPolicies(ctx, k.db.Read())
	if err != nil {
		return nil, err
	}
	for _, c := range custom {
		p, err := policy.Parse([]byte(c.YAML))
		if err != nil {
			return nil, err
		}
		out = append(out, policy.Effective{Policy: p, Severity: p.Severity, Mode: p.Mode})
	}
	for _, id := range []string{"content.example", "activity.example"} {
		p := &policy.Policy{ID: id, Version: 1, Title: "Example", Kind: strings.Split(id, ".")[0], Severity: "high", Mode: policy.ModeOn, Guide: "Look.", On: policy.On{Items: []string{"message"}}, When: "true"}
		e := policy.Effective{Policy: p, Severity: p.Severity, Mode: p.Mode}
		for _, o := range overrides {
			if o.Kind == OverrideKind && o.ID == id {
				if o.Severity != "" {
					e.Severity = o.Severity
				}
				if o.Mode != "" {
					e.Mode = o.Mode
				}
			}
		}
		out = append(out, e)
	}
	return out, nil
}

// author saves custom policies over the real built-in ones, with no file beside them.
func (k *kit) author(db *store.DB) *authoring.Author {
	k.t.Helper()
	a, err := authoring.New(db, func() []string { return []string{"secret.example", "card.example"} }, func(ctx context.Context) ([]dlp.Profile, error) { return workflows.Profiles(ctx, db.Read()) }, nil)
	if err != nil {
		k.t.Fatal(err)
	}
	return a
}
