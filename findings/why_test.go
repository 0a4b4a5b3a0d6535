package findings

import (
	"fmt"
	"strings"
	"testing"

	"github.com/outband/outband/dlp/policy"
)

func TestWhatAPolicyAskedForIsBounded(t *testing.T) {
	for _, tc := range []struct {
		name string
		n    int
		all  bool
	}{{"nothing", 0, true}, {"a few", 5, true}, {"many", 200, false}} {
		t.Run(tc.name, func(t *testing.T) {
			d := Detection{PolicyVersion: 3}
			for i := range tc.n {
				d.Asked = append(d.Asked, policy.Asked{Name: fmt.Sprintf("count(%q)", strings.Repeat("x", i)), Value: strings.Repeat("é", 100)})
			}
			text, err := encodeExplanation(d)
			if err != nil || len(text) > MaxExplanation {
				t.Fatalf("%d bytes, %v", len(text), err)
			}
			why, err := DecodeWhy(text)
			if err != nil || why.PolicyVersion != 3 || (len(why.Asked) == tc.n) != tc.all {
				t.Errorf("%d answers of %d, %v", len(why.Asked), tc.n, err)
			}
		})
	}
	if why, err := DecodeWhy(""); why != nil || err != nil {
		t.Errorf("nothing was kept: %v, %v", why, err)
	}
	if _, err := DecodeWhy("{"); err == nil {
		t.Error("half an explanation was read")
	}
}
