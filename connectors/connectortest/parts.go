package connectortest

import (
	"io"
	"iter"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/google/go-cmp/cmp"

	"github.com/outband/outband/connectors"
)

// maxPerKind items of each kind are fetched by the checks of parts: a check reads all of them many times.
const maxPerKind = 6

// contents returns items of the stream whose content is fetched, children among them: the first of each kind. It is nil for a source without Fetch.
func (r *run) contents() []connectors.Item {
	r.Helper()
	fetcher, ok := r.fetcher()
	if !ok {
		return nil
	}
	count := map[string]int{}
	seen := map[string]bool{}
	var out []connectors.Item
	var add func(item connectors.Item)
	add = func(item connectors.Item) {
		if seen[item.Kind+"/"+item.ID] || count[item.Kind] >= maxPerKind || item.Deleted {
			return
		}
		seen[item.Kind+"/"+item.ID] = true
		if item.Parts == nil {
			count[item.Kind]++
			out = append(out, item)
		}
		parts := item.Parts
		if parts == nil {
			parts, _ = collect(fetcher.Fetch(r.Context(), item)) // How it ends is what the checks are about.
		}
		for _, p := range parts {
			if p.Child != nil {
				add(*p.Child)
			}
		}
	}
	for _, at := range r.whole() {
		for _, item := range at.page.Items {
			add(item)
		}
	}
	return out
}

// needContents ends a check of parts for a stream that has none to fetch.
func (r *run) needContents() []connectors.Item {
	r.Helper()
	items := r.contents()
	if len(items) == 0 {
		r.Skipf("no item of %s is fetched: its rows hold their content, or it has none", r.stream.ID)
	}
	return items
}

// fetch reads the parts of an item from the recordings.
func (r *run) fetch(item connectors.Item) ([]connectors.Part, error) {
	r.Helper()
	return r.fetchChanged(item, nil)
}

// fetchChanged reads the parts of an item while every JSON reply is changed.
func (r *run) fetchChanged(item connectors.Item, change func(any) any) ([]connectors.Part, error) {
	r.Helper()
	r.server.serve(rewriting("", change))
	return r.fetchNow(item)
}

// fetchNow reads the parts of an item from whatever the server serves.
func (r *run) fetchNow(item connectors.Item) ([]connectors.Part, error) {
	r.Helper()
	fetcher, ok := r.source().(connectors.Fetcher)
	if !ok {
		r.Fatalf("the source has no Fetch")
	}
	return collect(fetcher.Fetch(r.Context(), item))
}

// collect reads an iterator to its end.
func collect(seq iter.Seq2[connectors.Part, error]) ([]connectors.Part, error) {
	var parts []connectors.Part
	for p, err := range seq {
		if err != nil {
			return parts, err
		}
		parts = append(parts, p)
	}
	return parts, nil
}

// placeOf returns the parts without the place that they end with.
func placeOf(parts []connectors.Part) (rest []connectors.Part, place string) {
	for _, p := range parts {
		if p.Kind == connectors.PartPlace {
			place = p.Path
			continue
		}
		rest = append(rest, p)
	}
	return rest, place
}

// partID is what a part is recognised by.
func partID(p connectors.Part) string {
	id := p.Kind + " " + p.Resource.Kind + "/" + p.Resource.ID + "/" + p.Path
	if p.Child != nil {
		id += " " + p.Child.Kind + "/" + p.Child.ID
	}
	return id
}

func ids(parts []connectors.Part) []string {
	out := make([]string, 0, len(parts))
	for _, p := range parts {
		out = append(out, partID(p))
	}
	return out
}

// sources counts what a part says that it is.
func sources(p connectors.Part) (n int) {
	for _, is := range []bool{p.Open != nil, p.Child != nil, p.Skipped != ""} {
		if is {
			n++
		}
	}
	return n
}

func partPaths(r *run) {
	for _, item := range r.needContents() {
		first, _ := r.fetch(item) // How it ends is looked at by other checks.
		again, _ := r.fetch(item)
		if diff := cmp.Diff(first, again, same); diff != "" {
			r.Errorf("a %s read twice (-first +second):\n%s", item.Kind, diff)
		}
		seen := map[string]bool{}
		for k, p := range first {
			if p.Kind == connectors.PartPlace {
				if k != len(first)-1 || p.Path == "" || len(p.Path) > maxPlaceBytes || p.Open != nil || p.Child != nil {
					r.Errorf("a %s ends with a place of %d bytes as part %d of %d, want one of %d at most, the last and nothing else", item.Kind, len(p.Path), k+1, len(first), maxPlaceBytes)
				}
				continue
			}
			if p.Kind == "" || p.Resource.Kind == "" || p.Resource.ID == "" || sources(p) != 1 {
				r.Errorf("a part of a %s lacks its kind or its resource, or is not one of a content, a child, and a reason for none: %s", item.Kind, partID(p))
			}
			if id := partID(p); seen[id] {
				r.Errorf("two parts of a %s have one place: %s", item.Kind, id)
			} else {
				seen[id] = true
			}
			if p.Again {
				r.Errorf("a part of a %s is marked as given before, and none was", item.Kind)
			}
		}
	}
}

func openTwice(r *run) {
	for _, item := range r.needContents() {
		parts, _ := r.fetch(item) // How it ends is looked at by other checks.
		for _, p := range parts {
			if p.Open == nil {
				continue
			}
			first, second := openText(p.Open), openText(p.Open)
			if first != second {
				r.Errorf("a part of a %s reads otherwise when it is opened again: %d and %d bytes", item.Kind, len(first), len(second))
			}
			if p.Size >= 0 && p.Kind != connectors.PartFile && strings.HasPrefix(first, "text ") && p.Size != int64(len(first)-len("text ")) {
				r.Errorf("a %s of %d bytes says that it has %d", p.Kind, len(first)-len("text "), p.Size)
			}
		}
	}
}

func children(r *run) {
	tried := false
	for _, item := range r.needContents() {
		parts, _ := r.fetch(item) // How it ends is looked at by other checks.
		for _, p := range parts {
			if p.Child == nil {
				continue
			}
			tried = true
			c := *p.Child
			if !slices.Contains(itemKinds, c.Kind) || c.ID == "" || c.Version == "" || c.Resource.Kind == "" || c.Resource.ID == "" {
				r.Errorf("a child of a %s lacks a known kind, an id, a version or a resource: %q %q", item.Kind, c.Kind, c.ID)
			}
			if c.Kind == item.Kind && c.ID == item.ID {
				r.Errorf("a %s is its own child", item.Kind)
			}
			if c.Parts != nil {
				continue
			}
			given, err := r.fetch(c)
			if err == nil && len(given) == 0 {
				r.Errorf("a child, a %s, has no parts and no error", c.Kind)
			}
		}
	}
	if !tried {
		r.Skipf("no item of %s has children", r.stream.ID)
	}
}

// unsure takes the digests of files out of what lists them.
func unsure(r *run) {
	tried := false
	for _, item := range r.needContents() {
		parts, _ := r.fetch(item) // How it ends is looked at by other checks.
		for _, p := range parts {
			if p.Child == nil || p.Child.File == nil || p.Child.File.MD5 == "" {
				continue
			}
			tried = true
			changed, _ := r.fetchChanged(item, func(doc any) any { return without(doc, p.Child.File.MD5) })
			for _, c := range changed {
				if c.Child != nil && c.Child.ID == p.Child.ID && c.Child.Version != p.Child.Version && !c.Child.Unsure {
					r.Errorf("a %s without the digest that its version leaned on is sure: %q, with it %q", c.Child.Kind, c.Child.Version, p.Child.Version)
				}
			}
		}
	}
	if !tried {
		r.Skipf("no item of %s has files with a digest", r.stream.ID)
	}
}

func stops(r *run) {
	for _, item := range r.needContents() {
		all, _ := r.fetch(item) // How it ends is looked at by other checks.
		for wanted := 1; wanted <= min(len(all), 8); wanted++ {
			r.server.serve(nil)
			given, calls := 0, 0
			// An iterator that goes on after the break panics.
			for range r.source().(connectors.Fetcher).Fetch(r.Context(), item) {
				if given++; given == wanted {
					calls = r.server.count()
					break
				}
			}
			if n := r.server.count(); n != calls {
				r.Errorf("a %s made %d more calls when no more parts were wanted", item.Kind, n-calls)
			}
		}
	}
}

// unusableContent puts rows that cannot be used among those of an item's content.
func unusableContent(r *run) {
	tried := false
	for _, item := range r.needContents() {
		want, wantErr := r.fetch(item)
		made := r.server.requests()
		if len(made) == 0 || !r.hasRows(read{request: made[0]}) {
			continue // It is not a list.
		}
		tried = true
		r.server.serve(rewriting(made[0].file, func(doc any) any { return inserted(doc, map[string]any{}) }))
		got, err := r.fetchNow(item)
		if err == nil {
			r.Errorf("a %s with a row that cannot be used ends without an error", item.Kind)
		} else if wantErr == nil {
			r.wantKind(err, connectors.KindMalformed)
		}
		wantParts, _ := placeOf(want)
		gotParts, _ := placeOf(got)
		if diff := cmp.Diff(wantParts, gotParts, same); diff != "" {
			r.Errorf("a %s with a row that cannot be used (-want +got):\n%s", item.Kind, diff)
		}
	}
	if !tried {
		r.Skipf("no content of %s is a list", r.stream.ID)
	}
}

// endless serves a list of content that says that there is more and does not advance.
func endless(r *run) {
	tried := false
	for _, item := range r.needContents() {
		_, _ = r.fetch(item) // Only its calls are of interest.
		made := r.server.requests()
		for i := 1; i < len(made); i++ {
			if made[i].path != made[i-1].path {
				continue
			}
			tried = true
			r.server.serve(alwaysThe(r.server, made[i-1]))
			_, err := r.fetchNow(item)
			if err == nil {
				r.Errorf("a %s whose list does not advance ended without an error", item.Kind)
				continue
			}
			r.wantKind(err, connectors.KindMalformed)
			if n := r.server.count(); n > len(made)+3 {
				r.Errorf("a %s whose list does not advance took %d calls", item.Kind, n)
			}
		}
	}
	if !tried {
		r.Skipf("no content of %s is recorded in two pages", r.stream.ID)
	}
}

// laterFault lets the last call of a Fetch fail.
func laterFault(r *run) {
	tried := false
	for _, item := range r.needContents() {
		_, wantErr := r.fetch(item)
		made := r.server.requests()
		if len(made) < 2 || wantErr != nil {
			continue
		}
		tried = true
		last := made[len(made)-1]
		r.server.serve(func(w http.ResponseWriter, req *http.Request, recorded reply) {
			if recorded.file == last.file && req.URL.EscapedPath() == last.path {
				refusal(http.StatusInternalServerError)(w, req, recorded)
				return
			}
			recorded.send(w)
		})
		_, err := r.fetchNow(item)
		if err == nil {
			r.Errorf("a %s whose last call of %d fails ends without an error", item.Kind, len(made))
			continue
		}
		r.wantKind(err, connectors.KindTransient)
	}
	if !tried {
		r.Skipf("no content of %s takes two calls", r.stream.ID)
	}
}

// wholeFiles breaks off downloads, and lets them be larger than the manifest allows.
func wholeFiles(r *run) {
	tried := false
	small := *r.manifest
	small.Limits.MaxFileBytes = 4
	for _, item := range r.needContents() {
		r.server.serve(nil)
		for p := range r.source().(connectors.Fetcher).Fetch(r.Context(), item) {
			if p.Open == nil || p.Kind != connectors.PartFile && p.Kind != connectors.PartDocument {
				continue
			}
			r.server.serve(nil)
			if text := openText(p.Open); !strings.HasPrefix(text, "text ") || len(text) < len("text ")+8 || r.server.count() == 0 {
				continue // It is not downloaded, or too short to be cut.
			}
			tried = true
			r.server.serve(func(w http.ResponseWriter, _ *http.Request, recorded reply) {
				recorded.header.Set("Content-Length", strconv.Itoa(len(recorded.body)))
				recorded.body = recorded.body[:len(recorded.body)/2]
				recorded.send(w)
			})
			if text := openText(p.Open); strings.HasPrefix(text, "text ") {
				r.Errorf("a %s that breaks off in the middle reads as if it were whole", p.Kind)
			}
			r.server.serve(nil)
		}
		r.server.serve(nil)
		for p := range r.open(r.server, &small).(connectors.Fetcher).Fetch(r.Context(), item) {
			if p.Open == nil || p.Kind != connectors.PartFile {
				continue
			}
			if text := openText(p.Open); strings.HasPrefix(text, "text ") && len(text) > len("text ")+4 {
				r.Errorf("a file over the limit reads as if it were whole")
			}
		}
	}
	if !tried {
		r.Skipf("no item of %s is downloaded", r.stream.ID)
	}
}

// readPart reads a part to its end.
func readPart(r *run, p connectors.Part) (text string, err error) {
	body, err := p.Open(r.Context())
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(body)
	if closeErr := body.Close(); err == nil {
		err = closeErr
	}
	return string(b), err
}
