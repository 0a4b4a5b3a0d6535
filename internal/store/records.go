package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// States of the last snapshot of a stream.
const (
	SnapshotWhole       = "whole"
	SnapshotPartial     = "partial"     // some scopes were not given
	SnapshotUnavailable = "unavailable" // the app does not give the stream to this tenant now, or none of its scopes
)

// missedGone is after how many whole snapshots in a row that do not hold a record it is gone.
const missedGone = 2

// Record is one version of a row of a snapshot. It holds no personal data: who it is about is named by ActorKey.
type Record struct {
	ConnectionID, Kind, ID string
	From, To               time.Time // it stood in [From, To); a zero To: it stands now
	Stream, Scope          string
	ActorKey               string
	About                  string // JSON, masked: what a finding points to, in the words of the caller
	Fields                 string // JSON object, every string masked
	Digest                 string // keyed, of what Fields was before it was masked: another one is another version
	At                     time.Time
	SeenAt                 time.Time // the beginning of the snapshot that held it last
	Missed                 int64     // whole snapshots in a row that did not hold it since
	Before                 string    // Fields of the version that this one took the place of; empty: it appeared
}

// RecordFields decodes Fields or Before of a record. No text is no field.
func RecordFields(text string) (map[string]any, error) {
	out := map[string]any{}
	if text == "" {
		return out, nil
	}
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		return nil, fmt.Errorf("decode the fields of a record: %w", err)
	}
	return out, nil
}

const recordColumns = `r.connection_id, r.kind, r.id, r.valid_from, r.valid_to, r.stream, r.scope, r.actor_key, r.about, r.fields, r.digest, r.at, r.seen_at, r.missed, COALESCE(b.fields, '')`

// recordTable is a version beside the one that it took the place of.
const recordTable = `records r LEFT JOIN records b ON b.workspace_id = r.workspace_id AND b.connection_id = r.connection_id AND b.kind = r.kind AND b.id = r.id AND b.valid_to = r.valid_from`

func scanRecord(row interface{ Scan(...any) error }, more ...any) (Record, error) {
	var r Record
	var from, to, at, seen int64
	err := row.Scan(append([]any{&r.ConnectionID, &r.Kind, &r.ID, &from, &to, &r.Stream, &r.Scope, &r.ActorKey, &r.About, &r.Fields, &r.Digest, &at, &seen, &r.Missed, &r.Before}, more...)...)
	if err != nil {
		return r, fmt.Errorf("read record: %w", err)
	}
	r.From, r.To, r.At, r.SeenAt = FromMicros(from), FromMicros(to), FromMicros(at), FromMicros(seen)
	return r, nil
}

// Snapshot is the last snapshot of a stream, or the one that is being read.
type Snapshot struct {
	ConnectionID, Stream string
	BeganAt, EndedAt     time.Time
	WholeAt              time.Time // when the last one ended that was whole
	State                string    // of the last one that ended; empty: none has
	Missing              []string  // scopes that were not given
	Records              int64     // that stood at its end
	Rules                string    // version of the policies when it began
}

// Reading reports whether the snapshot has begun and not ended.
func (s Snapshot) Reading() bool { return s.BeganAt.After(s.EndedAt) }

const snapshotColumns = `connection_id, stream, began_at, ended_at, whole_at, state, missing, records, rules`

func scanSnapshot(row interface{ Scan(...any) error }) (Snapshot, error) {
	var s Snapshot
	var began, ended, whole int64
	var missing string
	err := row.Scan(&s.ConnectionID, &s.Stream, &began, &ended, &whole, &s.State, &missing, &s.Records, &s.Rules)
	if errors.Is(err, sql.ErrNoRows) {
		return s, fmt.Errorf("snapshot: %w", ErrNotFound)
	}
	if err != nil {
		return s, fmt.Errorf("read snapshot: %w", err)
	}
	if missing != "" {
		if err := json.Unmarshal([]byte(missing), &s.Missing); err != nil {
			return s, fmt.Errorf("decode the missing scopes of a snapshot: %w", err)
		}
	}
	s.BeganAt, s.EndedAt, s.WholeAt = FromMicros(began), FromMicros(ended), FromMicros(whole)
	return s, nil
}

// GetSnapshot returns the snapshot of a stream, or ErrNotFound.
func GetSnapshot(ctx context.Context, q Querier, connectionID, stream string) (Snapshot, error) {
	return scanSnapshot(q.QueryRowContext(ctx, `SELECT `+snapshotColumns+` FROM snapshots WHERE workspace_id = $1 AND connection_id = $2 AND stream = $3`, Workspace, connectionID, stream))
}

// Snapshots returns the snapshots of a connection, or of all connections if it is empty, by connection and stream.
func Snapshots(ctx context.Context, q Querier, connectionID string) ([]Snapshot, error) {
	rows, err := q.QueryContext(ctx, `SELECT `+snapshotColumns+` FROM snapshots WHERE workspace_id = $1 AND (connection_id = $2 OR $2 = '') ORDER BY connection_id, stream`, Workspace, connectionID)
	if err != nil {
		return nil, fmt.Errorf("list snapshots: %w", err)
	}
	return collect(rows, func(r *sql.Rows) (Snapshot, error) { return scanSnapshot(r) })
}

func putSnapshot(ctx context.Context, tx *Tx, s Snapshot) error {
	missing := ""
	if len(s.Missing) > 0 {
		b, err := json.Marshal(s.Missing)
		if err != nil {
			return fmt.Errorf("encode the missing scopes of a snapshot: %w", err)
		}
		missing = string(b)
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO snapshots (workspace_id, `+snapshotColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
		ON CONFLICT (workspace_id, connection_id, stream) DO UPDATE SET began_at = excluded.began_at, ended_at = excluded.ended_at, whole_at = excluded.whole_at, state = excluded.state,
			missing = excluded.missing, records = excluded.records, rules = excluded.rules`,
		Workspace, s.ConnectionID, s.Stream, Micros(s.BeganAt), Micros(s.EndedAt), Micros(s.WholeAt), s.State, missing, s.Records, s.Rules)
	if err != nil {
		return fmt.Errorf("store snapshot: %w", err)
	}
	return nil
}

// BeginSnapshot notes that a stream is read from its start, and returns the snapshot with its beginning, which tells this one from every other:
// it is later than that of the one before, whatever the clock says.
func BeginSnapshot(ctx context.Context, tx *Tx, connectionID, stream, rules string) (Snapshot, error) {
	s, err := GetSnapshot(ctx, tx, connectionID, stream)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return s, err
	}
	s.ConnectionID, s.Stream, s.Rules = connectionID, stream, rules
	s.BeganAt = after(tx.Now(), max(Micros(s.BeganAt), Micros(s.EndedAt)))
	return s, putSnapshot(ctx, tx, s)
}

// after is now, or just after a stored time where the clock stood still or was put back.
func after(now time.Time, stored int64) time.Time { return FromMicros(max(Micros(now), stored+1)) }

// EndSnapshot notes that a stream was read to its end, but for the scopes in missing. A record of another scope that this snapshot did not hold has
// missed one more; one that has missed two in a row ends, if absent records are gone. What ended is returned. Ending a snapshot again changes
// nothing and returns nothing, so that the caller can be killed at any moment.
func EndSnapshot(ctx context.Context, tx *Tx, s Snapshot, missing []string, absentGone bool) ([]Record, error) {
	now, err := GetSnapshot(ctx, tx, s.ConnectionID, s.Stream)
	if err != nil {
		return nil, err
	}
	if !now.Reading() || !now.BeganAt.Equal(s.BeganAt) {
		return nil, nil
	}
	args := []any{Workspace, s.ConnectionID, s.Stream, Micros(now.BeganAt)}
	unseen := ` r.workspace_id = $1 AND r.connection_id = $2 AND r.stream = $3 AND r.valid_to = 0 AND r.seen_at < $4`
	if len(missing) > 0 {
		unseen += ` AND r.scope NOT IN (` + In(&args, missing) + `)`
	}
	if _, err := tx.ExecContext(ctx, `UPDATE records AS r SET missed = missed + 1 WHERE`+unseen, args...); err != nil {
		return nil, fmt.Errorf("count what a snapshot missed: %w", err)
	}
	var ended []Record
	if absentGone {
		rows, err := tx.QueryContext(ctx, `SELECT `+recordColumns+` FROM `+recordTable+` WHERE`+unseen+fmt.Sprintf(` AND r.missed >= %d ORDER BY r.kind, r.id`, missedGone), args...)
		if err != nil {
			return nil, fmt.Errorf("list what is gone: %w", err)
		}
		if ended, err = collect(rows, func(r *sql.Rows) (Record, error) { return scanRecord(r) }); err != nil {
			return nil, err
		}
	}
	for i := range ended {
		if err := endRecord(ctx, tx, &ended[i], after(tx.Now(), Micros(ended[i].From))); err != nil {
			return nil, err
		}
	}
	var seen int64
	if err := tx.QueryRowContext(ctx, `SELECT COUNT(*), COALESCE(SUM(CASE WHEN seen_at >= $4 THEN 1 ELSE 0 END), 0) FROM records WHERE workspace_id = $1 AND connection_id = $2 AND stream = $3 AND valid_to = 0`,
		Workspace, s.ConnectionID, s.Stream, Micros(now.BeganAt)).Scan(&now.Records, &seen); err != nil {
		return nil, fmt.Errorf("count records: %w", err)
	}
	now.EndedAt, now.State, now.Missing = after(tx.Now(), Micros(now.BeganAt)-1), SnapshotWhole, missing
	switch {
	case len(missing) > 0 && seen == 0:
		now.State = SnapshotUnavailable // Whatever was asked for is not there.
	case len(missing) > 0:
		now.State = SnapshotPartial
	default:
		now.WholeAt = now.EndedAt
	}
	return ended, putSnapshot(ctx, tx, now)
}

// SnapshotNotAvailable notes that the app does not give a stream now. What was known stays as it is.
func SnapshotNotAvailable(ctx context.Context, tx *Tx, connectionID, stream string) error {
	s, err := GetSnapshot(ctx, tx, connectionID, stream)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	s.ConnectionID, s.Stream, s.State, s.Missing = connectionID, stream, SnapshotUnavailable, nil
	s.EndedAt = after(tx.Now(), Micros(s.BeganAt)-1)
	return putSnapshot(ctx, tx, s)
}

// MaxRecordIDs is how many records StandingRecords and SeeRecords take at once.
const MaxRecordIDs = 500

// RecordsByID returns those of these records that stand now, by their ids.
func RecordsByID(ctx context.Context, q Querier, connectionID, kind string, ids []string) (map[string]Record, error) {
	out := make(map[string]Record, len(ids))
	for part := range slices.Chunk(ids, MaxRecordIDs) {
		args := []any{Workspace, connectionID, kind}
		rows, err := q.QueryContext(ctx, `SELECT `+recordColumns+` FROM `+recordTable+` WHERE r.workspace_id = $1 AND r.connection_id = $2 AND r.kind = $3 AND r.valid_to = 0 AND r.id IN (`+In(&args, part)+`)`, args...)
		if err != nil {
			return nil, fmt.Errorf("read records: %w", err)
		}
		found, err := collect(rows, func(r *sql.Rows) (Record, error) { return scanRecord(r) })
		if err != nil {
			return nil, err
		}
		for _, r := range found {
			out[r.ID] = r
		}
	}
	return out, nil
}

// SeeRecords notes that a snapshot holds these records unchanged.
func SeeRecords(ctx context.Context, tx *Tx, connectionID, kind string, ids []string, began time.Time) error {
	for part := range slices.Chunk(ids, MaxRecordIDs) {
		args := []any{Micros(began), Workspace, connectionID, kind}
		_, err := tx.ExecContext(ctx, `UPDATE records SET seen_at = $1, missed = 0 WHERE workspace_id = $2 AND connection_id = $3 AND kind = $4 AND valid_to = 0 AND id IN (`+In(&args, part)+`)`, args...)
		if err != nil {
			return fmt.Errorf("note that records stand: %w", err)
		}
	}
	return nil
}

// MoveRecord stores what may change of a record without making another version of it: where it is listed, what a finding points to, who it is
// about, and its time.
func MoveRecord(ctx context.Context, tx *Tx, r Record) error {
	_, err := tx.ExecContext(ctx, `UPDATE records SET stream = $1, scope = $2, about = $3, actor_key = $4, at = $5 WHERE workspace_id = $6 AND connection_id = $7 AND kind = $8 AND id = $9 AND valid_to = 0`,
		r.Stream, r.Scope, r.About, r.ActorKey, Micros(r.At), Workspace, r.ConnectionID, r.Kind, r.ID)
	if err != nil {
		return fmt.Errorf("move record: %w", err)
	}
	return nil
}

// PutRecord stores a new version of a record in the place of old, which stands until now, or of none. It returns the version as it is stored.
func PutRecord(ctx context.Context, tx *Tx, old *Record, r Record) (Record, error) {
	var last int64
	if old != nil {
		last, r.Before = Micros(old.From), old.Fields
	} else if err := tx.QueryRowContext(ctx, `SELECT valid_to FROM records WHERE workspace_id = $1 AND connection_id = $2 AND kind = $3 AND id = $4 ORDER BY valid_from DESC LIMIT 1`,
		Workspace, r.ConnectionID, r.Kind, r.ID).Scan(&last); err != nil && !errors.Is(err, sql.ErrNoRows) {
		return r, fmt.Errorf("look for a record: %w", err)
	}
	r.From, r.To, r.Missed = after(tx.Now(), last), time.Time{}, 0
	if old != nil {
		if err := endRecord(ctx, tx, old, r.From); err != nil {
			return r, err
		}
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO records (workspace_id, connection_id, kind, id, valid_from, valid_to, stream, scope, actor_key, about, fields, digest, at, seen_at, missed)
		VALUES ($1, $2, $3, $4, $5, 0, $6, $7, $8, $9, $10, $11, $12, $13, 0)`,
		Workspace, r.ConnectionID, r.Kind, r.ID, Micros(r.From), r.Stream, r.Scope, r.ActorKey, r.About, r.Fields, r.Digest, Micros(r.At), Micros(r.SeenAt))
	if err != nil {
		return r, fmt.Errorf("store record: %w", err)
	}
	values, err := recordValues(r.Fields)
	if err != nil {
		return r, err
	}
	if len(values) == 0 {
		return r, nil
	}
	args := []any{Workspace, r.ConnectionID, r.Kind, r.ID}
	var rows strings.Builder
	for i, v := range values {
		if i > 0 {
			rows.WriteString(", ")
		}
		args = append(args, v.field, v.value)
		fmt.Fprintf(&rows, "($1, $2, $3, $%d, $%d, $4)", len(args)-1, len(args))
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO record_values (workspace_id, connection_id, kind, field, value, id) VALUES `+rows.String(), args...); err != nil {
		return r, fmt.Errorf("store the values of a record: %w", err)
	}
	return r, nil
}

// endRecord ends a version that stands.
func endRecord(ctx context.Context, tx *Tx, r *Record, at time.Time) error {
	if err := one(tx.ExecContext(ctx, `UPDATE records SET valid_to = $1 WHERE workspace_id = $2 AND connection_id = $3 AND kind = $4 AND id = $5 AND valid_from = $6 AND valid_to = 0`,
		Micros(at), Workspace, r.ConnectionID, r.Kind, r.ID, Micros(r.From)))("the end of a record"); err != nil {
		return err
	}
	r.To = at
	values, err := recordValues(r.Fields)
	if err != nil {
		return err
	}
	for _, v := range values {
		if _, err := tx.ExecContext(ctx, `DELETE FROM record_values WHERE workspace_id = $1 AND connection_id = $2 AND kind = $3 AND field = $4 AND value = $5 AND id = $6`,
			Workspace, r.ConnectionID, r.Kind, v.field, v.value, r.ID); err != nil {
			return fmt.Errorf("delete the values of a record: %w", err)
		}
	}
	return nil
}

// Bounds of record_values.
const (
	maxValues     = 64  // fields of one record
	maxValueBytes = 200 // of one value
)

type recordValue struct{ field, value string }

// recordValues are the single values of a record, as text, in the order of the fields' names.
func recordValues(fields string) ([]recordValue, error) {
	all, err := RecordFields(fields)
	if err != nil {
		return nil, err
	}
	var out []recordValue
	for field, v := range all {
		text, ok := "", true
		switch v := v.(type) {
		case string:
			text = v
		case bool:
			text = strconv.FormatBool(v)
		case float64:
			text = strconv.FormatFloat(v, 'f', -1, 64)
		default:
			ok = false
		}
		if ok && len(field) <= maxValueBytes {
			out = append(out, recordValue{cutValue(field), cutValue(text)})
		}
	}
	slices.SortFunc(out, func(a, b recordValue) int { return strings.Compare(a.field, b.field) })
	out = slices.CompactFunc(out, func(a, b recordValue) bool { return a.field == b.field })
	return out[:min(len(out), maxValues)], nil
}

// cutValue is the form in which a value is stored and looked for. Neither database takes every text.
func cutValue(s string) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
	if len(s) > maxValueBytes {
		s = strings.ToValidUTF8(s[:maxValueBytes], "")
	}
	return s
}

// CountStanding counts the records of a kind that stand now and whose field, as text, equals value. The field "id" is the record's id, the field ""
// counts all. A value is known by its first 200 bytes, a record by its first 64 fields.
func CountStanding(ctx context.Context, q Querier, connectionID, kind, field, value string) (n int64, err error) {
	query, args := `SELECT COUNT(*) FROM records WHERE workspace_id = $1 AND connection_id = $2 AND kind = $3 AND valid_to = 0`, []any{Workspace, connectionID, kind}
	switch field {
	case "":
	case "id":
		query, args = query+` AND id = $4`, append(args, cutID(value))
	default:
		query = `SELECT COUNT(*) FROM record_values WHERE workspace_id = $1 AND connection_id = $2 AND kind = $3 AND field = $4 AND value = $5`
		args = append(args, field, cutValue(value))
	}
	if err := q.QueryRowContext(ctx, query, args...).Scan(&n); err != nil {
		return 0, fmt.Errorf("count records that stand: %w", err)
	}
	return n, nil
}

// cutID makes an id one that can be asked for; one with other bytes is never stored.
func cutID(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}
