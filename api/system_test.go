package api

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outband/outband/findings/search"
	"github.com/outband/outband/internal/store"
)

func TestSystemSaysWhatRuns(t *testing.T) {
	k := newKit(t, Configuration{})
	viewer := k.token(RoleViewer)
	plain := k.do(viewer, "GET", "/api/v1/system", "").want(200).object()
	for name, want := range map[string]any{
		"demo": false, "role": "all", "started_at": "2026-03-10T12:00:00.000Z", "store": map[string]any{"kind": "sqlite"},
		"search": map[string]any{"engine": "embedded", "degraded": false, "detail": "", "behind": 0.0},
	} {
		if diff := cmp.Diff(want, plain[name]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	k.api.d.Demo, k.api.d.Role = true, "api"
	k.api.d.Infrastructure = []EgressHost{{Host: "temporal.example.com:7233", For: "temporal"}, {Host: "search.example.com:9200", For: "elasticsearch"}}
	con := k.connect(k.token(RoleAdmin))
	got := k.do(viewer, "GET", "/api/v1/system", "").want(200)
	if got.text("demo") != "true" || got.text("role") != "api" {
		t.Errorf("system is %s", got.body)
	}
	want := []any{
		map[string]any{"host": "temporal.example.com:7233", "for": "temporal"}, map[string]any{"host": "search.example.com:9200", "for": "elasticsearch"},
		map[string]any{"host": "api.example.com", "for": con},
	}
	if diff := cmp.Diff(want, got.object()["egress"].(map[string]any)["hosts"]); diff != "" {
		t.Errorf("hosts (-want +got):\n%s", diff)
	}
	if len(k.api.d.Infrastructure) != 2 {
		t.Error("the hosts of an answer are kept")
	}
}

func TestSystemSaysWhichEngineAnswers(t *testing.T) {
	k := newKit(t, Configuration{})
	viewer := k.token(RoleViewer)
	state := Check{State: StateUp}
	k.api.d.Health = func(context.Context) map[string]Check {
		return map[string]Check{"temporal": {State: StateUp}, "elasticsearch": state}
	}
	k.find(k.connect(k.token(RoleAdmin)), 3)
	place := func(seq int) {
		k.write(func(tx *store.Tx) error {
			_, err := tx.ExecContext(t.Context(), `INSERT INTO consumers (workspace_id, id, seq, updated_at) VALUES ('default', $1, $2, 0) ON CONFLICT (workspace_id, id) DO UPDATE SET seq = excluded.seq`, search.Consumer, seq)
			return err
		})
	}
	for _, tc := range []struct {
		name     string
		prepare  func()
		degraded bool
		behind   float64
		detail   bool
	}{
		{"never indexed", func() {}, true, 3, true},
		{"a moment behind", func() { place(1) }, false, 2, false},
		{"long behind", func() { k.clock.add(2 * search.MaxBehind) }, true, 2, true},
		{"caught up", func() { place(3) }, false, 0, false},
		{"down", func() { state = Check{State: StateDown, Detail: "Elasticsearch does not answer."} }, true, 0, true},
	} {
		k.run(tc.name, func(t *testing.T) {
			tc.prepare()
			r := k.do(viewer, "GET", "/api/v1/system", "").want(200)
			got := r.object()["search"].(map[string]any)
			if got["engine"] != "elasticsearch" || got["degraded"] != tc.degraded || got["behind"] != tc.behind || (got["detail"] != "") != tc.detail {
				t.Errorf("search is %v, want %+v", got, tc)
			}
			// The store stands in: the installation is ready whatever Elasticsearch does.
			if r.text("ready") != "true" || r.text("checks.elasticsearch.state") == StateDown {
				t.Errorf("system is %s", r.body)
			}
			k.do("", "GET", "/readyz", "").want(200)
		})
	}
}
