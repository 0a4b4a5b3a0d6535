package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/outband/outband/api/problem"
	"github.com/outband/outband/dlp"
	"github.com/outband/outband/findings"
	"github.com/outband/outband/internal/store"
)

const (
	maxExceptions = 1000 // that are active at once
	maxPeople     = 50   // keys of people with one address, each of another connection

	expiringSoon = 14 * 24 * time.Hour
)

// Exception is what keeps a policy from making findings of what it names, until it expires. Empty fields narrow nothing; one that narrows nothing at all has whole_policy.
type Exception struct {
	ID           string            `json:"id"`
	PolicyID     string            `json:"policy_id"`
	WholePolicy  bool              `json:"whole_policy" doc:"Nothing narrows it: the policy makes no finding at all."`
	ConnectionID string            `json:"connection_id"`
	ResourceKind string            `json:"resource_kind" doc:"Of the finding's resource."`
	ResourceID   string            `json:"resource_id" doc:"The vendor's own."`
	People       []findings.Person `json:"people" doc:"The person it is about, as each connection knows them."`
	Detector     string            `json:"detector" doc:"A glob of detector ids. Matches that it names count as if they were not there."`
	Value        string            `json:"value" doc:"The mask of the one value that counts as if it were not there; empty: none is named."`
	Owner        ExceptionOwner    `json:"owner"`
	Reason       string            `json:"reason"`
	State        string            `json:"state" enum:"active,expired,revoked"`
	ExpiresAt    string            `json:"expires_at" format:"date-time"`
	ExpiresSoon  bool              `json:"expires_soon" doc:"It is active and expires within 14 days."`
	CreatedAt    string            `json:"created_at" format:"date-time"`
	CreatedBy    string            `json:"created_by"`
	RevokedAt    *string           `json:"revoked_at" format:"date-time"`
	RevokedBy    string            `json:"revoked_by"`
	Suppressed   int64             `json:"suppressed" doc:"Messages, files, activities and records that it kept from making a finding, each once."`
	LastAt       *string           `json:"last_suppressed_at" format:"date-time"`
}

// ExceptionOwner answers for an exception.
type ExceptionOwner struct {
	ID   string `json:"id"`
	Name string `json:"name" doc:"Empty if there is no such user any more."`
}

// ExceptionCounts are how many exceptions there are, whatever the list was narrowed to.
type ExceptionCounts struct {
	Active       int `json:"active"`
	Expired      int `json:"expired"`
	Revoked      int `json:"revoked"`
	ExpiringSoon int `json:"expiring_soon" doc:"Of the active ones, those that expire within 14 days."`
}

// ExceptionList is a page of exceptions with the counts of all.
type ExceptionList struct {
	List[Exception]
	Counts ExceptionCounts `json:"counts"`
}

// ExceptionsInput narrows the list.
type ExceptionsInput struct {
	ListInput
	State         []string `query:"state,explode" doc:"active, expired, revoked"`
	PolicyID      string   `query:"policy_id" maxLength:"512"`
	ConnectionID  string   `query:"connection_id" maxLength:"128"`
	ExpiresWithin string   `query:"expires_within" maxLength:"8" pattern:"^[0-9]{1,4}(d|h)$" doc:"Only active ones that expire within so many days (30d) or hours (12h)."`
}

func (a *API) listExceptions(ctx context.Context, in *ExceptionsInput) (*Output[ExceptionList], error) {
	all, err := store.Exceptions(ctx, a.d.DB.Read())
	if err != nil {
		return nil, err
	}
	var states []string
	for _, given := range in.State {
		states = append(states, splitValues(given)...)
	}
	for _, s := range states {
		if !slices.Contains(store.ExceptionStates(), s) {
			return nil, problem.BadQuery(problem.Field{Location: "query.state", Message: "There is no such state. It is one of active, expired, revoked."})
		}
	}
	now := a.d.DB.Now()
	var until time.Time
	if in.ExpiresWithin != "" {
		n, err := strconv.Atoi(in.ExpiresWithin[:len(in.ExpiresWithin)-1])
		if err != nil {
			return nil, err // The pattern admits digits only.
		}
		unit := time.Hour
		if strings.HasSuffix(in.ExpiresWithin, "d") {
			unit = 24 * time.Hour
		}
		until = now.Add(time.Duration(n) * unit)
	}
	var out ExceptionList
	var shown []store.Exception
	for _, e := range all {
		state := e.State(now)
		switch state {
		case store.ExceptionActive:
			out.Counts.Active++
			if expiresSoon(e, now) {
				out.Counts.ExpiringSoon++
			}
		case store.ExceptionExpired:
			out.Counts.Expired++
		case store.ExceptionRevoked:
			out.Counts.Revoked++
		}
		switch {
		case len(states) > 0 && !slices.Contains(states, state), in.PolicyID != "" && in.PolicyID != e.PolicyID, in.ConnectionID != "" && in.ConnectionID != e.ConnectionID:
		case !until.IsZero() && (state != store.ExceptionActive || e.ExpiresAt.After(until)):
		default:
			shown = append(shown, e)
		}
	}
	question := fmt.Sprint("exceptions ", states, in.PolicyID, in.ConnectionID, in.ExpiresWithin)
	page, err := paginate(question, shown, func(e store.Exception) string { return fmt.Sprintf("%020d %s", store.Micros(e.ExpiresAt), e.ID) }, in.ListInput)
	if err != nil {
		return nil, err
	}
	out.NextCursor = page.Body.NextCursor
	out.Items, err = a.exceptions(ctx, page.Body.Items...)
	return &Output[ExceptionList]{out}, err
}

func expiresSoon(e store.Exception, now time.Time) bool {
	return e.State(now) == store.ExceptionActive && !e.ExpiresAt.After(now.Add(expiringSoon))
}

// exceptions is the public form of exceptions.
func (a *API) exceptions(ctx context.Context, all ...store.Exception) ([]Exception, error) {
	q, now := a.d.DB.Read(), a.d.DB.Now()
	users, err := store.ListUsers(ctx, q)
	if err != nil {
		return nil, err
	}
	names := map[string]string{}
	for _, u := range users {
		if names[u.ID] = u.Name; u.Name == "" {
			names[u.ID] = u.Email
		}
	}
	out := make([]Exception, 0, len(all))
	for _, e := range all {
		x := Exception{
			ID: e.ID, PolicyID: e.PolicyID, ConnectionID: e.ConnectionID, ResourceKind: e.ResourceKind, ResourceID: e.ResourceID, People: []findings.Person{}, Detector: e.Detector, Value: e.Masked,
			Owner: ExceptionOwner{e.Owner, names[e.Owner]}, Reason: e.Reason, State: e.State(now), ExpiresAt: *stamp(e.ExpiresAt), ExpiresSoon: expiresSoon(e, now), CreatedAt: *stamp(e.CreatedAt),
			CreatedBy: e.CreatedBy, RevokedAt: stamp(e.RevokedAt), RevokedBy: e.RevokedBy, Suppressed: e.Suppressed, LastAt: stamp(e.LastAt),
		}
		x.WholePolicy = e.ConnectionID == "" && e.ResourceKind == "" && e.ResourceID == "" && len(e.ActorKeys) == 0 && e.Detector == "" && e.Fingerprint == ""
		for _, key := range e.ActorKeys {
			who, err := findings.GetActor(ctx, q, key)
			if err != nil {
				return nil, err
			}
			if p := (findings.Person{ID: who.ID, Email: who.Email}); !slices.Contains(x.People, p) {
				x.People = append(x.People, p)
			}
		}
		out = append(out, x)
	}
	return out, nil
}

func (a *API) getException(ctx context.Context, in *IDInput) (*Output[Exception], error) {
	e, err := store.GetException(ctx, a.d.DB.Read(), in.ID)
	if err != nil {
		return nil, err
	}
	out, err := a.exceptions(ctx, e)
	if err != nil {
		return nil, err
	}
	return &Output[Exception]{out[0]}, nil
}

// Reason is why an exception is made.
type Reason string

// Schema implements huma.SchemaProvider.
func (Reason) Schema(huma.Registry) *huma.Schema {
	least, most := 3, 1000
	return &huma.Schema{Type: huma.TypeString, MinLength: &least, MaxLength: &most, Description: "Why; for those who read it when it expires. It must not hold the value itself."}
}

// CreateExceptionInput makes an exception: from a policy, narrowed by what is given.
type CreateExceptionInput struct {
	Body struct {
		PolicyID     string    `json:"policy_id" minLength:"1" maxLength:"512"`
		ConnectionID string    `json:"connection_id,omitempty" maxLength:"128"`
		ResourceKind string    `json:"resource_kind,omitempty" maxLength:"64" doc:"Needs connection_id."`
		ResourceID   string    `json:"resource_id,omitempty" maxLength:"512" doc:"The vendor's own; needs resource_kind."`
		Actor        string    `json:"actor,omitempty" maxLength:"512" doc:"The e-mail address, the vendor's id or the key of a person whom a scan has met."`
		Detector     string    `json:"detector,omitempty" maxLength:"128" doc:"A glob of detector ids."`
		InstanceID   string    `json:"instance_id,omitempty" maxLength:"128" doc:"An instance whose value is excepted, wherever it stands. Only its keyed digest and its mask are kept."`
		WholePolicy  bool      `json:"whole_policy,omitempty" doc:"Says that nothing narrows it, on purpose."`
		Owner        string    `json:"owner,omitempty" maxLength:"128" doc:"The user who answers for it; without one, whoever makes it."`
		Reason       Reason    `json:"reason"`
		ExpiresAt    time.Time `json:"expires_at" doc:"At most a year ahead."`
		ApplyToOpen  bool      `json:"apply_to_open,omitempty" doc:"Also accept the findings that it covers and that are open, acknowledged or in progress. Without it they stay as they are."`
	}
}

// CreatedException is a new exception with what it did at once.
type CreatedException struct {
	Exception
	Accepted int `json:"accepted" doc:"Findings that were accepted with it."`
}

func (a *API) createException(ctx context.Context, in *CreateExceptionInput) (*Output[CreatedException], error) {
	b := in.Body
	p, err := a.policy(ctx, b.PolicyID)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, problem.Invalid(problem.Field{Location: "body.policy_id", Message: "There is no policy with this id."})
	case err != nil:
		return nil, err
	case p.Policy.Locked:
		return nil, problem.New(http.StatusConflict, problem.CodeLocked, "The policy is locked: it watches the audit trail or the key itself. It admits no exception.")
	}
	e := store.Exception{
		PolicyID: b.PolicyID, ConnectionID: b.ConnectionID, ResourceKind: b.ResourceKind, ResourceID: b.ResourceID, Detector: b.Detector, Owner: b.Owner, Reason: strings.TrimSpace(string(b.Reason)),
		ExpiresAt: b.ExpiresAt.UTC(), CreatedBy: actor(ctx),
	}
	var accepted int
	err = a.d.DB.Write(ctx, func(tx *store.Tx) error {
		wrong, err := a.completeException(ctx, tx, &e, b.Actor, b.InstanceID, b.WholePolicy)
		if err != nil {
			return err
		}
		if len(wrong) > 0 {
			return problem.Invalid(wrong...)
		}
		if e, err = store.CreateException(ctx, tx, e); err != nil {
			return err
		}
		if b.ApplyToOpen {
			accepted, err = findings.AcceptUnder(ctx, tx, e, actor(ctx))
			if errors.Is(err, findings.ErrTooMany) {
				return problem.Invalid(problem.Field{Location: "body.apply_to_open", Message: fmt.Sprintf("More than %d findings are open under it. Narrow it, or leave them as they are.", findings.MaxAccepted)})
			}
			if err != nil {
				return err
			}
		}
		return audit(ctx, tx, "exception.create", e.ID, map[string]string{"policy": e.PolicyID, "owner": e.Owner, "expires_at": *stamp(e.ExpiresAt), "accepted": strconv.Itoa(accepted)})
	})
	if err != nil {
		return nil, err
	}
	if err := a.d.PoliciesChanged(ctx); err != nil {
		return nil, a.engineDown("object", e.ID, err)
	}
	out, err := a.exceptions(ctx, e)
	if err != nil {
		return nil, err
	}
	return &Output[CreatedException]{CreatedException{out[0], accepted}}, nil
}

// completeException resolves who and which value an exception is about, and returns what is wrong with it.
func (a *API) completeException(ctx context.Context, tx *store.Tx, e *store.Exception, who, instanceID string, wholePolicy bool) (wrong []problem.Field, err error) {
	refuse := func(field, message string) {
		wrong = append(wrong, problem.Field{Location: "body." + field, Message: message})
	}
	narrowed := e.ConnectionID != "" || who != "" || e.Detector != "" || instanceID != ""
	switch {
	case e.ResourceKind != "" && e.ConnectionID == "":
		refuse("connection_id", "A resource is one of a connection: name it too.")
	case e.ResourceID != "" && e.ResourceKind == "":
		refuse("resource_kind", "The id of a resource needs its kind.")
	case !narrowed && !wholePolicy:
		refuse("whole_policy", "Nothing narrows the exception. Name a connection, resource, person, detector or value, or say that the whole policy is meant.")
	case narrowed && wholePolicy:
		refuse("whole_policy", "The exception is narrowed, so that it cannot be for the whole policy. Leave one of the two out.")
	}
	if _, err := path.Match(e.Detector, ""); err != nil || strings.ContainsAny(e.Detector, ", ") {
		refuse("detector", "It is not one glob of detector ids.")
	} else if e.Detector != "" && !a.namesDetector(e.Detector) {
		refuse("detector", "It names no detector.")
	}
	if e.ConnectionID != "" {
		if _, err := store.GetConnection(ctx, tx, e.ConnectionID); errors.Is(err, store.ErrNotFound) {
			refuse("connection_id", "There is no connection with this id.")
		} else if err != nil {
			return nil, err
		}
	}
	if who != "" {
		if e.ActorKeys, err = findings.FindActors(ctx, tx, e.ConnectionID, who, maxPeople); err != nil {
			return nil, err
		}
		if len(e.ActorKeys) == 0 {
			refuse("actor", "No scan has met a person with this address or id.")
		}
	}
	if instanceID != "" {
		m, err := findings.ValueOf(ctx, tx, instanceID)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
		if m.Fingerprint == "" {
			refuse("instance_id", "There is no instance with this id that has a value. For an activity or a record, name its resource.")
		}
		e.Fingerprint, e.Masked = m.Fingerprint, m.Masked
	}
	more, err := checkPromise(ctx, tx, e)
	if err != nil {
		return nil, err
	}
	counts, err := store.CountExceptions(ctx, tx, tx.Now())
	if err == nil && counts[store.ExceptionActive] >= maxExceptions {
		refuse("policy_id", fmt.Sprintf("There are %d active exceptions already. Revoke some first.", maxExceptions))
	}
	return append(wrong, more...), err
}

func (a *API) namesDetector(glob string) bool {
	for _, d := range a.d.Detectors.All() {
		if dlp.Glob(glob, d.ID) {
			return true
		}
	}
	return false
}

// checkPromise returns what is wrong with the owner, the reason and the expiry of an exception.
func checkPromise(ctx context.Context, tx *store.Tx, e *store.Exception) (wrong []problem.Field, err error) {
	refuse := func(field, message string) {
		wrong = append(wrong, problem.Field{Location: "body." + field, Message: message})
	}
	if len(e.Reason) < 3 {
		refuse("reason", "An exception needs a reason.")
	}
	if e.Owner == "" {
		e.Owner = actor(ctx)
	}
	switch u, err := store.GetUser(ctx, tx, e.Owner); {
	case errors.Is(err, store.ErrNotFound):
		refuse("owner", "The owner is a user: name one by id. A token cannot answer for an exception.")
	case err != nil:
		return nil, err
	case !u.DisabledAt.IsZero():
		refuse("owner", "This user is disabled.")
	}
	switch now := tx.Now(); {
	case !e.ExpiresAt.After(now):
		refuse("expires_at", "It is in the past.")
	case e.ExpiresAt.After(now.AddDate(1, 0, 0)):
		refuse("expires_at", "It is more than a year ahead.")
	}
	return wrong, nil
}

// UpdateExceptionInput changes what is in it. What an exception is about does not change: revoke it and make another.
type UpdateExceptionInput struct {
	IDInput
	Body struct {
		Owner     string    `json:"owner,omitempty" maxLength:"128"`
		Reason    Reason    `json:"reason,omitempty"`
		ExpiresAt time.Time `json:"expires_at,omitzero" doc:"At most a year ahead. One that has expired begins again."`
	}
}

func (a *API) updateException(ctx context.Context, in *UpdateExceptionInput) (*Output[Exception], error) {
	return a.changeException(ctx, in.ID, "exception.update", func(tx *store.Tx, e *store.Exception) error {
		if in.Body.Owner != "" {
			e.Owner = in.Body.Owner
		}
		if in.Body.Reason != "" {
			e.Reason = strings.TrimSpace(string(in.Body.Reason))
		}
		if !in.Body.ExpiresAt.IsZero() {
			e.ExpiresAt = in.Body.ExpiresAt.UTC()
		}
		wrong, err := checkPromise(ctx, tx, e)
		if err != nil {
			return err
		}
		if len(wrong) > 0 {
			return problem.Invalid(wrong...)
		}
		return store.ChangeException(ctx, tx, *e)
	})
}

func (a *API) revokeException(ctx context.Context, in *IDInput) (*Output[Exception], error) {
	return a.changeException(ctx, in.ID, "exception.revoke", func(tx *store.Tx, e *store.Exception) error {
		return store.RevokeException(ctx, tx, e.ID, actor(ctx))
	})
}

// changeException changes an exception that is not revoked, and has the scans take it over.
func (a *API) changeException(ctx context.Context, id, action string, change func(*store.Tx, *store.Exception) error) (*Output[Exception], error) {
	err := a.d.DB.Write(ctx, func(tx *store.Tx) error {
		e, err := store.GetException(ctx, tx, id)
		if err != nil {
			return err
		}
		if e.State(tx.Now()) == store.ExceptionRevoked {
			return problem.New(http.StatusConflict, problem.CodeRevoked, "The exception is revoked. Make another one.")
		}
		if err := change(tx, &e); err != nil {
			return err
		}
		return audit(ctx, tx, action, id, map[string]string{"policy": e.PolicyID, "owner": e.Owner, "expires_at": *stamp(e.ExpiresAt)})
	})
	if err != nil {
		return nil, err
	}
	if err := a.d.PoliciesChanged(ctx); err != nil {
		return nil, a.engineDown("object", id, err)
	}
	return a.getException(ctx, &IDInput{id})
}
