package api

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alexedwards/argon2id"

	"github.com/outband/outband/api/problem"
)

func TestPasswordsThatAreTaken(t *testing.T) {
	const email, userName = "ana.example@example.com", "Ana María Example"
	for _, tc := range []struct {
		name, password string
		ok             bool
	}{
		{"twelve characters", "fjord-kettle", true},
		{"eleven characters", "fjordkettle", false},
		{"twelve characters of several bytes", "日本語日本語日本語テスト", true},
		{"eleven characters of two code points, which are one each", strings.Repeat("e\u0301", 11), false},
		{"spaces", "a cat on a mat", true},
		{"no composition is asked for", "lowercaseonlyletters", true},
		{"128 characters", strings.Repeat("0123456789abcdef", 8), true},
		{"129 characters", strings.Repeat("0123456789abcdef", 8) + "x", false},
		{"one character that is many", strings.Repeat("ﷺ", 12), false},
		{"the address", "Ana.Example@Example.com", false},
		{"what stands before the @", "ana.example", false},
		{"the name", "ana maría example", false},
		{"the name without spaces", "AnaMaríaExample", false},
		{"the name in wide letters", "ａｎａ ｍａｒíａ example", false},
		{"the address with more", "ana.example@example.com 77", true},
		{"a list that everybody has", "PasswordPassword", false},
		{"digits in order", "1234 5678 9012", false},
		{"one character again and again", "zzzzzzzzzzzzzz", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := checkPassword(tc.password, email, userName)
			if (err == nil) != tc.ok {
				t.Fatalf("checkPassword = %v, want taken %t", err, tc.ok)
			}
			var p *problem.Problem
			if err != nil && (!errors.As(err, &p) || p.Code != problem.CodePassword || strings.Contains(p.Detail, tc.password)) {
				t.Errorf("the problem is %v", err)
			}
		})
	}
	for _, s := range trivial {
		if err := checkPassword(s, email, userName); err == nil || len(s) < minPassword || s != strings.ToLower(s) {
			t.Errorf("the trivial %q is taken, or too short to be in the list", s)
		}
	}
}

func TestHashesAreComparedWithTheSameWork(t *testing.T) {
	p := newPasswords(light.Argon2id, 1, time.Second)
	ctx := t.Context()
	hash, err := p.hash(ctx, goodPassword)
	if err != nil || !strings.HasPrefix(hash, "$argon2id$v=19$m=64,t=1,p=1$") {
		t.Fatalf("hash is %q, %v", hash, err)
	}
	again, err := p.hash(ctx, goodPassword)
	if err != nil || again == hash {
		t.Errorf("two hashes of one password are equal, %v", err)
	}
	params, salt, key, err := argon2id.DecodeHash(p.dummy)
	if err != nil || *params != p.params || len(salt) != 16 || len(key) != 32 {
		t.Errorf("the dummy is %q, %v", p.dummy, err)
	}
	for _, tc := range []struct {
		name, password, hash string
		ok                   bool
	}{
		{"the password", goodPassword, hash, true}, {"another", otherPassword, hash, false}, {"none", "", hash, false}, {"no hash", goodPassword, "", false}, {"nothing at all", "", "", false},
	} {
		if ok, old, err := p.matches(ctx, tc.password, tc.hash); ok != tc.ok || old || err != nil {
			t.Errorf("%s: matches = %t, %t, %v", tc.name, ok, old, err)
		}
	}
	if _, _, err := p.matches(ctx, goodPassword, "$argon2i$v=19$m=64,t=1,p=1$AAAA$AAAA"); err == nil || strings.Contains(err.Error(), "AAAA") {
		t.Errorf("a hash that is none: %v", err)
	}
}

func TestHashesWaitForTheirTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPasswords(light.Argon2id, 1, 10*time.Second)
		done, err := p.slot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_, err = p.hash(t.Context(), goodPassword)
		var busy *problem.Problem
		if !errors.As(err, &busy) || busy.Status != http.StatusServiceUnavailable || busy.GetHeaders().Get("Retry-After") == "" {
			t.Errorf("the second is answered by %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, _, err := p.matches(ctx, goodPassword, ""); !errors.Is(err, context.Canceled) {
			t.Errorf("one who has left is answered by %v", err)
		}
		done()
		if _, err := p.hash(t.Context(), goodPassword); err != nil {
			t.Errorf("after the first is done: %v", err)
		}
	})
}
