package connectors

import (
	"context"
	"io"
	"net/url"
)

// Client is what a Source calls its app with. Every method takes a path relative to the connection's base URL, spends one token of the rate
// budget, and returns an *Error.
type Client interface {
	// GetJSON decodes a JSON reply of at most the manifest's max_response_bytes into the value.
	GetJSON(ctx context.Context, path string, query url.Values, into any) error
	// Download opens a file. The body ends with ErrTooBig past the manifest's max_file_bytes; the caller closes it.
	Download(ctx context.Context, path string, query url.Values) (*Download, error)
	// Config returns a plain setting of the connection, or "" if it has none.
	Config(key string) string
	// KeyHint returns the documented prefix class of the credential (the manifest's key_kinds), "" if it has none of them. Never the key.
	KeyHint() string
}

// Download is the reply to a file request.
type Download struct {
	Body io.ReadCloser
	MIME string // as declared
	Name string // from Content-Disposition; foreign text
}
