package connectors

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// notes is a CallLog in memory.
type notes struct {
	mu      sync.Mutex
	n       int
	replied []string
	again   []string
	err     error
}

func (c *notes) Sign(context.Context) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
	return fmt.Sprintf("run.%d.mac", c.n), c.err
}

func (c *notes) Replied(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.replied = append(c.replied, id)
}

func (c *notes) Again(signature string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.again = append(c.again, signature)
}

func TestEveryRequestIsSignedForItself(t *testing.T) {
	var mu sync.Mutex
	var agents []string
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		agents = append(agents, r.UserAgent())
		w.Header().Set("Request-Id", fmt.Sprintf("req_%d", len(agents)))
		switch len(agents) {
		case 1, 2:
			w.WriteHeader(http.StatusBadGateway) // Tried again twice by the HTTP client.
		case 4:
			w.WriteHeader(http.StatusTooManyRequests)
		}
		_, _ = io.WriteString(w, `{}`)
	})
	calls := &notes{}
	c := dial(t, server.URL, func(o *Options) { o.Calls, o.UserAgent = calls, "Outband/1" })
	for range 2 {
		// The second call is refused.
		_ = c.GetJSON(t.Context(), "x", nil, new(any))
	}
	want := []string{"Outband/1 (run.1.mac)", "Outband/1 (run.2.mac)", "Outband/1 (run.3.mac)", "Outband/1 (run.4.mac)"}
	if diff := cmp.Diff(want, agents); diff != "" {
		t.Errorf("agents (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"req_1", "req_2", "req_3", "req_4"}, calls.replied); diff != "" || len(calls.again) > 0 {
		t.Errorf("replies noted, sent again: %v (-want +got):\n%s", calls.again, diff)
	}
	calls.err = errors.New("the store is away")
	var e *Error
	if err := c.GetJSON(t.Context(), "x", nil, new(any)); !errors.As(err, &e) || e.Kind != KindTransient || e.Code != CodeUnsigned || len(agents) != 4 {
		t.Errorf("a call that cannot be noted: %v, %d calls made", err, len(agents))
	}
}

// A kept connection that the server closes as the request arrives is replaced by the transport itself, which sends the same signature once more.
func TestARequestThatTheTransportSendsAgainIsNoted(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var agents []string
	var group sync.WaitGroup
	group.Go(func() {
		for n := 0; ; n++ {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			group.Go(func() {
				defer func() { _ = conn.Close() }()
				buf := make([]byte, 4096)
				for i := range 2 {
					k, err := conn.Read(buf)
					if err != nil {
						return
					}
					for line := range strings.Lines(string(buf[:k])) {
						if agent, ok := strings.CutPrefix(line, "User-Agent: "); ok {
							mu.Lock()
							agents = append(agents, strings.TrimSpace(agent))
							mu.Unlock()
						}
					}
					if n == 0 && i == 1 {
						return // The second request on the first connection gets no answer.
					}
					_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
				}
			})
		}
	})
	calls := &notes{}
	c := dial(t, "http://"+listener.Addr().String(), func(o *Options) { o.Calls, o.UserAgent = calls, "Outband/1" })
	for range 2 {
		if err := c.GetJSON(t.Context(), "x", nil, new(any)); err != nil {
			t.Error(err)
		}
	}
	_ = listener.Close()
	mu.Lock()
	defer mu.Unlock()
	if diff := cmp.Diff([]string{"Outband/1 (run.1.mac)", "Outband/1 (run.2.mac)", "Outband/1 (run.2.mac)"}, agents); diff != "" {
		t.Errorf("agents (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"run.2.mac"}, calls.again); diff != "" {
		t.Errorf("noted (-want +got):\n%s", diff)
	}
}

func TestARefusalOfAStreamsOwnBudgetPausesOnlyThat(t *testing.T) {
	var mu sync.Mutex
	status, left := 429, "500"
	server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Retry-After", "1")
		w.Header().Set("Anthropic-Ratelimit-Requests-Limit", "600")
		w.Header().Set("Anthropic-Ratelimit-Requests-Remaining", left)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, `{}`)
	})
	account, own := NewLimiter(6000), NewLimiter(6000)
	c := dial(t, server.URL, func(o *Options) {
		o.Limiter, o.Budgets = account, map[string]*Limiter{"remote": own}
		o.Manifest.Replies.Limit, o.Manifest.Replies.Remaining = "anthropic-ratelimit-requests-limit", "anthropic-ratelimit-requests-remaining"
	})
	ctx := WithBudget(t.Context(), "remote")
	call := func() time.Duration {
		t.Helper()
		var e *Error
		if err := c.GetJSON(ctx, "x", nil, new(any)); !errors.As(err, &e) || e.Kind != KindRateLimited {
			t.Fatalf("a refused call: %v", err)
		}
		return e.RetryAfter
	}
	paused := func(l *Limiter) bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return time.Now().Before(l.paused)
	}
	open := func(l *Limiter) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.paused = time.Time{}
	}
	var waits []time.Duration
	for range 4 {
		waits = append(waits, call())
		if paused(account) || !paused(own) {
			t.Fatal("the account was paused, or the stream was not")
		}
		open(own)
	}
	if diff := cmp.Diff([]time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second}, waits); diff != "" {
		t.Errorf("waits (-want +got):\n%s", diff)
	}
	mu.Lock()
	status = 200
	mu.Unlock()
	if err := c.GetJSON(ctx, "x", nil, new(any)); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	status = 429
	mu.Unlock()
	if d := call(); d != time.Second {
		t.Errorf("the first refusal after a call that was accepted: %v, want 1s", d)
	}
	open(own)
	mu.Lock()
	left = "0"
	mu.Unlock()
	if call(); !paused(account) || paused(own) {
		t.Error("with nothing left of the account's budget the account is not paused, or the stream is")
	}
}

// Many connections, each with its budget, and one that reads history meanwhile: no span holds more than its bound, everybody gets on, and a poll beside
// the history waits for nobody. The server measures, on the real clock.
func TestManyConnectionsKeepTheirBudgets(t *testing.T) {
	const connections, rate = 50, 300
	type arrival struct {
		at  time.Time
		key string
	}
	var mu sync.Mutex
	var arrivals []arrival
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		arrivals = append(arrivals, arrival{time.Now(), r.URL.Path})
		mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{}`)
	})
	ctx, stop := context.WithTimeout(t.Context(), 14*time.Second)
	defer stop()
	var group sync.WaitGroup
	var slowest time.Duration
	for i := range connections {
		limiter := NewLimiter(rate)
		c := dial(t, server.URL, func(o *Options) { o.Limiter, o.Connection = limiter, fmt.Sprint("con_", i) })
		path := fmt.Sprint("c", i)
		workers := 1
		if i == 0 {
			workers = 4
		}
		for range workers {
			group.Go(func() {
				for ctx.Err() == nil {
					if err := c.GetJSON(Background(ctx), path, nil, new(any)); err != nil {
						return // The test is over: a wait that would end later fails at once.
					}
				}
			})
		}
		if i > 0 {
			continue
		}
		group.Go(func() {
			for range 2 {
				time.Sleep(6700 * time.Millisecond)
				for range rate / 10 / 5 {
					start := time.Now()
					if err := made(ctx, limiter); err != nil {
						return
					}
					mu.Lock()
					slowest = max(slowest, time.Since(start))
					arrivals = append(arrivals, arrival{time.Now(), "/" + path})
					mu.Unlock()
				}
			}
		})
	}
	group.Wait()
	mu.Lock() // The server may still be at a call that nobody waits for.
	defer mu.Unlock()
	by := map[string][]time.Time{}
	for _, a := range arrivals {
		by[a.key] = append(by[a.key], a.at)
	}
	if len(by) != connections {
		t.Errorf("%d of %d connections made calls", len(by), connections)
	}
	for key, calls := range by {
		slices.SortFunc(calls, time.Time.Compare)
		for _, b := range Bounds(rate, false) {
			if n := most(calls, b.Span); n > b.Calls {
				t.Errorf("%s: %d calls in %v, want at most %d", key, n, b.Span, b.Calls)
			}
		}
		if len(calls) <= 24 { // What a call in background may have of one span: more needs a second one.
			t.Errorf("%s made %d calls, and got on no more", key, len(calls))
		}
	}
	if slowest > 5*time.Second { // Behind the history it would be a whole span of 6 s.
		t.Errorf("a poll beside the history waited %v", slowest)
	}
}
