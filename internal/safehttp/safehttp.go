// Package safehttp makes every outward call of Outband: to SaaS apps and to destinations. It promises that a connection is only ever opened to an
// address that may be called (invariant 10), decided on the resolved address at the moment of dialling; that redirects and proxies of the
// environment are not followed; that short blips are retried here and nowhere else (invariant 7); and that its errors hold no URL, query, header
// or byte of a reply.
package safehttp

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/netip"
	"time"
)

// Config is what the calls may do. The zero value of a field means its default.
type Config struct {
	// Allow are the prefixes of egress.allow. An address in one of them may be called although it is private, also by plain http.
	Allow []netip.Prefix
	// DialTimeout bounds name resolution and the TCP handshake; default 10 s. The TLS handshake has the same bound of its own.
	DialTimeout time.Duration
	// HeaderTimeout bounds the wait for a reply's headers after the request was written; default 60 s.
	HeaderTimeout time.Duration
	// Timeout bounds a whole call of an HTTP client from NewHTTPClient, its body included; default 120 s. Client.Do has none: its callers
	// bound their calls by context.
	Timeout time.Duration
	// RetryWaitMin and RetryWaitMax bound the waits between the tries of one call; defaults 200 ms and 2 s.
	RetryWaitMin, RetryWaitMax time.Duration
	// BreakerOpen is how long a breaker stays open; default 30 s.
	BreakerOpen time.Duration
	// RootCAs are the trusted certificate authorities; nil means the system's.
	RootCAs *x509.CertPool
	// Resolver looks up names; nil means the system's.
	Resolver *net.Resolver
}

const maxReplyHeaderBytes = 64 << 10

func (c Config) withDefaults() Config {
	set := func(d *time.Duration, to time.Duration) {
		if *d <= 0 {
			*d = to
		}
	}
	set(&c.DialTimeout, 10*time.Second)
	set(&c.HeaderTimeout, 60*time.Second)
	set(&c.Timeout, 120*time.Second)
	set(&c.RetryWaitMin, 200*time.Millisecond)
	set(&c.RetryWaitMax, 2*time.Second)
	set(&c.BreakerOpen, 30*time.Second)
	return c
}

// Transport is the one way out. It keeps a pool for https, whose dialler lets public and allowed addresses pass, and one for plain http, whose
// dialler lets only allowed addresses pass, so that the scheme is part of the decision on the resolved address.
type Transport struct {
	tls, plain *http.Transport
}

// NewTransport makes the transport. Connections are pooled per transport: make one per process and share it.
func NewTransport(cfg Config) *Transport {
	cfg = cfg.withDefaults()
	guard := newGuard(cfg.Allow)
	pool := func(check control) *http.Transport {
		dialer := &net.Dialer{Timeout: cfg.DialTimeout, KeepAlive: 30 * time.Second, Resolver: cfg.Resolver, ControlContext: check}
		return &http.Transport{
			Proxy:                  nil, // Invariant 10: a proxy of the environment would hide the target from the guard.
			DialContext:            dialer.DialContext,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: cfg.RootCAs},
			TLSHandshakeTimeout:    cfg.DialTimeout,
			ResponseHeaderTimeout:  cfg.HeaderTimeout,
			ExpectContinueTimeout:  time.Second,
			IdleConnTimeout:        90 * time.Second,
			MaxIdleConns:           100,
			MaxIdleConnsPerHost:    8,
			MaxResponseHeaderBytes: maxReplyHeaderBytes,
			ForceAttemptHTTP2:      true,
			HTTP2:                  &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 15 * time.Second},
		}
	}
	return &Transport{tls: pool(guard.public), plain: pool(guard.allowed)}
}

// RoundTrip implements http.RoundTripper. Its errors are of type *Error.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := checkURL(req.URL); err != nil {
		closeBody(req)
		return nil, err
	}
	pool := t.tls
	if req.URL.Scheme == "http" {
		pool = t.plain
	}
	resp, err := pool.RoundTrip(req)
	if err != nil {
		return nil, Clean(err)
	}
	return resp, nil
}

// CloseIdleConnections closes the pooled connections that are not in use.
func (t *Transport) CloseIdleConnections() {
	t.tls.CloseIdleConnections()
	t.plain.CloseIdleConnections()
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		// The request was never sent: there is nobody to tell that closing its body failed.
		_ = req.Body.Close()
	}
}

// NewHTTPClient makes an HTTP client over a transport of its own, without retries and breaker: for destinations, whose retries are in the
// delivery workflow (invariant 7). It follows no redirect: the 3xx reply itself is returned. Its errors wrap the URL; print Clean(err).
func NewHTTPClient(cfg Config) *http.Client {
	cfg = cfg.withDefaults()
	return httpClient(NewTransport(cfg), cfg.Timeout)
}

func httpClient(rt http.RoundTripper, timeout time.Duration) *http.Client {
	return &http.Client{
		Transport: rt,
		Timeout:   timeout,
		// Invariant 10: the new address of a redirect was named by nobody, and the credential would go with it.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
