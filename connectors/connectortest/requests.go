package connectortest

import (
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/google/go-cmp/cmp"

	"github.com/outband/outband/connectors"
)

// everything makes each kind of call that the connector makes: all pages, all parts and their contents, the test, and the estimate.
func (r *run) everything() []request {
	r.Helper()
	var made []request
	for _, stream := range r.manifest.Streams {
		s := *r
		s.stream = stream
		s.whole()
		made = append(made, s.server.requests()...)
		for _, item := range s.contents() {
			s.server.serve(nil)
			parts, _ := s.fetchNow(item) // How it ends is looked at by other checks.
			for _, p := range parts {
				openText(p.Open)
			}
			made = append(made, s.server.requests()...)
		}
	}
	r.server.serve(r.anyQuery()) // An estimate asks for other spans than those that are recorded.
	if tester, ok := r.source().(connectors.Tester); ok {
		_, _ = tester.Test(r.Context(), func(connectors.Step) {}) // As above.
	}
	if estimator, ok := r.source().(connectors.Estimator); ok {
		_, _ = estimator.Estimate(r.Context(), From, To) // As above.
	}
	return append(made, r.server.requests()...)
}

func onlyGets(r *run) {
	for _, req := range r.everything() {
		if req.method != http.MethodGet {
			r.Errorf("%s %s: a connector only reads", req.method, req.path)
		}
	}
}

func credential(r *run) {
	header := http.CanonicalHeaderKey(r.manifest.Auth.Header)
	for _, req := range r.everything() {
		if req.header.Get(header) != r.manifest.Auth.Prefix+r.key {
			r.Errorf("%s: the credential is not in the header %s", req.path, header)
		}
		if strings.Contains(req.path, r.key) {
			r.Errorf("a path holds the credential")
		}
		for name, values := range req.query {
			if strings.Contains(name+strings.Join(values, ""), r.key) {
				r.Errorf("%s: a query holds the credential", req.path)
			}
		}
		for name, values := range req.header {
			if name != header && strings.Contains(strings.Join(values, ""), r.key) {
				r.Errorf("%s: the header %s holds the credential", req.path, name)
			}
		}
	}
}

// hostile are ids that lead elsewhere if they are put into an address as they are.
var hostile = []string{"..", "../../admin", "a/b", "x/../../y", "a?limit=1", "a#b", "a%2fb", "a b", `a\b`, "./a", "a;b", "a&b=c"}

// form is a path that a true id was put into.
type form struct {
	segments []string
	query    int // parameters
	id       string
}

// hostileIDs gives ids that lead elsewhere to Fetch, and to the lists that a snapshot goes on to.
func hostileIDs(r *run) {
	var forms []form
	items := r.contents()
	for _, item := range items {
		parts, _ := r.fetch(item) // Only its calls are of interest.
		for _, p := range parts {
			openText(p.Open)
		}
		for _, req := range r.server.requests() {
			forms = append(forms, form{req.segments(), len(req.query), item.ID})
		}
	}
	for _, item := range items {
		for _, bad := range hostile {
			// An app may tell kinds apart by how an id begins.
			for _, id := range []string{bad, item.ID + "/" + bad} {
				evil := item
				evil.ID, evil.Resource.ID = id, id
				r.server.serve(refusal(http.StatusNotFound))
				parts, _ := r.fetchNow(evil)
				for _, p := range parts {
					openText(p.Open)
				}
				r.staysIn(forms, id)
			}
		}
	}
	reads := r.whole()
	for i, at := range reads {
		for _, later := range reads[i+1:] {
			if later.request.path == at.request.path {
				continue
			}
			for _, segment := range later.request.segments() {
				if r.named(at.request.file, segment) {
					r.hostileScope(reads, at, segment)
				}
			}
			break
		}
	}
}

// named reports whether a row of a recording holds a string.
func (r *run) named(file, text string) bool {
	found := false
	if e := r.server.recording(file); e != nil {
		if doc, ok := decode(e.JSON); ok {
			inRows(func(_, v string) string {
				found = found || v == text
				return v
			})(doc)
		}
	}
	return found
}

func (r *run) hostileScope(reads []read, at read, segment string) {
	r.Helper()
	var forms []form
	for _, known := range reads {
		forms = append(forms, form{known.request.segments(), len(known.request.query), segment})
	}
	for _, id := range hostile {
		r.server.serve(func(w http.ResponseWriter, req *http.Request, recorded reply) {
			if recorded.file == "" {
				refusal(http.StatusNotFound)(w, req, recorded)
				return
			}
			rewriting(at.request.file, inRows(func(_, v string) string {
				if v == segment {
					return id
				}
				return v
			}))(w, req, recorded)
		})
		source := r.source()
		page, err := source.Read(r.Context(), r.stream.ID, at.after)
		for n := 0; n < 8 && err == nil && page.More; n++ {
			page, err = source.Read(r.Context(), r.stream.ID, page.Next)
		}
		r.staysIn(forms, id)
	}
}

// staysIn wants every request to have the form of one that was made for a true id.
func (r *run) staysIn(forms []form, id string) {
	r.Helper()
	for _, req := range r.server.requests() {
		got := req.segments()
		fits := slices.ContainsFunc(forms, func(f form) bool {
			if len(f.segments) != len(got) || f.query < len(req.query) {
				return false
			}
			for k, want := range f.segments {
				if want != got[k] && !(strings.Contains(want, f.id) && strings.ReplaceAll(want, f.id, id) == got[k]) {
					return false
				}
			}
			return true
		})
		if !fits || slices.Contains(got, "..") || slices.Contains(got, ".") {
			r.Errorf("the id %q leads to %s", id, req.path)
		}
	}
}

// independent runs two sources of two connections at the same time.
func independent(r *run) {
	want := r.whole()
	other := newServer(r, r.pages)
	items := r.contents()
	r.server.serve(nil)
	servers := []*server{r.server, other}
	// Both are opened before either is used, so that what one leaves in a variable of the package is the other's.
	sources := []connectors.Source{r.open(r.server, r.manifest), r.open(other, r.manifest)}
	var wg sync.WaitGroup
	for i := range sources {
		for range 2 {
			wg.Go(func() {
				after := start(r.stream)
				for k := range want {
					page, err := sources[i].Read(r.Context(), r.stream.ID, after)
					if err != nil {
						r.Errorf("source %d, page %d: %v", i, k, err)
						return
					}
					if diff := cmp.Diff(want[k].page, page, same); diff != "" {
						r.Errorf("source %d, page %d (-alone +together):\n%s", i, k, diff)
						return
					}
					after = page.Next
				}
				if fetcher, ok := sources[i].(connectors.Fetcher); ok && len(items) > 0 {
					_, _ = collect(fetcher.Fetch(r.Context(), items[0])) // Other checks look at the parts.
				}
			})
		}
	}
	wg.Wait()
	if a, b := servers[0].count(), servers[1].count(); a != b {
		r.Errorf("two sources that read the same made %d and %d calls, each of its own server", a, b)
	}
}
