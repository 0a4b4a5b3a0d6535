package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/outband/outband/api/problem"
	"github.com/outband/outband/internal/store"
)

// Roles.
const (
	RoleViewer    = "viewer"    // sees connections, scans, coverage and lists of findings; no evidence
	RoleAnalyst   = "analyst"   // sees evidence and triages
	RoleResponder = "responder" // an analyst who also acts: scans, later remediations
	RoleAuthor    = "author"    // an analyst who also changes policies
	RoleAdmin     = "admin"     // everything
	RoleAuditor   = "auditor"   // sees everything, the audit log too, and changes nothing
	RoleService   = "service"   // a program that reads findings with evidence and starts scans
)

// Roles returns all roles.
func Roles() []string {
	return []string{RoleViewer, RoleAnalyst, RoleResponder, RoleAuthor, RoleAdmin, RoleAuditor, RoleService}
}

// Principal is who makes a request.
type Principal struct {
	ID   string // usr_ or tok_
	Role string
}

// ErrUnauthenticated is the error of an Authenticator that does not know who makes the request.
var ErrUnauthenticated = errors.New("not authenticated")

// Authenticator tells who makes a request: by a token or, later, by the session of a person. Its error is ErrUnauthenticated or a failure.
type Authenticator interface {
	Authenticate(r *http.Request) (Principal, error)
}

type tokenAuthenticator struct {
	db  *store.DB
	now func() time.Time
	log *slog.Logger
}

// touchEvery is how exact last_used_at is, so that reading costs no write.
const touchEvery = time.Minute

// Authenticate implements Authenticator.
func (t *tokenAuthenticator) Authenticate(r *http.Request) (Principal, error) {
	scheme, text, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") || len(r.Header.Values("Authorization")) != 1 {
		return Principal{}, ErrUnauthenticated
	}
	ctx, now := r.Context(), t.now()
	token, err := store.FindToken(ctx, t.db.Read(), strings.TrimSpace(text), now)
	if errors.Is(err, store.ErrNotFound) {
		return Principal{}, ErrUnauthenticated
	}
	if err != nil {
		return Principal{}, err
	}
	if now.Sub(token.LastUsedAt) >= touchEvery {
		err := t.db.Write(ctx, func(tx *store.Tx) error { return store.TouchToken(ctx, tx, token.ID) })
		if err != nil {
			t.log.Warn("use of token not noted", "err", err) // It is a hint for admins: it refuses nobody.
		}
	}
	return Principal{ID: token.ID, Role: token.Role}, nil
}

type contextKey int

const (
	keyPrincipal contextKey = iota
	keyRequestID
)

// actor is the id of who makes the request, for the audit log.
func actor(ctx context.Context) string {
	p, _ := ctx.Value(keyPrincipal).(Principal)
	return p.ID
}

func requestID(ctx context.Context) string {
	id, _ := ctx.Value(keyRequestID).(string)
	return id
}

// metaRoles is the key under which an operation holds its roles.
const metaRoles = "roles"

// authorize lets a request pass whose role is in the operation's row. An operation without a row is refused to everybody.
func (a *API) authorize(ctx huma.Context, next func(huma.Context)) {
	r, w := humago.Unwrap(ctx)
	who, err := a.auth.Authenticate(r)
	if errors.Is(err, ErrUnauthenticated) {
		w.Header().Set("WWW-Authenticate", "Bearer")
		send(w, r, problem.Unauthenticated())
		return
	}
	if err != nil {
		send(w, r, a.problem(r.Context(), err))
		return
	}
	allowed, _ := ctx.Operation().Metadata[metaRoles].([]string)
	if !slices.Contains(allowed, who.Role) {
		send(w, r, problem.Forbidden())
		return
	}
	next(huma.WithValue(ctx, keyPrincipal, who))
}
