package connectortest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// exchange is one recorded reply and the requests it answers. docs/adding-a-connector.md describes the file.
type exchange struct {
	Path    string             `json:"path"`
	Query   map[string]*string `json:"query"` // parameters that decide; null: must be absent
	Status  int                `json:"status"`
	Headers map[string]string  `json:"headers"`
	JSON    json.RawMessage    `json:"json"`
	Text    string             `json:"text"`

	file string
}

func (e *exchange) matches(r *http.Request) bool {
	if r.URL.Path != e.Path {
		return false
	}
	query := r.URL.Query()
	for name, want := range e.Query {
		if want == nil {
			if query.Has(name) {
				return false
			}
		} else if query.Get(name) != *want {
			return false
		}
	}
	return true
}

// body returns the reply's bytes and content type.
func (e *exchange) body() ([]byte, string) {
	if e.JSON != nil {
		return e.JSON, "application/json"
	}
	return []byte(e.Text), "text/plain; charset=utf-8"
}

func loadExchange(t *testing.T, file string) *exchange {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	e := &exchange{file: filepath.Base(file)}
	if err := dec.Decode(e); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	if !strings.HasPrefix(e.Path, "/") {
		t.Fatalf("%s: path must begin with a slash", file)
	}
	return e
}

// server serves recorded replies on loopback, or what a fault says instead.
type server struct {
	*httptest.Server
	t     *testing.T
	pages []*exchange
	key   string

	mu       sync.Mutex
	requests int
	fault    faultFunc
	override *exchange
}

func newServer(t *testing.T, key string) *server {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "pages", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no recorded pages in testdata/pages (%v)", err)
	}
	s := &server{t: t, key: key}
	for _, f := range files {
		s.pages = append(s.pages, loadExchange(t, f))
	}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

// set changes what the server does from now on, and counts requests from zero.
func (s *server) set(fault faultFunc, override *exchange) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault, s.override, s.requests = fault, override, 0
}

func (s *server) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests
}

// ServeHTTP implements http.Handler.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.requests++
	fault, override := s.fault, s.override
	s.mu.Unlock()
	if r.Method != http.MethodGet {
		s.t.Errorf("%s %s: a connector only reads", r.Method, r.URL.Path)
	}
	sent := false
	for _, values := range r.Header {
		sent = sent || strings.Contains(strings.Join(values, " "), s.key)
	}
	if !sent || strings.Contains(r.URL.String(), s.key) {
		s.t.Errorf("%s: the credential must be in a header and nowhere else", r.URL.Path)
	}
	e := override
	if e == nil || !e.matches(r) {
		e = s.find(r)
	}
	if e == nil {
		if fault == nil {
			s.t.Errorf("no recorded reply for %s", r.URL)
		}
		e = &exchange{Status: http.StatusNotFound, JSON: json.RawMessage(`{}`)}
	}
	body, contentType := e.body()
	if fault != nil {
		fault(w, body)
		return
	}
	w.Header().Set("Content-Type", contentType)
	for k, v := range e.Headers {
		w.Header().Set(k, v)
	}
	w.WriteHeader(max(e.Status, http.StatusOK))
	write(w, body)
}

// find returns the reply whose conditions are the most; two that are equal are a mistake in the recording.
func (s *server) find(r *http.Request) *exchange {
	var best *exchange
	for _, e := range s.pages {
		if !e.matches(r) {
			continue
		}
		if best != nil && len(best.Query) == len(e.Query) {
			s.t.Errorf("%s and %s both answer %s", best.file, e.file, r.URL)
		}
		if best == nil || len(e.Query) > len(best.Query) {
			best = e
		}
	}
	return best
}

func write(w http.ResponseWriter, b []byte) {
	// A client that stops reading is part of what is tested.
	_, _ = w.Write(b)
}

// refusal is a JSON error whose message must not come out, whatever the app means by it.
func refusal(status int) faultFunc {
	return func(w http.ResponseWriter, _ []byte) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"error":{"type":%q,"message":%q},"message":%q}`, canary, canary, canary)
	}
}

// faults are what every connector must take. The kind is what a call must end with, tries the requests it may make.
var faults = []struct {
	name  string
	serve faultFunc
	kind  string
	tries int
}{
	{"429 with Retry-After", func(w http.ResponseWriter, _ []byte) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(http.StatusTooManyRequests)
		fmt.Fprintf(w, `{"error":{"type":"rate_limit_error","message":%q}}`, canary)
	}, "RateLimited", 1},
	{"401", refusal(http.StatusUnauthorized), "Auth", 1},
	{"403", refusal(http.StatusForbidden), "Forbidden", 1},
	{"500", func(w http.ResponseWriter, _ []byte) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusInternalServerError)
		fmt.Fprintf(w, `{"error":{"type":"api_error","message":%q}}`, canary)
	}, "Transient", 3},
	{"a page of HTML with 502", func(w http.ResponseWriter, _ []byte) {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusBadGateway)
		fmt.Fprintf(w, "<html>%s</html>", canary)
	}, "Transient", 3},
	{"a page of HTML with 200", func(w http.ResponseWriter, _ []byte) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, "<html>%s</html>", canary)
	}, "Config", 1},
	{"truncated JSON", func(w http.ResponseWriter, recorded []byte) {
		w.Header().Set("Content-Type", "application/json")
		write(w, append(bytes.Clone(recorded[:len(recorded)/2]), canary...))
	}, "Malformed", 1},
	{"JSON of another service", func(w http.ResponseWriter, _ []byte) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"message":%q}`, canary)
	}, "Malformed", 1},
}
