package workflows

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/outband/outband/connectors"
	"github.com/outband/outband/internal/store"
)

// ticking lets the clock of the store move with each look at it.
func (b *bench) ticking() {
	var ticks atomic.Int64
	start := b.now
	b.DB.SetClock(func() time.Time { return start.Add(time.Duration(ticks.Add(1)) * time.Millisecond) })
}

// unsure adds a file whose row has no digest.
func (a *app) unsure(chat, id string, content []byte) {
	a.file(chat, id, content)
	a.mu.Lock()
	defer a.mu.Unlock()
	files := a.files[chat]
	files[len(files)-1].Unsure = true
}

func TestAFileWithoutADigestIsFetchedWheneverItIsListed(t *testing.T) {
	b := newBench(t)
	b.ticking()
	large := []byte(strings.Repeat("harmless text\n", deferBytes/10) + leaking)
	chats := 0
	list := func(content string) {
		t.Helper()
		chats++
		chat := fmt.Sprintf("chat_%d", chats)
		b.app.chat(chat, testDay.Add(time.Duration(chats)*time.Minute), harmless)
		b.app.unsure(chat, "unsure", []byte(content))
		b.app.unsure(chat, "large", large)
		b.app.file(chat, "sure", []byte(leaking))
		check(t, b.live("chats"))
		b.waiting()
	}
	files := func() map[string]int64 {
		out := b.units()
		delete(out, "chat scanned")
		delete(out, "message scanned")
		delete(out, "chat overlap")
		return out
	}
	want := map[string]int64{"file scanned": 3}
	other := strings.Replace(leaking, card, "5500 0000 0000 0004", 1)
	if other == leaking || len(other) != len(leaking) {
		t.Fatalf("the text does not hold the number: %q", leaking)
	}
	for i, content := range []string{leaking, leaking, other} {
		list(content)
		if diff := cmp.Diff(map[string]int{"unsure": i + 1, "large": i + 1, "sure": 1}, map[string]int{"unsure": b.app.fetches["unsure"], "large": b.app.fetches["large"], "sure": b.app.fetches["sure"]}); diff != "" {
			t.Errorf("scan %d: fetches (-want +got):\n%s", i+1, diff)
		}
		if diff := cmp.Diff(want, files()); diff != "" {
			t.Errorf("scan %d: coverage (-want +got):\n%s", i+1, diff)
		}
	}
	if n := b.count(`SELECT COUNT(*) FROM instances WHERE resource_id = 'unsure' AND masked LIKE '%0004'`); n == 0 {
		t.Errorf("a file that changed within its size has no new instance: %v", b.found(t))
	}
	// Other bytes of the same size that cannot be read: the file is counted in place of what it was.
	list("PK\x03\x04" + strings.Repeat("\x00", len(leaking)-4))
	if got := files(); got["file scanned"] != 2 || len(got) != 2 {
		t.Errorf("coverage of a file that cannot be read any more: %v", got)
	}
	list(leaking)
	if diff := cmp.Diff(want, files()); diff != "" {
		t.Errorf("coverage of a file that can be read again (-want +got):\n%s", diff)
	}
	// What is gone is asked for once more, and stays counted as scanned; then never again.
	b.app.onFetch = func(i connectors.Item) error {
		if i.ID == "unsure" {
			return &connectors.Error{Kind: connectors.KindGone, Status: 404}
		}
		return nil
	}
	before := b.app.fetches["unsure"]
	list(leaking)
	list(leaking)
	if n := b.app.fetches["unsure"] - before; n != 1 {
		t.Errorf("a file that is gone was asked for %d times", n)
	}
	if diff := cmp.Diff(want, files()); diff != "" {
		t.Errorf("coverage of a file that is gone (-want +got):\n%s", diff)
	}
}

// TestAPageThatWasCutGoesOnPastFilesWithoutADigest lets the second file of a chat fail for reasons of the connection: the first is not fetched twice, or a
// chat of many slow files would never end.
func TestAPageThatWasCutGoesOnPastFilesWithoutADigest(t *testing.T) {
	b := newBench(t)
	b.ticking()
	cut := true
	b.app.onFetch = func(i connectors.Item) error {
		if i.ID == "second" && cut {
			return &connectors.Error{Kind: connectors.KindTransient}
		}
		return nil
	}
	b.app.chat("chat_1", testDay, harmless)
	b.app.unsure("chat_1", "first", []byte(leaking))
	b.app.unsure("chat_1", "second", []byte(leaking))
	for range 2 {
		if err := b.live("chats"); err == nil {
			t.Fatal("the page was not cut")
		}
	}
	cut = false
	check(t, b.live("chats"))
	if b.app.fetches["first"] != 1 || b.app.fetches["second"] != 3 {
		t.Errorf("fetches %v, want the first file once", b.app.fetches)
	}
	if diff := cmp.Diff(map[string]int64{"chat scanned": 1, "message scanned": 1, "file scanned": 2}, b.units()); diff != "" {
		t.Errorf("coverage (-want +got):\n%s", diff)
	}
	// A chat that is read once more because an activity changed it lists its files anew.
	check(t, b.DB.Write(t.Context(), func(tx *store.Tx) error {
		old, err := store.GetItem(t.Context(), tx, store.ItemKey{ConnectionID: b.connection.ID, Kind: connectors.KindChat, ID: "chat_1"})
		if err != nil {
			return err
		}
		old.State, old.Reason = store.ItemDeferred, reasonTouched
		return store.PutItem(t.Context(), tx, old)
	}))
	b.waiting()
	if b.app.fetches["first"] != 2 || b.app.fetches["second"] != 4 {
		t.Errorf("fetches %v, want each file once more", b.app.fetches)
	}
	if diff := cmp.Diff(map[string]int64{"chat scanned": 1, "message scanned": 1, "file scanned": 2}, b.units()); diff != "" {
		t.Errorf("coverage after another reading (-want +got):\n%s", diff)
	}
}
