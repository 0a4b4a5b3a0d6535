package workflows

import "go.temporal.io/sdk/workflow"

// inTurn is how scans that began before parts ran side by side go on, and what their histories replay with: one part after the other, and a look at what
// is new between the pages of history.
func (s *run) inTurn(ctx workflow.Context) {
	var a *Activities
	s.live(ctx)
	s.waiting(ctx)
	for !s.over() && len(s.skip) < maxBrokenSlices {
		var slices []SliceRef
		if err := workflow.ExecuteActivity(short(ctx), a.NextSlices, SlicesInput{ConnectionID: s.in.ConnectionID, ScanID: s.plan.ScanID, Skip: s.skip}).Get(ctx, &slices); err != nil {
			s.fail(err)
			break
		}
		if len(slices) == 0 {
			break
		}
		for _, slice := range slices {
			s.slice(ctx, slice, true)
			if s.over() {
				break
			}
		}
	}
	s.waiting(ctx)
}

// live reads what is new in every stream. A stream that fails does not hold the others.
func (s *run) live(ctx workflow.Context) {
	s.lastLive = workflow.Now(ctx)
	for _, slice := range s.plan.Live {
		if s.over() {
			return
		}
		s.slice(ctx, slice, false)
	}
}

// slice reads one slice to its end. Between the pages of history it looks for new content.
func (s *run) slice(ctx workflow.Context, slice SliceRef, history bool) {
	var a *Activities
	for {
		var page PageResult
		if err := workflow.ExecuteActivity(pages(ctx, slice), a.ScanPage, PageInput{s.in.ConnectionID, s.plan.ScanID, slice}).Get(ctx, &page); err != nil {
			s.fail(err)
			if history {
				s.skip = append(s.skip, slice)
			}
			return
		}
		if page.Stopped {
			s.outcome.Stopped = true
			return
		}
		if page.Done {
			if page.Unavailable && history {
				s.skip = append(s.skip, slice)
			}
			s.outcome.Done++
			return
		}
		if workflow.GetInfo(ctx).GetContinueAsNewSuggested() {
			s.again = true
			return
		}
		if history && workflow.Now(ctx).Sub(s.lastLive) >= s.plan.Every {
			if s.live(ctx); s.over() {
				return
			}
		}
	}
}
