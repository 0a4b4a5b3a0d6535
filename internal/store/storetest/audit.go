package storetest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/outband/outband/internal/store"
)

func (s *suite) token(name string, expires time.Time) (string, store.Token) {
	s.Helper()
	var text string
	var t store.Token
	s.write(func(ctx context.Context, tx *store.Tx) (err error) {
		text, t, err = store.CreateToken(ctx, tx, name, "viewer", expires)
		return err
	})
	return text, t
}

func tokenHash(s *suite) {
	ctx := s.Context()
	text, made := s.token("ci", time.Time{})
	if !strings.HasPrefix(text, store.TokenPrefix) || len(text) != len(store.TokenPrefix)+52+7 {
		s.Errorf("a token of %d characters", len(text))
	}
	s.equal("FindToken", made, must[store.Token](s)(store.FindToken(ctx, s.Read(), text, stored)))
	sum := sha256.Sum256([]byte(text))
	var hash string
	row := s.Read().QueryRowContext(ctx, `SELECT hash FROM tokens WHERE workspace_id = $1 AND id = $2`, store.Workspace, made.ID)
	if err := row.Scan(&hash); err != nil || hash != hex.EncodeToString(sum[:]) {
		s.Errorf("stored %q, %v", hash, err)
	}
	second, _ := s.token("ci", time.Time{})
	for name, wrong := range map[string]string{
		"empty": "", "the prefix alone": store.TokenPrefix, "without the prefix": strings.TrimPrefix(text, store.TokenPrefix),
		"one letter changed": flip(text, len(text)-12), "a letter of the checksum changed": flip(text, len(text)-1),
		"two halves": text[:30] + second[30:], "its hash": hash, "in capitals": strings.ToUpper(text), "cut off": text[:len(text)-1],
	} {
		if _, err := store.FindToken(ctx, s.Read(), wrong, stored); !errors.Is(err, store.ErrNotFound) {
			s.Errorf("%s: %v", name, err)
		}
	}
}

// flip replaces one letter by another of the alphabet.
func flip(text string, i int) string {
	c := byte('a')
	if text[i] == c {
		c = 'b'
	}
	return text[:i] + string(c) + text[i+1:]
}

func tokenEnds(s *suite) {
	ctx := s.Context()
	text, made := s.token("short", stored.Add(time.Hour))
	if _, err := store.FindToken(ctx, s.Read(), text, stored.Add(time.Hour-time.Microsecond)); err != nil {
		s.Errorf("just before its end: %v", err)
	}
	_, err := store.FindToken(ctx, s.Read(), text, stored.Add(time.Hour))
	s.notFound("at its end", err)

	s.now = start.Add(time.Minute)
	s.write(func(ctx context.Context, tx *store.Tx) error { return store.TouchToken(ctx, tx, made.ID) })
	text, second := s.token("long", time.Time{})
	made.LastUsedAt = s.now.Truncate(time.Microsecond)
	s.equal("ListTokens", []store.Token{second, made}, must[[]store.Token](s)(store.ListTokens(ctx, s.Read())))
	s.write(func(ctx context.Context, tx *store.Tx) error { return store.RevokeToken(ctx, tx, second.ID) })
	_, err = store.FindToken(ctx, s.Read(), text, s.now)
	s.notFound("a revoked token", err)
	s.refused(store.ErrNotFound, func(ctx context.Context, tx *store.Tx) error { return store.RevokeToken(ctx, tx, second.ID) })
	s.refused(store.ErrNotFound, func(ctx context.Context, tx *store.Tx) error { return store.TouchToken(ctx, tx, "tok_none") })
}

func auditChain(s *suite) {
	ctx := s.Context()
	if n, head, err := store.VerifyAudit(ctx, s.Read()); n != 0 || head != "" || err != nil {
		s.Errorf("an empty log: %d, %q, %v", n, head, err)
	}
	s.write(func(ctx context.Context, tx *store.Tx) error {
		for i := range 3 {
			if err := store.AppendAudit(ctx, tx, "usr_1", "finding.triage", fmt.Sprint("fnd_", i), map[string]string{"to": "resolved", "from": "open"}); err != nil {
				return err
			}
		}
		return store.AppendAudit(ctx, tx, "system", "keys.create", "installation", nil)
	})
	rows := must[[]store.AuditRow](s)(store.ListAudit(ctx, s.Read(), 0, 10))
	if len(rows) != 4 || rows[0].Action != "keys.create" || rows[3].PrevHash != "" || rows[2].PrevHash != rows[3].Hash {
		s.Fatalf("ListAudit: %+v", rows)
	}
	s.equal("a row", store.AuditRow{
		Seq: 1, At: stored, Actor: "usr_1", Action: "finding.triage", Object: "fnd_0", Detail: map[string]string{"to": "resolved", "from": "open"}, Hash: rows[3].Hash,
	}, rows[3])
	page := must[[]store.AuditRow](s)(store.ListAudit(ctx, s.Read(), 3, 1))
	s.equal("a page of the list", []store.AuditRow{rows[2]}, page)
	n, head, err := store.VerifyAudit(ctx, s.Read())
	if n != 4 || head != rows[0].Hash || err != nil {
		s.Errorf("VerifyAudit: %d, %q, %v", n, head, err)
	}
	s.write(func(ctx context.Context, tx *store.Tx) error {
		for range 1100 { // More than one batch of the verifier.
			if err := store.AppendAudit(ctx, tx, "usr_1", "token.use", "tok_1", nil); err != nil {
				return err
			}
		}
		return nil
	})
	if n, _, err := store.VerifyAudit(ctx, s.Read()); n != 1104 || err != nil {
		s.Errorf("VerifyAudit of a long log: %d, %v", n, err)
	}
}

func auditTogether(s *suite) {
	fail := errors.New("refused")
	s.refused(fail, func(ctx context.Context, tx *store.Tx) error {
		if err := store.SetMeta(ctx, tx, "color", "red"); err != nil {
			return err
		}
		if err := store.AppendAudit(ctx, tx, "usr_1", "meta.set", "color", nil); err != nil {
			return err
		}
		return fail
	})
	_, err := store.GetMeta(s.Context(), s.Read(), "color")
	s.notFound("the change", err)
	n, _, err := store.VerifyAudit(s.Context(), s.Read())
	if n != 0 || err != nil {
		s.Errorf("the audit log holds %d rows, %v", n, err)
	}
}
