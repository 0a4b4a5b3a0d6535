package search

import (
	"context"
	"fmt"

	"github.com/outband/outband/findings"
	"github.com/outband/outband/findings/cursor"
	"github.com/outband/outband/internal/store"
)

// Event is one change of a finding: a row of the finding log.
type Event struct {
	ID            string        `json:"id"` // the webhook-id of the same change
	Type          string        `json:"type"`
	Sequence      int64         `json:"sequence"`
	At            findings.Time `json:"at"`
	Actor         string        `json:"actor,omitempty"` // id of the user or token; empty: a scan
	Reason        string        `json:"reason,omitempty"`
	Severity      string        `json:"severity"` // these four: after the change
	Status        string        `json:"status"`
	Source        string        `json:"source"`
	InstanceCount int64         `json:"instance_count"`
}

// EventPage is one page of a finding's history, the oldest first.
type EventPage struct {
	Items      []Event `json:"items"`
	NextCursor string  `json:"next_cursor"`
}

// History returns a page of the changes of a finding. Errors: findings.ErrNotFound, ErrCursor.
func (r *Reader) History(ctx context.Context, findingID string, limit int, after string) (EventPage, error) {
	limit = pageSize(limit)
	from := cursor.Place{Bind: cursor.Bind("history", findingID)}
	if after != "" {
		var err error
		if from, err = cursor.Decode(after, from.Bind); err != nil {
			return EventPage{}, err
		}
	}
	if err := r.exists(ctx, findingID); err != nil {
		return EventPage{}, err
	}
	rows, err := r.db.Read().QueryContext(ctx, `SELECT epoch, finding_seq, type, at, actor, reason, snapshot FROM finding_log
		WHERE workspace_id = $1 AND finding_id = $2 AND finding_seq > $3 ORDER BY finding_seq LIMIT $4`, store.Workspace, findingID, from.Number, limit+1)
	if err != nil {
		return EventPage{}, fmt.Errorf("read history: %w", err)
	}
	page := EventPage{Items: []Event{}}
	err = findings.Each(rows, func() error {
		if len(page.Items) == limit {
			page.NextCursor = from.Encode()
			return nil
		}
		var e Event
		var epoch int64
		var text string
		if err := rows.Scan(&epoch, &e.Sequence, &e.Type, &e.At, &e.Actor, &e.Reason, &text); err != nil {
			return err
		}
		s, err := findings.DecodeSnapshot(text)
		if err != nil {
			return err
		}
		e.ID = r.keys.EventID(findingID, e.Sequence, epoch)
		from.Number, from.ID = e.Sequence, findingID
		e.Severity, e.Status, e.Source, e.InstanceCount = s.Severity, s.Status, s.Source, s.InstanceCount
		page.Items = append(page.Items, e)
		return nil
	})
	if err != nil {
		return EventPage{}, fmt.Errorf("read history: %w", err)
	}
	return page, nil
}
