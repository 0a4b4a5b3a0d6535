package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/outband/outband/connectors"
	"github.com/outband/outband/findings"
	"github.com/outband/outband/findings/deliver"
	"github.com/outband/outband/internal/metrics"
	"github.com/outband/outband/internal/store"
	"github.com/outband/outband/workflows/coverage"
)

// stateTime is how long the store has to answer a scrape.
const stateTime = 20 * time.Second

// measure makes the metrics of the process, if they are wanted, and lets the parts count in them. What the store holds is shown by processes that answer only,
// so that it is not counted once for each worker.
func (in *instance) measure(p *parts) {
	if in.cfg.Metrics.Listen == "" {
		return
	}
	c := metrics.Configuration{Version: versionText()}
	if in.works() {
		c.Scanned = p.detectors.Scanned
	}
	if in.answers() {
		c.State = func() (metrics.State, error) {
			ctx, cancel := context.WithTimeout(context.Background(), stateTime)
			defer cancel()
			return in.state(ctx, p)
		}
	}
	in.metrics = metrics.New(c)
	p.opener.Watch(func(connectorID, connectionID string, o connectors.Observation) {
		in.metrics.Request(metrics.Request{Connector: connectorID, Connection: connectionID, Status: o.Status, Waited: o.Waited, Made: o.Status != 0 || o.Took > 0})
	})
}

// listenMetrics takes the address of the metrics before anything else is done, and returns what serves them.
func (in *instance) listenMetrics() (serve func(), err error) {
	if in.cfg.Metrics.Listen == "" {
		return func() {}, nil
	}
	listener, err := net.Listen("tcp", in.cfg.Metrics.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen for metrics on %s: %w", in.cfg.Metrics.Listen, err)
	}
	serving := false
	in.onStop(func(context.Context) error {
		if serving {
			return nil // Closed by the HTTP server.
		}
		return listener.Close()
	})
	return func() {
		serving = true
		in.log.Info("metrics are served", "listen", listener.Addr().String())
		in.serve(listener, http.MaxBytesHandler(in.metrics.Handler(), 1<<10), func() {})
	}, nil
}

// state reads what the metrics show of the store.
func (in *instance) state(ctx context.Context, p *parts) (s metrics.State, err error) {
	q := in.db.Read()
	all, err := store.ListConnections(ctx, q)
	if err != nil {
		return s, err
	}
	for _, c := range all {
		m, err := p.opener.Manifest(c.Connector)
		if err != nil {
			m = &connectors.Manifest{} // It is of another version: what was counted is shown all the same.
		}
		streams, err := coverage.Of(ctx, q, c, m, coverage.DefaultThresholds(), in.db.Now())
		if err != nil {
			return s, err
		}
		for _, x := range streams {
			s.Streams = append(s.Streams, measured(c, x))
		}
	}
	if s.Scans, err = store.CountScans(ctx, q); err != nil {
		return s, err
	}
	if s.Exceptions, err = store.CountExceptions(ctx, q, in.db.Now()); err != nil {
		return s, err
	}
	pauses, err := store.Pauses(ctx, q)
	if err != nil {
		return s, err
	}
	for _, p := range pauses {
		if p.Paused && p.EndedAt.IsZero() {
			s.Paused++
		}
	}
	tallies, err := findings.Count(ctx, q)
	if err != nil {
		return s, err
	}
	for _, t := range tallies {
		s.Findings = append(s.Findings, metrics.Findings(t))
	}
	depths, err := deliver.Depths(ctx, q)
	for _, d := range depths {
		s.Destinations = append(s.Destinations, metrics.Destination{ID: d.DestinationID, Queued: d.Queued, Parked: d.Parked, Behind: d.Behind})
	}
	return s, err
}

func measured(c store.Connection, x coverage.Summary) metrics.Stream {
	out := metrics.Stream{
		Connector: c.Connector, Connection: c.ID, Stream: x.Stream.ID, State: x.State, Alerts: map[string]bool{}, Gaps: len(x.Gaps), Read: x.Read, Scanned: x.Scanned, Failed: x.Failed,
		Deferred: x.Deferred, Quarantined: x.Quarantined, Skipped: x.Skipped, Late: x.Late, Overlap: x.Overlap, HistoryOpen: x.BackfillOpen,
	}
	alerts := x.Alerts()
	for _, code := range coverage.Alerts() {
		out.Alerts[code] = slices.ContainsFunc(alerts, func(n coverage.Notice) bool { return n.Code == code })
	}
	if !x.WatermarkAt.IsZero() {
		out.Lag = &x.Lag
	}
	for _, g := range x.Gaps {
		out.GapTime += g.To.Sub(g.From)
	}
	return out
}
