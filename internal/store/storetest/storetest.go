// Package storetest is what a store must do, whatever database is behind it: one call of Run for each. It uses the store's exported functions only.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/outband/outband/internal/store"
)

// Run runs the suite. open returns an empty store, which it closes when the test ends.
func Run(t *testing.T, open func(t *testing.T) *store.DB) {
	for _, tc := range []struct {
		name string
		run  func(*suite)
	}{
		{"a connection is stored as it is", connectionRoundTrip},
		{"an account is connected once", connectionConflict},
		{"an account connected again keeps its id", connectionRevived},
		{"the state of a connection", connectionState},
		{"deleting a connection removes its secrets and places", connectionDeleted},
		{"credentials", credentials},
		{"checkpoints", checkpoints},
		{"item states", items},
		{"due items", dueItems},
		{"the places of an item", places},
		{"what was deleted before it was scanned", deletedItems},
		{"the stream of a kind", streamOf},
		{"an activity is stored once", activityOnce},
		{"activities are counted", activityCounts},
		{"later activities on a resource", activitiesLater},
		{"activities are purged in batches", activityPurge},
		{"the coverage ledger adds up", coverageCounts},
		{"intervals", intervals},
		{"windows that touch are one interval", intervalsJoin},
		{"holes between intervals", holes},
		{"gaps close when they are covered", gapsClose},
		{"the history of a connection is paused", backfillPaused},
		{"a record keeps its versions", recordVersions},
		{"a record ends after two snapshots without it", recordsEnd},
		{"records while the clock stands still", recordsClock},
		{"the changes of records", recordChanges},
		{"what moves a record makes no version", recordsMove},
		{"many records", recordsMany},
		{"what posture policies have judged", postureRuns},
		{"requests for a scan share it", scanShared},
		{"which scan a workflow claims", scanClaim},
		{"progress and end of a scan", scanProgress},
		{"scans are listed in pages", scanPages},
		{"a queued scan has a place", scanPlaces},
		{"scans that read nothing are purged", scanPurge},
		{"a token is known by its hash", tokenHash},
		{"a token ends", tokenEnds},
		{"a user is known by the address", users},
		{"addresses in one form", emails},
		{"what changing a user ends", userChanges},
		{"an admin who can sign in stays", lastAdmin},
		{"a session is known by its hash and ends by the clock", sessions},
		{"what ends sessions and links", sessionsEnd},
		{"a link works once", links},
		{"values of the installation", meta},
		{"overrides", overrides},
		{"profiles", profiles},
		{"an override is dropped alone", overrideDropped},
		{"versions of a custom policy", policyVersions},
		{"a policy that changed meanwhile is not saved over", policyChanged},
		{"a policy is retired and comes back", policyRetired},
		{"an exception has an owner and an end", exceptions},
		{"what an exception suppresses counts once", exceptionUnits},
		{"what policies and detectors did, by hour", stats},
		{"a policy is paused once", pauses},
		{"custom detectors keep their versions", detectors},
		{"dictionaries", dictionaries},
		{"exact tables", exactTables},
		{"the audit log is a chain", auditChain},
		{"a change that cannot be audited is not made", auditTogether},
		{"a rate budget is granted a few seconds ahead", budgetGrants},
		{"calls that were not used go back", budgetSettled},
		{"a rate budget keeps several bounds", budgetBounds},
		{"runs of calls", callRuns},
		{"calls are seen once, and undecided until their key is known", callsSeen},
		{"the pace of a rate budget", budgetPace},
		{"a rate budget after the clock was put back", budgetClock},
		{"rate budgets are purged", budgetPurge},
		{"leases", leases},
		{"a transaction is stored whole or not at all", transactionWhole},
		{"a transaction that panics lets the next one in", transactionPanics},
		{"concurrent writers wait for each other", transactionsConcurrent},
		{"readers cannot write", readersCannotWrite},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel() // Each case has a store of its own, and most of its time is spent waiting for the disk.
			s := &suite{T: t, DB: open(t), now: start}
			s.SetClock(func() time.Time { return s.now })
			tc.run(s)
		})
	}
}

// start has a part below a microsecond, which a store cuts off.
var start = time.Date(2026, 3, 1, 9, 30, 0, 123456789, time.UTC)

// stored is start as it comes back.
var stored = start.Truncate(time.Microsecond)

type suite struct {
	*testing.T
	*store.DB
	now time.Time
}

// write runs f in a transaction that must succeed.
func (s *suite) write(f func(ctx context.Context, tx *store.Tx) error) {
	s.Helper()
	if err := s.DB.Write(s.Context(), func(tx *store.Tx) error { return f(s.Context(), tx) }); err != nil {
		s.Fatal(err)
	}
}

// refused runs f in a transaction that must end with want.
func (s *suite) refused(want error, f func(ctx context.Context, tx *store.Tx) error) {
	s.Helper()
	if err := s.DB.Write(s.Context(), func(tx *store.Tx) error { return f(s.Context(), tx) }); !errors.Is(err, want) {
		s.Errorf("got error %v, want %v", err, want)
	}
}

func (s *suite) equal(what string, want, got any) {
	s.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		s.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// must returns v, or ends the test.
func must[T any](s *suite) func(v T, err error) T {
	return func(v T, err error) T {
		s.Helper()
		if err != nil {
			s.Fatal(err)
		}
		return v
	}
}

func (s *suite) notFound(what string, err error) {
	s.Helper()
	if !errors.Is(err, store.ErrNotFound) {
		s.Errorf("%s: got error %v, want %v", what, err, store.ErrNotFound)
	}
}

func transactionWhole(s *suite) {
	fail := errors.New("changed its mind")
	s.refused(fail, func(ctx context.Context, tx *store.Tx) error {
		if err := store.SetMeta(ctx, tx, "color", "red"); err != nil {
			return err
		}
		if got, err := store.GetMeta(ctx, tx, "color"); err != nil || got != "red" {
			s.Errorf("inside: %q, %v", got, err)
		}
		return fail
	})
	_, err := store.GetMeta(s.Context(), s.Read(), "color")
	s.notFound("after the rollback", err)

	ctx, cancel := context.WithCancel(s.Context())
	err = s.DB.Write(ctx, func(tx *store.Tx) error {
		if err := store.SetMeta(ctx, tx, "color", "blue"); err != nil {
			return err
		}
		cancel()
		return nil
	})
	if err == nil {
		s.Error("a transaction whose context ended was committed")
	}
	_, err = store.GetMeta(s.Context(), s.Read(), "color")
	s.notFound("after the cancellation", err)

	s.write(func(_ context.Context, tx *store.Tx) error {
		s.equal("the time of a transaction", stored, tx.Now())
		return nil
	})
}

func transactionPanics(s *suite) {
	func() {
		defer func() {
			if recover() == nil {
				s.Error("the panic was swallowed")
			}
		}()
		// The call ends in the panic; there is no error to look at.
		_ = s.DB.Write(s.Context(), func(tx *store.Tx) error {
			if err := store.SetMeta(s.Context(), tx, "color", "red"); err != nil {
				return err
			}
			panic("a bug in a caller")
		})
	}()
	ctx, cancel := context.WithTimeout(s.Context(), 5*time.Second)
	defer cancel()
	if err := s.DB.Write(ctx, func(tx *store.Tx) error { return store.SetMeta(ctx, tx, "shape", "round") }); err != nil {
		s.Fatalf("the next transaction: %v", err)
	}
	_, err := store.GetMeta(s.Context(), s.Read(), "color")
	s.notFound("what the panicking transaction wrote", err)
}

// transactionsConcurrent makes each transaction read before it writes: transactions that take their lock only at the first write would fail.
func transactionsConcurrent(s *suite) {
	const writers, each = 8, 50
	errs := make(chan error, writers)
	for range writers {
		go func() {
			for range each {
				if err := s.DB.Write(s.Context(), func(tx *store.Tx) error { return Increment(s.Context(), tx, "n") }); err != nil {
					errs <- err
					return
				}
			}
			errs <- nil
		}()
	}
	for range writers {
		if err := <-errs; err != nil {
			s.Error(err)
		}
	}
	got := must[string](s)(store.GetMeta(s.Context(), s.Read(), "n"))
	s.equal("increments", "400", got)
}

func readersCannotWrite(s *suite) {
	rows, err := s.Read().QueryContext(s.Context(), `INSERT INTO meta (workspace_id, key, value) VALUES ($1, $2, $3) RETURNING key`, store.Workspace, "color", "red")
	if err == nil {
		for rows.Next() {
			s.Error("a reader wrote a row")
		}
		err = errors.Join(rows.Err(), rows.Close())
	}
	if err == nil {
		s.Error("a reader may write")
	}
	_, err = store.GetMeta(s.Context(), s.Read(), "color")
	s.notFound("what a reader wrote", err)
}

func meta(s *suite) {
	ctx := s.Context()
	_, err := store.GetMeta(ctx, s.Read(), "color")
	s.notFound("GetMeta", err)
	s.equal("the first epoch", int64(1), must[int64](s)(store.Epoch(ctx, s.Read())))
	for _, v := range []string{"red", "blue"} {
		s.write(func(ctx context.Context, tx *store.Tx) error { return store.SetMeta(ctx, tx, "color", v) })
		s.equal("GetMeta", v, must[string](s)(store.GetMeta(ctx, s.Read(), "color")))
	}
	s.write(func(ctx context.Context, tx *store.Tx) error { return store.SetMeta(ctx, tx, "epoch", "7") })
	s.equal("the epoch", int64(7), must[int64](s)(store.Epoch(ctx, s.Read())))
	s.write(func(ctx context.Context, tx *store.Tx) error { return store.SetMeta(ctx, tx, "epoch", "x") })
	if _, err := store.Epoch(ctx, s.Read()); err == nil {
		s.Error("an epoch that is no number was read")
	}
}

func overrides(s *suite) {
	want := []store.Override{{Kind: "detector", ID: "a", Mode: "off"}, {Kind: "policy", ID: "a", Severity: "low", Mode: "shadow"}}
	for _, o := range []store.Override{{Kind: "policy", ID: "a", Severity: "high"}, want[1], want[0]} {
		s.write(func(ctx context.Context, tx *store.Tx) error { return store.PutOverride(ctx, tx, o, "usr_1") })
	}
	got := must[[]store.Override](s)(store.Overrides(s.Context(), s.Read()))
	slices.SortFunc(got, func(a, b store.Override) int { return len(b.Kind) - len(a.Kind) })
	s.equal("overrides", want, got)
}

// Increment adds one to a number of the installation: it reads, then writes, in one transaction.
func Increment(ctx context.Context, tx *store.Tx, key string) error {
	n := 0
	switch text, err := store.GetMeta(ctx, tx, key); {
	case errors.Is(err, store.ErrNotFound):
	case err != nil:
		return err
	default:
		if n, err = strconv.Atoi(text); err != nil {
			return fmt.Errorf("%s is no number", key)
		}
	}
	return store.SetMeta(ctx, tx, key, strconv.Itoa(n+1))
}
