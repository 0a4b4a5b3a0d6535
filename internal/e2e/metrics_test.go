package e2e

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
)

// The metrics of a running server say what its API says, hold no name and no content, and are on a listener of their own.
func TestMetricsOfAServer(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	s := serveWith(t, settings(t, "metrics:", "  listen: "+address), "all")
	id := s.connect(simulator(t, "--seed", "21", "--epoch", clusterEpoch.Format(time.RFC3339)), demoKey, clusterEpoch.Add(-clusterHistory))
	s.firstScan(id, 2*time.Minute)
	time.Sleep(16 * time.Second) // What the store holds is read at most every 15 s.
	res, err := client.Get("http://" + address + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("status %d, %v", res.StatusCode, err)
	}
	var parser expfmt.TextParser
	all, err := parser.TextToMetricFamilies(strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for name, f := range all {
		for _, m := range f.GetMetric() {
			labels := ""
			for _, l := range m.GetLabel() {
				if l.GetName() != "connector" && l.GetName() != "connection" {
					labels += " " + l.GetValue()
				}
			}
			got[name+labels] += m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	for stream, c := range s.coverage(id) {
		for name, want := range map[string]int{"read": c.Read, "scanned": c.Scanned, "failed": c.Failed} {
			if key := fmt.Sprintf("outband_coverage_%s_units %s", name, stream); stream != "api_calls" && got[key] != float64(want) { // Our own calls go on.
				t.Errorf("%s is %v, the API says %d", key, got[key], want)
			}
		}
	}
	for _, name := range []string{"outband_store_up", "outband_connector_requests_total 200", "outband_budget_calls_total", "outband_dlp_scanned_bytes_total", "outband_scans succeeded", "outband_coverage_state green chats"} {
		if got[name] == 0 {
			t.Errorf("%s is 0 or missing", name)
		}
	}
	for _, secret := range []string{"@", "Northwind", "Harbour", demoKey} {
		if strings.Contains(string(body), secret) {
			t.Errorf("the metrics hold %q", secret)
		}
	}
	if t.Failed() {
		_, b := s.call("GET", "/coverage?limit=100", nil)
		t.Logf("coverage is %s", b)
	}
	if status, _ := s.call("GET", "/metrics", nil); status != http.StatusNotFound {
		t.Errorf("on the listener of the API they are %d", status)
	}
}
