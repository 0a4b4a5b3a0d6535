package secret

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestNothingPrintsTheBytes(t *testing.T) {
	const planted = "sk-planted-0123456789"
	value, content := NewValue(planted), NewContent([]byte(planted))
	type holder struct {
		V Value
		C Content
		v Value
		c Content
	}
	h := holder{value, content, value, content}
	var out bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&out, nil))
	log.Info("x", "v", value, "c", content, "h", h, "p", &h)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for _, a := range []any{value, content, &value, &content, h, &h, []any{h}, map[string]any{"k": h}} {
			fmt.Fprintf(&out, verb, a)
		}
	}
	enc, err := json.Marshal(map[string]any{"v": value, "c": content, "h": h})
	if err != nil {
		t.Fatal(err)
	}
	out.Write(enc)
	for _, form := range []string{planted, fmt.Sprintf("%x", planted), "planted"} {
		if strings.Contains(out.String(), form) {
			t.Errorf("output holds %q", form)
		}
	}
	if value.Reveal() != planted || string(content.Bytes()) != planted {
		t.Error("the holder lost its bytes")
	}
}
