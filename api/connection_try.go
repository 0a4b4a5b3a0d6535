package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/outband/outband/api/problem"
	"github.com/outband/outband/connectors"
	"github.com/outband/outband/internal/secret"
	"github.com/outband/outband/internal/store"
)

// TestConnectionInput is a connection that is only tested.
type TestConnectionInput struct {
	Accept string `header:"Accept" maxLength:"1024" doc:"With application/x-ndjson each step comes as it ends, one TestLine a line, and the result last."`
	Body   struct {
		Connector string            `json:"connector" maxLength:"40"`
		Config    map[string]any    `json:"config,omitempty"`
		Secrets   map[string]string `json:"secrets" writeOnly:"true"`
	}
}

// ConnectionTest is what the test of a connection found.
type ConnectionTest struct {
	OK            bool              `json:"ok"`
	Account       *AccountRef       `json:"account,omitempty" doc:"The organisation behind the key, if the test came that far."`
	Streams       []string          `json:"streams" doc:"What can be read with this key."`
	MissingScopes []string          `json:"missing_scopes" doc:"What cannot be read with this key."`
	SurplusScopes []string          `json:"surplus_scopes" doc:"What the key may do beyond what is asked for: a smaller key would do."`
	Organizations []string          `json:"organizations" doc:"Ids of all organisations that the key reaches."`
	Since         *string           `json:"since" format:"date-time" doc:"The oldest thing that can be read; null: not known."`
	Steps         []connectors.Step `json:"steps" doc:"In the order they ran."`
}

// TestLine is one line of a streamed test. It has one field: a step that ended, or on the last line the result or the problem.
type TestLine struct {
	Step    *connectors.Step `json:"step,omitempty"`
	Result  *ConnectionTest  `json:"result,omitempty"`
	Problem *problem.Problem `json:"problem,omitempty"`
}

// mediaLines is the media type of JSON values, one a line.
const mediaLines = "application/x-ndjson"

// testConnection tests a connection that is not stored. It answers with the whole, or line by line if the client asks for that; the test ends when
// the client leaves.
func (a *API) testConnection(ctx context.Context, in *TestConnectionInput) (*huma.StreamResponse, error) {
	m := a.manifest(in.Body.Connector)
	if m == nil {
		return nil, noConnector()
	}
	config, wrong := a.settings(m, in.Body.Config)
	secrets, more := credentials(m, in.Body.Secrets, false)
	if wrong = append(wrong, more...); len(wrong) > 0 {
		return nil, problem.Invalid(wrong...)
	}
	// Invariant 11: a test uses a key, so it is noted before it is made.
	if err := a.auditRead(ctx, "connection.test", m.ID, nil); err != nil {
		return nil, err
	}
	if accepts(in.Accept, mediaLines) {
		return &huma.StreamResponse{Body: func(hctx huma.Context) { a.streamTest(hctx, m, config, secrets) }}, nil
	}
	out, err := a.tryConnection(ctx, m, config, secrets, nil)
	if err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(hctx huma.Context) {
		_, w := humago.Unwrap(hctx)
		w.Header().Set("Content-Type", "application/json")
		// A failed write means that the client has left.
		_ = json.NewEncoder(w).Encode(out)
	}}, nil
}

// accepts reports whether a header Accept names a media type. A wildcard does not: who wants lines says so.
func accepts(header, mediaType string) bool {
	for part := range strings.SplitSeq(header, ",") {
		name, params, err := mime.ParseMediaType(part)
		if err != nil || name != mediaType {
			continue
		}
		if q, err := strconv.ParseFloat(params["q"], 64); params["q"] == "" || err == nil && q > 0 {
			return true
		}
	}
	return false
}

// tryConnection tests a connection. A test that fails is no error but a result that says why.
func (a *API) tryConnection(ctx context.Context, m *connectors.Manifest, config map[string]string, secrets map[string]secret.Value, show func(connectors.Step)) (ConnectionTest, error) {
	account, steps, err := a.runTest(ctx, store.Connection{Connector: m.ID, Config: config}, secrets, show)
	out := ConnectionTest{OK: err == nil, Steps: steps, Streams: some(account.Streams), MissingScopes: some(account.MissingScopes), SurplusScopes: some(account.SurplusScopes), Organizations: some(account.Organizations), Since: stamp(account.Since)}
	if account.ID != "" {
		out.Account = &AccountRef{ID: account.ID, Name: account.Name, KeyKind: account.KeyKind}
	}
	if err == nil {
		return out, nil
	}
	var p *problem.Problem
	if !errors.As(testProblem(steps, err), &p) {
		return out, err
	}
	if len(steps) == 0 || steps[len(steps)-1].State != connectors.StepFailed {
		last := connectors.Step{Name: "test", Title: "Test", State: connectors.StepFailed, Code: p.Code, Message: p.Detail}
		out.Steps = append(out.Steps, last)
		if show != nil {
			show(last)
		}
	}
	return out, nil
}

// streamTest writes the steps as they end and then the result. A line holds what the whole answer holds, so no secret (invariant 8).
func (a *API) streamTest(hctx huma.Context, m *connectors.Manifest, config map[string]string, secrets map[string]secret.Value) {
	r, w := humago.Unwrap(hctx)
	// A client that cannot be written to has left: the test ends.
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	w.Header().Set("Content-Type", mediaLines)
	w.Header().Set("X-Accel-Buffering", "no") // A proxy that collects the answer would hold the lines back.
	w.WriteHeader(http.StatusOK)
	out := lineWriter{deadlineWriter: deadlineWriter{w: w, control: http.NewResponseController(w), timeout: a.cfg.WriteTimeout}}
	write := func(line TestLine) {
		if err := out.write(line); err != nil && ctx.Err() == nil {
			a.d.Log.Warn("connection test not shown to its end", "connector", m.ID, "request", requestID(ctx), "err", err)
			cancel()
		}
	}
	result, err := a.tryConnection(ctx, m, config, secrets, func(s connectors.Step) { write(TestLine{Step: &s}) })
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		p := *a.problem(ctx, err)
		p.RequestID = requestID(ctx)
		write(TestLine{Problem: &p})
		return
	}
	write(TestLine{Result: &result})
}

// lineWriter writes JSON values, one a line, and sends each at once.
type lineWriter struct{ deadlineWriter }

func (l *lineWriter) write(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode line: %w", err)
	}
	if _, err := l.Write(append(b, '\n')); err != nil {
		return fmt.Errorf("write line: %w", err)
	}
	if err := l.control.Flush(); err != nil {
		return fmt.Errorf("write line: %w", err)
	}
	return nil
}

// testRoute is the operation that tests a connection, with both its media types.
func (a *API) testRoute(r route) route {
	schemas := a.huma.OpenAPI().Components.Schemas
	content := func(of reflect.Type) *huma.MediaType { return &huma.MediaType{Schema: schemas.Schema(of, true, "")} }
	r.op.Responses = map[string]*huma.Response{"200": {Description: http.StatusText(http.StatusOK), Content: map[string]*huma.MediaType{
		"application/json": content(reflect.TypeFor[ConnectionTest]()), mediaLines: content(reflect.TypeFor[TestLine]()),
	}}}
	return r
}
