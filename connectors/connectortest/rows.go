package connectortest

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/outband/outband/connectors"
)

var itemKinds = []string{
	connectors.KindChat, connectors.KindFile, connectors.KindProject, connectors.KindDocument, connectors.KindSession, connectors.KindCodeArtifact,
	connectors.KindActivity, connectors.KindRecord,
}

func identity(r *run) {
	for i, at := range r.whole() {
		seen := map[string]bool{}
		for _, item := range at.page.Items {
			if !slices.Contains(itemKinds, item.Kind) || item.ID == "" || item.Version == "" || item.Resource.Kind == "" {
				r.Errorf("an item of page %d lacks a known kind, an id, a version or the kind of its resource: %q %q", i, item.Kind, item.ID)
			}
			if id := item.Kind + "/" + recordKind(item) + "/" + item.ID; seen[id] {
				r.Errorf("page %d gives %s twice", i, id)
			} else {
				seen[id] = true
			}
		}
	}
}

func recordKind(item connectors.Item) string {
	if item.Record == nil {
		return ""
	}
	return item.Record.Kind
}

func times(r *run) {
	without, all := 0, 0
	for i, at := range r.whole() {
		for _, item := range at.page.Items {
			all++
			switch {
			case item.At.IsZero():
				without++
			case item.At.Location() != time.UTC:
				r.Errorf("the time of an item of page %d is not in UTC", i)
			case r.stream.Cursor == connectors.CursorWindow && (item.At.Before(From) || !item.At.Before(To)):
				r.Errorf("the time of an item of page %d lies outside the window", i)
			}
		}
	}
	// A recording may have a row whose time cannot be read, but not most.
	if dated(r.stream) && 2*without > all {
		r.Errorf("%d of %d items have no time", without, all)
	}
	for _, item := range r.contents() {
		parts, _ := r.fetch(item) // How it ends is looked at by other checks.
		for _, p := range parts {
			if !p.At.IsZero() && p.At.Location() != time.UTC {
				r.Errorf("the time of a part of %s is not in UTC", item.Kind)
			}
		}
	}
}

// eachPage reads every page as it is recorded and with its reply changed, and compares. A page whose reply is no list is passed over.
func (r *run) eachPage(change func(any) any, compare func(i int, want, got connectors.Page)) {
	r.Helper()
	tried := false
	for i, at := range r.whole() {
		if !r.hasRows(at) {
			continue
		}
		tried = true
		r.server.serve(rewriting("", nil))
		want, err := r.source().Read(r.Context(), r.stream.ID, at.after)
		if err != nil {
			r.Fatalf("page %d: %v", i, err)
		}
		r.server.serve(rewriting(at.request.file, change))
		got, err := r.source().Read(r.Context(), r.stream.ID, at.after)
		if err != nil {
			r.Errorf("page %d, changed: %v", i, err)
			continue
		}
		compare(i, want, got)
	}
	if !tried {
		r.Skipf("no reply of %s has a list", r.stream.ID)
	}
}

// added marks what a check puts into a reply.
const added = "outband_unknown"

func unknownFields(r *run) {
	r.eachPage(withUnknown, func(i int, want, got connectors.Page) {
		if diff := cmp.Diff(withoutAdded(want), withoutAdded(got), same, ignoreRaw(false)); diff != "" {
			r.Errorf("page %d with fields that are not known (-want +got):\n%s", i, diff)
		}
	})
	for _, item := range r.contents() {
		want, wantErr := r.fetchChanged(item, nil)
		got, err := r.fetchChanged(item, withUnknown)
		if (err == nil) != (wantErr == nil) {
			r.Errorf("a %s with fields that are not known: %v, want %v", item.Kind, err, wantErr)
		}
		if diff := cmp.Diff(want, got, same); diff != "" {
			r.Errorf("a %s with fields that are not known (-want +got):\n%s", item.Kind, diff)
		}
	}
}

// withUnknown adds a field to a reply, to each of its rows and to the objects in them.
func withUnknown(doc any) any {
	more := func() any { return map[string]any{"a": []any{"x", true}, "b": nil} }
	if rows, _, ok := rowsOf(doc); ok {
		for _, row := range rows {
			m, isMap := row.(map[string]any)
			if !isMap {
				continue
			}
			for _, key := range slices.Sorted(maps.Keys(m)) {
				if inner, isMap := m[key].(map[string]any); isMap {
					inner[added] = more()
				}
			}
			m[added] = more()
		}
	}
	if m, ok := doc.(map[string]any); ok {
		m[added] = more()
	}
	return doc
}

// withoutAdded takes out what activities and records keep of fields that are not known, which is right: they are kept raw.
func withoutAdded(p connectors.Page) connectors.Page {
	out := p
	out.Items = nil
	for _, item := range p.Items {
		if strings.Contains(item.ID, added) {
			continue
		}
		if item.Activity != nil {
			activity := *item.Activity
			activity.Fields = maps.Clone(activity.Fields)
			maps.DeleteFunc(activity.Fields, func(k, _ string) bool { return strings.Contains(k, added) })
			item.Activity = &activity
		}
		if item.Record != nil {
			record := *item.Record
			record.Fields = withoutKey(record.Fields).(map[string]any)
			item.Record = &record
			item.Version = "" // It may be made of the fields.
		}
		if item.Parts != nil {
			// A row whose fields are all content gives those that are not known too.
			item.Parts = slices.DeleteFunc(slices.Clone(item.Parts), func(p connectors.Part) bool { return strings.Contains(p.Path, added) })
			item.Version = "" // As above.
		}
		out.Items = append(out.Items, item)
	}
	return out
}

func withoutKey(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, e := range v {
			if !strings.Contains(k, added) {
				out[k] = withoutKey(e)
			}
		}
		return out
	case []any:
		out := make([]any, 0, len(v))
		for _, e := range v {
			out = append(out, withoutKey(e))
		}
		return out
	}
	return v
}

// ignoreRaw leaves what is kept as it was sent out of a comparison.
func ignoreRaw(fields bool) cmp.Option {
	if !fields {
		return cmpopts.IgnoreFields(connectors.Page{}, "Next", "More") // A nested walk may have the reply's rows in its cursor.
	}
	return cmp.Options{
		cmpopts.IgnoreFields(connectors.Page{}, "Next", "More"), cmpopts.IgnoreFields(connectors.Activity{}, "Fields"), cmpopts.IgnoreFields(connectors.Record{}, "Fields"),
		cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".Version" }, cmp.Ignore()),
	}
}

// unusable are rows that no connector can use.
var unusable = map[string]any{"an empty object": map[string]any{}, "null": nil, "a number": 17, "a text": canary, "a list": []any{}}

func unusableRows(r *run) {
	for _, name := range slices.Sorted(maps.Keys(unusable)) {
		row := unusable[name]
		r.eachPage(func(doc any) any { return inserted(doc, row) }, func(i int, want, got connectors.Page) {
			// A page of a nested walk may list scopes, which are no items; its rows count like others.
			if got.Skipped[connectors.SkipMalformed] != want.Skipped[connectors.SkipMalformed]+1 {
				r.Errorf("page %d with a row that is %s counts %d as skipped, want one more than %d", i, name, got.Skipped[connectors.SkipMalformed], want.Skipped[connectors.SkipMalformed])
			}
			if diff := cmp.Diff(want.Items, got.Items, same); diff != "" {
				r.Errorf("page %d with a row that is %s (-want +got):\n%s", i, name, diff)
			}
		})
	}
}

// inserted puts a row after the first one.
func inserted(doc, row any) any {
	rows, set, ok := rowsOf(doc)
	if !ok {
		return doc
	}
	return set(slices.Insert(slices.Clone(rows), min(1, len(rows)), row))
}

// otherTypes gives the first row again with every value in a list: a row whose fields have types that no documentation has.
func otherTypes(r *run) {
	change := func(doc any) any {
		rows, _, ok := rowsOf(doc)
		if !ok || len(rows) == 0 {
			return doc
		}
		first, isMap := cloned(rows[0]).(map[string]any)
		if !isMap {
			return doc
		}
		for k, v := range first {
			first[k] = []any{v}
		}
		return inserted(doc, first)
	}
	r.eachPage(change, func(i int, want, got connectors.Page) {
		if n := len(want.Items) + want.Skipped[connectors.SkipMalformed]; n > 0 && got.Skipped[connectors.SkipMalformed] != want.Skipped[connectors.SkipMalformed]+1 {
			r.Errorf("page %d with a row of other types does not count it", i)
		}
		if diff := cmp.Diff(want.Items, got.Items, same); diff != "" {
			r.Errorf("page %d with a row of other types (-want +got):\n%s", i, diff)
		}
	})
}

var (
	enumField = regexp.MustCompile(`^(type|role|status|state|visibility|source|kind|provider|model|reason)$`)
	enumForm  = regexp.MustCompile(`^[a-z][a-z_]{1,60}$`)
)

// newValues replaces the words of enumerations by one that is not known.
func newValues(doc any) any {
	return inRows(func(key, v string) string {
		if enumField.MatchString(key) && enumForm.MatchString(v) {
			return added
		}
		return v
	})(doc)
}

func unknownValues(r *run) {
	ids := func(p connectors.Page) (out []string) {
		for _, item := range p.Items {
			out = append(out, item.Kind+" "+item.ID)
		}
		return out
	}
	r.eachPage(newValues, func(i int, want, got connectors.Page) {
		if diff := cmp.Diff(ids(want), ids(got)); diff != "" {
			r.Errorf("page %d with values that are not known (-want +got):\n%s", i, diff)
		}
		if len(got.Skipped) > len(want.Skipped) {
			r.Errorf("page %d skips rows with values that are not known", i)
		}
		for k, item := range got.Items {
			if item.Activity != nil && k < len(want.Items) && want.Items[k].Activity.Type != "" && item.Activity.Type != added {
				r.Errorf("page %d gives an activity of a new type as %q", i, item.Activity.Type)
			}
		}
	})
	for _, item := range r.contents() {
		// How they end is looked at by other checks.
		want, _ := r.fetchChanged(item, nil)
		got, _ := r.fetchChanged(item, newValues)
		// The texts of a block that is not known come as they are or as its JSON.
		var all strings.Builder
		for _, p := range got {
			all.WriteString(strings.TrimPrefix(openText(p.Open), "text ") + "\n")
		}
		for _, p := range want {
			text := strings.TrimPrefix(openText(p.Open), "text ")
			inJSON := strings.Trim(string(encode(text)), `"`)
			if len(text) >= 8 && p.Kind != connectors.PartFile && !strings.HasPrefix(text, "{") && !strings.Contains(all.String(), text) && !strings.Contains(all.String(), inJSON) {
				r.Errorf("a %s loses a text of %d bytes, a %s, when the types of its blocks are not known", item.Kind, len(text), p.Kind)
			}
		}
	}
}

var timeForm = regexp.MustCompile(`^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d`)

// moved changes every time in the rows of a reply.
func moved(by time.Duration, layout string, in *time.Location) func(any) any {
	return inRows(func(_, v string) string {
		if !timeForm.MatchString(v) {
			return v
		}
		at, err := connectors.ParseTime(v)
		if err != nil {
			return v
		}
		return at.Add(by).In(in).Format(layout)
	})
}

func spelling(r *run) {
	for _, layout := range []string{"2006-01-02T15:04:05.000000-07:00", "2006-01-02 15:04:05.999999999Z07:00"} {
		r.eachPage(moved(0, layout, time.FixedZone("", 5*3600+1800)), func(i int, want, got connectors.Page) {
			if diff := cmp.Diff(want, got, same, ignoreRaw(true)); diff != "" {
				r.Errorf("page %d with its times spelt otherwise (-want +got):\n%s", i, diff)
			}
			for k, item := range got.Items {
				if item.At.Location() != time.UTC {
					r.Errorf("page %d with its times spelt otherwise: a time is not in UTC", i)
				}
				if k < len(want.Items) && content(r.stream) && item.Version != want.Items[k].Version {
					r.Errorf("page %d with its times spelt otherwise: the version of an item changes", i)
				}
			}
		})
	}
}

func versionMoves(r *run) {
	r.eachPage(moved(90*time.Second, time.RFC3339Nano, time.UTC), func(i int, want, got connectors.Page) {
		for k, item := range got.Items {
			if k < len(want.Items) && item.Version == want.Items[k].Version {
				r.Errorf("page %d: an item that changed 90 s later has the same version", i)
			}
		}
	})
}

// deletedFields are those that tell that a row was deleted, and those that could.
func deletedFields(row any) (set, unset []string) {
	m, ok := row.(map[string]any)
	if !ok {
		return nil, nil
	}
	for k, v := range m {
		if !strings.Contains(strings.ToLower(k), "deleted") {
			continue
		}
		if v == nil || v == false || v == "" {
			unset = append(unset, k)
		} else {
			set = append(set, k)
		}
	}
	return set, unset
}

func deletions(r *run) {
	told := false
	var flipped map[string]bool // the strings of the rows that were changed, of which one is the item's id
	flip := func(doc any) any {
		rows, _, _ := rowsOf(doc)
		flipped = map[string]bool{}
		for _, row := range rows {
			m, _ := row.(map[string]any)
			set, unset := deletedFields(row)
			for _, v := range m {
				if s, isText := v.(string); isText && len(set)+len(unset) > 0 {
					told, flipped[s] = true, true
				}
			}
			for _, k := range set {
				m[k] = nil
			}
			for _, k := range unset {
				if m[k] == false {
					m[k] = true
				} else if len(set) == 0 {
					m[k] = From.Add(time.Hour).Format(time.RFC3339)
				}
			}
		}
		return doc
	}
	r.eachPage(flip, func(i int, want, got connectors.Page) {
		if len(want.Items) != len(got.Items) {
			r.Errorf("page %d gives %d items, and %d when the deleted are not and the others are", i, len(want.Items), len(got.Items))
			return
		}
		for k, item := range got.Items {
			if !flipped[item.ID] {
				continue
			}
			if item.Deleted == want.Items[k].Deleted {
				r.Errorf("page %d: an item is marked deleted %t, whatever its row says", i, item.Deleted)
			}
			if item.Version == want.Items[k].Version {
				r.Errorf("page %d: an item that was deleted has the version that it had before", i)
			}
		}
	})
	if !told {
		r.Skipf("the rows of %s do not tell of deletions", r.stream.ID)
	}
}
