package deliver

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"

	"github.com/outband/outband/findings"
	"github.com/outband/outband/findings/cursor"
	"github.com/outband/outband/internal/store"
)

// Delivery is one event and what became of it.
type Delivery struct {
	EventID     string        `json:"event_id"` // the webhook-id
	FindingID   string        `json:"finding_id"`
	Seq         int64         `json:"seq"` // of the finding log
	Type        string        `json:"type"`
	State       string        `json:"state"` // queued, delivered, parked
	Tries       int64         `json:"tries"`
	Status      int           `json:"status"` // of the last answer; 0: none
	Reason      string        `json:"reason"` // of the last failure
	NextTryAt   findings.Time `json:"next_try_at,omitzero"`
	DeliveredAt findings.Time `json:"delivered_at,omitzero"`
	CreatedAt   findings.Time `json:"created_at"` // when it was queued first
	UpdatedAt   findings.Time `json:"updated_at"` // of the last try or replay
}

// deliveryColumns are the columns of deliveries, as d, that scanDelivery reads.
const deliveryColumns = `d.event_id, d.finding_id, d.seq, d.type, d.state, d.tries, d.status, d.reason, d.next_try_at, d.delivered_at, d.created_at, d.updated_at`

func scanDelivery(rows *sql.Rows, more ...any) (Delivery, error) {
	var x Delivery
	err := rows.Scan(append([]any{&x.EventID, &x.FindingID, &x.Seq, &x.Type, &x.State, &x.Tries, &x.Status, &x.Reason, &x.NextTryAt, &x.DeliveredAt, &x.CreatedAt, &x.UpdatedAt}, more...)...)
	if x.State != Queued {
		x.NextTryAt = 0
	}
	return x, err
}

// DeliveryPage is one page of deliveries.
type DeliveryPage struct {
	Items      []Delivery `json:"items"`
	NextCursor string     `json:"next_cursor"`
}

// Limits of a page.
const (
	defaultPage = 50
	maxPage     = 500
)

func pageSize(limit int) int {
	if limit <= 0 {
		return defaultPage
	}
	return min(limit, maxPage)
}

// Deliveries returns a page of a destination's deliveries, the newest event first; state may be empty for all. limit is 1 to 500, 0 means 50.
// Errors: ErrNotFound, cursor.Err.
func Deliveries(ctx context.Context, q store.Querier, destinationID, state string, limit int, after string) (DeliveryPage, error) {
	if _, err := Get(ctx, q, destinationID); err != nil {
		return DeliveryPage{}, err
	}
	limit = pageSize(limit)
	place := cursor.Place{Bind: cursor.Bind("deliveries", destinationID, state)}
	where, args := "", []any{store.Workspace, destinationID, limit + 1}
	if after != "" {
		var err error
		if place, err = cursor.Decode(after, place.Bind); err != nil {
			return DeliveryPage{}, err
		}
		args = append(args, place.Number)
		where += ` AND d.seq < $4`
	}
	if state != "" {
		args = append(args, state)
		where += ` AND d.state = $` + strconv.Itoa(len(args))
	}
	rows, err := q.QueryContext(ctx, `SELECT `+deliveryColumns+` FROM deliveries d WHERE d.workspace_id = $1 AND d.destination_id = $2`+where+` ORDER BY d.seq DESC LIMIT $3`, args...)
	if err != nil {
		return DeliveryPage{}, fmt.Errorf("list deliveries: %w", err)
	}
	page := DeliveryPage{Items: []Delivery{}}
	err = findings.Each(rows, func() error {
		if len(page.Items) == limit {
			page.NextCursor = place.Encode()
			return nil
		}
		x, err := scanDelivery(rows)
		if err != nil {
			return err
		}
		place.Number, place.ID = x.Seq, x.EventID
		page.Items = append(page.Items, x)
		return nil
	})
	if err != nil {
		return DeliveryPage{}, fmt.Errorf("list deliveries: %w", err)
	}
	return page, nil
}

// Recipient is the destination of a delivery.
type Recipient struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Removed bool   `json:"removed"` // the destination is gone; its deliveries stay until they are purged
}

// FindingDelivery is a delivery with where it goes.
type FindingDelivery struct {
	Destination Recipient `json:"destination"`
	Delivery
}

// FindingDeliveryPage is one page of the deliveries of a finding.
type FindingDeliveryPage struct {
	Items      []FindingDelivery `json:"items"`
	NextCursor string            `json:"next_cursor"`
}

// OfFinding returns a page of the deliveries of a finding to all destinations, the newest event first and then by destination. limit is 1 to 500,
// 0 means 50. Errors: findings.ErrNotFound, cursor.Err.
func OfFinding(ctx context.Context, q store.Querier, findingID string, limit int, after string) (FindingDeliveryPage, error) {
	limit = pageSize(limit)
	place := cursor.Place{Bind: cursor.Bind("finding deliveries", findingID)}
	where, args := "", []any{store.Workspace, findingID, limit + 1}
	if after != "" {
		var err error
		if place, err = cursor.Decode(after, place.Bind); err != nil {
			return FindingDeliveryPage{}, err
		}
		args = append(args, place.Number, place.ID)
		where = ` AND (+d.seq < $4 OR +d.seq = $4 AND d.destination_id > $5)` // The plus keeps SQLite from the index by seq: a finding has few.
	}
	var known int
	err := q.QueryRowContext(ctx, `SELECT 1 FROM findings WHERE workspace_id = $1 AND id = $2`, store.Workspace, findingID).Scan(&known)
	if errors.Is(err, sql.ErrNoRows) {
		return FindingDeliveryPage{}, findings.ErrNotFound
	}
	if err != nil {
		return FindingDeliveryPage{}, fmt.Errorf("read finding: %w", err)
	}
	// By way of the few destinations, since the index of deliveries begins with theirs; SQLite keeps to the order of a cross join.
	rows, err := q.QueryContext(ctx, `SELECT `+deliveryColumns+`, x.id, x.name, x.deleted_at FROM destinations x CROSS JOIN deliveries d
		WHERE x.workspace_id = $1 AND d.workspace_id = $1 AND d.destination_id = x.id AND d.finding_id = $2`+where+` ORDER BY d.seq DESC, d.destination_id LIMIT $3`, args...)
	if err != nil {
		return FindingDeliveryPage{}, fmt.Errorf("list the deliveries of finding %s: %w", findingID, err)
	}
	page := FindingDeliveryPage{Items: []FindingDelivery{}}
	err = findings.Each(rows, func() error {
		if len(page.Items) == limit {
			page.NextCursor = place.Encode()
			return nil
		}
		var to Recipient
		var deleted findings.Time
		x, err := scanDelivery(rows, &to.ID, &to.Name, &deleted)
		if err != nil {
			return err
		}
		to.Removed = deleted != 0
		place.Number, place.ID = x.Seq, to.ID
		page.Items = append(page.Items, FindingDelivery{Destination: to, Delivery: x})
		return nil
	})
	if err != nil {
		return FindingDeliveryPage{}, fmt.Errorf("list the deliveries of finding %s: %w", findingID, err)
	}
	return page, nil
}
