package workflows

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/outband/outband/dlp/policy"
	"github.com/outband/outband/internal/store"
)

// Rules hold the policies in force: the built-in ones, those of policies.dir, the custom ones of the store, and the overrides.
type Rules struct {
	db        *store.DB
	detectors []string
	files     []*policy.Policy // of policies.dir
	current   atomic.Pointer[policy.Set]

	mu       sync.Mutex
	failures map[string]int64
}

// NewRules compiles the policies of a store, and those of the folder dir unless it is "". detectors are the ids that policies may name. A file that
// does not compile is an error that names it: an admin has just written it.
func NewRules(ctx context.Context, db *store.DB, dir string, detectors []string) (*Rules, error) {
	r := &Rules{db: db, detectors: detectors, failures: map[string]int64{}}
	if dir != "" {
		if err := r.readFolder(dir); err != nil {
			return nil, err
		}
	}
	return r, r.Reload(ctx)
}

func (r *Rules) readFolder(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("read policies.dir: %w", err)
	}
	for _, e := range entries {
		if e.IsDir() || filepath.Ext(e.Name()) != ".yaml" {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return fmt.Errorf("read policies.dir: %w", err)
		}
		p, err := policy.Parse(data)
		if err == nil {
			_, err = policy.Compile([]*policy.Policy{p}, nil, r.detectors)
		}
		if err != nil {
			return fmt.Errorf("policy file %s: %w", e.Name(), err)
		}
		r.files = append(r.files, p)
	}
	return nil
}

// Current returns the policies in force.
func (r *Rules) Current() *policy.Set { return r.current.Load() }

// Reload compiles the policies again, after one was changed. Old content is not judged again: findings keep their policy_version until a re-scan.
func (r *Rules) Reload(ctx context.Context) error {
	all, err := policy.Builtin()
	if err != nil {
		return fmt.Errorf("read the built-in policies: %w", err)
	}
	all = append(all, r.files...)
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
