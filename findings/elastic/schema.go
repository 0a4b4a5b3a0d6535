package elastic

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"strconv"
	"time"

	"github.com/elastic/go-elasticsearch/v8/esapi"

	"github.com/outband/outband/findings"
)

// alias is what questions go to: all months. Changes go to an alias of one month, outband-findings-2026.11; the index behind it has a number too,
// outband-findings-2026.11-v1, and a reindex puts one with the next number in its place.
const alias = "outband-findings"

// month is the alias under which a finding is written. It follows from the finding alone, so that a change meets its own older version.
func month(firstSeen findings.Time) string {
	return alias + "-" + firstSeen.Time().Format("2006.01")
}

// numbered is the name of an index of a month.
func numbered(month string, number int) string { return month + "-v" + strconv.Itoa(number) }

var names = regexp.MustCompile(`^(outband-findings-[0-9]{4,5}\.[0-9]{2})-v([0-9]{1,9})$`)

// parseName reads the name of an index. ok is false for one of another program.
func parseName(index string) (month string, number int, ok bool) {
	m := names.FindStringSubmatch(index)
	if m == nil {
		return "", 0, false
	}
	number, err := strconv.Atoi(m[2])
	return m[1], number, err == nil
}

type object = map[string]any

// schema are the settings and mappings of every index. The times stand twice: as dates for people who look with other tools, and as microseconds,
// exact, for Outband. A field that is not here is refused, so that no other version writes what this one does not know.
func (x *Index) schema() object {
	keyword, long := object{"type": "keyword"}, object{"type": "long"}
	date := object{"type": "date", "format": "strict_date_time"}
	settings := object{
		"number_of_shards": 1, "refresh_interval": "1s",
		// The order of the usual list: its first page is the first documents, however many there are.
		"sort.field": []string{"first_seen_us", "id"}, "sort.order": []string{"desc", "desc"},
	}
	if x.cfg.Replicas > 0 {
		settings["number_of_replicas"] = x.cfg.Replicas
	} else {
		settings["auto_expand_replicas"] = "0-1"
	}
	return object{
		"settings": object{"index": settings},
		"mappings": object{
			"dynamic": "strict",
			"properties": object{
				"id": keyword, "policy_id": keyword, "policy_version": long, "kind": keyword, "severity": keyword, "severity_rank": long, "status": keyword, "status_rank": long,
				"source": keyword, "title": keyword, "connection_id": keyword, "connector": keyword,
				"resource": object{"properties": object{
					"kind": keyword, "id": keyword, "name": keyword, "url": object{"type": "keyword", "index": false, "doc_values": false},
				}},
				"actor_key": keyword, "detectors": keyword, "instance_count": long, "sequence": long,
				"first_seen_at": date, "last_seen_at": date, "occurred_at": date, "last_occurred_at": date,
				"first_seen_us": long, "last_seen_us": long, "occurred_us": long, "last_occurred_us": long,
				// Package token made the tokens: all that is left to do is to split them at the spaces.
				"tokens": object{"type": "text", "analyzer": "whitespace", "norms": false},
			},
		},
	}
}

// putTemplate stores the template of every index. It has no alias: an index that a reindex builds must not be asked before it is whole.
func (x *Index) putTemplate(ctx context.Context) error {
	const priority = 500 // above what comes with Elasticsearch
	_, err := x.call(ctx, esapi.IndicesPutIndexTemplateRequest{
		Name: alias, Body: body(object{"index_patterns": []string{alias + "-*"}, "priority": priority, "template": x.schema()}),
	}, nil)
	return err
}

// prepare makes sure, once in this process, that the server is one that can be used, that the template is there, and so are the months that are about
// to be written.
func (x *Index) prepare(ctx context.Context, months []string) error {
	x.mu.Lock()
	ready := x.template
	var missing []string
	for _, m := range months {
		if !x.months[m] {
			missing = append(missing, m)
		}
	}
	x.mu.Unlock()
	if !ready {
		if _, err := x.version(ctx); err != nil {
			return err
		}
	}
	if !ready || len(missing) > 0 {
		if err := x.putTemplate(ctx); err != nil {
			return err
		}
	}
	for _, m := range missing {
		if err := x.makeMonth(ctx, m); err != nil {
			return err
		}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.template = true
	for _, m := range missing {
		x.months[m] = true
	}
	return nil
}

// makeMonth makes the first index of a month, unless the month has one.
func (x *Index) makeMonth(ctx context.Context, month string) error {
	status, err := x.call(ctx, esapi.IndicesExistsAliasRequest{Name: []string{month}}, nil)
	if status != http.StatusNotFound {
		return err
	}
	first := numbered(month, 1)
	_, err = x.call(ctx, esapi.IndicesCreateRequest{Index: first, Body: body(object{"aliases": object{alias: object{}, month: object{}}})}, nil)
	if !exists(err) {
		return err
	}
	// Another process has just made it, or its aliases were taken away.
	_, err = x.call(ctx, esapi.IndicesUpdateAliasesRequest{Body: body(object{"actions": into(first, month)})}, nil)
	return err
}

// into are the actions that put an index into both its aliases.
func into(index, month string) []object {
	return []object{{"add": object{"index": index, "alias": alias}}, {"add": object{"index": index, "alias": month}}}
}

// exists reports whether an index could not be made because it is there.
func exists(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Kind == "resource_already_exists_exception"
}

// forget makes the next prepare look again.
func (x *Index) forget() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.template, x.checkedAt = false, time.Time{}
	clear(x.months)
}

// aliased returns the indices in the alias; none is no error.
func (x *Index) aliased(ctx context.Context) (map[string]bool, error) {
	var answer map[string]json.RawMessage
	status, err := x.call(ctx, esapi.IndicesGetAliasRequest{Name: []string{alias}}, &answer)
	if status == http.StatusNotFound {
		return map[string]bool{}, nil
	}
	out := map[string]bool{}
	for name := range answer {
		if _, _, ok := parseName(name); !ok {
			return nil, newError(CodeAnswer, "An index that is not Outband's is in the alias "+alias+". Take it out.", nil)
		}
		out[name] = true
	}
	return out, err
}
