package api

import (
	"net/http"
	"net/netip"
	"testing"
)

func prefixes(texts ...string) (out []netip.Prefix) {
	for _, s := range texts {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

func TestClientAddress(t *testing.T) {
	trusted := prefixes("10.0.0.0/8", "fd00::/8")
	for _, tc := range []struct {
		name, peer string
		forwarded  []string
		want       string
	}{
		{"no proxy", "192.0.2.1:1234", nil, "192.0.2.1"},
		{"a client that says it is another", "192.0.2.1:1234", []string{"198.51.100.1"}, "192.0.2.1"},
		{"a proxy that says nothing", "10.0.0.1:1234", nil, "10.0.0.1"},
		{"a proxy", "10.0.0.1:1234", []string{"192.0.2.1"}, "192.0.2.1"},
		{"a proxy behind a client that lies", "10.0.0.1:1234", []string{"198.51.100.1, 192.0.2.1"}, "192.0.2.1"},
		{"a client that says it is a proxy", "10.0.0.1:1234", []string{"198.51.100.1, 10.9.9.9, 192.0.2.1"}, "192.0.2.1"},
		{"two proxies", "10.0.0.1:1234", []string{"192.0.2.1, 10.0.0.2"}, "192.0.2.1"},
		{"two headers", "10.0.0.1:1234", []string{"198.51.100.1", "192.0.2.1", "10.0.0.2"}, "192.0.2.1"},
		{"proxies only", "10.0.0.1:1234", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		{"an entry that cannot be read", "10.0.0.1:1234", []string{"192.0.2.1, unknown, 10.0.0.2"}, "10.0.0.2"},
		{"an entry with a port", "10.0.0.1:1234", []string{"192.0.2.1:5678"}, "192.0.2.1"},
		{"an entry of IPv6 with a port", "10.0.0.1:1234", []string{"[2001:db8::1]:5678"}, "2001:db8::1"},
		{"an entry in brackets", "10.0.0.1:1234", []string{"[2001:db8::1]"}, "2001:db8::1"},
		{"a proxy of IPv6", "[fd00::1]:1234", []string{"2001:db8::1"}, "2001:db8::1"},
		{"IPv4 written as IPv6", "[::ffff:10.0.0.1]:1234", []string{"::ffff:192.0.2.1"}, "192.0.2.1"},
		{"a peer that cannot be read", "@", []string{"192.0.2.1"}, "invalid IP"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := &http.Request{RemoteAddr: tc.peer, Header: http.Header{"X-Forwarded-For": tc.forwarded}}
			if got := clientAddress(r, trusted).String(); got != tc.want {
				t.Errorf("clientAddress = %s, want %s", got, tc.want)
			}
		})
	}
}

func TestAnAddressOfIPv6CountsByItsNetwork(t *testing.T) {
	for address, want := range map[string]string{"192.0.2.1": "192.0.2.1", "2001:db8::1": "2001:db8::/64", "2001:db8:0:0:ffff::2": "2001:db8::/64", "2001:db8:0:1::1": "2001:db8:0:1::/64"} {
		if got := limitKey(netip.MustParseAddr(address)); got != want {
			t.Errorf("limitKey(%s) = %s, want %s", address, got, want)
		}
	}
}

func FuzzClientAddress(f *testing.F) {
	for _, seed := range []string{"192.0.2.1", "192.0.2.1, 10.0.0.2", "[2001:db8::1]:80,", "fe80::1%eth0", ",,,", "unknown"} {
		f.Add(seed)
	}
	trusted := prefixes("10.0.0.0/8")
	f.Fuzz(func(t *testing.T, forwarded string) {
		header := http.Header{"X-Forwarded-For": {forwarded}}
		if got := clientAddress(&http.Request{RemoteAddr: "192.0.2.9:1", Header: header}, trusted); got.String() != "192.0.2.9" {
			t.Errorf("%q from a stranger gives %s", forwarded, got)
		}
		header.Set("X-Forwarded-For", forwarded+", 192.0.2.7")
		got := clientAddress(&http.Request{RemoteAddr: "10.0.0.1:1", Header: header}, trusted)
		if got.String() != "192.0.2.7" {
			t.Errorf("%q behind a proxy gives %s", header.Get("X-Forwarded-For"), got)
		}
	})
}
