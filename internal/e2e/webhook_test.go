package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const standardWebhooks = "standardwebhooks@1.1.1"

// verifier installs npm's library into a folder of the test and returns a func that gives the library's word on each event.
func verifier(t *testing.T) func(events []event, key string) []string {
	t.Helper()
	for _, tool := range []string{"npm", "node"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("%s is missing: the signatures cannot be verified with npm's %s", tool, standardWebhooks)
			}
			t.Skipf("SKIPPED: %s is missing, so the signatures are NOT verified with npm's %s. Install nodejs and npm.", tool, standardWebhooks)
		}
	}
	dir := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "npm", "install", "--prefix", dir, standardWebhooks, "--no-audit", "--no-fund").CombinedOutput(); err != nil {
		t.Fatalf("npm install: %v\n%s", err, out)
	}
	return func(events []event, key string) []string {
		t.Helper()
		var in bytes.Buffer
		enc := json.NewEncoder(&in)
		for _, e := range events {
			if err := enc.Encode(e); err != nil {
				t.Fatal(err)
			}
		}
		cmd := exec.CommandContext(t.Context(), "node", filepath.Join("testdata", "verify.mjs"), dir, key)
		cmd.Stdin = &in
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("node: %v", err)
		}
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		if len(lines) != len(events) {
			t.Fatalf("%d answers for %d events:\n%s", len(lines), len(events), out)
		}
		return lines
	}
}

// webhookOrg is a server with a small part of a tenant still to be scanned.
func webhookOrg(t *testing.T) (s *server, connect func() string) {
	t.Helper()
	sim := simulator(t, "--seed", "3", "--epoch", orgEpoch.Format(time.RFC3339))
	s = serve(t, bin(t), filepath.Join(t.TempDir(), "data"), "")
	return s, func() string { return s.connect(sim, demoKey, orgEpoch.Add(-7*24*time.Hour)) }
}

// checkComplete wants every row of the finding log among the events: the ids and kinds that the log gives, each finding with its created event, and
// the events of a finding in their order. It returns the number of distinct events.
func checkComplete(t *testing.T, s *server, destinationID string, taken []event) int {
	t.Helper()
	got, last := map[string]event{}, map[string]int64{}
	for _, e := range taken {
		if first, again := got[e.ID]; again {
			if first.Body != e.Body {
				t.Errorf("event %s came twice with different bodies", e.ID)
			}
			continue
		}
		got[e.ID] = e
		// The first taking of each event: a later one may be a repetition.
		if e.sequence <= last[e.finding] {
			t.Errorf("finding %s: change %d came after %d", e.finding, e.sequence, last[e.finding])
		}
		last[e.finding] = e.sequence
	}
	deliveries := pages[delivery](s, "/destinations/"+destinationID+"/deliveries?limit=500")
	if n := s.rows("finding_log"); len(deliveries) != n || len(got) != n {
		t.Errorf("the log has %d rows, the destination %d deliveries, the receiver %d events", n, len(deliveries), len(got))
	}
	created := map[string]int{}
	for _, d := range deliveries {
		e, ok := got[d.EventID]
		if !ok || e.finding != d.FindingID || e.kind != d.Type || d.State != "delivered" {
			t.Errorf("delivery %+v; the receiver has %s of %s: %v", d, e.kind, e.finding, ok)
		}
		if d.Type == "finding.created" {
			created[d.FindingID]++
		}
	}
	for _, f := range s.export() {
		if created[f["id"].(string)] != 1 {
			t.Errorf("finding %s has %d created events", f["id"], created[f["id"].(string)])
		}
	}
	return len(got)
}

func TestEveryEventArrivesAtAReceiverThatFailsEveryThirdCall(t *testing.T) {
	t.Parallel()
	verify := verifier(t)
	s, connect := webhookOrg(t)
	r := newReceiver(t, func(n int, _ event) int {
		if n%3 == 0 {
			return 500
		}
		return 0
	})
	destinationID := s.destination(r.url())
	s.firstScan(connect(), time.Minute)
	findings := pages[struct{ ID string }](s, "/findings?limit=500")
	for i, f := range findings[:5] {
		s.must("PATCH", "/findings/"+f.ID, map[string]string{"status": "acknowledged"}, nil)
		s.must("PATCH", "/findings/"+f.ID, map[string]string{"status": []string{"in_progress", "resolved"}[i%2]}, nil)
	}
	s.quiet(destinationID, 90*time.Second)
	calls, taken := r.all(), r.taken()
	n := checkComplete(t, s, destinationID, taken)
	t.Logf("%d calls, %d taken, %d distinct events of %d findings", len(calls), len(taken), n, len(findings))
	if len(calls) == len(taken) {
		t.Error("the receiver refused nothing")
	}
	for i, word := range verify(calls, signingKey) {
		if word != "ok" {
			t.Errorf("npm's library refuses event %s: %s", calls[i].ID, word)
		}
	}
	// The library must be able to refuse, or it proves nothing.
	forged := calls[0]
	forged.Body += " "
	for i, word := range verify([]event{forged, calls[0]}, "whsec_"+strings.Repeat("QUJD", 11)) {
		if word == "ok" {
			t.Errorf("npm's library takes a forgery (%d)", i)
		}
	}
	for _, e := range calls {
		if len(e.Body) > 20<<10 {
			t.Errorf("event %s has %d bytes", e.ID, len(e.Body))
		}
	}
}

func TestADeadReceiverDelaysNoScanAndGetsAllAfterwards(t *testing.T) {
	t.Parallel()
	s, connect := webhookOrg(t)
	r := newReceiver(t, nil)
	r.down()
	destinationID := s.destination(r.url())
	began := time.Now()
	got := s.firstScan(connect(), time.Minute)
	t.Logf("the scan took %v beside a dead receiver: %+v", time.Since(began), got)
	if n := len(r.all()); n != 0 {
		t.Fatalf("a dead receiver got %d events", n)
	}
	var failing struct {
		State        string `json:"state"`
		StateMessage string `json:"state_message"`
	}
	wait(t, 30*time.Second, "the destination to be failing", func() bool {
		s.must("GET", "/destinations/"+destinationID, nil, &failing)
		return failing.State == "failing"
	})
	if failing.StateMessage == "" {
		t.Error("the destination does not say what is wrong")
	}
	r.again()
	// What waits is tried when its back-off ends; saving the destination tries at once.
	s.must("PATCH", "/destinations/"+destinationID, map[string]string{"state": "active"}, nil)
	s.quiet(destinationID, time.Minute)
	checkComplete(t, s, destinationID, r.taken())
	s.must("GET", "/destinations/"+destinationID, nil, &failing)
	if failing.State != "active" {
		t.Errorf("the destination is %q in the end", failing.State)
	}
}

func TestARefusedEventIsParkedAloneAndCanBeReplayed(t *testing.T) {
	t.Parallel()
	s, connect := webhookOrg(t)
	var poisoned string // the first event that comes; only the receiver's calls use it until the end
	healed := make(chan struct{})
	r := newReceiver(t, func(_ int, e event) int {
		select {
		case <-healed:
			return 0
		default:
		}
		if poisoned == "" {
			poisoned = e.ID
		}
		if e.ID == poisoned {
			return 400
		}
		return 0
	})
	destinationID := s.destination(r.url())
	s.firstScan(connect(), time.Minute)
	s.quiet(destinationID, time.Minute)
	bad := r.all()[0]
	parked := pages[delivery](s, "/destinations/"+destinationID+"/deliveries?state=parked&limit=500")
	if len(parked) != 1 || parked[0].EventID != bad.ID || parked[0].Status != 400 || parked[0].Reason == "" || parked[0].FindingID != bad.finding {
		t.Fatalf("parked: %+v, want event %s", parked, bad.ID)
	}
	if taken, n := r.taken(), s.rows("finding_log"); len(taken) != n-1 {
		t.Errorf("%d events taken, want %d: all but one", len(taken), n-1)
	}
	// A later change of the same finding is not held either.
	s.must("PATCH", "/findings/"+bad.finding, map[string]string{"status": "acknowledged"}, nil)
	wait(t, 20*time.Second, "a later event of the finding", func() bool {
		return slices.ContainsFunc(r.taken(), func(e event) bool { return e.finding == bad.finding && e.kind == "finding.triaged" })
	})
	close(healed)
	var replayed struct {
		Queued int `json:"queued"`
	}
	s.must("POST", "/destinations/"+destinationID+"/replay", map[string]any{"parked": true}, &replayed)
	if replayed.Queued != 1 {
		t.Errorf("%d events replayed, want one", replayed.Queued)
	}
	wait(t, 20*time.Second, "the parked event under its id", func() bool {
		return slices.ContainsFunc(r.taken(), func(e event) bool { return e.ID == bad.ID && e.Body == bad.Body })
	})
	if parked := pages[delivery](s, "/destinations/"+destinationID+"/deliveries?state=parked&limit=500"); len(parked) != 0 {
		t.Errorf("still parked: %+v", parked)
	}
}
