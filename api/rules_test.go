package api

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outband/outband/api/problem"
	"github.com/outband/outband/dlp"
	"github.com/outband/outband/dlp/policy"
	"github.com/outband/outband/internal/store"
)

func TestDetectorsShowWhatTheyLookFor(t *testing.T) {
	k := newKit(t, Configuration{})
	viewer := k.token(RoleViewer)
	k.api.d.Detectors = k.detectors(k.deps.Vault, []dlp.Detector{
		{
			ID: "secret.example", Title: "Example key", Kind: dlp.KindToken, Severity: "high", Prefixes: []string{"exk_"}, Keywords: []string{"example"}, Pattern: "exk_[a-z]{8}", Confidence: 0.8,
			Examples: dlp.Examples{Match: []string{"key «exk_{a-z:8}»"}, NoMatch: []string{"exk_"}},
		},
		{ID: "card.example", Title: "Example card", Kind: dlp.KindScanner, Severity: "medium", Scanner: "number", Optional: true},
	})
	got := k.do(viewer, "GET", "/api/v1/detectors/secret.example", "").want(200)
	want := map[string]any{
		"id": "secret.example", "title": "Example key", "description": "", "kind": "token", "severity": "high", "optional": false, "keywords": []any{"example"}, "prefixes": []any{"exk_"},
		"pattern": "exk_[a-z]{8}", "scanner": "", "validator": "", "context": []any{}, "confidence": 0.8, "references": []any{}, "source": "built-in", "lines": []any{},
		"on": true, "mode": "", "list": "", "table": "", "version": 0.0, "failing": "",
		"examples": map[string]any{"match": []any{"key «exk_{a-z:8}»"}, "no_match": []any{"exk_"}},
	}
	if diff := cmp.Diff(want, got.object()); diff != "" {
		t.Errorf("detector (-want +got):\n%s", diff)
	}
	list := k.do(viewer, "GET", "/api/v1/detectors", "").want(200).items()
	if diff := cmp.Diff([]string{"card.example", "secret.example"}, ids(list)); diff != "" {
		t.Errorf("detectors (-want +got):\n%s", diff)
	}
	delete(want, "examples")
	if diff := cmp.Diff(want, list[1]); diff != "" {
		t.Errorf("the detector differs from that of the list (-one +list):\n%s", diff)
	}
	k.do(viewer, "GET", "/api/v1/detectors/none", "").problem(404, problem.CodeNotFound)
}

func TestBuiltInDetectorsShowHowWellTheyDo(t *testing.T) {
	k := newKit(t, Configuration{})
	all, err := dlp.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	k.api.d.Detectors = k.detectors(k.deps.Vault, all)
	one := k.do(k.token(RoleViewer), "GET", "/api/v1/detectors/financial.card", "").want(200).object()
	quality, ok := one["quality"].(map[string]any)
	if !ok || quality["planted"].(float64) < 5 || quality["recall"].(float64) < 0.5 || quality["recall"].(float64) > 1 || quality["precision"].(float64) > 1 {
		t.Errorf("quality is %v", one["quality"])
	}
	for _, d := range k.do(k.token(RoleViewer), "GET", "/api/v1/detectors?limit=10", "").want(200).items() {
		if quality, ok := d.(map[string]any)["quality"].(map[string]any); !ok || quality["planted"].(float64) == 0 {
			t.Errorf("the list shows %v", d)
		}
	}
}

func TestPoliciesShowTheirSourceTestsAndFailures(t *testing.T) {
	k := newKit(t, Configuration{})
	viewer := k.token(RoleViewer)
	builtIn, err := policy.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	known := builtIn[0]
	k.api.d.Policies = func(context.Context) ([]policy.Effective, error) {
		var out []policy.Effective
		for _, p := range []*policy.Policy{known, {ID: "zz.custom", Kind: "content", Severity: "low", Mode: policy.ModeOn}, {ID: "zz.file", Kind: "content", Severity: "low", Mode: policy.ModeOn}} {
			out = append(out, policy.Effective{Policy: p, Severity: p.Severity, Mode: p.Mode})
		}
		return out, nil
	}
	k.api.d.PolicyFailures = func() map[string]int64 { return map[string]int64{"zz.custom": 7} }
	k.write(func(tx *store.Tx) error {
		_, err := tx.ExecContext(t.Context(), `INSERT INTO policies (workspace_id, id, version, yaml, created_at, created_by) VALUES ('default', 'zz.custom', 1, 'id: zz.custom', 0, 'usr_a')`)
		return err
	})
	for _, tc := range []struct {
		id, source string
		failures   float64
		tests      int
	}{{known.ID, "built-in", 0, len(known.Tests)}, {"zz.custom", "custom", 7, 0}, {"zz.file", "file", 0, 0}} {
		k.run(tc.id, func(t *testing.T) {
			got := k.do(viewer, "GET", "/api/v1/policies/"+tc.id, "").want(200).object()
			if got["source"] != tc.source || got["failures"] != tc.failures || got["tests"] != float64(tc.tests) {
				t.Errorf("policy is %v, want %+v", got, tc)
			}
			names := got["test_names"].([]any)
			if len(names) != tc.tests || tc.tests > 0 && names[0] != known.Tests[0].Name {
				t.Errorf("tests are %v, want %d", names, tc.tests)
			}
		})
	}
	list := k.do(viewer, "GET", "/api/v1/policies", "").want(200).items()
	if diff := cmp.Diff([]string{known.ID, "zz.custom", "zz.file"}, ids(list)); diff != "" || list[1].(map[string]any)["failures"] != 7.0 {
		t.Errorf("policies are %v (-want +got):\n%s", list, diff)
	}
	k.do(viewer, "GET", "/api/v1/policies/none", "").problem(404, problem.CodeNotFound)

	k.api.d.Policies = func(context.Context) ([]policy.Effective, error) {
		return []policy.Effective{{Policy: policy.Sketch([]byte("id: zz.custom\ntitle: Ours\n")), Mode: policy.ModeOff, Err: errors.New("line 2: it compiles no longer")}}, nil
	}
	broken := k.do(viewer, "GET", "/api/v1/policies/zz.custom", "").want(200)
	if broken.text("error") != "line 2: it compiles no longer" || broken.text("mode") != "off" || broken.text("title") != "Ours" || broken.text("source") != "custom" {
		t.Errorf("a policy that compiles no longer is %s", broken.body)
	}
}

func TestALockedPolicyCannotBeMuted(t *testing.T) {
	k := newKit(t, Configuration{})
	admin, analyst := k.token(RoleAdmin), k.token(RoleAnalyst)
	found := k.find(k.connect(admin), 2)
	ours, err := k.policies(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i := range ours {
		p := *ours[i].Policy
		p.Locked = p.ID == "content.example"
		ours[i].Policy = &p
	}
	k.api.d.Policies = func(context.Context) ([]policy.Effective, error) { return ours, nil }
	const path = "/api/v1/policies/content.example"
	if got := k.do(admin, "GET", path, "").want(200); got.object()["locked"] != true {
		t.Errorf("policy is %s", got.body)
	}
	for _, body := range []string{`{"mode":"off"}`, `{"mode":"shadow"}`, `{"severity":"medium"}`, `{"severity":"critical","mode":"off"}`} {
		k.do(admin, "PATCH", path, body).problem(409, problem.CodeLocked)
	}
	for _, entry := range k.audited() {
		if entry == "policy.override content.example" {
			t.Error("a refused override is in the audit log as made")
		}
	}
	k.do(admin, "PATCH", path, `{"severity":"critical","mode":"on"}`).want(200)
	k.do(admin, "PATCH", path, `{"severity":null,"mode":null}`).want(200)
	k.do(admin, "PATCH", "/api/v1/policies/activity.example", `{"mode":"off"}`).want(200)

	one := "/api/v1/findings/" + found[0]
	for _, status := range []string{"accepted_risk", "false_positive"} {
		k.do(analyst, "PATCH", one, `{"status":"`+status+`","reason":"It is fine."}`).problem(409, problem.CodeLocked)
		for _, o := range k.do(analyst, "POST", "/api/v1/findings/bulk", `{"ids":["`+found[0]+`","`+found[1]+`"],"status":"`+status+`","reason":"It is fine."}`).want(200).items() {
			if got := o.(map[string]any); got["changed"] != false || got["code"] != problem.CodeLocked {
				t.Errorf("%s in bulk: %v", status, got)
			}
		}
	}
	k.do(analyst, "PATCH", one, `{"status":"resolved"}`).problem(422, problem.CodeInput)
	k.do(analyst, "PATCH", one, `{"status":"resolved","reason":"It was planned."}`).want(200)
}
