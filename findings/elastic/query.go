package elastic

import (
	"context"
	"strings"

	"github.com/outband/outband/findings/filter"
	"github.com/outband/outband/findings/search"
	"github.com/outband/outband/findings/token"
)

// maxKeys is how many people one clause names; Elasticsearch's own limit is 65,536.
const maxKeys = 60_000

// fieldOf are the index's names of the fields of a filter, where they differ.
var fieldOf = map[string]string{"detector": "detectors", "resource_kind": "resource.kind"}

func field(name string) string {
	if f, ok := fieldOf[name]; ok {
		return f
	}
	return name
}

// question is a filter as clauses of a query.
type question struct {
	base   []any          // bounds of time, people, free text
	fields map[string]any // by the filter's name of the field; only those that are filtered
	// bounded says that there are bounds of time.
	bounded bool
	// hard says that the free text holds a phrase with a prefix at its end, which Elasticsearch refuses if too many words begin so.
	hard bool
}

// all are the clauses of everything but one field; "" leaves none out.
func (q *question) all(but string) []any {
	out := append([]any{}, q.base...)
	for _, name := range filter.Fields() {
		if c, ok := q.fields[name]; ok && name != but {
			out = append(out, c)
		}
	}
	return out
}

// every is a query for what all clauses select; without any, everything.
func every(clauses []any) object { return object{"bool": object{"filter": clauses}} }

var nothing = object{"match_none": object{}}

// question reads a filter. Personal data stays in the store: people are looked up there and named by their keys. Errors: filter.ErrFilter,
// search.ErrUnsuited if that would be too many.
func (x *Index) question(ctx context.Context, f filter.Filter) (*question, error) {
	if err := f.Validate(); err != nil {
		return nil, err
	}
	q := &question{fields: map[string]any{}}
	for i, values := range f.Values() {
		if name := filter.Fields()[i]; len(*values) > 0 && name != "actor" {
			q.fields[name] = object{"terms": object{field(name): *values}}
		}
	}
	if q.bounded = f.From != 0 || f.To != 0; q.bounded {
		bounds := object{"gte": int64(f.From)}
		if f.To != 0 {
			bounds["lt"] = int64(f.To)
		}
		q.base = append(q.base, object{"range": object{"first_seen_us": bounds}})
	}
	if len(f.Actor) > 0 {
		keys, err := x.deps.Embedded.ActorKeys(ctx, f.Actor, x.maxKeys+1)
		if err != nil {
			return nil, err
		}
		if len(keys) > x.maxKeys {
			return nil, search.ErrUnsuited
		}
		q.base = append(q.base, object{"terms": object{"actor_key": keys}})
	}
	terms, ok := token.Parse(f.Query)
	if !ok {
		q.base = append(q.base, nothing)
	}
	for _, t := range terms {
		keys, err := x.deps.Embedded.ActorKeysOf(ctx, t, x.maxKeys+1)
		if err != nil {
			return nil, err
		}
		if len(keys) > x.maxKeys {
			return nil, search.ErrUnsuited
		}
		q.hard = q.hard || t.Prefix && len(t.Tokens) > 1
		clause := text(t)
		if len(keys) > 0 {
			clause = object{"bool": object{"should": []any{clause, object{"terms": object{"actor_key": keys}}}, "minimum_should_match": 1}}
		}
		q.base = append(q.base, clause)
	}
	return q, nil
}

// text is a term of free text as a query on the tokens, which Elasticsearch only splits at the spaces.
func text(t token.Term) object {
	last := len(t.Tokens) - 1
	switch {
	case last == 0 && t.Prefix:
		return object{"prefix": object{"tokens": object{"value": t.Tokens[0]}}}
	case last == 0:
		return object{"term": object{"tokens": object{"value": t.Tokens[0]}}}
	case !t.Prefix:
		return object{"match_phrase": object{"tokens": object{"query": strings.Join(t.Tokens, " "), "slop": 0}}}
	}
	// Not match_phrase_prefix, which leaves words out in silence where many begin so. This one is refused then.
	before := object{"match": object{"query": strings.Join(t.Tokens[:last], " "), "ordered": true, "max_gaps": 0}}
	return object{"intervals": object{"tokens": object{"all_of": object{
		"ordered": true, "max_gaps": 0, "intervals": []any{before, object{"prefix": object{"prefix": t.Tokens[last]}}},
	}}}}
}
