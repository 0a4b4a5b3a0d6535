package workflows

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/outband/outband/connectors"
	"github.com/outband/outband/findings"
	"github.com/outband/outband/internal/id"
	"github.com/outband/outband/internal/store"
)

// The hooks through which a scan hands over the records of a snapshot. A run goes from an empty cursor to the last page; it is told from every other
// by its beginning, which stands in its cursor. A run may be cut at any place by a kill and goes on later under the same beginning.

const (
	// recordBatch is how many records one transaction holds. Each of them is stored and judged whole or not at all.
	recordBatch = 200

	// maxRecordBytes is how long the fields of one record may be, as JSON.
	maxRecordBytes = 64 << 10

	maxRecordID = 512 // bytes of an id or a scope
)

// snapshotBegins notes that a run begins and returns its beginning. It runs in the transaction that stores the run's first cursor.
func (p *page) snapshotBegins(ctx context.Context, tx *store.Tx) (time.Time, error) {
	s, err := store.BeginSnapshot(ctx, tx, p.connection.ID, p.ref.Stream, p.judging(tx.Now()))
	return s.BeganAt, err
}

// snapshotUnavailable notes that the app does not give the stream to this tenant now. Nothing is removed, nothing is closed.
func (p *page) snapshotUnavailable(ctx context.Context, tx *store.Tx) error {
	return store.SnapshotNotAvailable(ctx, tx, p.connection.ID, p.ref.Stream)
}

// row is a record of a page, made ready outside the transaction.
type row struct {
	item   connectors.Item
	fields map[string]any // as they were read: in memory only (invariant 4)
	text   string         // fields as JSON, in one form
	unit   *unit          // with what the detectors found in it
}

// record stores the records of one page of a run. A page that is read again, whole or in part, hands over the same items with the same beginning, which
// changes nothing.
func (p *page) record(ctx context.Context, items []connectors.Item, began time.Time) error {
	p.unfit = map[string]int{}
	judge := p.judges()
	for batch := range slices.Chunk(items, recordBatch) {
		rows := make([]*row, 0, len(batch))
		at := map[store.ItemKey]int{}
		for _, item := range batch {
			r, reason := p.row(item)
			if reason != "" {
				p.unfit[reason]++ // Invariant 5: counted when the page is.
				continue
			}
			// What is listed twice, because it moved between two pages, is what was listed last.
			key := store.ItemKey{Kind: item.Record.Kind, ID: item.Record.ID}
			if i, ok := at[key]; ok {
				rows[i] = r
				continue
			}
			at[key], rows = len(rows), append(rows, r)
		}
		if err := p.write(ctx, func(tx *store.Tx) error { return p.recordRows(ctx, tx, judge, rows, began) }); err != nil {
			return err
		}
	}
	return nil
}

// row makes a record ready, or says why it cannot be stored.
func (p *page) row(item connectors.Item) (*row, string) {
	rec := item.Record
	if rec.Kind == "" || len(rec.Kind) > 64 || !plainID(rec.Kind) || rec.ID == "" || !plainID(rec.ID) || !plainID(rec.Scope) || !plainID(item.Resource.ID) || len(item.Resource.Kind) > 64 {
		return nil, connectors.SkipMalformed
	}
	if item.Resource.ID == "" || item.Resource.Kind == "" {
		item.Resource.Kind, item.Resource.ID = rec.Kind, rec.ID
	}
	fields := rec.Fields
	if fields == nil {
		fields = map[string]any{}
	}
	text, err := json.Marshal(fields)
	if err != nil {
		return nil, connectors.SkipMalformed
	}
	if len(text) > maxRecordBytes {
		return nil, store.ReasonTooBig
	}
	r := &row{item: item, text: string(text), unit: &unit{ref: connectors.Ref{Kind: connectors.KindRecord, ID: rec.ID}, at: item.At}}
	if err := json.Unmarshal(text, &r.fields); err != nil {
		return nil, connectors.SkipMalformed
	}
	if err := p.detectIn(r.unit, "", r.fields); err != nil {
		return nil, store.ReasonOverTime
	}
	return r, ""
}

// plainID reports whether an id can be stored as it is: cutting or cleaning one would make two things one.
func plainID(s string) bool {
	return len(s) <= maxRecordID && utf8.ValidString(s) && !strings.ContainsRune(s, 0)
}

// detectIn lets the detectors look at every string of a value.
func (p *page) detectIn(u *unit, path string, value any) error {
	switch v := value.(type) {
	case string:
		res, err := p.engine.Scan([]byte(v), p.Keys.Matches)
		if err != nil {
			return err
		}
		u.add(res.Matches, connectors.PartField, findings.Shorten(path, maxRecordID), u.at)
	case []any:
		for i, e := range v {
			if err := p.detectIn(u, path+"."+strconv.Itoa(i), e); err != nil {
				return err
			}
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if err := p.detectIn(u, strings.TrimPrefix(path+"."+key, "."), v[key]); err != nil {
				return err
			}
		}
	}
	return nil
}

// masked is a value with what the detectors find in its strings masked (invariant 4). The names of a record's own fields are the connector's words;
// those of maps inside it are foreign text too.
func (a *Activities) masked(value any, top bool) any {
	switch v := value.(type) {
	case string:
		return a.mask(v)
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = a.masked(e, false)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for _, key := range slices.Sorted(maps.Keys(v)) {
			name := key
			if !top {
				name = a.mask(key)
			}
			for n := 2; ; n++ { // Two names may have one mask.
				if _, taken := out[name]; !taken {
					break
				}
				name = a.mask(key) + " " + strconv.Itoa(n)
			}
			out[name] = a.masked(v[key], false)
		}
		return out
	}
	return value
}

// storedAbout is what a finding about a record points to, as it is stored beside it.
type storedAbout struct {
	Kind       string   `json:"kind"`
	ID         string   `json:"id"`
	Name       string   `json:"name,omitempty"` // masked
	URL        string   `json:"url,omitempty"`
	Owner      string   `json:"owner,omitempty"`
	Visibility string   `json:"visibility,omitempty"`
	Project    string   `json:"project,omitempty"`
	Groups     []string `json:"groups,omitempty"` // of the actor, masked
	External   bool     `json:"external,omitempty"`
}

func (p *page) storeAbout(what about) (string, error) {
	r := what.resource
	s := storedAbout{Kind: r.Kind, ID: r.ID, Name: p.mask(r.Name), URL: r.URL, Owner: r.Owner, Visibility: r.Visibility, Project: r.Project, External: what.external}
	for _, g := range what.groups {
		s.Groups = append(s.Groups, p.mask(g))
	}
	b, err := json.Marshal(s)
	if err != nil {
		return "", fmt.Errorf("encode what a record is about: %w", err)
	}
	return string(b), nil
}

// aboutStored is what a finding about a stored record points to.
func aboutStored(ctx context.Context, q store.Querier, r store.Record) (about, error) {
	var s storedAbout
	if err := json.Unmarshal([]byte(r.About), &s); err != nil {
		return about{}, fmt.Errorf("decode what a record is about: %w", err)
	}
	actor, err := findings.GetActor(ctx, q, r.ActorKey)
	return about{
		resource: connectors.Resource{Kind: s.Kind, ID: s.ID, Name: s.Name, URL: s.URL, Owner: s.Owner, Visibility: s.Visibility, Project: s.Project},
		actor:    actor, groups: s.Groups, external: s.External, itemAt: r.At,
	}, err
}

// recordRows stores and judges a batch of records in one transaction (invariant 1).
func (p *page) recordRows(ctx context.Context, tx *store.Tx, judge *judges, rows []*row, began time.Time) error {
	byKind := map[string][]*row{}
	for _, r := range rows {
		byKind[r.item.Record.Kind] = append(byKind[r.item.Record.Kind], r)
	}
	var stored int64
	for _, kind := range slices.Sorted(maps.Keys(byKind)) {
		n, err := p.recordKind(ctx, tx, judge, kind, byKind[kind], began)
		if err != nil {
			return err
		}
		stored += n
	}
	if stored == 0 {
		return nil
	}
	return store.AddProgress(ctx, tx, p.scanID, stored, stored, 0, 0)
}

func (p *page) recordKind(ctx context.Context, tx *store.Tx, judge *judges, kind string, rows []*row, began time.Time) (stored int64, err error) {
	ids := make([]string, len(rows))
	for i, r := range rows {
		ids[i] = r.item.Record.ID
	}
	have, err := store.RecordsByID(ctx, tx, p.connection.ID, kind, ids)
	if err != nil {
		return 0, err
	}
	causes, err := findings.Causes(ctx, tx, p.connection.ID, kind, ids)
	if err != nil {
		return 0, err
	}
	var seen []string
	for _, r := range rows {
		old, known := have[r.item.Record.ID]
		now, fresh, err := p.putRow(ctx, tx, old, known, r, began)
		if err != nil {
			return 0, err
		}
		switch {
		case now == nil:
			continue // Done before the page was read again.
		case fresh:
			if r.item.Kind != connectors.KindRecord {
				break // Its content is counted, and the record is a part of it.
			}
			stored++
			if err := store.AddCounts(ctx, tx, p.connection.ID, store.Count{Stream: p.ref.Stream, Unit: kind, Outcome: store.OutcomeScanned, At: r.item.At, N: 1}); err != nil {
				return 0, err
			}
		default:
			seen = append(seen, now.ID)
		}
		s := subject{Record: *now, what: p.about(r.item), fields: r.fields, unit: r.unit, causes: causes[now.ID]}
		if err := judge.ask(ctx, tx, s, false, began); err != nil {
			return 0, err
		}
	}
	if len(seen) == 0 {
		return stored, nil
	}
	if err := store.SeeRecords(ctx, tx, p.connection.ID, kind, seen, began); err != nil {
		return 0, err
	}
	if p.stream.Kind != connectors.StreamRecords {
		return stored, nil
	}
	return stored, store.AddCounts(ctx, tx, p.connection.ID, store.Count{Stream: p.ref.Stream, Unit: kind, Outcome: store.OutcomeOverlap, N: int64(len(seen))})
}

// putRow stores one record, if it is another than the one that stands, and returns the one that stands now. It returns nil for one that this run has
// dealt with.
func (p *page) putRow(ctx context.Context, tx *store.Tx, old store.Record, known bool, r *row, began time.Time) (now *store.Record, fresh bool, err error) {
	rec, what := r.item.Record, p.about(r.item)
	key, err := findings.UpsertActor(ctx, tx, p.Keys.Findings, p.connection.ID, what.actor)
	if err != nil {
		return nil, false, err
	}
	digest := id.Computed(p.Keys.Findings.ID, "", "record", rec.Kind, rec.ID, r.text, key)
	if known && old.Digest == digest && old.SeenAt.Equal(began) && old.Stream == p.ref.Stream {
		return nil, false, nil
	}
	next := store.Record{
		ConnectionID: p.connection.ID, Kind: rec.Kind, ID: rec.ID, Stream: p.ref.Stream, Scope: rec.Scope, ActorKey: key, Digest: digest,
		At: r.item.At.UTC().Truncate(time.Microsecond), SeenAt: began,
	}
	if next.About, err = p.storeAbout(what); err != nil {
		return nil, false, err
	}
	if known && old.Digest == digest {
		next.Fields, next.From, next.Before = old.Fields, old.From, old.Before
		if old.Stream != next.Stream || old.Scope != next.Scope || old.About != next.About || !old.At.Equal(next.At) {
			err = store.MoveRecord(ctx, tx, next)
		}
		return &next, false, err
	}
	fields, err := json.Marshal(p.masked(r.fields, true))
	if err != nil {
		return nil, false, fmt.Errorf("encode a record: %w", err)
	}
	next.Fields = string(fields)
	if known {
		next, err = store.PutRecord(ctx, tx, &old, next)
	} else {
		next, err = store.PutRecord(ctx, tx, nil, next)
	}
	return &next, true, err
}

// snapshotEnded notes that a run is read to its end but for the missing scopes. It runs in transactions of its own, after every page's items are
// stored and before the checkpoint says so; after a kill in between it is called once more with the same beginning.
func (p *page) snapshotEnded(ctx context.Context, began time.Time, missing []string) error {
	judge := p.judges()
	run := store.Snapshot{ConnectionID: p.connection.ID, Stream: p.ref.Stream, BeganAt: began}
	err := p.write(ctx, func(tx *store.Tx) error {
		ended, err := store.EndSnapshot(ctx, tx, run, missing, p.stream.Absent == connectors.AbsentGone)
		if err != nil {
			return err
		}
		byKind := map[string][]string{}
		for _, r := range ended {
			byKind[r.Kind] = append(byKind[r.Kind], r.ID)
		}
		for kind, ids := range byKind {
			if err := findings.MarkGone(ctx, tx, p.connection.ID, kind, ids); err != nil {
				return err
			}
		}
		run, err = store.GetSnapshot(ctx, tx, p.connection.ID, p.ref.Stream)
		return err
	})
	if err != nil {
		return err
	}
	late, err := p.answerable(ctx, p.DB.Read(), judge.late)
	if err != nil {
		return err
	}
	if err := p.judgeStored(ctx, judge, p.ref.Stream, late, began); err != nil {
		return err
	}
	check := findings.Recheck{ConnectionID: p.connection.ID, Stream: p.ref.Stream, BeganAt: began, Missing: missing}
	for dropped := 1; dropped > 0; {
		err := p.write(ctx, func(tx *store.Tx) (err error) {
			dropped, _, err = check.Close(ctx, tx)
			return err
		})
		if err != nil {
			return err
		}
	}
	judged := late
	if run.Rules == p.judging(p.DB.Now()) { // Else some pages were judged by others, and what stands is judged apart.
		judged = slices.Concat(judge.each, late)
	}
	return p.write(ctx, func(tx *store.Tx) error { return p.noteJudged(ctx, tx, judge, p.ref.Stream, judged) })
}
