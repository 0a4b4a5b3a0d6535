package workflows

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/outband/outband/dlp"
	"github.com/outband/outband/internal/secret"
	"github.com/outband/outband/internal/store"
)

const ticketDetector = `detectors:
  - id: custom.ticket
    title: Ticket of ours
    kind: pattern
    severity: high
    confidence: 0.7
    pattern: 'ACME-(?P<value>[0-9]{6})'
    examples: {match: ["ACME-«123456»"], no_match: ["ACME-12345"]}
`

func putDetector(t *testing.T, b *bench, id, yaml string, expected int64) {
	t.Helper()
	check(t, b.DB.Write(t.Context(), func(tx *store.Tx) error {
		_, err := store.PutDetector(t.Context(), tx, id, yaml, expected, "usr_1")
		return err
	}))
}

func state(d *Detectors, id string) DetectorState {
	all := d.All()
	if i := slices.IndexFunc(all, func(s DetectorState) bool { return s.ID == id }); i >= 0 {
		return all[i]
	}
	return DetectorState{}
}

func fires(t *testing.T, d *Detectors, text string) []string {
	t.Helper()
	res, err := d.Engine().Scan([]byte(text), dlp.Keys{})
	check(t, err)
	var out []string
	for _, m := range res.Matches {
		out = append(out, m.Detector)
	}
	return out
}

func TestADetectorThatAnotherProcessSavedIsFollowed(t *testing.T) {
	b := newBench(t)
	d := b.Detectors
	check(t, d.Reload(t.Context())) // The engine of the bench leaves no test data out.
	d.asked = time.Time{}
	told := 0
	d.d.Changed = func(ctx context.Context, ids []string) error {
		told++
		return b.Rules.SetDetectors(ctx, ids)
	}
	check(t, d.Follow(t.Context()))
	before := d.Engine()
	putDetector(t, b, "custom.ticket", ticketDetector, 0)
	check(t, d.Follow(t.Context())) // The store was asked just now.
	if d.Engine() != before {
		t.Error("the store is asked at every call")
	}
	later := func() {
		t.Helper()
		d.asked = d.asked.Add(-followEvery)
		check(t, d.Follow(t.Context()))
	}
	later()
	if got := fires(t, d, "see ACME-271828"); !slices.Equal(got, []string{"custom.ticket"}) {
		t.Errorf("found %v", got)
	}
	if d.Engine().Ruleset() == before.Ruleset() || told != 1 || !slices.Contains(b.Rules.detectors, "custom.ticket") {
		t.Errorf("ruleset %s, told %d times", d.Engine().Ruleset(), told)
	}
	now := d.Engine()
	if later(); d.Engine() != now {
		t.Error("unchanged detectors were compiled again")
	}
	if d.Scanned() == 0 {
		t.Error("nothing was counted")
	}
	n := d.Scanned()
	putDetector(t, b, "custom.ticket", "", 1)
	later()
	if got := fires(t, d, "see ACME-271828"); got != nil {
		t.Errorf("found %v by a detector that was removed", got)
	}
	if d.Engine().Ruleset() != before.Ruleset() {
		t.Error("the same detectors are another ruleset")
	}
	if d.Scanned() <= n {
		t.Error("the count began anew")
	}
}

func TestDetectorsAreSwitched(t *testing.T) {
	b := newBench(t)
	d := b.Detectors
	mode := func(id, to string) {
		t.Helper()
		check(t, b.DB.Write(t.Context(), func(tx *store.Tx) error {
			return store.PutOverride(t.Context(), tx, store.Override{Kind: DetectorOverride, ID: id, Mode: to}, "usr_1")
		}))
		check(t, d.Reload(t.Context()))
	}
	const card = "pay with 4539 5787 6362 1486"
	mode("financial.card", DetectorOff)
	if got := fires(t, d, card); slices.Contains(got, "financial.card") || state(d, "financial.card").On {
		t.Errorf("found %v", got)
	}
	mode("financial.card", "")
	if got := fires(t, d, card); !slices.Contains(got, "financial.card") {
		t.Errorf("found %v", got)
	}
	if _, on := d.Engine().Detector("source.go"); on {
		t.Fatal("an optional detector is on by itself")
	}
	mode("source.go", DetectorOn)
	if _, on := d.Engine().Detector("source.go"); !on || !state(d, "source.go").On {
		t.Error("an optional detector could not be switched on")
	}
}

func TestADetectorThatNoLongerCompilesHoldsNoOtherBack(t *testing.T) {
	b := newBench(t)
	putDetector(t, b, "custom.ticket", ticketDetector, 0)
	putDetector(t, b, "custom.broken", strings.Replace(strings.Replace(ticketDetector, "custom.ticket", "custom.broken", 1), "pattern: 'ACME-", "pattern: '.*", 1), 0)
	putDetector(t, b, "custom.lost", "detectors:\n  - {id: custom.lost, title: L, kind: dictionary, severity: low, confidence: 0.5, list: gone}\n", 0)
	putDetector(t, b, "custom.torn", "detectors: [", 0)
	check(t, b.Detectors.Reload(t.Context()))
	if got := fires(t, b.Detectors, "ACME-271828"); !slices.Equal(got, []string{"custom.ticket"}) {
		t.Errorf("found %v", got)
	}
	for id, failing := range map[string]bool{"custom.ticket": false, "custom.broken": true, "custom.lost": true, "custom.torn": true} {
		if s := state(b.Detectors, id); (s.Failing != "") != failing || s.Version != 1 {
			t.Errorf("%s: failing %q, version %d", id, s.Failing, s.Version)
		}
	}
}

func TestDictionariesAndTablesOfTheStoreAreLoaded(t *testing.T) {
	b := newBench(t)
	v := b.Detectors.d.Vault
	key := dlp.NewTableKey()
	var file bytes.Buffer
	head, err := dlp.HashTable(&file, strings.NewReader("email\nana.souza@example.com\n"), "staff", []string{"email"}, key)
	check(t, err)
	words, err := dlp.ParseWords([]byte("zanzibar falcon\n"), false)
	check(t, err)
	list := store.Dictionary{ID: "projects", Title: "P", Digest: words.Digest(), Entries: 1}
	table := store.ExactTable{ID: "staff", Title: "S", Version: 1, Digest: "d", KeyID: key.ID(), Columns: "email", Rows: int64(head.Rows)}
	sealed, err := v.Seal(secret.NewValue("zanzibar falcon\n"), list.Owner(), "words")
	check(t, err)
	sealedKey, err := v.Seal(secret.NewValue(key.Text()), table.Owner(), "key")
	check(t, err)
	check(t, b.DB.Write(t.Context(), func(tx *store.Tx) error {
		check(t, store.PutDictionary(t.Context(), tx, list, [][]byte{[]byte(sealed)}))
		check(t, store.PutCredential(t.Context(), tx, table.Owner(), "key", sealedKey))
		for i, part := range [][]byte{file.Bytes()[:7], file.Bytes()[7:]} {
			check(t, store.PutChunk(t.Context(), tx, table.Owner(), 1, i, part))
		}
		return store.PutExactTable(t.Context(), tx, table)
	}))
	putDetector(t, b, "custom.projects", "detectors:\n  - {id: custom.projects, title: P, kind: dictionary, severity: high, confidence: 0.8, list: projects}\n", 0)
	putDetector(t, b, "custom.staff", "detectors:\n  - {id: custom.staff, title: S, kind: exact, severity: high, confidence: 0.9, table: staff}\n", 0)
	check(t, b.Detectors.Reload(t.Context()))
	got := fires(t, b.Detectors, "Zanzibar Falcon, says Ana.Souza@example.com")
	if !slices.Equal(got, []string{"custom.projects", "custom.staff"}) {
		t.Errorf("found %v", got)
	}
	loaded := b.Detectors.stock[table.Owner()].table
	putDetector(t, b, "custom.ticket", ticketDetector, 0)
	check(t, b.Detectors.Reload(t.Context()))
	if b.Detectors.stock[table.Owner()].table != loaded {
		t.Error("a table that is in memory was read again")
	}
	if got := b.Detectors.Uses("projects", ""); !slices.Equal(got, []string{"custom.projects"}) {
		t.Errorf("used by %v", got)
	}
}

const ticketPolicy = `id: custom.tickets
version: 1
title: Tickets
severity: high
description: Tickets of ours.
guide: Open {resource.url} and look.
on: {items: ["*"]}
when: count("custom.tick*") > 0
tests:
  - {name: one, input: {matches: [{detector: custom.ticket, confidence: 0.9}]}, want: true}
  - {name: none, input: {kind: message}, want: false}
`

// What was scanned before a detector was saved is scanned again when it is listed again, and policies may name the detector.
func TestAScanFindsWhatACustomDetectorLooksFor(t *testing.T) {
	b := newBench(t)
	b.Detectors.d.Changed = b.Rules.SetDetectors
	check(t, b.Detectors.Reload(t.Context()))
	check(t, b.DB.Write(t.Context(), func(tx *store.Tx) error {
		_, err := tx.ExecContext(t.Context(), `INSERT INTO policies (workspace_id, id, version, yaml, created_at, created_by) VALUES ($1, 'custom.tickets', 1, $2, 0, 'usr_1')`, store.Workspace, ticketPolicy)
		return err
	}))
	check(t, b.Rules.Reload(t.Context()))
	if has(b.Rules.Current(), "custom.tickets") {
		t.Fatal("a policy compiles that names a detector which is not there")
	}
	b.app.chat("c1", testDay.Add(-time.Minute), "the ticket is ACME-271828")
	check(t, b.live("chats"))
	found := func() int { return b.count(`SELECT COUNT(*) FROM findings WHERE policy_id = 'custom.tickets'`) }
	if n := found(); n != 0 {
		t.Fatalf("%d findings before there is a detector", n)
	}
	putDetector(t, b, "custom.ticket", ticketDetector, 0)
	check(t, b.Detectors.Reload(t.Context()))
	if !has(b.Rules.Current(), "custom.tickets") {
		t.Fatal("the policy does not see the new detector")
	}
	check(t, b.live("chats"))
	if n := found(); n != 1 {
		t.Errorf("%d findings, want 1", n)
	}
	if n := b.count(`SELECT COUNT(*) FROM instances WHERE detector = 'custom.ticket'`); n != 1 {
		t.Errorf("%d instances, want 1", n)
	}
}
