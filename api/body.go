package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// errTwice refuses a body that names a field twice: which of the two counts would depend on who reads it.
var errTwice = errors.New("a field is named twice")

// jsonFormat reads and writes JSON.
var jsonFormat = huma.Format{
	Marshal: huma.DefaultJSONFormat.Marshal,
	Unmarshal: func(data []byte, v any) error {
		if err := json.Unmarshal(data, v); err != nil {
			return err
		}
		// The framework reads a body twice, first into any to validate it: once is enough to look for fields.
		if _, first := v.(*any); first {
			return checkTwice(json.NewDecoder(bytes.NewReader(data)))
		}
		return nil
	},
}

// checkTwice walks valid JSON. Names that differ in case only are one: encoding/json takes them for the same field.
func checkTwice(dec *json.Decoder) error {
	var open []map[string]bool // nil for an array
	key := false
	for {
		t, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch t := t.(type) {
		case json.Delim:
			switch t {
			case '{':
				open = append(open, map[string]bool{})
			case '[':
				open = append(open, nil)
			default:
				open = open[:len(open)-1]
			}
			key = len(open) > 0 && open[len(open)-1] != nil
			continue
		case string:
			if key {
				seen := open[len(open)-1]
				name := strings.ToLower(strings.ToUpper(t))
				if seen[name] {
					return errTwice
				}
				seen[name] = true
				key = false
				continue
			}
		}
		// A value has ended: in an object a name follows.
		key = len(open) > 0 && open[len(open)-1] != nil
	}
}
