package api

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/outband/outband/api/problem"
	"github.com/outband/outband/findings/deliver"
	"github.com/outband/outband/internal/store"
)

func TestDestinationLife(t *testing.T) {
	k := newKit(t, Configuration{})
	admin := k.token(RoleAdmin)
	found := k.find(k.connect(admin), 2)
	made := k.do(admin, "POST", "/api/v1/destinations", `{"name":"SIEM","kind":"webhook","config":{"url":"https://siem.example.com/hook","format":"native","auth":"standard_webhooks"},"secrets":{"signing_key":"`+canarySigning+`"},"filter":"severity:high"}`).want(201)
	id := made.text("id")
	if _, shown := made.object()["signing_key"]; shown || !k.runner.told("destination", id) {
		t.Errorf("destination is %s; the runner was told %v", made.body, k.runner.calls)
	}
	sealed, err := store.GetCredential(t.Context(), k.db.Read(), id, deliver.FieldSigningKey)
	if err != nil {
		t.Fatal(err)
	}
	if v, err := k.deps.Vault.Unseal(sealed, id, deliver.FieldSigningKey); err != nil || v.Reveal() != canarySigning {
		t.Errorf("the sealed key does not open: %v", err)
	}
	if got := k.do(admin, "PATCH", "/api/v1/destinations/"+id, `{"name":"Other","filter":"","state":"disabled"}`).want(200); got.text("name") != "Other" || got.text("state") != "disabled" || got.text("filter") != "" {
		t.Errorf("changed is %s", got.body)
	}
	if got := k.do(admin, "POST", "/api/v1/destinations/"+id+"/replay", `{"since_seq":0}`).want(200); got.text("queued") != "2" {
		t.Errorf("replay is %s for %d findings", got.body, len(found))
	}
	k.do(admin, "POST", "/api/v1/destinations/"+id+"/replay", `{}`).problem(422, problem.CodeInput)
	k.do(admin, "POST", "/api/v1/destinations/dst_none/replay", `{"parked":true}`).problem(404, problem.CodeNotFound)
	if got := k.do(admin, "GET", "/api/v1/destinations/"+id+"/deliveries?state=parked", "").want(200).items(); len(got) != 0 {
		t.Errorf("deliveries are %v", got)
	}
	k.do(admin, "GET", "/api/v1/destinations/"+id+"/deliveries?cursor=bm9uZQ", "").problem(400, problem.CodeCursor)

	k.clock.add(time.Second)
	auto := k.do(admin, "POST", "/api/v1/destinations", `{"name":"Made","config":{"url":"https://siem.example.com/2"}}`).want(201)
	if !strings.HasPrefix(auto.text("signing_key"), "whsec_") {
		t.Errorf("no key was made: %s", auto.body)
	}
	list := k.do(admin, "GET", "/api/v1/destinations", "").want(200)
	if got := ids(list.items()); !slices.Equal(got, []string{id, auto.text("id")}) || strings.Contains(string(list.body), auto.text("signing_key")) {
		t.Errorf("destinations are %s", list.body)
	}
	k.do(admin, "DELETE", "/api/v1/destinations/"+id, "").want(204)
	k.do(admin, "GET", "/api/v1/destinations/"+id, "").problem(404, problem.CodeNotFound)
	if !k.runner.told("destination-removed", id) {
		t.Error("the runner was not told of the removal")
	}
	for _, action := range []string{"destination.create", "destination.update", "destination.replay", "destination.delete"} {
		if !slices.Contains(k.audited(), action+" "+id) {
			t.Errorf("%s is not in the audit log", action)
		}
	}
	k.runner.down["destination"] = true
	k.do(admin, "POST", "/api/v1/destinations", `{"name":"Lost","config":{"url":"https://siem.example.com/3"}}`).problem(http.StatusServiceUnavailable, problem.CodeEngine)
	if got := k.do(admin, "GET", "/api/v1/destinations", "").want(200).items(); len(got) != 1 {
		t.Errorf("destinations are %v, want one", got)
	}
}

func TestDestinationInputs(t *testing.T) {
	k := newKit(t, Configuration{})
	admin := k.token(RoleAdmin)
	for _, tc := range []struct{ name, body, location string }{
		{"an address that may not be called", `{"name":"d","config":{"url":"https://10.0.0.8"}}`, "body.config.url"},
		{"a filter with an unknown field", `{"name":"d","config":{"url":"https://siem.example.com"},"filter":"colour:red"}`, "body.filter"},
		{"a key that is none", `{"name":"d","config":{"url":"https://siem.example.com"},"secrets":{"signing_key":"` + canaryKey + `"}}`, "body.secrets.signing_key"},
		{"another kind", `{"name":"d","kind":"syslog","config":{"url":"https://siem.example.com"}}`, "body.kind"},
		{"no address", `{"name":"d","config":{}}`, "body.config"},
	} {
		k.run(tc.name, func(t *testing.T) {
			r := k.do(admin, "POST", "/api/v1/destinations", tc.body).problem(422, problem.CodeInput)
			if got := r.object()["errors"].([]any)[0].(map[string]any)["location"]; got != tc.location {
				t.Errorf("error at %v, want %s", got, tc.location)
			}
		})
	}
}

func TestDestinationIsTested(t *testing.T) {
	k := newKit(t, Configuration{})
	admin := k.token(RoleAdmin)
	const unsaved = `{"config":{"url":"https://siem.example.com"},"secrets":{"signing_key":"` + canarySigning + `"}}`
	if got := k.do(admin, "POST", "/api/v1/destinations/test", unsaved).want(200); got.text("ok") != "true" || got.text("status") != "204" {
		t.Errorf("test is %s", got.body)
	}
	id := k.do(admin, "POST", "/api/v1/destinations", `{"name":"d",`+unsaved[1:]).want(201).text("id")
	if got := k.do(admin, "POST", "/api/v1/destinations/test", `{"id":"`+id+`","config":{"url":"https://siem.example.com"}}`).want(200); got.text("ok") != "true" {
		t.Errorf("test with the stored key is %s", got.body)
	}
	k.do(admin, "POST", "/api/v1/destinations/test", `{"id":"dst_none","config":{"url":"https://siem.example.com"}}`).problem(404, problem.CodeNotFound)
	k.hookErr = errors.New("no route")
	if got := k.do(admin, "POST", "/api/v1/destinations/test", unsaved).want(200); got.text("ok") != "false" || got.text("message") == "" {
		t.Errorf("test is %s", got.body)
	}
}

func TestPolicyIsOverridden(t *testing.T) {
	k := newKit(t, Configuration{})
	author := k.token(RoleAuthor)
	const path = "/api/v1/policies/content.example"
	if got := k.do(author, "PATCH", path, `{"severity":"low","mode":"shadow"}`).want(200); got.text("severity") != "low" || got.text("mode") != "shadow" || got.text("default_severity") != "high" {
		t.Errorf("policy is %s", got.body)
	}
	if got := k.do(author, "PATCH", path, `{"severity":null}`).want(200); got.text("severity") != "high" || got.text("mode") != "shadow" {
		t.Errorf("policy is %s, want its own severity and the mode of before", got.body)
	}
	k.do(author, "PATCH", path, `{"severity":"terrible"}`).problem(422, problem.CodeInput)
	k.do(author, "PATCH", "/api/v1/policies/none", `{"mode":"off"}`).problem(404, problem.CodeNotFound)
	if !k.runner.told("policies", "") || !slices.Contains(k.audited(), "policy.override content.example") {
		t.Error("nobody was told, or it is not in the audit log")
	}
	if got := ids(k.do(author, "GET", "/api/v1/policies", "").want(200).items()); !slices.Equal(got, []string{"activity.example", "content.example"}) {
		t.Errorf("policies are %v", got)
	}
	if got := ids(k.do(author, "GET", "/api/v1/detectors?limit=1", "").want(200).items()); !slices.Equal(got, []string{"card.example"}) {
		t.Errorf("detectors are %v", got)
	}
}

func TestTokensAndTheAuditLog(t *testing.T) {
	k := newKit(t, Configuration{})
	admin := k.token(RoleAdmin)
	made := k.do(admin, "POST", "/api/v1/tokens", `{"name":"CI","role":"viewer"}`).want(201)
	if got := made.text("expires_at"); got != "2026-06-08T12:00:00.000Z" {
		t.Errorf("expires_at is %s, want in 90 days", got)
	}
	if got := k.do(admin, "POST", "/api/v1/tokens", `{"name":"forever","role":"service","expires_at":null}`).want(201); got.object()["expires_at"] != nil {
		t.Errorf("token is %s, want one that never expires", got.body)
	}
	k.do(admin, "POST", "/api/v1/tokens", `{"name":"past","role":"viewer","expires_at":"2020-01-01T00:00:00Z"}`).problem(422, problem.CodeInput)
	text := made.text("token")
	k.do(text, "GET", "/api/v1/connections", "").want(200)
	list := k.do(admin, "GET", "/api/v1/tokens", "").want(200)
	if len(list.items()) != 3 || strings.Contains(string(list.body), text) {
		t.Errorf("tokens are %s", list.body)
	}
	k.do(admin, "DELETE", "/api/v1/tokens/"+made.text("id"), "").want(204)
	k.do(admin, "DELETE", "/api/v1/tokens/"+made.text("id"), "").problem(404, problem.CodeNotFound)
	k.do(text, "GET", "/api/v1/connections", "").problem(401, problem.CodeUnauthenticated)

	auditor := k.token(RoleAuditor)
	var rows []string
	for next := ""; ; {
		r := k.do(auditor, "GET", "/api/v1/audit?limit=2&cursor="+next, "").want(200)
		for _, x := range r.items() {
			rows = append(rows, x.(map[string]any)["action"].(string))
		}
		if next = r.text("next_cursor"); next == "" {
			break
		}
	}
	if diff := cmp.Diff([]string{"token.revoke", "token.create", "token.create", "keys.create"}, rows); diff != "" {
		t.Errorf("audit, newest first (-want +got):\n%s", diff)
	}
}

func TestSystemNamesEveryHostThatIsCalled(t *testing.T) {
	k := newKit(t, Configuration{})
	admin := k.token(RoleAdmin)
	con := k.connect(admin)
	dst := k.do(admin, "POST", "/api/v1/destinations", `{"name":"d","config":{"url":"https://siem.example.com:8088/hook?token=`+canaryKey+`"}}`).want(201).text("id")
	got := k.do(k.token(RoleViewer), "GET", "/api/v1/system", "").want(200)
	want := map[string]any{
		"hosts": []any{map[string]any{"host": "api.example.com", "for": con}, map[string]any{"host": "siem.example.com:8088", "for": dst}}, "allow": []any{"127.0.0.0/8"},
	}
	if diff := cmp.Diff(want, got.object()["egress"]); diff != "" {
		t.Errorf("egress (-want +got):\n%s", diff)
	}
}

// TestCanary pushes secrets through every operation that takes one, the ones that fail too, and looks for them in every answer, the log and the
// database.
func TestCanary(t *testing.T) {
	k := newKit(t, Configuration{})
	admin := k.token(RoleAdmin)
	con := k.connect(admin)
	k.do(admin, "POST", "/api/v1/connections", `{"connector":"acme","secrets":{"api_key":"`+canaryKey+`"}}`).want(409)
	for _, body := range []string{
		`{"connector":"acme","secrets":{"api_key":["` + canaryKey + `"]}}`, `{"connector":"acme","secrets":"` + canaryKey + `"}`, `{"connector":"acme","secrets":{"` + canaryKey + `":"x"}}`,
		`{"connector":"` + canaryKey + `","secrets":{}}`, `{"` + canaryKey + `":1,"connector":"acme","secrets":{}}`, `{"connector":"acme","secrets":{"api_key":"` + canaryKey + `"}`,
		`{"connector":"acme","secrets":{"api_key":"` + canaryKey + `"},"config":{"` + canaryKey + `":"` + canaryKey + `"}}`, `{"connector":"acme","secrets":{"api_key":"` + canaryKey + ` ` + canaryKey + `"}}`,
		`{"connector":"acme","secrets":{"api_key":"` + canaryKey + `"},"schedule":{"every":"` + canaryKey + `"}}`, `{"connector":"acme","secrets":{"api_key":"x"},"backfill_from":"` + canaryKey + `"}`,
	} {
		for _, path := range []string{"/api/v1/connections", "/api/v1/connections/test", "/api/v1/connections/backfill/estimate"} {
			if r := k.do(admin, "POST", path, body); r.status < 400 {
				t.Errorf("POST %s %s: status %d", path, body, r.status)
			}
		}
	}
	k.do(admin, "PATCH", "/api/v1/connections/"+con, `{"secrets":{"api_key":"`+canaryKey+`"}}`).want(200)
	k.do(admin, "POST", "/api/v1/connections/test", `{"connector":"acme","secrets":{"api_key":"`+canaryKey+`"}}`).want(200)
	k.do(admin, "POST", "/api/v1/connections/backfill/estimate", `{"connector":"acme","secrets":{"api_key":"`+canaryKey+`"}}`).want(200)
	dst := k.do(admin, "POST", "/api/v1/destinations", `{"name":"d","config":{"url":"https://siem.example.com"},"secrets":{"signing_key":"`+canarySigning+`"}}`).want(201).text("id")
	k.do(admin, "PATCH", "/api/v1/destinations/"+dst, `{"secrets":{"signing_key":"`+canarySigning+`"}}`).want(200)
	k.do(admin, "PATCH", "/api/v1/destinations/"+dst, `{"secrets":{"signing_key":"`+canarySigning+`!"}}`).problem(422, problem.CodeInput)
	k.do(admin, "POST", "/api/v1/destinations/test", `{"config":{"url":"https://siem.example.com"},"secrets":{"signing_key":"`+canarySigning+`"}}`).want(200)
	k.tester.err = fmt.Errorf("a bug that quotes nothing")
	k.do(admin, "POST", "/api/v1/connections/test", `{"connector":"acme","secrets":{"api_key":"`+canaryKey+`"}}`).want(500)
	for path, item := range k.doc.Paths.Map() {
		if item.Get != nil && !strings.Contains(path, "{id}") {
			k.do(admin, "GET", path+"?"+canaryKey+"="+canaryKey, "").problem(422, problem.CodeQuery)
			if strings.HasPrefix(path, "/api/v1/records") {
				path += "?connection_id=" + con + "&kind=user&id=" + canaryKey
				if item.Get.OperationID != "list-record-history" {
					path = strings.Split(path, "&")[0]
				}
			}
			if strings.HasSuffix(path, "/calendar") {
				path += "?connection_id=" + con
			}
			k.do(admin, "GET", path, "").want(200)
		}
	}
	k.do(admin, "GET", "/api/v1/connections/"+canaryKey, "").want(404)

	files, err := filepath.Glob(filepath.Join(filepath.Dir(k.dbPath), "*"))
	if err != nil {
		t.Fatal(err)
	}
	places := map[string]string{"an answer": k.bodies.String(), "the log": k.logs.String()}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		places[filepath.Base(f)] = string(b)
	}
	for place, text := range places {
		for _, canary := range []string{canaryKey, strings.TrimPrefix(canarySigning, "whsec_")} {
			if i := strings.Index(text, canary); i >= 0 {
				t.Errorf("%s holds a secret: …%q", place, text[max(0, i-80):i])
			}
		}
	}
	if len(files) < 2 {
		t.Errorf("only %d files were searched", len(files))
	}
}
