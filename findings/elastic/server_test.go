package elastic

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/outband/outband/findings"
	"github.com/outband/outband/findings/filter"
	"github.com/outband/outband/findings/search"
	"github.com/outband/outband/internal/store"
)

// indexNames returns the names of the indices, sorted by Elasticsearch.
func (w *world) indexNames() []string {
	w.t.Helper()
	return strings.Fields(string(w.server.Must(http.MethodGet, "/_cat/indices/outband-*?h=index&s=index", "")))
}

// refusedDocument makes the month's index by hand with a mapping that the documents do not fit.
func refusedDocument(t *testing.T, w *world) {
	w.add(1, 2, 3)
	name := month(findings.TimeOf(w.db.Now()))
	w.server.Must(http.MethodPut, "/"+name+"-v1", `{"aliases":{"outband-findings":{},"`+name+`":{}},"mappings":{"properties":{"severity_rank":{"type":"long"},"title":{"type":"date"}}}}`)
	if p := w.step(); p.Refused != 3 || p.Indexed != 0 {
		t.Errorf("%+v", p)
	}
	if lag, err := search.ReadLag(t.Context(), w.db); err != nil || lag.Rows != 0 {
		t.Errorf("refused documents hold the log: %+v, %v", lag, err)
	}
	h := w.index.Health(t.Context())
	if h.State != StateDegraded || h.Code != CodeDocuments || h.Refused != 3 || !strings.Contains(h.Detail, "outband reindex") {
		t.Errorf("health: %+v", h)
	}
	if err := w.index.Reindex(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	w.equal()
	if h := w.index.Health(t.Context()); h.State != StateUp || h.Refused != 0 {
		t.Errorf("health after the reindex: %+v", h)
	}
	w.add(4)
	w.step()
	w.equal()
}

// lostIndex deletes everything, as a new cluster would be.
func lostIndex(t *testing.T, w *world) {
	w.add(1, 2)
	w.step()
	w.server.Clear()
	if _, err := w.index.Facets(t.Context(), filter.Filter{}); err == nil || errors.Is(err, search.ErrUnsuited) {
		t.Error("an index that is not there answers:", err)
	}
	w.index = w.open(w.index.cfg) // A process that starts looks at once, others every minute.
	w.step()
	w.equal()

	// One month's index is gone while the process believes it to be there.
	w.server.Must(http.MethodDelete, "/"+w.indexNames()[0], "")
	w.server.Must(http.MethodDelete, "/_index_template/"+alias, "")
	w.add(3)
	w.step()
	w.server.Must(http.MethodPost, "/outband-findings/_refresh", "")
	if got := string(w.server.Must(http.MethodGet, "/outband-findings/_mapping", "")); !strings.Contains(got, "strict") {
		t.Errorf("the index was made by guessing: %s", got)
	}
}

func nothingFound(t *testing.T, w *world) {
	s := search.NewSwitch(w.embedded, w.index)
	w.step()
	page, err := s.List(t.Context(), search.Query{})
	if err != nil || page.Degraded || len(page.Items) != 0 {
		t.Errorf("%+v, %v", page, err)
	}
	if h := w.index.Health(t.Context()); h.State != StateUp {
		t.Errorf("health: %+v", h)
	}
	if err := w.index.Reindex(t.Context(), nil); err != nil {
		t.Error("reindex:", err)
	}
}

func health(t *testing.T, w *world) {
	if h := w.index.Health(t.Context()); h.State != StateDegraded || h.Code != CodeBehind || !strings.HasPrefix(h.Version, "8.") {
		t.Errorf("before the first step: %+v", h)
	}
	w.add(1)
	w.step()
	if h := w.index.Health(t.Context()); h.State != StateUp || h.Code != "" || h.Detail != "" || h.Behind != 0 {
		t.Errorf("up: %+v", h)
	}
	now := w.db.Now()
	w.add(2, 3)
	w.db.SetClock(func() time.Time { return now.Add(search.MaxBehind + time.Minute) })
	if h := w.index.Health(t.Context()); h.State != StateDegraded || h.Code != CodeBehind || h.Behind != 2 {
		t.Errorf("behind: %+v", h)
	}
}

// manyWords holds more words that begin alike than Elasticsearch looks for after a phrase: the question is one for the store, and no failure.
func manyWords(t *testing.T, w *world) {
	const docs, each = 70, 700
	w.add(1)
	w.step()
	var writes []write
	for d := range docs {
		tokens := strings.Builder{}
		for i := range each {
			fmt.Fprintf(&tokens, "deploy w%05d ", d*each+i)
		}
		doc, err := newWrite(w.indexNames()[0], 1, document{ID: fmt.Sprint("fnd_", d), Tokens: tokens.String(), FirstSeenAt: 1e15, LastSeenAt: 1e15, OccurredAt: 1e15, LastOccurredAt: 1e15})
		if err != nil {
			t.Fatal(err)
		}
		writes = append(writes, doc)
	}
	if n, err := w.index.send(t.Context(), writes); n != 0 || err != nil {
		t.Fatal(n, err)
	}
	w.server.Must(http.MethodPost, "/outband-findings/_refresh", "")
	if f, err := w.index.Facets(t.Context(), filter.Filter{Query: "deploy w0123*"}); err != nil || f.Total != 1 {
		t.Errorf("a prefix of few words: %d, %v", f.Total, err)
	}
	if f, err := w.index.Facets(t.Context(), filter.Filter{Query: `"deploy w0123"*`}); err != nil || f.Total != 1 {
		t.Errorf("a phrase with a prefix of few words: %d, %v", f.Total, err)
	}
	if f, err := w.index.Facets(t.Context(), filter.Filter{Query: "w*"}); err != nil || f.Total != docs {
		t.Errorf("a prefix of many words: %d, %v", f.Total, err)
	}
	if f, err := w.index.Facets(t.Context(), filter.Filter{Query: `"deploy w"*`}); !errors.Is(err, search.ErrUnsuited) && f.Total != docs {
		t.Errorf("a phrase with a prefix of many words: %d, %v", f.Total, err)
	}
}

// reindexWhileWriting changes findings, and lets Steps go on, while an index is built: nothing may be missing afterwards.
func reindexWhileWriting(t *testing.T, w *world) {
	var first []int
	for n := range 1500 {
		first = append(first, n)
	}
	w.add(first...)
	w.step()
	before := w.indexNames()
	ctx, stop := context.WithCancel(t.Context())
	var work sync.WaitGroup
	work.Go(func() {
		for n := 0; ctx.Err() == nil; n++ {
			err := w.db.Write(context.Background(), func(tx *store.Tx) error {
				if err := commit(tx, 2000+n, 0); err != nil {
					return err
				}
				return commit(tx, n%1500, n+1)
			})
			if err != nil {
				t.Error(err)
				return
			}
		}
	})
	other := w.open(w.index.cfg) // As another process does it.
	work.Go(func() {
		for ctx.Err() == nil {
			if _, err := other.Step(context.Background(), time.Second); err != nil {
				t.Error("step:", err)
				return
			}
		}
	})
	for range 3 {
		var done, total int64
		if err := w.index.Reindex(t.Context(), func(d, n int64) { done, total = d, n }); err != nil {
			t.Fatal("reindex:", err)
		}
		if done < 1500 || done > total {
			t.Errorf("reported %d of %d", done, total)
		}
	}
	stop()
	work.Wait()
	w.step()
	w.equal()
	after := w.indexNames()
	if len(after) != len(before) || after[0] == before[0] || !strings.HasSuffix(after[0], "-v4") {
		t.Errorf("indices before %v, after %v", before, after)
	}
}

// reindexCutShort ends a reindex in the middle; the next one removes what it left.
func reindexCutShort(t *testing.T, w *world) {
	var all []int
	for n := range 2500 {
		all = append(all, n)
	}
	w.add(all...)
	w.step()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if err := w.index.Reindex(ctx, func(int64, int64) { cancel() }); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if n := len(w.indexNames()); n != 2 {
		t.Errorf("%d indices", n)
	}
	w.equal() // What was half built is not in the alias.
	w.step()
	if v, err := store.GetMeta(t.Context(), w.db.Read(), metaReindex); err != nil || v != "" {
		t.Errorf("the marker is %q, %v", v, err)
	}
	if err := w.index.Reindex(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if names := w.indexNames(); len(names) != 1 || !strings.HasSuffix(names[0], "-v3") {
		t.Error("indices", names)
	}
	w.equal()
}

// reindexDied leaves what a process leaves that is killed right after the swap: the place is beyond what the new indices hold.
func reindexDied(t *testing.T, w *world) {
	w.add(1, 2)
	w.step()
	if err := w.index.Reindex(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	w.add(3)
	w.write(func(tx *store.Tx) error {
		_, err := tx.Exec(`UPDATE consumers SET seq = 3 WHERE id = $1`, search.Consumer)
		if err != nil {
			return err
		}
		if err := store.SetMeta(context.Background(), tx, metaReindex, "2"); err != nil {
			return err
		}
		return store.AcquireLease(context.Background(), tx, leaseName, store.LeaseOwner{Work: "dead", Attempt: 1}, leaseTime)
	})
	if p := w.step(); p.Indexed != 0 {
		t.Errorf("while it may be alive: %+v", p)
	}
	now := w.db.Now()
	w.db.SetClock(func() time.Time { return now.Add(leaseTime + time.Second) })
	if p := w.step(); p.Indexed != 1 {
		t.Errorf("after its lease: %+v", p)
	}
	w.equal()
}

func reindexTwice(t *testing.T, w *world) {
	w.add(1)
	w.step()
	var second error
	other := w.open(w.index.cfg)
	err := w.index.Reindex(t.Context(), func(int64, int64) { second = other.Reindex(context.Background(), nil) })
	if err != nil {
		t.Error("the first:", err)
	}
	wantCode(t, "the second", second, CodeReindexing)
	w.equal()
}

func strangers(t *testing.T, w *world) {
	w.server.Must(http.MethodPut, "/outband-findings-copy", "")
	w.add(1)
	if err := w.index.Reindex(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	w.server.Must(http.MethodGet, "/outband-findings-copy", "")
	// In the alias it would be asked too: a Step says so.
	w.server.Must(http.MethodPost, "/_aliases", `{"actions":[{"add":{"index":"outband-findings-copy","alias":"outband-findings"}}]}`)
	_, err := w.index.Step(t.Context(), time.Minute)
	wantCode(t, "step", err, CodeAnswer)
}

// pageIsPresent changes a finding in the store alone: its row is as it is now, or is left out.
func pageIsPresent(t *testing.T, w *world) {
	w.add(1, 2)
	w.settle()
	var id string
	if err := w.db.Read().QueryRowContext(t.Context(), `SELECT id FROM findings WHERE resource_id = 'c1'`).Scan(&id); err != nil {
		t.Fatal(err)
	}
	w.write(func(tx *store.Tx) error {
		_, err := findings.SetStatus(context.Background(), tx, findings.Change{FindingID: id, Status: findings.StatusAcknowledged})
		return err
	})
	page, err := w.index.List(t.Context(), search.Query{Filter: filter.Filter{Status: []string{"open"}}})
	if err != nil || len(page.Items) != 1 || page.Items[0].ID == id {
		t.Errorf("open: %+v, %v", page.Items, err)
	}
	page, err = w.index.List(t.Context(), search.Query{})
	if err != nil || len(page.Items) != 2 {
		t.Errorf("all: %+v, %v", page.Items, err)
	}
	for _, x := range page.Items {
		if x.ID == id && x.Status != findings.StatusAcknowledged {
			t.Error("the row is an old one")
		}
	}
}

// away stops the server while findings are written, Steps are made and questions are asked.
func away(t *testing.T, w *world) {
	s := search.NewSwitch(w.embedded, w.index)
	w.add(1, 2, 3)
	w.settle()
	if f, err := s.Facets(t.Context(), filter.Filter{}); err != nil || f.Degraded || f.Total != 3 {
		t.Fatalf("%+v, %v", f, err)
	}
	w.server.Stop()
	for n := 4; n < 8; n++ {
		w.add(n)
		_, err := w.index.Step(t.Context(), time.Minute)
		wantCode(t, "step", err, CodeDown)
		f, err := s.Facets(t.Context(), filter.Filter{})
		if err != nil || !f.Degraded || f.Total != int64(n) {
			t.Errorf("%+v, %v", f, err)
		}
	}
	if h := w.index.Health(t.Context()); h.State != StateDown || h.Code != CodeDown {
		t.Errorf("health: %+v", h)
	}
	w.server.Start()
	w.step()
	w.equal()
	deadline := time.Now().Add(time.Minute)
	for {
		f, err := s.Facets(t.Context(), filter.Filter{})
		if err != nil || f.Total != 7 {
			t.Fatalf("%+v, %v", f, err)
		}
		if !f.Degraded {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the index is not asked again")
		}
		time.Sleep(100 * time.Millisecond) // The rest after a failure is of the real clock here.
	}
}
