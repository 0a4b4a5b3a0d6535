package dlp

import (
	"math/rand/v2"

	"github.com/outband/outband/dlp/validate"
)

// walletExample makes the key of a wallet with its checksum, for the macros of examples.
func walletExample(name string, n int, rng *rand.Rand) (string, bool) {
	draw := func(prefix []byte, n int, suffix ...byte) []byte {
		b := append(make([]byte, 0, len(prefix)+n+len(suffix)), prefix...)
		for range n {
			b = append(b, byte(1+rng.IntN(254))) // No zero and no 255: in range of every curve.
		}
		return append(b, suffix...)
	}
	switch name {
	case "mnemonic":
		return validate.EncodeMnemonic(draw(nil, n/3*4)), true
	case "wif":
		return validate.EncodeBase58Check(draw([]byte{0x80}, 32, 1), false), true
	case "wiflong":
		return validate.EncodeBase58Check(draw([]byte{0x80}, 32), false), true
	case "xprv", "zprv", "tprv":
		version := map[string][]byte{"xprv": {0x04, 0x88, 0xad, 0xe4}, "zprv": {0x04, 0xb2, 0x43, 0x0c}, "tprv": {0x04, 0x35, 0x83, 0x94}}[name]
		return validate.EncodeBase58Check(draw(append(draw(version, 41), 0), 32), false), true
	case "tezos":
		return validate.EncodeBase58Check(draw([]byte{13, 15, 58, 7}, 32), false), true
	case "xrpseed":
		return validate.EncodeBase58Check(draw([]byte{0x01, 0xe1, 0x4b}, 16), true), true
	case "solana":
		array, _ := validate.EncodeSolanaKey(draw(nil, 32))
		return array, true
	case "solana58":
		_, text := validate.EncodeSolanaKey(draw(nil, 32))
		return text, true
	case "stellar":
		return validate.EncodeStellarSeed(draw(nil, 32)), true
	case "nsec", "suiprivkey":
		return validate.EncodeBech32(name, draw(nil, 32+len(name)/10)), true // Sui's key has a byte for its scheme.
	case "cardano":
		return validate.EncodeBech32("addr_xsk", draw(nil, 96)), true
	}
	return "", false
}
