package e2e

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/outband/outband/fixtures/claudesim"
)

// wholeKills is how often the run of a tenant is killed.
func wholeKills() int {
	if whole() {
		return 25
	}
	return 8
}

// TestKillNineDuringAWholeTenant kills the server at random moments of a first scan and of those after it, and wants what an undisturbed run finds and
// counts.
func TestKillNineDuringAWholeTenant(t *testing.T) {
	t.Parallel()
	options := claudesim.Options{Seed: 33, Epoch: killEpoch, IndexLag: -1, Size: tenantSize()}
	b := &killBench{folder: filepath.Join(t.TempDir(), "data")}
	fast := newTenant(t, options)
	b.fastSim = fast.url
	options.Faults = []claudesim.Fault{{Kind: claudesim.FaultLatency, Latency: 40 * time.Millisecond}}
	slowed := newTenant(t, options)
	b.sim = slowed.url
	s := serve(t, bin(t), b.folder, "")
	b.token = s.token
	s.stop()

	calm := serve(t, bin(t), b.data(t), b.token)
	id := calm.connect(b.fastSim, claudesim.DemoKey, killEpoch.Add(-orgBackfill))
	calm.scanUntilDone(fast, id)
	want, wantLedger := calm.outcome(t, id), calm.settled(id)
	calm.stop()

	seed := uint64(time.Now().UnixNano())
	t.Logf("the moments are drawn from %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	data := b.data(t)
	s = serve(t, bin(t), data, b.token)
	id = s.connect(b.sim, claudesim.DemoKey, killEpoch.Add(-orgBackfill))
	hits := 0
	for range wholeKills() {
		time.Sleep(time.Duration(100+random.IntN(2500)) * time.Millisecond)
		if all := s.scans(id); len(all) > 0 && all[0].State == "running" {
			hits++
		}
		s.kill()
		s = serve(t, bin(t), data, b.token)
	}
	s.scanUntilDone(slowed, id)
	t.Logf("%d of %d kills hit a running scan", hits, wholeKills())
	if hits < wholeKills()/2 {
		t.Errorf("only %d of %d kills hit a running scan", hits, wholeKills())
	}
	got := s.outcome(t, id)
	// How many scans it took is not what is compared.
	got.Scan, want.Scan = scan{}, scan{}
	if d := got.diff(want); d != "" {
		t.Error(d)
	}
	if diff := cmp.Diff(wantLedger, s.settled(id)); diff != "" {
		t.Errorf("the ledger (-undisturbed +killed):\n%s", diff)
	}
}

// settled is the ledger without what two runs may differ in: the program's own calls, and what was listed twice.
func (s *server) settled(connectionID string) map[string]int {
	s.t.Helper()
	out := map[string]int{}
	for u, n := range s.ledger(connectionID) {
		if u.Stream != "api_calls" && u.Outcome != "overlap" && u.Outcome != "late" {
			out[fmt.Sprint(u)] += n
		}
	}
	return out
}
