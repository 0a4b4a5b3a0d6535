package workflows

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/outband/outband/dlp/policy"
	"github.com/outband/outband/internal/store"
)

const customPolicy = `id: custom.any_card
version: 3
title: A card of ours
severity: low
description: Any card number.
guide: Open {resource.url} and look.
on: {items: ["*"]}
when: count("financial.card") > 0
tests:
  - {name: a card, input: {matches: [{detector: financial.card, confidence: 0.9}]}, want: true}
  - {name: none, input: {kind: message}, want: false}
`

func has(set *policy.Set, id string) bool {
	return slices.ContainsFunc(set.Policies(), func(e policy.Effective) bool { return e.Policy.ID == id })
}

func TestPoliciesOfAFolder(t *testing.T) {
	b := newBench(t)
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		check(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	write("card.yaml", customPolicy)
	write("notes.txt", "no policy")
	if _, err := NewRules(t.Context(), b.DB, dir, []string{"financial.card"}); err == nil {
		t.Fatal("the built-in policies name detectors that were not given")
	}
	rules, err := NewRules(t.Context(), b.DB, dir, nil)
	check(t, err)
	if !has(rules.Current(), "custom.any_card") || !has(rules.Current(), "content.card_numbers") {
		t.Error("a policy is missing")
	}
	write("broken.yaml", strings.Replace(customPolicy, "count(", "cuont(", 1))
	if _, err = NewRules(t.Context(), b.DB, dir, nil); err == nil || !strings.Contains(err.Error(), "broken.yaml") {
		t.Errorf("a broken file: %v", err)
	}
	if _, err = NewRules(t.Context(), b.DB, filepath.Join(dir, "none"), nil); err == nil {
		t.Error("a folder that is not there gave no error")
	}
}

func TestAStoredPolicyThatNoLongerCompilesHoldsNoOtherBack(t *testing.T) {
	b := newBench(t)
	check(t, b.DB.Write(t.Context(), func(tx *store.Tx) error {
		for id, yaml := range map[string]string{"custom.any_card": customPolicy, "custom.broken": strings.Replace(strings.Replace(customPolicy, "any_card", "broken", 1), "count(", "cuont(", 1)} {
			if _, err := tx.ExecContext(t.Context(), `INSERT INTO policies (workspace_id, id, version, yaml, created_at, created_by) VALUES ($1, $2, 1, $3, 0, 'usr_1')`, store.Workspace, id, yaml); err != nil {
				return err
			}
		}
		return nil
	}))
	check(t, b.Rules.Reload(t.Context()))
	if !has(b.Rules.Current(), "custom.any_card") || has(b.Rules.Current(), "custom.broken") {
		t.Error("the policies in force are not the ones that compile")
	}
	if b.Rules.Failures()["custom.broken"] != 1 {
		t.Errorf("failures %v", b.Rules.Failures())
	}
	all := b.Rules.Policies()
	i := slices.IndexFunc(all, func(e policy.Effective) bool { return e.Policy.ID == "custom.broken" })
	if i < 0 || all[i].Mode != policy.ModeOff || all[i].Policy.Title != "A card of ours" || all[i].Err == nil || !strings.Contains(all[i].Err.Error(), "line 8, column 12") {
		t.Fatal("a policy that compiles no longer is not listed with its error")
	}
	check(t, b.DB.Write(t.Context(), func(tx *store.Tx) error {
		_, err := tx.ExecContext(t.Context(), `DELETE FROM policies WHERE id = 'custom.broken'`)
		return err
	}))
	check(t, b.Rules.Reload(t.Context()))
	if len(b.Rules.Policies()) != len(all)-1 {
		t.Error("a policy that is gone is still listed as broken")
	}
}

func TestAStoredPolicyWithTheIDOfABuiltInOneHoldsNothingBack(t *testing.T) {
	b := newBench(t)
	check(t, b.DB.Write(t.Context(), func(tx *store.Tx) error {
		return store.SavePolicy(t.Context(), tx, 0, store.PolicyVersion{Policy: store.Policy{ID: "content.card_numbers", Version: 3, YAML: strings.Replace(customPolicy, "custom.any_card", "content.card_numbers", 1)}})
	}))
	check(t, b.Rules.Reload(t.Context()))
	n := 0
	for _, e := range b.Rules.Policies() {
		if e.Policy.ID == "content.card_numbers" {
			n++
			if e.Policy.Title == "A card of ours" || e.Mode != policy.ModeOn || e.Err == nil {
				t.Errorf("the built-in policy is %s with error %v", e.Mode, e.Err)
			}
		}
	}
	if n != 1 || b.Rules.Failures()["content.card_numbers"] != 1 {
		t.Errorf("%d policies of the id, failures %v", n, b.Rules.Failures())
	}
}

func TestAPolicyThatAnotherProcessChangedIsFollowed(t *testing.T) {
	b := newBench(t)
	mode := func(want string) {
		t.Helper()
		for _, e := range b.Rules.Current().Policies() {
			if e.Policy.ID == "content.card_numbers" && e.Mode != want {
				t.Errorf("mode %s, want %s", e.Mode, want)
			}
		}
	}
	change := func(to string) {
		t.Helper()
		check(t, b.DB.Write(t.Context(), func(tx *store.Tx) error {
			return store.PutOverride(t.Context(), tx, store.Override{Kind: "policy", ID: "content.card_numbers", Mode: to}, "usr_1")
		}))
	}
	check(t, b.Rules.Follow(t.Context()))
	before := b.Rules.Current()
	change("off")
	check(t, b.Rules.Follow(t.Context())) // The store was asked just now.
	mode("on")
	later := func() {
		t.Helper()
		b.Rules.asked = b.Rules.asked.Add(-followEvery)
		check(t, b.Rules.Follow(t.Context()))
	}
	later()
	mode("off")
	if now := b.Rules.Current(); now.Version() == before.Version() {
		t.Error("other rules have the same version: what was scanned would not be scanned again")
	}
	now := b.Rules.Current()
	if later(); b.Rules.Current() != now {
		t.Error("unchanged policies were compiled again")
	}
	change("shadow")
	check(t, b.Rules.Reload(t.Context())) // At once in the process that made the change.
	mode("shadow")
}

func TestAnOverrideFromBeforeTheLockIsLeftOut(t *testing.T) {
	b := newBench(t)
	check(t, b.DB.Write(t.Context(), func(tx *store.Tx) error {
		if err := store.PutOverride(t.Context(), tx, store.Override{Kind: "policy", ID: "activity.compliance_api_switched", Mode: "off"}, "usr_1"); err != nil {
			return err
		}
		return store.PutOverride(t.Context(), tx, store.Override{Kind: "policy", ID: "content.card_numbers", Mode: "off"}, "usr_1")
	}))
	check(t, b.Rules.Reload(t.Context()))
	want := map[string]string{"activity.compliance_api_switched": policy.ModeOn, "content.card_numbers": policy.ModeOff}
	for _, e := range b.Rules.Current().Policies() {
		if mode := want[e.Policy.ID]; mode != "" && e.Mode != mode {
			t.Errorf("%s is %s, want %s", e.Policy.ID, e.Mode, mode)
		}
	}
}

func TestABurstIsOneFindingAboutThePerson(t *testing.T) {
	b := newBench(t)
	const n = 30
	for i := range n {
		item := activityItem(fmt.Sprintf("act_%02d", i), testDay.Add(time.Duration(i-n-5)*time.Minute), "claude_file_exported", nil)
		item.Resource.ID = fmt.Sprint("proj_", i)
		b.app.feed = append(b.app.feed, item)
	}
	check(t, b.live("activities"))
	if got := b.count(`SELECT COUNT(*) FROM findings WHERE policy_id = 'activity.mass_file_export'`); got != 1 {
		t.Errorf("%d findings, want one for the person, not one for every file", got)
	}
	if got := b.count(`SELECT COUNT(*) FROM findings WHERE policy_id = 'activity.mass_file_export' AND resource_kind = 'user' AND resource_id = 'user_2'`); got != 1 {
		t.Error("the finding is not about the person")
	}
	if got := b.count(`SELECT COUNT(*) FROM instances WHERE finding_id IN (SELECT id FROM findings WHERE policy_id = 'activity.mass_file_export')`); got != n-19 {
		t.Errorf("%d instances, want %d: every file from the twentieth on", got, n-19)
	}
}

func TestAPolicyInShadowFindsAndDeliversNothing(t *testing.T) {
	b := newBench(t)
	check(t, b.DB.Write(t.Context(), func(tx *store.Tx) error {
		return store.PutOverride(t.Context(), tx, store.Override{Kind: "policy", ID: "activity.mass_file_export", Mode: policy.ModeShadow}, "usr_1")
	}))
	check(t, b.Rules.Reload(t.Context()))
	for i := range 30 {
		item := activityItem(fmt.Sprintf("act_%02d", i), testDay.Add(time.Duration(i-35)*time.Minute), "claude_file_exported", nil)
		item.Resource.ID = fmt.Sprint("proj_", i)
		b.app.feed = append(b.app.feed, item)
	}
	check(t, b.live("activities"))
	if got := b.count(`SELECT COUNT(*) FROM findings WHERE policy_id = 'activity.mass_file_export'`) + b.count(`SELECT COUNT(*) FROM finding_log WHERE snapshot LIKE '%mass_file_export%'`); got != 0 {
		t.Errorf("%d rows of findings and their log", got)
	}
	if got := b.count(`SELECT COUNT(*) FROM shadow_findings WHERE policy_id = 'activity.mass_file_export' AND resource_id = 'user_2' AND policy_version > 0`); got != 1 {
		t.Errorf("%d shadow findings, want the one about the person", got)
	}
}
