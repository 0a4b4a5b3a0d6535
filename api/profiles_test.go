package api

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/outband/outband/api/problem"
	"github.com/outband/outband/dlp"
	"github.com/outband/outband/dlp/policy"
)

// profileBody is the definition of a profile as a body, with changes.
func profileBody(t *testing.T, changes map[string]any) string {
	t.Helper()
	body := map[string]any{
		"title": "Ours", "description": "", "detectors": []string{"financial.*"}, "except": []string{}, "groups": []any{}, "all_of": []string{},
		"min_confidence": 0.5, "min_matches": 2, "min_distinct": 0, "min_kinds": 0, "within": 0,
	}
	maps.Copy(body, changes)
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestProfilesAreMadeChangedAndRemoved(t *testing.T) {
	k := newKit(t, Configuration{})
	all, err := dlp.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	k.api.d.Detectors = k.detectors(k.deps.Vault, all)
	author, viewer := k.token(RoleAuthor), k.token(RoleViewer)
	const list, own, shipped = "/api/v1/profiles", "/api/v1/profiles/own", "/api/v1/profiles/pci"

	builtIn := k.do(viewer, "GET", shipped, "").want(200).object()
	if builtIn["source"] != "built-in" || builtIn["version"] != 0.0 || builtIn["selected"] != 2.0 || !strings.Contains(builtIn["yaml"].(string), "id: pci\n") {
		t.Errorf("the built-in profile is %v", builtIn)
	}
	if got := k.do(author, "POST", list+"/check", profileBody(t, map[string]any{"id": "own"})).want(200).object(); len(got["problems"].([]any)) != 0 || got["selected"].(float64) < 5 {
		t.Errorf("check: %v", got)
	}
	bad := profileBody(t, map[string]any{"id": "own", "detectors": []string{"financial.*", "card.*"}, "groups": []any{map[string]any{"id": "a", "detectors": []string{"nothing.*"}}}, "within": 7})
	checked := k.do(author, "POST", list+"/check", bad).want(200).object()["problems"].([]any)
	var places []string
	for _, p := range checked {
		places = append(places, p.(map[string]any)["location"].(string))
	}
	if want := []string{"body.detectors[1]", "body.groups[0].detectors[0]", "body.within"}; !slices.Equal(places, want) {
		t.Errorf("problems at %v, want %v", places, want)
	}
	k.do(author, "POST", list, bad).problem(422, problem.CodeProfile)
	k.do(author, "POST", list, profileBody(t, map[string]any{"id": "pci"})).problem(409, problem.CodeProfileChanged)
	made := k.do(author, "POST", list, profileBody(t, map[string]any{"id": "own"})).want(201).object()
	if made["source"] != "custom" || made["version"] != 1.0 || made["min_matches"] != 2.0 {
		t.Errorf("made %v", made)
	}
	k.do(author, "PUT", own, profileBody(t, map[string]any{"expected_version": 0})).problem(409, problem.CodeProfileChanged)
	changed := k.do(author, "PUT", own, profileBody(t, map[string]any{"expected_version": 1, "min_matches": 7})).want(200).object()
	if changed["version"] != 2.0 || changed["min_matches"] != 7.0 {
		t.Errorf("changed %v", changed)
	}
	k.do(author, "PUT", "/api/v1/profiles/none", profileBody(t, map[string]any{"expected_version": 0})).problem(404, problem.CodeNotFound)

	if got := k.do(author, "PUT", shipped, profileBody(t, map[string]any{"expected_version": 0})).want(200).object(); got["source"] != "changed" || got["version"] != 1.0 {
		t.Errorf("the changed copy is %v", got)
	}
	k.do(author, "DELETE", "/api/v1/profiles/pii?expected_version=1", "").problem(409, problem.CodeProfileUsed)
	k.do(author, "DELETE", shipped+"?expected_version=1", "").want(204)
	if got := k.do(viewer, "GET", shipped, "").want(200).object(); got["source"] != "built-in" || got["title"] != builtIn["title"] || got["version"] != 2.0 {
		t.Errorf("the built-in profile did not come back: %v", got)
	}
	k.do(author, "DELETE", own+"?expected_version=1", "").problem(409, problem.CodeProfileChanged)
	k.do(author, "DELETE", own+"?expected_version=2", "").want(204)
	k.do(viewer, "GET", own, "").problem(404, problem.CodeNotFound)
	if got := k.do(author, "POST", list, profileBody(t, map[string]any{"id": "own"})).want(201).object(); got["version"] != 4.0 {
		t.Errorf("one that was removed begins again at version %v", got["version"])
	}
	versions := k.do(viewer, "GET", own+"/versions", "").want(200).items()
	if len(versions) != 4 || versions[1].(map[string]any)["removed"] != true || !strings.Contains(versions[2].(map[string]any)["yaml"].(string), "min_matches: 7") {
		t.Errorf("versions are %v", versions)
	}
	audited := k.audited()
	for _, want := range []string{"profile.create own", "profile.update own", "profile.update pci", "profile.delete pci", "profile.delete own"} {
		if !slices.Contains(audited, want) {
			t.Errorf("%q is not in the audit log: %v", want, audited)
		}
	}
}

func TestAProfileThatPoliciesAskForStays(t *testing.T) {
	k := newKit(t, Configuration{})
	all, err := dlp.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	k.api.d.Detectors = k.detectors(k.deps.Vault, all)
	author := k.token(RoleAuthor)
	k.do(author, "POST", "/api/v1/profiles", profileBody(t, map[string]any{"id": "own"})).want(201)
	p, err := policy.Parse([]byte("id: custom.own\nversion: 1\ntitle: Own\nseverity: low\nguide: Look.\non: {items: [\"*\"]}\nwhen: profile(\"own\") || profile(\"pci\")\n" +
		"tests:\n  - {name: two cards, input: {matches: [{detector: financial.card, count: 2}]}, want: true}\n"))
	if err != nil {
		t.Fatal(err)
	}
	k.api.d.Policies = func(context.Context) ([]policy.Effective, error) {
		return []policy.Effective{{Policy: p, Severity: "low", Mode: policy.ModeOn, Profiles: map[string]string{"own": "x", "pci": "y"}}}, nil
	}
	k.do(author, "DELETE", "/api/v1/profiles/own?expected_version=1", "").problem(409, problem.CodeProfileUsed)
	// The other profile of the policy keeps its test green, until both ask for more.
	k.do(author, "PUT", "/api/v1/profiles/own", profileBody(t, map[string]any{"expected_version": 1, "min_matches": 3})).want(200)
	got := k.do(author, "PUT", "/api/v1/profiles/pci", profileBody(t, map[string]any{"expected_version": 0, "min_matches": 3})).problem(422, problem.CodeProfile)
	if text := string(got.body); !strings.Contains(text, `The test \"two cards\" of the policy custom.own would give false.`) {
		t.Errorf("the answer does not name the red test: %s", text)
	}
	used := k.do(author, "GET", "/api/v1/profiles/own", "").want(200).object()["used_by"].([]any)
	if len(used) != 1 || used[0] != "custom.own" {
		t.Errorf("used by %v", used)
	}
}
