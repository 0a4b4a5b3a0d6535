package connectors

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"errors"
	"hash"
	"io"
	"net/http"
)

// wholeBody ends with an error of KindMalformed where the bytes are not those of the Content-MD5 that came with them. A download that a proxy cut
// short can end as if it were whole, and nothing else would tell (invariant 5).
type wholeBody struct {
	io.ReadCloser
	client *client
	resp   *http.Response
	want   []byte
	hash   hash.Hash
}

// whole checks a body against the digest in its reply's header. One without a digest, with one that cannot be read, or whose encoding was taken off on
// the way stays as it is.
func (c *client) whole(resp *http.Response, body io.ReadCloser) io.ReadCloser {
	want, err := base64.StdEncoding.DecodeString(resp.Header.Get("Content-MD5"))
	if err != nil || len(want) != md5.Size || resp.Uncompressed {
		return body
	}
	return &wholeBody{ReadCloser: body, client: c, resp: resp, want: want, hash: md5.New()}
}

// Read implements io.Reader.
func (b *wholeBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.hash.Write(p[:n]) // A hash takes everything.
	if errors.Is(err, io.EOF) && !bytes.Equal(b.hash.Sum(nil), b.want) {
		err = b.client.malformed(b.resp, "the bytes are not those of their digest")
	}
	return n, err
}
