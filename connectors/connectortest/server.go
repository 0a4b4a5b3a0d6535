package connectortest

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/outband/outband/connectors"
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

// reply is what the server sends.
type reply struct {
	file   string // the recording; "": there is none for the request
	status int
	header http.Header
	body   []byte
}

func (e *exchange) reply() reply {
	out := reply{file: e.file, status: max(e.Status, http.StatusOK), header: http.Header{}, body: e.JSON}
	out.header.Set("Content-Type", "application/json")
	if e.JSON == nil {
		out.body = []byte(e.Text)
		out.header.Set("Content-Type", "text/plain; charset=utf-8")
	}
	for k, v := range e.Headers {
		out.header.Set(k, v)
	}
	return out
}

func (r reply) json() bool { return strings.Contains(r.header.Get("Content-Type"), "json") }

func (r reply) send(w http.ResponseWriter) {
	for k, v := range r.header {
		w.Header()[k] = v
	}
	w.WriteHeader(r.status)
	// A client that stops reading is part of what is tested.
	_, _ = w.Write(r.body)
}

func loadExchange(t T, file string) *exchange {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(readFile(t, file)))
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

func readFile(t T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return b
}

// request is one call as the server saw it.
type request struct {
	method string
	path   string // escaped, as it was sent
	query  url.Values
	header http.Header
	file   string // the recording that answers it
}

// segments returns the parts of the path, each unescaped.
func (r request) segments() []string {
	parts := strings.Split(strings.TrimPrefix(r.path, "/"), "/")
	for i, p := range parts {
		if s, err := url.PathUnescape(p); err == nil {
			parts[i] = s
		}
	}
	return parts
}

// handler answers a request in place of the server, which gives it the recorded reply.
type handler func(w http.ResponseWriter, r *http.Request, recorded reply)

// maxRequests of one check: a connector that goes round for ever is told so, and the check ends.
const maxRequests = 4000

// server serves recorded replies on loopback, or what a handler says instead.
type server struct {
	*httptest.Server
	t     T
	pages []*exchange

	mu     sync.Mutex
	log    []request
	handle handler
	total  int
}

// loadExchanges reads the recordings of a folder.
func loadExchanges(t T, folder string) (pages []*exchange) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "pages", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no recorded pages in %s/pages (%v)", folder, err)
	}
	for _, f := range files {
		pages = append(pages, loadExchange(t, f))
	}
	return pages
}

// newServer serves recordings, which it does not change.
func newServer(t T, pages []*exchange) *server {
	t.Helper()
	s := &server{t: t, pages: pages}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

// serve changes what the server answers with from now on, nil: the recordings; and forgets the requests so far.
func (s *server) serve(h handler) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handle, s.log = h, nil
}

func (s *server) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.log)
}

// requests returns the calls since serve.
func (s *server) requests() []request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.log)
}

// ServeHTTP implements http.Handler.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e, ambiguous := s.find(r)
	recorded := reply{status: http.StatusNotFound, header: http.Header{"Content-Type": {"application/json"}}, body: []byte(`{}`)}
	if e != nil {
		recorded = e.reply()
	}
	s.mu.Lock()
	handle := s.handle
	s.total++
	over := s.total > maxRequests
	s.log = append(s.log, request{method: r.Method, path: r.URL.EscapedPath(), query: r.URL.Query(), header: r.Header.Clone(), file: recorded.file})
	s.mu.Unlock()
	switch {
	case over:
		s.t.Errorf("more than %d requests were made", maxRequests)
		w.WriteHeader(http.StatusUnauthorized)
	case ambiguous != "":
		s.t.Errorf("%s", ambiguous)
	case handle != nil:
		handle(w, r, recorded)
	default:
		if e == nil {
			s.t.Errorf("no recorded reply for %s %s", r.Method, r.URL)
		}
		recorded.send(w)
	}
}

// find returns the reply whose conditions are the most; two that are equal are a mistake in the recording.
func (s *server) find(r *http.Request) (best *exchange, ambiguous string) {
	for _, e := range s.pages {
		if !e.matches(r) {
			continue
		}
		if best != nil && len(best.Query) == len(e.Query) {
			ambiguous = best.file + " and " + e.file + " both answer " + r.URL.String()
		}
		if best == nil || len(e.Query) > len(best.Query) {
			if best != nil {
				ambiguous = ""
			}
			best = e
		}
	}
	return best, ambiguous
}

// recording returns the one of a file, nil if there is none.
func (s *server) recording(file string) *exchange {
	for _, e := range s.pages {
		if e.file == file {
			return e
		}
	}
	return nil
}

// like returns the recording of the path whose conditions the request meets best: for requests with bounds of time that were not recorded.
func (s *server) like(r *http.Request) (reply, bool) {
	var best *exchange
	most := 0
	for _, e := range s.pages {
		if e.Path != r.URL.Path {
			continue
		}
		score := 0
		for name, want := range e.Query {
			met := exchange{Path: e.Path, Query: map[string]*string{name: want}}
			if isTime(want) && r.URL.Query().Has(name) || met.matches(r) {
				score++
			} else {
				score -= 2
			}
		}
		if best == nil || score > most {
			best, most = e, score
		}
	}
	if best == nil {
		return reply{}, false
	}
	return best.reply(), true
}

func isTime(s *string) bool {
	if s == nil {
		return false
	}
	_, err := connectors.ParseTime(*s)
	return err == nil
}

// texts returns the strings of the recordings that would be recognised in an error: those that no sentence of ours could hold by chance.
func texts(pages []*exchange) []string {
	seen := map[string]bool{}
	for _, e := range pages {
		if e.JSON == nil {
			if len(e.Text) >= 12 {
				seen[e.Text] = true
			}
			continue
		}
		doc, ok := decode(e.JSON)
		if !ok {
			continue
		}
		mapStrings(doc, "", func(key, v string) string {
			if key != "request_id" && len(v) >= 8 && strings.ContainsAny(v, "0123456789@ ") {
				seen[v] = true
			}
			return v
		})
	}
	out := make([]string, 0, len(seen))
	for text := range seen {
		out = append(out, text)
	}
	return out
}
