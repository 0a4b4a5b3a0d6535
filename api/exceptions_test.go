package api

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/outband/outband/api/problem"
	"github.com/outband/outband/dlp/policy"
)

// in is a time ahead as requests have it.
func (k *kit) in(d time.Duration) string { return k.clock.now().Add(d).Format(time.RFC3339) }

const exceptionsPath = "/api/v1/exceptions"

func TestExceptionLife(t *testing.T) {
	k := newKit(t, Configuration{})
	u, author := k.person(RoleAuthor, "")
	auditor := k.token(RoleAuditor)
	connection := k.connect(k.token(RoleAdmin))
	found := k.find(connection, 2)
	instance := k.do(author, "GET", "/api/v1/findings/"+found[0], "").want(200).object()["instances"].([]any)[0].(map[string]any)["id"].(string)

	made := k.do(author, "POST", exceptionsPath, fmt.Sprintf(`{"policy_id":"content.example","connection_id":%q,"resource_kind":"chat","resource_id":"chat-0","actor":"ANA@example.com","detector":"secret.*","instance_id":%q,"reason":"A test key.","expires_at":%q}`,
		connection, instance, k.in(48*time.Hour))).want(201)
	id := made.text("id")
	for field, want := range map[string]string{
		"policy_id": "content.example", "whole_policy": "false", "connection_id": connection, "resource_id": "chat-0", "detector": "secret.*", "value": "ab*****", "owner.id": u.ID, "owner.name": u.Name,
		"state": "active", "expires_soon": "true", "created_by": u.ID, "suppressed": "0", "accepted": "0", "reason": "A test key.",
	} {
		if got := made.text(field); got != want {
			t.Errorf("%s is %q, want %q", field, got, want)
		}
	}
	if people := made.object()["people"].([]any); len(people) != 1 || people[0].(map[string]any)["email"] != "ana@example.com" {
		t.Errorf("people are %v", people)
	}
	if !k.runner.told("policies", "") {
		t.Error("the scans were not told")
	}
	if got := k.do(author, "GET", "/api/v1/findings/"+found[0], "").want(200).text("status"); got != "open" {
		t.Errorf("a finding under it is %s, want open as before", got)
	}

	whole := k.do(author, "POST", exceptionsPath, `{"policy_id":"activity.example","whole_policy":true,"reason":"Not used here.","expires_at":"`+k.in(20*24*time.Hour)+`"}`).want(201).text("id")
	list := k.do(auditor, "GET", exceptionsPath, "").want(200)
	if got := ids(list.items()); !slices.Equal(got, []string{id, whole}) {
		t.Errorf("exceptions are %v, want the one that expires first at the beginning", got)
	}
	if got := fmt.Sprint(list.object()["counts"]); got != "map[active:2 expired:0 expiring_soon:1 revoked:0]" {
		t.Errorf("counts are %s", got)
	}
	for query, want := range map[string][]string{
		"?expires_within=30d": {id, whole}, "?expires_within=72h": {id}, "?state=active": {id, whole}, "?state=expired": {}, "?state=expired,revoked": {}, "?policy_id=activity.example": {whole}, "?connection_id=" + connection: {id},
		"?limit=1": {id},
	} {
		if got := ids(k.do(auditor, "GET", exceptionsPath+query, "").want(200).items()); !slices.Equal(got, want) {
			t.Errorf("%s gives %v, want %v", query, got, want)
		}
	}
	next := k.do(auditor, "GET", exceptionsPath+"?limit=1", "").want(200).text("next_cursor")
	if got := ids(k.do(auditor, "GET", exceptionsPath+"?limit=1&cursor="+next, "").want(200).items()); !slices.Equal(got, []string{whole}) {
		t.Errorf("the second page is %v", got)
	}
	k.do(auditor, "GET", exceptionsPath+"?expires_within=soon", "").problem(422, problem.CodeQuery)
	k.do(auditor, "GET", exceptionsPath+"?state=paused", "").problem(422, problem.CodeQuery)

	k.clock.add(49 * time.Hour)
	author, auditor = k.session(RoleAuthor), k.token(RoleAuditor)
	if got := k.do(auditor, "GET", exceptionsPath+"/"+id, "").want(200); got.text("state") != "expired" || got.text("expires_soon") != "false" {
		t.Errorf("after its end it is %s", got.body)
	}
	if got := k.do(author, "PATCH", exceptionsPath+"/"+id, `{"expires_at":"`+k.in(time.Hour)+`","reason":"Still a test key."}`).want(200); got.text("state") != "active" || got.text("reason") != "Still a test key." || got.text("owner.id") != u.ID {
		t.Errorf("extended is %s", got.body)
	}
	for _, body := range []string{`{"expires_at":"` + k.in(367*24*time.Hour) + `"}`, `{"expires_at":"` + k.in(-time.Hour) + `"}`, `{"owner":"usr_none"}`, `{"policy_id":"activity.example"}`} {
		k.do(author, "PATCH", exceptionsPath+"/"+id, body).problem(422, problem.CodeInput)
	}
	if got := k.do(author, "POST", exceptionsPath+"/"+id+"/revoke", "").want(200); got.text("state") != "revoked" || !strings.HasPrefix(got.text("revoked_by"), "usr_") {
		t.Errorf("revoked is %s", got.body)
	}
	k.do(author, "POST", exceptionsPath+"/"+id+"/revoke", "").problem(409, problem.CodeRevoked)
	k.do(author, "PATCH", exceptionsPath+"/"+id, `{"expires_at":"`+k.in(time.Hour)+`"}`).problem(409, problem.CodeRevoked)
	k.do(author, "PATCH", exceptionsPath+"/exc_none", `{}`).problem(404, problem.CodeNotFound)
	for _, action := range []string{"exception.create", "exception.update", "exception.revoke"} {
		if !slices.Contains(k.audited(), action+" "+id) {
			t.Errorf("%s is not in the audit log", action)
		}
	}
}

func TestExceptionInputs(t *testing.T) {
	k := newKit(t, Configuration{})
	author, service := k.session(RoleAuthor), k.token(RoleAuthor)
	connection := k.connect(k.token(RoleAdmin))
	k.find(connection, 1)
	for _, tc := range []struct{ name, more, location string }{
		{"nothing narrows it", ``, "body.whole_policy"},
		{"narrowed and for the whole policy", `"whole_policy":true,"detector":"secret.*"`, "body.whole_policy"},
		{"a resource of no connection", `"resource_kind":"chat"`, "body.connection_id"},
		{"a resource without its kind", `"connection_id":"` + connection + `","resource_id":"chat-0"`, "body.resource_kind"},
		{"a connection that is not there", `"connection_id":"con_none"`, "body.connection_id"},
		{"a person whom nobody met", `"actor":"nobody@example.com"`, "body.actor"},
		{"a person of another connection", `"actor":"ana@example.com","connection_id":"con_none"`, "body.connection_id"},
		{"a glob that names no detector", `"detector":"health.*"`, "body.detector"},
		{"two globs", `"detector":"secret.* card.*"`, "body.detector"},
		{"a broken glob", `"detector":"[secret"`, "body.detector"},
		{"an instance that is not there", `"instance_id":"ins_none"`, "body.instance_id"},
		{"no such policy", `"policy_id":"content.none","whole_policy":true`, "body.policy_id"},
		{"a blank reason", `"reason":"    ","whole_policy":true`, "body.reason"},
		{"an end in the past", `"expires_at":"` + k.in(-time.Second) + `","whole_policy":true`, "body.expires_at"},
		{"an end in two years", `"expires_at":"` + k.in(2*365*24*time.Hour) + `","whole_policy":true`, "body.expires_at"},
		{"an owner who is none", `"owner":"usr_none","whole_policy":true`, "body.owner"},
	} {
		k.run(tc.name, func(t *testing.T) {
			fields := map[string]string{"policy_id": `"content.example"`, "reason": `"A test."`, "expires_at": `"` + k.in(time.Hour) + `"`}
			for field, value := range fields {
				if !strings.Contains(tc.more, `"`+field+`"`) {
					tc.more += `,"` + field + `":` + value
				}
			}
			r := k.do(author, "POST", exceptionsPath, "{"+strings.TrimPrefix(tc.more, ",")+"}").problem(422, problem.CodeInput)
			if got := r.object()["errors"].([]any)[0].(map[string]any)["location"]; got != tc.location {
				t.Errorf("error at %v, want %s: %s", got, tc.location, r.body)
			}
		})
	}
	for name, body := range map[string]string{"no reason": `"expires_at":"` + k.in(time.Hour) + `"`, "no end": `"reason":"A test."`} {
		k.run(name, func(*testing.T) {
			k.do(author, "POST", exceptionsPath, `{"policy_id":"content.example","whole_policy":true,`+body+`}`).problem(422, problem.CodeInput)
		})
	}
	whole := `{"policy_id":"content.example","whole_policy":true,"reason":"A test.","expires_at":"` + k.in(time.Hour) + `"`
	k.do(service, "POST", exceptionsPath, whole+`}`).problem(422, problem.CodeInput) // A token answers for nothing.
	u, _ := k.person(RoleAnalyst, "")
	if got := k.do(service, "POST", exceptionsPath, whole+`,"owner":"`+u.ID+`"}`).want(201); got.text("owner.id") != u.ID {
		t.Errorf("made for another is %s", got.body)
	}

	ours, err := k.policies(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i := range ours {
		p := *ours[i].Policy
		p.Locked = true
		ours[i] = policy.Effective{Policy: &p, Severity: p.Severity, Mode: p.Mode}
	}
	k.api.d.Policies = func(context.Context) ([]policy.Effective, error) { return ours, nil }
	k.do(author, "POST", exceptionsPath, whole+`}`).problem(409, problem.CodeLocked)
}

func TestAnExceptionAcceptsWhatIsOpen(t *testing.T) {
	k := newKit(t, Configuration{})
	author := k.session(RoleAuthor)
	connection := k.connect(k.token(RoleAdmin))
	found := k.find(connection, 3)
	k.do(author, "PATCH", "/api/v1/findings/"+found[1], `{"status":"resolved"}`).want(200)
	instance := k.do(author, "GET", "/api/v1/findings/"+found[2], "").want(200).object()["instances"].([]any)[0].(map[string]any)["id"].(string)
	create := func(scope string, accepted string) string {
		t.Helper()
		made := k.do(author, "POST", exceptionsPath, `{"policy_id":"content.example",`+scope+`,"reason":"A test.","apply_to_open":true,"expires_at":"`+k.in(time.Hour)+`"}`).want(201)
		if got := made.text("accepted"); got != accepted {
			t.Errorf("%s accepts %s, want %s", scope, got, accepted)
		}
		return made.text("id")
	}
	status := func(i int, want string) {
		t.Helper()
		if got := k.do(author, "GET", "/api/v1/findings/"+found[i], "").want(200).text("status"); got != want {
			t.Errorf("finding %d is %s, want %s", i, got, want)
		}
	}
	create(`"instance_id":"`+instance+`"`, "0") // The finding has another value too.
	create(`"detector":"card.*"`, "0")
	status(2, "open")
	create(`"connection_id":"`+connection+`","resource_kind":"chat","resource_id":"chat-2","detector":"secret.*"`, "1")
	status(2, "accepted_risk")
	status(0, "open")
	id := create(`"actor":"ana@example.com"`, "1")
	status(0, "accepted_risk")
	status(1, "resolved")
	history := k.do(author, "GET", "/api/v1/findings/"+found[0]+"/history", "").want(200).items()
	if last := history[len(history)-1].(map[string]any); last["reason"] != "exception "+id {
		t.Errorf("the history ends with %v", last)
	}
}
