package authoring

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outband/outband/dlp"
	"github.com/outband/outband/dlp/policy"
	"github.com/outband/outband/internal/store"
	"github.com/outband/outband/internal/testserver"
)

const card = `id: custom.card
version: 1
title: A card of ours
severity: low
guide: Open {resource.url} and look.
on: {items: ["*"]}
when: count("financial.card") > 0
tests:
  - {name: a card, input: {matches: [{detector: financial.card}]}, want: true}
  - {name: none, input: {kind: message}, want: false}
`

// red is card with a test that fails.
var red = strings.Replace(card, "> 0", "> 1", 1)

type bench struct {
	*testing.T
	*Author
	change Change
}

func newBench(t *testing.T) bench {
	t.Helper()
	file, err := policy.Parse([]byte(strings.Replace(card, "custom.card", "file.card", 1)))
	if err != nil {
		t.Fatal(err)
	}
	a, err := New(testserver.Open(t), func() []string { return []string{"financial.card"} }, func(context.Context) ([]dlp.Profile, error) {
		return []dlp.Profile{{ID: "ours", Title: "Ours", Detectors: []string{"financial.card"}}}, nil
	}, []*policy.Policy{file})
	if err != nil {
		t.Fatal(err)
	}
	return bench{t, a, Change{By: "usr_a", Reason: "because", Audit: func(ctx context.Context, tx *store.Tx, action, object string, detail map[string]string) error {
		return store.AppendAudit(ctx, tx, "usr_a", action, object, detail)
	}}}
}

func (b bench) create(text string) (store.PolicyVersion, error) {
	return b.Create(b.Context(), []byte(text), b.change)
}

func (b bench) update(id string, seen int64, text string) (store.PolicyVersion, error) {
	return b.Update(b.Context(), id, seen, []byte(text), b.change)
}

func (b bench) is(err, want error) {
	b.Helper()
	if !errors.Is(err, want) {
		b.Errorf("got %v, want %v", err, want)
	}
}

func (b bench) stored(want ...string) {
	b.Helper()
	all, err := b.Export(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	var got []string
	for _, p := range all {
		got = append(got, fmt.Sprintf("%s %d", p.ID, p.Version))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		b.Errorf("stored (-want +got):\n%s", diff)
	}
}

func (b bench) audited(want ...string) {
	b.Helper()
	rows, err := store.ListAudit(b.Context(), b.db.Read(), 0, 100)
	if err != nil {
		b.Fatal(err)
	}
	var got []string
	for _, r := range rows {
		got = append([]string{r.Action + " " + r.Object + " " + r.Detail["version"]}, got...)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		b.Errorf("audited (-want +got):\n%s", diff)
	}
}

func TestAPolicyIsWrittenChangedAndRetired(t *testing.T) {
	b := newBench(t)
	v, err := b.create(card)
	b.is(err, nil)
	if v.Version != 1 || v.YAML != card {
		t.Errorf("created %+v", v)
	}
	changed := strings.Replace(card, "severity: low", "severity: high", 1)
	v, err = b.update("custom.card", 1, changed)
	b.is(err, nil)
	if v.Version != 2 || v.YAML != strings.Replace(changed, "version: 1", "version: 2", 1) {
		t.Errorf("updated %+v", v)
	}
	_, err = b.update("custom.card", 1, changed)
	b.is(err, store.ErrChanged)
	v, err = b.update("custom.card", 2, strings.Replace(card, "version: 1", "version: 9", 1))
	b.is(err, nil)
	if v.Version != 9 {
		t.Errorf("a number of its own became %d", v.Version)
	}
	b.is(b.db.Write(t.Context(), func(tx *store.Tx) error {
		return store.PutOverride(t.Context(), tx, store.Override{Kind: "policy", ID: "custom.card", Mode: "off"}, "usr_a")
	}), nil)
	b.is(b.Delete(t.Context(), "custom.card", 2, b.change), store.ErrChanged)
	b.is(b.Delete(t.Context(), "custom.card", 9, b.change), nil)
	b.stored()
	if overrides, err := store.Overrides(t.Context(), b.db.Read()); err != nil || len(overrides) > 0 {
		t.Errorf("overrides %v, %v: a new policy of that id would be off", overrides, err)
	}
	b.is(b.Delete(t.Context(), "custom.card", 10, b.change), store.ErrNotFound)
	_, err = b.update("custom.card", 10, card)
	b.is(err, store.ErrNotFound)
	v, err = b.create(card) // An old version comes back as a new one.
	b.is(err, nil)
	if v.Version != 11 {
		t.Errorf("the policy came back as version %d", v.Version)
	}
	versions, err := store.PolicyVersions(t.Context(), b.db.Read(), "custom.card", 0, 10)
	if err != nil || len(versions) != 5 || !versions[1].Retired || versions[1].Reason != "because" || versions[1].By != "usr_a" {
		t.Errorf("versions %+v, %v", versions, err)
	}
	b.audited("policy.create custom.card 1", "policy.update custom.card 2", "policy.update custom.card 9", "policy.delete custom.card 10", "policy.create custom.card 11")
}

func TestWhatIsRefusedIsNotStored(t *testing.T) {
	b := newBench(t)
	for name, text := range map[string]string{
		"a red test": red, "no YAML": "id: [", "an expression that does not compile": strings.Replace(card, "count(", "cuont(", 1),
		"a detector that is not there": strings.ReplaceAll(card, "financial.card", "financial.none"),
		"what could cost too much":     strings.Replace(card, `count("financial.card") > 0`, `'activity.fields.exists(k, activity.fields.exists(l, k + l == "x"))'`, 1),
	} {
		_, err := b.create(text)
		var refused *Refused
		if !errors.As(err, &refused) || len(refused.Verdicts[0].Issues) == 0 || refused.Verdicts[0].Issues[0].Line == 0 {
			t.Errorf("%s: %v, want a refusal with a place", name, err)
		}
	}
	_, err := b.create(strings.Replace(card, "custom.card", "content.card_numbers", 1))
	b.is(err, ErrTaken)
	_, err = b.create(strings.Replace(card, "custom.card", "file.card", 1))
	b.is(err, ErrTaken)
	_, err = b.update("content.card_numbers", 1, card)
	b.is(err, ErrReadOnly)
	b.is(b.Delete(t.Context(), "file.card", 1, b.change), ErrReadOnly)
	_, err = b.update("custom.none", 1, card)
	b.is(err, store.ErrNotFound)
	b.stored()
	b.audited()

	_, err = b.create(card)
	b.is(err, nil)
	_, err = b.create(card)
	b.is(err, ErrTaken)
	_, err = b.update("custom.card", 1, red)
	b.is(err, ErrRefused)
	_, err = b.update("custom.card", 1, strings.Replace(card, "custom.card", "custom.other", 1))
	b.is(err, ErrRefused)
	b.stored("custom.card 1")
	b.audited("policy.create custom.card 1")
}

func TestWithoutItsAuditRowNothingIsSaved(t *testing.T) {
	b := newBench(t)
	broken := errors.New("no room")
	b.change.Audit = func(context.Context, *store.Tx, string, string, map[string]string) error { return broken }
	_, err := b.create(card)
	b.is(err, broken)
	b.stored()
}

func TestCheckKnowsTheOtherPolicies(t *testing.T) {
	b := newBench(t)
	_, err := b.create(card)
	b.is(err, nil)
	for _, tc := range []struct{ name, text, id, want string }{
		{"a new version", card, "custom.card", ""},
		{"a new policy", strings.Replace(card, "custom.card", "custom.new", 1), "", ""},
		{"the id of a custom policy", card, "", "already"},
		{"the id of a file", strings.Replace(card, "custom.card", "file.card", 1), "", "policies.dir"},
		{"another id", strings.Replace(card, "custom.card", "custom.new", 1), "custom.card", "the id of a policy stays"},
		{"a red test", red, "custom.card", `test "a card" gave false, want true`},
		{"a profile that an author made", strings.Replace(card, `count("financial.card") > 0`, `profile("ours")`, 1), "custom.card", ""},
		{"a profile that there is not", strings.Replace(card, `count("financial.card") > 0`, `profile("theirs")`, 1), "custom.card", `there is no profile "theirs"; there are ours`},
	} {
		v, err := b.Check(t.Context(), []byte(tc.text), tc.id)
		b.is(err, nil)
		if tc.want == "" && len(v.Issues) > 0 || tc.want != "" && (len(v.Issues) != 1 || !strings.Contains(v.Issues[0].Message, tc.want)) {
			t.Errorf("%s: issues %v, want %q", tc.name, v.Issues, tc.want)
		}
	}
	b.stored("custom.card 1")
}

func TestAnImportIsAllOrNothing(t *testing.T) {
	b := newBench(t)
	_, err := b.create(card)
	b.is(err, nil)
	_, err = b.update("custom.card", 1, card)
	b.is(err, nil)
	other := strings.Replace(card, "custom.card", "custom.other", 1)
	louder := strings.Replace(card, "severity: low", "severity: high", 1)
	for _, tc := range []struct {
		name   string
		files  []string
		dry    bool
		want   []string
		err    error
		stored []string
	}{
		{"only tried", []string{card, other}, true, []string{"custom.card unchanged 2", "custom.other created 1"}, nil, []string{"custom.card 2"}},
		{"with one that is red", []string{other, red}, false, []string{"custom.other created 1", "custom.card refused 0"}, ErrRefused, []string{"custom.card 2"}},
		{"with one twice", []string{other, other}, false, []string{"custom.other created 1", "custom.other refused 0"}, ErrRefused, []string{"custom.card 2"}},
		{"with a built-in one", []string{strings.Replace(card, "custom.card", "content.card_numbers", 1)}, false, []string{"content.card_numbers refused 0"}, ErrRefused, []string{"custom.card 2"}},
		{"whole", []string{louder, other}, false, []string{"custom.card updated 3", "custom.other created 1"}, nil, []string{"custom.card 3", "custom.other 1"}},
		{"once more", []string{louder, other}, false, []string{"custom.card unchanged 3", "custom.other unchanged 1"}, nil, []string{"custom.card 3", "custom.other 1"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b.T = t
			var files [][]byte
			for _, f := range tc.files {
				files = append(files, []byte(f))
			}
			report, err := b.Import(t.Context(), files, tc.dry, b.change)
			b.is(err, tc.err)
			var got []string
			for _, i := range report {
				got = append(got, fmt.Sprintf("%s %s %d", i.ID, i.Outcome, i.Version))
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("report (-want +got):\n%s", diff)
			}
			b.stored(tc.stored...)
		})
	}
	b.T = t
	all, err := b.Export(t.Context())
	b.is(err, nil)
	var files [][]byte
	for _, d := range policy.Split(policy.Join([][]byte{[]byte(all[0].YAML), []byte(all[1].YAML)})) {
		files = append(files, d.Data)
	}
	report, err := b.Import(t.Context(), files, false, b.change)
	if err != nil || len(report) != 2 || report[0].Outcome != OutcomeUnchanged || report[1].Outcome != OutcomeUnchanged {
		t.Errorf("what was exported comes in as %+v, %v", report, err)
	}
}

func TestThereAreOnlySoManyPolicies(t *testing.T) {
	b := newBench(t)
	var files [][]byte
	for i := range MaxPolicies {
		files = append(files, []byte(strings.Replace(card, "custom.card", fmt.Sprintf("custom.card_%d", i), 1)))
	}
	_, err := b.Import(t.Context(), files, false, b.change)
	b.is(err, nil)
	_, err = b.create(card)
	b.is(err, ErrRefused)
}
