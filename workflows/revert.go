package workflows

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/outband/outband/dlp/policy"
	"github.com/outband/outband/findings"
	"github.com/outband/outband/internal/store"
)

// maxLater is how many later activities on a resource are looked at; the newest come first.
const maxLater = 100

// revert closes the findings that an activity takes back, and those of the policies that it breaks where a later activity, which is stored already,
// took them back: history is read after what is new.
func (p *page) revert(ctx context.Context, tx *store.Tx, u *unit, what about, broken []findings.Detection) error {
	if what.activity.Type == "" {
		return nil
	}
	breaks := func(id string) bool {
		return slices.ContainsFunc(broken, func(d findings.Detection) bool { return d.PolicyID == id })
	}
	resource := findings.Ref{Kind: what.resource.Kind, ID: what.resource.ID}
	closes, failures := p.rules.Closes(p.input(tx, u, what))
	p.Rules.failed(failures)
	for _, id := range closes {
		if breaks(id) {
			continue
		}
		if _, err := findings.CloseReverted(ctx, tx, p.Keys.Findings.FindingID(p.connection.ID, resource, id), u.at); err != nil {
			return err
		}
	}
	for _, d := range broken {
		later, err := store.LaterActivities(ctx, tx, p.connection.ID, resource.Kind, resource.ID, p.rules.ClosedBy(d.PolicyID), u.at, maxLater)
		if err != nil {
			return err
		}
		for _, a := range later {
			closed, err := p.takesBack(tx, what, a, d.PolicyID)
			if err != nil {
				return err
			}
			if closed {
				if _, err := findings.CloseReverted(ctx, tx, p.Keys.Findings.FindingID(p.connection.ID, resource, d.PolicyID), a.At); err != nil {
					return err
				}
				break
			}
		}
	}
	return nil
}

// takesBack asks whether a stored activity takes back a finding of a policy. Its fields are masked, which leaves modes and audiences as they were.
func (p *page) takesBack(tx *store.Tx, what about, a store.Activity, policyID string) (bool, error) {
	fields := map[string]string{}
	if err := json.Unmarshal([]byte(a.Fields), &fields); err != nil {
		return false, fmt.Errorf("decode the fields of an activity: %w", err)
	}
	then := about{resource: what.resource, activity: policy.Activity{Type: a.Type, Fields: fields}}
	ids, failures := p.rules.Closes(p.input(tx, &unit{at: a.At}, then))
	p.Rules.failed(failures)
	return slices.Contains(ids, policyID), nil
}
