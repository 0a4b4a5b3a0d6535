package storetest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/outband/outband/internal/store"
)

// snapshot reads a whole snapshot of users: their ids with their fields. Scopes are missing, and a record's scope is what stands before the slash of
// its id. It returns the ids that ended.
func (s *suite) snapshot(missing []string, gone bool, users map[string]string) (ended []string) {
	s.Helper()
	s.now = s.now.Add(time.Hour)
	s.write(func(ctx context.Context, tx *store.Tx) error {
		run, err := store.BeginSnapshot(ctx, tx, "con_1", "users", "rules")
		if err != nil {
			return err
		}
		for id, fields := range users {
			if err := s.see(ctx, tx, run.BeganAt, id, fields); err != nil {
				return err
			}
		}
		for range 2 { // Ending it again changes nothing.
			list, err := store.EndSnapshot(ctx, tx, run, missing, gone)
			if err != nil {
				return err
			}
			for _, r := range list {
				ended = append(ended, r.ID)
			}
		}
		return nil
	})
	return ended
}

func (s *suite) see(ctx context.Context, tx *store.Tx, began time.Time, id, fields string) error {
	scope, _, _ := strings.Cut(id, "/")
	have, err := store.RecordsByID(ctx, tx, "con_1", "user", []string{id, "no one"})
	if err != nil {
		return err
	}
	old, ok := have[id]
	if ok && old.Digest == fields {
		return store.SeeRecords(ctx, tx, "con_1", "user", []string{id}, began)
	}
	r := store.Record{ConnectionID: "con_1", Kind: "user", ID: id, Stream: "users", Scope: scope, Fields: fields, Digest: fields, About: "{}", ActorKey: "act_" + id, SeenAt: began, At: stored}
	if !ok {
		_, err = store.PutRecord(ctx, tx, nil, r)
		return err
	}
	_, err = store.PutRecord(ctx, tx, &old, r)
	return err
}

func (s *suite) standing(field, value string) int64 {
	s.Helper()
	return must[int64](s)(store.CountStanding(s.Context(), s.Read(), "con_1", "user", field, value))
}

const (
	member = `{"role":"member","seats":2,"sso":false,"list":["a"],"none":null}`
	owner  = `{"role":"owner","seats":2,"sso":false}`
)

func recordVersions(s *suite) {
	ctx := s.Context()
	s.snapshot(nil, true, map[string]string{"a/1": member, "a/2": owner})
	first := s.now.UTC().Truncate(time.Microsecond)
	s.snapshot(nil, true, map[string]string{"a/1": member, "a/2": owner})
	s.snapshot(nil, true, map[string]string{"a/1": owner, "a/2": owner})
	changed := s.now.UTC().Truncate(time.Microsecond)

	history := must[[]store.Record](s)(store.RecordHistory(ctx, s.Read(), "con_1", "user", "a/1", time.Time{}, 10))
	seen := history[0].SeenAt
	s.equal("history", []store.Record{
		{ConnectionID: "con_1", Kind: "user", ID: "a/1", From: changed, Stream: "users", Scope: "a", ActorKey: "act_a/1", About: "{}", Fields: owner, Digest: owner, At: stored, SeenAt: seen, Before: member},
		{ConnectionID: "con_1", Kind: "user", ID: "a/1", From: first, To: changed, Stream: "users", Scope: "a", ActorKey: "act_a/1", About: "{}", Fields: member, Digest: member, At: stored, SeenAt: history[1].SeenAt},
	}, history)
	if !seen.Equal(changed) || !history[1].SeenAt.After(first) {
		s.Errorf("seen at %v and %v", seen, history[1].SeenAt)
	}
	s.equal("history before a time", 1, len(must[[]store.Record](s)(store.RecordHistory(ctx, s.Read(), "con_1", "user", "a/1", changed, 10))))

	roles := func(q store.RecordQuery) (out []string) {
		q.ConnectionID, q.Limit = "con_1", 10
		for _, r := range must[[]store.Record](s)(store.Records(ctx, s.Read(), q)) {
			out = append(out, r.ID+" "+r.Fields[9:14])
		}
		return out
	}
	s.equal("before the first", []string(nil), roles(store.RecordQuery{At: first.Add(-time.Microsecond)}))
	s.equal("as of the first", []string{"a/1 membe", "a/2 owner"}, roles(store.RecordQuery{At: first}))
	s.equal("as of just before the change", []string{"a/1 membe"}, roles(store.RecordQuery{Kind: "user", ID: "a/1", At: changed.Add(-time.Microsecond)}))
	s.equal("as of the change", []string{"a/1 owner"}, roles(store.RecordQuery{Kind: "user", ID: "a/1", At: changed}))
	s.equal("now", []string{"a/1 owner", "a/2 owner"}, roles(store.RecordQuery{Stream: "users"}))
	s.equal("the second page", []string{"a/2 owner"}, roles(store.RecordQuery{AfterKind: "user", AfterID: "a/1"}))
	s.equal("of another kind", []string(nil), roles(store.RecordQuery{Kind: "role"}))

	s.equal("all that stand", int64(2), s.standing("", ""))
	s.equal("owners", int64(2), s.standing("role", "owner"))
	s.equal("members", int64(0), s.standing("role", "member"))
	s.equal("by a number", int64(2), s.standing("seats", "2"))
	s.equal("by a truth", int64(2), s.standing("sso", "false"))
	s.equal("by a list", int64(0), s.standing("list", "a"))
	s.equal("by the id", int64(1), s.standing("id", "a/1"))
	s.equal("by an id that cannot be", int64(0), s.standing("id", "a/1\x00"))
	s.equal("by a value that cannot be", int64(0), s.standing("role", "own\x00er\xff"))
	s.equal("streams", []string{"users"}, must[[]string](s)(store.RecordStreams(ctx, s.Read(), "con_1", "user")))
}

func recordsEnd(s *suite) {
	all := map[string]string{"a/1": member, "b/1": member, "b/2": owner}
	without := map[string]string{"a/1": member, "b/2": owner}
	state := func() store.Snapshot {
		return must[store.Snapshot](s)(store.GetSnapshot(s.Context(), s.Read(), "con_1", "users"))
	}
	s.snapshot(nil, true, all)
	whole := state().WholeAt
	s.equal("one snapshot without it", []string(nil), s.snapshot(nil, true, without))
	s.equal("one with it again", []string(nil), s.snapshot(nil, true, all))
	s.equal("one without it", []string(nil), s.snapshot(nil, true, without))
	s.equal("one in which its scope is missing", []string(nil), s.snapshot([]string{"b"}, true, map[string]string{"a/1": member}))
	if got := state(); got.State != store.SnapshotPartial || !slices.Equal(got.Missing, []string{"b"}) || !got.WholeAt.After(whole) || got.WholeAt.After(got.BeganAt) || got.Records != 3 {
		s.Errorf("a partial snapshot: %+v", got)
	}
	s.equal("one in which every scope is missing", []string(nil), s.snapshot([]string{"a", "b"}, true, nil))
	if got := state(); got.State != store.SnapshotUnavailable || got.Records != 3 || got.WholeAt.After(got.BeganAt) {
		s.Errorf("a snapshot of nothing: %+v", got)
	}
	s.equal("what is not listed is not known to be gone", []string(nil), s.snapshot(nil, false, without))
	s.equal("one that is read to its end, at last", []string{"b/1"}, s.snapshot(nil, true, without))
	if got := state(); got.State != store.SnapshotWhole || got.Missing != nil || got.Records != 2 || got.Reading() {
		s.Errorf("a whole snapshot: %+v", got)
	}
	s.equal("members", int64(1), s.standing("role", "member"))
	s.equal("nobody ends twice", []string(nil), s.snapshot(nil, true, without))

	// It comes back: it appeared, and did not change.
	s.snapshot(nil, true, all)
	history := must[[]store.Record](s)(store.RecordHistory(s.Context(), s.Read(), "con_1", "user", "b/1", time.Time{}, 10))
	if len(history) != 2 || history[0].Before != "" || !history[0].To.IsZero() || !history[1].To.Before(history[0].From) {
		s.Errorf("a record that came back: %+v", history)
	}

	s.write(func(ctx context.Context, tx *store.Tx) error {
		return store.SnapshotNotAvailable(ctx, tx, "con_1", "users")
	})
	if got := state(); got.State != store.SnapshotUnavailable || got.Records != 3 || got.Reading() {
		s.Errorf("not available: %+v", got)
	}
	s.write(func(ctx context.Context, tx *store.Tx) error {
		return store.SnapshotNotAvailable(ctx, tx, "con_1", "settings")
	})
	list := must[[]store.Snapshot](s)(store.Snapshots(s.Context(), s.Read(), ""))
	s.equal("snapshots", []string{"settings unavailable", "users unavailable"}, []string{list[0].Stream + " " + list[0].State, list[1].Stream + " " + list[1].State})
	_, err := store.GetSnapshot(s.Context(), s.Read(), "con_1", "roles")
	s.notFound("a stream that was never read", err)
}

// recordsClock lets several snapshots begin and end while the clock stands still, and one after it was put back.
func recordsClock(s *suite) {
	for i, fields := range []string{member, owner, member} {
		s.now = start.Add(-time.Duration(i/2) * time.Minute).Add(-time.Hour)
		s.snapshot(nil, true, map[string]string{"a/1": fields})
	}
	history := must[[]store.Record](s)(store.RecordHistory(s.Context(), s.Read(), "con_1", "user", "a/1", time.Time{}, 10))
	if len(history) != 3 || history[0].Before != owner || history[1].Before != member || history[2].Before != "" {
		s.Errorf("versions: %+v", history)
	}
	s.now = start.Add(-time.Hour)
	s.snapshot(nil, true, nil)
	s.now = start.Add(-2 * time.Hour)
	s.equal("ended", []string{"a/1"}, s.snapshot(nil, true, nil))
}

func recordChanges(s *suite) {
	ctx := s.Context()
	s.snapshot(nil, true, map[string]string{"a/1": member, "a/2": owner})
	first := s.now
	s.snapshot(nil, true, map[string]string{"a/1": owner, "a/2": owner})
	s.snapshot(nil, true, map[string]string{"a/1": owner})
	s.snapshot(nil, true, map[string]string{"a/1": owner})
	all := []string{"ended a/2 owner", "changed a/1 membe owner", "appeared a/1 membe", "appeared a/2 owner"}
	text := func(list []store.RecordChange) (out []string) {
		for _, c := range list {
			line := c.Type + " " + c.ID + " "
			if c.Before != "" {
				line += c.Before[9:14] + " "
			}
			out = append(out, line+c.Fields[9:14])
			if want := map[bool]time.Time{true: c.Record.To, false: c.Record.From}[c.Type == store.RecordEnded]; !c.At.Equal(want) {
				s.Errorf("%s: at %v, want %v", line, c.At, want)
			}
		}
		return out
	}
	ask := func(q store.ChangeQuery) []store.RecordChange {
		s.Helper()
		q.ConnectionID = "con_1"
		return must[[]store.RecordChange](s)(store.RecordChanges(ctx, s.Read(), q))
	}
	s.equal("changes", all, text(ask(store.ChangeQuery{Limit: 10})))
	s.equal("after a time", all[:2], text(ask(store.ChangeQuery{From: first.Add(time.Minute), Limit: 10})))
	s.equal("before a time", all[2:], text(ask(store.ChangeQuery{To: first.Add(time.Minute), Limit: 10})))
	var paged []string
	q := store.ChangeQuery{Limit: 1}
	for page := ask(q); len(page) > 0; page = ask(q) {
		paged = append(paged, text(page)...)
		q.AfterAt, q.AfterKind, q.AfterID = page[0].At, page[0].Kind, page[0].ID
	}
	s.equal("one by one", all, paged)
}

func recordsMove(s *suite) {
	s.snapshot(nil, true, map[string]string{"a/1": member})
	s.write(func(ctx context.Context, tx *store.Tx) error {
		return store.MoveRecord(ctx, tx, store.Record{ConnectionID: "con_1", Kind: "user", ID: "a/1", Stream: "people", Scope: "b", About: `{"kind":"x"}`, ActorKey: "act_2", At: stored.Add(time.Hour)})
	})
	got := must[map[string]store.Record](s)(store.RecordsByID(s.Context(), s.Read(), "con_1", "user", []string{"a/1"}))["a/1"]
	if got.Stream != "people" || got.Scope != "b" || got.About != `{"kind":"x"}` || got.ActorKey != "act_2" || !got.At.Equal(stored.Add(time.Hour)) || got.Fields != member {
		s.Errorf("moved: %+v", got)
	}
}

// recordsMany asks for more than one statement takes, of records with more values than are kept.
func recordsMany(s *suite) {
	var wide strings.Builder
	wide.WriteString(`{"long":"` + strings.Repeat("é", 300) + `"`)
	for i := range 100 {
		fmt.Fprintf(&wide, `,"m%02d":%d.5`, i, i)
	}
	wide.WriteString("}")
	users, ids := map[string]string{}, []string{}
	for i := range store.MaxRecordIDs + 10 {
		ids = append(ids, fmt.Sprintf("a/%d", i))
		users[ids[i]] = member
	}
	users["a/0"] = wide.String()
	s.snapshot(nil, true, users)
	s.equal("found", len(ids), len(must[map[string]store.Record](s)(store.RecordsByID(s.Context(), s.Read(), "con_1", "user", ids))))
	s.equal("a long value", int64(1), s.standing("long", strings.Repeat("é", 300)))
	s.equal("the first fields", int64(1), s.standing("m62", "62.5"))
	s.equal("one beyond", int64(0), s.standing("m63", "63.5"))
	s.write(func(ctx context.Context, tx *store.Tx) error {
		return store.SeeRecords(ctx, tx, "con_1", "user", ids, s.now.Add(time.Hour))
	})
	s.equal("none missed", []string(nil), s.snapshot(nil, true, nil))
}

func postureRuns(s *suite) {
	for _, v := range []string{"1", "2"} {
		s.write(func(ctx context.Context, tx *store.Tx) error {
			return store.PutPostureRun(ctx, tx, "con_1", "users", "p", v)
		})
	}
	s.equal("judged", map[string]string{"p": "2"}, must[map[string]string](s)(store.PostureRuns(s.Context(), s.Read(), "con_1", "users")))
	s.equal("of another stream", map[string]string{}, must[map[string]string](s)(store.PostureRuns(s.Context(), s.Read(), "con_1", "roles")))
}
