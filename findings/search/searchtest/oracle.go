package searchtest

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/outband/outband/findings"
	"github.com/outband/outband/findings/filter"
	"github.com/outband/outband/findings/search"
	"github.com/outband/outband/findings/token"
	"github.com/outband/outband/internal/store"
)

// row is a finding as the store has it, read without any filter.
type row struct {
	findings.Finding
	key                 string
	tokens, actorTokens string
	known               bool // the actor is
}

func (w *world) rows(t fataler) (out []row) {
	t.Helper()
	rows, err := w.DB.Read().QueryContext(context.Background(), `SELECT `+findings.Columns+`, f.tokens, COALESCE(a.tokens, ''), COALESCE(a.vendor_id, ''), COALESCE(a.email, ''), a.key IS NOT NULL
		FROM findings f LEFT JOIN actors a ON a.workspace_id = f.workspace_id AND a.key = f.actor_key WHERE f.workspace_id = $1`, store.Workspace)
	if err != nil {
		t.Fatal(err)
	}
	err = findings.Each(rows, func() error {
		var r row
		var who findings.Person
		s, err := findings.ScanFinding(rows, &r.tokens, &r.actorTokens, &who.ID, &who.Email, &r.known)
		r.Finding, r.key = s.Finding, s.ActorKey
		r.Actor = who
		out = append(out, r)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// oracle answers by looking at every row.
type oracle []row

func (o oracle) match(f filter.Filter) (out oracle) {
	terms, ok := token.Parse(f.Query)
	for _, r := range o {
		hit := ok && f.Match(&r.Finding)
		for _, term := range terms {
			hit = hit && (term.Match(r.tokens) || term.Match(r.actorTokens))
		}
		if hit {
			out = append(out, r)
		}
	}
	return out
}

// compareBy compares two rows by a sort key; texts byte by byte.
func compareBy(key string, a, b *row) int {
	place := func(value string, in []string) int { return slices.Index(in, value) }
	switch key {
	case "first_seen_at":
		return cmp.Compare(a.FirstSeenAt, b.FirstSeenAt)
	case "last_seen_at":
		return cmp.Compare(a.LastSeenAt, b.LastSeenAt)
	case "occurred_at":
		return cmp.Compare(a.OccurredAt, b.OccurredAt)
	case "last_occurred_at":
		return cmp.Compare(a.LastOccurredAt, b.LastOccurredAt)
	case "instance_count":
		return cmp.Compare(a.InstanceCount, b.InstanceCount)
	case "severity":
		return cmp.Compare(place(b.Severity, findings.Severities()), place(a.Severity, findings.Severities()))
	case "status":
		return cmp.Compare(place(a.Status, findings.Statuses()), place(b.Status, findings.Statuses()))
	case "policy_id":
		return strings.Compare(a.PolicyID, b.PolicyID)
	case "title":
		return strings.Compare(a.Title, b.Title)
	}
	panic("a new sort key: tell the oracle about it")
}

func (o oracle) list(f filter.Filter, sort string) []findings.Finding {
	key, down := strings.CutPrefix(cmp.Or(sort, "-first_seen_at"), "-")
	rows := o.match(f)
	slices.SortFunc(rows, func(a, b row) int {
		n := cmp.Or(compareBy(key, &a, &b), strings.Compare(a.ID, b.ID))
		if down {
			return -n
		}
		return n
	})
	out := []findings.Finding{}
	for _, r := range rows {
		out = append(out, r.Finding)
	}
	return out
}

func (o oracle) facets(f filter.Filter) search.Facets {
	out := search.Facets{Total: int64(len(o.match(f))), Fields: map[string][]search.Count{}}
	for i, name := range filter.Fields() {
		if name == "actor" {
			continue
		}
		without := f
		*without.Values()[i] = nil
		counts := map[string]int64{}
		for _, r := range o.match(without) {
			for _, v := range [][]string{{r.Severity}, {r.Status}, {r.Kind}, {r.Source}, {r.PolicyID}, {r.ConnectionID}, {r.Connector}, r.Detectors, {r.Resource.Kind}}[i] {
				counts[v]++
			}
		}
		list := []search.Count{}
		for v, n := range counts {
			list = append(list, search.Count{Value: v, Count: n})
		}
		slices.SortFunc(list, func(a, b search.Count) int {
			switch name {
			case "severity":
				return slices.Index(findings.Severities(), a.Value) - slices.Index(findings.Severities(), b.Value)
			case "status":
				return slices.Index(findings.Statuses(), a.Value) - slices.Index(findings.Statuses(), b.Value)
			}
			return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Value, b.Value))
		})
		out.Fields[name] = list
	}
	return out
}

func (o oracle) people(f filter.Filter, limit int) []search.PersonCount {
	counts := map[string]int64{}
	who := map[string]findings.Person{}
	for _, r := range o.match(f) {
		if r.key != "" && r.known {
			counts[r.key]++
			who[r.key] = r.Actor
		}
	}
	keys := []string{}
	for k := range counts {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b string) int { return cmp.Or(cmp.Compare(counts[b], counts[a]), strings.Compare(a, b)) })
	out := []search.PersonCount{}
	for _, k := range keys[:min(limit, len(keys))] {
		out = append(out, search.PersonCount{Actor: who[k], Count: counts[k]})
	}
	return out
}

// timeline counts into the buckets that begin at starts, in order; only what is in [from, to) counts.
func (o oracle) timeline(f filter.Filter, from, to time.Time, starts []time.Time) []search.Bucket {
	rows := o.match(f)
	out := []search.Bucket{}
	for i, at := range starts {
		b := search.Bucket{At: findings.TimeOf(at), Severity: map[string]int64{}}
		for _, r := range rows {
			seen := r.FirstSeenAt.Time()
			if !seen.Before(from) && seen.Before(to) && !seen.Before(at) && (i+1 == len(starts) || seen.Before(starts[i+1])) {
				b.Total++
				b.Severity[r.Severity]++
			}
		}
		out = append(out, b)
	}
	return out
}
