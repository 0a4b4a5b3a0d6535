// Package authoring saves custom policies. It promises that there is one way in, whoever writes: a policy that does not compile, that could cost too much
// or of which one test is red is refused, and so is one with the id of another policy; that nobody saves over a version that they have not seen; and that
// who saved what, when and why stands in the store and in the audit log, together or not at all.
package authoring

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/outband/outband/dlp"
	"github.com/outband/outband/dlp/policy"
	"github.com/outband/outband/findings"
	"github.com/outband/outband/internal/store"
)

// Limits of custom policies.
const (
	MaxPolicies = 300 // that are not retired
	MaxReason   = 500 // characters of the reason of a change
)

// Errors that callers act on, beside store.ErrNotFound and store.ErrChanged.
var (
	// ErrTaken: another policy has the id.
	ErrTaken = errors.New("the id is taken")
	// ErrReadOnly: the policy is built in or stands in policies.dir.
	ErrReadOnly = errors.New("the policy is read-only")
	// ErrRefused: see Refused.
	ErrRefused = errors.New("the policy is refused")
)

// Refused is the error of a policy that is invalid, or of which a test is red.
type Refused struct{ Verdicts []policy.Verdict }

// Error implements error.
func (r *Refused) Error() string {
	var lines []string
	for _, v := range r.Verdicts {
		for _, issue := range v.Issues {
			lines = append(lines, issue.Error())
		}
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns ErrRefused.
func (r *Refused) Unwrap() error { return ErrRefused }

// Change says who changes policies and why.
type Change struct {
	By     string // usr_ or tok_ id, or "cli"
	Reason string // at most MaxReason characters
	// Audit writes one row of the audit log in the transaction of the change.
	Audit func(ctx context.Context, tx *store.Tx, action, object string, detail map[string]string) error
}

// Author saves custom policies.
type Author struct {
	db        *store.DB
	detectors func() []string
	profiles  func(ctx context.Context) ([]dlp.Profile, error)
	readOnly  map[string]*policy.Policy
}

// New makes an Author. detectors returns the ids that globs may name, nil for any; profiles returns those that policies may ask for, none for the built-in
// ones; files are the policies of policies.dir, which, like the built-in ones, are read-only, and whose ids no custom policy may take.
func New(db *store.DB, detectors func() []string, profiles func(ctx context.Context) ([]dlp.Profile, error), files []*policy.Policy) (*Author, error) {
	builtIn, err := policy.Builtin()
	if err != nil {
		return nil, err
	}
	a := &Author{db: db, detectors: detectors, profiles: profiles, readOnly: map[string]*policy.Policy{}}
	for _, p := range append(builtIn, files...) {
		a.readOnly[p.ID] = p
	}
	return a, nil
}

// ReadOnly returns the policy of an id that is built in or in policies.dir, nil if there is none.
func (a *Author) ReadOnly(id string) *policy.Policy { return a.readOnly[id] }

// Check says what is wrong with the file of a policy and saves nothing. id is the custom policy that it is to be a version of; empty: it is to be a new one.
func (a *Author) Check(ctx context.Context, data []byte, id string) (policy.Verdict, error) {
	v, err := a.check(ctx, data)
	if err != nil || v.Policy == nil {
		return v, err
	}
	switch {
	case id != "" && v.Policy.ID != id:
		v.Refuse("id", "the id of a policy stays: it is %s; make a new policy for another id", id)
	case a.readOnly[v.Policy.ID] != nil:
		v.Refuse("id", "the policy %s is built in or in policies.dir; choose another id", v.Policy.ID)
	case id == "":
		_, err := current(ctx, a.db.Read(), v.Policy.ID)
		if err == nil {
			v.Refuse("id", "there is a custom policy %s already; choose another id, or change that one", v.Policy.ID)
		} else if !errors.Is(err, store.ErrNotFound) {
			return v, err
		}
	}
	return v, nil
}

// check looks at the file alone.
func (a *Author) check(ctx context.Context, data []byte) (policy.Verdict, error) {
	profiles, err := a.profiles(ctx)
	if err != nil {
		return policy.Verdict{}, err
	}
	return policy.Check(data, a.detectors(), profiles...), nil
}

// current returns the newest version of a custom policy, or store.ErrNotFound, also where it is retired.
func current(ctx context.Context, q store.Querier, id string) (store.PolicyVersion, error) {
	have, err := store.GetPolicyVersion(ctx, q, id, 0)
	if err == nil && have.Retired {
		err = fmt.Errorf("policy %s is retired: %w", id, store.ErrNotFound)
	}
	return have, err
}

// Create saves a new custom policy and returns its version. Its id may be that of a retired one, whose versions it continues. Errors: *Refused, ErrTaken.
func (a *Author) Create(ctx context.Context, data []byte, c Change) (store.PolicyVersion, error) {
	v, err := a.check(ctx, data)
	if err != nil {
		return store.PolicyVersion{}, err
	}
	if len(v.Issues) > 0 {
		return store.PolicyVersion{}, &Refused{[]policy.Verdict{v}}
	}
	if a.readOnly[v.Policy.ID] != nil {
		return store.PolicyVersion{}, fmt.Errorf("policy %s: %w", v.Policy.ID, ErrTaken)
	}
	return a.save(ctx, v, c, "policy.create", func(have store.PolicyVersion) error {
		if have.Version > 0 && !have.Retired {
			return fmt.Errorf("policy %s: %w", v.Policy.ID, ErrTaken)
		}
		return nil
	})
}

// Update saves a new version of a custom policy whose newest version is seen. Errors: *Refused, ErrReadOnly, store.ErrNotFound, store.ErrChanged.
func (a *Author) Update(ctx context.Context, id string, seen int64, data []byte, c Change) (store.PolicyVersion, error) {
	if err := a.changeable(ctx, id); err != nil {
		return store.PolicyVersion{}, err
	}
	v, err := a.Check(ctx, data, id)
	if err != nil {
		return store.PolicyVersion{}, err
	}
	if len(v.Issues) > 0 {
		return store.PolicyVersion{}, &Refused{[]policy.Verdict{v}}
	}
	return a.save(ctx, v, c, "policy.update", func(have store.PolicyVersion) error { return still(have, seen) })
}

// Delete retires a custom policy whose newest version is seen, and drops its override. Its findings and its versions stay. Errors: ErrReadOnly,
// store.ErrNotFound, store.ErrChanged.
func (a *Author) Delete(ctx context.Context, id string, seen int64, c Change) error {
	if err := a.changeable(ctx, id); err != nil {
		return err
	}
	return a.db.Write(ctx, func(tx *store.Tx) error {
		have, err := current(ctx, tx, id)
		if err != nil {
			return err
		}
		if err := still(have, seen); err != nil {
			return err
		}
		end := store.PolicyVersion{Policy: store.Policy{ID: id, Version: have.Version + 1}, Retired: true, Reason: c.Reason, By: c.By}
		if err := store.SavePolicy(ctx, tx, have.Version, end); err != nil {
			return err
		}
		if err := errors.Join(store.DropOverride(ctx, tx, "policy", id), findings.DropShadow(ctx, tx, id)); err != nil {
			return err
		}
		return c.Audit(ctx, tx, "policy.delete", id, map[string]string{"version": fmt.Sprint(end.Version)})
	})
}

// changeable tells a policy that cannot be changed from one that is not there.
func (a *Author) changeable(ctx context.Context, id string) error {
	_, err := current(ctx, a.db.Read(), id)
	if errors.Is(err, store.ErrNotFound) && a.readOnly[id] != nil {
		return fmt.Errorf("policy %s: %w", id, ErrReadOnly)
	}
	return err
}

func still(have store.PolicyVersion, seen int64) error {
	if have.Version != seen || have.Retired {
		return fmt.Errorf("policy %s is at version %d: %w", have.ID, have.Version, store.ErrChanged)
	}
	return nil
}

// save stores the next version of a policy that was checked, if may admits it over the newest one, which has version 0 where there is none.
func (a *Author) save(ctx context.Context, v policy.Verdict, c Change, action string, may func(have store.PolicyVersion) error) (out store.PolicyVersion, err error) {
	err = a.db.Write(ctx, func(tx *store.Tx) error {
		have, err := store.GetPolicyVersion(ctx, tx, v.Policy.ID, 0)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if err := may(have); err != nil {
			return err
		}
		out, err = put(ctx, tx, have, v.Policy, c, action)
		if err != nil {
			return err
		}
		return room(ctx, tx)
	})
	return out, err
}

// put stores a policy as the version after have. Its own number counts where it is higher.
func put(ctx context.Context, tx *store.Tx, have store.PolicyVersion, p *policy.Policy, c Change, action string) (store.PolicyVersion, error) {
	data := p.Source()
	next := max(have.Version+1, int64(p.Version))
	if next != int64(p.Version) {
		var err error
		if data, err = p.WithVersion(int(next)); err != nil {
			return store.PolicyVersion{}, refusedFor(p, err)
		}
	}
	out := store.PolicyVersion{Policy: store.Policy{ID: p.ID, Version: next, YAML: string(data)}, Reason: c.Reason, At: tx.Now(), By: c.By}
	if err := store.SavePolicy(ctx, tx, have.Version, out); err != nil {
		return out, err
	}
	return out, c.Audit(ctx, tx, action, p.ID, map[string]string{"version": fmt.Sprint(next)})
}

// refusedFor makes a refusal of an error about a policy's text; any other error stays.
func refusedFor(p *policy.Policy, err error) error {
	var e *policy.Error
	if !errors.As(err, &e) {
		return err
	}
	return &Refused{[]policy.Verdict{{Policy: p, Issues: []*policy.Error{e}}}}
}

// room refuses what would make more policies than MaxPolicies.
func room(ctx context.Context, tx *store.Tx) error {
	all, err := store.CustomPolicies(ctx, tx)
	if err != nil {
		return err
	}
	if len(all) > MaxPolicies {
		e := &policy.Error{Message: fmt.Sprintf("there can be %d custom policies; delete some that are not needed", MaxPolicies), Err: policy.ErrInvalid}
		return &Refused{[]policy.Verdict{{Issues: []*policy.Error{e}}}}
	}
	return nil
}
