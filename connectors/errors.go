package connectors

import (
	"errors"
	"fmt"
	"time"
)

// Kind says what a caller does about an error.
type Kind string

// The kinds of errors.
const (
	KindAuth          Kind = "Auth"          // the key is refused: final, the admin acts
	KindForbidden     Kind = "Forbidden"     // a scope is missing: final for the stream
	KindDisabled      Kind = "Disabled"      // the app's API is switched off: final, the admin acts
	KindConfig        Kind = "Config"        // base URL or another setting is wrong: final
	KindUnavailable   Kind = "Unavailable"   // this tenant does not have it: the stream is grey, the rest goes on
	KindGone          Kind = "Gone"          // the object no longer exists: counted, not an error of the scan
	KindRateLimited   Kind = "RateLimited"   // try again after RetryAfter
	KindCursorExpired Kind = "CursorExpired" // restart the slice
	KindMalformed     Kind = "Malformed"     // the reply does not follow the spec
	KindTooBig        Kind = "TooBig"        // over a size cap: counted
	KindTransient     Kind = "Transient"     // try again later
)

// Error is what every failed call of a Client returns. It never holds a response body, a query, a header, a secret or content.
type Error struct {
	Kind       Kind
	Code       string   // OB-2001 …, see docs/errors.md
	Status     int      // HTTP status; 0 when there was no reply
	RequestID  string   // the vendor's id of the request
	Message    string   // one sentence for the admin, with what to do
	Missing    []string // scopes that the key lacks
	Scopes     []string // scopes that the key has, where the reply names them
	RetryAfter time.Duration
	Err        error // the cause, safe to print
}

// Error implements error.
func (e *Error) Error() string {
	s := e.Message
	if s == "" {
		s = string(e.Kind)
	}
	if e.Code != "" {
		s = e.Code + ": " + s
	}
	if e.Status != 0 {
		s += fmt.Sprintf(" (status %d", e.Status)
		if e.RequestID != "" {
			s += ", request " + e.RequestID
		}
		s += ")"
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is makes errors.Is(err, &Error{Kind: k}) true for the same kind.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Kind == e.Kind && t.Code == "" && t.Status == 0
}

// Sentinels for errors.Is.
var (
	ErrAuth          = &Error{Kind: KindAuth}
	ErrForbidden     = &Error{Kind: KindForbidden}
	ErrDisabled      = &Error{Kind: KindDisabled}
	ErrConfig        = &Error{Kind: KindConfig}
	ErrUnavailable   = &Error{Kind: KindUnavailable}
	ErrGone          = &Error{Kind: KindGone}
	ErrRateLimited   = &Error{Kind: KindRateLimited}
	ErrCursorExpired = &Error{Kind: KindCursorExpired}
	ErrMalformed     = &Error{Kind: KindMalformed}
	ErrTooBig        = &Error{Kind: KindTooBig}
	ErrTransient     = &Error{Kind: KindTransient}
)

// KindOf returns the kind of err, or KindTransient for an error of another type.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return KindTransient
}

// Final reports whether trying again without a change by an admin is useless.
func (k Kind) Final() bool {
	switch k {
	case KindAuth, KindForbidden, KindDisabled, KindConfig:
		return true
	}
	return false
}
