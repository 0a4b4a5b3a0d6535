package connectortest

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/outband/outband/connectors"
)

func recordShape(r *run) {
	n := 0
	for i, at := range r.whole() {
		for _, item := range at.page.Items {
			if item.Record == nil {
				if records(r.stream) {
					r.Errorf("an item of page %d has no record", i)
				}
				continue // An item of content may have one.
			}
			n++
			rec := item.Record
			if rec.Kind == "" || rec.ID == "" || rec.Scope == "" {
				r.Errorf("a record of page %d lacks its kind, its id or its scope: %q %q %q", i, rec.Kind, rec.ID, rec.Scope)
			}
			if records(r.stream) && item.Kind != connectors.KindRecord {
				r.Errorf("an item of page %d is a %s, want a record", i, item.Kind)
			}
			for k, v := range rec.Fields {
				if why := badField(v, 0); k == "" || why != "" {
					r.Errorf("the field %q of a record of kind %s: %s", k, rec.Kind, why)
				}
			}
		}
	}
	if n == 0 && records(r.stream) {
		r.Errorf("the snapshot %s has no records", r.stream.ID)
	}
}

// badField says what is wrong with a value, which must be one that policies and differences can take.
func badField(v any, depth int) string {
	if depth > 8 {
		return "it is nested too deep"
	}
	switch v := v.(type) {
	case string, bool, float64:
		return ""
	case []any:
		for _, e := range v {
			if why := badField(e, depth+1); why != "" {
				return why
			}
		}
		return ""
	case map[string]any:
		for _, e := range v {
			if why := badField(e, depth+1); why != "" {
				return why
			}
		}
		return ""
	}
	return fmt.Sprintf("a %T, want a string, a bool, a float64, or a list or a map of them", v)
}

func recordIDs(r *run) {
	seen := map[string]int{}
	for i, at := range r.whole() {
		for _, item := range at.page.Items {
			if item.Record == nil {
				continue
			}
			id := item.Record.Kind + "/" + item.Record.ID
			if before, ok := seen[id]; ok {
				r.Errorf("the record %s is on page %d and on page %d", id, before, i)
			}
			seen[id] = i
		}
	}
}

// noPersons looks for people in the fields of records: addresses, and the names and ids that the item gives as its actor.
func noPersons(r *run) {
	for i, at := range r.whole() {
		for _, item := range at.page.Items {
			if item.Record == nil {
				continue
			}
			mapStrings(cloned(anyMap(item.Record.Fields)), "", func(key, v string) string {
				if emailForm.MatchString(v) || v != "" && (v == item.Actor.Email || v == item.Actor.Name) {
					r.Errorf("the field %s of a record of page %d names a person", key, i)
				}
				return v
			})
		}
	}
}

func anyMap(m map[string]any) any {
	if m == nil {
		return map[string]any{}
	}
	return m
}

// missingScope answers 404 for each address of the snapshot in turn.
func missingScope(r *run) {
	reads := r.whole()
	type rec struct{ id, scope string }
	all := func(reads []read) (out []rec, missing []string) {
		for _, at := range reads {
			missing = append(missing, at.page.Missing...)
			for _, item := range at.page.Items {
				if item.Record != nil {
					out = append(out, rec{item.Record.Kind + "/" + item.Record.ID, item.Record.Scope})
				}
			}
		}
		return out, missing
	}
	want, _ := all(reads)
	root := reads[0].request.path
	var paths []string
	for _, at := range reads {
		if !slices.Contains(paths, at.request.path) {
			paths = append(paths, at.request.path)
		}
	}
	for _, path := range paths {
		r.server.serve(func(w http.ResponseWriter, req *http.Request, recorded reply) {
			if req.URL.EscapedPath() == path {
				refusal(http.StatusNotFound)(w, req, recorded)
				return
			}
			recorded.send(w)
		})
		reads, err := r.walk(r.source(), start(r.stream))
		if err != nil && path == root {
			// Nothing was read, and the error says so.
			if r.stream.Optional && len(paths) == 1 {
				r.wantKind(err, connectors.KindUnavailable)
			}
			continue
		}
		if err != nil {
			r.Errorf("a scope that answers 404 ends the snapshot: %v", err)
			continue
		}
		got, missing := all(reads)
		if len(missing) == 0 {
			r.Errorf("a scope that answers 404 is not among the missing")
		}
		for _, lost := range want {
			if !slices.Contains(got, lost) && !slices.Contains(missing, lost.scope) {
				r.Errorf("the record %s is not given, and its scope %q is not among the missing", lost.id, lost.scope)
			}
		}
		for _, more := range got {
			if !slices.Contains(want, more) {
				r.Errorf("the record %s is given only while another scope answers 404", more.id)
			}
		}
	}
}

// unavailable answers 404 for an optional stream that is one list.
func unavailable(r *run) {
	reads := r.whole()
	first := reads[0]
	if r.nested(reads) {
		r.Skipf("%s is read in several lists, which another check takes away", r.stream.ID)
	}
	r.server.serve(func(w http.ResponseWriter, req *http.Request, recorded reply) {
		if req.URL.EscapedPath() == first.request.path {
			refusal(http.StatusNotFound)(w, req, recorded)
			return
		}
		recorded.send(w)
	})
	page, err := r.source().Read(r.Context(), r.stream.ID, first.after)
	if err == nil {
		if len(page.Missing) == 0 {
			r.Errorf("an optional stream that answers 404 gives a page of %d items and no missing scope", len(page.Items))
		}
		return
	}
	r.wantKind(err, connectors.KindUnavailable)
}
