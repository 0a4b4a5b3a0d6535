package api

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"net/http"

	"github.com/outband/outband/api/problem"
	"github.com/outband/outband/findings/deliver"
	"github.com/outband/outband/findings/filter"
	"github.com/outband/outband/internal/secret"
	"github.com/outband/outband/internal/store"
)

// Destination is where findings are sent. Its signing key is not in it (invariant 8).
type Destination struct {
	ID           string            `json:"id"`
	Name         string            `json:"name"`
	Kind         string            `json:"kind" enum:"webhook"`
	Config       DestinationConfig `json:"config"`
	Filter       string            `json:"filter" doc:"Which findings are sent; empty: all."`
	State        string            `json:"state" enum:"active,failing,disabled"`
	StateMessage string            `json:"state_message"`
	Secrets      Secrets           `json:"secrets" doc:"By field. What is stored, never the secret itself."`
	CreatedAt    string            `json:"created_at" format:"date-time"`
	UpdatedAt    string            `json:"updated_at" format:"date-time"`
}

// DestinationConfig says where and how events are sent.
type DestinationConfig struct {
	URL    string `json:"url" minLength:"1" maxLength:"2048"`
	Format string `json:"format,omitempty" enum:"native" doc:"Absent: native."`
	Auth   string `json:"auth,omitempty" enum:"standard_webhooks" doc:"Absent: standard_webhooks."`
}

func (c DestinationConfig) config() deliver.Config {
	return deliver.Config{URL: c.URL, Format: c.Format, Auth: c.Auth}
}

// NewDestination is a destination that was just made.
type NewDestination struct {
	Destination
	SigningKey string `json:"signing_key,omitempty" doc:"The key that was made because none was given. It is shown this once."`
}

// destination is the public form of a destination, with what is known of its key.
func (a *API) destination(ctx context.Context, x deliver.Destination) (Destination, error) {
	secrets, err := a.secrets(ctx, x.ID, deliver.FieldSigningKey)
	return Destination{
		ID: x.ID, Name: x.Name, Kind: x.Kind, Config: DestinationConfig{URL: x.Config.URL, Format: x.Config.Format, Auth: x.Config.Auth}, Filter: x.Filter,
		State: x.State, StateMessage: x.StateMessage, Secrets: secrets, CreatedAt: x.CreatedAt.String(), UpdatedAt: x.UpdatedAt.String(),
	}, err
}

// DestinationSecrets are the secrets of a destination.
type DestinationSecrets struct {
	SigningKey string `json:"signing_key,omitempty" maxLength:"256" doc:"whsec_ and the base64 of 24 to 64 bytes."`
}

// CreateDestinationInput is a new destination.
type CreateDestinationInput struct {
	Body struct {
		Name    string             `json:"name" minLength:"1" maxLength:"120"`
		Kind    string             `json:"kind,omitempty" enum:"webhook" doc:"Absent: webhook."`
		Config  DestinationConfig  `json:"config"`
		Secrets DestinationSecrets `json:"secrets,omitzero" writeOnly:"true"`
		Filter  string             `json:"filter,omitempty" maxLength:"4096"`
	}
}

// UpdateDestinationInput changes what is in it.
type UpdateDestinationInput struct {
	IDInput
	Body struct {
		Name    *string            `json:"name,omitempty" minLength:"1" maxLength:"120"`
		Config  *DestinationConfig `json:"config,omitempty" doc:"Replaces the whole."`
		Secrets DestinationSecrets `json:"secrets,omitzero" writeOnly:"true"`
		Filter  *string            `json:"filter,omitempty" maxLength:"4096"`
		State   *string            `json:"state,omitempty" enum:"active,disabled"`
	}
}

// TestDestinationInput is a destination that only gets a test event.
type TestDestinationInput struct {
	Body struct {
		ID      string             `json:"id,omitempty" maxLength:"128" doc:"A saved destination, whose key is used where none is given."`
		Config  DestinationConfig  `json:"config"`
		Secrets DestinationSecrets `json:"secrets,omitzero" writeOnly:"true"`
	}
}

// DestinationTest is what a test event met.
type DestinationTest struct {
	OK      bool   `json:"ok"`
	Status  int    `json:"status" doc:"Of the receiver's answer; 0: there was none."`
	Message string `json:"message"`
}

func (a *API) listDestinations(ctx context.Context, in *ListInput) (*ListOutput[Destination], error) {
	all, err := deliver.List(ctx, a.d.DB.Read())
	if err != nil {
		return nil, err
	}
	page, err := paginate("destinations", all, func(x deliver.Destination) string { return sortKey(x.CreatedAt.Time(), x.ID) }, *in)
	if err != nil {
		return nil, err
	}
	out := make([]Destination, 0, len(page.Body.Items))
	for _, x := range page.Body.Items {
		public, err := a.destination(ctx, x)
		if err != nil {
			return nil, err
		}
		out = append(out, public)
	}
	return listed(out, page.Body.NextCursor), nil
}

func (a *API) getDestination(ctx context.Context, in *IDInput) (*Output[Destination], error) {
	x, err := deliver.Get(ctx, a.d.DB.Read(), in.ID)
	if err != nil {
		return nil, err
	}
	public, err := a.destination(ctx, x)
	if err != nil {
		return nil, err
	}
	return &Output[Destination]{public}, nil
}

func (a *API) createDestination(ctx context.Context, in *CreateDestinationInput) (*Output[NewDestination], error) {
	b := &in.Body
	if err := a.checkDestination(&b.Config, &b.Filter, &b.Name); err != nil {
		return nil, err
	}
	spec := deliver.Spec{Name: b.Name, Kind: b.Kind, Config: b.Config.config(), Filter: b.Filter}
	if b.Secrets.SigningKey != "" {
		spec.SigningKey = secret.NewValue(b.Secrets.SigningKey)
	}
	var x deliver.Destination
	var made secret.Value
	err := a.d.DB.Write(ctx, func(tx *store.Tx) (err error) {
		if x, made, err = a.dests.Create(ctx, tx, spec); err != nil {
			return err
		}
		return audit(ctx, tx, "destination.create", x.ID, nil)
	})
	if err != nil {
		return nil, destinationProblem(err)
	}
	if err := a.d.Runner.DestinationSaved(ctx, x.ID); err != nil {
		return nil, a.undoDestination(ctx, x.ID, err)
	}
	public, err := a.destination(ctx, x)
	if err != nil {
		return nil, err
	}
	return &Output[NewDestination]{NewDestination{Destination: public, SigningKey: made.Reveal()}}, nil
}

// undoDestination takes back a destination that the engine could not be told of, so that the request can be sent again.
func (a *API) undoDestination(ctx context.Context, destinationID string, cause error) error {
	a.d.Log.Error("destination taken back", "destination", destinationID, "code", problem.CodeEngine, "err", cause)
	ctx = context.WithoutCancel(ctx)
	err := a.d.DB.Write(ctx, func(tx *store.Tx) error {
		if err := deliver.Delete(ctx, tx, destinationID); err != nil {
			return err
		}
		return audit(ctx, tx, "destination.delete", destinationID, map[string]string{"code": problem.CodeEngine})
	})
	if err != nil {
		return err
	}
	return problem.New(http.StatusServiceUnavailable, problem.CodeEngine, "The engine did not answer, so nothing was stored. Send the request again.")
}

func (a *API) updateDestination(ctx context.Context, in *UpdateDestinationInput) (*Output[Destination], error) {
	b := &in.Body
	if err := a.checkDestination(b.Config, b.Filter, b.Name); err != nil {
		return nil, err
	}
	p := deliver.Patch{Name: b.Name, Filter: b.Filter, State: b.State}
	changed := map[string]string{}
	if b.Config != nil {
		c := b.Config.config()
		p.Config, changed["config"] = &c, "changed"
	}
	if b.Secrets.SigningKey != "" {
		v := secret.NewValue(b.Secrets.SigningKey)
		p.SigningKey, changed["secrets"] = &v, "changed"
	}
	if b.State != nil {
		changed["state"] = *b.State
	}
	var x deliver.Destination
	err := a.d.DB.Write(ctx, func(tx *store.Tx) (err error) {
		if x, err = a.dests.Update(ctx, tx, in.ID, p); err != nil {
			return err
		}
		return audit(ctx, tx, "destination.update", x.ID, changed)
	})
	if err != nil {
		return nil, destinationProblem(err)
	}
	if err := a.d.Runner.DestinationSaved(ctx, x.ID); err != nil {
		return nil, a.engineDown("destination", x.ID, err)
	}
	public, err := a.destination(ctx, x)
	if err != nil {
		return nil, err
	}
	return &Output[Destination]{public}, nil
}

// checkDestination checks what can be checked before the store is asked, so that an answer names the input.
func (a *API) checkDestination(c *DestinationConfig, filterText, title *string) error {
	var wrong []problem.Field
	if c != nil {
		// Invariant 10: an address that may not be called is not even saved.
		if err := a.d.CheckURL(c.URL); err != nil {
			wrong = append(wrong, problem.Field{Location: "body.config.url", Message: err.Error()})
		}
	}
	if filterText != nil {
		if _, err := filter.Parse(*filterText); err != nil {
			wrong = append(wrong, problem.Field{Location: "body.filter", Message: err.Error()})
		}
	}
	if title != nil {
		wrong = append(wrong, name(*title)...)
	}
	if len(wrong) > 0 {
		return problem.Invalid(wrong...)
	}
	return nil
}

// destinationProblem says why a destination was refused.
func destinationProblem(err error) error {
	switch {
	case errors.Is(err, deliver.ErrSigningKey):
		return problem.Invalid(problem.Field{Location: "body.secrets.signing_key", Message: err.Error()})
	case errors.Is(err, deliver.ErrInvalid):
		return problem.Invalid(problem.Field{Location: "body", Message: err.Error()})
	case errors.Is(err, filter.ErrFilter):
		return problem.Invalid(problem.Field{Location: "body.filter", Message: err.Error()})
	}
	return err
}

func (a *API) deleteDestination(ctx context.Context, in *IDInput) error {
	err := a.d.DB.Write(ctx, func(tx *store.Tx) error {
		if err := deliver.Delete(ctx, tx, in.ID); err != nil {
			return err
		}
		return audit(ctx, tx, "destination.delete", in.ID, nil)
	})
	if err != nil {
		return err
	}
	if err := a.d.Runner.DestinationRemoved(ctx, in.ID); err != nil {
		// Its key is gone, so nothing is sent any more; what still runs ends when it looks for the destination.
		a.d.Log.Error("delivery not ended", "destination", in.ID, "code", problem.CodeEngine, "err", err)
	}
	return nil
}

func (a *API) testDestination(ctx context.Context, in *TestDestinationInput) (*Output[DestinationTest], error) {
	b := &in.Body
	if err := a.checkDestination(&b.Config, nil, nil); err != nil {
		return nil, err
	}
	key, err := a.testKey(ctx, b.ID, b.Secrets.SigningKey)
	if err != nil {
		return nil, err
	}
	object := b.ID
	if object == "" {
		object = "unsaved"
	}
	// Invariant 11: a test uses a key, so it is noted before it is made.
	if err := a.auditRead(ctx, "destination.test", object, nil); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, a.cfg.TestTimeout)
	defer cancel()
	got, err := a.d.Deliverer.SendTest(ctx, b.Config.URL, key)
	if err != nil {
		return nil, destinationProblem(err)
	}
	return &Output[DestinationTest]{DestinationTest{OK: got.OK, Status: got.Status, Message: got.Message}}, nil
}

// testKey is the given key, else the one that is stored, else one that is made for this test only.
func (a *API) testKey(ctx context.Context, destinationID, given string) (secret.Value, error) {
	switch {
	case destinationID != "":
		x, err := deliver.Get(ctx, a.d.DB.Read(), destinationID)
		if err != nil {
			return secret.Value{}, err
		}
		if given != "" {
			break
		}
		sealed, err := store.GetCredential(ctx, a.d.DB.Read(), x.ID, deliver.FieldSigningKey)
		if err != nil {
			return secret.Value{}, err
		}
		return a.d.Vault.Unseal(sealed, x.ID, deliver.FieldSigningKey)
	case given == "":
		var b [32]byte
		_, _ = rand.Read(b[:]) // Never fails: it ends the program instead.
		return secret.NewValue("whsec_" + base64.StdEncoding.EncodeToString(b[:])), nil
	}
	return secret.NewValue(given), nil
}

// ReplayInput says what to send again.
type ReplayInput struct {
	IDInput
	Body struct {
		Parked   bool     `json:"parked,omitempty" doc:"All that were given up."`
		SinceSeq *int64   `json:"since_seq,omitempty" minimum:"0" doc:"All of the log after this sequence number; 0: from the first."`
		EventIDs []string `json:"event_ids,omitempty" maxItems:"500" doc:"These events."`
	}
}

// Replayed says how many events are sent again.
type Replayed struct {
	Queued int64 `json:"queued"`
}

func (a *API) replayDeliveries(ctx context.Context, in *ReplayInput) (*Output[Replayed], error) {
	var n int64
	err := a.d.DB.Write(ctx, func(tx *store.Tx) (err error) {
		sel := deliver.Selection{Parked: in.Body.Parked, SinceSeq: in.Body.SinceSeq, EventIDs: in.Body.EventIDs}
		if n, err = deliver.Replay(ctx, tx, in.ID, sel); err != nil {
			return err
		}
		return audit(ctx, tx, "destination.replay", in.ID, nil)
	})
	if errors.Is(err, deliver.ErrSelection) {
		return nil, problem.Invalid(problem.Field{Location: "body", Message: "Give exactly one of parked: true, since_seq and event_ids."})
	}
	if err != nil {
		return nil, err
	}
	if err := a.d.Runner.DestinationSaved(ctx, in.ID); err != nil {
		return nil, a.engineDown("destination", in.ID, err)
	}
	return &Output[Replayed]{Replayed{Queued: n}}, nil
}
