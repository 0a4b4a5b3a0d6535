package searchtest

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/outband/outband/findings"
	"github.com/outband/outband/findings/cursor"
	"github.com/outband/outband/findings/filter"
	"github.com/outband/outband/findings/search"
)

// filters asks for each field, alone and with others. The number is how many findings it selects, so that the oracle is held to something too.
func (w *world) filters(t *testing.T) {
	o := oracle(w.rows(t))
	micro := findings.TimeOf(base.Add(31 * time.Minute)) // of the second pair
	for _, tc := range []struct {
		name string
		f    filter.Filter
		want int
	}{
		{"no filter selects all", filter.Filter{}, 51},
		{"one severity", filter.Filter{Severity: []string{"critical"}}, 8},
		{"two severities", filter.Filter{Severity: []string{"critical", "low"}}, 27},
		{"a status that all have", filter.Filter{Status: []string{"open"}}, 51},
		{"a status that none has", filter.Filter{Status: []string{"resolved", "closed"}}, 0},
		{"one kind", filter.Filter{Kind: []string{"posture"}}, 12},
		{"a source", filter.Filter{Source: []string{"present"}}, 51},
		{"a policy minds the case", filter.Filter{PolicyID: []string{"Beta"}}, 10},
		{"a policy that there is not", filter.Filter{PolicyID: []string{"delta"}}, 0},
		{"a connection", filter.Filter{ConnectionID: []string{"con_b"}}, 13},
		{"a connector", filter.Filter{Connector: []string{"other"}}, 19},
		{"a detector among several", filter.Filter{Detector: []string{"pci.card"}}, 16},
		{"a detector is not the start of another", filter.Filter{Detector: []string{"secret.aw"}}, 8},
		{"two detectors select a finding with both once", filter.Filter{Detector: []string{"pci.card", "pii.ssn"}}, 16},
		{"a detector with a wildcard names none", filter.Filter{Detector: []string{"secret.*"}}, 0},
		{"a resource kind with a space", filter.Filter{ResourceKind: []string{"shared drive"}}, 13},
		{"an actor by id", filter.Filter{Actor: []string{"user_kai"}}, 13},
		{"an actor's id minds the case", filter.Filter{Actor: []string{"USER_KAI"}}, 0},
		{"an actor by e-mail in other case", filter.Filter{Actor: []string{"dana.RUIZ@corp.example"}}, 14},
		{"an actor without an e-mail", filter.Filter{Actor: []string{"svc-7"}}, 8},
		{"two actors", filter.Filter{Actor: []string{"svc-7", "mona@other.example"}}, 16},
		{"an actor that there is not", filter.Filter{Actor: []string{"nobody@corp.example"}}, 0},
		{"fields are an and", filter.Filter{Severity: []string{"critical", "high"}, Kind: []string{"content"}, ConnectionID: []string{"con_a", "con_b"}}, 5},
		{"a field's own counts leave its filter out", filter.Filter{Severity: []string{"info"}, Status: []string{"closed"}}, 0},
		{"all fields at once", filter.Filter{Severity: []string{"critical"}, Status: []string{"open"}, Kind: []string{"content"}, Source: []string{"present"}, PolicyID: []string{"alpha", "beta"},
			ConnectionID: []string{"con_a", "con_c"}, Connector: []string{"claude", "other"}, Detector: []string{"secret.aws"}, ResourceKind: []string{"chat", "file"}, Actor: []string{"user_dana"}}, 2},
		{"from is inclusive", filter.Filter{From: micro, To: micro + 1}, 2},
		{"from is exact to the microsecond", filter.Filter{From: micro + 1, To: micro + 2}, 0},
		{"to is exclusive", filter.Filter{To: micro}, 2},
		{"to is exact to the microsecond", filter.Filter{To: micro + 1}, 4},
		{"from alone", filter.Filter{From: findings.TimeOf(autumn)}, 27},
		{"a range between two microseconds of a month's end", filter.Filter{From: findings.TimeOf(time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC))}, 9},
		{"text and field", filter.Filter{Query: "secret", Severity: []string{"high"}}, 8},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := len(o.match(tc.f)); got != tc.want {
				t.Errorf("the oracle selects %d, want %d", got, tc.want)
			}
			w.agree(t, o, tc.f)
		})
	}
}

// freeText asks for texts; want are the resources, sorted, of those that are not numbered.
func (w *world) freeText(t *testing.T) {
	o := oracle(w.rows(t))
	for _, tc := range []struct {
		name, query string
		want        []string
	}{
		{"a word", "deploy", []string{"t-deploy", "t-mixed", "t-quote"}},
		{"a word is whole", "deplo", nil},
		{"case does not matter", "DEPLOY", []string{"t-deploy", "t-mixed", "t-quote"}},
		{"two words are an and", "staging deploy", []string{"t-deploy"}},
		{"a prefix", "redep*", []string{"t-redeploy"}},
		{"a prefix is not an infix", "edep*", nil},
		{"a phrase", `"deploy help"`, []string{"t-deploy", "t-quote"}},
		{"a phrase keeps its order", `"help deploy"`, nil},
		{"a phrase may repeat words", `"a b a b c"`, []string{"t-phrase"}},
		{"a phrase finds the later place", `"b a b c"`, []string{"t-phrase"}},
		{"a phrase does not reach into the next text", `"b c b"`, nil},
		{"a phrase with a prefix", `"deploy he"*`, []string{"t-deploy", "t-quote"}},
		{"a phrase with a prefix after repeats", `"a b c"*`, []string{"t-phrase"}},
		{"a phrase with a prefix that is not next", `"deploy sta"*`, nil},
		{"an address with a prefix", "lee@co*", []string{"t-mail"}},
		{"Chinese characters", "計画", []string{"t-cjk", "t-mixed"}},
		{"Chinese characters in another order", "画計", nil},
		{"one Japanese character", "期", []string{"t-cjk"}},
		{"Hangul", "공유", []string{"t-hangul"}},
		{"Hangul with a prefix", "비밀*", []string{"t-hangul"}},
		{"mixed scripts", "привет 計画 deploy", []string{"t-mixed"}},
		{"Cyrillic in capitals", "СМЕШАННЫЙ", []string{"t-mixed"}},
		{"compatibility forms", "file", []string{"t-accent", "t-wild"}},
		{"an accent matters", "cafe", nil},
		{"an accent in another form", "cafe\u0301", []string{"t-accent"}},
		{"only punctuation", "!!!", nil},
		{"a lone star", "*", nil},
		{"a lone quote", `"`, nil},
		{"an open quote", `"deploy help`, []string{"t-deploy", "t-quote"}},
		{"wildcards are taken as they stand", "fil?", nil},
		{"a star in the middle separates", "file_*x", nil},
		{"percent and underscore separate", "100%", []string{"t-wild"}},
		{"a backslash separates", `back\slash`, []string{"t-wild"}},
		{"operators are words", "deploy OR redeploy", nil},
		{"braces and colons separate", `{"title": "deploy"}`, nil},
		{"an injection is text", `") OR 1=1 --`, nil},
		{"an actor's name", "ruiz", []string{"t-accent", "t-deploy", "t-hangul", "t-punct", "t-quote", "t-wild"}},
		{"an actor's address", "kai@corp.example", nil},
		{"an actor's name and a title", "ruiz café", nil},
		{"blank is no query", "  ", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := filter.Filter{Query: tc.query, ConnectionID: []string{"con_t"}}
			if tc.want != nil {
				var got []string
				for _, x := range pages(t, w.Engine, search.Query{Filter: f}) {
					got = append(got, x.Resource.ID)
				}
				slices.Sort(got)
				if diff := cmp.Diff(tc.want, got); diff != "" {
					t.Errorf("(-want +engine):\n%s", diff)
				}
			}
			w.agree(t, o, f)
			w.agree(t, o, filter.Filter{Query: tc.query})
		})
	}
}

// orders sorts by every key, both ways, in pages that cut through ties.
func (w *world) orders(t *testing.T) {
	o := oracle(w.rows(t))
	for _, key := range search.SortKeys() {
		for _, sort := range []string{key, "-" + key} {
			t.Run(sort, func(t *testing.T) {
				for _, limit := range []int{7, search.MaxLimit} {
					if diff := cmp.Diff(o.list(filter.Filter{}, sort), pages(t, w.Engine, search.Query{Sort: sort, Limit: limit})); diff != "" {
						t.Errorf("pages of %d (-oracle +engine):\n%s", limit, diff)
					}
				}
			})
		}
	}
}

// cursors hands a list from one engine to the other and back, page by page.
func (w *world) cursors(t *testing.T) {
	o := oracle(w.rows(t))
	for _, sort := range []string{"", "title", "-severity", "instance_count", "-policy_id", "last_occurred_at"} {
		t.Run("from hand to hand by "+sort, func(t *testing.T) {
			engines := []search.Engine{w.Engine, w.Embedded}
			var got []findings.Finding
			q := search.Query{Sort: sort, Limit: 5, Filter: filter.Filter{Severity: []string{"critical", "high", "low"}}}
			for i := 0; ; i++ {
				page, err := engines[i%2].List(t.Context(), q)
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, page.Items...)
				if q.Cursor = page.NextCursor; q.Cursor == "" {
					break
				}
			}
			if diff := cmp.Diff(o.list(q.Filter, sort), got); diff != "" {
				t.Errorf("(-oracle +engines):\n%s", diff)
			}
		})
	}
	t.Run("the last page is full and has no next", func(t *testing.T) {
		page, err := w.Engine.List(t.Context(), search.Query{Limit: 8, Filter: filter.Filter{Severity: []string{"critical"}}})
		if err != nil || len(page.Items) != 8 || page.NextCursor != "" {
			t.Errorf("%d items, next %q, %v", len(page.Items), page.NextCursor, err)
		}
	})
	t.Run("an empty list is no null", func(t *testing.T) {
		page, err := w.Engine.List(t.Context(), search.Query{Filter: filter.Filter{PolicyID: []string{"delta"}}})
		if err != nil || page.Items == nil || len(page.Items) != 0 || page.NextCursor != "" {
			t.Errorf("%+v, %v", page, err)
		}
	})
}

// wrong asks what no engine answers.
func (w *world) wrong(t *testing.T) {
	ctx := t.Context()
	first, err := w.Engine.List(ctx, search.Query{Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	list := func(q search.Query) func() error {
		return func() error { _, err := w.Engine.List(ctx, q); return err }
	}
	timeline := func(from, to time.Time, interval, tz string) func() error {
		return func() error {
			_, err := w.Engine.Timeline(ctx, filter.Filter{}, from, to, interval, tz)
			return err
		}
	}
	bad := filter.Filter{Severity: []string{"terrible"}}
	for name, tc := range map[string]struct {
		ask  func() error
		want error
	}{
		"a cursor of another filter":     {list(search.Query{Cursor: first.NextCursor, Filter: filter.Filter{Severity: []string{"low"}}}), search.ErrCursor},
		"a cursor of another order":      {list(search.Query{Cursor: first.NextCursor, Sort: "title"}), search.ErrCursor},
		"a cursor that is none":          {list(search.Query{Cursor: "x"}), search.ErrCursor},
		"a cursor of another list":       {list(search.Query{Cursor: cursor.Place{Bind: cursor.Bind("history", "fnd_x"), ID: "x"}.Encode()}), search.ErrCursor},
		"a sort key that there is not":   {list(search.Query{Sort: "colour"}), search.ErrSort},
		"a severity that there is not":   {list(search.Query{Filter: bad}), filter.ErrFilter},
		"a range that ends first":        {list(search.Query{Filter: filter.Filter{From: 2, To: 1}}), filter.ErrFilter},
		"facets of no such severity":     {func() error { _, err := w.Engine.Facets(ctx, bad); return err }, filter.ErrFilter},
		"people of no such severity":     {func() error { _, err := w.Engine.People(ctx, bad, 1); return err }, filter.ErrFilter},
		"a timeline that ends first":     {timeline(base, base.Add(-time.Hour), "day", ""), search.ErrRange},
		"a time zone that there is not":  {timeline(base, base.Add(time.Hour), "day", "Mars/Base"), search.ErrRange},
		"an interval that there is not":  {timeline(base, base.Add(time.Hour), "year", ""), search.ErrRange},
		"a timeline of too many buckets": {timeline(base, base.AddDate(1, 0, 0), "hour", ""), search.ErrRange},
	} {
		t.Run(name, func(t *testing.T) {
			if err := tc.ask(); !errors.Is(err, tc.want) {
				t.Errorf("got %v, want %v", err, tc.want)
			}
		})
	}
}

// random compares the engine with the oracle on filters that nobody thought of.
func (w *world) random(t *testing.T) {
	o := oracle(w.rows(t))
	rapid.Check(t, func(t *rapid.T) {
		some := func(name string, from ...string) []string {
			if !rapid.Bool().Draw(t, "by "+name) {
				return nil
			}
			return rapid.SliceOfNDistinct(rapid.SampledFrom(from), 1, 3, rapid.ID).Draw(t, name)
		}
		f := filter.Filter{
			Severity: some("severity", findings.Severities()...), Status: some("status", "open", "open", "resolved"), Kind: some("kind", findings.Kinds()...),
			PolicyID: some("policy", "alpha", "beta", "Beta", "texts", "delta"), ConnectionID: some("connection", "con_a", "con_b", "con_c", "con_t"), Connector: some("connector", "claude", "other", "third"),
			Detector: some("detector", "secret.aws", "secret.aw", "pci.card", "pii.ssn", "none"), ResourceKind: some("resource", "chat", "file", "shared drive"),
			Actor: some("actor", "user_dana", "KAI@corp.example", "svc-7", "nobody"),
			Query: rapid.SampledFrom([]string{"", "", "", "secret", "number*", `"in a"`, `"in a c"*`, "ruiz", "secret kai", "計", "deploy*", "corp", "n0*", "...", "card OR"}).Draw(t, "query"),
		}
		if rapid.Bool().Draw(t, "bounded") {
			i := rapid.IntRange(0, len(o)-1).Draw(t, "from")
			f.From = o[i].FirstSeenAt + findings.Time(rapid.IntRange(0, 1).Draw(t, "one later"))
			f.To = f.From + findings.Time(rapid.Int64Range(1, int64(400*24*time.Hour/time.Microsecond)).Draw(t, "length"))
		}
		w.agree(t, o, f)
	})
}
