package e2e

import (
	"database/sql"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	_ "modernc.org/sqlite" // The tests look into the store beside the server.
)

// TestOrganisation scans a whole simulated organisation once, with a receiver of its events, and looks at it from all sides.
func TestOrganisation(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	truthFile := filepath.Join(dir, "truth.json")
	epoch := orgEpoch.Format(time.RFC3339)
	counted := newProxy(t, simulator(t, "--seed", orgSeed, "--epoch", epoch, "--huge-file", "--truth", truthFile))
	s := serve(t, bin(t), filepath.Join(dir, "data"), "")
	r := newReceiver(t, nil)
	destinationID := s.destination(r.url())
	id := s.connect(counted.url, demoKey, orgEpoch.Add(-orgBackfill))
	t.Logf("first scan: %+v", s.firstScan(id, 2*time.Minute))
	truth := readTruth(t, truthFile)
	found := s.instancesByPlace()
	s.quiet(destinationID, time.Minute)

	t.Run("every planted value is found", func(t *testing.T) { checkPlanted(t, truth, found) })
	t.Run("no decoy counts", func(t *testing.T) { checkDecoys(t, truth, found) })
	t.Run("what was not scanned is counted", func(t *testing.T) { checkCoverage(t, truth, s.coverage(id)) })
	t.Run("nothing planted and no key leaves or stays", func(t *testing.T) { checkCanary(t, s, r, counted.url, id, destinationID, truth) })
}

// proxy stands between the server and a simulator and counts calls by the kind of path.
type proxy struct {
	url string

	mu    sync.Mutex
	calls map[string]int
	paths []string
}

func newProxy(t testing.TB, to string) *proxy {
	t.Helper()
	target, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{calls: map[string]int{}}
	forward := httputil.NewSingleHostReverseProxy(target)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		p.mu.Lock()
		p.calls[pathKind(req.URL.Path)]++
		p.paths = append(p.paths, req.URL.Path)
		p.mu.Unlock()
		forward.ServeHTTP(w, req)
	}))
	t.Cleanup(server.Close)
	p.url = server.URL
	return p
}

func pathKind(path string) string {
	switch {
	case strings.HasSuffix(path, "/messages"):
		return "messages"
	case strings.HasSuffix(path, "/content"):
		return "content"
	case strings.HasSuffix(path, "/apps/chats"):
		return "chats"
	case strings.HasSuffix(path, "/activities"):
		return "activities"
	}
	return "other"
}

// since returns the counts and paths since the last call, and begins anew.
func (p *proxy) since() (map[string]int, []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	calls, paths := p.calls, p.paths
	p.calls, p.paths = map[string]int{}, nil
	return calls, paths
}

// rows counts the rows of a table in the store, beside the running server.
func (s *server) rows(table string) (n int) {
	s.t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(s.data, "outband.db")+"?mode=ro&_pragma=busy_timeout(5000)")
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			s.t.Error(err)
		}
	}()
	if err := db.QueryRowContext(s.t.Context(), "SELECT COUNT(*) FROM "+table).Scan(&n); err != nil {
		s.t.Fatalf("count %s: %v", table, err)
	}
	return n
}
