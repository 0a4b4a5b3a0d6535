package ui

import (
	"crypto/tls"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

const (
	script   = "/assets/index-DkU3v7lY.js"
	indexDoc = `<meta name="csp-nonce" content="__CSP_NONCE__"><style nonce="__CSP_NONCE__"></style>` + "\n"
)

// build is what `make build` leaves, in small.
func build() fstest.MapFS {
	b := fstest.MapFS{}
	for name, text := range map[string]string{
		".gitkeep": "", "index.html": indexDoc, "robots.txt": "User-agent: *",
		script[1:]: "js", script[1:] + ".br": "js as br", script[1:] + ".gz": "js as gzip", script[1:] + ".map": "secret",
		"assets/style-a_-B2cd3.css": "css", "assets/style-a_-B2cd3.css.gz": "css as gzip",
		"assets/mark.svg": "<svg/>", "assets/mark-triangle.svg": "<svg/>", "assets/inter-QQwwEE12.woff2": "font", "assets/world-00000000.json": "{}",
		"assets/notes.html": "secret", "assets/notes": "secret",
	} {
		b[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return b
}

func newTestSite(t testing.TB, built fs.FS) *site {
	t.Helper()
	s, err := newSite(built)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func get(s http.Handler, method, path string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

func TestPaths(t *testing.T) {
	s := newTestSite(t, build())
	const page, none = "the page", "Not Found\n"
	for _, tc := range []struct {
		method, path string
		status       int
		body         string
	}{
		{"GET", "/", 200, page},
		{"GET", "/findings", 200, page},
		{"GET", "/findings/?severity=high&q=a%2Fb", 200, page},
		{"GET", "/findings/fnd_abc", 200, page},
		{"GET", "/apiary", 200, page},
		{"GET", "/%E6%97%A5", 200, page},
		{"GET", "/no/such/page", 200, page},
		{"GET", script, 200, "js"},
		{"GET", "/robots.txt", 200, "User-agent: *"},
		{"GET", "/assets/missing-12345678.js", 404, none},
		{"GET", "/assets/", 404, none},
		{"GET", "/assets", 404, none},
		{"GET", "/assets/notes", 404, none},
		{"GET", "/assets/notes.html", 404, none},
		{"GET", "/index.html", 404, none},
		{"GET", "/favicon.ico", 404, none},
		{"GET", "/.gitkeep", 404, none},
		{"GET", "/.git/config", 200, page},
		{"GET", script + ".map", 404, none},
		{"GET", script + ".br", 404, none},
		{"GET", script + ".gz", 404, none},
		{"GET", "/api", 404, none},
		{"GET", "/api/v1/nothing", 404, none},
		{"GET", "/healthz", 404, none},
		{"GET", "/readyz/", 404, none},
		{"GET", "//assets/mark.svg", 404, none},
		{"GET", "//evil.example", 404, none},
		{"GET", "//", 404, none},
		{"GET", "/findings//x", 404, none},
		{"GET", "/assets/../index.html", 404, none},
		{"GET", "/findings/../../etc/passwd", 404, none},
		{"GET", "/..", 404, none},
		{"GET", "/./", 404, none},
		{"GET", "/assets/%2e%2e/findings", 404, none},
		{"GET", "/findings%2Fx", 404, none},
		{"GET", "/assets%2fmark.svg", 404, none},
		{"GET", "/findings/..%2f..%2fx", 404, none},
		{"GET", `/findings/..%5C..`, 404, none},
		{"GET", "/findings/%00", 404, none},
		{"GET", "/findings/%0D%0AX-Header:1", 404, none},
		{"HEAD", "/findings", 200, ""},
		{"HEAD", script, 200, ""},
		{"HEAD", "/assets/missing.js", 404, none}, // The server of net/http drops the body.
		{"POST", "/", 405, "Method Not Allowed\n"},
		{"DELETE", script, 405, "Method Not Allowed\n"},
		{"OPTIONS", "/findings", 405, "Method Not Allowed\n"},
	} {
		t.Run(tc.method+" "+tc.path, func(t *testing.T) {
			w := get(s, tc.method, tc.path)
			body := w.Body.String()
			if strings.Contains(body, "csp-nonce") {
				body = page
			}
			if w.Code != tc.status || body != tc.body {
				t.Errorf("%d %q, want %d %q", w.Code, body, tc.status, tc.body)
			}
			h := w.Header()
			if allow := h.Get("Allow"); (allow == "GET, HEAD") != (tc.status == 405) {
				t.Errorf("Allow is %q", allow)
			}
			if cache := h.Get("Cache-Control"); cache != "no-store" && (tc.status != 200 || body == page) {
				t.Errorf("Cache-Control is %q", cache)
			}
			for _, name := range []string{"X-Content-Type-Options", "Referrer-Policy", "Permissions-Policy", "Cross-Origin-Opener-Policy"} {
				if h.Get(name) == "" {
					t.Errorf("there is no %s", name)
				}
			}
			if csp := h.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'; ") || strings.Contains(csp, "unsafe") {
				t.Errorf("Content-Security-Policy is %q", csp)
			}
		})
	}
}

func TestPageCarriesANonceOfItsOwn(t *testing.T) {
	s := newTestSite(t, build())
	nonces := map[string]bool{}
	for range 20 {
		w := httptest.NewRecorder()
		w.Header().Set("Content-Security-Policy", "default-src 'none'") // What the API sets for all.
		s.ServeHTTP(w, httptest.NewRequest("GET", "/findings", nil))
		header := regexp.MustCompile(`'nonce-([A-Za-z0-9]{22,})'`).FindStringSubmatch(w.Header().Get("Content-Security-Policy"))
		if header == nil {
			t.Fatalf("no nonce in %v", w.Header())
		}
		nonce := header[1]
		if nonces[nonce] {
			t.Errorf("%s was given twice", nonce)
		}
		nonces[nonce] = true
		if got, want := w.Body.String(), strings.ReplaceAll(indexDoc, "__CSP_NONCE__", nonce); got != want {
			t.Errorf("the page is %q, want %q", got, want)
		}
		want := []string{"default-src 'none'; script-src 'self'; style-src 'self' 'nonce-" + nonce + "'; connect-src 'self'; img-src 'self' data:; font-src 'self'; " +
			"frame-ancestors 'none'; base-uri 'none'; form-action 'self'"}
		if diff := cmp.Diff(want, w.Header().Values("Content-Security-Policy")); diff != "" {
			t.Errorf("Content-Security-Policy (-want +got):\n%s", diff)
		}
		if n := w.Header().Get("Content-Length"); n != fmt.Sprint(w.Body.Len()) {
			t.Errorf("Content-Length is %s of %d", n, w.Body.Len())
		}
	}
}

func TestFiles(t *testing.T) {
	s := newTestSite(t, build())
	for _, tc := range []struct {
		name, path, accept            string
		body, encoding, kind, caching string
		vary                          bool
	}{
		{"a script as br", script, "gzip, br", "js as br", "br", "text/javascript; charset=utf-8", forever, true},
		{"a script as gzip", script, "gzip", "js as gzip", "gzip", "text/javascript; charset=utf-8", forever, true},
		{"a script as it is", script, "identity", "js", "", "text/javascript; charset=utf-8", forever, true},
		{"styles that have no br", "/assets/style-a_-B2cd3.css", "br, gzip;q=0.1", "css as gzip", "gzip", "text/css; charset=utf-8", forever, true},
		{"a font", "/assets/inter-QQwwEE12.woff2", "br", "font", "", "font/woff2", forever, false},
		{"data", "/assets/world-00000000.json", "br", "{}", "", "application/json", forever, false},
		{"a name without a hash", "/assets/mark.svg", "br", "<svg/>", "", "image/svg+xml", asked, false},
		{"a word that is as long as a hash", "/assets/mark-triangle.svg", "br", "<svg/>", "", "image/svg+xml", asked, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := get(s, "GET", tc.path, "Accept-Encoding", tc.accept)
			h := w.Header()
			got := []string{w.Body.String(), h.Get("Content-Encoding"), h.Get("Content-Type"), h.Get("Cache-Control"), h.Get("Vary"), h.Get("Content-Length")}
			want := []string{tc.body, tc.encoding, tc.kind, tc.caching, "", fmt.Sprint(len(tc.body))}
			if tc.vary {
				want[4] = "Accept-Encoding"
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("GET %s (-want +got):\n%s", tc.path, diff)
			}
			head := get(s, "HEAD", tc.path, "Accept-Encoding", tc.accept)
			if diff := cmp.Diff(h, head.Header()); diff != "" || head.Body.Len() > 0 {
				t.Errorf("HEAD differs (-GET +HEAD):\n%s", diff)
			}
			again := get(s, "GET", tc.path, "Accept-Encoding", tc.accept, "If-None-Match", h.Get("ETag"))
			if again.Code != http.StatusNotModified || again.Body.Len() > 0 || again.Header().Get("ETag") != h.Get("ETag") {
				t.Errorf("asked again: %d %v", again.Code, again.Header())
			}
		})
	}
	tags := map[string]bool{}
	for _, accept := range []string{"br", "gzip", "identity"} {
		tags[get(s, "GET", script, "Accept-Encoding", accept).Header().Get("ETag")] = true
	}
	if len(tags) != 3 {
		t.Errorf("three encodings have the tags %v", tags)
	}
}

func TestStrictTransportOnlyOverTLS(t *testing.T) {
	s := newTestSite(t, build())
	for _, path := range []string{"/", script, "/nothing.js"} {
		if got := get(s, "GET", path, "X-Forwarded-Proto", "https").Header().Get("Strict-Transport-Security"); got != "" {
			t.Errorf("%s in clear has %q", path, got)
		}
		r := httptest.NewRequest("GET", path, nil)
		r.TLS = &tls.ConnectionState{}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if got := w.Header().Get("Strict-Transport-Security"); got == "" {
			t.Errorf("%s over TLS has none", path)
		}
	}
}

func TestWithoutABuild(t *testing.T) {
	s := newTestSite(t, fstest.MapFS{".gitkeep": {}, "assets/left-12345678.js": {Data: []byte("js")}})
	if w := get(s, "GET", "/"); w.Code != 200 || !strings.Contains(w.Body.String(), "make build") || strings.Contains(w.Body.String(), "<script") {
		t.Errorf("GET / is %d %q", w.Code, w.Body)
	}
	for _, path := range []string{"/findings", "/assets/left-12345678.js"} {
		if w := get(s, "GET", path); w.Code != 404 {
			t.Errorf("GET %s is %d", path, w.Code)
		}
	}
	if w := get(s, "POST", "/"); w.Code != 405 {
		t.Errorf("POST / is %d", w.Code)
	}
}

// broken is a file system of which one file cannot be read.
type broken struct {
	fs.FS
	name string
}

func (b broken) Open(name string) (fs.File, error) {
	if name == b.name {
		return nil, fs.ErrPermission
	}
	return b.FS.Open(name)
}

func TestABuildThatCannotBeRead(t *testing.T) {
	for _, name := range []string{"index.html", "assets", script[1:], script[1:] + ".br"} {
		if _, err := newSite(broken{build(), name}); err == nil {
			t.Errorf("%s that cannot be read was passed over", name)
		}
	}
}

// TestEmbedded holds for a tree with and without built pages.
func TestEmbedded(t *testing.T) {
	server := httptest.NewServer(Handler())
	defer server.Close()
	res, err := server.Client().Get(server.URL + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != 200 || !strings.Contains(string(body), "Outband") || strings.Contains(string(body), nonceMark) {
		t.Fatalf("GET / is %d %q, %v", res.StatusCode, body, err)
	}
	for _, m := range regexp.MustCompile(`(?:src|href)="(/[^"]+)"`).FindAllStringSubmatch(string(body), -1) {
		if strings.HasPrefix(m[1], "/api/") {
			continue
		}
		res, err := server.Client().Get(server.URL + m[1])
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != 200 {
			t.Errorf("the page names %s, which is %d", m[1], res.StatusCode)
		}
	}
}

func FuzzPath(f *testing.F) {
	for _, s := range []string{"/", "/findings", script, "/../x", "//x", "//", "/%2e%2e/index.html", "/a%2fb", "/assets/..;/x", "*", "/\\x", "/api/../findings", "/a/./b", "/é?x#y"} {
		f.Add(s)
	}
	s := newTestSite(f, build())
	f.Fuzz(func(t *testing.T, raw string) {
		u, err := url.ParseRequestURI(raw)
		if err != nil {
			return
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, &http.Request{Method: "GET", URL: u, Header: http.Header{}})
		body := w.Body.String()
		if w.Code != 200 && w.Code != 404 {
			t.Errorf("%q is %d", raw, w.Code)
		}
		if strings.Contains(body, "secret") {
			t.Errorf("%q reads a file that is not served", raw)
		}
		if w.Code == 200 && (strings.Contains(u.Path, "..") && strings.Contains(u.Path+"/", "/../") || strings.Contains(u.Path, "//") || strings.HasPrefix(u.Path, "/api/")) {
			t.Errorf("%q, which is %q, is answered", raw, u.Path)
		}
		if (w.Header().Get("Content-Type") == "text/html; charset=utf-8") != strings.Contains(body, "csp-nonce") {
			t.Errorf("%q gives %v", raw, w.Header())
		}
	})
}
