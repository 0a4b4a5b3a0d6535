package workflows

import (
	"testing"

	"github.com/outband/outband/dlp"
	"github.com/outband/outband/internal/store"
)

func TestTestDataIsLeftOutAsTheOverridesSay(t *testing.T) {
	b := newBench(t)
	check(t, b.Detectors.Reload(t.Context()))
	count := func(what string, want int) {
		t.Helper()
		if n := b.count(`SELECT COUNT(*) FROM findings WHERE policy_id = 'content.card_numbers'`); n != want {
			t.Errorf("%s: %d findings, want %d", what, n, want)
		}
	}
	override := func(mode string) {
		t.Helper()
		check(t, b.DB.Write(t.Context(), func(tx *store.Tx) error {
			return store.PutOverride(t.Context(), tx, store.Override{Kind: OverrideTestData, ID: "payment_cards", Mode: mode}, "usr_1")
		}))
		check(t, b.Detectors.Reload(t.Context()))
	}
	b.app.chat("a", b.now, "pay with card 4111 1111 1111 1111, expires 09/28")
	b.app.chat("b", b.now, "pay with card 4539 5787 6362 1486, expires 09/28")
	check(t, b.live("chats"))
	count("a published card and another", 1)

	override(dlp.TestDataOff)
	b.app.chat("c", b.now, "pay with card 4111 1111 1111 1111, expires 09/28")
	check(t, b.live("chats"))
	if n := b.count(`SELECT COUNT(*) FROM findings WHERE resource_id = 'c'`); n == 0 {
		t.Error("the group was switched off, and its values are left out all the same")
	}
	override("")
	b.app.chat("d", b.now, "pay with card 4111 1111 1111 1111, expires 09/28")
	check(t, b.live("chats"))
	if n := b.count(`SELECT COUNT(*) FROM findings WHERE resource_id = 'd'`); n != 0 {
		t.Error("the group is as it was shipped, and its values are found")
	}
}
