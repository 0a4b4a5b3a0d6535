package connectortest

import (
	"slices"

	"github.com/google/go-cmp/cmp"

	"github.com/outband/outband/connectors"
)

// earlier is an item as it was before its last rows came: the parts it had, and the place they ended with.
type earlier struct {
	item  connectors.Item
	parts []connectors.Part // now, all of them
	had   map[string]bool   // by partID, of those that it had before
	place string
}

// beforeLast makes the earlier state of each item whose content is a list: its last reply without the last row.
func (r *run) beforeLast() []earlier {
	r.Helper()
	var out []earlier
	places := false
	for _, item := range r.needContents() {
		all, err := r.fetch(item)
		made := r.server.requests()
		_, place := placeOf(all)
		places = places || place != ""
		if err != nil || place == "" || len(made) == 0 {
			continue
		}
		cut := false
		r.server.serve(rewriting(made[len(made)-1].file, func(doc any) any {
			rows, set, ok := rowsOf(doc)
			if !ok || len(rows) < 2 {
				return doc
			}
			cut = true
			renamed(doc, rows[len(rows)-1], rows[len(rows)-2])
			return set(rows[:len(rows)-1])
		}))
		before, err := r.fetchNow(item)
		if !cut || err != nil {
			continue
		}
		e := earlier{item: item, had: map[string]bool{}}
		e.parts, _ = placeOf(all)
		before, e.place = placeOf(before)
		for _, p := range before {
			e.had[partID(p)] = true
		}
		if e.place == "" || len(before) == 0 {
			r.Errorf("a %s ends with a place, and without its last row with none", item.Kind)
			continue
		}
		if len(before) < len(e.parts) {
			out = append(out, e)
		}
	}
	if !places {
		r.Skipf("no item of %s ends with a place to go on from", r.stream.ID)
	}
	if len(out) == 0 {
		r.Fatalf("no item of %s has a last reply with two rows of content; record one, so that going on can be tested", r.stream.ID)
	}
	return out
}

// renamed lets a reply whose last row is gone name the row before where it named that.
func renamed(doc, last, before any) {
	head, _ := doc.(map[string]any)
	l, _ := last.(map[string]any)
	b, _ := before.(map[string]any)
	for k, v := range head {
		for field, id := range l {
			if _, isText := id.(string); isText && v == id {
				head[k] = b[field]
			}
		}
	}
}

// goesOn reads what came after a place.
func goesOn(r *run) {
	for _, e := range r.beforeLast() {
		item := e.item
		item.Since = e.place
		got, err := r.fetch(item)
		if err != nil {
			r.Errorf("a %s from a place: %v", item.Kind, err)
			continue
		}
		got, place := placeOf(got)
		if _, end := placeOf(mustFetch(r, e.item)); place != end {
			r.Errorf("a %s read in two goes ends at another place than in one", item.Kind)
		}
		var want []connectors.Part
		for _, p := range e.parts {
			if !e.had[partID(p)] {
				want = append(want, p)
			}
		}
		// The head of an item, its name, may come each time: it is one part, and nothing says whether it changed.
		got = slices.DeleteFunc(got, func(p connectors.Part) bool { return e.had[partID(p)] && p.Resource.ID == item.ID && p.Child == nil })
		if diff := cmp.Diff(want, got, same); diff != "" {
			r.Errorf("the new parts of a %s (-want +got):\n%s", item.Kind, diff)
		}
		item.Since = place
		rest, err := r.fetch(item)
		if err != nil {
			r.Errorf("a %s from its end: %v", item.Kind, err)
		}
		rest, last := placeOf(rest)
		rest = slices.DeleteFunc(rest, func(p connectors.Part) bool { return p.Resource.ID == item.ID && p.Child == nil })
		if len(rest) > 0 || last != place {
			r.Errorf("a %s that has nothing new gives %d parts, and its place moves: %t", item.Kind, len(rest), last != place)
		}
	}
}

func mustFetch(r *run, item connectors.Item) []connectors.Part {
	r.Helper()
	parts, err := r.fetch(item)
	if err != nil {
		r.Fatalf("%v", err)
	}
	return parts
}

// givesAgain reads all, with what was before the place marked.
func givesAgain(r *run) {
	for _, e := range r.beforeLast() {
		item := e.item
		item.Since, item.Again = e.place, true
		got, err := r.fetch(item)
		if err != nil {
			r.Errorf("a %s again: %v", item.Kind, err)
			continue
		}
		got, _ = placeOf(got)
		if diff := cmp.Diff(ids(e.parts), ids(got)); diff != "" {
			r.Errorf("the parts of a %s, all again (-want +got):\n%s", item.Kind, diff)
			continue
		}
		for _, p := range got {
			head := p.Resource.ID == item.ID && p.Child == nil
			if had := e.had[partID(p)]; p.Again != had && !head {
				r.Errorf("a part of a %s that was given before: %t, is marked: %t", item.Kind, had, p.Again)
			}
		}
	}
}

// strangePlace goes on from a place that the app does not know: everything, or an error that says so; never less in silence.
func strangePlace(r *run) {
	tried := false
	for _, item := range r.needContents() {
		all, err := r.fetch(item)
		all, place := placeOf(all)
		if err != nil || place == "" {
			continue
		}
		tried = true
		item.Since = canary
		r.server.serve(r.anyQuery())
		got, err := r.fetchNow(item)
		got, _ = placeOf(got)
		if err == nil && len(got) < len(all) {
			r.Errorf("a %s from a place that cannot be read gives %d of %d parts and no error", item.Kind, len(got), len(all))
		}
		if err != nil {
			r.clean(err.Error())
		}
	}
	if !tried {
		r.Skipf("no item of %s ends with a place", r.stream.ID)
	}
}
