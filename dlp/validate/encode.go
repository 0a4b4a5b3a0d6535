package validate

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base32"
	"math/big"
	"strconv"
	"strings"
)

// The encoders below make valid text of the forms that wallets use out of made-up bytes, for examples, fixtures and tests: no file has to hold a key.

// EncodeBase58Check returns payload and its checksum in base58; ripple chooses the alphabet of the XRP Ledger.
func EncodeBase58Check(payload []byte, ripple bool) string {
	sum := doubleHash(payload)
	return encode58(append(payload[:len(payload):len(payload)], sum[:4]...), ripple)
}

func encode58(b []byte, ripple bool) string {
	alphabet := base58
	if ripple {
		alphabet = rippleBase58
	}
	var out []byte
	n, base, rest := new(big.Int).SetBytes(b), big.NewInt(58), new(big.Int)
	for n.Sign() > 0 {
		n.DivMod(n, base, rest)
		out = append(out, alphabet[rest.Int64()])
	}
	for _, c := range b {
		if c != 0 {
			break
		}
		out = append(out, alphabet[0])
	}
	for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
		out[i], out[j] = out[j], out[i]
	}
	return string(out)
}

// EncodeBech32 returns data with the checksum of BIP 173 behind a lower-case prefix and 1.
func EncodeBech32(prefix string, data []byte) string {
	var values []byte
	acc, bits := uint32(0), 0
	for _, c := range data {
		acc, bits = acc<<8|uint32(c), bits+8
		for bits >= 5 {
			bits -= 5
			values = append(values, byte(acc>>bits)&31)
		}
	}
	if bits > 0 {
		values = append(values, byte(acc<<(5-bits))&31)
	}
	chk := prefixSum([]byte(prefix))
	for _, v := range values {
		chk = polymod(chk, uint32(v))
	}
	for range 6 {
		chk = polymod(chk, 0)
	}
	chk ^= 1
	var b strings.Builder
	b.WriteString(prefix + "1")
	for _, v := range values {
		b.WriteByte(bech32[v])
	}
	for i := range 6 {
		b.WriteByte(bech32[chk>>(5*(5-i))&31])
	}
	return b.String()
}

// EncodeStellarSeed returns the StrKey of a secret seed of 32 bytes.
func EncodeStellarSeed(seed []byte) string {
	raw := append([]byte{18 << 3}, seed...)
	sum := crc16(raw)
	return base32.StdEncoding.EncodeToString(append(raw, byte(sum), byte(sum>>8)))
}

// EncodeSolanaKey returns the key pair of a seed of 32 bytes, as a JSON array and in base58.
func EncodeSolanaKey(seed []byte) (array, text string) {
	pair := ed25519.NewKeyFromSeed(seed)
	parts := make([]string, len(pair))
	for i, c := range pair {
		parts[i] = strconv.Itoa(int(c))
	}
	return "[" + strings.Join(parts, ",") + "]", encode58(pair, false)
}

// EncodeMnemonic returns the words of BIP 39 for 16, 20, 24, 28 or 32 bytes.
func EncodeMnemonic(entropy []byte) string {
	sum := sha256.Sum256(entropy)
	bits := append(entropy[:len(entropy):len(entropy)], sum[0])
	words := make([]string, len(entropy)*3/4)
	for i := range words {
		n := 0
		for b := range 11 {
			at := i*11 + b
			n = n<<1 | int(bits[at/8]>>(7-at%8)&1)
		}
		words[i] = MnemonicWords()[n]
	}
	return strings.Join(words, " ")
}
