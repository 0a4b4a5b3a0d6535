package deliver

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/outband/outband/findings"
	"github.com/outband/outband/internal/store"
)

func TestEveryThirdCallFails(t *testing.T) {
	w := newWorld(t, "")
	n := 0
	w.answer = func(_ received, rw http.ResponseWriter) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if n++; n%3 == 0 {
			rw.WriteHeader(http.StatusInternalServerError)
		}
	}
	for i := range 10 {
		w.find(fmt.Sprint("c", i), 1, 2, 3, 4)
	}
	w.settle(time.Hour)
	w.inOrder(10, 40)
	if diff := cmp.Diff(map[string]int{Delivered: 40}, w.states()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAPoisonedEventHoldsNobody(t *testing.T) {
	for _, status := range []int{http.StatusBadRequest, http.StatusInternalServerError, http.StatusTooManyRequests, http.StatusUnauthorized} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			w := newWorld(t, "")
			w.answer = func(c received, rw http.ResponseWriter) {
				if c.finding == "c0" && c.sequence == 1 {
					rw.Header().Set("Retry-After", "3600")
					rw.WriteHeader(status)
				}
			}
			for i := range 10 {
				w.find(fmt.Sprint("c", i), 1, 2)
			}
			w.step()
			want := map[string]int{Delivered: 18, Queued: 2} // its own finding waits
			if status == http.StatusBadRequest {
				want = map[string]int{Delivered: 19, Parked: 1} // and goes on behind a parked one
			}
			if diff := cmp.Diff(want, w.states()); diff != "" {
				t.Errorf("after one step (-want +got):\n%s", diff)
			}
			w.find("c99", 1)
			w.step()
			if w.states()[Delivered] != want[Delivered]+1 {
				t.Error("a new event waits")
			}
			w.advance(parkAfter)
			w.settle(time.Hour)
			if diff := cmp.Diff(map[string]int{Delivered: 20, Parked: 1}, w.states()); diff != "" {
				t.Errorf("in the end (-want +got):\n%s", diff)
			}
			// Replayed, it comes under the same id.
			w.answer = func(received, http.ResponseWriter) {}
			w.write(func(tx *store.Tx) error {
				n, err := Replay(context.Background(), tx, w.dst.ID, Selection{Parked: true})
				if n != 1 {
					t.Errorf("replayed %d", n)
				}
				return err
			})
			w.settle(time.Hour)
			if id := testKeys.EventID(testKeys.FindingID("con_a", findings.Ref{Kind: "chat", ID: "c0"}, "p"), 1, 1); w.calls[len(w.calls)-1].id != id || w.states()[Parked] != 0 {
				t.Errorf("replayed as %+v", w.calls[len(w.calls)-1])
			}
		})
	}
}

func TestBackoffAndParking(t *testing.T) {
	w := newWorld(t, "")
	w.answer = func(_ received, rw http.ResponseWriter) { rw.WriteHeader(http.StatusServiceUnavailable) }
	w.find("c1", 1)
	began := w.clock()
	var waits []time.Duration
	for range 11 {
		p := w.step()
		waits = append(waits, p.NextAt.Sub(w.clock()))
		w.advance(p.NextAt.Sub(w.clock()))
	}
	// The random part is always one half here.
	if diff := cmp.Diff([]time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 32 * time.Second, 64 * time.Second, 128 * time.Second, 150 * time.Second, 150 * time.Second}, waits); diff != "" {
		t.Errorf("waits (-want +got):\n%s", diff)
	}
	w.advance(parkAfter - time.Second - w.clock().Sub(began))
	if p := w.step(); p.Failed != 1 || p.Parked != 0 {
		t.Errorf("a second before its time: %+v", p)
	}
	w.advance(maxWait)
	if p := w.step(); p.Parked != 1 || !p.NextAt.IsZero() {
		t.Errorf("after its time: %+v", p)
	}
	page, err := Deliveries(context.Background(), w.db.Read(), w.dst.ID, Parked, 0, "")
	if err != nil || len(page.Items) != 1 || page.Items[0].Reason != "the receiver answered 503; given up after 72 h" || page.Items[0].Status != 503 {
		t.Errorf("got %+v, %v", page, err)
	}
}

func TestRetryAfterIsHonoured(t *testing.T) {
	now := time.Date(2026, 11, 21, 18, 0, 0, 0, time.UTC)
	for header, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "-3": 0, "99999999": time.Hour, "soon": 0,
		now.Add(30 * time.Second).Format(http.TimeFormat): 30 * time.Second, now.Add(-time.Minute).Format(http.TimeFormat): 0, now.Add(48 * time.Hour).Format(http.TimeFormat): time.Hour,
	} {
		if got := retryAfter(header, now); got != want {
			t.Errorf("%q: %s, want %s", header, got, want)
		}
	}
	w := newWorld(t, "")
	w.answer = func(c received, rw http.ResponseWriter) {
		if c.attempt == 1 {
			rw.Header().Set("Retry-After", "90")
			rw.WriteHeader(http.StatusTooManyRequests)
		}
	}
	w.find("c1", 1)
	if p := w.step(); p.NextAt.Sub(w.clock()) != 90*time.Second || p.Failed != 1 {
		t.Errorf("got %+v", p)
	}
	w.advance(89 * time.Second)
	if p := w.step(); p.Delivered != 0 {
		t.Error("tried too early")
	}
	w.advance(time.Second)
	if p := w.step(); p.Delivered != 1 || !p.NextAt.IsZero() {
		t.Errorf("got %+v", p)
	}
}

// TestADownReceiver: few calls while it is down, everything afterwards, and the state says so.
func TestADownReceiver(t *testing.T) {
	w := newWorld(t, "")
	down := true
	w.answer = func(_ received, rw http.ResponseWriter) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if down {
			rw.WriteHeader(http.StatusBadGateway)
		}
	}
	for i := range 60 {
		w.find(fmt.Sprint("c", i), 1)
	}
	w.settle(time.Minute)
	x, err := Get(context.Background(), w.db.Read(), w.dst.ID)
	if err != nil || x.State != StateFailing || x.StateMessage != "Nothing gets through: the receiver answered 502." {
		t.Errorf("got %+v, %v", x, err)
	}
	if n := len(w.calls); n < 8 || n > 30 {
		t.Errorf("%d calls in a minute", n)
	}
	w.mu.Lock()
	down = false
	w.mu.Unlock()
	w.settle(time.Hour)
	if diff := cmp.Diff(map[string]int{Delivered: 60}, w.states()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if x, err := Get(context.Background(), w.db.Read(), w.dst.ID); err != nil || x.State != StateActive || x.StateMessage != "" {
		t.Errorf("got %+v, %v", x, err)
	}
}

func TestGoneDisables(t *testing.T) {
	w := newWorld(t, "")
	gone := true
	w.answer = func(_ received, rw http.ResponseWriter) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if gone {
			rw.WriteHeader(http.StatusGone)
		}
	}
	w.find("c1", 1, 2)
	if p := w.step(); p.State != StateDisabled {
		t.Errorf("got %+v", p)
	}
	if p := w.step(); p.State != StateDisabled || len(w.calls) != 1 {
		t.Errorf("%d calls, %+v", len(w.calls), p)
	}
	gone = false
	active := StateActive
	w.write(func(tx *store.Tx) error {
		_, err := destinations().Update(context.Background(), tx, w.dst.ID, Patch{State: &active})
		return err
	})
	w.step()
	w.inOrder(1, 2)
}

// TestKilledBetweenSendAndRecord: the receiver has the event, the sender never learns it.
func TestKilledBetweenSendAndRecord(t *testing.T) {
	w := newWorld(t, "")
	ctx, kill := context.WithCancel(context.Background())
	w.find("c1", 1)
	block := make(chan struct{})
	w.answer = func(c received, _ http.ResponseWriter) {
		if c.attempt == 1 {
			kill()
			<-block // No answer before the sender is gone.
		}
	}
	if _, err := w.d.Step(ctx, w.dst.ID, time.Hour); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	close(block)
	if diff := cmp.Diff(map[string]int{Queued: 1}, w.states()); diff != "" {
		t.Errorf("after the kill (-want +got):\n%s", diff)
	}
	again := w.deliverer(w.d.deps.HTTP) // a new process
	if p, err := again.Step(context.Background(), w.dst.ID, time.Hour); err != nil || p.Delivered != 1 {
		t.Errorf("%+v, %v", p, err)
	}
	if len(w.calls) != 2 || w.calls[0].id != w.calls[1].id {
		t.Errorf("got %+v", w.calls)
	}
}

func TestFilterAndReplaySince(t *testing.T) {
	w := newWorld(t, "status:open actor:dana.ruiz@corp.example")
	w.find("c1", 1, 2)
	w.write(func(tx *store.Tx) error {
		_, err := findings.SetStatus(context.Background(), tx, findings.Change{FindingID: testKeys.FindingID("con_a", findings.Ref{Kind: "chat", ID: "c1"}, "p"), Status: findings.StatusResolved})
		return err
	})
	w.step()
	w.inOrder(1, 2)
	replay := func(sel Selection, want int64, wantErr error) {
		t.Helper()
		err := w.db.Write(context.Background(), func(tx *store.Tx) error {
			n, err := Replay(context.Background(), tx, w.dst.ID, sel)
			if n != want {
				t.Errorf("%+v: %d", sel, n)
			}
			return err
		})
		if !errors.Is(err, wantErr) {
			t.Errorf("%+v: %v", sel, err)
		}
	}
	zero := int64(0)
	replay(Selection{SinceSeq: &zero}, 3, nil)
	w.step()
	replay(Selection{EventIDs: []string{w.calls[0].id, "evt_x"}}, 1, nil)
	w.step()
	replay(Selection{}, 0, ErrSelection)
	replay(Selection{Parked: true, SinceSeq: &zero}, 0, ErrSelection)
	got := map[string]int{}
	for _, c := range w.calls {
		got[c.id]++
	}
	if counts := slices.Sorted(maps.Values(got)); !slices.Equal(counts, []int{2, 3}) {
		t.Errorf("the two events came %v times", counts)
	}
}

func TestBudgetEnds(t *testing.T) {
	w := newWorld(t, "")
	w.find("c1", 1)
	if p, err := w.d.Step(context.Background(), w.dst.ID, 0); err != nil || !p.More || p.Delivered != 0 {
		t.Errorf("%+v, %v", p, err)
	}
	if p := w.step(); p.More || p.Delivered != 1 {
		t.Errorf("%+v", p)
	}
	if _, err := w.d.Step(context.Background(), "dst_x", time.Hour); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
}

func TestDeliveriesPage(t *testing.T) {
	w := newWorld(t, "")
	for i := range 7 {
		w.find(fmt.Sprint("c", i), 1)
	}
	w.step()
	var seqs []int64
	for after := ""; ; {
		page, err := Deliveries(context.Background(), w.db.Read(), w.dst.ID, Delivered, 3, after)
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range page.Items {
			seqs = append(seqs, x.Seq)
			if x.Tries != 1 || x.Status != 200 || x.DeliveredAt == 0 || x.NextTryAt != 0 || !strings.HasPrefix(x.EventID, "evt_") {
				t.Errorf("got %+v", x)
			}
		}
		if after = page.NextCursor; after == "" {
			break
		}
	}
	if !slices.Equal(seqs, []int64{7, 6, 5, 4, 3, 2, 1}) {
		t.Errorf("got %v", seqs)
	}
}

func TestDepths(t *testing.T) {
	w := newWorld(t, "")
	depth := func(want Depth) {
		t.Helper()
		want.DestinationID = w.dst.ID
		got, err := Depths(t.Context(), w.db.Read())
		if diff := cmp.Diff([]Depth{want}, got); err != nil || diff != "" {
			t.Errorf("Depths: %v (-want +got):\n%s", err, diff)
		}
	}
	depth(Depth{})
	w.find("c0", 1)
	w.find("c1", 1)
	depth(Depth{Behind: 2}) // In the log, and not looked at yet.
	w.answer = func(c received, rw http.ResponseWriter) {
		if c.finding == "c0" {
			rw.WriteHeader(http.StatusBadRequest)
			return
		}
		rw.WriteHeader(http.StatusServiceUnavailable)
	}
	w.step()
	depth(Depth{Queued: 1, Parked: 1})
	w.answer = func(received, http.ResponseWriter) {}
	w.settle(time.Hour)
	depth(Depth{Parked: 1})
}
