package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/outband/outband/api/problem"
	"github.com/outband/outband/internal/store"
)

// SetUp says whether the installation waits for its first admin.
type SetUp struct {
	Needed bool `json:"needed" doc:"There is no user: POST /api/v1/setup makes the first admin."`
}

func (a *API) getSetUp(ctx context.Context, _ *struct{}) (*Output[SetUp], error) {
	has, err := store.HasUsers(ctx, a.d.DB.Read())
	if err != nil {
		return nil, err
	}
	return &Output[SetUp]{SetUp{Needed: !has}}, nil
}

// SetUpInput is the first admin.
type SetUpInput struct {
	Body struct {
		Token    string `json:"token" minLength:"1" maxLength:"128" doc:"What the server printed when it started without a user."`
		Email    string `json:"email" minLength:"1" maxLength:"254"`
		Name     string `json:"name" minLength:"1" maxLength:"120"`
		Password string `json:"password" minLength:"1" maxLength:"1024" doc:"12 to 128 characters."`
	}
}

// setUp makes the first admin and signs them in. It is possible once, with the token that the server printed.
func (a *API) setUp(ctx context.Context, in *SetUpInput) (*SignInOutput, error) {
	if err := a.guesses.try(ctx, ""); err != nil {
		return nil, err
	}
	done := problem.New(http.StatusConflict, problem.CodeSetUpDone, "Outband is set up already. Sign in, or ask an admin for an invitation.")
	if has, err := store.HasUsers(ctx, a.d.DB.Read()); err != nil {
		return nil, err
	} else if has {
		return nil, done
	}
	link, err := store.FindLink(ctx, a.d.DB.Read(), in.Body.Token, a.d.Now())
	if errors.Is(err, store.ErrNotFound) || (err == nil && link.Purpose != store.LinkSetup) {
		return nil, a.refuse(ctx, "link.refuse", actorUnknown, badLink())
	}
	if err != nil {
		return nil, err
	}
	email, wrong := checkPerson(in.Body.Email, in.Body.Name)
	if len(wrong) > 0 {
		return nil, problem.Invalid(wrong...)
	}
	if err := checkPassword(in.Body.Password, email, in.Body.Name); err != nil {
		return nil, err
	}
	hash, err := a.passwords.hash(ctx, in.Body.Password)
	if err != nil {
		return nil, err
	}
	out := &SignInOutput{}
	err = a.d.DB.Write(ctx, func(tx *store.Tx) error {
		if has, err := store.HasUsers(ctx, tx); err != nil {
			return err
		} else if has {
			return done
		}
		if _, err := store.UseLink(ctx, tx, in.Body.Token); errors.Is(err, store.ErrNotFound) {
			return badLink() // Another start of the server has replaced it.
		} else if err != nil {
			return err
		}
		u, err := store.CreateUser(ctx, tx, store.User{Email: email, Name: in.Body.Name, Role: RoleAdmin, PasswordHash: hash})
		if err != nil {
			return err
		}
		if err := auditBy(ctx, tx, u.ID, "link.use", link.ID, map[string]string{"purpose": link.Purpose, "user": u.ID}); err != nil {
			return err
		}
		if err := auditBy(ctx, tx, u.ID, "user.create", u.ID, map[string]string{"role": u.Role}); err != nil {
			return err
		}
		return a.signIn(ctx, tx, u, out)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// checkPerson returns the address as it is stored, and what is wrong with it or the name.
func checkPerson(email, userName string) (string, []problem.Field) {
	wrong := name(userName)
	normal, err := store.NormalizeEmail(email)
	if err != nil {
		wrong = append(wrong, problem.Field{Location: "body.email", Message: "This is no e-mail address. It has the form name@example.com."})
	}
	return normal, wrong
}
