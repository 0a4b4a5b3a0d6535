// Package connectortest holds the contract that every connector must pass. A connector's test is one call of Run beside a testdata folder of recorded
// pages; docs/adding-a-connector.md describes the files.
package connectortest

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/outband/outband/connectors"
	"github.com/outband/outband/internal/safehttp"
	"github.com/outband/outband/internal/secret"
)

const (
	// canary stands in every faulty reply and must not come out in an error.
	canary = "planted-canary-0f3a"
	// maxReads ends a walk that does not end.
	maxReads = 1000
)

// The bounds of the slice that window streams are read in. Recorded pages are made up to lie in it.
var (
	From = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	To   = time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
)

// suite is the run of one connector.
type suite struct {
	connector connectors.Connector
	manifest  *connectors.Manifest
	server    *server
	key       string
	content   []string // texts that came from the source and must not be in an error
}

// Run checks a connector against the contract, with the recorded pages of testdata.
func Run(t *testing.T, c connectors.Connector) {
	t.Helper()
	manifest, err := connectors.ParseManifest(c.Manifest)
	if err != nil {
		t.Fatalf("the manifest is not valid: %v", err)
	}
	key := "EXAMPLE-not-a-key-" + canary
	if len(manifest.Keys) > 0 {
		key = manifest.Keys[0].Prefix + key
	}
	s := &suite{connector: c, manifest: manifest, key: key, server: newServer(t, key)}
	t.Run("golden items", s.golden)
	for _, stream := range manifest.Streams {
		t.Run(stream.ID, func(t *testing.T) {
			t.Run("resumes from every cursor", func(t *testing.T) { s.resume(t, stream) })
			t.Run("gives the same page twice", func(t *testing.T) { s.duplicate(t, stream) })
			t.Run("keeps its cursor on an empty page", func(t *testing.T) { s.empty(t, stream) })
			t.Run("ends on a repeated cursor", func(t *testing.T) { s.repeated(t, stream) })
			t.Run("refuses a cursor that cannot be read", func(t *testing.T) { s.unreadable(t, stream) })
			t.Run("ends with its context", func(t *testing.T) { s.cancelled(t, stream) })
			for _, f := range faults {
				t.Run(f.name, func(t *testing.T) { s.fault(t, stream, f.serve, f.kind, f.tries) })
			}
		})
	}
	t.Run("stops when no more parts are wanted", s.stops)
}

// source makes a source with a client, limiter and breaker of its own.
func (s *suite) source(t *testing.T) connectors.Source {
	t.Helper()
	doer := safehttp.New(safehttp.Config{
		Allow:        []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")},
		RetryWaitMin: time.Millisecond, RetryWaitMax: time.Millisecond,
	})
	t.Cleanup(doer.HTTP().CloseIdleConnections)
	client, err := connectors.NewClient(connectors.Options{
		Manifest: s.manifest, Connection: "con_test", Secret: secret.NewValue(s.key),
		Config: map[string]string{connectors.ConfigBaseURL: s.server.URL},
		Doer:   doer, Limiter: connectors.NewLimiter(100000), UserAgent: "Outband/test", MapError: s.connector.MapError,
	})
	if err != nil {
		t.Fatal(err)
	}
	return s.connector.Open(client)
}

func start(stream connectors.Stream) connectors.Cursor {
	if stream.Cursor == connectors.CursorWindow {
		return connectors.Slice{From: From, To: To}.Cursor()
	}
	return ""
}

// read is one page and the cursor it was asked for with.
type read struct {
	after connectors.Cursor
	page  connectors.Page
}

// walk reads a stream to its end.
func (s *suite) walk(t *testing.T, source connectors.Source, stream string, after connectors.Cursor) ([]read, error) {
	t.Helper()
	var reads []read
	for range maxReads {
		page, err := source.Read(t.Context(), stream, after)
		if err != nil {
			return reads, err
		}
		reads = append(reads, read{after, page})
		if !page.More {
			return reads, nil
		}
		if page.Next == after {
			t.Fatalf("page %d says that there is more and does not advance", len(reads))
		}
		after = page.Next
	}
	t.Fatalf("%s did not end after %d pages", stream, maxReads)
	return nil, nil
}

func (s *suite) whole(t *testing.T, stream connectors.Stream) []read {
	t.Helper()
	s.server.set(nil, nil)
	reads, err := s.walk(t, s.source(t), stream.ID, start(stream))
	if err != nil {
		t.Fatal(err)
	}
	if len(reads) < 2 {
		t.Fatalf("the recording of %s has %d page; two at least are needed to test cursors", stream.ID, len(reads))
	}
	if n := s.server.count(); n != len(reads) {
		t.Errorf("%d pages took %d calls; Read makes one", len(reads), n)
	}
	return reads
}

func (s *suite) resume(t *testing.T, stream connectors.Stream) {
	reads := s.whole(t, stream)
	for i, from := range reads {
		got, err := s.walk(t, s.source(t), stream.ID, from.after)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(reads[i:], got, cmp.AllowUnexported(read{})); diff != "" {
			t.Errorf("resumed before page %d (-want +got):\n%s", i, diff)
		}
	}
}

func (s *suite) duplicate(t *testing.T, stream connectors.Stream) {
	source := s.source(t)
	for i, r := range s.whole(t, stream) {
		again, err := source.Read(t.Context(), stream.ID, r.after)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(r.page, again); diff != "" {
			t.Errorf("page %d read again (-want +got):\n%s", i, diff)
		}
	}
}

// special loads a reply of testdata/cases.
func (s *suite) special(t *testing.T, name string) *exchange {
	t.Helper()
	return loadExchange(t, filepath.Join("testdata", "cases", name+".json"))
}

func (s *suite) empty(t *testing.T, stream connectors.Stream) {
	after := s.whole(t, stream)[1].after
	s.server.set(nil, s.special(t, "empty-"+stream.ID))
	page, err := s.source(t).Read(t.Context(), stream.ID, after)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(connectors.Page{Next: after}, page); diff != "" {
		t.Errorf("empty page (-want +got):\n%s", diff)
	}
}

func (s *suite) repeated(t *testing.T, stream connectors.Stream) {
	s.server.set(nil, s.special(t, "repeat-"+stream.ID))
	reads, err := s.walk(t, s.source(t), stream.ID, start(stream))
	s.check(t, err, connectors.KindMalformed)
	if len(reads) > 3 {
		t.Errorf("the same cursor was followed %d times, want 3 at most", len(reads))
	}
}

func (s *suite) unreadable(t *testing.T, stream connectors.Stream) {
	s.server.set(nil, nil)
	_, err := s.source(t).Read(t.Context(), stream.ID, canary)
	s.check(t, err, connectors.KindCursorExpired)
}

func (s *suite) cancelled(t *testing.T, stream connectors.Stream) {
	s.server.set(nil, nil)
	item, fetch := s.first(t, stream)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	source := s.source(t)
	if _, err := source.Read(ctx, stream.ID, start(stream)); !errors.Is(err, context.Canceled) {
		t.Errorf("Read = %v, want the context's error", err)
	}
	if fetch {
		if _, err := collect(source.(connectors.Fetcher).Fetch(ctx, item)); !errors.Is(err, context.Canceled) {
			t.Errorf("Fetch = %v, want the context's error", err)
		}
	}
}

func (s *suite) fault(t *testing.T, stream connectors.Stream, serve faultFunc, kind string, tries int) {
	item, fetch := s.first(t, stream)
	s.server.set(serve, nil)
	_, err := s.source(t).Read(t.Context(), stream.ID, start(stream))
	s.check(t, err, connectors.Kind(kind))
	if n := s.server.count(); n != tries {
		t.Errorf("Read made %d requests, want %d", n, tries)
	}
	var e *connectors.Error
	if kind == string(connectors.KindRateLimited) && (!errors.As(err, &e) || e.RetryAfter != 7*time.Second) {
		t.Errorf("RetryAfter is not the header's 7 s: %+v", e)
	}
	if fetch {
		_, err := collect(s.source(t).(connectors.Fetcher).Fetch(t.Context(), item))
		s.check(t, err, connectors.Kind(kind))
	}
	if tester, ok := s.source(t).(connectors.Tester); ok {
		var steps []connectors.Step
		_, err := tester.Test(t.Context(), func(step connectors.Step) { steps = append(steps, step) })
		s.check(t, err, connectors.Kind(kind))
		if len(steps) == 0 || steps[len(steps)-1].State == "ok" || steps[len(steps)-1].Code == "" || steps[len(steps)-1].Message == "" {
			t.Errorf("the test's last step does not say what is wrong: %+v", steps)
		}
		s.clean(t, fmt.Sprint(steps))
	}
}

// first returns the first item of a stream with content that is not deleted.
func (s *suite) first(t *testing.T, stream connectors.Stream) (connectors.Item, bool) {
	t.Helper()
	if _, ok := s.source(t).(connectors.Fetcher); !ok || stream.Kind != connectors.StreamContent {
		return connectors.Item{}, false
	}
	for _, r := range s.whole(t, stream) {
		for _, item := range r.page.Items {
			if !item.Deleted {
				return item, true
			}
		}
	}
	t.Fatalf("the recording of %s has no item to fetch", stream.ID)
	return connectors.Item{}, false
}

func (s *suite) stops(t *testing.T) {
	s.server.set(nil, nil)
	for _, stream := range s.manifest.Streams {
		item, fetch := s.first(t, stream)
		if !fetch {
			continue
		}
		// An iterator that goes on after the break panics.
		for range s.source(t).(connectors.Fetcher).Fetch(t.Context(), item) {
			break
		}
	}
}

// check wants an error of the kind that an admin can read and that holds nothing it must not.
func (s *suite) check(t *testing.T, err error, kind connectors.Kind) {
	t.Helper()
	var e *connectors.Error
	if !errors.As(err, &e) || e.Kind != kind {
		t.Errorf("err = %v, want kind %s", err, kind)
		return
	}
	if e.Message == "" || (e.Code == "" && kind != connectors.KindCursorExpired) {
		t.Errorf("the error has no code or no sentence: %v", err)
	}
	s.clean(t, fmt.Sprintf("%v %+v %#v", err, err, *e))
}

func (s *suite) clean(t *testing.T, text string) {
	t.Helper()
	if strings.Contains(text, s.key) || strings.Contains(text, canary) {
		t.Errorf("the text holds the key or a byte of the reply: %s", text)
	}
	for _, c := range s.content {
		if strings.Contains(text, c) {
			t.Errorf("the text holds content of %d bytes", len(c))
		}
	}
}

func readFile(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
