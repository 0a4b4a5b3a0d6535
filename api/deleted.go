package api

import (
	"context"

	"github.com/outband/outband/findings"
	"github.com/outband/outband/internal/store"
)

// Deleted is something that a user deleted before it was scanned, whole or in part.
type Deleted struct {
	ConnectionID string          `json:"connection_id"`
	Stream       string          `json:"stream"`
	Kind         string          `json:"kind" doc:"chat, file, …"`
	ID           string          `json:"id" doc:"The app's own."`
	Actor        findings.Person `json:"actor" doc:"Whose it was; empty where the app did not say."`
	Whole        bool            `json:"whole" doc:"Nothing of it was scanned; false: what was there before was."`
	At           *string         `json:"at" format:"date-time" doc:"The app's time of it; null: not known."`
	DeletedAt    *string         `json:"deleted_at" format:"date-time" doc:"When it was deleted; where only its absence told of it, when that was seen."`
}

// DeletedInput narrows the list of what was deleted.
type DeletedInput struct {
	ListInput
	ConnectionID string `query:"connection_id" maxLength:"128" doc:"Absent: of all connections."`
}

// listDeleted lists what was deleted before a scan. It names people, so that a read of it is one of evidence.
func (a *API) listDeleted(ctx context.Context, in *DeletedInput) (*ListOutput[Deleted], error) {
	q := a.d.DB.Read()
	place, err := placeOf(in.ListInput, "deleted", in.ConnectionID)
	if err != nil {
		return nil, err
	}
	all, err := store.ListDeleted(ctx, q, in.ConnectionID, store.FromMicros(place.Number), place.ID, in.Limit+1)
	if err != nil {
		return nil, err
	}
	object := in.ConnectionID
	if object == "" {
		object = "connections"
	}
	if err := a.auditRead(ctx, "coverage.deleted", object, nil); err != nil {
		return nil, err
	}
	return page(all, in.Limit, func(i store.Item) (Deleted, error) {
		who, err := findings.GetActor(ctx, q, i.ActorKey)
		return Deleted{
			ConnectionID: i.ConnectionID, Stream: i.Stream, Kind: i.Kind, ID: i.ID, Actor: findings.Person{ID: who.ID, Email: who.Email}, At: stamp(i.At), Whole: i.State == store.ItemSkipped, DeletedAt: stamp(i.DeletedAt),
		}, err
	}, func(last store.Item) string {
		place.Number, place.ID = store.Micros(last.DeletedAt), last.ID
		return place.Encode()
	})
}
