package workflows

import (
	"context"
	"slices"
	"time"

	"github.com/outband/outband/connectors"
)

// snapshotStale is how old a run of a snapshot may become. One that was cut and is older begins again: its pages are not of one time any more.
const snapshotStale = 24 * time.Hour

// A run's cursor as it is stored holds in From when the run began and in Missing the scopes that were not given so far. The connector sees neither: it is given
// its own place alone.

// bare is the cursor of a run as the connector gave it.
func bare(s connectors.Slice) connectors.Cursor { return connectors.Slice{After: s.After}.Cursor() }

// onward is the stored cursor of a run after a page.
func onward(run connectors.Slice, page connectors.Page) (connectors.Slice, error) {
	next, err := page.Next.Slice()
	if err != nil {
		return run, err
	}
	run.After = next.After
	run.Missing = slices.Clone(run.Missing)
	for _, scope := range page.Missing {
		if !slices.Contains(run.Missing, scope) {
			run.Missing = append(run.Missing, scope)
		}
	}
	return run, nil
}

// isSnapshot reports whether the slice is a run of a snapshot.
func (p *page) isSnapshot() bool { return p.stream.Cursor == connectors.CursorSnapshot }

// records hands over those items of a page that are rows of a snapshot, and returns those that have content.
func (p *page) records(ctx context.Context, items []connectors.Item) (content []connectors.Item, err error) {
	if !p.isSnapshot() {
		return items, nil
	}
	run, err := connectors.Cursor(p.checkpoint.Cursor).Slice()
	if err != nil {
		return nil, err
	}
	var rows []connectors.Item
	for _, item := range items {
		if item.Record != nil {
			rows = append(rows, item)
		}
		if item.Kind != connectors.KindRecord {
			content = append(content, item)
		}
	}
	if len(rows) == 0 {
		return content, nil
	}
	return content, p.record(ctx, rows, run.From)
}
