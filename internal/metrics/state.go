package metrics

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// State is what the store holds, for all processes together.
type State struct {
	Streams      []Stream
	Scans        map[string]int64 // by state
	Findings     []Findings
	Destinations []Destination
	Exceptions   map[string]int64 // from policies, by state
	Paused       int64            // policies that were paused by themselves
}

// Stream is the coverage of one stream of a connection.
type Stream struct {
	Connector, Connection, Stream string
	State                         string          // green, amber, red or grey
	Alerts                        map[string]bool // every alert that there is, and whether it stands
	Lag                           *time.Duration  // nil: nothing was read yet
	Gaps                          int
	GapTime                       time.Duration
	Read, Scanned, Failed         int64
	Deferred, Quarantined         int64
	Skipped                       map[string]int64 // by reason
	Late, Overlap                 int64
	HistoryOpen                   int // slices
}

// Findings are those of one severity and status.
type Findings struct {
	Severity, Status string
	N                int64
}

// Destination is the queue of one destination.
type Destination struct {
	ID             string
	Queued, Parked int64 // events
	Behind         int64 // rows of the finding log that are not looked at yet
}

var (
	streamLabels = []string{"connector", "connection", "stream"}

	stateDesc     = describe("outband_coverage_state", "1 for the state that a stream is in, 0 for the others.", append(streamLabels, "state")...)
	alertDesc     = describe("outband_coverage_alert", "1 if the alert stands, else 0.", append(streamLabels, "alert")...)
	lagDesc       = describe("outband_coverage_lag_seconds", "From the watermark of a stream to now; absent: nothing was read yet.", streamLabels...)
	gapsDesc      = describe("outband_coverage_gaps", "Spans that should have been read and are not.", streamLabels...)
	gapTimeDesc   = describe("outband_coverage_gap_seconds", "Length of these spans together.", streamLabels...)
	readDesc      = describe("outband_coverage_read_units", "Units that were read: the sum of scanned, skipped, failed, deferred and quarantined.", streamLabels...)
	scannedDesc   = describe("outband_coverage_scanned_units", "Units that were scanned.", streamLabels...)
	skippedDesc   = describe("outband_coverage_skipped_units", "Units that were skipped, by reason.", append(streamLabels, "reason")...)
	failedDesc    = describe("outband_coverage_failed_units", "Units that were given up.", streamLabels...)
	deferredDesc  = describe("outband_coverage_deferred_units", "Items that wait for a worker of their own.", streamLabels...)
	quarantDesc   = describe("outband_coverage_quarantined_units", "Items that could not be scanned and are tried again.", streamLabels...)
	lateDesc      = describe("outband_coverage_late_units", "Units that appeared behind the watermark.", streamLabels...)
	overlapDesc   = describe("outband_coverage_overlap_units", "Rows that were listed again because windows overlap.", streamLabels...)
	historyDesc   = describe("outband_coverage_history_open_slices", "Days of history that are not read yet.", streamLabels...)
	scansDesc     = describe("outband_scans", "Scans by state.", "state")
	findingsDesc  = describe("outband_findings", "Findings by severity and status.", "severity", "status")
	queuedDesc    = describe("outband_destination_queued_events", "Events that wait to be delivered.", "destination")
	parkedDesc    = describe("outband_destination_parked_events", "Events that were given up.", "destination")
	behindDesc    = describe("outband_destination_behind_rows", "Rows of the finding log that are not looked at yet.", "destination")
	exceptDesc    = describe("outband_findings_exceptions", "Exceptions from policies by state.", "state")
	pausedDesc    = describe("outband_workflows_policies_paused", "Policies that were paused because they cost or found too much.")
	storeUpDesc   = describe("outband_store_up", "1 if what the store holds could be read for these metrics, else 0.")
	allStoredDesc = []*prometheus.Desc{
		stateDesc, alertDesc, lagDesc, gapsDesc, gapTimeDesc, readDesc, scannedDesc, skippedDesc, failedDesc, deferredDesc, quarantDesc, lateDesc, overlapDesc, historyDesc, scansDesc, findingsDesc,
		queuedDesc, parkedDesc, behindDesc, exceptDesc, pausedDesc, storeUpDesc,
	}
)

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

// states are those of a stream.
var states = []string{"green", "amber", "red", "grey"}

// stored collects what the store holds. It asks at most once in a while, however often it is scraped.
type stored struct {
	read  func() (State, error)
	fresh time.Duration

	mu   sync.Mutex
	at   time.Time
	last State
	err  error
}

// Describe implements prometheus.Collector.
func (s *stored) Describe(out chan<- *prometheus.Desc) {
	for _, d := range allStoredDesc {
		out <- d
	}
}

func (s *stored) state() (State, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.at.IsZero() || time.Since(s.at) >= s.fresh {
		s.last, s.err = s.read()
		s.at = time.Now()
	}
	return s.last, s.err
}

// Collect implements prometheus.Collector. While the store does not answer there is no old number, only outband_store_up 0.
func (s *stored) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	got, err := s.state()
	if err != nil {
		gauge(storeUpDesc, 0)
		return
	}
	gauge(storeUpDesc, 1)
	for _, x := range got.Streams {
		x.collect(gauge)
	}
	for state, n := range got.Scans {
		gauge(scansDesc, float64(n), state)
	}
	for state, n := range got.Exceptions {
		gauge(exceptDesc, float64(n), state)
	}
	gauge(pausedDesc, float64(got.Paused))
	for _, f := range got.Findings {
		gauge(findingsDesc, float64(f.N), f.Severity, f.Status)
	}
	for _, d := range got.Destinations {
		gauge(queuedDesc, float64(d.Queued), d.ID)
		gauge(parkedDesc, float64(d.Parked), d.ID)
		gauge(behindDesc, float64(d.Behind), d.ID)
	}
}

func (x Stream) collect(gauge func(*prometheus.Desc, float64, ...string)) {
	count := func(d *prometheus.Desc, n int64) { gauge(d, float64(n), x.Connector, x.Connection, x.Stream) }
	for _, s := range states {
		gauge(stateDesc, truth(s == x.State), x.Connector, x.Connection, x.Stream, s)
	}
	for alert, stands := range x.Alerts {
		gauge(alertDesc, truth(stands), x.Connector, x.Connection, x.Stream, alert)
	}
	if x.Lag != nil {
		gauge(lagDesc, x.Lag.Seconds(), x.Connector, x.Connection, x.Stream)
	}
	gauge(gapTimeDesc, x.GapTime.Seconds(), x.Connector, x.Connection, x.Stream)
	for reason, n := range x.Skipped {
		gauge(skippedDesc, float64(n), x.Connector, x.Connection, x.Stream, reason)
	}
	for _, c := range []struct {
		d *prometheus.Desc
		n int64
	}{
		{gapsDesc, int64(x.Gaps)}, {readDesc, x.Read}, {scannedDesc, x.Scanned}, {failedDesc, x.Failed}, {deferredDesc, x.Deferred}, {quarantDesc, x.Quarantined}, {lateDesc, x.Late},
		{overlapDesc, x.Overlap}, {historyDesc, int64(x.HistoryOpen)},
	} {
		count(c.d, c.n)
	}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
