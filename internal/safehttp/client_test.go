package safehttp

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// tripper answers from memory, so that tests run on the fake clock of synctest.
type tripper struct {
	calls  atomic.Int64
	answer func(n int64) (int, http.Header, error)
}

func (f *tripper) RoundTrip(req *http.Request) (*http.Response, error) {
	status, header, err := f.answer(f.calls.Add(1))
	if err != nil {
		return nil, Clean(err)
	}
	if header == nil {
		header = http.Header{}
	}
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader("body")), Request: req}, nil
}

func request(t *testing.T, method string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "https://api.example/v1?q=canary", nil)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

func TestTriesPerReply(t *testing.T) {
	for _, tc := range []struct {
		name   string
		method string
		status int
		header http.Header
		err    error
		want   int64
	}{
		{"success", http.MethodGet, 200, nil, nil, 1},
		{"bad request", http.MethodGet, 400, nil, nil, 1},
		{"key refused", http.MethodGet, 401, nil, nil, 1},
		{"rate limit", http.MethodGet, 429, http.Header{"Retry-After": {"1"}}, nil, 1},
		{"server error", http.MethodGet, 500, nil, nil, 3},
		{"server error on HEAD", http.MethodHead, 500, nil, nil, 3},
		{"server error that says not to", http.MethodGet, 500, http.Header{"X-Should-Retry": {"false"}}, nil, 1},
		{"not implemented", http.MethodGet, 501, nil, nil, 1},
		{"unavailable", http.MethodGet, 503, nil, nil, 3},
		{"unavailable for a second", http.MethodGet, 503, http.Header{"Retry-After": {"1"}}, nil, 3},
		{"unavailable for long", http.MethodGet, 503, http.Header{"Retry-After": {"120"}}, nil, 1},
		{"overloaded", http.MethodGet, 529, nil, nil, 3},
		{"a broken connection", http.MethodGet, 0, nil, io.ErrUnexpectedEOF, 3},
		{"a time-out", http.MethodGet, 0, nil, context.DeadlineExceeded, 1},
		{"a blocked address", http.MethodGet, 0, nil, blocked("x"), 1},
		{"server error on DELETE", http.MethodDelete, 500, nil, nil, 1},
		{"server error on POST", http.MethodPost, 500, nil, nil, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rt := &tripper{answer: func(int64) (int, http.Header, error) { return tc.status, tc.header, tc.err }}
				hooks := int64(0)
				start := time.Now()
				resp, err := newClient(Config{}, rt).Do(request(t, tc.method), Call{BeforeRetry: func(context.Context) error { hooks++; return nil }})
				if (err != nil) != (tc.err != nil) {
					t.Fatalf("err = %v, want %v", err, tc.err)
				}
				if err != nil {
					if strings.Contains(err.Error(), "canary") {
						t.Errorf("the error holds the query: %v", err)
					}
				} else {
					if body, err := io.ReadAll(resp.Body); err != nil || string(body) != "body" {
						t.Errorf("the last reply cannot be read: %q, %v", body, err)
					}
					resp.Body.Close()
				}
				if rt.calls.Load() != tc.want || hooks != tc.want-1 {
					t.Errorf("tries = %d with %d hooks, want %d with one hook less", rt.calls.Load(), hooks, tc.want)
				}
				if took := time.Since(start); tc.want == 3 && (took < 600*time.Millisecond || took > 4*time.Second) {
					t.Errorf("two waits took %v, want 0.6 s to 4 s", took)
				}
			})
		})
	}
}

func TestBeforeRetryEndsTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rt := &tripper{answer: func(int64) (int, http.Header, error) { return 500, nil, nil }}
		want := errors.New("budget spent")
		_, err := newClient(Config{}, rt).Do(request(t, http.MethodGet), Call{BeforeRetry: func(context.Context) error { return want }})
		if !errors.Is(err, want) || rt.calls.Load() != 1 {
			t.Errorf("err = %v after %d tries, want %v after 1", err, rt.calls.Load(), want)
		}
	})
}

func TestBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		status := 500
		rt := &tripper{answer: func(int64) (int, http.Header, error) { return status, http.Header{"X-Should-Retry": {"false"}}, nil }}
		client := newClient(Config{}, rt)
		do := func(connection string) error {
			resp, err := client.Do(request(t, http.MethodGet), Call{Connection: connection})
			if err == nil {
				resp.Body.Close()
			}
			return err
		}
		// Replies that say that the caller is wrong never open it, however many.
		for _, status = range []int{400, 401, 403, 404, 429} {
			for range 6 {
				if err := do("con_1"); err != nil {
					t.Fatalf("status %d: %v", status, err)
				}
			}
		}
		status = 500
		for i := range 5 {
			if err := do("con_1"); err != nil {
				t.Fatalf("call %d: %v", i, err)
			}
		}
		var open *Error
		if err := do("con_1"); !errors.As(err, &open) || !errors.Is(err, ErrOpen) || open.RetryAfter != 30*time.Second {
			t.Fatalf("after 5 failures: got %v (%+v), want open for 30 s", err, open)
		}
		if err := do("con_2"); err != nil {
			t.Errorf("another connection: %v", err)
		}
		time.Sleep(10 * time.Second)
		if err := do("con_1"); !errors.As(err, &open) || open.RetryAfter != 20*time.Second {
			t.Errorf("after 10 s: got %v, want open for 20 s", err)
		}
		time.Sleep(21 * time.Second)
		status = 200
		if err := do("con_1"); err != nil {
			t.Errorf("trial call: %v", err)
		}
		if err := do("con_1"); err != nil {
			t.Errorf("closed again: %v", err)
		}
		status = 500
		for range 5 {
			if err := do("con_1"); err != nil {
				t.Fatal(err)
			}
		}
		client.Forget("con_1")
		if err := do("con_1"); err != nil {
			t.Errorf("after Forget: %v", err)
		}
	})
}

func TestBreakerCountsACallOnceAndIgnoresCancelledOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var answer error = io.ErrUnexpectedEOF
		rt := &tripper{answer: func(int64) (int, http.Header, error) { return 0, nil, answer }}
		client := newClient(Config{}, rt)
		do := func() error {
			_, err := client.Do(request(t, http.MethodGet), Call{Connection: "con_1"})
			return err
		}
		for i := range 4 { // 12 tries
			if err := do(); !errors.Is(err, ErrBroken) {
				t.Fatalf("call %d: %v", i, err)
			}
		}
		answer = context.Canceled
		for range 6 {
			if err := do(); !errors.Is(err, ErrCanceled) || !errors.Is(err, context.Canceled) {
				t.Fatalf("cancelled call: %v", err)
			}
		}
		answer = io.ErrUnexpectedEOF
		if err := do(); !errors.Is(err, ErrBroken) {
			t.Fatalf("fifth failure: %v", err)
		}
		if err := do(); !errors.Is(err, ErrOpen) {
			t.Errorf("after the fifth failure: %v, want open", err)
		}
	})
}

func TestErrorsHoldNoByteOfAReply(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, buf, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		// The text of net/http's own error quotes this line.
		_, werr := buf.WriteString("planted-canary not http\r\n\r\n")
		if err := errors.Join(werr, buf.Flush(), conn.Close()); err != nil {
			t.Error(err)
		}
	}))
	defer server.Close()
	client := New(Config{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, RetryWaitMin: time.Millisecond, RetryWaitMax: time.Millisecond})
	defer client.HTTP().CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.Do(req, Call{})
	if !errors.Is(err, ErrBroken) || strings.Contains(err.Error(), "canary") {
		t.Errorf("err = %v, want a broken reply without its text", err)
	}
}
