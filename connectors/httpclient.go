package connectors

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/outband/outband/internal/safehttp"
	"github.com/outband/outband/internal/secret"
)

// Doer makes calls; *safehttp.Client is one.
type Doer interface {
	Do(*http.Request, safehttp.Call) (*http.Response, error)
}

// Options are what a client is made of.
type Options struct {
	Manifest   *Manifest
	Connection string            // id for the breaker; "" for a connection that is not saved yet
	Secret     secret.Value      // the credential
	Config     map[string]string // the connection's settings; checked, and defaults filled in
	Doer       Doer
	Limiter    *Limiter            // shared by all clients of the connection; see Limiters and RequestsPerMinute
	Budgets    map[string]*Limiter // of the manifest's limits.budgets, shared likewise; see WithBudget
	UserAgent  string              // "Outband/VERSION"
	Calls      CallLog             // optional: names each request apart in its User-Agent
	MapError   func(Reply) *Error  // the connector's
	Observe    func(Observation)   // optional, for metrics; called once per call, from many goroutines
}

// Observation is what one call took.
type Observation struct {
	Status int           // 0: no reply
	Kind   Kind          // "" for a success
	Waited time.Duration // for the rate budget, before the first try
	Took   time.Duration // until the headers of the reply
}

const (
	jsonTimeout     = 3 * time.Minute // for one call with its retries and its body
	downloadTimeout = 10 * time.Minute
)

// AccountHinter is implemented by a Client that saw the organisation behind the key in a reply's header.
type AccountHinter interface {
	// AccountHint returns the vendor's id of the organisation, "" if no reply named it.
	AccountHint() string
}

type client struct {
	opt      Options
	manifest *Manifest
	mapError func(Reply) *Error
	config   map[string]string
	base     *url.URL
	header   http.Header
	hint     string
	account  atomic.Pointer[string]
}

var _ AccountHinter = (*client)(nil)

// NewClient makes the client of one connection. It makes no call. Its errors are of KindConfig, or of KindAuth for a credential that cannot be sent.
func NewClient(o Options) (Client, error) {
	m := o.Manifest
	config, err := m.CheckConfig(o.Config)
	if err != nil {
		return nil, &Error{Kind: KindConfig, Code: CodeSetting, Message: "A setting of the connection is wrong.", Err: err}
	}
	base, err := url.Parse(config[ConfigBaseURL])
	if err != nil {
		return nil, &Error{Kind: KindConfig, Code: CodeSetting, Message: "The base URL cannot be read."}
	}
	key := o.Secret.Reveal()
	if key == "" || strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, &Error{Kind: KindAuth, Code: CodeKeyUnrecognized, Message: "The key is empty, or holds spaces or characters that no key has. Copy it again."}
	}
	c := &client{opt: o, manifest: m, mapError: o.MapError, config: config, base: base, header: http.Header{}}
	if k, ok := m.KeyKind(key); ok {
		c.hint = k.Kind
	}
	c.header.Set("User-Agent", o.UserAgent)
	for _, h := range m.Headers {
		value := h.Value
		if h.Config != "" {
			value = config[h.Config]
		}
		if value != "" {
			c.header.Set(h.Name, value)
		}
	}
	return c, nil
}

// RequestsPerMinute returns the rate of a connection's checked settings.
func (m *Manifest) RequestsPerMinute(config map[string]string) int {
	if n, err := strconv.Atoi(config[ConfigRequestsPerMinute]); err == nil && n > 0 {
		return n
	}
	return m.Limits.RequestsPerMinute
}

// Budgets returns the rates of the further budgets by name: those of the manifest, which are meant beside its own rate, as much larger or smaller as that
// of the connection is; at least 1.
func (m *Manifest) Budgets(config map[string]string) map[string]int {
	out := map[string]int{}
	for name, n := range m.Limits.Budgets {
		out[name] = max(n*m.RequestsPerMinute(config)/max(m.Limits.RequestsPerMinute, 1), 1)
	}
	return out
}

// Config implements Client.
func (c *client) Config(key string) string { return c.config[key] }

// KeyHint implements Client.
func (c *client) KeyHint() string { return c.hint }

// AccountHint implements AccountHinter.
func (c *client) AccountHint() string {
	if p := c.account.Load(); p != nil {
		return *p
	}
	return ""
}

// GetJSON implements Client.
func (c *client) GetJSON(ctx context.Context, path string, query url.Values, into any) error {
	resp, cancel, err := c.get(ctx, path, query, "application/json", jsonTimeout)
	if err != nil {
		return err
	}
	defer cancel()
	defer closeReply(resp.Body)
	if !isJSON(resp.Header.Get("Content-Type")) {
		e := c.notTheAPI()
		e.Status, e.RequestID = resp.StatusCode, c.requestID(resp)
		return e
	}
	// Invariant 9: the limit is on what comes out of the decompression. Reading it all before decoding tells a broken connection from bad JSON.
	limit := c.manifest.Limits.MaxResponseBytes
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if int64(len(body)) > limit {
		return c.tooBig("reply", limit)
	}
	if err != nil {
		return c.unsent(err)
	}
	// The decoder's own errors quote the reply. Unmarshal refuses anything after the document.
	if json.Unmarshal(body, into) != nil {
		return c.malformed(resp, "decode a reply of "+strconv.Itoa(len(body))+" bytes")
	}
	return nil
}

// Download implements Client.
func (c *client) Download(ctx context.Context, path string, query url.Values) (*Download, error) {
	resp, cancel, err := c.get(ctx, path, query, "*/*", downloadTimeout)
	if err != nil {
		return nil, err
	}
	limit := c.manifest.Limits.MaxFileBytes
	if resp.ContentLength > limit {
		closeReply(resp.Body)
		cancel()
		return nil, c.tooBig("file", limit)
	}
	d := &Download{Body: c.whole(resp, &cappedBody{client: c, body: resp.Body, cancel: cancel, left: limit}), MIME: resp.Header.Get("Content-Type")}
	// A disposition that cannot be read gives no name, and the name is only a hint.
	if _, params, err := mime.ParseMediaType(resp.Header.Get("Content-Disposition")); err == nil {
		d.Name = params["filename"]
	}
	return d, nil
}

// cappedBody ends with ErrTooBig after the limit and gives read errors as *Error.
type cappedBody struct {
	client *client
	body   io.ReadCloser
	cancel context.CancelFunc
	left   int64
}

// Read implements io.Reader.
func (b *cappedBody) Read(p []byte) (int, error) {
	// One byte more than the limit is asked for, which tells a file of exactly the limit from a longer one. Invariant 9.
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.body.Read(p)
	if int64(n) > b.left {
		n = int(b.left)
		b.left = 0
		return n, b.client.tooBig("file", b.client.manifest.Limits.MaxFileBytes)
	}
	b.left -= int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		err = b.client.unsent(err)
	}
	return n, err
}

// Close implements io.Closer.
func (b *cappedBody) Close() error {
	defer b.cancel()
	if err := b.body.Close(); err != nil {
		return b.client.unsent(err)
	}
	return nil
}

// get makes one logical call. The caller closes the body and then calls cancel, unless there is an error.
func (c *client) get(ctx context.Context, path string, query url.Values, accept string, timeout time.Duration) (*http.Response, context.CancelFunc, error) {
	target, err := c.target(path, query)
	if err != nil {
		return nil, nil, err
	}
	start := time.Now()
	sent := &sending{client: c}
	defer sent.end()
	if err := sent.begin(ctx); err != nil {
		return nil, nil, c.observed(c.unsent(err), time.Since(start), 0)
	}
	waited := time.Since(start)
	ctx, cancel := context.WithTimeout(ctx, timeout)
	ctx = sent.watch(ctx)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		cancel()
		return nil, nil, &Error{Kind: KindConfig, Code: CodeSetting, Message: "The base URL cannot be called."}
	}
	req.Header = c.header.Clone()
	req.Header.Set("Accept", accept)
	req.Header.Set(c.manifest.Auth.Header, c.manifest.Auth.Prefix+c.opt.Secret.Reveal())
	// A retry is a call like any other for the vendor, so it spends from the budget too.
	resp, err := c.opt.Doer.Do(req, safehttp.Call{Connection: c.opt.Connection, BeforeRetry: sent.begin, Prepare: sent.sign, Replied: sent.replied})
	took := time.Since(start) - waited
	if err != nil {
		cancel()
		return nil, nil, c.observed(c.unsent(err), waited, took)
	}
	c.learn(req.Context(), resp)
	var failure *Error
	switch {
	case resp.StatusCode < 200 || resp.StatusCode > 299:
		failure = c.failed(resp)
		if failure.Kind == KindRateLimited {
			failure.RetryAfter = c.refused(req.Context(), resp, failure.RetryAfter)
		}
	case resp.Header.Get("Content-Encoding") != "" && resp.Header.Get("Content-Encoding") != "identity":
		closeReply(resp.Body)
		failure = c.malformed(resp, "the reply is encoded in a way that was not asked for")
	default:
		if own := c.opt.Budgets[budgetOf(ctx)]; own != nil {
			own.accepted()
		}
		c.observe(Observation{Status: resp.StatusCode, Waited: waited, Took: took})
		return resp, cancel, nil
	}
	cancel()
	return nil, nil, c.observed(failure, waited, took)
}

// begin takes a call of the account's budget, and of the one of WithBudget if the context names one.
func (c *client) begin(ctx context.Context) (end func(), err error) {
	if own := c.opt.Budgets[budgetOf(ctx)]; own != nil {
		return beginBoth(ctx, own, c.opt.Limiter)
	}
	return c.opt.Limiter.Begin(ctx)
}

// refused stops further calls of the budget that is spent, and returns how long. A stream with a budget of its own was refused for that one unless the
// headers, which tell of the account's, say that nothing is left of it; what its reply asks to wait is then not to be relied on.
func (c *client) refused(ctx context.Context, resp *http.Response, asked time.Duration) time.Duration {
	own := c.opt.Budgets[budgetOf(ctx)]
	left, err := strconv.Atoi(resp.Header.Get(c.manifest.Replies.Remaining))
	if own == nil || err == nil && left <= 0 {
		// The other streams of the account would be refused too.
		c.opt.Limiter.Pause(ctx, max(asked, time.Second))
		return asked
	}
	return own.refused(ctx, asked)
}

// target joins the base URL, with or without a path of its own, and a relative path. Ids of the vendor are part of paths; one that could lead to
// another endpoint is refused.
func (c *client) target(path string, query url.Values) (string, error) {
	bad := path == "" || strings.HasPrefix(path, "/") || strings.ContainsAny(path, "?#\\ \r\n\t")
	for segment := range strings.SplitSeq(path, "/") {
		bad = bad || segment == "" || segment == "." || segment == ".."
	}
	if bad {
		return "", &Error{Kind: KindMalformed, Code: CodeMalformed, Message: "An id given by " + c.manifest.Vendor + " cannot be part of an address."}
	}
	target := strings.TrimRight(c.base.String(), "/") + "/" + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	return target, nil
}

// learn takes from a reply's headers what the vendor says about the budget and the account.
func (c *client) learn(ctx context.Context, resp *http.Response) {
	r := c.manifest.Replies
	if limit, err := strconv.Atoi(resp.Header.Get(r.Limit)); err == nil {
		if remaining, err := strconv.Atoi(resp.Header.Get(r.Remaining)); err == nil {
			c.opt.Limiter.Observe(ctx, limit, remaining, resetAt(resp.Header.Get(r.Reset)))
		}
	}
	if account := token(resp.Header.Get(r.Account)); account != "" && resp.StatusCode < 300 {
		c.account.Store(&account)
	}
}

// resetAt reads a time or the seconds since 1970; zero if it is neither.
func resetAt(s string) time.Time {
	if t, err := ParseTime(s); err == nil {
		return t
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil && n > 0 {
		return time.Unix(n, 0)
	}
	return time.Time{}
}

func (c *client) observed(e *Error, waited, took time.Duration) *Error {
	c.observe(Observation{Status: e.Status, Kind: e.Kind, Waited: waited, Took: took})
	return e
}

func (c *client) observe(o Observation) {
	if c.opt.Observe != nil {
		c.opt.Observe(o)
	}
}
