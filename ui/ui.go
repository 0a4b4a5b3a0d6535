// Package ui serves the web pages: the files that `make build` puts into dist, embedded here. It promises that every answer carries headers of its
// own that allow no foreign content, that a page is never kept by a cache and never has the nonce of another answer, and that only files which
// were built can be read, whatever the path. Without built pages it serves one page, which says where the API is and how to build them.
package ui

import (
	"embed"
	"fmt"
	"io/fs"
	"net/http"
)

// The folder holds one empty committed file, so that everything compiles without Node.js.
//
//go:embed all:dist
var dist embed.FS

// Handler serves the pages and their files to GET and HEAD: index.html for the paths of the app, 404 for a file that was not built and for paths
// that are the API's or health's. It is to be mounted at the root of its host.
func Handler() http.Handler {
	built, err := fs.Sub(dist, "dist")
	if err == nil {
		var s *site
		if s, err = newSite(built); err == nil {
			return s
		}
	}
	panic(fmt.Sprintf("read the embedded pages: %v", err)) // The build is broken: what is embedded is always readable.
}
