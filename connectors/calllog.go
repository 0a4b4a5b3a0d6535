package connectors

import (
	"context"
	"net/http"
	"net/http/httptrace"
	"sync"
)

// CallLog names the requests of one connection apart, so that in the app's own log of calls they can be told from those of others with the same key.
// It is safe for concurrent use.
type CallLog interface {
	// Sign returns what the User-Agent of the next request says beside the program's name, different for each. Its error means that the request is
	// not to be made.
	Sign(ctx context.Context) (string, error)
	// Replied notes the app's id of a request that it answered.
	Replied(requestID string)
	// Again notes that a signed request may have been sent more than once.
	Again(signature string)
}

// sending is one logical call on its way.
type sending struct {
	client *client

	ended func() // gives the place of the try in the budgets back; nil: there is none

	mu        sync.Mutex
	signature string // of the try under way
	wires     int    // connections that the try was given
}

// begin waits for the budgets before a try. The try before it has ended by then.
func (s *sending) begin(ctx context.Context) error {
	s.end()
	end, err := s.client.begin(ctx)
	s.ended = end
	return err
}

// end tells the budgets that the try was answered or given up.
func (s *sending) end() {
	if s.ended != nil {
		s.ended()
		s.ended = nil
	}
}

// watch notices when the transport itself sends a request again, on another connection after a kept one broke: both requests are signed alike.
func (s *sending) watch(ctx context.Context) context.Context {
	if s.client.opt.Calls == nil {
		return ctx
	}
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) {
		s.mu.Lock()
		s.wires++
		again, signature := s.wires == 2, s.signature
		s.mu.Unlock()
		if again {
			s.client.opt.Calls.Again(signature)
		}
	}})
}

// sign signs the request of one try.
func (s *sending) sign(req *http.Request) error {
	if s.client.opt.Calls == nil {
		return nil
	}
	signature, err := s.client.opt.Calls.Sign(req.Context())
	if err != nil {
		return &Error{Kind: KindTransient, Code: CodeUnsigned, Message: "The call could not be noted as one of Outband's own, so it was not made.", Err: err}
	}
	s.mu.Lock()
	s.signature, s.wires = signature, 0
	s.mu.Unlock()
	req.Header.Set("User-Agent", s.client.opt.UserAgent+" ("+signature+")")
	return nil
}

func (s *sending) replied(resp *http.Response) {
	if id := s.client.requestID(resp); id != "" && s.client.opt.Calls != nil {
		s.client.opt.Calls.Replied(id)
	}
}
