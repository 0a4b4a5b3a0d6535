package api

import (
	"context"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/outband/outband/api/problem"
	"github.com/outband/outband/connectors"
	"github.com/outband/outband/internal/secret"
	"github.com/outband/outband/internal/store"
)

func copyBody(w io.Writer, res *http.Response) (int64, error) {
	defer res.Body.Close()
	return io.Copy(w, res.Body)
}

func TestWrongRequestsGetProblems(t *testing.T) {
	k := newKit(t, Configuration{})
	admin := k.token(RoleAdmin)
	for _, tc := range []struct {
		name, method, path, body string
		status                   int
		code                     string
		location                 string
	}{
		{"an unknown path", "GET", "/api/v1/nothing", "", 404, problem.CodeRoute, ""},
		{"the root of the API", "GET", "/api", "", 404, problem.CodeRoute, ""},
		{"a path below a health check", "GET", "/healthz/nothing", "", 404, problem.CodeRoute, ""},
		{"a method that a health check does not take", "DELETE", "/readyz", "", 405, problem.CodeMethod, ""},
		{"a method that the path does not take", "PUT", "/api/v1/connections", "{}", 405, problem.CodeMethod, ""},
		{"an unknown id", "GET", "/api/v1/connections/con_none", "", 404, problem.CodeNotFound, ""},
		{"an unknown parameter", "GET", "/api/v1/findings?severty=high", "", 422, problem.CodeQuery, "query.severty"},
		{"a limit over 500", "GET", "/api/v1/findings?limit=501", "", 422, problem.CodeQuery, "query.limit"},
		{"a limit of 0", "GET", "/api/v1/scans?limit=0", "", 422, problem.CodeQuery, "query.limit"},
		{"a limit that is no number", "GET", "/api/v1/scans?limit=many", "", 422, problem.CodeQuery, "query.limit"},
		{"a parameter given twice", "GET", "/api/v1/findings?limit=1&limit=2", "", 422, problem.CodeQuery, "query.limit"},
		{"a query that cannot be decoded", "GET", "/api/v1/findings?q=%zz", "", 422, problem.CodeQuery, "query"},
		{"an unknown value of a filter", "GET", "/api/v1/findings?severity=terrible", "", 422, problem.CodeQuery, "query"},
		{"an empty value beside another", "GET", "/api/v1/findings?severity=&severity=high", "", 422, problem.CodeQuery, "query.severity"},
		{"an unknown sort key", "GET", "/api/v1/findings?sort=-colour", "", 422, problem.CodeQuery, "query.sort"},
		{"a time that is none", "GET", "/api/v1/findings?from=yesterday", "", 422, problem.CodeQuery, "query.from"},
		{"a cursor of another list", "GET", "/api/v1/scans?cursor=bm9uZQ", "", 400, problem.CodeCursor, ""},
		{"an export that comes later", "GET", "/api/v1/findings/export?format=ocsf", "", 400, problem.CodeFormat, ""},
		{"a timeline over too many buckets", "GET", "/api/v1/findings/timeline?interval=hour&from=2001-01-01T00:00:00Z", "", 422, problem.CodeQuery, "query"},
		{"an unknown time zone", "GET", "/api/v1/findings/timeline?tz=Mars/Olympus", "", 422, problem.CodeQuery, "query"},
		{"no body", "POST", "/api/v1/tokens", "", 400, problem.CodeBody, ""},
		{"a body that is not JSON", "POST", "/api/v1/tokens", `{"name": `, 400, problem.CodeBody, ""},
		{"an unknown field", "POST", "/api/v1/tokens", `{"name":"x","role":"viewer","admin":true}`, 422, problem.CodeInput, "body.admin"},
		{"a field in two spellings", "POST", "/api/v1/tokens", `{"name":"x","role":"viewer","Role":"admin"}`, 400, problem.CodeBody, ""},
		{"an unknown role", "POST", "/api/v1/tokens", `{"name":"x","role":"root"}`, 422, problem.CodeInput, "body.role"},
		{"a missing field", "POST", "/api/v1/tokens", `{"role":"viewer"}`, 422, problem.CodeInput, "body"},
		{"a body over 1 MiB", "POST", "/api/v1/tokens", `{"name":"` + strings.Repeat("x", 1<<20) + `","role":"viewer"}`, 413, problem.CodeTooLarge, ""},
	} {
		k.run(tc.name, func(t *testing.T) {
			r := k.do(admin, tc.method, tc.path, tc.body).problem(tc.status, tc.code)
			if tc.location == "" {
				return
			}
			fields, _ := r.object()["errors"].([]any)
			if len(fields) == 0 || fields[0].(map[string]any)["location"] != tc.location {
				t.Errorf("errors are %v, want one at %s", fields, tc.location)
			}
		})
	}
	if got := k.do(admin, "PUT", "/api/v1/connections", "{}").header.Get("Allow"); !strings.Contains(got, "POST") {
		t.Errorf("Allow is %q", got)
	}
}

func TestCrossOriginChangesAndOtherMediaTypesAreRefused(t *testing.T) {
	k := newKit(t, Configuration{})
	admin := k.token(RoleAdmin)
	for _, tc := range []struct {
		name, header, value string
		status              int
		code                string
	}{
		{"a request from another site", "Sec-Fetch-Site", "cross-site", 403, problem.CodeCrossOrigin},
		{"a form", "Content-Type", "application/x-www-form-urlencoded", 415, problem.CodeMediaType},
	} {
		t.Run(tc.name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), "POST", k.server.URL+"/api/v1/tokens", strings.NewReader(`{"name":"x","role":"viewer"}`))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer "+admin)
			req.Header.Set(tc.header, tc.value)
			res, err := k.server.Client().Do(req)
			if err != nil {
				t.Fatal(err)
			}
			buf := new(strings.Builder)
			if _, err := copyBody(buf, res); err != nil {
				t.Fatal(err)
			}
			reply{t: t, status: res.StatusCode, header: res.Header, body: []byte(buf.String())}.problem(tc.status, tc.code)
		})
	}
}

func TestPanicIsAnsweredWithoutItsValue(t *testing.T) {
	k := newKit(t, Configuration{})
	k.api.d.TestConnection = func(_ context.Context, _ store.Connection, secrets map[string]secret.Value, _ func(connectors.Step)) (connectors.Account, error) {
		panic("the key is " + secrets["api_key"].Reveal())
	}
	r := k.do(k.token(RoleAdmin), "POST", "/api/v1/connections/test", `{"connector":"acme","secrets":{"api_key":"`+canaryKey+`"}}`).problem(500, problem.CodeInternal)
	if logs := k.logs.String(); strings.Contains(logs, canaryKey) || !strings.Contains(logs, r.header.Get("X-Request-Id")) {
		t.Errorf("the log holds the panic's value or not the request's id:\n%s", logs)
	}
}

func TestDeadlineOfTheBodyDoesNotEndTheWork(t *testing.T) {
	const limit = 20 * time.Millisecond
	k := newKit(t, Configuration{BodyTimeout: limit})
	k.api.d.TestConnection = func(ctx context.Context, _ store.Connection, _ map[string]secret.Value, _ func(connectors.Step)) (connectors.Account, error) {
		select {
		case <-ctx.Done():
			return connectors.Account{}, ctx.Err()
		case <-time.After(10 * limit): // The work of a slow app.
			return connectors.Account{ID: "org-1"}, nil
		}
	}
	admin := k.token(RoleAdmin)
	if got := k.do(admin, "POST", "/api/v1/connections/test", `{"connector":"acme","secrets":{"api_key":"k"}}`).want(200); got.text("ok") != "true" {
		t.Errorf("test is %s", got.body)
	}

	body, sender := io.Pipe()
	defer sender.Close()
	req, err := http.NewRequestWithContext(t.Context(), "POST", k.server.URL+"/api/v1/connections/test", body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+admin)
	res, err := k.server.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusRequestTimeout {
		t.Errorf("a body that does not come gets %d, want 408", res.StatusCode)
	}
}

func TestPagesOutsideOfTheAPI(t *testing.T) {
	k := newKit(t, Configuration{})
	if got := k.do("", "GET", "/healthz", "").want(200); string(got.body) != "ok\n" {
		t.Errorf("healthz is %q", got.body)
	}
	for _, path := range []string{"/", "/findings", "/assets/x.js", "/apiary"} {
		page := k.do("", "GET", path, "").want(200)
		if csp := page.header.Get("Content-Security-Policy"); !strings.Contains(string(page.body), "doctype") || !strings.HasPrefix(csp, "default-src 'none'") {
			t.Errorf("%s is %q with the policy %q; want what the pages answer", path, page.body, csp)
		}
	}
	if doc := k.do("", "GET", "/api/openapi.json", "").want(200); string(doc.body) != string(k.api.OpenAPI()) || doc.header.Get("Cache-Control") != "no-store" {
		t.Error("openapi.json is not the document, or may be cached")
	}
	state := StateUp
	k.api.d.Health = func(context.Context) map[string]Check {
		return map[string]Check{"temporal": {State: state, Detail: "Starting."}}
	}
	for _, tc := range []struct {
		state  string
		status int
	}{{StateUp, 200}, {StateDegraded, 200}, {StateDown, 503}} {
		state = tc.state
		r := k.do("", "GET", "/readyz", "").want(tc.status)
		if r.text("checks.temporal") != tc.state || strings.Contains(string(r.body), "Starting") {
			t.Errorf("readyz is %s", r.body)
		}
	}
	system := k.do(k.token(RoleViewer), "GET", "/api/v1/system", "").want(200)
	if system.text("ready") != "false" || system.text("checks.temporal.detail") != "Starting." || system.text("version") != "v0.0.0-test" {
		t.Errorf("system is %s", system.body)
	}
}

func TestEveryCodeHasALineInTheDocumentation(t *testing.T) {
	source, err := os.ReadFile("problem/problem.go")
	if err != nil {
		t.Fatal(err)
	}
	docs, err := os.ReadFile("../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range regexp.MustCompile(`OB-[45][0-9]{3}`).FindAllString(string(source), -1) {
		if !strings.Contains(string(docs), "| "+code+" |") {
			t.Errorf("docs/api.md has no line for %s", code)
		}
	}
}
