package validate

import (
	"bytes"
	"math/bits"
	"unicode"

	"golang.org/x/crypto/sha3"
)

// decode58 decodes b into out, which it fills from the end; false when a character is none or the number is too large.
func decode58(b []byte, alphabet string, out []byte) bool {
	digits := &base58Digits
	if alphabet == rippleBase58 {
		digits = &rippleDigits
	}
	var words [(maxBase58 + 7) / 8]uint64 // of the number, the lowest first
	used, size := 0, (len(out)+7)/8
	for len(b) > 0 {
		carry, scale := uint64(0), uint64(1)
		n := min(10, len(b)) // 58 to the power of ten still fits.
		for _, c := range b[:n] {
			d := digits[c]
			if d == 0 {
				return false
			}
			carry = carry*58 + uint64(d-1)
			scale *= 58
		}
		b = b[n:]
		for i := range words[:used] {
			high, low := bits.Mul64(words[i], scale)
			sum, over := bits.Add64(low, carry, 0)
			words[i], carry = sum, high+over
		}
		if carry != 0 {
			if used == size {
				return false
			}
			words[used] = carry
			used++
		}
	}
	for i := range out {
		out[len(out)-1-i] = byte(words[i/8] >> (8 * (i % 8)))
	}
	spare := len(out) % 8
	return spare == 0 || words[size-1]>>(8*spare) == 0
}

// base58Digits and rippleDigits are the values of the characters of the alphabets, plus one; 0: not one of them.
var base58Digits, rippleDigits = digitsOf(base58), digitsOf(rippleBase58)

func digitsOf(alphabet string) (digits [256]byte) {
	for i, c := range []byte(alphabet) {
		digits[c] = byte(i + 1)
	}
	return digits
}

// check58 decodes an address of base58check and returns its version; false when the checksum of two rounds of SHA-256 is another.
func check58(b []byte, alphabet string) (version byte, ok bool) {
	var out [25]byte
	if len(b) < 25 || len(b) > 35 || !decode58(b, alphabet, out[:]) {
		return 0, false
	}
	sum := doubleHash(out[:21])
	return out[0], bytes.Equal(sum[:4], out[21:])
}

// Litecoin checks an address of base58check of versions 48 and 50 (chainparams of Litecoin Core).
func Litecoin(b []byte) Verdict {
	v, ok := check58(b, base58)
	return verdict(ok && (v == 48 || v == 50))
}

// Dogecoin checks an address of base58check of versions 30 and 22 (chainparams of Dogecoin Core).
func Dogecoin(b []byte) Verdict {
	v, ok := check58(b, base58)
	return verdict(ok && (v == 30 || v == 22))
}

// Tron checks an address of base58check of version 0x41 (TRON protocol documentation).
func Tron(b []byte) Verdict {
	v, ok := check58(b, base58)
	return verdict(ok && v == 0x41)
}

// Ripple checks a classic address: base58check in the alphabet of the XRP Ledger, version 0.
func Ripple(b []byte) Verdict {
	v, ok := check58(b, rippleBase58)
	return verdict(ok && v == 0)
}

// Solana checks that an address decodes to the 32 bytes of an Ed25519 key. It has no checksum.
func Solana(b []byte) Verdict {
	if len(b) < 43 || len(b) > 44 || same(b) {
		return Reject
	}
	var out [32]byte
	if !decode58(b, base58, out[:]) || out[0] == 0 {
		return Reject
	}
	return Unknown
}

// Monero checks an address: blocks of eleven characters for eight bytes, and the first four bytes of Keccak-256 (Monero documentation).
func Monero(b []byte) Verdict {
	size := 69
	switch len(b) {
	case 95:
	case 106:
		size = 77
	default:
		return Reject
	}
	var out [80]byte
	n := 0
	for i := 0; i < len(b); i += 11 {
		part := b[i:min(i+11, len(b))]
		width := 8
		if len(part) < 11 {
			width = size - n
		}
		if !decode58(part, base58, out[n:n+width]) {
			return Reject
		}
		n += width
	}
	if out[0] != 18 && out[0] != 19 && out[0] != 42 {
		return Reject
	}
	h := sha3.NewLegacyKeccak256()
	h.Write(out[:size-4])
	return verdict(bytes.Equal(h.Sum(nil)[:4], out[size-4:size]))
}

// Bech32 checks the checksum of an address in bech32 or bech32m with any prefix in lower case (BIP 173, BIP 350; CIP 19 for Cardano).
func Bech32(b []byte) Verdict {
	sep := bytes.LastIndexByte(b, '1')
	if sep < 1 || sep > 16 || len(b)-sep < 8 || len(b) > 128 {
		return Reject
	}
	return verdict(!bytes.ContainsFunc(b, unicode.IsUpper) && bech32Checked(b, sep))
}

// CashAddr checks an address of Bitcoin Cash behind its prefix: the 40-bit checksum of the CashAddr specification.
func CashAddr(b []byte) Verdict {
	prefix, body, ok := bytes.Cut(b, []byte(":"))
	if !ok || len(prefix) > 16 || len(body) != 42 {
		return Reject
	}
	chk := uint64(1)
	step := func(v uint64) {
		top := chk >> 35
		chk = (chk&0x07ffffffff)<<5 ^ v
		for i, g := range [5]uint64{0x98f2bc8e61, 0x79b76d99e2, 0xf33e5fb3c4, 0xae2eabe2a8, 0x1e4f43e470} {
			if top>>i&1 == 1 {
				chk ^= g
			}
		}
	}
	for _, c := range prefix {
		step(uint64(c & 31))
	}
	step(0)
	for _, c := range body {
		v := bytes.IndexByte([]byte(bech32), c)
		if v < 0 {
			return Reject
		}
		step(uint64(v))
	}
	return verdict(chk == 1)
}
