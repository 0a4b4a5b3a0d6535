package validate

import (
	"bytes"
	"strings"

	"golang.org/x/crypto/sha3"
)

const (
	base58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
	bech32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
)

// Bitcoin checks an address: base58check of versions 0 and 5, or bech32 and bech32m with the prefix bc (BIP 173, BIP 350).
func Bitcoin(b []byte) Verdict {
	if len(b) > 3 && bytes.EqualFold(b[:3], []byte("bc1")) {
		return verdict(len(b) >= 14 && len(b) <= 90 && segwit(b))
	}
	v, ok := check58(b, base58)
	return verdict(ok && len(b) >= 26 && (v == 0 || v == 5))
}

func segwit(b []byte) bool {
	chk, ok := bech32Sum(b, 2)
	version := strings.IndexByte(bech32, lowerByte(b[3]))
	if !ok || version == 0 {
		return ok && chk == bech32Is
	}
	return version <= 16 && chk == bech32mIs
}

// What bech32Sum gives for text whose checksum is right.
const (
	bech32Is  = 1          // BIP 173
	bech32mIs = 0x2bc830a3 // BIP 350
)

// bech32Sum is the checksum of text in bech32 whose prefix ends before the 1 at sep, without regard to case; false: a character is none.
func bech32Sum(b []byte, sep int) (chk uint32, ok bool) {
	chk = prefixSum(b[:sep])
	for _, c := range b[sep+1:] {
		v := strings.IndexByte(bech32, lowerByte(c))
		if v < 0 {
			return 0, false
		}
		chk = polymod(chk, uint32(v))
	}
	return chk, true
}

func bech32Checked(b []byte, sep int) bool {
	chk, ok := bech32Sum(b, sep)
	return ok && (chk == bech32Is || chk == bech32mIs)
}

// prefixSum is the checksum of the prefix alone.
func prefixSum(prefix []byte) uint32 {
	chk := uint32(1)
	for _, c := range prefix {
		chk = polymod(chk, uint32(lowerByte(c)>>5))
	}
	chk = polymod(chk, 0)
	for _, c := range prefix {
		chk = polymod(chk, uint32(lowerByte(c)&31))
	}
	return chk
}

func lowerByte(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

func polymod(chk, v uint32) uint32 {
	top := chk >> 25
	chk = (chk&0x1ffffff)<<5 ^ v
	for i, g := range [5]uint32{0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3} {
		if top>>i&1 == 1 {
			chk ^= g
		}
	}
	return chk
}

// Ethereum checks an address: a mixed-case one by EIP-55, an all-lower or all-upper one has no checksum.
func Ethereum(b []byte) Verdict {
	if len(b) != 42 || b[0] != '0' || b[1] != 'x' {
		return Reject
	}
	var lower [40]byte
	uppers, lowers := 0, 0
	for i, c := range b[2:] {
		switch {
		case c >= '0' && c <= '9':
		case c >= 'a' && c <= 'f':
			lowers++
		case c >= 'A' && c <= 'F':
			uppers++
			c += 'a' - 'A'
		default:
			return Reject
		}
		lower[i] = c
	}
	if same(lower[:]) || bytes.Count(lower[:], []byte("0")) > 30 {
		return Reject
	}
	if uppers == 0 || lowers == 0 {
		return Unknown
	}
	h := sha3.NewLegacyKeccak256()
	h.Write(lower[:])
	sum := h.Sum(nil)
	for i, c := range b[2:] {
		nibble := sum[i/2] >> 4
		if i%2 == 1 {
			nibble = sum[i/2] & 15
		}
		if c >= 'a' && nibble >= 8 || c >= 'A' && c <= 'F' && nibble < 8 {
			return Reject
		}
	}
	return Pass
}
