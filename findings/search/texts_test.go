package search

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outband/outband/findings"
	"github.com/outband/outband/findings/filter"
	"github.com/outband/outband/findings/token"
	"github.com/outband/outband/internal/store"
)

// TestTermsFollowTheLog asks for a word before and after findings gain and lose it.
func TestTermsFollowTheLog(t *testing.T) {
	db := open(t)
	r := New(db, testKeys)
	total := func(query string) int64 {
		t.Helper()
		f, err := r.Facets(context.Background(), filter.Filter{Query: query})
		if err != nil {
			t.Fatal(err)
		}
		return f.Total
	}
	a, b := base(1), base(2)
	add(t, db, a, b)
	if total("deploy") != 2 || total("renamed") != 0 {
		t.Error("at first")
	}
	asked := r.texts.entry(token.Term{Tokens: []string{"deploy"}}).docs
	a.name, a.detectors = "Renamed", append(a.detectors, "new.one") // A new instance writes the new name.
	c := base(300)
	add(t, db, a, c)
	if total("deploy") != 2 || total("renamed") != 1 || total("new.one") != 1 {
		t.Errorf("after changes: %d, %d, %d", total("deploy"), total("renamed"), total("new.one"))
	}
	if now := r.texts.entry(token.Term{Tokens: []string{"deploy"}}).docs; cmp.Equal(asked, now) {
		t.Error("the set was changed in place or not at all")
	}
	// What is far behind is asked anew.
	e := r.texts.entry(token.Term{Tokens: []string{"deploy"}})
	e.seq, e.docs = -reloadAfter, bits{^uint64(0)}
	if total("deploy") != 2 {
		t.Errorf("asked anew: %d", total("deploy"))
	}
}

func TestTermsAreForgotten(t *testing.T) {
	x := texts{held: map[string]*text{}}
	term := func(i int) token.Term { return token.Term{Tokens: []string{fmt.Sprint("w", i)}} }
	first := x.entry(term(0))
	for i := range maxTexts - 1 {
		x.entry(term(i + 1))
	}
	if x.entry(term(0)) != first {
		t.Error("a term was forgotten too early")
	}
	x.entry(term(maxTexts))
	if len(x.held) != maxTexts || x.entry(term(0)) != first {
		t.Error("one that was used just now was forgotten, or too many are held")
	}
	if x.entry(token.Term{Tokens: []string{"w0"}, Prefix: true}) == first || x.entry(token.Term{Tokens: []string{"w0", "w1"}}) == first {
		t.Error("other terms share a set")
	}
}

func TestBits(t *testing.T) {
	var b bits
	for _, i := range []int{0, 63, 64, 200} {
		b.put(i, true)
	}
	b.put(63, false)
	for i, want := range map[int]bool{0: true, 1: false, 63: false, 64: true, 200: true, 201: false, 1 << 20: false} {
		if b.has(i) != want {
			t.Errorf("%d: %v", i, !want)
		}
	}
}

// TestManyAtOnePlace pages through more findings of one moment than the columns choose from: the database does it then.
func TestManyAtOnePlace(t *testing.T) {
	db := open(t)
	if err := db.Write(context.Background(), func(tx *store.Tx) error {
		_, err := tx.Exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
			INSERT INTO findings (workspace_id, id, policy_id, policy_version, kind, severity, status, source, title, connection_id, connector, resource_kind, resource_id, resource_name,
				resource_url, actor_key, first_seen_at, last_seen_at, occurred_at, last_occurred_at, detectors, instance_count, finding_seq, last_seq, tokens)
			SELECT 'default', printf('fnd_%06d', i), 'p', 1, 'content', CASE i % 2 WHEN 0 THEN 'high' ELSE 'low' END, 'open', 'present', '', 'con_a', 'claude', 'chat', 'c' || i, '', '', '',
				1000 + i / 6000, 0, 0, 0, '', 1, 1, 1, '' FROM n`, 3*maxChosen+10)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	r := New(db, testKeys)
	for _, sort := range []string{"first_seen_at", "-first_seen_at", "title"} {
		all := listAll(t, r, Query{Limit: MaxLimit, Sort: sort})
		want := []string{}
		for _, x := range all {
			if x.Severity == "high" {
				want = append(want, x.ID)
			}
		}
		got := []string{}
		for _, x := range listAll(t, r, Query{Filter: filter.Filter{Severity: []string{"high"}}, Limit: MaxLimit, Sort: sort}) {
			got = append(got, x.ID)
		}
		if diff := cmp.Diff(want, got); diff != "" || len(want) != (3*maxChosen+10)/2 {
			t.Errorf("%s: %d findings (-all +filtered):\n%s", sort, len(want), diff)
		}
	}
}

// TestAPageLeavesOutWhatChangedSince changes a finding between the choice of the columns and the reading of the rows.
func TestAPageLeavesOutWhatChangedSince(t *testing.T) {
	db := open(t)
	r := New(db, testKeys)
	add(t, db, base(1))
	add(t, db, base(2))
	if err := r.Load(context.Background()); err != nil {
		t.Fatal(err)
	}
	// A change without a row in the log: the columns do not know it.
	if err := db.Write(context.Background(), func(tx *store.Tx) error {
		_, err := tx.Exec(`UPDATE findings SET status = $1 WHERE resource_id = 'c001'`, findings.StatusResolved)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	page, err := r.List(context.Background(), Query{Filter: filter.Filter{Status: []string{findings.StatusOpen}}})
	if err != nil || len(page.Items) != 1 || page.Items[0].Resource.ID != "c002" || page.NextCursor != "" {
		t.Errorf("%+v, %v", page, err)
	}
	// The page is short, and the list goes on all the same.
	page, err = r.List(context.Background(), Query{Filter: filter.Filter{Status: []string{findings.StatusOpen}}, Sort: "first_seen_at", Limit: 1})
	if err != nil || len(page.Items) != 0 || page.NextCursor == "" {
		t.Errorf("%+v, %v", page, err)
	}
}
