// Package connectortest holds the contract that every connector must pass: a table of checks, each with an id and a promise. A connector's test is one
// call of Run beside a testdata folder of recorded pages; docs/adding-a-connector.md describes the files and lists the checks. What a check needs beyond
// the recordings (an empty page, a row without an id, a time in another spelling, a refusal) it makes of them by itself.
package connectortest

import (
	"context"
	"flag"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/outband/outband/connectors"
	"github.com/outband/outband/internal/safehttp"
	"github.com/outband/outband/internal/secret"
)

var update = flag.Bool("update", false, "rewrite what is generated: testdata/want.jsonl, and the list of checks in the documentation")

const (
	// canary stands in every faulty reply and must not come out in an error.
	canary = "planted-canary-0f3a"
	// Key is the credential that every check calls the app with, after the prefix of the manifest's first kind of key.
	Key = "EXAMPLE-not-a-key-" + canary
	// maxReads ends a walk that does not end.
	maxReads = 1000
)

// The bounds of the slice that window streams are read in. Recorded pages are made up to lie in it.
var (
	From = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	To   = time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
)

// T is what a check reports to: what it uses of *testing.T. Errorf and Logf are called from other goroutines too; Fatalf and Skipf end the goroutine.
type T interface {
	Helper()
	Context() context.Context
	Cleanup(func())
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Skipf(format string, args ...any)
}

// Check is one promise of the contract.
type Check struct {
	ID      string // stable: lower-case words with hyphens
	Group   string // what of a connector it looks at, for the documentation
	Promise string // one sentence

	streams func(connectors.Stream) bool // those it is made for, each apart; nil: it is made once for the connector
	test    func(*run)
}

// Run checks a connector against the whole contract, with the recordings in the folder testdata of its package.
func Run(t *testing.T, c connectors.Connector) {
	t.Helper()
	s, err := newSuite(c, "testdata")
	if err != nil {
		t.Fatal(err)
	}
	s.update = *update
	for _, check := range Checks() {
		t.Run(check.ID, func(t *testing.T) {
			t.Parallel()
			if check.streams == nil {
				s.run(t, check, connectors.Stream{})
				return
			}
			for _, stream := range s.manifest.Streams {
				if check.streams(stream) {
					t.Run(stream.ID, func(t *testing.T) {
						t.Parallel()
						s.run(t, check, stream)
					})
				}
			}
		})
	}
}

// Subjects returns what the check is made for with this connector: the ids of streams, or one empty string for the connector as a whole.
func (c Check) Subjects(m *connectors.Manifest) []string {
	if c.streams == nil {
		return []string{""}
	}
	var ids []string
	for _, stream := range m.Streams {
		if c.streams(stream) {
			ids = append(ids, stream.ID)
		}
	}
	return ids
}

// Test makes the check alone, for one of its subjects, with the recordings of a folder. A connector whose manifest cannot be read fails every check.
func (c Check) Test(t T, connector connectors.Connector, folder, subject string) {
	t.Helper()
	s, err := newSuite(connector, folder)
	if err != nil {
		t.Fatalf("%v", err)
	}
	stream, ok := s.manifest.Stream(subject)
	if !ok && subject != "" {
		t.Fatalf("no stream %q", subject)
	}
	s.run(t, c, stream)
}

// suite is a connector under test.
type suite struct {
	connector connectors.Connector
	manifest  *connectors.Manifest
	folder    string
	key       string
	update    bool

	once  sync.Once
	pages []*exchange
	texts []string // see texts
}

func newSuite(c connectors.Connector, folder string) (*suite, error) {
	manifest, err := connectors.ParseManifest(c.Manifest)
	if err != nil {
		return nil, fmt.Errorf("the manifest is not valid: %w", err)
	}
	key := Key
	if len(manifest.Keys) > 0 {
		key = manifest.Keys[0].Prefix + key
	}
	return &suite{connector: c, manifest: manifest, folder: folder, key: key}, nil
}

// run is one check of one connector or stream, with a server of its own.
type run struct {
	T
	*suite
	stream connectors.Stream // zero: the check is about the connector
	server *server
}

func (s *suite) run(t T, check Check, stream connectors.Stream) {
	r := &run{T: t, suite: s, stream: stream}
	s.once.Do(func() {
		s.pages = loadExchanges(t, s.folder)
		s.texts = texts(s.pages)
	})
	if s.pages == nil {
		t.Fatalf("the recordings cannot be read")
	}
	r.server = newServer(t, s.pages)
	check.test(r)
}

// source makes a source with a client, limiter and breaker of its own.
func (r *run) source() connectors.Source {
	r.Helper()
	return r.open(r.server, r.manifest)
}

// open makes a source for a server, with limits that may differ from the connector's.
func (r *run) open(server *server, manifest *connectors.Manifest) connectors.Source {
	r.Helper()
	doer := safehttp.New(safehttp.Config{
		Allow:        []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")},
		RetryWaitMin: time.Millisecond, RetryWaitMax: time.Millisecond,
	})
	r.Cleanup(doer.HTTP().CloseIdleConnections)
	client, err := connectors.NewClient(connectors.Options{
		Manifest: manifest, Connection: "con_test", Secret: secret.NewValue(r.key),
		Config: map[string]string{connectors.ConfigBaseURL: server.URL},
		Doer:   doer, Limiter: connectors.NewLimiter(100000), UserAgent: "Outband/test", MapError: r.connector.MapError,
	})
	if err != nil {
		r.Fatalf("%v", err)
	}
	return r.connector.Open(client)
}

// fetcher returns the source's Fetcher for a stream with content.
func (r *run) fetcher() (connectors.Fetcher, bool) {
	f, ok := r.source().(connectors.Fetcher)
	return f, ok && r.stream.Kind == connectors.StreamContent
}

// start is the cursor that a stream is read with from its beginning.
func start(stream connectors.Stream) connectors.Cursor {
	if stream.Cursor == connectors.CursorWindow {
		return connectors.Slice{From: From, To: To}.Cursor()
	}
	return ""
}

// read is one page, the cursor it was asked for with, and the request that brought it.
type read struct {
	after   connectors.Cursor
	page    connectors.Page
	request request
}

// walk reads the stream to its end.
func (r *run) walk(source connectors.Source, after connectors.Cursor) ([]read, error) {
	r.Helper()
	var reads []read
	for range maxReads {
		before := r.server.count()
		page, err := source.Read(r.Context(), r.stream.ID, after)
		if err != nil {
			return reads, err
		}
		var request request
		if made := r.server.requests(); len(made) > before {
			request = made[before]
		}
		reads = append(reads, read{after, page, request})
		if !page.More {
			return reads, nil
		}
		if page.Next == after {
			r.Fatalf("page %d says that there is more and does not advance", len(reads))
		}
		after = page.Next
	}
	r.Fatalf("%s did not end after %d pages", r.stream.ID, maxReads)
	return nil, nil
}

// whole reads the stream as it is recorded.
func (r *run) whole() []read {
	r.Helper()
	r.server.serve(nil)
	reads, err := r.walk(r.source(), start(r.stream))
	if err != nil {
		r.Fatalf("read %s as recorded: %v", r.stream.ID, err)
	}
	if len(reads) < 2 && !snapshot(r.stream) {
		r.Fatalf("the recording of %s has %d page; two at least are needed to test cursors", r.stream.ID, len(reads))
	}
	return reads
}

// clean wants a text without the key, a byte of a faulty reply, or a string of the recordings.
func (r *run) clean(text string) {
	r.Helper()
	if strings.Contains(text, r.key) || strings.Contains(text, canary) {
		r.Errorf("the text holds the key or a byte of the reply: %s", text)
	}
	for _, c := range r.texts {
		if strings.Contains(text, c) {
			r.Errorf("the text holds %d bytes of content", len(c))
		}
	}
}

func content(s connectors.Stream) bool  { return s.Kind == connectors.StreamContent }
func anyKind(connectors.Stream) bool    { return true }
func snapshot(s connectors.Stream) bool { return s.Cursor == connectors.CursorSnapshot }
func records(s connectors.Stream) bool  { return s.Kind == connectors.StreamRecords }
func dated(s connectors.Stream) bool {
	return s.Kind != connectors.StreamRecords && s.Cursor != connectors.CursorSnapshot
}
