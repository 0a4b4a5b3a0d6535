package e2e

import (
	"bufio"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// slowSim is a simulator each of whose calls takes a moment, so that a scan can be seen running.
func slowSim(t *testing.T, args ...string) string {
	t.Helper()
	faults := filepath.Join(t.TempDir(), "faults.yaml")
	if err := os.WriteFile(faults, []byte(slow), 0o600); err != nil {
		t.Fatal(err)
	}
	return simulator(t, append(args, "--faults", faults)...)
}

func (s *server) state(connectionID string) string {
	s.t.Helper()
	var c struct {
		State string `json:"state"`
	}
	s.must("GET", "/connections/"+connectionID, nil, &c)
	return c.State
}

func TestStartTime(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	for _, what := range []string{"first", "second"} {
		began := time.Now()
		p := start(t, bin(t), "serve", "--listen", "127.0.0.1:0", "--data", data)
		p.line("outband ready", waitForReady)
		t.Logf("%s start to ready: %v", what, time.Since(began))
		began = time.Now()
		p.stop()
		t.Logf("SIGTERM to end: %v", time.Since(began))
		if code := p.cmd.ProcessState.ExitCode(); code != 0 {
			t.Errorf("exit code %d after SIGTERM\n%s", code, tail(p.stderr.String()))
		}
	}
}

func TestScansAreSharedAndFollowed(t *testing.T) {
	t.Parallel()
	s := serve(t, bin(t), filepath.Join(t.TempDir(), "data"), "")
	id := s.connect(slowSim(t, "--seed", "4", "--epoch", orgEpoch.Format(time.RFC3339)), demoKey, orgEpoch.Add(-2*24*time.Hour))
	var first scan
	wait(t, 30*time.Second, "the first scan to run", func() bool {
		if all := s.scans(id); len(all) > 0 {
			first = all[len(all)-1]
		}
		return first.State == "running"
	})
	events := s.follow(t, first.ID)

	// Requests that overlap share one scan, which is queued behind the running one.
	var mu sync.Mutex
	ids := map[string]int{}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			status, reply, err := s.try("POST", "/connections/"+id+"/scan", nil)
			var got scan
			if err != nil || status != 202 || json.Unmarshal(reply, &got) != nil {
				t.Errorf("scan: status %d: %v\n%s", status, err, reply)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			ids[got.ID]++
		})
	}
	group.Wait()
	if len(ids) != 1 || ids[first.ID] != 0 {
		t.Errorf("eight requests during scan %s made these: %v", first.ID, ids)
	}
	for second := range ids {
		if got := s.finished(second, time.Minute); got.State != "succeeded" {
			t.Errorf("the shared scan: %+v", got)
		}
	}
	if n := len(s.scans(id)); n != 2 {
		t.Errorf("%d scans, want 2", n)
	}

	got := <-events
	if got.err != nil {
		t.Fatal(got.err)
	}
	last := got.scans[len(got.scans)-1]
	if len(got.scans) < 3 || last.State != "succeeded" || last.ItemsRead == 0 || got.names[len(got.names)-1] != "end" {
		t.Errorf("%d events, the last %s: %+v", len(got.scans), got.names[len(got.names)-1], last)
	}
	for i := 1; i < len(got.scans); i++ {
		if got.names[i-1] != "progress" || got.scans[i].ItemsRead < got.scans[i-1].ItemsRead || got.scans[i].ID != first.ID {
			t.Errorf("event %d: %s %+v after %+v", i, got.names[i], got.scans[i], got.scans[i-1])
		}
	}
}

type followed struct {
	names []string
	scans []scan
	err   error
}

// follow reads the events of a scan until the server ends them.
func (s *server) follow(t *testing.T, scanID string) <-chan followed {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", s.url+"/api/v1/scans/"+scanID+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if kind := resp.Header.Get("Content-Type"); resp.StatusCode != 200 || kind != "text/event-stream" {
		t.Fatalf("status %d, %s", resp.StatusCode, kind)
	}
	out := make(chan followed, 1)
	go func() {
		var got followed
		lines := bufio.NewScanner(resp.Body)
		for lines.Scan() {
			if name, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
				got.names = append(got.names, name)
			}
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				var x scan
				if err := json.Unmarshal([]byte(data), &x); err != nil {
					got.err = err
				}
				got.scans = append(got.scans, x)
			}
		}
		if got.err == nil {
			got.err = lines.Err()
		}
		if err := resp.Body.Close(); got.err == nil {
			got.err = err
		}
		out <- got
	}()
	return out
}

func TestPauseResumeDeleteAndReconnect(t *testing.T) {
	t.Parallel()
	s := serve(t, bin(t), filepath.Join(t.TempDir(), "data"), "")
	p := newProxy(t, slowSim(t, "--seed", "4", "--epoch", orgEpoch.Format(time.RFC3339)))
	from := orgEpoch.Add(-2 * 24 * time.Hour)
	id := s.connect(p.url, demoKey, from)

	// The same organisation cannot be connected twice.
	if status, reply := s.call("POST", "/connections", connection(p.url, demoKey, from)); status != 409 || !strings.Contains(string(reply), id) {
		t.Errorf("connecting twice: status %d\n%s", status, reply)
	}

	// A pause ends the running scan: it is not stuck, and nothing is read any more.
	var first scan
	wait(t, 30*time.Second, "the first scan to read", func() bool {
		if all := s.scans(id); len(all) > 0 {
			first = all[len(all)-1]
		}
		return first.State == "running" && first.ItemsRead > 0
	})
	s.must("POST", "/connections/"+id+"/pause", nil, nil)
	if got := s.finished(first.ID, 30*time.Second); got.State != "cancelled" {
		t.Errorf("the scan of a paused connection: %+v", got)
	}
	if state := s.state(id); state != "paused" {
		t.Errorf("state %q after a pause", state)
	}
	if status, reply := s.call("POST", "/connections/"+id+"/scan", nil); status != 409 {
		t.Errorf("a scan of a paused connection: status %d\n%s", status, reply)
	}
	p.since()
	s.must("POST", "/connections/"+id+"/resume", nil, nil)
	if state := s.state(id); state != "active" {
		t.Errorf("state %q after a resume", state)
	}
	var second scan
	s.must("POST", "/connections/"+id+"/scan", nil, &second)
	if got := s.finished(second.ID, time.Minute); got.State != "succeeded" || first.FindingsNew+got.FindingsNew == 0 {
		t.Errorf("the scan after a resume: %+v", got)
	}
	before := s.identities()
	if len(before) < 5 {
		t.Fatalf("only %d findings", len(before))
	}

	// Deleting removes schedule and key; the findings stay.
	if status, reply := s.call("DELETE", "/connections/"+id, nil); status != 204 {
		t.Fatalf("delete: status %d\n%s", status, reply)
	}
	for _, path := range []string{"", "/scan", "/resume"} {
		method := "POST"
		if path == "" {
			method = "GET"
		}
		if status, _ := s.call(method, "/connections/"+id+path, nil); status != 404 {
			t.Errorf("%s of a deleted connection: status %d", path, status)
		}
	}
	if n := s.rows("credentials"); n != 0 {
		t.Errorf("%d sealed secrets are left", n)
	}
	wait(t, 30*time.Second, "the findings to be of an unknown source", func() bool {
		for _, f := range s.export() {
			if f["source"] == "present" {
				return false
			}
		}
		return true
	})

	// The same organisation again is the same connection with the same findings.
	if again := s.connect(p.url, demoKey, from); again != id {
		t.Fatalf("reconnected as %s, was %s", again, id)
	}
	wait(t, 30*time.Second, "a scan after connecting again", func() bool { return s.scans(id)[0].ID != second.ID })
	got := s.finished(s.scans(id)[0].ID, time.Minute)
	if got.State != "succeeded" || got.FindingsNew != 0 {
		t.Errorf("the scan after connecting again: %+v", got)
	}
	after := s.identities()
	for f, instances := range before {
		if after[f] != instances {
			t.Errorf("finding %s: %s, was %s", f, after[f], instances)
		}
	}
	if len(after) != len(before) {
		t.Errorf("%d findings, were %d", len(after), len(before))
	}
	for _, f := range s.export() {
		if f["source"] != "present" {
			t.Errorf("finding %s of %s about %v is %s after connecting again", f["id"], f["policy_id"], f["resource"], f["source"])
		}
	}
}

// identities is the ids of the instances of each finding.
func (s *server) identities() map[string]string {
	s.t.Helper()
	out := map[string]string{}
	for _, f := range s.export() {
		var ids []string
		instances, _ := f["instances"].([]any)
		for _, i := range instances {
			ids = append(ids, i.(map[string]any)["id"].(string))
		}
		slices.Sort(ids)
		out[f["id"].(string)] = strings.Join(ids, " ")
	}
	return out
}

func TestLiveChatsAreFoundBySchedule(t *testing.T) {
	t.Parallel()
	epoch := time.Now().UTC().Truncate(time.Second)
	sim := simulator(t, "--seed", "4", "--epoch", epoch.Format(time.RFC3339), "--live", "1s")
	s := serve(t, bin(t), filepath.Join(t.TempDir(), "data"), "")
	r := newReceiver(t, nil)
	s.destination(r.url())
	body := connection(sim, demoKey, epoch)
	body["schedule"] = map[string]string{"every": "1m"}
	var c struct {
		ID string `json:"id"`
	}
	s.must("POST", "/connections", body, &c)
	first := s.firstScan(c.ID, time.Minute)
	before := len(s.export())
	wait(t, time.Minute, "new findings by scans on demand", func() bool {
		var now scan
		s.must("POST", "/connections/"+c.ID+"/scan", nil, &now)
		if got := s.finished(now.ID, 30*time.Second); got.State != "succeeded" {
			t.Fatalf("a scan on demand: %+v", got)
		}
		return len(s.export()) > before+2
	})
	wait(t, 30*time.Second, "their events", func() bool { return len(r.taken()) >= before+3 })
	// The schedule goes by itself: within a minute, its jitter, and a moment.
	wait(t, 100*time.Second, "a scan by schedule", func() bool {
		var l list[struct{ ID, Cause, State string }]
		s.must("GET", "/scans?limit=100&connection_id="+c.ID, nil, &l)
		for _, x := range l.Items {
			if x.Cause == "schedule" && x.State == "succeeded" && x.ID != first.ID {
				return true
			}
		}
		return false
	})
}
