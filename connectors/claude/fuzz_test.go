package claude

import (
	"errors"
	"io"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/outband/outband/connectors"
)

// answers is a Client that gives one body to every call, also as a file.
func answers(body string) memory {
	return memory{
		json: func(string, url.Values) (string, error) { return body, nil },
		download: func(string) (*connectors.Download, error) {
			return &connectors.Download{Body: io.NopCloser(strings.NewReader(body)), MIME: "application/json"}, nil
		},
	}
}

// wellFormed wants of an error that it is one that the framework can act on.
func wellFormed(t *testing.T, err error) {
	t.Helper()
	var e *connectors.Error
	if !errors.As(err, &e) || e.Message == "" {
		t.Errorf("err = %v", err)
	}
}

// FuzzRead gives any reply to the first and the second call of any stream.
func FuzzRead(f *testing.F) {
	for _, stream := range parsed().Streams {
		f.Add(stream.ID, `{"data":[{"id":"x","uuid":"u","user_id":"v","type":"t","action":"a","updated_at":"2026-11-20T09:16:20Z"}],"has_more":true,"next_page":"p","last_id":"l"}`, `{"data":[]}`)
		f.Add(stream.ID, `{"data":[{"id":"x","uuid":"u"},{},7,null],"settings":[{"name":"n","value":null}],"api_keys":[{"id":"k","scopes":["s"]}]}`, `{"settings":[{"name":"n","value":{"a":[1e400]}}]}`)
	}
	f.Add("chats", `{"data":[{"id":"c","updated_at":"2026-11-20T09:16:20Z","user":null}],"has_more":true,"last_id":"x"}`, "")
	f.Add("chats", `{"data":[{"id":"c","updated_at":"x","deleted_at":"y","href":"https://a/b"},{},7]}`, "")
	f.Add("activities", `{"data":[{"id":"a","actor":{"type":"user_actor"},"x":[{"y":1e400}]}],"has_more":false,"last_id":null}`, "")
	f.Add("activities", `{"data":[{"id":"a","actor":[],"x":[[[[[[[[[[[1]]]]]]]]]]]}]}`, "")
	f.Add("admin_api_keys", `{"data":[{"ending_at":"2026-11-20T00:00:00Z","results":[{"api_key_id":"apikey_1"}]},{"ending_at":"0001-01-01T00:00:00Z"}]}`, `{"data":[{"id":"apikey_1","created_at":"9999-12-31T00:00:00Z"}]}`)
	f.Add("code_artifacts", `{"data":[{"id":"c","versions":[{"id":"/","created_at":"x"}],"artifact_type":"claude_docs"}],"next_page":""}`, "")
	f.Fuzz(func(t *testing.T, stream, first, second string) {
		body := first
		client := memory{json: func(string, url.Values) (string, error) { return body, nil }}
		after := connectors.Cursor("")
		for range 3 {
			page, err := open(client).Read(t.Context(), stream, after)
			if err != nil {
				wellFormed(t, err)
				return
			}
			if page.More && (page.Next == "" || page.Next == after) {
				t.Error("there is more and the cursor does not advance")
			}
			for _, item := range page.Items {
				if item.ID == "" || item.Kind == "" || item.Resource.Kind == "" || item.Version == "" {
					t.Errorf("item = %+v", item)
				}
				if (item.Kind == connectors.KindRecord) && (item.Record == nil || item.Record.ID != item.ID || item.Record.Scope == "") {
					t.Errorf("record = %+v", item.Record)
				}
				for _, p := range item.Parts {
					if p.Path == "" || p.Open == nil {
						t.Errorf("part = %+v", p)
					}
				}
			}
			if !page.More {
				return
			}
			after, body = page.Next, second
		}
	})
}

// FuzzPlace goes on from any stored place.
func FuzzPlace(f *testing.F) {
	f.Add("users", `{"above":[{"ids":["a","b"],"at":{"page":"p"}}],"at":{"page":"q","read":3,"mark":"m"}}`)
	f.Add("roles", `{"above":[{"ids":["a"]},{"ids":["b"],"end":true}],"once":true}`)
	f.Add("admin_api_keys", `{"keys":true,"to":"2026-11-20T00:00:00Z","used":{"x":-5}}`)
	f.Add("admin_api_keys", `{"used":{"x":9223372036854775807},"to":"0001-01-01T00:00:00Z"}`)
	f.Add("chats", `eyJrIjoidXBkYXRlZF9hdCJ9`)
	f.Fuzz(func(t *testing.T, stream, place string) {
		if strings.Contains(place, "..") {
			return // The client refuses such addresses, which memory does not.
		}
		_, err := open(answers(`{"data":[{"id":"x","uuid":"u","ending_at":"2026-11-20T00:00:00Z","results":[{"api_key_id":"k"}]}],"settings":[],"has_more":false}`)).
			Read(t.Context(), stream, connectors.Slice{After: place}.Cursor())
		if err != nil {
			wellFormed(t, err)
		}
	})
}

// FuzzFetch gives any reply to a fetch of any kind, from any place.
func FuzzFetch(f *testing.F) {
	f.Add("chat", "", `{"chat_messages":[{"id":"m","role":"user","content":[{"type":"text","text":"x"},{"type":"tool_use","input":"{}"},{"type":"tool_result","content":[{"text":"y"}]}]}]}`)
	f.Add("chat", `{"t":"2026-11-20T09:00:00Z","ids":["x"],"title":"y"}`, `{"chat_messages":[{"id":"m","content":"x","files":[{"id":"f","size_bytes":1e300}],"artifacts":[{"id":"claude_artifact_1"}]}],"has_more":true}`)
	f.Add("chat", `{"t":`, `{"chat_messages":[{"id":"m","content":[null,1,[2],{"a":null}]},{}]}`)
	f.Add("session", "", `{"session":null,"data":[{"id":"m","provenance":{"type":"content_unavailable"}},{"id":"n","content_unavailable":true},{"id":"o","content":[{"type":"text","text":"x"}],"created_at":"2026-11-20T09:00:00Z"}],"next_page":null}`)
	f.Add("session", `{"t":"9999-12-31T23:59:59Z"}`, `{"data":[{"id":"m","created_at":"0001-01-01T00:00:00Z"}],"next_page":"p"}`)
	f.Add("project", "", `{"id":"p","name":"n","description":"d","instructions":"i","attachments_count":-1,"data":[{"type":"project_doc","id":"claude_proj_doc_1"},{"id":"f","size_bytes":-1}]}`)
	f.Add("document", "", `{"filename":"f","content":"c","created_at":"x"}`)
	f.Add("file", "", `{"filename":"f","content":"c","mime_type":7}`)
	f.Add("code_artifact", "", `{}`)
	f.Fuzz(func(t *testing.T, kind, since, body string) {
		s := open(answers(body)).(*source)
		item := connectors.Item{Kind: kind, ID: "claude_artifact_version_1", Version: "claude_docs/v/1", Since: since}
		parts := 0
		for p, err := range s.Fetch(t.Context(), item) {
			if err != nil {
				wellFormed(t, err)
				return
			}
			if parts++; parts > 100_000 {
				t.Fatal("a fetch of one reply does not end")
			}
			if p.Kind == connectors.PartPlace {
				if p.Path == "" {
					t.Error("a place that is empty")
				}
				continue
			}
			if p.Kind == "" || p.Resource.ID == "" || (p.Child == nil) == (p.Open == nil && p.Skipped == "") {
				t.Errorf("part = %+v", p)
			}
			if p.Open == nil {
				continue
			}
			if body, err := p.Open(t.Context()); err != nil {
				wellFormed(t, err)
			} else if err := body.Close(); err != nil {
				t.Error(err)
			}
		}
	})
}

// FuzzTest gives any reply to a test with any kind of key, and to an estimate.
func FuzzTest(f *testing.F) {
	f.Add("compliance", `{"data":[{"uuid":"u","organization_uuid":"o","created_at":"2026-11-20T09:00:00Z"},7],"settings":[],"api_keys":[{"is_active":true,"scopes":["read:org_audit","x:y"]},{}]}`)
	f.Add("admin", `{"id":"o","name":"n","data":[]}`)
	f.Add("", `{"data":[null]}`)
	f.Fuzz(func(t *testing.T, kind, body string) {
		s := open(hinting{answers(body), kind}).(*source)
		n := 0
		account, err := s.Test(t.Context(), func(step connectors.Step) {
			if n++; step.Name == "" || step.Title == "" || step.Message == "" {
				t.Errorf("step = %+v", step)
			}
		})
		if err != nil {
			wellFormed(t, err)
		} else if len(account.Streams) == 0 {
			t.Error("a test that went well reads nothing")
		}
		if n > 12 {
			t.Errorf("%d steps", n)
		}
		got, err := s.Estimate(t.Context(), noon.Add(-90*day), noon)
		if err != nil {
			wellFormed(t, err)
		} else if got.Calls < 0 {
			t.Errorf("an estimate of %d calls", got.Calls)
		}
	})
}

// hinting is a client with a kind of key.
type hinting struct {
	memory
	kind string
}

func (h hinting) KeyHint() string { return h.kind }

// FuzzMapError gives any message to what tells errors apart.
func FuzzMapError(f *testing.F) {
	f.Add(403, "permission_error", "Missing required scopes. Got: ['a:b', Needed one of: ['c:d'")
	f.Add(404, "", "Not found")
	f.Add(503, "overloaded_error", "Try again later.")
	f.Fuzz(func(t *testing.T, status int, kind, message string) {
		e := mapError(connectors.Reply{Status: status, JSON: true, Type: kind, Message: message})
		if e == nil {
			return
		}
		wellFormed(t, e)
		for _, scope := range append(e.Missing, e.Scopes...) {
			if len(scope) > 81 || strings.ContainsAny(scope, "<>'\" \n") {
				t.Errorf("a scope %q", scope)
			}
		}
		if e.RetryAfter > 24*time.Hour {
			t.Errorf("waits %v", e.RetryAfter)
		}
	})
}
