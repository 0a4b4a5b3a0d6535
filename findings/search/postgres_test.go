package search_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/outband/outband/dlp"
	"github.com/outband/outband/findings"
	"github.com/outband/outband/findings/filter"
	"github.com/outband/outband/findings/search"
	"github.com/outband/outband/findings/search/searchtest"
	"github.com/outband/outband/internal/store"
	"github.com/outband/outband/internal/testserver"
)

func TestContractPostgres(t *testing.T) {
	db := testserver.OpenPostgres(t)
	r := search.New(db, contractKeys)
	searchtest.Run(t, searchtest.Subject{DB: db, Keys: contractKeys, Embedded: r, Engine: r})
}

// TestBothDatabasesAnswerAlike stores the same findings in both and compares whole answers: sorted by each key, page by page, and for texts that a
// parser of the database's own would read in another way.
func TestBothDatabasesAnswerAlike(t *testing.T) {
	ctx := context.Background()
	titles := []string{
		"zebra", "Zebra", "ÄPFEL", "äpfel", "apfel", "_under", "-dash", "10", "9", "", "😀 emoji", "計画 期限", "計画", "ß", "it's \"quoted\" \\ back", "a%b_c*", "1e5 v1.2.3 foo-bar@x.example",
		strings.Repeat("哈", 90) + "好", strings.Repeat("w ", 149) + "x",
	}
	same := []*search.Reader{}
	for _, db := range []*store.DB{testserver.OpenSQLite(t), testserver.OpenPostgres(t)} {
		now := time.Date(2026, 11, 21, 18, 0, 0, 0, time.UTC)
		db.SetClock(func() time.Time { now = now.Add(time.Second); return now })
		for i, title := range titles {
			if err := db.Write(ctx, func(tx *store.Tx) error {
				for _, policy := range []string{"Beta", "alpha"} {
					d := findings.Detection{PolicyID: policy, PolicyVersion: 1, Kind: "content", Severity: findings.Severities()[i%5], Title: title,
						Resource: findings.Resource{Kind: "chat", ID: fmt.Sprint("c", i), Name: strings.Repeat("w ", 254) + "last"},
						Actor:    findings.Actor{ID: fmt.Sprint("User_", i%3), Email: fmt.Sprintf("Ünal.%d@Corp.example", i%3), Name: strings.Repeat("哈", 80) + "们", Type: "user"}}
					for n := range i%4 + 1 {
						d.Instances = append(d.Instances, findings.NewInstance{Resource: findings.Ref{Kind: "message", ID: fmt.Sprint("m", n)}, At: now.Add(-time.Duration(i*n) * time.Minute),
							Match: dlp.Match{Detector: fmt.Sprint("secret.", n), Masked: "AKIA****", Value: fmt.Sprint(n), Fingerprint: fmt.Sprint("k1:", n), Confidence: 0.1 + float64(n)/7}})
					}
					if _, err := findings.CommitItem(ctx, tx, contractKeys, findings.Commit{ConnectionID: "con_a", Connector: "claude", Detections: []findings.Detection{d}}); err != nil {
						return err
					}
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
		}
		same = append(same, search.New(db, contractKeys))
	}
	all := func(r *search.Reader, q search.Query) (out []findings.Finding) {
		for q.Limit = 7; ; {
			page, err := r.List(ctx, q)
			if err != nil {
				t.Fatalf("%s %+v: %v", q.Sort, q.Filter, err)
			}
			out = append(out, page.Items...)
			if q.Cursor = page.NextCursor; q.Cursor == "" {
				return out
			}
		}
	}
	questions := []filter.Filter{{}, {Detector: []string{"secret.2"}}, {Actor: []string{"ünal.1@corp.example", "User_2"}}, {PolicyID: []string{"beta"}}}
	for _, text := range []string{
		"zebra", "äpfel", "apfel", "😀", "emoji*", "計画", "画計", "計*", `"it s quoted"`, `\`, "'", "a%b", "1e5", "v1.2", "v1*", `"2 3 foo"`, "foo-bar@x", "ünal", "corp.ex*", "user_1",
		"哈好", `"哈 哈 好"`, "哈们", "哈*", `"w x"`, `"w w last"`, `"w la"*`, `"last w"`, "beta", "akia", "secret.3", "nothing at all",
	} {
		questions = append(questions, filter.Filter{Query: text})
	}
	found := 0
	for _, f := range questions {
		want, got := all(same[0], search.Query{Filter: f}), all(same[1], search.Query{Filter: f})
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%+v (-SQLite +Postgres):\n%s", f, diff)
		}
		if len(want) > 0 {
			found++
		}
	}
	if found < 25 {
		t.Errorf("only %d of %d questions find anything", found, len(questions))
	}
	for _, key := range search.SortKeys() {
		for _, sort := range []string{key, "-" + key} {
			if diff := cmp.Diff(all(same[0], search.Query{Sort: sort}), all(same[1], search.Query{Sort: sort})); diff != "" {
				t.Errorf("%s (-SQLite +Postgres):\n%s", sort, diff)
			}
		}
	}
	for _, x := range all(same[0], search.Query{}) {
		want, err := same[0].Get(ctx, x.ID)
		if err != nil {
			t.Fatal(err)
		}
		got, err := same[1].Get(ctx, x.ID)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("detail (-SQLite +Postgres):\n%s%v", diff, err)
		}
	}
}
