package main

import (
	"io"
	"net/http"
	"sync/atomic"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/outband/outband/internal/secret"
)

// receiver is the demo's SIEM: it takes events, checks their signatures and counts them.
type receiver struct {
	key           secret.Value
	events, valid atomic.Int64
}

// ServeHTTP takes one event.
func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, 64<<10))
	if err != nil {
		http.Error(w, "the event cannot be read", http.StatusBadRequest)
		return
	}
	r.events.Add(1)
	// The scheme's own library checks what Outband signed, as a receiver's would.
	hook, err := standardwebhooks.NewWebhook(r.key.Reveal())
	if err == nil {
		err = hook.Verify(body, req.Header)
	}
	if err != nil {
		http.Error(w, "the signature does not verify", http.StatusUnauthorized)
		return
	}
	r.valid.Add(1)
	w.WriteHeader(http.StatusNoContent)
}
