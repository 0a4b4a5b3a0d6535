package policy

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/outband/outband/dlp"
)

func metered(t *testing.T, m *Meter, overrides ...Override) *Set {
	t.Helper()
	var all []*Policy
	for id, when := range map[string]string{"content.card": `count("financial.card", 0.6) > 0`, "content.twenty": `distinct("contact.email") >= 2`, "content.broken": `activity.fields["none"] == "x"`} {
		all = append(all, &Policy{ID: id, Version: 1, Title: id, Severity: SeverityHigh, Kind: KindContent, Mode: ModeOn, On: On{Items: []string{"message"}}, When: when})
	}
	set, err := Compile(all, overrides, nil)
	if err != nil {
		t.Fatal(err)
	}
	set.Measure(m)
	return set
}

var card = Input{Item: Item{Kind: "message"}, Matches: []dlp.Match{{Detector: "financial.card", Confidence: 0.9}, {Detector: "contact.email", Value: "a"}, {Detector: "contact.email", Value: "b"}}}

func TestAMeterCountsAcrossSets(t *testing.T) {
	var m Meter
	first := metered(t, &m)
	for range 3 {
		first.Evaluate(card, Lookups{})
	}
	shadow := metered(t, &m, Override{PolicyID: "content.card", Mode: ModeShadow}, Override{PolicyID: "content.twenty", Paused: true})
	decisions, _ := shadow.Evaluate(card, Lookups{})
	for _, d := range decisions {
		if d.Shadow != (d.PolicyID == "content.card") || d.Paused != (d.PolicyID == "content.twenty") {
			t.Errorf("decision %+v", d)
		}
	}
	first.Evaluate(Input{Item: Item{Kind: "file"}}, Lookups{}) // No policy looks at it.
	got := m.Take()
	want := map[string]Usage{
		"content.card":   {Evaluations: 4, Decisions: 4, Shadow: 1},
		"content.twenty": {Evaluations: 4, Decisions: 4, Held: 1},
		"content.broken": {Evaluations: 4, Failures: 4},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(Usage{}, "Time", "Asking")); diff != "" {
		t.Errorf("usage (-want +got):\n%s", diff)
	}
	for id, u := range got {
		if u.Time <= 0 {
			t.Errorf("%s took %s", id, u.Time)
		}
	}
	if got := m.Take(); len(got) != 0 {
		t.Errorf("taken twice: %v", got)
	}
}

func TestAMeterTellsTheTimeOfTheStoreApart(t *testing.T) {
	var m Meter
	set, err := Compile([]*Policy{{ID: "activity.many", Version: 1, Title: "Many", Severity: SeverityLow, Kind: KindActivity, Mode: ModeOn, On: On{Activities: []string{"x"}}, When: `recent("x", "actor", duration("1h")) > 5`}}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	set.Measure(&m)
	const wait = 20 * time.Millisecond
	set.Evaluate(Input{Item: Item{Kind: "activity"}, Activity: Activity{Type: "x"}}, Lookups{Recent: func(string, string, time.Duration) (int64, error) {
		time.Sleep(wait)
		return 0, nil
	}})
	got := m.Take()["activity.many"]
	if got.Evaluations != 1 || got.Asking < wait || got.Time < got.Asking || got.Time-got.Asking > wait {
		t.Errorf("a slow store gives %+v", got)
	}
}

func TestAPauseIsAnotherVersionAndNotOfALockedPolicy(t *testing.T) {
	var m Meter
	plain, paused := metered(t, &m), metered(t, &m, Override{PolicyID: "content.card", Paused: true})
	if plain.Version() == paused.Version() {
		t.Error("a paused policy decides as one that is not")
	}
	for _, e := range paused.Policies() {
		if e.Paused != (e.Policy.ID == "content.card") || e.Mode != ModeOn {
			t.Errorf("in force: %s paused %t, mode %s", e.Policy.ID, e.Paused, e.Mode)
		}
	}
	if err := CheckOverride(&Policy{ID: "a", Locked: true}, Override{Paused: true}); err == nil {
		t.Error("a locked policy was paused")
	}
}

func TestAskAsksOnePolicy(t *testing.T) {
	var m Meter
	set := metered(t, &m)
	d, decided := set.Ask("content.twenty", card, Lookups{})
	if !decided || len(d.Evidence) != 2 {
		t.Errorf("asked about two addresses: %+v, %t", d, decided)
	}
	less := card
	less.Matches = card.Matches[:2]
	if _, decided := set.Ask("content.twenty", less, Lookups{}); decided {
		t.Error("one address is enough for two")
	}
	if _, decided := set.Ask("content.none", card, Lookups{}); decided {
		t.Error("a policy that is not there decided")
	}
	if _, decided := set.Ask("content.card", Input{Item: Item{Kind: "file"}, Matches: card.Matches}, Lookups{}); decided {
		t.Error("a policy decided about a kind that it does not look at")
	}
	if got := m.Take(); len(got) != 0 {
		t.Errorf("it counted %v", got)
	}
}
