package dlp_test

import (
	"strings"
	"testing"

	"github.com/outband/outband/dlp"
)

func TestRecoveryPhrase(t *testing.T) {
	var phrase dlp.Detector
	for _, d := range builtin(t) {
		if d.ID == "secret.wallet_recovery_phrase" {
			phrase = d
		}
	}
	e, err := dlp.New([]dlp.Detector{phrase}, dlp.DefaultConfiguration())
	if err != nil {
		t.Fatal(err)
	}
	words, err := dlp.Expand("recovery", "{mnemonic:12}")
	if err != nil {
		t.Fatal(err)
	}
	list := strings.Fields(words)
	wrong := strings.Join(append(append([]string{}, list[1:]...), list[0]), " ")
	for _, tc := range []struct {
		name, text string
		want       bool
	}{
		{"behind a colon", "mnemonic: " + words, true},
		{"as a list with numbers", "my seed phrase\n1. " + strings.Join(list, "\n2. "), true},
		{"between commas and quotes", "seed_words = [\"" + strings.Join(list, "\", \"") + "\"]", true},
		{"escaped line ends between the words", `{"text":"recovery phrase\n` + strings.Join(list, `\n`) + `"}`, true},
		{"words of the list around it", "seed phrase all new: " + words + " keep safe", true},
		{"before the keyword", words + "\nthis is the mnemonic", true},
		{"in capitals", "MNEMONIC=" + strings.ToUpper(words), true},
		{"another order", "mnemonic: " + wrong, false},
		{"eleven words", "mnemonic: " + strings.Join(list[:11], " "), false},
		{"far from the keyword", "mnemonic " + strings.Repeat("- ", 80) + words, false},
		{"no keyword", "the list says " + words, false},
		{"one word over and over", "mnemonic: " + strings.Repeat("apple ", 24), false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			res, err := e.Scan([]byte(tc.text), dlp.Keys{})
			if err != nil {
				t.Fatal(err)
			}
			if got := len(res.Matches) == 1; got != tc.want {
				t.Errorf("%d matches in %q", len(res.Matches), tc.text)
			}
		})
	}
}
