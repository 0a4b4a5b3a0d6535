package workflows

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/outband/outband/dlp"
	"github.com/outband/outband/dlp/policy"
	"github.com/outband/outband/internal/store"
)

// Rules hold the policies in force: the built-in ones, those of policies.dir, the custom ones of the store, and the overrides.
type Rules struct {
	db        *store.DB
	detectors []string
	files     []*policy.Policy // of policies.dir
	current   atomic.Pointer[policy.Set]

	reload sync.Mutex // one at a time, so that the newest stays
	read   [sha256.Size]byte
	asked  time.Time // when the store was last asked whether another process changed a policy

	mu       sync.Mutex
	failures map[string]int64
}

// followEvery is how soon a process sees a policy that another one changed.
const followEvery = 5 * time.Second

// NewRules compiles the policies of a store, and those of the folder dir unless it is "". detectors are the ids that policies may name. A file that
// does not compile is an error that names it: an admin has just written it.
func NewRules(ctx context.Context, db *store.DB, dir string, detectors []string) (*Rules, error) {
	r := &Rules{db: db, detectors: detectors, failures: map[string]int64{}}
	if dir != "" {
		profiles, err := Profiles(ctx, db.Read())
		if err != nil {
			return nil, err
		}
		if err := r.readFolder(dir, profiles); err != nil {
			return nil, err
		}
	}
	return r, r.Reload(ctx)
}

func (r *Rules) readFolder(dir string, profiles []dlp.Profile) error {
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
			_, err = policy.Compile([]*policy.Policy{p}, nil, r.detectors, profiles...)
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

// Follow compiles the policies again if another process changed one. It asks the store at most once in followEvery, so that every activity may call it.
func (r *Rules) Follow(ctx context.Context) error {
	r.reload.Lock()
	defer r.reload.Unlock()
	if time.Since(r.asked) < followEvery {
		return nil
	}
	s, err := r.stored(ctx)
	if err != nil {
		return err
	}
	r.asked = time.Now()
	if s.digest() == r.read {
		return nil
	}
	return r.compile(s)
}

// Reload compiles the policies again, after one was changed. Old content is not judged again: findings keep their policy_version until a re-scan.
func (r *Rules) Reload(ctx context.Context) error {
	r.reload.Lock()
	defer r.reload.Unlock()
	s, err := r.stored(ctx)
	if err != nil {
		return err
	}
	return r.compile(s)
}

// storedRules is what the store holds of the rules.
type storedRules struct {
	policies  []store.Policy
	overrides []store.Override
	profiles  []store.Profile
}

func (r *Rules) stored(ctx context.Context) (s storedRules, err error) {
	if s.policies, err = store.CustomPolicies(ctx, r.db.Read()); err != nil {
		return s, err
	}
	if s.overrides, err = store.Overrides(ctx, r.db.Read()); err != nil {
		return s, err
	}
	s.profiles, err = store.Profiles(ctx, r.db.Read())
	return s, err
}

// digest tells two states of the stored rules apart.
func (s storedRules) digest() [sha256.Size]byte {
	h := sha256.New()
	fmt.Fprintf(h, "%#v %#v", s.policies, s.overrides)
	for _, p := range s.profiles {
		fmt.Fprintf(h, " %s %d", p.ID, p.Version)
	}
	return [sha256.Size]byte(h.Sum(nil))
}

func (r *Rules) compile(s storedRules) error {
	profiles, err := profilesWith(s.profiles)
	if err != nil {
		return fmt.Errorf("read the profiles: %w", err)
	}
	all, err := policy.Builtin()
	if err != nil {
		return fmt.Errorf("read the built-in policies: %w", err)
	}
	all = append(all, r.files...)
	for _, c := range s.policies {
		p, err := policy.Parse([]byte(c.YAML))
		if err == nil {
			_, err = policy.Compile([]*policy.Policy{p}, nil, r.detectors, profiles...)
		}
		if err != nil {
			// One that an upgrade broke is shown as failing and holds no other back.
			r.failed([]policy.Failure{{PolicyID: c.ID, Err: err}})
			continue
		}
		all = append(all, p)
	}
	set, err := policy.Compile(all, admitted(all, s.overrides), r.detectors, profiles...)
	if err != nil {
		return err
	}
	r.current.Store(set)
	r.read = s.digest()
	return nil
}

// admitted are the overrides that the policies admit. One that was stored before an upgrade locked its policy is left out: it must neither mute
// the policy nor keep the process from starting. The API shows the policy as it is in force.
func admitted(all []*policy.Policy, stored []store.Override) []policy.Override {
	var out []policy.Override
	for _, s := range stored {
		o := policy.Override{PolicyID: s.ID, Severity: s.Severity, Mode: s.Mode}
		refused := slices.ContainsFunc(all, func(p *policy.Policy) bool {
			return p.ID == s.ID && errors.Is(policy.CheckOverride(p, o), policy.ErrLocked)
		})
		if s.Kind == "policy" && !refused {
			out = append(out, o)
		}
	}
	return out
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
