// Package secret holds the two types in which secrets and customer content travel through Outband. Their only field is a func, so that no
// formatter, logger or encoder can reach the bytes: what they print is a size.
package secret

import (
	"encoding/json"
	"fmt"
	"log/slog"
)

// Value is a credential: an API key, a signing key, a password.
type Value struct{ get func() string }

// NewValue wraps s.
func NewValue(s string) Value { return Value{get: func() string { return s }} }

// Reveal returns the secret. Call it only where the secret is used.
func (v Value) Reveal() string {
	if v.get == nil {
		return ""
	}
	return v.get()
}

// IsZero reports whether there is no secret.
func (v Value) IsZero() bool { return v.Reveal() == "" }

// String hides the secret.
func (v Value) String() string { return hidden("secret", len(v.Reveal())) }

// Format hides the secret under every verb.
func (v Value) Format(f fmt.State, _ rune) { write(f, v.String()) }

// LogValue hides the secret from slog.
func (v Value) LogValue() slog.Value { return slog.StringValue(v.String()) }

// MarshalJSON hides the secret from encoders.
func (v Value) MarshalJSON() ([]byte, error) { return json.Marshal(v.String()) }

// Content is foreign text or file bytes: a prompt, a reply, a document. It lives in memory only (invariant 4).
type Content struct{ get func() []byte }

// NewContent wraps b without copying it.
func NewContent(b []byte) Content { return Content{get: func() []byte { return b }} }

// Bytes returns the content. Call it only where it is scanned.
func (c Content) Bytes() []byte {
	if c.get == nil {
		return nil
	}
	return c.get()
}

// String hides the content.
func (c Content) String() string { return hidden("content", len(c.Bytes())) }

// Format hides the content under every verb.
func (c Content) Format(f fmt.State, _ rune) { write(f, c.String()) }

// LogValue hides the content from slog.
func (c Content) LogValue() slog.Value { return slog.StringValue(c.String()) }

// MarshalJSON hides the content from encoders.
func (c Content) MarshalJSON() ([]byte, error) { return json.Marshal(c.String()) }

func hidden(kind string, size int) string { return fmt.Sprintf("[%s, %d bytes]", kind, size) }

func write(f fmt.State, s string) {
	// The state of a formatter has no way to report a failed write.
	_, _ = f.Write([]byte(s))
}
