package e2e

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"
)

// event is one call of a receiver, as it came and as it was answered.
type event struct {
	ID        string `json:"id"`
	Timestamp string `json:"timestamp"`
	Signature string `json:"signature"`
	Body      string `json:"body"`
	status    int
	kind      string // finding.created, …
	finding   string
	sequence  int64
}

// receiver takes webhooks and answers what answer says: nil means 204.
type receiver struct {
	t       testing.TB
	address string
	answer  func(n int, e event) int // n counts calls from 1

	mu     sync.Mutex
	server *http.Server
	calls  []event
}

func newReceiver(t testing.TB, answer func(n int, e event) int) *receiver {
	t.Helper()
	r := &receiver{t: t, answer: answer}
	r.up(freeListener(t))
	t.Cleanup(r.down)
	return r
}

// up serves on a listener; down closes it and every connection.
func (r *receiver) up(l net.Listener) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.address = l.Addr().String()
	server := &http.Server{Handler: r}
	r.server = server
	go func() {
		// It ends when it is closed.
		_ = server.Serve(l)
	}()
}

func (r *receiver) down() {
	r.mu.Lock()
	server := r.server
	r.mu.Unlock()
	// Connections that break are what the test wants.
	_ = server.Close()
}

// again serves on the old address.
func (r *receiver) again() {
	r.t.Helper()
	l, err := net.Listen("tcp", r.address)
	if err != nil {
		r.t.Fatal(err)
	}
	r.up(l)
}

func (r *receiver) url() string { return "http://" + r.address + "/events" }

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return // The sender went away.
	}
	e := event{ID: req.Header.Get("webhook-id"), Timestamp: req.Header.Get("webhook-timestamp"), Signature: req.Header.Get("webhook-signature"), Body: string(body)}
	var parsed struct {
		Type string
		Data struct {
			ID       string
			Sequence int64
		}
	}
	if json.Unmarshal(body, &parsed) == nil {
		e.kind, e.finding, e.sequence = parsed.Type, parsed.Data.ID, parsed.Data.Sequence
	}
	r.mu.Lock()
	e.status = http.StatusNoContent
	if r.answer != nil {
		if s := r.answer(len(r.calls)+1, e); s != 0 {
			e.status = s
		}
	}
	r.calls = append(r.calls, e)
	r.mu.Unlock()
	w.WriteHeader(e.status)
}

// all is every call so far; taken are those that were answered with 2xx.
func (r *receiver) all() []event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]event{}, r.calls...)
}

func (r *receiver) taken() (out []event) {
	for _, e := range r.all() {
		if e.status < 300 {
			out = append(out, e)
		}
	}
	return out
}

// quiet waits until a destination that has been there from the first row of the log has an end of each: nothing is queued or yet to be queued.
func (s *server) quiet(destinationID string, within time.Duration) {
	s.t.Helper()
	wait(s.t, within, "the deliveries to end", func() bool {
		var queued list[delivery]
		s.must("GET", "/destinations/"+destinationID+"/deliveries?state=queued&limit=1", nil, &queued)
		return len(queued.Items) == 0 && s.rows("deliveries") >= s.rows("finding_log")
	})
}

type delivery struct {
	EventID   string `json:"event_id"`
	FindingID string `json:"finding_id"`
	Type      string `json:"type"`
	State     string `json:"state"`
	Tries     int    `json:"tries"`
	Status    int    `json:"status"`
	Reason    string `json:"reason"`
}

// pages reads a whole list.
func pages[T any](s *server, path string) (out []T) {
	s.t.Helper()
	for cursor := ""; ; {
		var l list[T]
		s.must("GET", path+cursor, nil, &l)
		out = append(out, l.Items...)
		if l.NextCursor == "" {
			return out
		}
		cursor = "&cursor=" + l.NextCursor
	}
}

// signingKey is a key for tests; its bytes say so.
const signingKey = "whsec_b3V0YmFuZC10ZXN0LXNpZ25pbmcta2V5LW5vdC1yZWFs"

// destination adds a webhook and returns its id.
func (s *server) destination(url string) string {
	s.t.Helper()
	var d struct {
		ID string `json:"id"`
	}
	s.must("POST", "/destinations", map[string]any{
		"name": "Test receiver", "kind": "webhook", "config": map[string]string{"url": url, "format": "native", "auth": "standard_webhooks"},
		"secrets": map[string]string{"signing_key": signingKey},
	}, &d)
	return d.ID
}
