package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/outband/outband/internal/store"
)

// WatchInput names a scan and, when a client connects again, the last event that it got.
type WatchInput struct {
	IDInput
	LastEventID string `header:"Last-Event-ID" maxLength:"32"`
}

// watchScan sends the scan as it is now, then as it changes, at most one event every ProgressEvery, then `end` with its last state. A client that
// connects again with Last-Event-ID is not told what it knows.
func (a *API) watchScan(ctx context.Context, in *WatchInput) (*huma.StreamResponse, error) {
	s, err := store.GetScan(ctx, a.d.DB.Read(), in.ID)
	if err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(hctx huma.Context) {
		r, w := humago.Unwrap(hctx)
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("X-Accel-Buffering", "no") // A proxy that collects the answer would hold the events back.
		w.WriteHeader(http.StatusOK)
		e := &eventWriter{w: w, control: http.NewResponseController(w), timeout: a.cfg.WriteTimeout}
		if err := a.follow(r, s, in.LastEventID, e); err != nil && r.Context().Err() == nil {
			a.d.Log.Warn("scan events stopped", "scan", s.ID, "request", requestID(r.Context()), "err", err)
		}
	}}, nil
}

// follow returns nil when the scan has ended or the server stops, and an error when the client or its right to look is gone.
func (a *API) follow(r *http.Request, s store.Scan, known string, e *eventWriter) error {
	ctx := r.Context()
	tick := time.NewTicker(a.cfg.ProgressEvery)
	defer tick.Stop()
	heartbeat := time.NewTicker(a.cfg.Heartbeat)
	defer heartbeat.Stop()
	if err := e.write("retry: 2000\n\n"); err != nil {
		return err
	}
	for {
		public, err := a.scan(ctx, s)
		if err != nil {
			return err
		}
		id := strconv.FormatInt(store.Micros(s.UpdatedAt), 10)
		if public.QueuePlace > 0 {
			id += "." + strconv.FormatInt(public.QueuePlace, 10) // Others before it ended; of itself nothing has changed.
		}
		if id != known || ended(s.State) {
			name := "progress"
			if ended(s.State) {
				name = "end"
			}
			if err := e.event(id, name, public); err != nil || ended(s.State) {
				return err
			}
			known = id
			heartbeat.Reset(a.cfg.Heartbeat)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-a.stop:
			return nil
		case <-heartbeat.C:
			// A token that was revoked or has expired meanwhile sees no more.
			if _, err := a.auth.Authenticate(r); err != nil {
				return err
			}
			if err := e.write(": alive\n\n"); err != nil {
				return err
			}
		case <-tick.C:
		}
		if s, err = store.GetScan(ctx, a.d.DB.Read(), s.ID); err != nil {
			return err
		}
	}
}

// eventWriter writes server-sent events, each under a deadline of its own: the server's would cut the stream off.
type eventWriter struct {
	w       http.ResponseWriter
	control *http.ResponseController
	timeout time.Duration
}

func (e *eventWriter) event(id, name string, data any) error {
	b, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("encode event: %w", err)
	}
	return e.write("id: " + id + "\nevent: " + name + "\ndata: " + string(b) + "\n\n")
}

func (e *eventWriter) write(text string) error {
	if err := e.control.SetWriteDeadline(time.Now().Add(e.timeout)); err != nil {
		return fmt.Errorf("set the deadline of an event: %w", err)
	}
	if _, err := e.w.Write([]byte(text)); err != nil {
		return fmt.Errorf("write event: %w", err)
	}
	if err := e.control.Flush(); err != nil {
		return fmt.Errorf("write event: %w", err)
	}
	return nil
}
