package claude

import (
	"context"
	"encoding/json"
	"net/url"
	"slices"

	"github.com/outband/outband/connectors"
)

// level is one list of a nested walk. The lists of the level below it are those of its rows.
type level struct {
	path  func(ids []string) string // ids of the rows above, outermost first
	by    scheme                    // empty: not a list but one object
	query url.Values
	limit int
	row   func(ids []string, raw json.RawMessage) row
	once  string // kind of records that every object has, and only the first one gives
	// scope is the part of the snapshot that is missing when the app says that there is no such list; nil: the whole stream is not available.
	scope func(ids []string) string
}

// row is what one row of a list gives.
type row struct {
	items []connectors.Item
	id    string // of the list below; empty: it has none
	bad   int    // rows that cannot be used
	not   bool   // the object is not what is documented
}

// parentsAtOnce is the page size of a list whose rows have lists of their own: their ids stand in the cursor.
const parentsAtOnce = 50

// walk is the place in a nested walk: the rows above whose lists are still to be read, and the place in the list that is being read.
type walk struct {
	Above []above `json:"above,omitempty"`
	At    place   `json:"at,omitzero"`
	Once  bool    `json:"once,omitempty"` // see level.once
}

// above is a page of a list above the one that is being read.
type above struct {
	IDs []string `json:"ids"`         // the first one's list is being read
	At  place    `json:"at,omitzero"` // of the page after this one
	End bool     `json:"end,omitempty"`
}

// ids are the rows that the list being read belongs to.
func (w *walk) ids() []string {
	out := make([]string, len(w.Above))
	for i := range w.Above {
		out[i] = w.Above[i].IDs[0]
	}
	return out
}

// done moves on after the last page of a list, to the next one at the same level or above; false: there is none.
func (w *walk) done() bool {
	for len(w.Above) > 0 {
		top := &w.Above[len(w.Above)-1]
		if top.IDs = top.IDs[1:]; len(top.IDs) > 0 {
			w.At = place{}
			return true
		}
		w.At = top.At
		end := top.End
		w.Above = w.Above[:len(w.Above)-1]
		if !end {
			return true
		}
	}
	return false
}

// walk reads one list of a nested walk. All that it needs to go on is in the slice.
func (s *source) walk(ctx context.Context, levels []level, after connectors.Cursor) (connectors.Page, error) {
	slice, err := after.Slice()
	if err != nil {
		return connectors.Page{}, err
	}
	var w walk
	if err := placeOf(slice.After, &w, nil); err != nil {
		return connectors.Page{}, err
	}
	if !w.fits(len(levels)) {
		return connectors.Page{}, &connectors.Error{Kind: connectors.KindCursorExpired, Code: connectors.CodeCursorExpired,
			Message: "The stored place in the list is not one of this stream; it is read again from its start."}
	}
	l, ids := levels[len(w.Above)], w.ids()
	page := connectors.Page{Next: after}
	rows, next, err := s.rows(ctx, l, ids, w.At.Page)
	if l.scope != nil && absent(err) {
		page.Missing, err = []string{l.scope(ids)}, nil
	}
	if err != nil {
		return connectors.Page{}, err
	}
	var below []string
	for _, raw := range rows {
		r := l.row(ids, raw)
		if r.not {
			return connectors.Page{}, malformed("the reply is not what was asked for")
		}
		if w.Once && l.once != "" {
			r.items = slices.DeleteFunc(r.items, func(it connectors.Item) bool { return it.Record != nil && it.Record.Kind == l.once })
		}
		page.Items = append(page.Items, r.items...)
		skip(&page, r.bad)
		if r.id != "" && len(w.Above)+1 < len(levels) {
			below = append(below, r.id)
		}
	}
	w.Once = w.Once || l.once != "" && len(rows) > 0
	at := w.At
	if next != "" {
		if err := at.advance(next); err != nil {
			return connectors.Page{}, err
		}
	}
	switch {
	case len(below) > 0:
		w.Above = append(w.Above, above{IDs: below, At: at, End: next == ""})
		w.At, page.More = place{}, true
	case next != "":
		w.At, page.More = at, true
	default:
		page.More = w.done()
	}
	if page.More {
		slice.After = placeText(w)
		page.Next = slice.Cursor()
	}
	return page, nil
}

// fits reports whether a stored place is one that a walk of so many levels can be at.
func (w *walk) fits(levels int) bool {
	for _, a := range w.Above {
		if len(a.IDs) == 0 {
			return false
		}
	}
	return len(w.Above) < levels
}

// rows makes the call of one level.
func (s *source) rows(ctx context.Context, l level, ids []string, at string) (rows []json.RawMessage, next string, err error) {
	query := url.Values{}
	for k, v := range l.query {
		query[k] = v
	}
	if l.by == "" {
		var got json.RawMessage
		if err := s.client.GetJSON(ctx, l.path(ids), query, &got); err != nil {
			return nil, "", err
		}
		return []json.RawMessage{got}, "", nil
	}
	got, err := s.page(ctx, l.path(ids), l.by, query, l.limit, at)
	if err != nil {
		return nil, "", err
	}
	next, err = got.next(l.by)
	return got.Data, next, err
}

// fixed is the path of a list that belongs to nothing.
func fixed(path string) func([]string) string { return func([]string) string { return path } }

// under is the path of a list that belongs to the row with the innermost id.
func under(before, after string) func([]string) string {
	return func(ids []string) string { return before + segment(ids[len(ids)-1]) + after }
}

// outermost and innermost name the scope of a list by the row that it belongs to.
func outermost(ids []string) string { return ids[0] }
func innermost(ids []string) string { return ids[len(ids)-1] }
