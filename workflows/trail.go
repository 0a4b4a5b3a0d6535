package workflows

import (
	"hash/maphash"
	"sync"
)

// trails remember which cursors a walk has been at, so that an app that leads in a circle, however long, is found out. They are in memory: a circle
// comes round again, also after a restart.
type trails struct {
	mu   sync.Mutex
	seed maphash.Seed
	been map[string]map[uint64]struct{}
}

// trailMost bounds what one walk remembers: 16 MiB or so.
const trailMost = 1 << 20

func newTrails() *trails {
	return &trails{seed: maphash.MakeSeed(), been: map[string]map[uint64]struct{}{}}
}

// crossed reports whether the walk has been at a cursor.
func (t *trails) crossed(walk, cursor string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, ok := t.been[walk][maphash.String(t.seed, cursor)]
	return ok
}

// add notes a cursor of a walk.
func (t *trails) add(walk, cursor string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	been := t.been[walk]
	if been == nil {
		been = map[uint64]struct{}{}
		t.been[walk] = been
	}
	if len(been) < trailMost {
		been[maphash.String(t.seed, cursor)] = struct{}{}
	}
}

// forget ends a walk.
func (t *trails) forget(walk string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.been, walk)
}
