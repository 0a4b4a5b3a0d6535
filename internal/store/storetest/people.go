package storetest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"time"

	"github.com/outband/outband/internal/store"
)

var sessionLimits = store.SessionLimits{Idle: time.Hour, Life: 24 * time.Hour}

// user makes a user with a password.
func (s *suite) user(email, role string) store.User {
	s.Helper()
	var u store.User
	s.write(func(ctx context.Context, tx *store.Tx) (err error) {
		u, err = store.CreateUser(ctx, tx, store.User{Email: email, Name: "Example", Role: role, PasswordHash: "$argon2id$example"})
		return err
	})
	return u
}

func (s *suite) session(userID string) (string, store.Session) {
	s.Helper()
	var text string
	var made store.Session
	s.write(func(ctx context.Context, tx *store.Tx) (err error) {
		text, made, err = store.CreateSession(ctx, tx, userID, sessionLimits)
		return err
	})
	return text, made
}

func (s *suite) link(purpose, userID string) string {
	s.Helper()
	var text string
	s.write(func(ctx context.Context, tx *store.Tx) (err error) {
		text, err = store.NewLink(ctx, tx, purpose, userID, time.Hour)
		return err
	})
	return text
}

func (s *suite) alive(text string) bool {
	s.Helper()
	_, _, err := store.FindSession(s.Context(), s.Read(), text, s.now, sessionLimits)
	if err != nil {
		s.notFound("a session", err)
	}
	return err == nil
}

func (s *suite) good(link string) bool {
	s.Helper()
	_, err := store.FindLink(s.Context(), s.Read(), link, s.now)
	if err != nil {
		s.notFound("a link", err)
	}
	return err == nil
}

func users(s *suite) {
	ctx := s.Context()
	s.equal("HasUsers", false, must[bool](s)(store.HasUsers(ctx, s.Read())))
	zoe := s.user("zoe@example.com", "viewer")
	ana := s.user(" Ána@Example.COM ", store.RoleAdmin)
	s.equal("HasUsers", true, must[bool](s)(store.HasUsers(ctx, s.Read())))
	s.equal("a user", store.User{ID: ana.ID, Email: "ána@example.com", Name: "Example", Role: store.RoleAdmin, PasswordHash: "$argon2id$example", CreatedAt: stored, UpdatedAt: stored}, ana)
	if !strings.HasPrefix(ana.ID, "usr_") {
		s.Errorf("the id is %q", ana.ID)
	}
	s.equal("GetUser", ana, must[store.User](s)(store.GetUser(ctx, s.Read(), ana.ID)))
	s.equal("FindUserByEmail in another spelling", ana, must[store.User](s)(store.FindUserByEmail(ctx, s.Read(), "A\u0301NA@example.com")))
	s.equal("ListUsers", []store.User{zoe, ana}, must[[]store.User](s)(store.ListUsers(ctx, s.Read()))) // á is behind z, byte by byte.
	for _, email := range []string{"nobody@example.com", "none", ""} {
		_, err := store.FindUserByEmail(ctx, s.Read(), email)
		s.notFound(email, err)
	}
	_, err := store.GetUser(ctx, s.Read(), "usr_none")
	s.notFound("GetUser", err)
	for want, email := range map[error]string{store.ErrConflict: "ZOE@example.com", store.ErrEmail: "zoe"} {
		s.refused(want, func(ctx context.Context, tx *store.Tx) error {
			_, err := store.CreateUser(ctx, tx, store.User{Email: email, Name: "Example", Role: "viewer"})
			return err
		})
	}
}

func emails(s *suite) {
	for given, want := range map[string]string{
		"ana@example.com": "ana@example.com", "\tANA+tag@Example.com ": "ana+tag@example.com", "ana@localhost": "ana@localhost", "ÜNI@例え.jp": "üni@例え.jp",
		strings.Repeat("a", 242) + "@example.com": strings.Repeat("a", 242) + "@example.com",
	} {
		if got, err := store.NormalizeEmail(given); got != want || err != nil {
			s.Errorf("NormalizeEmail(%q) = %q, %v", given, got, err)
		}
	}
	for _, given := range []string{
		"", "@", "ana", "ana@", "@example.com", "a@b@c", "a b@example.com", "ana@exa mple.com", "Ana <ana@example.com>", "ana@example.com,bob@example.com", "ana@example.com\x00", "ana\u200b@example.com",
		"ana@.example.com", "ana@example.com.", "ana\xff@example.com", strings.Repeat("a", 243) + "@example.com",
	} {
		if got, err := store.NormalizeEmail(given); !errors.Is(err, store.ErrEmail) {
			s.Errorf("NormalizeEmail(%q) = %q, %v", given, got, err)
		}
	}
}

func userChanges(s *suite) {
	ctx := s.Context()
	yes, no, name, analyst := true, false, "Other", "analyst"
	s.user("admin@example.com", store.RoleAdmin)
	for _, tc := range []struct {
		name                string
		change              store.UserChange
		endsSessions, voids bool
	}{
		{"nothing", store.UserChange{}, false, false},
		{"what it is already", store.UserChange{Role: &[]string{"viewer"}[0], Disabled: &no}, false, false},
		{"a name", store.UserChange{Name: &name}, false, false},
		{"a role", store.UserChange{Role: &analyst}, true, false},
		{"disabling", store.UserChange{Disabled: &yes}, true, true},
		{"all at once", store.UserChange{Name: &name, Role: &analyst, Disabled: &yes}, true, true},
	} {
		u := s.user(strings.ReplaceAll(tc.name, " ", ".")+"@example.com", "viewer")
		text, _ := s.session(u.ID)
		link := s.link(store.LinkInvite, u.ID)
		s.now = s.now.Add(time.Second)
		var got store.User
		s.write(func(ctx context.Context, tx *store.Tx) (err error) {
			got, err = store.UpdateUser(ctx, tx, u.ID, tc.change)
			return err
		})
		s.equal(tc.name, got, must[store.User](s)(store.GetUser(ctx, s.Read(), u.ID)))
		if tc.change.Name != nil && got.Name != name || tc.change.Role != nil && got.Role != *tc.change.Role || tc.change.Disabled != nil && got.DisabledAt.IsZero() == *tc.change.Disabled {
			s.Errorf("%s: the user is %+v", tc.name, got)
		}
		if s.alive(text) == tc.endsSessions || s.good(link) == tc.voids {
			s.Errorf("%s: session %t, link %t", tc.name, s.alive(text), s.good(link))
		}
		if got.DisabledAt.IsZero() {
			continue
		}
		for _, purpose := range []string{store.LinkInvite, store.LinkSignIn} {
			s.refused(store.ErrDisabled, func(ctx context.Context, tx *store.Tx) error {
				_, err := store.NewLink(ctx, tx, purpose, u.ID, time.Hour)
				return err
			})
		}
		s.write(func(ctx context.Context, tx *store.Tx) error {
			_, err := store.UpdateUser(ctx, tx, u.ID, store.UserChange{Disabled: &no})
			return err
		})
		if s.alive(text) || s.good(link) {
			s.Errorf("%s: enabling brought the session or link back", tc.name)
		}
	}
	s.refused(store.ErrNotFound, func(ctx context.Context, tx *store.Tx) error {
		_, err := store.UpdateUser(ctx, tx, "usr_none", store.UserChange{Name: &name})
		return err
	})
}

func lastAdmin(s *suite) {
	yes, viewer, admin := true, "viewer", store.RoleAdmin
	update := func(userID string, c store.UserChange) error {
		return s.DB.Write(s.Context(), func(tx *store.Tx) error {
			_, err := store.UpdateUser(s.Context(), tx, userID, c)
			return err
		})
	}
	refused := func(what, userID string, want bool) {
		s.Helper()
		for _, c := range []store.UserChange{{Disabled: &yes}, {Role: &viewer}} {
			if err := update(userID, c); errors.Is(err, store.ErrLastAdmin) != want {
				s.Errorf("%s: %v, want refused %t", what, err, want)
			}
			if !want {
				return
			}
		}
	}
	ana := s.user("ana@example.com", admin)
	refused("alone", ana.ID, true)
	var bob store.User
	s.write(func(ctx context.Context, tx *store.Tx) (err error) {
		bob, err = store.CreateUser(ctx, tx, store.User{Email: "bob@example.com", Name: "Bob", Role: admin})
		return err
	})
	refused("beside one who was only invited", ana.ID, true)
	s.session(bob.ID)
	refused("beside one who came by a link", ana.ID, false)
	refused("the other, alone now", bob.ID, true)
	if err := update(bob.ID, store.UserChange{Role: &admin}); err != nil {
		s.Errorf("an admin stays what they are: %v", err)
	}
}

func sessions(s *suite) {
	ctx := s.Context()
	u := s.user("ana@example.com", "viewer")
	text, made := s.session(u.ID)
	u.SignedInAt = stored
	s.equal("a session", store.Session{ID: made.ID, UserID: u.ID, CreatedAt: stored, SeenAt: stored, ExpiresAt: stored.Add(24 * time.Hour)}, made)
	found, who, err := store.FindSession(ctx, s.Read(), text, s.now, sessionLimits)
	if err != nil {
		s.Fatal(err)
	}
	s.equal("FindSession", made, found)
	s.equal("its user", u, who)
	sum := sha256.Sum256([]byte(text))
	var hash string
	row := s.Read().QueryRowContext(ctx, `SELECT hash FROM sessions WHERE workspace_id = $1 AND id = $2`, store.Workspace, made.ID)
	if err := row.Scan(&hash); err != nil || hash != hex.EncodeToString(sum[:]) || len(text) != 52 {
		s.Errorf("stored %q, %v", hash, err)
	}
	for name, wrong := range map[string]string{"empty": "", "its hash": hash, "its id": made.ID, "in capitals": strings.ToUpper(text), "one letter changed": flip(text, 7)} {
		if s.alive(wrong) {
			s.Errorf("%s: found", name)
		}
	}
	for _, tc := range []struct {
		name  string
		after time.Duration
		alive bool
		touch bool
	}{
		{"before it is idle for too long", time.Hour - time.Microsecond, true, true},
		{"again", 2*time.Hour - 2*time.Microsecond, true, false},
		{"idle for too long", 2*time.Hour - time.Microsecond, false, false},
	} {
		s.now = start.Add(tc.after)
		if s.alive(text) != tc.alive {
			s.Errorf("%s: alive %t", tc.name, !tc.alive)
		}
		if tc.touch {
			s.write(func(ctx context.Context, tx *store.Tx) error { return store.TouchSession(ctx, tx, made.ID) })
		}
	}
	// The next sign-in, of whomever, removes it.
	s.session(s.user("bob@example.com", "viewer").ID)
	s.refused(store.ErrNotFound, func(ctx context.Context, tx *store.Tx) error { return store.TouchSession(ctx, tx, made.ID) })

	busy, _ := s.session(u.ID)
	s.now = s.use(busy, 23)
	if s.alive(busy) {
		s.Error("a session that is used outlives its life")
	}
	s.refused(store.ErrNotFound, func(ctx context.Context, tx *store.Tx) error {
		_, _, err := store.CreateSession(ctx, tx, "usr_none", sessionLimits)
		return err
	})
}

// use uses a session every hour, and returns when it ends whatever is done.
func (s *suite) use(text string, hours int) time.Time {
	s.Helper()
	var found store.Session
	for range hours {
		s.now = s.now.Add(time.Hour - time.Microsecond)
		var err error
		if found, _, err = store.FindSession(s.Context(), s.Read(), text, s.now, sessionLimits); err != nil {
			s.Fatal(err)
		}
		s.write(func(ctx context.Context, tx *store.Tx) error { return store.TouchSession(ctx, tx, found.ID) })
	}
	return found.ExpiresAt
}

func sessionsEnd(s *suite) {
	ana, bob := s.user("ana@example.com", "viewer"), s.user("bob@example.com", "viewer")
	first, made := s.session(ana.ID)
	second, _ := s.session(ana.ID)
	other, _ := s.session(bob.ID)
	s.write(func(ctx context.Context, tx *store.Tx) error {
		ended, err := store.EndSession(ctx, tx, first)
		s.equal("EndSession", made, ended)
		return err
	})
	s.refused(store.ErrNotFound, func(ctx context.Context, tx *store.Tx) error {
		_, err := store.EndSession(ctx, tx, first)
		return err
	})
	link := s.link(store.LinkInvite, ana.ID)
	if s.alive(first) || !s.alive(second) || !s.good(link) {
		s.Error("ending one session ended another, or a link, or not itself")
	}
	s.write(func(ctx context.Context, tx *store.Tx) error {
		return store.RehashPassword(ctx, tx, ana.ID, "$argon2id$new")
	})
	if !s.alive(second) || !s.good(link) {
		s.Error("another hash of the same password ended a session or link")
	}
	s.write(func(ctx context.Context, tx *store.Tx) error {
		return store.SetPassword(ctx, tx, ana.ID, "$argon2id$newer")
	})
	if s.alive(second) || s.good(link) || !s.alive(other) {
		s.Error("a new password left a session or link, or ended those of another person")
	}
	s.equal("the hash", "$argon2id$newer", must[store.User](s)(store.GetUser(s.Context(), s.Read(), ana.ID)).PasswordHash)
	s.refused(store.ErrNotFound, func(ctx context.Context, tx *store.Tx) error { return store.SetPassword(ctx, tx, "usr_none", "x") })
}

func links(s *suite) {
	ctx := s.Context()
	setup := s.link(store.LinkSetup, "")
	again := s.link(store.LinkSetup, "")
	if s.good(setup) || !s.good(again) || !strings.HasPrefix(again, store.LinkPrefix) {
		s.Error("a new set-up link does not replace the one before")
	}
	ana, bob := s.user("ana@example.com", "viewer"), s.user("bob@example.com", "viewer")
	invite, signIn, other := s.link(store.LinkInvite, ana.ID), s.link(store.LinkSignIn, ana.ID), s.link(store.LinkInvite, bob.ID)
	if !s.good(invite) || !s.good(signIn) || !s.good(other) {
		s.Error("links of other purposes or users replaced each other")
	}
	found := must[store.Link](s)(store.FindLink(ctx, s.Read(), invite, s.now))
	s.equal("a link", store.Link{ID: found.ID, Purpose: store.LinkInvite, UserID: ana.ID, CreatedAt: stored, ExpiresAt: stored.Add(time.Hour)}, found)
	s.write(func(ctx context.Context, tx *store.Tx) error {
		used, err := store.UseLink(ctx, tx, invite)
		s.equal("UseLink", found, used)
		return err
	})
	changed := errors.New("changed its mind")
	s.refused(changed, func(ctx context.Context, tx *store.Tx) error {
		if _, err := store.UseLink(ctx, tx, signIn); err != nil {
			return err
		}
		return changed
	})
	if s.good(invite) || !s.good(signIn) {
		s.Error("a link works again, or is used up by what was not done")
	}
	s.now = start.Add(time.Hour - time.Microsecond)
	if !s.good(signIn) {
		s.Error("a link ends too soon")
	}
	s.now = start.Add(time.Hour)
	for _, text := range []string{invite, signIn, "", store.LinkPrefix, found.ID} {
		s.refused(store.ErrNotFound, func(ctx context.Context, tx *store.Tx) error {
			_, err := store.UseLink(ctx, tx, text)
			return err
		})
	}
	for _, tc := range []struct {
		name, purpose, userID string
		ttl                   time.Duration
		want                  error // nil: any
	}{
		{"a set-up beside a user", store.LinkSetup, "", time.Hour, store.ErrConflict},
		{"a set-up for a user", store.LinkSetup, ana.ID, time.Hour, nil},
		{"an invitation of nobody", store.LinkInvite, "", time.Hour, store.ErrNotFound},
		{"a sign-in of nobody", store.LinkSignIn, "usr_none", time.Hour, store.ErrNotFound},
		{"another purpose", "admin", ana.ID, time.Hour, nil},
		{"no time to live", store.LinkInvite, ana.ID, 0, nil},
	} {
		err := s.DB.Write(ctx, func(tx *store.Tx) error {
			_, err := store.NewLink(ctx, tx, tc.purpose, tc.userID, tc.ttl)
			return err
		})
		if err == nil || (tc.want != nil && !errors.Is(err, tc.want)) {
			s.Errorf("%s: %v", tc.name, err)
		}
	}
}
