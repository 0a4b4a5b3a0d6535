package safehttp

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// dnsStub answers the nth question for a name with the nth of its addresses, the last one from then on.
type dnsStub struct {
	mu    sync.Mutex
	names map[string][]netip.Addr
	asked map[string]int
}

func (d *dnsStub) resolver(t *testing.T) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			if reply := d.answer(buf[:n]); reply != nil {
				if _, err := conn.WriteTo(reply, from); err != nil {
					return
				}
			}
		}
	}()
	t.Cleanup(func() { conn.Close(); <-done })
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var dialer net.Dialer
		return dialer.DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

func (d *dnsStub) answer(query []byte) []byte {
	var msg dnsmessage.Message
	if msg.Unpack(query) != nil || len(msg.Questions) != 1 {
		return nil
	}
	q := msg.Questions[0]
	msg.Response, msg.RecursionAvailable = true, true
	msg.Additionals = nil
	d.mu.Lock()
	defer d.mu.Unlock()
	name := strings.TrimSuffix(q.Name.String(), ".")
	addrs := d.names[name]
	if len(addrs) == 0 {
		msg.RCode = dnsmessage.RCodeNameError
	} else {
		key := name + q.Type.String()
		addr := addrs[min(d.asked[key], len(addrs)-1)]
		d.asked[key]++
		header := dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class}
		switch {
		case addr.Is4() && q.Type == dnsmessage.TypeA:
			msg.Answers = append(msg.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AResource{A: addr.As4()}})
		case !addr.Is4() && q.Type == dnsmessage.TypeAAAA:
			msg.Answers = append(msg.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AAAAResource{AAAA: addr.As16()}})
		}
	}
	out, err := msg.Pack()
	if err != nil {
		return nil
	}
	return out
}

// listener counts the connections that reach this machine on a port, on every address.
func listener(t *testing.T) (port string, count *atomic.Int64) {
	t.Helper()
	l, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	count = new(atomic.Int64)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			count.Add(1)
			c.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	_, port, err = net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port, count
}

func TestNoConnectionReachesAForbiddenAddress(t *testing.T) {
	port, reached := listener(t)
	names := map[string][]netip.Addr{}
	for name, addr := range map[string]string{
		"loopback.example": "127.0.0.1", "loopback6.example": "::1", "private.example": "10.1.2.3", "metadata.example": "169.254.169.254",
		"mapped.example": "::ffff:127.0.0.1", "nat64.example": "64:ff9b::7f00:1", "sixtofour.example": "2002:7f00:1::", "ula.example": "fd00::1",
		"linklocal.example": "fe80::1", "any.example": "0.0.0.0", "any6.example": "::", "cgnat.example": "100.64.0.1", "compat.example": "::127.0.0.1",
		"multicast.example": "224.0.0.1", "wireserver.example": "168.63.129.16",
	} {
		names[name] = []netip.Addr{netip.MustParseAddr(addr)}
	}
	stub := &dnsStub{names: names, asked: map[string]int{}}
	client := NewHTTPClient(Config{Resolver: stub.resolver(t), DialTimeout: 2 * time.Second, Timeout: 5 * time.Second})

	hosts := []string{
		// Loopback and this host in every spelling.
		"127.0.0.1", "127.0.0.2", "127.1", "127.0.1", "127.255.255.254", "localhost", "LOCALHOST", "localhost.", "a.localhost",
		"0.0.0.0", "0", "0.0.0.1", "[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[0000:0000:0000:0000:0000:0000:0000:0001]",
		"2130706433", "0x7f000001", "0x7f.0.0.1", "0x7f.1", "017700000001", "0177.0.0.1", "0177.0.0.01", "127.0.0.1.", "00000177.0.0.1", "127.0.0.0x1",
		"[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:127.0.0.1]", "[::127.0.0.1]", "[64:ff9b::127.0.0.1]", "[64:ff9b::7f00:1]",
		"[64:ff9b:1::7f00:1]", "[2002:7f00:1::]", "[2002:7f00:0001::1]", "[2001:0:7f00:1::]", "[::1%25lo]", "[fe80::1%25eth0]",
		"127。0。0。1", "127．0．0．1", "①②⑦.⓪.⓪.①",
		// Private, shared, link-local, special.
		"10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.254", "192.168.0.1", "192.168.1.1.", "100.64.0.1", "100.127.255.254",
		"169.254.169.254", "169.254.170.2", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "100.100.100.200", "168.63.129.16", "192.0.0.192",
		"198.18.0.1", "192.0.2.1", "198.51.100.1", "203.0.113.1", "192.88.99.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
		"[fd00:ec2::254]", "[fc00::1]", "[fd12:3456::1]", "[fe80::1]", "[fec0::1]", "[ff02::1]", "[2001:db8::1]", "[100::1]", "[::ffff:10.0.0.1]",
		"[::ffff:169.254.169.254]", "[64:ff9b::a9fe:a9fe]", "[2002:a9fe:a9fe::]", "[3fff::1]", "[5f00::1]",
	}
	for name := range names {
		hosts = append(hosts, name)
	}
	for _, host := range hosts {
		for _, scheme := range []string{"http", "https"} {
			raw := scheme + "://" + host + ":" + port + "/latest/meta-data/?q=canary"
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, raw, nil)
			if err != nil {
				continue // What cannot be parsed cannot be called.
			}
			resp, err := client.Do(req)
			if err == nil {
				resp.Body.Close()
				t.Errorf("%s://%s: got status %d, want an error", scheme, host, resp.StatusCode)
				continue
			}
			err = Clean(err)
			unknown := strings.Contains(host, "localhost") && errors.Is(err, ErrDNS) // Some resolvers know these names and some do not.
			if !unknown && !errors.Is(err, ErrBlockedAddress) && !errors.Is(err, ErrURL) && !errors.Is(err, ErrScheme) {
				t.Errorf("%s://%s: got error %q, want one of the guard", scheme, host, err)
			}
			if strings.Contains(err.Error(), "canary") {
				t.Errorf("%s://%s: the error holds the query: %q", scheme, host, err)
			}
		}
	}
	if n := reached.Load(); n != 0 {
		t.Errorf("%d connections reached this machine, want none", n)
	}
}

func TestAllowedAddressesMayBePlainHTTPOnAnyPort(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	defer server.Close()
	client := NewHTTPClient(Config{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	defer client.CloseIdleConnections()
	resp, err := client.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		t.Errorf("status = %d, want 204", resp.StatusCode)
	}
}

func TestANameThatChangesItsAddressIsCheckedOnEveryDial(t *testing.T) {
	port, reached := listener(t)
	// 127.0.0.2 is allowed, 127.0.0.1 is not: the second answer is the rebinding.
	stub := &dnsStub{asked: map[string]int{}, names: map[string][]netip.Addr{
		"rebind.example": {netip.MustParseAddr("127.0.0.2"), netip.MustParseAddr("127.0.0.1")},
	}}
	client := NewHTTPClient(Config{Resolver: stub.resolver(t), Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")}, Timeout: 5 * time.Second})
	_, err := client.Get("http://rebind.example:" + port)
	if err = Clean(err); !errors.Is(err, ErrBroken) && !errors.Is(err, ErrConnect) {
		t.Errorf("first call: got %v, want the listener to close the connection", err)
	}
	if n := reached.Load(); n == 0 {
		t.Error("the allowed address was not reached")
	}
	before := reached.Load()
	_, err = client.Get("http://rebind.example:" + port)
	if err = Clean(err); !errors.Is(err, ErrBlockedAddress) {
		t.Errorf("second call: got %v, want a blocked address", err)
	}
	if n := reached.Load(); n != before {
		t.Error("the forbidden address was reached")
	}
}

func TestRedirectsAndProxiesAreNotFollowed(t *testing.T) {
	port, reached := listener(t)
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:"+port)
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:"+port)
	server := httptest.NewServer(http.RedirectHandler("http://127.0.0.1:"+port+"/", http.StatusFound))
	defer server.Close()
	cfg := Config{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	client := New(cfg)
	defer client.HTTP().CloseIdleConnections()
	for name, do := range map[string]func(*http.Request) (*http.Response, error){
		"HTTP": client.HTTP().Do,
		"Do":   func(r *http.Request) (*http.Response, error) { return client.Do(r, Call{Connection: "con_1"}) },
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := do(req)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusFound {
			t.Errorf("%s: status = %d, want 302", name, resp.StatusCode)
		}
	}
	if n := reached.Load(); n != 0 {
		t.Errorf("%d connections reached the target of the redirect or the proxy", n)
	}
}

func TestTLSIsVerifiedAndModern(t *testing.T) {
	allow := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	quiet := log.New(io.Discard, "", 0)
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = quiet
	server.StartTLS()
	defer server.Close()
	old := httptest.NewUnstartedServer(http.NotFoundHandler())
	old.Config.ErrorLog = quiet
	old.TLS = &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}
	old.StartTLS()
	defer old.Close()
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	client := NewHTTPClient(Config{Allow: allow})
	for name, url := range map[string]string{"unknown authority": server.URL, "old version": old.URL, "no TLS": "https://" + plain.Listener.Addr().String()} {
		_, err := client.Get(url)
		if err = Clean(err); !errors.Is(err, ErrTLS) {
			t.Errorf("%s: got %v, want a TLS error", name, err)
		}
	}
}

func TestCheckURL(t *testing.T) {
	loopback := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	for _, tc := range []struct {
		name  string
		url   string
		allow []netip.Prefix
		want  error
	}{
		{"https with a name", "https://api.anthropic.com", nil, nil},
		{"a path prefix and a port", "https://proxy.example:8443/claude/", nil, nil},
		{"a public literal", "https://8.8.8.8/", nil, nil},
		{"plain http", "http://api.example", nil, ErrScheme},
		{"plain http to a name that may resolve to an allowed address", "http://siem.example:8088", loopback, nil},
		{"plain http to an allowed literal", "http://127.0.0.1:9000", loopback, nil},
		{"plain http to a public literal", "http://8.8.8.8", loopback, ErrScheme},
		{"another scheme", "ftp://api.example", nil, ErrScheme},
		{"a file", "file:///etc/passwd", nil, ErrScheme},
		{"no scheme", "api.example", nil, ErrScheme},
		{"user information", "https://user:pw@api.example", nil, ErrURL},
		{"a fragment", "https://api.example/#x", nil, ErrURL},
		{"no host", "https:///path", nil, ErrURL},
		{"only a port", "https://:443", nil, ErrURL},
		{"port zero", "https://api.example:0", nil, ErrURL},
		{"a port beyond the range", "https://api.example:70000", nil, ErrURL},
		{"a control character", "https://api.example/\r\nx: y", nil, ErrURL},
		{"loopback", "https://127.0.0.1", nil, ErrBlockedAddress},
		{"loopback by name", "https://localhost:8080", nil, ErrBlockedAddress},
		{"loopback in decimal", "https://2130706433", nil, ErrURL},
		{"loopback in hexadecimal", "https://0x7f.1", nil, ErrURL},
		{"loopback in octal", "https://0177.0.0.1", nil, ErrURL},
		{"mapped loopback", "https://[::ffff:127.0.0.1]", nil, ErrURL},
		{"metadata", "https://169.254.169.254/latest", nil, ErrBlockedAddress},
		{"a zone", "https://[fe80::1%25eth0]/", nil, ErrBlockedAddress},
		{"NAT64", "https://[64:ff9b::a00:1]", nil, ErrBlockedAddress},
		{"full-width digits", "https://127。0。0。1", nil, ErrURL},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if err := CheckURL(tc.url, tc.allow); !errors.Is(err, tc.want) {
				t.Errorf("CheckURL = %v, want %v", err, tc.want)
			}
		})
	}
}

func FuzzCheckURL(f *testing.F) {
	for _, s := range []string{"https://api.example", "http://127.0.0.1", "https://[::1]:1/", "https://0x7f.1", "::", "https://a@b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		if err := CheckURL(raw, nil); err == nil && !strings.HasPrefix(strings.ToLower(raw), "https:") {
			t.Errorf("CheckURL(%q) passed", raw)
		}
	})
}
