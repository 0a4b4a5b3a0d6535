package connectors

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"testing"
)

func TestADownloadIsTheBytesOfItsDigest(t *testing.T) {
	body := bytes.Repeat([]byte("x"), 1500)
	sum := md5.Sum(body)
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-MD5", base64.StdEncoding.EncodeToString(sum[:]))
		b := body
		switch r.URL.Path {
		case "/half":
			b = body[:700]
			w.(http.Flusher).Flush() // Chunked: it ends as if it were whole.
		case "/other":
			w.Header().Set("Content-MD5", "AAAAAAAAAAAAAAAAAAAAAA==")
		case "/nonsense":
			w.Header().Set("Content-MD5", "nonsense")
		}
		// A reader that stops early is no part of the test.
		_, _ = w.Write(b)
	})
	c := dial(t, server.URL, nil)
	for path, whole := range map[string]bool{"good": true, "nonsense": true, "half": false, "other": false} {
		d, err := c.Download(t.Context(), path, nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(d.Body)
		if whole != (err == nil) || !whole && !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %d bytes, %v", path, len(got), err)
		}
		if err := d.Body.Close(); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}
