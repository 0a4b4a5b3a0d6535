package ui

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const placeholder = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Outband</title></head>
<body>
<h1>Outband</h1>
<p>The web pages are not part of this build (<code>make build</code>). The API is at <a href="/api/openapi.json"><code>/api/v1</code></a>;
send a token made by <code>outband token create</code> as <code>Authorization: Bearer</code>.</p>
</body>
</html>
`

const (
	// nonceMark stands in index.html wherever the nonce of the answer is to stand.
	nonceMark = "__CSP_NONCE__"
	indexFile = "index.html"

	// pagePolicy allows scripts from our files only, and styles that carry the nonce too: the component library writes style elements.
	pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-%s'; connect-src 'self'; img-src 'self' data:; font-src 'self'; " +
		"frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
	// filePolicy is for files that are opened by themselves; a drawing can hold scripts.
	filePolicy = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
	// permissions lists what the pages never ask a browser for.
	permissions = "camera=(), clipboard-read=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()"

	forever = "public, max-age=31536000, immutable"
	asked   = "no-cache" // kept, but asked for again each time
	never   = "no-store"
	hsts    = "max-age=31536000"
)

// contentTypes are those of what a build makes; net/http would look at the files of the machine.
var contentTypes = map[string]string{
	".css": "text/css; charset=utf-8", ".ico": "image/x-icon", ".js": "text/javascript; charset=utf-8", ".json": "application/json",
	".png": "image/png", ".svg": "image/svg+xml", ".txt": "text/plain; charset=utf-8", ".webp": "image/webp", ".woff2": "font/woff2",
}

// hashed is the end of a name that changes with its content, as Vite makes it. A name without a digit or capital there may be a word.
var hashed = regexp.MustCompile(`-([A-Za-z0-9_-]{8})\.[a-z0-9]+$`)

// content is one encoding of a file.
type content struct {
	bytes []byte
	etag  string
}

// asset is a file that was built.
type asset struct {
	contentType, cache string
	encodings          map[string]content // by coding; identity is always there
}

// site answers for one build. It never changes.
type site struct {
	index  [][]byte          // index.html, cut where the nonce goes; nil: there are no pages
	assets map[string]*asset // by path of the URL
}

// newSite reads a build into memory, some MB, so that an answer waits for no disk and no path of a request reaches a file system.
func newSite(built fs.FS) (*site, error) {
	s := &site{assets: map[string]*asset{}}
	index, err := fs.ReadFile(built, indexFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return s, nil
	case err != nil:
		return nil, err
	}
	s.index = bytes.Split(index, []byte(nonceMark))
	err = fs.WalkDir(built, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		kind, known := contentTypes[path.Ext(name)]
		if !known { // The page itself, compressed forms and what else a build leaves.
			return nil
		}
		a := &asset{contentType: kind, cache: asked, encodings: map[string]content{}}
		if m := hashed.FindStringSubmatch(name); m != nil && strings.ContainsAny(m[1], "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") {
			a.cache = forever
		}
		for coding, suffix := range map[string]string{identity: "", gzip: ".gz", brotli: ".br"} {
			b, err := fs.ReadFile(built, name+suffix)
			switch {
			case err == nil:
				sum := sha256.Sum256(b)
				a.encodings[coding] = content{b, strconv.Quote(base64.RawURLEncoding.EncodeToString(sum[:12]))}
			case coding == identity || !errors.Is(err, fs.ErrNotExist):
				return err
			}
		}
		s.assets["/"+name] = a
		return nil
	})
	return s, err
}

// ServeHTTP implements http.Handler.
func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Permissions-Policy", permissions)
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Content-Security-Policy", filePolicy)
	if r.TLS != nil {
		h.Set("Strict-Transport-Security", hsts)
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		refuse(w, http.StatusMethodNotAllowed)
		return
	}
	switch a := s.assets[r.URL.Path]; {
	case a != nil && plain(r):
		a.serve(w, r)
	case s.index == nil && r.URL.Path == "/":
		send(w, r, []byte(placeholder))
	case s.index != nil && ofApp(r):
		nonce := rand.Text() // More than 128 bits, of letters and digits.
		h.Set("Content-Security-Policy", fmt.Sprintf(pagePolicy, nonce))
		send(w, r, bytes.Join(s.index, []byte(nonce)))
	default:
		refuse(w, http.StatusNotFound)
	}
}

// refuse answers with the words of a status.
func refuse(w http.ResponseWriter, status int) {
	w.Header().Set("Cache-Control", never) // The next build may have the file.
	http.Error(w, http.StatusText(status), status)
}

// send answers with a page.
func send(w http.ResponseWriter, r *http.Request, page []byte) {
	h := w.Header()
	h.Set("Cache-Control", never)
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(page)))
	if r.Method == http.MethodHead {
		return
	}
	// A failed write means that the client has left: nobody is there to be told.
	_, _ = w.Write(page)
}

// serve answers with the smallest encoding that the client takes.
func (a *asset) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	coding := identity
	if len(a.encodings) > 1 {
		h.Add("Vary", "Accept-Encoding")
		coding = negotiate(r.Header.Values("Accept-Encoding"), func(coding string) bool { _, ok := a.encodings[coding]; return ok })
	}
	c := a.encodings[coding]
	h.Set("Content-Type", a.contentType)
	h.Set("Cache-Control", a.cache)
	h.Set("ETag", c.etag)
	if coding != identity {
		h.Set("Content-Encoding", coding)
		h.Set("Content-Length", strconv.Itoa(len(c.bytes))) // ServeContent leaves it out beside an encoding.
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(c.bytes))
}

// ofApp reports whether a path may be one of the app, which shows its own page for those it does not know. What looks like a file is not one of
// them: a page in place of a missing script would only be a stranger error. Nor is what the API or the health checks are asked.
func ofApp(r *http.Request) bool {
	p := r.URL.Path
	for _, other := range []string{"/assets", "/api", "/healthz", "/readyz"} {
		if p == other || strings.HasPrefix(p, other+"/") {
			return false
		}
	}
	return plain(r) && path.Ext(p) == ""
}

// plain reports whether a path means what is written: nothing in it is climbed, doubled, or a separator in disguise.
func plain(r *http.Request) bool {
	p := r.URL.Path
	clean := path.Clean(p)
	if !strings.HasPrefix(p, "/") || (p != clean && p != clean+"/") || p == "//" {
		return false
	}
	if strings.ContainsFunc(p, func(c rune) bool { return c == '\\' || c < ' ' || c == 0x7f }) {
		return false
	}
	return !strings.Contains(strings.ToLower(r.URL.EscapedPath()), "%2f")
}
