package elastic

import (
	"encoding/json"

	"github.com/outband/outband/findings/cursor"
	"github.com/outband/outband/findings/search"
)

// searchAnswer is what a search returns.
type searchAnswer struct {
	TimedOut bool `json:"timed_out"`
	Shards   struct {
		Total      int `json:"total"`
		Successful int `json:"successful"`
	} `json:"_shards"`
	Hits struct {
		Total struct {
			Value    int64  `json:"value"`
			Relation string `json:"relation"`
		} `json:"total"`
		Hits []hit `json:"hits"`
	} `json:"hits"`
	Aggregations map[string]json.RawMessage `json:"aggregations"`
}

type hit struct {
	ID   string            `json:"_id"`
	Sort []json.RawMessage `json:"sort"`
}

// terms are the counts of values.
type terms struct {
	Error   int64 `json:"doc_count_error_upper_bound"`
	Other   int64 `json:"sum_other_doc_count"`
	Buckets []struct {
		Key   string `json:"key"`
		Count int64  `json:"doc_count"`
	} `json:"buckets"`
}

// ranges are counts by range, each with those by severity.
type ranges struct {
	Buckets []struct {
		Count    int64 `json:"doc_count"`
		Severity terms `json:"severity"`
	} `json:"buckets"`
}

var errAnswer = newError(CodeAnswer, "An answer of Elasticsearch does not have the form that was asked for.", nil)

// whole refuses an answer that only a part of the index gave.
func (a *searchAnswer) whole() error {
	if a.TimedOut || a.Shards.Successful != a.Shards.Total {
		return newError(CodeMissing, "Only a part of the index answered.", nil)
	}
	return nil
}

// place reads where a row stands in the order: its key and its id.
func (h hit) place(bind string, text bool) (p cursor.Place, err error) {
	p.Bind = bind
	var key any = &p.Number
	if text {
		key = &p.Text
	}
	if len(h.Sort) != 2 || json.Unmarshal(h.Sort[0], key) != nil || json.Unmarshal(h.Sort[1], &p.ID) != nil || p.ID == "" || p.ID != h.ID {
		return p, errAnswer
	}
	return p, nil
}

// under reads one aggregation inside another, or at the top with one name.
func under[T any](aggs map[string]json.RawMessage, path ...string) (out T, err error) {
	for _, name := range path[:len(path)-1] {
		var inner map[string]json.RawMessage
		if json.Unmarshal(aggs[name], &inner) != nil {
			return out, errAnswer
		}
		aggs = inner
	}
	raw, ok := aggs[path[len(path)-1]]
	if !ok || json.Unmarshal(raw, &out) != nil {
		return out, errAnswer
	}
	return out, nil
}

// exact returns the counts, or search.ErrUnsuited where Elasticsearch has left values out.
func (t terms) exact() ([]search.Count, error) {
	if t.Error != 0 || t.Other != 0 {
		return nil, search.ErrUnsuited
	}
	out := make([]search.Count, 0, len(t.Buckets))
	for _, b := range t.Buckets {
		if b.Count < 0 {
			return nil, errAnswer
		}
		out = append(out, search.Count{Value: b.Key, Count: b.Count})
	}
	return out, nil
}

// timeline puts counts into the buckets that begin at starts.
func (r ranges) timeline(starts []int64) (search.Timeline, error) {
	if len(r.Buckets) != len(starts) {
		return search.Timeline{}, errAnswer
	}
	out := search.NewTimeline(starts)
	for i, b := range r.Buckets {
		counts, err := b.Severity.exact()
		if err != nil {
			return search.Timeline{}, err
		}
		for _, c := range counts {
			out.Items[i].Severity[c.Value] += c.Count
			out.Items[i].Total += c.Count
		}
		if out.Items[i].Total != b.Count {
			return search.Timeline{}, errAnswer
		}
	}
	return out, nil
}
