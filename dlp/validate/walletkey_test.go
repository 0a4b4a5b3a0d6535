package validate_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/outband/outband/dlp/validate"
)

// The vectors are those of the documents that define the forms.
func TestWalletVectors(t *testing.T) {
	for _, tc := range []struct {
		name string
		pass []string
		fail []string
	}{
		{"wif", []string{
			"5HueCGU8rMjxEXxiPuD5BDku4MkFqeZyd4dZ1jvhTVqvbTLvyTJ",  // Bitcoin wiki, wallet import format
			"KwdMAjGmerYanjeui5SHS7JkmpZvVipYvB2LJGU1ZxJwYvP98617", // the same key, compressed
		}, []string{"5HueCGU8rMjxEXxiPuD5BDku4MkFqeZyd4dZ1jvhTVqvbTLvyTK", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "5HueCGU8", "0OIl", ""}},
		{"extended_key", []string{ // BIP 32, test vector 1
			"xprv9s21ZrQH143K3QTDL4LXw2F7HEK3wJUD2nW2nRk4stbPy6cq3jPPqjiChkVvvNKmPGJxWUtg6LnF5kejMRNNU3TGtRBeJgk33yuGBxrMPHi",
			"xprv9uHRZZhk6KAJC1avXpDAp4MDc3sQKNxDiPvvkX8Br5ngLNv1TxvUxt4cV1rGL5hj6KCesnDYUhd7oWgT11eZG7XnxHrnYeSvkzY7d2bhkJ7",
		}, []string{ // the public key of the first, the first with another end, and two invalid keys of test vector 5
			"xpub661MyMwAqRbcFtXgS5sYJABqqG9YLmC4Q1Rdap9gSE8NqtwybGhePY2gZ29ESFjqJoCu1Rupje8YtGqsefD265TMg7usUDFdp6W1EGMcet8",
			"xprv9s21ZrQH143K3QTDL4LXw2F7HEK3wJUD2nW2nRk4stbPy6cq3jPPqjiChkVvvNKmPGJxWUtg6LnF5kejMRNNU3TGtRBeJgk33yuGBxrMPHj",
			"xprv9s21ZrQH143K24Mfq5zL5MhWK9hUhhGbd45hLXo2Pq2oqzMMo63oStZzFzzbAVOvQ", "xprv",
		}},
		{"mnemonic", []string{ // the reference vectors of BIP 39
			"abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about",
			"legal winner thank year wave sausage worth useful legal winner thank yellow",
			"1. ozone\n2. drill\n3. grab\n4. fiber\n5. curtain\n6. grace\n7. pudding\n8. thank\n9. cruise\n10. elder\n11. eight\n12. picnic",
			"void come effort suffer camp survey warrior heavy shoot primary clutch crush open amazing screen patrol group space point ten exist slush involve unfold",
		}, []string{
			"abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon",
			"legal winner thank year wave sausage worth useful legal winner thank", "we all went to the market and bought some bread and milk", "",
		}},
		{"bech32_key", []string{ // BIP 173, BIP 350 and NIP 19
			"A12UEL5L", "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw", "?1v759aa",
			"nsec1vl029mgpspedva04g90vltkh6fvh240zqtv9k0t9af8935ke9laqsnlfe5",
		}, []string{"A12uEL5L", "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxx", "1nwldj5", "x1b4n0q5v", "nsec1", ""}},
		{"stellar_seed", []string{"SBU2RRGLXH3E5CQHTD3ODLDF2BWDCYUSSBLLZ5GNW7JXHDIYKXZWHOKR"}, // SEP 23
			[]string{"SBU2RRGLXH3E5CQHTD3ODLDF2BWDCYUSSBLLZ5GNW7JXHDIYKXZWHOKS", "GA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJVSGZ", "S"}},
		{"xrp_seed", []string{"sn259rEFXrQrWyx3Q7XneWcwV6dfL", "sEdTM1uX8pu2do5XvTnutH6HsouMaM2"}, // xrpl.org, cryptographic keys
			[]string{"sn259rEFXrQrWyx3Q7XneWcwV6dfM", "rf1BiGeXwwQoi8Z2ueFYTEXSwuJYfV2Jpn", "s"}},
		{"base58check", []string{"1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "5HueCGU8rMjxEXxiPuD5BDku4MkFqeZyd4dZ1jvhTVqvbTLvyTJ"}, []string{"1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb", "1", strings.Repeat("1", 200)}},
		{"eth_key", []string{"0x" + strings.Repeat("3c9d0a7f", 8), strings.Repeat("0f1E2d3C4b5A6978", 4)}, []string{
			"0x" + strings.Repeat("0", 63) + "1", strings.Repeat("f", 64), strings.Repeat("3c9d0a7f", 7), "0x" + strings.Repeat("3c9d0a7g", 8),
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			judge(t, tc.name, map[validate.Verdict][]string{validate.Pass: tc.pass, validate.Reject: tc.fail})
		})
	}
}

func TestSolanaKey(t *testing.T) {
	array, text := validate.EncodeSolanaKey(bytes.Repeat([]byte{7, 41}, 16))
	spaced := strings.ReplaceAll(array, ",", ", ")
	for _, s := range []string{array, spaced, text} {
		if validate.SolanaKey([]byte(s)) != validate.Pass {
			t.Errorf("%q does not pass", s)
		}
	}
	for _, s := range []string{
		strings.Replace(array, "[7", "[8", 1), strings.Replace(array, "[7,", "[", 1), strings.Replace(array, "[7", "[700", 1),
		"[" + strings.Repeat("1,", 63) + "1]", "[]", "[", text[1:], "",
	} {
		if validate.SolanaKey([]byte(s)) != validate.Reject {
			t.Errorf("%q is not rejected", s)
		}
	}
}

func TestEncodersMakeWhatTheChecksRead(t *testing.T) {
	for n := byte(1); n < 40; n++ {
		seed := make([]byte, 32)
		for i := range seed {
			seed[i] = n*31 + byte(i)*7
		}
		for name, text := range map[string]string{
			"wif":          validate.EncodeBase58Check(append([]byte{0x80}, seed...), false),
			"base58check":  validate.EncodeBase58Check(append([]byte{0, 0}, seed[:n%32]...), false),
			"xrp_seed":     validate.EncodeBase58Check(append([]byte{0x21}, seed[:16]...), true),
			"bech32_key":   validate.EncodeBech32("nsec", seed),
			"stellar_seed": validate.EncodeStellarSeed(seed),
			"mnemonic":     validate.EncodeMnemonic(seed[:16+n%5*4]),
		} {
			v, ok := validate.ByName(name)
			if !ok || v.Check([]byte(text)) != validate.Pass {
				t.Errorf("%s: %q does not pass", name, text)
			}
		}
	}
}

func TestFillerRuns(t *testing.T) {
	for _, tc := range []struct {
		name, value string
		want        bool
	}{
		{"one character", strings.Repeat("0", 32), true},
		{"a row that is a quarter of the value", "k3" + strings.Repeat("A", 10) + "Zq8Lw2Rt5Yp7Xc9VbN4m", true},
		{"the zero bits that a long token begins with", strings.Repeat("A", 21) + strings.Repeat("Zq8Lw2Rt5Y", 9), false},
		{"seven of a kind", "k3AAAAAAAZq8Lw2Rt5Yp", false},
	} {
		if got := validate.Filler([]byte(tc.value)); got != tc.want {
			t.Errorf("%s: %t", tc.name, got)
		}
	}
}
