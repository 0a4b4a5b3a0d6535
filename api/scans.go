package api

import (
	"context"

	"github.com/outband/outband/internal/store"
)

// Scan is one run over a connection's streams.
type Scan struct {
	ID           string  `json:"id"`
	ConnectionID string  `json:"connection_id"`
	State        string  `json:"state" enum:"queued,running,succeeded,partial,failed,cancelled"`
	Cause        string  `json:"cause" enum:"first,schedule,request"`
	QueuePlace   int64   `json:"queue_place" doc:"How many scans run or wait before it; 0 for one that is not queued."`
	QueuedAt     *string `json:"queued_at" format:"date-time"`
	StartedAt    *string `json:"started_at" format:"date-time"`
	FinishedAt   *string `json:"finished_at" format:"date-time"`
	UpdatedAt    *string `json:"updated_at" format:"date-time"`
	ItemsRead    int64   `json:"items_read"`
	ItemsScanned int64   `json:"items_scanned"`
	ItemsSkipped int64   `json:"items_skipped"`
	FindingsNew  int64   `json:"findings_new"`
	ErrorCode    string  `json:"error_code" doc:"Empty unless it failed or is partial."`
	Error        string  `json:"error" doc:"One sentence, with what to do."`
}

func (a *API) scan(ctx context.Context, s store.Scan) (Scan, error) {
	place := int64(0)
	if s.State == store.ScanQueued {
		var err error
		if place, err = store.ScanPlace(ctx, a.d.DB.Read(), s.ID); err != nil {
			return Scan{}, err
		}
	}
	return Scan{
		ID: s.ID, ConnectionID: s.ConnectionID, State: s.State, Cause: s.Cause, QueuePlace: place, QueuedAt: stamp(s.QueuedAt), StartedAt: stamp(s.StartedAt), FinishedAt: stamp(s.FinishedAt),
		UpdatedAt: stamp(s.UpdatedAt), ItemsRead: s.ItemsRead, ItemsScanned: s.ItemsScanned, ItemsSkipped: s.ItemsSkipped, FindingsNew: s.FindingsNew,
		ErrorCode: s.ErrorCode, Error: s.Error,
	}, nil
}

// aScan answers with a scan.
func (a *API) aScan(ctx context.Context, s store.Scan) (*Output[Scan], error) {
	out, err := a.scan(ctx, s)
	if err != nil {
		return nil, err
	}
	return &Output[Scan]{out}, nil
}

// ended reports whether a scan changes no more.
func ended(state string) bool { return state != store.ScanQueued && state != store.ScanRunning }

// ScansInput narrows the list of scans.
type ScansInput struct {
	ListInput
	ConnectionID string `query:"connection_id" maxLength:"128" doc:"Absent: of all connections."`
}

func (a *API) listScans(ctx context.Context, in *ScansInput) (*ListOutput[Scan], error) {
	place, err := placeOf(in.ListInput, "scans", in.ConnectionID)
	if err != nil {
		return nil, err
	}
	all, err := store.ListScans(ctx, a.d.DB.Read(), in.ConnectionID, store.FromMicros(place.Number), place.ID, in.Limit+1)
	if err != nil {
		return nil, err
	}
	return page(all, in.Limit, func(s store.Scan) (Scan, error) { return a.scan(ctx, s) }, func(last store.Scan) string {
		place.Number, place.ID = store.Micros(last.QueuedAt), last.ID
		return place.Encode()
	})
}

func (a *API) getScan(ctx context.Context, in *IDInput) (*Output[Scan], error) {
	s, err := store.GetScan(ctx, a.d.DB.Read(), in.ID)
	if err != nil {
		return nil, err
	}
	return a.aScan(ctx, s)
}
