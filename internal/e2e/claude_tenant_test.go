package e2e

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/outband/outband/fixtures/claudesim"
	"github.com/outband/outband/fixtures/claudesim/tenant"
)

// whole reports whether the acceptance tests are made at their whole size (make acceptance), which takes some twenty minutes.
func whole() bool { return os.Getenv("OUTBAND_ACCEPTANCE") != "" }

// timed skips a test that measures times, which a busy machine would fail, unless they are asked for.
func timed(t *testing.T) {
	t.Helper()
	if !whole() {
		t.Skip("SKIPPED: it measures times; make acceptance runs it")
	}
}

// tenantSize is that of the organisation in the acceptance tests.
func tenantSize() tenant.Size {
	if whole() {
		return tenant.Size{People: 200, Chats: 5000, Messages: 60_000, Files: 1000}
	}
	return tenant.Size{People: 200, Chats: 700, Messages: 8000, Files: 200}
}

// wholeTime is the longest that a whole tenant takes to read.
const wholeTime = 15 * time.Minute

// asked is one call that the tenant answered.
type asked struct {
	path  string
	query url.Values
	rows  int // of a list
	at    time.Time
}

// tenantServer is a simulated tenant in the process of the test, which is asked what it saw.
type tenantServer struct {
	*claudesim.Server
	url string

	mu    sync.Mutex
	asked []asked
}

// newTenant serves a tenant without limits of its own, unless the options have some.
func newTenant(t testing.TB, o claudesim.Options) *tenantServer {
	t.Helper()
	sim, err := claudesim.New(o)
	if err != nil {
		t.Fatal(err)
	}
	x := &tenantServer{Server: sim}
	server := httptest.NewServer(http.HandlerFunc(x.serve))
	t.Cleanup(server.Close)
	x.url = server.URL
	return x
}

func (x *tenantServer) serve(w http.ResponseWriter, req *http.Request) {
	a := asked{path: req.URL.Path, query: req.URL.Query(), at: time.Now()}
	if kindOfCall(a.path) == callList {
		copied := &copying{ResponseWriter: w}
		x.Server.ServeHTTP(copied, req)
		var page struct{ Data []json.RawMessage }
		if json.Unmarshal(copied.body.Bytes(), &page) == nil { // A reply that was spoiled has no rows.
			a.rows = len(page.Data)
		}
	} else {
		x.Server.ServeHTTP(w, req)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.asked = append(x.asked, a)
}

// copying keeps what it writes.
type copying struct {
	http.ResponseWriter
	body bytes.Buffer
}

func (c *copying) Write(b []byte) (int, error) {
	c.body.Write(b)
	return c.ResponseWriter.Write(b)
}

// Unwrap lets the simulator flush and break connections.
func (c *copying) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// calls returns what was asked for since the last call.
func (x *tenantServer) calls() []asked {
	x.mu.Lock()
	defer x.mu.Unlock()
	out := x.asked
	x.asked = nil
	return out
}

// feedRow is a row of the activity feed.
type feedRow struct {
	ID        string    `json:"id"`
	Type      string    `json:"type"`
	CreatedAt time.Time `json:"created_at"`
}

// feed reads the whole activity feed but the rows about calls, past what counts the calls. A row that the feed shows twice is one.
func (x *tenantServer) feed(t testing.TB) (out []feedRow) {
	t.Helper()
	seen := map[string]bool{}
	query := url.Values{"limit": {"1000"}, "order": {"asc"}, "exclude_activity_types[]": {"compliance_api_accessed"}}
	const pagesMost = 1000 // of at most a thousand rows, some of them spoiled
	for range pagesMost {
		w := httptest.NewRecorder()
		req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/compliance/activities?"+query.Encode(), nil)
		req.Header.Set("X-Api-Key", claudesim.DemoKey)
		x.Server.ServeHTTP(w, req)
		var page struct {
			Data    []feedRow `json:"data"`
			HasMore bool      `json:"has_more"`
			LastID  string    `json:"last_id"`
		}
		if err := json.Unmarshal(w.Body.Bytes(), &page); w.Code != http.StatusOK || err != nil {
			continue // It was spoiled.
		}
		for _, a := range page.Data {
			if !seen[a.ID] {
				seen[a.ID] = true
				out = append(out, a)
			}
		}
		if !page.HasMore {
			return out
		}
		if page.LastID != "" { // Else it was spoiled: empty, and there is more.
			query.Set("after_id", page.LastID)
		}
	}
	t.Fatalf("the feed does not end within %d pages", pagesMost)
	return nil
}

// Kinds of calls, as the bound of requests names them.
const (
	callList     = "list"
	callMessages = "messages" // of a chat or a session
	callContent  = "content"
)

func kindOfCall(path string) string {
	switch {
	case strings.HasSuffix(path, "/messages"):
		return callMessages
	case strings.HasSuffix(path, "/content"), strings.Contains(path, "/projects/documents/"), strings.Contains(path, "/files/"):
		return callContent
	}
	return callList
}

// leastCalls is the bound of requests: the pages of every list that was read, each list being a path with its filters, one call for each chat and session,
// and one for each content.
func leastCalls(calls []asked) (least int, by map[string]int) {
	type list struct{ rows, limit, pages int }
	lists := map[string]*list{}
	once := map[string]bool{}
	by = map[string]int{}
	for _, a := range calls {
		kind := kindOfCall(a.path)
		if kind != callList {
			if !once[a.path] {
				once[a.path] = true
				by[kind]++
				least++
			}
			continue
		}
		filters := url.Values{}
		for k, v := range a.query {
			if k != "after_id" && k != "page" && k != "limit" {
				filters[k] = v
			}
		}
		key := a.path + "?" + filters.Encode()
		if lists[key] == nil {
			lists[key] = &list{}
		}
		l := lists[key]
		l.rows += a.rows
		l.pages++
		l.limit = 1000
		if n, err := strconv.Atoi(a.query.Get("limit")); err == nil {
			l.limit = n
		}
	}
	for _, l := range lists {
		n := max(1, int(math.Ceil(float64(l.rows)/float64(l.limit))))
		by[callList] += n
		least += n
	}
	return least, by
}

// unitCount is a line of the ledger, of all days.
type unitCount struct{ Stream, Unit, Outcome, Reason string }

// ledger reads the coverage ledger from the store, with the items that wait or were given up.
func (s *server) ledger(connectionID string) map[unitCount]int {
	s.t.Helper()
	out := map[unitCount]int{}
	s.query(`SELECT stream, unit, outcome, reason, SUM(n) FROM coverage_units WHERE connection_id = '`+connectionID+`' GROUP BY stream, unit, outcome, reason`, func(r *sql.Rows) error {
		var u unitCount
		var n int
		err := r.Scan(&u.Stream, &u.Unit, &u.Outcome, &u.Reason, &n)
		out[u] += n
		return err
	})
	return out
}

// waiting counts the items that are not done, by stream and kind.
func (s *server) waiting(connectionID string) map[unitCount]int {
	s.t.Helper()
	out := map[unitCount]int{}
	s.query(`SELECT stream, kind, state, reason, COUNT(*) FROM items WHERE connection_id = '`+connectionID+`' AND state IN ('deferred', 'quarantined') GROUP BY stream, kind, state, reason`, func(r *sql.Rows) error {
		var u unitCount
		var n int
		err := r.Scan(&u.Stream, &u.Unit, &u.Outcome, &u.Reason, &n)
		out[u] = n
		return err
	})
	return out
}

// pending are the items that the tenant does not hand out yet, which are right to wait.
func (x *tenantServer) pending() (n int) {
	for _, c := range x.Truth(time.Now()).Counts {
		if c.Unit == "session" || c.Unit == "code_artifact" {
			n += c.Unreachable["pending"]
		}
	}
	return n
}

// query reads rows of the store beside the running server.
func (s *server) query(text string, each func(*sql.Rows) error) {
	s.t.Helper()
	db := s.database("ro")
	defer s.closed(db)
	rows, err := db.QueryContext(s.t.Context(), text)
	if err != nil {
		s.t.Fatalf("%v", err)
	}
	for rows.Next() {
		if err := each(rows); err != nil {
			s.t.Fatalf("%v", err)
		}
	}
	if err := rows.Err(); err != nil {
		s.t.Fatalf("%v", err)
	}
}

func (s *server) database(mode string) *sql.DB {
	s.t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(s.data, "outband.db")+"?mode="+mode+"&_pragma=busy_timeout(5000)&_txlock=immediate")
	if err != nil {
		s.t.Fatal(err)
	}
	return db
}

func (s *server) closed(db *sql.DB) {
	if err := db.Close(); err != nil {
		s.t.Error(err)
	}
}

// hurry lets what waits for another try be due now. The test does not wait for minutes that are only for the vendor's good.
func (s *server) hurry(connectionID string) {
	s.t.Helper()
	db := s.database("rw")
	defer s.closed(db)
	if _, err := db.ExecContext(s.t.Context(), `UPDATE items SET next_try_at = 0 WHERE connection_id = $1 AND state = 'quarantined'`, connectionID); err != nil {
		s.t.Fatalf("%v", err)
	}
}

// scanUntilDone scans again and again until nothing waits that need not, no window is open and no history is left.
func (s *server) scanUntilDone(x *tenantServer, connectionID string) (scans int) {
	s.t.Helper()
	pending := x.pending()
	for end := time.Now().Add(wholeTime); ; scans++ {
		var all []scan
		wait(s.t, wholeTime, "a scan to begin", func() bool { all = s.scans(connectionID); return len(all) > 0 })
		ended := s.finished(all[0].ID, wholeTime)
		open := []string{}
		for stream, c := range s.coverage(connectionID) {
			if c.BackfillOpen+len(c.Gaps) > 0 || c.Error != "" {
				open = append(open, fmt.Sprintf("%s: %d slices, %d gaps, %q", stream, c.BackfillOpen, len(c.Gaps), c.Error))
			}
		}
		waiting, n := s.waiting(connectionID), 0
		for _, k := range waiting {
			n += k
		}
		if len(open) == 0 && n <= pending {
			return scans
		}
		slices.Sort(open)
		s.t.Logf("scan %d: %s, %s; waiting %v; open %v", scans, ended.State, ended.Error, waiting, open)
		if time.Now().After(end) {
			s.t.Fatalf("not done after %v and %d scans", wholeTime, scans)
		}
		s.hurry(connectionID)
		var next scan
		s.must("POST", "/connections/"+connectionID+"/scan", nil, &next)
		wait(s.t, time.Minute, "the next scan to begin", func() bool {
			return s.scans(connectionID)[0].ID != all[0].ID || s.finished(next.ID, wholeTime).ID == all[0].ID
		})
	}
}
