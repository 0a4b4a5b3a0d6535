package api

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/outband/outband/api/problem"
	"github.com/outband/outband/findings"
	"github.com/outband/outband/findings/filter"
	"github.com/outband/outband/findings/search"
	"github.com/outband/outband/internal/store"
)

// standIn answers as the switch does while the store stands in for Elasticsearch.
type standIn struct{ *search.Reader }

func (s standIn) List(ctx context.Context, q search.Query) (search.Page, error) {
	out, err := s.Reader.List(ctx, q)
	out.Degraded = true
	return out, err
}

func (s standIn) Facets(ctx context.Context, f filter.Filter) (search.Facets, error) {
	out, err := s.Reader.Facets(ctx, f)
	out.Degraded = true
	return out, err
}

func (s standIn) Timeline(ctx context.Context, f filter.Filter, from, to time.Time, interval, tz string) (search.Timeline, error) {
	out, err := s.Reader.Timeline(ctx, f, from, to, interval, tz)
	out.Degraded = true
	return out, err
}

func (s standIn) People(ctx context.Context, f filter.Filter, limit int) (search.People, error) {
	out, err := s.Reader.People(ctx, f, limit)
	out.Degraded = true
	return out, err
}

var _ Findings = standIn{}

func TestPeopleAreCounted(t *testing.T) {
	k := newKit(t, Configuration{})
	con, viewer := k.connect(k.token(RoleAdmin)), k.token(RoleViewer)
	for i, person := range []string{"ana", "bo", "ana", "cleo", "ana", "bo"} {
		k.write(func(tx *store.Tx) error {
			_, err := findings.CommitItem(t.Context(), tx, k.keys, findings.Commit{ConnectionID: con, Connector: "acme", Detections: []findings.Detection{{
				PolicyID: "content.example", PolicyVersion: 1, Kind: "content", Severity: []string{"high", "low"}[i%2], Title: "Example key in a chat",
				Resource: findings.Resource{Kind: "chat", ID: fmt.Sprint("chat-", i)}, Actor: findings.Actor{ID: "user-" + person, Email: person + "@example.com"},
				Instances: []findings.NewInstance{k.instance(i, 0)},
			}}})
			return err
		})
		k.clock.add(time.Second)
	}
	for _, tc := range []struct {
		name, query string
		want        []string
	}{
		{"all", "", []string{"3 user-ana ana@example.com", "2 user-bo bo@example.com", "1 user-cleo cleo@example.com"}},
		{"the first", "limit=1", []string{"3 user-ana ana@example.com"}},
		{"one severity", "severity=low&limit=1", []string{"2 user-bo bo@example.com"}},
		{"one person", "actor=cleo@example.com", []string{"1 user-cleo cleo@example.com"}},
		{"a time", "to=2026-03-10T12:00:01Z", []string{"1 user-ana ana@example.com"}},
		{"nothing", "severity=critical", nil},
	} {
		k.run(tc.name, func(t *testing.T) {
			r := k.do(viewer, "GET", "/api/v1/findings/people?"+tc.query, "").want(200)
			var got []string
			for _, x := range r.items() {
				m := x.(map[string]any)
				who := m["actor"].(map[string]any)
				got = append(got, fmt.Sprint(m["count"], " ", who["id"], " ", who["email"]))
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("people (-want +got):\n%s", diff)
			}
		})
	}
	for _, query := range []string{"limit=101", "limit=0", "severity=terrible", "cursor=x", "from=2026-03-11T00:00:00Z&to=2026-03-10T00:00:00Z"} {
		k.do(viewer, "GET", "/api/v1/findings/people?"+query, "").problem(422, problem.CodeQuery)
	}
}

func TestAnswersOfAStandInSaySo(t *testing.T) {
	k := newKit(t, Configuration{})
	con, viewer := k.connect(k.token(RoleAdmin)), k.token(RoleViewer)
	k.find(con, 1)
	paths := []string{"/api/v1/findings", "/api/v1/findings/facets", "/api/v1/findings/timeline", "/api/v1/findings/people"}
	for _, path := range paths {
		if _, said := k.do(viewer, "GET", path, "").want(200).object()["degraded"]; said {
			t.Errorf("%s says that it is degraded or not, without a reason to", path)
		}
	}
	k.api.d.Findings = standIn{search.New(k.db, k.keys)}
	for _, path := range paths {
		if got := k.do(viewer, "GET", path, "").want(200); got.object()["degraded"] != true {
			t.Errorf("%s does not say that it is degraded: %s", path, got.body)
		}
	}
}
