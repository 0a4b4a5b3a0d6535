package claude

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/outband/outband/connectors"
)

// said is a message of a test: when it says that it was, and when the API begins to show it.
type said struct {
	id        string
	at, shown time.Time
	extra     string // further fields
}

func (m said) json() string {
	return fmt.Sprintf(`{"id":%q,"role":"user","created_at":%q,"content":[{"type":"text","text":%q}]%s}`, m.id, timeText(m.at), m.id, m.extra)
}

// transcript answers like the messages of a chat or of a session, as they stand at a time, in pages.
type transcript struct {
	messages []said
	now      time.Time
	size     int // rows of a page
	title    string
	calls    int
}

func (tr *transcript) client() memory {
	return memory{json: func(path string, query url.Values) (string, error) {
		tr.calls++
		var rows []said
		since := moment(query.Get("created_at.gte"))
		for _, m := range tr.messages {
			if !m.shown.After(tr.now) && !m.at.Before(since) {
				rows = append(rows, m)
			}
		}
		slices.SortStableFunc(rows, func(a, b said) int { return a.at.Compare(b.at) })
		if query.Get("order") == "desc" {
			slices.Reverse(rows)
		}
		first := 0
		if at := either(query.Get("after_id"), query.Get("page")); at != "" {
			if _, err := fmt.Sscanf(at, "p%d", &first); err != nil {
				return "", err
			}
		}
		var out []string
		last := min(first+tr.size, len(rows))
		for _, m := range rows[min(first, last):last] {
			out = append(out, m.json())
		}
		next := "null"
		if last < len(rows) {
			next = fmt.Sprintf(`"p%d"`, last)
		}
		if strings.Contains(path, "/sessions/") {
			return fmt.Sprintf(`{"data":[%s],"next_page":%s}`, strings.Join(out, ","), next), nil
		}
		return fmt.Sprintf(`{"id":"c","name":%q,"chat_messages":[%s],"has_more":%t,"last_id":%s}`, tr.title, strings.Join(out, ","), last < len(rows), next), nil
	}}
}

// teller is a *testing.T or a *rapid.T.
type teller interface {
	Context() context.Context
	Fatalf(format string, args ...any)
}

// given reads an item from a place: the ids of messages, with a star if they were given before, and the next place.
func given(t teller, s *source, item connectors.Item) (ids []string, place string) {
	for p, err := range s.Fetch(t.Context(), item) {
		if err != nil {
			t.Fatalf("fetch: %v", err)
		}
		id := p.Resource.ID
		switch {
		case p.Kind == connectors.PartPlace:
			place = p.Path
			continue
		case p.Kind == connectors.PartTitle:
			id = "title"
		case p.Skipped != "":
			id += " " + p.Skipped
		}
		if p.Again {
			id += "*"
		}
		ids = append(ids, id)
	}
	return ids, place
}

var (
	noon        = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	sessionItem = connectors.Item{Kind: connectors.KindSession, ID: "clls_01Example"}
)

func sourceAt(client connectors.Client, now time.Time) *source {
	s := open(client).(*source)
	s.now = func() time.Time { return now }
	return s
}

func TestOnlyWhatIsNewIsGiven(t *testing.T) {
	at := func(minutes float64) time.Time { return noon.Add(time.Duration(minutes * float64(time.Minute))) }
	tr := &transcript{title: "T", size: 2, messages: []said{
		{id: "a", at: at(0), shown: at(0)}, {id: "b", at: at(0), shown: at(0)}, {id: "c", at: at(1), shown: at(1)},
		{id: "late", at: at(0.5), shown: at(2)}, {id: "tie", at: at(1), shown: at(2)}, {id: "d", at: at(30), shown: at(30)},
	}}
	item := chatItem
	for _, step := range []struct {
		minutes float64
		title   string
		want    string
	}{
		{1, "T", "title a b c"},
		{1, "T", ""},
		{2, "T", "late tie"},
		{40, "Renamed", "title d"},
		{40, "Renamed", ""},
	} {
		tr.now, tr.title = at(step.minutes), step.title
		ids, place := given(t, sourceAt(tr.client(), tr.now), item)
		if diff := cmp.Diff(step.want, strings.Join(ids, " ")); diff != "" {
			t.Errorf("after %v minutes (-want +got):\n%s", step.minutes, diff)
		}
		item.Since = place
	}
	item.Again = true
	tr.messages = append(tr.messages, said{id: "e", at: at(41), shown: at(41)})
	tr.now = at(41)
	ids, _ := given(t, sourceAt(tr.client(), tr.now), item)
	if diff := cmp.Diff("title* a* b* late* c* tie* d* e", strings.Join(ids, " ")); diff != "" {
		t.Errorf("all again (-want +got):\n%s", diff)
	}
}

// TestSeveralGoesAreOne: however messages come in, with ties and late ones, each is given once.
func TestSeveralGoesAreOne(t *testing.T) {
	for name, kind := range map[string]struct {
		item  connectors.Item
		slack time.Duration
	}{"chat": {chatItem, chatSlack}, "session": {sessionItem, sessionSlack}} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				tr := &transcript{size: rapid.IntRange(1, 7).Draw(t, "page")}
				at := noon
				for i := range rapid.IntRange(1, 40).Draw(t, "messages") {
					at = at.Add(time.Duration(rapid.IntRange(0, 400).Draw(t, "gap")) * time.Second)
					// A message can be shown as late as the slack allows: its time plus the slack, from when the newest before it was shown.
					late := time.Duration(rapid.IntRange(0, int(kind.slack/time.Second)-1).Draw(t, "late")) * time.Second
					tr.messages = append(tr.messages, said{id: fmt.Sprint("m", i), at: at, shown: at.Add(late)})
				}
				var got []string
				item := kind.item
				for tr.now = noon; tr.now.Before(at.Add(kind.slack * 2)); tr.now = tr.now.Add(time.Duration(rapid.IntRange(1, 900).Draw(t, "poll")) * time.Second) {
					ids, place := given(t, sourceAt(tr.client(), tr.now), item)
					got, item.Since = append(got, ids...), place
				}
				ids, _ := given(t, sourceAt(tr.client(), tr.now), item)
				got = append(got, ids...)
				slices.Sort(got)
				var want []string
				for _, m := range tr.messages {
					want = append(want, m.id)
				}
				slices.Sort(want)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Fatalf("messages (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestASessionIsReadFromItsEnd(t *testing.T) {
	tr := &transcript{size: 10, now: noon.Add(day)}
	for i := range 100 {
		at := noon.Add(time.Duration(i) * time.Minute)
		tr.messages = append(tr.messages, said{id: fmt.Sprint("m", i), at: at, shown: at})
	}
	item := sessionItem
	ids, place := given(t, sourceAt(tr.client(), tr.now), item)
	if len(ids) != 100 || tr.calls != 10 {
		t.Fatalf("%d messages in %d calls", len(ids), tr.calls)
	}
	item.Since, tr.calls = place, 0
	at := noon.Add(101 * time.Minute)
	tr.messages = append(tr.messages, said{id: "new", at: at, shown: at},
		said{id: "replayed", at: at, shown: at, extra: `,"provenance":{"type":"client_asserted"}`},
		said{id: "marker", at: at, shown: at, extra: `,"provenance":{"type":"synthetic_marker"}`},
		said{id: "lost", at: at, shown: at, extra: `,"provenance":{"type":"content_unavailable","reason":"oversize"}`},
		said{id: "other", at: at, shown: at, extra: `,"provenance":{"type":"content_unavailable","reason":"<script>"}`},
		said{id: "remote", at: at, shown: at, extra: `,"content_unavailable":true`})
	ids, place = given(t, sourceAt(tr.client(), tr.now), item)
	if diff := cmp.Diff("new lost oversize other content_unavailable remote content_unavailable", strings.Join(ids, " ")); diff != "" {
		t.Errorf("new messages (-want +got):\n%s", diff)
	}
	if tr.calls > 2 {
		t.Errorf("%d calls for the end of a session", tr.calls)
	}
	item.Since = place
	if ids, again := given(t, sourceAt(tr.client(), tr.now), item); len(ids) > 0 || again != place {
		t.Errorf("nothing new gives %v, and the place moves: %t", ids, again != place)
	}
}

func TestATimeInTheFutureHidesNothing(t *testing.T) {
	tr := &transcript{size: 10, now: noon, messages: []said{{id: "a", at: noon, shown: noon}, {id: "far", at: noon.AddDate(70, 0, 0), shown: noon}}}
	item := sessionItem
	ids, place := given(t, sourceAt(tr.client(), noon), item)
	item.Since, tr.now = place, noon.Add(time.Hour)
	tr.messages = append(tr.messages, said{id: "b", at: tr.now, shown: tr.now})
	more, _ := given(t, sourceAt(tr.client(), tr.now), item)
	if diff := cmp.Diff([]string{"a", "far", "b"}, append(ids, more...)); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
}

func TestAPlaceThatCannotBeUsedIsNone(t *testing.T) {
	tr := &transcript{size: 10, title: "T", now: noon, messages: []said{{id: "a", at: noon, shown: noon}, {id: "b", at: noon, shown: noon}}}
	for _, since := range []string{"x", "{", `{"t":"tomorrow"}`, `{"ids":["x"]}`, `[]`, "null", `{"t":"0001-01-01T00:00:00Z","title":"x"}`} {
		item := chatItem
		item.Since = since
		if ids, _ := given(t, sourceAt(tr.client(), noon), item); strings.Join(ids, " ") != "title a b" {
			t.Errorf("from %q: %v", since, ids)
		}
	}
	// One that the API refuses is read from the start, and what was given is not given again.
	item := chatItem
	_, item.Since = given(t, sourceAt(tr.client(), noon), item)
	tr.messages = append(tr.messages, said{id: "c", at: noon, shown: noon})
	var asked []string
	client := memory{json: func(path string, query url.Values) (string, error) {
		asked = append(asked, query.Get("created_at.gte"))
		if query.Has("created_at.gte") {
			return "", &connectors.Error{Kind: connectors.KindMalformed, Code: connectors.CodeRequestRefused, Status: 400}
		}
		return tr.client().json(path, query)
	}}
	ids, _ := given(t, sourceAt(client, noon), item)
	if diff := cmp.Diff([]string{"2026-11-20T11:58:00Z", ""}, asked); diff != "" || strings.Join(ids, " ") != "c" {
		t.Errorf("gave %v, asked (-want +got):\n%s", ids, diff)
	}
}

func TestAPageTokenThatExpiredBeginsAnew(t *testing.T) {
	for name, item := range map[string]connectors.Item{"session": sessionItem, "chat": chatItem} {
		tr := &transcript{size: 2, now: noon, title: "T"}
		for i := range 5 {
			tr.messages = append(tr.messages, said{id: fmt.Sprint("m", i), at: noon, shown: noon})
		}
		failures := 0
		client := memory{json: func(path string, query url.Values) (string, error) {
			if either(query.Get("page"), query.Get("after_id")) == "p4" && failures == 0 {
				failures++
				return "", mapError(connectors.Reply{Status: 400, JSON: true, Message: "page: the page cursor has expired"})
			}
			return tr.client().json(path, query)
		}}
		ids, place := given(t, sourceAt(client, noon), item)
		if got := strings.TrimPrefix(strings.Join(ids, " "), "title "); got != "m0 m1 m2 m3 m4" || place == "" {
			t.Errorf("%s: messages %s, with a place: %t", name, got, place != "")
		}
		// One that expires again and again is an error, not a loop.
		client.json = func(string, url.Values) (string, error) { return "", connectors.ErrCursorExpired }
		for _, err := range sourceAt(client, noon).Fetch(t.Context(), item) {
			if !errors.Is(err, connectors.ErrCursorExpired) {
				t.Errorf("%s: err = %v, want kind CursorExpired", name, err)
			}
		}
	}
}

func TestARemoteSessionThatIsPendingComesLater(t *testing.T) {
	gone := &connectors.Error{Kind: connectors.KindGone, Code: connectors.CodeGone, Status: 404}
	client := memory{json: func(path string, _ url.Values) (string, error) {
		if strings.Contains(path, "/local/") != strings.Contains(path, "clls_") {
			t.Errorf("path %s", path)
		}
		return "", gone
	}}
	for _, tc := range []struct {
		id, version string
		want        connectors.Kind
	}{
		{"cse_1", "17/pending", connectors.KindTransient},
		{"cse_1", "", connectors.KindTransient},
		{"cse_1", "17/active", connectors.KindGone},
		{"clls_1", "17", connectors.KindGone},
		{"clls_1", "", connectors.KindGone},
	} {
		for _, err := range open(client).(*source).Fetch(t.Context(), connectors.Item{Kind: connectors.KindSession, ID: tc.id, Version: tc.version}) {
			var e *connectors.Error
			if !errors.As(err, &e) || e.Kind != tc.want || e.Status != 404 {
				t.Errorf("%s of version %q: %v, want kind %s", tc.id, tc.version, err, tc.want)
			}
		}
	}
}

func TestSeenIsBounded(t *testing.T) {
	s := readSeen("", chatSlack, noon)
	for i := range maxSeen + 1 {
		s.add(fmt.Sprint(i), noon)
	}
	if err := s.end(func(connectors.Part) bool { t.Error("a place of too many ids was given"); return true }); err != nil {
		t.Error(err)
	}
}
