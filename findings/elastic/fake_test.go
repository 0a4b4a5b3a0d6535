package elastic

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/outband/outband/findings/filter"
	"github.com/outband/outband/findings/search"
	"github.com/outband/outband/internal/secret"
	"github.com/outband/outband/internal/store"
	"github.com/outband/outband/internal/testserver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is a server of which each answer to _bulk and _search can be chosen. It has every index.
type fake struct {
	*httptest.Server
	mu       sync.Mutex
	product  string
	version  string
	bulk     func(ids []string) (status int, body string)
	search   func() (status int, body string)
	requests []*http.Request
	bulks    [][]string // the documents of each request
	put      int        // templates
}

func newFake(t *testing.T) *fake {
	f := &fake{product: product, version: "8.19.7"}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	return f
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests = append(f.requests, r)
	w.Header().Set("X-Elastic-Product", f.product)
	w.Header().Set("Content-Type", "application/json")
	status, body := http.StatusOK, "{}"
	switch {
	case r.URL.Path == "/_bulk":
		ids := read(r)
		f.bulks = append(f.bulks, ids)
		status, body = f.bulk(ids)
	case strings.HasSuffix(r.URL.Path, "/_search"):
		status, body = f.search()
	case strings.HasPrefix(r.URL.Path, "/_nodes"):
		body = `{"nodes":{"a":{"version":"` + f.version + `"}}}`
	case strings.HasPrefix(r.URL.Path, "/_index_template"):
		f.put++
	case r.URL.Path == "/_alias/"+alias:
		body = `{"outband-findings-2026.11-v1":{}}`
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body) // A client that is gone is the test's business.
}

// read returns the ids of a bulk request, which is compressed.
func read(r *http.Request) (ids []string) {
	zip, err := gzip.NewReader(r.Body)
	if err != nil {
		return []string{"not compressed"}
	}
	dec := json.NewDecoder(zip)
	for {
		var action struct {
			Index struct {
				ID string `json:"_id"`
			} `json:"index"`
		}
		var doc json.RawMessage
		if dec.Decode(&action) != nil || dec.Decode(&doc) != nil {
			return ids
		}
		ids = append(ids, action.Index.ID)
	}
}

// taken answers with a status for each document; one that is not named is taken.
func taken(ids []string, except map[string]string) string {
	items := make([]string, len(ids))
	for i, id := range ids {
		items[i] = `{"index":{"_id":"` + id + `","status":201}}`
		if x, ok := except[id]; ok {
			items[i] = `{"index":{"_id":"` + id + `",` + x + `}}`
		}
	}
	return `{"items":[` + strings.Join(items, ",") + `]}`
}

func newFakeWorld(t *testing.T, f *fake) *world {
	w := &world{t: t, db: testserver.OpenSQLite(t)}
	w.embedded = search.New(w.db, testKeys)
	w.index = w.open(Configuration{URL: f.URL})
	return w
}

// place is how far the index says it is.
func (w *world) place() int64 {
	w.t.Helper()
	lag, err := search.ReadLag(w.t.Context(), w.db)
	if err != nil {
		w.t.Fatal(err)
	}
	return lag.Offset
}

func TestBulkItems(t *testing.T) {
	const busy, late, wrong, strict, forbidden, gone = `"status":429,"error":{"type":"es_rejected_execution_exception"}`, `"status":409,"error":{"type":"version_conflict_engine_exception"}`,
		`"status":400,"error":{"type":"document_parsing_exception","reason":"the text of a document"}`, `"status":400,"error":{"type":"strict_dynamic_mapping_exception"}`,
		`"status":403,"error":{"type":"cluster_block_exception"}`, `"status":404,"error":{"type":"index_not_found_exception"}`
	for _, tc := range []struct {
		name    string
		n       int // findings
		answer  func(call int, ids []string) (int, string)
		sizes   []int // of the requests
		want    Progress
		code    string // of the error
		place   int64
		renewed bool // the template was put again
	}{
		{"all are taken", 3, func(_ int, ids []string) (int, string) { return 200, taken(ids, nil) }, []int{3}, Progress{Indexed: 3}, "", 3, false},
		{"a conflict is a success", 2, func(_ int, ids []string) (int, string) { return 200, taken(ids, map[string]string{ids[0]: late}) }, []int{2}, Progress{Indexed: 2}, "", 2, false},
		{"those that were rejected come again, in smaller requests", 4, func(call int, ids []string) (int, string) {
			if call == 1 {
				return 200, taken(ids, map[string]string{ids[0]: busy, ids[1]: busy, ids[2]: busy})
			}
			return 200, taken(ids, nil)
		}, []int{4, 2, 1}, Progress{Indexed: 4}, "", 4, false},
		{"a whole request that is rejected is halved", 4, func(call int, ids []string) (int, string) {
			if call <= 2 {
				return []int{429, 503}[call-1], `{"error":{"type":"circuit_breaking_exception"}}`
			}
			return 200, taken(ids, nil)
		}, []int{4, 2, 1, 2, 1}, Progress{Indexed: 4}, "", 4, false},
		{"a request that is too large is halved without a wait", 4, func(_ int, ids []string) (int, string) {
			if len(ids) > 1 {
				return 413, `{}`
			}
			return 200, taken(ids, nil)
		}, []int{4, 2, 1, 2, 1, 2, 1, 1}, Progress{Indexed: 4}, "", 4, false},
		{"a document that is too large alone is refused", 1, func(int, []string) (int, string) { return 413, `{}` }, []int{1}, Progress{Refused: 1}, "", 1, false},
		{"a refused document is tried alone, then passed over", 3, func(_ int, ids []string) (int, string) {
			if len(ids) == 1 {
				return 200, taken(ids, map[string]string{ids[0]: wrong})
			}
			return 200, taken(ids, map[string]string{ids[1]: wrong})
		}, []int{3, 1}, Progress{Indexed: 2, Refused: 1}, "", 3, false},
		{"a strict mapping is put again", 1, func(call int, ids []string) (int, string) {
			if call == 1 {
				return 200, taken(ids, map[string]string{ids[0]: strict})
			}
			return 200, taken(ids, nil)
		}, []int{1, 1}, Progress{Indexed: 1}, "", 1, true},
		{"an index that is gone is made again", 1, func(call int, ids []string) (int, string) {
			if call == 1 {
				return 200, taken(ids, map[string]string{ids[0]: gone})
			}
			return 200, taken(ids, nil)
		}, []int{1, 1}, Progress{Indexed: 1}, "", 1, true},
		{"a forbidden document is everybody's", 2, func(_ int, ids []string) (int, string) { return 200, taken(ids, map[string]string{ids[1]: forbidden}) }, []int{2}, Progress{}, CodeRights, 0, false},
		{"a refused user", 1, func(int, []string) (int, string) { return 401, `{"error":{"type":"security_exception","reason":"x"}}` }, []int{1}, Progress{}, CodeRefused, 0, false},
		{"it stays overloaded", 1, func(int, []string) (int, string) { return 429, `{}` }, []int{1, 1, 1, 1, 1, 1, 1, 1, 1}, Progress{}, CodeOverloaded, 0, false},
		{"an answer about others", 1, func(int, []string) (int, string) { return 200, taken([]string{"fnd_other"}, nil) }, []int{1}, Progress{}, CodeAnswer, 0, false},
		{"an answer about fewer", 2, func(_ int, ids []string) (int, string) { return 200, taken(ids[:1], nil) }, []int{2}, Progress{}, CodeAnswer, 0, false},
		{"an answer that is cut off", 1, func(int, []string) (int, string) { return 200, `{"items":[` }, []int{1}, Progress{}, CodeAnswer, 0, false},
		{"a proxy's page", 1, func(int, []string) (int, string) { return 302, `<html>` }, []int{1}, Progress{}, CodeAnswer, 0, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFake(t)
			w := newFakeWorld(t, f)
			f.bulk = func(ids []string) (int, string) { return tc.answer(len(f.bulks), ids) }
			var all []int
			for n := range tc.n {
				all = append(all, n)
			}
			w.add(all...)
			p, err := w.index.Step(t.Context(), time.Minute)
			if tc.code != "" {
				wantCode(t, "step", err, tc.code)
			} else if err != nil {
				t.Error(err)
			}
			if err != nil && strings.Contains(err.Error(), "text of a document") {
				t.Error("an error quotes a document:", err)
			}
			if diff := cmp.Diff(tc.want, p); diff != "" {
				t.Errorf("progress (-want +got):\n%s", diff)
			}
			var sizes []int
			for _, ids := range f.bulks {
				sizes = append(sizes, len(ids))
			}
			if diff := cmp.Diff(tc.sizes, sizes); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
			if got := w.place(); got != tc.place {
				t.Errorf("the place is %d, want %d", got, tc.place)
			}
			if got := f.put > 2; got != tc.renewed { // Once to look, once before the first write to a month.
				t.Errorf("the template was put %d times", f.put)
			}
			refused, err := number(t.Context(), w.db.Read(), metaRefused)
			if err != nil || refused != int64(tc.want.Refused) {
				t.Errorf("%d refused are stored, %v", refused, err)
			}
		})
	}
}

func TestBatchesAreBounded(t *testing.T) {
	f := newFake(t)
	w := newFakeWorld(t, f)
	f.bulk = func(ids []string) (int, string) { return 200, taken(ids, nil) }
	large := func(n, size int) (out []write) {
		for i := range n {
			out = append(out, write{index: "x", id: string(rune('a' + i)), lines: bytes.Repeat([]byte{' '}, size)})
		}
		return out
	}
	for name, tc := range map[string]struct {
		pending []write
		size    int
		want    int
	}{
		"by number": {large(5, 1), 3, 3}, "by bytes": {large(5, maxBytes/2), 10, 2}, "one that is over the bytes goes alone": {large(2, maxBytes+1), 10, 1}, "all": {large(2, 1), 10, 2},
	} {
		if got := fit(tc.pending, tc.size); got != tc.want {
			t.Errorf("%s: %d, want %d", name, got, tc.want)
		}
	}
	alone := large(3, 1)
	alone[1].alone = true
	if fit(alone, 10) != 1 || fit(alone[1:], 10) != 1 {
		t.Error("one that is to be alone is in company")
	}
	var all []int
	for n := range logBatch + 5 {
		all = append(all, n)
	}
	w.add(all...)
	w.step()
	if len(f.bulks) != 2 || len(f.bulks[0]) != maxDocs {
		t.Errorf("%d requests", len(f.bulks))
	}
	// A budget that is spent ends after the batch at hand.
	if _, err := w.index.move(t.Context(), w.place(), 0, 0); err != nil {
		t.Fatal(err)
	}
	p, err := w.index.Step(t.Context(), 0)
	if err != nil || !p.More || w.place() != logBatch {
		t.Errorf("%+v, %v, at %d", p, err, w.place())
	}
}

func TestAuthentication(t *testing.T) {
	for name, tc := range map[string]struct {
		cfg  Configuration
		want string
	}{
		"none":                          {Configuration{}, ""},
		"a user":                        {Configuration{Username: "outband", Password: secret.NewValue("not-a-secret")}, "Basic b3V0YmFuZDpub3QtYS1zZWNyZXQ="},
		"an API key":                    {Configuration{APIKey: secret.NewValue("bm90LWEta2V5")}, "ApiKey bm90LWEta2V5"},
		"an API key in place of a user": {Configuration{Username: "outband", Password: secret.NewValue("not-a-secret"), APIKey: secret.NewValue("bm90LWEta2V5")}, "ApiKey bm90LWEta2V5"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			w := newFakeWorld(t, f)
			f.bulk = func(ids []string) (int, string) { return 200, taken(ids, nil) }
			tc.cfg.URL = f.URL
			x := w.open(tc.cfg)
			w.add(1)
			if _, err := x.Step(t.Context(), time.Minute); err != nil {
				t.Fatal(err)
			}
			for _, r := range f.requests {
				if got := r.Header.Get("Authorization"); got != tc.want {
					t.Errorf("%s %s: Authorization %q", r.Method, r.URL.Path, got)
				}
			}
		})
	}
}

func TestOtherProducts(t *testing.T) {
	for name, change := range map[string]func(*fake){
		"OpenSearch says nothing": func(f *fake) { f.product = "" },
		"too old":                 func(f *fake) { f.version = "7.17.9" },
		"no version":              func(f *fake) { f.version = "next" },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			change(f)
			w := newFakeWorld(t, f)
			w.add(1)
			_, err := w.index.Step(t.Context(), time.Minute)
			wantCode(t, "step", err, CodeProduct)
			if h := w.index.Health(t.Context()); h.State != StateDown || h.Code != CodeProduct {
				t.Errorf("health: %+v", h)
			}
			if len(f.bulks) > 0 || f.put > 0 {
				t.Error("it was written to")
			}
		})
	}
}

func TestOpenRefusesWhatCannotWork(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty.crt")
	if err := os.WriteFile(empty, []byte("not a certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		cfg  Configuration
		code string
	}{
		"no address":                      {Configuration{}, CodeAddress},
		"a host alone":                    {Configuration{URL: "localhost:9200"}, CodeAddress},
		"a password in the address":       {Configuration{URL: "http://outband:not-a-secret@localhost:9200"}, CodeAddress},
		"a file that is not there":        {Configuration{URL: "https://localhost:9200", CAFile: filepath.Join(dir, "none.crt")}, CodeCA},
		"a file that is no certificate":   {Configuration{URL: "https://localhost:9200", CAFile: empty}, CodeCA},
		"a folder in place of the file":   {Configuration{URL: "https://localhost:9200", CAFile: dir}, CodeCA},
		"a query at the address's end":    {Configuration{URL: "http://localhost:9200?x=y"}, CodeAddress},
		"an address of something else":    {Configuration{URL: "ftp://localhost"}, CodeAddress},
		"an address that is not an URL":   {Configuration{URL: "http://[::1"}, CodeAddress},
		"a fragment at the address's end": {Configuration{URL: "http://localhost:9200#x"}, CodeAddress},
	} {
		_, err := Open(tc.cfg, Dependencies{Log: slog.New(slog.DiscardHandler)})
		wantCode(t, name, err, tc.code)
		if err != nil && strings.Contains(err.Error(), "not-a-secret") {
			t.Errorf("%s: the error holds the password", name)
		}
	}
}

// TestAnswersThatCannotBeTrusted never become an answer of ours: they are an error, or a question for the store.
func TestAnswersThatCannotBeTrusted(t *testing.T) {
	for name, tc := range map[string]struct {
		status int
		body   string
		want   error // nil: any other
	}{
		"a part of the shards":     {200, `{"_shards":{"total":2,"successful":1},"hits":{"total":{"value":1,"relation":"eq"}}}`, nil},
		"it took too long":         {200, `{"timed_out":true,"hits":{}}`, nil},
		"no aggregations":          {200, `{"hits":{"total":{"value":1,"relation":"eq"}}}`, nil},
		"values were left out":     {200, `{"hits":{"total":{"value":1,"relation":"eq"}},"aggregations":{"severity":{"sum_other_doc_count":3,"buckets":[]}}}`, search.ErrUnsuited},
		"counts are estimates":     {200, `{"hits":{"total":{"value":1,"relation":"eq"}},"aggregations":{"severity":{"doc_count_error_upper_bound":1,"buckets":[]}}}`, search.ErrUnsuited},
		"the total is an estimate": {200, `{"hits":{"total":{"value":10000,"relation":"gte"}}}`, nil},
		"not JSON":                 {200, `<html>`, nil},
		"an error":                 {500, `{"error":{"type":"x"}}`, nil},
		"too many buckets":         {400, `{"error":{"type":"search_phase_execution_exception"}}`, nil},
		"not ready":                {503, `{}`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			w := newFakeWorld(t, f)
			w.add(1)
			f.search = func() (int, string) { return tc.status, tc.body }
			_, err := w.index.Facets(t.Context(), filter.Filter{})
			if err == nil || tc.want != nil && !errors.Is(err, tc.want) || tc.want == nil && errors.Is(err, search.ErrUnsuited) {
				t.Error(err)
			}
			got, err := search.NewSwitch(w.embedded, w.index).Facets(t.Context(), filter.Filter{})
			if err != nil || got.Total != 1 {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

// TestManyPeople asks about more people than one question may name: the store answers, and that is no failure.
func TestManyPeople(t *testing.T) {
	f := newFake(t)
	w := newFakeWorld(t, f)
	f.bulk = func(ids []string) (int, string) { return 200, taken(ids, nil) }
	w.add(1)
	w.step()
	w.index.maxKeys = 500 // The product's own number takes longer than the index is waited for, where the race detector runs.
	w.write(func(tx *store.Tx) error {
		_, err := tx.Exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i <= $1)
			INSERT INTO actors (workspace_id, connection_id, key, vendor_id, email, name, type, role, updated_at, tokens)
			SELECT $2, 'con_a', 'act_' || i, 'many', '', '', 'user', '', 0, 'many' FROM n`, w.index.maxKeys, store.Workspace)
		return err
	})
	for name, q := range map[string]filter.Filter{"by text": {Query: "many"}, "by id": {Actor: []string{"many"}}} {
		if _, err := w.index.Facets(t.Context(), q); !errors.Is(err, search.ErrUnsuited) {
			t.Errorf("%s: %v", name, err)
		}
		page, err := search.NewSwitch(w.embedded, w.index).List(t.Context(), search.Query{Filter: q})
		if err != nil || page.Degraded || len(page.Items) != 0 {
			t.Errorf("%s: %+v, %v", name, page, err)
		}
	}
	for _, r := range f.requests {
		if strings.HasSuffix(r.URL.Path, "/_search") {
			t.Error("it was asked all the same")
		}
	}
}
