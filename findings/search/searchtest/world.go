package searchtest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/outband/outband/dlp"
	"github.com/outband/outband/findings"
	"github.com/outband/outband/findings/filter"
	"github.com/outband/outband/findings/search"
	"github.com/outband/outband/internal/store"
)

// world is the data that the questions are about.
type world struct {
	Subject
	now time.Time
}

func newWorld(t *testing.T, s Subject) *world {
	if s.Settle == nil {
		s.Settle = func() {}
	}
	w := &world{Subject: s}
	s.DB.SetClock(func() time.Time { return w.now })
	var n int
	if err := s.DB.Read().QueryRowContext(t.Context(), `SELECT COUNT(*) FROM findings`).Scan(&n); err != nil || n != 0 {
		t.Fatalf("the store holds %d findings, %v", n, err)
	}
	return w
}

// fact is what the cases vary about a finding.
type fact struct {
	id, severity, kind, policy, connection, connector, resource string
	title, name                                                 string
	detectors                                                   []string
	actor                                                       findings.Actor
	occurred                                                    time.Time
	instances                                                   int
}

func (f fact) commit() findings.Commit {
	d := findings.Detection{PolicyID: f.policy, PolicyVersion: 1, Kind: f.kind, Severity: f.severity, Title: f.title, Actor: f.actor, OccurredAt: f.occurred,
		Resource: findings.Resource{Kind: f.resource, ID: f.id, Name: f.name, URL: "https://app.example/" + f.id}}
	for i := range max(f.instances, len(f.detectors), 1) {
		in := findings.NewInstance{Resource: findings.Ref{Kind: "message", ID: fmt.Sprint("m-", f.id, "-", i)}, Part: "user_text", Path: "content/0", At: f.occurred.Add(time.Duration(i) * time.Minute)}
		if len(f.detectors) > 0 {
			in.Match = dlp.Match{Detector: f.detectors[i%len(f.detectors)], Start: i, End: i + 1, Masked: "AKIA****", Value: fmt.Sprint(f.id, i), Fingerprint: fmt.Sprint("k1:", f.id, i)}
		}
		d.Instances = append(d.Instances, in)
	}
	return findings.Commit{ConnectionID: f.connection, Connector: f.connector, Detections: []findings.Detection{d}}
}

type fataler interface {
	Helper()
	Fatal(...any)
}

// add stores findings in one transaction, so that they share their first_seen_at.
func (w *world) add(t fataler, at time.Time, facts ...fact) {
	t.Helper()
	w.now = at
	w.write(t, func(tx *store.Tx) error {
		for _, f := range facts {
			if _, err := findings.CommitItem(context.Background(), tx, w.Keys, f.commit()); err != nil {
				return err
			}
		}
		return nil
	})
}

func (w *world) write(t fataler, f func(*store.Tx) error) {
	t.Helper()
	if err := w.DB.Write(context.Background(), f); err != nil {
		t.Fatal(err)
	}
}

var (
	dana  = findings.Actor{ID: "user_dana", Email: "Dana.Ruiz@corp.example", Name: "Dana Ruiz", Type: "user"}
	kai   = findings.Actor{ID: "user_kai", Email: "kai@corp.example", Name: "海 Kai", Type: "user"}
	mona  = findings.Actor{ID: "user_mona", Email: "mona@other.example", Name: "Mona Deploy", Type: "user"}
	robot = findings.Actor{ID: "svc-7", Name: "release robot", Type: "service"} // without an e-mail
	actor = []findings.Actor{dana, kai, {}, mona, robot}
)

// base is the time of the first finding: the evening before the clocks go forward in Berlin.
var base = time.Date(2026, 3, 28, 20, 0, 0, 0, time.UTC)

// autumn is the evening before they go back.
var autumn = time.Date(2026, 10, 24, 20, 0, 0, 0, time.UTC)

// seed stores the data: findings of all kinds in order, and some with texts of their own. Times tie, and lie around both changes of clocks, the
// borders of hours, days and months.
func (w *world) seed(t fataler) {
	t.Helper()
	pick := func(i int, from ...string) string { return from[i%len(from)] }
	for i := range 40 {
		f := fact{
			id: fmt.Sprintf("n%02d", i), severity: pick(i, findings.Severities()...), kind: pick(i/2, findings.Kinds()...), policy: pick(i, "alpha", "beta", "Beta", "gamma-1"),
			connection: pick(i/3, "con_a", "con_b", "con_c"), connector: pick(i/3, "claude", "other"), resource: pick(i, "chat", "file", "shared drive"),
			title: pick(i, "Secret in a chat", "Card number in a file", "öffentlicher Link", "secret in a chat"), name: "Numbered " + fmt.Sprint(i%7), actor: actor[i%len(actor)],
			detectors: [][]string{{"secret.aws"}, {"secret.aws", "pci.card"}, nil, {"secret.aw"}, {"pci.card", "pii.ssn", "secret.aws"}}[i%5],
			occurred:  base.Add(-time.Duration(i%9) * time.Hour), instances: i % 6,
		}
		at := base.Add(time.Duration(i/2) * 31 * time.Minute) // two share a time
		if i >= 24 {
			at = autumn.Add(time.Duration(i-24) * 29 * time.Minute)
		}
		w.add(t, at, f)
	}
	texts := []struct{ id, title, name string }{
		{"t-deploy", "Deploy help", "Deploy help for the staging cluster"}, {"t-redeploy", "Redeploy", "redeploying"}, {"t-quote", `He said "deploy help"`, `a "quoted" name`},
		{"t-cjk", "四半期の計画", "来年の計画 Q3"}, {"t-hangul", "비밀번호 공유", "공유 문서"}, {"t-mixed", "Привет deploy 計画", "смешанный текст"}, {"t-wild", "100% of file_* is [a-z]?", `back\slash and %`},
		{"t-mail", "Mail to lee@corp.example", "lee@corp.example"}, {"t-accent", "Café Straße", "İstanbul ﬁle"}, {"t-phrase", "a b a b c", "b c a"}, {"t-punct", "--- !!!", "..."},
	}
	at := time.Date(2026, 11, 30, 23, 59, 59, 999_998_000, time.UTC)
	for i, x := range texts {
		w.add(t, at.Add(time.Duration(i)*time.Microsecond), fact{id: x.id, title: x.title, name: x.name, severity: "low", kind: "activity", policy: "texts", connection: "con_t", connector: "claude",
			resource: "chat", actor: actor[i%2], occurred: at})
	}
	w.now = at.Add(time.Hour)
	w.Settle()
}

// triage changes the status of a finding.
func (w *world) triage(t fataler, resource, status string) {
	t.Helper()
	w.now = w.now.Add(time.Minute)
	w.write(t, func(tx *store.Tx) error {
		var id string
		if err := tx.QueryRowContext(context.Background(), `SELECT id FROM findings WHERE resource_id = $1`, resource).Scan(&id); err != nil {
			return err
		}
		changed, err := findings.SetStatus(context.Background(), tx, findings.Change{FindingID: id, Status: status, Reason: "checked"})
		if err == nil && !changed {
			err = errors.New("the status did not change")
		}
		return err
	})
}

// pages reads a list to its end.
func pages(t fataler, e search.Engine, q search.Query) []findings.Finding {
	t.Helper()
	out := []findings.Finding{}
	for {
		page, err := e.List(context.Background(), q)
		if err != nil {
			t.Fatal("list:", err)
		}
		if limit := q.PageSize(); len(page.Items) > limit || page.NextCursor != "" && len(page.Items) != limit {
			t.Fatal("a page of", limit, "has", len(page.Items))
		}
		out = append(out, page.Items...)
		if q.Cursor = page.NextCursor; q.Cursor == "" {
			return out
		}
	}
}

// agree asks the engine a filter in every way and wants the oracle's answers.
func (w *world) agree(t fataler, o oracle, f filter.Filter) {
	t.Helper()
	ctx := context.Background()
	for _, sort := range []string{"", "title"} {
		if diff := cmp.Diff(o.list(f, sort), pages(t, w.Engine, search.Query{Filter: f, Sort: sort, Limit: 17})); diff != "" {
			t.Fatal("list sorted by ", sort, " (-oracle +engine):\n", diff)
		}
	}
	facets, err := w.Engine.Facets(ctx, f)
	if err != nil {
		t.Fatal("facets:", err)
	}
	if diff := cmp.Diff(o.facets(f), facets); diff != "" {
		t.Fatal("facets (-oracle +engine):\n", diff)
	}
	people, err := w.Engine.People(ctx, f, 3)
	if err != nil {
		t.Fatal("people:", err)
	}
	if diff := cmp.Diff(o.people(f, 3), people.Items); diff != "" {
		t.Fatal("people (-oracle +engine):\n", diff)
	}
}
