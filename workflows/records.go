package workflows

import (
	"context"
	"time"

	"github.com/outband/outband/connectors"
	"github.com/outband/outband/internal/store"
)

// The hooks through which a scan hands over the records of a snapshot. A run goes from an empty cursor to the last page; it is told from every other
// by its beginning, which stands in its cursor. A run may be cut at any place by a kill and goes on later under the same beginning.

// snapshotBegins notes that a run begins and returns its beginning. It runs in the transaction that stores the run's first cursor.
func (p *page) snapshotBegins(_ context.Context, tx *store.Tx) (time.Time, error) {
	return tx.Now(), nil
}

// record stores the records of one page of a run. A page that is read again, whole or in part, hands over the same items with the same beginning, which
// must change nothing.
func (p *page) record(_ context.Context, _ []connectors.Item, _ time.Time) error { return nil }

// snapshotEnded notes that a run is read to its end but for the missing scopes. It runs in transactions of its own, after every page's items are
// stored and before the checkpoint says so; after a kill in between it is called once more with the same beginning.
func (p *page) snapshotEnded(_ context.Context, _ time.Time, _ []string) error { return nil }

// snapshotUnavailable notes that the app does not give the stream to this tenant now. Nothing is removed, nothing is closed.
func (p *page) snapshotUnavailable(_ context.Context, _ *store.Tx) error { return nil }
