package elastic

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/elastic/go-elasticsearch/v8/esapi"

	"github.com/outband/outband/findings/cursor"
	"github.com/outband/outband/findings/filter"
	"github.com/outband/outband/findings/search"
	"github.com/outband/outband/internal/store"
)

// search asks one question of all months. A partial answer is an error.
func (x *Index) search(ctx context.Context, q *question, asked object) (*searchAnswer, error) {
	var answer searchAnswer
	partial, always, cache := false, 1, true
	// Months that do not change any more answer from their cache, also for lists, which Elasticsearch leaves out of it by itself.
	request := esapi.SearchRequest{Index: []string{alias}, AllowPartialSearchResults: &partial, RequestCache: &cache, Body: body(asked)}
	if q.bounded {
		request.PreFilterShardSize = &always // Months that lie outside are not searched.
	}
	status, err := x.call(ctx, request, &answer)
	switch {
	case err == nil:
		return &answer, answer.whole()
	case status == http.StatusNotFound:
		return nil, x.missing(ctx, err)
	case q.hard && (status == http.StatusBadRequest || status == http.StatusInternalServerError):
		return nil, search.ErrUnsuited
	}
	return nil, err
}

// missing says what it means that there is no index: nothing, as long as nothing was ever found.
func (x *Index) missing(ctx context.Context, err error) error {
	var n int
	if qerr := x.deps.DB.Read().QueryRowContext(ctx, `SELECT COUNT(*) FROM (SELECT 1 FROM finding_log WHERE workspace_id = $1 LIMIT 1) AS any_row`, store.Workspace).Scan(&n); qerr != nil || n > 0 {
		return err
	}
	return search.ErrUnsuited
}

// sortFields are the fields that hold the sort keys, where their names differ.
var sortFields = map[string]string{
	"first_seen_at": "first_seen_us", "last_seen_at": "last_seen_us", "occurred_at": "occurred_us", "last_occurred_at": "last_occurred_us",
	"severity": "severity_rank", "status": "status_rank",
}

// List implements search.Engine: Elasticsearch gives the ids in their order, the store the rows.
func (x *Index) List(ctx context.Context, q search.Query) (search.Page, error) {
	question, err := x.question(ctx, q.Filter)
	if err != nil {
		return search.Page{}, err
	}
	order, err := q.Order()
	if err != nil {
		return search.Page{}, err
	}
	name, direction := order.Key, "asc"
	if f, ok := sortFields[name]; ok {
		name = f
	}
	if order.Down {
		direction = "desc"
	}
	limit := q.PageSize()
	asked := object{
		"size": limit + 1, "_source": false, "track_total_hits": false, "query": every(question.all("")),
		"sort": []any{object{name: direction}, object{"id": direction}},
	}
	if q.Cursor != "" {
		c, err := cursor.Decode(q.Cursor, order.Bind)
		if err != nil {
			return search.Page{}, err
		}
		if order.Text {
			asked["search_after"] = []any{c.Text, c.ID}
		} else {
			asked["search_after"] = []any{c.Number, c.ID}
		}
	}
	answer, err := x.search(ctx, question, asked)
	if err != nil {
		return search.Page{}, err
	}
	var page search.Page
	hits := answer.Hits.Hits
	if len(hits) > limit {
		hits = hits[:limit]
		last, err := hits[limit-1].place(order.Bind, order.Text)
		if err != nil {
			return search.Page{}, err
		}
		page.NextCursor = last.Encode()
	}
	ids := make([]string, len(hits))
	for i, h := range hits {
		ids[i] = h.ID
	}
	page.Items, err = x.deps.Embedded.Rows(ctx, ids, q.Filter)
	return page, err
}

// maxValues is how many values one facet may have; where there are more, the store answers. Nine facets of it are within Elasticsearch's limit of
// buckets in one answer.
const maxValues = 7000

// Facets implements search.Engine.
func (x *Index) Facets(ctx context.Context, f filter.Filter) (search.Facets, error) {
	q, err := x.question(ctx, f)
	if err != nil {
		return search.Facets{}, err
	}
	// What all clauses select is counted once for all fields that have no filter of their own; each of the others needs a count without it.
	shared, aggs := object{}, object{}
	var names []string
	for _, name := range filter.Fields() {
		if name == "actor" {
			continue
		}
		names = append(names, name)
		count := object{"terms": object{"field": field(name), "size": maxValues, "shard_size": maxValues}}
		if _, ok := q.fields[name]; !ok {
			shared[name] = count
			continue
		}
		aggs["but "+name] = object{"filter": every(q.all(name)), "aggs": object{name: count}}
	}
	asked := object{"size": 0, "track_total_hits": true}
	if len(q.fields) == 0 {
		asked["query"], asked["aggs"] = every(q.base), shared
	} else {
		aggs["all"] = object{"filter": every(q.all("")), "aggs": shared}
		asked["query"], asked["aggs"] = every(q.base), aggs
	}
	answer, err := x.search(ctx, q, asked)
	if err != nil {
		return search.Facets{}, err
	}
	out := search.Facets{Total: answer.Hits.Total.Value, Fields: map[string][]search.Count{}}
	if len(q.fields) > 0 {
		if out.Total, err = under[int64](answer.Aggregations, "all", "doc_count"); err != nil {
			return search.Facets{}, err
		}
	} else if answer.Hits.Total.Relation != "eq" {
		return search.Facets{}, errAnswer
	}
	for _, name := range names {
		path := []string{name}
		if _, ok := q.fields[name]; ok {
			path = []string{"but " + name, name}
		} else if len(q.fields) > 0 {
			path = []string{"all", name}
		}
		values, err := under[terms](answer.Aggregations, path...)
		if err != nil {
			return search.Facets{}, err
		}
		counts, err := values.exact()
		if err != nil {
			return search.Facets{}, err
		}
		search.SortCounts(name, counts)
		out.Fields[name] = counts
	}
	return out, nil
}

// Timeline implements search.Engine. The buckets are those that the store makes, so that no two meanings of a day can differ.
func (x *Index) Timeline(ctx context.Context, f filter.Filter, from, to time.Time, interval, tz string) (search.Timeline, error) {
	starts, err := search.BucketStarts(from, to, interval, tz)
	if err != nil {
		return search.Timeline{}, err
	}
	f = search.Within(f, from, to)
	q, err := x.question(ctx, f)
	if err != nil {
		return search.Timeline{}, err
	}
	bounds := make([]any, len(starts))
	for i, at := range starts {
		end := int64(f.To)
		if i+1 < len(starts) {
			end = starts[i+1]
		}
		bounds[i] = object{"from": at, "to": end}
	}
	bySeverity := object{"severity": object{"terms": object{"field": "severity", "size": maxValues}}}
	answer, err := x.search(ctx, q, object{
		"size": 0, "track_total_hits": false, "query": every(q.all("")),
		"aggs": object{"buckets": object{"range": object{"field": "first_seen_us", "ranges": bounds}, "aggs": bySeverity}},
	})
	if err != nil {
		return search.Timeline{}, err
	}
	counts, err := under[ranges](answer.Aggregations, "buckets")
	if err != nil {
		return search.Timeline{}, err
	}
	return counts.timeline(starts)
}

// People implements search.Engine.
func (x *Index) People(ctx context.Context, f filter.Filter, limit int) (search.People, error) {
	q, err := x.question(ctx, f)
	if err != nil {
		return search.People{}, err
	}
	limit = search.PeopleSize(limit)
	// Some more than asked for, because some may have been erased; and from each index so many that the counts are exact.
	const spare, perIndex = 50, 50_000
	answer, err := x.search(ctx, q, object{
		"size": 0, "track_total_hits": false, "query": every(q.all("")),
		"aggs": object{"people": object{"terms": object{"field": "actor_key", "size": limit + spare, "shard_size": perIndex}}},
	})
	if err != nil {
		return search.People{}, err
	}
	values, err := under[terms](answer.Aggregations, "people")
	if err != nil {
		return search.People{}, err
	}
	if values.Error != 0 {
		return search.People{}, search.ErrUnsuited
	}
	counts := make([]search.KeyCount, 0, len(values.Buckets))
	for _, b := range values.Buckets {
		counts = append(counts, search.KeyCount{Key: b.Key, Count: b.Count})
	}
	slices.SortFunc(counts, search.CompareKeyCounts)
	items, err := x.deps.Embedded.Name(ctx, counts, limit)
	if err == nil && len(items) < limit && values.Other > 0 {
		return search.People{}, search.ErrUnsuited // More were erased than there was room for.
	}
	return search.People{Items: items}, err
}
