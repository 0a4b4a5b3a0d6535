package deliver

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/outband/outband/internal/store"
	"github.com/outband/outband/internal/testserver"
)

// TestDeliveryOnPostgres goes through the queue once: failures, order within a finding, a parked event and its replay.
func TestDeliveryOnPostgres(t *testing.T) {
	w := newWorldIn(t, testserver.OpenPostgres(t), "severity:high")
	n, refuse := 0, true
	w.answer = func(c received, rw http.ResponseWriter) {
		w.mu.Lock()
		defer w.mu.Unlock()
		switch n++; {
		case refuse && c.finding == "c0" && c.sequence == 1:
			rw.WriteHeader(http.StatusBadRequest)
		case n%3 == 0:
			rw.WriteHeader(http.StatusInternalServerError)
		}
	}
	for i := range 5 {
		w.find(fmt.Sprint("c", i), 1, 2, 3)
	}
	w.settle(time.Hour)
	if diff := cmp.Diff(map[string]int{Delivered: 14, Parked: 1}, w.states()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	w.inOrder(5, 15)
	w.mu.Lock()
	refuse = false
	w.mu.Unlock()
	w.write(func(tx *store.Tx) error {
		n, err := Replay(t.Context(), tx, w.dst.ID, Selection{Parked: true})
		if n != 1 {
			t.Errorf("%d events replayed", n)
		}
		return err
	})
	w.settle(time.Hour)
	if diff := cmp.Diff(map[string]int{Delivered: 15}, w.states()); diff != "" {
		t.Errorf("after the replay (-want +got):\n%s", diff)
	}
}
