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
	RoleViewer    = "viewer"        // sees connections, scans, coverage and lists of findings; no evidence
	RoleAnalyst   = "analyst"       // sees evidence and triages
	RoleResponder = "responder"     // an analyst who also acts: scans, later remediations
	RoleAuthor    = "author"        // an analyst who also changes policies
	RoleAdmin     = store.RoleAdmin // everything
	RoleAuditor   = "auditor"       // sees everything, the audit log too, and changes nothing
	RoleService   = "service"       // a program that reads findings with evidence and starts scans
)

// Roles returns all roles.
func Roles() []string {
	return []string{RoleViewer, RoleAnalyst, RoleResponder, RoleAuthor, RoleAdmin, RoleAuditor, RoleService}
}

// The two words of the table of roles that are no roles: Public lets everybody in, who gives no token and no session too; Person lets in every
// role, but only with a session.
const (
	Public = "public"
	Person = "person"
)

// SessionCookie is the cookie of a session. Its prefix makes browsers refuse one that was set for a domain, a path or without TLS.
const SessionCookie = "__Host-outband_session"

// Principal is who makes a request.
type Principal struct {
	ID        string // usr_ or tok_
	Role      string
	Session   string // ses_; empty for a token
	ExpiresAt time.Time
	Name      string
	Email     string // empty for a token
}

// ErrUnauthenticated is the error of an Authenticator that does not know who makes the request.
var ErrUnauthenticated = errors.New("not authenticated")

// Authenticator tells who makes a request: by a token or by the session of a person. Its error is ErrUnauthenticated or a failure.
type Authenticator interface {
	Authenticate(r *http.Request) (Principal, error)
}

type authenticator struct {
	db     *store.DB
	limits store.SessionLimits
	now    func() time.Time
	log    *slog.Logger
}

// touchEvery is how exact last_used_at and seen_at are, so that reading costs no write.
const touchEvery = time.Minute

// Authenticate implements Authenticator. Where there are both, the header decides and not the cookie.
func (a *authenticator) Authenticate(r *http.Request) (Principal, error) {
	if headers := r.Header.Values("Authorization"); len(headers) > 0 {
		scheme, text, ok := strings.Cut(headers[0], " ")
		if !ok || !strings.EqualFold(scheme, "Bearer") || len(headers) != 1 {
			return Principal{}, ErrUnauthenticated
		}
		return a.token(r.Context(), strings.TrimSpace(text))
	}
	if cookies := r.CookiesNamed(SessionCookie); len(cookies) == 1 {
		return a.session(r.Context(), cookies[0].Value)
	}
	return Principal{}, ErrUnauthenticated
}

func (a *authenticator) token(ctx context.Context, text string) (Principal, error) {
	now := a.now()
	token, err := store.FindToken(ctx, a.db.Read(), text, now)
	if errors.Is(err, store.ErrNotFound) {
		return Principal{}, ErrUnauthenticated
	}
	if err != nil {
		return Principal{}, err
	}
	a.touch(ctx, now.Sub(token.LastUsedAt), func(tx *store.Tx) error { return store.TouchToken(ctx, tx, token.ID) })
	return Principal{ID: token.ID, Role: token.Role, ExpiresAt: token.ExpiresAt, Name: token.Name}, nil
}

func (a *authenticator) session(ctx context.Context, text string) (Principal, error) {
	now := a.now()
	s, u, err := store.FindSession(ctx, a.db.Read(), text, now, a.limits)
	if errors.Is(err, store.ErrNotFound) {
		return Principal{}, ErrUnauthenticated
	}
	if err != nil {
		return Principal{}, err
	}
	a.touch(ctx, now.Sub(s.SeenAt), func(tx *store.Tx) error { return store.TouchSession(ctx, tx, s.ID) })
	return personOf(s, u), nil
}

func personOf(s store.Session, u store.User) Principal {
	return Principal{ID: u.ID, Role: u.Role, Session: s.ID, ExpiresAt: s.ExpiresAt, Name: u.Name, Email: u.Email}
}

// touch notes a use if the last one was noted long enough ago.
func (a *authenticator) touch(ctx context.Context, since time.Duration, f func(*store.Tx) error) {
	if since < touchEvery {
		return
	}
	if err := a.db.Write(ctx, f); err != nil {
		a.log.Warn("use of a token or session not noted", "err", err) // It refuses nobody: what it is of may just have ended.
	}
}

type contextKey int

const (
	keyPrincipal contextKey = iota
	keyRequestID
	keyCaller
)

// actor is the id of who makes the request, for the audit log.
func actor(ctx context.Context) string { return principal(ctx).ID }

func principal(ctx context.Context) Principal {
	p, _ := ctx.Value(keyPrincipal).(Principal)
	return p
}

func requestID(ctx context.Context) string {
	id, _ := ctx.Value(keyRequestID).(string)
	return id
}

// caller is what a public operation knows of who makes the request.
type caller struct {
	address string   // as far as it can be believed, for limits; see clientAddress
	cookies []string // texts of sessions, of which none was looked at
}

func callerOf(ctx context.Context) caller {
	c, _ := ctx.Value(keyCaller).(caller)
	return c
}

// metaRoles is the key under which an operation holds its roles.
const metaRoles = "roles"

// authorize lets a request pass whose role is in the operation's row. An operation without a row is refused to everybody.
func (a *API) authorize(ctx huma.Context, next func(huma.Context)) {
	r, w := humago.Unwrap(ctx)
	c := caller{address: limitKey(clientAddress(r, a.cfg.TrustedProxies))}
	for _, cookie := range r.CookiesNamed(SessionCookie) {
		c.cookies = append(c.cookies, cookie.Value)
	}
	ctx = huma.WithValue(ctx, keyCaller, c)
	allowed, _ := ctx.Operation().Metadata[metaRoles].([]string)
	if slices.Contains(allowed, Public) {
		next(ctx)
		return
	}
	who, err := a.auth.Authenticate(r)
	if errors.Is(err, ErrUnauthenticated) {
		if len(c.cookies) > 0 && len(r.Header.Values("Authorization")) == 0 {
			w.Header().Set("Set-Cookie", noSession())
		}
		send(w, r, problem.Unauthenticated())
		return
	}
	if err != nil {
		send(w, r, a.problem(r.Context(), err))
		return
	}
	byPerson := slices.Contains(allowed, Person)
	switch {
	case !slices.Contains(anyone, who.Role), !byPerson && !slices.Contains(allowed, who.Role):
		send(w, r, problem.Forbidden())
		return
	case byPerson && who.Session == "":
		send(w, r, problem.New(http.StatusForbidden, problem.CodePeopleOnly, "This is for a person who has signed in, not for a token. Sign in with a browser."))
		return
	}
	next(huma.WithValue(ctx, keyPrincipal, who))
}

// sessionCookie is the header Set-Cookie that gives a browser its session. A page of another site can neither send nor read it.
func sessionCookie(text string, life time.Duration) string {
	c := http.Cookie{Name: SessionCookie, Value: text, Path: "/", MaxAge: int(life / time.Second), Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode}
	return c.String()
}

// noSession takes the session from a browser.
func noSession() string {
	c := http.Cookie{Name: SessionCookie, Path: "/", MaxAge: -1, Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode}
	return c.String()
}
