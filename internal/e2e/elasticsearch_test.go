package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/outband/outband/internal/testserver"
)

// questions are asked of both engines. A few of each kind: the contract of findings/search/searchtest asks hundreds.
var questions = []string{
	"/findings?limit=100", "/findings?limit=100&sort=severity", "/findings?limit=7&sort=-last_seen_at&severity=high", "/findings?limit=100&q=key",
	"/findings?limit=100&q=" + url.QueryEscape(`"access key"`), "/findings?limit=100&q=aws*&status=open", "/findings/facets", "/findings/facets?severity=critical&q=key",
	"/findings/timeline?interval=day&tz=Europe/Berlin", "/findings/people?limit=20",
}

// answers asks all questions. degraded says whether any answer was marked so.
func (s *server) answers(t *testing.T) (out map[string]any, degraded bool) {
	t.Helper()
	out = map[string]any{}
	for _, q := range questions {
		var got map[string]any
		s.must("GET", q, nil, &got)
		if d, _ := got["degraded"].(bool); d {
			degraded = true
		}
		delete(got, "degraded")
		out[q] = got
	}
	return out, degraded
}

// indexed returns the documents of the index: id to severity and status; nil while it does not answer.
func indexed(t *testing.T, base string) map[string]string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	body := `{"size":10000,"query":{"match_all":{}}}`
	req, err := http.NewRequestWithContext(ctx, "POST", base+"/outband-findings/_search", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(resp.Body)
	if cerr := resp.Body.Close(); err != nil || cerr != nil {
		t.Fatal(err, cerr)
	}
	if resp.StatusCode == http.StatusServiceUnavailable {
		return nil // It has just started, and its shards are not yet there.
	}
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("search the index: status %d\n%s", resp.StatusCode, raw)
	}
	var reply struct {
		Hits struct {
			Hits []struct {
				ID     string `json:"_id"`
				Source struct {
					Severity string `json:"severity"`
					Status   string `json:"status"`
				} `json:"_source"`
			} `json:"hits"`
		} `json:"hits"`
	}
	if err := json.Unmarshal(raw, &reply); err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, h := range reply.Hits.Hits {
		out[h.ID] = fmt.Sprint(h.Source.Severity, " ", h.Source.Status)
	}
	return out
}

// caughtUp waits until the index holds what the store holds.
func (s *server) caughtUp(t *testing.T, base string) {
	t.Helper()
	want := map[string]string{}
	for _, f := range s.export() {
		want[f["id"].(string)] = fmt.Sprint(f["severity"], " ", f["status"])
	}
	diff := ""
	for end := time.Now().Add(time.Minute); ; time.Sleep(200 * time.Millisecond) {
		if diff = cmp.Diff(want, indexed(t, base)); diff == "" || time.Now().After(end) {
			break
		}
	}
	if diff != "" {
		t.Fatalf("the index is not the store (-store +index):\n%s", diff)
	}
}

// TestElasticsearchAnswersAlikeAndMayBeAway runs a scan with Elasticsearch, takes it away in the middle of a second one, and wants every question
// answered all the time, no scan failed, and the index equal to the store afterwards. Then the index is built anew.
func TestElasticsearchAnswersAlikeAndMayBeAway(t *testing.T) {
	es := testserver.Elasticsearch(t, testserver.ElasticsearchOptions{})
	file := settings(t, "elasticsearch:\n  url: "+es.URL)
	s := serveWith(t, file, "all")
	id := s.connect(simulator(t, "--seed", "22", "--epoch", clusterEpoch.Format(time.RFC3339)), demoKey, clusterEpoch.Add(-clusterHistory))
	s.firstScan(id, 2*time.Minute)
	s.caughtUp(t, es.URL)
	var answered map[string]any
	wait(t, 30*time.Second, "Elasticsearch to answer", func() (ok bool) {
		answered, ok = s.answers(t)
		return !ok
	})

	es.Stop()
	fallback, degraded := s.answers(t)
	if !degraded {
		t.Error("no answer is marked degraded while Elasticsearch is away")
	}
	if diff := cmp.Diff(answered, fallback); diff != "" {
		t.Errorf("the engines answer differently (-Elasticsearch +embedded):\n%s", diff)
	}
	if status, body := s.get("/readyz"); status != 200 {
		t.Errorf("readyz while Elasticsearch is away: %d %s", status, body)
	}

	// A scan of another organisation while it is away: no scan fails.
	other := s.connect(simulator(t, "--seed", "23", "--epoch", clusterEpoch.Format(time.RFC3339)), demoKey, clusterEpoch.Add(-clusterHistory))
	s.firstScan(other, 2*time.Minute)
	s.answers(t)
	es.Start()
	s.caughtUp(t, es.URL)
	wait(t, time.Minute, "Elasticsearch to answer again", func() bool { _, d := s.answers(t); return !d })

	// The index built anew from the store holds the same, beside the running server.
	out, errs, code := command(t, "", "reindex", "--config", file)
	if code != 0 {
		t.Fatalf("reindex: %d\n%s%s", code, out, errs)
	}
	s.caughtUp(t, es.URL)
	var f struct {
		Items []struct{ ID string }
	}
	s.must("GET", "/findings?status=open&limit=1", nil, &f)
	s.must("PATCH", "/findings/"+f.Items[0].ID, map[string]string{"status": "acknowledged"}, nil)
	s.caughtUp(t, es.URL)
}

// get asks for a path outside the API.
func (s *server) get(path string) (int, string) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), "GET", s.url+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	raw, err := io.ReadAll(resp.Body)
	if cerr := resp.Body.Close(); err != nil || cerr != nil {
		s.t.Fatal(err, cerr)
	}
	return resp.StatusCode, string(raw)
}
