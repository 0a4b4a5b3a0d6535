package api

import (
	"context"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/go-chi/httprate"

	"github.com/outband/outband/api/problem"
)

// guessing limits how often somebody may try a password, a set-up token or a link. It counts in memory, so a restart forgets.
type guessing struct {
	account *httprate.RateLimiter // tries for one account from one address
	address *httprate.RateLimiter // all tries from one address
}

func newGuessing(account, address int, window time.Duration) *guessing {
	return &guessing{account: httprate.NewRateLimiter(account, window), address: httprate.NewRateLimiter(address, window)}
}

// try counts a try from the caller's address, for an account unless that is empty. Over a limit it is a problem that says when to try again.
func (g *guessing) try(ctx context.Context, account string) error {
	from := callerOf(ctx).address
	if err := over(ctx, g.address, from); err != nil || account == "" {
		return err
	}
	return over(ctx, g.account, account+" "+from)
}

func over(ctx context.Context, l *httprate.RateLimiter, key string) error {
	answer := &discard{header: http.Header{}}
	if !l.OnLimit(answer, (&http.Request{}).WithContext(ctx), key) {
		return nil
	}
	p := problem.New(http.StatusTooManyRequests, problem.CodeTooMany, "There were too many tries from this address. Wait for as many seconds as the header Retry-After says, then try again.")
	return p.With("Retry-After", answer.header.Get("Retry-After"))
}

// clientAddress is where a request comes from: the peer or, if that is a trusted proxy, the last address in X-Forwarded-For that is none. What
// stands before it may be made up by the client. The zero address is one that cannot be read.
func clientAddress(r *http.Request, trusted []netip.Prefix) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	at := peer.Addr().Unmap().WithZone("")
	proxy := func() bool {
		return slices.ContainsFunc(trusted, func(p netip.Prefix) bool { return p.Contains(at) })
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		if !proxy() {
			break
		}
		before, err := parseHop(strings.TrimSpace(hop))
		if err != nil {
			break // The proxy wrote what it did not understand: it is the last that is known.
		}
		at = before
	}
	return at
}

// parseHop reads one entry of X-Forwarded-For: an address, some proxies add the port.
func parseHop(s string) (netip.Addr, error) {
	at, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"))
	if err != nil {
		var withPort netip.AddrPort
		if withPort, err = netip.ParseAddrPort(s); err != nil {
			return netip.Addr{}, err
		}
		at = withPort.Addr()
	}
	return at.Unmap().WithZone(""), nil
}

// limitKey is what counts as one address: of IPv6 a /64, since a client has all of one.
func limitKey(at netip.Addr) string {
	if at.Is6() {
		if p, err := at.Prefix(64); err == nil {
			return p.String()
		}
	}
	return at.String()
}
