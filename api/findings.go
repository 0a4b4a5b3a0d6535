package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/outband/outband/api/problem"
	"github.com/outband/outband/findings"
	"github.com/outband/outband/findings/filter"
	"github.com/outband/outband/findings/search"
	"github.com/outband/outband/internal/store"
)

// FindingsInput is a question for a list of findings.
type FindingsInput struct {
	FilterInput
	SeenInput
	ListInput
	Sort string `query:"sort" maxLength:"40" doc:"A key, with - before it for descending; absent: -first_seen_at. Paging is complete for first_seen_at."`
}

// SeenInput bounds the time a finding was first seen.
type SeenInput struct {
	From time.Time `query:"from" doc:"First seen at this time or later."`
	To   time.Time `query:"to" doc:"First seen before this time."`
}

// seen reads the filters and the bounds.
func seen(in *FilterInput, when SeenInput) (filter.Filter, error) {
	f, err := in.filter()
	if err != nil {
		return f, err
	}
	f.From, f.To = findings.TimeOf(when.From), findings.TimeOf(when.To)
	return f, nil
}

func (a *API) listFindings(ctx context.Context, in *FindingsInput) (*SearchOutput[findings.Finding], error) {
	f, err := seen(&in.FilterInput, in.SeenInput)
	if err != nil {
		return nil, err
	}
	page, err := a.d.Findings.List(ctx, search.Query{Filter: f, Sort: in.Sort, Limit: in.Limit, Cursor: in.Cursor})
	if err != nil {
		return nil, searchError(err)
	}
	return searched(page.Items, page.NextCursor, page.Degraded), nil
}

func (a *API) getFinding(ctx context.Context, in *IDInput) (*Output[findings.Finding], error) {
	x, err := a.d.Findings.Get(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if err := a.auditRead(ctx, "finding.read", in.ID, nil); err != nil {
		return nil, err
	}
	if x.Why != nil {
		if x.Why.Expression, err = a.expression(ctx, x.PolicyID, x.Why.PolicyVersion); err != nil {
			return nil, err
		}
	}
	return &Output[findings.Finding]{x}, nil
}

// expression is that of the version of a policy that made a finding; empty where the policy is of another version by now, or gone.
func (a *API) expression(ctx context.Context, policyID string, version int) (string, error) {
	e, err := a.policy(ctx, policyID)
	switch {
	case errors.Is(err, store.ErrNotFound) || err == nil && e.Policy.Version != version:
		return "", nil
	case err != nil:
		return "", err
	}
	return e.Policy.When, nil
}

// InstancesInput is a question for a finding's instances or history.
type InstancesInput struct {
	IDInput
	ListInput
}

func (a *API) listInstances(ctx context.Context, in *InstancesInput) (*ListOutput[findings.Instance], error) {
	page, err := a.d.Findings.Instances(ctx, in.ID, in.Limit, in.Cursor)
	if err != nil {
		return nil, searchError(err)
	}
	if err := a.auditRead(ctx, "finding.instances", in.ID, nil); err != nil {
		return nil, err
	}
	return listed(page.Items, page.NextCursor), nil
}

func (a *API) findingHistory(ctx context.Context, in *InstancesInput) (*ListOutput[search.Event], error) {
	page, err := a.d.Findings.History(ctx, in.ID, in.Limit, in.Cursor)
	if err != nil {
		return nil, searchError(err)
	}
	return listed(page.Items, page.NextCursor), nil
}

// FacetsInput is a question for counts.
type FacetsInput struct {
	FilterInput
	SeenInput
}

// Facets are counts by the values of each field.
type Facets struct {
	Total    int64                     `json:"total"`
	Fields   map[string][]search.Count `json:"fields" doc:"The counts of a field leave out that field's own filter."`
	Degraded bool                      `json:"degraded,omitempty" doc:"Elasticsearch did not answer or is behind: the store answered in its place. Absent: it is not so."`
}

func (a *API) facets(ctx context.Context, in *FacetsInput) (*Output[Facets], error) {
	f, err := seen(&in.FilterInput, in.SeenInput)
	if err != nil {
		return nil, err
	}
	counts, err := a.d.Findings.Facets(ctx, f)
	if err != nil {
		return nil, searchError(err)
	}
	return &Output[Facets]{Facets(counts)}, nil
}

// TimelineInput is a question for a chart.
type TimelineInput struct {
	FilterInput
	SeenInput
	Interval string `query:"interval" enum:"hour,day,week,month" default:"day"`
	TZ       string `query:"tz" maxLength:"64" default:"UTC" doc:"An IANA time zone, in which days begin."`
}

// defaultTimeline is the range of a timeline that names none.
const defaultTimeline = 30 * 24 * time.Hour

func (a *API) timeline(ctx context.Context, in *TimelineInput) (*SearchOutput[search.Bucket], error) {
	f, err := in.filter()
	if err != nil {
		return nil, err
	}
	if in.To.IsZero() {
		in.To = a.d.DB.Now()
	}
	if in.From.IsZero() {
		in.From = in.To.Add(-defaultTimeline)
	}
	line, err := a.d.Findings.Timeline(ctx, f, in.From, in.To, in.Interval, in.TZ)
	if err != nil {
		return nil, searchError(err)
	}
	return searched(line.Items, "", line.Degraded), nil
}

// ExportInput is a question for an export.
type ExportInput struct {
	FilterInput
	SeenInput
	Format string `query:"format" maxLength:"16" default:"ndjson" doc:"ndjson or csv."`
}

func (a *API) exportFindings(ctx context.Context, in *ExportInput) (*huma.StreamResponse, error) {
	f, err := seen(&in.FilterInput, in.SeenInput)
	if err != nil {
		return nil, err
	}
	// Once the answer has begun nothing can be refused any more.
	if err := f.Validate(); err != nil {
		return nil, badFilter(err)
	}
	mediaType, err := search.ContentType(in.Format)
	if err != nil {
		return nil, problem.New(http.StatusBadRequest, problem.CodeFormat, "This version exports ndjson and csv; ocsf comes with a later one. Choose one of the two.")
	}
	if err := a.auditRead(ctx, "finding.export", "findings", map[string]string{"format": in.Format}); err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(hctx huma.Context) {
		r, w := humago.Unwrap(hctx)
		w.Header().Set("Content-Type", mediaType)
		w.Header().Set("Content-Disposition", `attachment; filename="findings.`+in.Format+`"`)
		out := &deadlineWriter{w: w, control: http.NewResponseController(w), timeout: a.cfg.WriteTimeout}
		if _, err := a.d.Findings.Export(r.Context(), out, in.Format, f); err != nil {
			if r.Context().Err() == nil {
				a.d.Log.Error("export cut off", "code", problem.CodeInternal, "request", requestID(r.Context()), "err", err)
			}
			// Half an export must not look like a whole one: the connection is broken off.
			panic(http.ErrAbortHandler)
		}
	}}, nil
}

// deadlineWriter gives every piece a deadline of its own: the server's would cut a long export off.
type deadlineWriter struct {
	w       io.Writer
	control *http.ResponseController
	timeout time.Duration
}

// Write implements io.Writer.
func (d *deadlineWriter) Write(b []byte) (int, error) {
	if err := d.control.SetWriteDeadline(time.Now().Add(d.timeout)); err != nil {
		return 0, err
	}
	return d.w.Write(b)
}

// UpdateFindingInput is what a person decides about a finding.
type UpdateFindingInput struct {
	IDInput
	Body Decision
}

// Decision is a new status with its reason.
type Decision struct {
	Status string `json:"status" enum:"open,acknowledged,in_progress,resolved,accepted_risk,false_positive"`
	Reason string `json:"reason,omitempty" maxLength:"1000" doc:"Required for accepted_risk and false_positive, and for resolved where the policy is locked."`
}

func (a *API) updateFinding(ctx context.Context, in *UpdateFindingInput) (*Output[findings.Finding], error) {
	locked, err := a.locked(ctx)
	if err != nil {
		return nil, err
	}
	err = a.d.DB.Write(ctx, func(tx *store.Tx) error {
		changed, err := findings.SetStatus(ctx, tx, findings.Change{FindingID: in.ID, Status: in.Body.Status, Reason: in.Body.Reason, Actor: actor(ctx), Locked: locked})
		if err != nil {
			return err
		}
		return audit(ctx, tx, "finding.triage", in.ID, map[string]string{"status": in.Body.Status, "changed": strconv.FormatBool(changed)})
	})
	if err != nil {
		return nil, triageProblem(err)
	}
	x, err := a.d.Findings.Get(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	x.Instances = nil // Evidence is read by GET, which is audited as a read.
	return &Output[findings.Finding]{x}, nil
}

// triageProblem says why a change of status was refused.
func triageProblem(err error) error {
	var transition *findings.TransitionError
	switch {
	case errors.As(err, &transition):
		return problem.New(http.StatusConflict, problem.CodeTransition, "The status cannot change so: "+transition.Error()+". Choose another status.")
	case errors.Is(err, findings.ErrLocked):
		return problem.New(http.StatusConflict, problem.CodeLocked, "Findings of this policy are about the audit trail or the key itself and cannot be dismissed. Set it to resolved, with a reason.")
	case errors.Is(err, findings.ErrReason):
		return problem.Invalid(problem.Field{Location: "body.reason", Message: "A reason of at most 1000 bytes is needed for this status."})
	case errors.Is(err, findings.ErrStatus):
		return problem.Invalid(problem.Field{Location: "body.status", Message: "There is no such status."})
	}
	return err
}

// locked tells the policies whose findings nobody can dismiss. A policy that is no longer there locks nothing.
func (a *API) locked(ctx context.Context) (func(policyID string) bool, error) {
	all, err := a.d.Policies(ctx)
	if err != nil {
		return nil, err
	}
	locked := map[string]bool{}
	for _, e := range all {
		locked[e.Policy.ID] = e.Policy.Locked
	}
	return func(id string) bool { return locked[id] }, nil
}

// BulkInput changes several findings alike.
type BulkInput struct {
	Body struct {
		IDs    []string `json:"ids" minItems:"1" maxItems:"500" uniqueItems:"true"`
		Status string   `json:"status" enum:"open,acknowledged,in_progress,resolved,accepted_risk,false_positive"`
		Reason string   `json:"reason,omitempty" maxLength:"1000" doc:"Required for accepted_risk and false_positive, and for resolved where the policy is locked."`
	}
}

// Outcome is what became of one of them.
type Outcome struct {
	ID      string `json:"id"`
	Changed bool   `json:"changed"`
	Code    string `json:"code,omitempty" doc:"Why it was refused."`
	Message string `json:"message,omitempty"`
}

func (a *API) updateFindings(ctx context.Context, in *BulkInput) (*ListOutput[Outcome], error) {
	locked, err := a.locked(ctx)
	if err != nil {
		return nil, err
	}
	var changes []findings.Change
	for _, id := range in.Body.IDs {
		changes = append(changes, findings.Change{FindingID: id, Status: in.Body.Status, Reason: in.Body.Reason, Actor: actor(ctx), Locked: locked})
	}
	var outcomes []findings.Outcome
	err = a.d.DB.Write(ctx, func(tx *store.Tx) (err error) {
		if outcomes, err = findings.SetStatuses(ctx, tx, changes); err != nil {
			return err
		}
		for _, o := range outcomes {
			if o.Err != nil {
				continue
			}
			detail := map[string]string{"status": in.Body.Status, "changed": strconv.FormatBool(o.Changed)}
			if err := audit(ctx, tx, "finding.triage", o.FindingID, detail); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	out := make([]Outcome, 0, len(outcomes))
	for _, o := range outcomes {
		x := Outcome{ID: o.FindingID, Changed: o.Changed}
		if o.Err != nil {
			p := a.problem(ctx, triageProblem(o.Err))
			x.Code, x.Message = p.Code, p.Detail
		}
		out = append(out, x)
	}
	return listed(out, ""), nil
}
