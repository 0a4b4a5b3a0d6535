package api

import (
	"encoding/json"
	"errors"
	"testing"
)

func TestBodyThatNamesAFieldTwiceIsRefused(t *testing.T) {
	for _, tc := range []struct {
		name, body string
		twice      bool
	}{
		{"the same name", `{"a":1,"a":2}`, true},
		{"another case", `{"role":"viewer","Role":"admin"}`, true},
		{"deep inside", `{"a":[{"b":{"c":1,"d":[],"c":{}}}]}`, true},
		{"in two objects", `{"a":{"x":1},"b":{"x":1},"c":[{"x":1},{"x":1}]}`, false},
		{"a value like a name", `{"a":"b","b":"a","c":["a","b","a"]}`, false},
		{"no object", `"a"`, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var v any
			if err := jsonFormat.Unmarshal([]byte(tc.body), &v); errors.Is(err, errTwice) != tc.twice {
				t.Errorf("Unmarshal(%s) = %v, want refused %t", tc.body, err, tc.twice)
			}
		})
	}
}

func FuzzBody(f *testing.F) {
	for _, seed := range []string{`{"a":1}`, `{"a":{"a":[]}}`, `[`, `{"a":1,"A":2}`, `[{"a":[{}]},"x"]`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var v, again any
		if err := jsonFormat.Unmarshal(body, &v); err == nil && json.Unmarshal(body, &again) != nil {
			t.Errorf("%q is taken, but is not JSON", body)
		}
	})
}
