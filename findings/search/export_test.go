package search

import (
	"context"
	"database/sql"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/outband/outband/findings"
	"github.com/outband/outband/findings/filter"
	"github.com/outband/outband/internal/store"
)

func TestExport(t *testing.T) {
	db := open(t)
	ctx := context.Background()
	r := New(db, testKeys)
	var facts []fact
	for i := range MaxLimit + 5 {
		facts = append(facts, base(i))
	}
	facts[0].name, facts[0].email, facts[0].title = `=HYPERLINK("https://x.example")`, "@sum", "+1,\"2\"\n3"
	facts[1].email, facts[0].vendorID, facts[1].vendorID = "-1", "user_2", "user_3"
	add(t, db, facts...)
	var out strings.Builder
	if n, err := r.Export(ctx, &out, FormatNDJSON, filter.Filter{}); err != nil || n != int64(len(facts)) {
		t.Fatal(n, err)
	}
	var got []findings.Finding
	for line := range strings.Lines(out.String()) {
		var x findings.Finding
		if err := json.Unmarshal([]byte(line), &x); err != nil {
			t.Fatal(err)
		}
		got = append(got, x)
	}
	for i, want := range listAll(t, r, Query{Sort: "first_seen_at", Limit: 200}) {
		if want.ID != got[i].ID {
			t.Fatalf("line %d is %s, want %s", i, got[i].ID, want.ID)
		}
		if i%100 != 0 {
			continue
		}
		detail, err := r.Get(ctx, want.ID)
		if err != nil {
			t.Fatal(err)
		}
		detail.Why = nil // Of a single finding only.
		if diff := cmp.Diff(detail, got[i]); diff != "" {
			t.Fatalf("(-detail +export):\n%s", diff)
		}
		if at := got[i].Instances[0].Location; at.Sheet != "Plan" || at.Cell != "B2" || !at.Hidden || at.Column != 7 {
			t.Fatalf("an instance of a document is exported at %+v", at)
		}
	}
	out.Reset()
	if n, err := r.Export(ctx, &out, FormatCSV, filter.Filter{}); err != nil || n != int64(len(facts)) {
		t.Fatal(n, err)
	}
	rows, err := csv.NewReader(strings.NewReader(out.String())).ReadAll()
	if err != nil || len(rows) != len(facts)+1 {
		t.Fatal(len(rows), err)
	}
	formula := 0
	for _, row := range rows {
		for _, cell := range row {
			if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
				t.Errorf("cell %q begins a formula", cell)
			}
			if strings.HasPrefix(cell, "'") {
				formula++
			}
		}
	}
	if formula < 4 {
		t.Errorf("%d cells made safe", formula)
	}
	if _, err := r.Export(ctx, &out, "ocsf", filter.Filter{}); !errors.Is(err, ErrFormat) {
		t.Error(err)
	}
}

// TestNumbersSurviveVacuum: the numbers that join findings to their tokens are stored, not rowids that VACUUM may give anew.
func TestNumbersSurviveVacuum(t *testing.T) {
	db, path := openAt(t)
	f := base(2)
	f.name = "other"
	add(t, db, base(1), f)
	if err := db.Write(context.Background(), func(tx *store.Tx) error {
		_, err := tx.Exec(`DELETE FROM findings WHERE resource_id = 'c001'`)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), "copy.db")
	raw, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := raw.Exec(`VACUUM INTO $1`, copied); err != nil {
		t.Fatal(err)
	}
	if err := raw.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := store.Open(context.Background(), store.Configuration{Path: copied})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := again.Close(); err != nil {
			t.Error(err)
		}
	}()
	if got := listAll(t, New(again, testKeys), Query{Filter: filter.Filter{Query: "other"}}); len(got) != 1 {
		t.Errorf("found %d", len(got))
	}
}

func BenchmarkFacets100k(b *testing.B) {
	db := open(b)
	const n = 100_000
	severities, statuses := findings.Severities(), findings.Statuses()
	// The rows are made by hand: the columns read nothing else, and 100,000 commits take minutes.
	if err := db.Write(context.Background(), func(tx *store.Tx) error {
		for i := range n {
			if _, err := tx.Exec(`INSERT INTO findings (workspace_id, id, policy_id, policy_version, kind, severity, status, source, title, connection_id, connector, resource_kind, resource_id, resource_name,
					resource_url, actor_key, first_seen_at, last_seen_at, occurred_at, last_occurred_at, detectors, instance_count, finding_seq, last_seq, tokens)
				VALUES ('default', $1, $2, 1, 'content', $3, $4, 'present', '', $5, 'claude', 'chat', $1, '', '', $6, $7, 0, 0, 0, $8, 1, 1, 1, '')`,
				fmt.Sprintf("fnd_%06d", i), fmt.Sprintf("p%d", i%40), severities[i%5], statuses[i%7], fmt.Sprintf("con_%d", i%6), fmt.Sprintf("act_%d", i%5000), int64(i+1), fmt.Sprintf(",d%d,e%d,", i%30, i%7)); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		b.Fatal(err)
	}
	r := New(db, testKeys)
	began := time.Now()
	if err := r.Load(context.Background()); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(time.Since(began).Milliseconds()), "load-ms")
	for b.Loop() {
		if _, err := r.Facets(context.Background(), filter.Filter{Severity: []string{"high", "critical"}, Status: []string{"open"}}); err != nil {
			b.Fatal(err)
		}
	}
}
