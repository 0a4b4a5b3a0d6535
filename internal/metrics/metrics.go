// Package metrics counts what a process does and shows it, with what the store holds, as Prometheus text. Every label is bounded: ids of connections
// and destinations, names of streams, and words of fixed lists; nothing that an app or a person wrote is a label (invariant 4).
package metrics

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Configuration of the metrics.
type Configuration struct {
	Version string
	// Scanned returns the bytes that the detectors of this process were given since its start; nil: the process scans nothing.
	Scanned func() int64
	// State reads what the store holds; nil: this process does not show it, so that it is not counted once for each process.
	State func() (State, error)
	Fresh time.Duration // a state that was read is shown for so long; 0: 15 s
}

// Metrics are those of one process. It is safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	granted  *prometheus.CounterVec
	waits    *prometheus.CounterVec
	waited   *prometheus.CounterVec
	refused  *prometheus.CounterVec
}

// shortWait is how long a call may wait for the rate budget without being counted as one that did.
const shortWait = 10 * time.Millisecond

// New makes the metrics of a process.
func New(c Configuration) *Metrics {
	by := []string{"connector", "connection"}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: counter("outband_connector_requests_total", "Calls to apps by HTTP status of the last try; none: no reply.", append(by, "status")...),
		granted:  counter("outband_budget_calls_total", "Calls that the rate budget was granted for, retries apart.", by...),
		waits:    counter("outband_budget_waits_total", "Calls that waited for the rate budget.", by...),
		waited:   counter("outband_budget_wait_seconds_total", "Time that calls waited for the rate budget.", by...),
		refused:  counter("outband_budget_refused_total", "Calls that an app refused with 429.", by...),
	}
	info := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "outband_build_info", Help: "The version of this process; always 1."}, []string{"version"})
	info.WithLabelValues(c.Version).Set(1)
	m.registry.MustRegister(m.requests, m.granted, m.waits, m.waited, m.refused, info,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if c.Scanned != nil {
		m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "outband_dlp_scanned_bytes_total", Help: "Bytes that the detectors of this process were given."},
			func() float64 { return float64(c.Scanned()) }))
	}
	if c.State != nil {
		fresh := c.Fresh
		if fresh == 0 {
			fresh = 15 * time.Second
		}
		m.registry.MustRegister(&stored{read: c.State, fresh: fresh})
	}
	return m
}

// Request is one call to an app.
type Request struct {
	Connector, Connection string        // ids; the connection's is empty for one that is not saved
	Status                int           // HTTP; 0: no reply
	Waited                time.Duration // for the rate budget
	Made                  bool          // the budget was granted
}

// Request counts a call.
func (m *Metrics) Request(r Request) {
	status := "none"
	if r.Status >= 100 && r.Status < 600 {
		status = strconv.Itoa(r.Status)
	}
	if r.Made {
		m.requests.WithLabelValues(r.Connector, r.Connection, status).Inc()
		m.granted.WithLabelValues(r.Connector, r.Connection).Inc()
	}
	if r.Waited > shortWait {
		m.waits.WithLabelValues(r.Connector, r.Connection).Inc()
		m.waited.WithLabelValues(r.Connector, r.Connection).Add(r.Waited.Seconds())
	}
	if r.Status == http.StatusTooManyRequests {
		m.refused.WithLabelValues(r.Connector, r.Connection).Inc()
	}
}

// Handler serves GET /metrics and nothing else.
func (m *Metrics) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: 4, Timeout: 30 * time.Second}))
	return mux
}
