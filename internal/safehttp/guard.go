package safehttp

import (
	"context"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"code.dny.dev/ssrf"
)

// control is the signature of net.Dialer.ControlContext. It sees the address that was resolved, after the socket is made and before it connects.
type control = func(ctx context.Context, network, address string, _ syscall.RawConn) error

// guard decides which addresses may be dialled.
type guard struct {
	special *ssrf.Guardian
	allow   []netip.Prefix
}

// wireServer answers with the metadata of a virtual machine at Azure and lies in public space.
var wireServer = netip.MustParsePrefix("168.63.129.16/32")

func newGuard(allow []netip.Prefix) *guard {
	return &guard{special: ssrf.New(ssrf.WithAnyPort(), ssrf.WithDeniedV4Prefixes(wireServer)), allow: allow}
}

// public lets an address pass that is on the internet or allowed. Invariant 10.
func (g *guard) public(_ context.Context, _, address string, _ syscall.RawConn) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return blocked("the address to dial cannot be read")
	}
	return g.address(ap.Addr())
}

// allowed lets only an address of egress.allow pass: plain http goes nowhere else. Invariant 10.
func (g *guard) allowed(_ context.Context, _, address string, _ syscall.RawConn) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return blocked("the address to dial cannot be read")
	}
	if g.covers(ap.Addr()) {
		return nil
	}
	if err := g.address(ap.Addr()); err != nil {
		return err
	}
	return &Error{Kind: ErrScheme, Detail: "plain http to " + ap.Addr().String()}
}

func (g *guard) address(a netip.Addr) error {
	if g.covers(a) {
		return nil
	}
	// A zone names an interface of this machine. The library tells an IPv4 address that is written as IPv6 from a plain one and refuses it,
	// with NAT64, 6to4, Teredo, unique local and everything else outside of the global unicast space.
	if a.Zone() != "" || g.special.SafeAddr(a) != nil {
		return blocked(a.String())
	}
	return nil
}

func (g *guard) covers(a netip.Addr) bool {
	return slices.ContainsFunc(g.allow, func(p netip.Prefix) bool { return p.Contains(a) })
}

// CheckURL says whether a URL may be saved as a base URL or destination: https, or http when egress.allow is not empty; a host; no user
// information and no fragment; a literal address only if it may be called. A host name is decided on when it is dialled. The error is of type *Error
// and does not hold the URL.
func CheckURL(raw string, allow []netip.Prefix) error {
	u, err := url.Parse(raw)
	if err != nil {
		return &Error{Kind: ErrURL, Detail: "it cannot be read as a URL"}
	}
	if err := checkURL(u); err != nil {
		return err
	}
	if u.Scheme == "http" && len(allow) == 0 {
		return &Error{Kind: ErrScheme, Detail: "plain http needs an entry of egress.allow"}
	}
	host := strings.TrimSuffix(u.Hostname(), ".")
	addr, err := netip.ParseAddr(host)
	switch {
	case err == nil:
	case strings.EqualFold(host, "localhost") || strings.HasSuffix(strings.ToLower(host), ".localhost"):
		addr = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	default:
		return nil
	}
	g := newGuard(allow)
	if err := g.address(addr); err != nil {
		return err
	}
	if u.Scheme == "http" && !g.covers(addr) {
		return &Error{Kind: ErrScheme, Detail: "plain http to " + addr.String()}
	}
	return nil
}

// checkURL checks what does not depend on an address. It runs before every call.
func checkURL(u *url.URL) error {
	bad := func(why string) error { return &Error{Kind: ErrURL, Detail: why} }
	host := u.Hostname()
	switch {
	case u.Scheme != "https" && u.Scheme != "http":
		return &Error{Kind: ErrScheme, Detail: "only https can be called"}
	case u.Opaque != "" || host == "" || strings.Trim(host, ".") == "":
		return bad("it has no host")
	case u.User != nil:
		return bad("it holds a user name or password")
	case u.Fragment != "":
		return bad("it holds a fragment")
	case len(host) > 253:
		return bad("its host is too long")
	}
	if p := u.Port(); p != "" {
		if n, err := strconv.ParseUint(p, 10, 16); err != nil || n == 0 {
			return bad("its port is not between 1 and 65535")
		}
	}
	for _, r := range host {
		// The resolver and the address parser fold full-width digits and dots differently; one spelling leaves nothing to fold.
		if r <= ' ' || r > '~' {
			return bad("its host is not plain ASCII; write it in punycode")
		}
	}
	switch addr, err := netip.ParseAddr(host); {
	case err != nil && numeric(host):
		return bad("its host is a number that is not a plain address")
	case err == nil && addr.Is4In6():
		return bad("its host is an IPv4 address written as IPv6")
	}
	return nil
}

// numeric reports whether the last label of a host is a number, decimal, octal or hexadecimal: some resolvers read such a name as an IPv4 address
// ("2130706433", "0x7f.1", "0177.0.0.1").
func numeric(host string) bool {
	host = strings.TrimSuffix(host, ".")
	last := strings.ToLower(host[strings.LastIndexByte(host, '.')+1:])
	if rest, ok := strings.CutPrefix(last, "0x"); ok {
		return strings.Trim(rest, "0123456789abcdef") == ""
	}
	return last != "" && strings.Trim(last, "0123456789") == ""
}
