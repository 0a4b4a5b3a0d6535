package e2e

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"strings"
)

// needles are texts to look for in large data, all in one pass: each is indexed by its first eight bytes, so shorter ones cannot be looked for.
type needles struct {
	byHead map[uint64][]needle
	n      int
}

type needle struct{ text, name string }

const headBytes = 8

// add adds a value in the forms in which it could be stored. name is what a failing test prints.
func (n *needles) add(name, value string) {
	if n.byHead == nil {
		n.byHead = map[uint64][]needle{}
	}
	seen := map[string]bool{}
	for form, text := range forms(value) {
		if len(text) < headBytes || seen[text] {
			continue
		}
		seen[text] = true
		head := binary.LittleEndian.Uint64([]byte(text))
		n.byHead[head] = append(n.byHead[head], needle{text, name + " (" + form + ")"})
		n.n++
	}
}

// forms are the raw text, what encoders make of it, and the text without separators. Base64 is searched at each of the three places that the
// value can have in a longer encoded text.
func forms(v string) map[string]string {
	quoted, _ := json.Marshal(v) // A string always has a JSON form.
	out := map[string]string{
		"raw": v, "JSON": strings.Trim(string(quoted), `"`), "hex": hex.EncodeToString([]byte(v)), "HEX": strings.ToUpper(hex.EncodeToString([]byte(v))),
		"query": url.QueryEscape(v), "path": url.PathEscape(v), "compact": strings.NewReplacer(" ", "", "-", "", ".", "").Replace(v), "lower": strings.ToLower(v),
	}
	for shift, skip := range []int{0, 2, 3} {
		padded := append(make([]byte, shift), v...)
		whole := len(padded) / 3 * 3
		if whole == 0 {
			continue
		}
		out["base64 "+string(rune('0'+shift))] = base64.StdEncoding.EncodeToString(padded[:whole])[skip:]
		out["base64url "+string(rune('0'+shift))] = base64.RawURLEncoding.EncodeToString(padded[:whole])[skip:]
	}
	return out
}

// in returns the names of the needles in data.
func (n *needles) in(data []byte) (found []string) {
	seen := map[string]bool{}
	for i := 0; i+headBytes <= len(data); i++ {
		for _, x := range n.byHead[binary.LittleEndian.Uint64(data[i:])] {
			if !seen[x.name] && strings.HasPrefix(string(data[i:min(len(data), i+len(x.text))]), x.text) {
				seen[x.name] = true
				found = append(found, x.name)
			}
		}
	}
	return found
}
