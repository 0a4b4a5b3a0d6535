package api

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"

	"github.com/outband/outband/api/problem"
	"github.com/outband/outband/findings/deliver"
	"github.com/outband/outband/findings/filter"
	"github.com/outband/outband/findings/search"
)

// PreviewDestinationInput is a destination, saved or not, of which only a call is shown.
type PreviewDestinationInput struct {
	Body struct {
		Config DestinationConfig `json:"config"`
		Filter string            `json:"filter,omitempty" maxLength:"4096" doc:"Absent: all findings."`
	}
}

// Preview is a call as a destination would get it. Nothing was sent.
type Preview struct {
	FindingID  string          `json:"finding_id" doc:"The newest finding that the filter selects; empty: there is none, and the body is a made-up example."`
	Event      string          `json:"event" doc:"The type of the event."`
	Method     string          `json:"method" enum:"POST"`
	URL        string          `json:"url"`
	Headers    []PreviewHeader `json:"headers"`
	Body       string          `json:"body" doc:"Byte for byte as it would be sent; JSON."`
	SigningKey string          `json:"signing_key" doc:"What this preview is signed with: 32 zero bytes. Never the key of the destination."`
}

// PreviewHeader is a header of the call.
type PreviewHeader struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

func (a *API) previewDestination(ctx context.Context, in *PreviewDestinationInput) (*Output[Preview], error) {
	b := &in.Body
	if err := a.checkDestination(&b.Config, &b.Filter, nil); err != nil {
		return nil, err
	}
	f, err := filter.Parse(b.Filter)
	if err != nil {
		return nil, problem.Invalid(problem.Field{Location: "body.filter", Message: err.Error()})
	}
	// More than one is asked for: a page leaves out what an index still holds and the filter selects no more.
	newest, err := a.d.Findings.List(ctx, search.Query{Filter: f, Limit: search.DefaultLimit})
	if err != nil {
		return nil, searchError(err)
	}
	out := Preview{Method: http.MethodPost, URL: b.Config.URL, SigningKey: deliver.PreviewKey().Reveal()}
	var call deliver.Preview
	err = deliver.ErrNoEvent
	if len(newest.Items) > 0 {
		out.FindingID = newest.Items[0].ID
		call, err = a.d.Deliverer.Preview(ctx, out.FindingID)
	}
	switch {
	case errors.Is(err, deliver.ErrNoEvent):
		out.FindingID = ""
		if call, err = a.d.Deliverer.Example(); err != nil {
			return nil, err
		}
	case err != nil:
		return nil, err
	default:
		// Invariant 11: the body holds evidence.
		if err := a.auditRead(ctx, "destination.preview", out.FindingID, nil); err != nil {
			return nil, err
		}
	}
	out.Event, out.Body, out.Headers = call.Type, string(call.Body), []PreviewHeader{}
	for _, name := range slices.Sorted(maps.Keys(call.Header)) {
		out.Headers = append(out.Headers, PreviewHeader{Name: name, Value: call.Header.Get(name)})
	}
	return &Output[Preview]{out}, nil
}
