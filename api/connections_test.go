package api

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/outband/outband/api/problem"
	"github.com/outband/outband/connectors"
	"github.com/outband/outband/internal/store"
)

func TestConnectorIsRenderedAsAForm(t *testing.T) {
	k := newKit(t, Configuration{})
	c := k.do(k.token(RoleViewer), "GET", "/api/v1/connectors", "").want(200).items()[0].(map[string]any)
	config := c["config"].(map[string]any)
	if diff := cmp.Diff([]any{"base_url", "requests_per_minute", "verbose"}, config["x-order"]); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
	rpm := config["properties"].(map[string]any)["requests_per_minute"].(map[string]any)
	if rpm["type"] != "integer" || rpm["default"] != 100.0 || rpm["maximum"] != 100000.0 {
		t.Errorf("requests_per_minute is %v", rpm)
	}
	key := c["credentials"].(map[string]any)["properties"].(map[string]any)["api_key"].(map[string]any)
	if key["writeOnly"] != true {
		t.Errorf("api_key is %v, want writeOnly", key)
	}
}

func TestConnectionLife(t *testing.T) {
	k := newKit(t, Configuration{})
	admin := k.token(RoleAdmin)
	made := k.do(admin, "POST", "/api/v1/connections", `{"connector":"acme","secrets":{"api_key":" `+canaryKey+`\n"},"config":{"base_url":"https://api.example.com/","requests_per_minute":60000}}`).want(201)
	id := made.text("id")
	if k.tester.key != canaryKey || k.tester.config["requests_per_minute"] != "60000" {
		t.Errorf("tested with a key of %d bytes and %v", len(k.tester.key), k.tester.config)
	}
	got := made.object()
	if last := got["last_scan"].(map[string]any); last["connection_id"] != id || last["state"] != "queued" || last["cause"] != "first" {
		t.Errorf("the last scan is %v, want the first one", last)
	}
	for _, volatile := range []string{"id", "created_at", "updated_at", "last_scan"} {
		delete(got, volatile)
	}
	want := map[string]any{
		"name": "Acme (Example Org)", "connector": "acme", "account": map[string]any{"id": "org-1", "name": "Example Org", "key_kind": "compliance"},
		"config":   map[string]any{"base_url": "https://api.example.com", "requests_per_minute": 60000.0},
		"schedule": map[string]any{"every": "1m"}, "backfill_from": "2026-02-08T12:00:00.000Z", "backfill_paused": false, "state": "active", "state_code": "", "state_message": "",
		"secrets": map[string]any{"api_key": map[string]any{"set": true, "rotated_at": "2026-03-10T12:00:00.000Z"}},
		"key": map[string]any{
			"missing_scopes": []any{}, "surplus_scopes": []any{}, "streams": []any{"chats", "activities"}, "organizations": []any{}, "since": nil, "tested_at": "2026-03-10T12:00:00.000Z",
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("connection (-want +got):\n%s", diff)
	}
	if !k.runner.told("saved", id) || !k.runner.told("scan", id) {
		t.Errorf("the runner was told %v", k.runner.calls)
	}
	scans := k.do(admin, "GET", "/api/v1/scans?connection_id="+id, "").want(200).items()
	if len(scans) != 1 || scans[0].(map[string]any)["cause"] != "first" {
		t.Errorf("scans are %v, want the first", scans)
	}

	// The key is sealed, bound to this connection.
	sealed, err := store.GetCredential(t.Context(), k.db.Read(), id, "api_key")
	if err != nil || strings.Contains(sealed, canaryKey) {
		t.Fatalf("credential: %v", err)
	}
	if v, err := k.deps.Vault.Unseal(sealed, id, "api_key"); err != nil || v.Reveal() != canaryKey {
		t.Errorf("the sealed key does not open: %v", err)
	}

	k.do(admin, "POST", "/api/v1/connections", `{"connector":"acme","secrets":{"api_key":"`+canaryKey+`"}}`).problem(409, problem.CodeConnected)

	k.clock.add(time.Second)
	patched := k.do(admin, "PATCH", "/api/v1/connections/"+id, `{"name":"Mine","schedule":{"every":"1h"},"config":{"requests_per_minute":null,"verbose":true}}`).want(200)
	if patched.text("name") != "Mine" || patched.text("schedule.every") != "1h" || patched.text("config.requests_per_minute") != "100" || patched.text("config.verbose") != "true" {
		t.Errorf("patched is %s", patched.body)
	}
	if k.tester.key != canaryKey {
		t.Error("new settings were not tested with the stored key")
	}
	k.do(admin, "PATCH", "/api/v1/connections/"+id, `{"secrets":{"api_key":"example-next-key"}}`).want(200)
	if k.tester.key != "example-next-key" {
		t.Error("the new key was not tested")
	}

	if got := k.do(admin, "POST", "/api/v1/connections/"+id+"/scan", "").want(202); got.text("connection_id") != id || got.text("state") != "queued" {
		t.Errorf("scan is %s", got.body)
	}
	if got := k.do(admin, "POST", "/api/v1/connections/"+id+"/pause", "").want(200); got.text("state") != "paused" || !k.runner.told("pause", id) {
		t.Errorf("paused is %s", got.body)
	}
	k.do(admin, "POST", "/api/v1/connections/"+id+"/scan", "").problem(409, problem.CodePaused)
	if got := k.do(admin, "POST", "/api/v1/connections/"+id+"/resume", "").want(200); got.text("state") != "active" || !k.runner.told("resume", id) {
		t.Errorf("resumed is %s", got.body)
	}

	k.do(admin, "DELETE", "/api/v1/connections/"+id, "").want(204)
	k.do(admin, "GET", "/api/v1/connections/"+id, "").problem(404, problem.CodeNotFound)
	if _, err := store.GetCredential(t.Context(), k.db.Read(), id, "api_key"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the key of a deleted connection: %v, want ErrNotFound", err)
	}
	if !k.runner.told("removed", id) {
		t.Error("the runner was not told of the removal")
	}
	if again := k.connect(admin); again != id {
		t.Errorf("connected again as %s, want %s", again, id)
	}
	for _, action := range []string{"connection.create", "connection.update", "connection.scan", "connection.pause", "connection.resume", "connection.delete"} {
		if !slices.Contains(k.audited(), action+" "+id) {
			t.Errorf("%s is not in the audit log", action)
		}
	}
	if _, _, err := store.VerifyAudit(t.Context(), k.db.Read()); err != nil {
		t.Error(err)
	}
}

func TestConnectionInputs(t *testing.T) {
	k := newKit(t, Configuration{})
	admin := k.token(RoleAdmin)
	for _, tc := range []struct{ name, body, location string }{
		{"an unknown connector", `{"connector":"other","secrets":{}}`, "body.connector"},
		{"no key", `{"connector":"acme","secrets":{}}`, "body.secrets.api_key"},
		{"a key that is too long", `{"connector":"acme","secrets":{"api_key":"` + strings.Repeat("k", 201) + `"}}`, "body.secrets.api_key"},
		{"a key with a space", `{"connector":"acme","secrets":{"api_key":"a b"}}`, "body.secrets.api_key"},
		{"an unknown secret", `{"connector":"acme","secrets":{"api_key":"k","` + canaryKey + `":"x"}}`, "body.secrets.?"},
		{"an unknown setting", `{"connector":"acme","secrets":{"api_key":"k"},"config":{"colour":"red"}}`, "body.config.colour"},
		{"a setting out of bounds", `{"connector":"acme","secrets":{"api_key":"k"},"config":{"requests_per_minute":0}}`, "body.config.requests_per_minute"},
		{"a setting that is an object", `{"connector":"acme","secrets":{"api_key":"k"},"config":{"base_url":{}}}`, "body.config.base_url"},
		{"an address that may not be called", `{"connector":"acme","secrets":{"api_key":"k"},"config":{"base_url":"https://10.0.0.8"}}`, "body.config.base_url"},
		{"an address with a password", `{"connector":"acme","secrets":{"api_key":"k"},"config":{"base_url":"https://u:` + canaryKey + `@api.example.com"}}`, "body.config.base_url"},
		{"a schedule that is too short", `{"connector":"acme","secrets":{"api_key":"k"},"schedule":{"every":"59s"}}`, "body.schedule.every"},
		{"a schedule that is too long", `{"connector":"acme","secrets":{"api_key":"k"},"schedule":{"every":"25h"}}`, "body.schedule.every"},
		{"history from the future", `{"connector":"acme","secrets":{"api_key":"k"},"backfill_from":"2030-01-01T00:00:00Z"}`, "body.backfill_from"},
		{"history from no time", `{"connector":"acme","secrets":{"api_key":"k"},"backfill_from":"long ago"}`, "body.backfill_from"},
		{"a name with a line end", `{"connector":"acme","secrets":{"api_key":"k"},"name":"a\nb"}`, "body.name"},
	} {
		k.run(tc.name, func(t *testing.T) {
			r := k.do(admin, "POST", "/api/v1/connections", tc.body).problem(422, problem.CodeInput)
			if got := r.object()["errors"].([]any)[0].(map[string]any)["location"]; got != tc.location {
				t.Errorf("error at %v, want %s", got, tc.location)
			}
		})
	}
	if got := k.do(admin, "POST", "/api/v1/connections", `{"connector":"acme","secrets":{"api_key":"k"},"backfill_from":null,"name":"Mine"}`).want(201); got.object()["backfill_from"] != nil || got.text("name") != "Mine" {
		t.Errorf("connection is %s, want no history and its name", got.body)
	}
}

func TestFailedTestSavesNothingAndSaysWhatToDo(t *testing.T) {
	k := newKit(t, Configuration{})
	admin := k.token(RoleAdmin)
	const body = `{"connector":"acme","secrets":{"api_key":"` + canaryKey + `"}}`
	k.tester.err = &connectors.Error{Kind: connectors.KindAuth, Code: connectors.CodeKeyRefused, Status: 401, Message: "Acme refused the key. Make a new key."}
	if got := k.do(admin, "POST", "/api/v1/connections", body).problem(422, connectors.CodeKeyRefused); got.text("detail") != "Acme refused the key. Make a new key." {
		t.Errorf("detail is %s", got.text("detail"))
	}
	tested := k.do(admin, "POST", "/api/v1/connections/test", body).want(200)
	if steps := tested.object()["steps"].([]any); tested.text("ok") != "false" || len(steps) != 2 || steps[1].(map[string]any)["code"] != connectors.CodeKeyRefused {
		t.Errorf("test is %s", tested.body)
	}
	if got := k.do(admin, "GET", "/api/v1/connections", "").want(200).items(); len(got) != 0 {
		t.Errorf("connections are %v, want none", got)
	}
	k.tester.err = nil
	tested = k.do(admin, "POST", "/api/v1/connections/test", body).want(200)
	if tested.text("ok") != "true" || tested.text("account.id") != "org-1" {
		t.Errorf("test is %s", tested.body)
	}
	k.tester.err = errors.New("bug")
	k.do(admin, "POST", "/api/v1/connections", body).problem(500, problem.CodeInternal)
}

func TestKeyOfAnotherOrganisationIsRefused(t *testing.T) {
	k := newKit(t, Configuration{})
	admin := k.token(RoleAdmin)
	id := k.connect(admin)
	k.tester.account.ID = "org-2"
	k.do(admin, "PATCH", "/api/v1/connections/"+id, `{"secrets":{"api_key":"example-other-key"}}`).problem(409, problem.CodeOtherAccount)
	sealed, err := store.GetCredential(t.Context(), k.db.Read(), id, "api_key")
	if err != nil {
		t.Fatal(err)
	}
	if v, err := k.deps.Vault.Unseal(sealed, id, "api_key"); err != nil || v.Reveal() != canaryKey {
		t.Error("the stored key was replaced")
	}
	// Nothing names the organisation: the key stands for it, so two keys are two connections and one key is one.
	k.tester.account.ID = ""
	k.do(admin, "POST", "/api/v1/connections", `{"connector":"acme","secrets":{"api_key":"example-key-a"}}`).want(201)
	k.do(admin, "POST", "/api/v1/connections", `{"connector":"acme","secrets":{"api_key":"example-key-b"}}`).want(201)
	k.do(admin, "POST", "/api/v1/connections", `{"connector":"acme","secrets":{"api_key":"example-key-a"}}`).problem(409, problem.CodeConnected)
}

func TestEngineThatDoesNotAnswer(t *testing.T) {
	k := newKit(t, Configuration{})
	admin := k.token(RoleAdmin)
	k.runner.down["saved"] = true
	k.do(admin, "POST", "/api/v1/connections", `{"connector":"acme","secrets":{"api_key":"k"}}`).problem(http.StatusServiceUnavailable, problem.CodeEngine)
	if got := k.do(admin, "GET", "/api/v1/connections", "").want(200).items(); len(got) != 0 {
		t.Errorf("connections are %v, want none", got)
	}
	delete(k.runner.down, "saved")
	id := k.connect(admin)
	k.runner.down["pause"], k.runner.down["scan"], k.runner.down["removed"] = true, true, true
	// A queued scan waits for the next run; a pause is answered as not done.
	k.do(admin, "POST", "/api/v1/connections/"+id+"/scan", "").want(202)
	k.do(admin, "POST", "/api/v1/connections/"+id+"/pause", "").problem(http.StatusServiceUnavailable, problem.CodeEngine)
	k.do(admin, "DELETE", "/api/v1/connections/"+id, "").want(204)
}

func TestNewKeyEndsTheNeedForAttention(t *testing.T) {
	k := newKit(t, Configuration{})
	admin := k.token(RoleAdmin)
	id := k.connect(admin)
	k.write(func(tx *store.Tx) error {
		return store.SetConnectionState(t.Context(), tx, id, store.ConnectionNeedsAttention, connectors.CodeKeyRefused, "Acme refused the key.")
	})
	if got := k.do(admin, "POST", "/api/v1/connections/"+id+"/resume", "").want(200); got.text("state") != "needs_attention" {
		t.Errorf("resume made it %s", got.text("state"))
	}
	if got := k.do(admin, "PATCH", "/api/v1/connections/"+id, `{"secrets":{"api_key":"example-next-key"}}`).want(200); got.text("state") != "active" || got.text("state_code") != "" {
		t.Errorf("connection is %s", got.body)
	}
}

func TestRotationKeepsTheOldKeyUntilTheNewOnePassed(t *testing.T) {
	k := newKit(t, Configuration{})
	admin := k.token(RoleAdmin)
	id := k.connect(admin)
	path := "/api/v1/connections/" + id
	stored := func() string {
		t.Helper()
		sealed, err := store.GetCredential(t.Context(), k.db.Read(), id, "api_key")
		if err != nil {
			t.Fatal(err)
		}
		v, err := k.deps.Vault.Unseal(sealed, id, "api_key")
		if err != nil {
			t.Fatal(err)
		}
		return v.Reveal()
	}
	first := k.do(admin, "GET", path, "").want(200).text("secrets.api_key.rotated_at")
	k.clock.add(time.Minute)
	k.tester.err = &connectors.Error{Kind: connectors.KindAuth, Code: connectors.CodeKeyRefused, Status: 401, Message: "Acme refused the key. Make a new key."}
	k.do(admin, "PATCH", path, `{"name":"Other","secrets":{"api_key":"example-next-key"}}`).problem(422, connectors.CodeKeyRefused)
	if got := k.do(admin, "GET", path, "").want(200); got.text("secrets.api_key.rotated_at") != first || got.text("name") == "Other" || stored() != canaryKey {
		t.Errorf("a key that failed its test changed something: %s", got.body)
	}
	k.tester.err = nil
	got := k.do(admin, "PATCH", path, `{"secrets":{"api_key":"example-next-key"}}`).want(200)
	if got.text("secrets.api_key.rotated_at") != "2026-03-10T12:01:00.000Z" || got.text("secrets.api_key.set") != "true" || stored() != "example-next-key" {
		t.Errorf("rotated is %s", got.body)
	}
	if strings.Contains(string(got.body), "example-next-key") {
		t.Error("the key is in the answer")
	}
}

func TestConnectionsShowTheirNewestScan(t *testing.T) {
	k := newKit(t, Configuration{})
	admin := k.token(RoleAdmin)
	id := k.connect(admin)
	var want string
	for range 2 {
		k.clock.add(time.Second)
		k.write(func(tx *store.Tx) error {
			s, err := store.ClaimScan(t.Context(), tx, id, "w", "r")
			if err != nil {
				return err
			}
			want = s.ID
			return store.FinishScan(t.Context(), tx, s.ID, store.ScanPartial, "OB-2007", "A scope is missing.")
		})
	}
	got := k.do(k.token(RoleViewer), "GET", "/api/v1/connections", "").want(200).items()[0].(map[string]any)["last_scan"].(map[string]any)
	if got["id"] != want || got["state"] != "partial" || got["error_code"] != "OB-2007" {
		t.Errorf("the last scan is %v, want %s", got, want)
	}
	k.write(func(tx *store.Tx) error {
		_, err := tx.ExecContext(t.Context(), `DELETE FROM scans`)
		return err
	})
	if one := k.do(admin, "GET", "/api/v1/connections/"+id, "").want(200); one.object()["last_scan"] != nil {
		t.Errorf("connection is %s, want no scan", one.body)
	}
}

func TestHowOftenNewContentIsLookedFor(t *testing.T) {
	m := &connectors.Manifest{Limits: connectors.Limits{RequestsPerMinute: 300}, Streams: []connectors.Stream{{}, {}, {}, {Every: connectors.Duration(time.Hour)}}}
	for rate, want := range map[string]time.Duration{"": time.Minute, "30": time.Minute, "29": 5 * time.Minute} {
		if got := usualEvery(m, map[string]string{connectors.ConfigRequestsPerMinute: rate}); got != want {
			t.Errorf("at %q calls a minute: %v, want %v", rate, got, want)
		}
	}
}
