package storetest

import (
	"context"
	"time"

	"github.com/outband/outband/internal/store"
)

func stats(s *suite) {
	ctx := s.Context()
	day := stored.Truncate(time.Hour)
	add := func() {
		s.write(func(ctx context.Context, tx *store.Tx) error {
			if err := store.AddPolicyStats(ctx, tx, store.PolicyStats{PolicyID: "a", Evaluations: 10, Decisions: 5, Shadow: 2, Held: 1, Failures: 3, Time: time.Millisecond}, store.PolicyStats{PolicyID: "b", Evaluations: 1}); err != nil {
				return err
			}
			return store.AddDetectorStats(ctx, tx, store.DetectorStats{DetectorID: "d", Candidates: 9, Low: 1, Medium: 2, High: 3, VeryHigh: 2})
		})
	}
	add()
	s.now = s.now.Add(29 * time.Minute)
	add()
	s.now = s.now.Add(time.Hour)
	add()
	s.equal("all", []store.PolicyStats{
		{PolicyID: "a", Since: day, Evaluations: 30, Decisions: 15, Shadow: 6, Held: 3, Failures: 9, Time: 3 * time.Millisecond}, {PolicyID: "b", Since: day, Evaluations: 3},
	}, must[[]store.PolicyStats](s)(store.PolicyStatsSince(ctx, s.Read(), stored)))
	s.equal("the last hour", []store.DetectorStats{{DetectorID: "d", Since: day.Add(time.Hour), Candidates: 9, Low: 1, Medium: 2, High: 3, VeryHigh: 2}},
		must[[]store.DetectorStats](s)(store.DetectorStatsSince(ctx, s.Read(), s.now)))
	s.write(func(ctx context.Context, tx *store.Tx) error { return store.PurgeStats(ctx, tx, s.now) })
	left := must[[]store.PolicyStats](s)(store.PolicyStatsSince(ctx, s.Read(), time.Time{}.Add(time.Hour)))
	if len(left) != 2 || left[0].Evaluations != 10 || len(must[[]store.DetectorStats](s)(store.DetectorStatsSince(ctx, s.Read(), stored))) != 1 {
		s.Errorf("after the purge: %+v", left)
	}
}

func pauses(s *suite) {
	ctx := s.Context()
	begin := func(p store.Pause) (begun bool) {
		s.write(func(ctx context.Context, tx *store.Tx) (err error) {
			begun, err = store.BeginPause(ctx, tx, p)
			return err
		})
		return begun
	}
	end := func(id string) (ended bool) {
		s.write(func(ctx context.Context, tx *store.Tx) (err error) {
			ended, err = store.EndPause(ctx, tx, id, "usr_a")
			return err
		})
		return ended
	}
	flood := store.Pause{PolicyID: "a", Reason: store.PauseFlood, Measured: 1200, Bound: 1000, Paused: true}
	s.equal("begun, once", []bool{true, false}, []bool{begin(flood), begin(store.Pause{PolicyID: "a", Reason: store.PauseCost})})
	s.write(func(ctx context.Context, tx *store.Tx) error { return store.AddHeld(ctx, tx, "a", 3) })
	s.write(func(ctx context.Context, tx *store.Tx) error { return store.AddHeld(ctx, tx, "none", 3) })
	want := flood
	want.Held, want.At = 3, stored
	s.equal("standing", []store.Pause{want}, must[[]store.Pause](s)(store.Pauses(ctx, s.Read())))
	s.equal("ended, once", []bool{true, false, false}, []bool{end("a"), end("a"), end("none")})
	s.write(func(ctx context.Context, tx *store.Tx) error { return store.AddHeld(ctx, tx, "a", 3) })
	want.EndedAt, want.EndedBy = stored, "usr_a"
	s.equal("ended", []store.Pause{want}, must[[]store.Pause](s)(store.Pauses(ctx, s.Read())))
	s.now = s.now.Add(time.Hour)
	again := store.Pause{PolicyID: "a", Reason: store.PauseCost, Measured: 7, Bound: 5, Paused: false}
	s.equal("begun again", true, begin(again))
	again.At = s.Now()
	s.equal("with nothing of the one before", []store.Pause{again}, must[[]store.Pause](s)(store.Pauses(ctx, s.Read())))
}
