package metrics

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
)

func lag(d time.Duration) *time.Duration { return &d }

var world = State{
	Streams: []Stream{
		{
			Connector: "claude", Connection: "con_1", Stream: "chats", State: "red", Alerts: map[string]bool{"hole": true, "lag": false}, Lag: lag(90 * time.Second), Gaps: 2, GapTime: time.Hour,
			Read: 20, Scanned: 11, Failed: 1, Deferred: 2, Quarantined: 3, Skipped: map[string]int64{"too_big": 1, "deleted_before_scan": 2}, Late: 4, Overlap: 5, HistoryOpen: 6,
		},
		{Connector: "claude", Connection: "con_1", Stream: "users", State: "grey"},
	},
	Scans:        map[string]int64{"succeeded": 7, "running": 1},
	Findings:     []Findings{{"high", "open", 3}, {"low", "resolved", 2}},
	Destinations: []Destination{{ID: "dst_1", Queued: 5, Parked: 1, Behind: 9}},
	Exceptions:   map[string]int64{"active": 4, "expired": 1},
	Paused:       2,
}

// scrape gets /metrics over HTTP and parses it as Prometheus does.
func scrape(t *testing.T, m *Metrics) map[string]*dto.MetricFamily {
	t.Helper()
	server := httptest.NewServer(m.Handler())
	defer server.Close()
	res, err := server.Client().Get(server.URL + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("status %d, %v", res.StatusCode, err)
	}
	problems, err := promlint.New(strings.NewReader(string(body))).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "outband_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
	var parser expfmt.TextParser
	out, err := parser.TextToMetricFamilies(strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// value is that of the one sample with all of these labels, written "name=value".
func value(t *testing.T, all map[string]*dto.MetricFamily, name string, labels ...string) float64 {
	t.Helper()
	var found []float64
	for _, m := range all[name].GetMetric() {
		has := map[string]bool{}
		for _, l := range m.GetLabel() {
			has[l.GetName()+"="+l.GetValue()] = true
		}
		match := true
		for _, l := range labels {
			match = match && has[l]
		}
		if match {
			found = append(found, m.GetGauge().GetValue()+m.GetCounter().GetValue())
		}
	}
	if len(found) != 1 {
		t.Fatalf("%s%v has %d samples, want one", name, labels, len(found))
	}
	return found[0]
}

func TestWhatTheStoreHoldsIsScraped(t *testing.T) {
	all := scrape(t, New(Configuration{Version: "v1", State: func() (State, error) { return world, nil }}))
	chats := []string{"connector=claude", "connection=con_1", "stream=chats"}
	for _, tc := range []struct {
		name   string
		labels []string
		want   float64
	}{
		{"outband_coverage_lag_seconds", chats, 90}, {"outband_coverage_gaps", chats, 2}, {"outband_coverage_gap_seconds", chats, 3600}, {"outband_coverage_read_units", chats, 20},
		{"outband_coverage_scanned_units", chats, 11}, {"outband_coverage_failed_units", chats, 1}, {"outband_coverage_deferred_units", chats, 2}, {"outband_coverage_quarantined_units", chats, 3},
		{"outband_coverage_skipped_units", append(chats, "reason=deleted_before_scan"), 2}, {"outband_coverage_late_units", chats, 4}, {"outband_coverage_overlap_units", chats, 5},
		{"outband_coverage_history_open_slices", chats, 6}, {"outband_coverage_state", append(chats, "state=red"), 1}, {"outband_coverage_state", append(chats, "state=green"), 0},
		{"outband_coverage_alert", append(chats, "alert=hole"), 1}, {"outband_coverage_alert", append(chats, "alert=lag"), 0}, {"outband_scans", []string{"state=succeeded"}, 7},
		{"outband_findings", []string{"severity=high", "status=open"}, 3}, {"outband_destination_queued_events", []string{"destination=dst_1"}, 5},
		{"outband_findings_exceptions", []string{"state=active"}, 4}, {"outband_workflows_policies_paused", nil, 2},
		{"outband_destination_parked_events", []string{"destination=dst_1"}, 1}, {"outband_destination_behind_rows", []string{"destination=dst_1"}, 9}, {"outband_store_up", nil, 1},
		{"outband_build_info", []string{"version=v1"}, 1},
	} {
		if got := value(t, all, tc.name, tc.labels...); got != tc.want {
			t.Errorf("%s%v is %v, want %v", tc.name, tc.labels, got, tc.want)
		}
	}
	// A lag of nothing is no lag of 0.
	for _, m := range all["outband_coverage_lag_seconds"].GetMetric() {
		for _, l := range m.GetLabel() {
			if l.GetValue() == "users" {
				t.Error("a stream of which nothing was read has a lag")
			}
		}
	}
}

func TestAStoreThatDoesNotAnswerShowsNoOldNumbers(t *testing.T) {
	var failing error
	asked := 0
	m := New(Configuration{State: func() (State, error) { asked++; return world, failing }, Fresh: time.Nanosecond})
	scrape(t, m)
	failing = errors.New("the disk is gone")
	all := scrape(t, m)
	if value(t, all, "outband_store_up") != 0 || all["outband_scans"] != nil || all["outband_coverage_gaps"] != nil || asked != 2 {
		t.Errorf("after %d questions there are %v", asked, all["outband_scans"])
	}
}

func TestTheStoreIsNotAskedAtEveryScrape(t *testing.T) {
	asked := 0
	m := New(Configuration{State: func() (State, error) { asked++; return world, nil }, Fresh: time.Hour})
	scrape(t, m)
	scrape(t, m)
	if asked != 1 {
		t.Errorf("the store was asked %d times", asked)
	}
}

func TestCallsAreCounted(t *testing.T) {
	m := New(Configuration{Scanned: func() int64 { return 4096 }})
	con := []string{"connector=claude", "connection=con_1"}
	for _, r := range []Request{
		{Status: 200, Made: true}, {Status: 200, Waited: 2 * time.Second, Made: true}, {Status: 429, Made: true}, {Made: true}, {Waited: time.Second}, {Status: 7777, Made: true},
	} {
		r.Connector, r.Connection = "claude", "con_1"
		m.Request(r)
	}
	all := scrape(t, m)
	for _, tc := range []struct {
		name   string
		labels []string
		want   float64
	}{
		{"outband_connector_requests_total", append(con, "status=200"), 2}, {"outband_connector_requests_total", append(con, "status=429"), 1}, {"outband_connector_requests_total", append(con, "status=none"), 2},
		{"outband_budget_calls_total", con, 5}, {"outband_budget_waits_total", con, 2}, {"outband_budget_wait_seconds_total", con, 3}, {"outband_budget_refused_total", con, 1},
		{"outband_dlp_scanned_bytes_total", nil, 4096},
	} {
		if got := value(t, all, tc.name, tc.labels...); got != tc.want {
			t.Errorf("%s%v is %v, want %v", tc.name, tc.labels, got, tc.want)
		}
	}
}

func TestNothingElseIsServed(t *testing.T) {
	h := New(Configuration{}).Handler()
	for _, r := range []*http.Request{httptest.NewRequest("GET", "/", nil), httptest.NewRequest("GET", "/debug/pprof/", nil), httptest.NewRequest("POST", "/metrics", nil)} {
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code < 400 {
			t.Errorf("%s %s is %d", r.Method, r.URL.Path, w.Code)
		}
	}
}
