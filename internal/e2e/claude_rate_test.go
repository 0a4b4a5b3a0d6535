package e2e

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/outband/outband/fixtures/claudesim"
)

// TestFiftyConnectionsKeepTheirBudgets runs 50 connections, each with its history to read, for more than a minute. No account sees more than its budget in any
// minute, nor sends more than a tenth of it in any six seconds, and every connection gets on.
func TestFiftyConnectionsKeepTheirBudgets(t *testing.T) {
	timed(t)
	const connections, perMinute = 50, 120
	s := serve(t, bin(t), filepath.Join(t.TempDir(), "data"), "")
	epoch := time.Now().UTC().Truncate(time.Minute)
	var tenants []*tenantServer
	for i := range connections {
		x := newTenant(t, claudesim.Options{Seed: uint64(100 + i), Epoch: epoch, Live: time.Second, Rate: perMinute, RateWindow: time.Minute})
		tenants = append(tenants, x)
		body := connection(x.url, claudesim.DemoKey, epoch.Add(-orgBackfill))
		body["config"] = map[string]any{"base_url": x.url, "requests_per_minute": perMinute}
		body["schedule"] = map[string]string{"every": "1m"}
		s.must("POST", "/connections", body, nil)
	}
	time.Sleep(100 * time.Second) // Longer than a minute, whose calls are what is counted.
	least, most, total, closest := 1<<30, 0, 0, time.Hour
	for i, x := range tenants {
		m := x.Metrics()
		calls := 0
		for _, n := range m.Calls {
			calls += n
		}
		made := x.calls()
		slices.SortFunc(made, func(a, b asked) int { return a.at.Compare(b.at) })
		for k := perMinute / 10; k < len(made); k++ {
			if d := made[k].at.Sub(made[k-perMinute/10].at); d < closest {
				closest = d
			}
		}
		least, most, total = min(least, calls), max(most, calls), total+calls
		if m.Max6s > perMinute/10 || m.Max60s > perMinute || m.Refused > 0 {
			t.Errorf("tenant %d: %d calls in six seconds, %d in a minute, %d refused; the budget is %d", i, m.Max6s, m.Max60s, m.Refused, perMinute)
		}
	}
	t.Logf("one call more than a tenth of the budget came in %v at the least", closest)
	t.Logf("%d calls of %d connections, between %d and %d each", total, connections, least, most)
	if least < perMinute/4 {
		t.Errorf("a connection made %d calls in 100 s, and the busiest %d", least, most)
	}
}
