package connectortest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/outband/outband/connectors"
)

var acmeKey = "acme-audit-" + Key

// mutants hold one at least for each check.
var mutants = []mutant{
	{check: "golden", name: "a name is changed", page: eachItem(func(_ *mutated, item *connectors.Item) { item.Resource.Name = strings.ToUpper(item.Resource.Name) })},
	{check: "identity", name: "a kind that nobody knows", page: eachItem(func(_ *mutated, item *connectors.Item) { item.Kind += "s" })},
	{check: "identity", name: "a page gives its first item twice", page: func(_ *mutated, _ string, _ connectors.Cursor, p *connectors.Page) {
		if len(p.Items) > 0 {
			p.Items = append(p.Items, p.Items[0])
		}
	}},
	{check: "times", name: "local time", page: eachItem(func(_ *mutated, item *connectors.Item) { item.At = item.At.In(time.FixedZone("", 3600)) })},
	{check: "times", name: "no times", page: eachItem(func(_ *mutated, item *connectors.Item) { item.At = time.Time{} })},
	{check: "unknown-fields", name: "a strict decoder", client: func(ctx context.Context, m *mutated, path string, query url.Values, into any) error {
		var raw json.RawMessage
		if err := m.raw.GetJSON(ctx, path, query, &raw); err != nil {
			return err
		}
		dec := json.NewDecoder(bytes.NewReader(raw))
		dec.DisallowUnknownFields()
		if dec.Decode(into) != nil {
			return malformedReply()
		}
		return nil
	}},
	{check: "unknown-values", name: "types that it knows only", page: func(_ *mutated, stream string, _ connectors.Cursor, p *connectors.Page) {
		if stream != "events" {
			return
		}
		var known []connectors.Item
		for _, item := range p.Items {
			if t := item.Activity.Type; t == "chat_shared" || t == "sign_in" || t == "chat_deleted" {
				known = append(known, item)
			}
		}
		p.Items = known
	}},
	{check: "unknown-values", name: "blocks that it knows only", reply: func(_ *mutated, path string, _ url.Values, doc any) any {
		rows, _, _ := rowsOf(doc)
		for _, row := range rows {
			m, _ := row.(map[string]any)
			blocks, _ := m["blocks"].([]any)
			var known []any
			for _, b := range blocks {
				if block, _ := b.(map[string]any); block["type"] == "text" || block["type"] == "chart" {
					known = append(known, b)
				}
			}
			if len(known) < len(blocks) {
				m["blocks"] = known
			}
		}
		return doc
	}},
	{check: "unusable-rows", name: "not counted", page: func(_ *mutated, _ string, _ connectors.Cursor, p *connectors.Page) { p.Skipped = nil }},
	{check: "unusable-rows", name: "the neighbours are lost", page: func(_ *mutated, _ string, _ connectors.Cursor, p *connectors.Page) {
		if len(p.Skipped) > 0 {
			p.Items = nil
		}
	}},
	{check: "other-types", name: "the page fails", reply: func(_ *mutated, _ string, _ url.Values, doc any) any {
		rows, _, _ := rowsOf(doc)
		for _, row := range rows {
			if m, _ := row.(map[string]any); m != nil {
				if _, isList := m["id"].([]any); isList {
					return nil
				}
			}
		}
		return doc
	}},
	{check: "spelling", name: "the version is the text", reply: func(m *mutated, _ string, _ url.Values, doc any) any {
		m.last = doc
		return doc
	}, page: eachItem(func(m *mutated, item *connectors.Item) {
		rows, _, _ := rowsOf(m.last)
		for _, row := range rows {
			if r, _ := row.(map[string]any); r["id"] == item.ID && item.Kind == connectors.KindChat && !item.Deleted {
				item.Version = fmt.Sprint(r["updated_at"])
			}
		}
	})},
	{check: "version-moves", name: "one version for ever", page: eachItem(func(_ *mutated, item *connectors.Item) {
		_, deleted, _ := strings.Cut(item.Version, "-")
		item.Version = "1" + deleted
	})},
	{check: "deletions", name: "nothing is deleted", page: eachItem(func(_ *mutated, item *connectors.Item) { item.Deleted = false })},
	{check: "deletions", name: "the version stays", page: eachItem(func(_ *mutated, item *connectors.Item) { item.Version = strings.TrimSuffix(item.Version, "-deleted") })},

	{check: "one-call", name: "two calls", read: func(ctx context.Context, m *mutated, stream string, after connectors.Cursor) (connectors.Page, error) {
		if page, err := m.inner.Read(ctx, stream, after); err != nil {
			return page, err
		}
		return m.inner.Read(ctx, stream, after)
	}},
	{check: "resume", name: "a source counts its pages", page: func(m *mutated, _ string, _ connectors.Cursor, p *connectors.Page) {
		m.state["pages"]++
		for i := range p.Items {
			p.Items[i].Version += fmt.Sprint("/", m.state["pages"])
		}
	}},
	{check: "same-page", name: "a source remembers what it gave", page: func(m *mutated, _ string, _ connectors.Cursor, p *connectors.Page) {
		var fresh []connectors.Item
		for _, item := range p.Items {
			if m.state[item.ID]++; m.state[item.ID] == 1 {
				fresh = append(fresh, item)
			}
		}
		p.Items = fresh
	}},
	{check: "empty-page", name: "back to the start", page: func(_ *mutated, _ string, _ connectors.Cursor, p *connectors.Page) {
		if len(p.Items) == 0 && !p.More {
			p.Next = ""
		}
	}},
	{check: "empty-page-with-more", name: "an end", page: func(_ *mutated, _ string, _ connectors.Cursor, p *connectors.Page) {
		p.More = p.More && len(p.Items) > 0
	}},
	{check: "repeated-cursor", name: "followed for ever", reply: func(_ *mutated, _ string, query url.Values, doc any) any { return advanced(query, doc) }},
	{check: "bad-cursor", name: "from the start in silence", read: func(ctx context.Context, m *mutated, stream string, after connectors.Cursor) (connectors.Page, error) {
		page, err := m.inner.Read(ctx, stream, after)
		if errors.Is(err, connectors.ErrCursorExpired) {
			return m.inner.Read(ctx, stream, "")
		}
		return page, err
	}},
	{check: "keeps-slice", name: "the bounds are lost", page: func(_ *mutated, _ string, after connectors.Cursor, p *connectors.Page) {
		if slice, err := p.Next.Slice(); err == nil && p.Next != after {
			p.Next = connectors.Slice{After: slice.After}.Cursor()
		}
	}},
	{check: "small-cursor", name: "all ids in the cursor", page: inCursor(func(p *connectors.Page) string {
		var b strings.Builder
		for _, item := range p.Items {
			b.WriteString(strings.Repeat(item.ID+",", 12))
		}
		return b.String()
	})},
	{check: "clean-cursor", name: "an address in the cursor", page: inCursor(func(p *connectors.Page) string { return p.Items[0].Actor.Email })},
	{check: "window-bounds", name: "the begin is sent once", client: func(ctx context.Context, m *mutated, path string, query url.Values, into any) error {
		if query.Get("after") != "" {
			query.Del("from")
		}
		return m.raw.GetJSON(ctx, path, query, into)
	}},
	{check: "window-bounds", name: "the end is sent once", client: func(ctx context.Context, m *mutated, path string, query url.Values, into any) error {
		if query.Get("after") != "" {
			query.Del("to")
		}
		return m.raw.GetJSON(ctx, path, query, into)
	}},
	{check: "unknown-stream", name: "taken for another", read: func(ctx context.Context, m *mutated, stream string, after connectors.Cursor) (connectors.Page, error) {
		if stream == "no_such_stream" {
			stream = "chats"
		}
		return m.inner.Read(ctx, stream, after)
	}},

	{check: "part-paths", name: "no paths", part: func(_ *mutated, _ connectors.Item, p *connectors.Part) {
		if p.Kind != connectors.PartPlace {
			p.Path = ""
		}
	}},
	{check: "part-paths", name: "paths of one read", part: func(m *mutated, _ connectors.Item, p *connectors.Part) {
		if p.Kind != connectors.PartPlace {
			p.Path += fmt.Sprint(serial())
		}
	}},
	{check: "open-twice", name: "a reader that is read once", part: func(_ *mutated, _ connectors.Item, p *connectors.Part) {
		if open := p.Open; open != nil {
			once := false
			p.Open = func(ctx context.Context) (io.ReadCloser, error) {
				if once {
					return io.NopCloser(strings.NewReader("")), nil
				}
				once = true
				return open(ctx)
			}
		}
	}},
	{check: "children", name: "a child without a version", part: func(_ *mutated, _ connectors.Item, p *connectors.Part) {
		if p.Child != nil {
			p.Child.Version = ""
		}
	}},
	{check: "unsure", name: "a file is always sure", part: func(_ *mutated, _ connectors.Item, p *connectors.Part) {
		if p.Child != nil {
			p.Child.Unsure = false
		}
	}},
	{check: "stops", name: "reads on", fetch: func(ctx context.Context, m *mutated, item connectors.Item, yield func(connectors.Part, error) bool) {
		wanted := true
		for p, err := range m.inner.Fetch(ctx, item) {
			wanted = wanted && yield(p, err)
		}
	}},
	{check: "stops", name: "yields on", fetch: func(ctx context.Context, m *mutated, item connectors.Item, yield func(connectors.Part, error) bool) {
		for p, err := range m.inner.Fetch(ctx, item) {
			yield(p, err)
		}
	}},
	{check: "unusable-content", name: "in silence", fetch: swallowing(func(given int, err error) bool { return given > 0 && errors.Is(err, connectors.ErrMalformed) })},
	{check: "endless-content", name: "followed for ever", reply: func(_ *mutated, path string, query url.Values, doc any) any {
		if strings.HasSuffix(path, "/messages") {
			return advanced(query, doc)
		}
		return doc
	}},
	{check: "later-fault", name: "an end", fetch: swallowing(func(given int, err error) bool { return given > 0 && errors.Is(err, connectors.ErrTransient) })},
	{check: "gone", name: "an empty item", fetch: swallowing(func(_ int, err error) bool { return errors.Is(err, connectors.ErrGone) })},
	{check: "whole-files", name: "an error is an end", part: func(_ *mutated, _ connectors.Item, p *connectors.Part) {
		if open := p.Open; open != nil {
			p.Open = func(ctx context.Context) (io.ReadCloser, error) {
				body, err := open(ctx)
				if err != nil {
					return nil, err
				}
				return lenient{body}, nil
			}
		}
	}},
	{check: "goes-on", name: "all again", fetch: func(ctx context.Context, m *mutated, item connectors.Item, yield func(connectors.Part, error) bool) {
		item.Since = ""
		m.inner.Fetch(ctx, item)(yield)
	}},
	{check: "goes-on", name: "one is left out", fetch: func(ctx context.Context, m *mutated, item connectors.Item, yield func(connectors.Part, error) bool) {
		left := item.Since != ""
		m.inner.Fetch(ctx, item)(func(p connectors.Part, err error) bool {
			if left {
				left = false
				return true
			}
			return yield(p, err)
		})
	}},
	{check: "gives-again", name: "not marked", part: func(_ *mutated, _ connectors.Item, p *connectors.Part) { p.Again = false }},
	{check: "strange-place", name: "nothing is new", fetch: func(ctx context.Context, m *mutated, item connectors.Item, yield func(connectors.Part, error) bool) {
		if item.Since != "" && !strings.HasPrefix(item.Since, "msg-") {
			return
		}
		m.inner.Fetch(ctx, item)(yield)
	}},

	{check: "record-shape", name: "no scope", page: eachRecord(func(item *connectors.Item) { item.Record.Scope = "" })},
	{check: "record-shape", name: "a value that cannot be compared", page: eachRecord(func(item *connectors.Item) { item.Record.Fields["n"] = 1 })},
	{check: "record-ids", name: "the id of the person", page: eachRecord(func(item *connectors.Item) {
		if _, person, ok := strings.Cut(item.Record.ID, "/"); ok {
			item.Record.ID = person
		}
	})},
	{check: "no-persons", name: "an address", page: eachRecord(func(item *connectors.Item) { item.Record.Fields["by"] = item.Actor.Email })},
	{check: "missing-scope", name: "not named", page: func(_ *mutated, _ string, _ connectors.Cursor, p *connectors.Page) { p.Missing = nil }},
	{check: "missing-scope", name: "an error", read: func(ctx context.Context, m *mutated, stream string, after connectors.Cursor) (connectors.Page, error) {
		page, err := m.inner.Read(ctx, stream, after)
		if err == nil && len(page.Missing) > 0 {
			return connectors.Page{}, malformedReply()
		}
		return page, err
	}},
	{check: "unavailable", name: "empty", read: func(ctx context.Context, m *mutated, stream string, after connectors.Cursor) (connectors.Page, error) {
		page, err := m.inner.Read(ctx, stream, after)
		if errors.Is(err, connectors.ErrUnavailable) {
			return connectors.Page{Next: after}, nil
		}
		return page, err
	}},

	{check: "refused-key", name: "taken for a setting", mapError: asKind(http.StatusUnauthorized, connectors.KindConfig)},
	{check: "missing-permission", name: "taken for a wrong key", mapError: asKind(http.StatusForbidden, connectors.KindAuth)},
	{check: "rate-limit", name: "tried again", read: again(connectors.ErrRateLimited)},
	{check: "server-error", name: "tried again", read: again(connectors.ErrTransient)},
	{check: "no-retry", name: "tried again at once", read: again(connectors.ErrTransient)},
	{check: "bad-gateway", name: "taken for a wrong address", read: otherError(func(e *connectors.Error) error {
		if e.Status == http.StatusBadGateway {
			e.Kind = connectors.KindConfig
		}
		return e
	})},
	{check: "not-the-api", name: "to be tried later", read: otherError(func(e *connectors.Error) error {
		if e.Kind == connectors.KindConfig {
			e.Kind = connectors.KindTransient
		}
		return e
	})},
	{check: "truncated", name: "asked for again", client: func(ctx context.Context, m *mutated, path string, query url.Values, into any) error {
		err := m.raw.GetJSON(ctx, path, query, into)
		if errors.Is(err, connectors.ErrMalformed) {
			return m.raw.GetJSON(ctx, path, query, into)
		}
		return err
	}},
	{check: "foreign-json", name: "an empty page", reply: func(_ *mutated, _ string, _ url.Values, doc any) any {
		if m, ok := doc.(map[string]any); ok && m["rows"] == nil && m["id"] == nil {
			m["rows"] = []any{}
		}
		return doc
	}},
	{check: "null-reply", name: "an empty page", client: func(ctx context.Context, m *mutated, path string, query url.Values, into any) error {
		var raw json.RawMessage
		if err := m.raw.GetJSON(ctx, path, query, &raw); err != nil {
			return err
		}
		if string(raw) == "null" {
			raw = json.RawMessage(`{"rows":[],"id":"x"}`)
		}
		if json.Unmarshal(raw, into) != nil {
			return malformedReply()
		}
		return nil
	}},
	{check: "too-big", name: "asked for again and again", client: func(ctx context.Context, m *mutated, path string, query url.Values, into any) error {
		err := m.raw.GetJSON(ctx, path, query, into)
		for n := 0; n < 20 && errors.Is(err, connectors.ErrTooBig); n++ {
			err = m.raw.GetJSON(ctx, path, query, into)
		}
		return err
	}},
	{check: "cancelled", name: "a context of its own", read: func(ctx context.Context, m *mutated, stream string, after connectors.Cursor) (connectors.Page, error) {
		return m.inner.Read(context.WithoutCancel(ctx), stream, after)
	}},
	{check: "quiet-errors", name: "the reply's message", mapError: func(r connectors.Reply) *connectors.Error {
		if r.Status != http.StatusConflict {
			return nil
		}
		return &connectors.Error{Kind: connectors.KindMalformed, Code: connectors.CodeMalformed, Message: r.Message}
	}},

	{check: "only-gets", name: "a post", estimate: func(ctx context.Context, m *mutated, from, to time.Time) (connectors.Estimate, error) {
		m.call(ctx, http.MethodPost, "/v1/me")
		return m.inner.Estimate(ctx, from, to)
	}},
	{check: "credential", name: "in the query too", estimate: func(ctx context.Context, m *mutated, from, to time.Time) (connectors.Estimate, error) {
		m.call(ctx, http.MethodGet, "/v1/me?token="+acmeKey)
		return m.inner.Estimate(ctx, from, to)
	}},
	{check: "hostile-ids", name: "not escaped", client: func(ctx context.Context, m *mutated, path string, query url.Values, into any) error {
		if plain, err := url.PathUnescape(path); err == nil {
			path = plain
		}
		return m.raw.GetJSON(ctx, path, query, into)
	}},
	{check: "independent", name: "a client for all", open: func(m *mutated) {
		shared.Lock()
		defer shared.Unlock()
		shared.client = m.raw
	}, client: func(ctx context.Context, _ *mutated, path string, query url.Values, into any) error {
		shared.Lock()
		client := shared.client
		shared.Unlock()
		return client.GetJSON(ctx, path, query, into)
	}},

	{check: "test-steps", name: "the key comes last", test: func(ctx context.Context, m *mutated, report func(connectors.Step)) (connectors.Account, error) {
		var key connectors.Step
		account, err := m.inner.Test(ctx, func(s connectors.Step) {
			if s.Name == "key" {
				key = s
				return
			}
			report(s)
		})
		report(key)
		return account, err
	}},
	{check: "test-stops", name: "goes on", test: func(ctx context.Context, m *mutated, report func(connectors.Step)) (connectors.Account, error) {
		account, err := m.inner.Test(ctx, report)
		if err != nil {
			report(connectors.Step{Name: "end", Title: "End", State: connectors.StepOK, Message: "The test is over."})
		}
		return account, err
	}},
	{check: "test-quiet", name: "shows the key", test: func(ctx context.Context, m *mutated, report func(connectors.Step)) (connectors.Account, error) {
		return m.inner.Test(ctx, func(s connectors.Step) {
			s.Message += " " + acmeKey
			report(s)
		})
	}},
	{check: "test-account", name: "a stream that there is not", test: func(ctx context.Context, m *mutated, report func(connectors.Step)) (connectors.Account, error) {
		account, err := m.inner.Test(ctx, report)
		account.Streams = append(account.Streams, "everything")
		return account, err
	}},
	{check: "estimate", name: "of nothing", estimate: func(ctx context.Context, m *mutated, from, to time.Time) (connectors.Estimate, error) {
		_, err := m.inner.Estimate(ctx, from, to)
		return connectors.Estimate{}, err
	}},

	{check: "manifest-scopes", name: "one stream without", manifest: [2]string{"streams: [events, members, labels]", "streams: [events, labels]"}},
	{check: "manifest-limits", name: "nearly all of the budget", manifest: [2]string{"requests_per_minute: 60", "requests_per_minute: 100"}},
}

// shared is what a package must not have.
var shared struct {
	sync.Mutex
	client connectors.Client
	n      int
}

func serial() int {
	shared.Lock()
	defer shared.Unlock()
	shared.n++
	return shared.n
}

// advanced lets a list that does not advance look as if it did.
func advanced(query url.Values, doc any) any {
	if m, ok := doc.(map[string]any); ok && m["last"] == query.Get("after") && m["more"] == true {
		m["last"] = query.Get("after") + "x"
	}
	return doc
}

// inCursor puts a text into the place of the snapshot of members.
func inCursor(text func(*connectors.Page) string) func(*mutated, string, connectors.Cursor, *connectors.Page) {
	return func(_ *mutated, stream string, _ connectors.Cursor, p *connectors.Page) {
		slice, err := p.Next.Slice()
		var place map[string]any
		if stream != "members" || len(p.Items) == 0 || err != nil || json.Unmarshal([]byte(slice.After), &place) != nil {
			return
		}
		place["note"] = text(p)
		slice.After = string(encode(place))
		p.Next = slice.Cursor()
	}
}

func eachRecord(change func(*connectors.Item)) func(*mutated, string, connectors.Cursor, *connectors.Page) {
	return eachItem(func(_ *mutated, item *connectors.Item) {
		if item.Record != nil {
			change(item)
		}
	})
}

// again reads once more after an error of a kind.
func again(kind error) func(context.Context, *mutated, string, connectors.Cursor) (connectors.Page, error) {
	return func(ctx context.Context, m *mutated, stream string, after connectors.Cursor) (connectors.Page, error) {
		page, err := m.inner.Read(ctx, stream, after)
		if errors.Is(err, kind) {
			return m.inner.Read(ctx, stream, after)
		}
		return page, err
	}
}

// lenient takes every error of a reader for its end.
type lenient struct{ io.ReadCloser }

// Read implements io.Reader.
func (l lenient) Read(p []byte) (int, error) {
	n, err := l.ReadCloser.Read(p)
	if err != nil {
		err = io.EOF
	}
	return n, err
}

// call goes past the client, as no connector can.
func (m *mutated) call(ctx context.Context, method, target string) {
	req, err := http.NewRequestWithContext(ctx, method, m.raw.Config(connectors.ConfigBaseURL)+target, nil)
	if err != nil {
		return
	}
	req.Header.Set("Authorization", "Bearer "+acmeKey)
	transport := &http.Transport{DisableKeepAlives: true}
	if resp, err := transport.RoundTrip(req); err == nil {
		resp.Body.Close()
	}
}
