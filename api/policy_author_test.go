package api

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/outband/outband/api/problem"
	"github.com/outband/outband/findings"
	"github.com/outband/outband/internal/store"
)

const ownPolicy = `id: custom.keys
version: 1
title: Our keys
severity: 'count("secret.*") > 9 ? "critical" : "high"'
guide: Open {resource.url}.
on: {items: [message]}
when: count("secret.example") > 0
tests:
  - name: a key
    input: {matches: [{detector: secret.example}]}
    want: true
    severity: high
  - {name: none, input: {}, want: false}
`

// redPolicy is ownPolicy with a test that fails.
var redPolicy = strings.Replace(ownPolicy, `"secret.example") > 0`, `"secret.example") > 1`, 1)

// body makes JSON of keys and values in turn.
func fields(t *testing.T, pairs ...any) string {
	t.Helper()
	m := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i].(string)] = pairs[i+1]
	}
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestAPolicyIsWrittenThroughTheAPI(t *testing.T) {
	k := newKit(t, Configuration{})
	author := k.token(RoleAuthor)
	const path = "/api/v1/policies/custom.keys"
	got := k.do(author, "POST", "/api/v1/policies", fields(t, "yaml", ownPolicy, "reason", "We have keys.")).want(201)
	if got.text("source") != "custom" || got.text("version") != "1" || !k.runner.told("policies", "") {
		t.Errorf("created %s", got.body)
	}
	changed := strings.Replace(ownPolicy, "Our keys", "Keys of ours", 1)
	got = k.do(author, "PUT", path, fields(t, "yaml", changed, "expected_version", 1, "reason", "A better title.")).want(200)
	if got.text("version") != "2" || got.text("title") != "Keys of ours" {
		t.Errorf("replaced %s", got.body)
	}
	if source := k.do(author, "GET", path+"/source", "").want(200); source.text("yaml") != strings.Replace(changed, "version: 1", "version: 2", 1) {
		t.Errorf("source %s", source.body)
	}
	if source := k.do(author, "GET", path+"/source?version=1", "").want(200); source.text("yaml") != ownPolicy || source.text("version") != "1" {
		t.Errorf("source of version 1 %s", source.body)
	}
	k.do(author, "GET", path+"/source?version=7", "").problem(404, problem.CodeNotFound)
	k.do(author, "GET", "/api/v1/policies/content.none/versions", "").problem(404, problem.CodeNotFound)
	first := k.do(author, "GET", path+"/versions?limit=1", "").want(200)
	v := first.items()[0].(map[string]any)
	if v["version"] != 2.0 || v["reason"] != "A better title." || v["at"] == nil || !strings.HasPrefix(v["by"].(string), "tok_") || v["retired"] != false {
		t.Errorf("version %v", v)
	}
	second := k.do(author, "GET", path+"/versions?limit=1&cursor="+first.text("next_cursor"), "").want(200)
	if v := second.items()[0].(map[string]any); v["version"] != 1.0 || second.text("next_cursor") != "" {
		t.Errorf("second page %s", second.body)
	}
	k.do(author, "PUT", path, fields(t, "yaml", changed, "expected_version", 1)).problem(409, problem.CodePolicyChanged)
	k.do(author, "DELETE", path+"?expected_version=1", "").problem(409, problem.CodePolicyChanged)
	k.do(author, "DELETE", path, "").want(422)
	k.do(author, "DELETE", path+"?expected_version=2&reason=Enough", "").want(204)
	k.do(author, "GET", path, "").problem(404, problem.CodeNotFound)
	if v := k.do(author, "GET", path+"/versions", "").want(200).items()[0].(map[string]any); v["retired"] != true || v["version"] != 3.0 || v["reason"] != "Enough" {
		t.Errorf("the last version is %v", v)
	}
	entries := k.audited()
	for _, want := range []string{"policy.create custom.keys", "policy.update custom.keys", "policy.delete custom.keys"} {
		if n := len(slices.DeleteFunc(slices.Clone(entries), func(e string) bool { return e != want })); n != 1 {
			t.Errorf("%d audit rows %q", n, want)
		}
	}
}

// TestARedTestIsRefusedByEveryWayOfTheAPI is the promise that no policy is saved of which a test fails.
func TestARedTestIsRefusedByEveryWayOfTheAPI(t *testing.T) {
	k := newKit(t, Configuration{})
	author := k.token(RoleAuthor)
	want := []any{map[string]any{"policy_id": "custom.keys", "line": 9.0, "column": 5.0, "message": `test "a key" gave false, want true, high`}}
	refused := func(r reply, name string) {
		t.Helper()
		issues := r.problem(422, problem.CodePolicy).object()["issues"].([]any)
		for _, i := range issues {
			got := i.(map[string]any)
			if name != "" && got["name"] != name {
				t.Errorf("issue %v, want the name %s", got, name)
			}
			delete(got, "name")
		}
		if diff := cmp.Diff(want, issues); diff != "" {
			t.Errorf("issues (-want +got):\n%s", diff)
		}
	}
	refused(k.do(author, "POST", "/api/v1/policies", fields(t, "yaml", redPolicy)), "")
	refused(k.do(author, "POST", "/api/v1/policies/import", fields(t, "items", []any{map[string]any{"yaml": redPolicy}})), "item 1")
	k.do(author, "POST", "/api/v1/policies", fields(t, "yaml", ownPolicy)).want(201)
	refused(k.do(author, "PUT", "/api/v1/policies/custom.keys", fields(t, "yaml", redPolicy, "expected_version", 1)), "")
	refused(k.do(author, "POST", "/api/v1/policies/import", fields(t, "items", []any{map[string]any{"name": "keys.yaml", "yaml": redPolicy}})), "keys.yaml")
	if source := k.do(author, "GET", "/api/v1/policies/custom.keys/source", "").want(200); source.text("yaml") != ownPolicy {
		t.Errorf("what was refused is stored: %s", source.body)
	}
	if n := len(k.do(author, "GET", "/api/v1/policies/custom.keys/versions", "").want(200).items()); n != 1 {
		t.Errorf("%d versions are stored, want 1", n)
	}
}

func TestAPolicyIsCheckedWithoutSavingIt(t *testing.T) {
	k := newKit(t, Configuration{})
	author := k.token(RoleAuthor)
	got := k.do(author, "POST", "/api/v1/policies/check", fields(t, "yaml", ownPolicy)).want(200).object()
	if got["ok"] != true || got["kind"] != "content" || got["id"] != "custom.keys" || got["cost"].(float64) <= 0 || len(got["tests"].([]any)) != 2 {
		t.Errorf("check of a good policy: %v", got)
	}
	if diff := cmp.Diff([]any{"critical", "high"}, got["severities"]); diff != "" {
		t.Errorf("severities (-want +got):\n%s", diff)
	}
	got = k.do(author, "POST", "/api/v1/policies/check", fields(t, "yaml", redPolicy)).want(200).object()
	test := got["tests"].([]any)[0].(map[string]any)
	if got["ok"] != false || test["passed"] != false || test["got"] != "false" || test["want"] != "true, high" || test["line"] != 9.0 {
		t.Errorf("check of a red policy: %v", got)
	}
	got = k.do(author, "POST", "/api/v1/policies/check", fields(t, "yaml", "id: [")).want(200).object()
	if got["ok"] != false || len(got["issues"].([]any)) != 1 || len(got["tests"].([]any)) != 0 {
		t.Errorf("check of no YAML: %v", got)
	}
	k.do(author, "GET", "/api/v1/policies/custom.keys", "").problem(404, problem.CodeNotFound)
}

func TestReadOnlyPoliciesStay(t *testing.T) {
	k := newKit(t, Configuration{})
	author := k.token(RoleAuthor)
	taken := strings.Replace(ownPolicy, "custom.keys", "content.card_numbers", 1)
	k.do(author, "POST", "/api/v1/policies", fields(t, "yaml", taken)).problem(409, problem.CodePolicyTaken)
	k.do(author, "PUT", "/api/v1/policies/content.card_numbers", fields(t, "yaml", taken, "expected_version", 1)).problem(409, problem.CodePolicyReadOnly)
	k.do(author, "DELETE", "/api/v1/policies/content.card_numbers?expected_version=1", "").problem(409, problem.CodePolicyReadOnly)
	k.do(author, "DELETE", "/api/v1/policies/custom.none?expected_version=1", "").problem(404, problem.CodeNotFound)
	k.do(author, "POST", "/api/v1/policies", fields(t, "yaml", ownPolicy)).want(201)
	k.do(author, "POST", "/api/v1/policies", fields(t, "yaml", ownPolicy)).problem(409, problem.CodePolicyTaken)
}

func TestPoliciesAreExportedAndImported(t *testing.T) {
	k := newKit(t, Configuration{})
	author := k.token(RoleAuthor)
	other := strings.Replace(ownPolicy, "custom.keys", "custom.more", 1)
	items := []any{map[string]any{"name": "a.yaml", "yaml": ownPolicy}, map[string]any{"yaml": other}}
	outcomes := func(r reply) (out []string) {
		t.Helper()
		for _, i := range r.want(200).items() {
			out = append(out, i.(map[string]any)["name"].(string)+" "+i.(map[string]any)["outcome"].(string))
		}
		return out
	}
	dry := k.do(author, "POST", "/api/v1/policies/import", fields(t, "items", items, "dry_run", true))
	if diff := cmp.Diff([]string{"a.yaml created", "item 2 created"}, outcomes(dry)); diff != "" || dry.text("saved") != "false" {
		t.Errorf("dry run (-want +got):\n%s", diff)
	}
	if n := len(k.do(author, "GET", "/api/v1/policies/export", "").want(200).items()); n != 0 {
		t.Errorf("a dry run saved %d policies", n)
	}
	red := k.do(author, "POST", "/api/v1/policies/import", fields(t, "items", []any{map[string]any{"yaml": other}, map[string]any{"yaml": redPolicy}}, "dry_run", true))
	if diff := cmp.Diff([]string{"item 1 created", "item 2 refused"}, outcomes(red)); diff != "" {
		t.Errorf("dry run with a red one (-want +got):\n%s", diff)
	}
	whole := k.do(author, "POST", "/api/v1/policies/import", fields(t, "items", items, "reason", "From the other installation."))
	if diff := cmp.Diff([]string{"a.yaml created", "item 2 created"}, outcomes(whole)); diff != "" || whole.text("saved") != "true" || !k.runner.told("policies", "") {
		t.Errorf("import (-want +got):\n%s", diff)
	}
	var again []any
	for _, i := range k.do(author, "GET", "/api/v1/policies/export", "").want(200).items() {
		again = append(again, map[string]any{"yaml": i.(map[string]any)["yaml"]})
	}
	if diff := cmp.Diff([]string{"item 1 unchanged", "item 2 unchanged"}, outcomes(k.do(author, "POST", "/api/v1/policies/import", fields(t, "items", again)))); diff != "" {
		t.Errorf("what was exported (-want +got):\n%s", diff)
	}
}

func TestAPolicyOverItsSizeIsRefused(t *testing.T) {
	k := newKit(t, Configuration{})
	author := k.token(RoleAuthor)
	long := ownPolicy + "#" + strings.Repeat("x", 64<<10)
	k.do(author, "POST", "/api/v1/policies", fields(t, "yaml", long)).problem(422, problem.CodePolicy)
	k.do(author, "POST", "/api/v1/policies", fields(t, "yaml", strings.Repeat("x", 1<<20))).problem(413, problem.CodeTooLarge)
}

func TestWhatAPolicyInShadowFindsIsShownWithItAlone(t *testing.T) {
	k := newKit(t, Configuration{})
	author := k.token(RoleAuthor)
	con := k.connect(k.token(RoleAdmin))
	const path = "/api/v1/policies/content.example"
	k.do(author, "PATCH", path, `{"mode":"shadow"}`).want(200)
	for _, chat := range []string{"chat-1", "chat-2"} {
		k.clock.add(time.Second)
		k.write(func(tx *store.Tx) error {
			_, err := findings.CommitItem(t.Context(), tx, k.keys, findings.Commit{ConnectionID: con, Connector: "acme", Detections: []findings.Detection{{
				PolicyID: "content.example", PolicyVersion: 1, Kind: "content", Severity: "high", Title: "Example", Shadow: true,
				Resource: findings.Resource{Kind: "chat", ID: chat, Name: "xxxx"}, OccurredAt: k.clock.now(), Instances: []findings.NewInstance{k.instance(0, 0)},
			}}})
			return err
		})
	}
	if got := k.do(author, "GET", path, "").want(200); got.text("shadow_findings") != "2" {
		t.Errorf("policy %s", got.body)
	}
	first := k.do(author, "GET", path+"/shadow?limit=1", "").want(200)
	second := k.do(author, "GET", path+"/shadow?limit=1&cursor="+first.text("next_cursor"), "").want(200)
	newest, oldest := first.items()[0].(map[string]any), second.items()[0].(map[string]any)
	if newest["resource"].(map[string]any)["id"] != "chat-2" || oldest["resource"].(map[string]any)["id"] != "chat-1" || newest["severity"] != "high" || second.text("next_cursor") != "" {
		t.Errorf("shadow findings %v and %v", newest, oldest)
	}
	if n := len(k.do(author, "GET", "/api/v1/findings", "").want(200).items()); n != 0 {
		t.Errorf("%d findings are listed", n)
	}
	if total := k.do(author, "GET", "/api/v1/findings/facets", "").want(200).text("total"); total != "0" {
		t.Errorf("%s findings are counted", total)
	}
	k.do(author, "GET", "/api/v1/findings/"+newest["id"].(string), "").problem(404, problem.CodeNotFound)
	k.do(author, "PATCH", path, `{"mode":null}`).want(200)
	if n := len(k.do(author, "GET", path+"/shadow", "").want(200).items()); n != 0 {
		t.Errorf("%d shadow findings outlive the shadow", n)
	}
}
