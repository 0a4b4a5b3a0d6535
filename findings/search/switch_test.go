package search

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/outband/outband/findings"
	"github.com/outband/outband/findings/filter"
	"github.com/outband/outband/internal/store"
)

// fakeIndex answers with what can be told from the store's answer, or fails.
type fakeIndex struct {
	err   error
	wait  bool // until whoever asks gives up
	calls atomic.Int64
}

var fromIndex = []Count{{"from the index", 1}}

func (f *fakeIndex) answer(ctx context.Context) error {
	f.calls.Add(1)
	if f.wait {
		<-ctx.Done()
		return ctx.Err()
	}
	return f.err
}

func (f *fakeIndex) List(ctx context.Context, q Query) (Page, error) {
	return Page{NextCursor: "index"}, f.answer(ctx)
}

func (f *fakeIndex) Facets(ctx context.Context, _ filter.Filter) (Facets, error) {
	return Facets{Fields: map[string][]Count{"kind": fromIndex}}, f.answer(ctx)
}

func (f *fakeIndex) Timeline(ctx context.Context, _ filter.Filter, _, _ time.Time, _, _ string) (Timeline, error) {
	return Timeline{Items: []Bucket{}}, f.answer(ctx)
}

func (f *fakeIndex) People(ctx context.Context, _ filter.Filter, _ int) (People, error) {
	return People{Items: []PersonCount{{Count: 99}}}, f.answer(ctx)
}

// switched is a store with a finding, and a switch whose clock is set by hand.
type switched struct {
	*Switch
	t    *testing.T
	db   *store.DB
	fake *fakeIndex
	at   time.Time
}

func newSwitched(t *testing.T) *switched {
	s := &switched{t: t, db: open(t), fake: &fakeIndex{}, at: start}
	s.Switch = NewSwitch(New(s.db, testKeys), s.fake)
	s.now = func() time.Time { return s.at }
	s.db.SetClock(func() time.Time { return s.at })
	add(t, s.db, base(1))
	s.place(1)
	return s
}

// place sets how far the index is.
func (s *switched) place(seq int64) {
	s.t.Helper()
	if err := s.db.Write(context.Background(), func(tx *store.Tx) error {
		_, err := tx.Exec(`INSERT INTO consumers (workspace_id, id, seq, updated_at) VALUES ($1, $2, $3, 0) ON CONFLICT (workspace_id, id) DO UPDATE SET seq = excluded.seq`, store.Workspace, Consumer, seq)
		return err
	}); err != nil {
		s.t.Fatal(err)
	}
}

// ask asks all four questions and returns who answered.
func (s *switched) ask() string {
	s.t.Helper()
	ctx := context.Background()
	page, err := s.List(ctx, Query{})
	facets, ferr := s.Facets(ctx, filter.Filter{})
	timeline, terr := s.Timeline(ctx, filter.Filter{}, start.Add(-time.Hour), start.Add(time.Hour), "day", "")
	people, perr := s.People(ctx, filter.Filter{}, 1)
	if err := errors.Join(err, ferr, terr, perr); err != nil {
		s.t.Fatal(err)
	}
	if d := page.Degraded; d != facets.Degraded || d != timeline.Degraded || d != people.Degraded {
		s.t.Error("the answers do not agree about who gave them")
	}
	index := []bool{page.NextCursor == "index", len(facets.Fields) == 1, len(timeline.Items) == 0, people.Items[0].Count == 99}
	switch {
	case index[0] && index[1] && index[2] && index[3] && !page.Degraded:
		return "index"
	case index[0] || index[1] || index[2] || index[3]:
		return "both"
	case page.Degraded:
		return "store, degraded"
	}
	return "store"
}

func (s *switched) want(who, when string) {
	s.t.Helper()
	if got := s.ask(); got != who {
		s.t.Errorf("%s: %s answered, want %s", when, got, who)
	}
}

func TestSwitchRestsAfterAFailureAndProbes(t *testing.T) {
	s := newSwitched(t)
	s.want("index", "at first")
	s.fake.err = errors.New("broken")
	s.want("store, degraded", "when it fails")
	if n := s.fake.calls.Load(); n != 5 {
		t.Errorf("it was asked %d times, want 4 and the one that failed", n)
	}
	s.at = s.at.Add(restAfter - 1)
	s.fake.err = nil
	s.want("store, degraded", "while it rests")
	s.at = s.at.Add(1)
	s.want("index", "after the rest")

	// A probe that fails begins another rest.
	s.fake.err = errors.New("broken")
	s.ask()
	s.at = s.at.Add(restAfter)
	before := s.fake.calls.Load()
	s.want("store, degraded", "when the probe fails")
	if n := s.fake.calls.Load() - before; n != 1 {
		t.Errorf("%d probes, want 1", n)
	}
}

func TestSwitchProbesOneAtATime(t *testing.T) {
	s := newSwitched(t)
	s.settle(false, false)
	s.at = s.at.Add(restAfter)
	ctx := context.Background()
	if !s.admit(ctx) || s.admit(ctx) {
		t.Error("the first question after a rest is the only one")
	}
	s.settle(true, false)
	for range 2 {
		if !s.admit(ctx) {
			t.Error("after a good probe all are asked of the index")
		}
	}
}

func TestSwitchDoesNotWaitLong(t *testing.T) {
	s := newSwitched(t)
	s.patience = time.Millisecond
	s.fake.wait = true
	s.want("store, degraded", "when it is slow")
	// Who gives up says nothing about the index.
	s = newSwitched(t)
	s.fake.wait = true
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(time.Millisecond, cancel)
	if _, err := s.List(ctx, Query{}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	s.fake.wait = false
	s.want("index", "after a question that was given up")
}

func TestSwitchMindsHowFarTheIndexIs(t *testing.T) {
	s := newSwitched(t)
	add(t, s.db, base(2))
	s.at = s.at.Add(MaxBehind)
	s.want("index", "when a change is not older than the limit")
	s.at = s.at.Add(behindEvery)
	s.want("store, degraded", "when a change is older")
	s.place(2)
	s.want("store, degraded", "before it is looked at again")
	s.at = s.at.Add(behindEvery)
	s.want("index", "when it has caught up")
	if err := s.db.Write(context.Background(), func(tx *store.Tx) error {
		_, err := tx.Exec(`DELETE FROM consumers`)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	s.at = s.at.Add(behindEvery)
	s.want("store, degraded", "when its place is not known")
}

func TestSwitchErrorsAreThoseOfTheQuestion(t *testing.T) {
	s := newSwitched(t)
	for _, err := range []error{filter.ErrFilter, ErrSort, ErrCursor, ErrRange} {
		s.fake.err = err
		if _, got := s.List(context.Background(), Query{}); !errors.Is(got, err) {
			t.Errorf("got %v, want %v", got, err)
		}
	}
	s.fake.err = ErrUnsuited
	s.want("store", "when the question is none for the index")
	s.fake.err = nil
	s.want("index", "after that")
}

func TestSwitchWithoutAnIndex(t *testing.T) {
	s := newSwitched(t)
	s.Switch = NewSwitch(s.embedded, nil)
	s.want("store", "without an index")
	ctx := context.Background()
	page, err := s.List(ctx, Query{})
	if err != nil || len(page.Items) != 1 {
		t.Fatal(page, err)
	}
	id := page.Items[0].ID
	x, err := s.Get(ctx, id)
	if err != nil || len(x.Instances) != 1 {
		t.Error(x, err)
	}
	if in, err := s.Instances(ctx, id, 1, ""); err != nil || len(in.Items) != 1 {
		t.Error(in, err)
	}
	if h, err := s.History(ctx, id, 1, ""); err != nil || len(h.Items) != 1 || h.Items[0].Type != findings.TypeCreated {
		t.Error(h, err)
	}
	if n, err := s.Export(ctx, discard{}, FormatCSV, filter.Filter{}); err != nil || n != 1 {
		t.Error(n, err)
	}
	if err := s.embedded.Load(ctx); err != nil {
		t.Error(err)
	}
}

type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }
