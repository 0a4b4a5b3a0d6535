package workflows

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/outband/outband/connectors"
	"github.com/outband/outband/dlp"
	"github.com/outband/outband/dlp/extract/sandbox"
	"github.com/outband/outband/findings"
	"github.com/outband/outband/internal/secret"
	"github.com/outband/outband/internal/store"
	"github.com/outband/outband/internal/store/storetest"
	"github.com/outband/outband/internal/vault"
)

const fakeManifest = `id: fake
name: Fake
vendor: Fake
docs: https://fake.example/docs
hosts: [api.fake.example]
auth: {header: x-api-key}
replies: {request_id: request-id, error_type: error.type, error_message: error.message}
limits: {requests_per_minute: 1000, vendor_requests_per_minute: 1000, max_response_bytes: 1000000, max_file_bytes: 1000000}
key_kinds:
  - {prefix: fake-, kind: main, title: Key, usable: true}
  - {prefix: other-, kind: other, title: Another key, usable: true}
credentials:
  - {id: api_key, title: Key, type: string, secret: true, required: true}
config:
  - {id: base_url, title: Base URL, type: string, format: url, default: "https://api.fake.example", required: true}
  - {id: requests_per_minute, title: Rate, type: integer, default: "1000", minimum: 1, maximum: 1000}
streams:
  - {id: chats, title: Chats, kind: content, cursor: cursor, order: updated_at asc, page_size: 3, lookback: 2m}
  - {id: activities, title: Activities, kind: activities, cursor: window, order: created_at asc, page_size: 3, lookback: 10m, settle: 2m}
  - {id: projects, title: Projects, kind: content, cursor: window, order: updated_at asc, page_size: 3, lookback: 10m, settle: 2m, every: 15m, keys: [other]}
  - {id: pages, title: Pages, kind: content, cursor: snapshot, absent: gone, order: id asc, page_size: 3, every: 6h, keys: [other]}
  - {id: users, title: Users, kind: records, cursor: snapshot, absent: gone, order: id asc, page_size: 3, every: 6h}
`

// app is a SaaS app in memory: chats by time of change, with files, and a feed. Hooks break it.
type app struct {
	mu      sync.Mutex
	chats   []connectors.Item
	others  map[string][]connectors.Item // by stream
	texts   map[string][]string          // by chat
	places  bool                         // the source goes on from a place: messages have times then, a minute apart from testDay on
	given   []string                     // messages whose content was fetched
	files   map[string][]connectors.Item // by chat
	bytes   map[string][]byte            // by file
	feed    []connectors.Item
	rows    []connectors.Item // of the snapshot
	missing map[int][]string  // scopes that a page of the snapshot names, by the place that the page begins at
	onRead  func(stream string, after connectors.Slice) error
	onFetch func(item connectors.Item) error
	reads   map[string]int
	fetches map[string]int
}

func newApp() *app {
	return &app{texts: map[string][]string{}, files: map[string][]connectors.Item{}, bytes: map[string][]byte{}, reads: map[string]int{}, fetches: map[string]int{}}
}

func (a *app) chat(id string, at time.Time, texts ...string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.chats = slices.DeleteFunc(a.chats, func(i connectors.Item) bool { return i.ID == id })
	a.chats = append(a.chats, connectors.Item{
		Kind: connectors.KindChat, ID: id, Version: at.Format(time.RFC3339Nano), At: at,
		Resource: connectors.Resource{Kind: "chat", ID: id, Name: "Chat " + id, URL: "https://fake.example/" + id}, Actor: connectors.Actor{ID: "user_1", Email: "dana@fake.example", Type: "user"},
	})
	slices.SortFunc(a.chats, func(x, y connectors.Item) int { return x.At.Compare(y.At) })
	a.texts[id] = texts
}

func (a *app) file(chat, id string, content []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.files[chat] = append(a.files[chat], connectors.Item{Kind: connectors.KindFile, ID: id, Version: fmt.Sprint(len(content)), File: &connectors.File{Name: id + ".txt", Size: int64(len(content))}})
	a.bytes[id] = content
}

const fakePage = 3

func (a *app) Read(_ context.Context, stream string, after connectors.Cursor) (connectors.Page, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.reads[stream]++
	s, err := after.Slice()
	if err != nil {
		return connectors.Page{}, err
	}
	if a.onRead != nil {
		if err := a.onRead(stream, s); err != nil {
			return connectors.Page{}, err
		}
	}
	if stream == "users" || stream == "pages" {
		return a.snapshot(stream, s)
	}
	all := a.others[stream]
	switch stream {
	case "chats":
		all = a.chats
	case "activities":
		all = a.feed
	}
	page := connectors.Page{Next: after}
	for _, i := range all {
		place := i.At.UTC().Format("2006-01-02T15:04:05.000000000") + i.ID
		if i.At.Before(s.From) || (!s.To.IsZero() && !i.At.Before(s.To)) || place <= s.After {
			continue
		}
		if len(page.Items) == fakePage {
			page.More = true
			break
		}
		page.Items = append(page.Items, i)
		page.Next = connectors.Slice{From: s.From, To: s.To, After: place}.Cursor()
	}
	return page, nil
}

func (a *app) snapshot(stream string, s connectors.Slice) (connectors.Page, error) {
	from := 0
	if s.After != "" {
		if _, err := fmt.Sscan(s.After, &from); err != nil {
			return connectors.Page{}, err
		}
	}
	rows := a.rows
	if stream != "users" {
		rows = a.others[stream]
	}
	from = min(from, len(rows))
	to := min(from+fakePage, len(rows))
	return connectors.Page{Items: rows[from:to], Next: connectors.Slice{After: fmt.Sprint(to)}.Cursor(), More: to < len(rows), Missing: a.missing[from]}, nil
}

func (a *app) Fetch(_ context.Context, item connectors.Item) iter.Seq2[connectors.Part, error] {
	return func(yield func(connectors.Part, error) bool) {
		a.mu.Lock()
		a.fetches[item.ID]++
		hook, texts, files, content := a.onFetch, a.texts[item.ID], a.files[item.ID], a.bytes[item.ID]
		a.mu.Unlock()
		if hook != nil {
			if err := hook(item); err != nil {
				yield(connectors.Part{}, err)
				return
			}
		}
		if item.Kind == connectors.KindFile {
			yield(part(connectors.PartFile, connectors.Ref{Kind: connectors.KindFile, ID: item.ID}, "", content), nil)
			return
		}
		if !a.messages(item, texts, yield) {
			return
		}
		for _, f := range files {
			f.Resource = item.Resource
			if !yield(connectors.Part{Kind: connectors.PartFile, Child: &f}, nil) {
				return
			}
		}
	}
}

func (a *app) messages(item connectors.Item, texts []string, yield func(connectors.Part, error) bool) bool {
	since := -1
	if a.places && item.Since != "" {
		if _, err := fmt.Sscan(item.Since, &since); err != nil {
			return yield(connectors.Part{}, &connectors.Error{Kind: connectors.KindCursorExpired, Status: 400})
		}
	}
	for i, text := range texts {
		ref := connectors.Ref{Kind: "message", ID: fmt.Sprintf("%s/%d", item.ID, i)}
		if item.Kind == connectors.KindDocument {
			ref = connectors.Ref{Kind: item.Kind, ID: item.ID}
		}
		m := part(connectors.PartUserText, ref, "content/0", []byte(text))
		if a.places {
			m.At, m.Again = testDay.Add(time.Duration(i)*time.Minute), i <= since
			if m.Again && !item.Again {
				continue
			}
		}
		a.mu.Lock()
		a.given = append(a.given, ref.ID)
		a.mu.Unlock()
		if !yield(m, nil) {
			return false
		}
	}
	return !a.places || yield(connectors.Part{Kind: connectors.PartPlace, Path: fmt.Sprint(len(texts) - 1)}, nil)
}

func part(kind string, ref connectors.Ref, path string, content []byte) connectors.Part {
	return connectors.Part{Kind: kind, Resource: ref, Path: path, Size: int64(len(content)), Open: func(context.Context) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(content)), nil
	}}
}

// bench is the activities over a real store, for one connection to an app in memory.
type bench struct {
	*Activities
	t          testing.TB
	app        *app
	source     connectors.Source // instead of app, if set
	connection store.Connection
	scan       store.Scan
	now        time.Time
}

var testDay = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// builtinEngine is one for all benches: compiling it takes longer than most tests.
var builtinEngine = sync.OnceValues(func() (*dlp.Engine, error) {
	detectors, err := dlp.Builtin()
	if err != nil {
		return nil, err
	}
	return dlp.New(detectors, dlp.DefaultConfiguration())
})

func newBench(t testing.TB) *bench {
	t.Helper()
	ctx, dir := t.Context(), t.TempDir()
	db := storetest.Open(t, filepath.Join(dir, "outband.db"))
	b := &bench{t: t, app: newApp(), now: testDay}
	db.SetClock(func() time.Time { return b.now })
	v, err := vault.Open(ctx, db, filepath.Join(dir, "key"))
	check(t, err)
	engine, err := builtinEngine()
	check(t, err)
	builtin, err := dlp.Builtin()
	check(t, err)
	detectors := &Detectors{d: DetectorDependencies{DB: db, Vault: v, Builtin: builtin, Scans: true}}
	none, err := detectors.stored(ctx)
	check(t, err)
	detectors.read = none.digest()
	states := make([]DetectorState, len(builtin))
	for i, d := range builtin {
		states[i] = stateOf(d, 0, nil)
	}
	detectors.current.Store(&detection{engine: engine, states: states})
	rules, err := NewRules(ctx, db, "", nil)
	check(t, err)
	source := connectors.Connector{Manifest: []byte(fakeManifest), Open: func(connectors.Client) connectors.Source {
		if b.source != nil {
			return b.source
		}
		return b.app
	}}
	opener, err := NewOpener([]connectors.Connector{source}, db, v, nil, "Outband/test")
	check(t, err)
	fp, fpID := v.FingerprintKey()
	documents, err := sandbox.New(sandbox.Configuration{Children: 2})
	check(t, err)
	t.Cleanup(func() { check(t, documents.Close()) })
	b.Activities = NewActivities(Dependencies{
		DB: db, Documents: documents, Open: opener, Detectors: detectors, Rules: rules, Log: slog.New(slog.DiscardHandler),
		Keys: Keys{Findings: findings.Keys{ID: v.IDKey()}, Matches: dlp.Keys{ID: v.IDKey(), Fingerprint: fp, FingerprintID: fpID}},
	})
	check(t, db.Write(ctx, func(tx *store.Tx) (err error) {
		b.connection, err = store.CreateConnection(ctx, tx, store.Connection{Name: "Fake", Connector: "fake", AccountID: "acc", State: store.ConnectionActive, Every: 5 * time.Minute, Config: map[string]string{}})
		if err != nil {
			return err
		}
		sealed, err := v.Seal(secret.NewValue("fake-key"), b.connection.ID, "api_key")
		if err != nil {
			return err
		}
		if err := store.PutCredential(ctx, tx, b.connection.ID, "api_key", sealed); err != nil {
			return err
		}
		b.scan, err = store.ClaimScan(ctx, tx, b.connection.ID, "w", "r")
		return err
	}))
	return b
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// read reads a slice to its end, as the workflow does, at most 50 pages.
func (b *bench) read(ref SliceRef) error {
	b.t.Helper()
	for range 50 {
		r, err := b.ScanPage(b.t.Context(), PageInput{b.connection.ID, b.scan.ID, ref})
		if err != nil || r.Done || r.Stopped {
			return err
		}
	}
	b.t.Fatal("the slice does not end")
	return nil
}

func (b *bench) live(stream string) error { return b.read(SliceRef{stream, store.LaneLive, liveSlice}) }

// slices returns what is still to be read, with the streams of a longer cadence read already.
func (b *bench) slices() []SliceRef {
	b.t.Helper()
	for range 5 {
		out, err := b.NextSlices(b.t.Context(), SlicesInput{ConnectionID: b.connection.ID})
		check(b.t, err)
		if len(out) == 0 || out[0].Lane != store.LaneLive {
			return out
		}
		for _, ref := range out {
			check(b.t, b.read(ref))
		}
	}
	b.t.Fatal("streams stay due")
	return nil
}

// change stores a change of the connection.
func (b *bench) change(f func(*store.Connection)) {
	b.t.Helper()
	f(&b.connection)
	check(b.t, b.DB.Write(b.t.Context(), func(tx *store.Tx) error { return store.UpdateConnection(b.t.Context(), tx, b.connection) }))
}

func (b *bench) exec(query string, args ...any) {
	b.t.Helper()
	check(b.t, b.DB.Write(b.t.Context(), func(tx *store.Tx) error {
		_, err := tx.ExecContext(b.t.Context(), query, args...)
		return err
	}))
}

func (b *bench) waiting() {
	b.t.Helper()
	due, err := b.DueItems(b.t.Context(), PageInput{ConnectionID: b.connection.ID})
	check(b.t, err)
	for _, i := range due {
		check(b.t, b.ScanFile(b.t.Context(), ItemInput{b.connection.ID, b.scan.ID, i}))
	}
}

// rows counts the rows of a query.
func (b *bench) count(query string, args ...any) (n int) {
	b.t.Helper()
	check(b.t, b.DB.Read().QueryRowContext(b.t.Context(), query, args...).Scan(&n))
	return n
}

// counts is the ledger by stream and outcome, units by unit and outcome.
func (b *bench) counts() map[string]int64 {
	b.t.Helper()
	return b.ledger(func(c store.Count) string { return c.Stream })
}

func (b *bench) units() map[string]int64 {
	b.t.Helper()
	return b.ledger(func(c store.Count) string { return c.Unit })
}

func (b *bench) ledger(of func(store.Count) string) map[string]int64 {
	b.t.Helper()
	list, err := store.Counts(b.t.Context(), b.DB.Read(), b.connection.ID)
	check(b.t, err)
	out := map[string]int64{}
	for _, c := range list {
		key := of(c) + " " + c.Outcome
		if c.Reason != "" {
			key += " " + c.Reason
		}
		out[key] += c.N
	}
	return out
}

// circle leads round through so many pages.
type circle int

func (c circle) Read(_ context.Context, _ string, after connectors.Cursor) (connectors.Page, error) {
	s, err := after.Slice()
	if err != nil {
		return connectors.Page{}, err
	}
	at := 0
	if s.After != "" {
		if _, err := fmt.Sscan(s.After, &at); err != nil {
			return connectors.Page{}, err
		}
	}
	s.After = fmt.Sprint(at%int(c) + 1)
	return connectors.Page{Next: s.Cursor(), More: true}, nil
}
