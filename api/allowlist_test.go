package api

import (
	"slices"
	"testing"

	"github.com/outband/outband/api/problem"
	"github.com/outband/outband/dlp"
)

func TestAllowlistIsShownAndSwitched(t *testing.T) {
	k := newKit(t, Configuration{})
	author, viewer := k.token(RoleAuthor), k.token(RoleViewer)
	k.api.d.Detectors = k.detectors(k.deps.Vault, []dlp.Detector{{ID: "secret.example", Title: "Example key", Allow: []string{"exk_example"}}, {ID: "card.example", Title: "Example card"}})
	shipped, err := dlp.TestData()
	if err != nil {
		t.Fatal(err)
	}
	got := k.do(viewer, "GET", "/api/v1/allowlist", "").want(200)
	groups := map[string]map[string]any{}
	for _, g := range got.items() {
		groups[g.(map[string]any)["id"].(string)] = g.(map[string]any)
	}
	for _, g := range shipped {
		if shown := groups[g.ID]; shown["mode"] != g.Mode || len(shown["values"].([]any)) != len(g.Values) || len(shown["references"].([]any)) != len(g.References) {
			t.Errorf("group %s is shown as %v", g.ID, shown)
		}
	}
	if own := got.object()["detectors"].([]any); len(own) != 1 || own[0].(map[string]any)["detector_id"] != "secret.example" {
		t.Errorf("what detectors leave out is %v", own)
	}
	const path = "/api/v1/allowlist/payment_cards"
	if got := k.do(author, "PATCH", path, `{"mode":"off"}`).want(200); got.text("mode") != "off" || got.text("default_mode") != "on" {
		t.Errorf("switched off is %s", got.body)
	}
	if !slices.Contains(k.audited(), "allowlist.override payment_cards") {
		t.Error("the change is not in the audit log")
	}
	if got := k.do(author, "PATCH", path, `{"mode":null}`).want(200); got.text("mode") != "on" {
		t.Errorf("as shipped is %s", got.body)
	}
	k.do(author, "PATCH", path, `{"mode":"shadow"}`).problem(422, problem.CodeInput)
	k.do(author, "PATCH", path, `{}`).problem(422, problem.CodeInput)
	k.do(viewer, "PATCH", path, `{"mode":"off"}`).problem(403, problem.CodeForbidden)
	k.do(author, "PATCH", "/api/v1/allowlist/none", `{"mode":"off"}`).problem(404, problem.CodeNotFound)
}
