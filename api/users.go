package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/outband/outband/api/problem"
	"github.com/outband/outband/internal/store"
)

// User is a person who may sign in.
type User struct {
	ID         string  `json:"id"`
	Email      string  `json:"email"`
	Name       string  `json:"name"`
	Role       string  `json:"role" enum:"viewer,analyst,responder,author,admin,auditor,service"`
	Disabled   bool    `json:"disabled" doc:"They may not sign in."`
	Invited    bool    `json:"invited" doc:"They have not signed in yet and have no password."`
	CreatedAt  *string `json:"created_at" format:"date-time"`
	UpdatedAt  *string `json:"updated_at" format:"date-time"`
	SignedInAt *string `json:"signed_in_at" format:"date-time" doc:"The last time; null: never."`
}

// UserLink is a one-time link by which a user chooses a password.
type UserLink struct {
	URL       string  `json:"url" doc:"The page that takes the link. It is shown this once."`
	Token     string  `json:"token" doc:"What stands behind #token= in it."`
	ExpiresAt *string `json:"expires_at" format:"date-time"`
}

// NewUser is a user who was just invited.
type NewUser struct {
	User
	UserLink
}

func user(u store.User) User {
	return User{
		ID: u.ID, Email: u.Email, Name: u.Name, Role: u.Role, Disabled: !u.DisabledAt.IsZero(), Invited: u.PasswordHash == "" && u.SignedInAt.IsZero(),
		CreatedAt: stamp(u.CreatedAt), UpdatedAt: stamp(u.UpdatedAt), SignedInAt: stamp(u.SignedInAt),
	}
}

func (a *API) listUsers(ctx context.Context, in *ListInput) (*ListOutput[User], error) {
	all, err := store.ListUsers(ctx, a.d.DB.Read())
	if err != nil {
		return nil, err
	}
	page, err := paginate("users", all, func(u store.User) string { return u.Email }, *in)
	if err != nil {
		return nil, err
	}
	out := make([]User, 0, len(page.Body.Items))
	for _, u := range page.Body.Items {
		out = append(out, user(u))
	}
	return listed(out, page.Body.NextCursor), nil
}

// CreateUserInput is a person to invite.
type CreateUserInput struct {
	Body struct {
		Email string `json:"email" minLength:"1" maxLength:"254"`
		Name  string `json:"name" minLength:"1" maxLength:"120"`
		Role  string `json:"role" enum:"viewer,analyst,responder,author,admin,auditor,service"`
	}
}

func (a *API) createUser(ctx context.Context, in *CreateUserInput) (*Output[NewUser], error) {
	email, wrong := checkPerson(in.Body.Email, in.Body.Name)
	if len(wrong) > 0 {
		return nil, problem.Invalid(wrong...)
	}
	var out NewUser
	err := a.d.DB.Write(ctx, func(tx *store.Tx) error {
		u, err := store.CreateUser(ctx, tx, store.User{Email: email, Name: in.Body.Name, Role: in.Body.Role})
		if errors.Is(err, store.ErrConflict) {
			return problem.New(http.StatusConflict, problem.CodeEmailTaken, "Another user has this e-mail address. Change that user, or take another address.", problem.Field{Location: "body.email", Message: "Another user has it."})
		}
		if err != nil {
			return err
		}
		if err := audit(ctx, tx, "user.create", u.ID, map[string]string{"role": u.Role}); err != nil {
			return err
		}
		out.User = user(u)
		out.UserLink, err = a.invite(ctx, tx, u.ID)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &Output[NewUser]{out}, nil
}

// invite makes the link by which a user chooses a password.
func (a *API) invite(ctx context.Context, tx *store.Tx, userID string) (UserLink, error) {
	text, err := store.NewLink(ctx, tx, store.LinkInvite, userID, store.InviteLinkLife)
	if err != nil {
		return UserLink{}, err
	}
	// Behind the # it is in no log of a server or proxy.
	out := UserLink{URL: SignInURL(a.d.PublicURL, text), Token: text, ExpiresAt: stamp(tx.Now().Add(store.InviteLinkLife))}
	return out, audit(ctx, tx, "link.create", userID, map[string]string{"purpose": store.LinkInvite})
}

// UpdateUserInput changes a user.
type UpdateUserInput struct {
	IDInput
	Body struct {
		Name     *string `json:"name,omitempty" minLength:"1" maxLength:"120"`
		Role     *string `json:"role,omitempty" enum:"viewer,analyst,responder,author,admin,auditor,service" doc:"A new one ends the user's sessions."`
		Disabled *bool   `json:"disabled,omitempty" doc:"true ends the user's sessions and links."`
	}
}

func (a *API) updateUser(ctx context.Context, in *UpdateUserInput) (*Output[User], error) {
	if in.Body.Name != nil {
		if wrong := name(*in.Body.Name); len(wrong) > 0 {
			return nil, problem.Invalid(wrong...)
		}
	}
	var out User
	err := a.d.DB.Write(ctx, func(tx *store.Tx) error {
		old, err := store.GetUser(ctx, tx, in.ID)
		if err != nil {
			return err
		}
		u, err := store.UpdateUser(ctx, tx, in.ID, store.UserChange{Name: in.Body.Name, Role: in.Body.Role, Disabled: in.Body.Disabled})
		if errors.Is(err, store.ErrLastAdmin) {
			return problem.New(http.StatusConflict, problem.CodeLastAdmin, "This is the last admin who can sign in. Make another admin first, and let them sign in once.")
		}
		if err != nil {
			return err
		}
		if u.ID == actor(ctx) && (u.Role != old.Role || u.DisabledAt != old.DisabledAt) {
			return ownAccount("You cannot change your own role or disable yourself. Ask another admin.")
		}
		out = user(u)
		detail := map[string]string{}
		if u.Name != old.Name {
			detail["name"] = "changed"
		}
		if u.Role != old.Role {
			detail["from"], detail["to"] = old.Role, u.Role
		}
		if u.DisabledAt != old.DisabledAt {
			detail["state"] = "enabled"
			if !u.DisabledAt.IsZero() {
				detail["state"] = "disabled"
			}
		}
		return audit(ctx, tx, "user.update", u.ID, detail)
	})
	if err != nil {
		return nil, err
	}
	return &Output[User]{out}, nil
}

func ownAccount(detail string) error {
	return problem.New(http.StatusConflict, problem.CodeOwnAccount, detail)
}

// createUserLink makes a new link for a user who has lost the first one or forgotten the password; the password of now stays good until it is used.
func (a *API) createUserLink(ctx context.Context, in *IDInput) (*Output[UserLink], error) {
	if in.ID == actor(ctx) {
		return nil, ownAccount("You cannot make a link for yourself. Change your password instead: it takes the one that you have.")
	}
	var out UserLink
	err := a.d.DB.Write(ctx, func(tx *store.Tx) (err error) {
		out, err = a.invite(ctx, tx, in.ID)
		if errors.Is(err, store.ErrDisabled) {
			return problem.New(http.StatusConflict, problem.CodeUserDisabled, "The user is disabled. Enable them first.")
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return &Output[UserLink]{out}, nil
}
