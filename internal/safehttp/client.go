package safehttp

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/go-retryablehttp"
	"github.com/sony/gobreaker/v2"
)

const (
	retryMax     = 2 // Invariant 7: retryablehttp handles blips only.
	tripAfter    = 5 // consecutive failed calls that open a breaker
	statusBusy   = 529
	halfOpenWait = time.Second
)

// Client makes calls with the safe transport, retries of blips and a breaker per connection and host. Make one per process.
type Client struct {
	cfg   Config
	plain *http.Client

	mu       sync.Mutex
	breakers map[breakerKey]*breaker
}

type breakerKey struct{ connection, host string }

// breaker is a gobreaker that knows until when it is open.
type breaker struct {
	*gobreaker.CircuitBreaker[*http.Response]
	mu    sync.Mutex
	until time.Time
}

// Call is what Do needs to know beside the request.
type Call struct {
	// Connection is the id whose breaker counts the call. Without one, as for a connection that is not saved yet, there is no breaker.
	Connection string
	// BeforeRetry, if set, runs before each try but the first, e.g. to spend from a rate budget. Its error ends the call and is returned as it is.
	BeforeRetry func(context.Context) error
	// Prepare, if set, runs on the request of each try before it is sent, the first too. Its error ends the call and is returned as it is.
	Prepare func(*http.Request) error
	// Replied, if set, gets the reply of each try. It leaves the body alone.
	Replied func(*http.Response)
}

// New makes a client. It makes no call.
func New(cfg Config) *Client { return newClient(cfg, NewTransport(cfg)) }

func newClient(cfg Config, rt http.RoundTripper) *Client {
	cfg = cfg.withDefaults()
	// Retryablehttp closes the idle connections of a client that failed. The pool is shared by all connections, so that method is hidden from it.
	return &Client{cfg: cfg, plain: httpClient(struct{ http.RoundTripper }{rt}, 0), breakers: map[breakerKey]*breaker{}}
}

// HTTP returns an HTTP client over the same pool, without retries and breaker and with the Timeout of the configuration. See NewHTTPClient.
func (c *Client) HTTP() *http.Client { return httpClient(c.plain.Transport, c.cfg.Timeout) }

// Forget drops the breakers of a connection that was deleted or whose settings changed.
func (c *Client) Forget(connection string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for k := range c.breakers {
		if k.connection == connection {
			delete(c.breakers, k)
		}
	}
}

// errServer marks a reply of 5xx for the breaker; it does not leave this file.
var errServer = errors.New("server error")

// Do makes one logical call. A reply of any status is returned with a nil error and a body that the caller closes; a call without a reply
// returns an *Error. GET and HEAD are tried up to three times after a broken connection or a 5xx, with waits of RetryWaitMin to RetryWaitMax, never
// after a time-out, a 4xx, a 429, or a reply that says x-should-retry: false or asks for a longer wait.
func (c *Client) Do(req *http.Request, call Call) (*http.Response, error) {
	run := func() (*http.Response, error) {
		resp, err := c.try(req, call)
		if err == nil && resp.StatusCode >= http.StatusInternalServerError {
			return resp, errServer
		}
		return resp, err
	}
	var resp *http.Response
	var err error
	if call.Connection == "" {
		resp, err = run()
	} else {
		// Invariant 7: the breaker counts the whole call once, however often it was tried.
		b := c.breaker(breakerKey{call.Connection, req.URL.Host})
		resp, err = b.Execute(run)
		if errors.Is(err, gobreaker.ErrOpenState) || errors.Is(err, gobreaker.ErrTooManyRequests) {
			closeBody(req)
			return nil, &Error{Kind: ErrOpen, RetryAfter: b.remaining()}
		}
	}
	if errors.Is(err, errServer) {
		return resp, nil
	}
	return resp, err
}

func (c *Client) breaker(key breakerKey) *breaker {
	c.mu.Lock()
	defer c.mu.Unlock()
	b, ok := c.breakers[key]
	if !ok {
		b = &breaker{}
		b.CircuitBreaker = gobreaker.NewCircuitBreaker[*http.Response](gobreaker.Settings{
			Timeout:     c.cfg.BreakerOpen,
			ReadyToTrip: func(n gobreaker.Counts) bool { return n.ConsecutiveFailures >= tripAfter },
			// A call that this side gave up or refused says nothing about the server.
			IsExcluded: func(err error) bool { return err != nil && !upstream(err) },
			OnStateChange: func(_ string, _, to gobreaker.State) {
				if to == gobreaker.StateOpen {
					b.mu.Lock()
					b.until = time.Now().Add(c.cfg.BreakerOpen)
					b.mu.Unlock()
				}
			},
		})
		c.breakers[key] = b
	}
	return b
}

// remaining is how long the breaker stays open, at least halfOpenWait: after its time one trial call decides, and others wait for it.
func (b *breaker) remaining() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return max(time.Until(b.until), halfOpenWait)
}

// upstream reports whether an error says that the server or the way to it is down: transport errors, time-outs and 5xx.
func upstream(err error) bool {
	for _, kind := range []error{errServer, ErrDNS, ErrConnect, ErrTLS, ErrTimeout, ErrBroken} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}

func (c *Client) try(req *http.Request, call Call) (*http.Response, error) {
	if call.Prepare != nil {
		if err := call.Prepare(req); err != nil {
			closeBody(req)
			return nil, err
		}
	}
	if req.Method != http.MethodGet && req.Method != http.MethodHead {
		// What changes something is sent once: a lost reply does not mean that nothing happened.
		resp, err := c.plain.Do(req)
		if err == nil && call.Replied != nil {
			call.Replied(resp)
		}
		return resp, Clean(err)
	}
	wrapped, err := retryablehttp.FromRequest(req)
	if err != nil {
		closeBody(req)
		return nil, &Error{Kind: ErrURL, Detail: "the request has a body that cannot be read"}
	}
	var hookErr error
	retrying := retryablehttp.Client{
		HTTPClient:   c.plain,
		Logger:       nil, // It would print URLs.
		RetryMax:     retryMax,
		RetryWaitMin: c.cfg.RetryWaitMin,
		RetryWaitMax: c.cfg.RetryWaitMax,
		CheckRetry: func(ctx context.Context, resp *http.Response, err error) (bool, error) {
			if err == nil && call.Replied != nil {
				call.Replied(resp)
			}
			return c.again(ctx, resp, err)
		},
		Backoff:      backoff,
		ErrorHandler: retryablehttp.PassthroughErrorHandler,
		PrepareRetry: func(r *http.Request) error {
			if call.BeforeRetry != nil {
				hookErr = call.BeforeRetry(r.Context())
			}
			if call.Prepare != nil && hookErr == nil {
				// The header of the try before may still be read by the connection that broke.
				r.Header = r.Header.Clone()
				hookErr = call.Prepare(r)
			}
			return hookErr
		},
	}
	resp, err := retrying.Do(wrapped)
	if hookErr != nil {
		return nil, hookErr // The reply of the try before was drained and closed.
	}
	if err != nil {
		if resp != nil {
			// The reply came as the caller gave up; what closing it says is of no use to anyone.
			_ = resp.Body.Close()
		}
		return nil, Clean(err)
	}
	return resp, nil
}

// again decides whether a try is followed by another one.
func (c *Client) again(ctx context.Context, resp *http.Response, err error) (bool, error) {
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if err != nil {
		err = Clean(err)
		return errors.Is(err, ErrConnect) || errors.Is(err, ErrBroken), nil
	}
	switch {
	case resp.StatusCode < http.StatusInternalServerError, // Invariant 7: never on 429.
		resp.StatusCode == http.StatusNotImplemented,
		resp.StatusCode > statusBusy,
		resp.Header.Get("X-Should-Retry") == "false":
		return false, nil
	}
	// A server that asks for a longer wait than a blip gets it from the workflow.
	if resp.Header.Get("Retry-After") != "" {
		wait, ok := retryAfter(resp)
		return ok && wait <= c.cfg.RetryWaitMax, nil
	}
	return true, nil
}

// retryAfter reads the header in its form of whole seconds; dates are for longer waits than those of this package.
func retryAfter(resp *http.Response) (time.Duration, bool) {
	n, err := strconv.ParseUint(resp.Header.Get("Retry-After"), 10, 16)
	return time.Duration(n) * time.Second, err == nil
}

// backoff doubles from least to most, with jitter upwards, and is never shorter than the server asked for.
func backoff(least, most time.Duration, attempt int, resp *http.Response) time.Duration {
	d := min(least<<attempt, most)
	d = min(d+rand.N(d/2+1), most)
	if resp != nil {
		if asked, ok := retryAfter(resp); ok {
			return max(d, min(asked, most))
		}
	}
	return d
}
