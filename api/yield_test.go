package api

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/outband/outband/api/problem"
	"github.com/outband/outband/internal/store"
)

func TestYieldIsOfTodayAndOfTheWeek(t *testing.T) {
	k := newKit(t, Configuration{})
	viewer := k.token(RoleViewer)
	count := func(s store.PolicyStats, d store.DetectorStats) {
		k.write(func(tx *store.Tx) error {
			if err := store.AddPolicyStats(t.Context(), tx, s); err != nil {
				return err
			}
			return store.AddDetectorStats(t.Context(), tx, d)
		})
	}
	empty := k.do(viewer, "GET", "/api/v1/policies/yield", "").want(200)
	if len(empty.items()) != 0 || empty.object()["since"] != nil {
		t.Errorf("before anything was counted it is %s", empty.body)
	}
	work := store.PolicyStats{PolicyID: "content.example", Evaluations: 100, Decisions: 10, Shadow: 3, Held: 2, Failures: 1, Time: 50 * time.Millisecond}
	look := store.DetectorStats{DetectorID: "card.example", Candidates: 20, Low: 1, Medium: 2, High: 3, VeryHigh: 4}
	count(work, look)
	first := k.clock.now().Truncate(time.Hour)
	k.find(k.connect(k.token(RoleAdmin)), 3)
	k.clock.add(24 * time.Hour)
	viewer = k.token(RoleViewer)
	count(work, look)

	got := k.do(viewer, "GET", "/api/v1/policies/yield", "").want(200)
	today := map[string]any{"evaluations": 100.0, "decisions": 10.0, "shadow": 3.0, "held": 2.0, "failures": 1.0, "findings_new": 0.0, "seconds": 0.05, "mean_microseconds": 500.0}
	week := map[string]any{"evaluations": 200.0, "decisions": 20.0, "shadow": 6.0, "held": 4.0, "failures": 2.0, "findings_new": 3.0, "seconds": 0.1, "mean_microseconds": 500.0}
	if diff := cmp.Diff([]any{map[string]any{"policy_id": "content.example", "today": today, "week": week}}, got.items()); diff != "" {
		t.Errorf("policies (-want +got):\n%s", diff)
	}
	if since := got.text("since"); since != first.Format("2006-01-02T15:04:05.000Z") {
		t.Errorf("counted since %s, want %s", since, first)
	}
	one, two := map[string]any{"candidates": 20.0, "low": 1.0, "medium": 2.0, "high": 3.0, "very_high": 4.0}, map[string]any{"candidates": 40.0, "low": 2.0, "medium": 4.0, "high": 6.0, "very_high": 8.0}
	if diff := cmp.Diff([]any{map[string]any{"detector_id": "card.example", "today": one, "week": two}}, k.do(viewer, "GET", "/api/v1/detectors/yield", "").want(200).items()); diff != "" {
		t.Errorf("detectors (-want +got):\n%s", diff)
	}
	k.clock.add(8 * 24 * time.Hour)
	viewer = k.token(RoleViewer)
	if got := k.do(viewer, "GET", "/api/v1/policies/yield", "").want(200).items(); len(got) != 0 {
		t.Errorf("after eight days it is %v", got)
	}
}

func TestAPausedPolicyIsShownAndResumed(t *testing.T) {
	k := newKit(t, Configuration{})
	author := k.token(RoleAuthor)
	const path = "/api/v1/policies/content.example"
	if got := k.do(author, "GET", path, "").want(200).object(); got["pause"] != nil {
		t.Errorf("pause is %v", got["pause"])
	}
	k.do(author, "POST", path+"/resume", "").problem(409, problem.CodeNotPaused)
	at := k.clock.now()
	k.write(func(tx *store.Tx) error {
		_, err := store.BeginPause(t.Context(), tx, store.Pause{PolicyID: "content.example", Reason: store.PauseFlood, Measured: 1200, Bound: 1000, Paused: true})
		if err == nil {
			err = store.AddHeld(t.Context(), tx, "content.example", 7)
		}
		return err
	})
	want := map[string]any{"reason": "flood", "paused": true, "since": at.Format("2006-01-02T15:04:05.000Z"), "measured": 1200.0, "limit": 1000.0, "held": 7.0}
	if diff := cmp.Diff(want, k.do(author, "GET", path, "").want(200).object()["pause"]); diff != "" {
		t.Errorf("pause (-want +got):\n%s", diff)
	}
	yield := k.do(author, "GET", "/api/v1/policies/yield", "").want(200).items()
	if len(yield) != 1 || cmp.Diff(want, yield[0].(map[string]any)["pause"]) != "" {
		t.Errorf("the yield shows %v", yield)
	}
	if got := k.do(author, "POST", path+"/resume", "").want(200).object(); got["pause"] != nil || got["mode"] != "on" {
		t.Errorf("resumed is %v", got)
	}
	if !slices.Contains(k.audited(), "policy.resume content.example") || !k.runner.told("policies", "") {
		t.Error("it is not in the audit log, or the scans were not told")
	}
	k.do(author, "POST", "/api/v1/policies/none/resume", "").problem(404, problem.CodeNotFound)
}
