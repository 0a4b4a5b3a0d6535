package elastic

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/outband/outband/findings"
	"github.com/outband/outband/findings/filter"
	"github.com/outband/outband/findings/search"
	"github.com/outband/outband/internal/store"
	"github.com/outband/outband/internal/testserver"
)

const (
	benchFindings = 1_000_000 // OUTBAND_BENCH_FINDINGS is another number
	benchRate     = 30        // requests a second
	benchTime     = 20 * time.Second
	benchDays     = 365
)

var benchEnd = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// BenchmarkDashboard asks both engines what the findings page asks at once, page, facets and timeline of one filter, at a fixed rate however long the
// answers take. The time of a request begins when it was due.
func BenchmarkDashboard(b *testing.B) {
	n := benchFindings
	if s := os.Getenv("OUTBAND_BENCH_FINDINGS"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			b.Fatal("OUTBAND_BENCH_FINDINGS: ", err)
		}
	}
	db := testserver.OpenSQLite(b)
	fill(b, db, n)
	embedded := search.New(db, testKeys)
	began := time.Now()
	if err := embedded.Load(context.Background()); err != nil {
		b.Fatal(err)
	}
	b.Logf("%d findings; the columns took %v to load", n, time.Since(began).Round(time.Millisecond))
	b.Run("embedded", func(b *testing.B) { openLoop(b, embedded, ownTime) })
	b.Run("elasticsearch", func(b *testing.B) {
		s := testserver.Elasticsearch(b, testserver.ElasticsearchOptions{Bench: true})
		x, err := Open(config(s), Dependencies{DB: db, Embedded: embedded, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			b.Fatal(err)
		}
		defer x.Close()
		began := time.Now()
		if err := x.Reindex(context.Background(), nil); err != nil {
			b.Fatal(err)
		}
		took := time.Since(began)
		b.Logf("indexed in %v: %.0f a second", took.Round(time.Second), float64(n)/took.Seconds())
		s.Must("POST", "/outband-findings/_refresh", "")
		openLoop(b, x, func() time.Duration { return processorTime(b, s) })
	})
}

// ownTime is the processor time that this process has used: on a machine that others use too it says more than the time of a request.
func ownTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// processorTime is that of the server.
func processorTime(b *testing.B, s *testserver.ElasticsearchServer) (used time.Duration) {
	b.Helper()
	var answer struct {
		Nodes map[string]struct {
			Process struct {
				CPU struct {
					Total int64 `json:"total_in_millis"`
				} `json:"cpu"`
			} `json:"process"`
		} `json:"nodes"`
	}
	if err := json.Unmarshal(s.Must("GET", "/_nodes/stats/process", ""), &answer); err != nil {
		b.Fatal(err)
	}
	for _, n := range answer.Nodes {
		used += time.Duration(n.Process.CPU.Total) * time.Millisecond
	}
	return used
}

// fill stores findings by hand: as many commits take hours. The words of the texts are as rare and as common as in a real language.
func fill(b *testing.B, db *store.DB, n int) {
	b.Helper()
	write := func(statements ...string) {
		b.Helper()
		if err := db.Write(context.Background(), func(tx *store.Tx) error {
			for _, s := range statements {
				if _, err := tx.Exec(s); err != nil {
					return fmt.Errorf("%.60s: %w", s, err)
				}
			}
			return nil
		}); err != nil {
			b.Fatal(err)
		}
	}
	write(`DROP TRIGGER findings_fts_insert`, `WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 4999)
		INSERT INTO actors (workspace_id, connection_id, key, vendor_id, email, name, type, role, updated_at, tokens)
		SELECT 'default', 'con_a', 'act_' || i, 'user_' || i, 'person' || i || '@corp.example', 'Person ' || i, 'user', '', 0, 'user ' || i || ' person' || i || ' corp example person ' || i FROM n`)
	step := benchDays * 24 * time.Hour / time.Duration(n)
	const batch = 100_000
	for from := 0; from < n; from += batch {
		write(fmt.Sprintf(`WITH RECURSIVE n(i) AS (SELECT %d UNION ALL SELECT i + 1 FROM n WHERE i < %d), r AS (SELECT i, (i * 2654435761) %% 4294967296 AS h FROM n)
			INSERT INTO findings (workspace_id, id, policy_id, policy_version, kind, severity, status, source, title, connection_id, connector, resource_kind, resource_id, resource_name, resource_url, actor_key,
				first_seen_at, last_seen_at, occurred_at, last_occurred_at, detectors, instance_count, finding_seq, last_seq, tokens)
			SELECT 'default', printf('fnd_%%026d', h), 'policy.' || (h / 10000 %% 60), 1, CASE WHEN h %% 10 < 8 THEN 'content' WHEN h %% 10 < 9 THEN 'activity' ELSE 'posture' END,
				CASE WHEN h %% 100 < 2 THEN 'critical' WHEN h %% 100 < 12 THEN 'high' WHEN h %% 100 < 42 THEN 'medium' WHEN h %% 100 < 80 THEN 'low' ELSE 'info' END,
				CASE WHEN h / 100 %% 100 < 55 THEN 'open' WHEN h / 100 %% 100 < 65 THEN 'acknowledged' WHEN h / 100 %% 100 < 70 THEN 'in_progress' WHEN h / 100 %% 100 < 90 THEN 'resolved' ELSE 'false_positive' END,
				'present', 'Secret in a chat', 'con_' || (h / 7 %% 12), CASE WHEN h / 7 %% 12 < 9 THEN 'claude' ELSE 'other' END,
				CASE h / 3 %% 5 WHEN 0 THEN 'file' WHEN 1 THEN 'project' ELSE 'chat' END, 'chat_' || i, 'Chat ' || i, 'https://app.example/chat/' || i, 'act_' || (h / 11 %% 5000),
				%d + i * %d, %d + i * %d, 1, 1, ',secret.' || (h / 13 %% 40) || ',pii.' || (h / 17 %% 7) || ',', 1 + h %% 9, 1, 1,
				'secret in a chat policy ' || (h / 10000 %% 60) || ' chat ' || i || ' w' || (h %% 50000) || ' w' || (h / 19 %% 2000) || ' w' || (h / 23 %% 100) || ' akia' FROM r`,
			from, min(from+batch, n)-1, benchEnd.AddDate(0, 0, -benchDays).UnixMicro(), step.Microseconds(), benchEnd.AddDate(0, 0, -benchDays).UnixMicro(), step.Microseconds()))
	}
	write(`INSERT INTO findings_fts (findings_fts) VALUES ('rebuild')`, `INSERT INTO consumers (workspace_id, id, seq, updated_at) VALUES ('default', 'elasticsearch', 0, 0)`, `ANALYZE`)
}

// benchFilters are what people ask, from everything to one rare word.
func benchFilters() []filter.Filter {
	month := findings.TimeOf(benchEnd.AddDate(0, -1, 0))
	open := []string{findings.StatusOpen}
	return []filter.Filter{
		{}, {Status: open}, {Severity: []string{"critical", "high"}}, {Severity: []string{"critical"}, Status: open}, {PolicyID: []string{"policy.7"}}, {From: month}, {From: month, Status: open},
		{ConnectionID: []string{"con_3"}, Status: open}, {Detector: []string{"secret.5"}}, {Kind: []string{"posture"}, Severity: []string{"critical"}}, {ResourceKind: []string{"file"}, Connector: []string{"other"}},
		{PolicyID: []string{"policy.1", "policy.2"}, ConnectionID: []string{"con_1"}, Severity: []string{"critical"}}, {Actor: []string{"person77@corp.example"}}, {Query: "secret"}, {Query: "w12345"}, {Query: "w77 akia"},
		{Query: "w123*", Status: open}, {Query: `"chat w77"`}, {Query: "person42"}, {Query: "nothing-like-this"},
	}
}

func openLoop(b *testing.B, e search.Engine, used func() time.Duration) {
	filters := benchFilters()
	ask := func(f filter.Filter) error {
		var work sync.WaitGroup
		errs := make([]error, 3)
		work.Go(func() { _, errs[0] = e.List(context.Background(), search.Query{Filter: f}) })
		work.Go(func() { _, errs[1] = e.Facets(context.Background(), f) })
		work.Go(func() {
			_, errs[2] = e.Timeline(context.Background(), f, benchEnd.AddDate(0, 0, -90), benchEnd, "day", "Europe/Berlin")
		})
		work.Wait()
		for _, err := range errs {
			if err != nil {
				return err
			}
		}
		return nil
	}
	const warm = 10 // A server on a Java machine is as fast as it gets after some thousand questions.
	for round := range warm {
		for _, f := range filters {
			began := time.Now()
			if err := ask(f); err != nil {
				b.Fatal(err)
			}
			if took := time.Since(began); round == 0 && took > 100*time.Millisecond {
				b.Logf("%v the first time, alone: %s %q", took.Round(time.Millisecond), f.String(), f.Query)
			}
		}
	}
	b.ResetTimer()
	for range b.N {
		var mu sync.Mutex
		var took []time.Duration
		var work sync.WaitGroup
		start, before := time.Now(), used()
		for i := range int(benchTime.Seconds() * benchRate) {
			due := start.Add(time.Duration(i) * time.Second / benchRate)
			time.Sleep(time.Until(due))
			work.Go(func() {
				err := ask(filters[i%len(filters)])
				d := time.Since(due)
				mu.Lock()
				defer mu.Unlock()
				took = append(took, d)
				if err != nil {
					b.Error(err)
				}
			})
		}
		work.Wait()
		b.ReportMetric((used() - before).Seconds(), "cpu-s")
		slices.Sort(took)
		at := func(p float64) float64 { return float64(took[int(p*float64(len(took)-1))].Microseconds()) / 1000 }
		b.ReportMetric(at(0.5), "p50-ms")
		b.ReportMetric(at(0.99), "p99-ms")
		b.ReportMetric(at(1), "max-ms")
	}
}
