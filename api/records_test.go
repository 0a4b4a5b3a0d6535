package api

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/outband/outband/api/problem"
	"github.com/outband/outband/connectors"
	"github.com/outband/outband/dlp/policy"
	"github.com/outband/outband/findings"
	"github.com/outband/outband/internal/store"
)

func TestAStreamThatIsNotAvailableSuspendsItsPolicies(t *testing.T) {
	e := policy.Effective{Policy: &policy.Policy{Kind: policy.KindPosture, On: policy.On{Records: []string{"setting"}}}, Standing: []string{"user"}}
	m := &connectors.Manifest{Streams: []connectors.Stream{{ID: "settings", Records: []string{"setting"}}, {ID: "users", Records: []string{"user"}}, {ID: "more", Records: []string{"user"}}}}
	state := func(connection, stream, state string) store.Snapshot {
		return store.Snapshot{ConnectionID: connection, Stream: stream, State: state}
	}
	got := suspendedFor(e, []store.Snapshot{
		state("con_1", "settings", store.SnapshotWhole), state("con_1", "users", store.SnapshotUnavailable), state("con_1", "more", store.SnapshotPartial),
		state("con_2", "settings", store.SnapshotUnavailable), state("con_3", "users", store.SnapshotUnavailable), state("con_4", "users", ""), state("con_5", "settings", store.SnapshotUnavailable),
	}, func(id string) *connectors.Manifest {
		if id == "con_5" {
			return nil
		}
		return m
	})
	if !slices.Equal(got, []string{"con_2", "con_3"}) {
		t.Errorf("suspended for %v", got)
	}
}

// snapshot stores users with their roles as one snapshot, five minutes after the one before.
func (k *kit) snapshot(connectionID string, roles map[string]string) time.Time {
	k.t.Helper()
	k.clock.add(5 * time.Minute)
	k.write(func(tx *store.Tx) error {
		ctx := context.Background()
		run, err := store.BeginSnapshot(ctx, tx, connectionID, "users", "rules")
		if err != nil {
			return err
		}
		for id, role := range roles {
			have, err := store.RecordsByID(ctx, tx, connectionID, "user", []string{id})
			if err != nil {
				return err
			}
			r := store.Record{ConnectionID: connectionID, Kind: "user", ID: id, Stream: "users", Scope: "org", Fields: `{"role":"` + role + `","seats":2}`, Digest: role, SeenAt: run.BeganAt,
				About: `{"kind":"user","id":"` + id + `","name":"Name of ` + id + `","url":"https://app.example/` + id + `","external":true}`}
			if r.ActorKey, err = findings.UpsertActor(ctx, tx, k.keys, connectionID, findings.Actor{ID: id, Email: id + "@corp.example", Name: "Dana", Type: "user"}); err != nil {
				return err
			}
			if old, ok := have[id]; !ok {
				_, err = store.PutRecord(ctx, tx, nil, r)
			} else if old.Digest != role {
				_, err = store.PutRecord(ctx, tx, &old, r)
			} else {
				err = store.SeeRecords(ctx, tx, connectionID, "user", []string{id}, run.BeganAt)
			}
			if err != nil {
				return err
			}
		}
		_, err = store.EndSnapshot(ctx, tx, run, nil, true)
		return err
	})
	return k.clock.now()
}

func TestRecordsAsOfATime(t *testing.T) {
	k := newKit(t, Configuration{})
	admin, auditor := k.token(RoleAdmin), k.token(RoleAuditor)
	con := k.connect(admin)
	first := k.snapshot(con, map[string]string{"u1": "member", "u2": "owner", "u3": "member"})
	second := k.snapshot(con, map[string]string{"u1": "owner", "u2": "owner", "u3": "member"})
	for range 2 {
		k.snapshot(con, map[string]string{"u1": "owner", "u3": "member"})
	}
	roles := func(query string) (out []string) {
		t.Helper()
		for _, i := range k.do(auditor, "GET", "/api/v1/records?connection_id="+con+query, "").want(200).items() {
			r := i.(map[string]any)
			out = append(out, fmt.Sprint(r["id"], " ", r["fields"].(map[string]any)["role"]))
		}
		return out
	}
	at := func(t time.Time) string { return "&as_of=" + t.UTC().Format(time.RFC3339Nano) }
	for query, want := range map[string][]string{
		"":                              {"u1 owner", "u3 member"},
		"&kind=user" + at(first):        {"u1 member", "u2 owner", "u3 member"},
		"&kind=user&id=u1" + at(first):  {"u1 member"},
		"&kind=user&id=u1" + at(second): {"u1 owner"},
		"&id=u2":                        nil,
		"&id=u2" + at(second):           {"u2 owner"},
		"&kind=role":                    nil,
		at(first.Add(-time.Hour)):       nil,
		"&kind=user&id=u1%00":           nil,
	} {
		if diff := cmp.Diff(want, roles(query)); diff != "" {
			t.Errorf("records%s (-want +got):\n%s", query, diff)
		}
	}
	one := k.do(auditor, "GET", "/api/v1/records?connection_id="+con+"&id=u1", "").want(200).items()[0].(map[string]any)
	want := map[string]any{
		"connection_id": con, "kind": "user", "id": "u1", "stream": "users", "scope": "org", "valid_from": *stamp(second), "valid_to": nil, "seen_at": one["seen_at"],
		"fields":   map[string]any{"role": "owner", "seats": 2.0},
		"resource": map[string]any{"kind": "user", "id": "u1", "name": "Name of u1", "url": "https://app.example/u1"},
		"actor":    map[string]any{"id": "u1", "email": "u1@corp.example", "name": "Dana", "type": "user"},
	}
	if diff := cmp.Diff(want, one); diff != "" {
		t.Errorf("a record (-want +got):\n%s", diff)
	}

	// Page by page, and the same cursor elsewhere.
	var paged []string
	cursor := ""
	for {
		r := k.do(auditor, "GET", "/api/v1/records?limit=1&connection_id="+con+at(first)+cursor, "").want(200)
		for _, i := range r.items() {
			paged = append(paged, i.(map[string]any)["id"].(string))
		}
		next := r.object()["next_cursor"].(string)
		if next == "" {
			break
		}
		cursor = "&cursor=" + next
	}
	if !slices.Equal(paged, []string{"u1", "u2", "u3"}) {
		t.Errorf("page by page: %v", paged)
	}
	k.do(auditor, "GET", "/api/v1/records?connection_id="+con+cursor, "").problem(400, problem.CodeCursor)
	k.do(auditor, "GET", "/api/v1/records?connection_id=none", "").problem(404, problem.CodeNotFound)
	k.do(auditor, "GET", "/api/v1/records", "").problem(422, problem.CodeQuery)
	k.do(auditor, "GET", "/api/v1/records/history?kind=user&connection_id="+con, "").problem(422, problem.CodeQuery)
	if !slices.Contains(k.audited(), "record.list "+con) {
		t.Errorf("reading is not in the audit log: %v", k.audited())
	}
}

func TestThePastOfRecords(t *testing.T) {
	k := newKit(t, Configuration{})
	admin, analyst := k.token(RoleAdmin), k.token(RoleAnalyst)
	con := k.connect(admin)
	first := k.snapshot(con, map[string]string{"u1": "member", "u2": "owner"})
	k.snapshot(con, map[string]string{"u1": "owner", "u2": "owner"})
	for range 2 {
		k.snapshot(con, map[string]string{"u1": "owner"})
	}
	all := func(path string) (out []map[string]any) {
		t.Helper()
		cursor := ""
		for {
			r := k.do(analyst, "GET", path+"&limit=1&connection_id="+con+cursor, "").want(200)
			for _, i := range r.items() {
				out = append(out, i.(map[string]any))
			}
			next := r.object()["next_cursor"].(string)
			if next == "" {
				return out
			}
			cursor = "&cursor=" + next
		}
	}
	role := func(fields any) any { return fields.(map[string]any)["role"] }
	var versions []string
	for _, v := range all("/api/v1/records/history?kind=user&id=u1") {
		versions = append(versions, fmt.Sprint(role(v["fields"]), " ", v["valid_to"] == nil))
	}
	if diff := cmp.Diff([]string{"owner true", "member false"}, versions); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
	text := func(list []map[string]any) (out []string) {
		for _, c := range list {
			out = append(out, fmt.Sprint(c["type"], " ", c["id"], " ", role(c["before"]), " ", role(c["after"]), " ", c["actor"].(map[string]any)["email"]))
		}
		return out
	}
	want := []string{"ended u2 owner <nil> u2@corp.example", "changed u1 member owner u1@corp.example", "appeared u1 <nil> member u1@corp.example", "appeared u2 <nil> owner u2@corp.example"}
	if diff := cmp.Diff(want, text(all("/api/v1/records/changes?"))); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	later := first.Add(time.Minute).UTC().Format(time.RFC3339)
	if diff := cmp.Diff(want[:2], text(all("/api/v1/records/changes?from="+later))); diff != "" {
		t.Errorf("changes after a time (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want[2:], text(all("/api/v1/records/changes?to="+later))); diff != "" {
		t.Errorf("changes before a time (-want +got):\n%s", diff)
	}
	// A person who was erased is nobody, and their record is still there.
	k.write(func(tx *store.Tx) error {
		_, err := tx.ExecContext(t.Context(), `DELETE FROM actors`)
		return err
	})
	if got := k.do(analyst, "GET", "/api/v1/records?connection_id="+con, "").want(200); strings.Contains(string(got.body), "corp.example") {
		t.Errorf("after an erasure: %s", got.body)
	}
}
