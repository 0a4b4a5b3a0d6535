package workflows

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"

	"github.com/outband/outband/dlp/policy"
	"github.com/outband/outband/internal/store"
)

// Rules hold the policies in force: the built-in ones, the custom ones of the store, and the overrides.
type Rules struct {
	db        *store.DB
	detectors []string
	current   atomic.Pointer[policy.Set]

	mu       sync.Mutex
	failures map[string]int64
}

// NewRules compiles the policies of a store. detectors are the ids that policies may name.
func NewRules(ctx context.Context, db *store.DB, detectors []string) (*Rules, error) {
	r := &Rules{db: db, detectors: detectors, failures: map[string]int64{}}
	return r, r.Reload(ctx)
}

// Current returns the policies in force.
func (r *Rules) Current() *policy.Set { return r.current.Load() }

// Reload compiles the policies again, after one was changed. Old content is not judged again: findings keep their policy_version until a re-scan.
func (r *Rules) Reload(ctx context.Context) error {
	all, err := policy.Builtin()
	if err != nil {
		return fmt.Errorf("read the built-in policies: %w", err)
	}
	custom, err := store.CustomPolicies(ctx, r.db.Read())
	if err != nil {
		return err
	}
	for _, c := range custom {
		p, err := policy.Parse([]byte(c.YAML))
		if err == nil {
			_, err = policy.Compile([]*policy.Policy{p}, nil, r.detectors)
		}
		if err != nil {
			// One that an upgrade broke is shown as failing and holds no other back.
			r.failed([]policy.Failure{{PolicyID: c.ID, Err: err}})
			continue
		}
		all = append(all, p)
	}
	stored, err := store.Overrides(ctx, r.db.Read())
	if err != nil {
		return err
	}
	var overrides []policy.Override
	for _, o := range stored {
		if o.Kind == "policy" {
			overrides = append(overrides, policy.Override{PolicyID: o.ID, Severity: o.Severity, Mode: o.Mode})
		}
	}
	set, err := policy.Compile(all, overrides, r.detectors)
	if err != nil {
		return err
	}
	r.current.Store(set)
	return nil
}

// failed counts evaluations that gave no answer, so that a failing policy is seen.
func (r *Rules) failed(failures []policy.Failure) {
	if len(failures) == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, f := range failures {
		r.failures[f.PolicyID]++
	}
}

// Failures returns how often each policy failed to evaluate since this process started.
func (r *Rules) Failures() map[string]int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.failures)
}
