package connectortest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/outband/outband/connectors"
)

// fault is a reply that every connector must take.
type fault struct {
	id, promise string
	serve       handler
	kind        connectors.Kind // what a call must end with
	tries       int             // the requests that it makes
	after       time.Duration   // RetryAfter of the error
}

func jsonReply(status int, header map[string]string, format string, args ...any) handler {
	return func(w http.ResponseWriter, _ *http.Request, _ reply) {
		w.Header().Set("Content-Type", "application/json")
		for k, v := range header {
			w.Header().Set(k, v)
		}
		w.WriteHeader(status)
		// A client that stops reading is part of what is tested.
		_, _ = fmt.Fprintf(w, format, args...)
	}
}

// refusal is a JSON error whose message must not come out, whatever the app means by it.
func refusal(status int) handler {
	return jsonReply(status, nil, `{"error":{"type":%q,"message":%q},"message":%q}`, canary, canary, canary)
}

func html(status int) handler {
	return func(w http.ResponseWriter, _ *http.Request, _ reply) {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, "<html>%s</html>", canary) // As above.
	}
}

var faults = []fault{
	{"refused-key", "A 401 is KindAuth, at once.", refusal(http.StatusUnauthorized), connectors.KindAuth, 1, 0},
	{"missing-permission", "A 403 is KindForbidden, at once, without the reply's message.", refusal(http.StatusForbidden), connectors.KindForbidden, 1, 0},
	{"rate-limit", "A 429 is not tried again, and its Retry-After comes through.",
		jsonReply(http.StatusTooManyRequests, map[string]string{"Retry-After": "7"}, `{"error":{"type":"rate_limit_error","message":%q}}`, canary), connectors.KindRateLimited, 1, 7 * time.Second},
	{"server-error", "A 500 is tried three times and is KindTransient.", refusal(http.StatusInternalServerError), connectors.KindTransient, 3, 0},
	{"no-retry", "A 500 that says x-should-retry: false is not tried again.",
		jsonReply(http.StatusInternalServerError, map[string]string{"X-Should-Retry": "false"}, `{"error":{"message":%q}}`, canary), connectors.KindTransient, 1, 0},
	{"bad-gateway", "A page of HTML with 502 is tried three times and is KindTransient.", html(http.StatusBadGateway), connectors.KindTransient, 3, 0},
	{"not-the-api", "A page of HTML with 200 is KindConfig: the base URL is wrong, or a proxy answers.", html(http.StatusOK), connectors.KindConfig, 1, 0},
	{"truncated", "JSON that breaks off is KindMalformed.", func(w http.ResponseWriter, _ *http.Request, recorded reply) {
		recorded.header.Set("Content-Type", "application/json")
		recorded.status = http.StatusOK
		recorded.body = append(bytes.Clone(recorded.body[:len(recorded.body)/2]), canary...)
		recorded.send(w)
	}, connectors.KindMalformed, 1, 0},
	{"foreign-json", "JSON of another service is KindMalformed, not an empty page.", jsonReply(http.StatusOK, nil, `{"message":%q}`, canary), connectors.KindMalformed, 1, 0},
	{"null-reply", "A reply of null is KindMalformed, not an empty page.", jsonReply(http.StatusOK, nil, `null`), connectors.KindMalformed, 1, 0},
}

// checks makes a check of each fault.
func faultChecks() (out []Check) {
	for _, f := range faults {
		out = append(out, Check{ID: f.id, Group: "Faults", Promise: f.promise, streams: anyKind, test: func(r *run) { r.fault(f) }})
	}
	return out
}

// fault serves a fault to each kind of list call of the stream, and to the first call of Fetch for each kind of item.
func (r *run) fault(f fault) {
	seen := map[string]bool{}
	for _, at := range r.whole() {
		if seen[at.request.path] {
			continue
		}
		seen[at.request.path] = true
		r.server.serve(f.serve)
		page, err := r.source().Read(r.Context(), r.stream.ID, at.after)
		r.wantFault("Read", err, f)
		if err != nil && (len(page.Items) > 0 || page.Next != "") {
			r.Errorf("Read gives a page beside its error")
		}
	}
	kinds := map[string]bool{}
	for _, item := range r.contents() {
		if kinds[item.Kind] {
			continue
		}
		kinds[item.Kind] = true
		_, _ = r.fetch(item) // Only its calls are of interest.
		made := r.server.requests()
		if len(made) == 0 || !r.isJSON(made[0].file) {
			continue // A download is lazy, or is looked at by its own check.
		}
		r.server.serve(f.serve)
		_, err := r.fetchNow(item)
		r.wantFault("Fetch of a "+item.Kind, err, f)
	}
}

// isJSON reports whether a recording is JSON, and no error.
func (r *run) isJSON(file string) bool {
	e := r.server.recording(file)
	return e != nil && e.JSON != nil && e.Status < 300
}

func (r *run) wantFault(what string, err error, f fault) {
	r.Helper()
	if err == nil {
		r.Errorf("%s ends without an error", what)
		return
	}
	r.wantKind(err, f.kind)
	if n := r.server.count(); n != f.tries {
		r.Errorf("%s made %d requests, want %d", what, n, f.tries)
	}
	var e *connectors.Error
	if errors.As(err, &e) && e.RetryAfter != f.after {
		r.Errorf("%s: RetryAfter is %v, want %v", what, e.RetryAfter, f.after)
	}
}

// wantKind wants an error of the kind that an admin can read and that holds nothing it must not.
func (r *run) wantKind(err error, kind connectors.Kind) {
	r.Helper()
	var e *connectors.Error
	if !errors.As(err, &e) || e.Kind != kind {
		r.Errorf("err = %v, want kind %s", err, kind)
		return
	}
	if e.Message == "" || (e.Code == "" && kind != connectors.KindCursorExpired) {
		r.Errorf("the error has no code or no sentence: %v", err)
	}
	r.clean(describe(err))
}

// describe writes an error in every way that a log might.
func describe(err error) string {
	var e *connectors.Error
	if errors.As(err, &e) {
		return fmt.Sprintf("%v %+v %#v", err, err, *e)
	}
	return fmt.Sprintf("%v %+v %#v", err, err, err)
}

// quietErrors serves replies full of content with every status that an app may answer with, and looks at the text of the errors only.
func quietErrors(r *run) {
	item := r.contents()
	seen := map[string]bool{}
	for _, at := range r.whole() {
		if seen[at.request.path] {
			continue
		}
		seen[at.request.path] = true
		for _, status := range []int{400, 401, 403, 404, 409, 410, 413, 422, 429, 500, 529} {
			r.server.serve(withStatus(status))
			if _, err := r.source().Read(r.Context(), r.stream.ID, at.after); err != nil {
				r.clean(describe(err))
			}
			if len(item) > 0 {
				if _, err := r.fetchNow(item[0]); err != nil {
					r.clean(describe(err))
				}
			}
		}
	}
}

// withStatus sends the recorded rows, as the message of an error, with a status.
func withStatus(status int) handler {
	return func(w http.ResponseWriter, req *http.Request, recorded reply) {
		jsonReply(status, nil, `{"error":{"type":%q,"message":%q},"message":%q}`, canary, recorded.body, canary)(w, req, recorded)
	}
}

// tooBig lets every reply be larger than the manifest allows.
func tooBig(r *run) {
	small := *r.manifest
	small.Limits.MaxResponseBytes = 64
	seen := map[string]bool{}
	big := func(w http.ResponseWriter, req *http.Request, recorded reply) {
		if given, ok := r.server.like(req); ok && recorded.file == "" {
			recorded = given // A connector may ask for fewer rows than were recorded.
		}
		recorded.body = append(bytes.Clone(recorded.body), bytes.Repeat([]byte(" "), 1<<10)...)
		recorded.send(w)
	}
	const calls = 16 // A connector may ask for fewer rows, halving them, but not for ever.
	for _, at := range r.whole() {
		if seen[at.request.path] || !r.isJSON(at.request.file) {
			continue // A recorded refusal has no rows that could be too many.
		}
		seen[at.request.path] = true
		r.server.serve(big)
		_, err := r.open(r.server, &small).Read(r.Context(), r.stream.ID, at.after)
		r.wantKind(err, connectors.KindTooBig)
		if n := r.server.count(); n > calls {
			r.Errorf("a reply over the limit was asked for %d times", n)
		}
	}
	for _, item := range r.contents() {
		_, err := r.fetch(item)
		if made := r.server.requests(); err != nil || len(made) == 0 || !r.isJSON(made[0].file) {
			continue
		}
		r.server.serve(big)
		_, err = collect(r.open(r.server, &small).(connectors.Fetcher).Fetch(r.Context(), item))
		r.wantKind(err, connectors.KindTooBig)
		if n := r.server.count(); n > calls {
			r.Errorf("the content of a %s over the limit was asked for %d times", item.Kind, n)
		}
	}
}

// cancelled ends the context before a call, and during one.
func cancelled(r *run) {
	reads := r.whole()
	items := r.contents()
	calls := map[string]func(context.Context, connectors.Source) error{
		"Read": func(ctx context.Context, s connectors.Source) error {
			_, err := s.Read(ctx, r.stream.ID, reads[0].after)
			return err
		},
	}
	if len(items) > 0 {
		calls["Fetch"] = func(ctx context.Context, s connectors.Source) error {
			parts, err := collect(s.(connectors.Fetcher).Fetch(ctx, items[0]))
			for _, p := range parts {
				if err == nil && p.Open != nil {
					err = opened(ctx, p) // The call of a file may be this one.
				}
			}
			return err
		}
	}
	for name, call := range calls {
		r.server.serve(nil)
		if err := call(r.Context(), r.source()); err != nil || r.server.count() == 0 {
			continue // A Fetch that calls nobody cannot be stopped by a context.
		}
		ctx, cancel := context.WithCancel(r.Context())
		cancel()
		r.server.serve(nil)
		if err := call(ctx, r.source()); !errors.Is(err, context.Canceled) {
			r.Errorf("%s with a context that has ended = %v, want its error", name, err)
			continue
		}
		if n := r.server.count(); n != 0 {
			r.Errorf("%s with a context that has ended made %d requests", name, n)
		}
		ctx, cancel = context.WithCancel(r.Context())
		r.server.serve(func(_ http.ResponseWriter, req *http.Request, _ reply) {
			cancel()
			select {
			case <-req.Context().Done():
			case <-time.After(patience):
			}
		})
		began := time.Now()
		if err := call(ctx, r.source()); !errors.Is(err, context.Canceled) {
			r.Errorf("%s whose context ends during a call = %v, want its error", name, err)
		}
		if took := time.Since(began); took > patience/2 {
			r.Errorf("%s went on for %v after its context ended", name, took)
		}
		cancel()
	}
}

func opened(ctx context.Context, p connectors.Part) error {
	body, err := p.Open(ctx)
	if err != nil {
		return err
	}
	return body.Close()
}

// patience is how long a call that should have ended is waited for.
const patience = 4 * time.Second

// gone lets the content of an item answer that it no longer exists.
func gone(r *run) {
	for _, item := range r.needContents() {
		parts, err := r.fetch(item)
		eager := r.server.count() > 0
		if err != nil {
			continue // It cannot be read as it is recorded.
		}
		r.server.serve(refusal(http.StatusNotFound))
		if eager {
			_, err := r.fetchNow(item)
			if err == nil {
				r.Errorf("a %s that no longer exists has no error", item.Kind)
				continue
			}
			r.wantKind(err, connectors.KindGone)
			continue
		}
		for _, p := range parts {
			if p.Open == nil || p.Kind != connectors.PartFile {
				continue
			}
			_, err := readPart(r, p)
			if err == nil {
				r.Errorf("a file that no longer exists reads without an error")
				continue
			}
			r.wantKind(err, connectors.KindGone)
		}
	}
}
