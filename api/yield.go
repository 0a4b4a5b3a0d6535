package api

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/outband/outband/api/problem"
	"github.com/outband/outband/findings"
	"github.com/outband/outband/internal/store"
)

// PolicyPause says that a policy cost or found too much.
type PolicyPause struct {
	Reason   string `json:"reason" enum:"flood,cost" doc:"flood: too many new findings in an hour. cost: an evaluation took too long on the average."`
	Paused   bool   `json:"paused" doc:"It makes no finding until somebody resumes it. false: it is locked, and works on."`
	Since    string `json:"since" format:"date-time"`
	Measured int64  `json:"measured" doc:"Findings, where one of history weighs a tenth; or nanoseconds."`
	Limit    int64  `json:"limit" doc:"In the same unit."`
	Held     int64  `json:"held" doc:"How often it would have made or kept a finding since; what is read again counts again."`
}

// pauses are those that stand, by policy.
func (a *API) pauses(ctx context.Context) (map[string]PolicyPause, error) {
	all, err := store.Pauses(ctx, a.d.DB.Read())
	if err != nil {
		return nil, err
	}
	out := map[string]PolicyPause{}
	for _, p := range all {
		if p.EndedAt.IsZero() {
			out[p.PolicyID] = PolicyPause{p.Reason, p.Paused, *stamp(p.At), p.Measured, p.Bound, p.Held}
		}
	}
	return out, nil
}

func (a *API) resumePolicy(ctx context.Context, in *IDInput) (*Output[Policy], error) {
	if _, err := a.policy(ctx, in.ID); err != nil {
		return nil, err
	}
	err := a.d.DB.Write(ctx, func(tx *store.Tx) error {
		ended, err := store.EndPause(ctx, tx, in.ID, actor(ctx))
		if err != nil {
			return err
		}
		if !ended {
			return problem.New(http.StatusConflict, problem.CodeNotPaused, "The policy is not paused. Look at its mode if it finds nothing.")
		}
		return audit(ctx, tx, "policy.resume", in.ID, nil)
	})
	if err != nil {
		return nil, err
	}
	if err := a.d.PoliciesChanged(ctx); err != nil {
		return nil, a.engineDown("object", in.ID, err)
	}
	return a.getPolicy(ctx, in)
}

// PolicyWork is what a policy did in a span.
type PolicyWork struct {
	Evaluations int64   `json:"evaluations" doc:"Messages, files, activities and records that it was asked about."`
	Decisions   int64   `json:"decisions" doc:"Of these, those that break it, shadow and held among them. What is read again counts again."`
	Shadow      int64   `json:"shadow" doc:"Decisions in mode shadow."`
	Held        int64   `json:"held" doc:"Decisions while it was paused."`
	Failures    int64   `json:"failures" doc:"Evaluations that gave no answer."`
	FindingsNew int64   `json:"findings_new"`
	Seconds     float64 `json:"seconds" doc:"Of all evaluations together, the questions to the store among them."`
	MeanMicros  float64 `json:"mean_microseconds" doc:"Of one evaluation; 0: there was none."`
}

// PolicyYield is what a policy yields and costs.
type PolicyYield struct {
	PolicyID string       `json:"policy_id"`
	Today    PolicyWork   `json:"today" doc:"Since 00:00 UTC."`
	Week     PolicyWork   `json:"week" doc:"In the last 7 days, by whole hours."`
	Pause    *PolicyPause `json:"pause,omitempty" doc:"Absent: it did not cost or find too much, or was resumed."`
}

// DetectorWork is what a detector did in a span.
type DetectorWork struct {
	Candidates int64 `json:"candidates" doc:"Places where it looked closer, names and titles among them."`
	Low        int64 `json:"low" doc:"Matches of low confidence."`
	Medium     int64 `json:"medium"`
	High       int64 `json:"high"`
	VeryHigh   int64 `json:"very_high"`
}

// DetectorYield is what a detector yields and costs.
type DetectorYield struct {
	DetectorID string       `json:"detector_id"`
	Today      DetectorWork `json:"today" doc:"Since 00:00 UTC."`
	Week       DetectorWork `json:"week" doc:"In the last 7 days, by whole hours."`
}

// Yields are those of all policies, or detectors, that did something.
type Yields[T any] struct {
	Items []T     `json:"items"`
	Since *string `json:"since" format:"date-time" doc:"The first hour of the week in which anything was counted; null: nothing was."`
}

// spans returns the beginnings of today and of the last seven days.
func (a *API) spans() (today, week time.Time) {
	now := a.d.DB.Now()
	return now.Truncate(24 * time.Hour), now.AddDate(0, 0, -7)
}

func (a *API) policyYield(ctx context.Context, _ *struct{}) (*Output[Yields[PolicyYield]], error) {
	q := a.d.DB.Read()
	pauses, err := a.pauses(ctx)
	if err != nil {
		return nil, err
	}
	byID := map[string]*PolicyYield{}
	of := func(id string) *PolicyYield {
		if byID[id] == nil {
			byID[id] = &PolicyYield{PolicyID: id}
			if p, ok := pauses[id]; ok {
				byID[id].Pause = &p
			}
		}
		return byID[id]
	}
	var first time.Time
	today, week := a.spans()
	for _, span := range []struct {
		since time.Time
		work  func(*PolicyYield) *PolicyWork
	}{{today, func(y *PolicyYield) *PolicyWork { return &y.Today }}, {week, func(y *PolicyYield) *PolicyWork { return &y.Week }}} {
		stats, err := store.PolicyStatsSince(ctx, q, span.since)
		if err != nil {
			return nil, err
		}
		for _, s := range stats {
			w := span.work(of(s.PolicyID))
			w.Evaluations, w.Decisions, w.Shadow, w.Held, w.Failures, w.Seconds = s.Evaluations, s.Decisions, s.Shadow, s.Held, s.Failures, s.Time.Seconds()
			if s.Evaluations > 0 {
				w.MeanMicros = float64(s.Time.Nanoseconds()) / 1000 / float64(s.Evaluations)
			}
			first = earliest(first, s.Since)
		}
		made, err := findings.NewSince(ctx, q, span.since, "")
		if err != nil {
			return nil, err
		}
		for _, y := range made {
			span.work(of(y.PolicyID)).FindingsNew = y.New
		}
	}
	for id := range pauses {
		of(id)
	}
	return &Output[Yields[PolicyYield]]{Yields[PolicyYield]{inOrder(byID, func(y PolicyYield) string { return y.PolicyID }), stamp(first)}}, nil
}

func (a *API) detectorYield(ctx context.Context, _ *struct{}) (*Output[Yields[DetectorYield]], error) {
	byID := map[string]*DetectorYield{}
	var first time.Time
	today, week := a.spans()
	for _, span := range []struct {
		since time.Time
		work  func(*DetectorYield) *DetectorWork
	}{{today, func(y *DetectorYield) *DetectorWork { return &y.Today }}, {week, func(y *DetectorYield) *DetectorWork { return &y.Week }}} {
		stats, err := store.DetectorStatsSince(ctx, a.d.DB.Read(), span.since)
		if err != nil {
			return nil, err
		}
		for _, s := range stats {
			if byID[s.DetectorID] == nil {
				byID[s.DetectorID] = &DetectorYield{DetectorID: s.DetectorID}
			}
			*span.work(byID[s.DetectorID]) = DetectorWork{s.Candidates, s.Low, s.Medium, s.High, s.VeryHigh}
			first = earliest(first, s.Since)
		}
	}
	return &Output[Yields[DetectorYield]]{Yields[DetectorYield]{inOrder(byID, func(y DetectorYield) string { return y.DetectorID }), stamp(first)}}, nil
}

// earliest is the earlier of two times, of which the zero one is none.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

// inOrder returns the values of a map by their ids.
func inOrder[T any](byID map[string]*T, id func(T) string) []T {
	out := make([]T, 0, len(byID))
	for _, v := range byID {
		out = append(out, *v)
	}
	slices.SortFunc(out, func(x, y T) int { return cmp.Compare(id(x), id(y)) })
	return out
}
