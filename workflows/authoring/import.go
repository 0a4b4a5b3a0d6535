package authoring

import (
	"bytes"
	"context"
	"errors"

	"github.com/outband/outband/dlp/policy"
	"github.com/outband/outband/internal/store"
)

// Outcomes of one policy of an import.
const (
	OutcomeCreated   = "created"
	OutcomeUpdated   = "updated"
	OutcomeUnchanged = "unchanged" // the newest version has the same text, but for the version number
	OutcomeRefused   = "refused"
)

// Imported is what an import makes of one policy.
type Imported struct {
	ID      string // empty where it cannot be read
	Outcome string
	Version int64 // after the import; 0 where it is refused
	Verdict policy.Verdict
}

// Export returns the custom policies as their files, in the order of their ids.
func (a *Author) Export(ctx context.Context) ([]store.Policy, error) {
	return store.CustomPolicies(ctx, a.db.Read())
}

// errDry ends the transaction of an import that is only tried.
var errDry = errors.New("only tried")

// Import saves the files of several policies, all or none: with one refused, or dry, nothing is saved. It returns what becomes, or would become, of each,
// in their order. Policies that are not among them stay as they are. Only the error of a refusal, ErrRefused, comes with the list.
func (a *Author) Import(ctx context.Context, files [][]byte, dry bool, c Change) ([]Imported, error) {
	out := make([]Imported, 0, len(files))
	seen := map[string]bool{}
	for _, data := range files {
		v, err := a.check(ctx, data)
		if err != nil {
			return nil, err
		}
		i := Imported{Verdict: v}
		if v.Policy != nil {
			i.ID = v.Policy.ID
			switch {
			case a.readOnly[i.ID] != nil:
				i.Verdict.Refuse("id", "the policy %s is built in or in policies.dir; choose another id", i.ID)
			case seen[i.ID]:
				i.Verdict.Refuse("id", "the policy %s stands twice in the import", i.ID)
			}
			seen[i.ID] = true
		}
		out = append(out, i)
	}
	err := a.db.Write(ctx, func(tx *store.Tx) error {
		refused := &Refused{}
		for n := range out {
			if err := out[n].store(ctx, tx, c); err != nil {
				return err
			}
			if out[n].Outcome == OutcomeRefused {
				refused.Verdicts = append(refused.Verdicts, out[n].Verdict)
			}
		}
		if len(refused.Verdicts) > 0 {
			return refused
		}
		if err := room(ctx, tx); err != nil {
			return err
		}
		if dry {
			return errDry
		}
		return nil
	})
	if err != nil && !errors.Is(err, errDry) && !errors.Is(err, ErrRefused) {
		return nil, err
	}
	if errors.Is(err, errDry) {
		err = nil
	}
	return out, err
}

func (i *Imported) store(ctx context.Context, tx *store.Tx, c Change) error {
	if len(i.Verdict.Issues) > 0 {
		i.Outcome = OutcomeRefused
		return nil
	}
	p := i.Verdict.Policy
	have, err := store.GetPolicyVersion(ctx, tx, p.ID, 0)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if sameText(have, p) {
		i.Outcome, i.Version = OutcomeUnchanged, have.Version
		return nil
	}
	action := "policy.update"
	if i.Outcome = OutcomeUpdated; have.Version == 0 || have.Retired {
		i.Outcome, action = OutcomeCreated, "policy.create"
	}
	saved, err := put(ctx, tx, have, p, c, action)
	var refused *Refused
	if errors.As(err, &refused) {
		i.Outcome, i.Verdict.Issues = OutcomeRefused, refused.Verdicts[0].Issues
		return nil
	}
	i.Version = saved.Version
	return err
}

// sameText reports whether a stored version differs from a file at most in the number of the version.
func sameText(have store.PolicyVersion, p *policy.Policy) bool {
	if have.Version == 0 || have.Retired {
		return false
	}
	if have.YAML == string(p.Source()) {
		return true
	}
	// What no longer parses, or has its number in no plain form, is another text.
	stored, err := policy.Parse([]byte(have.YAML))
	if err != nil {
		return false
	}
	text, err := stored.WithVersion(p.Version)
	return err == nil && bytes.Equal(text, p.Source())
}
