package connectors

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const acme = `
id: acme
name: Acme Chat
vendor: Acme
docs: https://acme.example/docs
hosts: [api.acme.example]
auth: {header: x-api-key}
headers:
  - {name: acme-version, config: version}
  - {name: acme-client, value: outband}
replies:
  request_id: request-id
  account: acme-organization
  rate_limit: acme-limit
  rate_remaining: acme-remaining
  rate_reset: acme-reset
  error_type: error.type
  error_message: error.message
limits: {requests_per_minute: 300, vendor_requests_per_minute: 600, max_response_bytes: 4096, max_file_bytes: 2048}
credentials:
  - {id: api_key, title: Key, type: string, secret: true, required: true}
key_kinds:
  - {prefix: acme-audit-, kind: audit, title: Audit key, usable: true}
config:
  - {id: base_url, title: Base URL, type: string, format: url, default: https://api.acme.example, required: true}
  - {id: requests_per_minute, title: Requests per minute, type: integer, default: "300", minimum: 1, maximum: 100000}
  - {id: version, title: Version, type: string, default: "2026-01-01", pattern: '\d{4}-\d\d-\d\d'}
  - {id: beta, title: Beta, type: boolean}
scopes:
  - {id: "read:chats", why: To read chats., streams: [chats]}
streams:
  - {id: chats, title: Chats, kind: content, cursor: cursor, order: updated_at asc, page_size: 100, lateness: 48h, reread_every: 24h}
  - {id: events, title: Events, kind: activities, cursor: window, order: created_at asc, page_size: 100, lookback: 10m, settle: 2m}
`

func parsed(t *testing.T) *Manifest {
	t.Helper()
	m, err := ParseManifest([]byte(acme))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestParseManifest(t *testing.T) {
	m := parsed(t)
	s, ok := m.Stream("events")
	if !ok || s.Lookback != Duration(10*time.Minute) || s.Settle != Duration(2*time.Minute) {
		t.Errorf("stream events = %+v, %v", s, ok)
	}
	if k, ok := m.KeyKind("acme-audit-EXAMPLE"); !ok || k.Kind != "audit" {
		t.Errorf("KeyKind = %+v, %v", k, ok)
	}
	out, err := json.Marshal(s)
	if err != nil || !strings.Contains(string(out), `"lookback":"10m0s"`) {
		t.Errorf("json = %s, %v", out, err)
	}
}

func TestParseManifestSaysWhatIsWrong(t *testing.T) {
	for _, tc := range []struct{ name, old, new, want string }{
		{"an unknown key", "vendor: Acme", "vendor: Acme\ncolour: red", "colour not found"},
		{"a bad id", "id: acme\n", "id: Acme!\n", "id: want"},
		{"no docs", "https://acme.example/docs", "acme", "docs: want"},
		{"an auth header with a colon", "header: x-api-key", `header: "x: y"`, "auth.header"},
		{"a fixed header that replaces the credential", "acme-client", "X-Api-Key", "carries the credential"},
		{"a header without its setting", "config: version", "config: versio", "no config field"},
		{"a rate over the vendor's", "requests_per_minute: 300,", "requests_per_minute: 700,", "limits"},
		{"no limit for files", "max_file_bytes: 2048", "max_file_bytes: 0", "limits.max_file_bytes"},
		{"no secret", "secret: true, ", "", "one secret and required"},
		{"no base URL", "id: base_url", "id: base", "base_url"},
		{"a default host that is not named", "hosts: [api.acme.example]", "hosts: [other.example]", "hosts:"},
		{"a default that breaks its pattern", `default: "2026-01-01"`, `default: "now"`, "default: The value"},
		{"a pattern that does not compile", `'\d{4}-\d\d-\d\d'`, `'('`, "pattern: not"},
		{"a scope for no stream", "streams: [chats]", "streams: [chat]", `no stream "chat"`},
		{"a stream twice", "id: events", "id: chats", "streams[1].id"},
		{"a cursor of no kind", "cursor: window", "cursor: token", "cursor: want"},
		{"a window without bounds", "lookback: 10m, settle: 2m", "lookback: 10m", "needs lookback and settle"},
		{"a duration without unit", "lookback: 10m", "lookback: 10", "not a duration"},
		{"a second document", "auth:", "---\nauth:", "second document"},
		{"nothing", acme, "", "EOF"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if !strings.Contains(acme, tc.old) {
				t.Fatal("the case changes nothing")
			}
			_, err := ParseManifest([]byte(strings.Replace(acme, tc.old, tc.new, 1)))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("err = %v, want %q in it", err, tc.want)
			}
		})
	}
}

func TestCheckConfig(t *testing.T) {
	m := parsed(t)
	got, err := m.CheckConfig(map[string]string{"base_url": " https://proxy.example/acme/ ", "requests_per_minute": "0060"})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"base_url": "https://proxy.example/acme", "requests_per_minute": "60", "version": "2026-01-01"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("CheckConfig (-want +got):\n%s", diff)
	}
	if n := m.RequestsPerMinute(got); n != 60 {
		t.Errorf("RequestsPerMinute = %d, want 60", n)
	}
	for rate, want := range map[string]int{"300": 60, "60": 12, "1": 1, "600": 120} {
		if got := (&Manifest{Limits: Limits{RequestsPerMinute: 300, Budgets: map[string]int{"narrow": 60}}}).Budgets(map[string]string{ConfigRequestsPerMinute: rate}); got["narrow"] != want {
			t.Errorf("at a rate of %s: %v, want %d", rate, got, want)
		}
	}
	if n := m.RequestsPerMinute(nil); n != 300 {
		t.Errorf("RequestsPerMinute without settings = %d, want 300", n)
	}
	_, err = m.CheckConfig(map[string]string{
		"base_url": "https://user:canary@x.example", "requests_per_minute": "0", "version": "canary", "beta": "yes", "other": "canary",
	})
	for _, field := range []string{"base_url", "requests_per_minute", "version", "beta", "other"} {
		if err == nil || !strings.Contains(err.Error(), field+": ") {
			t.Errorf("no error for %s in %v", field, err)
		}
	}
	if strings.Contains(err.Error(), "canary") {
		t.Errorf("the error repeats an input: %v", err)
	}
	var fe *FieldError
	if !errors.As(err, &fe) {
		t.Errorf("%T holds no FieldError", err)
	}
}

func FuzzParseManifest(f *testing.F) {
	f.Add([]byte(acme))
	f.Add([]byte("id: x\nstreams: [{id: a}]"))
	f.Add([]byte("a: &a [*a]"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ParseManifest(b)
		if err != nil {
			return
		}
		if _, err := m.CheckConfig(nil); err != nil && !strings.Contains(err.Error(), "A value is needed.") {
			t.Errorf("the defaults of a valid manifest are refused: %v", err)
		}
	})
}
