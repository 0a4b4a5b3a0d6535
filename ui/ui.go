// Package ui serves the web pages. Until the built pages are embedded here it serves one page, which says where the API is and how to build them.
package ui

import (
	"io"
	"net/http"
)

const page = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Outband</title></head>
<body>
<h1>Outband</h1>
<p>The web pages are not part of this build (<code>make build</code>). The API is at <a href="/api/openapi.json"><code>/api/v1</code></a>;
send a token made by <code>outband token create</code> as <code>Authorization: Bearer</code>.</p>
</body>
</html>
`

// Handler serves the page at / and 404 elsewhere. Security headers are set by whoever mounts it; the page needs no script, style or image.
func Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			http.NotFound(w, r)
			return
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "Method Not Allowed", http.StatusMethodNotAllowed)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		// A failed write means that the client has left: nobody is there to be told.
		_, _ = io.WriteString(w, page)
	})
}
