package store_test

import (
	"strings"
	"testing"

	"github.com/outband/outband/internal/store"
)

func FuzzNormalizeEmail(f *testing.F) {
	for _, seed := range []string{"ana@example.com", " ANA@Example.com", "A\u0301na@example.com", "a@b@c", "@", "İ@example.com", "ana@\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := store.NormalizeEmail(s)
		if err != nil {
			return
		}
		if again, err := store.NormalizeEmail(got); again != got || err != nil {
			t.Errorf("NormalizeEmail(%q) is %q, of which it makes %q, %v", s, got, again, err)
		}
		if strings.Count(got, "@") != 1 || strings.ContainsAny(got, " \t\r\n<>,;") || len(got) > 254 {
			t.Errorf("NormalizeEmail(%q) = %q", s, got)
		}
	})
}
