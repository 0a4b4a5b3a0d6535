package workflows

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"testing"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.uber.org/goleak"

	"github.com/outband/outband/connectors"
	"github.com/outband/outband/internal/store"
)

var liveChats = SliceRef{"chats", store.LaneLive, liveSlice}

// asActivity runs f within an activity, which has a run, an id and an attempt.
func asActivity(t *testing.T, f func(ctx context.Context) error) error {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(quiet{slog.New(slog.DiscardHandler)})
	env := suite.NewTestActivityEnvironment()
	env.SetTestTimeout(time.Minute)
	env.RegisterActivity(f)
	_, err := env.ExecuteActivity(f)
	return err
}

func (b *bench) steal(name string) {
	b.t.Helper()
	check(b.t, b.DB.Write(b.t.Context(), func(tx *store.Tx) error {
		if err := store.DropLeases(b.t.Context(), tx, name); err != nil {
			return err
		}
		return store.AcquireLease(b.t.Context(), tx, name, store.LeaseOwner{Work: "another"}, leaseTime)
	}))
}

func TestWhoeverLostALeaseStoresNothing(t *testing.T) {
	for _, at := range []string{"before the items", "within an item"} {
		b := newBench(t)
		for i := range 3 {
			b.app.chat(fmt.Sprintf("chat_%d", i), testDay.Add(time.Duration(i)*time.Second), leaking)
		}
		name := sliceLease(b.connection.ID, liveChats)
		var once sync.Once
		b.app.onRead = func(string, connectors.Slice) error {
			if at == "before the items" {
				once.Do(func() { b.steal(name) })
			}
			return nil
		}
		b.app.onFetch = func(connectors.Item) error {
			once.Do(func() { b.steal(name) })
			return nil
		}
		_, err := b.ScanPage(t.Context(), PageInput{b.connection.ID, b.scan.ID, liveChats})
		var app *temporal.ApplicationError
		if !errors.As(err, &app) || app.Type() != typeLease || app.NonRetryable() {
			t.Fatalf("%s: %v", at, err)
		}
		cp, err := store.GetCheckpoint(t.Context(), b.DB.Read(), store.CheckpointKey{ConnectionID: b.connection.ID, Stream: "chats", Lane: "live", Slice: "live"})
		if err == nil && cp.Pages != 0 {
			t.Errorf("%s: the checkpoint moved", at)
		}
		// Items that were stored before the loss are the only ones; here none was.
		if n := b.count(`SELECT COUNT(*) FROM items`) + b.count(`SELECT COUNT(*) FROM findings`) + b.count(`SELECT COUNT(*) FROM coverage_units`); n != 0 {
			t.Errorf("%s: %d rows were stored after the lease was lost", at, n)
		}
		// Its new holder goes on; another that asks is told when to ask again.
		_, err = b.ScanPage(t.Context(), PageInput{b.connection.ID, b.scan.ID, liveChats})
		if !errors.As(err, &app) || app.Type() != typeLease || app.NextRetryDelay() < leaseTime || app.NextRetryDelay() > leaseTime+time.Second {
			t.Errorf("%s: while it is held: %v", at, err)
		}
		b.now = b.now.Add(leaseTime)
		check(t, b.live("chats"))
		if n := b.count(`SELECT COUNT(*) FROM findings`); n != 3 {
			t.Errorf("%s: %d findings after all, want 3", at, n)
		}
	}
}

func TestAnItemHasALeaseOfItsOwn(t *testing.T) {
	b := newBench(t)
	b.app.chat("chat_1", testDay, harmless)
	b.app.file("chat_1", "large", append(make([]byte, deferBytes), leaking...))
	check(t, b.live("chats"))
	due, err := b.DueItems(t.Context(), PageInput{ConnectionID: b.connection.ID})
	check(t, err)
	if len(due) != 1 {
		t.Fatalf("due %v", due)
	}
	b.steal(itemLease(b.connection.ID, due[0]))
	var app *temporal.ApplicationError
	if err := b.ScanFile(t.Context(), ItemInput{b.connection.ID, b.scan.ID, due[0]}); !errors.As(err, &app) || app.Type() != typeLease || b.app.fetches["large"] != 0 {
		t.Errorf("while another has it: %v, %d fetches", err, b.app.fetches["large"])
	}
	b.now = b.now.Add(leaseTime)
	check(t, b.ScanFile(t.Context(), ItemInput{b.connection.ID, b.scan.ID, due[0]}))
}

func TestALeaseIsGivenBackWithItsPage(t *testing.T) {
	b := newBench(t)
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	b.app.chat("chat_1", testDay, leaking)
	check(t, b.live("chats"))
	b.app.onRead = func(string, connectors.Slice) error { return io.ErrUnexpectedEOF }
	if err := b.live("chats"); err == nil {
		t.Fatal("no error")
	}
	if n := b.count(`SELECT COUNT(*) FROM leases`); n != 0 {
		t.Errorf("%d leases are left", n)
	}
}

func TestALaterAttemptOfAnActivityTakesItsLeaseAtOnce(t *testing.T) {
	b := newBench(t)
	b.app.chat("chat_1", testDay, leaking)
	err := asActivity(t, func(ctx context.Context) error {
		owner := leaseOwner(ctx)
		owner.Attempt-- // The attempt whose process was killed.
		name := sliceLease(b.connection.ID, liveChats)
		if err := b.DB.Write(ctx, func(tx *store.Tx) error { return store.AcquireLease(ctx, tx, name, owner, leaseTime) }); err != nil {
			return err
		}
		if _, err := b.ScanPage(ctx, PageInput{b.connection.ID, b.scan.ID, liveChats}); err != nil {
			return err
		}
		return b.DB.Write(ctx, func(tx *store.Tx) error {
			if err := store.CheckLease(ctx, tx, name, owner); !errors.Is(err, store.ErrLeaseLost) {
				return fmt.Errorf("the first attempt still has its lease: %w", err)
			}
			return nil
		})
	})
	check(t, err)
}

func TestRemovingAConnectionStopsAPageThatRuns(t *testing.T) {
	b := newBench(t)
	b.app.chat("chat_1", testDay, leaking)
	b.app.onFetch = func(connectors.Item) error {
		check(t, b.DB.Write(t.Context(), func(tx *store.Tx) error {
			if err := store.DeleteConnection(t.Context(), tx, b.connection.ID); err != nil {
				return err
			}
			return store.DropLeases(t.Context(), tx, store.LeasePrefix(b.connection.ID))
		}))
		return nil
	}
	if err := b.live("chats"); err == nil {
		t.Error("a page of a removed connection went on")
	}
	if n := b.count(`SELECT COUNT(*) FROM items`); n != 0 {
		t.Errorf("%d items of a removed connection were stored", n)
	}
}

func TestALostLeaseEndsTheWork(t *testing.T) {
	b := newBench(t)
	ctx, l, err := b.hold(t.Context(), "x")
	check(t, err)
	defer l.end(ctx)
	b.steal("x")
	if err := l.write(ctx, func(*store.Tx) error { t.Error("a transaction ran without the lease"); return nil }); !errors.Is(err, store.ErrLeaseLost) {
		t.Errorf("write: %v", err)
	}
	lost, cancel := context.WithCancelCause(t.Context())
	cancel(store.ErrLeaseLost)
	if f := failureOf(lostOr(lost, context.Canceled)); f.Code != "OB-3009" {
		t.Errorf("work that ended with its lease: %+v", f)
	}
}
