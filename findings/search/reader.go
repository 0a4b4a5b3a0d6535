// Package search reads findings: lists and exports by keyset SQL, free text by FTS5 or a tsvector, facets and timelines from columns in memory that are fed by
// the finding log. It promises that a list by first_seen_at is complete however much is written meanwhile, that facets agree with lists, and
// that personal data comes from the actors table at the moment of reading.
package search

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/outband/outband/dlp"
	"github.com/outband/outband/findings"
	"github.com/outband/outband/findings/cursor"
	"github.com/outband/outband/findings/filter"
	"github.com/outband/outband/findings/token"
	"github.com/outband/outband/internal/store"
)

// Errors that callers act on; filter.ErrFilter is another.
var (
	ErrCursor = cursor.Err
	ErrSort   = errors.New("no such sort key")
	ErrFormat = errors.New("no such export format; ndjson and csv are known")
	ErrRange  = errors.New("the timeline's range, interval or time zone cannot be used")
)

// Limits of a page.
const (
	DefaultLimit = 50
	MaxLimit     = 500

	// DetailInstances is how many instances a detail holds; the rest is read page by page.
	DetailInstances = 1000
)

// Reader answers questions about findings. It is safe for concurrent use.
type Reader struct {
	db    *store.DB
	keys  findings.Keys
	cols  *columns
	texts texts
}

// New makes a reader. The columns in memory are loaded by Load or by the first question that needs them.
func New(db *store.DB, keys findings.Keys) *Reader {
	return &Reader{db: db, keys: keys, cols: newColumns(), texts: texts{held: map[string]*text{}}}
}

type sortKey struct {
	expr string
	text bool
}

// sortKeys are the keys of lists. Paging is complete for first_seen_at, which never changes, and best effort for the others.
var sortKeys = map[string]sortKey{
	"first_seen_at":    {expr: "f.first_seen_at"},
	"last_seen_at":     {expr: "f.last_seen_at"},
	"occurred_at":      {expr: "f.occurred_at"},
	"last_occurred_at": {expr: "f.last_occurred_at"},
	"instance_count":   {expr: "f.instance_count"},
	"severity":         {expr: rank("f.severity", findings.Severities(), true)},
	"status":           {expr: rank("f.status", findings.Statuses(), false)},
	"policy_id":        {expr: "f.policy_id", text: true},
	"title":            {expr: "f.title", text: true},
}

// rank orders a column by a fixed list; reversed: the first is the greatest.
func rank(column string, values []string, reversed bool) string {
	var b strings.Builder
	b.WriteString("CASE " + column)
	for i, v := range values {
		n := i + 1
		if reversed {
			n = len(values) - i
		}
		b.WriteString(" WHEN '" + v + "' THEN " + strconv.Itoa(n))
	}
	return b.String() + " ELSE 0 END"
}

// SortKeys returns the names of the sort keys, in no order.
func SortKeys() []string {
	out := make([]string, 0, len(sortKeys))
	for k := range sortKeys {
		out = append(out, k)
	}
	return out
}

// Order is how a list is sorted.
type Order struct {
	Key  string // one of SortKeys
	Down bool
	Text bool   // the key is a text, compared byte by byte; else a number
	Bind string // of the list's cursors
}

// Order reads how the list is sorted; rows with equal keys follow by id, in the same direction. Error: ErrSort.
func (q Query) Order() (Order, error) {
	if q.Sort == "" {
		q.Sort = "-first_seen_at"
	}
	name, down := strings.CutPrefix(q.Sort, "-")
	key, ok := sortKeys[name]
	if !ok {
		return Order{}, ErrSort
	}
	return Order{Key: name, Down: down, Text: key.text, Bind: cursor.Bind(q.Sort, q.Filter)}, nil
}

// PageSize is the limit that a list goes by.
func (q Query) PageSize() int { return pageSize(q.Limit) }

// List returns a page of findings without instances. Errors: filter.ErrFilter, ErrSort, ErrCursor.
func (r *Reader) List(ctx context.Context, q Query) (Page, error) {
	if err := q.Filter.Validate(); err != nil {
		return Page{}, err
	}
	o, err := q.Order()
	if err != nil {
		return Page{}, err
	}
	key, limit := sortKeys[o.Key], q.PageSize()
	var from *cursor.Place
	var number *int64
	if q.Cursor != "" {
		c, err := cursor.Decode(q.Cursor, o.Bind)
		if err != nil {
			return Page{}, err
		}
		from, number = &c, &c.Number
	}
	docs, chosen, err := r.choose(ctx, q.Filter, o, limit+1, number)
	if err != nil {
		return Page{}, err
	}
	if chosen && len(docs) == 0 {
		return Page{Items: []findings.Finding{}}, nil
	}
	b := r.builder()
	// What changed after it was chosen is read as it is now, and left out below if it no longer fits.
	fits := q.Filter
	fits.Query, fits.Actor = "", nil
	var where string
	if chosen {
		where = "f.workspace_id = " + b.arg(store.Workspace) + " AND f.doc IN " + b.list(docs)
	} else {
		where = b.where(q.Filter)
	}
	order, cmp := "", ">"
	if o.Down {
		order, cmp = " DESC", "<"
	}
	if from != nil {
		var at any = from.Number
		if key.text {
			at = from.Text
		}
		where += " AND (" + key.expr + ", f.id) " + cmp + " (" + b.arg(at) + ", " + b.arg(from.ID) + ")"
	}
	rows, err := r.db.Read().QueryContext(ctx, `SELECT `+findings.Columns+`, COALESCE(a.vendor_id, ''), COALESCE(a.email, ''), `+key.expr+`
		FROM findings f LEFT JOIN actors a ON a.workspace_id = f.workspace_id AND a.key = f.actor_key
		WHERE `+where+` ORDER BY `+key.expr+order+`, f.id`+order+` LIMIT `+b.arg(limit+1), b.args...)
	if err != nil {
		return Page{}, fmt.Errorf("list findings: %w", err)
	}
	page := Page{Items: []findings.Finding{}}
	var last cursor.Place
	n := 0
	err = findings.Each(rows, func() error {
		if n == limit {
			page.NextCursor = last.Encode()
			return nil
		}
		n++
		last = cursor.Place{Bind: o.Bind}
		var at any = &last.Number
		if key.text {
			at = &last.Text
		}
		var actor findings.Person
		s, err := findings.ScanFinding(rows, &actor.ID, &actor.Email, at)
		if err != nil {
			return err
		}
		s.Actor, last.ID = actor, s.ID
		if !chosen || fits.Match(&s.Finding) {
			page.Items = append(page.Items, s.Finding)
		}
		return nil
	})
	if err != nil {
		return Page{}, fmt.Errorf("list findings: %w", err)
	}
	return page, nil
}

func pageSize(limit int) int {
	if limit <= 0 {
		return DefaultLimit
	}
	return min(limit, MaxLimit)
}

// Get returns a finding with its first DetailInstances instances, or findings.ErrNotFound.
func (r *Reader) Get(ctx context.Context, id string) (findings.Finding, error) {
	var actor findings.Person
	var why string
	s, err := findings.ScanFinding(r.db.Read().QueryRowContext(ctx, `SELECT `+findings.Columns+`, COALESCE(a.vendor_id, ''), COALESCE(a.email, ''), f.explanation
		FROM findings f LEFT JOIN actors a ON a.workspace_id = f.workspace_id AND a.key = f.actor_key WHERE f.workspace_id = $1 AND f.id = $2`, store.Workspace, id), &actor.ID, &actor.Email, &why)
	if errors.Is(err, sql.ErrNoRows) {
		return findings.Finding{}, findings.ErrNotFound
	}
	if err != nil {
		return findings.Finding{}, fmt.Errorf("read finding: %w", err)
	}
	s.Actor = actor
	if s.Why, err = findings.DecodeWhy(why); err != nil {
		return findings.Finding{}, err
	}
	s.Instances, err = r.instances(ctx, id, cursor.Place{}, DetailInstances)
	return s.Finding, err
}

// InstancePage is one page of a finding's instances, the oldest first.
type InstancePage struct {
	Items      []findings.Instance `json:"items"`
	NextCursor string              `json:"next_cursor"`
}

// Instances returns a page of a finding's instances. Errors: findings.ErrNotFound, ErrCursor.
func (r *Reader) Instances(ctx context.Context, findingID string, limit int, after string) (InstancePage, error) {
	limit = pageSize(limit)
	from := cursor.Place{Bind: cursor.Bind("instances", findingID)}
	if after != "" {
		var err error
		if from, err = cursor.Decode(after, from.Bind); err != nil {
			return InstancePage{}, err
		}
	}
	if err := r.exists(ctx, findingID); err != nil {
		return InstancePage{}, err
	}
	items, err := r.instances(ctx, findingID, from, limit+1)
	if err != nil {
		return InstancePage{}, err
	}
	page := InstancePage{Items: items}
	if len(items) > limit {
		page.Items = items[:limit]
		end := items[limit-1]
		page.NextCursor = cursor.Place{Bind: from.Bind, Number: int64(end.FirstSeenAt), ID: end.ID}.Encode()
	}
	return page, nil
}

func (r *Reader) exists(ctx context.Context, findingID string) error {
	var n int
	if err := r.db.Read().QueryRowContext(ctx, `SELECT COUNT(*) FROM findings WHERE workspace_id = $1 AND id = $2`, store.Workspace, findingID).Scan(&n); err != nil {
		return fmt.Errorf("read finding: %w", err)
	}
	if n == 0 {
		return findings.ErrNotFound
	}
	return nil
}

func (r *Reader) instances(ctx context.Context, findingID string, after cursor.Place, limit int) ([]findings.Instance, error) {
	rows, err := r.db.Read().QueryContext(ctx, `SELECT `+findings.InstanceColumns+`, explanation FROM instances
		WHERE workspace_id = $1 AND finding_id = $2 AND (first_seen_at, id) > ($3, $4) ORDER BY first_seen_at, id LIMIT $5`, store.Workspace, findingID, after.Number, after.ID, limit)
	if err != nil {
		return nil, fmt.Errorf("list instances: %w", err)
	}
	out := []findings.Instance{}
	err = findings.Each(rows, func() error {
		var why string
		in, err := findings.ScanInstance(rows, &why)
		if err == nil {
			in.Why, err = dlp.DecodeWhy(why)
		}
		out = append(out, in)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list instances: %w", err)
	}
	return out, nil
}

// builder collects the arguments of one statement.
type builder struct {
	dialect store.Dialect
	args    []any
}

func (r *Reader) builder() *builder { return &builder{dialect: r.db.Dialect()} }

func (b *builder) arg(v any) string {
	b.args = append(b.args, v)
	return "$" + strconv.Itoa(len(b.args))
}

func (b *builder) in(values []string) string {
	list := make([]any, len(values))
	for i, v := range values {
		list[i] = v
	}
	return b.list(list)
}

func (b *builder) list(values []any) string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = b.arg(v)
	}
	return "(" + strings.Join(out, ", ") + ")"
}

// where is the filter over findings, as f.
func (b *builder) where(f filter.Filter) string {
	out := []string{"f.workspace_id = " + b.arg(store.Workspace)}
	for _, c := range []struct {
		column string
		values []string
	}{
		{"f.severity", f.Severity}, {"f.status", f.Status}, {"f.kind", f.Kind}, {"f.source", f.Source}, {"f.policy_id", f.PolicyID},
		{"f.connection_id", f.ConnectionID}, {"f.connector", f.Connector}, {"f.resource_kind", f.ResourceKind},
	} {
		if len(c.values) > 0 {
			out = append(out, c.column+" IN "+b.in(c.values))
		}
	}
	if len(f.Detector) > 0 {
		var any []string
		for _, d := range f.Detector {
			// The column is ",a,b,". Unlike LIKE, REPLACE minds the case and has no wildcards in every database.
			any = append(any, "REPLACE(f.detectors, "+b.arg(","+d+",")+", '') <> f.detectors")
		}
		out = append(out, "("+strings.Join(any, " OR ")+")")
	}
	if len(f.Actor) > 0 {
		out = append(out, "f.actor_key IN ("+b.people(f.Actor)+")")
	}
	if f.From != 0 {
		out = append(out, "f.first_seen_at >= "+b.arg(int64(f.From)))
	}
	if f.To != 0 {
		out = append(out, "f.first_seen_at < "+b.arg(int64(f.To)))
	}
	return strings.Join(append(out, b.text(f.Query)...), " AND ")
}

// text is free text: every term is in the finding's own tokens or in those of its actor.
func (b *builder) text(query string) (out []string) {
	terms, ok := token.Parse(query)
	if !ok {
		return []string{"1 = 0"} // Only punctuation: nothing holds it.
	}
	for _, t := range terms {
		out = append(out, "("+b.own(t)+" OR "+b.actors(t)+")")
	}
	return out
}

// own is that a finding's own tokens hold a term.
func (b *builder) own(t token.Term) string {
	if b.dialect == store.Postgres {
		return b.holds("f", t)
	}
	return "f.doc IN (SELECT rowid FROM findings_fts WHERE findings_fts MATCH " + b.arg(t.FTS5()) + ")"
}

// actors is that the tokens of a finding's actor hold a term.
func (b *builder) actors(t token.Term) string {
	if b.dialect == store.Postgres {
		// Not IN: a set that Postgres expects to outgrow its working memory is searched anew for every finding.
		return "EXISTS (SELECT 1 FROM actors p WHERE p.workspace_id = f.workspace_id AND p.key = f.actor_key AND " + b.holds("p", t) + ")"
	}
	return "f.actor_key IN (" + b.peopleWith(t) + ")"
}

// holds is, on Postgres, that the tokens of a row hold a term: it has them all and, if there are several, they stand next to each other in the column.
func (b *builder) holds(row string, t token.Term) string {
	out := row + ".search @@ " + b.arg(t.TSQuery()) + "::tsquery"
	if len(t.Tokens) > 1 {
		out += " AND POSITION(" + b.arg(t.Run()) + " IN ' ' || " + row + ".tokens || ' ') > 0"
	}
	return "(" + out + ")"
}
