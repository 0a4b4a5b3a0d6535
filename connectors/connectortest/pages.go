package connectortest

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/outband/outband/connectors"
)

const (
	// maxCursorBytes bounds a cursor: it is stored with every page, and given from process to process.
	maxCursorBytes = 64 << 10
	// maxPlaceBytes bounds what Fetch ends with, which is stored with every item.
	maxPlaceBytes = 2 << 10
)

// same compares pages and parts; two contents are equal if they read alike.
var same = cmp.Comparer(func(a, b func(context.Context) (io.ReadCloser, error)) bool { return openText(a) == openText(b) })

func openText(open func(context.Context) (io.ReadCloser, error)) string {
	if open == nil {
		return ""
	}
	body, err := open(context.Background())
	if err != nil {
		return "error " + string(connectors.KindOf(err))
	}
	b, err := io.ReadAll(body)
	if closeErr := body.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return "error " + string(connectors.KindOf(err)) + " after " + string(b)
	}
	return "text " + string(b)
}

func pagesOf(reads []read) []connectors.Page {
	out := make([]connectors.Page, 0, len(reads))
	for _, r := range reads {
		out = append(out, r.page)
	}
	return out
}

func oneCall(r *run) {
	source, after := r.source(), start(r.stream)
	r.server.serve(nil)
	for i := range maxReads {
		before := r.server.count()
		page, err := source.Read(r.Context(), r.stream.ID, after)
		if err != nil {
			r.Fatalf("page %d: %v", i, err)
		}
		if n := r.server.count() - before; n != 1 {
			r.Errorf("page %d took %d calls, want 1", i, n)
		}
		if !page.More || page.Next == after {
			return
		}
		after = page.Next
	}
}

func resume(r *run) {
	reads := r.whole()
	for i, from := range reads {
		got, err := r.walk(r.source(), from.after)
		if err != nil {
			r.Fatalf("resume before page %d: %v", i, err)
		}
		if diff := cmp.Diff(pagesOf(reads[i:]), pagesOf(got), same); diff != "" {
			r.Errorf("resumed before page %d (-want +got):\n%s", i, diff)
		}
	}
}

func samePage(r *run) {
	reads := r.whole()
	source := r.source()
	for i, want := range reads {
		for range 2 {
			again, err := source.Read(r.Context(), r.stream.ID, want.after)
			if err != nil {
				r.Fatalf("page %d: %v", i, err)
			}
			if diff := cmp.Diff(want.page, again, same); diff != "" {
				r.Errorf("page %d read again (-want +got):\n%s", i, diff)
			}
		}
	}
}

// emptied takes the rows out of a reply. The last page of a list then names no place either.
func emptied(last bool) func(any) any {
	return func(doc any) any {
		// An object may hold several lists of rows.
		for {
			rows, set, ok := rowsOf(doc)
			if !ok || len(rows) == 0 {
				break
			}
			doc = set([]any{})
		}
		if m, ok := doc.(map[string]any); ok && last {
			for k, v := range m {
				if _, isText := v.(string); isText {
					m[k] = nil
				}
			}
		}
		return doc
	}
}

// hasRows reports whether the recording of a page is a list.
func (r *run) hasRows(page read) bool {
	e := r.server.recording(page.request.file)
	if e == nil {
		return false
	}
	doc, ok := decode(e.JSON)
	if ok {
		_, _, ok = rowsOf(doc)
	}
	return ok
}

func emptyPage(r *run) {
	reads := r.whole()
	last := reads[len(reads)-1]
	if !r.hasRows(last) {
		r.Skipf("the last reply of %s has no list that could be empty", r.stream.ID)
	}
	r.server.serve(rewriting(last.request.file, emptied(true)))
	page, err := r.source().Read(r.Context(), r.stream.ID, last.after)
	if err != nil {
		r.Fatalf("an empty page: %v", err)
	}
	if page.Next != last.after || page.More || len(page.Items)+len(page.Skipped)+len(page.Missing) > 0 {
		r.Errorf("an empty page gives %d items, more %t, and its cursor changes: %t", len(page.Items), page.More, page.Next != last.after)
	}
}

func emptyPageWithMore(r *run) {
	tried := false
	reads := r.whole()
	for i, at := range reads {
		if !at.page.More || !r.hasRows(at) {
			continue
		}
		tried = true
		r.server.serve(rewriting(at.request.file, emptied(false)))
		page, err := r.source().Read(r.Context(), r.stream.ID, at.after)
		if err != nil {
			// A list whose place is the id of its last row cannot go on: that is an error, never an end.
			r.wantKind(err, connectors.KindMalformed)
			continue
		}
		// In a nested walk, a list of scopes without rows may well be its end.
		nested := i+1 < len(reads) && reads[i+1].request.path != at.request.path
		if len(page.Items) > 0 || !page.More && !nested || page.More && page.Next == at.after {
			r.Errorf("page %d, emptied, gives %d items, more %t, and its cursor advances: %t", i, len(page.Items), page.More, page.Next != at.after)
		}
	}
	if !tried {
		r.Skipf("no page of %s says that there is more", r.stream.ID)
	}
}

func repeatedCursor(r *run) {
	reads := r.whole()
	tried := false
	for i := range reads[:len(reads)-1] {
		if reads[i].request.path != reads[i+1].request.path {
			continue
		}
		tried = true
		r.server.serve(alwaysThe(r.server, reads[i].request))
		after := reads[i].after
		var err error
		n := 0
		for ; err == nil && n < 4; n++ {
			var page connectors.Page
			if page, err = r.source().Read(r.Context(), r.stream.ID, after); err == nil {
				if !page.More {
					r.Errorf("a list that says that there is more was ended")
				}
				after = page.Next
			}
		}
		if err == nil {
			r.Errorf("the same cursor was followed %d times, want an error within 3", n)
			continue
		}
		r.wantKind(err, connectors.KindMalformed)
	}
	if !tried && !snapshot(r.stream) {
		r.Fatalf("no list of %s is recorded with two pages", r.stream.ID)
	}
	if !tried {
		r.Skipf("no list of %s is recorded with two pages", r.stream.ID)
	}
}

// alwaysThe answers every request of a path with the recording that answered one of them.
func alwaysThe(s *server, one request) handler {
	return func(w http.ResponseWriter, r *http.Request, recorded reply) {
		if r.URL.EscapedPath() == one.path {
			if e := s.recording(one.file); e != nil {
				recorded = e.reply()
			}
		}
		recorded.send(w)
	}
}

// nested reports whether a walk goes through several lists.
func (r *run) nested(reads []read) bool {
	return slices.ContainsFunc(reads, func(at read) bool { return at.request.path != reads[0].request.path })
}

func badCursor(r *run) {
	reads := r.whole()
	good := string(reads[len(reads)-1].after)
	if good == "" {
		good = string(connectors.Slice{After: "x"}.Cursor()) // A list without pages has no place.
	}
	bad := map[string]string{"no JSON": canary, "a list": `[1]`, "a number as place": `{"after":7}`, "cut in two": good[:len(good)/2]}
	if snapshot(r.stream) && r.nested(reads) {
		// Its place is not the vendor's but the connector's own.
		bad["a place that is not its own"] = string(connectors.Slice{After: canary}.Cursor())
	}
	for name, cursor := range bad {
		page, err := r.source().Read(r.Context(), r.stream.ID, connectors.Cursor(cursor))
		if err == nil {
			r.Errorf("a cursor that is %s gave a page of %d items", name, len(page.Items))
			continue
		}
		r.wantKind(err, connectors.KindCursorExpired)
	}
}

func keepsSlice(r *run) {
	slice := connectors.Slice{Missing: []string{"scope-1"}}
	if !snapshot(r.stream) {
		slice = connectors.Slice{From: From, To: To, History: r.stream.Cursor == connectors.CursorOpen}
	}
	r.server.serve(r.anyQuery())
	reads, err := r.walk(r.source(), slice.Cursor())
	if err != nil {
		r.Fatalf("%v", err)
	}
	for i, at := range reads {
		got, err := at.page.Next.Slice()
		if err != nil {
			r.Fatalf("the cursor of page %d is no slice", i)
		}
		got.After = ""
		if diff := cmp.Diff(slice, got); diff != "" {
			r.Errorf("the slice in the cursor of page %d (-want +got):\n%s", i, diff)
		}
	}
}

// anyQuery answers with the recording of the path, also where the query is not one that was recorded; the pages of a list are given once each.
func (r *run) anyQuery() handler {
	return func(w http.ResponseWriter, req *http.Request, recorded reply) {
		if recorded.file == "" {
			if given, ok := r.server.like(req); ok {
				recorded = given
			}
		}
		recorded.send(w)
	}
}

var emailForm = regexp.MustCompile(`[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9.-]{1,200}\.[A-Za-z]{2,24}`)

func smallCursor(r *run) {
	reads := r.whole()
	for i, at := range reads {
		r.server.serve(rewriting(at.request.file, fullPage(r.stream.PageSize)))
		page, err := r.source().Read(r.Context(), r.stream.ID, at.after)
		if err != nil {
			r.Fatalf("page %d with %d rows: %v", i, r.stream.PageSize, err)
		}
		if len(page.Next) > maxCursorBytes {
			r.Errorf("after a page of %d rows the cursor has %d bytes, want %d at most", r.stream.PageSize, len(page.Next), maxCursorBytes)
		}
	}
}

var idField = regexp.MustCompile(`(^|_)u?u?id$`)

// fullPage fills the list of a reply with copies of its first row, each with ids of its own that are as long as ids get.
func fullPage(size int) func(any) any {
	return func(doc any) any {
		rows, set, ok := rowsOf(doc)
		if !ok || len(rows) == 0 {
			return doc
		}
		full := make([]any, 0, size)
		for i := range size {
			full = append(full, mapStrings(cloned(rows[0]), "", func(key, v string) string {
				if idField.MatchString(key) {
					n := []byte("00000000")
					for at, left := len(n)-1, i; left > 0; left /= 10 {
						n[at] = byte('0' + left%10)
						at--
					}
					return v + strings.Repeat("x", max(0, 28-len(v))) + string(n)
				}
				return v
			}))
		}
		return set(full)
	}
}

func cleanCursor(r *run) {
	for i, at := range r.whole() {
		cursor := string(at.page.Next)
		if strings.Contains(cursor, r.key) || emailForm.MatchString(cursor) {
			r.Errorf("the cursor of page %d holds the key or an address", i)
		}
		for _, item := range at.page.Items {
			for _, text := range []string{item.Resource.Name, item.Actor.Name, item.Actor.Email} {
				if len(text) >= 6 && strings.Contains(cursor, text) {
					r.Errorf("the cursor of page %d holds a name", i)
				}
			}
			for _, p := range item.Parts {
				if text := strings.TrimPrefix(openText(p.Open), "text "); len(text) >= 12 && strings.Contains(cursor, text) {
					r.Errorf("the cursor of page %d holds content", i)
				}
			}
		}
	}
}

func unknownStream(r *run) {
	r.server.serve(nil)
	_, err := r.source().Read(r.Context(), "no_such_stream", "")
	if err == nil {
		r.Errorf("a stream that the manifest does not have gave a page")
		return
	}
	r.wantKind(err, connectors.KindMalformed)
	if n := r.server.count(); n != 0 {
		r.Errorf("it took %d calls to know that there is no such stream", n)
	}
}

// windowBounds reads two slices and looks for their bounds in every request. An app may have no end to ask for; the begin is what makes a walk finite.
func windowBounds(r *run) {
	for _, bounds := range [][2]time.Time{{From, To}, {From.Add(36*time.Hour + 7*time.Second), To.Add(-12*time.Hour - 5*time.Minute)}} {
		r.server.serve(r.anyQuery())
		slice := connectors.Slice{From: bounds[0], To: bounds[1], History: r.stream.Cursor == connectors.CursorOpen}
		if _, err := r.walk(r.source(), slice.Cursor()); err != nil {
			r.Fatalf("%v", err)
		}
		made := r.server.requests()
		ends := 0
		for i, req := range made {
			if n := timesIn(req, bounds[0]); n != 1 {
				r.Errorf("request %d holds the begin of the slice %d times, want once", i, n)
			}
			ends += timesIn(req, bounds[1])
		}
		if ends != 0 && ends != len(made) {
			r.Errorf("%d of %d requests hold the end of the slice, want all or none", ends, len(made))
		}
	}
}

// timesIn counts the parameters whose value is a moment.
func timesIn(req request, moment time.Time) (n int) {
	for _, values := range req.query {
		if slices.ContainsFunc(values, func(v string) bool {
			at, err := connectors.ParseTime(v)
			return err == nil && at.Equal(moment) || v == jsonNumber(moment.Unix()) || v == jsonNumber(moment.UnixMilli())
		}) {
			n++
		}
	}
	return n
}

func jsonNumber(n int64) string {
	b, err := json.Marshal(n)
	if err != nil {
		panic(err) // It is a number.
	}
	return string(b)
}
