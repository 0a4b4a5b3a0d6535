package workflows

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/outband/outband/dlp"
	"github.com/outband/outband/dlp/policy"
	"github.com/outband/outband/findings"
	"github.com/outband/outband/internal/store"
)

const (
	cardPolicy = "content.card_numbers"
	otherCard  = "4539 5787 6362 1486"
)

// except makes an exception that is active for an hour, and takes it over.
func (b *bench) except(e store.Exception) store.Exception {
	b.t.Helper()
	e.Owner, e.Reason = "usr_1", "A test."
	if e.ExpiresAt.IsZero() {
		e.ExpiresAt = b.now.Add(time.Hour)
	}
	check(b.t, b.DB.Write(b.t.Context(), func(tx *store.Tx) (err error) {
		e, err = store.CreateException(b.t.Context(), tx, e)
		return err
	}))
	check(b.t, b.Rules.Reload(b.t.Context()))
	return e
}

// suppressed is how many units an exception kept from making a finding.
func (b *bench) suppressed(e store.Exception) int64 {
	b.t.Helper()
	got, err := store.GetException(b.t.Context(), b.DB.Read(), e.ID)
	check(b.t, err)
	return got.Suppressed
}

// found returns the number of findings and instances of a policy about a resource.
func (b *bench) instances(policyID, resourceID string) (n int) {
	b.t.Helper()
	return b.count(`SELECT COUNT(*) FROM instances i JOIN findings f ON f.id = i.finding_id WHERE f.policy_id = $1 AND f.resource_id = $2`, policyID, resourceID)
}

func TestAnExceptionKeepsAPolicyFromFinding(t *testing.T) {
	b := newBench(t)
	b.app.chat("before", b.now, "pay with card "+otherCard)
	check(t, b.live("chats"))
	var person, fingerprint string
	check(t, b.DB.Read().QueryRowContext(t.Context(), `SELECT f.actor_key, i.fingerprint FROM findings f JOIN instances i ON i.finding_id = f.id WHERE f.policy_id = $1`, cardPolicy).Scan(&person, &fingerprint))

	for _, tc := range []struct {
		name  string
		scope store.Exception
		want  bool // it keeps the policy from finding the card
	}{
		{"the whole policy", store.Exception{PolicyID: cardPolicy}, true},
		{"another policy", store.Exception{PolicyID: "content.iban"}, false},
		{"the connection", store.Exception{PolicyID: cardPolicy, ConnectionID: b.connection.ID}, true},
		{"another connection", store.Exception{PolicyID: cardPolicy, ConnectionID: "con_other"}, false},
		{"the resource", store.Exception{PolicyID: cardPolicy, ResourceKind: "chat", ResourceID: "the resource"}, true},
		{"another resource", store.Exception{PolicyID: cardPolicy, ResourceKind: "chat", ResourceID: "another"}, false},
		{"another kind of resource", store.Exception{PolicyID: cardPolicy, ResourceKind: "project"}, false},
		{"the person", store.Exception{PolicyID: cardPolicy, ActorKeys: []string{"act_other", person}}, true},
		{"another person", store.Exception{PolicyID: cardPolicy, ActorKeys: []string{"act_other"}}, false},
		{"the detector", store.Exception{PolicyID: cardPolicy, Detector: "financial.*"}, true},
		{"another detector", store.Exception{PolicyID: cardPolicy, Detector: "secret.*"}, false},
		{"the value", store.Exception{PolicyID: cardPolicy, Fingerprint: fingerprint}, true},
		{"another value", store.Exception{PolicyID: cardPolicy, Fingerprint: "k1:00"}, false},
		{"the value in another connection", store.Exception{PolicyID: cardPolicy, Fingerprint: fingerprint, ConnectionID: "con_other"}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b.t = t
			b.now = b.now.Add(time.Minute)
			e := b.except(tc.scope)
			b.app.chat(tc.name, b.now, "pay with card "+otherCard, "nothing here", "once more "+otherCard+" by card")
			check(t, b.live("chats"))
			found, want := b.instances(cardPolicy, tc.name), 0
			if !tc.want {
				want = 2
			}
			if found != want {
				t.Errorf("%d instances, want %d", found, want)
			}
			if n := b.suppressed(e); n != int64(2-want) {
				t.Errorf("suppressed %d units, want %d", n, 2-want)
			}
			check(t, b.DB.Write(t.Context(), func(tx *store.Tx) error { return store.RevokeException(t.Context(), tx, e.ID, "usr_1") }))
			check(t, b.Rules.Reload(t.Context()))
			b.now = b.now.Add(time.Minute)
			b.app.chat(tc.name, b.now, "pay with card "+otherCard, "nothing here", "once more "+otherCard+" by card", "and more")
			check(t, b.live("chats"))
			if n := b.instances(cardPolicy, tc.name); n != 2 {
				t.Errorf("%d instances after it was revoked, want 2", n)
			}
		})
	}
}

func TestAValueThatIsExceptedLeavesTheOthers(t *testing.T) {
	b := newBench(t)
	b.app.chat("before", b.now, "pay with card "+otherCard)
	check(t, b.live("chats"))
	var fingerprint string
	check(t, b.DB.Read().QueryRowContext(t.Context(), `SELECT fingerprint FROM instances WHERE detector = 'financial.card'`).Scan(&fingerprint))
	e := b.except(store.Exception{PolicyID: cardPolicy, Fingerprint: fingerprint})
	b.app.chat("both", b.now, "pay with card "+otherCard+" or with card "+card)
	check(t, b.live("chats"))
	if n := b.count(`SELECT COUNT(*) FROM instances i JOIN findings f ON f.id = i.finding_id WHERE f.policy_id = $1 AND f.resource_id = 'both' AND i.fingerprint <> $2`, cardPolicy, fingerprint); n != 1 {
		t.Errorf("%d instances of the other card, want 1", n)
	}
	if n := b.instances(cardPolicy, "both"); n != 1 || b.suppressed(e) != 1 {
		t.Errorf("%d instances, %d suppressed; want one of each", n, b.suppressed(e))
	}
	// A list of which every address is excepted, and the list with them, is none.
	b.except(store.Exception{PolicyID: "content.email_list", Detector: "contact.*"})
	b.app.chat("list", b.now, addresses(20))
	check(t, b.live("chats"))
	if n := b.count(`SELECT COUNT(*) FROM findings WHERE policy_id = 'content.email_list'`); n != 0 {
		t.Errorf("%d findings of a list whose addresses are excepted", n)
	}
}

// Within of a profile is about one text, and each match that is left stays in its own.
func TestWhatAnExceptionLeavesStandsInItsTexts(t *testing.T) {
	b := newBench(t)
	check(t, b.DB.Write(t.Context(), func(tx *store.Tx) error {
		return store.SaveProfile(t.Context(), tx, 0, store.Profile{ID: "pci", By: "usr_1", YAML: "id: pci\ntitle: Two near each other\ndetectors: [\"financial.card\", \"financial.iban\"]\nmin_kinds: 2\nwithin: 100\n"})
	}))
	check(t, b.Rules.Reload(t.Context()))
	p := &page{Activities: b.Activities, rules: b.Rules.Current()}
	matches := []dlp.Match{{Detector: "secret.aws_key"}, {Detector: "financial.card", Confidence: 0.9, Value: "a"}, {Detector: "financial.iban", Confidence: 0.9, Value: "b"}}
	x := excepted{matches: map[int]string{0: "exc_1"}}
	for _, tc := range []struct {
		texts []int
		want  bool
	}{{[]int{1, 1, 1}, true}, {[]int{1, 2, 2}, true}, {[]int{1, 1, 2}, false}, {[]int{2, 1, 2}, false}} {
		in := policy.Input{Item: policy.Item{Kind: "message"}, Matches: matches, Texts: tc.texts}
		d, still := p.without(x, policy.Decision{PolicyID: cardPolicy}, in, policy.Lookups{})
		if still != tc.want || still && !slices.Equal(d.Evidence, []int{1, 2}) {
			t.Errorf("texts %v: %v with the evidence %v", tc.texts, still, d.Evidence)
		}
	}
}

func addresses(n int) (out string) {
	for i := range n {
		out += string(rune('a'+i)) + "nna.weber@harbour-mail.de "
	}
	return out
}

func TestAnExceptionExpires(t *testing.T) {
	b := newBench(t)
	e := b.except(store.Exception{PolicyID: cardPolicy, ExpiresAt: b.now.Add(time.Minute)})
	b.app.chat("a", b.now, "pay with card "+otherCard)
	check(t, b.live("chats"))
	b.now = b.now.Add(time.Minute) // Nobody asked the store again: the index itself knows the end.
	b.app.chat("b", b.now, "pay with card "+otherCard)
	check(t, b.live("chats"))
	if n := b.instances(cardPolicy, "a"); n != 0 || b.suppressed(e) != 1 {
		t.Errorf("%d instances while it was active, %d suppressed", n, b.suppressed(e))
	}
	if n := b.instances(cardPolicy, "b"); n != 1 {
		t.Errorf("%d instances after it expired, want 1", n)
	}
}

func TestALockedPolicyAdmitsNoException(t *testing.T) {
	b := newBench(t)
	const locked = "activity.foreign_key_use"
	for _, e := range b.Rules.Current().Policies() {
		if e.Policy.ID == locked && !e.Policy.Locked {
			t.Fatalf("%s is not locked", locked)
		}
	}
	b.except(store.Exception{PolicyID: locked})
	if n := len(b.Rules.exceptions.Load().byPolicy[locked]); n != 0 {
		t.Errorf("a locked policy has %d exceptions in force", n)
	}
}

func TestPostureIsJudgedAgainWhenAnExceptionEnds(t *testing.T) {
	b := newBench(t)
	b.posture()
	b.users(user("a", "owner"), user("b", "owner"))
	e := b.except(store.Exception{PolicyID: isOwner, ResourceKind: "user", ResourceID: "a", ExpiresAt: b.now.Add(48 * time.Hour)})
	b.snapshot()
	b.equal("under the exception", []string(nil), b.log(isOwner, "a"))
	b.equal("beside it", []string{opened}, b.log(isOwner, "b"))
	b.snapshot()
	if n := b.suppressed(e); n != 1 {
		t.Errorf("suppressed %d units in two runs, want 1", n)
	}
	check(t, b.DB.Write(t.Context(), func(tx *store.Tx) error { return store.RevokeException(t.Context(), tx, e.ID, "usr_1") }))
	check(t, b.JudgePosture(t.Context()))
	b.equal("after it was revoked, without a snapshot", []string{opened}, b.log(isOwner, "a"))

	// One that expires is noticed at the next scan, without a change by a person.
	b.except(store.Exception{PolicyID: lonelyOwner, ExpiresAt: b.now.Add(13 * time.Hour)})
	b.users(user("a", "owner"))
	b.snapshot()
	b.snapshot()
	b.equal("a late policy under an exception", []string(nil), b.log(lonelyOwner, "a"))
	b.now = b.now.Add(2 * time.Hour)
	b.judgeBriefly(t.Context(), b.connection, b.scan.ID)
	b.equal("after it expired", []string{opened}, b.log(lonelyOwner, "a"))
}

func TestAFindingUnderANewExceptionStaysAsItIs(t *testing.T) {
	b := newBench(t)
	b.posture()
	b.users(user("a", "owner"))
	b.snapshot()
	e := b.except(store.Exception{PolicyID: isOwner, ResourceID: "a", ExpiresAt: b.now.Add(48 * time.Hour)})
	b.snapshot()
	b.equal("the cause is still there", []string{opened}, b.log(isOwner, "a"))
	check(t, b.DB.Write(t.Context(), func(tx *store.Tx) error {
		n, err := findings.AcceptUnder(context.WithoutCancel(t.Context()), tx, e, "usr_1")
		if n != 1 {
			t.Errorf("accepted %d findings, want 1", n)
		}
		return err
	}))
	b.equal("accepted", []string{opened, "closed: exception " + e.ID}, b.log(isOwner, "a"))
	b.users(user("a", "member"))
	b.snapshot()
	b.users(user("a", "owner"))
	b.snapshot()
	b.equal("it comes back under the exception", []string{opened, "closed: exception " + e.ID}, b.log(isOwner, "a"))
}
