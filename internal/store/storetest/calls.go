package storetest

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/outband/outband/internal/store"
)

func callRuns(s *suite) {
	start := func(run, connection string) {
		s.write(func(ctx context.Context, tx *store.Tx) error { return store.StartCallRun(ctx, tx, run, connection) })
	}
	flush := func(run, connection string, stop bool, ids ...string) {
		s.write(func(ctx context.Context, tx *store.Tx) error {
			return store.FlushCalls(ctx, tx, run, connection, ids, stop)
		})
	}
	unproven := func() (out []string) {
		s.Helper()
		runs, err := store.UnprovenCallRuns(s.Context(), s.Read(), "con_1")
		if err != nil {
			s.Fatal(err)
		}
		for _, r := range runs {
			out = append(out, r.Run)
		}
		slices.Sort(out)
		return out
	}
	known := func(connection string, ids ...string) (out []string) {
		s.Helper()
		found, err := store.KnownRequests(s.Context(), s.Read(), connection, ids)
		if err != nil {
			s.Fatal(err)
		}
		for id := range found {
			out = append(out, id)
		}
		slices.Sort(out)
		return out
	}
	same := func(what string, want, got []string) {
		s.Helper()
		if diff := cmp.Diff(want, got); diff != "" {
			s.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	s.now = s.now.Truncate(time.Microsecond)
	began := s.now
	start("a", "con_1")
	start("b", "con_2")
	start("c", "")
	s.now = s.now.Add(time.Minute)
	many := make([]string, 1200) // More than one statement holds.
	for i := range many {
		many[i] = "req_" + time.Duration(i).String()
	}
	flush("a", "con_1", false, many...)
	flush("a", "con_1", false, many[0]) // Told twice, as after an answer that was lost.
	flush("b", "con_2", true, "req_b")
	flush("c", "", false, "req_c")
	run, err := store.GetCallRun(s.Context(), s.Read(), "a")
	if err != nil {
		s.Fatal(err)
	}
	if diff := cmp.Diff(store.CallRun{Run: "a", ConnectionID: "con_1", StartedAt: began, FlushedAt: s.now}, run); diff != "" {
		s.Errorf("a run that goes on (-want +got):\n%s", diff)
	}
	if run, err = store.GetCallRun(s.Context(), s.Read(), "b"); err != nil || !run.StoppedAt.Equal(s.now) {
		s.Errorf("a run that ended: %+v (%v)", run, err)
	}
	if _, err = store.GetCallRun(s.Context(), s.Read(), "none"); !errors.Is(err, store.ErrNotFound) {
		s.Errorf("no run: %v", err)
	}
	same("runs without a signature seen", []string{"a", "c"}, unproven())
	s.write(func(ctx context.Context, tx *store.Tx) error { return store.ProveCallRun(ctx, tx, "a") })
	same("after one was seen", []string{"c"}, unproven())
	if n := len(known("con_1", append(slices.Clone(many), "req_x")...)); n != len(many) {
		s.Errorf("%d requests of %d are known", n, len(many))
	}
	same("requests of a connection and of tests", []string{"req_b", "req_c"}, known("con_2", "req_b", "req_c", many[0]))
	s.now = s.now.Add(store.RequestsKept + time.Second)
	s.write(store.PurgeCalls)
	same("after their time", nil, known("con_1", many[0], "req_c"))
}

func callsSeen(s *suite) {
	s.now = s.now.Truncate(time.Microsecond)
	first := store.SeenCall{Run: "a", N: 1, ActivityID: "activity_1", RequestID: "req_1", At: s.now}
	get := func() store.SeenCall {
		s.Helper()
		got, err := store.GetSeenCall(s.Context(), s.Read(), "a", 1)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			s.Fatal(err)
		}
		return got
	}
	s.equal("a call that was not seen", "", get().ActivityID)
	s.write(func(ctx context.Context, tx *store.Tx) error { return store.PutSeenCall(ctx, tx, first) })
	if diff := cmp.Diff(first, get()); diff != "" {
		s.Errorf("a call that was seen (-want +got):\n%s", diff)
	}
	first.ActivityID, first.RequestID = "activity_2", "req_2"
	s.write(func(ctx context.Context, tx *store.Tx) error { return store.PutSeenCall(ctx, tx, first) })
	s.equal("shown by another row", "activity_2", get().ActivityID)

	decidable := func() (out []string) {
		s.Helper()
		calls, err := store.DecidableCalls(s.Context(), s.Read(), "con_1", 10)
		if err != nil {
			s.Fatal(err)
		}
		for _, c := range calls {
			out = append(out, c.ActivityID)
		}
		return out
	}
	s.write(func(ctx context.Context, tx *store.Tx) error {
		for id, key := range map[string]string{"activity_3": "K", "activity_4": "K", "activity_5": "L"} {
			if err := store.PutUndecidedCall(ctx, tx, "con_1", store.UndecidedCall{ActivityID: id, KeyID: key, At: s.now}); err != nil {
				return err
			}
		}
		return nil
	})
	s.equal("while the key is not known", 0, len(decidable()))
	for range 2 {
		s.write(func(ctx context.Context, tx *store.Tx) error { return store.AddOwnKey(ctx, tx, "con_1", "K") })
	}
	s.write(func(ctx context.Context, tx *store.Tx) error { return store.AddOwnKey(ctx, tx, "con_2", "L") })
	if diff := cmp.Diff([]string{"activity_3", "activity_4"}, decidable()); diff != "" {
		s.Errorf("once it is (-want +got):\n%s", diff)
	}
	s.write(func(ctx context.Context, tx *store.Tx) error {
		return store.DropUndecidedCall(ctx, tx, "con_1", "activity_3")
	})
	if diff := cmp.Diff([]string{"activity_4"}, decidable()); diff != "" {
		s.Errorf("after one was decided (-want +got):\n%s", diff)
	}
	keys, err := store.OwnKeys(s.Context(), s.Read(), "con_1")
	if diff := cmp.Diff(map[string]bool{"K": true}, keys); diff != "" || err != nil {
		s.Errorf("own keys: %v (-want +got):\n%s", err, diff)
	}

	a := store.Activity{ConnectionID: "con_1", ID: "activity_4", Type: "t", At: s.now, ActorKey: "act_1", ResourceKind: "api_key", ResourceID: "K", Fields: `{}`}
	s.write(func(ctx context.Context, tx *store.Tx) error {
		if err := store.PutActivity(ctx, tx, a); err != nil {
			return err
		}
		return store.SetActivityFields(ctx, tx, a.ConnectionID, a.ID, `{"a":"b"}`)
	})
	a.Fields = `{"a":"b"}`
	got, err := store.GetActivity(s.Context(), s.Read(), "con_1", "activity_4")
	if diff := cmp.Diff(a, got); diff != "" || err != nil {
		s.Errorf("an activity whose fields were changed: %v (-want +got):\n%s", err, diff)
	}
	if _, err := store.GetActivity(s.Context(), s.Read(), "con_2", "activity_4"); !errors.Is(err, store.ErrNotFound) {
		s.Errorf("an activity of another connection: %v", err)
	}
	s.now = s.now.Add(10 * 24 * time.Hour)
	s.write(store.PurgeCalls)
	s.equal("seen long ago", "", get().ActivityID)
	s.equal("undecided long ago", 0, len(decidable()))
}
