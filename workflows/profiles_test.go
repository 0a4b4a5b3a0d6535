package workflows

import (
	"testing"

	"github.com/outband/outband/dlp/policy"
	"github.com/outband/outband/internal/store"
)

func TestAProfileThatAnotherProcessChangedIsFollowed(t *testing.T) {
	b := newBench(t)
	digest := func() string {
		for _, e := range b.Rules.Current().Policies() {
			if e.Policy.ID == "content.card_numbers" {
				return e.Profiles["pci"]
			}
		}
		return ""
	}
	save := func(seen int64, p store.Profile) {
		t.Helper()
		p.ID, p.By = "pci", "usr_1"
		check(t, b.DB.Write(t.Context(), func(tx *store.Tx) error { return store.SaveProfile(t.Context(), tx, seen, p) }))
		b.Rules.asked = b.Rules.asked.Add(-followEvery)
		check(t, b.Rules.Follow(t.Context()))
	}
	shipped, version := digest(), b.Rules.Current().Version()
	save(0, store.Profile{YAML: "id: pci\ntitle: Ours\ndetectors: [\"financial.card\"]\nmin_matches: 3\n"})
	if changed := digest(); changed == shipped || changed == "" || b.Rules.Current().Version() == version {
		t.Error("the changed profile is not in force, or what was scanned would not be scanned again")
	}
	save(1, store.Profile{YAML: "no profile"})
	if digest() != shipped {
		t.Error("a profile that cannot be read is not replaced by the one that is shipped")
	}
	save(2, store.Profile{YAML: "id: pci\ntitle: Ours\ndetectors: [\"financial.card\"]\nmin_matches: 4\n"})
	save(3, store.Profile{Removed: true})
	if digest() != shipped || b.Rules.Current().Version() != version {
		t.Error("removing the copy did not bring the built-in profile back")
	}
	for _, e := range b.Rules.Current().Policies() {
		if e.Mode == policy.ModeOff && e.Policy.ID == "content.card_numbers" {
			t.Error("the policy went off")
		}
	}
}
