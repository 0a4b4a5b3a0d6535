package workflows

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/outband/outband/connectors"
	"github.com/outband/outband/internal/store"
)

const (
	typePageBroken = "PageBroken" // a page that was malformed three times
	typeInternal   = "Internal"
	typeLease      = "Lease" // another worker has the slice or the item
)

// Failure is what of an error may enter Temporal's history: a kind, a stable code and one sentence (invariants 4 and 6).
type Failure struct {
	Kind    string
	Code    string
	Message string
}

// Final reports whether an admin must act before anything of the connection can be read.
func (f Failure) Final() bool {
	switch connectors.Kind(f.Kind) {
	case connectors.KindAuth, connectors.KindDisabled, connectors.KindConfig:
		return true
	}
	return false
}

// failureOf takes a Failure back out of an activity's error. It runs in workflow code.
func failureOf(err error) Failure {
	var app *temporal.ApplicationError
	if errors.As(err, &app) {
		f := Failure{Kind: app.Type(), Message: app.Message()}
		if app.HasDetails() {
			var code string
			if app.Details(&code) == nil {
				f.Code = code
			}
		}
		return f
	}
	var timeout *temporal.TimeoutError
	if errors.As(err, &timeout) {
		return Failure{Kind: typeInternal, Code: "OB-3002", Message: "The app did not answer in time. The scan goes on from here at its next run."}
	}
	return Failure{Kind: typeInternal, Code: "OB-3001", Message: "The scan was interrupted. It goes on from here at its next run."}
}

// ActivityError turns an error of an activity into what Temporal stores and acts on.
func ActivityError(err error) error {
	if err == nil {
		return nil
	}
	var held *store.LeaseHeldError
	if errors.Is(err, store.ErrLeaseLost) || errors.As(err, &held) {
		o := temporal.ApplicationErrorOptions{Details: []any{"OB-3009"}}
		if held != nil {
			o.NextRetryDelay = held.For + rand.N(time.Second)
		}
		return temporal.NewApplicationErrorWithOptions("Another worker works on this; it goes on by itself.", typeLease, o)
	}
	if errors.Is(err, context.Canceled) {
		// The worker stopped; nobody cancels these workflows. Another worker, or the next start, goes on.
		return temporal.NewApplicationError("The scan was interrupted by the end of its process.", typeInternal, "OB-3001")
	}
	var app *temporal.ApplicationError
	if errors.As(err, &app) {
		return err
	}
	var e *connectors.Error
	if !errors.As(err, &e) {
		// Not from a connector: the store, the disk. Its text could name what it was working on, so only its place is told.
		return temporal.NewApplicationErrorWithOptions("The scan could not go on: "+place(err), typeInternal, temporal.ApplicationErrorOptions{Details: []any{"OB-3001"}})
	}
	message := e.Message
	if message == "" {
		message = string(e.Kind)
	}
	o := temporal.ApplicationErrorOptions{Details: []any{e.Code}, NonRetryable: e.Kind.Final()}
	if e.RetryAfter > 0 {
		o.NextRetryDelay = e.RetryAfter + rand.N(time.Second+e.RetryAfter/10)
	}
	return temporal.NewApplicationErrorWithOptions(message, string(e.Kind), o)
}

// lostOr is the error of an activity that held a lease: whatever it failed with after the lease was lost, that is why.
func lostOr(ctx context.Context, err error) error {
	if err != nil && errors.Is(context.Cause(ctx), store.ErrLeaseLost) {
		err = store.ErrLeaseLost
	}
	return ActivityError(err)
}

// place is the outermost text of a wrapped error: "begin", "store finding". Our wrappers name what was tried, never with what.
func place(err error) string {
	s := err.Error()
	if inner := errors.Unwrap(err); inner != nil {
		if cut := len(s) - len(inner.Error()); cut > 2 && s[cut:] == inner.Error() {
			s = s[:cut-2]
		}
	}
	return s[:min(len(s), 200)]
}
