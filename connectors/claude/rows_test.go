package claude

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/outband/outband/connectors"
)

func activity(t *testing.T, row string) connectors.Item {
	t.Helper()
	it, ok := activityRow([]byte(row))
	if !ok {
		t.Fatalf("not a row: %s", row)
	}
	return it
}

func TestEveryKindOfActorHasItsID(t *testing.T) {
	for actor, want := range map[string]connectors.Actor{
		`{"type":"user_actor","user_id":"u","email_address":"a@b.example","ip_address":"1","user_agent":"x"}`:        {ID: "u", Email: "a@b.example", Type: "user"},
		`{"type":"api_actor","api_key_id":"apikey_1"}`:                                                               {ID: "apikey_1", Type: "api_key"},
		`{"type":"admin_api_key_actor","admin_api_key_id":"admin_api_key_1"}`:                                        {ID: "admin_api_key_1", Type: "admin_api_key"},
		`{"type":"unauthenticated_user_actor","unauthenticated_email_address":"a@b.example"}`:                        {Email: "a@b.example", Type: "unauthenticated_user"},
		`{"type":"unauthenticated_user_actor"}`:                                                                      {Type: "unauthenticated_user"},
		`{"type":"anthropic_actor","email_address":null}`:                                                            {Type: "anthropic"},
		`{"type":"system_actor","service":"billing"}`:                                                                {ID: "billing", Type: "system"},
		`{"type":"system_actor","service":null}`:                                                                     {Type: "system"},
		`{"type":"service_account_actor","service_account_id":"svac_1"}`:                                             {ID: "svac_1", Type: "service_account"},
		`{"type":"scim_directory_sync_actor","directory_id":"d","workos_event_id":"e"}`:                              {ID: "d", Type: "scim_directory_sync"},
		`{"type":"federated_identity_actor","issuer":"i","subject":"s","audience":["a"]}`:                            {ID: "s", Type: "federated_identity"},
		`{"type":"federated_actor","provider":{"type":"aws","account_id":"1","signed_principal":"p"},"subject":"s"}`: {ID: "s", Type: "federated"},
		`{"type":"attested_device_actor","external_client_id":"c","kid_hash":"h"}`:                                   {ID: "c", Type: "attested_device"},
		`{"type":"robot_of_later_actor","robot_id":"r"}`:                                                             {Type: "robot_of_later"},
		`null`: {},
	} {
		it := activity(t, `{"id":"a","created_at":"2026-11-20T09:00:00Z","type":"x","actor":`+actor+`}`)
		if diff := cmp.Diff(want, it.Actor); diff != "" {
			t.Errorf("%s (-want +got):\n%s", actor, diff)
		}
		for field, value := range it.Activity.Fields {
			if value == want.ID && want.ID != "" || strings.Contains(value, "@") {
				t.Errorf("%s: the field %s holds who it was", actor, field)
			}
		}
	}
}

func TestActivitiesNameWhatTheyTouch(t *testing.T) {
	project := connectors.Ref{Kind: connectors.KindProject, ID: "P"}
	document := connectors.Ref{Kind: connectors.KindDocument, ID: "D"}
	for kind, want := range map[string][]connectors.Ref{
		"claude_project_created": {project}, "claude_project_file_uploaded": {project}, "claude_project_document_uploaded": {project},
		"claude_project_document_updated": {project, document}, "claude_project_sync_source_updated": {project},
		"claude_project_viewed": nil, "claude_project_document_deleted": nil, "claude_chat_created": nil, "a_type_of_later": nil,
	} {
		it := activity(t, `{"id":"a","type":"`+kind+`","claude_project_id":"P","claude_project_document_id":"D","claude_file_id":null}`)
		if diff := cmp.Diff(want, it.Activity.Touches); diff != "" {
			t.Errorf("%s (-want +got):\n%s", kind, diff)
		}
		if it.Activity.Call != nil {
			t.Errorf("%s is a call", kind)
		}
	}
}

func TestKeysAreComparedByWhatFollowsTheirPrefix(t *testing.T) {
	for id, want := range map[string]string{
		"apikey_01X": "01X", "admin_api_key_01X": "01X", "apikey_": "apikey_", "": "", "key_01X": "key_01X", "apikey_01_X": "01_X",
	} {
		if got := keyID(id); got != want {
			t.Errorf("keyID(%q) = %q, want %q", id, got, want)
		}
	}
	const row = `{"id":"a","type":"compliance_api_accessed","request_id":"req_1","actor":{"type":%q,"%s":%q,"user_agent":"Outband/1 (r.1.m)"}}`
	for _, tc := range []struct{ kind, field, id, want string }{
		{"api_actor", "api_key_id", "apikey_01X", "01X"},
		{"admin_api_key_actor", "admin_api_key_id", "admin_api_key_01X", "01X"},
		{"user_actor", "user_id", "user_01X", ""},
	} {
		it := activity(t, fmt.Sprintf(row, tc.kind, tc.field, tc.id))
		if diff := cmp.Diff(&connectors.Call{KeyID: tc.want, RequestID: "req_1", UserAgent: "Outband/1 (r.1.m)"}, it.Activity.Call); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.kind, diff)
		}
	}
}

func TestSavedInstructionsAreReadWhateverTheirFieldsAreCalled(t *testing.T) {
	for _, tc := range []struct{ name, row, want string }{
		{"two texts", `{"user_id":"u","email":"a@b.example","instructions":"Be brief.","cowork":{"global":["One.","Two."]}}`,
			"u cowork.global.0=One. cowork.global.1=Two. instructions=Be brief."},
		{"a nested user", `{"user":{"id":"u","email_address":"a@b.example","type":"user"},"object":"preference","text":"x","updated_at":"2026-11-20T09:00:00Z"}`, "u text=x"},
		{"an address in a text", `{"user_id":"u","x":"Mail a@b.example when done."}`, "u x=Mail a@b.example when done."},
		{"nothing set", `{"user_id":"u","instructions":null,"organization_uuid":"o"}`, "u"},
		{"a number and a bool", `{"user_id":"u","n":5,"b":true}`, "u"},
		{"no user", `{"instructions":"x"}`, ""},
		{"no object", `7`, ""},
		{"null", `null`, ""},
	} {
		got := ""
		r := preferencesRow([]string{"org"}, json.RawMessage(tc.row))
		for _, it := range r.items {
			got = strings.TrimPrefix(it.ID, preferencesPrefix)
			for _, p := range it.Parts {
				body, err := p.Open(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				b, err := io.ReadAll(body)
				if err != nil {
					t.Fatal(err)
				}
				got += " " + p.Path + "=" + string(b)
			}
		}
		if got != tc.want || (r.bad == 1) != (tc.want == "") {
			t.Errorf("%s: %q and %d bad rows, want %q", tc.name, got, r.bad, tc.want)
		}
	}
	// A member of two organisations has one text, in two rows that name their organisation.
	a := preferencesRow(nil, json.RawMessage(`{"user_id":"u","organization_uuid":"A","instructions":"x"}`)).items[0]
	b := preferencesRow(nil, json.RawMessage(`{"user_id":"u","organization_uuid":"B","instructions":"x"}`)).items[0]
	if a.ID != b.ID || a.Version != b.Version {
		t.Error("the same instructions in two organisations are two items")
	}
}

func TestTheVersionOfAPageToRead(t *testing.T) {
	for _, tc := range []struct{ name, row, path string }{
		{"the published one", `{"id":"cart_1","published_version_id":"1-a","versions":[{"id":"2-b","created_at":"2026-11-20T09:00:00Z"},{"id":"1-a"}]}`, "cart_1/versions/1-a"},
		{"one that was rotated out of the list", `{"id":"cart_1","published_version_id":"0-z","versions":[{"id":"1-a"}],"updated_at":"2026-11-19T08:00:00Z"}`, "cart_1/versions/0-z"},
		{"the newest", `{"id":"cart_1","versions":[{"id":"1","created_at":"2026-11-19T09:00:00Z"},{"id":"2","created_at":"2026-11-20T09:00:00"},{"id":"3","created_at":null}]}`, "cart_1/versions/2"},
		{"one with a slash", `{"id":"cart_1","published_version_id":"a/../b"}`, "cart_1/versions/a%2F..%2Fb"},
		{"Claude Docs", `{"id":"cart_1","artifact_type":"claude_docs"}`, "cart_1/content"},
		{"none", `{"id":"cart_1","versions":[]}`, ""},
	} {
		it, ok := codeArtifactRow([]byte(tc.row))
		if !ok {
			t.Fatal(tc.name)
		}
		asked := ""
		client := memory{download: func(path string) (*connectors.Download, error) {
			asked = strings.TrimPrefix(path, root+"apps/code/artifacts/")
			return &connectors.Download{Body: io.NopCloser(strings.NewReader(""))}, nil
		}}
		src := open(client).(*source)
		for p, err := range src.Fetch(t.Context(), it) {
			if err != nil || (p.Skipped == "no_version") != (tc.path == "") {
				t.Fatalf("%s: skipped %q, err %v", tc.name, p.Skipped, err)
			}
			if p.Child == nil {
				continue
			}
			p.Child.File = nil // As when nothing but its id was kept.
			for content, err := range src.Fetch(t.Context(), *p.Child) {
				if err != nil {
					t.Fatal(err)
				}
				if _, err := content.Open(t.Context()); err != nil {
					t.Fatal(err)
				}
				if content.Resource != p.Resource {
					t.Errorf("%s: its content is of %v, and its part of %v", tc.name, content.Resource, p.Resource)
				}
			}
		}
		if asked != tc.path {
			t.Errorf("%s: asked for %q, want %q", tc.name, asked, tc.path)
		}
	}
	for _, id := range []string{"code/artifacts/a", "code/artifacts//content", "code/artifacts/a/versions/", "code/artifacts/a/b/c", "code/artifacts/a/versions/b/c", "code/artifacts/a/versions/%2", "code/artifacts/a/versions/;%3B"} {
		if _, _, ok := pageOf(id); ok {
			t.Errorf("%q names a page", id)
		}
	}
}

func TestSavedInstructionsCanBeReadApart(t *testing.T) {
	client := memory{json: func(path string, query url.Values) (string, error) {
		switch {
		case strings.HasSuffix(path, "organizations"):
			return `{"data":[{"uuid":"A"},{"uuid":"B"}]}`, nil
		case strings.Contains(path, "/A/"):
			return `{"data":[],"next_page":null}`, nil
		case query.Get("page") == "":
			return `{"data":[{"user_id":"u","instructions":"not these"}],"next_page":"2"}`, nil
		}
		return `{"data":[{"user_id":"v","instructions":"these"}]}`, nil
	}}
	s := open(client).(*source)
	got, err := texts(t, s, connectors.Item{Kind: connectors.KindDocument, ID: preferencesPrefix + "v"})
	if err != nil || strings.Join(got, "|") != "instructions these" {
		t.Errorf("got %q, err %v", got, err)
	}
	if _, err := texts(t, s, connectors.Item{Kind: connectors.KindDocument, ID: preferencesPrefix + "w"}); !errors.Is(err, connectors.ErrGone) {
		t.Errorf("of nobody: err = %v, want kind Gone", err)
	}
}

func TestLocalSessionsAreListedByChangeAndTheirHistoryByCreation(t *testing.T) {
	for _, history := range []bool{false, true} {
		var got url.Values
		client := memory{json: func(_ string, query url.Values) (string, error) { got = query; return `{"data":[]}`, nil }}
		slice := connectors.Slice{From: noon, To: noon.Add(day), History: history}
		if _, err := open(client).Read(t.Context(), streamLocal, slice.Cursor()); err != nil {
			t.Fatal(err)
		}
		want := url.Values{"limit": {"100"}, "updated_at.gte": {"2026-11-20T12:00:00Z"}}
		if history {
			want = url.Values{"limit": {"100"}, "created_at.gte": {"2026-11-20T12:00:00Z"}, "created_at.lt": {"2026-11-21T12:00:00Z"}}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("history %t (-want +got):\n%s", history, diff)
		}
	}
}

func TestRecordsSayTheSameInOneSpelling(t *testing.T) {
	row := func(at, email string) connectors.Item {
		r := userRecord([]string{"O"}, json.RawMessage(`{"id":"u","email":"`+email+`","organization_role":"owner","created_at":"`+at+`"}`))
		return r.items[0]
	}
	a, b := row("2026-03-12T18:22:41.5", "a@Acme.Example"), row("2026-03-12T19:22:41.500000+01:00", "a@Acme.Example")
	if diff := cmp.Diff(a, b); diff != "" {
		t.Errorf("two spellings of a time (-want +got):\n%s", diff)
	}
	want := map[string]any{"organization": "O", "user_id": "u", "role": "owner", "email_domain": "acme.example", "created_at": "2026-03-12T18:22:41.5Z"}
	if diff := cmp.Diff(want, a.Record.Fields); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
	if _, err := time.Parse(time.RFC3339, a.Record.Fields["created_at"].(string)); err != nil {
		t.Error(err)
	}
}
