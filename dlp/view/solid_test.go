package view

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"strings"
	"testing"
)

// What is left out by words holds no run: compared with a look at each place.
func TestNoRunIsLeftOutByWords(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		var text []byte
		for range random.IntN(6) {
			text = append(text, bytes.Repeat([]byte{'a'}, random.IntN(2*leastRun))...)
			text = append(text, " \x80\n"[random.IntN(3)])
		}
		for i := range len(text) + 1 {
			first := len(text)
			for n := i; n+leastRun <= len(text); n++ {
				if !bytes.ContainsAny(text[n:n+leastRun], " \n") && !bytes.Contains(text[n:n+leastRun], []byte{0x80}) {
					first = n
					break
				}
			}
			if got := nextSolid(text, i); got < i || got > first {
				t.Fatalf("from %d of %q: %d, and a run may begin at %d", i, text, got, first)
			}
		}
	}
	// And prose is left out but for its end, which is what it is for.
	prose := []byte(strings.Repeat("the authentication of administrators, ", 50))
	if got := nextSolid(prose, 0); got < len(prose)-2*leastRun {
		t.Errorf("it stops at byte %d of prose", got)
	}
	if breaks(binary.LittleEndian.Uint64([]byte("+/09AZaz"))) != 0 {
		t.Error("a character of the alphabet is a break")
	}
}
