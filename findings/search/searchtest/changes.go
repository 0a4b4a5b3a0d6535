package searchtest

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/outband/outband/findings"
	"github.com/outband/outband/findings/filter"
	"github.com/outband/outband/findings/search"
	"github.com/outband/outband/internal/store"
)

// timelines counts by every interval in zones whose days are not those of UTC, over both changes of clocks. starts are written by hand.
func (w *world) timelines(t *testing.T) {
	o := oracle(w.rows(t))
	zone := func(name string) *time.Location {
		z, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		return z
	}
	berlin, kolkata := zone("Europe/Berlin"), zone("Asia/Kolkata")
	utc := func(month time.Month, day, hour, minute int) time.Time {
		return time.Date(2026, month, day, hour, minute, 0, 0, time.UTC)
	}
	every := func(at time.Time, step time.Duration, n int) (out []time.Time) {
		for i := range n {
			out = append(out, at.Add(time.Duration(i)*step))
		}
		return out
	}
	for _, tc := range []struct {
		name, interval string
		zone           *time.Location
		from, to       time.Time
		starts         []time.Time
	}{
		{"hours in UTC; the first begins before the range", "hour", time.UTC, utc(3, 28, 20, 30), utc(3, 29, 6, 15), every(utc(3, 28, 20, 0), time.Hour, 11)},
		{"hours in Berlin when one is skipped", "hour", berlin, utc(3, 28, 23, 0), utc(3, 29, 3, 0), every(utc(3, 28, 23, 0), time.Hour, 4)},
		{"hours in Berlin when one comes twice", "hour", berlin, utc(10, 24, 23, 10), utc(10, 25, 3, 0), every(utc(10, 24, 23, 0), time.Hour, 4)},
		{"hours in Kolkata begin at the half", "hour", kolkata, utc(3, 28, 20, 0), utc(3, 29, 0, 0), every(utc(3, 28, 19, 30), time.Hour, 5)},
		{"days in UTC", "day", time.UTC, utc(3, 28, 12, 0), utc(3, 30, 0, 0), every(utc(3, 28, 0, 0), 24*time.Hour, 2)},
		{"a day of 23 hours in Berlin", "day", berlin, utc(3, 28, 12, 0), utc(3, 30, 12, 0), []time.Time{utc(3, 27, 23, 0), utc(3, 28, 23, 0), utc(3, 29, 22, 0)}},
		{"a day of 25 hours in Berlin", "day", berlin, utc(10, 24, 12, 0), utc(10, 26, 12, 0), []time.Time{utc(10, 23, 22, 0), utc(10, 24, 22, 0), utc(10, 25, 23, 0)}},
		{"days in Kolkata", "day", kolkata, utc(10, 24, 12, 0), utc(10, 25, 20, 0), []time.Time{utc(10, 23, 18, 30), utc(10, 24, 18, 30), utc(10, 25, 18, 30)}},
		{"weeks begin on Monday", "week", time.UTC, utc(3, 25, 0, 0), utc(4, 7, 0, 0), every(utc(3, 23, 0, 0), 7*24*time.Hour, 3)},
		{"weeks in Berlin over the change", "week", berlin, utc(10, 20, 0, 0), utc(10, 28, 0, 0), []time.Time{utc(10, 18, 22, 0), utc(10, 25, 23, 0)}},
		{"months, most of them empty", "month", time.UTC, utc(3, 28, 21, 0), utc(12, 2, 0, 0), []time.Time{utc(3, 1, 0, 0), utc(4, 1, 0, 0), utc(5, 1, 0, 0), utc(6, 1, 0, 0), utc(7, 1, 0, 0),
			utc(8, 1, 0, 0), utc(9, 1, 0, 0), utc(10, 1, 0, 0), utc(11, 1, 0, 0), utc(12, 1, 0, 0)}},
		{"months in Berlin", "month", berlin, utc(10, 1, 0, 0), utc(12, 1, 0, 0), []time.Time{utc(9, 30, 22, 0), utc(10, 31, 23, 0), utc(11, 30, 23, 0)}},
		{"months in Kolkata", "month", kolkata, utc(11, 1, 0, 0), utc(12, 2, 0, 0), []time.Time{utc(10, 31, 18, 30), utc(11, 30, 18, 30)}},
		{"one microsecond", "day", time.UTC, utc(12, 1, 0, 0), utc(12, 1, 0, 0).Add(time.Microsecond), []time.Time{utc(12, 1, 0, 0)}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, f := range []filter.Filter{{}, {Severity: []string{"high", "low"}, Query: "secret"}, {Actor: []string{"user_kai"}, To: findings.TimeOf(tc.to.Add(-time.Microsecond))}} {
				got, err := w.Engine.Timeline(t.Context(), f, tc.from, tc.to, tc.interval, tc.zone.String())
				if f.To != 0 && tc.to.Sub(tc.from) == time.Microsecond {
					continue // The filter leaves nothing of the range.
				}
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(o.timeline(f, tc.from, tc.to, tc.starts), got.Items); diff != "" {
					t.Errorf("%+v (-oracle +engine):\n%s", f, diff)
				}
			}
		})
	}
}

// people counts by person; the limit cuts through a tie, which the key breaks.
func (w *world) people(t *testing.T) {
	o := oracle(w.rows(t))
	for name, f := range map[string]filter.Filter{
		"of all": {}, "of one severity": {Severity: []string{"critical"}}, "that tie": {PolicyID: []string{"alpha", "beta", "Beta", "gamma-1"}}, "of one person": {Actor: []string{"user_dana"}},
		"of none": {PolicyID: []string{"delta"}}, "by name": {Query: "robot"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, limit := range []int{1, 2, 3, 50} {
				got, err := w.Engine.People(t.Context(), f, limit)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(o.people(f, limit), got.Items); diff != "" {
					t.Errorf("the first %d (-oracle +engine):\n%s", limit, diff)
				}
			}
		})
	}
	t.Run("ten if no limit is given", func(t *testing.T) {
		got, err := w.Engine.People(t.Context(), filter.Filter{}, 0)
		if diff := cmp.Diff(o.people(filter.Filter{}, search.DefaultPeople), got.Items); diff != "" || err != nil {
			t.Errorf("%v (-oracle +engine):\n%s", err, diff)
		}
	})
}

var errFailed = errors.New("failed on purpose")

// changes moves findings between facets, orders and filters.
func (w *world) changes(t *testing.T) {
	check := func(t *testing.T) {
		t.Helper()
		w.Settle()
		o := oracle(w.rows(t))
		for _, f := range []filter.Filter{{}, {Status: []string{"resolved"}}, {Status: []string{"open"}, Severity: []string{"high"}}, {Query: "fresh"}, {Detector: []string{"secret.fresh"}}, {Source: []string{"deleted"}}} {
			w.agree(t, o, f)
		}
		for _, sort := range []string{"status", "-last_seen_at", "-instance_count", "-last_occurred_at"} {
			if diff := cmp.Diff(o.list(filter.Filter{}, sort), pages(t, w.Engine, search.Query{Sort: sort, Limit: 9})); diff != "" {
				t.Errorf("by %s (-oracle +engine):\n%s", sort, diff)
			}
		}
	}
	t.Run("a person decides", func(t *testing.T) {
		w.triage(t, "n01", "resolved")
		w.triage(t, "n06", "acknowledged")
		w.triage(t, "n07", "false_positive")
		check(t)
	})
	t.Run("several decisions between two looks", func(t *testing.T) {
		w.triage(t, "n06", "in_progress")
		w.triage(t, "n06", "resolved")
		w.triage(t, "n07", "open")
		check(t)
	})
	t.Run("a new instance opens again and changes much", func(t *testing.T) {
		w.add(t, w.now.Add(time.Hour), fact{id: "n01", severity: "high", kind: "content", policy: "beta", connection: "con_a", connector: "claude", resource: "file", title: "A fresh title", name: "fresh name",
			detectors: []string{"secret.fresh"}, actor: mona, occurred: w.now})
		check(t)
	})
	t.Run("the clock went back, and a transaction failed before", func(t *testing.T) {
		later := w.now
		late := fact{severity: "high", kind: "content", policy: "alpha", connection: "con_a", connector: "claude", resource: "chat", title: "From a slow clock", name: "slow fresh", actor: kai, occurred: base}
		err := w.DB.Write(t.Context(), func(tx *store.Tx) error {
			late.id = "n98"
			if _, err := findings.CommitItem(t.Context(), tx, w.Keys, late.commit()); err != nil {
				return err
			}
			return errFailed
		})
		if !errors.Is(err, errFailed) {
			t.Fatal(err)
		}
		late.id = "n99"
		w.add(t, base.Add(40*time.Minute), late)
		w.now = later
		check(t)
		o := oracle(w.rows(t))
		for _, f := range []filter.Filter{{From: findings.TimeOf(base.Add(35 * time.Minute)), To: findings.TimeOf(base.Add(45 * time.Minute))}, {From: findings.TimeOf(autumn)}, {To: findings.TimeOf(autumn), Query: "fresh"}} {
			w.agree(t, o, f)
		}
	})
	t.Run("the source is gone", func(t *testing.T) {
		w.write(t, func(tx *store.Tx) error {
			_, err := findings.MarkSource(t.Context(), tx, "con_t", findings.Ref{Kind: "chat", ID: "t-deploy"}, findings.SourceDeleted)
			return err
		})
		check(t)
	})
}

// manyValues makes more values of a facet, and more findings, than fit a page or a usual number of buckets.
func (w *world) manyValues(t *testing.T) {
	var facts []fact
	for i := range 320 {
		facts = append(facts, fact{id: fmt.Sprintf("many-%03d", i), severity: "info", kind: "posture", policy: fmt.Sprintf("many.%03d", i%310), connection: "con_m", connector: "claude", resource: "chat",
			title: "One of many", name: "many", detectors: []string{fmt.Sprint("d.", i)}, actor: findings.Actor{ID: fmt.Sprint("user_", i%160), Email: fmt.Sprint("u", i%160, "@corp.example")}, occurred: base})
	}
	w.add(t, w.now.Add(time.Hour), facts...)
	w.Settle()
	o := oracle(w.rows(t))
	w.agree(t, o, filter.Filter{ConnectionID: []string{"con_m"}})
	w.agree(t, o, filter.Filter{Query: "u15*"})
	w.agree(t, o, filter.Filter{PolicyID: []string{"many.001", "alpha"}})
	got, err := w.Engine.Facets(t.Context(), filter.Filter{ConnectionID: []string{"con_m"}})
	if err != nil || len(got.Fields["policy_id"]) != 310 || len(got.Fields["detector"]) != 320 {
		t.Errorf("%d policies, %d detectors, %v", len(got.Fields["policy_id"]), len(got.Fields["detector"]), err)
	}
	people, err := w.Engine.People(t.Context(), filter.Filter{ConnectionID: []string{"con_m"}}, 150)
	if diff := cmp.Diff(o.people(filter.Filter{ConnectionID: []string{"con_m"}}, 150), people.Items); diff != "" || err != nil {
		t.Errorf("people %v (-oracle +engine):\n%s", err, diff)
	}
}

// erased deletes a person: one row of the store, and nothing finds them any more.
func (w *world) erased(t *testing.T) {
	w.write(t, func(tx *store.Tx) error {
		_, err := tx.ExecContext(t.Context(), `DELETE FROM actors WHERE vendor_id = 'user_dana'`)
		return err
	})
	o := oracle(w.rows(t))
	for _, f := range []filter.Filter{{}, {Query: "ruiz"}, {Actor: []string{"user_dana"}}, {Query: "deploy"}} {
		w.agree(t, o, f)
	}
	if got := pages(t, w.Engine, search.Query{Filter: filter.Filter{Query: "ruiz"}}); len(got) != 0 {
		t.Errorf("an erased person is found: %d findings", len(got))
	}
	people, err := w.Engine.People(t.Context(), filter.Filter{}, search.MaxLimit)
	if err != nil || slices.ContainsFunc(people.Items, func(p search.PersonCount) bool { return p.Actor.ID == "user_dana" || p.Actor.ID == "" }) {
		t.Errorf("an erased person is counted: %v", err)
	}
}
