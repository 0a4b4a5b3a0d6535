package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/base32"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"
	"time"

	"github.com/outband/outband/internal/id"
)

// TokenPrefix begins every API token, so that secret scanners know one.
const TokenPrefix = "outband_"

// Token is an API token. Only a hash of its text is stored.
type Token struct {
	ID, Name, Role                              string
	CreatedAt, ExpiresAt, LastUsedAt, RevokedAt time.Time
}

const tokenColumns = `id, name, role, created_at, expires_at, last_used_at, revoked_at`

func scanToken(row interface{ Scan(...any) error }) (Token, error) {
	var t Token
	var created, expires, used, revoked int64
	err := row.Scan(&t.ID, &t.Name, &t.Role, &created, &expires, &used, &revoked)
	if errors.Is(err, sql.ErrNoRows) {
		return t, fmt.Errorf("token: %w", ErrNotFound)
	}
	if err != nil {
		return t, fmt.Errorf("read token: %w", err)
	}
	t.CreatedAt, t.ExpiresAt, t.LastUsedAt, t.RevokedAt = FromMicros(created), FromMicros(expires), FromMicros(used), FromMicros(revoked)
	return t, nil
}

var tokenEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// CreateToken draws a token of 256 random bits and returns its text, which is shown once, and its row. A zero expiresAt never expires.
func CreateToken(ctx context.Context, tx *Tx, name, role string, expiresAt time.Time) (string, Token, error) {
	var b [32]byte
	_, _ = rand.Read(b[:]) // Never fails: it ends the program instead.
	body := tokenEncoding.EncodeToString(b[:])
	text := TokenPrefix + body + tokenChecksum(body)
	t := Token{ID: id.New("tok_"), Name: name, Role: role, CreatedAt: tx.Now(), ExpiresAt: expiresAt}
	_, err := tx.ExecContext(ctx, `INSERT INTO tokens (workspace_id, id, name, role, hash, created_at, expires_at, last_used_at) VALUES ($1, $2, $3, $4, $5, $6, $7, 0)`,
		Workspace, t.ID, t.Name, t.Role, tokenHash(text), Micros(t.CreatedAt), Micros(t.ExpiresAt))
	if err != nil {
		return "", t, fmt.Errorf("store token: %w", err)
	}
	return text, t, nil
}

// FindToken returns the token with this text if it is neither expired nor revoked, else ErrNotFound.
func FindToken(ctx context.Context, q Querier, text string, now time.Time) (Token, error) {
	body, ok := strings.CutPrefix(text, TokenPrefix)
	if !ok || len(body) < 8 || tokenChecksum(body[:len(body)-7]) != body[len(body)-7:] {
		return Token{}, fmt.Errorf("token: %w", ErrNotFound)
	}
	t, err := scanToken(q.QueryRowContext(ctx, `SELECT `+tokenColumns+` FROM tokens WHERE workspace_id = $1 AND hash = $2`, Workspace, tokenHash(text)))
	if err != nil {
		return t, err
	}
	if !t.RevokedAt.IsZero() || (!t.ExpiresAt.IsZero() && !now.Before(t.ExpiresAt)) {
		return Token{}, fmt.Errorf("token: %w", ErrNotFound)
	}
	return t, nil
}

// TouchToken stores when a token was last used.
func TouchToken(ctx context.Context, tx *Tx, tokenID string) error {
	return one(tx.ExecContext(ctx, `UPDATE tokens SET last_used_at = $1 WHERE workspace_id = $2 AND id = $3`, Micros(tx.Now()), Workspace, tokenID))("token " + tokenID)
}

// ListTokens returns all tokens, newest first.
func ListTokens(ctx context.Context, q Querier) ([]Token, error) {
	rows, err := q.QueryContext(ctx, `SELECT `+tokenColumns+` FROM tokens WHERE workspace_id = $1 ORDER BY created_at DESC, id`, Workspace)
	if err != nil {
		return nil, fmt.Errorf("list tokens: %w", err)
	}
	return collect(rows, func(r *sql.Rows) (Token, error) { return scanToken(r) })
}

// RevokeToken ends a token.
func RevokeToken(ctx context.Context, tx *Tx, tokenID string) error {
	return one(tx.ExecContext(ctx, `UPDATE tokens SET revoked_at = $1 WHERE workspace_id = $2 AND id = $3 AND revoked_at = 0`, Micros(tx.Now()), Workspace, tokenID))("token " + tokenID)
}

// A token has 256 bits of its own, so a plain hash needs no salt and no slow function.
func tokenHash(text string) string {
	h := sha256.Sum256([]byte(text))
	return hex.EncodeToString(h[:])
}

func tokenChecksum(body string) string {
	sum := crc32.ChecksumIEEE([]byte(body))
	return tokenEncoding.EncodeToString([]byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)})
}
