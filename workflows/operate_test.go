package workflows

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/outband/outband/dlp/policy"
	"github.com/outband/outband/internal/store"
)

const everyMessage = `id: custom.every_message
version: 1
title: Every message
severity: low
description: Any message at all.
guide: Open {resource.url} and look.
on: {items: [message]}
when: kind == "message"
tests:
  - {name: a message, input: {kind: message}, want: true}
`

// custom replaces the policies by the built-in ones and some of files.
func (b *bench) custom(texts ...string) {
	b.t.Helper()
	dir := b.t.TempDir()
	for i, text := range texts {
		check(b.t, os.WriteFile(filepath.Join(dir, fmt.Sprint(i)+".yaml"), []byte(text), 0o600))
	}
	rules, err := NewRules(b.t.Context(), b.DB, dir, nil)
	check(b.t, err)
	b.Rules = rules
}

// inForce is a policy as it is in force.
func (b *bench) inForce(id string) policy.Effective {
	b.t.Helper()
	for _, e := range b.Rules.Current().Policies() {
		if e.Policy.ID == id {
			return e
		}
	}
	b.t.Fatalf("there is no policy %s", id)
	return policy.Effective{}
}

func (b *bench) pauseOf(id string) (out store.Pause) {
	b.t.Helper()
	all, err := store.Pauses(b.t.Context(), b.DB.Read())
	check(b.t, err)
	for _, p := range all {
		if p.PolicyID == id {
			return p
		}
	}
	return out
}

func (b *bench) findings(policyID string) int {
	b.t.Helper()
	return b.count(`SELECT COUNT(*) FROM findings WHERE policy_id = $1`, policyID)
}

// audited are the rows of the audit log that are about policies.
func (b *bench) audited() (out []store.AuditRow) {
	b.t.Helper()
	rows, err := store.ListAudit(b.t.Context(), b.DB.Read(), 0, 100)
	check(b.t, err)
	for _, r := range rows {
		if strings.HasPrefix(r.Action, "policy.") {
			out = append(out, r)
		}
	}
	return out
}

func TestAPolicyThatFloodsIsPausedUntilSomebodyResumesIt(t *testing.T) {
	const id = "custom.every_message"
	b := newBench(t)
	b.custom(everyMessage)
	var logged bytes.Buffer
	b.Log = slog.New(slog.NewTextHandler(&logged, nil))
	b.Rules.Limit(Limits{Flood: 4})
	flood := func(name string, n int) {
		b.now = b.now.Add(5 * time.Minute) // Past what a poll looks back.
		for i := range n {
			b.app.chat(fmt.Sprintf("%s-%d", name, i), b.now, "good morning")
		}
		check(t, b.live("chats"))
		b.operate(t.Context(), true)
	}
	flood("few", 4)
	if b.inForce(id).Paused {
		t.Fatal("four findings paused a policy whose limit is four")
	}
	flood("many", 2)
	got := b.pauseOf(id)
	if !b.inForce(id).Paused || !got.Paused || got.Reason != store.PauseFlood || got.Measured != 6 || got.Bound != 4 || !got.At.Equal(b.now) {
		t.Fatalf("after six findings it is %+v, in force %+v", got, b.inForce(id))
	}
	if text := logged.String(); !strings.Contains(text, "OB-3022") || !strings.Contains(text, id) {
		t.Errorf("the log says %s", text)
	}
	rows := b.audited()
	if len(rows) != 1 || rows[0].Actor != "system" || rows[0].Action != "policy.pause" || rows[0].Object != id || rows[0].Detail["measured"] != "6" {
		t.Errorf("the audit log has %+v", rows)
	}

	flood("held", 3)
	if n := b.findings(id); n != 6 {
		t.Errorf("%d findings while it is paused, want the 6 of before", n)
	}
	if got := b.pauseOf(id); got.Held < 3 { // What the poll reads again under other rules is held back too.
		t.Errorf("held back %d, want at least 3", got.Held)
	}
	// Another policy goes on.
	b.now = b.now.Add(5 * time.Minute)
	b.app.chat("card", b.now, "pay with card "+otherCard)
	check(t, b.live("chats"))
	if b.findings(cardPolicy) != 1 {
		t.Error("the pause of one policy holds another back")
	}

	check(t, b.DB.Write(t.Context(), func(tx *store.Tx) error {
		_, err := store.EndPause(t.Context(), tx, id, "usr_1")
		return err
	}))
	check(t, b.Rules.Reload(t.Context()))
	flood("after", 3)
	if b.inForce(id).Paused {
		t.Error("what it found before it was resumed paused it again")
	}
	// What was judged while it was paused is judged again when it is read again: the rules were others.
	if n := b.count(`SELECT COUNT(*) FROM findings WHERE policy_id = $1 AND resource_id LIKE 'after-%'`, id); n != 3 {
		t.Errorf("%d findings after it was resumed, want 3", n)
	}
	flood("again", 5)
	if !b.inForce(id).Paused {
		t.Error("a new flood did not pause it")
	}
}

func TestHistoryWeighsATenthOfAFlood(t *testing.T) {
	b := newBench(t)
	b.custom(everyMessage)
	b.Rules.Limit(Limits{Flood: 1})
	b.app.places = true // Messages are of testDay.
	b.now = testDay.Add(48 * time.Hour)
	for i := range 19 {
		b.app.chat(fmt.Sprintf("%02d", i), b.now, "good morning")
	}
	check(t, b.live("chats"))
	b.operate(t.Context(), true)
	if n := b.findings("custom.every_message"); n != 19 || b.inForce("custom.every_message").Paused {
		t.Fatalf("%d findings of history, paused %t; want 19 and no pause", n, b.inForce("custom.every_message").Paused)
	}
	b.app.places = false
	b.now = b.now.Add(time.Minute)
	b.app.chat("now", b.now, "good morning")
	check(t, b.live("chats"))
	b.operate(t.Context(), true)
	if !b.inForce("custom.every_message").Paused {
		t.Error("19 findings of history and one of today are no flood over 1")
	}
}

func TestAPolicyThatCostsTooMuchIsPaused(t *testing.T) {
	b := newBench(t)
	b.custom(everyMessage)
	b.Rules.Limit(Limits{Cost: time.Nanosecond})
	for i := range costSample - 1 {
		b.app.chat(fmt.Sprintf("%03d", i), b.now, "good morning")
	}
	check(t, b.live("chats"))
	b.operate(t.Context(), true)
	if b.inForce("custom.every_message").Paused {
		t.Fatalf("%d evaluations are enough for a mean", costSample-1)
	}
	b.now = b.now.Add(time.Minute)
	b.app.chat("z", b.now, "good morning")
	check(t, b.live("chats"))
	b.operate(t.Context(), true)
	got := b.pauseOf("custom.every_message")
	if !b.inForce("custom.every_message").Paused || got.Reason != store.PauseCost || got.Measured <= got.Bound || got.Bound != 1 {
		t.Errorf("a policy over the limit is %+v", got)
	}
}

func TestASlowStoreWeighsLittle(t *testing.T) {
	if got := cost(policy.Usage{Time: 110 * time.Millisecond, Asking: 100 * time.Millisecond}); got != 20*time.Millisecond {
		t.Errorf("10 ms of its own and 100 ms of the store cost %s, want 20ms", got)
	}
}

func TestALockedPolicyIsReportedAndWorksOn(t *testing.T) {
	b := newBench(t)
	b.custom(strings.Replace(everyMessage, "severity: low", "severity: low\nlocked: true", 1))
	b.Rules.Limit(Limits{Flood: 1})
	for i := range 3 {
		b.app.chat(fmt.Sprint(i), b.now, "good morning")
	}
	check(t, b.live("chats"))
	b.operate(t.Context(), true)
	got := b.pauseOf("custom.every_message")
	if got.PolicyID == "" || got.Paused || b.inForce("custom.every_message").Paused {
		t.Errorf("a locked policy that floods is %+v", got)
	}
	if rows := b.audited(); len(rows) != 1 || rows[0].Action != "policy.flag" {
		t.Errorf("the audit log has %+v", rows)
	}
}

func TestWhatPoliciesAndDetectorsDoIsStoredByTheHour(t *testing.T) {
	b := newBench(t)
	b.operate(t.Context(), true)
	before, err := store.PolicyStatsSince(t.Context(), b.DB.Read(), testDay)
	check(t, err)
	b.app.chat("a", b.now, "pay with card "+otherCard, "nothing here")
	check(t, b.live("chats"))
	b.operate(t.Context(), true)
	b.operate(t.Context(), true) // What is stored is not stored again.
	after, err := store.PolicyStatsSince(t.Context(), b.DB.Read(), testDay)
	check(t, err)
	var got store.PolicyStats
	for _, s := range after {
		if s.PolicyID == cardPolicy {
			got = s
		}
	}
	if len(before) != 0 || got.Evaluations != 2 || got.Decisions != 1 || got.Time <= 0 {
		t.Errorf("the policy did %+v, want an evaluation of each message, and a decision", got)
	}
	detectors, err := store.DetectorStatsSince(t.Context(), b.DB.Read(), testDay)
	check(t, err)
	seen := false
	for _, s := range detectors {
		if s.DetectorID == "financial.card" {
			seen = s.Candidates > 0 && s.High+s.VeryHigh > 0
		}
	}
	if !seen {
		t.Errorf("detectors did %+v", detectors)
	}
}
