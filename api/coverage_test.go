package api

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/outband/outband/api/problem"
	"github.com/outband/outband/connectors"
	"github.com/outband/outband/findings"
	"github.com/outband/outband/internal/store"
)

func TestCoverage(t *testing.T) {
	k := newKit(t, Configuration{})
	admin := k.token(RoleAdmin)
	id := k.connect(admin)
	gapFrom := testStart.Add(-2 * time.Hour)
	k.write(func(tx *store.Tx) error {
		ctx := t.Context()
		for _, c := range []store.Count{
			{Stream: "chats", Unit: "message", Outcome: store.OutcomeScanned, N: 6}, {Stream: "chats", Outcome: store.OutcomeSkipped, Reason: store.ReasonTooBig, N: 1},
			{Stream: "chats", Outcome: store.OutcomeSkipped, Reason: store.ReasonDeleted, N: 2}, {Stream: "chats", Outcome: store.OutcomeFailed, Reason: store.ReasonError, N: 1}, {Stream: "chats", Outcome: store.OutcomeLate, N: 3},
			{Stream: "chats", Unit: "member", Outcome: store.OutcomeMember, Reason: "encrypted", N: 2},
		} {
			if err := store.AddCounts(ctx, tx, id, c); err != nil {
				return err
			}
		}
		for i, state := range []string{store.ItemDeferred, store.ItemQuarantined, store.ItemQuarantined, store.ItemScanned} {
			if err := store.PutItem(ctx, tx, store.Item{ItemKey: store.ItemKey{ConnectionID: id, Kind: "chat", ID: string(rune('a' + i))}, Stream: "chats", State: state}); err != nil {
				return err
			}
		}
		if err := store.PutInterval(ctx, tx, id, store.Interval{Stream: "activities", From: gapFrom, To: testStart, State: store.IntervalGap, Reason: "malformed"}); err != nil {
			return err
		}
		for _, p := range []store.Checkpoint{
			{CheckpointKey: store.CheckpointKey{ConnectionID: id, Stream: "chats", Lane: store.LaneLive}, WatermarkAt: testStart.Add(-90 * time.Second)},
			{CheckpointKey: store.CheckpointKey{ConnectionID: id, Stream: "chats", Lane: store.LaneBackfill, Slice: "2026-03-01"}},
			{CheckpointKey: store.CheckpointKey{ConnectionID: id, Stream: "chats", Lane: store.LaneBackfill, Slice: "2026-03-02"}, Done: true},
		} {
			if err := store.PutCheckpoint(ctx, tx, p); err != nil {
				return err
			}
		}
		return nil
	})
	items := k.do(admin, "GET", "/api/v1/coverage?connection_id="+id, "").want(200).items()
	none := map[string]any{"read": 0.0, "scanned": 0.0, "skipped": map[string]any{}, "failed": 0.0, "deferred": 0.0, "quarantined": 0.0}
	with := func(base, more map[string]any) map[string]any {
		out := maps.Clone(base)
		maps.Copy(out, more)
		return out
	}
	for _, x := range items { // Sentences for people may change.
		for _, list := range []string{"reasons", "alerts"} {
			for _, n := range x.(map[string]any)[list].([]any) {
				if n := n.(map[string]any); n["message"] == "" {
					t.Errorf("notice %v says nothing", n)
				} else {
					delete(n, "message")
				}
			}
		}
	}
	code := func(codes ...string) []any {
		out := []any{}
		for _, c := range codes {
			out = append(out, map[string]any{"code": c})
		}
		return out
	}
	want := []any{
		with(none, map[string]any{
			"connection_id": id, "stream": "activities", "title": "Activities", "state": "red", "reasons": code("gap", "not_read_yet", "history_pending"), "alerts": code("gap"),
			"watermark_at": nil, "lag_seconds": nil, "deleted_before_scan": 0.0, "members_skipped": map[string]any{}, "late": 0.0, "overlap": 0.0, "units": []any{}, "intervals": []any{}, "backfill_open": 31.0, "error": "",
			"gaps": []any{map[string]any{"from": "2026-03-10T10:00:00.000Z", "to": "2026-03-10T12:00:00.000Z", "reason": "malformed"}},
		}),
		with(none, map[string]any{
			"connection_id": id, "stream": "chats", "title": "Chats", "state": "red", "reasons": code("hole", "history_pending", "quarantined"), "alerts": code("hole"),
			"watermark_at": "2026-03-10T11:58:30.000Z", "lag_seconds": 90.0, "read": 13.0, "scanned": 6.0, "skipped": map[string]any{"too_big": 1.0, "deleted_before_scan": 2.0},
			"failed": 1.0, "deferred": 1.0, "quarantined": 2.0, "deleted_before_scan": 2.0, "members_skipped": map[string]any{"encrypted": 2.0}, "late": 3.0, "overlap": 0.0, "intervals": []any{}, "backfill_open": 30.0, "error": "",
			"units": []any{
				with(none, map[string]any{"unit": "", "read": 4.0, "skipped": map[string]any{"too_big": 1.0, "deleted_before_scan": 2.0}, "failed": 1.0}),
				with(none, map[string]any{"unit": "chat", "read": 3.0, "deferred": 1.0, "quarantined": 2.0}),
				with(none, map[string]any{"unit": "message", "read": 6.0, "scanned": 6.0}),
			},
			"gaps": []any{
				map[string]any{"from": "2026-03-02T00:00:00.000Z", "to": "2026-03-03T00:00:00.000Z", "reason": "hole"},
				map[string]any{"from": "2026-03-10T11:00:00.000Z", "to": "2026-03-10T11:58:30.000Z", "reason": "hole"},
			},
		}),
	}
	if diff := cmp.Diff(want, items); diff != "" {
		t.Errorf("coverage (-want +got):\n%s", diff)
	}
	if all := k.do(admin, "GET", "/api/v1/coverage?limit=1", "").want(200); len(all.items()) != 1 || all.text("next_cursor") == "" {
		t.Errorf("a page of one is %s", all.body)
	}
	k.do(admin, "GET", "/api/v1/coverage?connection_id=con_none", "").problem(404, problem.CodeNotFound)
}

func TestCalendar(t *testing.T) {
	k := newKit(t, Configuration{})
	viewer := k.token(RoleViewer)
	id := k.connect(k.token(RoleAdmin))
	k.write(func(tx *store.Tx) error {
		err := store.PutCheckpoint(t.Context(), tx, store.Checkpoint{CheckpointKey: store.CheckpointKey{ConnectionID: id, Stream: "activities", Lane: store.LaneBackfill, Slice: "2026-03-08"}, Done: true})
		if err == nil {
			err = store.PutInterval(t.Context(), tx, id, store.Interval{Stream: "activities", From: day(8), To: day(9), State: store.IntervalRead})
		}
		for _, n := range []store.Count{
			{Outcome: store.OutcomeScanned, N: 4}, {Outcome: store.OutcomeSkipped, Reason: store.ReasonTooBig, N: 2}, {Outcome: store.OutcomeSkipped, Reason: store.ReasonDeleted, N: 1}, {Outcome: store.OutcomeFailed, N: 1},
		} {
			n.Stream, n.Unit, n.At = "activities", "activity", day(8).Add(time.Hour)
			if err == nil {
				err = store.AddCounts(t.Context(), tx, id, n)
			}
		}
		return err
	})
	path := "/api/v1/coverage/calendar?connection_id=" + id
	got := k.do(viewer, "GET", path+"&stream=activities&from=2026-03-08&to=2026-03-11&tz=UTC", "").want(200).object()
	empty := func(date, state string) any {
		return map[string]any{"date": date, "state": state, "read": 0.0, "scanned": 0.0, "skipped": 0.0, "failed": 0.0, "deleted_before_scan": 0.0}
	}
	want := map[string]any{
		"connection_id": id, "tz": "UTC", "from": "2026-03-08", "to": "2026-03-11",
		"streams": []any{map[string]any{"stream": "activities", "title": "Activities", "days": []any{
			map[string]any{"date": "2026-03-08", "state": "complete", "read": 8.0, "scanned": 4.0, "skipped": 3.0, "failed": 1.0, "deleted_before_scan": 1.0},
			empty("2026-03-09", "pending"), empty("2026-03-10", "pending"), empty("2026-03-11", "none"),
		}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("calendar (-want +got):\n%s", diff)
	}
	all := k.do(viewer, "GET", path, "").want(200)
	if got := all.object()["streams"].([]any); len(got) != 2 || len(got[0].(map[string]any)["days"].([]any)) != 90 || all.text("to") != "2026-03-10" {
		t.Errorf("without a range it is %d streams to %s", len(got), all.text("to"))
	}
	k.do(viewer, "GET", path+"&from=2025-03-10&to=2026-03-10", "").want(200)
	for _, wrong := range []string{"&tz=Mars/Base", "&tz=Local", "&from=2026-02-30", "&to=today", "&from=2026-03-12", "&from=2025-03-09&to=2026-03-10"} {
		k.do(viewer, "GET", path+wrong, "").problem(422, problem.CodeQuery)
	}
	k.do(viewer, "GET", "/api/v1/coverage/calendar?connection_id=con_none", "").problem(404, problem.CodeNotFound)
	k.do(viewer, "GET", "/api/v1/coverage/calendar", "").problem(422, problem.CodeQuery)
}

func day(d int) time.Time { return time.Date(2026, time.March, d, 0, 0, 0, 0, time.UTC) }

func TestWhatWasDeletedBeforeAScanIsListed(t *testing.T) {
	k := newKit(t, Configuration{})
	id := k.connect(k.token(RoleAdmin))
	analyst := k.token(RoleAnalyst)
	k.write(func(tx *store.Tx) error {
		ana, err := findings.UpsertActor(t.Context(), tx, k.keys, id, findings.Actor{ID: "user-1", Email: "ana@example.com"})
		if err != nil {
			return err
		}
		for i, x := range []store.Item{
			{State: store.ItemSkipped, Reason: store.ReasonDeleted, ActorKey: ana, DeletedAt: day(9)}, {State: store.ItemScanned, ActorKey: "act_erased", DeletedAt: day(8)}, {State: store.ItemScanned}, {State: store.ItemSkipped, DeletedAt: day(7)},
		} {
			x.ItemKey, x.Stream, x.At = store.ItemKey{ConnectionID: id, Kind: "chat", ID: string(rune('a' + i))}, "chats", day(6)
			if err := store.PutItem(t.Context(), tx, x); err != nil {
				return err
			}
		}
		return nil
	})
	path := "/api/v1/coverage/deleted?connection_id=" + id
	first := k.do(analyst, "GET", path+"&limit=1", "").want(200)
	want := []any{map[string]any{
		"connection_id": id, "stream": "chats", "kind": "chat", "id": "a", "actor": map[string]any{"id": "user-1", "email": "ana@example.com"}, "whole": true,
		"at": "2026-03-06T00:00:00.000Z", "deleted_at": "2026-03-09T00:00:00.000Z",
	}}
	if diff := cmp.Diff(want, first.items()); diff != "" {
		t.Errorf("deleted (-want +got):\n%s", diff)
	}
	rest := k.do(analyst, "GET", path+"&cursor="+first.text("next_cursor"), "").want(200)
	if got := ids(rest.items()); !slices.Equal(got, []string{"b", "d"}) || rest.text("next_cursor") != "" {
		t.Errorf("the rest is %s", rest.body)
	}
	if got := k.do(analyst, "GET", "/api/v1/coverage/deleted", "").want(200).items(); len(got) != 3 {
		t.Errorf("of all connections it is %v", got)
	}
	k.do(analyst, "GET", "/api/v1/coverage/deleted?cursor="+first.text("next_cursor"), "").problem(400, problem.CodeCursor)
	if got := k.audited(); !slices.Contains(got, "coverage.deleted "+id) || !slices.Contains(got, "coverage.deleted connections") {
		t.Errorf("the reads are not in the audit log: %v", got)
	}
}

func TestBackfill(t *testing.T) {
	k := newKit(t, Configuration{})
	admin := k.token(RoleAdmin)
	id := k.connect(admin)
	path := "/api/v1/connections/" + id + "/backfill"
	got := k.do(admin, "GET", path, "").want(200)
	if got.text("total") != "62" || got.text("done") != "0" || got.text("paused") != "false" || got.object()["oldest_read_at"] != nil || got.object()["seconds_left"] != nil {
		t.Errorf("backfill is %s", got.body)
	}
	for _, slice := range []string{"2026-03-10", "2026-03-09", "2026-03-07"} {
		for _, stream := range []string{"chats", "activities"} {
			k.clock.add(time.Minute)
			k.write(func(tx *store.Tx) error {
				return store.PutCheckpoint(t.Context(), tx, store.Checkpoint{CheckpointKey: store.CheckpointKey{ConnectionID: id, Stream: stream, Lane: store.LaneBackfill, Slice: slice}, Done: true})
			})
		}
	}
	// Six slices, the first of them five minutes ago.
	if got = k.do(admin, "GET", path, ""); got.text("done") != "6" || got.text("oldest_read_at") != "2026-03-09T00:00:00.000Z" || got.text("seconds_left") != "2800" {
		t.Errorf("backfill is %s", got.body)
	}
	if got = k.do(admin, "POST", path+"/pause", "").want(200); got.text("paused") != "true" || got.object()["seconds_left"] != nil {
		t.Errorf("paused is %s", got.body)
	}
	if k.do(admin, "GET", "/api/v1/connections/"+id, "").text("backfill_paused") != "true" || k.do(admin, "GET", "/api/v1/connections/"+id, "").text("state") != "active" {
		t.Error("the connection does not say so, or is paused as a whole")
	}
	if got = k.do(admin, "POST", path+"/resume", "").want(200); got.text("paused") != "false" {
		t.Errorf("resumed is %s", got.body)
	}
	if got = k.do(admin, "PATCH", "/api/v1/connections/"+id, `{"backfill_from":"2026-03-09T05:00:00Z"}`).want(200); got.text("backfill_from") != "2026-03-09T05:00:00.000Z" {
		t.Errorf("connection is %s", got.body)
	}
	if got = k.do(admin, "GET", path, ""); got.text("total") != "4" || got.text("done") != "4" || got.object()["seconds_left"] != nil {
		t.Errorf("history that begins later is %s", got.body)
	}
	if got = k.do(admin, "PATCH", "/api/v1/connections/"+id, `{"backfill_from":null}`).want(200); got.object()["backfill_from"] != nil {
		t.Errorf("connection is %s", got.body)
	}
	if got = k.do(admin, "GET", path, ""); got.text("total") != "0" || got.object()["oldest_read_at"] != nil {
		t.Errorf("no history is %s", got.body)
	}
	k.do(admin, "PATCH", "/api/v1/connections/"+id, `{"backfill_from":"2030-01-01T00:00:00Z"}`).problem(422, problem.CodeInput)
	k.do(admin, "POST", "/api/v1/connections/con_none/backfill/pause", "").problem(404, problem.CodeNotFound)
	for _, action := range []string{"connection.backfill_pause", "connection.backfill_resume", "connection.update"} {
		if !slices.Contains(k.audited(), action+" "+id) {
			t.Errorf("%s is not in the audit log", action)
		}
	}
}

func TestBackfillIsEstimated(t *testing.T) {
	k := newKit(t, Configuration{})
	admin := k.token(RoleAdmin)
	const path = "/api/v1/connections/backfill/estimate"
	k.tester.estimate = connectors.Estimate{Calls: 9600, Items: map[string]int64{"chats": 5000}, Since: day(1)}
	got := k.do(admin, "POST", path, `{"connector":"acme","secrets":{"api_key":"`+canaryKey+`"},"backfill_from":"2026-03-01T10:00:00Z"}`).want(200)
	want := map[string]any{
		"known": true, "from": "2026-03-01T00:00:00.000Z", "calls": 9600.0, "requests_per_minute": 80.0, "hours": 2.0, "items": map[string]any{"chats": 5000.0}, "since": "2026-03-01T00:00:00.000Z", "exact": false,
	}
	if diff := cmp.Diff(want, got.object()); diff != "" {
		t.Errorf("estimate (-want +got):\n%s", diff)
	}
	if k.tester.asked.ID != "" || k.tester.asked.Config["requests_per_minute"] != "100" || k.tester.key != canaryKey || !k.tester.from.Equal(day(1)) || !k.tester.to.Equal(testStart) {
		t.Errorf("asked was %+v from %s to %s", k.tester.asked, k.tester.from, k.tester.to)
	}
	id := k.connect(admin)
	if got = k.do(admin, "POST", path, `{"connection_id":"`+id+`","backfill_from":"2026-03-01T00:00:00Z"}`).want(200); got.text("calls") != "9600" || k.tester.asked.ID != id || k.tester.key != canaryKey {
		t.Errorf("estimate of a saved connection is %s", got.body)
	}
	if got = k.do(admin, "POST", path, `{"connection_id":"`+id+`","backfill_from":null}`).want(200); got.text("calls") != "0" || got.text("exact") != "true" || got.object()["from"] != nil {
		t.Errorf("estimate of no history is %s", got.body)
	}
	k.tester.estimateErr = errors.ErrUnsupported
	if got = k.do(admin, "POST", path, `{"connection_id":"`+id+`"}`).want(200); got.text("known") != "false" {
		t.Errorf("what cannot be estimated is %s", got.body)
	}
	k.tester.estimateErr = &connectors.Error{Kind: connectors.KindAuth, Code: "OB-2003", Message: "The key was refused."}
	k.do(admin, "POST", path, `{"connection_id":"`+id+`"}`).problem(422, "OB-2003")
	k.do(admin, "POST", path, `{"connection_id":"`+id+`","connector":"acme"}`).problem(422, problem.CodeInput)
	k.do(admin, "POST", path, `{"connector":"acme","secrets":{}}`).problem(422, problem.CodeInput)
	k.do(admin, "POST", path, `{"connector":"other"}`).problem(422, problem.CodeInput)
	k.do(admin, "POST", path, `{"connection_id":"con_none"}`).problem(404, problem.CodeNotFound)
	if got := k.audited(); !slices.Contains(got, "connection.estimate acme") || !slices.Contains(got, "connection.estimate "+id) {
		t.Errorf("the estimates are not in the audit log: %v", got)
	}
}

func TestConnectionKnowsItsKey(t *testing.T) {
	k := newKit(t, Configuration{})
	admin := k.token(RoleAdmin)
	k.tester.account.MissingScopes, k.tester.account.SurplusScopes = []string{"read:sessions"}, []string{"delete:chats"}
	k.tester.account.Organizations, k.tester.account.Since = []string{"org-1", "org-2"}, day(1)
	tried := k.do(admin, "POST", "/api/v1/connections/test", `{"connector":"acme","secrets":{"api_key":"k"}}`).want(200)
	if diff := cmp.Diff([]any{"delete:chats"}, tried.object()["surplus_scopes"]); diff != "" || tried.text("since") != "2026-03-01T00:00:00.000Z" {
		t.Errorf("test is %s", tried.body)
	}
	id := k.connect(admin)
	want := map[string]any{
		"missing_scopes": []any{"read:sessions"}, "surplus_scopes": []any{"delete:chats"}, "streams": []any{"chats", "activities"}, "organizations": []any{"org-1", "org-2"},
		"since": "2026-03-01T00:00:00.000Z", "tested_at": "2026-03-10T12:00:00.000Z",
	}
	if diff := cmp.Diff(want, k.do(admin, "GET", "/api/v1/connections/"+id, "").want(200).object()["key"]); diff != "" {
		t.Errorf("key (-want +got):\n%s", diff)
	}
	k.tester.account.MissingScopes = nil
	k.clock.add(30 * time.Minute)
	changed := k.do(admin, "PATCH", "/api/v1/connections/"+id, `{"secrets":{"api_key":"k2"}}`).want(200)
	if got := changed.object()["key"].(map[string]any); len(got["missing_scopes"].([]any)) != 0 || !strings.HasPrefix(got["tested_at"].(string), "2026-03-10T12:30:") {
		t.Errorf("a new key is %v", got)
	}
	k.tester.account.SurplusScopes = nil
	if got := k.do(admin, "PATCH", "/api/v1/connections/"+id, `{"name":"Other"}`).want(200).object()["key"].(map[string]any); len(got["surplus_scopes"].([]any)) != 1 {
		t.Errorf("without a test the key is %v", got)
	}
}
