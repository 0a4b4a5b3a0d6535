package api

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/outband/outband/findings"
	"github.com/outband/outband/findings/cursor"
	"github.com/outband/outband/internal/store"
)

// Record is one version of a row of a snapshot: a user, a role, a setting, a key.
type Record struct {
	ConnectionID string            `json:"connection_id"`
	Kind         string            `json:"kind"`
	ID           string            `json:"id" doc:"The vendor's own, or made of the vendor's own."`
	Stream       string            `json:"stream"`
	Scope        string            `json:"scope" doc:"The part of the snapshot in which it is listed, such as an organisation."`
	ValidFrom    *string           `json:"valid_from" format:"date-time" doc:"When Outband first read it so."`
	ValidTo      *string           `json:"valid_to" format:"date-time" doc:"When Outband read it otherwise, or found it gone; null: it stands."`
	SeenAt       *string           `json:"seen_at" format:"date-time" doc:"The beginning of the last snapshot that held it so."`
	Fields       map[string]any    `json:"fields" doc:"What a detector finds in a text is masked."`
	Resource     findings.Resource `json:"resource" doc:"What a finding about it points to."`
	Actor        RecordActor       `json:"actor" doc:"Who it is about, or who made it, by the names of today."`
}

// RecordActor is the person of a record. It is read from the one table of people when it is asked for, so that erasing a person is one row.
type RecordActor struct {
	ID    string `json:"id"`
	Email string `json:"email"`
	Name  string `json:"name"`
	Type  string `json:"type"`
}

// RecordChange is one difference between two snapshots.
type RecordChange struct {
	Type         string            `json:"type" enum:"appeared,changed,ended"`
	At           *string           `json:"at" format:"date-time" doc:"When Outband read it."`
	ConnectionID string            `json:"connection_id"`
	Kind         string            `json:"kind"`
	ID           string            `json:"id"`
	Stream       string            `json:"stream"`
	Scope        string            `json:"scope"`
	Before       map[string]any    `json:"before" doc:"Empty for what appeared."`
	After        map[string]any    `json:"after" doc:"Empty for what ended."`
	Resource     findings.Resource `json:"resource"`
	Actor        RecordActor       `json:"actor"`
}

// RecordsInput asks for records as of a time.
type RecordsInput struct {
	ListInput
	ConnectionID string    `query:"connection_id" required:"true" maxLength:"128"`
	Kind         string    `query:"kind" maxLength:"64" doc:"Such as user, role or setting. Absent: of all kinds."`
	ID           string    `query:"id" maxLength:"512" doc:"One record."`
	AsOf         time.Time `query:"as_of" doc:"As they were then. Absent: now."`
}

// RecordHistoryInput names a record.
type RecordHistoryInput struct {
	ListInput
	ConnectionID string `query:"connection_id" required:"true" maxLength:"128"`
	Kind         string `query:"kind" required:"true" minLength:"1" maxLength:"64"`
	ID           string `query:"id" required:"true" minLength:"1" maxLength:"512"`
}

// RecordChangesInput asks for changes in a span of time.
type RecordChangesInput struct {
	ListInput
	ConnectionID string    `query:"connection_id" required:"true" maxLength:"128"`
	From         time.Time `query:"from" doc:"Read at this time or later."`
	To           time.Time `query:"to" doc:"Read before this time."`
}

// rendering renders records; the people in them are looked up once.
type rendering struct {
	ctx    context.Context
	q      store.Querier
	people map[string]RecordActor
}

func (a *API) rendering(ctx context.Context) *rendering {
	return &rendering{ctx, a.d.DB.Read(), map[string]RecordActor{}}
}

func (r *rendering) actor(key string) (RecordActor, error) {
	if known, ok := r.people[key]; ok {
		return known, nil
	}
	p, err := findings.GetActor(r.ctx, r.q, key)
	if err != nil {
		return RecordActor{}, err
	}
	r.people[key] = RecordActor{p.ID, p.Email, p.Name, p.Type}
	return r.people[key], nil
}

func (r *rendering) record(s store.Record) (Record, error) {
	out := Record{
		ConnectionID: s.ConnectionID, Kind: s.Kind, ID: s.ID, Stream: s.Stream, Scope: s.Scope, ValidFrom: stamp(s.From), ValidTo: stamp(s.To), SeenAt: stamp(s.SeenAt),
	}
	var err error
	if out.Fields, err = store.RecordFields(s.Fields); err != nil {
		return out, err
	}
	if err := json.Unmarshal([]byte(s.About), &out.Resource); err != nil {
		return out, fmt.Errorf("decode what a record is about: %w", err)
	}
	out.Actor, err = r.actor(s.ActorKey)
	return out, err
}

func (r *rendering) change(c store.RecordChange) (RecordChange, error) {
	now, err := r.record(c.Record)
	if err != nil {
		return RecordChange{}, err
	}
	out := RecordChange{
		Type: c.Type, At: stamp(c.At), ConnectionID: now.ConnectionID, Kind: now.Kind, ID: now.ID, Stream: now.Stream, Scope: now.Scope, After: now.Fields, Resource: now.Resource, Actor: now.Actor,
	}
	if c.Type == store.RecordEnded {
		out.Before, out.After = now.Fields, map[string]any{}
		return out, nil
	}
	out.Before, err = store.RecordFields(c.Before)
	return out, err
}

// records begins a question about the records of a connection: it must be there, its cursor must fit, and the read is audited before it is answered
// (invariant 11). The audit holds what was asked for, not whose record it was.
func (a *API) records(ctx context.Context, in ListInput, connectionID, action string, detail map[string]string, bind ...any) (cursor.Place, error) {
	if _, err := store.GetConnection(ctx, a.d.DB.Read(), connectionID); err != nil {
		return cursor.Place{}, err
	}
	place, err := placeOf(in, append([]any{action, connectionID}, bind...)...)
	if err != nil {
		return place, err
	}
	return place, a.auditRead(ctx, action, connectionID, detail)
}

func (a *API) listRecords(ctx context.Context, in *RecordsInput) (*ListOutput[Record], error) {
	detail := map[string]string{"kind": in.Kind}
	if !in.AsOf.IsZero() {
		detail["as_of"] = findings.TimeOf(in.AsOf).String()
	}
	place, err := a.records(ctx, in.ListInput, in.ConnectionID, "record.list", detail, in.Kind, in.ID, store.Micros(in.AsOf))
	if err != nil {
		return nil, err
	}
	all, err := store.Records(ctx, a.d.DB.Read(), store.RecordQuery{
		ConnectionID: in.ConnectionID, Kind: in.Kind, ID: in.ID, At: in.AsOf, AfterKind: place.Text, AfterID: place.ID, Limit: in.Limit + 1,
	})
	if err != nil {
		return nil, err
	}
	return page(all, in.Limit, a.rendering(ctx).record, func(last store.Record) string {
		place.Text, place.ID = last.Kind, last.ID
		return place.Encode()
	})
}

func (a *API) recordHistory(ctx context.Context, in *RecordHistoryInput) (*ListOutput[Record], error) {
	place, err := a.records(ctx, in.ListInput, in.ConnectionID, "record.history", map[string]string{"kind": in.Kind}, in.Kind, in.ID)
	if err != nil {
		return nil, err
	}
	all, err := store.RecordHistory(ctx, a.d.DB.Read(), in.ConnectionID, in.Kind, in.ID, store.FromMicros(place.Number), in.Limit+1)
	if err != nil {
		return nil, err
	}
	return page(all, in.Limit, a.rendering(ctx).record, func(last store.Record) string {
		place.Number, place.ID = store.Micros(last.From), last.ID
		return place.Encode()
	})
}

func (a *API) recordChanges(ctx context.Context, in *RecordChangesInput) (*ListOutput[RecordChange], error) {
	place, err := a.records(ctx, in.ListInput, in.ConnectionID, "record.changes", nil, store.Micros(in.From), store.Micros(in.To))
	if err != nil {
		return nil, err
	}
	all, err := store.RecordChanges(ctx, a.d.DB.Read(), store.ChangeQuery{
		ConnectionID: in.ConnectionID, From: in.From, To: in.To, AfterAt: store.FromMicros(place.Number), AfterKind: place.Text, AfterID: place.ID, Limit: in.Limit + 1,
	})
	if err != nil {
		return nil, err
	}
	return page(all, in.Limit, a.rendering(ctx).change, func(last store.RecordChange) string {
		place.Number, place.Text, place.ID = store.Micros(last.At), last.Kind, last.ID
		return place.Encode()
	})
}
