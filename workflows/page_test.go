package workflows

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.temporal.io/sdk/temporal"

	"github.com/outband/outband/connectors"
	"github.com/outband/outband/internal/store"
)

// A card number with a valid check digit, which no issuer has given out; and a text that holds it.
const (
	card     = "4111 1111 1111 1111"
	leaking  = "Please charge the card " + card + " for Dana."
	harmless = "The meeting is at ten."
)

func TestAScanStoresFindingsAndScanningAgainAppendsNothing(t *testing.T) {
	b := newBench(t)
	for i := range 8 {
		text := harmless
		if i%2 == 0 {
			text = leaking
		}
		b.app.chat(fmt.Sprintf("chat_%d", i), testDay.Add(time.Duration(i)*time.Second), harmless, text)
	}
	check(t, b.live("chats"))
	if got := b.count(`SELECT COUNT(*) FROM findings`); got != 4 {
		t.Errorf("%d findings, want 4", got)
	}
	if diff := cmp.Diff(map[string]int64{"chat scanned": 8, "message scanned": 16}, b.units()); diff != "" {
		t.Errorf("coverage (-want +got):\n%s", diff)
	}
	log := b.count(`SELECT COUNT(*) FROM finding_log`)
	// All of it once more, from the start.
	check(t, b.DB.Write(t.Context(), func(tx *store.Tx) error {
		_, err := tx.ExecContext(t.Context(), `DELETE FROM checkpoints`)
		return err
	}))
	check(t, b.live("chats"))
	if got := b.count(`SELECT COUNT(*) FROM finding_log`); got != log {
		t.Errorf("scanning again appended %d rows to the log", got-log)
	}
	for id, n := range b.app.fetches {
		if n != 1 {
			t.Errorf("%s was fetched %d times", id, n)
		}
	}
	// Read again under other rules, nothing is new either.
	check(t, b.DB.Write(t.Context(), func(tx *store.Tx) error {
		_, err := tx.ExecContext(t.Context(), `DELETE FROM checkpoints`)
		if err == nil {
			_, err = tx.ExecContext(t.Context(), `UPDATE items SET ruleset = 'other'`)
		}
		return err
	}))
	check(t, b.live("chats"))
	if got := b.count(`SELECT COUNT(*) FROM finding_log`); got != log || b.app.fetches["chat_0"] != 2 {
		t.Errorf("a second scan of the same content: %d log rows, want %d; fetched %d times", got, log, b.app.fetches["chat_0"])
	}
}

func TestAChangedChatIsReadAgain(t *testing.T) {
	b := newBench(t)
	b.app.chat("chat_1", testDay, harmless)
	check(t, b.live("chats"))
	b.app.chat("chat_1", testDay.Add(time.Minute), harmless, leaking)
	check(t, b.live("chats"))
	if got := b.count(`SELECT COUNT(*) FROM findings`); got != 1 {
		t.Errorf("%d findings after the change, want 1", got)
	}
}

func TestAFileInThreeChatsIsFetchedOnceAndReportedThrice(t *testing.T) {
	b := newBench(t)
	for i := range 3 {
		id := fmt.Sprintf("chat_%d", i)
		b.app.chat(id, testDay.Add(time.Duration(i)*time.Second), harmless)
		b.app.file(id, "file_1", []byte(leaking))
	}
	check(t, b.live("chats"))
	if n := b.app.fetches["file_1"]; n != 1 {
		t.Errorf("fetched %d times", n)
	}
	if got := b.count(`SELECT COUNT(DISTINCT resource_id) FROM findings`); got != 3 {
		t.Errorf("reported in %d chats, want 3", got)
	}
	if diff := cmp.Diff(map[string]int64{"chat scanned": 3, "message scanned": 3, "file scanned": 1}, b.units()); diff != "" {
		t.Errorf("coverage (-want +got):\n%s", diff)
	}
}

func TestFilesThatAreNotScannedAreCountedWithAReason(t *testing.T) {
	b := newBench(t)
	b.app.chat("chat_1", testDay, harmless)
	b.app.file("chat_1", "picture", []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"))
	b.app.file("chat_1", "empty", nil)
	b.app.file("chat_1", "large", append(bytes.Repeat([]byte("harmless text\n"), deferBytes/10), leaking...))
	b.app.file("chat_1", "gone", []byte("x"))
	b.app.onFetch = func(i connectors.Item) error {
		if i.ID == "gone" {
			return &connectors.Error{Kind: connectors.KindGone, Status: 404}
		}
		return nil
	}
	check(t, b.live("chats"))
	if n := b.app.fetches["large"]; n != 0 {
		t.Errorf("the large file was fetched %d times within its page", n)
	}
	b.waiting()
	want := map[string]int64{"chat scanned": 1, "message scanned": 1, "file scanned": 2, "file skipped malformed": 1, "file skipped deleted_before_scan": 1}
	if diff := cmp.Diff(want, b.units()); diff != "" {
		t.Errorf("coverage (-want +got):\n%s", diff)
	}
	if got := b.count(`SELECT COUNT(*) FROM findings`); got != 1 {
		t.Errorf("%d findings, want the one of the large file", got)
	}
}

func TestABadItemIsQuarantinedAndThePageGoesOn(t *testing.T) {
	b := newBench(t)
	for i := range 4 {
		b.app.chat(fmt.Sprintf("chat_%d", i), testDay.Add(time.Duration(i)*time.Second), leaking)
	}
	bad := true
	b.app.onFetch = func(i connectors.Item) error {
		if i.ID == "chat_1" && bad {
			return &connectors.Error{Kind: connectors.KindMalformed, Code: "OB-2099", Status: 200}
		}
		return nil
	}
	check(t, b.live("chats"))
	if got := b.count(`SELECT COUNT(*) FROM findings`); got != 3 {
		t.Errorf("%d findings beside the bad item, want 3", got)
	}
	if got := b.count(`SELECT COUNT(*) FROM items WHERE state = 'quarantined' AND reason = 'OB-2099'`); got != 1 {
		t.Errorf("%d items quarantined", got)
	}
	b.waiting() // Not due yet.
	if n := b.app.fetches["chat_1"]; n != 1 {
		t.Errorf("tried again at once: %d fetches", n)
	}
	b.now, bad = b.now.Add(time.Hour), false
	b.waiting()
	if got := b.count(`SELECT COUNT(*) FROM findings f JOIN actors a ON a.key = f.actor_key WHERE a.email = 'dana@fake.example'`); got != 4 {
		t.Errorf("%d findings after the item came right, want 4, each with its actor", got)
	}
}

func TestAnItemThatStaysBadFailsAfterThreeDays(t *testing.T) {
	b := newBench(t)
	b.app.chat("chat_1", testDay, leaking)
	b.app.onFetch = func(connectors.Item) error { return &connectors.Error{Kind: connectors.KindTransient, Status: 500} }
	check(t, b.live("chats"))
	for range 40 {
		b.now = b.now.Add(6 * time.Hour)
		b.waiting()
	}
	if diff := cmp.Diff(map[string]int64{"chat failed OB-3001": 1}, b.units()); diff != "" {
		t.Errorf("coverage (-want +got):\n%s", diff)
	}
	if n := b.app.fetches["chat_1"]; n < 5 || n > 20 {
		t.Errorf("tried %d times in 72 hours", n)
	}
}

func TestWhatConcernsTheWholeConnectionIsReturned(t *testing.T) {
	for _, tc := range []struct {
		err   connectors.Error
		final bool
		delay time.Duration
	}{
		{connectors.Error{Kind: connectors.KindAuth, Code: "OB-2001", Status: 401, Message: "The key is refused."}, true, 0},
		{connectors.Error{Kind: connectors.KindForbidden, Status: 403}, true, 0},
		{connectors.Error{Kind: connectors.KindRateLimited, Status: 429, RetryAfter: 40 * time.Second}, false, 40 * time.Second},
		{connectors.Error{Kind: connectors.KindTransient}, false, 0},
	} {
		b := newBench(t)
		b.app.chat("chat_1", testDay, leaking)
		b.app.onFetch = func(connectors.Item) error { return &tc.err }
		err := b.live("chats")
		var app *temporal.ApplicationError
		if !errors.As(err, &app) {
			t.Fatalf("%s: got %v", tc.err.Kind, err)
		}
		if app.Type() != string(tc.err.Kind) || app.NonRetryable() != tc.final || app.NextRetryDelay() < tc.delay || app.NextRetryDelay() > tc.delay*2 {
			t.Errorf("%s: type %s, final %v, delay %v", tc.err.Kind, app.Type(), app.NonRetryable(), app.NextRetryDelay())
		}
		if got := b.count(`SELECT COUNT(*) FROM items`); got != 0 {
			t.Errorf("%s: an item was given a state", tc.err.Kind)
		}
		if f := failureOf(err); f.Code != tc.err.Code || f.Kind != string(tc.err.Kind) {
			t.Errorf("%s: failure %+v", tc.err.Kind, f)
		}
	}
}

func TestTheCheckpointDoesNotMoveBeforeItsItems(t *testing.T) {
	b := newBench(t)
	for i := range 5 {
		b.app.chat(fmt.Sprintf("chat_%d", i), testDay.Add(time.Duration(i)*time.Second), leaking)
	}
	b.app.onFetch = func(i connectors.Item) error {
		if i.ID == "chat_4" {
			return &connectors.Error{Kind: connectors.KindRateLimited, Status: 429}
		}
		return nil
	}
	if err := b.live("chats"); err == nil {
		t.Fatal("no error")
	}
	cp, err := store.GetCheckpoint(t.Context(), b.DB.Read(), store.CheckpointKey{ConnectionID: b.connection.ID, Stream: "chats", Lane: "live", Slice: "live"})
	check(t, err)
	if cp.Pages != 1 {
		t.Errorf("the checkpoint moved %d pages, want 1", cp.Pages)
	}
	b.app.onFetch = nil
	check(t, b.live("chats"))
	if got := b.count(`SELECT COUNT(*) FROM findings`); got != 5 || b.app.fetches["chat_3"] != 1 {
		t.Errorf("%d findings, want 5; an item of the page was fetched %d times, want 1", got, b.app.fetches["chat_3"])
	}
}

func TestADeletedChat(t *testing.T) {
	b := newBench(t)
	b.app.chat("chat_1", testDay, leaking)
	b.app.chat("chat_2", testDay.Add(time.Second), leaking)
	b.app.chats[1].Deleted = true
	check(t, b.live("chats"))
	if diff := cmp.Diff(map[string]int64{"chat scanned": 1, "message scanned": 1, "chat skipped deleted_before_scan": 1}, b.units()); diff != "" {
		t.Errorf("coverage (-want +got):\n%s", diff)
	}
	b.app.chat("chat_1", testDay.Add(time.Minute))
	b.app.chats[len(b.app.chats)-1].Deleted = true
	check(t, b.live("chats"))
	if got := b.count(`SELECT COUNT(*) FROM findings WHERE source = 'deleted' AND status = 'open'`); got != 1 {
		t.Errorf("%d findings say that their chat is deleted, want 1", got)
	}
}

func activityItem(id string, at time.Time, typ string, fields map[string]string) connectors.Item {
	return connectors.Item{
		Kind: connectors.KindActivity, ID: id, Version: "1", At: at, Activity: &connectors.Activity{Type: typ, Fields: fields},
		Resource: connectors.Resource{Kind: "project", ID: "proj_1"}, Actor: connectors.Actor{ID: "user_2", Type: "user", Email: "lee@fake.example"},
	}
}

func TestWindowsOverlapAndCountEachActivityOnce(t *testing.T) {
	b := newBench(t)
	for i := range 7 {
		b.app.feed = append(b.app.feed, activityItem(fmt.Sprintf("act_%d", i), testDay.Add(time.Duration(i-8)*time.Minute), "claude_project_sharing_updated", map[string]string{"audience.0.type": "public", "note": leaking}))
	}
	check(t, b.live("activities"))
	if diff := cmp.Diff(map[string]int64{"activity scanned": 7}, b.units()); diff != "" {
		t.Errorf("coverage (-want +got):\n%s", diff)
	}
	findings := b.count(`SELECT COUNT(*) FROM findings`)
	if findings == 0 {
		t.Error("sharing a project with everybody made no finding")
	}
	if got := b.count(`SELECT COUNT(*) FROM activities WHERE fields LIKE '%1111 1111%'`); got != 0 {
		t.Error("a card number was stored in an activity")
	}
	// Rows that come late, with a time before the end of the last window.
	late := activityItem("act_late", testDay.Add(-3*time.Minute), "claude_chat_created", nil)
	b.app.feed = append(b.app.feed[:5:5], append([]connectors.Item{late}, b.app.feed[5:]...)...)
	b.now = b.now.Add(5 * time.Minute)
	check(t, b.live("activities"))
	if got := b.units()["activity scanned"]; got != 8 {
		t.Errorf("%d activities read, want 8 with the late one and none twice", got)
	}
	intervals, err := store.Intervals(t.Context(), b.DB.Read(), b.connection.ID, store.IntervalRead)
	check(t, err)
	want := []store.Interval{{Stream: "activities", From: b.connection.CreatedAt.Add(-time.Hour), To: b.now.Add(-2 * time.Minute), State: store.IntervalRead}}
	if diff := cmp.Diff(want, intervals); diff != "" {
		t.Errorf("intervals (-want +got):\n%s", diff)
	}
}

func TestAnActivityThatCannotBeStoredDoesNotHoldTheFeed(t *testing.T) {
	b := newBench(t)
	for i, id := range []string{"act_bad", "act_good"} {
		b.app.feed = append(b.app.feed, activityItem(id, testDay.Add(time.Duration(i-9)*time.Minute), "claude_project_sharing_updated", map[string]string{"audience.0.type": "public"}))
	}
	b.app.feed[0].Resource.ID = strings.Repeat("x", 5000)
	check(t, b.live("activities"))
	if diff := cmp.Diff(map[string]int64{"activity scanned": 1, "activity skipped malformed": 1}, b.units()); diff != "" {
		t.Errorf("coverage (-want +got):\n%s", diff)
	}
	if got := b.count(`SELECT COUNT(*) FROM findings`); got != 1 {
		t.Errorf("%d findings, want the one of the good activity", got)
	}
}

func TestABrokenWindowIsAGapThatIsReadAgainApart(t *testing.T) {
	b := newBench(t)
	b.app.feed = append(b.app.feed, activityItem("act_1", testDay.Add(-30*time.Minute), "x", nil))
	broken := true
	b.app.onRead = func(string, connectors.Slice) error {
		if broken {
			return &connectors.Error{Kind: connectors.KindMalformed, Code: "OB-2020", Status: 200}
		}
		return nil
	}
	ref := SliceRef{"activities", store.LaneLive, liveSlice}
	var app *temporal.ApplicationError
	for try := range 3 {
		_, err := b.ScanPage(t.Context(), PageInput{b.connection.ID, b.scan.ID, ref})
		if !errors.As(err, &app) || app.NonRetryable() != (try == 2) {
			t.Fatalf("try %d: %v", try, err)
		}
	}
	broken = false
	b.now = b.now.Add(time.Hour)
	check(t, b.live("activities"))
	if got := b.count(`SELECT COUNT(*) FROM activities`); got != 0 {
		t.Fatalf("%d activities: the next window must not cover the gap here", got)
	}
	gaps := b.slices()
	if len(gaps) != 1 || gaps[0].Lane != laneReread {
		t.Fatalf("slices %+v", gaps)
	}
	check(t, b.read(gaps[0]))
	if got := b.count(`SELECT COUNT(*) FROM activities`); got != 1 {
		t.Errorf("%d activities after the gap was read", got)
	}
	if got := b.count(`SELECT COUNT(*) FROM coverage_intervals WHERE state = 'gap'`); got != 0 {
		t.Errorf("%d gaps left", got)
	}
}

func TestABrokenCursorStreamStopsAndComesBack(t *testing.T) {
	b := newBench(t)
	b.app.chat("chat_1", testDay, leaking)
	broken := true
	b.app.onRead = func(string, connectors.Slice) error {
		if broken {
			return &connectors.Error{Kind: connectors.KindMalformed, Status: 200}
		}
		return nil
	}
	for range 4 {
		if err := b.live("chats"); err == nil {
			t.Fatal("no error")
		}
	}
	if b.app.reads["chats"] != 4 {
		t.Errorf("%d calls for 4 tries", b.app.reads["chats"])
	}
	broken = false
	check(t, b.live("chats"))
	if got := b.count(`SELECT COUNT(*) FROM findings`); got != 1 {
		t.Errorf("%d findings", got)
	}
}

func TestAnExpiredCursorRestartsItsSlice(t *testing.T) {
	b := newBench(t)
	for i := range 5 {
		b.app.chat(fmt.Sprintf("chat_%d", i), testDay.Add(time.Duration(i)*time.Second), leaking)
	}
	expired := true
	b.app.onRead = func(_ string, s connectors.Slice) error {
		if s.After != "" && expired {
			expired = false
			return &connectors.Error{Kind: connectors.KindCursorExpired, Status: 400}
		}
		return nil
	}
	if err := b.live("chats"); err == nil {
		t.Fatal("no error")
	}
	check(t, b.live("chats"))
	if got := b.count(`SELECT COUNT(*) FROM findings`); got != 5 {
		t.Errorf("%d findings, want 5", got)
	}
}

func TestHistoryIsReadInDaysNewestFirst(t *testing.T) {
	b := newBench(t)
	c := b.connection
	c.BackfillFrom = testDay.Add(-50 * time.Hour)
	check(t, b.DB.Write(t.Context(), func(tx *store.Tx) error { return store.UpdateConnection(t.Context(), tx, c) }))
	b.app.chat("old", testDay.Add(-40*time.Hour), leaking)
	b.app.chat("older", testDay.Add(-30*24*time.Hour), leaking)
	slices := b.slices()
	want := []SliceRef{
		{"activities", "backfill", "2026-11-20"}, {"chats", "backfill", "2026-11-20"},
		{"activities", "backfill", "2026-11-19"}, {"chats", "backfill", "2026-11-19"},
		{"activities", "backfill", "2026-11-18"}, {"chats", "backfill", "2026-11-18"},
	}
	if diff := cmp.Diff(want, slices); diff != "" {
		t.Fatalf("slices (-want +got):\n%s", diff)
	}
	for _, s := range slices {
		check(t, b.read(s))
	}
	if got := b.count(`SELECT COUNT(*) FROM findings WHERE resource_id = 'old'`); got != 1 {
		t.Errorf("%d findings of the old chat", got)
	}
	if got := b.count(`SELECT COUNT(*) FROM findings`); got != 1 {
		t.Errorf("%d findings: what is before the chosen date must not be read", got)
	}
	if slices = b.slices(); len(slices) != 0 {
		t.Errorf("still to be read: %v", slices)
	}
}

func TestNothingIsReadOfAPausedOrRemovedConnection(t *testing.T) {
	b := newBench(t)
	b.app.chat("chat_1", testDay, leaking)
	c := b.connection
	c.State = store.ConnectionPaused
	check(t, b.DB.Write(t.Context(), func(tx *store.Tx) error { return store.UpdateConnection(t.Context(), tx, c) }))
	r, err := b.ScanPage(t.Context(), PageInput{c.ID, b.scan.ID, SliceRef{"chats", store.LaneLive, liveSlice}})
	if err != nil || !r.Stopped || b.app.reads["chats"] != 0 {
		t.Errorf("paused: %+v, %v, %d calls", r, err, b.app.reads["chats"])
	}
	check(t, b.DB.Write(t.Context(), func(tx *store.Tx) error { return store.DeleteConnection(t.Context(), tx, c.ID) }))
	if r, err = b.ScanPage(t.Context(), PageInput{c.ID, b.scan.ID, SliceRef{"chats", store.LaneLive, liveSlice}}); err != nil || !r.Stopped {
		t.Errorf("removed: %+v, %v", r, err)
	}
}

func TestThePurgeDeletesEmptyScansOfTheSchedule(t *testing.T) {
	b := newBench(t)
	for range 3 {
		check(t, b.DB.Write(t.Context(), func(tx *store.Tx) error {
			s, err := store.ClaimScan(t.Context(), tx, b.connection.ID, "w", "r")
			if err != nil {
				return err
			}
			return store.FinishScan(t.Context(), tx, s.ID, store.ScanSucceeded, "", "")
		}))
		b.now = b.now.Add(time.Minute)
	}
	check(t, b.PurgeActivities(t.Context()))
	if got := b.count(`SELECT COUNT(*) FROM scans`); got != 3 {
		t.Errorf("%d scans a minute later", got)
	}
	b.now = b.now.Add(emptyScansKept)
	check(t, b.PurgeActivities(t.Context()))
	if got := b.count(`SELECT COUNT(*) FROM scans`); got != 1 {
		t.Errorf("%d scans a week later, want the last one", got)
	}
}
