package elastic

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/elastic/go-elasticsearch/v8/esapi"

	"github.com/outband/outband/findings/search"
)

// States of the index.
const (
	StateUp       = "up"
	StateDegraded = "degraded" // it runs, but not all is as it should be
	StateDown     = "down"     // the store answers in its place
)

// Health is what an operator sees.
type Health struct {
	State   string
	Code    string // of what is wrong; empty when up
	Detail  string // one sentence with the code and what to do; empty when up
	Behind  int64  // changes of findings that the index has not taken
	Refused int64  // documents that it did not take since it was last built
	Version string // of the server; empty: unknown
}

// Health asks the server and the store. It never fails: what cannot be known is said in Detail.
func (x *Index) Health(ctx context.Context) Health {
	h := Health{State: StateUp}
	worse := func(state string, err error) {
		var e *Error
		if !errors.As(err, &e) {
			e = newError(CodeDown, "Elasticsearch or the store did not answer in time.", err)
		}
		if h.State != StateDown {
			h.State, h.Code, h.Detail = state, e.Code, e.Error()
		}
	}
	lag, err := search.ReadLag(ctx, x.deps.DB)
	if err != nil {
		worse(StateDegraded, newError(CodeBehind, "It cannot be read from the store how far the index is.", err))
	}
	h.Behind = lag.Rows
	if h.Refused, err = number(ctx, x.deps.DB.Read(), metaRefused); err == nil && h.Refused > 0 {
		worse(StateDegraded, newError(CodeDocuments, fmt.Sprintf("%d documents were refused. Run outband reindex; the log of Outband names them.", h.Refused), nil))
	}
	if err == nil && lag.Behind() {
		worse(StateDegraded, newError(CodeBehind, fmt.Sprintf("The index lacks %d changes. It catches up by itself; until then the store answers.", lag.Rows), nil))
	}
	if h.Version, err = x.version(ctx); err != nil {
		worse(StateDown, err)
		return h
	}
	if err := x.readable(ctx); err != nil {
		var e *Error
		switch errors.As(err, &e); {
		case e == nil || e.Status != http.StatusNotFound:
			worse(StateDown, err)
		case lag.Offset > 0: // Before the first finding there is no index.
			worse(StateDegraded, err)
		}
	}
	return h
}

// readable asks a question as small as there is.
func (x *Index) readable(ctx context.Context) error {
	none, partial := 0, false
	var answer searchAnswer
	if _, err := x.call(ctx, esapi.SearchRequest{Index: []string{alias}, Size: &none, AllowPartialSearchResults: &partial}, &answer); err != nil {
		return err
	}
	return answer.whole()
}
