package cursor

import (
	"errors"
	"strings"
	"testing"
)

func TestCursorIsBound(t *testing.T) {
	bind := Bind("-first_seen_at", []string{"high"})
	want := Place{Bind: bind, Number: -5, Text: "ä", ID: "fnd_a"}
	got, err := Decode(want.Encode(), bind)
	if err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
	for name, text := range map[string]string{
		"another question": Place{Bind: Bind("first_seen_at"), ID: "fnd_a"}.Encode(), "no id": Place{Bind: bind}.Encode(),
		"not base64": "!", "not JSON": "AAAA", "empty": "", "long": strings.Repeat("A", maxText+1), "more after it": want.Encode()[:len(want.Encode())-2] + "fX0",
	} {
		if _, err := Decode(text, bind); !errors.Is(err, Err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	bind := Bind("x")
	f.Add(Place{Bind: bind, Number: 7, ID: "fnd_a"}.Encode())
	f.Add("e30")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Decode(text, bind)
		if err != nil {
			if !errors.Is(err, Err) {
				t.Fatal(err)
			}
			return
		}
		if again, err := Decode(p.Encode(), bind); err != nil || again != p {
			t.Fatalf("%+v became %+v, %v", p, again, err)
		}
	})
}
