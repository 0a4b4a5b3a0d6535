package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/outband/outband/connectors"
	"github.com/outband/outband/dlp"
	"github.com/outband/outband/findings"
	"github.com/outband/outband/findings/deliver"
	"github.com/outband/outband/findings/search"
	"github.com/outband/outband/internal/secret"
	"github.com/outband/outband/internal/store"
	"github.com/outband/outband/internal/store/storetest"
	"github.com/outband/outband/internal/vault"
)

// Secrets of the tests, made up. None of them may ever come back (TestCanary).
const (
	canaryKey     = "example-canary-key-4711"
	canarySigning = "whsec_ZXhhbXBsZS1jYW5hcnktc2lnbmluZy1rZXktMDAx" // base64 of example-canary-signing-key-001
)

const testManifest = `
id: acme
name: Acme
vendor: Acme Corp
docs: https://docs.example.com/api
hosts: [api.example.com]
auth: {header: x-api-key}
limits: {requests_per_minute: 100, vendor_requests_per_minute: 200, max_response_bytes: 1048576, max_file_bytes: 1048576}
credentials:
  - {id: api_key, title: Key, type: string, secret: true, required: true, max_length: 200}
config:
  - {id: base_url, title: Base URL, type: string, format: url, default: "https://api.example.com", required: true}
  - {id: requests_per_minute, title: Requests per minute, type: integer, default: "100", minimum: 1, maximum: 100000}
  - {id: verbose, title: Verbose, type: boolean}
scopes:
  - {id: "read:chats", why: To read chats., streams: [chats]}
streams:
  - {id: chats, title: Chats, kind: content, cursor: cursor, order: updated_at asc, page_size: 100}
  - {id: activities, title: Activities, kind: activities, cursor: window, order: created_at asc, page_size: 100, lookback: 10m, settle: 2m}
`

// kit is an API over a real store and vault, with fakes of what is behind it.
type kit struct {
	t       *testing.T
	api     *API
	deps    Dependencies
	db      *store.DB
	keys    findings.Keys
	server  *httptest.Server
	runner  *fakeRunner
	tester  *fakeTester
	logs    *syncBuffer
	doc     *openapi3.T
	clock   *clock
	dbPath  string
	bodies  *syncBuffer // every answer
	hookErr error       // of the receiver of test events
}

type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// fakeRunner notes what it is told, and fails for the names in down.
type fakeRunner struct {
	mu    sync.Mutex
	calls []string
	down  map[string]bool
}

func (f *fakeRunner) note(name, id string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, name+" "+id)
	if f.down[name] {
		return errors.New("engine is down")
	}
	return nil
}

func (f *fakeRunner) told(name, id string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Contains(f.calls, name+" "+id)
}

func (f *fakeRunner) ScanQueued(_ context.Context, id string) error      { return f.note("scan", id) }
func (f *fakeRunner) ConnectionSaved(_ context.Context, id string) error { return f.note("saved", id) }
func (f *fakeRunner) ConnectionRemoved(_ context.Context, id string) error {
	return f.note("removed", id)
}
func (f *fakeRunner) Pause(_ context.Context, id string) error  { return f.note("pause", id) }
func (f *fakeRunner) Resume(_ context.Context, id string) error { return f.note("resume", id) }
func (f *fakeRunner) DestinationSaved(_ context.Context, id string) error {
	return f.note("destination", id)
}
func (f *fakeRunner) DestinationRemoved(_ context.Context, id string) error {
	return f.note("destination-removed", id)
}

// fakeTester takes every key and says that it is of one organisation, until it is told otherwise.
type fakeTester struct {
	account connectors.Account
	err     error
	config  map[string]string
	key     string

	estimate    connectors.Estimate
	estimateErr error
	asked       store.Connection // of which an estimate was asked
	from, to    time.Time
}

func (f *fakeTester) guess(_ context.Context, c store.Connection, secrets map[string]secret.Value, from, to time.Time) (connectors.Estimate, error) {
	f.asked, f.key, f.from, f.to = c, secrets["api_key"].Reveal(), from, to
	return f.estimate, f.estimateErr
}

func (f *fakeTester) test(_ context.Context, c store.Connection, secrets map[string]secret.Value, report func(connectors.Step)) (connectors.Account, error) {
	f.config, f.key = c.Config, secrets["api_key"].Reveal()
	report(connectors.Step{Name: "key", State: "ok", Message: "The key looks right."})
	var e *connectors.Error
	if errors.As(f.err, &e) {
		report(connectors.Step{Name: "chats", State: "failed", Code: e.Code, Message: e.Message})
	}
	return f.account, f.err
}

// RoundTrip is the receiver of test events.
func (k *kit) RoundTrip(r *http.Request) (*http.Response, error) {
	if k.hookErr != nil {
		return nil, k.hookErr
	}
	return &http.Response{StatusCode: http.StatusNoContent, Body: http.NoBody, Request: r, Header: http.Header{}}, nil
}

var testStart = time.Date(2026, time.March, 10, 12, 0, 0, 0, time.UTC)

func newKit(t *testing.T, cfg Configuration) *kit {
	t.Helper()
	ctx := t.Context()
	dir := t.TempDir()
	dbPath := filepath.Join(dir, "outband.db")
	db := storetest.Open(t, dbPath)
	k := &kit{
		t: t, db: db, runner: &fakeRunner{down: map[string]bool{}}, logs: &syncBuffer{}, bodies: &syncBuffer{}, clock: &clock{at: testStart},
		tester: &fakeTester{account: connectors.Account{ID: "org-1", Name: "Example Org", KeyKind: "compliance", Streams: []string{"chats", "activities"}}},
	}
	db.SetClock(k.clock.now)
	v, err := vault.Open(ctx, db, filepath.Join(dir, "key"))
	if err != nil {
		t.Fatal(err)
	}
	k.dbPath = dbPath
	k.keys = findings.Keys{ID: v.IDKey()}
	k.deps = Dependencies{
		DB: db, Vault: v, Connectors: []connectors.Connector{{Manifest: []byte(testManifest)}}, Findings: search.New(db, k.keys),
		Deliverer: deliver.New(deliver.Dependencies{DB: db, Keys: k.keys, HTTP: &http.Client{Transport: k}, Now: k.clock.now, Version: "test"}),
		Detectors: k.detectors(v, []dlp.Detector{{ID: "secret.example", Title: "Example key", Kind: dlp.KindToken, Severity: "high"}, {ID: "card.example", Title: "Example card", Kind: dlp.KindScanner, Severity: "medium"}}),
		Author:    k.author(db), Policies: k.policies, PoliciesChanged: func(context.Context) error { return k.runner.note("policies", "") }, Runner: k.runner, TestConnection: k.tester.test, Estimate: k.tester.guess,
		CheckURL: func(raw string) error {
			if strings.Contains(raw, "10.0.0.") {
				return errors.New("the address is private and not in egress.allow")
			}
			return nil
		},
		Health:  func(context.Context) map[string]Check { return map[string]Check{"temporal": {State: StateUp}} },
		Egress:  []string{"127.0.0.0/8"},
		UI:      http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<!doctype html>/api/v1") }),
		Version: "v0.0.0-test", PublicURL: "https://outband.example.com", Log: slog.New(slog.NewTextHandler(k.logs, nil)), Now: k.clock.now,
	}
	if k.api, err = New(cfg, k.deps); err != nil {
		t.Fatal(err)
	}
	k.doc = document(t, k.api.OpenAPI())
	k.server = httptest.NewServer(k.api.Handler())
	t.Cleanup(k.server.Close)
	return k
}

// documents are the OpenAPI documents that were read already: that of most tests is the same, and reading it takes longer than they do.
var documents sync.Map

func document(t *testing.T, text []byte) *openapi3.T {
	t.Helper()
	if doc, ok := documents.Load(string(text)); ok {
		return doc.(*openapi3.T)
	}
	doc, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		t.Fatal(err)
	}
	documents.Store(string(text), doc)
	return doc
}

// run runs a subtest whose failures are its own.
func (k *kit) run(name string, f func(t *testing.T)) {
	k.t.Helper()
	parent := k.t
	parent.Run(name, func(t *testing.T) {
		k.t = t
		defer func() { k.t = parent }()
		f(t)
	})
}

// token makes a token of a role.
func (k *kit) token(role string) string {
	k.t.Helper()
	var text string
	k.write(func(tx *store.Tx) (err error) {
		text, _, err = store.CreateToken(context.Background(), tx, "test "+role, role, k.clock.now().Add(time.Hour))
		return err
	})
	return text
}

func (k *kit) write(f func(*store.Tx) error) {
	k.t.Helper()
	if err := k.db.Write(context.Background(), f); err != nil {
		k.t.Fatal(err)
	}
}

// reply is an answer.
type reply struct {
	t      *testing.T
	status int
	header http.Header
	body   []byte
}

// do sends a request with a token or session and checks the answer against the OpenAPI document. body is JSON text, "" for none.
func (k *kit) do(token, method, path, body string) reply {
	k.t.Helper()
	req, err := http.NewRequestWithContext(k.t.Context(), method, k.server.URL+path, strings.NewReader(body))
	if err != nil {
		k.t.Fatal(err)
	}
	identify(req, token)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	return k.answer(req, method, path)
}

// answer sends a request, notes what came back, and holds it to the document of the API.
func (k *kit) answer(req *http.Request, method, path string) reply {
	k.t.Helper()
	res, err := k.server.Client().Do(req)
	if err != nil {
		k.t.Fatal(err)
	}
	defer res.Body.Close()
	r := reply{t: k.t, status: res.StatusCode, header: res.Header}
	if r.body, err = io.ReadAll(res.Body); err != nil {
		k.t.Fatal(err)
	}
	fmt.Fprintf(k.bodies, "%d %v\n%s\n", r.status, res.Header, r.body)
	k.conforms(method, path, r)
	return r
}

// conforms fails the test if the document does not describe the answer.
func (k *kit) conforms(method, path string, r reply) {
	k.t.Helper()
	if r.header.Get("X-Request-Id") == "" || r.header.Get("X-Content-Type-Options") != "nosniff" {
		k.t.Errorf("%s %s: the answer lacks X-Request-Id or nosniff", method, path)
	}
	path, _, _ = strings.Cut(path, "?")
	op := k.operation(method, path)
	mediaType := r.header.Get("Content-Type")
	if op == nil || len(r.body) == 0 || !strings.Contains(mediaType, "json") || strings.Contains(mediaType, "ndjson") {
		return
	}
	response := op.Responses.Status(r.status)
	if response == nil {
		response = op.Responses.Default()
	}
	if response == nil || response.Value.Content[mediaType] == nil {
		k.t.Fatalf("%s %s: the document has no %d with %s", method, path, r.status, mediaType)
	}
	var v any
	if err := json.Unmarshal(r.body, &v); err != nil {
		k.t.Fatalf("%s %s: %v", method, path, err)
	}
	if err := response.Value.Content[mediaType].Schema.Value.VisitJSON(v, openapi3.EnableJSONSchema2020(), openapi3.VisitAsResponse(), openapi3.MultiErrors()); err != nil {
		k.t.Errorf("%s %s: %d is not as the document says: %v\n%s", method, path, r.status, err, r.body)
	}
}

// operation finds what the document says about a path; one without parameters wins.
func (k *kit) operation(method, path string) *openapi3.Operation {
	if item := k.doc.Paths.Value(path); item != nil {
		return item.GetOperation(method)
	}
	have := strings.Split(path, "/")
	for template, item := range k.doc.Paths.Map() {
		want := strings.Split(template, "/")
		if len(want) == len(have) && matches(want, have) {
			return item.GetOperation(method)
		}
	}
	return nil
}

func matches(want, have []string) bool {
	for i := range want {
		if want[i] != have[i] && !strings.HasPrefix(want[i], "{") {
			return false
		}
	}
	return true
}

// want fails the test unless the answer has the status.
func (r reply) want(status int) reply {
	r.t.Helper()
	if r.status != status {
		r.t.Fatalf("status %d, want %d: %s", r.status, status, r.body)
	}
	return r
}

// problem fails the test unless the answer is the problem.
func (r reply) problem(status int, code string) reply {
	r.t.Helper()
	got := r.want(status).object()
	if got["code"] != code || r.header.Get("Content-Type") != "application/problem+json" || got["request_id"] != r.header.Get("X-Request-Id") || got["detail"] == "" {
		r.t.Fatalf("problem %v, want %s with the request's id", got, code)
	}
	return r
}

func (r reply) object() map[string]any {
	r.t.Helper()
	var out map[string]any
	if err := json.Unmarshal(r.body, &out); err != nil {
		r.t.Fatalf("%v: %s", err, r.body)
	}
	return out
}

func (r reply) items() []any {
	r.t.Helper()
	items, ok := r.object()["items"].([]any)
	if !ok {
		r.t.Fatalf("no items: %s", r.body)
	}
	return items
}

// text is a field of the object, "a.b" for a field of a field.
func (r reply) text(path string) string {
	r.t.Helper()
	var v any = r.object()
	for _, name := range strings.Split(path, ".") {
		m, ok := v.(map[string]any)
		if !ok {
			r.t.Fatalf("no %s: %s", path, r.body)
		}
		v = m[name]
	}
	return fmt.Sprint(v)
}

// audited returns the actions in the audit log, oldest first.
func (k *kit) audited() []string {
	k.t.Helper()
	rows, err := store.ListAudit(context.Background(), k.db.Read(), 0, 1000)
	if err != nil {
		k.t.Fatal(err)
	}
	var out []string
	for _, r := range slices.Backward(rows) {
		out = append(out, r.Action+" "+r.Object)
	}
	return out
}

// connect makes the test connection and returns its id.
func (k *kit) connect(admin string) string {
	k.t.Helper()
	return k.do(admin, "POST", "/api/v1/connections", `{"connector":"acme","secrets":{"api_key":"`+canaryKey+`"}}`).want(http.StatusCreated).text("id")
}

// find commits n findings of a connection, each with two instances, and returns their ids in the order they were seen.
func (k *kit) find(connectionID string, n int) []string {
	k.t.Helper()
	var ids []string
	for i := range n {
		resource := findings.Resource{Kind: "chat", ID: fmt.Sprintf("chat-%d", i), Name: "xxxx", URL: "https://app.example.com/chat"}
		severity := []string{"high", "low"}[i%2]
		k.write(func(tx *store.Tx) error {
			_, err := findings.CommitItem(context.Background(), tx, k.keys, findings.Commit{ConnectionID: connectionID, Connector: "acme", Detections: []findings.Detection{{
				PolicyID: "content.example", PolicyVersion: 1, Kind: "content", Severity: severity, Title: "Example key in a chat", Resource: resource,
				Actor: findings.Actor{ID: "user-1", Email: "ana@example.com"}, OccurredAt: k.clock.now().Add(-time.Hour),
				Instances: []findings.NewInstance{k.instance(i, 0), k.instance(i, 1)},
			}}})
			return err
		})
		ids = append(ids, k.keys.FindingID(connectionID, findings.Ref{Kind: "chat", ID: resource.ID}, "content.example"))
		k.clock.add(time.Second)
	}
	return ids
}

func (k *kit) instance(i, j int) findings.NewInstance {
	return findings.NewInstance{
		Resource: findings.Ref{Kind: "message", ID: fmt.Sprintf("message-%d-%d", i, j)}, Part: "user_text", Path: "content/0", At: k.clock.now().Add(-time.Hour),
		Match: dlp.Match{Detector: "secret.example", Start: 3, End: 20, Line: 1, Confidence: 0.9, Validated: true, Masked: "ab*****", Before: "xxx", Context: []string{"key"}, Value: fmt.Sprintf("v%d%d", i, j), Fingerprint: fmt.Sprintf("k1:%d%d", i, j)},
	}
}
