package deliver

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/outband/outband/findings"
	"github.com/outband/outband/findings/filter"
	"github.com/outband/outband/internal/store"
)

// States of a delivery.
const (
	Queued    = "queued" // to be tried at next_try_at, or once an earlier event of its finding is settled
	Delivered = "delivered"
	Parked    = "parked" // given up, with the reason; Replay queues it again
)

const (
	enqueueBatch = 200
	// maxQueued is how many events wait in the queue of a destination before the rest waits in the log.
	maxQueued = 10_000
	dueBatch  = 128
)

// delivery is one queued event.
type delivery struct {
	eventID    string
	seq        int64
	findingID  string
	tries      int64
	firstTryAt findings.Time
}

// enqueue takes the next rows of the log into the queue and moves the destination's offset, in one transaction: the offset moves only when the
// state of each event before it is durable. It reports whether the log may hold more.
func (d *Deliverer) enqueue(ctx context.Context, x Destination, f filter.Filter) (more bool, err error) {
	read := d.deps.DB.Read()
	var queued, offset int64
	if err := read.QueryRowContext(ctx, `SELECT COUNT(*) FROM deliveries WHERE workspace_id = $1 AND destination_id = $2 AND state = $3`, store.Workspace, x.ID, Queued).Scan(&queued); err != nil {
		return false, fmt.Errorf("count the queue of destination %s: %w", x.ID, err)
	}
	if queued >= maxQueued {
		return false, nil
	}
	if err := read.QueryRowContext(ctx, `SELECT seq FROM consumers WHERE workspace_id = $1 AND id = $2`, store.Workspace, consumer(x.ID)).Scan(&offset); err != nil {
		return false, fmt.Errorf("read the place of destination %s in the log: %w", x.ID, err)
	}
	type event struct {
		seq, epoch, findingSeq int64
		findingID, typ         string
		snapshot               findings.Snapshot
	}
	rows, err := read.QueryContext(ctx, `SELECT seq, epoch, finding_id, finding_seq, type, snapshot FROM finding_log WHERE workspace_id = $1 AND seq > $2 ORDER BY seq LIMIT $3`,
		store.Workspace, offset, enqueueBatch)
	if err != nil {
		return false, fmt.Errorf("read the finding log: %w", err)
	}
	var events []event
	err = findings.Each(rows, func() error {
		var e event
		var text string
		if err := rows.Scan(&e.seq, &e.epoch, &e.findingID, &e.findingSeq, &e.typ, &text); err != nil {
			return err
		}
		e.snapshot, err = findings.DecodeSnapshot(text)
		events = append(events, e)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("read the finding log: %w", err)
	}
	if len(events) == 0 {
		return false, nil
	}
	last := events[len(events)-1].seq
	more = len(events) == enqueueBatch
	wanted := events[:0]
	for _, e := range events {
		if len(f.Actor) > 0 {
			if e.snapshot.Actor, err = d.person(ctx, e.snapshot.ActorKey); err != nil {
				return false, err
			}
		}
		if f.Match(&e.snapshot.Finding) {
			wanted = append(wanted, e)
		}
	}
	err = d.deps.DB.Write(ctx, func(tx *store.Tx) error {
		now := store.Micros(d.deps.Now())
		res, err := tx.ExecContext(ctx, `UPDATE consumers SET seq = $1, updated_at = $2 WHERE workspace_id = $3 AND id = $4 AND seq = $5`, last, now, store.Workspace, consumer(x.ID), offset)
		if err != nil {
			return fmt.Errorf("move the place of destination %s in the log: %w", x.ID, err)
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			more = true // A replay has moved it meanwhile: read again from there.
			return err
		}
		for _, e := range wanted {
			// What was settled before comes again by a replay, under the same id.
			_, err := tx.ExecContext(ctx, `INSERT INTO deliveries (workspace_id, destination_id, event_id, seq, epoch, finding_id, finding_seq, type, state, tries, first_try_at, next_try_at, delivered_at, status, reason, created_at, updated_at)
				VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, 0, $10, 0, 0, '', $10, $10)
				ON CONFLICT (workspace_id, destination_id, event_id) DO UPDATE SET state = excluded.state, tries = 0, first_try_at = 0, next_try_at = excluded.next_try_at, updated_at = excluded.updated_at
				WHERE deliveries.state <> excluded.state`,
				store.Workspace, x.ID, d.deps.Keys.EventID(e.findingID, e.findingSeq, e.epoch), e.seq, e.epoch, e.findingID, e.findingSeq, e.typ, Queued, now)
			if err != nil {
				return fmt.Errorf("queue an event for destination %s: %w", x.ID, err)
			}
		}
		return nil
	})
	return more, err
}

// heads selects the queued events that no earlier queued event of their finding holds back. A parked one holds nothing.
const heads = ` FROM deliveries d WHERE d.workspace_id = $1 AND d.destination_id = $2 AND d.state = $3 AND NOT EXISTS (
	SELECT 1 FROM deliveries e WHERE e.workspace_id = $1 AND e.destination_id = $2 AND e.finding_id = d.finding_id AND e.state = $3 AND e.seq < d.seq)`

// due returns events to send now. Those never tried come first, so that some that always fail cannot take every turn.
func (d *Deliverer) due(ctx context.Context, destinationID string) ([]delivery, error) {
	rows, err := d.deps.DB.Read().QueryContext(ctx, `SELECT d.event_id, d.seq, d.finding_id, d.tries, d.first_try_at`+heads+` AND d.next_try_at <= $4 ORDER BY d.tries, d.seq LIMIT $5`,
		store.Workspace, destinationID, Queued, store.Micros(d.deps.Now()), dueBatch)
	if err != nil {
		return nil, fmt.Errorf("read the queue of destination %s: %w", destinationID, err)
	}
	var out []delivery
	err = findings.Each(rows, func() error {
		var x delivery
		err := rows.Scan(&x.eventID, &x.seq, &x.findingID, &x.tries, &x.firstTryAt)
		out = append(out, x)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the queue of destination %s: %w", destinationID, err)
	}
	return out, nil
}

// nextDue returns when the next queued event is due; zero: the queue is empty.
func (d *Deliverer) nextDue(ctx context.Context, destinationID string) (time.Time, error) {
	var at int64
	if err := d.deps.DB.Read().QueryRowContext(ctx, `SELECT COALESCE(MIN(d.next_try_at), 0)`+heads, store.Workspace, destinationID, Queued).Scan(&at); err != nil {
		return time.Time{}, fmt.Errorf("read the queue of destination %s: %w", destinationID, err)
	}
	return store.FromMicros(at), nil
}

// settle makes the outcome of tries durable. It is done although ctx has ended: what was delivered need not be sent again.
func (d *Deliverer) settle(ctx context.Context, destinationID string, outcomes []outcome, state, message string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	return d.deps.DB.Write(ctx, func(tx *store.Tx) error {
		now := store.Micros(d.deps.Now())
		for _, o := range outcomes {
			delivered := int64(0)
			if o.state == Delivered {
				delivered = now
			}
			_, err := tx.ExecContext(ctx, `UPDATE deliveries SET state = $1, tries = $2, first_try_at = $3, next_try_at = $4, delivered_at = $5, status = $6, reason = $7, updated_at = $8
				WHERE workspace_id = $9 AND destination_id = $10 AND event_id = $11`,
				o.state, o.tries, int64(o.firstTryAt), store.Micros(o.nextTryAt), delivered, o.answer.status, o.answer.reason, now, store.Workspace, destinationID, o.eventID)
			if err != nil {
				return fmt.Errorf("store the outcome for destination %s: %w", destinationID, err)
			}
		}
		if state == "" {
			return nil
		}
		_, err := tx.ExecContext(ctx, `UPDATE destinations SET state = $1, state_message = $2, updated_at = $3 WHERE workspace_id = $4 AND id = $5 AND deleted_at = 0 AND state <> $6`,
			state, message, now, store.Workspace, destinationID, StateDisabled)
		if err != nil {
			return fmt.Errorf("store the state of destination %s: %w", destinationID, err)
		}
		return nil
	})
}

// body renders a queued event from the log. gone is true if the log does not hold it any more.
func (d *Deliverer) body(ctx context.Context, x delivery) (body []byte, gone bool, err error) {
	read := d.deps.DB.Read()
	var typ, text string
	var at findings.Time
	err = read.QueryRowContext(ctx, `SELECT type, at, snapshot FROM finding_log WHERE workspace_id = $1 AND seq = $2 AND finding_id = $3`, store.Workspace, x.seq, x.findingID).Scan(&typ, &at, &text)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, true, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("read event: %w", err)
	}
	s, err := findings.DecodeSnapshot(text)
	if err != nil {
		return nil, false, err
	}
	if s.Actor, err = d.person(ctx, s.ActorKey); err != nil {
		return nil, false, err
	}
	if d.deps.PublicURL != "" {
		s.Link = d.deps.PublicURL + "/findings/" + s.ID
	}
	// The newest ones that were there at the time of the change, so that every try sends the same.
	rows, err := read.QueryContext(ctx, `SELECT `+findings.InstanceColumns+` FROM instances WHERE workspace_id = $1 AND finding_id = $2 AND first_seen_at <= $3 ORDER BY first_seen_at DESC, id DESC LIMIT $4`,
		store.Workspace, x.findingID, int64(at), maxInstances)
	if err != nil {
		return nil, false, fmt.Errorf("read instances: %w", err)
	}
	err = findings.Each(rows, func() error {
		in, err := findings.ScanInstance(rows)
		s.Instances = append(s.Instances, in)
		return err
	})
	if err != nil {
		return nil, false, fmt.Errorf("read instances: %w", err)
	}
	body, err = render(typ, at, s.Finding)
	return body, false, err
}

// person reads who a key stands for; an erased or unknown one is nobody.
func (d *Deliverer) person(ctx context.Context, key string) (findings.Person, error) {
	var p findings.Person
	err := d.deps.DB.Read().QueryRowContext(ctx, `SELECT vendor_id, email FROM actors WHERE workspace_id = $1 AND key = $2`, store.Workspace, key).Scan(&p.ID, &p.Email)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return p, fmt.Errorf("read actor: %w", err)
	}
	return p, nil
}

// Depth is how much waits for a destination.
type Depth struct {
	DestinationID  string
	Queued, Parked int64 // events
	Behind         int64 // rows of the finding log that were not looked at yet
}

// Depths returns what waits for each destination.
func Depths(ctx context.Context, q store.Querier) (out []Depth, err error) {
	all, err := List(ctx, q)
	if err != nil {
		return nil, err
	}
	end, err := findings.LogEnd(ctx, q)
	if err != nil {
		return nil, err
	}
	for _, x := range all {
		d := Depth{DestinationID: x.ID}
		for state, n := range map[string]*int64{Queued: &d.Queued, Parked: &d.Parked} {
			if err := q.QueryRowContext(ctx, `SELECT COUNT(*) FROM deliveries WHERE workspace_id = $1 AND destination_id = $2 AND state = $3`, store.Workspace, x.ID, state).Scan(n); err != nil {
				return nil, fmt.Errorf("count the queue of destination %s: %w", x.ID, err)
			}
		}
		var offset int64
		err := q.QueryRowContext(ctx, `SELECT seq FROM consumers WHERE workspace_id = $1 AND id = $2`, store.Workspace, consumer(x.ID)).Scan(&offset)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return nil, fmt.Errorf("read the place of destination %s in the log: %w", x.ID, err)
		}
		d.Behind = max(end-offset, 0)
		out = append(out, d)
	}
	return out, nil
}
