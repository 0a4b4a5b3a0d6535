package workflows

import (
	"testing"
	"time"

	"github.com/outband/outband/connectors"
	"github.com/outband/outband/internal/store"
)

func TestPagesThatLeadInACircleAreNoLoop(t *testing.T) {
	for _, tc := range []struct {
		pages  circle
		stream string
		calls  int // until it is found out
	}{
		{1, "chats", 2}, {3, "chats", 4}, {3, "activities", 4}, {2, "users", 3},
	} {
		b := newBench(t)
		b.source = tc.pages
		ref := SliceRef{tc.stream, store.LaneLive, liveSlice}
		var err error
		calls := 0
		for ; err == nil && calls < 20; calls++ {
			_, err = b.ScanPage(t.Context(), PageInput{b.connection.ID, b.scan.ID, ref})
		}
		if f := failureOf(err); f.Code != "OB-3004" || calls != tc.calls {
			t.Errorf("a circle of %d pages in %s: found after %d calls, %v", tc.pages, tc.stream, calls, err)
		}
		b.source = nil
		check(t, b.live(tc.stream))
	}
}

func TestAStreamThatATenantDoesNotHaveIsGrey(t *testing.T) {
	b := newBench(t)
	b.app.users(2)
	check(t, b.live("users"))
	away := true
	b.app.onRead = func(stream string, _ connectors.Slice) error {
		if away {
			return &connectors.Error{Kind: connectors.KindUnavailable, Status: 404}
		}
		return nil
	}
	for _, ref := range []SliceRef{liveUsers, {"activities", store.LaneLive, liveSlice}, {"chats", store.LaneLive, liveSlice}} {
		r, err := b.ScanPage(t.Context(), PageInput{b.connection.ID, b.scan.ID, ref})
		if err != nil || !r.Done || !r.Unavailable {
			t.Errorf("%s: %+v, %v", ref.Stream, r, err)
		}
		cp, err := store.GetCheckpoint(t.Context(), b.DB.Read(), store.CheckpointKey{ConnectionID: b.connection.ID, Stream: ref.Stream, Lane: ref.Lane, Slice: ref.Slice})
		if err != nil || cp.Error != Unavailable {
			t.Errorf("%s: %+v, %v", ref.Stream, cp, err)
		}
	}
	if s, err := store.GetSnapshot(t.Context(), b.DB.Read(), b.connection.ID, "users"); err != nil || s.State != store.SnapshotUnavailable {
		t.Errorf("the snapshot: %+v, %v", s, err)
	}
	if got := b.count(`SELECT COUNT(*) FROM records WHERE valid_to = 0`); got != 2 {
		t.Errorf("%d records stand, want what was known", got)
	}
	b.change(func(c *store.Connection) { c.BackfillFrom = testDay.Add(-30 * time.Hour) })
	if got := b.slices(); len(got) != 0 {
		t.Errorf("history of streams that are not there: %v", got)
	}
	plan := func() int {
		t.Helper()
		streams, err := Streams(t.Context(), b.DB.Read(), b.connection, must(b.Open.Manifest("fake")))
		check(t, err)
		due, err := dueStreams(t.Context(), b.DB.Read(), b.connection, streams, b.DB.Now())
		check(t, err)
		return len(due)
	}
	if n := plan(); n != 0 {
		t.Errorf("%d streams are looked for at once", n)
	}
	// They come back, with nothing missing.
	away = false
	b.app.feed = append(b.app.feed, activityItem("act_1", testDay.Add(-40*time.Minute), "x", nil))
	b.now = b.now.Add(6*time.Hour + time.Minute)
	if n := plan(); n != 3 {
		t.Errorf("%d streams are due", n)
	}
	for _, stream := range []string{"users", "activities", "chats"} {
		check(t, b.live(stream))
	}
	if got := b.count(`SELECT COUNT(*) FROM activities`); got != 1 {
		t.Errorf("%d activities of before the stream was there", got)
	}
	if got := b.slices(); len(got) != 4 {
		t.Errorf("history of streams that are there: %v", got)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestAMissingScopeStandsBesideItsStream(t *testing.T) {
	b := newBench(t)
	refuse := true
	b.app.onRead = func(stream string, _ connectors.Slice) error {
		if stream == "activities" && refuse {
			return &connectors.Error{Kind: connectors.KindForbidden, Code: connectors.CodeScopeMissing, Status: 403, Missing: []string{"read:x"}}
		}
		return nil
	}
	errorOf := func() string {
		t.Helper()
		cp, err := store.GetCheckpoint(t.Context(), b.DB.Read(), store.CheckpointKey{ConnectionID: b.connection.ID, Stream: "activities", Lane: store.LaneLive, Slice: liveSlice})
		check(t, err)
		return cp.Error
	}
	if err := b.live("activities"); failureOf(err).Kind != string(connectors.KindForbidden) || failureOf(err).Final() {
		t.Errorf("got %v", err)
	}
	if got := errorOf(); got != connectors.CodeScopeMissing {
		t.Errorf("the stream shows %q", got)
	}
	refuse = false
	check(t, b.live("activities"))
	if got := errorOf(); got != "" {
		t.Errorf("after the scope was given the stream shows %q", got)
	}
}
