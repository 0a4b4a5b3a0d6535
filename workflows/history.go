package workflows

import (
	"time"

	"github.com/outband/outband/connectors"
	"github.com/outband/outband/internal/store"
)

// LiveStart is where the live lane of a connection begins and its history ends.
func LiveStart(c store.Connection) time.Time { return liveStart(c).UTC() }

// HistorySlice is one slice of the history of a stream, [From, To), and its name in the key of its checkpoint.
type HistorySlice struct {
	Name     string
	From, To time.Time
}

// HistorySlices returns the slices of the history of a stream, the newest first.
func HistorySlices(c store.Connection, stream connectors.Stream) (out []HistorySlice) {
	for _, s := range history(c) {
		if hasHistory(c, stream, s) {
			out = append(out, HistorySlice{sliceName(store.LaneBackfill, s), s.From, s.To})
		}
	}
	return out
}
