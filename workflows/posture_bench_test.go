package workflows

import (
	"fmt"
	"testing"
	"time"

	"github.com/outband/outband/connectors"
	"github.com/outband/outband/internal/store"
)

// BenchmarkSnapshot reads a snapshot of 10,000 users, in pages of 1,000, under the built-in policies: one of which every user is new, and one that is
// as it was before, as most are.
func BenchmarkSnapshot(b *testing.B) {
	const users, pageSize = 10_000, 1000
	items := make([]connectors.Item, users)
	for i := range items {
		id := fmt.Sprintf("user_%026d", i)
		items[i] = connectors.Item{
			Kind: connectors.KindRecord, ID: id, At: testDay, Actor: connectors.Actor{ID: id, Email: fmt.Sprintf("person%d@fake.example", i), Name: "Dana Example", Type: "user"},
			Resource: connectors.Resource{Kind: "user", ID: id},
			Record: &connectors.Record{Kind: "user", ID: id, Scope: "org", Fields: map[string]any{
				"organization_role": "user", "email_domain": "fake.example", "created_at": "2025-11-20T12:00:00Z", "removed_at": nil, "seat_tier": "standard", "groups": []any{"group_a", "group_b"},
			}},
		}
	}
	snapshot := func(t *bench) {
		t.now = t.now.Add(6 * time.Hour)
		p := &page{Activities: t.Activities, connection: t.connection, ref: liveUsers, scanID: t.scan.ID, rules: t.Rules.Current(), engine: t.Detectors.Engine(), exceptions: t.Rules.exceptions.Load(), stream: connectors.Stream{ID: "users", Absent: connectors.AbsentGone}}
		_, lease, err := t.hold(b.Context(), sliceLease(t.connection.ID, liveUsers))
		check(b, err)
		p.lease = lease
		var began time.Time
		check(b, p.write(b.Context(), func(tx *store.Tx) (err error) {
			began, err = p.snapshotBegins(b.Context(), tx)
			return err
		}))
		for i := 0; i < len(items); i += pageSize {
			check(b, p.record(b.Context(), items[i:i+pageSize], began))
		}
		check(b, p.snapshotEnded(b.Context(), began, nil))
		p.end(b.Context())
	}
	b.Run("new", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			t := newBench(b)
			b.StartTimer()
			snapshot(t)
		}
		b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/users, "µs/record")
	})
	b.Run("unchanged", func(b *testing.B) {
		t := newBench(b)
		snapshot(t)
		for b.Loop() {
			snapshot(t)
		}
		b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/users, "µs/record")
	})
}
