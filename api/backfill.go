package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/outband/outband/api/problem"
	"github.com/outband/outband/connectors"
	"github.com/outband/outband/internal/secret"
	"github.com/outband/outband/internal/store"
	"github.com/outband/outband/workflows/coverage"
)

// EstimateFunc says about what reading a span of the history of a connection takes, with a few calls. A connection without an id is not saved. Its
// error is a *connectors.Error where the app or the way to it is at fault, and errors.ErrUnsupported where the connector cannot tell.
type EstimateFunc func(ctx context.Context, c store.Connection, secrets map[string]secret.Value, from, to time.Time) (connectors.Estimate, error)

// Backfill is how far the reading of the history is.
type Backfill struct {
	ConnectionID string   `json:"connection_id"`
	From         *string  `json:"from" format:"date-time" doc:"How far back history is read; null: not at all."`
	Paused       bool     `json:"paused"`
	Done         int64    `json:"done" doc:"Slices, a day of a stream each, that are read to their end."`
	Total        int64    `json:"total"`
	OldestReadAt *string  `json:"oldest_read_at" format:"date-time" doc:"Everything is read back to here without a break; null: not even the newest day of the history is."`
	SecondsLeft  *float64 `json:"seconds_left" doc:"At the pace of the last slices; null: not known, paused, or done."`
}

func (a *API) getBackfill(ctx context.Context, in *IDInput) (*Output[Backfill], error) {
	c, err := store.GetConnection(ctx, a.d.DB.Read(), in.ID)
	if err != nil {
		return nil, err
	}
	return a.backfilled(ctx, c)
}

func (a *API) backfilled(ctx context.Context, c store.Connection) (*Output[Backfill], error) {
	p, err := coverage.HistoryProgress(ctx, a.d.DB.Read(), c, a.streams(c), a.d.DB.Now())
	if err != nil {
		return nil, err
	}
	out := Backfill{ConnectionID: c.ID, From: stamp(c.BackfillFrom), Paused: c.BackfillPaused, Done: p.Done, Total: p.Total, OldestReadAt: stamp(p.OldestReadAt)}
	if p.Left > 0 && !c.BackfillPaused {
		left := p.Left.Seconds()
		out.SecondsLeft = &left
	}
	return &Output[Backfill]{out}, nil
}

func (a *API) pauseBackfill(ctx context.Context, in *IDInput) (*Output[Backfill], error) {
	return a.setBackfillPaused(ctx, in.ID, "connection.backfill_pause", true)
}

func (a *API) resumeBackfill(ctx context.Context, in *IDInput) (*Output[Backfill], error) {
	return a.setBackfillPaused(ctx, in.ID, "connection.backfill_resume", false)
}

// setBackfillPaused stores whether history is read. A scan asks the store before it begins the next slices, so that nobody needs to be told.
func (a *API) setBackfillPaused(ctx context.Context, connectionID, action string, paused bool) (*Output[Backfill], error) {
	var c store.Connection
	err := a.d.DB.Write(ctx, func(tx *store.Tx) (err error) {
		if c, err = store.GetConnection(ctx, tx, connectionID); err != nil {
			return err
		}
		if c.BackfillPaused != paused {
			c.BackfillPaused = paused
			if err := store.SetBackfillPaused(ctx, tx, connectionID, paused); err != nil {
				return err
			}
		}
		return audit(ctx, tx, action, connectionID, nil)
	})
	if err != nil {
		return nil, err
	}
	return a.backfilled(ctx, c)
}

// EstimateInput is a connection, saved or not, and how far back its history would be read.
type EstimateInput struct {
	Body struct {
		ConnectionID string            `json:"connection_id,omitempty" maxLength:"128" doc:"A saved one; without it, connector and secrets."`
		Connector    string            `json:"connector,omitempty" maxLength:"40"`
		Config       map[string]any    `json:"config,omitempty"`
		Secrets      map[string]string `json:"secrets,omitempty" writeOnly:"true"`
		BackfillFrom Optional[string]  `json:"backfill_from,omitzero" doc:"RFC 3339; absent: 30 days; null: no history."`
	}
}

// BackfillEstimate is about what reading the history of a connection takes.
type BackfillEstimate struct {
	Known             bool             `json:"known" doc:"false: the connector cannot tell, and the numbers say nothing."`
	From              *string          `json:"from" format:"date-time" doc:"The day from which on history is read; null: none is."`
	Calls             int64            `json:"calls" doc:"Of all streams together."`
	RequestsPerMinute int              `json:"requests_per_minute" doc:"What of the present budget is for history: a fifth is left for what is new."`
	Hours             float64          `json:"hours" doc:"At that pace, if nothing else uses the budget."`
	Items             map[string]int64 `json:"items" doc:"By stream, as far as they were counted."`
	Since             *string          `json:"since" format:"date-time" doc:"The oldest thing that the app has kept; null: not known."`
	Exact             bool             `json:"exact" doc:"Everything was counted."`
}

func (a *API) estimateBackfill(ctx context.Context, in *EstimateInput) (*Output[BackfillEstimate], error) {
	b := &in.Body
	now := a.d.DB.Now()
	from, wrong := backfill(b.BackfillFrom, now)
	c, m, secrets, more, err := a.toEstimate(ctx, in)
	if err != nil {
		return nil, err
	}
	if wrong = append(wrong, more...); len(wrong) > 0 {
		return nil, problem.Invalid(wrong...)
	}
	object := c.ID
	if object == "" {
		object = m.ID
	}
	// Invariant 11: an estimate uses a key, so it is noted before it is made.
	if err := a.auditRead(ctx, "connection.estimate", object, nil); err != nil {
		return nil, err
	}
	rate := connectors.Bounds(m.RequestsPerMinute(c.Config), true)[0].Calls
	out := BackfillEstimate{Known: true, RequestsPerMinute: rate, Items: map[string]int64{}, Since: stamp(c.Key.Since)}
	if from.IsZero() {
		out.Exact = true // Nothing is read.
		return &Output[BackfillEstimate]{out}, nil
	}
	from = from.UTC().Truncate(24 * time.Hour) // History is read in whole days.
	out.From = stamp(from)
	ctx, cancel := context.WithTimeout(ctx, a.cfg.TestTimeout)
	defer cancel()
	got, err := a.d.Estimate(connectors.Background(ctx), c, secrets, from, now)
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		out.Known = false
		return &Output[BackfillEstimate]{out}, nil
	case err != nil:
		return nil, testProblem(nil, err)
	}
	out.Calls, out.Exact, out.Hours = got.Calls, got.Exact, float64(got.Calls)/float64(max(rate, 1))/60
	for stream, n := range got.Items {
		out.Items[stream] = n
	}
	if !got.Since.IsZero() {
		out.Since = stamp(got.Since)
	}
	return &Output[BackfillEstimate]{out}, nil
}

// toEstimate is the connection that is asked about, with its secrets.
func (a *API) toEstimate(ctx context.Context, in *EstimateInput) (c store.Connection, m *connectors.Manifest, secrets map[string]secret.Value, wrong []problem.Field, err error) {
	b := &in.Body
	if b.ConnectionID == "" {
		if m = a.manifest(b.Connector); m == nil {
			return c, nil, nil, nil, noConnector()
		}
		config, wrong := a.settings(m, b.Config)
		secrets, more := credentials(m, b.Secrets, false)
		return store.Connection{Connector: m.ID, Config: config}, m, secrets, append(wrong, more...), nil
	}
	if b.Connector != "" || len(b.Config) > 0 || len(b.Secrets) > 0 {
		return c, nil, nil, nil, problem.Invalid(problem.Field{Location: "body.connection_id", Message: "A saved connection has its own connector, settings and secrets. Give either those or its id."})
	}
	if c, err = store.GetConnection(ctx, a.d.DB.Read(), b.ConnectionID); err != nil {
		return c, nil, nil, nil, err
	}
	if m = a.manifest(c.Connector); m == nil {
		return c, nil, nil, nil, problem.New(http.StatusConflict, problem.CodeEngine, "The connector of this connection is not part of this program.")
	}
	secrets, err = a.unseal(ctx, m, c.ID)
	return c, m, secrets, nil, err
}
