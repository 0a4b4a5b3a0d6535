package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/outband/outband/internal/id"
)

// Session is a person who has signed in with one browser. Only a hash of its text is stored.
type Session struct {
	ID, UserID string
	CreatedAt  time.Time
	SeenAt     time.Time // exact to a minute
	ExpiresAt  time.Time // whatever is done until then
}

// SessionLimits say when a session ends.
type SessionLimits struct {
	Idle time.Duration // without a request
	Life time.Duration // at the latest
}

// drawText returns 256 random bits as text. So many need no salt and no slow function: tokenHash of it is stored.
func drawText() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // Never fails: it ends the program instead.
	return tokenEncoding.EncodeToString(b[:])
}

// CreateSession signs a user in: it draws a session and returns its text, which only the browser keeps. Sessions of all users that have ended are
// removed.
func CreateSession(ctx context.Context, tx *Tx, userID string, limits SessionLimits) (string, Session, error) {
	now := tx.Now()
	_, err := tx.ExecContext(ctx, `DELETE FROM sessions WHERE workspace_id = $1 AND (expires_at <= $2 OR seen_at <= $3)`, Workspace, Micros(now), Micros(now.Add(-limits.Idle)))
	if err != nil {
		return "", Session{}, fmt.Errorf("remove sessions that have ended: %w", err)
	}
	text := drawText()
	s := Session{ID: id.New("ses_"), UserID: userID, CreatedAt: now, SeenAt: now, ExpiresAt: now.Add(limits.Life)}
	_, err = tx.ExecContext(ctx, `INSERT INTO sessions (workspace_id, id, user_id, hash, created_at, seen_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		Workspace, s.ID, s.UserID, tokenHash(text), Micros(s.CreatedAt), Micros(s.SeenAt), Micros(s.ExpiresAt))
	if err != nil {
		return "", s, fmt.Errorf("store session: %w", err)
	}
	err = one(tx.ExecContext(ctx, `UPDATE users SET signed_in_at = $1 WHERE workspace_id = $2 AND id = $3`, Micros(now), Workspace, userID))("user " + userID)
	return text, s, err
}

// FindSession returns the session with this text and its user, or ErrNotFound if it has ended, is idle for too long, or the user is disabled.
func FindSession(ctx context.Context, q Querier, text string, now time.Time, limits SessionLimits) (Session, User, error) {
	s, u, err := readSession(ctx, q, text)
	if err != nil {
		return Session{}, User{}, err
	}
	if !now.Before(s.ExpiresAt) || !now.Before(s.SeenAt.Add(limits.Idle)) || !u.DisabledAt.IsZero() {
		return Session{}, User{}, fmt.Errorf("session: %w", ErrNotFound)
	}
	return s, u, nil
}

func readSession(ctx context.Context, q Querier, text string) (Session, User, error) {
	var s Session
	var created, seen, expires int64
	u, err := scanUser(q.QueryRowContext(ctx, `SELECT `+userColumns+`, s.id, s.created_at, s.seen_at, s.expires_at FROM sessions s
		JOIN users u ON u.workspace_id = s.workspace_id AND u.id = s.user_id WHERE s.workspace_id = $1 AND s.hash = $2`, Workspace, tokenHash(text)), &s.ID, &created, &seen, &expires)
	if err != nil {
		return s, u, fmt.Errorf("session of a %w", err)
	}
	s.UserID, s.CreatedAt, s.SeenAt, s.ExpiresAt = u.ID, FromMicros(created), FromMicros(seen), FromMicros(expires)
	return s, u, nil
}

// TouchSession stores that a session was used now.
func TouchSession(ctx context.Context, tx *Tx, sessionID string) error {
	return one(tx.ExecContext(ctx, `UPDATE sessions SET seen_at = $1 WHERE workspace_id = $2 AND id = $3`, Micros(tx.Now()), Workspace, sessionID))("session " + sessionID)
}

// EndSession removes the session with this text and returns it, or ErrNotFound.
func EndSession(ctx context.Context, tx *Tx, text string) (Session, error) {
	s, _, err := readSession(ctx, tx, text)
	if err != nil {
		return Session{}, err
	}
	return s, one(tx.ExecContext(ctx, `DELETE FROM sessions WHERE workspace_id = $1 AND id = $2`, Workspace, s.ID))("session " + s.ID)
}

// EndSessions removes all sessions of a user.
func EndSessions(ctx context.Context, tx *Tx, userID string) error {
	if _, err := tx.ExecContext(ctx, `DELETE FROM sessions WHERE workspace_id = $1 AND user_id = $2`, Workspace, userID); err != nil {
		return fmt.Errorf("end sessions of user %s: %w", userID, err)
	}
	return nil
}

// Purposes of a link.
const (
	LinkSetup  = "setup"   // makes the first admin; belongs to no user
	LinkInvite = "invite"  // its user chooses a password
	LinkSignIn = "sign_in" // its user signs in without a password
)

// How long links are usually good for.
const (
	SetupLinkLife  = 7 * 24 * time.Hour
	InviteLinkLife = 7 * 24 * time.Hour
	SignInLinkLife = 24 * time.Hour
)

// LinkPrefix begins the text of every link.
const LinkPrefix = "outband_link_"

// Link lets its holder do one thing once. Only a hash of its text is stored.
type Link struct {
	ID, Purpose, UserID  string
	CreatedAt, ExpiresAt time.Time
}

// NewLink draws a link and returns its text, which is shown once; an older one of the same purpose and user is void. A set-up link belongs to no
// user and is ErrConflict once there is one; the user of another is ErrNotFound or ErrDisabled where they cannot use it.
func NewLink(ctx context.Context, tx *Tx, purpose, userID string, ttl time.Duration) (string, error) {
	switch {
	case ttl <= 0:
		return "", errors.New("a link must have a time to live")
	case purpose == LinkSetup && userID == "":
		if has, err := HasUsers(ctx, tx); err != nil {
			return "", err
		} else if has {
			return "", fmt.Errorf("a user: %w", ErrConflict)
		}
	case purpose == LinkInvite, purpose == LinkSignIn:
		if u, err := GetUser(ctx, tx, userID); err != nil {
			return "", err
		} else if !u.DisabledAt.IsZero() {
			return "", fmt.Errorf("user %s: %w", userID, ErrDisabled)
		}
	default:
		return "", fmt.Errorf("a link of purpose %q and user %q cannot be made", purpose, userID)
	}
	now := tx.Now()
	_, err := tx.ExecContext(ctx, `DELETE FROM sign_in_links WHERE workspace_id = $1 AND (expires_at <= $2 OR (purpose = $3 AND user_id = $4))`, Workspace, Micros(now), purpose, userID)
	if err != nil {
		return "", fmt.Errorf("remove older links: %w", err)
	}
	text := LinkPrefix + drawText()
	_, err = tx.ExecContext(ctx, `INSERT INTO sign_in_links (workspace_id, id, purpose, user_id, hash, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		Workspace, id.New("lnk_"), purpose, userID, tokenHash(text), Micros(now), Micros(now.Add(ttl)))
	if err != nil {
		return "", fmt.Errorf("store link: %w", err)
	}
	return text, nil
}

// FindLink returns the link with this text, or ErrNotFound if it was used, replaced or has expired.
func FindLink(ctx context.Context, q Querier, text string, now time.Time) (Link, error) {
	var l Link
	var created, expires int64
	err := q.QueryRowContext(ctx, `SELECT id, purpose, user_id, created_at, expires_at FROM sign_in_links WHERE workspace_id = $1 AND hash = $2 AND expires_at > $3`,
		Workspace, tokenHash(text), Micros(now)).Scan(&l.ID, &l.Purpose, &l.UserID, &created, &expires)
	if errors.Is(err, sql.ErrNoRows) {
		return Link{}, fmt.Errorf("link: %w", ErrNotFound)
	}
	if err != nil {
		return Link{}, fmt.Errorf("read link: %w", err)
	}
	l.CreatedAt, l.ExpiresAt = FromMicros(created), FromMicros(expires)
	return l, nil
}

// UseLink removes the link with this text and returns it, or ErrNotFound. What the link makes belongs into the same transaction.
func UseLink(ctx context.Context, tx *Tx, text string) (Link, error) {
	l, err := FindLink(ctx, tx, text, tx.Now())
	if err != nil {
		return l, err
	}
	return l, one(tx.ExecContext(ctx, `DELETE FROM sign_in_links WHERE workspace_id = $1 AND id = $2`, Workspace, l.ID))("link " + l.ID)
}

func endLinks(ctx context.Context, tx *Tx, userID string) error {
	if _, err := tx.ExecContext(ctx, `DELETE FROM sign_in_links WHERE workspace_id = $1 AND user_id = $2`, Workspace, userID); err != nil {
		return fmt.Errorf("remove links of user %s: %w", userID, err)
	}
	return nil
}
