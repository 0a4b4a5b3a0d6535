package workflows

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/outband/outband/connectors"
	"github.com/outband/outband/internal/store"
)

// keyed is a manifest with streams for two kinds of keys.
func keyed() *connectors.Manifest {
	return &connectors.Manifest{
		Keys: []connectors.KeyKind{{Kind: "compliance", Usable: true}, {Kind: "admin", Usable: true}},
		Streams: []connectors.Stream{
			{ID: "members", Kind: connectors.StreamRecords, Cursor: connectors.CursorSnapshot, Keys: []string{"admin"}},
			{ID: "projects", Kind: connectors.StreamContent, Every: connectors.Duration(15 * time.Minute), Keys: []string{"compliance"}},
			{ID: "chats", Kind: connectors.StreamContent, Keys: []string{"compliance"}},
			{ID: "feed", Kind: connectors.StreamActivities, Keys: []string{"compliance", "admin"}},
			{ID: "calls", Kind: connectors.StreamActivities},
		},
	}
}

func TestAKeyReadsWhatIsOfItsKindInOrderOfWhatIsLostFirst(t *testing.T) {
	b := newBench(t)
	create := func(kind, account string) (c store.Connection) {
		check(t, b.DB.Write(t.Context(), func(tx *store.Tx) (err error) {
			c, err = store.CreateConnection(t.Context(), tx, store.Connection{Name: "x", Connector: "keyed", AccountID: account, KeyKind: kind, State: store.ConnectionActive})
			return err
		}))
		return c
	}
	admin := create("admin", "org_1")
	reads := func(c store.Connection) (out []string) {
		t.Helper()
		streams, err := Streams(t.Context(), b.DB.Read(), c, keyed())
		check(t, err)
		for _, s := range streams {
			out = append(out, s.ID)
		}
		return out
	}
	if diff := cmp.Diff([]string{"feed", "calls", "members"}, reads(admin)); diff != "" {
		t.Errorf("an admin key alone (-want +got):\n%s", diff)
	}
	parent := create("compliance", "org_parent")
	if diff := cmp.Diff([]string{"feed", "calls", "chats", "projects"}, reads(parent)); diff != "" {
		t.Errorf("a compliance key (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"feed", "calls", "members"}, reads(admin)); diff != "" {
		t.Errorf("an admin key beside the compliance key of another organisation (-want +got):\n%s", diff)
	}
	check(t, b.DB.Write(t.Context(), func(tx *store.Tx) error {
		_, err := store.PutRecord(t.Context(), tx, nil, store.Record{ConnectionID: parent.ID, Kind: "organization", ID: "org_1", Stream: "organizations", Fields: "{}", SeenAt: tx.Now()})
		return err
	}))
	if diff := cmp.Diff([]string{"calls", "members"}, reads(admin)); diff != "" {
		t.Errorf("an admin key under an organisation that a compliance key reaches (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"calls", "members"}, reads(create("admin", "org_parent"))); diff != "" {
		t.Errorf("an admin key of the same organisation (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"feed", "calls", "chats", "projects"}, reads(create("", "org_2"))); diff != "" {
		t.Errorf("a key of no known kind reads as the first kind does (-want +got):\n%s", diff)
	}
}

func TestWhenAStreamIsDue(t *testing.T) {
	every := connectors.Stream{Every: connectors.Duration(10 * time.Minute), Settle: connectors.Duration(2 * time.Minute)}
	at := func(d time.Duration) store.Checkpoint { return store.Checkpoint{WatermarkAt: testDay.Add(-d)} }
	grey := func(d time.Duration) store.Checkpoint {
		return store.Checkpoint{Error: Unavailable, UpdatedAt: testDay.Add(-d)}
	}
	for _, tc := range []struct {
		name   string
		stream connectors.Stream
		live   store.Checkpoint
		want   bool
	}{
		{"in every scan", connectors.Stream{}, at(0), true},
		{"never read", every, store.Checkpoint{}, true},
		{"read less long ago", every, at(11 * time.Minute), false},
		{"read so long ago", every, at(12 * time.Minute), true},
		{"not available, looked for lately", connectors.Stream{}, grey(14 * time.Minute), false},
		{"not available, looked for a while ago", connectors.Stream{}, grey(15 * time.Minute), true},
	} {
		if got := due(tc.stream, tc.live, testDay); got != tc.want {
			t.Errorf("%s: %v", tc.name, got)
		}
	}
}

func TestARecordStreamIsReadAtItsCadence(t *testing.T) {
	b := newBench(t)
	b.app.users(2)
	plan := func() []SliceRef {
		t.Helper()
		out, err := b.NextSlices(t.Context(), SlicesInput{ConnectionID: b.connection.ID})
		check(t, err)
		return out
	}
	if diff := cmp.Diff([]SliceRef{liveUsers}, plan()); diff != "" {
		t.Fatalf("at first (-want +got):\n%s", diff)
	}
	if out, err := b.NextSlices(t.Context(), SlicesInput{ConnectionID: b.connection.ID, Apart: true, Budget: "narrow"}); err != nil || len(out) != 0 {
		t.Errorf("of another budget: %v, %v", out, err)
	}
	if out, err := b.NextSlices(t.Context(), SlicesInput{ConnectionID: b.connection.ID, Apart: true, Skip: []SliceRef{}}); err != nil || len(out) != 1 {
		t.Errorf("of the account's budget: %v, %v", out, err)
	}
	if out, err := b.NextSlices(t.Context(), SlicesInput{ConnectionID: b.connection.ID, Skip: []SliceRef{liveUsers}}); err != nil || len(out) != 0 {
		t.Errorf("skipped: %v, %v", out, err)
	}
	check(t, b.read(liveUsers))
	b.now = b.now.Add(6*time.Hour - time.Second)
	if got := plan(); len(got) != 0 {
		t.Errorf("before its time: %v", got)
	}
	b.now = b.now.Add(time.Second)
	if diff := cmp.Diff([]SliceRef{liveUsers}, plan()); diff != "" {
		t.Errorf("at its time (-want +got):\n%s", diff)
	}
}

func TestAHoleMadeByHandIsReadAgain(t *testing.T) {
	b := newBench(t)
	b.change(func(c *store.Connection) { c.BackfillFrom = testDay.Add(-40 * time.Hour) })
	lost := testDay.Add(-30 * time.Hour)
	for i, at := range []time.Time{lost, testDay.Add(-20 * time.Minute)} {
		b.app.feed = append(b.app.feed, activityItem([]string{"act_old", "act_new"}[i], at, "x", nil))
	}
	check(t, b.live("activities"))
	for _, ref := range b.slices() {
		check(t, b.read(ref))
	}
	if got := b.slices(); len(got) != 0 {
		t.Fatalf("nothing is missing, yet %v is to be read", got)
	}
	for round := range 2 { // The same hole twice, so that the checkpoint of its first re-read is there.
		b.exec(`DELETE FROM coverage_intervals WHERE stream = 'activities'`)
		b.exec(`DELETE FROM activities`)
		holes := b.slices()
		for _, h := range holes {
			if h.Stream != "activities" || h.Lane != laneReread {
				t.Errorf("round %d: %+v", round, h)
			}
		}
		// The live lane, and the three slices of history.
		if len(holes) != 4 {
			t.Fatalf("round %d: %+v", round, holes)
		}
		for _, h := range holes {
			check(t, b.read(h))
		}
		if got := b.count(`SELECT COUNT(*) FROM activities`); got != 2 {
			t.Errorf("round %d: %d activities after the hole was read", round, got)
		}
		if got := b.slices(); len(got) != 0 {
			t.Errorf("round %d: still to be read: %v", round, got)
		}
	}
}

func TestHistoryIsPausedAndReported(t *testing.T) {
	b := newBench(t)
	manifest, err := b.Open.Manifest("fake")
	check(t, err)
	history := func() (done, total int64, oldest time.Time) {
		t.Helper()
		done, total, oldest, err := History(t.Context(), b.DB.Read(), b.connection, manifest)
		check(t, err)
		return done, total, oldest
	}
	if done, total, oldest := history(); done != 0 || total != 0 || !oldest.IsZero() {
		t.Errorf("without a history: %d of %d, %v", done, total, oldest)
	}
	b.change(func(c *store.Connection) { c.BackfillFrom, c.BackfillPaused = testDay.Add(-30*time.Hour), true })
	if got := b.slices(); len(got) != 0 {
		t.Errorf("paused, yet %v is to be read", got)
	}
	check(t, b.DB.Write(t.Context(), func(tx *store.Tx) error { return store.SetBackfillPaused(t.Context(), tx, b.connection.ID, false) }))
	b.connection.BackfillPaused = false
	next := b.slices()
	if len(next) != 4 {
		t.Fatalf("%v", next)
	}
	for i, want := range []time.Time{{}, testDay.Truncate(day), testDay.Truncate(day), testDay.Truncate(day).Add(-day)} {
		check(t, b.read(next[i]))
		if done, total, oldest := history(); done != int64(i+1) || total != 4 || !oldest.Equal(want) {
			t.Errorf("after %d slices: %d of %d, back to %v, want %v", i+1, done, total, oldest, want)
		}
	}
	// An earlier start adds slices and touches none that is read.
	b.change(func(c *store.Connection) { c.BackfillFrom = testDay.Add(-50 * time.Hour) })
	if got := b.slices(); len(got) != 2 || got[0].Slice != "2026-11-18" {
		t.Errorf("with an earlier start: %v", got)
	}
	// A slice that a later start took away is no failure.
	b.change(func(c *store.Connection) { c.BackfillFrom = testDay })
	if r, err := b.ScanPage(t.Context(), PageInput{b.connection.ID, b.scan.ID, SliceRef{"chats", store.LaneBackfill, "2026-11-18"}}); err != nil || !r.Done {
		t.Errorf("%+v, %v", r, err)
	}
}

// The live walk of chats begins a little before the end of the one before, so that a row that was indexed late is not missed.
func TestTheWalkOfChatsLooksBack(t *testing.T) {
	b := newBench(t)
	b.app.chat("chat_1", testDay.Add(-10*time.Second), harmless)
	check(t, b.live("chats"))
	b.now = b.now.Add(time.Minute)
	// Its time is 40 s before the end of the walk that did not see it.
	b.app.chat("chat_late", testDay.Add(-40*time.Second), leaking)
	b.app.chat("chat_tie", testDay.Add(-10*time.Second), leaking) // of one moment with the last row that was seen
	check(t, b.live("chats"))
	if got := b.count(`SELECT COUNT(*) FROM findings`); got != 2 {
		t.Errorf("%d findings, want those of the late chat and of the tie", got)
	}
	if n := b.app.fetches["chat_1"]; n != 1 {
		t.Errorf("a settled chat was fetched %d times", n)
	}
	cp, err := store.GetCheckpoint(context.Background(), b.DB.Read(), store.CheckpointKey{ConnectionID: b.connection.ID, Stream: "chats", Lane: store.LaneLive, Slice: liveSlice})
	check(t, err)
	if s, err := connectors.Cursor(cp.Cursor).Slice(); err != nil || !s.From.Equal(testDay.Add(-2*time.Minute)) || !cp.WatermarkAt.Equal(b.now) {
		t.Errorf("%+v, %v, %v", cp, s, err)
	}
}
