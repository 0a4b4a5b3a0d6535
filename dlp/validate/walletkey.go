package validate

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	_ "embed"
	"encoding/base32"
	"encoding/binary"
	"strings"
	"sync"
	"unicode"
)

// rippleBase58 is the alphabet of the XRP Ledger: https://xrpl.org/docs/references/protocol/data-types/base58-encodings
const rippleBase58 = "rpshnaf39wBUDNEGHJKLM4PQRST7VWXYZ2bcdeCg65jkm8oFqi1tuvAxyz"

// maxBase58 is the longest base58 text that is read; an extended key has 111 characters.
const maxBase58 = 128

// decodeBase58 writes the bytes of base58 text to buf and returns them: leading zeros stand for leading first letters of the alphabet.
func decodeBase58(b []byte, alphabet string, buf *[maxBase58]byte) []byte {
	if len(b) == 0 || len(b) > maxBase58 {
		return nil
	}
	*buf = [maxBase58]byte{}
	low := len(buf) - len(b)*3/4 - 1 // A character holds less than three quarters of a byte.
	if !decode58(b, alphabet, buf[low:]) {
		return nil
	}
	for low < len(buf) && buf[low] == 0 {
		low++
	}
	for _, c := range b {
		if c != alphabet[0] {
			break
		}
		low--
	}
	if low < 0 {
		return nil
	}
	return buf[low:]
}

// checkedBase58 decodes base58check and returns what stands before the four bytes of its double SHA-256.
func checkedBase58(b []byte, alphabet string, buf *[maxBase58]byte) []byte {
	raw := decodeBase58(b, alphabet, buf)
	if len(raw) < 5 {
		return nil
	}
	body := raw[:len(raw)-4]
	sum := doubleHash(body)
	if !bytes.Equal(sum[:4], raw[len(raw)-4:]) {
		return nil
	}
	return body
}

func doubleHash(b []byte) [32]byte {
	first := sha256.Sum256(b)
	return sha256.Sum256(first[:])
}

// Base58Check checks the last four bytes of base58check, the double SHA-256 of the rest:
// https://en.bitcoin.it/wiki/Base58Check_encoding
func Base58Check(b []byte) Verdict {
	var buf [maxBase58]byte
	return verdict(checkedBase58(b, base58, &buf) != nil)
}

// WIF checks a Bitcoin private key in wallet import format: base58check of version 128 or 239, a number below the order of secp256k1, and 1 for a
// key of a compressed point. https://en.bitcoin.it/wiki/Wallet_import_format
func WIF(b []byte) Verdict {
	var buf [maxBase58]byte
	body := checkedBase58(b, base58, &buf)
	if len(body) != 33 && (len(body) != 34 || body[33] != 1) {
		return Reject
	}
	return verdict((body[0] == 0x80 || body[0] == 0xef) && scalar(body[1:33]))
}

// secp256k1 is the order of the curve: https://www.secg.org/sec2-v2.pdf, section 2.4.1.
var secp256k1 = [32]byte{
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe,
	0xba, 0xae, 0xdc, 0xe6, 0xaf, 0x48, 0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41,
}

// scalar reports whether 32 bytes are a private key of secp256k1 that somebody drew: neither out of range nor a small number.
func scalar(b []byte) bool {
	return bytes.Compare(b, secp256k1[:]) < 0 && bytes.Count(b[:16], []byte{0}) < 8 && !same(b)
}

// EthereumKey checks that 64 hexadecimal digits, 0x before them or not, are in the range of secp256k1. Nearly every such number is, so the check
// only drops what was never drawn.
func EthereumKey(b []byte) Verdict {
	b = bytes.TrimPrefix(b, []byte("0x"))
	if len(b) != 64 {
		return Reject
	}
	var key [32]byte
	for i, c := range b {
		n := nibble(c)
		if n < 0 {
			return Reject
		}
		key[i/2] = key[i/2]<<4 | byte(n)
	}
	if !scalar(key[:]) || Entropy(b) < 3.0 {
		return Reject
	}
	return Pass
}

func nibble(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c - 'a' + 10)
	case c >= 'A' && c <= 'F':
		return int(c - 'A' + 10)
	}
	return -1
}

// extended are the versions of extended private keys, main and test network: BIP 32 and https://github.com/satoshilabs/slips/blob/master/slip-0132.md
var extended = [...]uint32{0x0488ade4, 0x049d7878, 0x04b2430c, 0x04358394, 0x044a4e28, 0x045f18bc}

// ExtendedKey checks an extended private key: base58check of 78 bytes, a known version, and a private key behind a zero.
// https://github.com/bitcoin/bips/blob/master/bip-0032.mediawiki#serialization-format
func ExtendedKey(b []byte) Verdict {
	var buf [maxBase58]byte
	body := checkedBase58(b, base58, &buf)
	if len(body) != 78 || body[45] != 0 || !scalar(body[46:]) {
		return Reject
	}
	version := binary.BigEndian.Uint32(body)
	for _, v := range extended {
		if v == version {
			return Pass
		}
	}
	return Reject
}

// SolanaKey checks a key pair, as a JSON array of 64 bytes or in base58: the second half is the Ed25519 public key of the first.
// https://solana.com/docs/intro/installation/solana-cli-basics and RFC 8032, section 5.1.5
func SolanaKey(b []byte) Verdict {
	var buf [maxBase58]byte
	pair := buf[:0]
	if len(b) > 0 && b[0] == '[' {
		n, digits := 0, 0
		for _, c := range b[1:] {
			switch {
			case c >= '0' && c <= '9' && digits < 3:
				n = n*10 + int(c-'0')
				digits++
				continue
			case digits > 0 && (n > 255 || len(pair) == 64):
				return Reject
			case digits > 0:
				pair = append(pair, byte(n))
				n, digits = 0, 0
			}
			if c != ',' && c != ']' && c != ' ' && c != '\n' && c != '\r' && c != '\t' {
				return Reject
			}
		}
	} else {
		pair = decodeBase58(b, base58, &buf)
	}
	if len(pair) != ed25519.PrivateKeySize {
		return Reject
	}
	want := ed25519.NewKeyFromSeed(pair[:ed25519.SeedSize])
	return verdict(bytes.Equal(want, pair))
}

// StellarSeed checks a secret seed in StrKey form: base32 of version 18<<3, 32 bytes, and their CRC-16.
// https://github.com/stellar/stellar-protocol/blob/master/ecosystem/sep-0023.md
func StellarSeed(b []byte) Verdict {
	var raw [35]byte
	if len(b) != 56 {
		return Reject
	}
	if n, err := base32.StdEncoding.Decode(raw[:], b); err != nil || n != len(raw) {
		return Reject
	}
	sum := crc16(raw[:33])
	return verdict(raw[0] == 18<<3 && raw[33] == byte(sum) && raw[34] == byte(sum>>8))
}

// crc16 is CRC-16/XMODEM: polynomial 0x1021, start 0.
func crc16(b []byte) uint16 {
	var crc uint16
	for _, c := range b {
		crc ^= uint16(c) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
	}
	return crc
}

// XRPSeed checks a seed of the XRP Ledger: base58check in Ripple's alphabet of 16 bytes behind 0x21, or 0x01e14b for Ed25519.
// https://xrpl.org/docs/concepts/accounts/cryptographic-keys
func XRPSeed(b []byte) Verdict {
	var buf [maxBase58]byte
	body := checkedBase58(b, rippleBase58, &buf)
	return verdict(len(body) == 17 && body[0] == 0x21 || len(body) == 19 && bytes.HasPrefix(body, []byte{0x01, 0xe1, 0x4b}))
}

// Bech32Key checks text in one case with the checksum of BIP 173 or BIP 350, whatever stands before its last 1. It admits more than the 90 characters
// of BIP 173, as the keys of Cardano do (CIP 5).
func Bech32Key(b []byte) Verdict {
	one := bytes.LastIndexByte(b, '1')
	if one < 1 || len(b)-one < 7 || len(b) > 256 {
		return Reject
	}
	mixed := bytes.ContainsFunc(b, unicode.IsUpper) && bytes.ContainsFunc(b, unicode.IsLower)
	return verdict(!mixed && bech32Checked(b, one))
}

// The English word list of BIP 39, as it is published: https://github.com/bitcoin/bips/blob/master/bip-0039/english.txt
//
//go:embed bip39_english.txt
var bip39English string

// MnemonicWords returns the 2048 words of BIP 39 in their order.
var MnemonicWords = sync.OnceValue(func() []string { return strings.Fields(bip39English) })

// mnemonicTable finds a word of BIP 39 by its letters, eight at most; the numbers follow the order of the list, which is that of the alphabet.
type mnemonicTable struct {
	letters [1 << 13]uint64 // 0: no word is here, and none of those before goes on
	number  [1 << 13]uint16
}

// place returns where a word is, or would be.
func (t *mnemonicTable) place(letters uint64) int {
	i := int(letters * 0x9e3779b97f4a7c15 >> (64 - 13))
	for t.letters[i] != 0 && t.letters[i] != letters {
		i = (i + 1) % len(t.letters)
	}
	return i
}

var mnemonicIndex = sync.OnceValue(func() *mnemonicTable {
	t := &mnemonicTable{}
	for n, w := range MnemonicWords() {
		var low [8]byte
		copy(low[:], w)
		letters := binary.LittleEndian.Uint64(low[:])
		i := t.place(letters)
		t.letters[i], t.number[i] = letters, uint16(n)
	}
	return t
})

// MnemonicWord returns the number of a word of BIP 39, in any case, or -1.
func MnemonicWord(w []byte) int {
	var low [8]byte
	if len(w) < 3 || len(w) > len(low) {
		return -1
	}
	for i, c := range w {
		low[i] = lowerByte(c)
	}
	t, letters := mnemonicIndex(), binary.LittleEndian.Uint64(low[:])
	if i := t.place(letters); letters != 0 && t.letters[i] == letters {
		return int(t.number[i])
	}
	return -1
}

// MaxMnemonic is the number of words of the longest phrase of BIP 39.
const MaxMnemonic = 24

// MnemonicPhrase checks the numbers of 12, 15, 18, 21 or 24 words: the last bits are the first of the SHA-256 of those before them.
// https://github.com/bitcoin/bips/blob/master/bip-0039.mediawiki
func MnemonicPhrase(words []int) bool {
	n := len(words)
	if n < 12 || n > MaxMnemonic || n%3 != 0 {
		return false
	}
	var bits [(MaxMnemonic*11 + 7) / 8]byte
	full, left, have := 0, uint32(0), 0 // bytes that are full, and the bits behind them
	for _, w := range words {
		if w < 0 || w > 2047 {
			return false
		}
		left, have = left<<11|uint32(w), have+11
		for ; have >= 8; have -= 8 {
			bits[full] = byte(left >> (have - 8))
			full++
		}
	}
	if have > 0 {
		bits[full] = byte(left << (8 - have))
	}
	entropy := n * 11 / 33 * 4 // 32 bits for each bit of checksum
	sum := sha256.Sum256(bits[:entropy])
	mask := byte(0xff) << (8 - n/3)
	return bits[entropy]&mask == sum[0]&mask
}

// Mnemonic checks a recovery phrase; numbers, punctuation and line ends between its words do not count.
func Mnemonic(b []byte) Verdict {
	var words [MaxMnemonic]int
	n := 0
	for i := 0; i < len(b); {
		if !letter(b[i]) {
			i++
			continue
		}
		end := i
		for end < len(b) && letter(b[end]) {
			end++
		}
		if n == len(words) {
			return Reject
		}
		words[n] = MnemonicWord(b[i:end])
		n++
		i = end
	}
	return verdict(MnemonicPhrase(words[:n]))
}

func letter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
