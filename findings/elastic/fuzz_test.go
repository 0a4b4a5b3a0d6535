package elastic

import (
	"encoding/json"
	"errors"
	"regexp"
	"testing"

	"github.com/outband/outband/findings/search"
)

// FuzzBulkAnswer reads foreign answers of _bulk: what is believed fits what was sent, one by one.
func FuzzBulkAnswer(f *testing.F) {
	for _, seed := range []string{`{"items":[{"index":{"_id":"a","status":201}},{"index":{"_id":"b","status":409,"error":{"type":"version_conflict_engine_exception"}}}]}`, `{"items":null}`,
		`{"items":[{"index":{"_id":"b","status":201}},{"index":{"_id":"a","status":201}}]}`, `{"items":[{"create":{"_id":"a","status":201}},{}]}`, `{"items":[{"index":{"_id":"a","status":-1}}]}`} {
		f.Add([]byte(seed))
	}
	sent := []write{{id: "a"}, {id: "b"}}
	f.Fuzz(func(t *testing.T, b []byte) {
		var answer bulkAnswer
		if json.Unmarshal(b, &answer) != nil {
			return
		}
		items, err := parseItems(answer, sent)
		if err != nil {
			return
		}
		if len(items) != 2 || items[0].ID != "a" || items[1].ID != "b" {
			t.Fatalf("%+v", items)
		}
		for _, it := range items {
			if it.Status < 100 || it.Status > 599 || it.Kind != identifier(it.Kind) {
				t.Fatalf("%+v", it)
			}
		}
	})
}

// FuzzSearchAnswer reads foreign answers of _search: each reading ends in an answer of the right size or in an error.
func FuzzSearchAnswer(f *testing.F) {
	for _, seed := range []string{
		`{"_shards":{"total":1,"successful":1},"hits":{"total":{"value":1,"relation":"eq"},"hits":[{"_id":"fnd_a","sort":[1764000000000000,"fnd_a"]}]}}`,
		`{"hits":{"hits":[{"_id":"fnd_a","sort":["a title","fnd_a"]},{"_id":"fnd_b","sort":[null,"fnd_b"]},{"_id":"fnd_c","sort":[1]}]}}`,
		`{"aggregations":{"severity":{"buckets":[{"key":"high","doc_count":3}]},"all":{"doc_count":4,"kind":{"buckets":[]}},"buckets":{"buckets":[{"doc_count":1,"severity":{"buckets":[{"key":"low","doc_count":1}]}},{"doc_count":0,"severity":{}}]}}}`,
		`{"aggregations":{"severity":{"buckets":[{"key":7,"doc_count":-3}]},"all":[]}}`,
	} {
		f.Add([]byte(seed))
	}
	starts := []int64{0, 10}
	f.Fuzz(func(t *testing.T, b []byte) {
		var answer searchAnswer
		if json.Unmarshal(b, &answer) != nil {
			return
		}
		_ = answer.whole() // That it ends is all that there is to know.
		for _, h := range answer.Hits.Hits {
			for _, text := range []bool{false, true} {
				if p, err := h.place("bind", text); err == nil && (p.ID == "" || p.ID != h.ID || p.Bind != "bind") {
					t.Fatalf("%+v of %+v", p, h)
				}
			}
		}
		if v, err := under[terms](answer.Aggregations, "severity"); err == nil {
			counts, err := v.exact()
			if err == nil && (len(counts) != len(v.Buckets) || v.Other != 0) {
				t.Fatalf("%+v of %+v", counts, v)
			}
			if err != nil && !errors.Is(err, search.ErrUnsuited) && !errors.Is(err, errAnswer) {
				t.Fatal(err)
			}
		}
		_, _ = under[int64](answer.Aggregations, "all", "doc_count") // As above.
		if r, err := under[ranges](answer.Aggregations, "buckets"); err == nil {
			if got, err := r.timeline(starts); err == nil && len(got.Items) != len(starts) {
				t.Fatalf("%+v", got)
			}
		}
	})
}

// FuzzErrorKind reads foreign error pages: what comes out is an identifier or nothing.
func FuzzErrorKind(f *testing.F) {
	for _, seed := range []string{`{"error":{"type":"index_not_found_exception","reason":"the text of a document"},"status":404}`, `{"error":"alias [x] missing","status":404}`, `<html>`, `{"error":{"type":"<script>"}}`, `{}`} {
		f.Add([]byte(seed))
	}
	ok := regexp.MustCompile(`^[a-z_]{0,80}$`)
	f.Fuzz(func(t *testing.T, b []byte) {
		if got := errorKind(b); !ok.MatchString(got) {
			t.Fatalf("%q", got)
		}
	})
}

// FuzzIndexName reads foreign names of indices: one that is ours is spelled as we spell it.
func FuzzIndexName(f *testing.F) {
	for _, seed := range []string{"outband-findings-2026.11-v2", "outband-findings-2026.11", "outband-findings-copy", "outband-findings-2026.11-v999999999"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		month, n, ok := parseName(name)
		if !ok {
			return
		}
		if again, m, ok := parseName(numbered(month, n)); !ok || m != n || again != month {
			t.Fatalf("%q: %q %d, then %q %d", name, month, n, again, m)
		}
	})
}
