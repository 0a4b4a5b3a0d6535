package workflows

import (
	"context"
	"crypto/hmac"
	"errors"
	"regexp"
	"strconv"
	"sync"
	"time"

	"github.com/outband/outband/connectors"
	"github.com/outband/outband/internal/id"
	"github.com/outband/outband/internal/store"
)

const (
	// runFor is how long a run of calls goes on before the next one begins: a signature is a proof only as long as its run.
	runFor = 24 * time.Hour

	// flushEvery is how long the id of a request may be in memory only.
	flushEvery = time.Second

	// markEvery is how far before a call its run must have been marked as complete, so that it is known what a kill has lost.
	markEvery = 30 * time.Second

	// flushTime bounds a flush that nobody waits for.
	flushTime = 10 * time.Second

	// pendingMost bounds the ids in memory while the store is away; the oldest are lost first.
	pendingMost = 100_000
)

// callLogs sign the calls of this process: one run for each connection, and one for the tests of keys that are not saved.
type callLogs struct {
	db  *store.DB
	key []byte // idkey

	mu  sync.Mutex
	all map[string]*callLog
}

func newCallLogs(db *store.DB, key []byte) *callLogs {
	return &callLogs{db: db, key: key, all: map[string]*callLog{}}
}

// of returns the log of a connection, "" for tests.
func (c *callLogs) of(connectionID string) *callLog {
	c.mu.Lock()
	defer c.mu.Unlock()
	l, ok := c.all[connectionID]
	if !ok {
		l = &callLog{db: c.db, key: c.key, connectionID: connectionID}
		c.all[connectionID] = l
	}
	return l
}

// forget ends the run of a connection that was removed.
func (c *callLogs) forget(ctx context.Context, connectionID string) error {
	c.mu.Lock()
	l := c.all[connectionID]
	delete(c.all, connectionID)
	c.mu.Unlock()
	if l == nil {
		return nil
	}
	return l.end(ctx)
}

// stop ends all runs in order: what comes later in the app's log and has no signature is not theirs.
func (c *callLogs) stop(ctx context.Context) (err error) {
	c.mu.Lock()
	all := c.all
	c.all = map[string]*callLog{}
	c.mu.Unlock()
	for _, l := range all {
		err = errors.Join(err, l.end(ctx))
	}
	return err
}

// callLog signs the calls of one connection and keeps the ids of their requests.
type callLog struct {
	db           *store.DB
	key          []byte
	connectionID string

	mu      sync.Mutex
	run     string // "" before the first call, and after the end
	n       int64
	started time.Time
	marked  time.Time // flushed_at of the run
	pending []string
	timer   *time.Timer // set: a flush is due
}

var _ connectors.CallLog = (*callLog)(nil)

// Sign implements connectors.CallLog. Nothing of the signature is secret: whoever has seen it can only use it once more, which is noticed.
func (l *callLog) Sign(ctx context.Context) (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.db.Now()
	if l.run != "" && now.Sub(l.started) >= runFor {
		if err := l.flush(ctx, true); err != nil {
			return "", err
		}
	}
	switch {
	case l.run == "":
		run := id.New("")[:runLength]
		if err := l.db.Write(ctx, func(tx *store.Tx) error { return store.StartCallRun(ctx, tx, run, l.connectionID) }); err != nil {
			return "", err
		}
		l.run, l.n, l.started, l.marked = run, 0, now, now
	case l.timer == nil && now.Sub(l.marked) >= markEvery:
		if err := l.flush(ctx, false); err != nil {
			return "", err
		}
	}
	l.n++
	l.due()
	return signature(l.key, l.run, l.n), nil
}

// name returns the run, "" if none is under way.
func (l *callLog) name() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.run
}

// Replied implements connectors.CallLog.
func (l *callLog) Replied(requestID string) { l.note(requestID) }

// Again implements connectors.CallLog. The signature stands among the requests, where no request has such an id.
func (l *callLog) Again(signature string) { l.note(againOf(signature)) }

func againOf(signature string) string { return "again:" + signature }

func (l *callLog) note(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pending = append(l.pending, name); len(l.pending) > pendingMost {
		l.pending = l.pending[1:]
	}
	l.due()
}

// due makes a flush happen soon.
func (l *callLog) due() {
	if l.timer != nil {
		return
	}
	l.timer = time.AfterFunc(flushEvery, func() {
		ctx, cancel := context.WithTimeout(context.Background(), flushTime)
		defer cancel()
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.timer == nil {
			return // Flushed meanwhile.
		}
		l.timer = nil
		if l.flush(ctx, false) != nil {
			l.due() // A store that is away is tried again; what is pending stays.
		}
	})
}

// Flush stores the ids of requests that are in memory.
func (l *callLog) Flush(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.timer == nil {
		return nil
	}
	return l.flush(ctx, false)
}

func (l *callLog) end(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.flush(ctx, true)
}

func (l *callLog) flush(ctx context.Context, stop bool) error {
	if l.run == "" {
		return nil
	}
	if err := l.db.Write(ctx, func(tx *store.Tx) error {
		return store.FlushCalls(ctx, tx, l.run, l.connectionID, l.pending, stop)
	}); err != nil {
		return err
	}
	if l.timer != nil {
		l.timer.Stop()
		l.timer = nil
	}
	l.pending, l.marked = nil, l.db.Now()
	if stop {
		l.run = ""
	}
	return nil
}

// runLength is the length of the name of a run: 65 bits.
const runLength = 13

// signature is "run.n.mac".
func signature(key []byte, run string, n int64) string {
	text := strconv.FormatInt(n, 10)
	return run + "." + text + "." + id.Computed(key, "", "call", run, text)
}

// signed is what a User-Agent must hold to be one of ours.
var signed = regexp.MustCompile(`\(([a-z2-7]{13})\.([1-9][0-9]{0,17})\.([a-z2-7]{26})\)`)

// callOf returns the call that a User-Agent is the signature of, whoever wrote it there; false if it is none, or not by this installation.
func callOf(key []byte, userAgent string) (run string, n int64, ok bool) {
	m := signed.FindStringSubmatch(userAgent)
	if m == nil {
		return "", 0, false
	}
	n, err := strconv.ParseInt(m[2], 10, 64)
	if err != nil || !hmac.Equal([]byte(signature(key, m[1], n)), []byte(m[1]+"."+m[2]+"."+m[3])) {
		return "", 0, false
	}
	return m[1], n, true
}
