package api

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/outband/outband/api/problem"
	"github.com/outband/outband/internal/store"
)

// Token is an API token without its text.
type Token struct {
	ID         string  `json:"id"`
	Name       string  `json:"name"`
	Role       string  `json:"role"`
	CreatedAt  *string `json:"created_at" format:"date-time"`
	ExpiresAt  *string `json:"expires_at" format:"date-time" doc:"null: never."`
	LastUsedAt *string `json:"last_used_at" format:"date-time" doc:"Exact to a minute; null: never."`
	RevokedAt  *string `json:"revoked_at" format:"date-time"`
}

// NewToken is a token that was just made.
type NewToken struct {
	Token
	Text string `json:"token" doc:"The text to send. It is shown this once."`
}

func token(t store.Token) Token {
	return Token{ID: t.ID, Name: t.Name, Role: t.Role, CreatedAt: stamp(t.CreatedAt), ExpiresAt: stamp(t.ExpiresAt), LastUsedAt: stamp(t.LastUsedAt), RevokedAt: stamp(t.RevokedAt)}
}

func (a *API) listTokens(ctx context.Context, in *ListInput) (*ListOutput[Token], error) {
	all, err := store.ListTokens(ctx, a.d.DB.Read())
	if err != nil {
		return nil, err
	}
	newestFirst := func(t store.Token) string {
		return fmt.Sprintf("%020d %s", math.MaxInt64-store.Micros(t.CreatedAt), t.ID)
	}
	page, err := paginate("tokens", all, newestFirst, *in)
	if err != nil {
		return nil, err
	}
	out := make([]Token, 0, len(page.Body.Items))
	for _, t := range page.Body.Items {
		out = append(out, token(t))
	}
	return listed(out, page.Body.NextCursor), nil
}

// CreateTokenInput is a new token.
type CreateTokenInput struct {
	Body struct {
		Name      string           `json:"name" minLength:"1" maxLength:"120"`
		Role      string           `json:"role" enum:"viewer,analyst,responder,author,admin,auditor,service"`
		ExpiresAt Optional[string] `json:"expires_at,omitzero" doc:"RFC 3339. Absent: in 90 days; null: never."`
	}
}

const defaultTokenLife = 90 * 24 * time.Hour

func (a *API) createToken(ctx context.Context, in *CreateTokenInput) (*Output[NewToken], error) {
	now := a.d.Now()
	wrong := name(in.Body.Name)
	expires := now.Add(defaultTokenLife)
	switch e := in.Body.ExpiresAt; {
	case e.Null:
		expires = time.Time{}
	case e.Set:
		t, err := time.Parse(time.RFC3339Nano, e.Value)
		if err != nil || !t.After(now) {
			wrong = append(wrong, problem.Field{Location: "body.expires_at", Message: "The value is not a future time such as 2026-12-31T00:00:00Z, nor null."})
		}
		expires = t.UTC()
	}
	if len(wrong) > 0 {
		return nil, problem.Invalid(wrong...)
	}
	var text string
	var t store.Token
	err := a.d.DB.Write(ctx, func(tx *store.Tx) (err error) {
		if text, t, err = store.CreateToken(ctx, tx, in.Body.Name, in.Body.Role, expires); err != nil {
			return err
		}
		return audit(ctx, tx, "token.create", t.ID, map[string]string{"role": t.Role})
	})
	if err != nil {
		return nil, err
	}
	return &Output[NewToken]{NewToken{Token: token(t), Text: text}}, nil
}

func (a *API) revokeToken(ctx context.Context, in *IDInput) error {
	return a.d.DB.Write(ctx, func(tx *store.Tx) error {
		if err := store.RevokeToken(ctx, tx, in.ID); err != nil {
			return err
		}
		return audit(ctx, tx, "token.revoke", in.ID, nil)
	})
}

// AuditRow is one row of the audit log.
type AuditRow struct {
	Seq      int64             `json:"seq"`
	At       *string           `json:"at" format:"date-time"`
	Actor    string            `json:"actor" doc:"A usr_ or tok_ id, cli or system."`
	Action   string            `json:"action"`
	Object   string            `json:"object" doc:"The id of what was read or changed."`
	Detail   map[string]string `json:"detail" doc:"Ids, states and codes."`
	PrevHash string            `json:"prev_hash"`
	Hash     string            `json:"hash" doc:"Over this row and prev_hash; outband audit verify checks the chain."`
}

func (a *API) listAudit(ctx context.Context, in *ListInput) (*ListOutput[AuditRow], error) {
	place, err := placeOf(*in, "audit")
	if err != nil {
		return nil, err
	}
	rows, err := store.ListAudit(ctx, a.d.DB.Read(), place.Number, in.Limit+1)
	if err != nil {
		return nil, err
	}
	return page(rows, in.Limit, auditRow, func(last store.AuditRow) string {
		place.Number, place.ID = last.Seq, strconv.FormatInt(last.Seq, 10)
		return place.Encode()
	})
}

func auditRow(r store.AuditRow) (AuditRow, error) {
	out := AuditRow{Seq: r.Seq, At: stamp(r.At), Actor: r.Actor, Action: r.Action, Object: r.Object, Detail: r.Detail, PrevHash: r.PrevHash, Hash: r.Hash}
	if out.Detail == nil {
		out.Detail = map[string]string{}
	}
	return out, nil
}
