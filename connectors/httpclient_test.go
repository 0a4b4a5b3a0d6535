package connectors

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/outband/outband/internal/safehttp"
	"github.com/outband/outband/internal/secret"
)

const (
	exampleKey = "acme-audit-EXAMPLE-not-a-key"
	planted    = "planted-canary"
)

// dial makes a client for a handler on loopback.
func dial(t *testing.T, base string, change func(*Options)) Client {
	t.Helper()
	o := Options{
		Manifest: parsed(t), Secret: secret.NewValue(exampleKey), Config: map[string]string{"base_url": base},
		Doer: safehttp.New(safehttp.Config{
			Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, RetryWaitMin: time.Millisecond, RetryWaitMax: time.Millisecond,
		}),
		Limiter: NewLimiter(10000), UserAgent: "Outband/test",
	}
	if change != nil {
		change(&o)
	}
	c, err := NewClient(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func serve(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

func TestRequestsAreWhatTheManifestSays(t *testing.T) {
	var got *http.Request
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = r.Clone(context.Background())
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.Header().Set("Acme-Organization", "org-1")
		fmt.Fprint(w, `{"ok":true}`)
	})
	for _, suffix := range []string{"", "/", "/proxy/acme", "/proxy/acme/"} {
		var seen []Observation
		c := dial(t, server.URL+suffix, func(o *Options) { o.Observe = func(ob Observation) { seen = append(seen, ob) } })
		var into struct{ OK bool }
		if err := c.GetJSON(t.Context(), "v1/chats", url.Values{"ids[]": {"a", "b"}}, &into); err != nil || !into.OK {
			t.Fatalf("%q: %v, %+v", suffix, err, into)
		}
		want := map[string]string{
			"path": strings.TrimRight(suffix, "/") + "/v1/chats", "query": "ids%5B%5D=a&ids%5B%5D=b", "X-Api-Key": exampleKey, "Acme-Version": "2026-01-01",
			"Acme-Client": "outband", "User-Agent": "Outband/test", "Accept": "application/json",
		}
		have := map[string]string{"path": got.URL.Path, "query": got.URL.RawQuery}
		for k := range want {
			if k != "path" && k != "query" {
				have[k] = got.Header.Get(k)
			}
		}
		if diff := cmp.Diff(want, have); diff != "" {
			t.Errorf("%q (-want +got):\n%s", suffix, diff)
		}
		if c.KeyHint() != "audit" || c.Config("version") != "2026-01-01" || c.Config("none") != "" {
			t.Errorf("hint %q, version %q", c.KeyHint(), c.Config("version"))
		}
		if hint := c.(AccountHinter).AccountHint(); hint != "org-1" {
			t.Errorf("account = %q, want org-1", hint)
		}
		if len(seen) != 1 || seen[0].Status != 200 || seen[0].Kind != "" {
			t.Errorf("observed %+v", seen)
		}
	}
}

func TestRepliesBecomeKinds(t *testing.T) {
	html := func(status int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(status)
			fmt.Fprintf(w, "<html>%s</html>", planted)
		}
	}
	reply := func(status int, body string, headers ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Request-Id", "req_1")
			for i := 0; i < len(headers); i += 2 {
				w.Header().Set(headers[i], headers[i+1])
			}
			w.WriteHeader(status)
			fmt.Fprint(w, body)
		}
	}
	failure := `{"error":{"type":"some_error","message":"` + planted + `"}}`
	for _, tc := range []struct {
		name    string
		handler http.HandlerFunc
		kind    Kind
		code    string
		tries   int64
	}{
		{"a page instead of JSON", html(200), KindConfig, CodeBaseURL, 1},
		{"a page of 404", html(404), KindConfig, CodeBaseURL, 1},
		{"a page of 403", html(403), KindConfig, CodeBaseURL, 1},
		{"a page of 502", html(502), KindTransient, CodeServerError, 3},
		{"a page of 429", html(429), KindRateLimited, CodeRateLimited, 1},
		{"a redirect", reply(302, "", "Location", "https://other.example/"+planted), KindConfig, CodeRedirect, 1},
		{"400", reply(400, failure), KindMalformed, CodeRequestRefused, 1},
		{"401", reply(401, failure), KindAuth, CodeKeyRefused, 1},
		{"403", reply(403, failure), KindForbidden, CodeForbidden, 1},
		{"404", reply(404, failure), KindGone, CodeGone, 1},
		{"429", reply(429, failure, "Retry-After", "7"), KindRateLimited, CodeRateLimited, 1},
		{"500", reply(500, failure), KindTransient, CodeServerError, 3},
		{"529", reply(529, failure), KindTransient, CodeServerError, 3},
		{"empty", reply(200, ""), KindMalformed, CodeMalformed, 1},
		{"truncated", reply(200, `{"a":"`+planted), KindMalformed, CodeMalformed, 1},
		{"something after the document", reply(200, `{} {"`+planted+`":1}`), KindMalformed, CodeMalformed, 1},
		{"another type", reply(200, `{"n":"`+planted+`"}`), KindMalformed, CodeMalformed, 1},
		{"too big", reply(200, `"`+strings.Repeat(planted, 1000)+`"`), KindTooBig, CodeTooBig, 1},
		{"an encoding that was not asked for", reply(200, `{}`, "Content-Encoding", "br"), KindMalformed, CodeMalformed, 1},
		{"a bomb", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			fmt.Fprint(z, `"`+strings.Repeat("0", 4<<20)+`"`)
			z.Close()
		}, KindTooBig, CodeTooBig, 1},
		{"a connection that breaks in the body", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, `{"a":"`+planted)
		}, KindTransient, CodeBroken, 1},
		{"a connection that breaks before the reply", func(w http.ResponseWriter, _ *http.Request) {
			if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
				conn.Close()
			}
		}, KindTransient, CodeBroken, 3},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var tries atomic.Int64
			server := serve(t, func(w http.ResponseWriter, r *http.Request) { tries.Add(1); tc.handler(w, r) })
			var seen []Observation
			c := dial(t, server.URL, func(o *Options) { o.Observe = func(ob Observation) { seen = append(seen, ob) } })
			var into struct{ N int }
			err := c.GetJSON(t.Context(), "v1/chats", url.Values{"after": {planted}}, &into)
			var e *Error
			if !errors.As(err, &e) || e.Kind != tc.kind || e.Code != tc.code {
				t.Fatalf("err = %v, want %s %s", err, tc.kind, tc.code)
			}
			if tries.Load() != tc.tries {
				t.Errorf("tries = %d, want %d", tries.Load(), tc.tries)
			}
			if text := fmt.Sprintf("%v %+v", err, e); strings.Contains(text, planted) || strings.Contains(text, exampleKey) {
				t.Errorf("the error holds what it must not: %s", text)
			}
			if tc.kind == KindRateLimited && tc.name == "429" && (e.RetryAfter != 7*time.Second || e.RequestID != "req_1" || e.Status != 429) {
				t.Errorf("error = %+v, want 7 s, the request id and the status", e)
			}
			if len(seen) != 1 {
				t.Errorf("observed %d calls, want 1", len(seen))
			}
		})
	}
}

func TestMapErrorDecidesAndTheClientAddsTheRest(t *testing.T) {
	server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Request-Id", "bad id with spaces")
		w.WriteHeader(400)
		fmt.Fprint(w, `{"error":{"type":"off","message":"is off"}}`)
	})
	c := dial(t, server.URL, func(o *Options) {
		o.MapError = func(r Reply) *Error {
			if r.Status == 400 && r.Type == "off" && r.Message == "is off" && r.JSON {
				return &Error{Kind: KindDisabled, Code: CodeAPIOff, Message: "Switch it on."}
			}
			return nil
		}
	})
	err := c.GetJSON(t.Context(), "v1/chats", nil, new(any))
	if !errors.Is(err, ErrDisabled) || err.Error() != "OB-2008: Switch it on. (status 400)" {
		t.Errorf("err = %v", err)
	}
}

func TestCallsWithoutAReply(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	plain := serve(t, http.NotFound)
	doer := func(cfg safehttp.Config) func(*Options) {
		cfg.RetryWaitMin, cfg.RetryWaitMax = time.Millisecond, time.Millisecond
		return func(o *Options) { o.Doer = safehttp.New(cfg) }
	}
	loopback := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	for _, tc := range []struct {
		name, base string
		change     func(*Options)
		kind       Kind
		code       string
	}{
		{"nobody listens", "http://" + closed.Addr().String(), nil, KindTransient, CodeUnreachable},
		{"no TLS", "https://" + plain.Listener.Addr().String(), nil, KindConfig, CodeTLS},
		{"loopback without permission", plain.URL, doer(safehttp.Config{}), KindConfig, CodeAddressBlocked},
		{"an unknown host", "https://nowhere.invalid", doer(safehttp.Config{Allow: loopback, Resolver: &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
			return nil, errors.New("no resolver")
		}}}), KindTransient, CodeHostNotFound},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := dial(t, tc.base, tc.change).GetJSON(t.Context(), "v1/chats", url.Values{"q": {planted}}, new(any))
			var e *Error
			if !errors.As(err, &e) || e.Kind != tc.kind || e.Code != tc.code || e.Message == "" {
				t.Errorf("err = %v, want %s %s", err, tc.kind, tc.code)
			}
			if strings.Contains(err.Error(), planted) {
				t.Errorf("the error holds the query: %v", err)
			}
		})
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if err := dial(t, plain.URL, nil).GetJSON(cancelled, "v1/chats", nil, new(any)); !errors.Is(err, context.Canceled) || !errors.Is(err, ErrTransient) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestRetriesSpendFromTheBudgetAndARefusalPausesIt(t *testing.T) {
	var status atomic.Int64
	status.Store(500)
	server := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(int(status.Load())) })
	limiter := NewLimiter(30) // 3 at once
	c := dial(t, server.URL, func(o *Options) { o.Limiter = limiter })
	if err := c.GetJSON(t.Context(), "x", nil, new(any)); !errors.Is(err, ErrTransient) {
		t.Fatal(err)
	}
	soon, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := made(soon, limiter); !errors.Is(err, ErrRateLimited) {
		t.Errorf("three tries left budget: %v", err)
	}
	status.Store(429)
	limiter = NewLimiter(100)
	c = dial(t, server.URL, func(o *Options) { o.Limiter = limiter })
	if err := c.GetJSON(t.Context(), "x", nil, new(any)); !errors.Is(err, ErrRateLimited) {
		t.Fatal(err)
	}
	w := limiter.enter(t.Context())
	defer limiter.leave(w)
	if wait, _, taken := limiter.take(w, nil); wait <= 0 || taken {
		t.Error("a call may follow a refused one at once")
	}
}

func TestDownload(t *testing.T) {
	body := bytes.Repeat([]byte("x"), 2048)
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/csv")
		w.Header().Set("Content-Disposition", "attachment; filename*=utf-8''pay%20roll.csv")
		b := body
		switch r.URL.Path {
		case "/over":
			b = append(body, 'y')
			w.(http.Flusher).Flush() // Chunked: without a length.
		case "/long":
			w.Header().Set("Content-Length", "4096")
			b = append(body, body...)
		case "/broken":
			w.Header().Set("Content-Length", "2048")
			b = body[:10]
		}
		// A reader that stops early is part of the test.
		_, _ = w.Write(b)
	})
	c := dial(t, server.URL, nil)
	d, err := c.Download(t.Context(), "exact", nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(d.Body)
	if err != nil || !bytes.Equal(got, body) || d.MIME != "text/csv" || d.Name != "pay roll.csv" {
		t.Errorf("%d bytes, %v, %q, %q", len(got), err, d.MIME, d.Name)
	}
	if err := d.Body.Close(); err != nil {
		t.Error(err)
	}
	d, err = c.Download(t.Context(), "over", nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(d.Body); !errors.Is(err, ErrTooBig) || len(got) != 2048 {
		t.Errorf("over the limit: %d bytes, %v", len(got), err)
	}
	d.Body.Close()
	if _, err = c.Download(t.Context(), "long", nil); !errors.Is(err, ErrTooBig) {
		t.Errorf("declared over the limit: %v", err)
	}
	d, err = c.Download(t.Context(), "broken", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(d.Body); !errors.Is(err, ErrTransient) {
		t.Errorf("broken: %v", err)
	}
	d.Body.Close()
}

func TestIDsCannotLeadToAnotherEndpoint(t *testing.T) {
	server := serve(t, func(_ http.ResponseWriter, r *http.Request) { t.Errorf("called %s", r.URL.Path) })
	c := dial(t, server.URL, nil)
	for _, path := range []string{"", "/x", "a/../b", "a/..", "a//b", "a?b", "a#b", "a\\b", "a b", "./a"} {
		if err := c.GetJSON(t.Context(), path, nil, new(any)); !errors.Is(err, ErrMalformed) {
			t.Errorf("GetJSON(%q) = %v, want malformed", path, err)
		}
	}
}

func TestNewClientRefusesWhatCannotWork(t *testing.T) {
	for name, tc := range map[string]struct {
		key    string
		config map[string]string
		want   *Error
	}{
		"an empty key":         {"", nil, ErrAuth},
		"a key with a newline": {"acme-audit-\nEXAMPLE", nil, ErrAuth},
		"a wrong setting":      {exampleKey, map[string]string{"base_url": "ftp://x"}, ErrConfig},
	} {
		_, err := NewClient(Options{Manifest: parsed(t), Secret: secret.NewValue(tc.key), Config: tc.config})
		if !errors.Is(err, tc.want) || (tc.key != "" && strings.Contains(err.Error(), tc.key)) {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
	}
}

func TestAnEndlessReplyIsNotReadToItsEnd(t *testing.T) {
	const end = 64 << 20
	written := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for chunk := bytes.Repeat([]byte(" "), 1<<16); written < end; {
			n, err := w.Write(chunk)
			written += n
			if err != nil {
				return
			}
		}
	}))
	err := dial(t, server.URL, nil).GetJSON(t.Context(), "x", nil, new(any))
	server.Close() // It waits for the handler.
	if !errors.Is(err, ErrTooBig) || written >= end {
		t.Errorf("err = %v after %d bytes, want too big long before %d", err, written, end)
	}
}
