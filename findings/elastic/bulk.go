package elastic

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/elastic/go-elasticsearch/v8/esapi"
)

const (
	maxDocs  = 1000
	maxBytes = 5 << 20 // of one request, before compression

	maxTries  = 8 // in a row without any document taken
	firstWait = 200 * time.Millisecond
	maxWait   = 10 * time.Second
)

// write is one document on its way.
type write struct {
	index string // or the alias of a month
	id    string
	lines []byte // the action and the document
	alone bool   // it was refused in company: it is tried by itself once
}

func newWrite(index string, version int64, d document) (write, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_, _, building := parseName(index)
	// An external version makes a replay or a late write a conflict (invariant 3). A month that is not there is not made by guessing a mapping.
	action := object{"index": object{"_index": index, "_id": d.ID, "version": version, "version_type": "external", "require_alias": !building}}
	if err := enc.Encode(action); err != nil {
		return write{}, fmt.Errorf("encode finding %s: %w", d.ID, err)
	}
	if err := enc.Encode(d); err != nil {
		return write{}, fmt.Errorf("encode finding %s: %w", d.ID, err)
	}
	return write{index: index, id: d.ID, lines: b.Bytes()}, nil
}

// item is the answer for one document.
type item struct {
	ID     string
	Status int
	Kind   string // of the error; empty: none
}

// parseItems reads an answer of _bulk. It refuses one that does not speak of the same documents in the same order.
func parseItems(answer bulkAnswer, sent []write) ([]item, error) {
	wrong := newError(CodeAnswer, "An answer of Elasticsearch does not fit what was written.", nil)
	if len(answer.Items) != len(sent) {
		return nil, wrong
	}
	out := make([]item, len(sent))
	for i, actions := range answer.Items {
		a, ok := actions["index"]
		if !ok || len(actions) != 1 || a.ID != sent[i].id || a.Status < 100 || a.Status > 599 {
			return nil, wrong
		}
		out[i] = item{ID: a.ID, Status: a.Status, Kind: identifier(a.Error.Type)}
	}
	return out, nil
}

type bulkAnswer struct {
	Items []map[string]struct {
		ID     string `json:"_id"`
		Status int    `json:"status"`
		Error  struct {
			Type string `json:"type"`
		} `json:"error"`
	} `json:"items"`
}

// bulk makes one request. The reasons of errors are not asked for: they may quote a document.
func (x *Index) bulk(ctx context.Context, part []write) ([]item, int, error) {
	var lines bytes.Buffer
	for _, w := range part {
		lines.Write(w.lines)
	}
	var answer bulkAnswer
	status, err := x.call(ctx, esapi.BulkRequest{Body: &lines, FilterPath: []string{"items.*._id", "items.*.status", "items.*.error.type"}}, &answer)
	if err != nil {
		return nil, status, err
	}
	items, err := parseItems(answer, part)
	return items, status, err
}

// send writes documents until Elasticsearch has taken or refused each. Refused are those that it will never take; they stop nobody else. Any other
// failure is an error: then nothing is known of the rest, and all may be sent again.
func (x *Index) send(ctx context.Context, pending []write) (refused int, err error) {
	size, tries := maxDocs, 0
	for len(pending) > 0 {
		part := pending[:fit(pending, size)]
		v, err := x.attempt(ctx, part)
		refused += v.refused
		if err != nil {
			return refused, err
		}
		pending = append(v.later, pending[len(part):]...)
		switch {
		case v.busy != 0:
			if len(v.later) < len(part) {
				tries = 0
			}
			if tries++; tries > maxTries {
				return refused, statusError(v.busy, "")
			}
			size = max(1, len(part)/2)
			if err := x.wait(ctx, tries); err != nil {
				return refused, err
			}
		case v.large:
			size = max(1, len(part)/2)
		default:
			tries, size = 0, min(maxDocs, 2*size)
		}
	}
	return refused, nil
}

// verdict is what became of one request.
type verdict struct {
	refused int
	later   []write
	busy    int  // the status that asks to wait; 0: none does
	large   bool // the request was too large
}

// attempt sends one request and sorts what became of its documents.
func (x *Index) attempt(ctx context.Context, part []write) (v verdict, err error) {
	items, status, err := x.bulk(ctx, part)
	switch {
	case err == nil:
	case status == http.StatusRequestEntityTooLarge && len(part) == 1:
		x.refuse(part[0].id, status, "")
		return verdict{refused: 1}, nil
	case status == http.StatusRequestEntityTooLarge:
		return verdict{later: slices.Clone(part), large: true}, nil
	case again(status):
		return verdict{later: slices.Clone(part), busy: status}, nil
	default:
		return v, err
	}
	renew := false
	for i, it := range items {
		w := part[i]
		switch {
		case it.Status < 300 || it.Status == http.StatusConflict: // A conflict: a newer version is there.
		case it.Status == http.StatusUnauthorized || it.Status == http.StatusForbidden:
			return v, statusError(it.Status, it.Kind)
		case it.Status == http.StatusNotFound: // The index was deleted.
			v.later, v.busy, renew = append(v.later, w), it.Status, true
		case again(it.Status):
			v.later, v.busy = append(v.later, w), it.Status
		case !w.alone:
			w.alone = true
			v.later = append(v.later, w)
			renew = renew || it.Kind == "strict_dynamic_mapping_exception"
		default:
			x.refuse(w.id, it.Status, it.Kind)
			v.refused++
		}
	}
	if renew {
		x.forget()
		err = x.prepare(ctx, indices(v.later))
	}
	return v, err
}

// refuse notes a document that Elasticsearch will not take. Step stores how many.
func (x *Index) refuse(id string, status int, kind string) {
	x.deps.Log.Warn("document refused", "code", CodeDocuments, "err", fmt.Sprintf("finding %s: status %d %s", id, status, kind))
}

// wait waits before the next try: full jitter, doubling.
func (x *Index) wait(ctx context.Context, tries int) error {
	limit := min(maxWait, firstWait<<(tries-1))
	t := time.NewTimer(time.Duration(x.deps.Rand() * float64(limit)))
	defer t.Stop()
	select {
	case <-ctx.Done():
		return fmt.Errorf("wait for Elasticsearch: %w", ctx.Err())
	case <-t.C:
		return nil
	}
}

// fit returns how many of the documents make the next request.
func fit(pending []write, size int) int {
	n, bytes := 0, 0
	for n < len(pending) && n < size {
		if pending[n].alone && n > 0 {
			break
		}
		bytes += len(pending[n].lines)
		if n > 0 && bytes > maxBytes {
			break
		}
		n++
		if pending[n-1].alone {
			break
		}
	}
	return n
}
