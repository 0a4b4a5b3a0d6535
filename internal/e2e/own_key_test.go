package e2e

import (
	"net/http"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	ownCalls   = 5000
	keyKills   = 3
	testsEach  = 420 // before each kill; a test makes four calls or more
	atOneTime  = 8
	keyPolicy  = "activity.foreign_key_use"
	lostPolicy = "activity.unverified_key_use"
)

// thief calls the simulator with a key as another program would, and returns the request's id.
func thief(t *testing.T, simURL, key string) string {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, simURL+"/v1/compliance/apps/chats?limit=1", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("x-api-key", key)
	req.Header.Set("User-Agent", "curl/8.9.1")
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("the foreign call: status %d", resp.StatusCode)
	}
	return resp.Header.Get("request-id")
}

// busy makes the server call the simulator until it is killed: it tests the key that is connected, again and again, and counts the tests.
func (s *server) busy(simURL string, tests *atomic.Int64) (wait func()) {
	body := map[string]any{
		"connector": "claude", "config": map[string]any{"base_url": simURL, "requests_per_minute": 100000}, "secrets": map[string]string{"api_key": demoKey},
	}
	var group sync.WaitGroup
	for range atOneTime {
		group.Go(func() {
			for {
				if _, _, err := s.try("POST", "/connections/test", body); err != nil {
					return // It was killed.
				}
				tests.Add(1)
			}
		})
	}
	return group.Wait
}

// callsScanned is how many rows of the simulator's log of calls are accounted for.
func (s *server) callsScanned(connectionID string) (n int) {
	s.t.Helper()
	var l list[struct {
		Stream  string `json:"stream"`
		Scanned int    `json:"scanned"`
	}]
	s.must("GET", "/coverage?connection_id="+connectionID, nil, &l)
	for _, c := range l.Items {
		if c.Stream == "api_calls" {
			n = c.Scanned
		}
	}
	return n
}

// about returns the activities behind the findings of a policy.
func (s *server) about(policy string) (ids, severities []string) {
	s.t.Helper()
	for _, f := range s.export() {
		if f["policy_id"] != policy {
			continue
		}
		severities = append(severities, f["severity"].(string))
		for _, i := range f["instances"].([]any) {
			ids = append(ids, i.(map[string]any)["resource"].(map[string]any)["id"].(string))
		}
	}
	slices.Sort(ids)
	return ids, slices.Compact(severities)
}

// Three calls with the connection's key by another program, among thousands of our own and with three kills in between, are found: these, and nothing
// else.
func TestForeignUseOfTheKeyIsFoundAmongOwnCallsAndKills(t *testing.T) {
	began := time.Now()
	sim := simulator(t, "--seed", "7", "--epoch", killEpoch.Format(time.RFC3339))
	data := filepath.Join(t.TempDir(), "data")
	s := serve(t, bin(t), data, "")
	id := s.connect(sim, demoKey, time.Now())
	again := func() {
		var next scan
		s.must("POST", "/connections/"+id+"/scan", nil, &next)
		s.finished(next.ID, time.Minute)
	}
	foreign := 0
	for range keyKills {
		var tests atomic.Int64
		ended := s.busy(sim, &tests)
		// The kill comes in the middle of calls of all kinds, and the foreign call shortly before it.
		wait(t, time.Minute, "calls to be made", func() bool { return tests.Load() >= testsEach })
		thief(t, sim, demoKey)
		foreign++
		s.kill()
		ended()
		s = serve(t, bin(t), data, s.token)
	}
	// A call is judged when it is 15 seconds old, by the next scan; those of the last process are shown too.
	time.Sleep(16 * time.Second)
	again()
	ids, severities := s.about(keyPolicy)
	if len(ids) != foreign {
		t.Errorf("%d activities are held for foreign use of the key, want %d", len(ids), foreign)
	}
	if diff := cmp.Diff([]string{"critical"}, severities); diff != "" {
		t.Errorf("severity (-want +got):\n%s", diff)
	}
	if lost, _ := s.about(lostPolicy); len(lost) > 0 {
		t.Errorf("%d calls could not be verified, though signatures get through", len(lost))
	}
	if n := s.callsScanned(id); n < ownCalls {
		t.Errorf("%d calls are accounted for, want %d", n, ownCalls)
	}
	t.Logf("%d foreign calls among %d, %d kills, in %v", foreign, s.callsScanned(id), keyKills, time.Since(began).Round(time.Second))
}
