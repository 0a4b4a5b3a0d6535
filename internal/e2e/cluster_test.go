package e2e

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/outband/outband/internal/temporalembed"
	"github.com/outband/outband/internal/testserver"
)

// clusterEpoch fixes the organisation of these tests, so that every run of them reads the same.
var clusterEpoch = time.Date(2026, time.September, 14, 9, 0, 0, 0, time.UTC)

const clusterHistory = 10 * 24 * time.Hour

// settings writes a configuration file that names a data folder, lets the server call loopback, and holds more lines.
func settings(t testing.TB, lines ...string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "outband.yaml")
	text := "data: " + filepath.Join(t.TempDir(), "data") + "\negress:\n  allow: [127.0.0.0/8]\n" + strings.Join(lines, "\n") + "\n"
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// serveWith starts a server by a configuration file. The token is made beside it.
func serveWith(t testing.TB, file, role string) *server {
	t.Helper()
	p := start(t, bin(t), "serve", "--config", file, "--listen", "127.0.0.1:0", "--role", role)
	s := &server{process: p, url: address(t, p.line("outband ready", waitForReady))}
	out, errs, code := command(t, "", "token", "create", "--role", "admin", "--config", file)
	if code != 0 {
		t.Fatalf("token create: %d\n%s", code, errs)
	}
	s.token = strings.TrimSpace(out)
	return s
}

// embedded is what the embedded parts find in the organisation of these tests.
func embedded(t *testing.T) outcome {
	t.Helper()
	s := serve(t, bin(t), filepath.Join(t.TempDir(), "data"), "")
	id := s.connect(simulator(t, "--seed", "21", "--epoch", clusterEpoch.Format(time.RFC3339)), demoKey, clusterEpoch.Add(-clusterHistory))
	s.firstScan(id, 2*time.Minute)
	defer s.stop()
	return s.outcome(t, id)
}

// same compares what two runs found and counted.
func same(t *testing.T, want, got outcome) {
	t.Helper()
	for _, s := range []*scan{&want.Scan, &got.Scan} {
		s.ID = ""
	}
	if diff := want.diff(got); diff != "" {
		t.Errorf("(-SQLite +this):\n%s", diff)
	}
	if diff := cmp.Diff(want.Scan, got.Scan); diff != "" {
		t.Errorf("scan (-SQLite +this):\n%s", diff)
	}
	if len(got.Findings) == 0 {
		t.Error("nothing was found")
	}
}

// TestPostgresFindsTheSameAsSQLite runs one whole scan with a delivery on a real Postgres, and goes on after a kill.
func TestPostgresFindsTheSameAsSQLite(t *testing.T) {
	t.Parallel()
	dsn := testserver.Postgres(t)
	key := filepath.Join(t.TempDir(), "key")
	file := settings(t, "store:\n  postgres: "+dsn, "key:\n  file: "+key)
	want := embedded(t)

	s := serveWith(t, file, "all")
	r := newReceiver(t, nil)
	destinationID := s.destination(r.url())
	sim := simulator(t, "--seed", "21", "--epoch", clusterEpoch.Format(time.RFC3339))
	id := s.connect(sim, demoKey, clusterEpoch.Add(-clusterHistory))
	s.firstScan(id, 2*time.Minute)
	wait(t, time.Minute, "every finding to be delivered", func() bool {
		for _, d := range pages[struct{ State string }](s, "/destinations/"+destinationID+"/deliveries?limit=500") {
			if d.State != "delivered" {
				return false
			}
		}
		return len(r.all()) >= len(want.Findings)
	})
	same(t, want, s.outcome(t, id))

	s.kill()
	again := serveWith(t, file, "all")
	if got := again.outcome(t, id); got.Rows != want.Rows {
		t.Errorf("after a kill %d rows, before it %d", got.Rows, want.Rows)
	}
	if out, errs, code := command(t, "", "audit", "verify", "--config", file); code != 0 {
		t.Errorf("audit verify: %d\n%s%s", code, out, errs)
	}
	// Nothing of the connection string is in what was printed.
	for _, p := range []*process{s.process, again.process} {
		if text := p.stdout.String() + p.stderr.String(); strings.Contains(text, dsn) {
			t.Error("the connection string was printed")
		}
	}
}

// temporal runs a Temporal server in this process, which is none of Outband's.
func temporal(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	address, stop, err := temporalembed.Start(t.Context(), temporalembed.Options{
		Database: filepath.Join(dir, "temporal.db"), State: filepath.Join(dir, "temporal.json"), Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	return address
}

// TestAnAPIAndTwoWorkersShareOneScan runs the roles as processes of their own, over one Temporal and one Postgres. One worker is killed in the
// middle: the other does the rest, and no item is done twice.
func TestAnAPIAndTwoWorkersShareOneScan(t *testing.T) {
	t.Parallel()
	want := embedded(t)
	file := settings(t, "store:\n  postgres: "+testserver.Postgres(t), "key:\n  file: "+filepath.Join(t.TempDir(), "key"), "temporal:\n  address: "+temporal(t))
	s := serveWith(t, file, "api")
	workers := map[string]*process{}
	for _, name := range []string{"first", "second"} {
		workers[name] = start(t, bin(t), "serve", "--config", file, "--data", filepath.Join(t.TempDir(), name), "--role", "worker")
		workers[name].line("outband ready", waitForReady)
	}
	sim := newProxy(t, slowSim(t, "--seed", "21", "--epoch", clusterEpoch.Format(time.RFC3339)))
	id := s.connect(sim.url, demoKey, clusterEpoch.Add(-clusterHistory))

	var running scan
	wait(t, 4*time.Minute, "a third of the scan", func() bool {
		if all := s.scans(id); len(all) > 0 {
			running = all[0]
		}
		return running.ItemsScanned > want.Scan.ItemsScanned/3
	})
	if running.State != "running" {
		t.Fatalf("the scan ended before a worker could be killed: %+v", running)
	}
	workers["first"].kill()
	s.firstScan(id, 5*time.Minute)
	got := s.outcome(t, id)
	same(t, want, got)

	// A call for one item's content is made once, but for those that the killed worker had in hand: four at once in each of its activities.
	_, paths := sim.since()
	twice := map[string]int{}
	for _, p := range paths {
		if kind := pathKind(p); kind == "messages" || kind == "content" {
			twice[p]++
		}
	}
	var more []string
	for p, n := range twice {
		if n > 1 {
			more = append(more, fmt.Sprint(p, " ", n))
		}
	}
	slices.Sort(more)
	t.Logf("%d contents fetched, %d of them more than once after the kill", len(twice), len(more))
	if len(more) > 64 {
		t.Errorf("%d contents were fetched again:\n%s", len(more), strings.Join(more, "\n"))
	}
	for stream, c := range s.coverage(id) {
		skipped := 0
		for _, n := range c.Skipped {
			skipped += n
		}
		if c.Read != c.Scanned+skipped+c.Failed+c.Deferred+c.Quarantined {
			t.Errorf("the ledger of %s counts an item twice or not at all: %+v", stream, c)
		}
	}

	// What one process changes, the others take over: a policy that is off makes no more findings, and a paused connection is not scanned.
	s.must("POST", "/connections/"+id+"/pause", nil, nil)
	if status, _ := s.call("POST", "/connections/"+id+"/scan", nil); status != 409 {
		t.Errorf("a scan of a paused connection: status %d", status)
	}
	workers["second"].stop()
	if code := workers["second"].cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("the worker ended with %d", code)
	}
}
