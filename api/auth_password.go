package api

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/alexedwards/argon2id"
	"golang.org/x/text/unicode/norm"

	"github.com/outband/outband/api/problem"
)

// Lengths of a password, in code points after normalization.
const (
	minPassword = 12
	maxPassword = 128
)

// passwords hashes passwords and compares them. Each hash takes its memory only while it is one of a few at once, so that a flood of sign-ins
// cannot take all of it.
type passwords struct {
	params argon2id.Params
	slots  chan struct{}
	wait   time.Duration
	dummy  string // of no password
}

func newPasswords(params argon2id.Params, atOnce int, wait time.Duration) *passwords {
	var b [48]byte
	_, _ = rand.Read(b[:]) // Never fails: it ends the program instead.
	text := base64.RawStdEncoding.EncodeToString
	params.SaltLength, params.KeyLength = 16, 32
	return &passwords{
		params: params, slots: make(chan struct{}, atOnce), wait: wait,
		dummy: fmt.Sprintf("$argon2id$v=19$m=%d,t=%d,p=%d$%s$%s", params.Memory, params.Iterations, params.Parallelism, text(b[:16]), text(b[16:])),
	}
}

// slot waits for its turn. The caller gives it back by calling done.
func (p *passwords) slot(ctx context.Context) (done func(), err error) {
	wait := time.NewTimer(p.wait)
	defer wait.Stop()
	select {
	case p.slots <- struct{}{}:
		return func() { <-p.slots }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-wait.C:
		return nil, problem.New(http.StatusServiceUnavailable, problem.CodeUnavailable, "Too many people sign in at this moment. Try again in some seconds.").With("Retry-After", "10")
	}
}

// hash returns the hash of a password.
func (p *passwords) hash(ctx context.Context, password string) (string, error) {
	done, err := p.slot(ctx)
	if err != nil {
		return "", err
	}
	defer done()
	h, err := argon2id.CreateHash(normal(password), &p.params)
	if err != nil {
		return "", fmt.Errorf("hash a password: %w", err)
	}
	return h, nil
}

// matches compares a password with a hash, and says whether the hash was made with other parameters than those of now. An empty hash matches
// nothing, after as much work as any other.
func (p *passwords) matches(ctx context.Context, password, hash string) (ok, old bool, err error) {
	done, err := p.slot(ctx)
	if err != nil {
		return false, false, err
	}
	defer done()
	none := hash == ""
	if none {
		hash = p.dummy
	}
	ok, params, err := argon2id.CheckHash(normal(password), hash)
	if err != nil {
		return false, false, fmt.Errorf("read the hash of a password: %w", err)
	}
	return ok && !none, *params != p.params, nil
}

// normal is the one form of what different keyboards send for the same password, as NIST SP 800-63B asks.
func normal(password string) string { return norm.NFKC.String(password) }

// trivial are the long passwords that everybody thinks of first. Longer lists would refuse what nobody tries within the limits of a sign-in.
var trivial = []string{
	"123456789012", "1234567890123", "12345678901234", "123456789012345", "1234567890123456", "123456789123", "123123123123", "112233445566", "abcdefghijkl", "abcdefghijklm", "abcd12345678",
	"abc123abc123", "qwertyuiop12", "qwertyuiop123", "qwertyuiopas", "qwertyuiopasdf", "qwertyqwerty", "qwerty123456", "1q2w3e4r5t6y", "1qaz2wsx3edc", "asdfghjkl123", "asdfghjklqwe",
	"passwordpassword", "password1234", "password12345", "password123456", "passw0rd1234", "passwordoutband", "outbandpassword", "outbandoutband", "mypassword123", "administrator", "administrator1",
	"adminadminadmin", "admin1234567", "admin12345678", "changemechangeme", "changeme1234", "letmeinletmein", "letmein12345", "welcome12345", "welcomewelcome", "iloveyou1234", "iloveyouiloveyou",
	"correcthorsebatterystaple",
}

// checkPassword is a problem if a new password is too short, too long, or one of the first that anybody would try. There are no other rules.
func checkPassword(password, email, userName string) error {
	password = normal(password)
	refuse := func(detail string) error {
		return problem.New(http.StatusUnprocessableEntity, problem.CodePassword, detail, problem.Field{Location: "body.password", Message: detail})
	}
	switch n := utf8.RuneCountInString(password); {
	case n < minPassword:
		return refuse(fmt.Sprintf("The password has fewer than %d characters. Take a longer one, for example some words that do not belong together.", minPassword))
	case n > maxPassword:
		return refuse(fmt.Sprintf("The password has more than %d characters. Take a shorter one.", maxPassword))
	}
	bare := func(s string) string { return strings.ToLower(strings.Join(strings.Fields(normal(s)), "")) }
	tried := bare(password)
	local, _, _ := strings.Cut(email, "@")
	if tried == bare(email) || tried == bare(local) || tried == bare(userName) {
		return refuse("The password is the e-mail address or the name. Take another one.")
	}
	first, _ := utf8.DecodeRuneInString(tried)
	if slices.Contains(trivial, tried) || strings.Trim(tried, string(first)) == "" {
		return refuse("The password is one of the first that anybody would try. Take another one.")
	}
	return nil
}
