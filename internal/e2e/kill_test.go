package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/outband/outband/fixtures/claudesim"
)

const (
	kills       = 10
	killsNeeded = 8 // while the scan is running and some items are stored
)

var killEpoch = time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)

// slow makes each call of the simulator take a moment, so that the first scan is long enough to be killed ten times.
const slow = "faults:\n  - {kind: latency, latency: 30ms}\n"

// killBench is a simulated tenant, and a data folder that has its keys but no connection: copies of it give the same ids.
type killBench struct {
	sim, fastSim string
	folder       string
	token        string
}

func newKillBench(t *testing.T) *killBench {
	t.Helper()
	faults := filepath.Join(t.TempDir(), "faults.yaml")
	if err := os.WriteFile(faults, []byte(slow), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"--seed", "7", "--epoch", killEpoch.Format(time.RFC3339)}
	b := &killBench{folder: filepath.Join(t.TempDir(), "data")}
	b.sim = simulator(t, append(args, "--faults", faults)...)
	b.fastSim = simulator(t, args...)
	s := serve(t, bin(t), b.folder, "")
	b.token = s.token
	s.stop()
	return b
}

// data copies the prepared folder.
func (b *killBench) data(t *testing.T) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "data")
	if err := os.MkdirAll(to, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"outband.db", "key"} {
		raw, err := os.ReadFile(filepath.Join(b.folder, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(to, name), raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return to
}

// outcome is what a scan has found, without what differs between two runs: times of the run, and the drawn id of the connection with what is
// computed from it.
type outcome struct {
	Findings map[string]string // what it is about -> its fields and instances
	IDs      int               // distinct ids of findings and instances
	Rows     int               // findings and instances
	Scan     scan
}

func (s *server) outcome(t *testing.T, connectionID string) outcome {
	t.Helper()
	o := outcome{Findings: map[string]string{}}
	ids := map[string]bool{}
	for _, f := range s.export() {
		o.Rows++
		ids[f["id"].(string)] = true
		instances, _ := f["instances"].([]any)
		var lines []string
		for _, i := range instances {
			m := i.(map[string]any)
			o.Rows++
			ids[m["id"].(string)] = true
			for _, k := range []string{"id", "first_seen_at", "fingerprint"} {
				delete(m, k)
			}
			if f["kind"] == "posture" {
				delete(m, "occurred_at") // A record without a time of its own has that of the snapshot.
			}
			lines = append(lines, jsonText(t, m))
		}
		slices.Sort(lines)
		resource := f["resource"].(map[string]any)
		key := fmt.Sprint(f["policy_id"], " ", resource["kind"], " ", resource["id"])
		for _, k := range []string{"id", "first_seen_at", "last_seen_at", "connection_id", "instances", "url", "history"} {
			delete(f, k)
		}
		if f["kind"] == "posture" {
			delete(f, "occurred_at")
			delete(f, "last_occurred_at")
		}
		// A finding that was stored twice shows as a key that is there already.
		o.Findings[key] += jsonText(t, f) + "\n" + strings.Join(lines, "\n")
	}
	o.IDs = len(ids)
	all := s.scans(connectionID)
	if len(all) != 1 {
		t.Errorf("%d scans, want one", len(all))
	}
	o.Scan = all[0]
	return o
}

func jsonText(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// undisturbed runs the first scan to its end.
func (b *killBench) undisturbed(t *testing.T, program string) outcome {
	t.Helper()
	s := serve(t, program, b.data(t), b.token)
	defer s.stop()
	id := s.connect(b.fastSim, claudesim.DemoKey, killEpoch.Add(-31*24*time.Hour))
	s.firstScan(id, 3*time.Minute)
	return s.outcome(t, id)
}

// disturbed kills the server again and again during its first scan, and returns what was found in the end and how many kills hit it.
func (b *killBench) disturbed(t *testing.T, program string) (o outcome, hits int, resumed []time.Duration) {
	t.Helper()
	data := b.data(t)
	s := serve(t, program, data, b.token)
	id := s.connect(b.sim, claudesim.DemoKey, killEpoch.Add(-31*24*time.Hour))
	var first scan
	wait(t, 30*time.Second, "the first scan to begin", func() bool {
		all := s.scans(id)
		if len(all) > 0 {
			first = all[0]
		}
		return len(all) > 0 && all[0].State == "running"
	})
	for k := range kills {
		before := s.scan(t, first.ID)
		began := time.Now()
		wait(t, 30*time.Second, "the scan to go on under its id", func() bool {
			now := s.scan(t, first.ID)
			return now.State != "running" || now.ItemsRead > before.ItemsRead
		})
		if k > 0 {
			resumed = append(resumed, time.Since(began))
		}
		// At another moment of the work each time.
		time.Sleep(time.Duration(50+37*k) * time.Millisecond)
		now := s.scan(t, first.ID)
		if now.State == "running" && now.ItemsRead > 0 {
			hits++
		}
		s.kill()
		s = serve(t, program, data, b.token)
	}
	got := s.finished(first.ID, 3*time.Minute)
	if got.State != "succeeded" {
		t.Fatalf("the scan ended as %+v", got)
	}
	o = s.outcome(t, id)
	s.stop()
	return o, hits, resumed
}

func (s *server) scan(t *testing.T, id string) scan {
	t.Helper()
	var got scan
	s.must("GET", "/scans/"+id, nil, &got)
	return got
}

func (o outcome) diff(want outcome) string {
	var lost, more, changed []string
	for _, k := range slices.Sorted(maps.Keys(want.Findings)) {
		switch got, ok := o.Findings[k]; {
		case !ok:
			lost = append(lost, k)
		case got != want.Findings[k]:
			changed = append(changed, k+"\n"+cmp.Diff(strings.Split(want.Findings[k], "\n"), strings.Split(got, "\n")))
		}
	}
	for k := range o.Findings {
		if _, ok := want.Findings[k]; !ok {
			more = append(more, k)
		}
	}
	// The scan's count of new findings is not compared: a start judges what stands before the scan goes on, and that is not of the scan.
	if len(lost)+len(more)+len(changed) == 0 && o.IDs == o.Rows && o.Rows == want.Rows && o.Scan.ItemsRead == want.Scan.ItemsRead {
		return ""
	}
	return fmt.Sprintf("%d lost, %d more, %d changed of %d findings; %d rows with %d ids, want %d; scan %+v, want %+v\n%s",
		len(lost), len(more), len(changed), len(want.Findings), o.Rows, o.IDs, want.Rows, o.Scan, want.Scan, strings.Join(append(append(lost, more...), changed...)[:min(3, len(lost)+len(more)+len(changed))], "\n"))
}

func TestKillNineDuringTheFirstScanLosesAndDoublesNothing(t *testing.T) {
	b := newKillBench(t)
	want := b.undisturbed(t, bin(t))
	if len(want.Findings) < 50 || want.IDs != want.Rows {
		t.Fatalf("the undisturbed run: %d findings, %d rows with %d ids", len(want.Findings), want.Rows, want.IDs)
	}
	got, hits, resumed := b.disturbed(t, bin(t))
	t.Logf("%d of %d kills hit the running scan; it went on after %v", hits, kills, resumed)
	if hits < killsNeeded {
		t.Errorf("only %d of %d kills hit the running scan", hits, kills)
	}
	if d := got.diff(want); d != "" {
		t.Error(d)
	}

	// The test must see the two classic faults, or it proves nothing.
	for name, m := range map[string]mutant{
		"the checkpoint moves before its items are stored": {
			"workflows/activities.go", "\tall, err := p.work(ctx, read)\n", "\tif _, err := p.moveCheckpoint(ctx, read, began); err != nil {\n\t\treturn PageResult{}, err\n\t}\n" +
				// The checkpoint's transaction gives the lease back: it is taken again, so that the items can be stored.
				"\tif err := p.db.Write(ctx, func(tx *store.Tx) error { return store.AcquireLease(ctx, tx, p.name, p.owner, leaseTime) }); err != nil {\n\t\treturn PageResult{}, err\n\t}\n" +
				"\tall, err := p.work(ctx, read)\n",
		},
		"ids are drawn": {
			"internal/id/id.go", "\tsum := Sum(key, domain, fields...)\n\treturn prefix", "\tsum := Sum(key, domain+New(\"\"), fields...)\n\treturn prefix",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, hits, _ := b.disturbed(t, m.build(t))
			if hits < killsNeeded {
				t.Fatalf("only %d kills hit the running scan", hits)
			}
			d := got.diff(want)
			if d == "" {
				t.Error("the test does not see this fault")
			}
			t.Logf("seen: %s", strings.SplitN(d, "\n", 2)[0])
		})
	}
}

// mutant is a fault put into one file at build time; the tree itself never holds it.
type mutant struct{ file, old, new string }

func (m mutant) build(t testing.TB) string { t.Helper(); return m.buildWith(t) }

// buildWith builds with further changes to the same file, old and new in turn.
func (m mutant) buildWith(t testing.TB, more ...string) string {
	t.Helper()
	abs, err := filepath.Abs(filepath.Join(root, m.file))
	if err != nil {
		t.Fatal(err)
	}
	src, err := os.ReadFile(abs)
	if err != nil {
		t.Fatal(err)
	}
	text := string(src)
	for edits := append([]string{m.old, m.new}, more...); len(edits) > 0; edits = edits[2:] {
		if strings.Count(text, edits[0]) != 1 {
			t.Fatalf("%s does not hold the text to change exactly once", m.file)
		}
		text = strings.Replace(text, edits[0], edits[1], 1)
	}
	dir := t.TempDir()
	changed := filepath.Join(dir, "changed.go")
	if err := os.WriteFile(changed, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	overlay := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(overlay, []byte(jsonText(t, map[string]any{"Replace": map[string]string{abs: changed}})), 0o600); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "outband")
	if err := build(out, "-overlay", overlay); err != nil {
		t.Fatal(err)
	}
	return out
}
