package e2e

import (
	"path/filepath"
	"testing"
	"time"
)

// TestScanningAgainAppendsNothing scans a tenant whose newest chats are within the lateness window, so that the second scan lists them again.
func TestScanningAgainAppendsNothing(t *testing.T) {
	t.Parallel()
	epoch := time.Now().UTC().Truncate(time.Minute)
	p := newProxy(t, simulator(t, "--seed", "5", "--epoch", epoch.Format(time.RFC3339), "--index-lag", "-1s"))
	s := serve(t, bin(t), filepath.Join(t.TempDir(), "data"), "")
	r := newReceiver(t, nil)
	destinationID := s.destination(r.url())
	id := s.connect(p.url, demoKey, epoch.Add(-3*24*time.Hour))
	first := s.firstScan(id, 2*time.Minute)
	s.quiet(destinationID, time.Minute)
	calls, _ := p.since()
	t.Logf("first scan: %+v, calls %v", first, calls)
	if calls["messages"] == 0 || calls["content"] == 0 || first.FindingsNew == 0 {
		t.Fatalf("the first scan reads nothing: %+v, calls %v", first, calls)
	}
	tables := []string{"finding_log", "findings", "instances", "instance_counts"}
	before, events := map[string]int{}, len(r.all())
	for _, table := range tables {
		before[table] = s.rows(table)
	}

	for range 2 {
		var again scan
		s.must("POST", "/connections/"+id+"/scan", nil, &again)
		if again.ID == first.ID {
			t.Fatal("the second scan has the id of the first")
		}
		if again = s.finished(again.ID, time.Minute); again.State != "succeeded" || again.FindingsNew != 0 {
			t.Errorf("the second scan: %+v", again)
		}
	}
	calls, paths := p.since()
	t.Logf("calls of two more scans: %v", calls)
	if calls["chats"] < 2 || calls["activities"] < 2 {
		t.Errorf("the second scan does not even list: %v", calls)
	}
	if calls["messages"]+calls["content"] > 0 {
		t.Errorf("unchanged chats were fetched: %v\n%v", calls, paths)
	}
	for _, table := range tables {
		if n := s.rows(table); n != before[table] {
			t.Errorf("%s: %d rows, %d before", table, n, before[table])
		}
	}
	s.quiet(destinationID, time.Minute)
	if n := len(r.all()); n != events {
		t.Errorf("%d events, %d before", n, events)
	}
}
