package connectors

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/outband/outband/internal/safehttp"
)

// Reply is an error reply, for MapError. Type, Message and Header are foreign text: they may be compared with what the vendor documents, and must
// not get into an error.
type Reply struct {
	Status  int
	JSON    bool   // the body is JSON
	Type    string // at the manifest's replies.error_type, or ""
	Message string // at the manifest's replies.error_message, or ""
	Header  http.Header
}

// maxErrorBytes of an error's body are read; the rest is not needed to tell what it means.
const maxErrorBytes = 64 << 10

// tokenForm is what an id in a header must look like to be kept.
var tokenForm = regexp.MustCompile(`^[A-Za-z0-9_.:-]{1,128}$`)

func token(s string) string {
	if tokenForm.MatchString(s) {
		return s
	}
	return ""
}

// failed makes the error of a reply that is not a success, and closes its body.
func (c *client) failed(resp *http.Response) *Error {
	defer closeReply(resp.Body)
	reply := Reply{Status: resp.StatusCode, Header: resp.Header}
	// What is missing of a broken body is what the message would have said; the status is known.
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorBytes))
	var doc any
	if json.Unmarshal(body, &doc) == nil {
		reply.JSON = true
		reply.Type, reply.Message = textAt(doc, c.manifest.Replies.ErrorType), textAt(doc, c.manifest.Replies.ErrorMessage)
	}
	var e *Error
	// A page of a proxy or web server in the way is not the app's word. At 429 and 5xx such pages are usual and mean what the status says.
	if c.mapError != nil && reply.JSON {
		e = c.mapError(reply)
	}
	if e == nil {
		e = c.byStatus(reply)
	}
	e.Status, e.RequestID = resp.StatusCode, c.requestID(resp)
	e.RetryAfter = max(e.RetryAfter, ParseRetryAfter(resp.Header.Get("Retry-After"), time.Now()))
	return e
}

func (c *client) byStatus(r Reply) *Error {
	v, host := c.manifest.Vendor, c.base.Host
	switch {
	case r.Status == http.StatusTooManyRequests:
		return &Error{Kind: KindRateLimited, Code: CodeRateLimited, Message: v + " says that the request budget of the organisation is spent; reading goes on by itself."}
	case r.Status >= 500:
		return &Error{Kind: KindTransient, Code: CodeServerError, Message: v + " had an error of its own. A scan tries again by itself; a test can be repeated in a minute."}
	case r.Status >= 300 && r.Status < 400:
		return &Error{Kind: KindConfig, Code: CodeRedirect, Message: host + " redirects to another address, which Outband does not follow. Set the base URL to the final address."}
	case !r.JSON:
		return c.notTheAPI()
	case r.Status == http.StatusUnauthorized:
		return &Error{Kind: KindAuth, Code: CodeKeyRefused, Message: v + " refused the key. Make a new key and save it in this connection."}
	case r.Status == http.StatusForbidden:
		return &Error{Kind: KindForbidden, Code: CodeForbidden, Message: v + " does not let this key read here. Make a key with the permissions that the connector asks for."}
	case r.Status == http.StatusNotFound || r.Status == http.StatusGone:
		return gone(v)
	}
	return &Error{Kind: KindMalformed, Code: CodeRequestRefused, Message: v + " refused the request as invalid. Please report this with the request id."}
}

func (c *client) notTheAPI() *Error {
	return &Error{Kind: KindConfig, Code: CodeBaseURL, Message: fmt.Sprintf("%s answered with a page that is not %s's API. Check the base URL, and any proxy in between.", c.base.Host, c.manifest.Vendor)}
}

func gone(vendor string) *Error {
	return &Error{Kind: KindGone, Code: CodeGone, Message: "The object no longer exists at " + vendor + "."}
}

// unsent makes the error of a call without a reply.
func (c *client) unsent(err error) *Error {
	var own *Error
	if errors.As(err, &own) {
		return own
	}
	host := c.base.Host
	e := &Error{Kind: KindTransient, Err: safehttp.Clean(err)}
	var call *safehttp.Error
	if errors.As(e.Err, &call) {
		e.RetryAfter = call.RetryAfter
	}
	switch {
	case errors.Is(err, context.Canceled):
		e.Message, e.Err = "The call was cancelled.", context.Canceled
	case errors.Is(err, safehttp.ErrDNS):
		e.Code, e.Message = CodeHostNotFound, fmt.Sprintf("The host name %s was not found. Check the base URL and this machine's DNS.", c.base.Hostname())
	case errors.Is(err, safehttp.ErrConnect):
		e.Code, e.Message = CodeUnreachable, host+" cannot be reached. Check the base URL, and that this machine's firewall lets it call out."
	case errors.Is(err, safehttp.ErrTLS):
		e.Kind, e.Code, e.Message = KindConfig, CodeTLS, "No trusted TLS connection to "+host+" could be made. Check the base URL, and that a proxy in between has a certificate this machine trusts."
	case errors.Is(err, safehttp.ErrBlockedAddress), errors.Is(err, safehttp.ErrScheme), errors.Is(err, safehttp.ErrURL):
		e.Kind, e.Code, e.Message = KindConfig, CodeAddressBlocked, host+" may not be called. Use an https address on the internet, or add its network to egress.allow."
	case errors.Is(err, safehttp.ErrOpen):
		e.Code, e.Message = CodeBreakerOpen, host+" failed several times in a row; Outband waits before it tries again."
	case errors.Is(err, safehttp.ErrTimeout), errors.Is(err, context.DeadlineExceeded):
		e.Code, e.Message = CodeTimeout, host+" did not answer in time. A scan tries again by itself; if it lasts, check the network and the base URL."
	default:
		e.Code, e.Message = CodeBroken, "The connection to "+host+" broke. A scan tries again by itself; if it lasts, check the network and the base URL."
	}
	return e
}

func (c *client) malformed(resp *http.Response, why string) *Error {
	return &Error{Kind: KindMalformed, Code: CodeMalformed, Status: resp.StatusCode, RequestID: c.requestID(resp), Err: errors.New(why),
		Message: c.manifest.Vendor + " gave a reply that does not follow its documentation."}
}

func (c *client) tooBig(what string, limit int64) *Error {
	return &Error{Kind: KindTooBig, Code: CodeTooBig, Message: fmt.Sprintf("The %s is over the limit of %d bytes.", what, limit)}
}

func (c *client) requestID(resp *http.Response) string {
	return token(resp.Header.Get(c.manifest.Replies.RequestID))
}

// isJSON looks at the declared type only.
func isJSON(contentType string) bool {
	t, _, err := mime.ParseMediaType(contentType)
	return err == nil && (t == "application/json" || strings.HasSuffix(t, "+json"))
}

// textAt returns the string at a dotted path of a decoded document.
func textAt(doc any, path string) string {
	if path == "" {
		return ""
	}
	for key := range strings.SplitSeq(path, ".") {
		m, ok := doc.(map[string]any)
		if !ok {
			return ""
		}
		doc = m[key]
	}
	s, _ := doc.(string)
	return s
}

// closeReply closes a body that was read as far as it was of use.
func closeReply(body io.Closer) {
	// Nothing is lost with a connection that cannot be closed properly.
	_ = body.Close()
}
