package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"

	"github.com/outband/outband/api/problem"
	"github.com/outband/outband/connectors"
	"github.com/outband/outband/internal/secret"
	"github.com/outband/outband/internal/store"
)

const tryBody = `{"connector":"acme","secrets":{"api_key":"` + canaryKey + `"}}`

// lines asks for a test line by line. The answer is open: its body is read by the caller.
func (k *kit) lines(ctx context.Context, token, body string) *http.Response {
	k.t.Helper()
	req, err := http.NewRequestWithContext(ctx, "POST", k.server.URL+"/api/v1/connections/test", strings.NewReader(body))
	if err != nil {
		k.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/x-ndjson")
	res, err := k.server.Client().Do(req)
	if err != nil {
		k.t.Fatal(err)
	}
	k.t.Cleanup(func() { _ = res.Body.Close() }) // It was only read.
	return res
}

// line reads a line and checks it against the document.
func (k *kit) line(lines *bufio.Scanner) TestLine {
	k.t.Helper()
	if !lines.Scan() {
		k.t.Fatalf("the answer ended: %v", lines.Err())
	}
	k.bodies.Write(lines.Bytes())
	var v any
	if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
		k.t.Fatalf("%v: %s", err, lines.Bytes())
	}
	schema := k.doc.Components.Schemas["TestLine"].Value
	if err := schema.VisitJSON(v, openapi3.EnableJSONSchema2020(), openapi3.VisitAsResponse(), openapi3.MultiErrors()); err != nil {
		k.t.Errorf("the line is not as the document says: %v\n%s", err, lines.Bytes())
	}
	var line TestLine
	if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
		k.t.Fatal(err)
	}
	return line
}

func TestStepsOfATestComeAsTheyEnd(t *testing.T) {
	k := newKit(t, Configuration{})
	admin := k.token(RoleAdmin)
	goOn := make(chan struct{})
	k.api.d.TestConnection = func(_ context.Context, _ store.Connection, _ map[string]secret.Value, report func(connectors.Step)) (connectors.Account, error) {
		report(connectors.Step{Name: "dns", Title: "Host name", State: connectors.StepOK, MS: 3, Message: "The host name was found."})
		<-goOn
		report(connectors.Step{Name: "auth", Title: "Key", State: connectors.StepOK, Message: "Acme takes the key."})
		return connectors.Account{ID: "org-1", Name: "Example Org", Streams: []string{"chats"}}, nil
	}
	res := k.lines(t.Context(), admin, tryBody)
	if res.StatusCode != 200 || res.Header.Get("Content-Type") != "application/x-ndjson" {
		t.Fatalf("status %d, %s", res.StatusCode, res.Header.Get("Content-Type"))
	}
	lines := bufio.NewScanner(res.Body)
	if first := k.line(lines); first.Step == nil || first.Step.Name != "dns" || first.Step.MS != 3 {
		t.Fatalf("the first line is %+v", first)
	}
	close(goOn) // Only now: the first line did not wait for the end.
	if second := k.line(lines); second.Step == nil || second.Step.Name != "auth" {
		t.Fatalf("the second line is %+v", second)
	}
	last := k.line(lines)
	if lines.Scan() {
		t.Errorf("a line follows the result: %s", lines.Bytes())
	}
	var whole ConnectionTest
	if err := json.Unmarshal(k.do(admin, "POST", "/api/v1/connections/test", tryBody).want(200).body, &whole); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&whole, last.Result); diff != "" {
		t.Errorf("the result is not the body of the whole answer (-want +got):\n%s", diff)
	}
	if items := k.do(admin, "GET", "/api/v1/connections", "").want(200).items(); len(items) != 0 {
		t.Errorf("connections are %v, want none", items)
	}
	if strings.Contains(k.bodies.String(), canaryKey) || strings.Contains(k.logs.String(), canaryKey) {
		t.Error("the key is in a line or in the log")
	}
}

func TestLastLineOfATestThatFails(t *testing.T) {
	for _, tc := range []struct {
		name string
		err  error
		want string // code of the step, or of the problem
		step bool   // the failure is the result of a test, not of Outband
	}{
		{"the app refuses the key", &connectors.Error{Kind: connectors.KindAuth, Code: connectors.CodeKeyRefused, Message: "Acme refused the key. Make a new key."}, connectors.CodeKeyRefused, true},
		{"a connector without words", &connectors.Error{Kind: connectors.KindTransient}, problem.CodeTestFailed, true},
		{"no answer in time", context.DeadlineExceeded, problem.CodeTestFailed, true},
		{"a bug", errors.New("bug"), problem.CodeInternal, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			k := newKit(t, Configuration{})
			k.api.d.TestConnection = func(context.Context, store.Connection, map[string]secret.Value, func(connectors.Step)) (connectors.Account, error) {
				return connectors.Account{}, tc.err
			}
			res := k.lines(t.Context(), k.token(RoleAdmin), tryBody)
			lines := bufio.NewScanner(res.Body)
			line := k.line(lines)
			if !tc.step {
				if line.Problem == nil || line.Problem.Code != tc.want || line.Problem.RequestID != res.Header.Get("X-Request-Id") {
					t.Errorf("the line is %+v, want the problem %s", line, tc.want)
				}
				return
			}
			result := k.line(lines).Result
			if line.Step == nil || result == nil || result.OK {
				t.Fatalf("the step is %+v, the result %+v", line, result)
			}
			if line.Step.State != connectors.StepFailed || line.Step.Code != tc.want || line.Step.Message == "" {
				t.Errorf("the step is %+v, want %s", line.Step, tc.want)
			}
			if diff := cmp.Diff([]connectors.Step{*line.Step}, result.Steps); diff != "" {
				t.Errorf("steps of the result (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTestEndsInTimeAndWithItsClient(t *testing.T) {
	k := newKit(t, Configuration{TestTimeout: 20 * time.Millisecond})
	ended := make(chan error, 1)
	k.api.d.TestConnection = func(ctx context.Context, _ store.Connection, _ map[string]secret.Value, report func(connectors.Step)) (connectors.Account, error) {
		report(connectors.Step{Name: "dns", State: connectors.StepOK})
		<-ctx.Done()
		ended <- ctx.Err()
		return connectors.Account{}, ctx.Err()
	}
	admin := k.token(RoleAdmin)
	lines := bufio.NewScanner(k.lines(t.Context(), admin, tryBody).Body)
	k.line(lines)
	if step := k.line(lines).Step; step == nil || step.Code != problem.CodeTestFailed {
		t.Errorf("the step is %+v, want %s", step, problem.CodeTestFailed)
	}
	if err := <-ended; !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the test ended with %v", err)
	}

	k.api.cfg.TestTimeout = time.Hour
	ctx, leave := context.WithCancel(t.Context())
	k.line(bufio.NewScanner(k.lines(ctx, admin, tryBody).Body))
	leave()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the test went on without its client: %v", err)
	}
}

func TestRefusalsOfATestAreProblemsInBothForms(t *testing.T) {
	k := newKit(t, Configuration{})
	for _, tc := range []struct {
		name, role, body string
		status           int
		code             string
	}{
		{"another role", RoleAuthor, tryBody, 403, problem.CodeForbidden},
		{"no such connector", RoleAdmin, `{"connector":"other","secrets":{}}`, 422, problem.CodeInput},
		{"no key", RoleAdmin, `{"connector":"acme","secrets":{}}`, 422, problem.CodeInput},
		{"an address that may not be called", RoleAdmin, `{"connector":"acme","secrets":{"api_key":"k"},"config":{"base_url":"https://10.0.0.8"}}`, 422, problem.CodeInput},
		{"an unknown field", RoleAdmin, `{"connector":"acme","secrets":{"api_key":"k"},"save":true}`, 422, problem.CodeInput},
	} {
		k.run(tc.name, func(t *testing.T) {
			token := k.token(tc.role)
			k.do(token, "POST", "/api/v1/connections/test", tc.body).problem(tc.status, tc.code)
			res := k.lines(t.Context(), token, tc.body)
			var buf bytes.Buffer
			if _, err := buf.ReadFrom(res.Body); err != nil {
				t.Fatal(err)
			}
			reply{t: t, status: res.StatusCode, header: res.Header, body: buf.Bytes()}.problem(tc.status, tc.code)
		})
	}
}

func TestAcceptNamesAMediaType(t *testing.T) {
	for header, want := range map[string]bool{
		"application/x-ndjson": true, "application/json, application/x-ndjson;q=0.5": true, "Application/X-NDJSON": true, "application/x-ndjson; q=1": true,
		"": false, "*/*": false, "application/*": false, "application/json": false, "application/x-ndjson;q=0": false, "application/x-ndjson;q=x": false, ";;": false,
	} {
		if got := accepts(header, mediaLines); got != want {
			t.Errorf("accepts(%q) = %t, want %t", header, got, want)
		}
	}
}
