package validate

import (
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
)

// What decode58 writes is what arithmetic on numbers of any size says, and what does not fit is refused.
func TestDecode58(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for n := range 20_000 {
		alphabet := []string{base58, rippleBase58}[n%2]
		text, want := make([]byte, rng.IntN(90)), new(big.Int)
		for i := range text {
			text[i] = alphabet[rng.IntN(58)]
			want.Add(want.Mul(want, big.NewInt(58)), big.NewInt(int64(strings.IndexByte(alphabet, text[i]))))
		}
		size := max(0, (want.BitLen()+7)/8-1+rng.IntN(4)) // one too few up to two more
		out, wide := make([]byte, size), want.BitLen() > 8*size
		if ok := decode58(text, alphabet, out); ok == wide || ok && new(big.Int).SetBytes(out).Cmp(want) != 0 {
			t.Fatalf("%q in %d bytes: %t, %x; want %x", text, size, ok, out, want)
		}
		if len(text) > 0 {
			text[rng.IntN(len(text))] = "0Il+\x00\xff"[rng.IntN(6)]
			if decode58(text, alphabet, make([]byte, 80)) {
				t.Fatalf("%q decodes", text)
			}
		}
	}
}
