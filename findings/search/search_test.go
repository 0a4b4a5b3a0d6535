package search

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/outband/outband/dlp"
	"github.com/outband/outband/dlp/place"
	"github.com/outband/outband/findings"
	"github.com/outband/outband/findings/cursor"
	"github.com/outband/outband/findings/filter"
	"github.com/outband/outband/internal/store"
	"github.com/outband/outband/internal/store/storetest"
	"github.com/outband/outband/internal/testserver"
)

var testKeys = findings.Keys{ID: []byte("0123456789abcdef0123456789abcdef")}

var start = time.Date(2026, 11, 21, 18, 0, 0, 0, time.UTC)

// open opens a new store whose clock moves by a second at each look.
func open(t testing.TB) *store.DB {
	t.Helper()
	return ticking(testserver.Open(t))
}

func ticking(db *store.DB) *store.DB {
	now := start
	db.SetClock(func() time.Time { now = now.Add(time.Second); return now })
	return db
}

// openAt opens a new store in a file.
func openAt(t testing.TB) (*store.DB, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "outband.db")
	return ticking(storetest.Open(t, path)), path
}

// fewerChecks keeps a property that writes to a database short under the race detector; -rapid.checks given by hand wins.
func fewerChecks(t *testing.T) {
	if f := flag.Lookup("rapid.checks"); f.Value.String() == f.DefValue {
		if err := f.Value.Set("25"); err != nil {
			t.Fatal(err)
		}
	}
}

type fataler interface {
	Helper()
	Fatal(...any)
}

// fact is what the tests vary about a finding.
type fact struct {
	id                                         int
	severity, kind, policy, connection, chat   string
	name, title, email, vendorID, resourceKind string
	detectors                                  []string
}

func (f fact) detection() findings.Detection {
	d := findings.Detection{PolicyID: f.policy, PolicyVersion: 1, Kind: f.kind, Severity: f.severity, Title: f.title,
		Resource: findings.Resource{Kind: f.resourceKind, ID: f.chat, Name: f.name, URL: "https://app.example/" + f.chat},
		Actor:    findings.Actor{ID: f.vendorID, Email: f.email, Type: "user"}, OccurredAt: start.Add(-time.Hour)}
	for i, detector := range f.detectors {
		d.Instances = append(d.Instances, findings.NewInstance{Resource: findings.Ref{Kind: "message", ID: "m" + f.chat}, Part: "user_text", Path: "content/0",
			Match: dlp.Match{Detector: detector, Where: place.Location{Sheet: "Plan", Cell: "B2", Hidden: true}, Column: 7, Start: i, End: i + 1, Masked: "AKIA****", Value: fmt.Sprint(i), Fingerprint: fmt.Sprint("k1:", i)}})
	}
	return d
}

func add(t fataler, db *store.DB, facts ...fact) {
	t.Helper()
	if err := db.Write(context.Background(), func(tx *store.Tx) error {
		for _, f := range facts {
			if _, err := findings.CommitItem(context.Background(), tx, testKeys, findings.Commit{ConnectionID: f.connection, Connector: "claude", Detections: []findings.Detection{f.detection()}}); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

func base(n int) fact {
	return fact{id: n, severity: "high", kind: "content", policy: "secrets", connection: "con_a", chat: fmt.Sprintf("c%03d", n), name: "Deploy help", title: "Secret in a chat",
		email: "dana.ruiz@corp.example", vendorID: "user_1", resourceKind: "chat", detectors: []string{"secret.aws"}}
}

func listAll(t fataler, r *Reader, q Query) []findings.Finding {
	t.Helper()
	var out []findings.Finding
	for {
		page, err := r.List(context.Background(), q)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, page.Items...)
		if q.Cursor = page.NextCursor; q.Cursor == "" {
			return out
		}
	}
}

// TestPagingIsCompleteUnderInserts pages both ways while every page brings new findings: all that stood there at the beginning come, once.
func TestPagingIsCompleteUnderInserts(t *testing.T) {
	for _, sort := range []string{"first_seen_at", "-first_seen_at"} {
		t.Run(sort, func(t *testing.T) {
			db := open(t)
			r := New(db, testKeys)
			for i := range 4 {
				// Some share a transaction, so they share their time.
				add(t, db, base(3*i), base(3*i+1), base(3*i+2))
			}
			want := map[string]bool{}
			for _, x := range listAll(t, r, Query{Sort: sort}) {
				want[x.ID] = true
			}
			seen := map[string]int{}
			q := Query{Sort: sort, Limit: 2}
			for n := 100; ; n++ {
				page, err := r.List(context.Background(), q)
				if err != nil {
					t.Fatal(err)
				}
				for _, x := range page.Items {
					seen[x.ID]++
				}
				if n < 120 {
					add(t, db, base(n))
				}
				if q.Cursor = page.NextCursor; q.Cursor == "" {
					break
				}
			}
			for id := range want {
				if seen[id] != 1 {
					t.Errorf("%s came %d times", id, seen[id])
				}
			}
			for id, n := range seen {
				if n != 1 {
					t.Errorf("%s came %d times", id, n)
				}
			}
		})
	}
}

func TestSortsAndCursors(t *testing.T) {
	db := open(t)
	r := New(db, testKeys)
	for i, severity := range []string{"low", "critical", "info", "high", "medium"} {
		f := base(i)
		f.severity, f.policy, f.title = severity, "p"+severity, severity+" thing"
		add(t, db, f)
	}
	for _, key := range SortKeys() {
		up, down := listAll(t, r, Query{Sort: key, Limit: 2}), listAll(t, r, Query{Sort: "-" + key, Limit: 2})
		slices.Reverse(down)
		if len(up) != 5 {
			t.Errorf("%s: %d findings", key, len(up))
		}
		if diff := cmp.Diff(up, down); diff != "" {
			t.Errorf("%s is not the reverse of -%s:\n%s", key, key, diff)
		}
	}
	var got []string
	for _, x := range listAll(t, r, Query{Sort: "-severity", Limit: 1}) {
		got = append(got, x.Severity)
	}
	if diff := cmp.Diff(findings.Severities(), got); diff != "" {
		t.Errorf("by severity (-want +got):\n%s", diff)
	}
	page, err := r.List(context.Background(), Query{Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		q    Query
		want error
	}{
		"another sort":   {Query{Sort: "severity", Cursor: page.NextCursor}, ErrCursor},
		"another filter": {Query{Cursor: page.NextCursor, Filter: filter.Filter{Severity: []string{"low"}}}, ErrCursor},
		"no cursor":      {Query{Cursor: "x"}, ErrCursor},
		"no sort key":    {Query{Sort: "colour"}, ErrSort},
		"no severity":    {Query{Filter: filter.Filter{Severity: []string{"x"}}}, filter.ErrFilter},
	} {
		if _, err := r.List(context.Background(), tc.q); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFreeText(t *testing.T) {
	db := open(t)
	r := New(db, testKeys)
	a, b := base(1), base(2)
	b.name, b.email, b.vendorID, b.detectors = "四半期の計画 Q3", "kai@corp.example", "user_2", []string{"pci.card"}
	add(t, db, a, b)
	for query, want := range map[string][]string{
		"": {"c001", "c002"}, "deploy": {"c001"}, "DEPLOY help": {"c001"}, `"help deploy"`: nil, "dep*": {"c001"}, "dep": nil, "計画": {"c002"}, "画計": nil, "期": {"c002"},
		"secret.aws": {"c001"}, "pci.card": {"c002"}, "dana.ruiz@corp.example": {"c001"}, "kai deploy": nil, "kai 計画": {"c002"}, "corp": {"c001", "c002"}, "akia": {"c001", "c002"},
		"c002": {"c002"}, "!!!": nil, `") OR 1=1 --`: nil, "user_2": {"c002"}, "chat deploy": {"c001"},
	} {
		f := filter.Filter{Query: query}
		var got []string
		for _, x := range listAll(t, r, Query{Filter: f, Sort: "first_seen_at"}) {
			got = append(got, x.Resource.ID)
		}
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", query, diff)
		}
		facets, err := r.Facets(context.Background(), f)
		if err != nil || facets.Total != int64(len(want)) {
			t.Errorf("%q: facets count %d, %v", query, facets.Total, err)
		}
	}
	// Erasing a person is one row.
	if err := db.Write(context.Background(), func(tx *store.Tx) error {
		_, err := tx.Exec(`DELETE FROM actors WHERE vendor_id = 'user_1'`)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if got := listAll(t, r, Query{Filter: filter.Filter{Query: "ruiz"}}); len(got) != 0 {
		t.Error("an erased person is found")
	}
	if got := listAll(t, r, Query{Filter: filter.Filter{Query: "deploy"}}); len(got) != 1 || got[0].Actor != (findings.Person{}) {
		t.Errorf("got %+v", got)
	}
}

// TestFacetsEqualSQL compares facets, from the columns, with lists, from SQL, on random findings, changes and filters.
func TestFacetsEqualSQL(t *testing.T) {
	db := open(t)
	r := New(db, testKeys)
	pick := func(t *rapid.T, name string, from ...string) string { return rapid.SampledFrom(from).Draw(t, name) }
	n := 0
	fewerChecks(t)
	rapid.Check(t, func(t *rapid.T) {
		for range rapid.IntRange(0, 4).Draw(t, "new") {
			n++
			f := base(n)
			f.severity, f.kind, f.policy = pick(t, "severity", findings.Severities()...), pick(t, "kind", findings.Kinds()...), pick(t, "policy", "p1", "p2", "p3")
			f.connection, f.resourceKind, f.vendorID = pick(t, "connection", "con_a", "con_b"), pick(t, "resource", "chat", "file"), pick(t, "actor", "user_1", "user_2", "")
			f.email = f.vendorID + "@corp.example"
			f.detectors = rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a.x", "a.xy", "b.y"}), 1, 3, rapid.ID).Draw(t, "detectors")
			f.name = pick(t, "name", "alpha beta", "beta gamma", "gamma")
			add(t, db, f)
		}
		all := listAll(t, r, Query{Limit: MaxLimit})
		if len(all) > 0 && rapid.Bool().Draw(t, "triage") {
			change := findings.Change{FindingID: rapid.SampledFrom(all).Draw(t, "finding").ID, Status: pick(t, "status", findings.Statuses()...), Reason: "because"}
			if err := db.Write(context.Background(), func(tx *store.Tx) error {
				_, err := findings.SetStatus(context.Background(), tx, change)
				if errors.Is(err, findings.ErrTransition) {
					return nil
				}
				return err
			}); err != nil {
				t.Fatal(err)
			}
		}
		var f filter.Filter
		some := func(name string, from ...string) []string {
			return rapid.SliceOfNDistinct(rapid.SampledFrom(from), 0, 2, rapid.ID).Draw(t, "filter "+name)
		}
		f.Severity, f.Status, f.Kind, f.PolicyID = some("severity", findings.Severities()...), some("status", findings.Statuses()...), some("kind", findings.Kinds()...), some("policy", "p1", "p2", "p9")
		f.ConnectionID, f.Detector, f.ResourceKind = some("connection", "con_a", "con_b"), some("detector", "a.x", "b.y", "a"), some("resource", "chat", "file")
		if rapid.Bool().Draw(t, "by actor") {
			f.Actor = []string{"USER_2@corp.example"}
		}
		f.Query = pick(t, "query", "", "", "", "beta", "gam*", `"beta gamma"`)
		if len(all) > 0 && rapid.Bool().Draw(t, "range") {
			f.From = all[len(all)/2].FirstSeenAt
			f.To = all[0].FirstSeenAt + 1
		}
		facets, err := r.Facets(context.Background(), f)
		if err != nil {
			t.Fatal(err)
		}
		if want := int64(len(listAll(t, r, Query{Filter: f, Limit: MaxLimit}))); facets.Total != want {
			t.Fatal("total", facets.Total, "want", want)
		}
		for i, name := range filter.Fields() {
			if name == "actor" {
				continue
			}
			without := f
			*without.Values()[i] = nil
			want := map[string]int64{}
			for _, x := range listAll(t, r, Query{Filter: without, Limit: MaxLimit}) {
				for _, v := range [][]string{{x.Severity}, {x.Status}, {x.Kind}, {x.Source}, {x.PolicyID}, {x.ConnectionID}, {x.Connector}, x.Detectors, {x.Resource.Kind}}[i] {
					want[v]++
				}
			}
			got := map[string]int64{}
			for _, c := range facets.Fields[name] {
				got[c.Value] = c.Count
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatal(name, "(-lists +facets):\n"+diff)
			}
		}
	})
	// A reader that starts now loads the same.
	a, err := r.Facets(context.Background(), filter.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := New(db, testKeys).Facets(context.Background(), filter.Filter{})
	if diff := cmp.Diff(a, b); diff != "" || err != nil {
		t.Errorf("%v (-followed +loaded):\n%s", err, diff)
	}
}

func TestTimeline(t *testing.T) {
	db := open(t)
	r := New(db, testKeys)
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	for i, at := range []time.Time{
		time.Date(2026, 10, 31, 23, 59, 0, 0, zone), time.Date(2026, 11, 1, 0, 0, 0, 0, zone), time.Date(2026, 11, 1, 23, 30, 0, 0, zone), // a day of 25 hours
		time.Date(2026, 11, 3, 12, 0, 0, 0, zone),
	} {
		db.SetClock(func() time.Time { return at })
		add(t, db, base(i))
	}
	from, to := time.Date(2026, 10, 31, 12, 0, 0, 0, zone), time.Date(2026, 11, 4, 0, 0, 0, 0, zone)
	got, err := r.Timeline(context.Background(), filter.Filter{}, from, to, "day", "America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	bucket := func(day int, n int64) Bucket {
		b := Bucket{At: findings.TimeOf(time.Date(2026, 10, 30+day, 0, 0, 0, 0, zone)), Total: n, Severity: map[string]int64{}}
		if n > 0 {
			b.Severity["high"] = n
		}
		return b
	}
	if diff := cmp.Diff([]Bucket{bucket(1, 1), bucket(2, 2), bucket(3, 0), bucket(4, 1)}, got.Items); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, interval := range []string{"hour", "week", "month"} {
		got, err := r.Timeline(context.Background(), filter.Filter{Severity: []string{"high"}}, from, to, interval, "")
		var sum int64
		for _, b := range got.Items {
			sum += b.Total
		}
		if err != nil || sum != 4 {
			t.Errorf("%s: %d, %v", interval, sum, err)
		}
	}
	for name, f := range map[string]func() error{
		"no zone": func() error {
			_, err := r.Timeline(context.Background(), filter.Filter{}, from, to, "day", "Mars/Base")
			return err
		},
		"no interval": func() error {
			_, err := r.Timeline(context.Background(), filter.Filter{}, from, to, "year", "")
			return err
		},
		"backwards": func() error {
			_, err := r.Timeline(context.Background(), filter.Filter{}, to, from, "day", "")
			return err
		},
		"too fine": func() error {
			_, err := r.Timeline(context.Background(), filter.Filter{}, from.AddDate(-1, 0, 0), to, "hour", "")
			return err
		},
	} {
		if err := f(); !errors.Is(err, ErrRange) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDetailInstancesAndHistory(t *testing.T) {
	db := open(t)
	ctx := context.Background()
	r := New(db, testKeys)
	f := base(1)
	f.detectors = []string{"a.x", "b.y", "c.z"}
	add(t, db, f)
	id := testKeys.FindingID("con_a", findings.Ref{Kind: "chat", ID: "c001"}, "secrets")
	if err := db.Write(ctx, func(tx *store.Tx) error {
		_, err := findings.SetStatus(ctx, tx, findings.Change{FindingID: id, Status: findings.StatusResolved, Reason: "rotated", Actor: "usr_1"})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	x, err := r.Get(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	if len(x.Instances) != 3 || x.Actor.Email != "dana.ruiz@corp.example" || x.InstanceCount != 3 || x.Instances[0].Location.MessageID != "mc001" {
		t.Errorf("got %+v", x)
	}
	var paged []findings.Instance
	for after := ""; ; {
		page, err := r.Instances(ctx, id, 2, after)
		if err != nil {
			t.Fatal(err)
		}
		paged = append(paged, page.Items...)
		if after = page.NextCursor; after == "" {
			break
		}
	}
	if diff := cmp.Diff(x.Instances, paged); diff != "" {
		t.Errorf("instances page by page (-detail +pages):\n%s", diff)
	}
	var events []Event
	for after := ""; ; {
		page, err := r.History(ctx, id, 1, after)
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, page.Items...)
		if after = page.NextCursor; after == "" {
			break
		}
	}
	want := []Event{
		{ID: testKeys.EventID(id, 1, 1), Type: findings.TypeCreated, Sequence: 1, Severity: "high", Status: "open", Source: "present", InstanceCount: 3},
		{ID: testKeys.EventID(id, 2, 1), Type: findings.TypeClosed, Sequence: 2, Actor: "usr_1", Reason: "rotated", Severity: "high", Status: "resolved", Source: "present", InstanceCount: 3},
	}
	if diff := cmp.Diff(want, events, cmpopts.IgnoreFields(Event{}, "At")); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
	if _, err := r.Get(ctx, "fnd_x"); !errors.Is(err, findings.ErrNotFound) {
		t.Error(err)
	}
	if _, err := r.Instances(ctx, "fnd_x", 0, ""); !errors.Is(err, findings.ErrNotFound) {
		t.Error(err)
	}
	if _, err := r.History(ctx, id, 0, (cursor.Place{Bind: "x", ID: "x"}).Encode()); !errors.Is(err, ErrCursor) {
		t.Error(err)
	}
}
