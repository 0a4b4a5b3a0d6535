package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/outband/outband/api/problem"
	"github.com/outband/outband/findings"
	"github.com/outband/outband/findings/cursor"
	"github.com/outband/outband/findings/filter"
	"github.com/outband/outband/findings/search"
)

// Optional is an input that may be absent, null or a value, where absent and null mean different things.
type Optional[T any] struct {
	Set   bool // not absent
	Null  bool
	Value T
}

// UnmarshalJSON implements json.Unmarshaler.
func (o *Optional[T]) UnmarshalJSON(b []byte) error {
	o.Set = true
	if bytes.Equal(b, []byte("null")) {
		o.Null = true
		return nil
	}
	return json.Unmarshal(b, &o.Value)
}

// Schema implements huma.SchemaProvider.
func (o Optional[T]) Schema(r huma.Registry) *huma.Schema {
	s := *r.Schema(reflect.TypeFor[T](), false, "")
	s.Nullable = true
	if len(s.Enum) > 0 {
		s.Enum = append(slices.Clone(s.Enum), nil)
	}
	return &s
}

// ListInput is the paging of every list.
type ListInput struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"500" default:"50" doc:"Items of one page."`
	Cursor string `query:"cursor" maxLength:"4096" doc:"The next_cursor of the page before."`
}

// List is one page.
type List[T any] struct {
	Items      []T    `json:"items"`
	NextCursor string `json:"next_cursor" doc:"Empty on the last page."`
}

// ListOutput answers with a page.
type ListOutput[T any] struct{ Body List[T] }

// Output answers with an object.
type Output[T any] struct{ Body T }

// IDInput names an object.
type IDInput struct {
	ID string `path:"id" minLength:"1" maxLength:"128"`
}

func badCursor() *problem.Problem {
	return problem.New(http.StatusBadRequest, problem.CodeCursor, "The cursor cannot be used: it belongs to another list or other filters. Start again without it.")
}

// placeOf reads the cursor of a request: where a page of the list of this question begins.
func placeOf(in ListInput, question ...any) (cursor.Place, error) {
	place := cursor.Place{Bind: cursor.Bind(question...)}
	if in.Cursor == "" {
		return place, nil
	}
	place, err := cursor.Decode(in.Cursor, place.Bind)
	if err != nil {
		return place, badCursor()
	}
	return place, nil
}

// page renders what the store gave, of which one more than the limit says that there is a next page.
func page[S, T any](all []S, limit int, render func(S) (T, error), next func(S) string) (*ListOutput[T], error) {
	cursor := ""
	if len(all) > limit {
		all = all[:limit]
		cursor = next(all[limit-1])
	}
	out := make([]T, 0, len(all))
	for _, s := range all {
		v, err := render(s)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return listed(out, cursor), nil
}

// paginate cuts one page out of items, whose keys grow. It is for lists that are small by nature; the others are paged by the store.
func paginate[T any](list string, items []T, key func(T) string, in ListInput) (*ListOutput[T], error) {
	place, err := placeOf(in, "list", list)
	if err != nil {
		return nil, err
	}
	for in.Cursor != "" && len(items) > 0 && key(items[0]) <= place.Text {
		items = items[1:]
	}
	return page(items, in.Limit, func(x T) (T, error) { return x, nil }, func(last T) string {
		place.Text, place.ID = key(last), list
		return place.Encode()
	})
}

// listed makes a page. An empty one is [], never null.
func listed[T any](items []T, next string) *ListOutput[T] {
	return &ListOutput[T]{Body: List[T]{Items: append([]T{}, items...), NextCursor: next}}
}

// FilterInput are the filters of lists, facets, timelines and exports of findings. Each field takes several values, separated by commas or by
// giving the parameter again; they are an OR, and the fields are an AND.
type FilterInput struct {
	Q            string   `query:"q" maxLength:"4096" doc:"Free text: words, prefixes with * and phrases in quotes."`
	Severity     []string `query:"severity,explode" doc:"critical, high, medium, low, info"`
	Status       []string `query:"status,explode" doc:"open, acknowledged, in_progress, resolved, accepted_risk, false_positive, closed"`
	Kind         []string `query:"kind,explode" doc:"content, activity, posture"`
	Source       []string `query:"source,explode" doc:"present, deleted, unknown"`
	PolicyID     []string `query:"policy_id,explode"`
	ConnectionID []string `query:"connection_id,explode"`
	Connector    []string `query:"connector,explode"`
	Detector     []string `query:"detector,explode"`
	ResourceKind []string `query:"resource_kind,explode"`
	Actor        []string `query:"actor,explode" doc:"The vendor's id or the e-mail address."`
}

// filter reads the filters.
func (in *FilterInput) filter() (filter.Filter, error) {
	f := filter.Filter{Query: in.Q}
	given := []*[]string{&in.Severity, &in.Status, &in.Kind, &in.Source, &in.PolicyID, &in.ConnectionID, &in.Connector, &in.Detector, &in.ResourceKind, &in.Actor}
	for i, field := range f.Values() {
		for _, v := range *given[i] {
			*field = append(*field, splitValues(v)...)
		}
	}
	if err := f.Validate(); err != nil {
		return filter.Filter{}, badFilter(err)
	}
	return f, nil
}

// splitValues splits a parameter at its commas; one in quotes is one value.
func splitValues(s string) []string {
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		return []string{s[1 : len(s)-1]}
	}
	return strings.Split(s, ",")
}

// badFilter is the problem of filter.ErrFilter, whose text quotes no value.
func badFilter(err error) error {
	return problem.BadQuery(problem.Field{Location: "query", Message: err.Error()})
}

// searchError turns the errors of package search that are about the question into problems.
func searchError(err error) error {
	switch {
	case errors.Is(err, filter.ErrFilter), errors.Is(err, search.ErrRange):
		return badFilter(err)
	case errors.Is(err, search.ErrSort):
		return problem.BadQuery(problem.Field{Location: "query.sort", Message: "There is no such key. It is one of first_seen_at, last_seen_at, occurred_at, last_occurred_at, instance_count, severity, status, policy_id, title, with - before it for descending."})
	case errors.Is(err, cursor.Err):
		return badCursor()
	}
	return err
}

// stamp is the text of a time: RFC 3339, UTC, milliseconds; nil for none.
func stamp(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	s := findings.TimeOf(t).String()
	return &s
}
