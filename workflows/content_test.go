package workflows

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/outband/outband/connectors"
	"github.com/outband/outband/findings"
	"github.com/outband/outband/internal/store"
)

// fetched returns the messages that were fetched since it was last asked.
func (a *app) fetched() []string {
	out := slices.Sorted(slices.Values(a.given))
	a.given = nil
	return out
}

func TestOnlyNewMessagesOfAChangedChatAreFetchedAndCounted(t *testing.T) {
	b := newBench(t)
	b.app.places = true
	b.app.chat("chat_1", testDay.Add(2*time.Minute), leaking, harmless)
	b.now = testDay.Add(3 * time.Minute)
	check(t, b.live("chats"))
	b.app.fetched()
	b.app.chat("chat_1", testDay.Add(4*time.Minute), leaking, harmless, harmless, leaking)
	b.now = testDay.Add(5 * time.Minute)
	check(t, b.live("chats"))
	if diff := cmp.Diff([]string{"chat_1/2", "chat_1/3"}, b.app.fetched()); diff != "" {
		t.Errorf("fetched of a changed chat (-want +got):\n%s", diff)
	}
	want := map[string]int64{"chat scanned": 1, "message scanned": 4, "message late": 1} // The third is of two minutes past, and the walk of three did not show it.
	if diff := cmp.Diff(want, b.units()); diff != "" {
		t.Errorf("coverage (-want +got):\n%s", diff)
	}
	// Under other rules all of it is scanned again, and counted once.
	b.exec(`UPDATE items SET ruleset = 'other'`)
	b.now = testDay.Add(5*time.Minute + time.Second)
	check(t, b.live("chats"))
	if got := b.app.fetched(); len(got) != 4 {
		t.Errorf("under other rules %v was fetched", got)
	}
	if diff := cmp.Diff(want, b.units()); diff != "" {
		t.Errorf("coverage under other rules (-want +got):\n%s", diff)
	}
	if got := b.count(`SELECT COUNT(*) FROM instances`); got != 2 {
		t.Errorf("%d instances, want those of two messages", got)
	}
	// A place that the app knows no more: all of it once more, counted once.
	b.exec(`UPDATE items SET place = 'lost'`)
	b.app.chat("chat_1", testDay.Add(6*time.Minute), leaking, harmless, harmless, leaking, harmless, harmless, leaking)
	b.now = testDay.Add(7 * time.Minute)
	check(t, b.live("chats"))
	if got := b.app.fetched(); len(got) != 7 {
		t.Errorf("without a place %v was fetched", got)
	}
	if got := b.units()["message scanned"]; got != 6 {
		// Five and six minutes past are after the last scan's chat; four minutes past is not, and cannot be told from what was seen.
		t.Errorf("%d messages counted", got)
	}
	if got := b.count(`SELECT COUNT(*) FROM items WHERE place = '6'`); got != 1 {
		t.Error("the new place was not stored")
	}
}

func TestAPlaceMovesWithItsFindingsOnly(t *testing.T) {
	b := newBench(t)
	b.app.places = true
	b.app.chat("chat_1", testDay, harmless)
	check(t, b.live("chats"))
	b.app.chat("chat_1", testDay.Add(time.Minute), harmless, leaking)
	b.app.onFetch = func(connectors.Item) error { return &connectors.Error{Kind: connectors.KindMalformed, Status: 200} }
	b.now = testDay.Add(2 * time.Minute)
	check(t, b.live("chats"))
	if got := b.count(`SELECT COUNT(*) FROM items WHERE state = 'quarantined' AND place = '0' AND ruleset <> ''`); got != 1 {
		t.Fatal("a chat that fails must keep its place")
	}
	b.app.fetched()
	b.app.onFetch, b.now = nil, b.now.Add(time.Hour)
	b.waiting()
	if diff := cmp.Diff([]string{"chat_1/1"}, b.app.fetched()); diff != "" {
		t.Errorf("fetched (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]int64{"chat scanned": 1, "message scanned": 2}, b.units()); diff != "" {
		t.Errorf("coverage (-want +got):\n%s", diff)
	}
}

func TestRowsThatAreListedAgainAreCountedApart(t *testing.T) {
	b := newBench(t)
	for i := range 5 {
		b.app.chat(fmt.Sprintf("chat_%d", i), testDay.Add(-time.Duration(i)*10*time.Second), harmless)
		b.app.feed = append(b.app.feed, activityItem(fmt.Sprintf("act_%d", i), testDay.Add(time.Duration(i-7)*time.Minute), "x", nil))
	}
	for range 2 {
		check(t, b.live("chats"))
		check(t, b.live("activities"))
		b.now = b.now.Add(time.Minute)
	}
	want := map[string]int64{"chat scanned": 5, "message scanned": 5, "activity scanned": 5, "chat overlap": 5, "activity overlap": 5}
	if diff := cmp.Diff(want, b.units()); diff != "" {
		t.Errorf("coverage (-want +got):\n%s", diff)
	}
	late := activityItem("act_late", testDay.Add(-150*time.Second), "x", nil)
	b.app.feed = append(b.app.feed, late)
	slices.SortFunc(b.app.feed, func(x, y connectors.Item) int { return x.At.Compare(y.At) })
	b.app.chat("chat_late", testDay.Add(-time.Second), harmless)
	b.now = testDay.Add(90 * time.Second)
	check(t, b.live("chats"))
	check(t, b.live("activities"))
	got := b.units()
	// The message of the fake has no time of its own.
	if got["activity late"] != 1 || got["chat late"] != 1 || got["activity scanned"] != 6 {
		t.Errorf("late: %v", got)
	}
}

func TestWhatWaitsIsRebuiltFromItsRowWhateverItIs(t *testing.T) {
	b := newBench(t)
	resource := connectors.Resource{Kind: "project", ID: "proj_1", Name: "Plan", URL: "https://fake.example/proj_1", Owner: "user_1", Visibility: "public", Project: "proj_1"}
	b.app.others = map[string][]connectors.Item{"projects": {{
		Kind: connectors.KindProject, ID: "proj_1", Version: "v1", At: testDay.Add(-10 * time.Minute), Resource: resource, Actor: connectors.Actor{ID: "user_1", Email: "dana@fake.example", Type: "user"},
	}}}
	b.app.texts["proj_1"] = []string{leaking}
	doc := connectors.Item{Kind: connectors.KindDocument, ID: "doc_1", Version: "1", At: testDay.Add(-9 * time.Minute)}
	b.app.files["proj_1"] = []connectors.Item{doc}
	b.app.texts["doc_1"] = []string{leaking}
	broken := map[string]bool{"proj_1": true, "doc_1": true}
	var got []connectors.Item
	b.app.onFetch = func(i connectors.Item) error {
		if broken[i.ID] {
			return &connectors.Error{Kind: connectors.KindMalformed, Code: "OB-2017", Status: 200}
		}
		got = append(got, i)
		return nil
	}
	check(t, b.live("projects"))
	broken["proj_1"] = false
	b.now = b.now.Add(time.Hour)
	b.waiting() // The project; its document is quarantined now.
	broken["doc_1"] = false
	b.now = b.now.Add(time.Hour)
	b.waiting()
	if len(got) != 2 {
		t.Fatalf("%d fetched", len(got))
	}
	if diff := cmp.Diff(resource, got[0].Resource); diff != "" {
		t.Errorf("the project's resource (-want +got):\n%s", diff)
	}
	want := map[string]int64{"project scanned": 1, "message scanned": 1, "document scanned": 1}
	if got := b.units(); !cmp.Equal(want, map[string]int64{"project scanned": got["project scanned"], "message scanned": got["message scanned"], "document scanned": got["document scanned"]}) {
		t.Errorf("coverage %v", got)
	}
	if diff := cmp.Diff(map[string]int64{"projects scanned": 3}, b.counts()); diff != "" {
		t.Errorf("documents count under the stream of what holds them (-want +got):\n%s", diff)
	}
	if got := b.count(`SELECT COUNT(*) FROM findings WHERE resource_kind = 'project' AND resource_id = 'proj_1'`); got != 1 {
		t.Errorf("%d findings, want the project's", got)
	}
}

func TestContentThatCameWithItsRowIsNotFetched(t *testing.T) {
	b := newBench(t)
	page := func(id string, parts ...connectors.Part) connectors.Item {
		return connectors.Item{
			Kind: connectors.KindDocument, ID: id, Version: "1", At: testDay, Resource: connectors.Resource{Kind: "user", ID: "user_1"}, Parts: parts,
			Record: &connectors.Record{Kind: "page", ID: id, Scope: "org", Fields: map[string]any{"shared": true}},
		}
	}
	text := func(id, s string) connectors.Part {
		return part(connectors.PartDocument, connectors.Ref{Kind: connectors.KindDocument, ID: id}, "", []byte(s))
	}
	none := connectors.Part{Kind: connectors.PartUserText, Resource: connectors.Ref{Kind: "message", ID: "m1"}, Skipped: "not_given"}
	b.app.others = map[string][]connectors.Item{"pages": {page("p1", text("p1", leaking)), page("p2", text("p2", harmless), none), page("p3", connectors.Part{
		Kind: connectors.PartDocument, Resource: connectors.Ref{Kind: connectors.KindDocument, ID: "p3"}, Skipped: "not_given",
	})}}
	check(t, b.read(SliceRef{"pages", store.LaneLive, liveSlice}))
	if len(b.app.fetches) != 0 {
		t.Errorf("fetched: %v", b.app.fetches)
	}
	want := map[string]int64{"document scanned": 2, "document skipped not_given": 1, "message skipped not_given": 1}
	if diff := cmp.Diff(want, b.units()); diff != "" {
		t.Errorf("coverage (-want +got):\n%s", diff)
	}
	if got := b.count(`SELECT COUNT(*) FROM records WHERE kind = 'page'`); got != 3 {
		t.Errorf("%d records, want one for each page", got)
	}
	if got := b.count(`SELECT COUNT(*) FROM findings WHERE resource_kind = 'user'`); got != 1 {
		t.Errorf("%d findings", got)
	}
}

func TestAnActivityHasItsItemReadOnceMore(t *testing.T) {
	b := newBench(t)
	b.app.chat("chat_1", testDay.Add(-30*time.Minute), harmless)
	check(t, b.live("chats"))
	b.now = testDay.Add(10 * time.Minute)
	touching := func(id string, at time.Duration, refs ...connectors.Ref) {
		a := activityItem(id, testDay.Add(at), "changed", nil)
		a.Activity.Touches = refs
		b.app.feed = append(b.app.feed, a)
	}
	chat, project := connectors.Ref{Kind: connectors.KindChat, ID: "chat_1"}, connectors.Ref{Kind: connectors.KindProject, ID: "proj_9"}
	touching("act_0", -10*time.Minute, chat) // Before it was scanned.
	check(t, b.live("activities"))
	if got := b.count(`SELECT COUNT(*) FROM items WHERE state = 'deferred'`); got != 0 {
		t.Errorf("%d items are read again for what their scan has seen", got)
	}
	for i := range 3 {
		touching(fmt.Sprintf("act_%d", i+1), time.Duration(7*60+i)*time.Second, chat, project)
	}
	b.now = testDay.Add(11 * time.Minute)
	check(t, b.live("activities"))
	b.app.texts["chat_1"], b.app.texts["proj_9"] = []string{harmless, leaking}, []string{leaking}
	if got := b.count(`SELECT COUNT(*) FROM items WHERE state = 'deferred' AND reason = 'touched'`); got != 2 {
		t.Fatalf("%d items wait, want the chat and the project that no list has shown", got)
	}
	b.waiting()
	if b.app.fetches["chat_1"] != 2 || b.app.fetches["proj_9"] != 1 {
		t.Errorf("fetches: %v", b.app.fetches)
	}
	if got := b.count(`SELECT COUNT(*) FROM findings WHERE resource_id IN ('chat_1', 'proj_9')`); got != 2 {
		t.Errorf("%d findings", got)
	}
	if got := b.count(`SELECT COUNT(*) FROM findings WHERE resource_id = 'chat_1' AND resource_name = 'Chat chat_1' AND resource_url <> ''`); got != 1 {
		t.Error("the chat lost its name or its address")
	}
	if got := b.count(`SELECT COUNT(*) FROM items WHERE kind = 'project' AND stream = 'projects' AND state = 'scanned'`); got != 1 {
		t.Error("the project is not of its stream")
	}
	if got := b.units()["chat scanned"]; got != 1 {
		t.Errorf("the chat was counted %d times", got)
	}
	b.app.fetches = map[string]int{}
	b.waiting()
	if len(b.app.fetches) != 0 {
		t.Errorf("read once more: %v", b.app.fetches)
	}
}

func TestWhatUsersDeletedBeforeItWasScannedIsListed(t *testing.T) {
	b := newBench(t)
	for i, id := range []string{"gone_1", "whole", "tail"} {
		b.app.chat(id, testDay.Add(time.Duration(i)*time.Second), harmless)
	}
	b.app.chats[0].Deleted = true
	b.app.file("whole", "file_gone", []byte("x"))
	b.app.onFetch = func(i connectors.Item) error {
		if i.ID == "file_gone" {
			return &connectors.Error{Kind: connectors.KindGone, Status: 404}
		}
		return nil
	}
	check(t, b.live("chats"))
	// Later one is deleted after it was scanned whole, and one between a change and the scan of that.
	b.app.chat("whole", testDay.Add(time.Minute))
	b.app.chats[len(b.app.chats)-1].Deleted = true
	b.app.chat("tail", testDay.Add(time.Minute), harmless, leaking)
	b.app.onFetch = func(connectors.Item) error { return &connectors.Error{Kind: connectors.KindGone, Status: 404} }
	b.now = testDay.Add(2 * time.Minute)
	check(t, b.live("chats"))
	list, err := store.ListDeleted(t.Context(), b.DB.Read(), b.connection.ID, time.Time{}, "", 10)
	check(t, err)
	var got []string
	for _, i := range list {
		who, err := findings.GetActor(t.Context(), b.DB.Read(), i.ActorKey)
		check(t, err)
		got = append(got, fmt.Sprint(i.Kind, " ", i.ID, " ", who.Email, " ", i.DeletedAt.Sub(testDay)))
	}
	want := []string{"chat tail dana@fake.example 2m0s", "file file_gone dana@fake.example 0s", "chat gone_1 dana@fake.example 0s"}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("deleted (-want +got):\n%s", diff)
	}
	if got := b.units(); got["chat scanned"] != 2 || got["chat skipped deleted_before_scan"] != 1 || got["tail skipped deleted_before_scan"] != 1 || got["file skipped deleted_before_scan"] != 1 {
		t.Errorf("coverage %v", got)
	}
}

func TestTheNewestOfAPageIsReadFirst(t *testing.T) {
	var items []connectors.Item
	for i, at := range []time.Duration{1, 3, 2, 3} {
		items = append(items, connectors.Item{ID: fmt.Sprint(i), At: testDay.Add(at)})
	}
	var got []string
	for _, i := range newestFirst(items) {
		got = append(got, i.ID)
	}
	if diff := cmp.Diff([]string{"1", "3", "2", "0"}, got); diff != "" || items[0].ID != "0" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAFileThatEndsBeforeItsSizeIsTriedAgain(t *testing.T) {
	b := newBench(t)
	b.app.chat("chat_1", testDay, harmless)
	b.app.file("chat_1", "file_1", []byte(harmless+leaking))
	whole := b.app.bytes["file_1"]
	b.app.bytes["file_1"] = whole[:len(harmless)]
	check(t, b.live("chats"))
	if got := b.count(`SELECT COUNT(*) FROM items WHERE kind = 'file' AND state = 'quarantined'`); got != 1 {
		t.Fatal("half a file was taken for a whole one")
	}
	b.exec(`UPDATE items SET next_try_at = 0`)
	b.waiting()
	if got := b.count(`SELECT COUNT(*) FROM items WHERE kind = 'file' AND state = 'quarantined' AND tries = 2`); got != 1 {
		t.Fatal("half a file was taken for a whole one at the second try")
	}
	b.app.bytes["file_1"] = whole
	b.exec(`UPDATE items SET next_try_at = 0`)
	b.waiting()
	if got := b.count(`SELECT COUNT(*) FROM instances`); got != 1 {
		t.Errorf("%d instances, want what stands in the second half", got)
	}
	if got := b.units()["file scanned"]; got != 1 {
		t.Errorf("%d files counted", got)
	}

	// A size that is wrong for good: what comes is all there is.
	b.app.chat("chat_2", testDay.Add(time.Minute), harmless)
	b.app.file("chat_2", "file_2", []byte(harmless))
	b.app.files["chat_2"][0].File.Size += 10
	b.now = testDay.Add(2 * time.Minute)
	check(t, b.live("chats"))
	for range shortTries {
		b.exec(`UPDATE items SET next_try_at = 0`)
		b.waiting()
	}
	if got := b.units()["file scanned"]; got != 2 {
		t.Errorf("%d files counted, want the one with a wrong size too", got)
	}
}

func TestAChatThatAPageShowsTwiceIsCountedOnce(t *testing.T) {
	b := newBench(t)
	b.app.chat("chat_1", testDay, leaking, harmless)
	b.source = doubling{b.app}
	check(t, b.live("chats"))
	want := map[string]int64{"chat scanned": 1, "message scanned": 2, "chat overlap": 1}
	if diff := cmp.Diff(want, b.units()); diff != "" {
		t.Errorf("coverage (-want +got):\n%s", diff)
	}
}

// doubling shows every row of a page twice.
type doubling struct{ *app }

func (d doubling) Read(ctx context.Context, stream string, after connectors.Cursor) (connectors.Page, error) {
	page, err := d.app.Read(ctx, stream, after)
	page.Items = append(page.Items, page.Items...)
	return page, err
}

func TestAFileInsideAnItemThatIsNoTextIsCountedAsSkipped(t *testing.T) {
	b := newBench(t)
	b.app.chat("chat_1", testDay, harmless)
	b.source = archive{b.app}
	check(t, b.live("chats"))
	want := map[string]int64{"chat scanned": 1, "artifact skipped malformed": 1}
	if diff := cmp.Diff(want, b.units()); diff != "" {
		t.Errorf("coverage (-want +got):\n%s", diff)
	}
}

// archive gives each item the name and the bytes of an archive.
type archive struct{ *app }

func (archive) Fetch(_ context.Context, item connectors.Item) iter.Seq2[connectors.Part, error] {
	return func(yield func(connectors.Part, error) bool) {
		ref := connectors.Ref{Kind: "artifact", ID: item.ID + "/1"}
		_ = yield(part(connectors.PartName, ref, "name", []byte(harmless)), nil) && yield(part(connectors.PartFile, ref, "content", []byte("PK\x03\x04\x00\x00\x00\x00")), nil)
	}
}
