package sandbox

import (
	"sync"
	"time"
)

// watch measures the time that a child takes: only while this side waits for it, and while it does not wait for bytes of the file itself. A slow source
// or a slow scanner costs a child nothing.
type watch struct {
	fire func()

	mu      sync.Mutex
	timer   *time.Timer
	on      bool
	left    time.Duration
	waiting bool // for the child
	source  bool // the child may wait for the source
	since   time.Time
	running bool
	run     int // counts the beginnings, so that a late timer of an earlier one does nothing
}

func newWatch(fire func()) *watch { return &watch{fire: fire} }

// begin gives a child so much time.
func (w *watch) begin(limit time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.on, w.left, w.waiting, w.source = true, limit, false, false
	w.turn()
}

func (w *watch) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.on = false
	w.turn()
}

func (w *watch) wait(on bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiting = on
	w.turn()
}

func (w *watch) sourcing(on bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.source = on
	w.turn()
}

// turn starts or stops the clock.
func (w *watch) turn() {
	run := w.on && w.waiting && !w.source
	if run == w.running {
		return
	}
	w.running = run
	if !run {
		w.left -= time.Since(w.since)
		w.timer.Stop()
		return
	}
	w.since = time.Now()
	w.run++
	n := w.run
	w.timer = time.AfterFunc(max(w.left, 0), func() {
		w.mu.Lock()
		over := w.running && w.run == n
		w.mu.Unlock()
		if over {
			w.fire()
		}
	})
}
