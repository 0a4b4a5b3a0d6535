package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/outband/outband/api/problem"
	"github.com/outband/outband/connectors"
	"github.com/outband/outband/dlp/policy"
	"github.com/outband/outband/findings"
	"github.com/outband/outband/internal/store"
)

// Policy is a policy with what the overrides make of it.
type Policy struct {
	ID              string       `json:"id"`
	Version         int          `json:"version"`
	Title           string       `json:"title"`
	Description     string       `json:"description"`
	Kind            string       `json:"kind" enum:"content,activity,posture"`
	Severity        string       `json:"severity" enum:"critical,high,medium,low,info" doc:"In force; where severity_when decides, the worst that it can give."`
	Mode            string       `json:"mode" enum:"on,shadow,off" doc:"In force. shadow: evaluated, and what it finds stands in shadow alone: no finding, no delivery."`
	DefaultSeverity string       `json:"default_severity" doc:"Of the policy itself."`
	DefaultMode     string       `json:"default_mode" doc:"Of the policy itself."`
	SeverityWhen    string       `json:"severity_when" doc:"CEL that gives the severity of each text, activity or record; empty: it is one word, or an override decides."`
	Severities      []string     `json:"severities" doc:"What severity_when can give, the worst first."`
	Locked          bool         `json:"locked" doc:"It cannot be switched off, its severity not lowered, and its findings not dismissed."`
	Guide           string       `json:"guide" doc:"What to do; {resource.url} stands for the link into the app."`
	On              policy.On    `json:"on"`
	When            string       `json:"when" doc:"CEL."`
	References      []string     `json:"references"`
	Tests           int          `json:"tests" doc:"How many tests the policy carries; they passed when it was loaded."`
	TestNames       []string     `json:"test_names"`
	Source          string       `json:"source" enum:"built-in,file,custom" doc:"Comes with Outband, is in policies.dir, or is in the store."`
	SuspendedFor    []string     `json:"suspended_for" doc:"Connections whose app does not give the records that the policy is about: it rests there, and closes nothing."`
	Failures        int64        `json:"failures" doc:"Evaluations that gave no answer since the process started; over 0: the policy is failing."`
	ShadowFindings  int64        `json:"shadow_findings" doc:"In mode shadow: how many findings its newest version would have made, at most 1000."`
	Error           string       `json:"error" doc:"Why a stored policy compiles no longer, so that it rests with mode off; empty otherwise."`
	Pause           *PolicyPause `json:"pause,omitempty" doc:"That it cost or found too much; absent: it did not, or was resumed."`
}

// Sources of policies and detectors.
const (
	sourceBuiltIn = "built-in"
	sourceFile    = "file"
	sourceCustom  = "custom"
)

// rendered is the public form of policies, sorted by id.
func (a *API) rendered(ctx context.Context, all ...policy.Effective) ([]Policy, error) {
	custom, err := store.CustomPolicies(ctx, a.d.DB.Read())
	if err != nil {
		return nil, err
	}
	failures := a.d.PolicyFailures()
	pauses, err := a.pauses(ctx)
	if err != nil {
		return nil, err
	}
	snapshots, manifest, err := a.snapshots(ctx)
	if err != nil {
		return nil, err
	}
	shadow, err := findings.ShadowCounts(ctx, a.d.DB.Read())
	if err != nil {
		return nil, err
	}
	out := make([]Policy, 0, len(all))
	for _, e := range all {
		p := render(e)
		if e.Mode == policy.ModeShadow {
			p.ShadowFindings = shadow[p.ID]
		}
		p.Failures = failures[p.ID]
		if pause, ok := pauses[p.ID]; ok {
			p.Pause = &pause
		}
		p.SuspendedFor = suspendedFor(e, snapshots, manifest)
		switch {
		case a.builtIn[p.ID]:
			p.Source = sourceBuiltIn
		case slices.ContainsFunc(custom, func(c store.Policy) bool { return c.ID == p.ID }):
			p.Source = sourceCustom
		default:
			p.Source = sourceFile
		}
		out = append(out, p)
	}
	slices.SortFunc(out, func(x, y Policy) int { return strings.Compare(x.ID, y.ID) })
	return out, nil
}

// snapshots are the last ones of all connections, with the manifest of each connection.
func (a *API) snapshots(ctx context.Context) ([]store.Snapshot, func(connectionID string) *connectors.Manifest, error) {
	all, err := store.ListConnections(ctx, a.d.DB.Read())
	if err != nil {
		return nil, nil, err
	}
	manifests := map[string]*connectors.Manifest{}
	for _, c := range all {
		manifests[c.ID] = a.manifest(c.Connector)
	}
	snapshots, err := store.Snapshots(ctx, a.d.DB.Read(), "")
	return snapshots, func(id string) *connectors.Manifest { return manifests[id] }, err
}

// suspendedFor returns the connections for which a posture policy rests, because the app does not give the records that it is about: by now at least one of the
// kinds comes from no stream that is available. snapshots are of all connections; manifest returns that of a connection.
func suspendedFor(e policy.Effective, snapshots []store.Snapshot, manifest func(connectionID string) *connectors.Manifest) []string {
	out := []string{}
	byConnection := map[string]map[string]string{} // states by stream
	for _, s := range snapshots {
		if byConnection[s.ConnectionID] == nil {
			byConnection[s.ConnectionID] = map[string]string{}
		}
		byConnection[s.ConnectionID][s.Stream] = s.State
	}
	for id, states := range byConnection {
		m := manifest(id)
		if m == nil || e.Policy.Kind != policy.KindPosture {
			continue
		}
		for _, kind := range slices.Concat(e.Policy.On.Records, e.Standing) {
			given, available := false, false
			for _, s := range m.Streams {
				if state, read := states[s.ID]; read && slices.Contains(s.Records, kind) {
					given, available = true, available || state != store.SnapshotUnavailable
				}
			}
			if given && !available {
				out = append(out, id)
				break
			}
		}
	}
	slices.Sort(out)
	return out
}

func render(e policy.Effective) Policy {
	p := e.Policy
	names := make([]string, 0, len(p.Tests))
	for _, t := range p.Tests {
		names = append(names, t.Name)
	}
	broken := ""
	if e.Err != nil {
		broken = e.Err.Error()
	}
	// Of a policy that compiles no longer, not all may be known.
	kind, severity := cmp.Or(p.Kind, policy.KindContent), cmp.Or(p.Severity, policy.SeverityInfo)
	return Policy{
		ID: p.ID, Version: p.Version, Title: p.Title, Description: p.Description, Kind: kind, Severity: cmp.Or(e.Severity, severity), Mode: e.Mode, DefaultSeverity: severity,
		SeverityWhen: e.SeverityWhen(), Severities: some(e.Levels), Error: broken, DefaultMode: cmp.Or(p.Mode, policy.ModeOn), Locked: p.Locked, Guide: p.Guide, On: p.On, When: p.When, References: some(p.References), Tests: len(p.Tests), TestNames: names,
	}
}

func (a *API) listPolicies(ctx context.Context, in *ListInput) (*ListOutput[Policy], error) {
	all, err := a.d.Policies(ctx)
	if err != nil {
		return nil, err
	}
	out, err := a.rendered(ctx, all...)
	if err != nil {
		return nil, err
	}
	return paginate("policies", out, func(p Policy) string { return p.ID }, *in)
}

func (a *API) getPolicy(ctx context.Context, in *IDInput) (*Output[Policy], error) {
	e, err := a.policy(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	out, err := a.rendered(ctx, e)
	if err != nil {
		return nil, err
	}
	return &Output[Policy]{out[0]}, nil
}

// UpdatePolicyInput overrides what is in it; null goes back to what the policy says.
type UpdatePolicyInput struct {
	IDInput
	Body struct {
		Severity Optional[Severity] `json:"severity,omitzero"`
		Mode     Optional[Mode]     `json:"mode,omitzero"`
	}
}

func (a *API) updatePolicy(ctx context.Context, in *UpdatePolicyInput) (*Output[Policy], error) {
	e, err := a.policy(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	// What is asked for is looked at, not what was stored before the policy was locked: that has no effect, and null takes it away.
	asked := policy.Override{Severity: string(in.Body.Severity.Value), Mode: string(in.Body.Mode.Value)}
	if err := policy.CheckOverride(e.Policy, asked); errors.Is(err, policy.ErrLocked) {
		return nil, problem.New(http.StatusConflict, problem.CodeLocked, "The policy is locked: it watches the audit trail or the key itself. It stays on, and its severity may only be raised.")
	}
	err = a.d.DB.Write(ctx, func(tx *store.Tx) error {
		o := store.Override{Kind: OverrideKind, ID: in.ID}
		all, err := store.Overrides(ctx, tx)
		if err != nil {
			return err
		}
		for _, have := range all {
			if have.Kind == OverrideKind && have.ID == in.ID {
				o = have
			}
		}
		if in.Body.Severity.Set {
			o.Severity = string(in.Body.Severity.Value)
		}
		if in.Body.Mode.Set {
			o.Mode = string(in.Body.Mode.Value)
		}
		if err := store.PutOverride(ctx, tx, o, actor(ctx)); err != nil {
			return err
		}
		if cmp.Or(o.Mode, e.Policy.Mode) != policy.ModeShadow {
			if err := findings.DropShadow(ctx, tx, in.ID); err != nil {
				return err
			}
		}
		return audit(ctx, tx, "policy.override", in.ID, map[string]string{"severity": o.Severity, "mode": o.Mode})
	})
	if err != nil {
		return nil, err
	}
	if err := a.d.PoliciesChanged(ctx); err != nil {
		return nil, a.engineDown("object", in.ID, err)
	}
	return a.getPolicy(ctx, &in.IDInput)
}

func (a *API) policy(ctx context.Context, id string) (policy.Effective, error) {
	all, err := a.d.Policies(ctx)
	if err != nil {
		return policy.Effective{}, err
	}
	for _, e := range all {
		if e.Policy.ID == id {
			return e, nil
		}
	}
	return policy.Effective{}, fmt.Errorf("policy: %w", store.ErrNotFound)
}

// OverrideKind is the kind of the overrides that PATCH policies writes.
const OverrideKind = "policy"

// Severity is an input.
type Severity string

// Schema implements huma.SchemaProvider.
func (Severity) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Enum: enum(policy.Severities())}
}

// Mode is an input.
type Mode string

// Schema implements huma.SchemaProvider.
func (Mode) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Enum: enum([]string{policy.ModeOn, policy.ModeShadow, policy.ModeOff})}
}
