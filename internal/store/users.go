package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/outband/outband/internal/id"
)

// RoleAdmin is the one role that the store knows of: an installation keeps an admin who can sign in.
const RoleAdmin = "admin"

// Errors about users.
var (
	ErrEmail     = errors.New("not an e-mail address")
	ErrLastAdmin = errors.New("the last admin who can sign in")
	ErrDisabled  = errors.New("the user is disabled")
)

// User is a person who signs in.
type User struct {
	ID           string
	Email        string // as NormalizeEmail gives it, unique
	Name         string
	Role         string
	PasswordHash string // Argon2id in PHC form; empty until the person has chosen a password
	CreatedAt    time.Time
	UpdatedAt    time.Time
	SignedInAt   time.Time // zero: never
	DisabledAt   time.Time // zero: may sign in
}

// UserChange is what UpdateUser changes; nil fields stay.
type UserChange struct {
	Name     *string
	Role     *string
	Disabled *bool
}

const userColumns = `u.id, u.email, u.name, u.role, u.password_hash, u.created_at, u.updated_at, u.signed_in_at, u.disabled_at`

// scanUser reads userColumns, and what stands behind them into more.
func scanUser(row interface{ Scan(...any) error }, more ...any) (User, error) {
	var u User
	var created, updated, signedIn, disabled int64
	into := append([]any{&u.ID, &u.Email, &u.Name, &u.Role, &u.PasswordHash, &created, &updated, &signedIn, &disabled}, more...)
	if err := row.Scan(into...); err != nil {
		if errors.Is(err, sql.ErrNoRows) {
			return u, fmt.Errorf("user: %w", ErrNotFound)
		}
		return u, fmt.Errorf("read user: %w", err)
	}
	u.CreatedAt, u.UpdatedAt, u.SignedInAt, u.DisabledAt = FromMicros(created), FromMicros(updated), FromMicros(signedIn), FromMicros(disabled)
	return u, nil
}

// NormalizeEmail returns an address in the one form that is stored and looked up: without spaces around it, NFC, lower case. What is not of the
// form name@host, or is over 254 bytes, is ErrEmail.
func NormalizeEmail(s string) (string, error) {
	s = norm.NFC.String(strings.ToLower(norm.NFC.String(strings.TrimSpace(s))))
	local, host, ok := strings.Cut(s, "@")
	odd := func(r rune) bool {
		return r == '@' || r == unicode.ReplacementChar || unicode.IsSpace(r) || !unicode.IsPrint(r) || strings.ContainsRune(`<>(),;:"\[]`, r)
	}
	if !ok || local == "" || host == "" || len(s) > 254 || strings.ContainsFunc(local, odd) || strings.ContainsFunc(host, odd) || strings.HasPrefix(host, ".") || strings.HasSuffix(host, ".") {
		return "", ErrEmail
	}
	return s, nil
}

// HasUsers reports whether there is any user. While there is none, the set-up is open to whoever holds its link.
func HasUsers(ctx context.Context, q Querier) (bool, error) {
	var n int64
	if err := q.QueryRowContext(ctx, `SELECT COUNT(*) FROM users WHERE workspace_id = $1`, Workspace).Scan(&n); err != nil {
		return false, fmt.Errorf("count users: %w", err)
	}
	return n > 0, nil
}

// CreateUser stores a user of u's address, name, role and hash, and returns it with its id. An address that another user has is ErrConflict, one
// that is none ErrEmail.
func CreateUser(ctx context.Context, tx *Tx, u User) (User, error) {
	email, err := NormalizeEmail(u.Email)
	if err != nil {
		return User{}, err
	}
	switch _, err := FindUserByEmail(ctx, tx, email); {
	case err == nil:
		return User{}, fmt.Errorf("user: %w", ErrConflict)
	case !errors.Is(err, ErrNotFound):
		return User{}, err
	}
	made := User{ID: id.New("usr_"), Email: email, Name: u.Name, Role: u.Role, PasswordHash: u.PasswordHash, CreatedAt: tx.Now(), UpdatedAt: tx.Now()}
	_, err = tx.ExecContext(ctx, `INSERT INTO users (workspace_id, id, email, name, role, password_hash, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		Workspace, made.ID, made.Email, made.Name, made.Role, made.PasswordHash, Micros(made.CreatedAt), Micros(made.UpdatedAt))
	if err != nil {
		return User{}, fmt.Errorf("store user: %w", err)
	}
	return made, nil
}

// GetUser returns a user, a disabled one too, or ErrNotFound.
func GetUser(ctx context.Context, q Querier, userID string) (User, error) {
	return scanUser(q.QueryRowContext(ctx, `SELECT `+userColumns+` FROM users u WHERE u.workspace_id = $1 AND u.id = $2`, Workspace, userID))
}

// FindUserByEmail returns the user of an address in any spelling, a disabled one too, or ErrNotFound.
func FindUserByEmail(ctx context.Context, q Querier, email string) (User, error) {
	normal, err := NormalizeEmail(email)
	if err != nil {
		return User{}, fmt.Errorf("user: %w", ErrNotFound) // No user has what is no address.
	}
	return scanUser(q.QueryRowContext(ctx, `SELECT `+userColumns+` FROM users u WHERE u.workspace_id = $1 AND u.email = $2`, Workspace, normal))
}

// ListUsers returns all users in the order of their addresses, byte by byte.
func ListUsers(ctx context.Context, q Querier) ([]User, error) {
	rows, err := q.QueryContext(ctx, `SELECT `+userColumns+` FROM users u WHERE u.workspace_id = $1`, Workspace)
	if err != nil {
		return nil, fmt.Errorf("list users: %w", err)
	}
	users, err := collect(rows, func(r *sql.Rows) (User, error) { return scanUser(r) })
	// Sorted here: the order of text differs between databases.
	slices.SortFunc(users, func(a, b User) int { return cmp.Compare(a.Email, b.Email) })
	return users, err
}

// UpdateUser changes a user and returns them as they are now. A new role and disabling end all sessions of the user, disabling their links too.
// Disabling or demoting the last admin who can sign in is ErrLastAdmin.
func UpdateUser(ctx context.Context, tx *Tx, userID string, c UserChange) (User, error) {
	u, err := GetUser(ctx, tx, userID)
	if err != nil {
		return u, err
	}
	old := u
	if c.Name != nil {
		u.Name = *c.Name
	}
	if c.Role != nil {
		u.Role = *c.Role
	}
	if c.Disabled != nil && *c.Disabled != !u.DisabledAt.IsZero() {
		u.DisabledAt = time.Time{}
		if *c.Disabled {
			u.DisabledAt = tx.Now()
		}
	}
	if u == old {
		return u, nil
	}
	disables := old.DisabledAt.IsZero() && !u.DisabledAt.IsZero()
	if old.Role == RoleAdmin && old.DisabledAt.IsZero() && (u.Role != RoleAdmin || disables) {
		if err := anotherAdmin(ctx, tx, userID); err != nil {
			return old, err
		}
	}
	u.UpdatedAt = tx.Now()
	err = one(tx.ExecContext(ctx, `UPDATE users SET name = $1, role = $2, disabled_at = $3, updated_at = $4 WHERE workspace_id = $5 AND id = $6`,
		u.Name, u.Role, Micros(u.DisabledAt), Micros(u.UpdatedAt), Workspace, userID))("user " + userID)
	if err != nil {
		return old, err
	}
	if disables || u.Role != old.Role {
		if err := EndSessions(ctx, tx, userID); err != nil {
			return old, err
		}
	}
	if disables {
		if err := endLinks(ctx, tx, userID); err != nil {
			return old, err
		}
	}
	return u, nil
}

// anotherAdmin is ErrLastAdmin unless an admin other than this user can sign in. One who was invited and never came does not count.
func anotherAdmin(ctx context.Context, tx *Tx, userID string) error {
	var n int64
	err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM users WHERE workspace_id = $1 AND id <> $2 AND role = $3 AND disabled_at = 0 AND (password_hash <> '' OR signed_in_at > 0)`,
		Workspace, userID, RoleAdmin).Scan(&n)
	if err != nil {
		return fmt.Errorf("count admins: %w", err)
	}
	if n == 0 {
		return fmt.Errorf("user %s: %w", userID, ErrLastAdmin)
	}
	return nil
}

// SetPassword stores the hash of a new password and ends all sessions and links of the user.
func SetPassword(ctx context.Context, tx *Tx, userID, hash string) error {
	if err := RehashPassword(ctx, tx, userID, hash); err != nil {
		return err
	}
	if err := EndSessions(ctx, tx, userID); err != nil {
		return err
	}
	return endLinks(ctx, tx, userID)
}

// RehashPassword stores another hash of the same password, made with newer parameters. No session ends.
func RehashPassword(ctx context.Context, tx *Tx, userID, hash string) error {
	return one(tx.ExecContext(ctx, `UPDATE users SET password_hash = $1, updated_at = $2 WHERE workspace_id = $3 AND id = $4`, hash, Micros(tx.Now()), Workspace, userID))("user " + userID)
}
