package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/outband/outband/api/problem"
	"github.com/outband/outband/dlp/policy"
	"github.com/outband/outband/internal/store"
	"github.com/outband/outband/workflows/authoring"
)

// PolicyReason is why a policy is changed.
type PolicyReason struct {
	Reason string `json:"reason,omitempty" maxLength:"500" doc:"Why; the version keeps it."`
}

// CreatePolicyInput is a new custom policy.
type CreatePolicyInput struct {
	Body struct {
		YAML string `json:"yaml" doc:"The policy's file, at most 64 KiB. Its tests must pass. Its version becomes the next one where it is not higher."`
		PolicyReason
	}
}

// ReplacePolicyInput is a new version of a custom policy.
type ReplacePolicyInput struct {
	IDInput
	Body struct {
		YAML            string `json:"yaml" doc:"The policy's file, at most 64 KiB. Its tests must pass. Its version becomes the next one where it is not higher."`
		ExpectedVersion int64  `json:"expected_version" minimum:"1" doc:"The newest version, which this one follows: 409 if another one was saved meanwhile."`
		PolicyReason
	}
}

// DeletePolicyInput retires a custom policy.
type DeletePolicyInput struct {
	IDInput
	ExpectedVersion int64  `query:"expected_version" required:"true" minimum:"1" doc:"The newest version: 409 if another one was saved meanwhile."`
	Reason          string `query:"reason" maxLength:"500" doc:"Why."`
}

// CheckPolicyInput is a policy that is not saved.
type CheckPolicyInput struct {
	Body struct {
		YAML string `json:"yaml" doc:"The policy's file, at most 64 KiB."`
		ID   string `json:"id,omitempty" maxLength:"128" doc:"The custom policy that it is to be a version of; absent: it is to be a new one."`
	}
}

// PolicyTest is one test inside a policy, as it ran.
type PolicyTest struct {
	Name   string `json:"name"`
	Passed bool   `json:"passed"`
	Want   string `json:"want" doc:"true, false or error; with the severity after it where the test states one."`
	Got    string `json:"got" doc:"As want."`
	Error  string `json:"error" doc:"Why the expression failed; empty if it did not."`
	Line   int    `json:"line"`
	Column int    `json:"column"`
}

// PolicyCheck is all there is to say about a policy before it is saved.
type PolicyCheck struct {
	OK         bool            `json:"ok" doc:"It can be saved."`
	Issues     []problem.Issue `json:"issues" doc:"Why it cannot, red tests among them."`
	Tests      []PolicyTest    `json:"tests" doc:"Empty where the policy does not compile."`
	ID         string          `json:"id" doc:"Empty where it cannot be read, as the next ones."`
	Title      string          `json:"title"`
	Kind       string          `json:"kind" doc:"content, activity or posture: on: decides it."`
	Severities []string        `json:"severities" doc:"What it can give, the worst first."`
	Cost       int64           `json:"cost" doc:"The worst case of one evaluation, in units; 0 where it does not compile."`
	CostLimit  int64           `json:"cost_limit" doc:"The most that is admitted."`
}

// PolicyVersion is one version of a custom policy.
type PolicyVersion struct {
	Version int64   `json:"version"`
	Retired bool    `json:"retired" doc:"The policy was deleted with it."`
	Reason  string  `json:"reason"`
	At      *string `json:"at" format:"date-time"`
	By      string  `json:"by" doc:"The id of the user or token, or cli."`
}

// PolicySource is a policy's file.
type PolicySource struct {
	ID      string `json:"id"`
	Version int64  `json:"version"`
	YAML    string `json:"yaml"`
}

// PolicySourceInput names a version.
type PolicySourceInput struct {
	IDInput
	Version int64 `query:"version" minimum:"0" doc:"Of a custom policy; absent or 0: what is in force."`
}

// ImportPoliciesInput are the files of several policies.
type ImportPoliciesInput struct {
	Body struct {
		Items  []ImportItem `json:"items" minItems:"1" maxItems:"300"`
		DryRun bool         `json:"dry_run,omitempty" doc:"Say what would become of them, and save nothing."`
		PolicyReason
	}
}

// ImportItem is the file of one policy.
type ImportItem struct {
	Name string `json:"name,omitempty" maxLength:"200" doc:"What its issues are told with, such as the file's name."`
	YAML string `json:"yaml"`
}

// PolicyImport is what became of an import.
type PolicyImport struct {
	Saved bool             `json:"saved" doc:"False: nothing was, for it was a dry run."`
	Items []ImportedPolicy `json:"items" doc:"In the order in which they were sent."`
}

// ImportedPolicy is what became of one policy of an import.
type ImportedPolicy struct {
	Name    string          `json:"name"`
	ID      string          `json:"id" doc:"Empty where it cannot be read."`
	Outcome string          `json:"outcome" enum:"created,updated,unchanged,refused"`
	Version int64           `json:"version" doc:"After the import; 0 where it is refused."`
	Issues  []problem.Issue `json:"issues"`
}

// policyChange is who asks for a change and why.
func policyChange(ctx context.Context, reason string) authoring.Change {
	return authoring.Change{By: actor(ctx), Reason: reason, Audit: audit}
}

func (a *API) createPolicy(ctx context.Context, in *CreatePolicyInput) (*Output[Policy], error) {
	v, err := a.d.Author.Create(ctx, []byte(in.Body.YAML), policyChange(ctx, in.Body.Reason))
	if err != nil {
		return nil, authorProblem(err)
	}
	return a.savedPolicy(ctx, v.ID)
}

func (a *API) replacePolicy(ctx context.Context, in *ReplacePolicyInput) (*Output[Policy], error) {
	_, err := a.d.Author.Update(ctx, in.ID, in.Body.ExpectedVersion, []byte(in.Body.YAML), policyChange(ctx, in.Body.Reason))
	if err != nil {
		return nil, authorProblem(err)
	}
	return a.savedPolicy(ctx, in.ID)
}

// savedPolicy has scans take over a change, and posture policies judge what stands.
func (a *API) savedPolicy(ctx context.Context, id string) (*Output[Policy], error) {
	if err := a.d.PoliciesChanged(ctx); err != nil {
		return nil, a.engineDown("object", id, err)
	}
	return a.getPolicy(ctx, &IDInput{ID: id})
}

func (a *API) deletePolicy(ctx context.Context, in *DeletePolicyInput) error {
	if err := a.d.Author.Delete(ctx, in.ID, in.ExpectedVersion, policyChange(ctx, in.Reason)); err != nil {
		return authorProblem(err)
	}
	if err := a.d.PoliciesChanged(ctx); err != nil {
		return a.engineDown("object", in.ID, err)
	}
	return nil
}

func (a *API) checkPolicy(ctx context.Context, in *CheckPolicyInput) (*Output[PolicyCheck], error) {
	v, err := a.d.Author.Check(ctx, []byte(in.Body.YAML), in.Body.ID)
	if err != nil {
		return nil, err
	}
	out := PolicyCheck{OK: len(v.Issues) == 0, Issues: issuesOf("", v), Tests: []PolicyTest{}, Severities: some(v.Levels), Cost: int64(v.Cost), CostLimit: policy.MaxStaticCost}
	if v.Policy != nil {
		out.ID, out.Title, out.Kind = v.Policy.ID, v.Policy.Title, v.Policy.Kind
	}
	for _, r := range v.Tests {
		t := PolicyTest{Name: r.Name, Passed: r.Passed, Want: r.Want, Got: r.Got, Line: r.Line, Column: r.Column}
		var e *policy.Error
		if errors.As(r.Err, &e) {
			t.Error = e.Message
		}
		out.Tests = append(out.Tests, t)
	}
	return &Output[PolicyCheck]{out}, nil
}

func (a *API) policyVersions(ctx context.Context, in *struct {
	IDInput
	ListInput
}) (*ListOutput[PolicyVersion], error) {
	place, err := placeOf(in.ListInput, "policy versions", in.ID)
	if err != nil {
		return nil, err
	}
	all, err := store.PolicyVersions(ctx, a.d.DB.Read(), in.ID, place.Number, in.Limit+1)
	if err != nil {
		return nil, err
	}
	if len(all) == 0 && in.Cursor == "" {
		if _, err := a.policy(ctx, in.ID); err != nil {
			return nil, err
		}
	}
	return page(all, in.Limit, func(v store.PolicyVersion) (PolicyVersion, error) {
		return PolicyVersion{Version: v.Version, Retired: v.Retired, Reason: v.Reason, At: stamp(v.At), By: v.By}, nil
	}, func(last store.PolicyVersion) string {
		place.Number, place.ID = last.Version, last.ID
		return place.Encode()
	})
}

func (a *API) policySource(ctx context.Context, in *PolicySourceInput) (*Output[PolicySource], error) {
	if in.Version > 0 {
		v, err := store.GetPolicyVersion(ctx, a.d.DB.Read(), in.ID, in.Version)
		if err != nil {
			return nil, err
		}
		return &Output[PolicySource]{PolicySource{v.ID, v.Version, v.YAML}}, nil
	}
	e, err := a.policy(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &Output[PolicySource]{PolicySource{e.Policy.ID, int64(e.Policy.Version), string(e.Policy.Source())}}, nil
}

func (a *API) exportPolicies(ctx context.Context, _ *struct{}) (*ListOutput[PolicySource], error) {
	all, err := a.d.Author.Export(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]PolicySource, 0, len(all))
	for _, p := range all {
		out = append(out, PolicySource{p.ID, p.Version, p.YAML})
	}
	return listed(out, ""), nil
}

func (a *API) importPolicies(ctx context.Context, in *ImportPoliciesInput) (*Output[PolicyImport], error) {
	files := make([][]byte, 0, len(in.Body.Items))
	for _, item := range in.Body.Items {
		files = append(files, []byte(item.YAML))
	}
	report, err := a.d.Author.Import(ctx, files, in.Body.DryRun, policyChange(ctx, in.Body.Reason))
	if err != nil && !(in.Body.DryRun && report != nil) {
		if report == nil {
			return nil, authorProblem(err)
		}
		var issues []problem.Issue
		for i, r := range report {
			issues = append(issues, issuesOf(nameOf(in.Body.Items[i], i), r.Verdict)...)
		}
		if len(issues) == 0 {
			return nil, authorProblem(err)
		}
		return nil, refusedPolicy(issues)
	}
	out := PolicyImport{Saved: !in.Body.DryRun, Items: []ImportedPolicy{}}
	for i, r := range report {
		name := nameOf(in.Body.Items[i], i)
		out.Items = append(out.Items, ImportedPolicy{Name: name, ID: r.ID, Outcome: r.Outcome, Version: r.Version, Issues: issuesOf("", r.Verdict)})
	}
	if out.Saved {
		if err := a.d.PoliciesChanged(ctx); err != nil {
			return nil, a.engineDown("object", "policies", err)
		}
	}
	return &Output[PolicyImport]{out}, nil
}

// nameOf is what the issues of an item of an import are told with.
func nameOf(item ImportItem, i int) string {
	if item.Name != "" {
		return item.Name
	}
	return fmt.Sprintf("item %d", i+1)
}

// issuesOf renders what is wrong with one policy. The texts hold words of the policy, which its author has sent.
func issuesOf(name string, v policy.Verdict) []problem.Issue {
	out := []problem.Issue{}
	for _, e := range v.Issues {
		out = append(out, problem.Issue{Name: name, PolicyID: e.PolicyID, Line: e.Line, Column: e.Column, Message: e.Message})
	}
	return out
}

func refusedPolicy(issues []problem.Issue) *problem.Problem {
	p := problem.New(http.StatusUnprocessableEntity, problem.CodePolicy, "The policy is not saved: it is invalid, or one of its tests fails. Correct what the issues say and save it again.")
	p.Issues = issues
	return p
}

// authorProblem turns the errors of package authoring into problems.
func authorProblem(err error) error {
	var refused *authoring.Refused
	switch {
	case errors.As(err, &refused):
		var issues []problem.Issue
		for _, v := range refused.Verdicts {
			issues = append(issues, issuesOf("", v)...)
		}
		return refusedPolicy(issues)
	case errors.Is(err, authoring.ErrTaken):
		return problem.New(http.StatusConflict, problem.CodePolicyTaken, "Another policy has this id. Choose another one, or change that policy if it is a custom one.")
	case errors.Is(err, authoring.ErrReadOnly):
		return problem.New(http.StatusConflict, problem.CodePolicyReadOnly, "The policy is built in or stands in policies.dir, so it is not changed here. Copy it under another id and switch this one off.")
	case errors.Is(err, store.ErrChanged):
		return problem.New(http.StatusConflict, problem.CodePolicyChanged, "Somebody has saved another version of the policy meanwhile. Load it, make your change there and save it again.")
	}
	return err
}
