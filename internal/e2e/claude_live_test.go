package e2e

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/outband/outband/fixtures/claudesim"
	"github.com/outband/outband/fixtures/claudesim/tenant"
)

const (
	livePoll   = time.Minute
	liveNotice = 90 * time.Second // from the first answer that shows something to its finding, for 95 of 100
)

// liveTimes are how long a live tenant is watched, after how long its people delete chats, and how late rows of the feed and changes of chats appear at most.
func liveTimes() (watch, deleteAfter, late time.Duration) {
	if whole() {
		return 12 * time.Minute, 4 * time.Minute, time.Minute
	}
	return 3 * time.Minute, 100 * time.Second, 20 * time.Second
}

// TestLiveWholeTenant polls a tenant each minute whose people write, and delete every fourth chat some minutes later, whose feed and lists show rows late and
// several rows of one time.
func TestLiveWholeTenant(t *testing.T) {
	timed(t)
	t.Parallel()
	watch, deleteAfter, late := liveTimes()
	epoch := time.Now().UTC().Truncate(time.Second)
	x := newTenant(t, claudesim.Options{
		Seed: 35, Epoch: epoch, Live: 500 * time.Millisecond, IndexLag: time.Second, DeleteAfter: deleteAfter, LateRows: late, LateChats: late, Ties: true,
	})
	s := serve(t, bin(t), filepath.Join(t.TempDir(), "data"), "")
	body := connection(x.url, claudesim.DemoKey, epoch.Add(-orgBackfill))
	body["schedule"] = map[string]string{"every": livePoll.String()}
	var c struct{ ID string }
	s.must("POST", "/connections", body, &c)
	time.Sleep(watch)
	end := time.Now()
	time.Sleep(late + livePoll + 10*time.Second) // What was late by the end appears, and is polled.

	t.Run("no late row is missed", func(t *testing.T) {
		var old []feedRow
		for _, a := range x.feed(t) {
			if a.CreatedAt.Before(end) {
				old = append(old, a)
			}
		}
		s.missesNoneOf(t, c.ID, old)
	})
	t.Run("what is deleted is seen before", func(t *testing.T) { checkDeleted(t, s, x, c.ID, end) })
	t.Run("what is served is found soon", func(t *testing.T) { checkNotice(t, s, x, epoch, end) })
}

// checkDeleted wants nearly all deleted chats scanned before their deletion, and each of them listed.
func checkDeleted(t *testing.T, s *server, x *tenantServer, connectionID string, end time.Time) {
	t.Helper()
	deleted, unseen, unlisted := 0, []string{}, []string{}
	for _, d := range x.Truth(time.Now()).Deleted {
		if d.CreatedAt.Before(x.Epoch()) || d.DeletedAt.After(end) {
			continue
		}
		deleted++
		switch states := s.itemState(connectionID, d.ID); states {
		case "":
			unlisted = append(unlisted, d.ID)
		case "scanned ":
		default:
			unseen = append(unseen, d.ID+" "+states)
		}
	}
	t.Logf("%d chats were deleted, %d of them before they were seen", deleted, len(unseen))
	if deleted < 10 {
		t.Errorf("only %d chats were deleted", deleted)
	}
	if 100*len(unseen) >= deleted {
		t.Errorf("%d of %d deleted chats were not seen: %v", len(unseen), deleted, unseen[:min(3, len(unseen))])
	}
	if len(unlisted) > 0 {
		t.Errorf("%d deleted chats are not listed: %v", len(unlisted), unlisted[:min(3, len(unlisted))])
	}
}

// checkNotice measures the time from the first answer that shows a planted value to its finding.
func checkNotice(t *testing.T, s *server, x *tenantServer, epoch, end time.Time) {
	t.Helper()
	found := s.firstSeen()
	var delays []time.Duration
	missed := 0
	for _, i := range x.truthItems(t, end) {
		if !i.Planted || i.Format != "text" || i.Instance.Kind != "message" {
			continue
		}
		served, live := x.FirstServed(tenant.Ref{Kind: i.Instance.Kind, ID: i.Instance.ID}, tenant.Ref{Kind: i.Resource.Kind, ID: i.Resource.ID})
		if !live || served.Before(epoch) || served.After(end) {
			continue
		}
		at, ok := found[i.place()]
		if !ok {
			if i.Scannable {
				missed++
				t.Errorf("nothing was found at %s, served at %v", i.place(), served)
			}
			continue
		}
		delays = append(delays, at.Sub(served))
	}
	if len(delays) < 10 {
		t.Fatalf("only %d values were planted while the tenant was watched", len(delays))
	}
	slices.Sort(delays)
	p95 := delays[len(delays)*95/100]
	t.Logf("%d values found: half within %v, 95 of 100 within %v, all within %v; %d missed", len(delays), delays[len(delays)/2], p95, delays[len(delays)-1], missed)
	if p95 > liveNotice {
		t.Errorf("95 of 100 values were found within %v, want %v", p95, liveNotice)
	}
}
