package workflows

import (
	"cmp"
	"context"

	"github.com/outband/outband/dlp"
	"github.com/outband/outband/internal/store"
)

// OverrideTestData is the kind of the overrides that switch a group of the shipped test data on or off.
const OverrideTestData = "allowlist"

// LeaveOut makes an engine leave out the shipped test data, group by group as the overrides of the store say: now, and whenever they change. An engine
// that stands in for another one is handed over in its turn.
func (r *Rules) LeaveOut(ctx context.Context, e *dlp.Engine) error {
	r.reload.Lock()
	defer r.reload.Unlock()
	stored, err := store.Overrides(ctx, r.db.Read())
	if err != nil {
		return err
	}
	r.engine = e
	return r.leaveOut(stored)
}

// leaveOut tells the engine what is left out.
func (r *Rules) leaveOut(stored []store.Override) error {
	if r.engine == nil {
		return nil
	}
	all, err := dlp.TestData()
	if err != nil {
		return err
	}
	modes := map[string]string{}
	for _, o := range stored {
		if o.Kind == OverrideTestData {
			modes[o.ID] = o.Mode
		}
	}
	var out []dlp.TestGroup
	for _, g := range all {
		if cmp.Or(modes[g.ID], g.Mode) == dlp.TestDataOn {
			out = append(out, g)
		}
	}
	return r.engine.LeaveOut(out)
}
