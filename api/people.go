package api

import (
	"context"

	"github.com/outband/outband/findings/search"
)

// SearchList is a list that the search engine answers.
type SearchList[T any] struct {
	List[T]
	Degraded bool `json:"degraded,omitempty" doc:"Elasticsearch did not answer or is behind: the store answered in its place. Absent: it is not so."`
}

// SearchOutput answers with a list of the search engine.
type SearchOutput[T any] struct{ Body SearchList[T] }

// searched makes a page of the search engine.
func searched[T any](items []T, next string, degraded bool) *SearchOutput[T] {
	return &SearchOutput[T]{Body: SearchList[T]{List: listed(items, next).Body, Degraded: degraded}}
}

// PeopleInput is a question for the people with the most findings.
type PeopleInput struct {
	FilterInput
	SeenInput
	Limit int `query:"limit" minimum:"1" maximum:"100" default:"10" doc:"How many people."`
}

func (a *API) people(ctx context.Context, in *PeopleInput) (*SearchOutput[search.PersonCount], error) {
	f, err := seen(&in.FilterInput, in.SeenInput)
	if err != nil {
		return nil, err
	}
	most, err := a.d.Findings.People(ctx, f, in.Limit)
	if err != nil {
		return nil, searchError(err)
	}
	return searched(most.Items, "", most.Degraded), nil
}
