package claude

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/outband/outband/connectors"
	"github.com/outband/outband/internal/safehttp"
	"github.com/outband/outband/internal/secret"
)

const (
	exampleKey = "sk-ant-api01-EXAMPLE-not-a-key"
	adminKey   = "sk-ant-admin01-EXAMPLE-not-a-key"
	org        = "3f0c2a6e-7d41-4b8a-9c55-1e2f3a4b5c6d"
)

// answer is what the test's server says to a path below v1/compliance/.
type answer struct {
	status int
	body   string
}

func fails(status int, kind, message string) answer {
	return answer{status, fmt.Sprintf(`{"type":"error","error":{"type":%q,"message":%q},"request_id":"req_01Example"}`, kind, message)}
}

// dial makes a source for a server whose answer to every path is the map's, or that of "*".
func dial(t *testing.T, key string, answers map[string]answer) *source {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a, ok := answers[strings.TrimPrefix(r.URL.Path, "/"+root)]
		if !ok {
			a = answers["*"]
		}
		if a.status == 0 {
			a = fails(404, "not_found_error", "Not found")
		}
		w.Header().Set("Content-Type", "application/json")
		if strings.HasPrefix(a.body, "<") {
			w.Header().Set("Content-Type", "text/html")
		}
		if a.status == 200 {
			w.Header().Set("Anthropic-Organization-Id", "org-of-the-header")
		}
		w.WriteHeader(a.status)
		fmt.Fprint(w, a.body)
	}))
	t.Cleanup(server.Close)
	m, err := connectors.ParseManifest(manifest)
	if err != nil {
		t.Fatal(err)
	}
	doer := safehttp.New(safehttp.Config{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, RetryWaitMin: time.Millisecond, RetryWaitMax: time.Millisecond})
	t.Cleanup(doer.HTTP().CloseIdleConnections)
	client, err := connectors.NewClient(connectors.Options{
		Manifest: m, Secret: secret.NewValue(key), Config: map[string]string{"base_url": server.URL}, Doer: doer, Limiter: connectors.NewLimiter(1000), MapError: mapError,
	})
	if err != nil {
		t.Fatal(err)
	}
	return open(client).(*source)
}

const (
	noScope = "Missing required scopes. Got: ['read:compliance_activities', 'write:members'] Needed one of: ['read:compliance_user_data', 'read:org_audit']"
	noOrg   = "Missing required scopes. Got: ['read:compliance_activities'] Needed one of: ['read:compliance_org_data', 'read:org_audit']"
	noFeed  = "Missing required scopes. Got: [] Needed one of: ['read:compliance_activities', 'read:org_audit']"
)

// Streams that a kind of key can read.
var (
	feedStreams = []string{"activities", "api_calls"}
	userStreams = []string{"chats", "projects", "local_sessions", "remote_sessions", "code_artifacts", "project_sharing"}
	allStreams  = []string{"chats", "activities", "api_calls", "projects", "local_sessions", "remote_sessions", "code_artifacts", "user_preferences", "organizations", "users", "roles", "groups", "project_sharing"}
)

const settingsPath = "organizations/" + org + "/settings"

func TestTheTestSaysWhatToDo(t *testing.T) {
	feed := answer{200, `{"data":[{"id":"a","organization_uuid":null,"created_at":"2026-03-01T08:00:00Z"}],"has_more":false}`}
	chats := answer{200, `{"data":[{"id":"c","organization_uuid":"` + org + `"}],"has_more":false}`}
	orgs := answer{200, `{"data":[{"uuid":"` + org + `","name":"Acme Example"},{"uuid":"org-2","name":"Second"},{}],"has_more":false}`}
	me := answer{200, `{"id":"` + org + `","name":"Acme Console","type":"organization"}`}
	list := answer{200, `{"data":[],"has_more":false}`}
	keys := func(rows ...string) answer {
		return answer{200, `{"settings":[],"api_keys":[` + strings.Join(rows, ",") + `]}`}
	}
	const (
		audit   = `{"id":"apikey_1","is_active":true,"scopes":["read:org_audit"]}`
		deletes = `{"id":"apikey_2","is_active":true,"scopes":["read:org_audit","delete:compliance_user_data","read:compliance_org_settings"]}`
		feedKey = `{"id":"apikey_3","is_active":true,"scopes":["read:compliance_activities","write:members"]}`
		off     = `{"id":"apikey_4","is_active":false,"scopes":["read:org_audit"]}`
	)
	since := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	both := []string{org, "org-2"}
	for _, tc := range []struct {
		name    string
		key     string
		answers map[string]answer
		steps   string // "name state code" of each
		account connectors.Account
		kind    connectors.Kind
	}{
		{"all is well", exampleKey, map[string]answer{"activities": feed, "organizations": orgs, "apps/chats": chats},
			"key ok, connect ok, auth ok, activities ok, organizations ok, chats ok, settings warning OB-2027",
			connectors.Account{ID: org, Name: "Acme Example", KeyKind: "compliance", Streams: allStreams, Organizations: both, Since: since}, ""},
		{"settings too", exampleKey, map[string]answer{"activities": feed, "organizations": orgs, "apps/chats": chats, settingsPath: keys(audit, feedKey)},
			"key ok, connect ok, auth ok, activities ok, organizations ok, chats ok, settings ok",
			connectors.Account{ID: org, Name: "Acme Example", KeyKind: "compliance", Streams: slices.Insert(slices.Clone(allStreams), 12, "settings"), Organizations: both, Since: since}, ""},
		{"a key that may delete", exampleKey, map[string]answer{"activities": feed, "organizations": orgs, "apps/chats": chats, settingsPath: keys(deletes, feedKey, off)},
			"key ok, connect ok, auth ok, activities ok, organizations ok, chats ok, settings ok",
			connectors.Account{ID: org, Name: "Acme Example", KeyKind: "compliance", Streams: slices.Insert(slices.Clone(allStreams), 12, "settings"), Organizations: both, Since: since,
				SurplusScopes: []string{"delete:compliance_user_data"}}, ""},
		{"two keys of which either can be this one", exampleKey, map[string]answer{"activities": feed, "organizations": orgs, "apps/chats": chats, settingsPath: keys(audit, deletes)},
			"key ok, connect ok, auth ok, activities ok, organizations ok, chats ok, settings ok",
			connectors.Account{ID: org, Name: "Acme Example", KeyKind: "compliance", Streams: slices.Insert(slices.Clone(allStreams), 12, "settings"), Organizations: both, Since: since}, ""},
		{"a wrong key", exampleKey, map[string]answer{"*": fails(401, "authentication_error", "API key is invalid.")},
			"key ok, connect ok, auth failed OB-2003", connectors.Account{KeyKind: "compliance"}, connectors.KindAuth},
		{"a deactivated key", exampleKey, map[string]answer{"*": fails(401, "authentication_error", "API key has been deactivated.")},
			"key ok, connect ok, auth failed OB-2004", connectors.Account{KeyKind: "compliance"}, connectors.KindAuth},
		{"an expired key", exampleKey, map[string]answer{"*": fails(401, "authentication_error", "API key has expired.")},
			"key ok, connect ok, auth failed OB-2005", connectors.Account{KeyKind: "compliance"}, connectors.KindAuth},
		{"a key of the wrong kind", "sk-ant-api03-EXAMPLE-not-a-key", map[string]answer{"*": fails(404, "not_found_error", "Not found")},
			"key warning OB-2006, connect ok, auth failed OB-2006", connectors.Account{KeyKind: "api"}, connectors.KindAuth},
		{"something that is no key", "EXAMPLE", map[string]answer{"*": fails(404, "not_found_error", "Not found")},
			"key warning OB-2026, connect ok, auth failed OB-2006", connectors.Account{}, connectors.KindAuth},
		{"a key of a new form that works", "EXAMPLE", map[string]answer{"activities": feed, "organizations": orgs, "apps/chats": chats},
			"key warning OB-2026, connect ok, auth ok, activities ok, organizations ok, chats ok, settings warning OB-2027",
			connectors.Account{ID: org, Name: "Acme Example", KeyKind: "compliance", Streams: allStreams, Organizations: both, Since: since}, ""},
		{"an admin key", adminKey, map[string]answer{"activities": feed, "/v1/organizations/me": me, "/v1/organizations/users": list, "/v1/organizations/api_keys": list},
			"key ok, connect ok, auth ok, organization ok, activities ok, members ok, api_keys ok",
			connectors.Account{ID: org, Name: "Acme Console", KeyKind: "admin", Streams: []string{"activities", "api_calls", "admin_members", "admin_invites", "admin_workspaces", "admin_api_keys"},
				Organizations: []string{org}, Since: since}, ""},
		{"an admin key from before the API was switched on", adminKey, map[string]answer{"/v1/organizations/me": me, "/v1/organizations/users": list, "/v1/organizations/api_keys": list},
			"key ok, connect ok, auth ok, organization ok, activities warning OB-2006, members ok, api_keys ok",
			connectors.Account{ID: org, Name: "Acme Console", KeyKind: "admin", Streams: []string{"admin_members", "admin_invites", "admin_workspaces", "admin_api_keys"}, Organizations: []string{org}}, ""},
		{"an admin key that is refused", adminKey, map[string]answer{"*": fails(404, "not_found_error", "Not found")},
			"key ok, connect ok, auth failed OB-2006", connectors.Account{KeyKind: "admin"}, connectors.KindAuth},
		{"a key without the feed", exampleKey, map[string]answer{"activities": fails(403, "permission_error", noFeed), "organizations": orgs, "apps/chats": chats},
			"key ok, connect ok, auth ok, activities warning OB-2007, organizations ok, chats ok, settings warning OB-2027",
			connectors.Account{ID: org, Name: "Acme Example", KeyKind: "compliance", Streams: slices.DeleteFunc(slices.Clone(allStreams), func(s string) bool { return slices.Contains(feedStreams, s) }),
				MissingScopes: []string{"read:compliance_activities"}, Organizations: both}, ""},
		{"a key for the feed, with more than it needs", exampleKey, map[string]answer{"activities": feed, "organizations": fails(403, "permission_error", noOrg), "apps/chats": fails(401, "permission_error", noScope)},
			"key ok, connect ok, auth ok, activities ok, organizations warning OB-2007, chats warning OB-2007",
			connectors.Account{ID: "org-of-the-header", KeyKind: "compliance", Streams: feedStreams, MissingScopes: []string{"read:compliance_org_data", "read:compliance_user_data"},
				SurplusScopes: []string{"write:members"}, Since: since}, ""},
		{"a key for chats only", exampleKey, map[string]answer{"activities": fails(403, "permission_error", noFeed), "organizations": fails(403, "permission_error", noOrg), "apps/chats": chats},
			"key ok, connect ok, auth ok, activities warning OB-2007, organizations warning OB-2007, chats ok",
			connectors.Account{ID: "org-of-the-header", KeyKind: "compliance", Streams: userStreams, MissingScopes: []string{"read:compliance_activities", "read:compliance_org_data"},
				Organizations: []string{org}}, ""},
		{"a key without any scope", exampleKey, map[string]answer{"activities": fails(403, "permission_error", noFeed), "organizations": fails(403, "permission_error", noOrg), "apps/chats": fails(401, "permission_error", noScope)},
			"key ok, connect ok, auth ok, activities warning OB-2007, organizations warning OB-2007, chats warning OB-2007",
			connectors.Account{KeyKind: "compliance", MissingScopes: []string{"read:compliance_activities", "read:compliance_org_data", "read:compliance_user_data"}}, connectors.KindForbidden},
		{"the API switched off", exampleKey, map[string]answer{"*": fails(400, "invalid_request_error", "Compliance API is not enabled for this organization")},
			"key ok, connect ok, auth failed OB-2008", connectors.Account{KeyKind: "compliance"}, connectors.KindDisabled},
		{"a base URL of a web site", exampleKey, map[string]answer{"*": {200, "<html>hello</html>"}},
			"key ok, connect ok, auth failed OB-2010", connectors.Account{KeyKind: "compliance"}, connectors.KindConfig},
		{"a base URL that is not found", exampleKey, map[string]answer{"*": {404, "<html>not here</html>"}},
			"key ok, connect ok, auth failed OB-2010", connectors.Account{KeyKind: "compliance"}, connectors.KindConfig},
		{"a base URL of another API", exampleKey, map[string]answer{"*": {404, `{"detail":"Not Found"}`}},
			"key ok, connect ok, auth failed OB-2010", connectors.Account{KeyKind: "compliance"}, connectors.KindConfig},
		{"an outage", exampleKey, map[string]answer{"*": {502, "<html>bad gateway</html>"}},
			"key ok, connect ok, auth failed OB-2014", connectors.Account{KeyKind: "compliance"}, connectors.KindTransient},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var steps []string
			account, err := dial(t, tc.key, tc.answers).Test(t.Context(), func(s connectors.Step) {
				steps = append(steps, strings.TrimSpace(s.Name+" "+s.State+" "+s.Code))
				if s.Title == "" || s.MS < 0 || s.Message == "" || strings.Contains(s.Message, tc.key) && tc.key != "EXAMPLE" {
					t.Errorf("step %s has the title %q and the message %q", s.Name, s.Title, s.Message)
				}
			})
			if diff := cmp.Diff(tc.steps, strings.Join(steps, ", ")); diff != "" {
				t.Errorf("steps (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.account, account); diff != "" {
				t.Errorf("account (-want +got):\n%s", diff)
			}
			if (err == nil) != (tc.kind == "") || (err != nil && connectors.KindOf(err) != tc.kind) {
				t.Errorf("err = %v, want kind %q", err, tc.kind)
			}
		})
	}
}

func TestMapError(t *testing.T) {
	for _, tc := range []struct {
		name    string
		status  int
		kind    string
		message string
		want    connectors.Kind
	}{
		{"a bad cursor of chats", 400, "invalid_request_error", "Invalid pagination cursor for 'after_id'", connectors.KindCursorExpired},
		{"a bad cursor of the feed", 400, "invalid_request_error", "Invalid activity_id format: 'x'", connectors.KindCursorExpired},
		{"an organisation outside of the key", 403, "permission_error", "Organization x is outside this API key's scope", connectors.KindForbidden},
		{"a chat that is gone", 404, "not_found_error", "Chat not found.", ""},
		{"an unknown parameter", 400, "invalid_request_error", "Unknown query parameter: 'foo'.", ""},
		{"a tenant without local sessions", 404, "not_found_error", "Local sessions are not available.", connectors.KindUnavailable},
		{"a local session that is gone", 404, "not_found_error", "Local session not found.", ""},
		{"a page token that expired", 400, "invalid_request_error", "page: this page cursor has expired", connectors.KindCursorExpired},
		{"a page token of another list", 400, "invalid_request_error", "page: not a valid cursor", connectors.KindCursorExpired},
		{"content that comes soon", 503, "overloaded_error", "Captured content is being read. Try again shortly.", ""},
		{"content that does not come soon", 503, "overloaded_error", "Captured content cannot be read. Try again later.", connectors.KindTransient},
		{"a project with chats", 409, "conflict_error", "Project x has chats", connectors.KindMalformed},
		{"the old text of a missing scope", 401, "authentication_error", "Missing required scopes. Got: ['a:b'] Needed: ['read:c']", connectors.KindForbidden},
		{"the old text of a chat that is gone", 404, "not_found_error", "Chat claude_chat_01Example not found.", ""},
		{"the settings without a key", 401, "authentication_error", "API key is invalid.", connectors.KindAuth},
		{"too many requests", 429, "rate_limit_error", "", ""},
		{"overloaded", 529, "overloaded_error", "", ""},
	} {
		got := mapError(connectors.Reply{Status: tc.status, JSON: true, Type: tc.kind, Message: tc.message})
		if (got == nil) != (tc.want == "") || (got != nil && got.Kind != tc.want) {
			t.Errorf("%s: got %+v, want %q", tc.name, got, tc.want)
		}
	}
	e := missingScope("Missing required scopes. Got: ['x'] Needed: ['delete:compliance_user_data', '<b>Evil</b>']")
	if diff := cmp.Diff([]string{"delete:compliance_user_data"}, e.Missing); diff != "" {
		t.Errorf("missing scopes (-want +got):\n%s", diff)
	}
	e = missingScope("Missing required scopes. Got: ['read:org_audit', 'delete:compliance_user_data'] Needed one of: ['x:y']")
	if diff := cmp.Diff([]string{"read:org_audit", "delete:compliance_user_data"}, e.Scopes); diff != "" {
		t.Errorf("scopes that the key has (-want +got):\n%s", diff)
	}
	if later := mapError(connectors.Reply{Status: 503, JSON: true, Message: "Try again later."}); later.RetryAfter != time.Hour {
		t.Errorf("content that does not come soon waits %v", later.RetryAfter)
	}
	if !errors.Is(e, connectors.ErrForbidden) || strings.Contains(e.Error(), "Evil") {
		t.Errorf("error = %v", e)
	}
}
