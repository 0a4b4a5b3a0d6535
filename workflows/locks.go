package workflows

import "sync"

// locks serialise the work on one item of its own: a file in three chats that are read at once is fetched once.
type locks struct {
	mu   sync.Mutex
	held map[string]*lock
}

type lock struct {
	mu    sync.Mutex
	users int
}

func newLocks() *locks { return &locks{held: map[string]*lock{}} }

// Lock locks key and returns the func that unlocks it.
func (l *locks) Lock(key string) (unlock func()) {
	l.mu.Lock()
	k := l.held[key]
	if k == nil {
		k = &lock{}
		l.held[key] = k
	}
	k.users++
	l.mu.Unlock()
	k.mu.Lock()
	return func() {
		k.mu.Unlock()
		l.mu.Lock()
		defer l.mu.Unlock()
		if k.users--; k.users == 0 {
			delete(l.held, key)
		}
	}
}
