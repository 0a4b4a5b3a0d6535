package e2e

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// wrongKey is well-formed and opens nothing.
const wrongKey = "sk-ant-api01-EXAMPLE-wrong-key-of-the-canary-test-NOT-A-REAL-KEY"

// allowedValues are planted texts that are no secret: phrases that our own detectors and documents hold.
var allowedValues = map[string]string{
	"marking.confidential": "the phrases are those of the detector, not a customer's data",
}

// checkCanary does everything that touches content and keys, then looks for them wherever bytes could have gone. E-mail lists are addresses of
// outsiders, not of the organisation's people, so they are looked for like any other value: actors (invariant 4) are the people who chat.
func checkCanary(t *testing.T, s *server, r *receiver, simURL, connectionID, destinationID string, truth []truthItem) {
	var secrets needles
	for _, x := range truth {
		if !x.Planted || allowedValues[x.Detector] != "" {
			continue
		}
		for _, v := range append(x.Values, x.Value) {
			secrets.add(x.Detector+" at "+x.place(), v)
		}
	}
	for name, v := range map[string]string{"the connection's key": demoKey, "a refused key": wrongKey, "the signing key": signingKey, "the token": s.token} {
		secrets.add(name, v)
	}
	if secrets.n < 1000 {
		t.Fatalf("only %d forms to look for", secrets.n)
	}

	events := len(r.all())
	bodies := canaryCalls(t, s, simURL, connectionID, destinationID, truth)
	wait(t, time.Minute, "the replayed events", func() bool { return len(r.all()) >= 2*events })
	for _, e := range r.all() {
		bodies["webhook "+e.ID] = []byte(e.Body + e.Signature + e.Timestamp)
	}
	for name, out := range canaryCommands(t, s, truth) {
		bodies[name] = out
	}
	bodies["standard output"], bodies["standard error"] = []byte(s.stdout.String()), []byte(s.stderr.String())
	for name, raw := range files(t, s.data) {
		bodies["running: "+name] = raw
	}
	s.stop()
	for name, raw := range files(t, s.data) {
		bodies["stopped: "+name] = raw
	}
	for _, env := range s.cmd.Env {
		if dir, ok := strings.CutPrefix(env, "TMPDIR="); ok {
			for name, raw := range files(t, dir) {
				bodies["temporary: "+name] = raw
			}
		}
	}

	size := 0
	for name, raw := range bodies {
		size += len(raw)
		for i, what := range secrets.in(raw) {
			if i == 5 {
				t.Errorf("%s holds more", name)
				break
			}
			t.Errorf("%s holds %s", name, what)
		}
	}
	t.Logf("looked for %d forms in %d texts of %d bytes", secrets.n, len(bodies), size)

	// The test must see what is there, or it proves nothing.
	for _, name := range []string{"running: outband.db", "stopped: outband.db", "stopped: temporal.db", "GET /connections", "standard error"} {
		if !bytes.Contains(bodies[name], []byte(connectionID)) {
			t.Errorf("%s does not even hold the id of the connection", name)
		}
	}
	var control needles
	control.add("control", connectionID)
	if len(control.in(bodies["stopped: outband.db"])) == 0 {
		t.Error("the search does not find what is there")
	}
}

// canaryCalls makes every kind of call and returns the replies.
func canaryCalls(t *testing.T, s *server, simURL, connectionID, destinationID string, truth []truthItem) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	keep := func(name string, status int, body []byte) []byte {
		out[name] = fmt.Appendf(nil, "%d ", status)
		out[name] = append(out[name], body...)
		return body
	}
	call := func(method, path string, body any, want int) []byte {
		t.Helper()
		status, reply := s.call(method, path, body)
		if status != want {
			t.Errorf("%s %s: status %d, want %d\n%.300s", method, path, status, want, reply)
		}
		return keep(method+" "+path, status, reply)
	}
	findings := pages[struct{ ID string }](s, "/findings?limit=200")
	if len(findings) < 200 {
		t.Fatalf("only %d findings", len(findings))
	}

	// Changes, refusals and tests; keys also where they do not belong.
	config := map[string]any{"base_url": simURL}
	call("POST", "/connections/test", map[string]any{"connector": "claude", "config": config, "secrets": map[string]string{"api_key": wrongKey}}, 200)
	call("POST", "/connections", map[string]any{"connector": "claude", "config": config, "secrets": map[string]string{"api_key": wrongKey}}, 422)
	call("POST", "/connections", map[string]any{"connector": "claude", "config": map[string]any{"base_url": simURL, wrongKey: wrongKey}, "secrets": map[string]string{wrongKey: wrongKey}}, 422)
	call("PATCH", "/connections/"+connectionID, map[string]any{"secrets": map[string]string{"api_key": wrongKey}}, 422)
	call("PATCH", "/connections/"+connectionID, map[string]any{"config": map[string]any{"base_url": "https://key:" + wrongKey + "@api.example"}}, 422)
	call("POST", "/connections/"+connectionID+"/pause", nil, 200)
	call("POST", "/connections/"+connectionID+"/resume", nil, 200)
	call("POST", "/destinations/test", map[string]any{"id": destinationID, "config": map[string]string{"url": "http://127.0.0.1:1/"}}, 200)
	call("POST", "/destinations", map[string]any{"name": "x", "config": map[string]string{"url": "http://127.0.0.1:1/"}, "secrets": map[string]string{"signing_key": signingKey + "!"}}, 422)
	call("PATCH", "/findings/"+findings[0].ID, map[string]string{"status": "acknowledged", "reason": "seen by the canary test"}, 200)
	call("POST", "/findings/bulk", map[string]any{"ids": []string{findings[1].ID, findings[2].ID}, "status": "false_positive", "reason": "canary test"}, 200)
	call("POST", "/destinations/"+destinationID+"/replay", map[string]any{"since_seq": 0}, 200)

	for _, path := range []string{
		"/connectors", "/connections", "/connections/" + connectionID, "/scans", "/coverage", "/destinations", "/destinations/" + destinationID,
		"/destinations/" + destinationID + "/deliveries?limit=500", "/findings/facets", "/findings/timeline", "/findings/export?format=ndjson", "/findings/export?format=csv",
		"/detectors?limit=500", "/policies?limit=500", "/tokens", "/audit?limit=500", "/system", "/scans/" + s.scans(connectionID)[0].ID, "/scans/" + s.scans(connectionID)[0].ID + "/events",
	} {
		call("GET", path, nil, 200)
	}
	for _, f := range findings {
		for _, path := range []string{"", "/instances?limit=500", "/history"} {
			call("GET", "/findings/"+f.ID+path, nil, 200)
		}
	}
	for i, f := range pages[any](s, "/findings?limit=200") {
		out[fmt.Sprintf("list of findings %d", i)] = fmt.Append(nil, f)
	}
	// A search for a value must not end in the log, whoever asks it.
	for _, x := range truth[:20] {
		call("GET", "/findings?q="+url.QueryEscape(strings.Join(strings.Fields(x.Value), " ")), nil, 200)
	}
	for _, path := range []string{"/api/openapi.json", "/", "/healthz", "/readyz", "/api/v1/nothing/" + wrongKey} {
		req, err := http.NewRequest("GET", s.url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		if err := resp.Body.Close(); err != nil {
			t.Fatal(err)
		}
		keep("GET "+path, resp.StatusCode, body)
	}
	return out
}

// canaryCommands scans a file that holds the planted values and runs the tools that open the store.
func canaryCommands(t *testing.T, s *server, truth []truthItem) map[string][]byte {
	t.Helper()
	var text strings.Builder
	for _, x := range truth {
		fmt.Fprintf(&text, "%s\n\n", strings.Join(append(x.Values, x.Value), ", "))
	}
	name := filepath.Join(t.TempDir(), "values.txt")
	if err := os.WriteFile(name, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	out := map[string][]byte{}
	for _, args := range [][]string{
		{"scan", "--format", "json", name}, {"scan", "--format", "text", name}, {"scan", "--format", "sarif", name},
		{"keys", "status", "--data", s.data}, {"keys", "verify", "--data", s.data}, {"audit", "verify", "--data", s.data},
	} {
		stdout, stderr, code := command(t, "", args...)
		want := 0
		if args[0] == "scan" {
			want = 1
		}
		if code != want {
			t.Errorf("%s: exit %d, want %d\n%.300s", strings.Join(args, " "), code, want, stderr)
		}
		out["command "+strings.Join(args, " ")] = []byte(stdout + stderr)
	}
	return out
}

// files reads every file below a folder, by its name there.
func files(t *testing.T, folder string) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		raw, err := os.ReadFile(path)
		if os.IsNotExist(err) {
			return nil // SQLite's own files come and go.
		}
		rel, relErr := filepath.Rel(folder, path)
		if relErr != nil {
			return relErr
		}
		out[rel] = raw
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
