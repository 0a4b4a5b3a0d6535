package connectors

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"sync"
	"time"
)

// Names of the steps of a test that lead to the app.
const (
	StepDNS     = "dns"
	StepConnect = "connect"
	StepTLS     = "tls"
)

// Way reports how the first call of a test gets to the app: the steps dns (not for a literal address), connect and tls (not for plain http), each
// as it ends. The call's own code is not changed by it: it watches.
type Way struct {
	mu     sync.Mutex
	report func(Step)
	steps  []wayStep // that are not reported yet, in their order
}

type wayStep struct {
	name, title, ok string
	begun           time.Time // zero: not yet
}

// WatchWay returns a context for the first call to a base URL. The caller calls End when that call is over; until then steps may be reported from
// another goroutine, never two at once and none later.
func WatchWay(ctx context.Context, baseURL string, report func(Step)) (context.Context, *Way) {
	w := &Way{report: report}
	base, err := url.Parse(baseURL)
	if err != nil {
		base = &url.URL{} // The call says so.
	}
	if _, err := netip.ParseAddr(base.Hostname()); err != nil {
		w.steps = append(w.steps, wayStep{name: StepDNS, title: "Host name", ok: "The host name was found."})
	}
	w.steps = append(w.steps, wayStep{name: StepConnect, title: "Connection", ok: "The server takes connections."})
	if base.Scheme == "https" {
		w.steps = append(w.steps, wayStep{name: StepTLS, title: "Encryption", ok: "The connection is encrypted, and the server's certificate is trusted."})
	}
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		DNSStart:          func(httptrace.DNSStartInfo) { w.begin(StepDNS) },
		DNSDone:           func(i httptrace.DNSDoneInfo) { w.done(StepDNS, i.Err) },
		ConnectStart:      func(string, string) { w.begin(StepConnect) },
		ConnectDone:       func(_, _ string, err error) { w.done(StepConnect, err) },
		TLSHandshakeStart: func() { w.begin(StepTLS) },
		TLSHandshakeDone:  func(_ tls.ConnectionState, err error) { w.done(StepTLS, err) },
		GotConn: func(httptrace.GotConnInfo) {
			// A connection that was open already went this way before.
			w.done(StepTLS, nil)
		},
	}), w
}

func (w *Way) begin(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range w.steps {
		// Of the tries to several addresses, the first one counts.
		if w.steps[i].name == name && w.steps[i].begun.IsZero() {
			w.steps[i].begun = time.Now()
		}
	}
}

// done reports that a step went well, and with it those before. One that failed may be tried again: the error of the call decides.
func (w *Way) done(name string, err error) {
	if err != nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	last := -1
	for i, s := range w.steps {
		if s.name == name || name == StepTLS {
			last = i
		}
	}
	for _, s := range w.steps[:last+1] {
		w.report(Step{Name: s.name, Title: s.title, State: StepOK, MS: s.ms(), Message: s.ok})
	}
	w.steps = w.steps[last+1:]
}

func (s wayStep) ms() int64 {
	if s.begun.IsZero() {
		return 0
	}
	return time.Since(s.begun).Milliseconds()
}

// End ends the watch with what the call returned, and reports whether the call ended on the way: then the step where it did was reported as
// failed.
func (w *Way) End(err error) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	steps := w.steps
	w.steps = nil
	var e *Error
	if !errors.As(err, &e) || len(steps) == 0 {
		return false
	}
	at := steps[0]
	switch e.Code {
	case CodeHostNotFound, CodeTimeout, CodeBroken:
	case CodeUnreachable, CodeAddressBlocked:
		at = wayStepOf(steps, StepConnect)
	case CodeTLS:
		at = wayStepOf(steps, StepTLS)
	default:
		return false
	}
	w.report(Step{Name: at.name, Title: at.title, State: StepFailed, MS: at.ms(), Code: e.Code, Message: e.Message})
	return true
}

// wayStepOf returns the step with a name, else the first one.
func wayStepOf(steps []wayStep, name string) wayStep {
	for _, s := range steps {
		if s.name == name {
			return s
		}
	}
	return steps[0]
}
