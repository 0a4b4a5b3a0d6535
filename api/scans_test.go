package api

import (
	"bufio"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/outband/outband/api/problem"
	"github.com/outband/outband/internal/store"
)

func TestScansArePaged(t *testing.T) {
	k := newKit(t, Configuration{})
	admin := k.token(RoleAdmin)
	id := k.connect(admin)
	for range 4 {
		k.clock.add(time.Second)
		k.write(func(tx *store.Tx) error {
			s, err := store.ClaimScan(t.Context(), tx, id, "w", "r")
			if err != nil {
				return err
			}
			return store.FinishScan(t.Context(), tx, s.ID, store.ScanSucceeded, "", "")
		})
	}
	all := k.do(admin, "GET", "/api/v1/scans", "").want(200).items()
	var paged []any
	for next := ""; ; {
		r := k.do(admin, "GET", "/api/v1/scans?limit=3&cursor="+next, "").want(200)
		paged = append(paged, r.items()...)
		if next = r.text("next_cursor"); next == "" {
			break
		}
	}
	if diff := cmp.Diff(all, paged); diff != "" || len(all) != 4 {
		t.Errorf("%d scans; paged (-want +got):\n%s", len(all), diff)
	}
	first := all[0].(map[string]any)
	if first["state"] != "succeeded" || first["started_at"] == nil || first["finished_at"] == nil {
		t.Errorf("scan is %v", first)
	}
	k.do(admin, "GET", "/api/v1/scans/"+first["id"].(string), "").want(200)
}

func TestAQueuedScanShowsItsPlace(t *testing.T) {
	k := newKit(t, Configuration{})
	admin := k.token(RoleAdmin)
	id := k.connect(admin)
	k.write(func(tx *store.Tx) error {
		_, err := store.QueueScan(t.Context(), tx, "con_earlier", store.CauseRequest)
		if err == nil {
			_, err = store.ClaimScan(t.Context(), tx, "con_earlier", "w", "r")
		}
		return err
	})
	scanID := k.do(admin, "GET", "/api/v1/scans?connection_id="+id, "").want(200).items()[0].(map[string]any)["id"].(string)
	if got := k.do(admin, "GET", "/api/v1/scans/"+scanID, "").want(200).object()["queue_place"]; got != 1.0 {
		t.Errorf("the place behind a running scan is %v, want 1", got)
	}
	k.write(func(tx *store.Tx) error { _, err := store.ClaimScan(t.Context(), tx, id, "w", "r"); return err })
	if got := k.do(admin, "GET", "/api/v1/scans/"+scanID, "").want(200).object()["queue_place"]; got != 0.0 {
		t.Errorf("the place of a running scan is %v, want 0", got)
	}
}

// events opens the event stream of a scan and returns a reader of its lines.
func (k *kit) events(ctx context.Context, token, scanID, lastID string) (*bufio.Scanner, func()) {
	k.t.Helper()
	req, err := http.NewRequestWithContext(ctx, "GET", k.server.URL+"/api/v1/scans/"+scanID+"/events", nil)
	if err != nil {
		k.t.Fatal(err)
	}
	identify(req, token)
	if lastID != "" {
		req.Header.Set("Last-Event-ID", lastID)
	}
	res, err := k.server.Client().Do(req)
	if err != nil {
		k.t.Fatal(err)
	}
	if res.StatusCode != 200 || res.Header.Get("Content-Type") != "text/event-stream" {
		k.t.Fatalf("status %d, %s", res.StatusCode, res.Header.Get("Content-Type"))
	}
	return bufio.NewScanner(res.Body), func() { res.Body.Close() }
}

// until reads lines until one begins with prefix, and returns it. "" is the end of the stream.
func until(lines *bufio.Scanner, prefix string) string {
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), prefix) {
			return lines.Text()
		}
	}
	return ""
}

// quick makes what a person waits for take no time.
var quick = Configuration{ProgressEvery: time.Millisecond, Heartbeat: 5 * time.Millisecond}

func TestScanEventsFollowTheScanToItsEnd(t *testing.T) {
	k := newKit(t, quick)
	admin, viewer := k.token(RoleAdmin), k.token(RoleViewer)
	id := k.do(admin, "POST", "/api/v1/connections/"+k.connect(admin)+"/scan", "").want(202).text("id")
	lines, done := k.events(t.Context(), viewer, id, "")
	defer done()
	if got := until(lines, "data: "); !strings.Contains(got, `"state":"queued"`) {
		t.Fatalf("the first event is %q", got)
	}
	if got := until(lines, ": "); got != ": alive" {
		t.Fatalf("the sign of life is %q", got)
	}
	k.clock.add(time.Second)
	k.write(func(tx *store.Tx) error { return store.AddProgress(t.Context(), tx, id, 7, 5, 2, 1) })
	event := until(lines, "id: ")
	if got := until(lines, "data: "); !strings.Contains(got, `"items_read":7`) {
		t.Fatalf("the progress is %q", got)
	}

	// A client that comes back is not told what it knows, but is told what comes.
	again, doneAgain := k.events(t.Context(), viewer, id, strings.TrimPrefix(event, "id: "))
	defer doneAgain()
	k.clock.add(time.Second)
	k.write(func(tx *store.Tx) error {
		return store.FinishScan(t.Context(), tx, id, store.ScanPartial, "OB-2007", "A scope is missing.")
	})
	for name, l := range map[string]*bufio.Scanner{"first": lines, "again": again} {
		if got := until(l, "event: "); got != "event: end" {
			t.Errorf("%s: the last event is %q", name, got)
		}
		if got := until(l, "data: "); !strings.Contains(got, `"state":"partial"`) || !strings.Contains(got, "OB-2007") {
			t.Errorf("%s: the end is %q", name, got)
		}
		if got := until(l, "event: "); got != "" {
			t.Errorf("%s: after the end comes %q", name, got)
		}
	}
	k.do(viewer, "GET", "/api/v1/scans/scn_none/events", "").problem(404, problem.CodeNotFound)
}

func TestScanEventsEndWithTheClientTheTokenAndTheServer(t *testing.T) {
	before := goleak.IgnoreCurrent()
	k := newKit(t, quick)
	admin := k.token(RoleAdmin)
	id := k.do(admin, "POST", "/api/v1/connections/"+k.connect(admin)+"/scan", "").want(202).text("id")

	ctx, leave := context.WithCancel(t.Context())
	lines, done := k.events(ctx, admin, id, "")
	until(lines, "data: ")
	leave()
	done()

	viewer := k.do(admin, "POST", "/api/v1/tokens", `{"name":"short","role":"viewer"}`).want(201)
	lines, done = k.events(t.Context(), viewer.text("token"), id, "")
	until(lines, "data: ")
	k.do(admin, "DELETE", "/api/v1/tokens/"+viewer.text("id"), "").want(204)
	if got := until(lines, "event: "); got != "" {
		t.Errorf("a revoked token sees %q", got)
	}
	done()

	person := k.session(RoleViewer)
	lines, done = k.events(t.Context(), person, id, "")
	until(lines, "data: ")
	k.do(person, "DELETE", "/api/v1/session", "").want(204)
	if got := until(lines, "event: "); got != "" {
		t.Errorf("a session that was signed out sees %q", got)
	}
	done()

	lines, done = k.events(t.Context(), admin, id, "")
	until(lines, "data: ")
	k.api.Stop()
	k.api.Stop() // Twice does no harm.
	if got := until(lines, "event: "); got != "" {
		t.Errorf("after Stop comes %q", got)
	}
	done()
	k.server.CloseClientConnections()
	k.server.Close()
	k.server.Client().CloseIdleConnections()
	if err := k.db.Close(); err != nil {
		t.Error(err)
	}
	if err := goleak.Find(before); err != nil {
		t.Error(err)
	}
}

func TestScanEventsOutliveTheWriteTimeoutOfTheServer(t *testing.T) {
	k := newKit(t, quick)
	admin := k.token(RoleAdmin)
	id := k.do(admin, "POST", "/api/v1/connections/"+k.connect(admin)+"/scan", "").want(202).text("id")
	k.server.Close()
	k.server = httptest.NewUnstartedServer(k.api.Handler())
	k.server.Config.WriteTimeout = 20 * time.Millisecond
	k.server.Start()
	defer k.server.Close()
	lines, done := k.events(t.Context(), admin, id, "")
	defer done()
	for range 10 { // 10 signs of life take at least 50 ms.
		if got := until(lines, ": "); got == "" {
			t.Fatal("the stream was cut off")
		}
	}
}
