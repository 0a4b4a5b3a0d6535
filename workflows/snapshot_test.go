package workflows

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/outband/outband/connectors"
	"github.com/outband/outband/internal/store"
)

var liveUsers = SliceRef{"users", store.LaneLive, liveSlice}

// users makes rows of a snapshot.
func (a *app) users(n int) {
	a.rows = nil
	for i := range n {
		id := fmt.Sprintf("user_%d", i)
		a.rows = append(a.rows, connectors.Item{
			Kind: connectors.KindRecord, ID: id, Resource: connectors.Resource{Kind: "user", ID: id},
			Record: &connectors.Record{Kind: "user", ID: id, Scope: "org", Fields: map[string]any{"role": "member"}},
		})
	}
}

// run is the stored cursor of the snapshot.
func (b *bench) run() (store.Checkpoint, connectors.Slice) {
	b.t.Helper()
	cp, err := store.GetCheckpoint(b.t.Context(), b.DB.Read(), store.CheckpointKey{ConnectionID: b.connection.ID, Stream: "users", Lane: store.LaneLive, Slice: liveSlice})
	check(b.t, err)
	s, err := connectors.Cursor(cp.Cursor).Slice()
	check(b.t, err)
	return cp, s
}

func TestASnapshotIsOneRunThatAKillDoesNotCutInTwo(t *testing.T) {
	b := newBench(t)
	b.app.users(7)
	b.app.missing = map[int][]string{0: {"org_b"}, 3: {"org_b", "org_c"}}
	began := b.now
	for i, want := range []connectors.Slice{{From: began, After: "3", Missing: []string{"org_b"}}, {From: began, After: "6", Missing: []string{"org_b", "org_c"}}} {
		b.now = b.now.Add(time.Minute)
		if i == 0 {
			b.now = began
		}
		r, err := b.ScanPage(t.Context(), PageInput{b.connection.ID, b.scan.ID, liveUsers})
		check(t, err)
		cp, run := b.run()
		if diff := cmp.Diff(want, run); diff != "" || r.Done || cp.Done || !cp.WatermarkAt.IsZero() {
			t.Fatalf("page %d: done %v, %+v (-want +got):\n%s", i, r.Done, cp, diff)
		}
	}
	b.now = began.Add(time.Hour)
	check(t, b.read(liveUsers))
	cp, _ := b.run()
	if !cp.Done || !cp.WatermarkAt.Equal(began) || b.app.reads["users"] != 3 {
		t.Errorf("after the run: %+v, %d calls", cp, b.app.reads["users"])
	}
	intervals, err := store.Intervals(t.Context(), b.DB.Read(), b.connection.ID, store.IntervalRead)
	check(t, err)
	if diff := cmp.Diff([]store.Interval{{Stream: "users", From: began, To: b.now, State: store.IntervalRead}}, intervals); diff != "" {
		t.Errorf("the interval is the run (-want +got):\n%s", diff)
	}
	// The next one begins from an empty slice.
	b.now = b.now.Add(6 * time.Hour)
	check(t, b.read(liveUsers))
	if cp, run := b.run(); !cp.WatermarkAt.Equal(b.now) || b.app.reads["users"] != 6 || len(run.Missing) != 2 {
		t.Errorf("after the second run: %+v, %+v, %d calls", cp, run, b.app.reads["users"])
	}
}

func TestARunThatWasCutADayAgoBeginsAgain(t *testing.T) {
	b := newBench(t)
	b.app.users(7)
	_, err := b.ScanPage(t.Context(), PageInput{b.connection.ID, b.scan.ID, liveUsers})
	check(t, err)
	b.now = b.now.Add(snapshotStale)
	check(t, b.read(liveUsers))
	if cp, _ := b.run(); !cp.WatermarkAt.Equal(b.now) || b.app.reads["users"] != 4 {
		t.Errorf("%+v, %d calls", cp, b.app.reads["users"])
	}
}
