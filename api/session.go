package api

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/outband/outband/api/problem"
	"github.com/outband/outband/internal/store"
)

// SessionInfo is who makes the request: a person or a token.
type SessionInfo struct {
	User      *SessionUser  `json:"user,omitempty" doc:"The person of a session; absent for a token."`
	Token     *SessionToken `json:"token,omitempty" doc:"Absent for a session."`
	ExpiresAt *string       `json:"expires_at" format:"date-time" doc:"When the session or token ends at the latest; a session ends sooner when it is not used. null: never."`
	Demo      bool          `json:"demo" doc:"The data is made up: outband demo."`
}

// SessionUser is the person of a session.
type SessionUser struct {
	ID    string `json:"id"`
	Email string `json:"email"`
	Name  string `json:"name"`
	Role  string `json:"role"`
}

// SessionToken is a token that makes a request.
type SessionToken struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Role string `json:"role"`
}

// SignInOutput answers with a new session.
type SignInOutput struct {
	SetCookie string `header:"Set-Cookie" doc:"The session."`
	Body      SessionInfo
}

func (a *API) sessionInfo(p Principal) SessionInfo {
	out := SessionInfo{ExpiresAt: stamp(p.ExpiresAt), Demo: a.d.Demo}
	if p.Session == "" {
		out.Token = &SessionToken{ID: p.ID, Name: p.Name, Role: p.Role}
	} else {
		out.User = &SessionUser{ID: p.ID, Email: p.Email, Name: p.Name, Role: p.Role}
	}
	return out
}

func (a *API) getSession(ctx context.Context, _ *struct{}) (*Output[SessionInfo], error) {
	return &Output[SessionInfo]{a.sessionInfo(principal(ctx))}, nil
}

// actorUnknown stands in the audit log for somebody who has not shown who they are.
const actorUnknown = "unknown"

// signIn makes a session in the transaction of what let the person in. Every session that came with the request ends: a sign-in never goes on
// under an id that was there before.
func (a *API) signIn(ctx context.Context, tx *store.Tx, u store.User, out *SignInOutput) error {
	for _, text := range callerOf(ctx).cookies {
		old, err := store.EndSession(ctx, tx, text)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		if err := auditBy(ctx, tx, old.UserID, "session.delete", old.ID, nil); err != nil {
			return err
		}
	}
	text, s, err := store.CreateSession(ctx, tx, u.ID, a.limits())
	if err != nil {
		return err
	}
	out.SetCookie = sessionCookie(text, a.cfg.SessionLife)
	out.Body = a.sessionInfo(personOf(s, u))
	return auditBy(ctx, tx, u.ID, "session.create", s.ID, map[string]string{"user": u.ID})
}

// refuse notes a try that failed and returns the problem, or the failure to note it. object is an id, or actorUnknown: never what was typed.
func (a *API) refuse(ctx context.Context, action, object string, p *problem.Problem) error {
	err := asAudit(a.d.DB.Write(ctx, func(tx *store.Tx) error {
		return auditBy(ctx, tx, actorUnknown, action, object, map[string]string{"code": p.Code})
	}))
	if err != nil {
		return err
	}
	return p
}

// SignInInput is an e-mail address and a password.
type SignInInput struct {
	Body struct {
		Email    string `json:"email" minLength:"1" maxLength:"254"`
		Password string `json:"password" minLength:"1" maxLength:"1024"`
	}
}

func badSignIn() *problem.Problem {
	p := problem.New(http.StatusUnauthorized, problem.CodeSignIn, "The e-mail address or the password is wrong. Try again, or ask an admin for a new link.")
	return p.With("WWW-Authenticate", "Bearer")
}

// createSession signs in with a password. An unknown address, a user without a password, a disabled one and a wrong password are answered alike,
// after the same work.
func (a *API) createSession(ctx context.Context, in *SignInInput) (*SignInOutput, error) {
	if err := a.guesses.try(ctx, strings.ToLower(strings.TrimSpace(in.Body.Email))); err != nil {
		return nil, err
	}
	u, err := store.FindUserByEmail(ctx, a.d.DB.Read(), in.Body.Email)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	ok, old, err := a.passwords.matches(ctx, in.Body.Password, u.PasswordHash)
	if err != nil {
		return nil, err
	}
	if !ok || !u.DisabledAt.IsZero() {
		object := u.ID
		if object == "" {
			object = actorUnknown
		}
		return nil, a.refuse(ctx, "session.refuse", object, badSignIn())
	}
	fresh := u.PasswordHash
	if old {
		if fresh, err = a.passwords.hash(ctx, in.Body.Password); err != nil {
			return nil, err
		}
	}
	out := &SignInOutput{}
	err = a.d.DB.Write(ctx, func(tx *store.Tx) error {
		now, err := store.GetUser(ctx, tx, u.ID)
		if err != nil {
			return err
		}
		// Another admin or the person may have acted while the password was compared.
		if now.PasswordHash != u.PasswordHash || !now.DisabledAt.IsZero() {
			return badSignIn()
		}
		if old {
			if err := store.RehashPassword(ctx, tx, u.ID, fresh); err != nil {
				return err
			}
		}
		return a.signIn(ctx, tx, now, out)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// SignInURL is the page that takes a one-time link, on a server with this address. The token stands behind the #, where no server and no log sees it.
func SignInURL(base, token string) string { return pageOf(base, "sign-in", token) }

// SetUpURL is the page that makes the first admin.
func SetUpURL(base, token string) string { return pageOf(base, "set-up", token) }

func pageOf(base, page, token string) string {
	return strings.TrimSuffix(base, "/") + "/" + page + "#token=" + token
}

// LinkInput is the token of a one-time link.
type LinkInput struct {
	Body struct {
		Token    string `json:"token" minLength:"1" maxLength:"128" doc:"What stands behind #token= in the link."`
		Password string `json:"password,omitempty" maxLength:"1024" doc:"The password to set, where the link is an invitation. Without it such a link is answered with OB-4027 and stays good."`
	}
}

func badLink() *problem.Problem {
	return problem.New(http.StatusUnprocessableEntity, problem.CodeLink, "This link or token is unknown, was used, or has expired. Ask for a new one.", problem.Field{Location: "body.token", Message: "It cannot be used."})
}

// useLink signs in with a one-time link; one that is an invitation sets the password too.
func (a *API) useLink(ctx context.Context, in *LinkInput) (*SignInOutput, error) {
	if err := a.guesses.try(ctx, ""); err != nil {
		return nil, err
	}
	link, err := store.FindLink(ctx, a.d.DB.Read(), in.Body.Token, a.d.Now())
	if err == nil && link.Purpose == store.LinkSetup {
		err = store.ErrNotFound // It makes the first admin and nothing else.
	}
	if errors.Is(err, store.ErrNotFound) {
		return nil, a.refuse(ctx, "link.refuse", actorUnknown, badLink())
	}
	if err != nil {
		return nil, err
	}
	u, err := store.GetUser(ctx, a.d.DB.Read(), link.UserID)
	if err != nil {
		return nil, err
	}
	hash := ""
	switch {
	case link.Purpose == store.LinkSignIn && in.Body.Password != "":
		return nil, problem.Invalid(problem.Field{Location: "body.password", Message: "This link signs in without a password and sets none."})
	case link.Purpose == store.LinkInvite && in.Body.Password == "":
		return nil, problem.New(http.StatusUnprocessableEntity, problem.CodePasswordNeeded, "This link is an invitation. Choose a password and send both.", problem.Field{Location: "body.password", Message: "Choose a password."})
	case link.Purpose == store.LinkInvite:
		if err := checkPassword(in.Body.Password, u.Email, u.Name); err != nil {
			return nil, err
		}
		if hash, err = a.passwords.hash(ctx, in.Body.Password); err != nil {
			return nil, err
		}
	}
	out := &SignInOutput{}
	err = a.d.DB.Write(ctx, func(tx *store.Tx) error {
		if _, err := store.UseLink(ctx, tx, in.Body.Token); errors.Is(err, store.ErrNotFound) {
			return badLink() // Somebody else was faster.
		} else if err != nil {
			return err
		}
		if err := auditBy(ctx, tx, u.ID, "link.use", link.ID, map[string]string{"purpose": link.Purpose, "user": u.ID}); err != nil {
			return err
		}
		if hash != "" {
			if err := a.setPassword(ctx, tx, u.ID, hash); err != nil {
				return err
			}
		}
		now, err := store.GetUser(ctx, tx, u.ID)
		if err != nil {
			return err
		}
		return a.signIn(ctx, tx, now, out)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// setPassword stores a password that its own user has chosen; their sessions and links end.
func (a *API) setPassword(ctx context.Context, tx *store.Tx, userID, hash string) error {
	if err := store.SetPassword(ctx, tx, userID, hash); err != nil {
		return err
	}
	return auditBy(ctx, tx, userID, "user.password", userID, nil)
}

// SignOutOutput takes the session from the browser.
type SignOutOutput struct {
	SetCookie string `header:"Set-Cookie" doc:"An empty one."`
}

func (a *API) deleteSession(ctx context.Context, _ *struct{}) (*SignOutOutput, error) {
	err := a.d.DB.Write(ctx, func(tx *store.Tx) error {
		for _, text := range callerOf(ctx).cookies {
			s, err := store.EndSession(ctx, tx, text)
			if err != nil {
				return err
			}
			if err := audit(ctx, tx, "session.delete", s.ID, nil); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil && !errors.Is(err, store.ErrNotFound) { // It may have ended in the meantime.
		return nil, err
	}
	return &SignOutOutput{SetCookie: noSession()}, nil
}

// PasswordInput changes one's own password.
type PasswordInput struct {
	Body struct {
		Current  string `json:"current" maxLength:"1024" doc:"The password until now; empty if there is none, as with a user who came by a sign-in link."`
		Password string `json:"password" minLength:"1" maxLength:"1024" doc:"The new one: 12 to 128 characters."`
	}
}

// changePassword changes one's own password. All sessions end, and this browser gets a new one: whoever has a copy of the old one is out.
func (a *API) changePassword(ctx context.Context, in *PasswordInput) (*SignInOutput, error) {
	who := principal(ctx)
	if err := a.guesses.try(ctx, who.ID); err != nil {
		return nil, err
	}
	u, err := store.GetUser(ctx, a.d.DB.Read(), who.ID)
	if err != nil {
		return nil, err
	}
	wrong := problem.New(http.StatusUnprocessableEntity, problem.CodeOldPassword, "The present password is wrong. Type it again, or ask an admin for a new link.", problem.Field{Location: "body.current", Message: "It is wrong."})
	ok, _, err := a.passwords.matches(ctx, in.Body.Current, u.PasswordHash)
	if err != nil {
		return nil, err
	}
	if !ok && !(u.PasswordHash == "" && in.Body.Current == "") {
		return nil, a.refuse(ctx, "user.password.refuse", u.ID, wrong)
	}
	if err := checkPassword(in.Body.Password, u.Email, u.Name); err != nil {
		return nil, err
	}
	hash, err := a.passwords.hash(ctx, in.Body.Password)
	if err != nil {
		return nil, err
	}
	out := &SignInOutput{}
	err = a.d.DB.Write(ctx, func(tx *store.Tx) error {
		now, err := store.GetUser(ctx, tx, u.ID)
		if err != nil {
			return err
		}
		if now.PasswordHash != u.PasswordHash || !now.DisabledAt.IsZero() {
			return wrong
		}
		if err := a.setPassword(ctx, tx, u.ID, hash); err != nil {
			return err
		}
		return a.signIn(ctx, tx, now, out)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (a *API) limits() store.SessionLimits {
	return store.SessionLimits{Idle: a.cfg.SessionIdle, Life: a.cfg.SessionLife}
}
