package workflows

import (
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/outband/outband/dlp/docscan"
	"github.com/outband/outband/dlp/extract/sandbox"
)

func TestKillingTheExtractorLosesNothing(t *testing.T) {
	const files = 24
	calm := newBench(t)
	calm.documentsOf(t, files)
	check(t, calm.live("chats"))

	b := newBench(t)
	b.documentPool(sandbox.Configuration{Children: 2})
	b.documentsOf(t, files)
	var mu sync.Mutex
	killed, seen := 0, map[string]int{}
	b.source = killing{b.app, func(id string) bool {
		mu.Lock()
		defer mu.Unlock()
		if seen[id]++; seen[id] > 1 {
			return false
		}
		for _, c := range extractors() {
			if syscall.Kill(c.PID, syscall.SIGKILL) == nil {
				killed++
			}
		}
		return true
	}}
	check(t, b.live("chats"))
	t.Logf("%d kills", killed)
	if killed < files {
		t.Errorf("only %d kills during %d files", killed, files)
	}
	// A kill hits the file of a neighbour too: what was hit Tries times waits for a quarter of an hour at most.
	b.now = b.now.Add(15 * time.Minute)
	b.waiting()
	if got := b.count(`SELECT COUNT(*) FROM items WHERE state NOT IN ('scanned')`); got != 0 {
		t.Errorf("%d items are not scanned", got)
	}
	want, got := calm.found(t), b.found(t)
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("instances (-calm +killed):\n%s", diff)
	}
	if diff := cmp.Diff(calm.units(), b.units()); diff != "" {
		t.Errorf("coverage (-calm +killed):\n%s", diff)
	}
}

func TestAFileWhoseExtractorIsKilledEachTimeIsSetAside(t *testing.T) {
	b := newBench(t)
	b.documentPool(sandbox.Configuration{Children: 1})
	b.documentsOf(t, 2)
	var mu sync.Mutex
	opened, bad := 0, true
	b.source = killing{b.app, func(id string) bool {
		mu.Lock()
		defer mu.Unlock()
		if id != "file_00" || !bad {
			return false
		}
		opened++
		for _, c := range extractors() {
			// It may have ended of itself.
			_ = syscall.Kill(c.PID, syscall.SIGKILL)
		}
		return true
	}}
	check(t, b.live("chats"))
	if opened != docscan.Tries {
		t.Fatalf("the file was opened %d times, want %d at once", opened, docscan.Tries)
	}
	if got := b.count(`SELECT COUNT(*) FROM items WHERE state = 'quarantined' AND id = 'file_00'`); got != 1 {
		t.Errorf("%d items set aside", got)
	}
	b.now, bad = b.now.Add(time.Hour), false
	b.waiting()
	if got := b.units(); got["file scanned"] != 2 {
		t.Errorf("coverage %v", got)
	}
}
