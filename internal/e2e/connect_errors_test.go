package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Keys of the simulator, and one of a kind that it never takes.
const (
	activitiesKey = "sk-ant-api01-DEMO-activities-only-NOT-A-REAL-KEY"
	adminKey      = "sk-ant-admin01-DEMO-admin-key-NOT-A-REAL-KEY"
	disabledKey   = "sk-ant-api01-DEMO-disabled-NOT-A-REAL-KEY"
	expiredKey    = "sk-ant-api01-DEMO-expired-NOT-A-REAL-KEY"
	ordinaryKey   = "sk-ant-api03-EXAMPLE-ordinary-key-NOT-A-REAL-KEY"
)

// tested is the answer to a test of a connection.
type tested struct {
	OK            bool     `json:"ok"`
	Streams       []string `json:"streams"`
	MissingScopes []string `json:"missing_scopes"`
	Steps         []struct {
		Name    string `json:"name"`
		State   string `json:"state"`
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"steps"`
}

type refusal struct {
	Code   string `json:"code"`
	Detail string `json:"detail"`
	Errors []struct {
		Location string `json:"location"`
		Message  string `json:"message"`
	} `json:"errors"`
}

// action is what a message that says what to do has in it.
var action = regexp.MustCompile(`\b([Mm]ake|Check|Set|Use|Activate|Add|Let|Copy|switch it on|To scan|save it|egress\.allow)\b`)

// page serves one answer to every path.
func page(t *testing.T, status int, kind, body string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.Header().Set("Location", "https://elsewhere.example/")
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestAFailedConnectionSaysWhatToDo(t *testing.T) {
	t.Parallel()
	sim := simulator(t, "--seed", "2")
	off := simulator(t, "--seed", "2", "--compliance-off")
	closed := freeListener(t)
	closedURL := "http://" + closed.Addr().String()
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	s := serve(t, bin(t), filepath.Join(t.TempDir(), "data"), "")
	guarded := &server{process: start(t, bin(t), "serve", "--listen", "127.0.0.1:0", "--data", filepath.Join(t.TempDir(), "data"))}

	for _, tc := range []struct {
		name, url, key string
		want           string // of the step that failed
	}{
		{"wrong key", sim, wrongKey, "OB-2003"},
		{"deactivated key", sim, disabledKey, "OB-2004"},
		{"expired key", sim, expiredKey, "OB-2005"},
		{"key of a wrong kind", sim, ordinaryKey, "OB-2006"},
		{"something that is no key", sim, "EXAMPLE-no-key-at-all", "OB-2006"},
		{"Compliance API off", off, demoKey, "OB-2008"},
		{"closed port", closedURL, demoKey, "OB-2002"},
		{"unknown host name", "https://no-such-host.invalid", demoKey, "OB-2001"},
		{"https to a plain http port", strings.Replace(sim, "http://", "https://", 1), demoKey, "OB-2009"},
		{"web page", page(t, 200, "text/html", "<html>Welcome</html>"), demoKey, "OB-2010"},
		{"web page that is not found", page(t, 404, "text/html", "<html>Nothing</html>"), demoKey, "OB-2010"},
		{"other JSON API", page(t, 404, "application/json", `{"detail":"Not Found"}`), demoKey, "OB-2010"},
		{"other path of the API", sim + "/elsewhere", demoKey, "OB-2006"},
		{"redirect", page(t, 302, "text/plain", "moved"), demoKey, "OB-2011"},
		{"server error", page(t, 500, "application/json", `{}`), demoKey, "OB-2014"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			body := map[string]any{"connector": "claude", "config": map[string]any{"base_url": tc.url}, "secrets": map[string]string{"api_key": tc.key}}
			status, reply := s.call("POST", "/connections/test", body)
			var got tested
			decode(t, reply, &got)
			if status != 200 || got.OK || len(got.Steps) == 0 {
				t.Fatalf("test: status %d\n%s", status, reply)
			}
			failed := got.Steps[len(got.Steps)-1]
			t.Logf("| %s | %s | %s |", tc.name, failed.Code, failed.Message)
			if failed.State != "failed" || failed.Code != tc.want {
				t.Errorf("failed step: %+v, want %s", failed, tc.want)
			}
			for _, step := range got.Steps[:len(got.Steps)-1] {
				if step.State == "failed" {
					t.Errorf("a second step failed: %+v", step)
				}
			}
			wantSentence(t, failed.Message)
			if strings.Contains(string(reply), tc.key) {
				t.Error("the key is in the answer")
			}
			// Saving it is refused with the same code and sentence.
			status, reply = s.call("POST", "/connections", body)
			var p refusal
			decode(t, reply, &p)
			if status != 422 || p.Code != failed.Code || p.Detail != failed.Message || strings.Contains(string(reply), tc.key) {
				t.Errorf("create: status %d\n%s", status, reply)
			}
		})
	}
	var l list[struct{}]
	s.must("GET", "/connections", nil, &l)
	if len(l.Items) != 0 {
		t.Errorf("%d connections were saved", len(l.Items))
	}

	for _, tc := range []struct {
		name, key string
		warnings  []string // codes
		missing   []string
		streams   []string
	}{
		{"missing scope", activitiesKey, []string{"OB-2007", "OB-2007"}, []string{"read:compliance_org_data", "read:compliance_user_data"}, []string{"activities", "api_calls"}},
		// An Admin key reads what it is for, and the feed.
		{"admin key", adminKey, nil, []string{}, []string{"activities", "api_calls", "admin_members", "admin_invites", "admin_workspaces", "admin_api_keys"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			body := map[string]any{"connector": "claude", "config": map[string]any{"base_url": sim}, "secrets": map[string]string{"api_key": tc.key}}
			status, reply := s.call("POST", "/connections/test", body)
			var got tested
			decode(t, reply, &got)
			if status != 200 || !got.OK {
				t.Fatalf("test: status %d\n%s", status, reply)
			}
			var warnings []string
			for _, step := range got.Steps {
				if step.State != "ok" {
					warnings = append(warnings, step.Code)
					t.Logf("| %s | %s (warning) | %s |", tc.name, step.Code, step.Message)
					wantSentence(t, step.Message)
				}
			}
			if d := cmp.Diff(tc.warnings, warnings); d != "" {
				t.Errorf("warnings (-want +got):\n%s", d)
			}
			slices.Sort(got.MissingScopes)
			if d := cmp.Diff(tc.missing, got.MissingScopes); d != "" {
				t.Errorf("missing scopes (-want +got):\n%s", d)
			}
			if d := cmp.Diff(tc.streams, got.Streams); d != "" {
				t.Errorf("streams (-want +got):\n%s", d)
			}
			if strings.Contains(string(reply), tc.key) {
				t.Error("the key is in the answer")
			}
		})
	}

	guarded.url = address(t, guarded.line("outband ready", waitForReady))
	guarded.data = guarded.cmd.Args[len(guarded.cmd.Args)-1]
	guarded.token = newToken(t, guarded.data, "admin")
	for _, tc := range []struct{ name, url string }{
		{"plain http to loopback", sim},
		{"a private address", "https://10.1.2.3"},
		{"the metadata address", "https://169.254.169.254"},
		{"a name of loopback", "https://localhost:8443"},
	} {
		t.Run(tc.name+" that is not in egress.allow", func(t *testing.T) {
			body := map[string]any{"connector": "claude", "config": map[string]any{"base_url": tc.url}, "secrets": map[string]string{"api_key": demoKey}}
			for _, path := range []string{"/connections/test", "/connections"} {
				status, reply := guarded.call("POST", path, body)
				var got tested
				var p refusal
				decode(t, reply, &got)
				decode(t, reply, &p)
				code, message := p.Code, p.Detail
				switch { // A literal address is refused as an input, before anything is called.
				case len(got.Steps) > 0:
					last := got.Steps[len(got.Steps)-1]
					code, message = last.Code, last.Message
				case len(p.Errors) == 1 && p.Errors[0].Location == "body.config.base_url":
					code, message, _ = strings.Cut(p.Errors[0].Message, ": ")
				}
				t.Logf("| %s: %s | %s | %s |", path, tc.name, code, message)
				if (path == "/connections" && status != 422) || got.OK || code != "OB-2012" || !strings.Contains(message, "egress.allow") {
					t.Errorf("POST %s: status %d\n%s", path, status, reply)
				}
			}
		})
	}
}

func decode(t *testing.T, raw []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(raw, into); err != nil {
		t.Fatalf("%v\n%s", err, raw)
	}
}

// wantSentence wants text for a person: it begins and ends like a sentence, says what to do, and is short.
func wantSentence(t *testing.T, text string) {
	t.Helper()
	if !strings.HasSuffix(text, ".") || len(text) > 300 || strings.ContainsAny(text, "\n{}") {
		t.Errorf("no sentence: %q", text)
	}
	if !action.MatchString(text) && !strings.Contains(text, "by itself") {
		t.Errorf("does not say what to do: %q", text)
	}
}
