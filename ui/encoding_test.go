package ui

import (
	"strings"
	"testing"
)

func TestNegotiate(t *testing.T) {
	all := []string{brotli, gzip, identity}
	for _, tc := range []struct {
		name    string
		values  []string
		present []string
		want    string
	}{
		{"no header means no encoding", nil, all, identity},
		{"an empty header means no encoding", []string{""}, all, identity},
		{"of equals the smaller", []string{"gzip, deflate, br, zstd"}, all, brotli},
		{"what is not there is passed over", []string{"gzip, br"}, []string{gzip, identity}, gzip},
		{"nothing that is there", []string{"zstd, deflate"}, all, identity},
		{"the weight decides", []string{"br;q=0.2, gzip;q=0.8"}, all, gzip},
		{"thousandths count", []string{"br;q=0.801,gzip;q=0.8"}, all, brotli},
		{"a refusal", []string{"br;q=0, gzip;q=0.000"}, all, identity},
		{"identity preferred", []string{"identity, br;q=0.9"}, all, identity},
		{"identity not named stands last", []string{"gzip;q=0.001"}, all, gzip},
		{"a star means all not named", []string{"*;q=0.5, br;q=0"}, all, gzip},
		{"a star alone", []string{"*"}, all, brotli},
		{"everything refused is answered plainly", []string{"*;q=0"}, all, identity},
		{"capitals and space", []string{" GZip ; Q = 0.5 "}, all, gzip},
		{"the old name of gzip", []string{"x-gzip"}, all, gzip},
		{"several headers are one list", []string{"deflate", "br;q=0.1", "gzip"}, all, gzip},
		{"the first of two counts", []string{"br;q=0, br"}, all, identity},
		{"an unreadable weight is a refusal", []string{"br;q=2, gzip;q=1.5, identity;q=0.1"}, all, identity},
		{"another parameter is a refusal", []string{"br;level=1"}, all, identity},
		{"too many digits", []string{"br;q=0.1234"}, all, identity},
		{"not a number", []string{"br;q=0.a, gzip;q="}, all, identity},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := negotiate(tc.values, func(c string) bool { return strings.Contains(strings.Join(tc.present, " "), c) })
			if got != tc.want {
				t.Errorf("negotiate(%q) of %q is %s, want %s", tc.values, tc.present, got, tc.want)
			}
		})
	}
}

func FuzzNegotiate(f *testing.F) {
	for _, s := range []string{"", "gzip, br", "br;q=1.000, *;q=0", "identity;q=0.5;x=y", ",,;;==", "br ; q = 0.1 , GZIP"} {
		f.Add(s, true, true)
	}
	f.Fuzz(func(t *testing.T, value string, hasBrotli, hasGzip bool) {
		present := map[string]bool{brotli: hasBrotli, gzip: hasGzip, identity: true}
		got := negotiate([]string{value}, func(c string) bool { return present[c] })
		if !present[got] {
			t.Errorf("negotiate(%q) is %s, which is not there", value, got)
		}
		if lower := strings.ToLower(value); got != identity && !strings.Contains(lower, got) && !strings.Contains(lower, "*") {
			t.Errorf("negotiate(%q) is %s, which was not asked for", value, got)
		}
		for element := range strings.SplitSeq(value, ";") {
			if q := weight(element); q < 0 || q > 1000 {
				t.Errorf("weight(%q) is %d", element, q)
			}
		}
	})
}
