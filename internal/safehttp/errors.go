package safehttp

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/url"
	"time"
)

// The kinds of errors, for errors.Is.
var (
	ErrBlockedAddress = errors.New("address may not be called")
	ErrScheme         = errors.New("scheme may not be used")
	ErrURL            = errors.New("URL may not be used")
	ErrDNS            = errors.New("host name was not found")
	ErrConnect        = errors.New("connection was not made")
	ErrTLS            = errors.New("TLS failed")
	ErrTimeout        = errors.New("timed out")
	ErrBroken         = errors.New("connection broke or the reply is not HTTP")
	ErrOpen           = errors.New("breaker is open after repeated failures")
	ErrCanceled       = errors.New("call was cancelled")
)

// Error is every error of this package. It prints its kind and detail only: messages of net/http can quote bytes of a reply or a URL, so the cause can
// be looked at with errors.Is and errors.As, but is never printed.
type Error struct {
	Kind       error         // one of the kinds above
	Detail     string        // safe to print; may be empty
	RetryAfter time.Duration // with ErrOpen: the rest of the time for which the breaker is open
	cause      error
}

// Error implements error.
func (e *Error) Error() string {
	if e.Detail == "" {
		return e.Kind.Error()
	}
	return e.Kind.Error() + ": " + e.Detail
}

// Unwrap returns the kind and, for context errors, the context's error.
func (e *Error) Unwrap() []error {
	if e.cause == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.cause}
}

func blocked(detail string) error { return &Error{Kind: ErrBlockedAddress, Detail: detail} }

// Clean turns an error of net/http into an *Error that is safe to print and store. It returns nil for nil.
func Clean(err error) error {
	if err == nil {
		return nil
	}
	var own *Error
	if errors.As(err, &own) {
		return own
	}
	// A url.Error prints the URL with its query.
	var ue *url.Error
	for errors.As(err, &ue) && ue.Err != nil {
		err = ue.Err
	}
	var (
		dns     *net.DNSError
		op      *net.OpError
		netErr  net.Error
		verify  *tls.CertificateVerificationError
		record  tls.RecordHeaderError
		alert   tls.AlertError
		unknown x509.UnknownAuthorityError
		host    x509.HostnameError
		invalid x509.CertificateInvalidError
	)
	switch {
	case errors.Is(err, context.Canceled):
		return &Error{Kind: ErrCanceled, cause: context.Canceled}
	case errors.Is(err, context.DeadlineExceeded):
		return &Error{Kind: ErrTimeout, cause: context.DeadlineExceeded}
	case errors.As(err, &dns):
		if dns.IsTimeout {
			return &Error{Kind: ErrDNS, Detail: "the resolver did not answer"}
		}
		return &Error{Kind: ErrDNS}
	case errors.As(err, &netErr) && netErr.Timeout():
		return &Error{Kind: ErrTimeout}
	case errors.As(err, &verify), errors.As(err, &unknown), errors.As(err, &host), errors.As(err, &invalid):
		return &Error{Kind: ErrTLS, Detail: "the certificate is not trusted for this host"}
	case errors.As(err, &record):
		return &Error{Kind: ErrTLS, Detail: "the server does not speak TLS on this port"}
	case errors.As(err, &alert):
		return &Error{Kind: ErrTLS, Detail: "the server refused the handshake"}
	case errors.As(err, &op) && op.Op == "dial":
		return &Error{Kind: ErrConnect}
	case errors.As(err, &op) && (op.Op == "remote error" || op.Op == "local error"):
		return &Error{Kind: ErrTLS, Detail: "the handshake failed"}
	case err.Error() == "http: server gave HTTP response to HTTPS client":
		return &Error{Kind: ErrTLS, Detail: "the server does not speak TLS on this port"}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return &Error{Kind: ErrBroken, Detail: "the server closed the connection"}
	}
	return &Error{Kind: ErrBroken}
}
