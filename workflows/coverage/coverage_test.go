package coverage

import (
	"context"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/outband/outband/connectors"
	"github.com/outband/outband/internal/store"
	"github.com/outband/outband/internal/store/storetest"
	"github.com/outband/outband/workflows"
)

var (
	now    = time.Date(2026, time.March, 10, 12, 0, 0, 0, time.UTC)
	made   = now.Add(-12 * time.Hour) // its live lane begins at 23:00 of the 9th
	claude = &connectors.Manifest{Keys: []connectors.KeyKind{{Kind: "compliance"}, {Kind: "admin"}}, Streams: []connectors.Stream{
		{ID: "activities", Cursor: connectors.CursorWindow},
		{ID: "admin_members", Cursor: connectors.CursorSnapshot, Keys: []string{"admin"}},
		{ID: "users", Cursor: connectors.CursorSnapshot, Every: connectors.Duration(6 * time.Hour)},
	}}
)

// world is a store with one connection of which everything up to a minute ago was read, its history of two days too.
type world struct {
	t  *testing.T
	db *store.DB
	c  store.Connection
}

func newWorld(t *testing.T) *world {
	t.Helper()
	db := storetest.Open(t, filepath.Join(t.TempDir(), "outband.db"))
	db.SetClock(func() time.Time { return made })
	w := &world{t: t, db: db}
	w.write(func(ctx context.Context, tx *store.Tx) (err error) {
		w.c, err = store.CreateConnection(ctx, tx, store.Connection{
			Name: "x", Connector: "acme", AccountID: "org", KeyKind: "compliance", Every: time.Minute, BackfillFrom: made.Add(-48 * time.Hour), State: store.ConnectionActive,
		})
		return err
	})
	w.live("activities", now.Add(-time.Minute), 0)
	w.live("users", now.Add(-5*time.Hour), 0)
	for _, slice := range workflows.HistorySlices(w.c, claude.Streams[0]) {
		w.slice("activities", slice.Name, true)
	}
	w.write(func(ctx context.Context, tx *store.Tx) error {
		return store.ExtendInterval(ctx, tx, w.c.ID, "activities", day0(8), now.Add(-time.Minute))
	})
	return w
}

func day0(d int) time.Time { return time.Date(2026, time.March, d, 0, 0, 0, 0, time.UTC) }

func (w *world) write(f func(context.Context, *store.Tx) error) {
	w.t.Helper()
	if err := w.db.Write(context.Background(), func(tx *store.Tx) error { return f(context.Background(), tx) }); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) live(stream string, watermark time.Time, failures int64) {
	w.t.Helper()
	w.put(store.Checkpoint{CheckpointKey: store.CheckpointKey{ConnectionID: w.c.ID, Stream: stream, Lane: store.LaneLive, Slice: "live"}, WatermarkAt: watermark, Failures: failures})
}

func (w *world) slice(stream, name string, done bool) {
	w.t.Helper()
	w.put(store.Checkpoint{CheckpointKey: store.CheckpointKey{ConnectionID: w.c.ID, Stream: stream, Lane: store.LaneBackfill, Slice: name}, Done: done})
}

func (w *world) put(cp store.Checkpoint) {
	w.t.Helper()
	w.write(func(ctx context.Context, tx *store.Tx) error { return store.PutCheckpoint(ctx, tx, cp) })
}

func (w *world) add(counts ...store.Count) {
	w.t.Helper()
	w.write(func(ctx context.Context, tx *store.Tx) error {
		for _, n := range counts {
			if err := store.AddCounts(ctx, tx, w.c.ID, n); err != nil {
				return err
			}
		}
		return nil
	})
}

func (w *world) item(id, state string) {
	w.t.Helper()
	w.write(func(ctx context.Context, tx *store.Tx) error {
		return store.PutItem(ctx, tx, store.Item{ItemKey: store.ItemKey{ConnectionID: w.c.ID, Kind: "file", ID: id}, Stream: "activities", State: state})
	})
}

// exec changes the database by hand.
func (w *world) exec(query string, args ...any) {
	w.t.Helper()
	w.write(func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.ExecContext(ctx, query, args...)
		return err
	})
}

func (w *world) of(stream string) Summary {
	w.t.Helper()
	all, err := Of(w.t.Context(), w.db.Read(), w.c, claude, DefaultThresholds(), now)
	if err != nil {
		w.t.Fatal(err)
	}
	i := slices.IndexFunc(all, func(s Summary) bool { return s.Stream.ID == stream })
	if i < 0 {
		w.t.Fatalf("no stream %s in %v", stream, all)
	}
	return all[i]
}

func codes(in []Notice) (out []string) {
	for _, n := range in {
		out = append(out, n.Code)
	}
	return out
}

func (w *world) wants(stream, state string, reasons ...string) Summary {
	w.t.Helper()
	s := w.of(stream)
	if s.State != state || !slices.Equal(codes(s.Reasons), reasons) {
		w.t.Errorf("%s is %s for %v, want %s for %v; gaps %v", stream, s.State, codes(s.Reasons), state, reasons, s.Gaps)
	}
	return s
}

func TestAStreamThatIsReadIsGreen(t *testing.T) {
	w := newWorld(t)
	if s := w.wants("activities", Green); s.Lag != time.Minute || len(s.Gaps) != 0 || len(s.Intervals) != 1 {
		t.Errorf("activities are %+v", s)
	}
	w.wants("users", Green)
	w.wants("admin_members", Grey, CodeOtherKey)
}

func TestAStreamThatIsNotReadIsGrey(t *testing.T) {
	w := newWorld(t)
	w.put(store.Checkpoint{CheckpointKey: store.CheckpointKey{ConnectionID: w.c.ID, Stream: "activities", Lane: store.LaneLive, Slice: "live"}, WatermarkAt: now.Add(-time.Minute), Error: workflows.Unavailable})
	w.exec(`DELETE FROM coverage_intervals`)
	if s := w.wants("activities", Grey, CodeUnavailable); len(s.Gaps) != 0 || s.Error != "" {
		t.Errorf("what the app does not give has gaps %v and the error %q", s.Gaps, s.Error)
	}
	w.write(func(ctx context.Context, tx *store.Tx) error {
		return store.SnapshotNotAvailable(ctx, tx, w.c.ID, "users")
	})
	w.wants("users", Grey, CodeUnavailable)

	// Of a stream that both kinds of keys read, the connection with the first of them does.
	both := &connectors.Manifest{Keys: claude.Keys, Streams: []connectors.Stream{{ID: "activities", Cursor: connectors.CursorWindow, Keys: []string{"compliance", "admin"}}}}
	other := w.c
	other.KeyKind = "admin"
	w.write(func(ctx context.Context, tx *store.Tx) (err error) {
		other, err = store.CreateConnection(ctx, tx, other)
		return err
	})
	all, err := Of(t.Context(), w.db.Read(), other, both, DefaultThresholds(), now)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 1 || all[0].State != Grey || !slices.Equal(codes(all[0].Reasons), []string{CodeOtherConnected}) {
		t.Errorf("for the other connection it is %+v", all)
	}
}

func TestAHoleMadeByHandIsRed(t *testing.T) {
	w := newWorld(t)
	w.exec(`UPDATE coverage_intervals SET to_at = $1 WHERE stream = 'activities'`, store.Micros(day0(9)))
	w.write(func(ctx context.Context, tx *store.Tx) error {
		return store.PutInterval(ctx, tx, w.c.ID, store.Interval{Stream: "activities", From: day0(9).Add(2 * time.Hour), To: now, State: store.IntervalRead})
	})
	s := w.wants("activities", Red, CodeHole)
	if diff := cmp.Diff([]Gap{{Span{day0(9), day0(9).Add(2 * time.Hour)}, ReasonHole}}, s.Gaps); diff != "" {
		t.Errorf("gaps (-want +got):\n%s", diff)
	}
	w.exec(`DELETE FROM coverage_intervals WHERE stream = 'activities'`)
	s = w.wants("activities", Red, CodeHole)
	if diff := cmp.Diff([]Gap{{Span{day0(8), now.Add(-time.Minute)}, ReasonHole}}, s.Gaps); diff != "" {
		t.Errorf("gaps without any interval (-want +got):\n%s", diff)
	}
}

func TestHistoryThatIsNotReadYetIsNoHole(t *testing.T) {
	w := newWorld(t)
	w.exec(`UPDATE coverage_intervals SET from_at = $1 WHERE stream = 'activities'`, store.Micros(day0(9)))
	w.slice("activities", "2026-03-08", false)
	if s := w.wants("activities", Amber, CodeHistory); s.BackfillOpen != 1 || len(s.Gaps) != 0 {
		t.Errorf("activities are %+v", s)
	}
	w.c.BackfillPaused = true
	w.wants("activities", Amber, CodeHistoryPaused)
}

func TestStates(t *testing.T) {
	for _, tc := range []struct {
		name    string
		change  func(*world)
		stream  string
		state   string
		reasons []string
	}{
		{"a known gap is red", func(w *world) {
			w.exec(`DELETE FROM coverage_intervals`)
			w.write(func(ctx context.Context, tx *store.Tx) error {
				return store.PutInterval(ctx, tx, w.c.ID, store.Interval{Stream: "activities", From: day0(8), To: now, State: store.IntervalGap, Reason: "OB-2017"})
			})
		}, "activities", Red, []string{CodeGap}},
		{"ten minutes behind is not late", func(w *world) { w.live("activities", now.Add(-10*time.Minute), 0) }, "activities", Green, nil},
		{"more is", func(w *world) { w.live("activities", now.Add(-10*time.Minute-time.Second), 0) }, "activities", Red, []string{CodeLag}},
		{"a stream of every six hours has thirty", func(w *world) { w.live("users", now.Add(-30*time.Hour), 0) }, "users", Green, nil},
		{"and no more", func(w *world) { w.live("users", now.Add(-31*time.Hour), 0) }, "users", Red, []string{CodeLag}},
		{"a paused connection is not late", func(w *world) { w.live("activities", now.Add(-time.Hour), 0); w.c.State = store.ConnectionPaused }, "activities", Amber, []string{CodePaused}},
		{"a page that is tried again", func(w *world) { w.live("activities", now.Add(-time.Minute), 1) }, "activities", Amber, []string{CodeRetrying}},
		{"a stream that stands still", func(w *world) { w.live("activities", now.Add(-time.Minute), 3) }, "activities", Red, []string{CodeStopped}},
		{"what is quarantined wants a look", func(w *world) { w.item("f", store.ItemQuarantined) }, "activities", Amber, []string{CodeQuarantined}},
		{"what was never read is late by and by", func(w *world) {
			w.exec(`DELETE FROM checkpoints WHERE stream = 'users'`)
			w.c.CreatedAt = now.Add(-31 * time.Hour)
		}, "users", Red, []string{CodeLag}},
		{"but not at once", func(w *world) { w.exec(`DELETE FROM checkpoints WHERE stream = 'users'`) }, "users", Amber, []string{CodeNotRead}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			tc.change(w)
			w.wants(tc.stream, tc.state, tc.reasons...)
		})
	}
}

func TestWhatWasReadAddsUp(t *testing.T) {
	w := newWorld(t)
	w.add(
		store.Count{Stream: "activities", Unit: "message", Outcome: store.OutcomeScanned, At: day0(9), N: 7},
		store.Count{Stream: "activities", Unit: "file", Outcome: store.OutcomeSkipped, Reason: store.ReasonTooBig, At: day0(9), N: 2},
		store.Count{Stream: "activities", Unit: "file", Outcome: store.OutcomeSkipped, Reason: store.ReasonDeleted, N: 1},
		store.Count{Stream: "activities", Unit: "file", Outcome: store.OutcomeFailed, Reason: store.ReasonError, At: day0(9), N: 1},
		store.Count{Stream: "activities", Unit: "file", Outcome: store.OutcomeLate, At: day0(9), N: 5},
		store.Count{Stream: "activities", Unit: "file", Outcome: store.OutcomeOverlap, At: day0(9), N: 6},
	)
	w.item("a", store.ItemDeferred)
	w.item("b", store.ItemQuarantined)
	w.item("c", store.ItemScanned)
	s := w.of("activities")
	want := Tally{Read: 13, Scanned: 7, Failed: 1, Deferred: 1, Quarantined: 1, Skipped: map[string]int64{store.ReasonTooBig: 2, store.ReasonDeleted: 1}}
	if diff := cmp.Diff(want, s.Tally); diff != "" || s.Late != 5 || s.Overlap != 6 {
		t.Errorf("late %d, overlap %d, tally (-want +got):\n%s", s.Late, s.Overlap, diff)
	}
	units := map[string]*Tally{
		"message": {Read: 7, Scanned: 7, Skipped: map[string]int64{}},
		"file":    {Read: 6, Failed: 1, Deferred: 1, Quarantined: 1, Skipped: want.Skipped},
	}
	if diff := cmp.Diff(units, s.Units); diff != "" {
		t.Errorf("units (-want +got):\n%s", diff)
	}
}

func TestSkipsThatRise(t *testing.T) {
	counts := func(day int, scanned, skipped int64) []store.Count {
		return []store.Count{
			{Stream: "activities", Unit: "file", Outcome: store.OutcomeScanned, At: day0(day), N: scanned},
			{Stream: "activities", Unit: "file", Outcome: store.OutcomeSkipped, Reason: store.ReasonUnsupportedType, At: day0(day), N: skipped},
		}
	}
	for _, tc := range []struct {
		name           string
		before, recent [2]int64
		rises          bool
	}{
		{"a share that stays", [2]int64{90, 10}, [2]int64{45, 5}, false},
		{"a share that doubles", [2]int64{90, 10}, [2]int64{40, 10}, true},
		{"a share that doubles from next to nothing", [2]int64{990, 10}, [2]int64{980, 20}, false},
		{"nothing was skipped before", [2]int64{100, 0}, [2]int64{50, 10}, true},
		{"too little to say", [2]int64{100, 0}, [2]int64{10, 9}, false},
		{"nothing to compare with", [2]int64{10, 0}, [2]int64{100, 100}, false},
		{"a few", [2]int64{100, 0}, [2]int64{20, 4}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			w.add(counts(3, tc.before[0], tc.before[1])...)
			w.add(counts(9, tc.recent[0]-1, tc.recent[1])...)
			w.add(counts(10, 1, 0)...)
			w.add(counts(1, 0, 10_000)...) // Older than what is compared.
			if got := slices.Contains(codes(w.of("activities").Alerts()), CodeSkips); got != tc.rises {
				t.Errorf("alert is %t, want %t", got, tc.rises)
			}
		})
	}
}

func TestCalendar(t *testing.T) {
	w := newWorld(t)
	w.exec(`DELETE FROM coverage_intervals`)
	for _, s := range []Span{{day0(8), day0(9)}, {day0(9).Add(time.Hour), now.Add(-time.Minute)}} {
		w.write(func(ctx context.Context, tx *store.Tx) error {
			return store.PutInterval(ctx, tx, w.c.ID, store.Interval{Stream: "activities", From: s.From, To: s.To, State: store.IntervalRead})
		})
	}
	w.c.BackfillFrom = day0(6)
	w.slice("activities", "2026-03-07", true)
	w.exec(`INSERT INTO coverage_intervals (workspace_id, connection_id, stream, from_at, to_at, state, reason, updated_at) VALUES ($1, $2, 'activities', $3, $4, 'read', '', 0)`,
		store.Workspace, w.c.ID, store.Micros(day0(7)), store.Micros(day0(8)))
	w.add(
		store.Count{Stream: "activities", Unit: "activity", Outcome: store.OutcomeScanned, At: day0(8).Add(time.Hour), N: 3},
		store.Count{Stream: "activities", Unit: "activity", Outcome: store.OutcomeSkipped, Reason: store.ReasonDeleted, At: day0(8), N: 1},
	)
	got, err := Calendar(t.Context(), w.db.Read(), w.c, &connectors.Manifest{Streams: claude.Streams[:1]}, Range{day0(5), day0(12)}, now)
	if err != nil {
		t.Fatal(err)
	}
	want := []StreamDays{{"activities", []Day{
		{Date: "2026-03-05", State: DayNone}, {Date: "2026-03-06", State: DayPending}, {Date: "2026-03-07", State: DayComplete},
		{Date: "2026-03-08", State: DayComplete, Tally: Tally{Read: 4, Scanned: 3, Skipped: map[string]int64{store.ReasonDeleted: 1}}},
		{Date: "2026-03-09", State: DayGap}, {Date: "2026-03-10", State: DayPartial}, {Date: "2026-03-11", State: DayNone},
	}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Calendar (-want +got):\n%s", diff)
	}
	// An hour later in the day begins the hole of the 9th for a person whose days begin an hour later.
	zone := time.FixedZone("", -3600)
	if got, err = Calendar(t.Context(), w.db.Read(), w.c, &connectors.Manifest{Streams: claude.Streams[:1]}, Range{time.Date(2026, 3, 8, 0, 0, 0, 0, zone), time.Date(2026, 3, 10, 0, 0, 0, 0, zone)}, now); err != nil {
		t.Fatal(err)
	}
	if a, b := got[0].Days[0].State, got[0].Days[1].State; a != DayGap || b != DayComplete {
		t.Errorf("days an hour later are %s and %s, want gap and complete", a, b)
	}
}
