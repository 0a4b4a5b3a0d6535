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
	broken    atomic.Pointer[[]policy.Effective] // custom ones that compile no longer

	exceptions atomic.Pointer[exceptions]
	watch      operation

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
	r.watch.limits = DefaultLimits()
	profiles, err := Profiles(ctx, db.Read())
	if err != nil {
		return nil, err
	}
	if r.files, err = PolicyFiles(dir, detectors, profiles...); err != nil {
		return nil, err
	}
	return r, r.Reload(ctx)
}

// PolicyFiles reads the policies of the folder policies.dir; there are none if dir is "". A file that does not compile is an error that names it; detectors and
// profiles are as in policy.Compile.
func PolicyFiles(dir string, detectors []string, profiles ...dlp.Profile) (out []*policy.Policy, err error) {
	if dir == "" {
		return nil, nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read policies.dir: %w", err)
	}
	for _, e := range entries {
		if e.IsDir() || filepath.Ext(e.Name()) != ".yaml" {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, fmt.Errorf("read policies.dir: %w", err)
		}
		p, err := policy.Parse(data)
		if err == nil {
			_, err = policy.Compile([]*policy.Policy{p}, nil, detectors, profiles...)
		}
		if err != nil {
			return nil, fmt.Errorf("policy file %s: %w", e.Name(), err)
		}
		out = append(out, p)
	}
	return out, nil
}

// Files returns the policies of policies.dir.
func (r *Rules) Files() []*policy.Policy { return slices.Clone(r.files) }

// Current returns the policies in force.
func (r *Rules) Current() *policy.Set { return r.current.Load() }

// Policies returns every policy, those that are off too, and those of the store that compile no longer, with the reason and switched off. One whose id a
// read-only policy has by now is told of with that one.
func (r *Rules) Policies() []policy.Effective {
	out := r.Current().Policies()
	for _, b := range *r.broken.Load() {
		if i := slices.IndexFunc(out, func(e policy.Effective) bool { return e.Policy.ID == b.Policy.ID }); i >= 0 {
			out[i].Err = b.Err
			continue
		}
		out = append(out, b)
	}
	return out
}

// Follow compiles the policies again if another process changed one. It asks the store at most once in followEvery, so that every activity may call it.
func (r *Rules) Follow(ctx context.Context) error {
	r.reload.Lock()
	defer r.reload.Unlock()
	if time.Since(r.asked) < followEvery {
		return nil
	}
	now, err := r.stored(ctx)
	if err != nil {
		return err
	}
	r.asked = time.Now()
	if now.digest() != r.read {
		if err := r.compile(now); err != nil {
			return err
		}
	}
	return r.followExceptions(ctx)
}

// Reload compiles the policies again, after one was changed. Old content is not judged again: findings keep their policy_version until a re-scan.
func (r *Rules) Reload(ctx context.Context) error {
	r.reload.Lock()
	defer r.reload.Unlock()
	now, err := r.stored(ctx)
	if err != nil {
		return err
	}
	if err := r.compile(now); err != nil {
		return err
	}
	return r.followExceptions(ctx)
}

// storedRules are what the store holds about policies.
type storedRules struct {
	custom    []store.Policy
	overrides []store.Override
	paused    []string // ids
	profiles  []store.Profile
}

func (r *Rules) stored(ctx context.Context) (s storedRules, err error) {
	if s.custom, err = store.CustomPolicies(ctx, r.db.Read()); err != nil {
		return s, err
	}
	if s.overrides, err = store.Overrides(ctx, r.db.Read()); err != nil {
		return s, err
	}
	if s.profiles, err = store.Profiles(ctx, r.db.Read()); err != nil {
		return s, err
	}
	pauses, err := store.Pauses(ctx, r.db.Read())
	for _, p := range pauses {
		if p.Paused && p.EndedAt.IsZero() {
			s.paused = append(s.paused, p.PolicyID)
		}
	}
	return s, err
}

// digest tells two states of the stored policies apart.
func (s storedRules) digest() [sha256.Size]byte {
	h := sha256.New()
	fmt.Fprintf(h, "%#v", s)
	return [sha256.Size]byte(h.Sum(nil))
}

func (r *Rules) compile(stored storedRules) error {
	profiles, err := profilesWith(stored.profiles)
	if err != nil {
		return fmt.Errorf("read the profiles: %w", err)
	}
	all, err := policy.Builtin()
	if err != nil {
		return fmt.Errorf("read the built-in policies: %w", err)
	}
	all = append(all, r.files...)
	broken := []policy.Effective{}
	for _, c := range stored.custom {
		p, err := policy.Parse([]byte(c.YAML))
		if err == nil {
			_, err = policy.Compile([]*policy.Policy{p}, nil, r.detectors, profiles...)
		}
		if slices.ContainsFunc(all, func(have *policy.Policy) bool { return have.ID == c.ID }) {
			err = fmt.Errorf("policy %s: a policy that is built in or in policies.dir has the id of a custom one, which rests: save that under another id and delete it", c.ID)
		}
		if err == nil {
			all = append(all, p)
			continue
		}
		// One that an upgrade broke is shown as failing and holds no other back.
		r.failed([]policy.Failure{{PolicyID: c.ID, Err: err}})
		sketch := policy.Sketch([]byte(c.YAML))
		sketch.ID, sketch.Version = c.ID, int(c.Version)
		broken = append(broken, policy.Effective{Policy: sketch, Severity: sketch.Severity, Mode: policy.ModeOff, Err: err})
	}
	set, err := policy.Compile(all, admitted(all, stored), r.detectors, profiles...)
	if err != nil {
		return err
	}
	set.Measure(&r.watch.meter)
	r.current.Store(set)
	r.broken.Store(&broken)
	r.read = stored.digest()
	return nil
}

// admitted are the overrides and pauses that the policies admit. One that was stored before an upgrade locked its policy is left out: it must neither mute
// the policy nor keep the process from starting. The API shows the policy as it is in force.
func admitted(all []*policy.Policy, stored storedRules) []policy.Override {
	byID := map[string]policy.Override{}
	admit := func(o policy.Override) {
		refused := slices.ContainsFunc(all, func(p *policy.Policy) bool {
			return p.ID == o.PolicyID && errors.Is(policy.CheckOverride(p, o), policy.ErrLocked)
		})
		if !refused {
			byID[o.PolicyID] = o
		}
	}
	for _, s := range stored.overrides {
		if s.Kind == "policy" {
			admit(policy.Override{PolicyID: s.ID, Severity: s.Severity, Mode: s.Mode})
		}
	}
	for _, id := range stored.paused {
		o := byID[id]
		o.PolicyID, o.Paused = id, true
		admit(o)
	}
	return slices.Collect(maps.Values(byID))
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
