package search

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/outband/outband/findings"
	"github.com/outband/outband/findings/filter"
	"github.com/outband/outband/findings/token"
	"github.com/outband/outband/internal/store"
)

// DefaultPeople is how many people are listed if no limit is given.
const DefaultPeople = 10

// KeyCount is how many findings the person with a key has.
type KeyCount struct {
	Key   string
	Count int64
}

// CompareKeyCounts orders people: the most findings first, then by key.
func CompareKeyCounts(a, b KeyCount) int {
	return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Key, b.Key))
}

// PeopleSize is the limit that People goes by: 0 is DefaultPeople, at most MaxLimit.
func PeopleSize(limit int) int {
	if limit <= 0 {
		return DefaultPeople
	}
	return min(limit, MaxLimit)
}

// People returns those with the most findings of a filter. limit is at most MaxLimit; 0 means DefaultPeople. Findings without a person, or whose
// person was erased, count for nobody. Error: filter.ErrFilter.
func (r *Reader) People(ctx context.Context, f filter.Filter, limit int) (People, error) {
	var counts []KeyCount
	err := r.selected(ctx, f, func(s *selection) {
		for code, n := range s.actor.count(s, excluded, false) {
			if key := s.actor.dict[code]; n > 0 && key != "" {
				counts = append(counts, KeyCount{key, n})
			}
		}
	})
	if err != nil {
		return People{}, err
	}
	slices.SortFunc(counts, CompareKeyCounts)
	items, err := r.Name(ctx, counts, PeopleSize(limit))
	return People{Items: items}, err
}

// people selects the keys of those whom a filter names: by the vendor's id, or by e-mail without regard to case.
func (b *builder) people(actors []string) string {
	lower := make([]string, len(actors))
	for i, a := range actors {
		lower[i] = strings.ToLower(a)
	}
	return "SELECT key FROM actors WHERE workspace_id = " + b.arg(store.Workspace) + " AND (vendor_id IN " + b.in(actors) + " OR email <> '' AND LOWER(email) IN " + b.in(lower) + ")"
}

// ActorKeys returns the keys of those whom a filter names, at most limit.
func (r *Reader) ActorKeys(ctx context.Context, actors []string, limit int) ([]string, error) {
	b := r.builder()
	return r.keysOf(ctx, b, b.people(actors), limit)
}

// ActorKeysOf returns the keys of those in whose names, addresses and ids a term is, at most limit.
func (r *Reader) ActorKeysOf(ctx context.Context, t token.Term, limit int) ([]string, error) {
	b := r.builder()
	return r.keysOf(ctx, b, b.peopleWith(t), limit)
}

func (r *Reader) keysOf(ctx context.Context, b *builder, query string, limit int) ([]string, error) {
	rows, err := r.db.Read().QueryContext(ctx, query+" LIMIT "+b.arg(limit), b.args...)
	if err != nil {
		return nil, fmt.Errorf("search actors: %w", err)
	}
	out := []string{}
	err = findings.Each(rows, func() error {
		var key string
		if err := rows.Scan(&key); err != nil {
			return err
		}
		out = append(out, key)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("search actors: %w", err)
	}
	return out, nil
}

// peopleWith selects the keys of those whose tokens hold a term.
func (b *builder) peopleWith(t token.Term) string {
	if b.dialect == store.Postgres {
		return "SELECT key FROM actors p WHERE " + b.holds("p", t)
	}
	return "SELECT key FROM actors WHERE doc IN (SELECT rowid FROM actors_fts WHERE actors_fts MATCH " + b.arg(t.FTS5()) + ")"
}

// Name looks up who the first limit people are, in the given order; those that are known no more are passed over.
func (r *Reader) Name(ctx context.Context, counts []KeyCount, limit int) ([]PersonCount, error) {
	out := make([]PersonCount, 0, min(limit, len(counts)))
	for batch := range slices.Chunk(counts, MaxLimit) {
		if len(out) == limit {
			break
		}
		b := r.builder()
		keys := make([]string, len(batch))
		for i, c := range batch {
			keys[i] = c.Key
		}
		rows, err := r.db.Read().QueryContext(ctx, `SELECT key, vendor_id, email FROM actors WHERE workspace_id = `+b.arg(store.Workspace)+` AND key IN `+b.in(keys), b.args...)
		if err != nil {
			return nil, fmt.Errorf("read actors: %w", err)
		}
		people := map[string]findings.Person{}
		err = findings.Each(rows, func() error {
			var key string
			var p findings.Person
			if err := rows.Scan(&key, &p.ID, &p.Email); err != nil {
				return err
			}
			people[key] = p
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("read actors: %w", err)
		}
		for _, c := range batch {
			if p, ok := people[c.Key]; ok && len(out) < limit {
				out = append(out, PersonCount{Actor: p, Count: c.Count})
			}
		}
	}
	return out, nil
}
