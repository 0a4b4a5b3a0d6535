package storetest

import (
	"context"
	"fmt"
	"time"

	"github.com/outband/outband/internal/store"
)

func itemKey(id string) store.ItemKey {
	return store.ItemKey{ConnectionID: "con_1", Kind: "chat", ID: id}
}

func (s *suite) put(items ...store.Item) {
	s.Helper()
	s.write(func(ctx context.Context, tx *store.Tx) error {
		for _, i := range items {
			if err := store.PutItem(ctx, tx, i); err != nil {
				return err
			}
		}
		return nil
	})
}

func items(s *suite) {
	ctx := s.Context()
	_, err := store.GetItem(ctx, s.Read(), itemKey("c1"))
	s.notFound("GetItem", err)
	want := store.Item{
		ItemKey: itemKey("c1"), Stream: "chats", Version: "v1", Ruleset: "r1", State: store.ItemQuarantined, Reason: "OB-2014", Tries: 3,
		FirstTryAt: stored, NextTryAt: stored.Add(time.Hour), At: stored.Add(-time.Hour), Size: 12, Result: `{"file":{}}`,
		Place: "after:m7", ActorKey: "act_1", DeletedAt: stored.Add(-time.Minute), UpdatedAt: stored,
	}
	s.put(want)
	s.equal("GetItem", want, must[store.Item](s)(store.GetItem(ctx, s.Read(), want.ItemKey)))
	want = store.Item{ItemKey: itemKey("c1"), Stream: "chats", Version: "v2", Ruleset: "r2", State: store.ItemScanned, UpdatedAt: stored}
	s.put(want)
	s.equal("GetItem of a new version", want, must[store.Item](s)(store.GetItem(ctx, s.Read(), want.ItemKey)))
	for _, k := range []store.ItemKey{{ConnectionID: "con_2", Kind: "chat", ID: "c1"}, {ConnectionID: "con_1", Kind: "file", ID: "c1"}} {
		_, err := store.GetItem(ctx, s.Read(), k)
		s.notFound("another item of the same id", err)
	}
	s.put(store.Item{ItemKey: itemKey("c2"), Stream: "chats", State: store.ItemScanned}, store.Item{ItemKey: itemKey("c3"), Stream: "chats", State: store.ItemSkipped, Reason: store.ReasonTooBig})
	s.equal("CountItems", []store.Count{{Stream: "chats", Unit: "chat", Outcome: store.ItemScanned, N: 2}, {Stream: "chats", Unit: "chat", Outcome: store.ItemSkipped, Reason: store.ReasonTooBig, N: 1}},
		must[[]store.Count](s)(store.CountItems(ctx, s.Read(), "con_1")))
}

func dueItems(s *suite) {
	ctx := s.Context()
	at := func(id, state string, next time.Duration) store.Item {
		return store.Item{ItemKey: itemKey(id), State: state, NextTryAt: stored.Add(next), UpdatedAt: stored}
	}
	late, early, now := at("b", store.ItemDeferred, -time.Minute), at("c", store.ItemDeferred, -time.Hour), at("a", store.ItemDeferred, 0)
	elsewhere := at("a", store.ItemDeferred, -time.Hour)
	elsewhere.ConnectionID = "con_2"
	s.put(late, early, now, elsewhere, at("d", store.ItemDeferred, time.Microsecond), at("e", store.ItemQuarantined, -time.Hour), at("f", store.ItemScanned, -time.Hour))
	s.equal("DueItems", []store.Item{early, late, now}, must[[]store.Item](s)(store.DueItems(ctx, s.Read(), "con_1", store.ItemDeferred, stored, 10)))
	s.equal("DueItems, two at most", []store.Item{early, late}, must[[]store.Item](s)(store.DueItems(ctx, s.Read(), "con_1", store.ItemDeferred, stored, 2)))
}

func deletedItems(s *suite) {
	ctx := s.Context()
	deleted := func(id string, at time.Duration) store.Item {
		return store.Item{ItemKey: itemKey(id), State: store.ItemSkipped, Reason: store.ReasonDeleted, ActorKey: "act_1", DeletedAt: stored.Add(at), UpdatedAt: stored}
	}
	a, b, c, d := deleted("a", -time.Hour), deleted("b", -time.Minute), deleted("c", -time.Minute), deleted("d", -time.Second)
	d.ConnectionID = "con_2"
	s.put(a, b, c, d, store.Item{ItemKey: itemKey("e"), State: store.ItemScanned})
	list := func(connectionID string, at time.Time, id string, limit int) []store.Item {
		return must[[]store.Item](s)(store.ListDeleted(ctx, s.Read(), connectionID, at, id, limit))
	}
	s.equal("the newest two", []store.Item{c, b}, list("con_1", time.Time{}, "", 2))
	s.equal("after one of two of one time", []store.Item{b, a}, list("con_1", c.DeletedAt, "c", 10))
	s.equal("after the last", 0, len(list("con_1", a.DeletedAt, "a", 10)))
	s.equal("of all connections", []store.Item{d, c, b, a}, list("", time.Time{}, "", 10))
}

func streamOf(s *suite) {
	s.put(store.Item{ItemKey: store.ItemKey{ConnectionID: "con_1", Kind: "project", ID: "p"}, Stream: "projects", State: store.ItemScanned})
	s.equal("of projects", "projects", must[string](s)(store.StreamOf(s.Context(), s.Read(), "con_1", "project")))
	s.equal("of nothing", "", must[string](s)(store.StreamOf(s.Context(), s.Read(), "con_1", "session")))
}

func places(s *suite) {
	ctx := s.Context()
	key := store.ItemKey{ConnectionID: "con_1", Kind: "file", ID: "f1"}
	first := store.Place{ResourceKind: "chat", ResourceID: "c2", ResourceName: "Plan", ResourceURL: "https://example.com/c2", ActorKey: "act_1", At: stored}
	second := store.Place{ResourceKind: "chat", ResourceID: "c1", At: stored.Add(time.Hour)}
	renamed := first
	renamed.ResourceName, renamed.ActorKey, renamed.At = "Plan B", "act_2", stored.Add(2*time.Hour)
	for _, p := range []store.Place{first, second, first, renamed} {
		s.write(func(ctx context.Context, tx *store.Tx) error { return store.AddPlace(ctx, tx, key, p) })
	}
	// A resource may be renamed; who placed the item there, and when, stays.
	first.ResourceName = "Plan B"
	s.equal("Places", []store.Place{first, second}, must[[]store.Place](s)(store.Places(ctx, s.Read(), key)))
	key.ID = "f2"
	s.equal("the places of another item", 0, len(must[[]store.Place](s)(store.Places(ctx, s.Read(), key))))
}

func (s *suite) activity(a store.Activity) (fresh bool) {
	s.Helper()
	s.write(func(ctx context.Context, tx *store.Tx) error {
		known, err := store.HasActivity(ctx, tx, a.ConnectionID, a.ID)
		if err != nil {
			return err
		}
		fresh = !known
		return store.PutActivity(ctx, tx, a)
	})
	return fresh
}

func activityOnce(s *suite) {
	a := store.Activity{ConnectionID: "con_1", ID: "a1", Type: "chat_created", At: stored, Fields: "{}"}
	for i, want := range []bool{true, false} {
		s.equal(fmt.Sprintf("put %d is new", i+1), want, s.activity(a))
		a.Type = "chat_deleted" // Changes nothing: the feed's rows never change.
	}
	s.equal("the second type", int64(0), must[int64](s)(store.CountActivities(s.Context(), s.Read(), "con_1", "chat_deleted", "", "", time.Time{}, stored)))
	a.ConnectionID = "con_2"
	s.equal("the same id at another connection is new", true, s.activity(a))
	count := must[int64](s)(store.CountActivities(s.Context(), s.Read(), "con_1", "*", "", "", time.Time{}, stored))
	s.equal("stored", int64(1), count)
}

func activityCounts(s *suite) {
	for i, a := range []store.Activity{
		{Type: "file_deleted", ActorKey: "act_1", ResourceID: "r1"},
		{Type: "file_deleted", ActorKey: "act_1", ResourceID: "r2"},
		{Type: "file_viewed", ActorKey: "act_2", ResourceID: "r1"},
		{Type: "chat_deleted", ActorKey: "act_1", ResourceID: "r1"},
		{Type: "File_deleted", ActorKey: "act_1", ResourceID: "r1"},
	} {
		a.ConnectionID, a.ID, a.At, a.Fields = "con_1", fmt.Sprint(i), stored.Add(time.Duration(i)*time.Minute), "{}"
		s.activity(a)
	}
	end := stored.Add(time.Hour)
	for _, tc := range []struct {
		name             string
		glob, actor, res string
		from, to         time.Time
		want             int64
	}{
		{"all", "*", "", "", time.Time{}, end, 5},
		{"one type", "file_deleted", "", "", time.Time{}, end, 2},
		{"a star", "file_*", "", "", time.Time{}, end, 3},
		{"a star in front", "*_deleted", "", "", time.Time{}, end, 4},
		{"a question mark", "?ile_deleted", "", "", time.Time{}, end, 3},
		{"a class", "[Ff]ile_deleted", "", "", time.Time{}, end, 3},
		{"a percent sign is no wildcard", "file%", "", "", time.Time{}, end, 0},
		{"one actor", "*_deleted", "act_1", "", time.Time{}, end, 4},
		{"another actor", "*_deleted", "act_2", "", time.Time{}, end, 0},
		{"one resource", "file_*", "", "r1", time.Time{}, end, 2},
		{"the start is outside", "*", "", "", stored, end, 4},
		{"the end is inside", "*", "", "", stored, stored.Add(time.Minute), 1},
	} {
		got, err := store.CountActivities(s.Context(), s.Read(), "con_1", tc.glob, tc.actor, tc.res, tc.from, tc.to)
		if err != nil || got != tc.want {
			s.Errorf("%s: %d, %v, want %d", tc.name, got, err, tc.want)
		}
	}
	if _, err := store.CountActivities(s.Context(), s.Read(), "con_1", "[", "", "", time.Time{}, end); err == nil {
		s.Error("a glob that cannot be read counts nothing in silence")
	}
}

func activitiesLater(s *suite) {
	for i, a := range []store.Activity{
		{Type: "shared", ResourceKind: "chat", ResourceID: "r1"},
		{Type: "revoked", ResourceKind: "chat", ResourceID: "r1"},
		{Type: "revoked", ResourceKind: "project", ResourceID: "r1"},
		{Type: "revoked", ResourceKind: "chat", ResourceID: "r2"},
		{Type: "deleted", ResourceKind: "chat", ResourceID: "r1"},
		{Type: "viewed", ResourceKind: "chat", ResourceID: "r1"},
	} {
		a.ConnectionID, a.ID, a.At, a.Fields = "con_1", fmt.Sprint(i), stored.Add(time.Duration(i)*time.Minute), `{"a":"b"}`
		s.activity(a)
	}
	later := func(types []string, after time.Time, limit int) (ids string) {
		for _, a := range must[[]store.Activity](s)(store.LaterActivities(s.Context(), s.Read(), "con_1", "chat", "r1", types, after, limit)) {
			ids += a.ID
			if a.Fields != `{"a":"b"}` || a.ResourceID != "r1" || a.At.IsZero() {
				s.Errorf("activity %+v", a)
			}
		}
		return ids
	}
	types := []string{"revoked", "deleted", "shared"}
	s.equal("of the types, the newest first", "410", later(types, time.Time{}, 10))
	s.equal("the time itself is outside", "4", later(types, stored.Add(time.Minute), 10))
	s.equal("no more than asked for", "4", later(types, time.Time{}, 1))
	s.equal("of no type", "", later(nil, time.Time{}, 10))
}

func activityPurge(s *suite) {
	for i := range 5 {
		s.activity(store.Activity{ConnectionID: "con_1", ID: fmt.Sprint(i), Type: "x", At: stored.Add(time.Duration(i) * time.Hour), Fields: "{}"})
	}
	purge := func() (n int64) {
		s.write(func(ctx context.Context, tx *store.Tx) (err error) {
			n, err = store.PurgeActivities(ctx, tx, stored.Add(3*time.Hour), 2)
			return err
		})
		return n
	}
	s.equal("purged in three rounds", []int64{2, 1, 0}, []int64{purge(), purge(), purge()})
	s.equal("left", int64(2), must[int64](s)(store.CountActivities(s.Context(), s.Read(), "con_1", "*", "", "", time.Time{}, stored.Add(time.Hour*9))))
}

func coverageCounts(s *suite) {
	at := stored.Add(30 * time.Hour)
	for _, c := range []store.Count{
		{Stream: "chats", Unit: "message", Outcome: store.OutcomeScanned, At: stored, N: 2}, {Stream: "chats", Unit: "message", Outcome: store.OutcomeScanned, At: at, N: 3},
		{Stream: "chats", Unit: "chat", Outcome: store.OutcomeSkipped, Reason: store.ReasonDeleted, N: 1}, {Stream: "activities", Outcome: store.OutcomeScanned, At: stored, N: 1},
		{Stream: "activities", Outcome: store.OutcomeScanned, At: stored.Add(time.Second), N: 1},
	} {
		s.write(func(ctx context.Context, tx *store.Tx) error { return store.AddCounts(ctx, tx, "con_1", c) })
	}
	s.equal("Counts", []store.Count{
		{Stream: "activities", Outcome: store.OutcomeScanned, N: 2}, {Stream: "chats", Unit: "chat", Outcome: store.OutcomeSkipped, Reason: store.ReasonDeleted, N: 1},
		{Stream: "chats", Unit: "message", Outcome: store.OutcomeScanned, N: 5},
	}, must[[]store.Count](s)(store.Counts(s.Context(), s.Read(), "con_1")))
	s.equal("of another connection", 0, len(must[[]store.Count](s)(store.Counts(s.Context(), s.Read(), "con_2"))))
	day := at.Truncate(24 * time.Hour)
	s.equal("DayCounts", []store.Count{{Stream: "chats", Unit: "message", Outcome: store.OutcomeScanned, At: day, N: 3}},
		must[[]store.Count](s)(store.DayCounts(s.Context(), s.Read(), "con_1", at, at)))
}

func hour(n int) time.Time { return stored.Add(time.Duration(n) * time.Hour) }

func (s *suite) extend(from, to int) {
	s.Helper()
	s.write(func(ctx context.Context, tx *store.Tx) error {
		return store.ExtendInterval(ctx, tx, "con_1", "chats", hour(from), hour(to))
	})
}

// windows returns the intervals of a state as hours.
func (s *suite) windows(state string) (out [][2]int) {
	s.Helper()
	for _, i := range must[[]store.Interval](s)(store.Intervals(s.Context(), s.Read(), "con_1", state)) {
		out = append(out, [2]int{int(i.From.Sub(stored).Hours()), int(i.To.Sub(stored).Hours())})
	}
	return out
}

func intervals(s *suite) {
	ctx := s.Context()
	gap := store.Interval{Stream: "chats", From: hour(0), To: hour(1), State: store.IntervalGap, Reason: "OB-2017"}
	other := store.Interval{Stream: "activities", From: hour(0), To: hour(1), State: store.IntervalGap}
	for _, i := range []store.Interval{gap, other} {
		s.write(func(ctx context.Context, tx *store.Tx) error { return store.PutInterval(ctx, tx, "con_1", i) })
	}
	s.equal("gaps", []store.Interval{other, gap}, must[[]store.Interval](s)(store.Intervals(ctx, s.Read(), "con_1", store.IntervalGap)))
	gap.State, gap.Reason = store.IntervalRead, ""
	s.write(func(ctx context.Context, tx *store.Tx) error { return store.PutInterval(ctx, tx, "con_1", gap) })
	s.equal("gaps after one was read", []store.Interval{other}, must[[]store.Interval](s)(store.Intervals(ctx, s.Read(), "con_1", store.IntervalGap)))
	s.equal("read", []store.Interval{gap}, must[[]store.Interval](s)(store.Intervals(ctx, s.Read(), "con_1", store.IntervalRead)))
}

func intervalsJoin(s *suite) {
	for _, step := range []struct {
		name     string
		from, to int
		want     [][2]int
	}{
		{"the first", 10, 12, [][2]int{{10, 12}}},
		{"one that is empty changes nothing", 20, 20, [][2]int{{10, 12}}},
		{"one that goes on", 12, 13, [][2]int{{10, 13}}},
		{"one that overlaps", 11, 14, [][2]int{{10, 14}}},
		{"one inside", 11, 12, [][2]int{{10, 14}}},
		{"the same again", 10, 14, [][2]int{{10, 14}}},
		{"one apart, before", 2, 4, [][2]int{{2, 4}, {10, 14}}},
		{"one that ends where another begins", 8, 10, [][2]int{{2, 4}, {8, 14}}},
		{"one that begins with another and is longer", 2, 5, [][2]int{{2, 5}, {8, 14}}},
		{"one that begins with another and is shorter", 8, 9, [][2]int{{2, 5}, {8, 14}}},
		{"one that closes the hole", 4, 9, [][2]int{{2, 14}}},
	} {
		s.extend(step.from, step.to)
		s.equal(step.name, step.want, s.windows(store.IntervalRead))
	}

	// A gap is never joined, and what is read around it is not joined across it.
	s.write(func(ctx context.Context, tx *store.Tx) error {
		return store.PutInterval(ctx, tx, "con_1", store.Interval{Stream: "chats", From: hour(14), To: hour(16), State: store.IntervalGap})
	})
	s.extend(16, 18)
	s.equal("read around a gap", [][2]int{{2, 14}, {16, 18}}, s.windows(store.IntervalRead))
	s.equal("the gap", [][2]int{{14, 16}}, s.windows(store.IntervalGap))
}

// holes returns the holes of a window as hours.
func (s *suite) holes(from, to int) (out [][2]int) {
	s.Helper()
	for _, i := range must[[]store.Interval](s)(store.Holes(s.Context(), s.Read(), "con_1", "chats", hour(from), hour(to))) {
		out = append(out, [2]int{int(i.From.Sub(stored).Hours()), int(i.To.Sub(stored).Hours())})
	}
	return out
}

func holes(s *suite) {
	s.equal("nothing was read", [][2]int{{0, 10}}, s.holes(0, 10))
	s.equal("of nothing", [][2]int(nil), s.holes(4, 4))
	s.extend(2, 4)
	s.extend(6, 8)
	s.write(func(ctx context.Context, tx *store.Tx) error {
		return store.PutInterval(ctx, tx, "con_1", store.Interval{Stream: "chats", From: hour(5), To: hour(6), State: store.IntervalGap})
	})
	for _, tc := range []struct {
		from, to int
		want     [][2]int
	}{
		{0, 10, [][2]int{{0, 2}, {4, 6}, {8, 10}}}, {3, 7, [][2]int{{4, 6}}}, {2, 4, nil}, {4, 6, [][2]int{{4, 6}}}, {7, 9, [][2]int{{8, 9}}}, {20, 21, [][2]int{{20, 21}}},
	} {
		s.equal(fmt.Sprint("from ", tc.from, " to ", tc.to), tc.want, s.holes(tc.from, tc.to))
	}
}

func gapsClose(s *suite) {
	for _, w := range [][2]int{{0, 4}, {3, 6}, {9, 12}} {
		s.write(func(ctx context.Context, tx *store.Tx) error {
			return store.PutInterval(ctx, tx, "con_1", store.Interval{Stream: "chats", From: hour(w[0]), To: hour(w[1]), State: store.IntervalGap})
		})
	}
	shut := func() {
		s.write(func(ctx context.Context, tx *store.Tx) error { return store.CloseGaps(ctx, tx, "con_1", "chats") })
	}
	s.extend(2, 5)
	shut()
	s.equal("none is covered whole", [][2]int{{0, 4}, {3, 6}, {9, 12}}, s.windows(store.IntervalGap))
	s.extend(0, 2)
	shut()
	s.equal("one is, by two windows that touch", [][2]int{{3, 6}, {9, 12}}, s.windows(store.IntervalGap))
	s.extend(5, 20)
	shut()
	s.equal("all are", 0, len(s.windows(store.IntervalGap)))
}

func backfillPaused(s *suite) {
	c := s.create(claude())
	pause := func(to bool) {
		s.write(func(ctx context.Context, tx *store.Tx) error { return store.SetBackfillPaused(ctx, tx, c.ID, to) })
	}
	pause(true)
	s.equal("paused", true, must[store.Connection](s)(store.GetConnection(s.Context(), s.Read(), c.ID)).BackfillPaused)
	pause(false)
	s.equal("goes on", false, must[store.Connection](s)(store.GetConnection(s.Context(), s.Read(), c.ID)).BackfillPaused)
}
