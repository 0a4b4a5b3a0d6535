package dlp_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outband/outband/dlp"
)

func TestUsageIsTakenOnce(t *testing.T) {
	all, err := dlp.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	e, err := dlp.New(all, dlp.DefaultConfiguration())
	if err != nil {
		t.Fatal(err)
	}
	text := "card 4111 1111 1111 1111 and card 4111 1111 1111 1112, IBAN DE89 3704 0044 0532 0130 00"
	for range 3 {
		if _, err := e.Scan([]byte(text), testKeys); err != nil {
			t.Fatal(err)
		}
	}
	got := e.TakeUsage()
	card := got["financial.card"]
	if card.Candidates < 6 || card.Low+card.Medium+card.High+card.VeryHigh != 3 || card.VeryHigh+card.High != 3 {
		t.Errorf("the card detector did %+v, want at least 6 candidates, and 3 matches in 3 scans", card)
	}
	if iban := got["financial.iban"]; iban.VeryHigh+iban.High != 3 {
		t.Errorf("the IBAN detector did %+v", iban)
	}
	if _, ok := got["secret.github_pat"]; ok {
		t.Error("a detector that met nothing has done something")
	}
	if diff := cmp.Diff(map[string]dlp.Usage{}, e.TakeUsage()); diff != "" {
		t.Errorf("taken twice (-want +got):\n%s", diff)
	}
	// Whatever the blocks, a match counts once.
	long, err := dlp.New(all, dlp.Configuration{BlockSize: 4096})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := long.Scan([]byte(strings.Repeat("plain words ", 2000)+"card 4111 1111 1111 1111 "+strings.Repeat("plain words ", 2000)), testKeys); err != nil {
		t.Fatal(err)
	}
	if got := long.TakeUsage()["financial.card"]; got.High+got.VeryHigh != 1 {
		t.Errorf("in small blocks the card detector did %+v, want one match", got)
	}
}
