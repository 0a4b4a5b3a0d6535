package deliver

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/outband/outband/findings"
	"github.com/outband/outband/internal/id"
	"github.com/outband/outband/internal/safehttp"
	"github.com/outband/outband/internal/secret"
)

// Limits of a webhook call.
const (
	maxBody       = 20 << 10 // bytes sent
	maxInstances  = 5        // of a finding in an event
	maxReply      = 64 << 10 // bytes of a reply that are read before the connection is given up
	callTimeout   = 15 * time.Second
	maxRetryAfter = time.Hour
	keyPrefix     = "whsec_"
)

// decodeKey returns the bytes of a Standard Webhooks secret, or ErrSigningKey.
func decodeKey(key secret.Value) ([]byte, error) {
	text, ok := strings.CutPrefix(key.Reveal(), keyPrefix)
	b, err := base64.StdEncoding.DecodeString(text)
	if !ok || err != nil || len(b) < 24 || len(b) > 64 {
		return nil, ErrSigningKey
	}
	return b, nil
}

// sign is the value of webhook-signature: Standard Webhooks 1.0.0, scheme v1, over id.timestamp.body.
func sign(key []byte, eventID string, at time.Time, body []byte) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(eventID + "." + strconv.FormatInt(at.Unix(), 10) + "."))
	mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// envelope is the body of a webhook.
type envelope struct {
	Type      string        `json:"type"`
	Timestamp findings.Time `json:"timestamp"`
	Data      any           `json:"data"`
}

// render makes the body of an event. A finding alone is at most 8 KB, so dropping instances is enough to stay under maxBody.
func render(typ string, at findings.Time, x findings.Finding) ([]byte, error) {
	x.Instances = x.Instances[:min(len(x.Instances), maxInstances)]
	for {
		var out bytes.Buffer
		enc := json.NewEncoder(&out)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(envelope{typ, at, x}); err != nil {
			return nil, fmt.Errorf("encode event: %w", err)
		}
		if body := bytes.TrimSuffix(out.Bytes(), []byte("\n")); len(body) <= maxBody {
			return body, nil
		}
		if len(x.Instances) == 0 {
			return nil, fmt.Errorf("encode event: finding %s alone is over %d bytes", x.ID, maxBody)
		}
		x.Instances = x.Instances[:len(x.Instances)-1]
	}
}

// answer is what a receiver said.
type answer struct {
	status     int           // 0: it said nothing
	retryAfter time.Duration // 0: it did not say
	reason     string        // why it is no success; holds no URL and no byte of the reply
}

// header is the headers of a call that are Outband's own; net/http adds Host and the length.
func (d *Deliverer) header(key []byte, eventID string, at time.Time, body []byte) http.Header {
	h := http.Header{}
	h.Set("Content-Type", "application/json")
	h.Set("User-Agent", "Outband/"+d.deps.Version)
	h.Set("webhook-id", eventID)
	h.Set("webhook-timestamp", strconv.FormatInt(at.Unix(), 10))
	h.Set("webhook-signature", sign(key, eventID, at, body))
	return h
}

// post sends a body once. Nothing of the reply but its status is kept.
func (d *Deliverer) post(ctx context.Context, url string, key []byte, eventID string, body []byte) answer {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	now := d.deps.Now()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return answer{reason: "the URL cannot be used"} // The error would quote it.
	}
	req.Header = d.header(key, eventID, now, body)
	resp, err := d.client.Do(req)
	if err != nil {
		return answer{reason: safehttp.Clean(err).Error()}
	}
	// Read a little so that the connection can be used again. The answer stands whatever becomes of the rest.
	_, _ = io.CopyN(io.Discard, resp.Body, maxReply)
	_ = resp.Body.Close()
	a := answer{status: resp.StatusCode, retryAfter: retryAfter(resp.Header.Get("Retry-After"), now)}
	switch {
	case a.status >= 200 && a.status <= 299:
	case a.status >= 300 && a.status <= 399:
		a.reason = fmt.Sprintf("the receiver answered %d: redirects are not followed", a.status)
	default:
		a.reason = fmt.Sprintf("the receiver answered %d", a.status)
	}
	return a
}

// retryAfter reads the header, seconds or a date, up to maxRetryAfter; what cannot be read is 0.
func retryAfter(header string, now time.Time) time.Duration {
	var wait time.Duration
	if seconds, err := strconv.ParseInt(header, 10, 64); err == nil {
		wait = time.Duration(min(seconds, int64(maxRetryAfter/time.Second))) * time.Second
	} else if at, err := http.ParseTime(header); err == nil {
		wait = at.Sub(now)
	}
	return max(0, min(wait, maxRetryAfter))
}

// TestResult is what a test event met.
type TestResult struct {
	OK      bool   `json:"ok"`
	Status  int    `json:"status"`  // 0: there was no answer
	Message string `json:"message"` // one sentence for the admin
}

// SendTest sends one outband.test event, signed like any other. It refuses a key with ErrSigningKey; everything else is in the result.
func (d *Deliverer) SendTest(ctx context.Context, url string, key secret.Value) (TestResult, error) {
	k, err := decodeKey(key)
	if err != nil {
		return TestResult{}, err
	}
	body, err := json.Marshal(envelope{"outband.test", findings.TimeOf(d.deps.Now()), map[string]string{"message": "This is a test event of Outband. There is no finding behind it."}})
	if err != nil {
		return TestResult{}, fmt.Errorf("encode event: %w", err)
	}
	a := d.post(ctx, url, k, id.New("evt_"), body)
	r := TestResult{OK: a.reason == "", Status: a.status}
	switch {
	case r.OK:
		r.Message = fmt.Sprintf("The receiver took the test event and answered %d.", a.status)
	case a.status == http.StatusUnauthorized || a.status == http.StatusForbidden:
		r.Message = fmt.Sprintf("The receiver refused the test event with %d: check that it has the same signing key.", a.status)
	case a.status == http.StatusNotFound:
		r.Message = "The receiver answered 404: check the path of the URL."
	default:
		r.Message = "The test event was not taken: " + a.reason + "."
	}
	return r, nil
}
