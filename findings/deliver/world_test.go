package deliver

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"go.uber.org/goleak"

	"github.com/outband/outband/dlp"
	"github.com/outband/outband/findings"
	"github.com/outband/outband/internal/secret"
	"github.com/outband/outband/internal/store"
	"github.com/outband/outband/internal/testserver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var testKeys = findings.Keys{ID: []byte("0123456789abcdef0123456789abcdef")}

// received is one call that the receiver got.
type received struct {
	id, finding, typ string
	sequence         int64
	attempt          int
}

// world is a store, a clock that only the test moves, a receiver and a destination.
type world struct {
	t      *testing.T
	db     *store.DB
	dst    Destination
	key    secret.Value
	url    string
	mu     sync.Mutex
	now    time.Time
	calls  []received
	tries  map[string]int
	answer func(received, http.ResponseWriter)
	d      *Deliverer
}

func newWorld(t *testing.T, filter string) *world {
	t.Helper()
	return newWorldIn(t, testserver.Open(t), filter)
}

func newWorldIn(t *testing.T, db *store.DB, filter string) *world {
	t.Helper()
	w := &world{t: t, now: time.Now().UTC().Truncate(time.Microsecond), tries: map[string]int{}, answer: func(received, http.ResponseWriter) {}}
	w.db = db
	db.SetClock(w.clock)
	srv := httptest.NewServer(http.HandlerFunc(w.receive))
	client := srv.Client()
	t.Cleanup(func() {
		client.CloseIdleConnections()
		srv.Close()
	})
	w.url = srv.URL
	w.write(func(tx *store.Tx) (err error) {
		w.dst, w.key, err = destinations().Create(context.Background(), tx, Spec{Name: "SIEM", Config: Config{URL: srv.URL + "/hook"}, Filter: filter})
		return err
	})
	w.d = w.deliverer(client)
	return w
}

func destinations() *Destinations {
	return &Destinations{
		CheckURL: func(string) error { return nil },
		Seal:     func(s secret.Value, owner, field string) (string, error) { return "sealed:" + owner + field, nil },
	}
}

func (w *world) deliverer(client *http.Client) *Deliverer {
	return New(Dependencies{
		DB: w.db, Keys: testKeys, HTTP: client, PublicURL: "https://outband.example/", Version: "1.2.3", Now: w.clock, Rand: func() float64 { return 0.5 },
		Secret: func(context.Context, string, string) (secret.Value, error) { return w.key, nil },
	})
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *world) receive(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // The sender went away.
	}
	verifier, err := standardwebhooks.NewWebhook(w.key.Reveal())
	if err != nil {
		w.t.Error(err)
	}
	if err := verifier.VerifyIgnoringTimestamp(body, r.Header); err != nil {
		w.t.Error(err)
	}
	var got struct {
		Type string
		Data findings.Finding
	}
	if err := json.Unmarshal(body, &got); err != nil {
		w.t.Error(err)
	}
	if len(body) > maxBody || len(got.Data.Instances) > maxInstances || r.Header.Get("User-Agent") != "Outband/1.2.3" {
		w.t.Errorf("%d bytes, %d instances, from %s", len(body), len(got.Data.Instances), r.Header.Get("User-Agent"))
	}
	w.mu.Lock()
	id := r.Header.Get("webhook-id")
	w.tries[id]++
	call := received{id: id, finding: got.Data.Resource.ID, typ: got.Type, sequence: got.Data.Sequence, attempt: w.tries[id]}
	w.calls = append(w.calls, call)
	answer := w.answer
	w.mu.Unlock()
	answer(call, rw)
}

func (w *world) write(f func(*store.Tx) error) {
	w.t.Helper()
	if err := w.db.Write(context.Background(), f); err != nil {
		w.t.Fatal(err)
	}
}

// find commits a new value in the chat: the first makes the finding, each later one changes it.
func (w *world) find(chat string, values ...int) {
	w.t.Helper()
	for _, v := range values {
		w.write(func(tx *store.Tx) error {
			_, err := findings.CommitItem(context.Background(), tx, testKeys, findings.Commit{ConnectionID: "con_a", Connector: "claude", Detections: []findings.Detection{{
				PolicyID: "p", PolicyVersion: 1, Kind: "content", Severity: "high", Title: "Key in a chat", Resource: findings.Resource{Kind: "chat", ID: chat, Name: "Deploy"},
				Actor: findings.Actor{ID: "user_1", Email: "dana.ruiz@corp.example"}, OccurredAt: w.now,
				Instances: []findings.NewInstance{{Resource: findings.Ref{Kind: "message", ID: fmt.Sprint("m", v)}, Part: "user_text", Match: dlp.Match{Detector: "secret.aws", Masked: "AKIA****", Value: fmt.Sprint(v), Fingerprint: fmt.Sprint("k1:", v)}}},
			}}})
			return err
		})
	}
}

func (w *world) step() Progress {
	w.t.Helper()
	p, err := w.d.Step(context.Background(), w.dst.ID, time.Hour)
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

// settle steps and moves the clock to when the next event is due, until nothing is queued or the time is over.
func (w *world) settle(limit time.Duration) {
	w.t.Helper()
	end := w.clock().Add(limit)
	for range 10_000 {
		p := w.step()
		if p.NextAt.IsZero() || p.State == StateDisabled || p.NextAt.After(end) {
			return
		}
		w.advance(max(p.NextAt.Sub(w.clock()), 0))
	}
	w.t.Fatal("the queue does not empty")
}

func (w *world) states() map[string]int {
	w.t.Helper()
	page, err := Deliveries(context.Background(), w.db.Read(), w.dst.ID, "", 500, "")
	if err != nil {
		w.t.Fatal(err)
	}
	out := map[string]int{}
	for _, x := range page.Items {
		out[x.State]++
	}
	return out
}

// inOrder fails unless the first arrivals of each finding's events came in sequence, each.
func (w *world) inOrder(chats, events int) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	last := map[string]int64{}
	seen := map[string]bool{}
	for _, c := range w.calls {
		if seen[c.id] {
			continue
		}
		seen[c.id] = true
		if c.sequence != last[c.finding]+1 {
			w.t.Errorf("%s: %d came after %d", c.finding, c.sequence, last[c.finding])
		}
		last[c.finding] = c.sequence
	}
	if len(seen) != events || len(last) != chats {
		w.t.Errorf("%d events of %d findings came, want %d of %d", len(seen), len(last), events, chats)
	}
}
